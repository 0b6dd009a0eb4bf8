package report

import (
	"io"
	"strings"
	"testing"
	"time"

	"verdict"
)

// what is deployed once as it should be, once as it should not.
func deployedCases() (good, claimed Deployed) {
	good = Deployed{
		Environment: "production", Service: "payments-api", Team: "payments", Name: "ghcr.io/acme/payments-api", Digest: digest("1"), At: noon.Add(-26 * time.Hour),
		By: "pipeline", Trusted: true, Run: "github:4711", Recorded: ref(verdict.KindDeployment, 41, 26*time.Hour), Runs: true,
		Outcomes: []Aftermath{
			{Result: verdict.ResultIncident, At: noon.Add(-time.Hour), By: "mei", Detail: "5xx above 2 %", Link: "https://status.acme.example/42", Recorded: ref(verdict.KindOutcome, 52, time.Hour)},
			{Result: verdict.ResultDeployed, At: noon.Add(-25 * time.Hour), By: "pipeline", Trusted: true, Recorded: ref(verdict.KindOutcome, 42, 25*time.Hour)},
		},
	}
	claimed = good
	claimed.Service, claimed.Team, claimed.Digest, claimed.By, claimed.Trusted, claimed.Rollback, claimed.Outcomes = "ledger", "", digest("2"), "local", false, true, nil
	return good, claimed
}

func environmentsCase() Environments {
	good, claimed := deployedCases()
	ended := good
	ended.Service, ended.Runs = "web", false
	return Environments{Position: 4120, At: noon, Map: "the released organisation map", Detail: true, List: []Environment{
		{
			Name: "production", Declared: true, Tier: "prod", Exposure: "internet", Data: "restricted", Chain: []string{"dev", "staging"}, Closed: "frozen until 2026-05-05 00:00 UTC: year end",
			OpenReviews: []Answer{{ID: "d-7777aaaabbbb", Point: "deploy.gate", Environment: "production", Outcome: verdict.Review, Enforced: verdict.Review, At: noon}},
			Stated:      true, Services: 2, Artifacts: 2, Unpromoted: 1, Claims: 1,
			Runs: []Running{
				{Deployed: good, Promotion: Promotion{
					ID: "d-4k7m00001111", Named: true, Outcome: verdict.Allow, Enforced: verdict.Allow, Mode: verdict.ModeBlock, At: noon.Add(-27 * time.Hour), Expires: noon.Add(-time.Hour), Expired: true,
					RestedOn: Rest{Approvals: []string{"a-7"}, Exceptions: []string{"x-1", "x-2", "x-3", "x-4", "x-5", "x-6"}, BreakGlass: "b-1"},
					Newer:    &Answer{ID: "d-8888aaaabbbb", Point: "deploy.gate", Outcome: verdict.Deny, Enforced: verdict.Deny, At: noon.Add(-time.Minute)},
				}},
				{Deployed: claimed, Promotion: Promotion{Problem: "no answer of the gate about it into production is recorded"}, Instead: &good},
			},
			Ended: []Ended{{Deployed: ended, Until: noon.Add(-time.Hour), Result: verdict.ResultRolledBack}},
		},
		{Name: "lab"},
		{Name: "dev", Declared: true, Tier: "dev", Stated: true},
	}}
}

func changesCase() Changes {
	good, claimed := deployedCases()
	return Changes{
		Environment: "production", Map: "the released organisation map", Stated: true, From: Bound{4000, noon.AddDate(0, 0, -7)}, To: Bound{4120, noon},
		Services: []Change{{
			Service: "payments-api", Team: "payments", Name: "ghcr.io/acme/payments-api", What: "replaced", Before: digest("1"), After: digest("2"), CommitAfter: verdict.NewDigest("gitCommit", strings.Repeat("c", 40)),
			Steps: []Step{
				{Deployed: good, Promotion: &Promotion{ID: "d-4k7m00001111", Outcome: verdict.Deny, Enforced: verdict.Allow, Mode: verdict.ModeObserve}},
				{Deployed: claimed, Promotion: &Promotion{ID: "d-nowhere", Named: true, Problem: "no decision of this log has the id d-nowhere"}},
				{Deployed: claimed, Result: verdict.ResultFailed},
			},
		}},
		Exceptions: []Accept{{ID: "x-1", Rule: "deploy.gate.vulnerabilities", Service: "payments-api", Began: true, Expires: noon.AddDate(0, 1, 0)}, {ID: "x-2", Rule: "deploy.gate.first", Why: "expired"}},
		Findings:   []Finding{{Subject: change(), Service: "payments-api", Kind: "runtime.vulnerable", State: "open", Advisories: []string{"CVE-2026-1"}, Recorded: ref(verdict.KindFinding, 4100, time.Hour)}},
	}
}

func chainedCase() Explanation {
	x := explanation(cases()["allowed"].Decisions[0])
	good, claimed := deployedCases()
	answers := []Answer{{ID: "d-1", Point: "ci.secrets", Outcome: verdict.Allow, Enforced: verdict.Allow}, {ID: "d-2", Point: "ci.iac", Outcome: verdict.Allow, Enforced: verdict.Allow}, {ID: "d-3", Point: "deploy.gate", Environment: "production", Outcome: verdict.Review, Enforced: verdict.Review}}
	x.Chain = &Chain{
		From: []Link{{Subject: change(), By: "d-9", Answers: answers[:2]}}, Answers: answers[2:], Runs: []Deployed{good, claimed},
		Made: []Link{{Subject: verdict.Subject{Kind: verdict.SubjectArtifact, Name: "app", Digest: digest("3")}, By: "d-9", Answers: answers, Runs: []Deployed{good}}},
	}
	d := &x.Cases[0].Decision
	d.Layer, d.Environment, d.Subject.Kind = verdict.LayerDeploy, "production", verdict.SubjectArtifact
	x.Cases[0].Deployments, x.Cases[0].Outcomes, x.Cases[0].RestedOn = []Deployed{good}, good.Outcomes, Rest{Approvals: []string{"a-7"}}
	return x
}

// Who deployed what, whether anything let it in, and what is only claimed has to be told
// apart at a glance, and by no word that somebody else chose.
func TestWhatRunsIsToldAsItWasReviewed(t *testing.T) {
	write := map[string]func(io.Writer, string, bool) error{
		"environments": func(w io.Writer, format string, hot bool) error {
			x := environmentsCase()
			if hot {
				x = outlandish(x)
			}
			return WriteEnvironments(w, format, x, Style{})
		},
		"changes": func(w io.Writer, format string, hot bool) error {
			x := changesCase()
			if hot {
				x = outlandish(x)
			}
			return WriteChanges(w, format, x, Style{})
		},
		"why-chain": func(w io.Writer, format string, hot bool) error {
			x := chainedCase()
			if hot {
				x = outlandish(x)
			}
			return Why(w, format, x, Style{})
		},
	}
	for name, write := range write {
		for _, format := range []string{"text", "json"} {
			for _, hot := range []bool{false, true} {
				var b strings.Builder
				if err := write(&b, format, hot); err != nil {
					t.Fatal(err)
				}
				if !hot {
					golden(t, name+"."+format, b.String())
				}
				if why := acting(b.String()); why != "" {
					t.Errorf("%s as %s holds %s", name, format, why)
				}
			}
		}
		if err := write(io.Discard, "sarif", false); err == nil {
			t.Errorf("%s was written as sarif", name)
		}
	}
}
