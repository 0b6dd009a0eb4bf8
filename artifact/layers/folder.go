package layers

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"verdict"
)

// LayoutFile marks a folder that holds images (image-spec, image-layout.md).
const LayoutFile = "oci-layout"

// maxLayoutFile bounds it, in bytes.
const maxLayoutFile = 4 << 10

// OpenLayout finds the images in an OCI layout that is a folder. What lies outside of the
// folder cannot be read through it when it is that of an os.Root. Its errors are
// *verdict.Error.
func OpenLayout(folder fs.FS) (*Saved, error) {
	s := &Saved{folder: folder}
	raw, err := s.read(LayoutFile, maxLayoutFile)
	if err != nil {
		return nil, err
	}
	var mark struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(raw, &mark); err != nil || !strings.HasPrefix(mark.Version, "1.") {
		return nil, notSaved(fmt.Sprintf("%s says that it is a layout of the version %.40q, and 1 is read", LayoutFile, mark.Version), err)
	}
	return s, s.layout()
}

// within opens a regular file of the folder. Anything else could keep a reader waiting.
func (s *Saved) within(name string) (fs.File, int64, error) {
	info, err := fs.Stat(s.folder, name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, 0, notSaved(fmt.Sprintf("%.200q is no regular file", name), nil)
	}
	if err != nil {
		return nil, 0, notSaved(fmt.Sprintf("%.200q is not in it, or leads out of it", name), err)
	}
	f, err := s.folder.Open(name)
	if err != nil {
		return nil, 0, notSaved(fmt.Sprintf("%.200q cannot be read", name), err)
	}
	return f, info.Size(), nil
}

// readWithin reads a small file of the folder.
func (s *Saved) readWithin(name string, most int64) ([]byte, error) {
	f, _, err := s.within(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, notSaved(fmt.Sprintf("%.200q cannot be read", name), err)
	}
	if int64(len(b)) > most {
		return nil, notSaved(fmt.Sprintf("%.200q is too large", name), nil)
	}
	return b, nil
}

// opened gives the bytes of a digest, and closes what holds them.
func (s *Saved) opened(d verdict.Digest) (io.Reader, io.Closer, error) {
	name := "blobs/" + d.Algorithm() + "/" + d.Hex()
	if s.folder != nil {
		f, size, err := s.within(name)
		if err != nil {
			return nil, nil, err
		}
		return io.LimitReader(f, size), f, nil
	}
	p, ok := s.files[name]
	if !ok {
		if p, ok = s.digests[d]; !ok {
			return nil, nil, &verdict.Error{
				Code: verdict.CodeNotFound, What: fmt.Sprintf("the file does not hold %s", d),
				Remedy: "save the image again, whole and for this platform",
			}
		}
	}
	return io.NewSectionReader(s.at, p.from, p.size), io.NopCloser(nil), nil
}
