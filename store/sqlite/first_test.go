package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"verdict/store"
	"verdict/store/sqlite"
)

// childOf names the database that this program opens when a test of its own starts it.
const childOf = "SQLITE_TEST_DATABASE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childOf); path != "" {
		if err := firstUse(context.Background(), path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// firstUse opens a database as each command does.
func firstUse(ctx context.Context, path string) error {
	e, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	s, err := store.New(ctx, e)
	if err != nil {
		return errors.Join(fmt.Errorf("migrate: %w", err), e.Close())
	}
	err = s.View(ctx, func(v *store.View) error { _, _, err := v.Head(ctx); return err })
	return errors.Join(err, s.Close())
}

// The jobs of a pipeline that begin at once in a fresh checkout each open the ledger for
// the first time: none may be told that the database is locked.
func TestTheFirstUseWaitsForWhoeverIsAtTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	// The lock of whoever is about to put the file into write-ahead mode: another first use
	// has it for a moment, this one long enough to be met.
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- firstUse(t.Context(), path) }()
	select {
	case err := <-ended:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhoWaitsForTheFileMayLeave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := firstUse(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestManyFirstUsesAtOnce(t *testing.T) {
	t.Run("in one process, on a busy machine", func(t *testing.T) {
		defer busy()()
		for range 10 {
			path := filepath.Join(t.TempDir(), "a.db")
			atOnce(t, func() error { return firstUse(t.Context(), path) })
		}
	})
	t.Run("in a process each", func(t *testing.T) {
		for range 3 {
			path := filepath.Join(t.TempDir(), "a.db")
			atOnce(t, func() error {
				c := exec.Command(os.Args[0])
				c.Env = append(os.Environ(), childOf+"="+path)
				if out, err := c.CombinedOutput(); err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				return nil
			})
		}
	})
}

// atOnce has sixteen do the same.
func atOnce(t *testing.T, do func() error) {
	t.Helper()
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			if err := do(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

// busy takes the processors away from time to time until it is called off.
func busy() (stop func()) {
	var wait sync.WaitGroup
	var end atomic.Bool
	for range 4 * runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for !end.Load() {
			}
		})
	}
	return func() { end.Store(true); wait.Wait() }
}
