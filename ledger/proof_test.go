package ledger_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

func (b *bed) verifier(t testing.TB, origin string) note.Verifier {
	t.Helper()
	vkey, err := evidence.VerifierKey(origin, b.log.Public())
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b *bed) policy(t testing.TB, origin string) torchwood.Policy {
	return policyOf(b.verifier(t, origin))
}

func policyOf(v note.Verifier) torchwood.Policy {
	return torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v))
}

func TestEveryEntryHasAProofThatOthersCheck(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	var bundles []*evidence.Bundle
	for range 600 { // two full tiles and a bit
		bundles = append(bundles, b.other(20))
	}
	if _, err := l.AppendAll(t.Context(), bundles); err != nil {
		t.Fatal(err)
	}
	c, err := l.Checkpoint(t.Context())
	if err != nil || c.Size != 601 {
		t.Fatalf("%+v, %v", c, err)
	}
	policy := b.policy(t, c.Origin)
	for _, index := range []int64{0, 1, 255, 256, 257, 511, 512, 600} {
		for _, at := range []ledger.Position{ledger.Now, ledger.Position(index + 1), 601} {
			p, err := l.InclusionAt(t.Context(), index, at)
			if err != nil {
				t.Fatalf("entry %d at %d: %v", index, at, err)
			}
			leaf, err := l.Leaf(t.Context(), index)
			if err != nil {
				t.Fatal(err)
			}
			if err := torchwood.VerifyProof(policy, tlog.RecordHash(leaf), []byte(p.Text())); err != nil {
				t.Errorf("entry %d at %d: %v", index, at, err)
			}
			if err := torchwood.VerifyProof(policy, tlog.RecordHash([]byte("x")), []byte(p.Text())); err == nil {
				t.Errorf("entry %d at %d: the proof holds for another leaf", index, at)
			}
		}
	}
	if _, err := l.Inclusion(t.Context(), 601); verdict.AsError(err).Code != verdict.CodeNotFound {
		t.Errorf("an entry that does not exist: %v", err)
	}
	for _, sizes := range [][2]int64{{1, 601}, {255, 256}, {256, 600}, {600, 601}, {601, 601}, {300, -1}} {
		p, err := l.Consistency(t.Context(), sizes[0], sizes[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Check(); err != nil {
			t.Errorf("%v: %v", sizes, err)
		}
	}
	for _, sizes := range [][2]int64{{0, 5}, {6, 5}, {5, 602}} {
		if _, err := l.Consistency(t.Context(), sizes[0], sizes[1]); verdict.AsError(err).Code != verdict.CodeInvalid {
			t.Errorf("%v: %v", sizes, err)
		}
	}
}

func TestTilesAreServedAsOthersReadThem(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	var bundles []*evidence.Bundle
	for range 300 {
		bundles = append(bundles, b.other(20))
	}
	if _, err := l.AppendAll(t.Context(), bundles); err != nil {
		t.Fatal(err)
	}
	signed, err := l.ResolveTile(t.Context(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := torchwood.VerifyCheckpoint(signed, b.policy(t, originOf(t, l)))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []tlog.Tile{{H: 8, L: 0, N: 0, W: 256}, {H: 8, L: 0, N: 1, W: 45}, {H: 8, L: 0, N: 1, W: 7}, {H: 8, L: 1, N: 0, W: 1}} {
		data, err := l.ResolveTile(t.Context(), torchwood.TilePath(x))
		if err != nil || len(data) != x.W*tlog.HashSize {
			t.Errorf("%s: %d bytes, %v", torchwood.TilePath(x), len(data), err)
		}
	}
	entries, err := l.ResolveTile(t.Context(), "tile/entries/001.p/45")
	if err != nil {
		t.Fatal(err)
	}
	hashes, err := l.ResolveTile(t.Context(), "tile/0/001.p/45")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 45 {
		var leaf []byte
		if leaf, entries, err = torchwood.ReadTileEntry(entries); err != nil {
			t.Fatal(err)
		}
		if h := tlog.RecordHash(leaf); !bytes.Equal(h[:], hashes[i*32:i*32+32]) {
			t.Fatalf("leaf %d is not under its hash", 256+i)
		}
	}
	if c.N != 301 || len(entries) != 0 {
		t.Errorf("size %d, %d bytes behind the last entry", c.N, len(entries))
	}
	for _, path := range []string{"tile/0/002", "tile/0/001", "tile/0/001.p/46", "tile/1/000", "tile/1/000.p/2", "tile/2/000.p/1", "tile/0/x000/001", "tile/9/000", "tile/-1/000", "tile/0/999", "tile", "", "checkpoint/"} {
		if _, err := l.ResolveTile(t.Context(), path); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeNotFound {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestTilePathsAreThoseOfTheSpecification(t *testing.T) {
	for range 10_000 {
		x := tlog.Tile{H: 8, L: rand.IntN(9) - 1, N: rand.Int64N(1e18) >> rand.IntN(60), W: 1 + rand.IntN(256)}
		path := ledger.TilePath(x)
		if want := torchwood.TilePath(x); path != want {
			t.Fatalf("%+v: %s, others say %s", x, path, want)
		}
		if back, err := ledger.ParseTilePath(path); err != nil || back != x {
			t.Fatalf("%s: %+v, %v", path, back, err)
		}
	}
}

func FuzzParseTilePath(f *testing.F) {
	for _, s := range []string{"tile/0/000", "tile/entries/x001/234.p/5", "tile/7/x999/x999/999", "tile/0/000.p/0", "tile/0/0", "tile/00/000", "tile/0/000.p/256"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := ledger.ParseTilePath(s)
		if err == nil && ledger.TilePath(x) != s {
			t.Errorf("%q and %q name one tile", s, ledger.TilePath(x))
		}
		if want, other := torchwood.ParseTilePath(s); err == nil && (other != nil || want != x) {
			t.Errorf("%q: others read %+v, %v", s, want, other)
		}
	})
}

func TestAPositionIsFoundByItsTime(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	var entries []ledger.Entry
	for range 20 {
		entries = append(entries, b.append(l, b.other(10)))
	}
	for i, e := range entries {
		for offset, want := range map[int64]int64{0: e.Index + 1, -1: e.Index} {
			p, err := l.PositionAt(t.Context(), e.At.Add(time.Duration(offset)*time.Microsecond))
			if err != nil || int64(p) != want {
				t.Errorf("entry %d, %d µs later: position %d, want %d, %v", i, offset, p, want, err)
			}
		}
	}
	if p, err := l.PositionAt(t.Context(), entries[0].At.AddDate(-1, 0, 0)); err != nil || p != 0 {
		t.Errorf("before everything: %d, %v", p, err)
	}
}
