package decide_test

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

// A pipeline signs with a key of one run and is known by its token. What it states counts
// where the map trusts the workload of that issuer, and is a stranger's word everywhere else:
// any issuer can name any workload.
func TestACheckStatedByAWorkloadCountsWhereTheMapTrustsItOfItsIssuer(t *testing.T) {
	const chart = `schema: verdict/v1
trust:
  - {name: own, key: local, kinds: [secrets-check], services: ["*"], environments: []}
  - {name: pipeline, workload: "repo:acme/*:environment:prod", issuer: "https://issuer.example", kinds: [secrets], services: ["*"], environments: []}
points:
  - {id: ci.secrets, needs: [secrets]}
`
	for name, tc := range map[string]struct {
		by     evidence.Producer
		counts bool
	}{
		"trusted":                     {evidence.Producer{Workload: "repo:acme/shop:environment:prod", Issuer: "https://issuer.example"}, true},
		"the same of another issuer":  {evidence.Producer{Workload: "repo:acme/shop:environment:prod", Issuer: "https://issuer.example.evil"}, false},
		"another workload":            {evidence.Producer{Workload: "repo:mallory/shop:environment:prod", Issuer: "https://issuer.example"}, false},
		"a certificate of that name":  {evidence.Producer{Identity: "repo:acme/shop:environment:prod", Issuer: "https://issuer.example"}, false},
		"a name that runs on with it": {evidence.Producer{Workload: "repo:acme/shop:environment:prod workload:https://issuer.example", Issuer: "https://mallory.example"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, chart)
			h.signedIn(tc.by, clean("secrets"))
			if d := h.decide("ci.secrets"); (d.Outcome == verdict.Allow) != tc.counts {
				t.Errorf("%s: %+v", d.Outcome, d.Reasons)
			}
		})
	}
}

// signedIn records a check of the commit that a key signed which nobody enrolled.
func (h *house) signedIn(by evidence.Producer, r verdict.Report) {
	h.t.Helper()
	session, err := evidence.CreateKey(filepath.Join(h.t.TempDir(), "session.pem"))
	must(h.t, err)
	r.Tool = verdict.Tool{Name: "verdict", Version: "test"}
	s, err := evidence.NewCheck(r, []verdict.Subject{commit}, h.now, h.now, verdict.Context{At: h.now}, rand.Reader)
	must(h.t, err)
	b, err := evidence.Sign(h.ctx, s, session)
	must(h.t, err)
	a := ledger.Arrival{Bundle: b, Producer: by, Context: verdict.Context{At: h.now}}
	if by.Workload != "" {
		a.Bound = &ledger.Bound{Key: session.PublicPEM(), Token: verdict.NewDigest("sha256", strings.Repeat("7", 64))}
	}
	_, err = h.ledger.IngestAll(h.ctx, h.keys["local"], []ledger.Arrival{a})
	must(h.t, err)
}
