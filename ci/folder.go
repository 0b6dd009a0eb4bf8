package ci

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"verdict"
	"verdict/ci/wording"
)

// errSwapped is the error for a path that was one thing when it was looked at and
// another when it was opened, or a folder that is a link.
var errSwapped = errors.New("it is or became a symbolic link, or was replaced while it was opened")

// folder is an open folder of the tree. Names are opened relative to it, one element at
// a time and never through a link; os.Root refuses whatever would leave it. What is
// opened is compared with what was looked at, so that a swap in between is seen.
type folder struct{ root *os.Root }

func openTop(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeNotFound, What: wording.Shown(dir) + " cannot be opened as a folder",
			Remedy: "give the path of a folder that exists and that you may read", Err: err,
		}
	}
	return &folder{root}, nil
}

func (d *folder) close() { d.root.Close() }

// walkTo opens the folder at a slash-separated path below d.
func (d *folder) walkTo(dir string) (*folder, error) {
	if dir == "." || dir == "" {
		return d.sub(".")
	}
	var here *folder
	for name := range strings.SplitSeq(dir, "/") {
		from := d
		if here != nil {
			from = here
		}
		next, err := from.sub(name)
		if here != nil {
			here.close()
		}
		if err != nil {
			return nil, err
		}
		here = next
	}
	return here, nil
}

// sub opens the folder name in d.
func (d *folder) sub(name string) (*folder, error) {
	seen, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !seen.IsDir() {
		return nil, fmt.Errorf("folder %q: %w", name, errSwapped)
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(seen, opened) {
		root.Close()
		return nil, fmt.Errorf("folder %q: %w", name, errSwapped)
	}
	return &folder{root}, nil
}

// open opens the regular file that was seen by that name, for reading. A FIFO or
// device that took its place does not make it wait.
func (d *folder) open(name string, seen fs.FileInfo) (*os.File, fs.FileInfo, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|unblocked, 0)
	if err != nil {
		return nil, nil, err
	}
	opened, err := f.Stat()
	if err == nil && (!opened.Mode().IsRegular() || !os.SameFile(seen, opened)) {
		err = fmt.Errorf("file %q: %w", name, errSwapped)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, opened, nil
}

// names calls each for every name in the folder, in no order. It stops at each's error.
func (d *folder) names(each func(fs.DirEntry) error) error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		some, err := f.ReadDir(1024)
		for _, e := range some {
			if err := each(e); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
