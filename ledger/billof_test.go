package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

const billXML = `<bom xmlns="http://cyclonedx.org/schema/bom/1.5"><components><component type="library"><name>left</name><version>1</version><purl>pkg:npm/left@1</purl></component></components></bom>`

// stored is a statement whose bill lies beside it.
func (b *bed) stored(d verdict.Digest, kind string) *evidence.Bundle {
	c := verdict.Context{Actor: "p1", Retention: "release", At: b.now()}
	s, err := evidence.NewTyped(kind, []verdict.Subject{subject("app")}, verdict.StoredBill{Form: "CycloneDX", Version: "1.5", Encoding: "xml", Digest: d, Components: 1}, c, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	x, err := evidence.Sign(b.t.Context(), s, b.key)
	if err != nil {
		b.t.Fatal(err)
	}
	return x
}

// A bill that is no JSON lies as a blob: without a row that says so a sweep would take it,
// and nobody could say any more what was in the artifact.
func TestABillBesideItsStatementStaysAndIsRead(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l, err := b.try(b.withClock)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		b.append(l, b.enrolment(b.key, b.key))
		d, err := l.PutBlob(t.Context(), []byte(billXML))
		if err != nil {
			t.Fatal(err)
		}
		e := b.append(l, b.stored(d, evidence.StoredBill))
		for range 2 {
			if r, err := l.Sweep(t.Context()); err != nil || len(r.Marked)+len(r.Removed) > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			b.clock.Add((48 * time.Hour).Microseconds())
		}
		if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() || r.Blobs != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		bundle, err := l.Bundle(t.Context(), e.Index)
		if err != nil {
			t.Fatal(err)
		}
		s, err := bundle.Statement()
		if err != nil {
			t.Fatal(err)
		}
		bill, err := l.BillOf(t.Context(), s)
		if err != nil || len(bill.Components) != 1 || bill.Components[0].Component.PURL != "pkg:npm/left@1" {
			t.Errorf("%+v, %v", bill, err)
		}
	})
}

// What lies beside a statement is found by what it lists, like what stands in one; and one
// that nobody can read is not recorded as if it listed nothing.
func TestABillBesideItsStatementIsIndexed(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	d, err := l.PutBlob(t.Context(), []byte(billXML))
	if err != nil {
		t.Fatal(err)
	}
	e := b.append(l, b.stored(d, evidence.StoredBill))
	all := func(_, _ string) (bool, error) { return true, nil }
	w, err := l.Where(t.Context(), ledger.WhereQuery{At: ledger.Now, Limit: 10, Packages: []ledger.PackageQuery{{Ecosystem: "npm", Name: "left", Holds: all}}})
	if err != nil || len(w.Built) != 1 || w.Built[0].Bill.Index != e.Index {
		t.Errorf("%+v, %v", w, err)
	}
	if _, err := l.Append(t.Context(), b.stored(verdict.NewDigest("sha256", strings.Repeat("0", 64)), evidence.StoredBill)); err == nil {
		t.Error("a statement was recorded whose bill is nowhere")
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
		t.Errorf("%+v, %v", r, err)
	}
}

// Whoever asks for a bill gets it, or is told what to do: never an empty one.
func TestWhatIsNoBillIsNoneOfTheLedgers(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	for what, bundle := range map[string]*evidence.Bundle{
		"a blob that is not here":  b.stored(verdict.NewDigest("sha256", strings.Repeat("0", 64)), evidence.StoredBill),
		"another kind of evidence": b.sign(b.key, verdict.KindTestResult, map[string]any{"result": "PASSED"}, subject("app")),
		"an SBOM that is none":     b.sign(b.key, verdict.KindSBOM, map[string]any{"noise": 1}, subject("app")),
	} {
		s, err := bundle.Statement()
		if err != nil {
			t.Fatal(err)
		}
		bill, err := l.BillOf(t.Context(), s)
		if e := verdict.AsError(err); bill != nil || e == nil || e.Remedy == "" || e.Code == verdict.CodeInternal {
			t.Errorf("%s: %v, %v", what, bill, err)
		}
	}
	s, err := b.sign(b.key, verdict.KindSBOM, map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []any{map[string]any{"type": "library", "name": "a"}}}, subject("app")).Statement()
	if err != nil {
		t.Fatal(err)
	}
	if bill, err := l.BillOf(t.Context(), s); err != nil || len(bill.Components) != 1 {
		t.Errorf("in the statement itself: %+v, %v", bill, err)
	}
}

// A bill that travelled with the statement of others is found by what it lists, and stays as
// long as the statement; one that stayed where it was is unknown, and not empty.
func TestABillOfOthersIsReadWhereItCameAlong(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l, err := b.try(b.withClock)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		b.append(l, b.enrolment(b.key, b.key))
		d, err := l.PutBlob(t.Context(), []byte(billXML))
		if err != nil {
			t.Fatal(err)
		}
		arrival := ledger.Arrival{Bundle: b.stored(d, evidence.StoredBill), Producer: evidence.Producer{Key: "theirs"}, Context: b.context(), Beside: true}
		came, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{arrival})
		if err != nil || !came[0].Beside {
			t.Fatalf("%+v, %v", came, err)
		}
		away := arrival
		away.Beside, away.Producer.Key = false, "others"
		if _, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{away}); err != nil {
			t.Fatal(err)
		}
		q := ledger.WhereQuery{At: ledger.Now, Limit: 10, Packages: []ledger.PackageQuery{{Ecosystem: "npm", Name: "left"}}}
		w, err := l.Where(t.Context(), q)
		if err != nil || len(w.Built) != 1 || w.Built[0].Bill.Index != came[0].Index {
			t.Errorf("%+v, %v", w, err)
		}
		for range 2 {
			if r, err := l.Sweep(t.Context()); err != nil || len(r.Marked)+len(r.Removed) > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			b.clock.Add((48 * time.Hour).Microseconds())
		}
		if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() || r.Blobs != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		arrival.Bundle = b.stored(verdict.NewDigest("sha256", strings.Repeat("0", 64)), evidence.StoredBill)
		if _, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{arrival}); err == nil {
			t.Error("a statement was recorded as if its bill were here")
		}
	})
}

// Whoever restores a backup without its blobs is told that a blob is lost, and not that
// somebody changed the index.
func TestALostBillIsNoChangedIndex(t *testing.T) {
	for _, how := range []string{"gone", "changed"} {
		b := newBed(t)
		l := b.begun()
		d, err := l.PutBlob(t.Context(), []byte(billXML))
		if err != nil {
			t.Fatal(err)
		}
		b.append(l, b.stored(d, evidence.StoredBill))
		theirs := ledger.Arrival{Bundle: b.stored(d, evidence.StoredBill), Producer: evidence.Producer{Key: "theirs"}, Context: b.context(), Beside: true}
		if _, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{theirs}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(b.folder, "blobs", "sha256", d.Hex()[:2], d.Hex())
		if how == "gone" {
			err = os.Remove(path)
		} else {
			err = errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte("other bytes"), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
		if err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].What, "is lost") {
			t.Errorf("%s: %+v, %v", how, r.Problems, err)
		}
	}
}
