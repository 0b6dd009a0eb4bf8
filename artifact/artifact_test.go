package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"verdict"
)

// memory is a store for tests. Under an alias it gives content of another digest, as no
// real store does, so that an index can name itself.
type memory map[verdict.Digest][]byte

func sha(b []byte) verdict.Digest {
	sum := sha256.Sum256(b)
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}

func (m memory) put(v any) Descriptor {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	m[sha(raw)] = raw
	return Descriptor{MediaType: TypeManifest, Digest: sha(raw), Size: int64(len(raw))}
}

func (m memory) Manifest(_ context.Context, d verdict.Digest) (Manifest, error) {
	if b, ok := m[d]; ok {
		return Manifest{Digest: d, Raw: b}, nil
	}
	return Manifest{}, &verdict.Error{Code: verdict.CodeNotFound, What: "no " + string(d), Remedy: "none"}
}

func (m memory) Blob(_ context.Context, d Descriptor) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m[d.Digest])), nil
}

func index(manifests ...Descriptor) map[string]any {
	return map[string]any{"schemaVersion": 2, "mediaType": TypeIndex, "manifests": manifests}
}

func (m memory) identify(t *testing.T, d Descriptor) (Identity, error) {
	t.Helper()
	x, err := m.Manifest(context.Background(), d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return Identify(context.Background(), m, Reference{Name: "localhost/a"}, x, nil)
}

func codeOf(err error) verdict.Code {
	var e *verdict.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// An index that leads back to itself, or down without end, must end in an answer.
func TestAnIndexThatNamesItselfIsRefused(t *testing.T) {
	m := memory{}
	self := Descriptor{MediaType: TypeIndex, Digest: verdict.NewDigest("sha256", strings.Repeat("5", 64))}
	raw, err := json.Marshal(index(self))
	if err != nil {
		t.Fatal(err)
	}
	m[self.Digest] = raw
	if _, err := m.identify(t, self); codeOf(err) != verdict.CodeInvalid || !strings.Contains(err.Error(), "contains itself") {
		t.Errorf("an index that names itself: %v", err)
	}
	deep := m.put(map[string]any{"layers": []any{}, "config": m.put(map[string]any{})})
	for range maxDepth + 1 {
		deep = m.put(index(deep))
	}
	if _, err := m.identify(t, deep); codeOf(err) != verdict.CodeInvalid || !strings.Contains(err.Error(), "nests deeper") {
		t.Errorf("an index in an index in an index …: %v", err)
	}
}

// Two readers must not see two images under one digest.
func TestAManifestMeansOneThing(t *testing.T) {
	for name, raw := range map[string]string{
		"image and index":      `{"mediaType":"` + TypeManifest + `","config":{"digest":"` + string(sha(nil)) + `"},"layers":[],"manifests":[]}`,
		"uppercase digest":     `{"mediaType":"` + TypeIndex + `","manifests":[{"digest":"sha256:` + strings.Repeat("AB", 32) + `"}]}`,
		"no digest":            `{"mediaType":"` + TypeIndex + `","manifests":[{"digest":"sha256:../../x"}]}`,
		"md5":                  `{"mediaType":"` + TypeIndex + `","manifests":[{"digest":"md5:` + strings.Repeat("a", 32) + `"}]}`,
		"commit":               `{"mediaType":"` + TypeIndex + `","manifests":[{"digest":"gitCommit:` + strings.Repeat("a", 40) + `"}]}`,
		"schema 1":             `{"schemaVersion":1,"fsLayers":[]}`,
		"another type":         `{"mediaType":"text/html","layers":[]}`,
		"index without a list": `{"mediaType":"` + TypeIndex + `"}`,
		"negative size":        `{"mediaType":"` + TypeIndex + `","manifests":[{"size":-1,"digest":"` + string(sha(nil)) + `"}]}`,
		"no JSON":              `{`,
	} {
		if c, err := (Manifest{Raw: []byte(raw)}).Parse(); codeOf(err) != verdict.CodeInvalid {
			t.Errorf("%s reads as %+v, %v", name, c, err)
		}
	}
	raw := []byte(`{"mediaType":"` + TypeIndex + `","manifests":[]}`)
	if _, err := (Manifest{MediaType: TypeManifest, Raw: raw}).Parse(); codeOf(err) != verdict.CodeInvalid {
		t.Errorf("the registry calls an index a manifest: %v", err)
	}
}

func TestReferences(t *testing.T) {
	digest := string(sha(nil))
	for in, want := range map[string]string{
		"ghcr.io/acme/app:v1":                      "ghcr.io/acme/app:v1",
		"ghcr.io/acme/app":                         "ghcr.io/acme/app:latest",
		"ghcr.io/acme/app@" + digest:               "ghcr.io/acme/app@" + digest,
		"ghcr.io/acme/app:v1@" + digest:            "ghcr.io/acme/app:v1@" + digest,
		"alpine:3.20":                              "docker.io/library/alpine:3.20",
		"acme/app":                                 "docker.io/acme/app:latest",
		"localhost/app":                            "localhost/app:latest",
		"localhost:5000/a/b":                       "localhost:5000/a/b:latest",
		"[::1]:5000/a":                             "[::1]:5000/a:latest",
		"GHCR.io/acme/app:V1":                      "ghcr.io/acme/app:V1",
		"ghcr.io/acme/app@" + strings.ToUpper("x"): "",
		"ghcr.io/acme/app@SHA256:" + strings.Repeat("a", 64): "",
		"ghcr.io/acme/app@sha256:" + strings.Repeat("A", 64): "",
		"ghcr.io/acme/app@sha256:abc":                        "",
		"ghcr.io/Acme/app":                                   "",
		"ghcr.io/../app":                                     "",
		"ghcr.io/acme/app:":                                  "",
		"ghcr.io/acme/app:a b":                               "",
		"https://ghcr.io/acme/app":                           "",
		"user@ghcr.io/acme/app":                              "",
		"-o/acme":                                            "",
		"":                                                   "",
	} {
		r, err := ParseReference(in)
		if want == "" && codeOf(err) != verdict.CodeUsage {
			t.Errorf("%q reads as %q, %v", in, r, err)
		} else if want != "" && r.String() != want {
			t.Errorf("%q reads as %q (%v), not %q", in, r, err, want)
		}
	}
}

// A tag that moved between record and promotion must be told, and one that did not, not.
func TestATagThatMovedIsTold(t *testing.T) {
	a, b, at := sha([]byte("a")), sha([]byte("b")), time.Unix(1, 0)
	image := func(tag string, d verdict.Digest) verdict.Image {
		return verdict.Image{Name: "r/a", Tag: tag, Digest: d}
	}
	recorded := []Sighting{{image("v1", b), at, 3}, {image("v1", a), at, 7}, {image("v2", b), at, 9}}
	if m := Moved(recorded, image("v1", b)); m == nil || m.From != a || m.To != b || m.Entry != 7 {
		t.Errorf("back to the digest before the last is no move: %+v", m)
	}
	for _, now := range []verdict.Image{image("v1", a), image("", b), image("v3", b)} {
		if m := Moved(recorded, now); m != nil {
			t.Errorf("%+v is told as a move: %+v", now, m)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"mediaType":"`+TypeIndex+`","manifests":[{"digest":"`+string(sha(nil))+`","size":1}]}`), TypeIndex)
	f.Add([]byte(`{"config":{"digest":"`+string(sha(nil))+`"},"layers":[]}`), "")
	f.Fuzz(func(t *testing.T, raw []byte, mediaType string) {
		c, err := (Manifest{MediaType: mediaType, Raw: raw}).Parse()
		if err == nil && !c.IsIndex() && c.MediaType != TypeManifest && c.MediaType != TypeDockerManifest {
			t.Errorf("%q is accepted as %q", raw, c.MediaType)
		}
	})
}

func FuzzParseReference(f *testing.F) {
	f.Add("ghcr.io/acme/app:v1")
	f.Add("a@sha256:" + strings.Repeat("a", 64))
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReference(s)
		if err != nil {
			return
		}
		again, err := ParseReference(r.String())
		if err != nil || again != r {
			t.Errorf("%q reads as %+v, which reads as %+v (%v)", s, r, again, err)
		}
	})
}
