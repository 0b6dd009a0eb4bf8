package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"verdict"
)

// writeFile puts data at path whole or not at all: a reader sees the old content or the
// new, and a full disk leaves the old. A link is followed; a device or pipe, which
// cannot be replaced, is written to.
func writeFile(path string, data []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	mode := fs.FileMode(0o666) // less the process's mask
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder", path)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	}
	f, err := createBeside(path, mode)
	if err != nil {
		return err
	}
	if info != nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// writeOutput puts data where -o said. What is judged may hold links, and a link that a
// change brought must not choose what is overwritten: below the folder that the command
// runs in, and in a git working tree, none is followed. Elsewhere it is, as to /dev/stdout.
func writeOutput(format, file string, data []byte) error {
	full, err := filepath.Abs(file)
	if err == nil {
		if link := linkInTree(full); link != "" {
			return &verdict.Error{
				Code: verdict.CodeUsage, What: fmt.Sprintf("the %s output is not written to %s: %s is a link, and may have come with what is judged", format, file, link),
				Remedy: "name the file that is meant itself, or take the link away",
			}
		}
		err = writeFile(full, data)
	}
	if err != nil {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: fmt.Sprintf("the %s output cannot be written to %s", format, file), Remedy: "make room, or name a file that this user may write", Err: err}
	}
	return nil
}

// linkInTree is the first link on the way from the top of a tree to an absolute path in
// it; empty when there is none, or the path is in no tree.
func linkInTree(full string) string {
	top := ""
	for at := filepath.Dir(full); at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			top = at
		}
	}
	below := func(dir string) bool { return strings.HasPrefix(full, dir+string(filepath.Separator)) }
	if cwd, err := os.Getwd(); err == nil && below(cwd) {
		top = cwd
	}
	if top == "" {
		return ""
	}
	link := ""
	for at := full; at != top; at = filepath.Dir(at) {
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			link = at
		}
	}
	return link
}

// pathBelow is file as a slash-separated path below dir, if it lies there: by whichever
// names it and the folders above it go. It need not exist.
func pathBelow(dir, file string) (string, bool) {
	top, err := os.Stat(dir)
	if err != nil {
		return "", false
	}
	full, err := filepath.Abs(file)
	if err != nil {
		return "", false
	}
	for at := filepath.Dir(full); ; at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && os.SameFile(top, info) {
			rel, err := filepath.Rel(at, full)
			return filepath.ToSlash(rel), err == nil
		}
		if at == filepath.Dir(at) {
			return "", false
		}
	}
}

// createBeside makes a new file in path's folder. os.CreateTemp would give it mode 0600,
// and a report is for others to read.
func createBeside(path string, mode fs.FileMode) (*os.File, error) {
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s.%d-%d.part", path, os.Getpid(), i)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) || i == 100 {
			return f, err
		}
	}
}

// keepSecret puts data where nobody else may read it, whole or not at all.
func keepSecret(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
