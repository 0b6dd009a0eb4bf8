package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"verdict"
)

// MaxBytes is what the files of one bundle may have together.
const MaxBytes = maxBytes

// maxArchive bounds an archive without its compression: the files of a bundle, and what
// stands around and beside them.
const maxArchive = 2 * maxBytes

// IsFile reports whether a file of this path belongs to a bundle: rules, tests or cases,
// outside of directories whose name starts with a dot.
func IsFile(name string) bool {
	return (isRule(name) || isTest(name) || isCases(name)) && !strings.HasPrefix(name, ".") && !strings.Contains(name, "/.")
}

// DigestOf identifies rule files by path: what Digest is for a whole bundle. Over the
// files of a folder it is what a map pins, and does not change with a new version.
func DigestOf(files map[string]string) verdict.Digest { return digestOf(files) }

// LoadArchive reads the files of a bundle from a tar archive, which may be compressed
// with gzip, as Load reads them from a directory. Paths are those of the archive.
func LoadArchive(content []byte) (map[string]string, error) {
	files := map[string]string{}
	r, err := unpacked(content)
	if err != nil {
		return nil, err
	}
	t := tar.NewReader(r)
	total := 0
	for seen := 1; ; seen++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, noArchive(err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		if seen > maxEntries {
			return nil, tooMuch(name)
		}
		if h.Typeflag == tar.TypeDir || !isRule(name) && !isTest(name) && !isCases(name) || cleanPath(name) && !IsFile(name) {
			continue
		}
		if total += int(min(h.Size, maxBytes)); h.Typeflag != tar.TypeReg || h.Size > maxFileBytes || total > maxBytes || len(files) >= maxFiles {
			return nil, tooMuch(name)
		}
		if _, twice := files[name]; twice || !cleanPath(name) {
			return nil, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("the archive holds %q twice, or under no plain path", name), Remedy: "make it anew from the folder: tar -czf policy.tar.gz -C policy ."}
		}
		b, err := io.ReadAll(t)
		if err != nil {
			return nil, noArchive(err)
		}
		files[name] = string(b)
	}
	if _, err := io.Copy(io.Discard, r); err != nil || r.N == 0 { // gzip's checksum comes last
		return nil, noArchive(err)
	}
	if len(files) == 0 {
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: "there are no .rego files in the archive", Remedy: "make it from the folder that holds the rules: tar -czf policy.tar.gz -C policy ."}
	}
	return files, nil
}

// unpacked gives the archive without its compression, up to maxArchive.
func unpacked(content []byte) (*io.LimitedReader, error) {
	var r io.Reader = bytes.NewReader(content)
	if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, noArchive(err)
		}
		r = z
	}
	return &io.LimitedReader{R: r, N: maxArchive}, nil
}

func noArchive(err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("this is no whole tar archive of at most %d bytes, with or without gzip", maxArchive),
		Remedy: "make it from the folder that holds the rules: tar -czf policy.tar.gz -C policy .", Err: err,
	}
}
