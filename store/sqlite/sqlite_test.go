package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/store"
	"verdict/store/sqlite"
)

func TestWhatIsWrittenIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "a b?c%.db")
	e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(files) != 3 {
		t.Errorf("%v, %v", files, err)
	}
	for _, f := range files {
		if i, err := os.Stat(f); err != nil || i.Mode().Perm() != 0o600 || !strings.HasPrefix(f, path) {
			t.Errorf("%s: %v, %v", f, i.Mode(), err)
		}
	}
}

func TestCommitsAreSyncedAndReadersDoNotWrite(t *testing.T) {
	e, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	pragma := func(r store.Reader, name string) string {
		var value string
		if err := r.Run(t.Context(), store.Statement{SQL: "PRAGMA " + name, Each: func(r store.Row) error { return r.Scan(&value) }}); err != nil {
			t.Error(err)
		}
		return value
	}
	err = e.Write(t.Context(), func(r store.Reader) ([]store.Statement, error) {
		if mode, sync := pragma(r, "journal_mode"), pragma(r, "synchronous"); mode != "wal" || sync != "2" {
			t.Errorf("mode %s, synchronous %s", mode, sync)
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = e.Read(t.Context(), func(r store.Reader) error {
		return r.Run(t.Context(), store.Statement{SQL: "CREATE TABLE x (a BIGINT)"})
	})
	if err == nil {
		t.Error("a reader wrote")
	}
}

func TestAFileThatIsNoDatabaseIsSaidToBeNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeInvalid || !strings.Contains(e.Remedy, "backup") {
		t.Errorf("%v", err)
	}
}

func TestAPlaceThatCannotBeWrittenIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), filepath.Join(file, "a.db"), sqlite.Options{})
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.What, file) {
		t.Errorf("%v", err)
	}
}
