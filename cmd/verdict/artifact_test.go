package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
)

// serveRegistry is the script command `registry [plain]`: an OCI registry in this process,
// with the referrers API unless it is plain. $REGISTRY is its host. It holds acme/app:v1,
// an index of two platforms ($INDEX, $AMD64), acme/app:other ($OTHER), one image,
// acme/app:single ($SINGLE), an index of one, and acme/app:bad, whose layers are a bomb and
// files that lead out of it. With a word it is one of the badRegistries. $DEEP is an index in
// an index in an index, too deep to be an image.
func serveRegistry(ts *testscript.TestScript, neg bool, args []string) {
	misbehaves := badRegistries[strings.Join(args, " ")]
	if neg || len(args) > 1 || len(args) == 1 && args[0] != "plain" && misbehaves == nil {
		ts.Fatalf("usage: registry [plain|%s]", strings.Join(slices.Sorted(maps.Keys(badRegistries)), "|"))
	}
	honest := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(len(args) == 0))
	filled := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !filled || r.Method != http.MethodGet || !misbehaves(w, r) {
			honest.ServeHTTP(w, r)
		}
	}))
	ts.Defer(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	x := registryContent{ts: ts, base: s.URL + "/v2/acme/app/"}
	amd := x.image("amd64", "2026-02-02T03:04:05Z")
	arm := x.image("arm64", "2026-02-02T03:04:06Z")
	index := x.manifest("v1", "application/vnd.oci.image.index.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{amd, arm},
	})
	other := x.image("amd64", "2026-03-03T03:04:05Z")
	x.manifest("other", other["mediaType"].(string), x.raw[other["digest"].(string)])
	single := x.manifest("single", "application/vnd.oci.image.index.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{arm},
	})
	bad := x.imageOf("amd64", "2026-04-04T03:04:05Z", x.bomb(), x.escaping())
	x.manifest("bad", bad["mediaType"].(string), x.raw[bad["digest"].(string)])
	deep := amd
	for range 5 {
		deep = x.manifest("", "application/vnd.oci.image.index.v1+json", map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{deep}})
	}
	ts.Setenv("DEEP", deep["digest"].(string))
	ts.Setenv("SINGLE", single["digest"].(string))
	filled = misbehaves != nil
	ts.Setenv("REGISTRY", host)
	ts.Setenv("INDEX", index["digest"].(string))
	ts.Setenv("AMD64", amd["digest"].(string))
	ts.Setenv("OTHER", other["digest"].(string))
}

// registryContent puts images into a registry.
type registryContent struct {
	ts   *testscript.TestScript
	base string
	raw  map[string]json.RawMessage // manifests by digest
}

// moveTag is the script command `movetag FROM TO`: FROM names from now on what TO names.
func moveTag(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: movetag FROM TO")
	}
	x := registryContent{ts: ts, base: "http://" + ts.Getenv("REGISTRY") + "/v2/acme/app/"}
	resp, err := http.Get(x.base + "manifests/" + args[1])
	ts.Check(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	ts.Check(err)
	x.put("manifests/"+args[0], resp.Header.Get("Content-Type"), raw)
}

func (x *registryContent) image(architecture, created string) map[string]any {
	return x.imageOf(architecture, created, x.layer())
}

func (x *registryContent) imageOf(architecture, created string, layers ...any) map[string]any {
	config := x.blob("application/vnd.oci.image.config.v1+json", map[string]any{"created": created, "os": "linux", "architecture": architecture})
	d := x.manifest("", "application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers,
	})
	d["platform"] = map[string]any{"os": "linux", "architecture": architecture}
	return d
}

const musl = "P:musl\nV:1.2.5-r0\nA:x86_64\n\n"

// layer is one of Alpine with one package.
func (x *registryContent) layer() map[string]any {
	var b bytes.Buffer
	x.archive(&b, "lib/apk/db/installed", musl, 1)
	return x.putBlob(b.Bytes(), "application/vnd.oci.image.layer.v1.tar")
}

// escaping is a layer whose only file leads out of it.
func (x *registryContent) escaping() map[string]any {
	var b bytes.Buffer
	x.archive(&b, "../../lib/apk/db/installed", musl, 1)
	return x.putBlob(b.Bytes(), "application/vnd.oci.image.layer.v1.tar")
}

// bomb is a layer of few bytes that unpacks to many.
func (x *registryContent) bomb() map[string]any {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	x.archive(z, "zeros", strings.Repeat("\x00", 1<<20), 200)
	x.ts.Check(z.Close())
	return x.putBlob(b.Bytes(), "application/vnd.oci.image.layer.v1.tar+gzip")
}

// archive writes one file, whose content is repeated.
func (x *registryContent) archive(to io.Writer, name, content string, times int) {
	w := tar.NewWriter(to)
	x.ts.Check(w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content) * times)}))
	for range times {
		_, err := io.WriteString(w, content)
		x.ts.Check(err)
	}
	x.ts.Check(w.Close())
}

func (x *registryContent) blob(mediaType string, v any) map[string]any {
	_, raw := x.describe(mediaType, v)
	return x.putBlob(raw, mediaType)
}

func (x *registryContent) putBlob(raw []byte, mediaType string) map[string]any {
	d := described(mediaType, raw)
	resp, err := http.Post(x.base+"blobs/uploads/?digest="+d["digest"].(string), "application/octet-stream", bytes.NewReader(raw))
	x.ts.Check(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		x.ts.Fatalf("put blob: %s", resp.Status)
	}
	return d
}

func (x *registryContent) manifest(tag, mediaType string, v any) map[string]any {
	d, raw := x.describe(mediaType, v)
	if x.raw == nil {
		x.raw = map[string]json.RawMessage{}
	}
	x.raw[d["digest"].(string)] = raw
	for _, id := range []string{d["digest"].(string), tag} {
		if id != "" {
			x.put("manifests/"+id, mediaType, raw)
		}
	}
	return d
}

func (x *registryContent) describe(mediaType string, v any) (map[string]any, []byte) {
	raw, err := json.Marshal(v)
	x.ts.Check(err)
	return described(mediaType, raw), raw
}

func described(mediaType string, raw []byte) map[string]any {
	sum := sha256.Sum256(raw)
	return map[string]any{"mediaType": mediaType, "digest": "sha256:" + hex.EncodeToString(sum[:]), "size": len(raw)}
}

func (x *registryContent) put(path, mediaType string, raw []byte) {
	req, err := http.NewRequest(http.MethodPut, x.base+path, bytes.NewReader(raw))
	x.ts.Check(err)
	req.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(req)
	x.ts.Check(err)
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		x.ts.Fatalf("%s", fmt.Sprint("put ", path, ": ", resp.Status))
	}
}
