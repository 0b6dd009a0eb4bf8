package layers

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"verdict"
	"verdict/artifact"
)

func shaOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// layoutOf is an OCI layout of an image with one layer, and its manifest's digest.
func layoutOf(t testing.TB, layer []byte, more ...entry) ([]byte, verdict.Digest) {
	t.Helper()
	config := []byte(`{"created":"2026-02-02T00:00:00Z"}`)
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":"sha256:%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%d}]}`,
		artifact.TypeManifest, artifact.TypeConfig, shaOf(config), len(config), shaOf(layer), len(layer))
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":"sha256:%s","size":%d,"annotations":{"io.containerd.image.name":"ghcr.io/acme/app:v1"}}]}`, artifact.TypeManifest, shaOf(manifest), len(manifest))
	blob := func(b []byte) entry { return entry{name: "blobs/sha256/" + shaOf(b), content: string(b)} }
	return tarOf(t, append([]entry{{name: "oci-layout", content: "{}"}, blob(config), blob(layer), blob(manifest), {name: "index.json", content: index}}, more...)...), verdict.NewDigest("sha256", shaOf(manifest))
}

// An image that was saved to a file gives the same list as from a registry.
func TestSavedImages(t *testing.T) {
	plain := tarOf(t, entry{name: "lib/apk/db/installed", content: apkMusl + apkSSL})
	old := tarOf(t, entry{name: "a/layer.tar", content: string(plain)}, entry{name: "b/layer.tar", kind: tar.TypeSymlink, link: "../a/layer.tar"},
		entry{name: "c.json", content: fmt.Sprintf(`{"rootfs":{"diff_ids":["sha256:%s","sha256:%s"]}}`, shaOf(plain), shaOf(plain))},
		entry{name: "manifest.json", content: `[{"Config":"c.json","RepoTags":["app:v1"],"Layers":["a/layer.tar","b/layer.tar"]}]`})
	layout, digest := layoutOf(t, zipped(t, plain))
	for name, b := range map[string][]byte{"docker save": old, "OCI layout": layout} {
		s, err := OpenSaved(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		i := Image{Layers: s.Layers, Store: s}
		if name == "OCI layout" {
			if len(s.Manifests) != 1 || s.Manifests[0].Digest != digest || s.Name != "ghcr.io/acme/app:v1" {
				t.Fatalf("the layout reads as %+v", s)
			}
			m, err := s.Manifest(context.Background(), digest)
			if err != nil {
				t.Fatal(err)
			}
			c, err := m.Parse()
			if err != nil {
				t.Fatal(err)
			}
			i.Layers = c.Layers
		}
		d, err := Read(context.Background(), i, Limits{})
		if err != nil || len(d.Components) != 2 {
			t.Errorf("%s: %v, %v, %+v", name, purls(d), err, d.Open)
		}
	}
}

// A file that holds other bytes than its digests say is refused, as a registry is.
func TestASavedImageThatWasAlteredIsRefused(t *testing.T) {
	layer := zipped(t, tarOf(t, entry{name: "lib/apk/db/installed", content: apkMusl}))
	other := zipped(t, tarOf(t, entry{name: "lib/apk/db/installed", content: apkSSL}))
	layout, digest := layoutOf(t, layer, entry{name: "blobs/sha256/" + shaOf(layer), content: string(other)})
	s, err := OpenSaved(bytes.NewReader(layout), int64(len(layout)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Manifest(context.Background(), digest)
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Parse()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Read(context.Background(), Image{Layers: c.Layers, Store: s}, Limits{})
	var e *verdict.Error
	if !errors.As(err, &e) || e.Code != verdict.CodeRefused {
		t.Errorf("a layer with other bytes: %v", err)
	}
	for name, b := range map[string][]byte{
		"out of it": tarOf(t, entry{name: "../index.json", content: "{}"}), "no image": tarOf(t, entry{name: "a"}), "no tar": []byte(strings.Repeat("x", 2000)),
		"two images": tarOf(t, entry{name: "manifest.json", content: `[{"Config":"a"},{"Config":"b"}]`}), "empty index": tarOf(t, entry{name: "index.json", content: `{"manifests":[]}`}),
	} {
		if _, err := OpenSaved(bytes.NewReader(b), int64(len(b))); !errors.As(err, &e) || e.Code != verdict.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSaved(f *testing.F) {
	layout, _ := layoutOf(f, []byte("x"))
	f.Add(layout)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := OpenSaved(bytes.NewReader(b), int64(len(b)))
		if err == nil && len(s.Manifests) == 0 && len(s.Layers) == 0 && len(s.digests) > 0 {
			t.Errorf("it has layers and lists none: %+v", s)
		}
	})
}
