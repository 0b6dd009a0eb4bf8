package decisionmap

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestADiffTellsAReplacedToolFromAChangedDecisionPoint(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string // replaced in acme's map
		effects  []Effect
		what     string
	}{
		"another tool for the SBOM":           {"syft: [sbom]", "trivy: [sbom]", []Effect{Safe, Safe}, "trivy was added to sources"},
		"a tool that is run":                  {"syft: [sbom]", "syft: {kinds: [sbom], command: [syft, -o, json]}", []Effect{Changes, Changes}, `command: "syft -o json" instead of nothing`},
		"a new tool that is run":              {"syft: [sbom]", "syft: [sbom]\n  zap: {kinds: [dast], command: [zap], format: zap}", []Effect{Safe, Changes}, `command: "zap" instead of nothing`},
		"another forge":                       {"at: github/workflow, owner: appsec", "at: gitlab/job, owner: appsec", []Effect{Safe, Safe, Safe}, `at: "gitlab/job" instead of "github/workflow"`},
		"another cluster":                     {"aks-prd-weu", "gke-prd-ew4", []Effect{Safe}, "cluster"},
		"a point that blocks":                 {"{id: runtime.drift, mode: warn,", "{id: runtime.drift, mode: observe,", []Effect{Loosens}, `mode: "observe" instead of "warn"`},
		"another need":                        {"{id: artifact.trust, mode: block,", "{id: artifact.trust, mode: block, needs: [signature, sbom],", []Effect{Loosens, Loosens, Loosens, Loosens, Loosens, Loosens}, `"provenance" was taken out`},
		"another policy":                      {"{id: code.review, mode: block,", "{id: code.review, mode: block, policy: acme.review,", []Effect{Loosens, Tightens}, `"acme.review" was added`},
		"another owner of a point":            {"at: github/release, owner: platform", "at: github/release, owner: security", []Effect{Changes}, "owner"},
		"a signer who may state more":         {"kinds: [signature, provenance, sbom]", "kinds: [signature, provenance, sbom, vsa]", []Effect{Tightens, Loosens}, "release builds"},
		"a signer who may state less":         {"kinds: [iac-plan, intent]", "kinds: [intent]", []Effect{Tightens, Loosens}, "infrastructure pipeline"},
		"signatures that are asked for":       {"tier: standard,", "tier: standard, signed_commits: true,", []Effect{Tightens}, "signed_commits: true instead of false"},
		"another person":                      {"  mei: {", "  ken: {", []Effect{Changes, Changes}, "mei was taken out of people"},
		"a shorter soak":                      {"soak: 4h", "soak: 1h", []Effect{Loosens}, "soak: 1h instead of 4h"},
		"a longer exception":                  {"max_validity: 30d", "max_validity: 60d", []Effect{Loosens}, "max_validity: 60d instead of 30d"},
		"a stricter rollback":                 {"internal, blast_radius: service, rollback: required, min_slsa: 2", "internal, blast_radius: service, rollback: tested, min_slsa: 2", []Effect{Tightens}, "rollback"},
		"a service that is new":               {"  storefront: {", "  shop: {team: web, owner: x@acme.example}\n  storefront: {", []Effect{Safe}, "shop was added to services"},
		"a service that is new somewhere":     {"  storefront: {", "  shop: {team: web, owner: x@acme.example, environments: [prod-weu]}\n  storefront: {", []Effect{Safe, Changes}, "may run in \"prod-weu\" too"},
		"a day of enforcement that is later":  {"enforce_from: 2027-02-01", "enforce_from: 2027-03-01", []Effect{Loosens}, "enforce_from"},
		"old findings that wait":              {"{id: ci.secrets, at", "{id: ci.secrets, old_from: 2027-02-01, at", []Effect{Loosens}, "old_from"},
		"a day of enforcement that goes":      {"    enforce_from: 2027-02-01 #", "    #", []Effect{Loosens}, "enforce_from"},
		"hours that are cut":                  {"Mon-Thu 08:00-16:00", "Tue-Thu 08:00-16:00", []Effect{Tightens}, "hours"},
		"comments and order of the file":      {"retention: {default: 3y, minimum: 1y, audit_log: 7y}", "retention: {minimum: 365d, audit_log: 7y, default: 1095d} # ours", nil, ""},
		"a signer who is taken out":           {"  - name: cloud collector\n    key: cloud-collector\n    kinds: [inventory, intent, grants, access]\n    services: [\"*\"]\n    environments: [\"*\"]\n", "", []Effect{Tightens}, "cloud collector"},
		"a bundle of the organisation itself": {"{bundle: builtin}", "{bundle: \"oci://x@sha256:" + strings.Repeat("0", 64) + "\"}", []Effect{Changes}, "policies"},
	} {
		t.Run(name, func(t *testing.T) {
			text := acmeText(t)
			if !strings.Contains(text, c.old) {
				t.Fatalf("acme's map does not hold %q", c.old)
			}
			changes := Diff(acme(t), load(t, strings.ReplaceAll(text, c.old, c.new)))
			var effects []Effect
			said := c.what == ""
			for _, x := range changes {
				effects = append(effects, x.Effect)
				said = said || strings.Contains(x.What, c.what) || strings.Contains(x.Path, c.what)
				if x.NeedsApprover() != (x.Effect != Safe) {
					t.Errorf("%+v", x)
				}
			}
			if !slices.Equal(effects, c.effects) || !said {
				t.Errorf("got %v: %+v", effects, changes)
			}
		})
	}
}

func TestTheOrderOfTrustIsItsStrength(t *testing.T) {
	m, n := acme(t), acme(t)
	slices.Reverse(n.Trust)
	if changes := Diff(m, n); len(changes) != 1 || changes[0].Effect != Changes || changes[0].Path != "trust" {
		t.Errorf("got %+v", changes)
	}
	n.Trust = n.Trust[1:] // a removal does not hide it
	if changes := Diff(m, n); len(changes) != 2 || changes[1].Effect != Changes {
		t.Errorf("got %+v", changes)
	}
}

// A field that the comparison forgot could be loosened by a repository unseen.
func TestTheComparisonSeesEveryFieldOfTheMap(t *testing.T) {
	m := load(t, org)
	m.AdoptingUntil, m.Policies.Verify = now, Verify{Issuer: "i", Subject: "s", Key: "k"}
	m.Dependencies = Dependencies{Licences: Licences{Allow: []string{"MIT"}, Deny: []string{"SSPL-1.0"}}, Internal: []string{"@acme/*"}}
	m.Modules = &Modules{From: now, Approved: []Module{{Source: "a/b/c", Version: "1.0.0", Digest: "h1:x", Note: "n"}, {Path: "vendor/net", Digest: "h1:y"}, {Source: "git::https://h/x", Ref: "r"}}}
	m.Builders = []Builder{
		{Name: "a", Key: "k", Identity: "i", Issuer: "j", Builder: "b", Level: 2, BuildTypes: []string{"t"}, Sources: []string{"s"}, Parameters: []string{"p"}},
		{Name: "b", Builder: "c", Level: 1},
	}
	m.Points[0].Since = now
	m.Trust = append(m.Trust, Trust{Name: "cp", Key: anID, For: ForPeople, Kinds: PeopleKinds, Services: []string{All}, Environments: []string{All}})
	m.Sources["semgrep"] = Source{Kinds: []string{"sast"}, Command: []string{"semgrep", "scan"}, Format: "sarif", SHA256: strings.Repeat("a", 64), Timeout: Day}
	m.Points[0].Needs[0].MaxAge = Day
	m.Services["api"] = Service{Team: "t", Owner: "o", Repo: "r", Tier: "x", Paths: []string{"src"}, IaC: []string{"infra"}, Environments: []string{"dev"}}
	e := m.Environments["prod"]
	e.Cluster = "c"
	m.Environments["prod"] = e
	m.People["jane"] = Person{Name: "Jane", Teams: []string{"a"}, Accounts: map[string][]string{"github": {"jane"}}}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	seen := 0
	mutate(tree, "", func(path string) {
		changed, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		n := &Map{}
		if err := json.Unmarshal(changed, n); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		seen++
		if n.Digest() != m.Digest() && len(Diff(m, n)) == 0 {
			t.Errorf("%s can change unseen", path)
		}
	})
	if seen < 300 {
		t.Errorf("only %d values were changed", seen)
	}
	if changes := Diff(m, m); len(changes) != 0 {
		t.Errorf("a map differs from itself: %+v", changes)
	}
}

// mutate changes each value of a JSON tree in turn, calls try, and puts it back.
func mutate(v any, path string, try func(path string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			at := path + "." + key
			v[key] = another(x)
			try(at)
			v[key] = x
			mutate(x, at, try)
		}
	case []any:
		for i, x := range v {
			at := fmt.Sprintf("%s[%d]", path, i)
			v[i] = another(x)
			try(at)
			v[i] = x
			mutate(x, at, try)
		}
	}
}

func another(v any) any {
	switch v := v.(type) {
	case string:
		if _, err := ParseDuration(v); err == nil {
			return "11d"
		}
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return at.Add(time.Hour).Format(time.RFC3339)
		}
		if _, err := ParseWindow(v); err == nil {
			return "Sun 01:00-02:00"
		}
		return v + "x"
	case bool:
		return !v
	case float64:
		return v + 1
	case []any:
		if len(v) == 0 {
			return v
		}
		return v[1:]
	}
	return v
}
