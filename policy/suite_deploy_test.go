package policy

import (
	"fmt"
	"strings"
	"testing"

	"verdict"
)

// A plan of ten thousand resources, or an artifact with as many vulnerabilities, still gives
// one decision of bounded size, and none of the rules that walk a list is cut short unseen.
func TestEveryDeploymentRuleFoldsWhatIsTooMuch(t *testing.T) {
	b := mustBuiltin(t)
	for _, id := range []string{
		"deploy.gate.malicious", "deploy.gate.exploited", "deploy.gate.sla", "deploy.gate.freeze", "deploy.gate.rebuilt", "deploy.gate.emergencies", "deploy.gate.vulnerable",
		"deploy.plan.destructive", "deploy.plan.protected", "deploy.plan.identity", "deploy.plan.network", "deploy.plan.data", "deploy.plan.unplaced", "deploy.plan.reach",
	} {
		t.Run(id, func(t *testing.T) {
			in := Example(verdict.LayerDeploy)
			for n := range 5003 {
				key := fmt.Sprintf("%05d", n)
				switch {
				case strings.HasPrefix(id, "deploy.plan."):
					class := strings.TrimPrefix(id, "deploy.plan.")
					in.Plan.Resources = append(in.Plan.Resources, PlannedResource{Address: key, Type: key, Provider: "x", Action: "delete", Class: class})
				case id == "deploy.gate.freeze":
					in.Environment.Freezes = append(in.Environment.Freezes, Freeze{Reason: key, Holds: true})
				case id == "deploy.gate.rebuilt":
					in.Promotions.Rebuilt = append(in.Promotions.Rebuilt, Promotion{Digest: verdict.Digest(key)})
				case id == "deploy.gate.vulnerable":
					in.Runtime.Vulnerable.Open = append(in.Runtime.Vulnerable.Open, RunningVulnerability{Key: verdict.Digest(key), ID: key, Malicious: true, Severity: "low"})
				case id == "deploy.gate.emergencies":
					in.BreakGlass.Overdue = append(in.BreakGlass.Overdue, Emergency{ID: key})
				default:
					in.Vulnerabilities.Findings = append(in.Vulnerabilities.Findings, Finding{Key: key, Malicious: true, Exploited: true, Severity: "critical", Since: "2025-01-01T00:00:00Z"})
				}
			}
			if id != "deploy.plan.unplaced" {
				in.Environment.Kinds = []string{"none"}
			}
			in.Environment.Accounts, in.Environment.Protected = []string{"sub-1"}, []string{"0*"}
			in.Plan.Resources = in.Plan.Resources[max(0, len(in.Plan.Resources)-5003):]
			in.Normalize()
			e, err := b.Evaluate(t.Context(), Query{Rules: []string{id}, Input: in, At: noon})
			if err != nil || len(e.Results) != 1 {
				t.Fatalf("%v, %+v", err, e)
			}
			got := e.Results[0]
			if n := len(got.Items); got.Status != verdict.RuleFail || n != 5001 || !strings.Contains(got.Items[n-1].Message, "3 further items") {
				t.Errorf("%s with %d items", got.Status, n)
			}
		})
	}
}
