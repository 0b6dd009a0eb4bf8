package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

// ledgerHere opens a data directory of its own, as a command does.
func ledgerHere(t *testing.T, name string) *workspace {
	t.Helper()
	dir := t.TempDir()
	a := &app{
		env: environment{"HOME": dir}, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: time.Now, rand: rand.Reader,
		log: slog.New(slog.DiscardHandler), progress: &progress{},
	}
	a.config.Data = filepath.Join(dir, name)
	w, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// stated records a statement about a thing.
func (w *workspace) stated(t *testing.T, kind verdict.Kind, name string) ledger.Entry {
	t.Helper()
	about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: name, Digest: sha256Digest([]byte(name))}
	e, err := w.state(t.Context(), kind, about, map[string]string{"says": name}, verdict.Context{Service: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// liar is a log whose answers a test changes.
type liar struct {
	sender
	checkpoint func(ledger.Checkpoint) ledger.Checkpoint
	logged     func(index int64) int64 // whose bundle it gives instead
	forged     map[int64]*evidence.Bundle
	included   func(index int64) int64
	hidden     map[int64]bool
	blob       func(verdict.Digest) ([]byte, error)
}

func (l liar) Blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	if l.blob != nil {
		return l.blob(d)
	}
	return l.sender.Blob(ctx, d)
}

func (l liar) Checkpoint(ctx context.Context) (ledger.Checkpoint, error) {
	c, err := l.sender.Checkpoint(ctx)
	if l.checkpoint != nil {
		c = l.checkpoint(c)
	}
	return c, err
}

func (l liar) Logged(ctx context.Context, index int64) (*evidence.Bundle, error) {
	if b := l.forged[index]; b != nil {
		return b, nil
	}
	if l.logged != nil {
		index = l.logged(index)
	}
	return l.sender.Logged(ctx, index)
}

func (l liar) InclusionAt(ctx context.Context, index int64, at ledger.Position) (ledger.InclusionProof, error) {
	if l.included != nil {
		index = l.included(index)
	}
	return l.sender.InclusionAt(ctx, index, at)
}

func (l liar) Range(ctx context.Context, from, to ledger.Position) ([]ledger.Entry, error) {
	list, err := l.sender.Range(ctx, from, to)
	var shown []ledger.Entry
	for _, e := range list {
		if !l.hidden[e.Index] {
			shown = append(shown, e)
		}
	}
	return shown, err
}

func (w *workspace) takes(t *testing.T, from sender, trust string) (*synced, error) {
	t.Helper()
	r := &synced{}
	x := &taking{from: from, to: w, result: r, step: w.app.progress.phase("sending")}
	err := x.run(t.Context(), trust)
	w.app.progress.stop()
	return r, err
}

func verifierKey(t *testing.T, w *workspace) string {
	t.Helper()
	c, err := w.ledger.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k, err := openLogKey(filepath.Join(w.dir, keyFolder, logKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	v, err := evidence.VerifierKey(c.Origin, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func swap(a, b int64) func(int64) int64 {
	return func(i int64) int64 {
		if i == a {
			return b
		}
		return i
	}
}

// Whoever takes evidence from another log vouches for it in its own, for ever: nothing
// may get in on the other's word.
func TestNothingIsTakenOnTheSendersWord(t *testing.T) {
	from := ledgerHere(t, "from")
	for _, name := range []string{"a", "b", "c", "d"} { // entries 1 to 4
		from.stated(t, verdict.KindSBOM, name)
	}
	key := verifierKey(t, from)
	stranger := ledgerHere(t, "stranger")
	s, err := evidence.New(verdict.KindSBOM, []verdict.Subject{{Kind: verdict.SubjectArtifact, Name: "x", Digest: sha256Digest([]byte("x"))}}, struct{}{}, verdict.Context{At: time.Now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := evidence.Sign(t.Context(), s, stranger.signer)
	if err != nil {
		t.Fatal(err)
	}
	own, err := evidence.Sign(t.Context(), s, from.signer)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		lie   liar
		index int64 // that is refused
		says  string
		code  verdict.Code
	}{
		{"the body of another entry is given", liar{logged: swap(3, 4)}, 3, "not what the log holds", verdict.CodeRefused},
		{"the proof of another entry is given", liar{included: swap(3, 2)}, 3, "not what the log holds", verdict.CodeRefused},
		{"a statement that was never logged is given", liar{forged: map[int64]*evidence.Bundle{2: own}}, 2, "not what the log holds", verdict.CodeRefused},
		{"a statement of a key that never counted is given", liar{forged: map[int64]*evidence.Bundle{2: foreign}}, 2, "does not count", verdict.CodeRefused},
		{"an entry is kept back", liar{hidden: map[int64]bool{4: true}}, 4, "does not show it", verdict.CodeUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := ledgerHere(t, "to")
			c.lie.sender = from.ledger
			r, err := to.takes(t, c.lie, key)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Refused) != 1 || r.Refused[0].Index != c.index || !strings.Contains(r.Refused[0].Reason, c.says) || r.Refused[0].Code != c.code || r.Sent != 4 || r.exit() != c.code.Exit() {
				t.Fatalf("%+v", r)
			}
			came, err := to.ledger.Arrived(t.Context(), strings.Split(key, "+")[0], ledger.Position(c.index), ledger.Position(c.index+1))
			if err != nil || len(came) != 0 {
				t.Errorf("it was taken: %+v, %v", came, err)
			}
			// Whoever tells the truth later is believed.
			r, err = to.takes(t, from.ledger, "")
			if err != nil || len(r.Refused) != 0 || r.Sent != 1 || r.Known != 4 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestALogThatIsNotTheOneKnownIsNotListenedTo(t *testing.T) {
	from := ledgerHere(t, "from")
	from.stated(t, verdict.KindSBOM, "a")
	key := verifierKey(t, from)
	note := func(change func(string) string) liar {
		return liar{sender: from.ledger, checkpoint: func(c ledger.Checkpoint) ledger.Checkpoint {
			c.Note = change(c.Note)
			return c
		}}
	}
	for _, c := range []struct {
		name  string
		lie   sender
		trust string
		code  verdict.Code
	}{
		{"nobody said that it may send", from.ledger, "", verdict.CodeForbidden},
		{"the key is that of another log", from.ledger, verifierKey(t, ledgerHere(t, "other")), verdict.CodeRefused},
		{"the checkpoint has another size", note(func(s string) string { return strings.Replace(s, "\n2\n", "\n3\n", 1) }), key, verdict.CodeRefused},
		{"the checkpoint has no signature", note(func(s string) string { return strings.Split(s, "\n\n")[0] + "\n\n" }), key, verdict.CodeRefused},
		{"it claims entries before its first one", liar{sender: from.ledger, checkpoint: func(c ledger.Checkpoint) ledger.Checkpoint {
			c.Position++
			return c
		}}, key, verdict.CodeRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := ledgerHere(t, "to")
			r, err := to.takes(t, c.lie, c.trust)
			if e := verdict.AsError(err); e == nil || e.Code != c.code || e.Remedy == "" {
				t.Errorf("%v", err)
			}
			if size, err := to.size(t.Context(), ledger.Now); err != nil || size != 1 || r.Sent != 0 {
				t.Errorf("%d entries, %+v, %v", size, r, err)
			}
		})
	}
}

// An auditor of the taking log sees from its own statement what was verified.
func TestWhatWasVerifiedStandsInTheIngestion(t *testing.T) {
	from, to := ledgerHere(t, "from"), ledgerHere(t, "to")
	from.stated(t, verdict.KindSBOM, "a")
	from.stated(t, verdict.KindObservation, "b")
	key := verifierKey(t, from)
	if r, err := to.takes(t, from.ledger, key); err != nil || r.Sent != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	head, err := from.ledger.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	came, err := to.ledger.Arrived(t.Context(), head.Origin, 0, ledger.Now)
	if err != nil || len(came) != 3 {
		t.Fatalf("%+v, %v", came, err)
	}
	e := came[0]
	if e.Kind != verdict.KindObservation || !e.Foreign || e.Source != 2 || e.Producer != from.signer.KeyID() || e.Signer != to.signer.KeyID() || e.Context.Service != "shop" || e.Context.Actor != to.actor() || e.Context.Retention != "ops" {
		t.Errorf("%+v", e)
	}
	b, err := to.ledger.Logged(t.Context(), e.Index)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Statement()
	if err != nil {
		t.Fatal(err)
	}
	var in ledger.Ingestion
	if err := s.Decode(&in); err != nil || in.LogKey != key || in.Checkpoint != head.Note || in.Origin != head.Origin || in.Index != 2 || in.Producer.Key != from.signer.KeyID() {
		t.Errorf("%+v, %v", in, err)
	}
}

// leaving is a log that goes away in the middle.
type leaving struct {
	sender
	after int64
}

func (l leaving) Logged(ctx context.Context, index int64) (*evidence.Bundle, error) {
	if index >= l.after {
		return nil, errors.Join(ledger.ErrAnchor, errors.New("set back"))
	}
	return l.sender.Logged(ctx, index)
}

// What was taken before a run ended stays, and the next run takes the rest and no more.
func TestARunThatEndedEarlyGoesOnWhereItStopped(t *testing.T) {
	from, to := ledgerHere(t, "from"), ledgerHere(t, "to")
	const n = travelBatch + 50
	for i := range n {
		from.stated(t, verdict.KindSBOM, strings.Repeat("x", i+1))
	}
	key := verifierKey(t, from)
	r, err := to.takes(t, leaving{from.ledger, travelBatch + 10}, key)
	if !errors.Is(err, ledger.ErrAnchor) || r.Sent != travelBatch {
		t.Fatalf("%+v, %v", r, err)
	}
	if e := verdict.AsError(r.interrupted(err)); !strings.Contains(e.What, "256") || !strings.Contains(e.Remedy, "again") {
		t.Errorf("%v", e)
	}
	r, err = to.takes(t, from.ledger, "")
	if err != nil || r.Known != travelBatch || r.Sent != n+1-travelBatch {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = to.takes(t, from.ledger, ""); err != nil || r.Sent != 0 || r.Known != n+1 {
		t.Errorf("%+v, %v", r, err)
	}
	v, err := to.own.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err != nil || !v.Holds() {
		t.Errorf("%+v, %v", v, err)
	}
}
