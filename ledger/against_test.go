package ledger_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/ledger"
)

// late is a log of 8 entries whose anchor was begun at entry 6, and the checkpoints that
// somebody kept of it, by size.
func (b *bed) late(t *testing.T) (l *ledger.Ledger, mark string, kept map[int64]string) {
	t.Helper()
	kept = map[int64]string{}
	l = b.begun()
	keep := func() {
		c, err := l.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		kept[c.Size] = c.Note
	}
	for range 5 {
		b.append(l, b.other(10))
		keep()
	}
	mark = filepath.Join(b.anchor(), originOf(t, l)+".since")
	l.Close()
	if err := os.RemoveAll(b.anchor()); err != nil {
		t.Fatal(err)
	}
	l = b.open()
	t.Cleanup(func() { l.Close() })
	for range 2 {
		b.append(l, b.other(10))
		keep()
	}
	return l, mark, kept
}

func marked(t *testing.T, mark string) bool {
	t.Helper()
	_, err := os.Stat(mark)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// Without a command somebody removes the mark by hand, and whether he compared anything
// nobody knows.
func TestACheckpointKeptElsewhereMakesALateAnchorWhole(t *testing.T) {
	b := newBed(t)
	l, mark, kept := b.late(t)
	verify := func(against string) ledger.VerifyReport {
		t.Helper()
		o := ledger.VerifyOptions{}
		if against != "" {
			o.Against = []byte(against)
		}
		r, err := l.Verify(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := verify(""); len(r.Unchecked) != 1 || r.Against != nil || !marked(t, mark) {
		t.Errorf("nothing was given: %+v", r)
	}
	r := verify(kept[4])
	if len(r.Unchecked) != 1 || len(r.Problems) != 0 || !r.Against.Continues || r.Against.Cleared || r.Against.Since != 6 || !marked(t, mark) || !strings.Contains(r.Unchecked[0].What, "ends before entry 4") {
		t.Errorf("it ends too early: %+v, %+v", r, r.Against)
	}
	if r := verify(kept[6]); !r.Holds() || !r.Against.Continues || !r.Against.Cleared || r.Against.Since != 6 || marked(t, mark) {
		t.Errorf("it covers what the anchor does not: %+v, %+v", r, r.Against)
	}
	if r := verify(""); !r.Holds() {
		t.Errorf("afterwards: %+v", r)
	}
	if r := verify(kept[4]); !r.Holds() || !r.Against.Continues || r.Against.Cleared || r.Against.Since != 0 {
		t.Errorf("there is no mark: %+v, %+v", r, r.Against)
	}
}

func TestALogThatDoesNotContinueAKeptCheckpointIsFound(t *testing.T) {
	b := newBed(t)
	l, mark, kept := b.late(t)
	l.Close()
	data := filepath.Dir(b.database())

	other := newBed(t) // the same log with another history
	other.key, other.log = b.key, b.log
	forged := other.begun()
	for range 7 {
		other.append(forged, other.other(10))
	}
	forged.Close()
	copyFolder(t, data, filepath.Join(b.folder, "true"))
	copyFolder(t, filepath.Dir(other.database()), data)
	for size, note := range kept {
		l, err := b.try(func(o *ledger.Options) { o.Inspect = true; o.AnchorDir = filepath.Join(b.folder, "elsewhere") })
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{Against: []byte(note)})
		if err != nil || len(r.Problems) != 1 || r.Against.Continues || r.Against.Cleared || verdict.AsError(r.Err()).Code != verdict.CodeRefused || !strings.Contains(r.Problems[0].What, "checkpoint that was given") {
			t.Errorf("size %d: %+v, %+v, %v", size, r, r.Against, err)
		}
		l.Close()
	}

	copyFolder(t, filepath.Join(b.folder, "true"), data)
	l = b.open()
	defer l.Close()
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{Against: []byte(kept[7])}); err != nil || !r.Against.Cleared || marked(t, mark) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestADatabaseBehindAKeptCheckpointIsFound(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	l.Close()
	data := filepath.Dir(b.database())
	copyFolder(t, data, filepath.Join(b.folder, "backup"))
	l = b.open()
	b.append(l, b.other(10))
	kept, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	copyFolder(t, filepath.Join(b.folder, "backup"), data)
	if err := os.RemoveAll(b.anchor()); err != nil { // whoever set it back took the anchor
		t.Fatal(err)
	}
	l = b.open()
	defer l.Close()
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{Against: []byte(kept.Note)})
	if err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].What, "7 entries") || !strings.Contains(r.Problems[0].What, "holds 6") || r.Against.Continues || !marked(t, filepath.Join(b.anchor(), kept.Origin+".since")) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAMarkStaysWhileSomethingDoesNotHold(t *testing.T) {
	b := newBed(t)
	l, mark, kept := b.late(t)
	tamper(t, b, `UPDATE subject SET kind = 'sbom' WHERE from_seq = 2`)
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{Against: []byte(kept[6])})
	if err != nil || len(r.Problems) != 1 || !r.Against.Continues || r.Against.Cleared || !marked(t, mark) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOnlyACheckpointOfThisLogIsHeldAgainstIt(t *testing.T) {
	b := newBed(t)
	l, mark, kept := b.late(t)
	stranger := newBed(t)
	s := stranger.filled(10)
	foreign, err := s.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, signature, _ := strings.Cut(kept[6], "\n\n")
	for _, c := range []struct {
		name, note, says string
		code             verdict.Code
	}{
		{"of another log", foreign.Note, "is one of", verdict.CodeRefused},
		{"another size", strings.Replace(kept[6], "\n6\n", "\n7\n", 1), "not signed with the key", verdict.CodeRefused},
		{"signed by another log", text + foreign.Note[strings.Index(foreign.Note, "\n\n"):], "not signed with the key", verdict.CodeRefused},
		{"without a signature", text + "\n", "no signed checkpoint", verdict.CodeInvalid},
		{"the signature alone", signature, "no signed checkpoint", verdict.CodeInvalid},
		{"empty", "", "no signed checkpoint", verdict.CodeInvalid},
		{"far too long", kept[6] + strings.Repeat("— x AAAAAAAA\n", 10_000), "no signed checkpoint", verdict.CodeInvalid},
	} {
		_, err := l.Verify(t.Context(), ledger.VerifyOptions{Against: []byte(c.note)})
		if e := verdict.AsError(err); e == nil || e.Code != c.code || !strings.Contains(e.What, c.says) || !marked(t, mark) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
