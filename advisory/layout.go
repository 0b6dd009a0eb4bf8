package advisory

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
)

// The layout of an index file, version 3, which added the faults that an advisory of a
// distribution is about, and its products under their release. Numbers are little-endian;
// every section has a CRC-32C, so that a flipped bit is an error and never "not affected".
//
//	header   magic, version, CRC of the header, length of the file, the sections' places, digest of the data
//	blocks   one block per package: its key, then the postings of all sources about it
//	table    one row per package, sorted by the hash of its key: hash, place, length and CRC of the block
//	kev      sorted CVE numbers that are known to be exploited
//	epss     sorted CVE numbers with their probability in parts per million
//	meta     JSON: the sources with their times and counts
//
// The digest covers blocks, table, kev and epss, so that confirming the same data at a
// later time leaves it as it is.
const (
	magic         = "VDADVIX\x00"
	formatVersion = 3
	headerSize    = 8 + 4 + 4 + 8 + sections*sectionSize + sha256.Size
	sectionSize   = 8 + 8 + 4
	rowSize       = 8 + 4 + 4 + 4
	kevSize       = 8
	epssSize      = 8 + 4
	maxIndex      = 1 << 32 // bytes: places in the table are 32 bits wide
	maxMeta       = 16 << 20
)

// The sections, in their order in header and file.
const (
	secBlocks = iota
	secTable
	secKEV
	secEPSS
	secMeta
	sections
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crcOf(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// section is where a part of the file lies.
type section struct {
	off, length uint64
	crc         uint32
}

// header is the decoded front of the file.
type header struct {
	size   uint64 // of the whole file
	sec    [sections]section
	digest [sha256.Size]byte
}

func (h header) encode() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, headerSize), magic...)
	b = le.AppendUint32(b, formatVersion)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, h.size)
	for _, s := range h.sec {
		b = le.AppendUint64(b, s.off)
		b = le.AppendUint64(b, s.length)
		b = le.AppendUint32(b, s.crc)
	}
	b = append(b, h.digest[:]...)
	le.PutUint32(b[12:], crcOf(b))
	return b
}

// decodeHeader reads the front of an index and checks that every section lies inside
// of size bytes. Reasons are worded for people.
func decodeHeader(b []byte, size int64) (h header, reason string) {
	if len(b) < headerSize || string(b[:8]) != magic {
		return h, "it is no advisory index"
	}
	le := binary.LittleEndian
	if v := le.Uint32(b[8:]); v != formatVersion {
		return h, "it was written by another version of Verdict"
	}
	front := append([]byte(nil), b[:headerSize]...)
	le.PutUint32(front[12:], 0)
	if crcOf(front) != le.Uint32(b[12:]) {
		return h, "its header is damaged"
	}
	if h.size = le.Uint64(b[16:]); h.size != uint64(size) {
		return h, "it is not complete"
	}
	at := 24
	for i := range h.sec {
		h.sec[i] = section{le.Uint64(b[at:]), le.Uint64(b[at+8:]), le.Uint32(b[at+16:])}
		at += sectionSize
		if s := h.sec[i]; s.off < headerSize || s.off > h.size || s.length > h.size-s.off {
			return h, "its header is damaged"
		}
	}
	copy(h.digest[:], b[at:])
	if h.sec[secTable].length%rowSize != 0 || h.sec[secKEV].length%kevSize != 0 || h.sec[secEPSS].length%epssSize != 0 || h.sec[secMeta].length > maxMeta {
		return h, "its header is damaged"
	}
	return h, ""
}

// row is one row of the table.
type row struct {
	hash        uint64
	off, length uint32
	crc         uint32
}

func rowAt(table []byte, i int) row {
	b := table[i*rowSize:]
	le := binary.LittleEndian
	return row{le.Uint64(b), le.Uint32(b[8:]), le.Uint32(b[12:]), le.Uint32(b[16:])}
}

func (r row) encode(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, r.hash)
	b = le.AppendUint32(b, r.off)
	b = le.AppendUint32(b, r.length)
	return le.AppendUint32(b, r.crc)
}

// hashOf is the place of a key in the table. Taken from sha256, so that nobody can
// choose names that fall together.
func hashOf(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.LittleEndian.Uint64(sum[:])
}
