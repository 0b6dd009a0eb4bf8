package ledger_test

import (
	"slices"
	"testing"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

// index states that a registry holds an index with these manifests.
func (b *bed) index(name string, platforms ...string) *evidence.Bundle {
	i := verdict.Image{Name: "r/" + name, Digest: subject(name).Digest}
	about := []verdict.Subject{subject(name)}
	for _, p := range platforms {
		i.Platforms = append(i.Platforms, verdict.Platform{Digest: subject(p).Digest})
		about = append(about, subject(p))
	}
	return b.sign(b.key, verdict.KindImage, i, about...)
}

// What is deployed is the index, and what has a bill is each platform: whoever asks where a
// component runs must not be told that nothing is known, nor that all is.
func TestAnIndexIsKnownByItsPlatforms(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.begun()
		b.append(l, b.state(stated{environment: "prod", service: "shop", digest: "index", decision: "d"}))
		if got := where(t, l, lodash("99", ledger.Now)); got != "0 of 0 bills, aside 0; 1 run: 1 without, 0 incomplete, 0 nameless" {
			t.Errorf("before anything is known: %s", got)
		}
		b.append(l, b.billOf("amd64", "complete", "pkg:npm/lodash@4.17.20"))
		at := b.append(l, b.index("index", "amd64", "arm64")).Index
		w, err := l.Where(t.Context(), lodash("99", ledger.Now))
		if err != nil || len(w.Running) != 1 || !slices.Equal(w.Running[0].Through, []verdict.Digest{subject("amd64").Digest}) || w.Searched.Partly != 1 || w.Searched.WithoutBill != 0 {
			t.Fatalf("%+v, %v", w, err)
		}
		if got := where(t, l, lodash("99", ledger.Position(at))); got != "built 2 4.17.20; 1 of 1 bills, aside 0; 1 run: 1 without, 0 incomplete, 0 nameless" {
			t.Errorf("before the index was recorded: %s", got)
		}
		b.append(l, b.billOf("arm64", "incomplete", "pkg:npm/left-pad@1.3.0"))
		w, err = l.Where(t.Context(), lodash("99", ledger.Now))
		if err != nil || len(w.Running) != 1 || w.Searched.Partly != 0 || w.Searched.Incomplete != 1 {
			t.Errorf("%+v, %v", w, err)
		}
		listed, err := l.Listed(t.Context(), subject("index").Digest, ledger.Now, nil)
		if err != nil || len(listed.Components) != 2 || listed.Inventory != "incomplete" || listed.Without != 0 || len(listed.Bills) != 2 {
			t.Errorf("%+v, %v", listed, err)
		}
		if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
			t.Errorf("%+v, %v", r.Problems, err)
		}
	})
}

// A platform that runs by its own digest has what its own bill lists, and not what its
// siblings have; and of a platform without a bill nothing was matched.
func TestAPlatformIsNotKnownByItsIndex(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	b.append(l, b.index("index", "amd64", "arm64"))
	b.append(l, b.billOf("amd64", "complete", "pkg:npm/lodash@4.17.20"))
	b.append(l, b.state(stated{environment: "prod", service: "shop", digest: "arm64", decision: "d"}))
	if got := where(t, l, lodash("99", ledger.Now)); got != "built 2 4.17.20; 1 of 1 bills, aside 0; 1 run: 1 without, 0 incomplete, 0 nameless" {
		t.Error(got)
	}
	listed, err := l.Listed(t.Context(), subject("index").Digest, ledger.Now, nil)
	if err != nil || listed.Without != 1 || len(listed.Bills) != 1 || len(listed.Components) != 1 {
		t.Errorf("%+v, %v", listed, err)
	}
	if listed, err = l.Listed(t.Context(), subject("arm64").Digest, ledger.Now, nil); err != nil || len(listed.Bills) != 0 {
		t.Errorf("%+v, %v", listed, err)
	}
}

// Whoever can get a claim into the ledger must not make an unknown index look like a known
// one of his own.
func TestWhichPlatformsAnIndexHasIsNotEverybodysWord(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	b.append(l, b.billOf("harmless", "complete", "pkg:npm/left-pad@1.3.0"))
	b.append(l, b.state(stated{environment: "prod", service: "shop", digest: "index", decision: "d"}))
	if _, err := l.Ingest(t.Context(), b.index("index", "harmless"), evidence.Producer{Key: "somebody"}, b.key, b.context()); err != nil {
		t.Fatal(err)
	}
	q := lodash("99", ledger.Now)
	q.Counts = func(k verdict.Kind, producer, _, _ string) bool { return producer == b.key.KeyID() }
	if w, err := l.Where(t.Context(), q); err != nil || w.Searched.WithoutBill != 1 {
		t.Errorf("%+v, %v", w, err)
	}
	q.Counts = func(k verdict.Kind, producer, _, _ string) bool {
		return k == verdict.KindImage || producer == b.key.KeyID()
	}
	if w, err := l.Where(t.Context(), q); err != nil || w.Searched.WithoutBill != 0 {
		t.Errorf("%+v, %v", w, err)
	}
}
