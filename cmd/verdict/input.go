package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"verdict"
)

// standardInput is how a person names it where a file is expected.
const standardInput = "-"

// openRegular opens a file that a person named. Only a regular file will do: a pipe
// without a writer would keep the command waiting for ever, and a device has no end.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, nil, notRegular(path, info.Mode())
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(filepath.Clean(path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &verdict.Error{Code: verdict.CodeNotFound, What: "there is no file " + path, Remedy: "check the path; it is read from the current folder"}
	}
	if err != nil {
		return nil, nil, &verdict.Error{Code: verdict.CodeUnavailable, What: path + " cannot be opened", Remedy: "make the file readable for this user", Err: errors.Unwrap(err)}
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() { // swapped in between
		err = notRegular(path, info.Mode())
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func notRegular(path string, mode fs.FileMode) error {
	e := &verdict.Error{Code: verdict.CodeInvalid, Remedy: "name a regular file; what comes through a pipe can be saved to one first"}
	switch {
	case mode.IsDir():
		e.What, e.Remedy = path+" is a folder", "name a file: of a folder, make an archive and name that"
	case mode&fs.ModeNamedPipe != 0:
		e.What = path + " is a pipe"
	default:
		e.What = path + " is no regular file"
	}
	return e
}

// readInput reads a file, or standard input for "-", of at most limit bytes. A file that
// is larger is refused before it is read. what names the content: "the predicate".
func (a *app) readInput(path, what string, limit int64) ([]byte, error) {
	in := a.stdin
	if path != standardInput {
		f, info, err := openRegular(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info.Size() > limit {
			return nil, tooLong(what, path, limit)
		}
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if int64(len(b)) > limit {
		return nil, tooLong(what, path, limit)
	}
	return b, nil
}

func tooLong(what, path string, limit int64) error {
	size := fmt.Sprintf("%d KiB", limit>>10)
	if limit >= 1<<20 {
		size = fmt.Sprintf("%d MiB", limit>>20)
	}
	return &verdict.Error{
		Code: verdict.CodeLimit, What: fmt.Sprintf("%s in %s is larger than the %s that Verdict takes", what, fileName(path), size),
		Remedy: "check that this is the right file; large data is kept elsewhere and stated by its digest",
	}
}

func fileName(path string) string {
	if path == standardInput {
		return "standard input"
	}
	return path
}

func unreadable(path string, err error) error {
	return &verdict.Error{Code: verdict.CodeUnavailable, What: fileName(path) + " cannot be read to its end", Remedy: "check the disk or the connection that it comes from, and run the command again", Err: err}
}

// readFunc is a reader made of a function.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// consume hands a file of any size to take, which reads it once. It stops when ctx ends,
// and fails when the file changed meanwhile: its digest would be one of no file.
func (a *app) consume(ctx context.Context, path string, take func(io.Reader) error) error {
	f, before, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	step := a.progress.phase("hashing " + path)
	defer a.progress.stop()
	var done int64
	err = take(readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := f.Read(p)
		done += int64(n)
		step.say("%d of %d MiB", done>>20, before.Size()>>20)
		return n, err
	}))
	if err != nil {
		return unreadable(path, err)
	}
	after, err := f.Stat()
	if err != nil || after.Size() != before.Size() || done != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return &verdict.Error{Code: verdict.CodeConflict, What: fileName(path) + " changed while it was read", Remedy: "wait until whatever writes it is done, and run the command again", Err: err}
	}
	return nil
}

// digestFile computes the sha256 of a file of any size.
func (a *app) digestFile(ctx context.Context, path string) (verdict.Digest, error) {
	h := sha256.New()
	err := a.consume(ctx, path, func(r io.Reader) error {
		_, err := io.CopyBuffer(h, r, make([]byte, 1<<20))
		return err
	})
	if err != nil {
		return "", err
	}
	return verdict.NewDigest("sha256", hex.EncodeToString(h.Sum(nil))), nil
}
