package ledger

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/store"
)

// grown is a tree as it grows, whose tiles are written.
type grown struct {
	edge  *edge
	epoch store.Head
	met   []met
	write func(name string, b []byte) error // nil: nothing is written
}

func (t *grown) put(tile tlog.Tile, b []byte) error {
	if t.write == nil || tile.W == 0 {
		return nil
	}
	return t.write(TilePath(tile), b)
}

func (t *grown) add(leaf []byte) error {
	var failed error
	t.edge.add(tlog.RecordHash(leaf), func(f store.Tile) {
		failed = errors.Join(failed, t.put(tlog.Tile{H: tileHeight, L: int(f.Level), N: f.N, W: tileWidth}, f.Data))
	})
	for _, m := range t.met {
		if m.tree.N == 0 || m.tree.N != t.edge.size {
			continue
		}
		if root, err := t.edge.root(); err != nil || root != m.tree.Hash {
			return contradicts("the first %d entries of %s are not those of %s", m.tree.N, t.epoch.Origin, m.what)
		}
	}
	return failed
}

// finish writes the tiles that are not full, and holds the root against that of the head.
func (t *grown) finish() error {
	root, err := t.edge.root()
	if err == nil && root != tlog.Hash(t.epoch.Root) {
		err = &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("the %d leaves of %s do not give the root of its checkpoint", t.epoch.Size, t.epoch.Origin),
			Remedy: "verdict log verify says which entry is not what was logged; take nothing from what was written",
		}
	}
	for _, p := range t.edge.partial(&edge{}) {
		if err == nil {
			err = t.put(tlog.Tile{H: tileHeight, L: int(p.Level), N: p.N, W: len(p.Data) / tlog.HashSize}, p.Data)
		}
	}
	return err
}

// folder writes files, each once, and remembers their digests: of a large log that is what its
// export has in memory.
type folder struct {
	dir  string
	sums []fileSum
}

type fileSum struct {
	name string
	sum  [sha256.Size]byte
}

func newFolder(dir string) (*folder, error) {
	err := os.MkdirAll(dir, 0o755)
	var files []os.DirEntry
	if err == nil {
		files, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the folder " + dir + " cannot be written", Remedy: "choose a folder that you may write: --out DIR", Err: err,
		}
	}
	if len(files) > 0 {
		return nil, &verdict.Error{
			Code: verdict.CodeConflict, What: "the folder " + dir + " is not empty", Remedy: "give an empty folder or a new one: an export would mix with what is there",
		}
	}
	return &folder{dir: dir}, nil
}

func (f *folder) write(name string, b []byte) error {
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if strings.Contains(name, "/") {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return err
	}
	f.sums = append(f.sums, fileSum{name, sha256.Sum256(b)})
	return nil
}

// finish writes the manifest.
func (f *folder) finish() error {
	slices.SortFunc(f.sums, func(a, b fileSum) int { return strings.Compare(a.name, b.name) })
	out, err := os.Create(filepath.Join(f.dir, "MANIFEST.sha256"))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	for _, s := range f.sums {
		fmt.Fprintf(w, "%x  %s\n", s.sum, s.name)
	}
	return errors.Join(w.Flush(), out.Close())
}
