package iac

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// tree is a file system of files in memory. The library makes keys of file systems by
// printing them, so a tree has a short name of its own.
type tree struct {
	files map[string][]byte
	dirs  map[string][]fs.DirEntry
}

func newTree(files map[string][]byte) *tree {
	t := &tree{files: files, dirs: map[string][]fs.DirEntry{".": nil}}
	for p, content := range files {
		t.enter(p, node{name: path.Base(p), size: int64(len(content))})
	}
	for _, list := range t.dirs {
		slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return t
}

func (t *tree) enter(p string, n node) {
	dir := path.Dir(p)
	if _, known := t.dirs[dir]; !known {
		t.dirs[dir] = nil
		t.enter(dir, node{name: path.Base(dir), dir: true})
	}
	t.dirs[dir] = append(t.dirs[dir], n)
}

func (t *tree) String() string   { return "tree" }
func (t *tree) GoString() string { return "tree" }

// Open opens a file or a folder; nothing outside of the tree is one.
func (t *tree) Open(name string) (fs.File, error) {
	if content, ok := t.files[name]; ok {
		return &file{Reader: bytes.NewReader(content), node: node{name: path.Base(name), size: int64(len(content))}}, nil
	}
	if entries, ok := t.dirs[name]; ok {
		return &folder{node: node{name: path.Base(name), dir: true}, entries: entries}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadDir lists a folder, sorted.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	if entries, ok := t.dirs[name]; ok {
		return slices.Clone(entries), nil
	}
	return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
}

// node is a file or folder as entry and as information.
type node struct {
	name string
	size int64
	dir  bool
}

func (n node) Name() string               { return n.name }
func (n node) Size() int64                { return n.size }
func (n node) IsDir() bool                { return n.dir }
func (n node) ModTime() time.Time         { return time.Time{} }
func (n node) Sys() any                   { return nil }
func (n node) Info() (fs.FileInfo, error) { return n, nil }
func (n node) Type() fs.FileMode          { return n.Mode().Type() }
func (n node) Mode() fs.FileMode {
	if n.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

type file struct {
	*bytes.Reader
	node
}

func (f *file) Size() int64                { return f.node.size }
func (f *file) Stat() (fs.FileInfo, error) { return f.node, nil }
func (f *file) Close() error               { return nil }

type folder struct {
	node
	entries []fs.DirEntry
}

func (d *folder) Stat() (fs.FileInfo, error) { return d.node, nil }
func (d *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: fs.ErrInvalid}
}
func (d *folder) Close() error { return nil }

// ReadDir gives what was not given yet.
func (d *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(d.entries) {
		n = len(d.entries)
	}
	out := d.entries[:n:n]
	d.entries = d.entries[n:]
	return out, nil
}
