package dir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"verdict"
	"verdict/blob"
	"verdict/blob/blobtest"
)

func TestConformance(t *testing.T) {
	blobtest.Run(t, blobtest.Driver{
		Open: func(t *testing.T, now func() time.Time, max int64) blob.Store {
			return open(t, t.TempDir(), Options{Now: now, MaxSize: max})
		},
		Damage: func(t *testing.T, s blob.Store, d verdict.Digest) {
			p := file(s.(*Store), d)
			b, err := os.ReadFile(p)
			if err == nil {
				b[len(b)-1] ^= 1
				err = os.WriteFile(p, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	})
}

func open(t *testing.T, folder string, o Options) *Store {
	t.Helper()
	s, err := Open(folder, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func file(s *Store, d verdict.Digest) string {
	return filepath.Join(s.root.Name(), filepath.FromSlash(nameOf(d.Hex())))
}

func put(t *testing.T, s *Store, b string) verdict.Digest {
	t.Helper()
	d, err := s.Put(t.Context(), []byte(b))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatLiesInPlaceOfABlobIsNeverRead(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("evidence"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(p string) error{
		"a symlink out of the folder, even to the right bytes": func(p string) error { return os.Symlink(secret, p) },
		"a FIFO that nobody writes to":                         func(p string) error { return unix.Mkfifo(p, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir(), Options{})
			d := put(t, s, "evidence")
			if err := errors.Join(os.Remove(file(s, d)), plant(file(s, d))); err != nil {
				t.Fatal(err)
			}
			if b, err := s.Get(t.Context(), d); !errors.Is(err, blob.ErrCorrupt) {
				t.Errorf("Get gave %q, %v", b, err)
			}
			if err := s.List(t.Context(), func(i blob.Info) error { return fmt.Errorf("listed %v", i) }); err != nil {
				t.Error(err)
			}
			put(t, s, "evidence")
			if b, err := s.Get(t.Context(), d); err != nil || string(b) != "evidence" {
				t.Errorf("Get after putting again: %q, %v", b, err)
			}
			if b, err := os.ReadFile(secret); err != nil || string(b) != "evidence" {
				t.Errorf("the file outside became %q, %v", b, err)
			}
		})
	}
	t.Run("a folder stops a put with an error", func(t *testing.T) {
		s := open(t, t.TempDir(), Options{})
		d := put(t, s, "evidence")
		if err := errors.Join(os.Remove(file(s, d)), os.Mkdir(file(s, d), 0o700)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), []byte("evidence")); err == nil {
			t.Error("Put acknowledged what it could not store")
		}
		if left, _ := os.ReadDir(filepath.Join(s.root.Name(), aside)); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("a fan folder that is a symlink outwards is not followed", func(t *testing.T) {
		s := open(t, t.TempDir(), Options{})
		out := t.TempDir()
		d := blob.DigestOf([]byte("evidence"))
		if err := os.Symlink(out, filepath.Dir(file(s, d))); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), []byte("evidence")); err == nil {
			t.Error("Put left the folder")
		}
		if left, _ := os.ReadDir(out); len(left) != 0 {
			t.Errorf("written outside: %v", left)
		}
	})
}

func TestStrangersInTheFolderAreLeftAlone(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	d := put(t, s, "evidence")
	var strange []string
	for _, n := range []string{"README", ".hidden", strings.Repeat("f", 64)} { // the last in the wrong fan folder
		p := filepath.Join(filepath.Dir(file(s, d)), n)
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		strange = append(strange, p)
	}
	var seen []verdict.Digest
	if err := s.List(t.Context(), func(i blob.Info) error { seen = append(seen, i.Digest); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0] != d {
		t.Errorf("listed %v", seen)
	}
	for _, p := range strange {
		if _, err := os.Stat(p); err != nil {
			t.Error(err)
		}
	}
}

func TestHalfWrittenFilesGoAtTheNextStart(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, Options{})
	half := filepath.Join(folder, aside, "put-0123")
	if err := os.WriteFile(half, []byte("hal"), 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := s.lock(t.Context(), false) // somebody is writing
	if err != nil {
		t.Fatal(err)
	}
	open(t, folder, Options{})
	if _, err := os.Stat(half); err != nil {
		t.Errorf("the file of a live writer was removed: %v", err)
	}
	unlock()
	open(t, folder, Options{})
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half-written file is still there: %v", err)
	}
}

func TestDeleteWaitsForWritersAndGivesUpWithItsContext(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	d := put(t, s, "evidence")
	unlock, err := s.lock(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Delete(ctx, d, time.Now().Add(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Delete beside a writer: %v", err)
	}
	if _, err := s.Get(t.Context(), d); err != nil {
		t.Error(err)
	}
}

func TestFullDiskAcknowledgesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a full disk is a small tmpfs here, and only root may mount one")
	}
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("tmpfs cannot be mounted here: %v", err)
	}
	s := open(t, folder, Options{})
	t.Cleanup(func() {
		_ = s.Close()
		if err := unix.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	var kept []verdict.Digest
	var full error
	for i := 0; i < 100 && full == nil; i++ {
		var d verdict.Digest
		if d, full = s.Put(t.Context(), []byte(strings.Repeat(fmt.Sprint(i, " "), 5000))); full == nil {
			kept = append(kept, d)
		}
	}
	if e := verdict.AsError(full); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.Remedy, "free disk space") {
		t.Fatalf("a full disk gave %v", full)
	}
	if len(kept) == 0 {
		t.Fatal("nothing was stored before the disk was full")
	}
	for _, d := range kept {
		if _, err := s.Get(t.Context(), d); err != nil {
			t.Errorf("acknowledged and lost: %v", err)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(folder, aside)); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMarksSurviveARestartAndDamage(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, Options{})
	want := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	d := blob.DigestOf([]byte("x"))
	if err := s.SaveMarks(t.Context(), map[verdict.Digest]time.Time{d: want}); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, folder, Options{}).LoadMarks(t.Context())
	if err != nil || !got[d].Equal(want) {
		t.Errorf("LoadMarks: %v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(folder, marksName), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LoadMarks(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("damaged marks gave %v, %v; none are right, they only delay", got, err)
	}
}

func TestAFolderThatCannotBeUsedNamesIt(t *testing.T) {
	p := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(p, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(p, Options{})
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.What, p) {
		t.Errorf("Open on a file: %v", err)
	}
}
