package dir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/blob"
)

// List reads one folder of content at a time.
func (s *Store) List(ctx context.Context, each func(blob.Info) error) error {
	for i := range 256 {
		if err := ctx.Err(); err != nil {
			return err
		}
		sub := fmt.Sprintf("%s/%02x", content, i)
		names, err := s.names(sub)
		if err != nil {
			return fmt.Errorf("list blobs in %s: %w", sub, err)
		}
		for _, n := range names {
			key, err := blob.Key(verdict.NewDigest("sha256", n))
			if err != nil || nameOf(key) != path.Join(sub, n) {
				continue // not ours: never read, never removed
			}
			fi, err := s.root.Lstat(path.Join(sub, n))
			if err != nil || !fi.Mode().IsRegular() {
				continue // gone meanwhile, or no file of ours
			}
			info := blob.Info{Digest: verdict.NewDigest("sha256", n), Size: fi.Size(), Put: fi.ModTime().UTC()}
			if err := each(info); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) names(sub string) ([]string, error) {
	f, err := s.root.Open(sub)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// fan makes the folder that the blob belongs to, and makes it survive a crash.
func (s *Store) fan(key string) error {
	var i int
	if _, err := fmt.Sscanf(key[:2], "%02x", &i); err != nil {
		return err
	}
	if s.synced[i].Load() {
		return nil
	}
	if err := s.root.Mkdir(path.Join(content, key[:2]), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.sync(content); err != nil {
		return err
	}
	s.synced[i].Store(true)
	return nil
}

func (s *Store) sync(folder string) error { return syncFolder(s.root, folder) }

// lock takes the folder's lock, shared or exclusive, and waits for it as long as ctx
// lasts. The system frees it when a process dies.
func (s *Store) lock(ctx context.Context, exclusive bool) (unlock func(), err error) {
	f, err := s.lockFile()
	if err != nil {
		return nil, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		held, err := hold(f, exclusive)
		if held {
			return func() { release(f) }, nil
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock blob folder %s: %w", s.root.Name(), err), f.Close())
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, errors.Join(fmt.Errorf("wait for the lock of blob folder %s: %w", s.root.Name(), ctx.Err()), f.Close())
		case <-t.C:
		}
	}
}

func (s *Store) lockFile() (*os.File, error) {
	f, err := s.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE|unblocked, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of blob folder %s: %w", s.root.Name(), err)
	}
	return f, nil
}

// tidy removes what crashed writers left. When the exclusive lock is not to be had at
// once, somebody is writing, and the rests wait for a later start.
func (s *Store) tidy() error {
	f, err := s.lockFile()
	if err != nil {
		return err
	}
	defer release(f)
	if held, err := hold(f, true); !held || err != nil {
		return nil
	}
	names, err := s.names(aside)
	for _, n := range names {
		if strings.HasPrefix(n, "put-") {
			err = errors.Join(err, s.root.Remove(path.Join(aside, n)))
		}
	}
	return err
}

const (
	marksName = "marks.json"
	maxMarks  = 64 << 20 // bytes of marks.json
)

var _ blob.Marks = (*Store)(nil)

// LoadMarks reads the marks of the last sweep. A file that cannot be read counts as
// none: that delays a removal, and nothing else.
func (s *Store) LoadMarks(context.Context) (map[verdict.Digest]time.Time, error) {
	fi, err := s.root.Lstat(marksName)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > maxMarks {
		return nil, nil
	}
	f, err := s.root.OpenFile(marksName, os.O_RDONLY|unblocked, 0)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	var marks map[verdict.Digest]time.Time
	if err := json.NewDecoder(io.LimitReader(f, maxMarks)).Decode(&marks); err != nil {
		return nil, nil
	}
	return marks, nil
}

// SaveMarks replaces the marks.
func (s *Store) SaveMarks(ctx context.Context, marks map[verdict.Digest]time.Time) error {
	b, err := json.Marshal(marks)
	if err != nil {
		return err
	}
	unlock, err := s.lock(ctx, false)
	if err != nil {
		return err
	}
	defer unlock()
	return s.write(marksName, b)
}
