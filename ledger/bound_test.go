package ledger_test

import (
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

var pipeline = evidence.Producer{Workload: "repo:acme/shop:environment:prod", Issuer: "https://issuer.example"}

// signedIn is evidence of a workload whose key nobody enrolled, as it arrives.
func (b *bed) signedIn() (*evidence.KeyFile, ledger.Arrival) {
	b.t.Helper()
	session, err := evidence.CreateKey(filepath.Join(b.t.TempDir(), "session.pem"))
	if err != nil {
		b.t.Fatal(err)
	}
	return session, ledger.Arrival{
		Bundle: b.sign(session, verdict.KindSBOM, map[string]any{"bomFormat": "CycloneDX"}, subject("image")), Producer: pipeline, Context: b.context(),
		Bound: &ledger.Bound{Key: session.PublicPEM(), Token: verdict.NewDigest("sha256", strings.Repeat("7", 64))},
	}
}

// Nobody enrols the key of a pipeline's one run. What ties the signature to the pipeline
// stands in the log, so that who has the log alone checks it again.
func TestEvidenceOfAWorkloadNamesTheKeyThatSignedIt(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	session, a := b.signedIn()
	e, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{a})
	if err != nil {
		t.Fatal(err)
	}
	if e[0].Producer != pipeline.String() || evidence.ParseProducer(e[0].Producer) != pipeline || e[0].Signer != b.key.KeyID() {
		t.Errorf("%+v", e[0])
	}
	logged, err := l.Logged(t.Context(), e[0].Index)
	if err != nil {
		t.Fatal(err)
	}
	s, err := logged.Statement()
	if err != nil {
		t.Fatal(err)
	}
	var in ledger.Ingestion
	if err := s.Decode(&in); err != nil || in.Bound == nil || in.Bound.Key != session.PublicPEM() || in.Bound.Token != a.Bound.Token || in.Producer.Workload != pipeline.Workload {
		t.Errorf("%+v, %v", in, err)
	}
	kept, err := l.Bundle(t.Context(), e[0].Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Bound.Verify(t.Context(), kept.JSON()); err != nil {
		t.Errorf("from the log alone: %v", err)
	}
	if _, other := b.signedIn(); other.Bound.Verify(t.Context(), kept.JSON()) == nil {
		t.Error("another key verifies it too")
	}
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err != nil || !r.Holds() {
		t.Errorf("%+v, %v", r, err)
	}
}

// Without this, who holds a session records what another pipeline signed as its own, or a
// workload without any signature at all.
func TestAWorkloadWithoutTheKeyThatSignedIsNotRecorded(t *testing.T) {
	for name, change := range map[string]func(b *bed, a *ledger.Arrival){
		"no key":                      func(_ *bed, a *ledger.Arrival) { a.Bound = nil },
		"the key of somebody else":    func(b *bed, a *ledger.Arrival) { a.Bound.Key = b.key.PublicPEM() },
		"what is no key":              func(_ *bed, a *ledger.Arrival) { a.Bound.Key = "-----BEGIN PUBLIC KEY-----" },
		"no token":                    func(_ *bed, a *ledger.Arrival) { a.Bound.Token = "" },
		"no issuer":                   func(_ *bed, a *ledger.Arrival) { a.Producer.Issuer = "" },
		"a certificate beside it":     func(_ *bed, a *ledger.Arrival) { a.Producer.Identity = "ada@example.com" },
		"a key of no workload's":      func(_ *bed, a *ledger.Arrival) { a.Producer = evidence.Producer{Key: "k"} },
		"a name that no column holds": func(_ *bed, a *ledger.Arrival) { a.Producer.Workload = strings.Repeat("w", 600) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			l := b.begun()
			_, a := b.signedIn()
			change(b, &a)
			if e, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{a}); err == nil {
				t.Errorf("recorded: %+v", e)
			}
		})
	}
}
