package main

import (
	"archive/zip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// digest covers names and bytes of all files, in order.
func digest(t *testing.T, dir string) (sum string, files int, text string) {
	t.Helper()
	h := sha256.New()
	var all strings.Builder
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, p))
		fmt.Fprintf(io.MultiWriter(h, &all), "%s %d %s", p, len(data), data)
		files++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), files, all.String()
}

// Figures of two days are compared: the tree below them must not have changed.
func TestTheMonorepoIsTheSameEveryTime(t *testing.T) {
	a, b, s := t.TempDir(), t.TempDir(), size{files: 500, locks: 24, terraform: 30, platform: 16}
	for _, dir := range []string{a, b} {
		if err := generate(dir, s); err != nil {
			t.Fatal(err)
		}
	}
	first, files, text := digest(t, a)
	second, _, _ := digest(t, b)
	if first != second || files != s.files {
		t.Errorf("%s and %s, %d files", first, second, files)
	}
	for _, want := range []string{"ghp_", "AKIA", "PRIVATE KEY", "public-read", "0.0.0.0/0", "golang.org/x/", "pnpm-lock.yaml", "Cargo.lock"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in the tree, and so nothing to be found", want)
		}
	}
	for _, left := range []string{"«", "%[", "%!"} {
		if strings.Contains(text, left) {
			t.Errorf("a place in a lockfile was not filled: %s", left)
		}
	}
}

// Without facts of its own a peer ends with an error, and nothing is compared.
func TestEveryInventedEcosystemHasAnArchive(t *testing.T) {
	db := database{t.TempDir()}
	ecosystems, missing, err := db.fill("")
	if err != nil || len(ecosystems) != len(invented) || len(missing) != len(published) {
		t.Fatalf("%v, missing %v, %v", ecosystems, missing, err)
	}
	for _, e := range ecosystems {
		z, err := zip.OpenReader(db.archive(e))
		if err != nil {
			t.Fatal(err)
		}
		if len(z.File) != inventedPackages/7 {
			t.Errorf("%s: %d records", e, len(z.File))
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	}
}
