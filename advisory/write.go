package advisory

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"verdict"
)

// change is what an import does to an index: it replaces one source, or, when data is
// nil, only what is said about it.
type change struct {
	source Source
	data   *sourceData
	forget bool // the source goes
}

// sourceData is everything that a source brings.
type sourceData struct {
	postings  []posting // sorted by hash, key and id
	kev, epss []byte
}

// Forget takes one source out of the index file dst, for good: one that another source
// replaced, and that would go on making the whole look old.
func Forget(ctx context.Context, dst, name string) error {
	_, err := apply(ctx, dst, func(old []Source) (change, error) {
		i := slices.IndexFunc(old, func(s Source) bool { return s.Name == name })
		if i < 0 {
			return change{}, &verdict.Error{
				Code: verdict.CodeNotFound, What: fmt.Sprintf("no source of the advisories is called %.64q", name),
				Remedy: "see the names with: verdict advisories list, those of a server with --at-server",
			}
		}
		return change{source: old[i], data: &sourceData{}, forget: true}, nil
	})
	return err
}

// apply builds the index that dst becomes: old sources and the changed one. It is
// written aside, read back completely, synced and renamed; nobody ever sees a half
// index. Writers wait for each other at a lock file.
func apply(ctx context.Context, dst string, judge func(old []Source) (change, error)) (Source, error) {
	unlock, err := lockIndex(ctx, dst)
	if err != nil {
		return Source{}, err
	}
	defer unlock()
	var old *Index
	if _, err := os.Lstat(dst); !errors.Is(err, fs.ErrNotExist) {
		if old, err = Open(dst); err != nil {
			return Source{}, err
		}
		defer old.Close()
	}
	var sources []Source
	if old != nil {
		sources = old.Sources()
	}
	ch, err := judge(sources)
	if err != nil {
		return Source{}, err
	}
	f, err := os.CreateTemp(filepath.Dir(dst), filepath.Base(dst)+".*.new")
	if err != nil {
		return Source{}, noRoom(dst, err)
	}
	write := func() error { return writeIndex(ctx, f, newMerge(old, sources, ch), ch) }
	if old != nil {
		err = old.guard(write)
	} else {
		err = write()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = replace(f.Name(), dst)
	}
	if err != nil {
		return Source{}, errors.Join(noRoom(dst, err), remove(f.Name()))
	}
	return ch.source, nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func noRoom(dst string, err error) error {
	if full(err) {
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("no room to write the advisory index %s", dst),
			Remedy: "free disk space or raise the quota, then run the command again: the index of before is still in place", Err: err,
		}
	}
	return fmt.Errorf("write advisory index %s: %w", dst, err)
}

// replace checks the new file by reading all of it, and puts it in the place of the old.
func replace(tmp, dst string) error {
	x, err := Open(tmp)
	if err != nil {
		return err
	}
	if err := errors.Join(x.Verify(), x.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, dst); err != nil {
		return err
	}
	return syncFolder(dst)
}

// lockIndex waits for other imports into the same index. It also removes what crashed
// ones left.
func lockIndex(ctx context.Context, dst string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return nil, noRoom(dst, err)
	}
	unlock, err := lockFile(ctx, dst+".lock")
	if err != nil {
		return nil, err
	}
	left, _ := filepath.Glob(dst + ".*.new") // fails for a strange path only, and the rests stay
	for _, l := range left {
		_ = os.Remove(l)
	}
	return unlock, nil
}

// lockFile takes the lock at path and waits for it as long as ctx lasts. The system
// frees it when the process dies.
func lockFile(ctx context.Context, path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unblocked|unfollowed, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	for {
		held, err := hold(f)
		if held {
			return func() { release(f) }, nil
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		t := time.NewTimer(50 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, errors.Join(fmt.Errorf("wait for another import at %s: %w", path, ctx.Err()), f.Close())
		case <-t.C:
		}
	}
}

// indexWriter writes sections one after the other and sums them up.
type indexWriter struct {
	w    *bufio.Writer
	at   uint64
	sum  hash.Hash // over all sections but meta
	head header
}

func (w *indexWriter) write(b []byte) error {
	w.at += uint64(len(b))
	if w.at > maxIndex {
		return fmt.Errorf("the index would be longer than %d bytes", int64(maxIndex))
	}
	w.sum.Write(b)
	_, err := w.w.Write(b)
	return err
}

func (w *indexWriter) section(i int, b []byte) error {
	w.head.sec[i] = section{w.at, uint64(len(b)), crcOf(b)}
	return w.write(b)
}

func writeIndex(ctx context.Context, f *os.File, m *merge, ch change) error {
	if err := f.Chmod(0o644); err != nil { // public data, and others may share the index
		return err
	}
	w := &indexWriter{w: bufio.NewWriterSize(f, 1<<20), sum: sha256.New(), at: headerSize}
	if _, err := w.w.Write(make([]byte, headerSize)); err != nil {
		return err
	}
	table, err := w.blocks(ctx, m)
	if err != nil {
		return err
	}
	kev, epss := m.catalogues(ch)
	for i, b := range [][]byte{secTable: table, secKEV: kev, secEPSS: epss} {
		if i == secBlocks {
			continue
		}
		if err := w.section(i, b); err != nil {
			return err
		}
	}
	w.sum.Sum(w.head.digest[:0])
	meta, err := json.Marshal(meta{m.sources})
	if err == nil {
		err = w.section(secMeta, meta)
	}
	if err == nil {
		err = w.w.Flush()
	}
	if err != nil {
		return err
	}
	w.head.size = w.at
	if _, err := f.WriteAt(w.head.encode(), 0); err != nil {
		return err
	}
	return f.Sync()
}

// blocks writes one block per package and gives the table.
func (w *indexWriter) blocks(ctx context.Context, m *merge) ([]byte, error) {
	var table, b []byte
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		key, list, err := m.next()
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			break
		}
		b = appendString(b[:0], key)
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, p := range list {
			b = p.encode(b)
		}
		table = row{hashOf(key), uint32(w.at - headerSize), uint32(len(b)), crcOf(b)}.encode(table)
		if err := w.write(b); err != nil {
			return nil, err
		}
	}
	w.head.sec[secBlocks] = section{off: headerSize, length: w.at - headerSize}
	return table, nil
}

// merge walks old and new postings in the order of the table.
type merge struct {
	old     *Index
	at      int // next row of old
	number  []int
	fresh   []posting
	sources []Source
}

// newMerge numbers the sources of the new index, and says which number each old one gets;
// -1 for the one that is replaced.
func newMerge(old *Index, sources []Source, ch change) *merge {
	m := &merge{old: old}
	m.sources = slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return s.Name == ch.source.Name })
	if !ch.forget {
		m.sources = append(m.sources, ch.source)
	}
	slices.SortFunc(m.sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	for _, s := range sources {
		n := slices.IndexFunc(m.sources, func(x Source) bool { return x.Name == s.Name })
		if ch.data != nil && s.Name == ch.source.Name {
			n = -1
		}
		m.number = append(m.number, n)
	}
	if ch.data != nil {
		m.fresh = ch.data.postings
		own := slices.IndexFunc(m.sources, func(x Source) bool { return x.Name == ch.source.Name })
		for i := range m.fresh {
			m.fresh[i].source = own
		}
	}
	return m
}

func (m *merge) catalogues(ch change) (kev, epss []byte) {
	if m.old != nil {
		kev, epss = m.old.kev, m.old.epss
	}
	if ch.data != nil && ch.source.Family == FamilyKEV {
		kev = ch.data.kev
	}
	if ch.data != nil && ch.source.Family == FamilyEPSS {
		epss = ch.data.epss
	}
	return kev, epss
}

// next gives the next package and its postings, or no postings at the end.
func (m *merge) next() (string, []posting, error) {
	for {
		var key string
		var list []posting
		oldHash, isOld := m.oldHash()
		newHash, isNew := uint64(0), len(m.fresh) > 0
		if isNew {
			newHash = hashOf(m.fresh[0].key)
		}
		switch {
		case !isOld && !isNew:
			return "", nil, nil
		case isOld && (!isNew || oldHash <= newHash):
			var err error
			if key, list, err = m.takeOld(); err != nil {
				return "", nil, err
			}
			if !isNew || m.fresh[0].key != key {
				break // two keys of one hash are two blocks, in any order
			}
			fallthrough
		default:
			key = m.fresh[0].key
			for len(m.fresh) > 0 && m.fresh[0].key == key {
				list, m.fresh = append(list, m.fresh[0]), m.fresh[1:]
			}
		}
		if len(list) > 0 {
			slices.SortStableFunc(list, func(a, b posting) int {
				return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.source, b.source))
			})
			return key, list, nil
		}
	}
}

func (m *merge) oldHash() (uint64, bool) {
	if m.old == nil || m.at >= len(m.old.table)/rowSize {
		return 0, false
	}
	return rowAt(m.old.table, m.at).hash, true
}

// takeOld reads the next old block without the postings of the replaced source.
func (m *merge) takeOld() (string, []posting, error) {
	key, list, err := m.old.block(rowAt(m.old.table, m.at))
	m.at++
	out := list[:0]
	for _, p := range list {
		if n := m.number[p.source]; n >= 0 {
			p.source = n
			out = append(out, p)
		}
	}
	return key, out, err
}

// sortPostings brings postings into the order of the table.
func sortPostings(list []posting) {
	hashes := make(map[string]uint64, len(list))
	for _, p := range list {
		if _, ok := hashes[p.key]; !ok {
			hashes[p.key] = hashOf(p.key)
		}
	}
	slices.SortFunc(list, func(a, b posting) int {
		return cmp.Or(cmp.Compare(hashes[a.key], hashes[b.key]), cmp.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
	})
}
