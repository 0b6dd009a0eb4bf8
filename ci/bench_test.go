package ci

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"

	"verdict/ci/inventory/inventorytest"
)

func listFiles(fsys fs.FS) ([]string, error) {
	var all []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all = append(all, p)
		}
		return err
	})
	return all, err
}

// sources copies text files of the room policy into a fresh repository, so that benchmarks read
// what people write.
func sources(b *testing.B, n int) (dir string, bytes int64) {
	b.Helper()
	dir = repository(b)
	root := filepath.Join("..", "policy")
	all, err := listFiles(os.DirFS(root))
	must(b, err)
	for i := range n {
		content, err := os.ReadFile(filepath.Join(root, all[i%len(all)]))
		must(b, err)
		write(b, dir, fmt.Sprintf("d%02d/%d-%s", i%20, i, filepath.Base(all[i%len(all)])), string(content))
		bytes += int64(len(content))
	}
	write(b, dir, "go.mod", inventorytest.GoMod)
	write(b, dir, "web/package-lock.json", inventorytest.PackageLock)
	commitAll(b, dir)
	return dir, bytes
}

// BenchmarkRun is one whole run on a clean repository of 100 and 2,000 files.
func BenchmarkRun(b *testing.B) {
	for _, n := range []int{100, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir, bytes := sources(b, n)
			b.SetBytes(bytes)
			for b.Loop() {
				if _, err := Run(b.Context(), Options{Path: dir, Matcher: &facts{covers: []string{"Go", "npm"}}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWalk is the walk without readers: listing, reading and hashing.
func BenchmarkWalk(b *testing.B) {
	dir, bytes := sources(b, 2000)
	b.SetBytes(bytes)
	for b.Loop() {
		if _, err := Walk(b.Context(), dir, WalkOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRules is what the first run of a process pays before it reads a file.
func BenchmarkRules(b *testing.B) {
	for b.Loop() {
		if _, err := newRuleSet(config.DefaultConfig, ownRules); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSecrets compares the window matcher with the library's detector on the same
// text.
func BenchmarkSecrets(b *testing.B) {
	dir, _ := sources(b, 200)
	var text strings.Builder
	all, err := listFiles(os.DirFS(dir))
	must(b, err)
	for _, f := range all {
		if content, err := os.ReadFile(filepath.Join(dir, f)); err == nil && !hasNUL(content) && !strings.HasPrefix(f, ".git/") {
			text.Write(content)
		}
	}
	s, err := newRuleSet(config.DefaultConfig, "")
	must(b, err)
	d, err := detect.NewDetectorDefaultConfig()
	must(b, err)
	b.Run("windows", func(b *testing.B) {
		b.SetBytes(int64(text.Len()))
		for b.Loop() {
			if _, err := s.find(b.Context(), "a.txt", []byte(text.String())); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.SetBytes(int64(text.Len()))
		for b.Loop() {
			d.DetectString(text.String())
		}
	})
}
