package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// architectures that the image is for, each with the machine that its program must name.
var architectures = []string{"amd64", "arm64"}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// The places inside the image. Data and state are apart, because the anchor must not be on
// the volume that a restore sets back.
const (
	programPath = "usr/bin/verdict"
	dataPath    = "var/lib/verdict"
	statePath   = "var/lib/verdict-state"
	trustPath   = "etc/ssl/certs/ca-certificates.crt"
	user        = 65532 // "nonroot", as distroless images have it
)

// recipe is everything that an image is made of.
type recipe struct {
	Version      string
	Commit       string
	Created      time.Time
	Certificates []byte // PEM
	Program      func(arch string) ([]byte, error)
}

// build makes the index with an image for each architecture.
func build(r recipe) (v1.ImageIndex, error) {
	if !x509.NewCertPool().AppendCertsFromPEM(r.Certificates) {
		return nil, errors.New("the certificate authorities hold no certificate in PEM")
	}
	ground, err := layer(r.Created, groundFiles(r.Certificates))
	if err != nil {
		return nil, fmt.Errorf("ground layer: %w", err)
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range architectures {
		program, err := r.Program(arch)
		if err != nil {
			return nil, err
		}
		if err := static(program, arch); err != nil {
			return nil, fmt.Errorf("the program for linux/%s %w", arch, err)
		}
		image, err := r.image(arch, ground, program)
		if err != nil {
			return nil, fmt.Errorf("image for linux/%s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	annotated, ok := mutate.Annotations(index, r.labels()).(v1.ImageIndex)
	if !ok {
		return nil, errors.New("an index with annotations is no index")
	}
	return annotated, nil
}

func (r recipe) image(arch string, ground v1.Layer, program []byte) (v1.Image, error) {
	top, err := layer(r.Created, []file{{name: programPath, mode: 0o755, content: program}})
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: r.Created}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: ground, MediaType: types.OCILayer, History: v1.History{Created: created, CreatedBy: "certificates, user, folders"}},
		mutate.Addendum{Layer: top, MediaType: types.OCILayer, History: v1.History{Created: created, CreatedBy: "verdict " + r.Version}})
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(image, r.configured(image, arch))
}

// configured completes the config that the layers gave: who runs what, where.
func (r recipe) configured(image v1.Image, arch string) *v1.ConfigFile {
	config, err := image.ConfigFile()
	if err != nil { // it was made above, in memory
		panic(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: r.Created}
	config.Config = v1.Config{
		Entrypoint: []string{"/" + programPath},
		Cmd:        []string{"serve"},
		User:       fmt.Sprintf("%d:%d", user, user),
		WorkingDir: "/",
		Env: []string{
			"PATH=/usr/bin", "HOME=/" + dataPath, "SSL_CERT_FILE=/" + trustPath,
			"VERDICT_DATA=/" + dataPath, "XDG_STATE_HOME=/" + statePath,
		},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8443/tcp": {}, "9090/tcp": {}},
		Volumes:      map[string]struct{}{"/" + dataPath: {}, "/" + statePath: {}},
		Labels:       r.labels(),
		StopSignal:   "SIGTERM",
	}
	return config
}

func (r recipe) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "verdict",
		"org.opencontainers.image.description": "Security decisions at fixed points, with evidence",
		"org.opencontainers.image.version":     r.Version,
		"org.opencontainers.image.revision":    r.Commit,
		"org.opencontainers.image.created":     r.Created.Format(time.RFC3339),
	}
}

// file is one entry of a layer; one without content whose name ends in a slash is a folder.
type file struct {
	name    string
	mode    int64
	owner   int
	content []byte
}

func groundFiles(certificates []byte) []file {
	passwd := fmt.Sprintf("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:%d:%d:nonroot:/%s:/sbin/nologin\n", user, user, dataPath)
	return []file{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, content: fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", user)},
		{name: "etc/passwd", mode: 0o644, content: []byte(passwd)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: trustPath, mode: 0o644, content: certificates},
		{name: "tmp/", mode: 0o1777},
		{name: "usr/", mode: 0o755},
		{name: "usr/bin/", mode: 0o755},
		{name: "var/", mode: 0o755},
		{name: "var/lib/", mode: 0o755},
		{name: dataPath + "/", mode: 0o700, owner: user},
		{name: statePath + "/", mode: 0o700, owner: user},
	}
}

// layer packs files, each with the same time, so that the same files have the same digest.
func layer(at time.Time, files []file) (v1.Layer, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.content)), ModTime: at, Format: tar.FormatUSTAR}
		if f.content == nil {
			h.Typeflag = tar.TypeDir
		}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }, tarball.WithCompressedCaching)
}

// static refuses a program that another machine runs, or that needs a loader: the image has
// none, and would say "no such file" when it starts.
func static(program []byte, arch string) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("is none of Linux: %w", err)
	}
	if f.Machine != machines[arch] {
		return fmt.Errorf("is one of %s", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("needs a dynamic loader; build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// save writes the layout anew, with the index under one name.
func save(index v1.ImageIndex, folder, version string) error {
	if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(folder, "oci-layout")); err != nil {
			return fmt.Errorf("%s holds something other than a layout; name another folder with -out", folder)
		}
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	l, err := layout.Write(folder, empty.Index)
	if err != nil {
		return fmt.Errorf("write %s: %w", folder, err)
	}
	if err := l.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version})); err != nil {
		return fmt.Errorf("write %s: %w", folder, err)
	}
	return nil
}
