package advisory

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"verdict"
)

// Limits of one source.
const (
	maxArchive  = 4 << 30   // bytes of the file
	maxUnpacked = 16 << 30  // bytes of all records together
	maxRatio    = 200       // times the archive: advisories shrink to a twentieth, bombs to a thousandth
	freeRatio   = 64 << 20  // bytes that may be unpacked whatever the ratio
	maxRecords  = 3_000_000 // files in an archive or folder, of whatever kind
	maxDepth    = 16        // folders below the one that is imported
)

// input is one file of a source. Its name is shown to people and tells JSON from YAML;
// nothing is ever written under it.
type input struct {
	name string
	body []byte
	err  error // why it has no body
}

// opened is a source whose family is known: files for advisories, single for a catalogue.
type opened struct {
	family   Family
	files    func(ctx context.Context, each func(input) error) error
	single   io.Reader // KEV and EPSS
	digest   func() (verdict.Digest, error)
	modified time.Time // of the file, or the newest file of the folder once files returned
	close    func() error
}

// openSource looks what src is: a folder, a zip, a tar.gz, one record, KEV or EPSS. The
// content decides, not the name.
func openSource(src string) (*opened, error) {
	fi, err := os.Stat(src)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("%s is not there", src), Remedy: "give a folder, zip or tar.gz of OSV records, or a KEV or EPSS file"}
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", src, err)
	}
	if fi.IsDir() {
		return openFolder(src)
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxArchive {
		return nil, unusable(src, fmt.Sprintf("it is no file of at most %d bytes", int64(maxArchive)), nil)
	}
	f, err := os.OpenFile(src, os.O_RDONLY|unblocked, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", src, err)
	}
	o := &opened{modified: fi.ModTime().UTC(), close: f.Close, digest: func() (verdict.Digest, error) { return digestOf(f) }}
	if err := o.recognise(f, fi.Size(), src); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return o, nil
}

func digestOf(f *os.File) (verdict.Digest, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, maxArchive)); err != nil {
		return "", err
	}
	return verdict.NewDigest("sha256", hex.EncodeToString(h.Sum(nil))), nil
}

func (o *opened) recognise(f *os.File, size int64, src string) error {
	r := bufio.NewReaderSize(f, 1<<16)
	front, _ := r.Peek(4) // a short file falls through to one record
	if bytes.HasPrefix(front, []byte("PK\x03\x04")) || bytes.HasPrefix(front, []byte("PK\x05\x06")) {
		z, err := zip.NewReader(f, size)
		if err != nil {
			return unusable(src, "the zip archive is damaged or incomplete", err)
		}
		o.family = FamilyOSV
		o.files = func(ctx context.Context, each func(input) error) error {
			return zipFiles(ctx, z, budgetFor(size), each)
		}
		return nil
	}
	body := r
	if bytes.HasPrefix(front, []byte("\x1f\x8b")) {
		gz, err := gzip.NewReader(r)
		if err != nil {
			return unusable(src, "the gzip file is damaged", err)
		}
		body = bufio.NewReaderSize(gz, 1<<16)
	}
	front, err := body.Peek(1024)
	if err != nil && !errors.Is(err, io.EOF) {
		return unusable(src, "the file is damaged or incomplete", err)
	}
	text := strings.TrimSpace(string(front))
	switch {
	case len(front) > 262 && string(front[257:262]) == "ustar":
		o.family = FamilyOSV
		o.files = func(ctx context.Context, each func(input) error) error {
			return tarFiles(ctx, body, budgetFor(size), each)
		}
	case strings.HasPrefix(text, "#model_version") || strings.HasPrefix(text, "cve,epss"):
		o.family, o.single = FamilyEPSS, body
	case strings.HasPrefix(text, "{") && strings.Contains(text, `"catalogVersion"`):
		o.family, o.single = FamilyKEV, body
	case isRecordName(src):
		o.family = FamilyOSV
		o.files = func(_ context.Context, each func(input) error) error { return each(readRecord(path.Base(src), body)) }
	default:
		return unusable(src, "it is none of folder, zip, tar.gz, OSV record, KEV catalogue or EPSS scores", nil)
	}
	return nil
}

func unusable(src, why string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("%s cannot be imported: %s", src, why),
		Remedy: "fetch the file again, or import a folder, zip or tar.gz of OSV records in JSON or YAML, a KEV catalogue or EPSS scores", Err: err,
	}
}

// isRecordName tells records from what else lies in archives of advisories.
func isRecordName(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".json", ".yaml", ".yml":
		return true
	}
	return false
}

// hidden reports whether a part of the path begins with a dot: settings of tools, such
// as .github/workflows/x.yml, and no records.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." && part != ".." {
			return true
		}
	}
	return false
}

// readRecord reads one file whose length nobody vouches for.
func readRecord(name string, r io.Reader) input {
	b, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	if err == nil && len(b) > maxRecord {
		b, err = nil, fmt.Errorf("longer than %d bytes", maxRecord)
	}
	return input{name: name, body: b, err: err}
}

// budget bounds what all files of one source may cost together.
type budget struct{ files, bytes, most int64 }

// budgetFor bounds the contents of an archive of size bytes.
func budgetFor(size int64) *budget {
	return &budget{most: min(maxUnpacked, size*maxRatio+freeRatio)}
}

func (b *budget) take(i input) error {
	b.files++
	b.bytes += int64(len(i.body))
	if i.err != nil {
		b.bytes += maxRecord // it was read that far, at most
	}
	return b.check()
}

func (b *budget) check() error {
	if b.files > maxRecords || b.bytes > b.most {
		return &verdict.Error{
			Code: verdict.CodeLimit, What: fmt.Sprintf("the source unpacks to more than %d files or %d bytes", maxRecords, b.most),
			Remedy: "import it in parts: one archive per ecosystem",
		}
	}
	return nil
}

func zipFiles(ctx context.Context, z *zip.Reader, spent *budget, each func(input) error) error {
	for _, f := range z.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		if spent.files++; !isRecordName(f.Name) || hidden(f.Name) || !f.Mode().IsRegular() {
			if err := spent.check(); err != nil {
				return err
			}
			continue
		}
		spent.files--
		i := input{name: f.Name}
		if r, err := f.Open(); err != nil {
			i.err = err
		} else {
			i = readRecord(f.Name, r)
			i.err = errors.Join(i.err, r.Close())
		}
		if i.err != nil && f.UncompressedSize64 <= maxRecord { // not its size: what was packed is not what comes out
			return fmt.Errorf("the archive is damaged at %.200q: %w", f.Name, i.err)
		}
		if err := errors.Join(spent.take(i), each(i)); err != nil {
			return err
		}
	}
	return nil
}

func tarFiles(ctx context.Context, body io.Reader, spent *budget, each func(input) error) error {
	t := tar.NewReader(body)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return drain(body, spent)
		}
		if err != nil {
			return fmt.Errorf("the archive is damaged or incomplete: %w", err)
		}
		i := input{name: h.Name}
		wanted := h.Typeflag == tar.TypeReg && isRecordName(h.Name) && !hidden(h.Name)
		if wanted {
			i = readRecord(h.Name, t)
		}
		// What is skipped is unpacked as well.
		if spent.bytes += max(0, h.Size-int64(len(i.body))); i.err != nil && h.Size <= maxRecord {
			return fmt.Errorf("the archive is damaged or incomplete at %.200q: %w", h.Name, i.err)
		}
		if err := spent.take(input{body: i.body}); err != nil {
			return err
		}
		if wanted {
			if err := each(i); err != nil {
				return err
			}
		}
	}
}

// drain reads what follows the last file, so that the checksum at the end of a gzip
// stream is compared.
func drain(body io.Reader, spent *budget) error {
	n, err := io.Copy(io.Discard, io.LimitReader(body, spent.most))
	if err != nil {
		return fmt.Errorf("the archive is damaged or incomplete: %w", err)
	}
	spent.bytes += n
	return spent.check()
}

// openFolder reads below src without following links.
func openFolder(src string) (*opened, error) {
	root, err := os.OpenRoot(src)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", src, err)
	}
	o := &opened{family: FamilyOSV, close: root.Close, digest: func() (verdict.Digest, error) { return "", nil }}
	o.files = func(ctx context.Context, each func(input) error) error {
		spent := &budget{most: maxUnpacked}
		return fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if d.IsDir() {
				if hidden(p) || strings.Count(p, "/") > maxDepth {
					return fs.SkipDir
				}
				return nil
			}
			if !isRecordName(p) || hidden(p) {
				spent.files++
				return spent.check()
			}
			i := o.readFile(root, p, d)
			return errors.Join(spent.take(i), each(i))
		})
	}
	return o, nil
}

func (o *opened) readFile(root *os.Root, p string, d fs.DirEntry) input {
	if !d.Type().IsRegular() {
		return input{name: p, err: errors.New("no regular file")}
	}
	f, err := root.OpenFile(filepath.FromSlash(p), os.O_RDONLY|unblocked, 0)
	if err != nil {
		return input{name: p, err: err}
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return input{name: p, err: errors.Join(errors.New("no regular file"), err)}
	}
	if fi.ModTime().After(o.modified) {
		o.modified = fi.ModTime().UTC()
	}
	return readRecord(p, f)
}
