// Package advisory keeps what is publicly known about vulnerable and malicious packages
// in one file and answers which advisories apply to a component.
//
// OSV records, the catalogue of known exploited vulnerabilities and exploit
// probabilities are imported from files (Import) or fetched from their publisher
// (Update) into an index that is mapped into memory, never written to in place, and
// replaced at once. What an advisory says is judged by the version order of the
// component's ecosystem. What cannot be judged is an error, never "not affected".
package advisory

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"sort"
	"sync"

	"verdict"
)

// Index is an open index file. Its methods may be called at the same time. It goes on
// answering from the data that it was opened with when the file is replaced.
type Index struct {
	path string

	mu   sync.RWMutex // guards data against Close
	data []byte       // the mapped file; nil after Close

	head    header
	table   []byte // parts of data
	kev     []byte
	epss    []byte
	sources []Source
}

// Open maps the index and checks everything but the blocks of packages, which are
// checked when they are read. A missing index is an *verdict.Error with
// CodeNotFound, a damaged one with CodeInvalid.
func Open(path string) (*Index, error) {
	x := &Index{path: path}
	if err := x.mapFile(); err != nil {
		return nil, err
	}
	if err := x.guard(x.check); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (x *Index) mapFile() error {
	f, err := os.OpenFile(x.path, os.O_RDONLY|unblocked, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("there are no advisories at %s", x.path),
			Remedy: "fetch those of your code with: verdict advisories update npm; or import an archive with: verdict advisories import FILE",
		}
	}
	if err != nil {
		return fmt.Errorf("open advisory index: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open advisory index: %w", err)
	}
	if !fi.Mode().IsRegular() || fi.Size() < headerSize || fi.Size() > maxIndex {
		return x.damaged("it is no advisory index", nil)
	}
	x.data, err = mapped(f, fi.Size())
	if err != nil {
		return fmt.Errorf("map advisory index %s: %w", x.path, err)
	}
	return nil
}

// Close frees the memory map. Later calls fail.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.data == nil {
		return nil
	}
	err := unmapped(x.data)
	x.data, x.table, x.kev, x.epss = nil, nil, nil, nil
	return err
}

// guard runs read while the map stays. A file that was cut short under the map gives an
// error instead of ending the process.
func (x *Index) guard(read func() error) (err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.data == nil {
		return fmt.Errorf("advisory index %s is closed", x.path)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(interface{ Addr() uintptr })
			if !ok {
				panic(r)
			}
			err = x.damaged("it was cut short while it was open", fmt.Errorf("no page at %#x", fault.Addr()))
		}
	}()
	return read()
}

func (x *Index) check() error {
	h, reason := decodeHeader(x.data, int64(len(x.data)))
	if reason != "" {
		return x.damaged(reason, nil)
	}
	x.head = h
	for i, s := range h.sec {
		if i != secBlocks && crcOf(x.section(i)) != s.crc {
			return x.damaged("a checksum does not match", nil)
		}
	}
	x.table, x.kev, x.epss = x.section(secTable), x.section(secKEV), x.section(secEPSS)
	m, err := decodeMeta(x.section(secMeta))
	if err != nil {
		return x.damaged("what it says about its sources cannot be read", err)
	}
	x.sources = m.Sources
	return nil
}

func (x *Index) section(i int) []byte {
	s := x.head.sec[i]
	return x.data[s.off : s.off+s.length : s.off+s.length]
}

func (x *Index) damaged(reason string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("the advisory index %s cannot be used: %s", x.path, reason),
		Remedy: fmt.Sprintf("remove %s and run verdict advisories update, or import your archives again", x.path), Err: err,
	}
}

// Sources lists what the index was built from, sorted by name.
func (x *Index) Sources() []Source { return slices.Clone(x.sources) }

// Covers reports whether the index is complete for the ecosystem as far as a source
// says so. A package of another ecosystem is unknown, not clean.
func (x *Index) Covers(ecosystem string) bool {
	return slices.ContainsFunc(x.sources, func(s Source) bool { return s.covers(ecosystem) })
}

// KnowsExploited reports whether the catalogue of known exploited vulnerabilities was
// imported. Without it, Vulnerability.Exploited is false because nobody knows.
func (x *Index) KnowsExploited() bool {
	return slices.ContainsFunc(x.sources, func(s Source) bool { return s.Family == FamilyKEV })
}

// Database names the data for a report. Its time is that of the source that was
// confirmed longest ago: the whole is as old as its oldest part. Probabilities (EPSS)
// do not count there, nothing is decided by them.
func (x *Index) Database() verdict.Database { return x.database(func(Source) bool { return true }) }

// DatabaseFor is Database with the sources that matter for these ecosystems alone, so
// that old data about one language does not make another one stale.
func (x *Index) DatabaseFor(ecosystems ...string) verdict.Database {
	return x.database(func(s Source) bool {
		return s.Family == FamilyKEV || slices.ContainsFunc(ecosystems, s.covers)
	})
}

func (x *Index) database(matters func(Source) bool) verdict.Database {
	d := verdict.Database{Name: "osv", Digest: verdict.NewDigest("sha256", hex.EncodeToString(x.head.digest[:]))}
	var used []Source
	for _, s := range x.sources {
		if s.Family == FamilyEPSS || !matters(s) {
			continue
		}
		used = append(used, s)
		if s.Family == FamilyOSV {
			d.Entries += s.Counts.Records
		}
		if d.At.IsZero() || s.Confirmed.Before(d.At) {
			d.At = s.Confirmed
		}
	}
	d.Ecosystems = covered(used)
	return d
}

// postings gives what the index says about a package, from all sources.
func (x *Index) postings(key string) ([]posting, error) {
	hash := hashOf(key)
	n := len(x.table) / rowSize
	var out []posting
	for i := sort.Search(n, func(i int) bool { return rowAt(x.table, i).hash >= hash }); i < n; i++ {
		r := rowAt(x.table, i)
		if r.hash != hash {
			break
		}
		found, list, err := x.block(r)
		if err != nil {
			return nil, err
		}
		if found == key {
			out = append(out, list...)
		}
	}
	return out, nil
}

// block reads the block of one row: its key and its postings.
func (x *Index) block(r row) (string, []posting, error) {
	blocks := x.section(secBlocks)
	if uint64(r.off)+uint64(r.length) > uint64(len(blocks)) {
		return "", nil, x.damaged("a package lies outside of it", nil)
	}
	b := blocks[r.off : r.off+r.length]
	if crcOf(b) != r.crc {
		return "", nil, x.damaged("a checksum does not match", nil)
	}
	in := reading{b: string(b)}
	key := in.string()
	n := in.length()
	list := make([]posting, 0, min(n, 64))
	for range n {
		p, err := in.posting(key, len(x.sources))
		if err != nil {
			return "", nil, x.damaged("a package cannot be read", err)
		}
		list = append(list, p)
	}
	if in.bad || len(in.b) > 0 || hashOf(key) != r.hash {
		return "", nil, x.damaged("a package cannot be read", errDamaged)
	}
	return key, list, nil
}

// exploited and probability look a CVE number up.
func (x *Index) exploited(cve uint64) bool {
	_, ok := searchNumbers(x.kev, kevSize, cve)
	return ok
}

func (x *Index) probability(cve uint64) (int64, bool) {
	row, ok := searchNumbers(x.epss, epssSize, cve)
	if !ok {
		return -1, false
	}
	return int64(binary.LittleEndian.Uint32(row[8:])), true
}

func searchNumbers(table []byte, width int, want uint64) ([]byte, bool) {
	n := len(table) / width
	at := func(i int) []byte { return table[i*width : (i+1)*width] }
	i := sort.Search(n, func(i int) bool { return binary.LittleEndian.Uint64(at(i)) >= want })
	if i == n || binary.LittleEndian.Uint64(at(i)) != want {
		return nil, false
	}
	return at(i), true
}

// Verify reads all of the index: every package, the order of the tables and the digest.
func (x *Index) Verify() error {
	return x.guard(func() error {
		last := uint64(0)
		for i := range len(x.table) / rowSize {
			r := rowAt(x.table, i)
			if r.hash < last {
				return x.damaged("its table is out of order", nil)
			}
			last = r.hash
			if _, _, err := x.block(r); err != nil {
				return err
			}
		}
		for _, t := range []struct {
			b     []byte
			width int
		}{{x.kev, kevSize}, {x.epss, epssSize}} {
			for i := t.width; i < len(t.b); i += t.width {
				if binary.LittleEndian.Uint64(t.b[i:]) <= binary.LittleEndian.Uint64(t.b[i-t.width:]) {
					return x.damaged("a table is out of order", nil)
				}
			}
		}
		h := sha256.New()
		for i := secBlocks; i < secMeta; i++ {
			if _, err := io.Copy(h, bytes.NewReader(x.section(i))); err != nil {
				return err
			}
		}
		if !bytes.Equal(h.Sum(nil), x.head.digest[:]) {
			return x.damaged("its digest does not match", nil)
		}
		return nil
	})
}
