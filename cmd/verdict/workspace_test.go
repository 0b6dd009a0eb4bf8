package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/blob/dir"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/sqlite"
)

// unclosable is a database whose disk refuses what is left at the end.
type unclosable struct{ *sqlite.Engine }

func (u unclosable) Close() error { return errors.Join(u.Engine.Close(), errors.New("no space left")) }

// A disk that is full may say so only when a file is closed: a command that says nothing
// then has told of something that is not there.
func TestWhatALedgerSaysWhenItIsClosedIsHeard(t *testing.T) {
	open := func(talk *bytes.Buffer) *workspace {
		folder := t.TempDir()
		e, err := sqlite.Open(t.Context(), filepath.Join(folder, "a.db"), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		db, err := store.New(t.Context(), unclosable{e})
		if err != nil {
			t.Fatal(err)
		}
		blobs, err := dir.Open(filepath.Join(folder, "blobs"), dir.Options{})
		if err != nil {
			t.Fatal(err)
		}
		key, err := openLogKey(filepath.Join(folder, "log.key"))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(t.Context(), ledger.Options{Store: db, Blobs: blobs, LogKey: key, AnchorDir: filepath.Join(folder, "anchor")})
		if err != nil {
			t.Fatal(err)
		}
		return &workspace{app: &app{stderr: talk}, ledger: l}
	}
	var talk bytes.Buffer
	var err error
	open(&talk).end(&err)
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(err.Error(), "no space left") || talk.Len() > 0 {
		t.Errorf("a command that went well: %v, %q", err, talk.String())
	}
	err = exit(3)
	open(&talk).end(&err)
	if err != exit(3) || !strings.Contains(talk.String(), "no space left") {
		t.Errorf("a command that has an answer: %v, %q", err, talk.String())
	}
}
