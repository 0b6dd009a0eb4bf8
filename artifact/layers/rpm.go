package layers

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"verdict/sbom"
)

// The database of rpm has had three forms: Berkeley DB, ndb of SUSE, and SQLite. Each
// holds one header for each package. They are read here from memory, page by page and each
// page once, because what lies in an image was made by a stranger: a library that opens
// them by path and trusts their pointers would take the process along.

// rpmReader is what reads a file of rpm's folder; nil for the others, which are indexes.
func rpmReader(base string) reader {
	switch base {
	case "Packages", "Packages.db", "rpmdb.sqlite":
		return readRPM
	case "rpmdb.sqlite-wal":
		return func(f *file) ([]found, error) {
			if f.size > 0 {
				return nil, errors.New("the database was not closed: what stands in its journal alone is not read")
			}
			return nil, nil
		}
	}
	return nil
}

func readRPM(f *file) ([]found, error) {
	b, err := f.bytes()
	if err != nil {
		return nil, err
	}
	return parseRPM(b)
}

func parseRPM(b []byte) ([]found, error) {
	var headers func(b []byte, each func(header []byte) error) error
	switch {
	case bytes.HasPrefix(b, []byte(sqliteMagic)):
		headers = sqliteHeaders
	case bytes.HasPrefix(b, []byte("RpmP")):
		headers = ndbHeaders
	default:
		headers = bdbHeaders
	}
	var out []found
	err := headers(b, func(h []byte) error {
		if len(out) >= maxPackages {
			return fmt.Errorf("it lists more than %d packages", maxPackages)
		}
		p, err := parseHeader(h)
		if err != nil {
			return err
		}
		if p.name == "gpg-pubkey" { // keys are kept like packages
			return nil
		}
		if !p.sound() {
			return fmt.Errorf("a package of it has the name %.60q and the version %.60q", p.name, p.version)
		}
		out = append(out, p)
		return nil
	})
	return out, err
}

// Tags of a header (rpm, include/rpm/rpmtag.h).
const (
	tagName      = 1000
	tagVersion   = 1001
	tagRelease   = 1002
	tagEpoch     = 1003
	tagVendor    = 1011
	tagLicense   = 1014
	tagArch      = 1022
	tagSourceRPM = 1044
)

var errHeader = errors.New("a header of it is damaged")

// parseHeader reads the header of one package: two lengths, an index of sixteen bytes an
// entry, and the data (rpm, "Header format").
func parseHeader(h []byte) (found, error) {
	p := found{eco: "rpm"}
	if len(h) < 8 {
		return p, errHeader
	}
	entries, size := int64(binary.BigEndian.Uint32(h)), int64(binary.BigEndian.Uint32(h[4:]))
	if entries == 0 || 8+16*entries+size > int64(len(h)) {
		return p, errHeader
	}
	index, data := h[8:8+16*entries], h[8+16*entries:8+16*entries+size]
	text := func(offset uint32) (string, error) {
		if int64(offset) >= size {
			return "", errHeader
		}
		end := bytes.IndexByte(data[offset:], 0)
		if end < 0 {
			return "", errHeader
		}
		return string(data[offset : int(offset)+end]), nil
	}
	var release, epoch, vendor, built string
	fields := map[uint32]*string{tagName: &p.name, tagVersion: &p.version, tagRelease: &release, tagLicense: &p.licence, tagArch: &p.arch, tagVendor: &vendor, tagSourceRPM: &built}
	for ; len(index) > 0; index = index[16:] {
		tag, offset := binary.BigEndian.Uint32(index), binary.BigEndian.Uint32(index[8:])
		if tag == tagEpoch {
			if int64(offset)+4 > size {
				return p, errHeader
			}
			epoch = strconv.FormatUint(uint64(binary.BigEndian.Uint32(data[offset:])), 10)
			continue
		}
		if into := fields[tag]; into != nil && *into == "" {
			var err error
			if *into, err = text(offset); err != nil {
				return p, err
			}
		}
	}
	if release != "" {
		p.version += "-" + release
	}
	if epoch != "" && epoch != "0" {
		p.version = epoch + ":" + p.version
	}
	p.vendor = sbom.Vendor(vendor)
	p.source, p.sourceVersion, _ = sbom.SourceRPM(built)
	return p, nil
}
