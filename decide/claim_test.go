package decide_test

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

// A decision that came from another log is a claim: it was taken by whom it judged. A
// point that needs the answer of an earlier one takes its own answer alone, also where
// the map trusts the key that signed the claim.
func TestADecisionTakenElsewhereMeetsNoNeed(t *testing.T) {
	stranger, err := evidence.CreateKey(filepath.Join(t.TempDir(), "stranger.pem"))
	must(t, err)
	const chart = `schema: verdict/v1
trust:
  - {name: own, key: local, kinds: [secrets, vulnerabilities, secrets-check], services: ["*"], environments: []}
  - {name: elsewhere, key: "STRANGER", kinds: [secrets-check], services: ["*"], environments: []}
points:
  - {id: ci.vulnerabilities, needs: [vulnerabilities, secrets-check]}
`
	h := newHouse(t, strings.ReplaceAll(chart, "STRANGER", stranger.KeyID()))
	safe := h.vulnerable("", time.Hour)
	safe.Hits = []verdict.Hit{}
	h.report("local", safe)

	claim := verdict.Decision{ID: "d-claim", Point: "ci.secrets", Layer: verdict.LayerCI, Mode: verdict.ModeBlock, Subject: commit, At: h.now, Outcome: verdict.Allow, Enforced: verdict.Allow}
	s, err := evidence.New(verdict.KindDecision, []verdict.Subject{commit}, claim, verdict.Context{At: h.now, Point: claim.Point}, rand.Reader)
	must(t, err)
	b, err := evidence.Sign(h.ctx, s, stranger)
	must(t, err)
	_, err = h.ledger.IngestAll(h.ctx, h.keys["local"], []ledger.Arrival{{
		Bundle: b, Producer: evidence.Producer{Key: stranger.KeyID()}, Origin: "laptop.example", Context: verdict.Context{At: h.now, Point: claim.Point},
	}})
	must(t, err)
	if d := h.decide("ci.vulnerabilities"); d.Outcome != verdict.Deny || len(d.Reasons) != 1 || d.Reasons[0].Items[0].Key != "secrets-check" {
		t.Fatalf("outcome %s with %+v", d.Outcome, d.Reasons)
	}

	h.report("local", clean("secrets"))
	if d := h.decide("ci.secrets"); d.Outcome != verdict.Allow {
		t.Fatalf("ci.secrets: %s", d.Outcome)
	}
	if d := h.decide("ci.vulnerabilities"); d.Outcome != verdict.Allow {
		t.Fatalf("after a decision of its own: %s with %+v", d.Outcome, d.Reasons)
	}
}
