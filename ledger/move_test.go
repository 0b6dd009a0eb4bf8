package ledger_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/blob/dir"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/postgres"
	"verdict/store/storetest"
)

// target opens the database that a log moves to.
func target(t *testing.T, dsn string) *store.Store {
	t.Helper()
	e, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.New(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func quiet(string, int64) {}

// A team that outgrew one machine takes its whole history along, and nobody goes on
// writing where it no longer counts.
func TestALogMovesToPostgreSQLWithEverything(t *testing.T) {
	b := newBed(t)
	b.everything(t)
	l := b.open()
	defer l.Close()
	noise := make([]byte, 400<<10) // lies in a blob
	if _, err := noiseSource.Read(noise); err != nil {
		t.Fatal(err)
	}
	b.append(l, b.sign(b.key, verdict.KindTestResult, map[string]any{"noise": noise}, subject("x")))
	before, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := l.Verify(t.Context(), ledger.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	open := b.open() // another process, which does not know
	defer open.Close()

	dsn := storetest.Postgres(t)
	blobs, err := dir.Open(filepath.Join(b.folder, "other blobs"), dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Move(t.Context(), ledger.Move{To: target(t, dsn), Place: "postgres://db.example/verdict", Blobs: blobs, Progress: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if m.Checkpoint.Size != before.Size || m.Checkpoint.Root != before.Root || m.Rows < before.Size || m.Blobs == 0 || m.Verified.Rows != report.Rows || m.Verified.Anchor != "agrees" {
		t.Errorf("%+v", m)
	}
	for name, x := range map[string]*ledger.Ledger{"the process that moved it": l, "another one": open} {
		if _, err := x.Append(t.Context(), b.other(10)); verdict.AsError(err) == nil || !strings.Contains(err.Error(), "postgres://db.example/verdict") {
			t.Errorf("%s appends to what was left: %v", name, err)
		}
		if _, err := x.Find(t.Context(), ledger.Query{At: ledger.Now}); err == nil {
			t.Errorf("%s answers from what was left", name)
		}
	}
	if _, err := b.try(nil); verdict.AsError(err) == nil || !strings.Contains(err.Error(), "was moved") {
		t.Errorf("what was left opens: %v", err)
	}
	inspected, err := b.try(func(o *ledger.Options) { o.Inspect = true })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inspected.Append(t.Context(), b.other(10)); err == nil {
		t.Error("an inspection of what was left appends to it")
	}
	if _, err := inspected.NewEpoch(t.Context(), "x"); err == nil {
		t.Error("what was left begins an epoch")
	}
	left, err := inspected.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err != nil || len(left.Problems) != 0 || len(left.Unchecked) != 1 || left.Anchor != "moved" || verdict.AsError(left.Err()).Code != verdict.CodeUnavailable || !strings.Contains(left.Unchecked[0].What, "goes on in postgres://db.example/verdict") {
		t.Errorf("what was left is taken for broken, or for whole: %+v, %v", left, err)
	}
	inspected.Close()

	// The old blobs are not needed any more.
	if err := os.RemoveAll(filepath.Join(b.folder, "blobs")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(b.folder, "other blobs"), filepath.Join(b.folder, "blobs")); err != nil {
		t.Fatal(err)
	}
	b.dsn = dsn
	b.connect()
	there := b.open()
	defer there.Close()
	b.append(there, b.other(10))
	if r, err := there.Verify(t.Context(), ledger.VerifyOptions{Signatures: true, Against: []byte(before.Note)}); err != nil || !r.Holds() || !r.Against.Continues {
		t.Errorf("%+v, %v", r, err)
	}
}

// A move that breaks off leaves the source as it is, and is begun again.
func TestAMoveThatBreaksOffLeavesTheSourceAsItIs(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	for range 40 {
		b.append(l, b.other(3000))
	}
	dsn := storetest.Postgres(t)
	to := target(t, dsn)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := l.Move(ctx, ledger.Move{To: to, Place: "there", Progress: func(what string, n int64) {
		if what == "entry" && n > 0 {
			cancel()
		}
	}})
	if err == nil {
		t.Fatal("a move that was interrupted says that it is done")
	}
	b.append(l, b.other(10))
	if err := to.View(t.Context(), func(v *store.View) error {
		if _, found, err := v.Head(t.Context()); found || err != nil {
			t.Errorf("half of it is there: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	// The target was filled, and the process died before it closed the source.
	died := errors.New("died")
	e, err := b.engine()
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.New(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Move(t.Context(), to, store.Moving{Place: "there", Progress: quiet, Check: func(context.Context) error { return died }})
	if !errors.Is(err, died) {
		t.Fatal(err)
	}
	s.Close()
	m, err := l.Move(t.Context(), ledger.Move{To: to, Place: "there", Progress: quiet})
	if err != nil || m.Rows != 0 || m.Verified.Verified != 42 {
		t.Errorf("taken up again: %+v, %v", m, err)
	}
}

// Two logs in one database would be one that nobody can verify.
func TestALogMovesOnlyIntoAnEmptyDatabase(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	other := newBed(t)
	other.dsn = storetest.Postgres(t)
	other.connect()
	other.begun()
	_, err := l.Move(t.Context(), ledger.Move{To: target(t, other.dsn), Place: "there", Progress: quiet})
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeConflict || !strings.Contains(e.Remedy, "createdb") {
		t.Errorf("%v", err)
	}
	b.append(l, b.other(10))
}
