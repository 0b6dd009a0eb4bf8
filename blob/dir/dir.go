// Package dir keeps blobs as files: sha256/ab/abcdef…, written aside, synced, renamed
// and synced again. The modification time of a file is the time of its last put.
package dir

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync/atomic"
	"time"

	"verdict"
	"verdict/blob"
)

const (
	content  = "sha256" // holds the blobs, in 256 folders by the first byte
	aside    = "tmp"    // holds what is being written
	lockName = "lock"   // shared by those who put, exclusive for those who delete
)

// Options of Open.
type Options struct {
	MaxSize int64            // bytes of the largest blob; zero: blob.DefaultMaxSize
	Now     func() time.Time // zero: time.Now
}

// Store is a blob.Store in one folder. Several processes may use the folder at once.
type Store struct {
	root *os.Root
	max  int64
	now  func() time.Time
	// synced holds the folders of content that are known to survive a crash.
	synced [256]atomic.Bool
}

var _ blob.Store = (*Store)(nil)

// Open opens the folder, makes it when it is missing (mode 0700), and removes what
// crashed writers left half-written. The folder is never left by a symlink.
func Open(folder string, o Options) (*Store, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, unusable(folder, err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, unusable(folder, err)
	}
	s := &Store{root: root, max: o.MaxSize, now: o.Now}
	if s.max <= 0 {
		s.max = blob.DefaultMaxSize
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, sub := range []string{content, aside} {
		if err := root.Mkdir(sub, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(unusable(folder, err), root.Close())
		}
	}
	if err := errors.Join(s.sync("."), s.tidy()); err != nil {
		return nil, errors.Join(unusable(folder, err), root.Close())
	}
	return s, nil
}

// Close frees the handle on the folder.
func (s *Store) Close() error { return s.root.Close() }

// Put writes b aside, syncs it, renames it to its name and syncs the folder.
func (s *Store) Put(ctx context.Context, b []byte) (verdict.Digest, error) {
	if int64(len(b)) > s.max {
		return "", blob.TooLarge(int64(len(b)), s.max)
	}
	d := blob.DigestOf(b)
	unlock, err := s.lock(ctx, false)
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := s.fan(d.Hex()); err != nil {
		return "", s.failed("put", d, err)
	}
	name := nameOf(d.Hex())
	if again, err := s.renew(name, d); err != nil {
		return "", s.failed("put", d, err)
	} else if again {
		return d, nil
	}
	if err := s.write(name, b); err != nil {
		return "", s.failed("put", d, err)
	}
	return d, nil
}

// renew touches and syncs an undamaged blob that is already there, so that a second put
// promises no less than the first: its writer may not have come to the sync yet.
func (s *Store) renew(name string, d verdict.Digest) (bool, error) {
	f, _, err := s.open(name, d, os.O_RDWR) // Windows syncs no file that was opened to be read
	if err != nil {                         // missing, or something else in its place: to be written
		return false, nil
	}
	defer f.Close()
	if _, err := s.read(f, d); err != nil {
		return false, nil
	}
	now := s.now()
	if err := s.root.Chtimes(name, now, now); err != nil {
		return false, nil
	}
	if err := f.Sync(); err != nil {
		return false, err
	}
	return true, s.sync(path.Dir(name))
}

func (s *Store) write(name string, b []byte) (err error) {
	var id [12]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	tmp := path.Join(aside, "put-"+hex.EncodeToString(id[:]))
	f, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.root.Remove(tmp))
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		now := s.now()
		err = s.root.Chtimes(tmp, now, now)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = s.root.Rename(tmp, name); err != nil {
		return err
	}
	// The file has its name now, so that the temporary one must not be removed any more.
	if e := s.sync(path.Dir(name)); e != nil {
		return fmt.Errorf("sync folder: %w", errors.Join(e, s.root.Rename(name, tmp)))
	}
	return nil
}

// Get reads the blob and compares its digest.
func (s *Store) Get(_ context.Context, d verdict.Digest) ([]byte, error) {
	key, err := blob.Key(d)
	if err != nil {
		return nil, err
	}
	f, _, err := s.open(nameOf(key), d, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return s.read(f, d)
}

// Stat gives size and time of the last put. It does not read the bytes.
func (s *Store) Stat(_ context.Context, d verdict.Digest) (blob.Info, error) {
	key, err := blob.Key(d)
	if err != nil {
		return blob.Info{}, err
	}
	f, fi, err := s.open(nameOf(key), d, os.O_RDONLY)
	if err != nil {
		return blob.Info{}, err
	}
	return blob.Info{Digest: d, Size: fi.Size(), Put: fi.ModTime().UTC()}, f.Close()
}

// Delete removes the blob under the exclusive lock, so that no put comes in between.
func (s *Store) Delete(ctx context.Context, d verdict.Digest, unusedSince time.Time) (bool, error) {
	key, err := blob.Key(d)
	if err != nil {
		return false, err
	}
	unlock, err := s.lock(ctx, true)
	if err != nil {
		return false, err
	}
	defer unlock()
	name := nameOf(key)
	fi, err := s.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, s.failed("delete", d, err)
	}
	if !fi.ModTime().Before(unusedSince) {
		return false, nil
	}
	if err := s.root.Remove(name); err != nil {
		return false, s.failed("delete", d, err)
	}
	return true, s.sync(path.Dir(name))
}

// open opens a regular file without waiting for a FIFO's other end.
func (s *Store) open(name string, d verdict.Digest, how int) (*os.File, fs.FileInfo, error) {
	li, err := s.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, blob.NotFound(d)
	}
	if err != nil {
		return nil, nil, s.failed("open", d, err)
	}
	if !li.Mode().IsRegular() {
		return nil, nil, blob.Corrupt(d, "it is "+kind(li.Mode())+" and no file")
	}
	f, err := s.root.OpenFile(name, how|unblocked, 0)
	if err != nil {
		return nil, nil, s.failed("open", d, err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = errors.New("it was replaced while it was opened")
	}
	if err != nil {
		return nil, nil, errors.Join(s.failed("open", d, err), f.Close())
	}
	return f, fi, nil
}

func (s *Store) read(f *os.File, d verdict.Digest) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, s.max+1))
	if err != nil {
		return nil, s.failed("read", d, err)
	}
	if int64(len(b)) > s.max {
		return nil, blob.Corrupt(d, fmt.Sprintf("it is longer than the limit of %d bytes", s.max))
	}
	if got := blob.DigestOf(b); got != d {
		return nil, blob.Corrupt(d, "its digest is now "+got.Short())
	}
	return b, nil
}

func nameOf(key string) string { return path.Join(content, key[:2], key) }

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symlink"
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m.IsDir():
		return "a folder"
	}
	return "a special file"
}

func unusable(folder string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: fmt.Sprintf("the blob folder %s cannot be used", folder),
		Remedy: "give a folder on a local disk that you may write to", Err: err,
	}
}

// failed explains the errors of the file system that a person can act on.
func (s *Store) failed(verb string, d verdict.Digest, err error) error {
	if full(err) {
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("no room to store blob %s in %s", d.Short(), s.root.Name()),
			Remedy: "free disk space or raise the quota, then run the command again: nothing was recorded", Err: err,
		}
	}
	return fmt.Errorf("%s blob %s: %w", verb, d.Short(), err)
}
