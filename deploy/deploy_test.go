package deploy

import (
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
)

const chart = `schema: verdict/v1
environments: {prod: {tier: staging}}
trust:
  - {name: gate, key: pipeline, kinds: [promotion], services: ["*"], environments: [prod]}
  - {name: runner, workload: "azure:acme/pay/12", issuer: "https://issuer.example", kinds: [promotion], services: ["*"], environments: [prod]}
people:
  jane: {teams: [payments], accounts: {github: Jane-D, key: kid-1}}
`

// Separation of duties compares who asks with who wrote and who approves. An account that
// nobody can place must stay unknown, or it passes for somebody else.
func TestWhoAsksIsFoundOutOrStaysUnknown(t *testing.T) {
	m, err := decisionmap.Load("verdict.yaml", []byte(chart))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		asking Asking
		person string
		kind   string
		known  bool
	}{
		"a person by id":                      {Asking{Named: "jane"}, "jane", Person, true},
		"an account in another case":          {Asking{Named: "github:jane-d"}, "jane", Person, true},
		"an account of nobody":                {Asking{Named: "github:mallory"}, "unknown-github-", Person, false},
		"a word that is no person":            {Asking{Named: "mallory"}, "unknown-person-", Person, false},
		"the key of a person":                 {Asking{Key: "kid-1", KeyName: "other"}, "jane", Person, true},
		"a key that is enrolled for a person": {Asking{Key: "kid-2", KeyName: "jane"}, "jane", Person, true},
		"whoever started the pipeline":        {Asking{Key: "kid-3", KeyName: "pipeline", Account: identity.Account{System: identity.GitHub, Name: "Jane-D"}}, "jane", Person, true},
		"a stranger who started it":           {Asking{Key: "kid-3", KeyName: "pipeline", Account: identity.Account{System: identity.GitHub, Name: "mallory"}}, "unknown-github-", Person, false},
		"for whom a machine says it asks":     {Asking{Workload: "azure:acme/pay/12", Issuer: "https://issuer.example", Claimed: "jane"}, "jane", Person, true},
		"the same of a machine of no trust":   {Asking{Workload: "azure:mallory/pay/12", Issuer: "https://issuer.example", Claimed: "jane"}, "jane", Person, false},
		"a stranger for whom it says it asks": {Asking{Workload: "azure:acme/pay/12", Issuer: "https://issuer.example", Claimed: "github:mallory"}, "unknown-github-", Person, false},
		"a machine that the map trusts":       {Asking{Key: "kid-3", KeyName: "pipeline"}, "pipeline", Workload, true},
		"a machine that it does not":          {Asking{Key: "kid-4", KeyName: "local"}, "unknown-key-", Workload, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Requester(m, c.asking)
			if err != nil || !strings.HasPrefix(r.Person, c.person) || r.Kind != c.kind || r.Known != c.known || strings.Contains(r.Person, "mallory") {
				t.Errorf("%v %+v", err, r)
			}
			if c.asking.Claimed != "" && (r.Claimed != c.asking.Workload || len(r.Teams) > 0) {
				t.Errorf("what a machine says passes for proved, or brings teams: %+v", r)
			}
		})
	}
	if _, err := Requester(m, Asking{Named: "fax:12"}); err == nil || verdict.AsError(err).Remedy == "" {
		t.Errorf("a system that nobody knows was taken: %v", err)
	}
}

// A tool that verifies the summary for another place, or another artifact, must not find it.
func TestAPromotionNamesItsPlaceAndItsArtifact(t *testing.T) {
	d := verdict.Decision{
		Environment: "prod/eu", At: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), Subject: verdict.Subject{Name: "ghcr.io/acme/app"},
		Evidence: []verdict.Ref{{Kind: verdict.KindSBOM, Digest: "sha256:b", Index: 4}, {Kind: verdict.KindDecision, Digest: "sha256:a", Index: 2}},
	}
	s := Promotion(d, 3)
	if s.Result != "PASSED" || s.Levels[0] != "SLSA_BUILD_LEVEL_3" || !strings.HasSuffix(s.Resource, "/environments/prod%2Feu#ghcr.io%2Facme%2Fapp") || len(s.Inputs) != 2 || s.Inputs[0].Digest["sha256"] != "a" {
		t.Errorf("%+v", s)
	}
}
