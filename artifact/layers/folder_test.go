package layers

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/artifact"
)

// foldered unpacks an archive of a layout, and opens it as a folder.
func foldered(t *testing.T, archive []byte, change func(dir string)) (*Saved, error) {
	t.Helper()
	dir := t.TempDir()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == LayoutFile {
			b = []byte(`{"imageLayoutVersion":"1.0.0"}`)
		}
		name := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return OpenLayout(root.FS())
}

// A layout is the same image as a folder and as an archive, and one that was handed over must
// not lead to another file of this machine.
func TestALayoutThatIsAFolder(t *testing.T) {
	archive, digest := layoutOf(t, tarOf(t, entry{name: "lib/apk/db/installed", content: apkMusl}))
	blob := func(dir string) string { return filepath.Join(dir, "blobs", "sha256", digest.Hex()) }
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		change func(dir string)
		code   verdict.Code // "": it is read
		says   string
	}{
		{"as it was saved", nil, "", ""},
		{"of a version of tomorrow", func(dir string) {
			must(os.WriteFile(filepath.Join(dir, LayoutFile), []byte(`{"imageLayoutVersion":"2.0.0"}`), 0o644))
		}, verdict.CodeInvalid, "version"},
		{"without an index", func(dir string) { must(os.Remove(filepath.Join(dir, "index.json"))) }, verdict.CodeInvalid, "index.json"},
		{"whose index is a folder", func(dir string) {
			must(os.Remove(filepath.Join(dir, "index.json")))
			must(os.Mkdir(filepath.Join(dir, "index.json"), 0o755))
		}, verdict.CodeInvalid, "no regular file"},
		{"without the manifest", func(dir string) { must(os.Remove(blob(dir))) }, verdict.CodeInvalid, "is not in it"},
		{"with other bytes", func(dir string) { must(os.WriteFile(blob(dir), []byte("{}"), 0o644)) }, verdict.CodeRefused, "other bytes"},
		{"that leads out of it", func(dir string) {
			outside := filepath.Join(t.TempDir(), "manifest")
			raw, err := os.ReadFile(blob(dir))
			must(err)
			must(os.WriteFile(outside, raw, 0o644))
			must(os.Remove(blob(dir)))
			must(os.Symlink(outside, blob(dir)))
		}, verdict.CodeInvalid, "leads out of it"},
		{"with an index that is too large", func(dir string) {
			must(os.WriteFile(filepath.Join(dir, "index.json"), make([]byte, artifact.MaxManifest+1), 0o644))
		}, verdict.CodeInvalid, "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := foldered(t, archive, c.change)
			var m artifact.Manifest
			if err == nil {
				m, err = s.Manifest(context.Background(), digest)
			}
			if c.code != "" {
				if e := verdict.AsError(err); e == nil || e.Code != c.code || e.Remedy == "" || !strings.Contains(e.Error(), c.says) {
					t.Errorf("%v, and not %s: %s", err, c.code, c.says)
				}
				return
			}
			if err != nil || m.Digest != digest || s.Name != "ghcr.io/acme/app:v1" {
				t.Fatalf("%+v, %v", s, err)
			}
			content, err := m.Parse()
			must(err)
			doc, err := Read(context.Background(), Image{Layers: content.Layers, Store: s}, Limits{})
			if err != nil || len(doc.Components) != 1 {
				t.Errorf("%+v, %v", doc.Components, err)
			}
		})
	}
}
