package layers

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// The marks of layers that something below them is gone (image-spec, layer.md).
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// maxPath bounds a name, in bytes.
const maxPath = 4096

// archive walks over the entries of a layer.
func (x *reading) archive(ctx context.Context, r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("it is no tar archive, or a damaged one: %w", err)
		}
		if x.entries++; x.entries > x.limits.Entries {
			return fmt.Errorf("the image has more than %d files", x.limits.Entries)
		}
		name, ok := within(h.Name)
		if !ok {
			x.open(h.Name, "its name leads out of the image: it was not read", true)
			continue
		}
		if name == "" {
			continue
		}
		if err := x.entry(t, h, name); err != nil {
			return err
		}
	}
}

// within is the place of a name in the image, without a slash in front. A name that leads
// out of it is none.
func within(name string) (string, bool) {
	if len(name) > maxPath || strings.IndexByte(name, 0) >= 0 {
		return "", false
	}
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", false
	}
	if clean == "." {
		return "", true
	}
	return clean, true
}

// entry takes up one file, link or mark.
func (x *reading) entry(t *tar.Reader, h *tar.Header, name string) error {
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case base == opaque:
		x.layer.opaque[dir] = true
		return nil
	case strings.HasPrefix(base, whiteout):
		switch gone := base[len(whiteout):]; gone {
		case "", ".", "..":
			x.open(name, "it takes away what is not below its folder: it was not followed", true)
		default:
			x.layer.hidden[path.Join(dir, gone)] = true
		}
		return nil
	case h.Typeflag == tar.TypeDir:
		return nil
	}
	x.layer.files = append(x.layer.files, name)
	delete(x.layer.found, name) // a later entry of one path replaces the earlier
	delete(x.layer.links, name)
	if x.covered(name) {
		return nil
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return x.file(t, h, name)
	case tar.TypeLink, tar.TypeSymlink:
		x.link(h, name)
	}
	return nil
}

// link takes up a name that stands for another one. It is never followed: a symbolic link
// loses nothing where its target is a name that is read itself, wherever it lies in the
// image, and a hard link is the file of the same layer.
func (x *reading) link(h *tar.Header, name string) {
	kind, read := kindOf(name)
	if read == nil {
		return
	}
	to := h.Linkname
	if h.Typeflag == tar.TypeSymlink && !strings.HasPrefix(to, "/") {
		to = parent(name) + "/" + to
	}
	target, ok := within(to)
	if !ok {
		x.open(name, "it is a link out of the image: it was not followed", true)
		return
	}
	if h.Typeflag == tar.TypeLink {
		x.layer.links[name] = target
	} else if same, _ := kindOf(target); same != kind {
		x.open(name, "it is a symbolic link to "+clip(target)+", and links are not followed", true)
	}
}

// file reads one file where something can be found in it.
func (x *reading) file(t *tar.Reader, h *tar.Header, name string) error {
	_, read := kindOf(name)
	if read == nil && mayBeLinked(name, h.Mode, h.Size) {
		read = executable
	}
	if read == nil {
		return nil
	}
	if h.Size > x.limits.File {
		x.open(name, fmt.Sprintf("it has %d bytes, and at most %d of a file are read", h.Size, x.limits.File), true)
		return nil
	}
	f := &file{name: name, size: h.Size, r: t, x: x}
	packages, err := read(f)
	if f.failed != nil {
		return f.failed // the archive itself ends here
	}
	if err != nil && !errors.Is(err, errNothing) {
		x.open(name, "it cannot be read: "+err.Error(), true)
	}
	if len(packages) > 0 {
		x.layer.found[name] = packages
	}
	return nil
}

// errNothing says that a file is not what its name says, and holds no packages.
var errNothing = errors.New("it holds no packages")

// file is one file of a layer on its way.
type file struct {
	name   string
	size   int64
	r      io.Reader
	x      *reading
	failed error // of the archive around it
}

// bytes reads all of it. Its size is what a header says, so room is made as it comes; and
// it counts once more, because the holes of a sparse file cost nothing in the archive.
func (f *file) bytes() ([]byte, error) {
	if f.x.left -= f.size; f.x.left < 0 {
		f.failed = fmt.Errorf("%w: the image has more than %d bytes", errBomb, f.x.limits.Bytes)
		return nil, f.failed
	}
	var b bytes.Buffer
	b.Grow(int(min(f.size, 1<<20)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(f.r, f.size))
	if err == nil && n != f.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		f.failed = fmt.Errorf("%s: %w", f.name, err)
		return nil, f.failed
	}
	return b.Bytes(), nil
}

// head reads the first bytes alone.
func (f *file) head(n int) ([]byte, error) {
	b := make([]byte, min(int64(n), f.size))
	if _, err := io.ReadFull(f.r, b); err != nil {
		f.failed = fmt.Errorf("%s: %w", f.name, err)
		return nil, f.failed
	}
	return b, nil
}

// reader finds the packages of one file.
type reader func(f *file) ([]found, error)

// kindOf is what reads a file of this name, and which kind of list it is; nothing for those
// that say nothing.
func kindOf(name string) (kind string, read reader) {
	switch name {
	case "lib/apk/db/installed", "usr/lib/apk/db/installed":
		return "apk", readAPK
	case "var/lib/dpkg/status":
		return "dpkg", readDpkg
	case "etc/os-release", "usr/lib/os-release":
		return "release", readRelease
	}
	dir, base := parent(name), name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case dir == "var/lib/dpkg/status.d" && !strings.HasSuffix(base, ".md5sums"):
		return "dpkg", readDpkg
	case dir == "var/lib/rpm" || dir == "usr/lib/sysimage/rpm" || dir == "usr/share/rpm":
		if read = rpmReader(base); read == nil {
			return "", nil
		}
		return "rpm", read
	}
	if read = languageReader(name, base); read == nil {
		return "", nil
	}
	return "language", read
}
