package ci

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"verdict"
	"verdict/ci/wording"
	"verdict/git"
)

// Bounds of what is unpacked, so that a bomb costs little. What lies beyond is told and
// leaves the check incomplete.
const (
	maxArchived      = 32 << 20  // bytes of one file inside of an archive
	maxUnpacked      = 512 << 20 // bytes out of one file of the tree, over all archives in it
	maxArchiveFiles  = 50_000    // files inside of one file of the tree
	maxArchiveDepth  = 3         // archives inside of each other
	maxAllUnpacked   = 8 << 30   // bytes of the whole walk
	maxArchiveFailed = 200       // gaps that are listed
)

// inArchive stands between the path of an archive and that of a file inside of it.
const inArchive = "!/"

// zips, tars and packed are the formats that are unpacked, by the ends of names; others
// cannot be here.
var (
	zips   = wordSet("zip jar war ear whl egg nupkg aar vsix xpi crx apk ipa docx xlsx pptx odt ods")
	tars   = wordSet("tar tgz tbz tb2 tbz2 tzst gem crate")
	packed = wordSet("gz bz2 zst")
	others = wordSet("7z rar xz txz lz lz4 lzma lzo br z tlz zipx cab iso dmg deb rpm cpio arj lzh ace wim")
)

func ending(p string) string { return strings.ToLower(strings.TrimPrefix(path.Ext(p), ".")) }

// holdsFiles reports whether a file holds other files, by its name.
func holdsFiles(p string) bool {
	e := ending(p)
	return zips[e] || tars[e] || packed[e] || others[e]
}

// formOf is the form of an archive, as one of the endings above: by its name, or by how it
// begins where the name says nothing. Whoever renames an archive has not emptied it.
func formOf(p string, content []byte) string {
	if holdsFiles(p) {
		return ending(p)
	}
	begins := func(with string) bool { return bytes.HasPrefix(content, []byte(with)) }
	switch {
	case begins("PK\x03\x04"):
		return "zip"
	case begins("\x1f\x8b\x08"):
		return "gz"
	case begins("BZh") && len(content) > 10 && string(content[4:10]) == "1AY&SY":
		return "bz2"
	case begins("\x28\xb5\x2f\xfd"):
		return "zst"
	case len(content) > 512 && string(content[257:262]) == "ustar":
		return "tar"
	case begins("7z\xbc\xaf\x27\x1c"):
		return "7z"
	case begins("Rar!\x1a\x07"):
		return "rar"
	case begins("\xfd7zXZ\x00"):
		return "xz"
	}
	return ""
}

// archives is a Reader that searches for secrets what lies inside of archives. Nothing is
// written anywhere, so that the names inside are only names.
type archives struct {
	to *Secrets

	mu     sync.Mutex // guards what follows
	opened int64
	files  int64
	bytes  int64
	failed []verdict.NotChecked
	more   int
}

// inArchives is a Reader of archives that leads what is found to s.
func (s *Secrets) inArchives() *archives {
	s.archives = &archives{to: s}
	return s.archives
}

// Wants takes every file, although the rule set leaves most archives out by their names:
// whether one is an archive is seen in it.
func (a *archives) Wants(f File) bool { return !a.to.o.leftOut.covers(f.Path) }

// Read unpacks one archive.
func (a *archives) Read(ctx context.Context, f File, content []byte) {
	if formOf(f.Path, content) == "" {
		return
	}
	a.mu.Lock()
	a.opened++
	spent := a.bytes
	a.mu.Unlock()
	u := &unpacking{to: a.to, bytes: min(maxUnpacked, maxAllUnpacked-spent), files: maxArchiveFiles}
	u.open(ctx, f.Path, content, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files += u.read
	a.bytes += u.taken
	room := max(0, maxArchiveFailed-len(a.failed))
	a.failed = append(a.failed, u.failed[:min(room, len(u.failed))]...)
	a.more += max(0, len(u.failed)-room)
}

// told says what was unpacked, and what was not.
func (a *archives) told(m *Manifest) []verdict.NotChecked {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Clone(a.failed)
	for _, s := range m.Skipped {
		if holdsFiles(s.File.Path) && a.Wants(s.File) && !s.Folder {
			out = append(out, verdict.NotChecked{Path: wording.Shown(s.File.Path), Reason: s.Reason, Blocks: s.Blocks})
		}
	}
	if a.more > 0 {
		out = append(out, wording.Open("", "%d more gaps in archives are not listed", a.more))
	}
	return append(out, wording.Aside("", "archives that were unpacked: %d, with %d files of %d bytes", a.opened, a.files, a.bytes))
}

// unpacking is one file of the tree whose archives are read.
type unpacking struct {
	to     *Secrets
	bytes  int64 // that may still be unpacked
	files  int   // that may still be read
	read   int64
	taken  int64
	failed []verdict.NotChecked
	at     string // what was read last
	full   bool
}

func (u *unpacking) gap(p, format string, args ...any) {
	u.failed = append(u.failed, wording.Open(p, format, args...))
}

// open offers what lies in one archive. An archive that ends early is told, and what came
// before its end was offered.
func (u *unpacking) open(ctx context.Context, p string, content []byte, depth int) {
	if depth > maxArchiveDepth {
		u.gap(p, "it lies in more than %d archives, and was not unpacked", maxArchiveDepth)
		return
	}
	var err error
	switch e := formOf(p, content); {
	case zips[e]:
		err = u.zip(ctx, p, content, depth)
	case tars[e]:
		err = u.tar(ctx, p, bytes.NewReader(content), depth)
	case packed[e]:
		err = u.unpack(ctx, p, content, depth)
	default:
		err = errFormat
	}
	switch {
	case err == nil || u.full:
	case errors.Is(err, errFull):
		u.full = true
		u.gap(cmp.Or(u.at, p), "from here on it was not unpacked: it holds more than %d files or %d bytes", maxArchiveFiles, maxUnpacked)
	default:
		u.gap(p, "it could not be unpacked to its end: %s", wording.Shown(wording.Cut(lastCause(err).Error(), 200)))
	}
}

var (
	errFormat = errors.New("archives of this format are not unpacked: unpack it, and run verdict ci on the folder")
	errFull   = errors.New("it holds more than is unpacked")
	errBehind = errors.New("something stands behind its end, which some programs take for more files")
)

// readFunc is a Reader that is one function.
type readFunc func(p []byte) (int, error)

// Read calls the function.
func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// metered is a stream of which no more is read than may be unpacked, also of what is only
// passed over.
func (u *unpacking) metered(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case u.bytes <= 0:
			return 0, errFull
		}
		n, err := r.Read(p[:min(int64(len(p)), u.bytes)])
		u.bytes -= int64(n)
		u.taken += int64(n)
		return n, err
	})
}

func (u *unpacking) zip(ctx context.Context, p string, content []byte, depth int) error {
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		switch {
		case strings.HasSuffix(f.Name, "/") && f.CompressedSize64 <= 2, f.Mode()&fs.ModeSymlink != 0: // a folder, of which nothing takes two bytes when packed
			continue
		case f.Flags&1 != 0:
			u.gap(inside(p, f.Name), "it is encrypted, and was not searched")
			continue
		}
		// One that cannot be read says nothing about the others.
		if err := u.zipped(ctx, p, f, depth); u.full || errors.Is(err, errFull) || ctx.Err() != nil {
			return err
		} else if err != nil {
			u.gap(inside(p, f.Name), "it cannot be read: %s", wording.Shown(wording.Cut(err.Error(), 200)))
		}
	}
	return nil
}

func (u *unpacking) zipped(ctx context.Context, p string, f *zip.File, depth int) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return u.offer(ctx, inside(p, f.Name), u.metered(ctx, r), depth)
}

// tar reads a tar, packed or not.
func (u *unpacking) tar(ctx context.Context, p string, r io.Reader, depth int) error {
	plain, done, err := plainOf(r)
	if err != nil {
		return err
	}
	defer done()
	stream := u.metered(ctx, plain)
	t := tar.NewReader(stream)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return onlyZeros(stream)
		}
		if err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo, tar.TypeXGlobalHeader:
			continue
		}
		// Sparse files hold something, and so does what has a type that nobody knows: it is
		// unpacked as a file.
		if err := u.offer(ctx, inside(p, h.Name), t, depth); err != nil {
			return err
		}
	}
}

// onlyZeros reads a tar behind its end, where it is filled up.
func onlyZeros(r io.Reader) error {
	var block [4096]byte
	for {
		n, err := r.Read(block[:])
		if bytes.Count(block[:n], []byte{0}) < n {
			return errBehind
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// unpack reads one packed file, which may be a tar.
func (u *unpacking) unpack(ctx context.Context, p string, content []byte, depth int) error {
	name := p
	if holdsFiles(p) {
		name = strings.TrimSuffix(p, path.Ext(p))
	}
	if ending(name) == "tar" {
		return u.tar(ctx, p, bytes.NewReader(content), depth)
	}
	plain, done, err := plainOf(bytes.NewReader(content))
	if err != nil {
		return err
	}
	defer done()
	return u.offer(ctx, inside(p, path.Base(name)), u.metered(ctx, plain), depth)
}

// plainOf reads what a stream holds, by how it begins.
func plainOf(r io.Reader) (plain io.Reader, done func(), err error) {
	b := bufio.NewReader(r)
	head, _ := b.Peek(4)
	switch done = func() {}; {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		plain, err = gzip.NewReader(b)
	case bytes.HasPrefix(head, []byte("BZh")):
		plain = bzip2.NewReader(b)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		var z *zstd.Decoder
		if z, err = zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20)); err == nil {
			plain, done = z, z.Close
		}
	default:
		plain = b
	}
	return plain, done, err
}

// offer reads one file of an archive and hands it on. The error ends the archive.
func (u *unpacking) offer(ctx context.Context, p string, r io.Reader, depth int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if u.files--; u.files < 0 {
		return errFull
	}
	u.at = p
	content, err := io.ReadAll(io.LimitReader(r, maxArchived+1))
	if err != nil {
		return err
	}
	if len(content) > maxArchived {
		u.gap(p, "it holds more than %d bytes, and was not searched", maxArchived)
		return nil
	}
	f := File{Path: p, Size: int64(len(content))}
	u.read++
	switch {
	case formOf(p, content) != "":
		u.open(ctx, p, content, depth+1)
	case u.to.Wants(f):
		u.to.Read(ctx, f, content)
	}
	if u.full {
		return errFull
	}
	return nil
}

// inside is the path of a file in an archive. A name that leads out of it leads nowhere.
func inside(archive, name string) string {
	if len(name) > maxPath {
		name = name[:maxPath]
	}
	return archive + inArchive + strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/")
}

// archived counts the archives of a tree.
func archived(m *Manifest) (n int64) {
	for _, e := range m.Entries {
		if e.Mode != git.ModeLink && holdsFiles(e.Path) {
			n++
		}
	}
	return n
}
