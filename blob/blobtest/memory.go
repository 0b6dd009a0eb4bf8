package blobtest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"verdict"
	"verdict/blob"
)

// Memory is a blob.Store for tests of other rooms; it keeps nothing. It passes Run.
type Memory struct {
	now func() time.Time
	max int64

	mu    sync.Mutex // guards what follows
	blobs map[verdict.Digest]held
	marks map[verdict.Digest]time.Time
}

type held struct {
	b   []byte
	put time.Time
}

// NewMemory makes an empty store. A nil clock is time.Now; a limit of 0 is
// blob.DefaultMaxSize.
func NewMemory(now func() time.Time, maxSize int64) *Memory {
	if now == nil {
		now = time.Now
	}
	if maxSize <= 0 {
		maxSize = blob.DefaultMaxSize
	}
	return &Memory{now: now, max: maxSize, blobs: map[verdict.Digest]held{}}
}

// Put keeps a copy of b.
func (m *Memory) Put(_ context.Context, b []byte) (verdict.Digest, error) {
	if int64(len(b)) > m.max {
		return "", blob.TooLarge(int64(len(b)), m.max)
	}
	d := blob.DigestOf(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[d] = held{slices.Clone(b), m.now().UTC()}
	return d, nil
}

// Get gives a copy of the bytes.
func (m *Memory) Get(_ context.Context, d verdict.Digest) ([]byte, error) {
	if _, err := blob.Key(d); err != nil {
		return nil, err
	}
	m.mu.Lock()
	h, ok := m.blobs[d]
	m.mu.Unlock()
	if !ok {
		return nil, blob.NotFound(d)
	}
	if blob.DigestOf(h.b) != d {
		return nil, blob.Corrupt(d, "its digest is now "+blob.DigestOf(h.b).Short())
	}
	return slices.Clone(h.b), nil
}

// Stat gives size and time.
func (m *Memory) Stat(_ context.Context, d verdict.Digest) (blob.Info, error) {
	if _, err := blob.Key(d); err != nil {
		return blob.Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.blobs[d]
	if !ok {
		return blob.Info{}, blob.NotFound(d)
	}
	return blob.Info{Digest: d, Size: int64(len(h.b)), Put: h.put}, nil
}

// Delete forgets the blob unless it was put since.
func (m *Memory) Delete(_ context.Context, d verdict.Digest, unusedSince time.Time) (bool, error) {
	if _, err := blob.Key(d); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.blobs[d]
	if !ok || !h.put.Before(unusedSince) {
		return false, nil
	}
	delete(m.blobs, d)
	return true, nil
}

// List calls each outside of the lock.
func (m *Memory) List(ctx context.Context, each func(blob.Info) error) error {
	m.mu.Lock()
	var all []blob.Info
	for d, h := range m.blobs {
		all = append(all, blob.Info{Digest: d, Size: int64(len(h.b)), Put: h.put})
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b blob.Info) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	for _, i := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := each(i); err != nil {
			return err
		}
	}
	return nil
}

// Damage flips one bit of a blob, as a bad disk would.
func (m *Memory) Damage(d verdict.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.blobs[d]; len(h.b) > 0 {
		h.b[0] ^= 1
	}
}

// LoadMarks gives what SaveMarks kept.
func (m *Memory) LoadMarks(context.Context) (map[verdict.Digest]time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.marks, nil
}

// SaveMarks keeps the marks.
func (m *Memory) SaveMarks(_ context.Context, marks map[verdict.Digest]time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks = marks
	return nil
}
