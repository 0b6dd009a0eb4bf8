package layers

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Limits of what cargo auditable puts into a program: the crates of the largest ones take
// a tenth of it.
const (
	crateSection = ".dep-v0"
	maxCrates    = 8 << 20 // bytes of the section, and of what is packed in it
)

// rustCrates are the crates that a Rust program was built from, as cargo auditable notes
// them: JSON, packed by zlib, in a section of its own.
func rustCrates(b []byte) ([]found, error) {
	packed, err := sectionOf(b, crateSection)
	if err != nil {
		return nil, err
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("its list of crates is damaged: %w", err)
	}
	list, err := io.ReadAll(io.LimitReader(z, maxCrates+1))
	switch {
	case len(list) > maxCrates:
		return nil, fmt.Errorf("%w: its list of crates has more than %d bytes", errBomb, maxCrates)
	case err != nil:
		return nil, fmt.Errorf("its list of crates is damaged: %w", err)
	}
	return parseCrates(list)
}

func parseCrates(b []byte) ([]found, error) {
	var doc struct {
		Packages []struct {
			Name, Version, Source, Kind string
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("its list of crates is damaged: %w", err)
	}
	if len(doc.Packages) > maxPackages {
		return nil, fmt.Errorf("it names more than %d crates", maxPackages)
	}
	var out []found
	for _, c := range doc.Packages {
		// What only builds it is not in it, and what lies beside it is in no registry.
		if c.Kind == "build" || c.Source == "local" {
			continue
		}
		p := found{eco: "crates.io", name: c.Name, version: c.Version}
		if !p.sound() {
			return out, fmt.Errorf("a crate of it has the name %.60q and the version %.60q", c.Name, c.Version)
		}
		out = append(out, p)
	}
	return out, nil
}

// sectionOf are the bytes of one section of a program, as they lie in the file;
// errNothing where it has none.
func sectionOf(b []byte, name string) ([]byte, error) {
	in := bytes.NewReader(b)
	var offset, size uint64
	switch {
	case bytes.HasPrefix(b, []byte("\x7fELF")):
		f, err := elf.NewFile(in)
		if err != nil {
			return nil, errNothing
		}
		s := f.Section(name)
		if s == nil {
			return nil, errNothing
		}
		if s.Flags&elf.SHF_COMPRESSED != 0 || s.Type == elf.SHT_NOBITS {
			return nil, errors.New("its list of crates is packed in a way that nobody packs it")
		}
		offset, size = s.Offset, s.FileSize
	case bytes.HasPrefix(b, []byte("MZ")):
		f, err := pe.NewFile(in)
		if err != nil {
			return nil, errNothing
		}
		s := f.Section(name)
		if s == nil {
			return nil, errNothing
		}
		offset, size = uint64(s.Offset), uint64(s.Size)
	default:
		f, err := macho.NewFile(in)
		if err != nil {
			return nil, errNothing
		}
		s := f.Section(name)
		if s == nil {
			return nil, errNothing
		}
		offset, size = uint64(s.Offset), s.Size
	}
	if size > maxCrates || offset > uint64(len(b)) || size > uint64(len(b))-offset {
		return nil, errors.New("its list of crates lies outside of it, or is too large for one")
	}
	return b[offset : offset+size], nil
}
