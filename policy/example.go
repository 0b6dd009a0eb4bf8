package policy

import (
	"time"

	"verdict"
)

// Example is a complete document for a layer in which every fact is verified and nothing
// is wrong: the base that cases change, and a start for whoever builds one.
func Example(l verdict.Layer) *Input {
	const at = Time("2026-01-01T12:00:00Z")
	known := verdict.StateVerified
	digest := func(c string) verdict.Digest { return sha256Digest([]byte(c)) }
	commit := verdict.NewDigest("gitCommit", "8f14e45fceea167a5a36dedd4bea2543d1c9e0aa")
	check := Check{State: known, At: at, By: "verdict", Complete: true, Inputs: 12}
	in := &Input{
		Decision: Decision{ID: "example", Point: "example", At: at, Trigger: "verdict policy test", Actor: "p-ana"},
		Subject:  Subject{Kind: verdict.SubjectChange, Name: "shop/cart", Digest: commit, Version: "1.4.0"},
		Service:  Service{State: known, Name: "cart", Team: "checkout", Owner: "p-ana", Repo: "shop/cart", Tier: "1"},
		Artifact: Artifact{
			State: known, BuiltAt: at,
			Signature: Signature{State: known, By: "builder", Issuer: "https://issuer.example", Evidence: digest("provenance")},
			Provenance: Provenance{
				State: known, Builder: "builder", BuildType: "make", Known: "release", Source: "https://git.example/shop/cart", Own: true,
				Ref: "refs/heads/main", Commit: commit, SLSA: 3, Evidence: digest("provenance"),
			},
			Source: SourceLevel{State: known, SLSA: 2, Reviewed: true, Evidence: digest("source")},
			SBOM:   SBOM{State: known, Digest: digest("sbom"), Format: "cyclonedx", Components: 40, Inventory: "complete", Evidence: digest("sbom")},
			Licences: Licences{
				State: known, Components: 40, Evidence: digest("sbom"),
				Declared: []Licence{{Expression: "Apache-2.0 OR MIT", IDs: []string{"Apache-2.0", "MIT"}, Components: 8}, {Expression: "MIT", IDs: []string{"MIT"}, Components: 32}},
			},
			Reviewed: []Decided{
				{Need: "ownership-record", Point: "code.ownership", State: known, Outcome: verdict.Allow, Decision: "d-1", Evidence: digest("d-1")},
				{Need: "review-record", Point: "code.review", State: known, Outcome: verdict.Allow, Decision: "d-2", Evidence: digest("d-2")},
			},
			Checked: []Decided{
				{Need: "secrets-check", Point: "ci.secrets", State: known, Outcome: verdict.Allow, Decision: "d-3", Evidence: digest("d-3")},
				{Need: "vulnerabilities-check", Point: "ci.vulnerabilities", State: known, Outcome: verdict.Allow, Decision: "d-4", Evidence: digest("d-4")},
			},
			Base: Base{State: verdict.StatePresent, Name: "base", Digest: digest("base"), Created: "2025-12-20T12:00:00Z", AgeSeconds: 12 * 86400, Evidence: digest("image")},
		},
		Vulnerabilities: Vulnerabilities{
			State: known, MatchedAt: at, By: "verdict", Complete: true, Inputs: 2, Components: 40,
			Database: Database{State: known, Name: "osv", Digest: digest("osv"), At: at, Entries: 1000},
		},
		Checks: map[string]Check{"secrets": check, "vulnerabilities": check, "dependencies": check, "iac": check},
		Change: Change{
			State: known, Author: "p-ana", Committer: "p-ana", Contributors: []Contributor{{ID: "p-ana", Known: true}}, Commits: 1, Lines: 12, Files: []string{"cart.go"},
			Evidence: digest("change"),
		},
		Ownership: Ownership{State: known, Paths: 1, Owners: []string{"checkout"}, Evidence: digest("ownership")},
		Review: Review{
			State: known, Request: "shop/cart#7", Author: "p-ana", AuthorKnown: true, Head: commit, Required: 1, Protection: []string{"requires_review"},
			Approvals: []ApprovalOfChange{{Person: "p-ben", Known: true, Standing: verdict.ApprovalStands}}, Evidence: digest("review"),
		},
		Plan: Plan{
			State: known, Digest: digest("plan"), Tool: "terraform", Create: 1, Providers: []string{"azurerm"}, Regions: []string{"westeurope"}, Accounts: []string{"sub-1"},
			Resources: []PlannedResource{{Address: "azurerm_linux_web_app.shop", Type: "azurerm_linux_web_app", Provider: "azurerm", Action: "create", Class: "other", Account: "sub-1", Region: "westeurope"}},
			Evidence:  digest("iac-plan"),
		},
		Evidence: []Evidence{
			{Kind: verdict.KindTestResult, Digest: digest("secrets"), Index: 1, At: at, Producer: "verdict"},
			{Kind: verdict.KindVulnerabilities, Digest: digest("vulnerabilities"), Index: 2, At: at, Producer: "verdict"},
		},
		Environment: &Environment{
			State: known, Name: "production", Declared: true, Tier: "prod", Cloud: "azure", Exposure: "internet", Data: "internal",
			BlastRadius: "service", Rollback: "required", MinSLSA: 2, PromoteFrom: "staging", Chain: true, SoakSeconds: int64(time.Hour / time.Second), Hours: "always", Open: true,
			SLA: SLA{Critical: 7 * 86400, High: 30 * 86400, Medium: -1, Low: -1}, MaxBaseAgeSeconds: 90 * 86400,
		},
		Promotions: &Promotions{State: known, List: []Promotion{{Decision: "d-1", Environment: "staging", Digest: digest("artifact"), At: "2026-01-01T08:00:00Z", AgeSeconds: 4 * 3600}}},
		Rollback:   &Rollback{State: known, PreviousDigest: digest("previous"), TestedAt: at},
		Runtime:    &Runtime{State: known, Vulnerable: RunningVulnerabilities{State: known}},
		Requester:  &Requester{State: known, Person: "p-ana", Kind: "person", Teams: []string{"checkout"}},
		BreakGlass: &BreakGlass{State: known},
	}
	if l == verdict.LayerDeploy {
		in.Change.Contributors = append(in.Change.Contributors, Contributor{ID: "p-ben", Known: true})
	}
	in = in.ForLayer(l)
	in.Normalize()
	return in
}
