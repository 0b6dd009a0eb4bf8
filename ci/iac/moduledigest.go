package iac

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"
)

// Limits of the content of a module.
const (
	maxModuleFiles = 20_000
	maxModuleBytes = 512 << 20
)

// ModuleDigest is the digest of a module's content: h1: over the files of a folder, as
// dirhash.Hash1 makes it, with their names below the folder. What git keeps of itself at the
// top is no content. A link is an error: its name says nothing of what it leads to.
func ModuleDigest(fsys fs.FS, dir string) (digest string, files int, err error) {
	var names []string
	size := int64(0)
	err = fs.WalkDir(fsys, dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == path.Join(dir, ".git"):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is a link or no file, so what it stands for has no digest", oneLine(p))
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		if names = append(names, strings.TrimPrefix(p, dir+"/")); len(names) > maxModuleFiles || size > maxModuleBytes {
			return fmt.Errorf("it holds more than %d files or %d bytes", maxModuleFiles, maxModuleBytes)
		}
		return nil
	})
	if err != nil {
		return "", 0, err
	}
	if len(names) == 0 {
		return "", 0, errors.New("it holds no file")
	}
	digest, err = dirhash.Hash1(names, func(name string) (io.ReadCloser, error) { return fsys.Open(path.Join(dir, name)) })
	return digest, len(names), err
}
