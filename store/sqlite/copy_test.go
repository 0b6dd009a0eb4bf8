package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"verdict/store"
	"verdict/store/sqlite"
)

// A backup that is taken while the server records is one moment of the ledger, and nobody
// who records is refused for it.
func TestACopyIsOneMomentWhileOthersWrite(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "a.db")
	e, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.New(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run := func(e *sqlite.Engine, statements ...store.Statement) error {
		return e.Write(ctx, func(store.Reader) ([]store.Statement, error) { return statements, nil })
	}
	// Two tables that every write keeps equal: a copy of two moments would show a difference.
	if err := run(e, store.Statement{SQL: "CREATE TABLE a (n BIGINT, pad TEXT)"}, store.Statement{SQL: "CREATE TABLE b (n BIGINT)"}); err != nil {
		t.Fatal(err)
	}
	more := func(n int64) error {
		return run(e, store.Statement{SQL: "INSERT INTO a (n, pad) VALUES ($1, hex(randomblob(2000)))", Args: []any{n}}, store.Statement{SQL: "INSERT INTO b (n) VALUES ($1)", Args: []any{n}})
	}
	for n := range int64(200) {
		if err := more(n); err != nil {
			t.Fatal(err)
		}
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for n := int64(200); err == nil; n++ {
			select {
			case <-stop:
				ended <- nil
				return
			default:
				err = more(n)
			}
		}
		ended <- err
	}()
	for range 5 {
		to := filepath.Join(t.TempDir(), "copy.db")
		if err := s.Copy(ctx, to); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others may read it: %v, %v", info, err)
		}
		a, b := counted(ctx, t, to)
		if a != b || a < 200 {
			t.Errorf("the copy has %d and %d rows", a, b)
		}
		if err := s.Copy(ctx, to); err == nil {
			t.Error("a second copy took the place of the first")
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Errorf("whoever wrote was refused: %v", err)
	}
}

func counted(ctx context.Context, t *testing.T, path string) (a, b int64) {
	t.Helper()
	e, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	one := func(sql string, into *int64) store.Statement {
		return store.Statement{SQL: sql, Each: func(r store.Row) error { return r.Scan(into) }}
	}
	if err := e.Read(ctx, func(r store.Reader) error {
		return r.Run(ctx, one("SELECT count(*) FROM a", &a), one("SELECT count(*) FROM b", &b))
	}); err != nil {
		t.Fatal(err)
	}
	return a, b
}
