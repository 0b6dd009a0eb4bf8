package blob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"verdict"
)

// Bucket is what a driver for an object store supplies; In makes a Store of it. Objects
// have names with slashes in them, and a tag that changes with each write, also with a
// write of the same bytes. All methods may be called at the same time. A driver bounds
// each request in time and repeats by itself what failed in passing.
type Bucket interface {
	// Create writes an object that must not be there. One that is there stays as it is:
	// ErrExists.
	Create(ctx context.Context, name string, b []byte) error
	// Replace writes an object whatever is there. ErrHeld: the store lets nobody change it.
	Replace(ctx context.Context, name string, b []byte) error
	// Read gives the bytes of an object, or ErrNotFound. Its caller bounds and closes them.
	Read(ctx context.Context, name string) (io.ReadCloser, error)
	// Look describes an object, or fails with ErrNotFound.
	Look(ctx context.Context, name string) (Object, error)
	// Remove removes an object if it still has the tag, in one step, and reports whether
	// it did. It is no error when the object is gone, or is another one by now.
	Remove(ctx context.Context, name, tag string) (bool, error)
	// Page lists objects below a prefix in the order of their names, from a page on: empty
	// is the first. Next is empty behind the last.
	Page(ctx context.Context, prefix, page string) (objects []Object, next string, err error)
}

// Object describes an object of a Bucket.
type Object struct {
	Name string
	Size int64     // bytes, as Read gives them
	Put  time.Time // of the last write, by the clock of the store
	Tag  string
}

// The errors of a Bucket beside ErrNotFound.
var (
	ErrExists = errors.New("the object is there already")
	ErrHeld   = errors.New("the store holds the object against every change")
)

// InOptions of In.
type InOptions struct {
	Prefix  string // of all names, without slashes around it
	MaxSize int64  // bytes of the largest blob; zero: DefaultMaxSize
}

// objects is a Store in a Bucket: PREFIX/sha256/ab/abcdef…, and the marks beside them.
//
// The time of the last put is the store's. A clock that differs from ours by less than
// DefaultWait removes nothing too early: a blob is removed a day after its mark, and
// compared again then.
type objects struct {
	bucket Bucket
	prefix string
	max    int64
}

// In makes a Store that keeps its marks too, of a Bucket.
func In(b Bucket, o InOptions) interface {
	Store
	Marks
} {
	s := &objects{bucket: b, prefix: strings.Trim(o.Prefix, "/"), max: o.MaxSize}
	if s.max <= 0 {
		s.max = DefaultMaxSize
	}
	return s
}

func (s *objects) name(key string) string { return path.Join(s.prefix, "sha256", key[:2], key) }

// Put creates the object. If it is there, it is written again: that renews its time, and
// repairs it in case that it was damaged. Nothing but these bytes ever has this name.
func (s *objects) Put(ctx context.Context, b []byte) (verdict.Digest, error) {
	if int64(len(b)) > s.max {
		return "", TooLarge(int64(len(b)), s.max)
	}
	d := DigestOf(b)
	name := s.name(d.Hex())
	err := s.bucket.Create(ctx, name, b)
	if errors.Is(err, ErrExists) {
		err = s.bucket.Replace(ctx, name, b)
	}
	if errors.Is(err, ErrHeld) { // then no sweep removes it either
		_, err = s.Get(ctx, d)
	}
	if err != nil {
		return "", fmt.Errorf("put blob %s: %w", d.Short(), err)
	}
	return d, nil
}

// readAttempts is how often a blob is read whose bytes end in the middle.
const readAttempts = 3

// Get reads the object and compares its digest.
func (s *objects) Get(ctx context.Context, d verdict.Digest) ([]byte, error) {
	key, err := Key(d)
	if err != nil {
		return nil, err
	}
	b, err := s.read(ctx, s.name(key), s.max)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, NotFound(d)
	case errors.Is(err, errLong):
		return nil, Corrupt(d, fmt.Sprintf("it is longer than the limit of %d bytes", s.max))
	case err != nil:
		return nil, fmt.Errorf("read blob %s: %w", d.Short(), err)
	}
	if got := DigestOf(b); got != d {
		return nil, Corrupt(d, "its digest is now "+got.Short())
	}
	return b, nil
}

var errLong = errors.New("longer than the limit")

// read reads an object of at most limit bytes. A connection that breaks is no damage.
func (s *objects) read(ctx context.Context, name string, limit int64) (b []byte, err error) {
	for range readAttempts {
		if b, err = s.readOnce(ctx, name, limit); err == nil || !errors.Is(err, errBroken) || ctx.Err() != nil {
			return b, err
		}
	}
	return nil, &verdict.Error{
		Code: verdict.CodeUnavailable, What: "the object store broke off in the middle of an object, each time",
		Remedy: "check the network between here and the store, then run the command again", Err: err,
	}
}

var errBroken = errors.New("the connection broke")

func (s *objects) readOnce(ctx context.Context, name string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := s.bucket.Read(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	// A store that sends nothing for a while is given up, however large the object is.
	stalled := time.AfterFunc(idleAfter, cancel)
	defer stalled.Stop()
	b, err := io.ReadAll(&lively{io.LimitReader(body, limit+1), stalled})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	if int64(len(b)) > limit {
		return nil, errLong
	}
	return b, nil
}

// idleAfter is how long an object store may send nothing.
const idleAfter = 30 * time.Second

// lively puts a timer off with each read that comes to something.
type lively struct {
	from  io.Reader
	timer *time.Timer
}

func (r *lively) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		r.timer.Reset(idleAfter)
	}
	return n, err
}

// Stat looks at the object without reading it.
func (s *objects) Stat(ctx context.Context, d verdict.Digest) (Info, error) {
	key, err := Key(d)
	if err != nil {
		return Info{}, err
	}
	o, err := s.bucket.Look(ctx, s.name(key))
	if errors.Is(err, ErrNotFound) {
		return Info{}, NotFound(d)
	}
	if err != nil {
		return Info{}, fmt.Errorf("look at blob %s: %w", d.Short(), err)
	}
	return Info{Digest: d, Size: o.Size, Put: o.Put.UTC()}, nil
}

// Delete removes the object by the tag that it had when its time was compared.
func (s *objects) Delete(ctx context.Context, d verdict.Digest, unusedSince time.Time) (bool, error) {
	key, err := Key(d)
	if err != nil {
		return false, err
	}
	o, err := s.bucket.Look(ctx, s.name(key))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at blob %s: %w", d.Short(), err)
	}
	if !o.Put.Before(unusedSince) {
		return false, nil
	}
	gone, err := s.bucket.Remove(ctx, o.Name, o.Tag)
	if err != nil {
		return false, fmt.Errorf("delete blob %s: %w", d.Short(), err)
	}
	return gone, nil
}

// List goes through the pages. What has no name of ours is passed over.
func (s *objects) List(ctx context.Context, each func(Info) error) error {
	page := ""
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		all, next, err := s.bucket.Page(ctx, path.Join(s.prefix, "sha256")+"/", page)
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		for _, o := range all {
			d := verdict.NewDigest("sha256", path.Base(o.Name))
			key, err := Key(d)
			if err != nil || s.name(key) != o.Name {
				continue
			}
			if err := each(Info{Digest: d, Size: o.Size, Put: o.Put.UTC()}); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		if next == page {
			return errors.New("list blobs: the store gives the same page again")
		}
		page = next
	}
}

const maxMarks = 64 << 20 // bytes of marks.json

func (s *objects) marks() string { return path.Join(s.prefix, "marks.json") }

// LoadMarks reads the marks of the last sweep. What cannot be understood counts as none:
// that delays a removal, and nothing else.
func (s *objects) LoadMarks(ctx context.Context) (map[verdict.Digest]time.Time, error) {
	b, err := s.read(ctx, s.marks(), maxMarks)
	if errors.Is(err, ErrNotFound) || errors.Is(err, errLong) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var marks map[verdict.Digest]time.Time
	if json.Unmarshal(b, &marks) != nil {
		return nil, nil
	}
	return marks, nil
}

// SaveMarks replaces the marks.
func (s *objects) SaveMarks(ctx context.Context, marks map[verdict.Digest]time.Time) error {
	b, err := json.Marshal(marks)
	if err != nil {
		return err
	}
	return s.bucket.Replace(ctx, s.marks(), b)
}
