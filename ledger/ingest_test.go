package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/blob"
	"verdict/evidence"
	"verdict/ledger"
)

func (b *bed) context() verdict.Context {
	return verdict.Context{Service: "shop", Actor: "p1", Retention: "release", At: b.now()}
}

// sample is a bundle that Verdict did not make, with a log entry of another log.
func sample(t *testing.T) *evidence.Bundle {
	t.Helper()
	raw, err := os.ReadFile("testdata/foreign.sigstore.json")
	if err != nil {
		t.Fatal(err)
	}
	x, err := evidence.ParseBundle(raw)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestForeignEvidenceIsLoggedByAnIngestionAndKeptAsItCame(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	x := sample(t)
	by := evidence.Producer{Identity: "builder@example.com", Issuer: "https://issuer.example"}
	e, err := l.Ingest(t.Context(), x, by, b.key, b.context())
	if err != nil {
		t.Fatal(err)
	}
	if !e.Foreign || e.Kind != verdict.KindProvenance || e.Producer != by.String() || e.Signer != b.key.KeyID() || e.Digest != x.PayloadDigest() || e.Context.Service != "shop" {
		t.Errorf("%+v", e)
	}
	got, err := l.Bundle(t.Context(), e.Index)
	if err != nil || string(got.JSON()) != string(x.JSON()) {
		t.Errorf("the foreign bundle was changed: %v", err)
	}
	logged, err := l.Logged(t.Context(), e.Index)
	if err != nil || logged.Hint() != b.key.KeyID() {
		t.Errorf("under the leaf: %v", err)
	}
	s, err := x.Statement()
	if err != nil {
		t.Fatal(err)
	}
	found, err := l.Find(t.Context(), ledger.Query{Subject: s.Subjects[0].Digest, Kind: verdict.KindProvenance, At: ledger.Now})
	if err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	again, err := l.Ingest(t.Context(), x, by, b.key, b.context())
	if err != nil || again.Index != e.Index {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err != nil || !r.Holds() {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAForeignBundleThatIsChangedInTheDatabaseIsFound(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	e, err := l.Ingest(t.Context(), sample(t), evidence.Producer{Key: "k"}, b.key, b.context())
	if err != nil {
		t.Fatal(err)
	}
	tamper(t, b, `UPDATE foreign_bundle SET data = (SELECT payload FROM entry WHERE seq = 0)`)
	if _, err := l.Bundle(t.Context(), e.Index); err == nil {
		t.Error("handed out although it was changed")
	}
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
	if err != nil || len(r.Problems) == 0 || r.Problems[0].Index != e.Index || !strings.Contains(r.Problems[0].What, "foreign bundle") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestADecisionFromAnotherLogIsAClaimAndDecidesNothing(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	other := newBed(t)
	claims := []*evidence.Bundle{
		other.decision("deploy.gate", subject("a"), verdict.Allow),
		other.sign(other.key, verdict.KindException, verdict.Exception{ID: "x-9", Service: "shop"}, subject("a")),
		other.sign(other.key, verdict.KindMapRelease, map[string]any{"digest": "sha256:0"}, subject("a")),
		other.enrolment(other.key, other.key),
	}
	for i, c := range claims {
		if _, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{{Bundle: c, Producer: evidence.Producer{Key: other.key.KeyID()}, Origin: "laptop.example", Index: int64(i), Context: b.context()}}); err != nil {
			t.Fatal(err)
		}
	}
	decisions, err := l.Decisions(t.Context(), ledger.DecisionQuery{At: ledger.Now})
	if err != nil || len(decisions) != 0 {
		t.Errorf("a claim became a decision: %+v, %v", decisions, err)
	}
	exceptions, err := l.Standing(t.Context(), verdict.KindException, "", ledger.Now)
	if err != nil || len(exceptions) != 0 {
		t.Errorf("a claim became an exception: %+v, %v", exceptions, err)
	}
	if _, released, err := l.Release(t.Context(), verdict.KindMapRelease, ledger.Now); released || err != nil {
		t.Errorf("a claim became a release: %v", err)
	}
	if _, err := l.Append(t.Context(), other.other(10)); verdict.AsError(err).Code != verdict.CodeRefused {
		t.Errorf("a claim enrolled a key: %v", err)
	}
	found, err := l.Find(t.Context(), ledger.Query{Kind: verdict.KindDecision, At: ledger.Now})
	if err != nil || len(found) != 1 || !found[0].Foreign || found[0].Origin != "laptop.example" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAPlaceInAnotherLogIsTakenOnce(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	other := newBed(t)
	from := func(x *evidence.Bundle, index int64) ledger.Arrival {
		return ledger.Arrival{Bundle: x, Producer: evidence.Producer{Key: other.key.KeyID()}, Origin: "laptop.example", Index: index, Context: b.context()}
	}
	x := other.other(10)
	one, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{from(x, 3), from(other.other(10), 4)})
	if err != nil {
		t.Fatal(err)
	}
	two, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{from(x, 3)})
	if err != nil || two[0].Index != one[0].Index {
		t.Errorf("sent again: %+v, %v", two, err)
	}
	_, err = l.IngestAll(t.Context(), b.key, []ledger.Arrival{from(other.other(10), 3)})
	if verdict.AsError(err).Code != verdict.CodeConflict || !strings.Contains(err.Error(), "another one now") {
		t.Errorf("another history: %v", err)
	}
}

// Whoever takes more from a log asks what came from it before, and against what that was
// verified: it must not have to trust the log anew.
func TestWhatCameFromALogIsFoundByItsPlaceThereWithWhatItWasVerifiedAgainst(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	other := newBed(t)
	var arrivals []ledger.Arrival
	for _, index := range []int64{7, 3} {
		arrivals = append(arrivals, ledger.Arrival{
			Bundle: other.other(10), Producer: evidence.Producer{Key: other.key.KeyID()}, Origin: "laptop.example", Index: index, Context: b.context(),
			LogKey: "laptop.example+00000000+key", Checkpoint: "laptop.example\n8\n",
		})
	}
	if _, err := l.IngestAll(t.Context(), b.key, arrivals); err != nil {
		t.Fatal(err)
	}
	came, err := l.Arrived(t.Context(), "laptop.example", 0, ledger.Now)
	if err != nil || len(came) != 2 || came[0].Source != 7 || came[1].Source != 3 {
		t.Fatalf("%+v, %v", came, err)
	}
	logged, err := l.Logged(t.Context(), came[0].Index)
	if err != nil {
		t.Fatal(err)
	}
	s, err := logged.Statement()
	if err != nil {
		t.Fatal(err)
	}
	var in ledger.Ingestion
	if err := s.Decode(&in); err != nil || in.LogKey != arrivals[0].LogKey || in.Checkpoint != arrivals[0].Checkpoint || in.Index != 7 {
		t.Errorf("%+v, %v", in, err)
	}
	if none, err := l.Arrived(t.Context(), "laptop.example", 4, 7); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

func TestBodiesThatAreTooLargeForARowLieInBlobs(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	noise := make([]byte, 600<<10)
	if _, err := newNoise().Read(noise); err != nil {
		t.Fatal(err)
	}
	large := b.sign(b.key, verdict.KindSBOM, map[string]any{"noise": noise}, subject("large"))
	e := b.append(l, large)
	got, err := l.Bundle(t.Context(), e.Index)
	if err != nil || string(got.JSON()) != string(large.JSON()) {
		t.Fatalf("changed on the way: %v", err)
	}
	other := newBed(t)
	foreign, err := l.Ingest(t.Context(), other.sign(other.key, verdict.KindSBOM, map[string]any{"noise": noise}, subject("large")), evidence.Producer{Key: "k"}, b.key, b.context())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true}); err != nil || !r.Holds() {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := os.RemoveAll(filepath.Join(b.folder, "blobs", "sha256")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Bundle(t.Context(), e.Index); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("%v", err)
	}
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
	if err != nil || len(r.Problems) < 2 || r.Problems[0].Index != e.Index || r.Problems[1].Index != foreign.Index {
		t.Errorf("%+v, %v", r, err)
	}
}
