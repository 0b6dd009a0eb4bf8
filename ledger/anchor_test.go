package ledger_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/sqlite"
)

// copyFolder copies the files of a folder, as a backup does.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func refusedByAnchor(t *testing.T, err error, says string) {
	t.Helper()
	e := verdict.AsError(err)
	if !errors.Is(err, ledger.ErrAnchor) || e.Code != verdict.CodeConflict || !strings.Contains(e.What, says) || !strings.Contains(e.Remedy, "verdict log") {
		t.Fatalf("got %v, want a refusal that says %q", err, says)
	}
}

func TestADatabaseThatWasSetBackIsRefused(t *testing.T) {
	b := newBed(t)
	l := b.filled(20)
	l.Close()
	data := filepath.Dir(b.database())
	copyFolder(t, data, filepath.Join(b.folder, "backup"))
	l = b.open()
	b.append(l, b.other(10))
	l.Close()
	copyFolder(t, filepath.Join(b.folder, "backup"), data)
	_, err := b.try(nil)
	refusedByAnchor(t, err, "set back")

	l, err = b.try(func(o *ledger.Options) { o.Inspect = true })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Append(t.Context(), b.other(10)); !errors.Is(err, ledger.ErrAnchor) {
		t.Errorf("an inspection took an entry: %v", err)
	}
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
	if err != nil || r.Anchor != "refuses" || r.Holds() || r.Verified != 22 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestADatabaseThatIsSetBackWhileItIsUsedTakesNothingMore(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	// Another process that does not know our anchor sets the head back.
	e, err := b.engine()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	tamper(t, b, `DELETE FROM entry WHERE seq = 5`, `DELETE FROM subject WHERE from_seq = 5`, `DELETE FROM register WHERE from_seq = 5`, `UPDATE log SET size = 5`)
	_, err = l.Append(t.Context(), b.other(10))
	refusedByAnchor(t, err, "set back")
	_, err = l.Checkpoint(t.Context())
	refusedByAnchor(t, err, "set back")
	_, err = l.Find(t.Context(), ledger.Query{At: ledger.Now})
	refusedByAnchor(t, err, "set back")
	_, _, err = l.Decision(t.Context(), "d000001", ledger.Now)
	refusedByAnchor(t, err, "set back")
}

// A process that was idle has not seen what others appended, and the anchor has: were it
// not asked before the next append, evidence would be acknowledged on a log that ends
// short of what others were told is recorded.
func TestAProcessThatWasIdleAsksTheAnchorAgain(t *testing.T) {
	b := newBed(t)
	idle := b.begun()
	busy := b.open()
	b.append(busy, b.other(10))
	backup := filepath.Join(t.TempDir(), "backup.db")
	execute(t, b, "VACUUM INTO '"+backup+"'")
	b.append(busy, b.other(10))
	b.append(busy, b.other(10))
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	putBack(t, b, backup)
	_, err := idle.Append(t.Context(), b.other(10))
	refusedByAnchor(t, err, "set back")
}

// putBack makes the tables of a database that is open those of a backup.
func putBack(t *testing.T, b *bed, backup string) {
	t.Helper()
	statements := []string{"ATTACH '" + backup + "' AS backup", "BEGIN IMMEDIATE"}
	for _, table := range []string{"log", "tile", "entry", "subject", "decision", "register"} {
		statements = append(statements, "DELETE FROM main."+table, "INSERT INTO main."+table+" SELECT * FROM backup."+table)
	}
	execute(t, b, append(statements, "COMMIT")...)
}

func execute(t *testing.T, b *bed, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", b.database()+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // what is attached is attached to one connection
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestAnotherLogUnderTheSameNameIsRefused(t *testing.T) {
	b := newBed(t)
	l := b.filled(20)
	l.Close()
	// Whoever has the keys writes a longer log of his own liking.
	forged := newBed(t)
	forged.key, forged.log = b.key, b.log
	l = forged.filled(30)
	l.Close()
	copyFolder(t, filepath.Dir(forged.database()), filepath.Dir(b.database()))
	_, err := b.try(nil)
	refusedByAnchor(t, err, "another log")

	l, err = b.try(func(o *ledger.Options) { o.Inspect = true })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
	if err != nil || verdict.AsError(r.Err()).Code != verdict.CodeRefused || !strings.Contains(r.Problems[len(r.Problems)-1].What, "22 entries") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestATornAnchorFallsBackToTheCheckpointBefore(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	origin := originOf(t, l)
	l.Close()
	path := filepath.Join(b.anchor(), origin)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for slot := range 2 {
		torn := append([]byte{}, whole...)
		copy(torn[slot*1024+30:], strings.Repeat("\x00", 100))
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		l = b.open()
		b.append(l, b.other(10))
		l.Close()
	}
	if err := os.WriteFile(path, make([]byte, 2048), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = b.try(nil)
	refusedByAnchor(t, err, "changed by somebody else")
}

func originOf(t *testing.T, l *ledger.Ledger) string {
	t.Helper()
	c, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.Origin
}

func TestAnAnchorThatIsMissingIsSaidToBeMissing(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	l.Close()
	if err := os.RemoveAll(b.anchor()); err != nil {
		t.Fatal(err)
	}
	l = b.open()
	defer l.Close()
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
	if err != nil || r.Anchor != "absent" || len(r.Problems) != 0 || verdict.AsError(r.Err()).Code != verdict.CodeUnavailable {
		t.Errorf("%+v, %v", r, err)
	}
}

// What was adopted stays said: the next opening finds an anchor, and it covers nothing
// of before.
func TestAnAnchorSaysWhatItDoesNotCover(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	origin := originOf(t, l)
	if _, found := l.Unanchored(); found {
		t.Error("a log that begins here is said to have no anchor")
	}
	l.Close()
	data := filepath.Dir(b.database())
	copyFolder(t, data, filepath.Join(b.folder, "backup"))
	l = b.open()
	if _, found := l.Unanchored(); found {
		t.Error("the anchor is there")
	}
	b.append(l, b.other(10))
	l.Close()
	copyFolder(t, filepath.Join(b.folder, "backup"), data) // set back, and the anchor is gone
	if err := os.RemoveAll(b.anchor()); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	l, err := b.try(func(o *ledger.Options) { o.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	if err != nil {
		t.Fatal(err)
	}
	if since, found := l.Unanchored(); !found || since != 6 || !strings.Contains(said.String(), "level=WARN") {
		t.Errorf("since %d, %v: %s", since, found, said.String())
	}
	b.append(l, b.other(11))
	l.Close()
	mark := filepath.Join(b.anchor(), origin+".since")
	verify := func() ledger.VerifyReport {
		l := b.open()
		defer l.Close()
		if _, found := l.Unanchored(); found {
			t.Error("found again")
		}
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := verify()
	if r.Anchor != "agrees" || len(r.Problems) != 0 || len(r.Unchecked) != 1 || !strings.Contains(r.Unchecked[0].What, "the 6 entries before entry 6") ||
		!strings.Contains(r.Unchecked[0].Remedy, "--against FILE") || verdict.AsError(r.Err()).Code != verdict.CodeUnavailable {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile(mark, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verify(); len(r.Unchecked) != 1 || !strings.Contains(r.Unchecked[0].What, "cannot be told") {
		t.Errorf("a mark that cannot be read: %+v", r)
	}
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	if r := verify(); !r.Holds() {
		t.Errorf("somebody has looked: %+v", r)
	}
}

func TestParallelFirstUseLacksNoAnchor(t *testing.T) {
	for range 5 {
		b := newBed(t)
		first := b.enrolment(b.key, b.key)
		var g errgroup.Group
		for range 16 {
			g.Go(func() error {
				l, err := b.try(nil)
				if err != nil {
					return err
				}
				defer l.Close()
				if since, found := l.Unanchored(); found {
					return fmt.Errorf("no anchor since %d", since)
				}
				_, err = l.Append(context.Background(), first)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnswersWaitForTheAnchor(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	path := filepath.Join(b.anchor(), originOf(t, l))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	x := b.other(10)
	if _, err := l.Append(t.Context(), x); err == nil {
		t.Fatal("acknowledged although the anchor could not be written")
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if e := b.append(l, x); e.Index != 6 {
		t.Errorf("recorded twice: %+v", e)
	}
}

func TestARestoredBackupGoesOnUnderANewOrigin(t *testing.T) {
	b := newBed(t)
	l := b.filled(20) // positions 0 to 21
	l.Close()
	data := filepath.Dir(b.database())
	copyFolder(t, data, filepath.Join(b.folder, "backup"))
	l = b.open()
	for range 3 {
		b.append(l, b.other(10))
	}
	lost, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	copyFolder(t, filepath.Join(b.folder, "backup"), data)

	second := b.newEpoch(t)
	if second.LostFrom != 22 || second.LostTo != 25 || second.Checkpoint != lost.Note || second.Previous != lost.Origin || second.Survived != 22 || second.Continues != "unknown" {
		t.Errorf("%+v", second)
	}
	l = b.open()
	if e := b.append(l, b.other(10)); e.Index != 26 {
		t.Errorf("a position was given twice: %+v", e)
	}
	c, err := l.Checkpoint(t.Context())
	if err != nil || c.Origin != second.Origin || c.Size != 2 || c.Position != 27 {
		t.Errorf("%+v, %v", c, err)
	}
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err != nil || !r.Holds() || len(r.Epochs) != 2 || r.Epochs[1].Lost != 3 || r.Verified != 24 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := l.Entry(t.Context(), 23); verdict.AsError(err).Code != verdict.CodeNotFound {
		t.Errorf("an entry that was lost: %v", err)
	}
	p, err := l.Inclusion(t.Context(), 26)
	if err != nil || p.Check() != nil || p.Leaf != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	l.Close()

	// The same backup once more: that origin is closed, and the second log has grown.
	copyFolder(t, filepath.Join(b.folder, "backup"), data)
	_, err = b.try(nil)
	refusedByAnchor(t, err, "was closed")
	l, err = b.try(func(o *ledger.Options) { o.Inspect = true })
	if err != nil {
		t.Fatal(err)
	}
	if r, err = l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || r.Anchor != "refuses" || r.Holds() {
		t.Errorf("a closed log holds: %+v, %v", r, err)
	}
	l.Close()
	third := b.newEpoch(t)
	if third.LostTo != 27 || third.Previous != second.Origin || third.Checkpoint != c.Note {
		t.Errorf("%+v", third)
	}
	l = b.open()
	defer l.Close()
	if e := b.append(l, b.other(10)); e.Index != 28 {
		t.Errorf("a position was given twice: %+v", e)
	}
}

// newEpoch does what verdict log epoch does, and leaves the new log key in b.
func (b *bed) newEpoch(t *testing.T) ledger.Epoch {
	t.Helper()
	key, err := evidence.CreateLogKey(filepath.Join(b.folder, "log-"+filepath.Base(t.TempDir())+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	b.log = key
	l, err := b.try(func(o *ledger.Options) { o.Inspect = true })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := l.NewEpoch(t.Context(), "restored")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestALogWhoseKeyIsLostGoesOnUnderANewOrigin(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	l.Close()
	other := newBed(t)
	if _, err := b.try(func(o *ledger.Options) { o.LogKey = other.log }); verdict.AsError(err).Code != verdict.CodeConflict {
		t.Fatalf("another log key: %v", err)
	}
	// A key that is not there hides no database that was set back.
	data := filepath.Dir(b.database())
	copyFolder(t, data, filepath.Join(b.folder, "today"))
	tamper(t, b, `DELETE FROM entry WHERE seq = 5`, `DELETE FROM subject WHERE from_seq = 5`, `DELETE FROM register WHERE from_seq = 5`, `UPDATE log SET size = 5`)
	l, err := b.try(func(o *ledger.Options) { o.LogKey, o.Inspect = other.log, true })
	if err != nil {
		t.Fatal(err)
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || r.Anchor != "refuses" || r.Holds() {
		t.Errorf("set back, and without its key: %+v, %v", r, err)
	}
	l.Close()
	copyFolder(t, filepath.Join(b.folder, "today"), data)

	e := b.newEpoch(t)
	if e.LostFrom != e.LostTo || e.Continues != "yes" {
		t.Errorf("%+v", e)
	}
	l = b.open()
	defer l.Close()
	if _, err := l.NewEpoch(t.Context(), "again"); verdict.AsError(err).Code != verdict.CodeConflict {
		t.Errorf("a log that can go on: %v", err)
	}
}

// Somebody closes the log on a copy of its database, beside the same anchor, while a server
// runs on the first one. What that one still acknowledged nobody would find again.
func TestALogThatIsClosedElsewhereAcknowledgesNothingMore(t *testing.T) {
	b := newBed(t)
	b.filled(4).Close()
	elsewhere := filepath.Join(b.folder, "copy")
	copyFolder(t, filepath.Dir(b.database()), elsewhere)
	l := b.open()
	defer l.Close()
	b.append(l, b.other(10))
	b.engine = func() (store.Engine, error) {
		return sqlite.Open(context.Background(), filepath.Join(elsewhere, "ledger.db"), sqlite.Options{})
	}
	next := b.newEpoch(t)
	_, err := l.Append(t.Context(), b.other(10))
	if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeConflict || !strings.Contains(e.What, "was closed while this process ran") || !strings.Contains(e.What, next.Origin) {
		t.Errorf("after it was closed elsewhere: %v", err)
	}
}
