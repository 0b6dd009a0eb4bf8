package main

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// program is the shortest that a kernel would take for one of that machine.
func program(machine elf.Machine, progs ...elf.ProgType) []byte {
	var b bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(progs))}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	binary.Write(&b, binary.LittleEndian, h) // a buffer takes everything
	for _, p := range progs {
		binary.Write(&b, binary.LittleEndian, elf.Prog64{Type: uint32(p)})
	}
	return b.Bytes()
}

// authority is a certificate authority; any will do.
func authority() []byte {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func aRecipe() recipe {
	return recipe{
		Version: "v1.2.3", Commit: "abc", Created: time.Unix(1764000000, 0).UTC(), Certificates: authority(),
		Program: func(arch string) ([]byte, error) { return program(machines[arch], elf.PT_LOAD), nil },
	}
}

func saved(t *testing.T, r recipe) (folder string, index v1.ImageIndex) {
	t.Helper()
	index, err := build(r)
	if err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(t.TempDir(), "image")
	if err := save(index, folder, r.Version); err != nil {
		t.Fatal(err)
	}
	return folder, index
}

// inTheLayout reads back the index that a layout holds.
func inTheLayout(t *testing.T, folder string) v1.ImageIndex {
	t.Helper()
	outer, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	m, err := outer.IndexManifest()
	if err != nil || len(m.Manifests) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	index, err := outer.ImageIndex(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// What is pulled runs on both kinds of machines, and as a user without rights.
func TestTheImageIsForBothArchitecturesAndWithoutRights(t *testing.T) {
	folder, _ := saved(t, aRecipe())
	index := inTheLayout(t, folder)
	if err := validate.Index(index); err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, d := range m.Manifests {
		image, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != d.Platform.Architecture || config.OS != "linux" {
			t.Errorf("the index says %s, the image %s/%s", d.Platform, config.OS, config.Architecture)
		}
		if c := config.Config; c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/bin/verdict"}) || c.Labels["org.opencontainers.image.revision"] != "abc" {
			t.Errorf("%+v", c)
		}
		if !config.Created.Time.Equal(time.Unix(1764000000, 0)) {
			t.Errorf("it was made at %s, which is not the time of the commit", config.Created)
		}
		holds(t, image)
		found = append(found, d.Platform.String())
	}
	if !slices.Equal(found, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("it is for %v", found)
	}
}

// inside goes through the entries of an image's layers, in their order.
func inside(t *testing.T, image v1.Image, do func(h *tar.Header, content io.Reader)) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for tr := tar.NewReader(r); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			do(h, tr)
		}
	}
}

// holds looks at every file of an image: no shell, no package manager, nothing that anybody
// could start but the one program, and nothing that runs as another user.
func holds(t *testing.T, image v1.Image) {
	t.Helper()
	want := []string{"etc/group", "etc/passwd", trustPath, programPath}
	var got []string
	inside(t, image, func(h *tar.Header, _ io.Reader) {
		if h.Mode&0o6000 != 0 || h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
			t.Errorf("%s has mode %o and type %c", h.Name, h.Mode, h.Typeflag)
		}
		if h.Typeflag == tar.TypeReg {
			got = append(got, h.Name)
			if h.Mode&0o022 != 0 || h.Uid != 0 || h.Mode&0o111 != 0 && h.Name != programPath {
				t.Errorf("%s can be changed or started: mode %o, user %d", h.Name, h.Mode, h.Uid)
			}
		}
	})
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the image holds %v", got)
	}
}

// Whoever builds the same commit again finds the same digest, and can so prove what runs.
func TestTwoBuildsHaveOneDigest(t *testing.T) {
	r := aRecipe()
	folder, first := saved(t, r)
	_, second := saved(t, r)
	a, err1 := first.Digest()
	b, err2 := second.Digest()
	c, err3 := inTheLayout(t, folder).Digest()
	if err := errors.Join(err1, err2, err3); err != nil || a != b || a != c {
		t.Errorf("%s, %s, in the layout %s: %v", a, b, c, err)
	}
	r.Created = r.Created.Add(time.Second)
	_, third := saved(t, r)
	if d, err := third.Digest(); err != nil || d == a {
		t.Errorf("another commit has the same digest: %v", err)
	}
}

func TestAnImageThatCouldNotRunIsNotBuilt(t *testing.T) {
	for _, c := range []struct {
		name, says string
		change     func(*recipe)
	}{
		{"a program for another machine", "is one of EM_X86_64", func(r *recipe) {
			r.Program = func(string) ([]byte, error) { return program(elf.EM_X86_64), nil }
		}},
		{"one that needs a loader", "dynamic loader", func(r *recipe) {
			r.Program = func(a string) ([]byte, error) { return program(machines[a], elf.PT_INTERP), nil }
		}},
		{"no program", "none of Linux", func(r *recipe) { r.Program = func(string) ([]byte, error) { return []byte("#!/bin/sh\n"), nil } }},
		{"no certificates", "no certificate", func(r *recipe) { r.Certificates = []byte("nothing") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := aRecipe()
			c.change(&r)
			if _, err := build(r); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
	precious := provenance(t, t.TempDir())
	index, err := build(aRecipe())
	if err != nil {
		t.Fatal(err)
	}
	if err := save(index, filepath.Dir(precious), "x"); err == nil {
		t.Error("a folder that is no layout was written over")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("what was in it is lost: %v", err)
	}
}

// A registry has the image under the digest that the layout has.
func TestItIsPushedAsItIs(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	_, index := saved(t, aRecipe())
	to := strings.TrimPrefix(server.URL, "http://") + "/verdict:v1.2.3"
	var said bytes.Buffer
	if err := send(context.Background(), &said, index, to); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(to)
	if err != nil {
		t.Fatal(err)
	}
	there, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	want, err1 := index.Digest()
	got, err2 := there.Digest()
	if err := errors.Join(err1, err2); err != nil || got != want || !strings.Contains(said.String(), "@"+want.String()) {
		t.Errorf("%s was pushed as %s, told as %s: %v", want, got, said.String(), err)
	}
	if err := send(context.Background(), io.Discard, index, "verdict"); err == nil {
		t.Error("a name without registry and tag was taken")
	}
}

// Verdict looks at its own image like at any other.
func TestVerdictShowsItsOwnImage(t *testing.T) {
	verdict := os.Getenv("VERDICT_BIN")
	if verdict == "" {
		t.Skip("SKIP verdict: VERDICT_BIN names no program (make test builds it)")
	}
	folder, index := saved(t, aRecipe())
	home := t.TempDir()
	run := func(args ...string) string {
		cmd := exec.Command(verdict, args...)
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("verdict %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	run("attest", "provenance", provenance(t, home), "--subject", folder)
	if said := run("artifact", "show", folder); !strings.Contains(said, digest.Hex[:12]) || !strings.Contains(said, "provenance") {
		t.Errorf("%s is not shown:\n%s", digest, said)
	}
}

func provenance(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "provenance.json")
	text := `{"buildDefinition": {"buildType": "https://example.org/make/v1", "externalParameters": {"target": "image"}, "resolvedDependencies": []}, "runDetails": {"builder": {"id": "https://example.org/builder"}}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
