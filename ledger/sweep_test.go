package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/blob"
	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/ledger"
)

// blobbed is a ledger in which something rests on a blob in each of the ways that there
// are, on the clock of the bed: a decision on rules and map, a map release and a proposal
// on their source and their rules, a body and a foreign bundle that are too large for a row. One more
// blob is nobody's.
type blobbed struct {
	*bed
	l                                        *ledger.Ledger
	policy, chart, source, proposed, nobodys verdict.Digest
	rules, proposedRules                     verdict.Digest
	decision, release, large, foreign        ledger.Entry
}

func (b *bed) withClock(o *ledger.Options) {
	blobs, err := dir.Open(filepath.Join(b.folder, "blobs"), dir.Options{Now: b.now})
	if err != nil {
		b.t.Fatal(err)
	}
	o.Blobs = blobs
}

func (b *bed) blobbed(t *testing.T) *blobbed {
	t.Helper()
	l, err := b.try(b.withClock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	x := &blobbed{bed: b, l: l}
	b.append(l, b.enrolment(b.key, b.key))
	put := func(s string) verdict.Digest {
		d, err := l.PutBlob(t.Context(), []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	x.policy, x.chart, x.source, x.proposed, x.nobodys = put("policy"), put("chart"), put("source"), put("proposed"), put("nobody's")
	x.rules, x.proposedRules = put("rules"), put("proposed rules")
	x.decision = b.append(l, b.resting(x.policy, x.chart))
	b.append(l, b.resting(x.policy, x.chart))
	x.release = b.append(l, b.sign(b.key, verdict.KindMapRelease, map[string]any{"action": "map-release", "source": x.source, "policy": x.rules}, subject("map")))
	b.append(l, b.sign(b.key, verdict.KindProposal, map[string]any{"action": "map-release", "source": x.proposed, "policy": x.proposedRules}, subject("map")))
	// Statements that name no blob, whatever they look like.
	b.append(l, b.sign(b.key, verdict.KindProposal, map[string]any{"action": "another", "source": x.nobodys, "policy": x.nobodys}, subject("map")))
	b.append(l, b.sign(b.key, verdict.KindTestResult, map[string]any{"source": x.nobodys}, subject("map")))
	x.large = b.append(l, b.sign(b.key, verdict.KindSBOM, map[string]any{"noise": noise(400_000)}, subject("large")))
	stranger, err := evidence.CreateKey(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	far := b.sign(stranger, verdict.KindSBOM, map[string]any{"noise": noise(400_001)}, subject("foreign"))
	x.foreign, err = l.Ingest(t.Context(), far, evidence.Producer{Key: stranger.KeyID()}, b.key, verdict.Context{At: b.now(), Retention: "change"})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// resting is a decision with its basis.
func (b *bed) resting(policy, chart any) *evidence.Bundle {
	n := b.serial.Add(1)
	return b.sign(b.key, verdict.KindDecision, map[string]any{
		"id": fmt.Sprintf("d%06d", n), "point": "ci.secrets", "subject": subject("a"), "mode": "block", "outcome": "allow", "enforced": "allow",
		"basis": map[string]any{"blobs": map[string]any{"policy": policy, "map": chart}},
	}, subject("a"))
}

// noise does not pack.
func noise(n int) string {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	var b strings.Builder
	for b.Len() < n {
		b.WriteByte(byte('!' + r.IntN(90)))
	}
	return b.String()
}

func (x *blobbed) sweep(t *testing.T) ledger.SweepReport {
	t.Helper()
	r, err := x.l.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func digests(blobs []ledger.SweptBlob) (out []verdict.Digest) {
	for _, b := range blobs {
		out = append(out, b.Digest)
	}
	return out
}

// Without rows that say so, a sweep takes the rules and the map away by which a decision
// can be replayed.
func TestASweepRemovesWhatNoEntryRestsOnAndNothingElse(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		x := b.blobbed(t)
		first := x.sweep(t)
		if first.Seen != 9 || !slices.Equal(digests(first.Marked), []verdict.Digest{x.nobodys}) || first.Marked[0].Size != 8 || len(first.Removed) > 0 || first.Due.IsZero() || first.Named != 0 {
			t.Fatalf("%+v", first)
		}
		b.clock.Store(first.Due.Add(-time.Minute).UnixMicro())
		if r := x.sweep(t); r.Waiting != 1 || len(r.Removed)+len(r.Marked) > 0 || !r.Due.Equal(first.Due) {
			t.Errorf("too early: %+v", r)
		}
		b.clock.Store(first.Due.UnixMicro())
		if r := x.sweep(t); !slices.Equal(digests(r.Removed), []verdict.Digest{x.nobodys}) || r.Freed != 8 || !r.Due.IsZero() {
			t.Errorf("%+v", r)
		}
		r, err := x.l.Verify(t.Context(), ledger.VerifyOptions{})
		if err != nil || !r.Holds() || r.Blobs != 6 {
			t.Errorf("after the sweep: %+v, %v", r, err)
		}
		for _, e := range []ledger.Entry{x.large, x.foreign} {
			if _, err := x.l.Bundle(t.Context(), e.Index); err != nil {
				t.Errorf("the body of entry %d: %v", e.Index, err)
			}
		}
	})
}

// A writer puts a blob before the transaction that names it: a sweep in between takes it
// from nobody.
func TestABlobWhoseEntryComesLaterIsKept(t *testing.T) {
	b := newBed(t)
	x := b.blobbed(t)
	first := x.sweep(t)
	b.clock.Store(first.Due.UnixMicro())
	if _, err := x.l.PutBlob(t.Context(), []byte("nobody's")); err != nil { // once more: its entry is about to come
		t.Fatal(err)
	}
	if r := x.sweep(t); r.Kept != 1 || len(r.Removed) > 0 {
		t.Errorf("%+v", r)
	}
	b.append(x.l, b.resting(x.nobodys, x.chart))
	b.clock.Add((48 * time.Hour).Microseconds())
	if r := x.sweep(t); len(r.Removed)+len(r.Marked) > 0 || r.Waiting > 0 {
		t.Errorf("%+v", r)
	}
}

// What an earlier version recorded says in no row which blobs it names. A sweep reads it
// first, and touches nothing while something cannot be read.
func TestEntriesOfAnEarlierVersionKeepTheirBlobs(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		x := b.blobbed(t)
		tamper(t, b, `DELETE FROM blob_use`, `UPDATE entry SET blobs = -1`)
		if r, err := x.l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() || r.Blobs != 6 {
			t.Fatalf("not to know yet is no damage: %+v, %v", r, err)
		}
		r := x.sweep(t)
		if r.Named != 9 || !slices.Equal(digests(r.Marked), []verdict.Digest{x.nobodys}) {
			t.Errorf("%+v", r)
		}
		if r, err := x.l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() || r.Blobs != 6 {
			t.Errorf("%+v, %v", r, err)
		}
		if r := x.sweep(t); r.Named != 0 {
			t.Errorf("known already: %+v", r)
		}
	})
	b := newBed(t)
	x := b.blobbed(t)
	tamper(t, b, `UPDATE entry SET blobs = -1, payload = zeroblob(3) WHERE seq = 1`)
	if _, err := x.l.Sweep(t.Context()); verdict.AsError(err) == nil || !strings.Contains(err.Error(), "entry 1") || !strings.Contains(verdict.AsError(err).Remedy, "log verify") {
		t.Errorf("it cannot be read: %v", err)
	}
}

// A database that was set back knows nothing of its latest entries, and a sweep would take
// what they rest on.
func TestASweepNeedsToKnowThatTheDatabaseIsWhole(t *testing.T) {
	b := newBed(t)
	x := b.blobbed(t)
	x.l.Close()
	if err := os.RemoveAll(b.anchor()); err != nil {
		t.Fatal(err)
	}
	l, err := b.try(b.withClock)
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Sweep(t.Context()); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeConflict || !strings.Contains(verdict.AsError(err).Remedy, "--against") {
		t.Errorf("the anchor was begun late: %v", err)
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{Against: []byte(c.Note)}); err != nil || !r.Against.Cleared {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := l.Sweep(t.Context()); err != nil {
		t.Errorf("somebody has looked: %v", err)
	}
	l.Close()
	copyFolder(t, filepath.Dir(b.database()), filepath.Join(b.folder, "backup"))
	l = b.open()
	b.append(l, b.other(10))
	l.Close()
	copyFolder(t, filepath.Join(b.folder, "backup"), filepath.Dir(b.database()))
	l, err = b.try(func(o *ledger.Options) { o.Inspect = true })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Sweep(t.Context()); !errors.Is(err, ledger.ErrAnchor) {
		t.Errorf("it was set back: %v", err)
	}
}

// Another process may append, and the database be set back, while this one is open: the
// anchor tells, and this process has read it before.
func TestASweepAsksTheAnchorAsItIsNow(t *testing.T) {
	b := newBed(t)
	b.blobbed(t).l.Close()
	data := filepath.Dir(b.database())
	for from, to := range map[string]string{data: "before", b.anchor(): "anchor-before"} {
		copyFolder(t, from, filepath.Join(b.folder, to))
	}
	l := b.open()
	b.append(l, b.other(10))
	l.Close()
	copyFolder(t, b.anchor(), filepath.Join(b.folder, "anchor-after"))
	copyFolder(t, filepath.Join(b.folder, "before"), data)
	copyFolder(t, filepath.Join(b.folder, "anchor-before"), b.anchor())
	l, err := b.try(b.withClock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Sweep(t.Context()); err != nil {
		t.Fatalf("nothing was set back yet: %v", err)
	}
	after := filepath.Join(b.folder, "anchor-after")
	files, err := os.ReadDir(after)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files { // in their place, as the other process writes them
		text, err := os.ReadFile(filepath.Join(after, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(b.anchor(), f.Name()), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Sweep(t.Context()); !errors.Is(err, ledger.ErrAnchor) {
		t.Errorf("the anchor has seen one entry more: %v", err)
	}
}

func TestABlobThatAnEntryNamesAndThatIsLostIsFound(t *testing.T) {
	for _, c := range []struct {
		name string
		of   func(*blobbed) (verdict.Digest, int64)
		says string
	}{
		{"rules", func(x *blobbed) (verdict.Digest, int64) { return x.policy, x.decision.Index }, "the policy that entry 1 rests on is lost"},
		{"a map", func(x *blobbed) (verdict.Digest, int64) { return x.chart, x.decision.Index }, "the map that entry 1 rests on is lost"},
		{"a source", func(x *blobbed) (verdict.Digest, int64) { return x.source, x.release.Index }, "the source that entry 3 rests on is lost"},
		{"rules of a released map", func(x *blobbed) (verdict.Digest, int64) { return x.rules, x.release.Index }, "the rules that entry 3 rests on are lost"},
		{"a body", func(x *blobbed) (verdict.Digest, int64) { return x.large.Digest, x.large.Index }, "the body of entry 7 is lost"},
		{"a foreign bundle", func(x *blobbed) (verdict.Digest, int64) {
			b, err := x.l.Bundle(x.t.Context(), x.foreign.Index)
			if err != nil {
				x.t.Fatal(err)
			}
			return blob.DigestOf(b.JSON()), x.foreign.Index
		}, "the foreign bundle of entry 8 is lost"},
	} {
		for how, change := range map[string]func(path string) error{
			"removed": os.Remove,
			"changed": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 6), 0o600) },
		} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				b := newBed(t)
				x := b.blobbed(t)
				d, index := c.of(x)
				if err := change(filepath.Join(b.folder, "blobs", "sha256", d.Hex()[:2], d.Hex())); err != nil {
					t.Fatal(err)
				}
				r, err := x.l.Verify(t.Context(), ledger.VerifyOptions{})
				if err != nil || len(r.Problems) != 1 || r.Problems[0].Index != index || !strings.Contains(r.Problems[0].What, c.says) || !strings.Contains(r.Problems[0].Remedy, "blob store") || verdict.AsError(r.Err()).Code != verdict.CodeRefused {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
	}
}

// Whoever lets a sweep take what a decision rests on has to change a row, and that shows.
func TestEachChangeOfWhatEntriesRestOnIsDetected(t *testing.T) {
	for _, change := range []string{
		`DELETE FROM blob_use WHERE from_seq = 1 AND role = 'map'`,
		`UPDATE blob_use SET to_seq = 5 WHERE from_seq = 1 AND role = 'map'`,
		`UPDATE blob_use SET digest = 'sha256:00' WHERE from_seq = 1 AND role = 'map'`,
		`UPDATE blob_use SET role = 'source' WHERE from_seq = 1 AND role = 'map'`,
		`INSERT INTO blob_use SELECT 'sha256:00', 1, to_seq, role FROM blob_use LIMIT 1`,
		`UPDATE entry SET blobs = 0 WHERE seq = 1`,
		`UPDATE entry SET blobs = -1 WHERE seq = 1`, // and the rows stay
	} {
		b := newBed(t)
		x := b.blobbed(t)
		tamper(t, b, change)
		r, err := x.l.Verify(t.Context(), ledger.VerifyOptions{})
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Index != 1 {
			t.Errorf("%s: %+v, %v", change, r, err)
		}
	}
}

// A statement may say anything where a blob is named. It is recorded, and names none.
func TestWhatIsNoDigestNamesNoBlob(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	for _, odd := range []any{"", "x", 7, nil, "sha512:00", "sha256:" + strings.Repeat("0", 63), []string{"sha256:00"}} {
		b.append(l, b.resting(odd, odd))
		b.append(l, b.sign(b.key, verdict.KindMapRelease, map[string]any{"source": odd, "policy": odd, "n": b.serial.Add(1)}, subject("map")))
	}
	for _, odd := range []any{"x", 7, []int{1}, map[string]any{"blobs": "x"}, map[string]any{"blobs": map[string]any{"policy": map[string]any{}}}} {
		b.append(l, b.sign(b.key, verdict.KindDecision, map[string]any{"id": fmt.Sprintf("e%06d", b.serial.Add(1)), "point": "p", "subject": subject("a"), "basis": odd}, subject("a")))
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() || r.Blobs != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
