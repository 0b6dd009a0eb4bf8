package decide_test

import (
	"testing"

	"verdict"
)

// A check that read one service of a repository says nothing of another one: taken for
// the whole commit, what nobody looked at would pass.
func TestAPartOfACommitSpeaksForItsServiceAlone(t *testing.T) {
	const chart = "schema: verdict/v1\nservices:\n  cart: {team: web, owner: o@acme.example, paths: [services/cart], iac: [infra/cart]}\n  pay: {team: pay, owner: o@acme.example, paths: [services/pay]}\n  all: {team: ops, owner: o@acme.example}\n"
	part := func(paths ...string) verdict.Report {
		r := clean("secrets")
		r.Scope.Paths = paths
		return r
	}
	for name, tc := range map[string]struct {
		report  verdict.Report
		service string
		outcome verdict.Outcome
	}{
		"the whole commit counts for a service":  {part(), "cart", verdict.Allow},
		"and where no service is named":          {part(), "", verdict.Allow},
		"its own paths count":                    {part("infra/cart", "services/cart"), "cart", verdict.Allow},
		"a folder above them counts":             {part("infra", "services"), "cart", verdict.Allow},
		"without its infrastructure they do not": {part("services/cart"), "cart", verdict.Undecided},
		"those of another service do not":        {part("infra/cart", "services/cart"), "pay", verdict.Undecided},
		"a name that begins alike is another":    {part("services/pa"), "pay", verdict.Undecided},
		"nor do they for the whole repository":   {part("services/cart"), "all", verdict.Undecided},
		"nor where no service is named":          {part("services/cart"), "", verdict.Undecided},
		"nor for a service that nobody declared": {part("services/cart"), "ghost", verdict.Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, chart)
			h.report("local", tc.report)
			if d := h.decideFor("ci.secrets", tc.service); d.Outcome != tc.outcome {
				t.Fatalf("outcome %s, want %s: %+v", d.Outcome, tc.outcome, d.Errors)
			}
		})
	}
}
