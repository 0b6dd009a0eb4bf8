package layers

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"

	"verdict"
	"verdict/artifact"
)

// Saved is what holds an image here: an OCI layout as a folder or in a tar archive, or what
// `docker save` writes. It is read in place, and is an artifact.Store of what is in it.
type Saved struct {
	folder fs.FS // nil: it is an archive
	at     io.ReaderAt
	files  map[string]part
	links  map[string]string
	// digests are the layers of an old `docker save`, which names them by no digest: they
	// stand under that of their unpacked form, by which the configuration lists them.
	digests map[verdict.Digest]part
	// Manifests are the images of a layout. None: it is an old `docker save`, and Layers
	// are those of its one image.
	Manifests []artifact.Descriptor
	Layers    []artifact.Descriptor
	Name      string // that the image was saved under; empty where it is not said
}

// part is where a file lies in the archive.
type part struct{ from, size int64 }

// maxSavedFiles bounds the files of a saved image: a layer has two or three.
const maxSavedFiles = 20_000

func notSaved(why string, cause error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: "it holds no image: " + why,
		Remedy: "give what `docker save IMAGE -o FILE` wrote, or an OCI layout as a folder (`skopeo copy … oci:FOLDER`) or as a tar archive that is not packed (`skopeo copy … oci-archive:FILE`)", Err: cause,
	}
}

// OpenSaved finds the images in a file. Its errors are *verdict.Error.
func OpenSaved(at io.ReaderAt, size int64) (*Saved, error) {
	s := &Saved{at: at, files: map[string]part{}, links: map[string]string{}, digests: map[verdict.Digest]part{}}
	in := io.NewSectionReader(at, 0, size)
	t := tar.NewReader(in)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, notSaved("it is no tar archive, or a damaged one", err)
		}
		if len(s.files)+len(s.links) >= maxSavedFiles {
			return nil, notSaved(fmt.Sprintf("it has more than %d files", maxSavedFiles), nil)
		}
		name, ok := within(h.Name)
		switch {
		case !ok:
			return nil, notSaved(fmt.Sprintf("the name %.100q leads out of it", h.Name), nil)
		case h.Typeflag == tar.TypeReg:
			from, err := in.Seek(0, io.SeekCurrent) // the reader asks for no more than the header
			if err != nil {
				return nil, err
			}
			s.files[name] = part{from, h.Size}
		case h.Typeflag == tar.TypeSymlink: // the same layer twice, in an old `docker save`
			s.links[name] = path.Join(parent(name), h.Linkname)
		}
	}
	if _, ok := s.files["index.json"]; ok {
		return s, s.layout()
	}
	if _, ok := s.files["manifest.json"]; ok {
		return s, s.docker()
	}
	return nil, notSaved("it has neither index.json nor manifest.json", nil)
}

func (s *Saved) read(name string, most int64) ([]byte, error) {
	if s.folder != nil {
		return s.readWithin(name, most)
	}
	p, ok := s.files[name]
	if !ok || p.size > most {
		return nil, notSaved(fmt.Sprintf("%.200q is not in it, or is too large", name), nil)
	}
	b := make([]byte, p.size)
	if _, err := s.at.ReadAt(b, p.from); err != nil && err != io.EOF {
		return nil, notSaved(fmt.Sprintf("%.200q cannot be read", name), err)
	}
	return b, nil
}

// layout reads index.json of an OCI layout.
func (s *Saved) layout() error {
	raw, err := s.read("index.json", artifact.MaxManifest)
	if err != nil {
		return err
	}
	c, err := artifact.Manifest{MediaType: artifact.TypeIndex, Raw: raw}.Parse()
	if err != nil {
		return err
	}
	s.Manifests = c.Manifests
	if len(c.Manifests) == 1 {
		a := c.Manifests[0].Annotations
		s.Name = a["io.containerd.image.name"]
	}
	if len(s.Manifests) == 0 {
		return notSaved("its index lists none", nil)
	}
	return nil
}

// docker reads manifest.json of an old `docker save`.
func (s *Saved) docker() error {
	raw, err := s.read("manifest.json", artifact.MaxManifest)
	if err != nil {
		return err
	}
	var images []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(raw, &images); err != nil || len(images) == 0 {
		return notSaved("its manifest.json cannot be read", err)
	}
	if len(images) > 1 {
		return notSaved(fmt.Sprintf("it holds %d images", len(images)), nil)
	}
	i := images[0]
	if raw, err = s.read(path.Clean(i.Config), artifact.MaxConfig); err != nil {
		return err
	}
	var config struct {
		RootFS struct {
			DiffIDs []verdict.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(raw, &config); err != nil || len(config.RootFS.DiffIDs) != len(i.Layers) {
		return notSaved("its configuration does not list its layers", err)
	}
	for n, name := range i.Layers {
		name = path.Clean(name)
		if to, ok := s.links[name]; ok {
			name = to
		}
		p, ok := s.files[name]
		if !ok {
			return notSaved(fmt.Sprintf("the layer %.200q is not in it", name), nil)
		}
		d := config.RootFS.DiffIDs[n]
		if _, err := verdict.ParseDigest(string(d)); err != nil {
			return err
		}
		s.digests[d] = p
		s.Layers = append(s.Layers, artifact.Descriptor{Digest: d, Size: p.size})
	}
	if len(i.RepoTags) > 0 {
		s.Name = i.RepoTags[0]
	}
	return nil
}

// Manifest implements artifact.Store.
func (s *Saved) Manifest(ctx context.Context, d verdict.Digest) (artifact.Manifest, error) {
	r, err := s.Blob(ctx, artifact.Descriptor{Digest: d})
	if err != nil {
		return artifact.Manifest{}, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, artifact.MaxManifest+1))
	if err == nil && len(raw) > artifact.MaxManifest {
		err = notSaved(fmt.Sprintf("its manifest %s is too large", d), nil)
	}
	return artifact.Manifest{Digest: d, Raw: raw}, err
}

// Blob implements artifact.Store.
func (s *Saved) Blob(_ context.Context, d artifact.Descriptor) (io.ReadCloser, error) {
	h, ok := map[string]func() hash.Hash{"sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}[d.Digest.Algorithm()]
	if !ok {
		return nil, fmt.Errorf("blob %s: no digest of a blob", d.Digest)
	}
	from, end, err := s.opened(d.Digest)
	if err != nil {
		return nil, err
	}
	return &checked{Closer: end, from: from, want: d.Digest, hash: h()}, nil
}

// checked fails at its end when the bytes are not those of the digest.
type checked struct {
	io.Closer
	from io.Reader
	want verdict.Digest
	hash hash.Hash
}

// Read implements io.Reader.
func (c *checked) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.hash.Write(b[:n])
	if err == io.EOF && hex.EncodeToString(c.hash.Sum(nil)) != strings.ToLower(c.want.Hex()) {
		return n, &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("the file holds other bytes than those of %s", c.want),
			Remedy: "save the image again: the file was damaged or altered",
		}
	}
	return n, err
}
