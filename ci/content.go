package ci

import (
	"bytes"
	"context"
	"crypto/sha1" // git's identity for content, not ours
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"

	"verdict/git"
)

// fileReader is one worker's buffer.
type fileReader struct{ buf []byte }

// keepBuffer is the size up to which a buffer is kept for the next file.
const keepBuffer = 4 << 20

// sniffed is how much of a file's start tells text from binary: git's own measure.
const sniffed = 8000

// read is what became of one file: an entry, a skip or both, and its content where it
// is to be offered. done gives the content's memory back.
type read struct {
	entry   *Entry
	skip    *Skip
	content []byte
	done    func()
}

func skipped(s Skip) read { return read{skip: &s, done: func() {}} }

// read looks at one path and reads it as far as the limits allow. The error is the
// context's alone.
func (w *walk) read(ctx context.Context, r *fileReader, dir *folder, it item) (read, error) {
	for attempt := 0; ; attempt++ {
		seen, err := dir.root.Lstat(path.Base(it.path))
		if err != nil {
			return skipped(unopened(it, err)), nil
		}
		f := File{Path: it.path, Size: seen.Size()}
		switch {
		case seen.Mode()&fs.ModeSymlink != 0:
			return w.readLink(dir, it), nil
		case seen.IsDir():
			return skipped(Skip{File: f, Reason: "a folder is in the place of this file"}), nil
		case !seen.Mode().IsRegular():
			return skipped(Skip{File: File{Path: it.path}, Reason: "it is a " + special(seen.Mode()) + ", which is never opened"}), nil
		}
		got, err := w.readRegular(ctx, r, dir, it, seen)
		if errors.Is(err, errChanged) && attempt == 0 {
			continue
		}
		if ctx.Err() != nil {
			return read{done: func() {}}, ctx.Err()
		}
		if err != nil {
			return skipped(unopened(it, err)), nil
		}
		return got, nil
	}
}

func special(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "FIFO"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

// readLink takes a link for what it is: a short text that says where it points.
func (w *walk) readLink(dir *folder, it item) read {
	target, err := dir.root.Readlink(path.Base(it.path))
	if err != nil {
		return skipped(unopened(it, err))
	}
	e := Entry{Path: it.path, Mode: git.ModeLink, Size: int64(len(target)), SHA256: sha256.Sum256([]byte(target))}
	if w.Repo != nil {
		e.Blob = w.blob(int64(len(target)), []byte(target))
	}
	return read{entry: &e, done: func() {}}
}

func (w *walk) readRegular(ctx context.Context, r *fileReader, dir *folder, it item, seen fs.FileInfo) (read, error) {
	f, opened, err := dir.open(path.Base(it.path), seen)
	if err != nil {
		return read{}, err
	}
	defer f.Close()
	e := Entry{Path: it.path, Mode: git.ModeFile, Size: opened.Size()}
	if opened.Mode()&0o111 != 0 {
		e.Mode = git.ModeProgram
	}
	if e.Size > w.MaxFile {
		return w.readLarge(ctx, f, opened, it, e)
	}
	if err := w.budget.Acquire(ctx, e.Size); err != nil {
		return read{}, err
	}
	done := func() { w.budget.Release(e.Size) }
	content, err := r.fill(f, e.Size)
	if err == nil {
		err = unchanged(f, opened)
	}
	if err != nil {
		done()
		return read{}, err
	}
	e.SHA256 = sha256.Sum256(content)
	if w.Repo != nil {
		e.Blob = w.stored(it, e, content)
	}
	if s := notFetched(it.path, content); s != nil {
		return read{entry: &e, skip: s, done: done}, nil
	}
	return read{entry: &e, content: content, done: done}, nil
}

// errChanged is the error for a file that was written to while it was read.
var errChanged = errors.New("it changed while it was read")

func unchanged(f *os.File, before fs.FileInfo) error {
	after, err := f.Stat()
	if err == nil && (after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		err = errChanged
	}
	return err
}

// fill reads exactly size bytes, and finds the file's end behind them.
func (r *fileReader) fill(f io.Reader, size int64) ([]byte, error) {
	buf := r.buf
	if int64(cap(buf)) < size+1 {
		buf = make([]byte, max(size+1, 64<<10))
		if size < keepBuffer {
			r.buf = buf
		}
	}
	n, err := io.ReadFull(f, buf[:size+1])
	if n == int(size) && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
		return buf[:size:size], nil
	}
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil, errChanged
	}
	return nil, err
}

// readLarge deals with a file that is not offered: it is hashed, or when it is larger
// still, not read but for its start.
func (w *walk) readLarge(ctx context.Context, f *os.File, opened fs.FileInfo, it item, e Entry) (read, error) {
	head := make([]byte, sniffed)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return read{}, err
	}
	head = head[:n]
	out := skipped(Skip{
		File: File{Path: it.path, Size: e.Size}, Blocks: true, Binary: isBinary(it.path, head),
		Reason: fmt.Sprintf("it holds %d bytes, more than the limit of %d", e.Size, w.MaxFile),
	})
	if e.Size > w.MaxHash {
		return out, nil
	}
	sum, blob := sha256.New(), w.blobHash(e.Size)
	both := io.MultiWriter(sum, blob)
	both.Write(head)
	buf := make([]byte, 256<<10)
	for ended := false; !ended; {
		n, err := f.Read(buf)
		both.Write(buf[:n])
		if ended = errors.Is(err, io.EOF); err != nil && !ended {
			return read{}, err
		}
		if ctx.Err() != nil {
			return read{}, ctx.Err()
		}
	}
	if err := unchanged(f, opened); err != nil {
		return read{}, err
	}
	sum.Sum(e.SHA256[:0])
	if w.Repo != nil {
		e.Blob = hex.EncodeToString(blob.Sum(nil))
		if e.Blob != it.id && w.pointer(e) == it.id {
			e.Blob = it.id
		}
	}
	out.entry = &e
	return out, nil
}

// stored is the id of what git stores for this content. A checkout may have changed
// line ends, or put the content in the place of a pointer to it; where the index's
// blob is exactly what is to be expected then, the content is that blob's.
func (w *walk) stored(it item, e Entry, content []byte) string {
	raw := w.blob(e.Size, content)
	if raw == it.id || it.id == "" || it.mode == git.ModeLink {
		return raw
	}
	if bytes.Contains(content, []byte("\r\n")) {
		unix := bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
		if w.blob(int64(len(unix)), unix) == it.id {
			return it.id
		}
	}
	if w.pointer(e) == it.id {
		return it.id
	}
	return raw
}

// pointer is the blob id of the Git LFS pointer to the entry's content
// (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
func (w *walk) pointer(e Entry) string {
	text := fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%x\nsize %d\n", e.SHA256, e.Size)
	return w.blob(int64(len(text)), text)
}

func (w *walk) blob(size int64, content []byte) string {
	h := w.blobHash(size)
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// blobHash starts the hash that names a blob of this size.
func (w *walk) blobHash(size int64) hash.Hash {
	h := sha1.New()
	if w.Repo != nil && w.Repo.SHA256 {
		h = sha256.New()
	}
	h.Write(append(strconv.AppendInt([]byte("blob "), size, 10), 0))
	return h
}

// unopened says what it means that a listed path cannot be read.
func unopened(it item, err error) Skip {
	s := Skip{File: File{Path: it.path}, Reason: reason("it cannot be read", err), Blocks: true}
	switch {
	case errors.Is(err, fs.ErrNotExist) && it.mode != "":
		s.Reason, s.Blocks, s.Gone = "it is deleted in the working tree", false, true
	case errors.Is(err, fs.ErrNotExist):
		s.Reason, s.Blocks, s.Gone = "it was gone when it was to be read", false, true
	case errors.Is(err, errSwapped), errors.Is(err, errChanged):
		s.Reason = "it cannot be read: " + lastCause(err).Error()
	}
	return s
}

// reason is what, with the system's word for why and without the paths of the machine.
func reason(what string, err error) string { return what + ": " + lastCause(err).Error() }

func lastCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// cores is the number of files to read at once.
func cores() int { return runtime.GOMAXPROCS(0) }
