package decisionmap

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"verdict"
)

// org is an organisation map that says something about everything that could loosen.
const org = `schema: verdict/v1
organization: acme
adopting: false
environments:
  dev: {tier: dev}
  prod:
    tier: prod
    cloud: azure
    exposure: internet
    data: restricted
    blast_radius: regional
    rollback: tested
    min_slsa: 3
    promote_from: dev
    soak: 4h
    timezone: UTC
    promotion_validity: 30d
    max_base_age: 90d
    vulnerability_sla: {critical: 7d, high: 30d, medium: 90d, low: 180d}
    reach: {providers: [azurerm], accounts: [sub-1], regions: [westeurope], kinds: ["azurerm_*"]}
    protected: [azurerm_key_vault]
    hours: {timezone: UTC, allow: "Mon-Thu 08:00-16:00"}
    freezes: [{from: 2026-12-18, to: 2027-01-04, reason: year end}]
services: {api: {team: payments, owner: leads, repo: "https://github.com/acme/api", iac: infra, environments: [dev]}, shop: {team: web, owner: leads, environments: [dev]}, idle: {owner: leads, environments: [dev]}}
points:
  - id: ci.secrets
    mode: block
    needs: [{kind: secrets, max_age: 7d}]
    owner: appsec
    at: github/workflow
  - {id: code.ownership, mode: warn, enforce_from: 2027-01-01}
  - {id: deploy.gate, mode: block, review: {approvers: [security], count: 2, not: [author, requester], requires: [scope, rationale, expiry], max_validity: 24h}}
sources: {advisories: {max_age: 7d}, scan: {kinds: [licences], command: [scan]}}
exceptions: {max_validity: 30d, approvers: [security]}
break_glass: {who: [sre], notify: [security]}
retention: {default: 3y, minimum: 1y, audit_log: 7y}
trust: [{name: build, key: k, kinds: ["*"], services: ["*"], environments: ["*"]}]
people: {jane: {teams: [security], accounts: {github: jane}}}
`

const repoHead = "schema: verdict/v1\nservice: api\n"

// A repository that could loosen one field of the map that judges it could let itself
// through. Each field that could is here, with the words that a person reads.
func TestARepositoryFileCannotLoosenTheOrganisationMap(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a mode is weakened":                                       {"points: [{id: ci.secrets, mode: observe}]", `points.ci.secrets.mode weakens what the organisation acme requires: mode: "observe" instead of "block"`},
		"a mode is weakened a little":                              {"points: [{id: deploy.gate, mode: warn}]", `mode: "warn" instead of "block"`},
		"a need is removed":                                        {"points: [{id: artifact.trust, needs: [sbom, provenance]}]", `points.artifact.trust.needs weakens what the organisation acme requires: needs: "signature" was taken out`},
		"a need accepts an unknown producer":                       {"points: [{id: ci.secrets, needs: [{kind: secrets, max_age: 7d, accept: present}]}]", `points.ci.secrets.needs.secrets.accept weakens`},
		"a need may be older":                                      {"points: [{id: ci.secrets, needs: [{kind: secrets, max_age: 8d}]}]", `max_age: 8d instead of 7d`},
		"a need may be of any age":                                 {"points: [{id: ci.secrets, needs: [secrets]}]", `max_age: 0 instead of 7d (0: never stale)`},
		"a policy is removed":                                      {"points: [{id: ci.secrets, policy: [acme.fine]}]", `"verdict.rules.ci.secrets" was taken out`},
		"partial rules are allowed":                                {"points: [{id: ci.secrets, allow_partial: true}]", `allow_partial: true instead of false`},
		"a retention of a point is shorter":                        {"points: [{id: ci.secrets, produces: {kind: secrets-check, retain: 2y}}]", `retain: 2y instead of 3y`},
		"a point leaves something else":                            {"points: [{id: ci.secrets, produces: {kind: other}}]", `produces.kind changes`},
		"a day of enforcement is later":                            {"points: [{id: code.ownership, enforce_from: 2027-06-01}]", `enforce_from`},
		"a feed is removed":                                        {"points: [{id: runtime.drift, feeds: [backlog]}]", `"deploy.gate" was taken out`},
		"a point belongs to somebody else":                         {"points: [{id: ci.secrets, owner: us}]", `owner: "us" instead of "appsec"`},
		"a point is asked elsewhere":                               {"points: [{id: ci.secrets, at: gitlab/job}]", `points.ci.secrets.at changes`},
		"a point stands in for another":                            {"points: [{id: ci.mine, question: \"Is mine fine?\", policy: acme.fine, produces: {kind: secrets-check}, owner: us}]", `leaves "secrets-check", as ci.secrets does`},
		"another approver":                                         {"points: [{id: deploy.gate, review: {approvers: [security, us]}}]", `approvers: "us" was added`},
		"fewer approvers have to agree":                            {"points: [{id: deploy.gate, review: {count: 1}}]", `count: 1 instead of 2`},
		"the author may approve":                                   {"points: [{id: deploy.gate, review: {not: [requester]}}]", `not: "author" was taken out`},
		"an approval needs no rationale":                           {"points: [{id: deploy.gate, review: {requires: [scope, expiry]}}]", `requires: "rationale" was taken out`},
		"an approval lasts longer":                                 {"points: [{id: deploy.gate, review: {max_validity: 48h}}]", `max_validity: 2d instead of 1d`},
		"approvals where nobody could approve":                     {"points: [{id: deploy.admission, review: {approvers: [us]}}]", `somebody may approve, instead of nobody`},
		"an environment is no longer production":                   {"environments: {prod: {tier: staging}}", `environments.prod.tier weakens`},
		"an environment of one's own":                              {"environments: {mine: {tier: dev}}", `mine was added to environments`},
		"another cloud":                                            {"environments: {prod: {tier: prod, cloud: aws}}", `environments.prod.cloud changes`},
		"less exposure is declared":                                {"environments: {prod: {tier: prod, exposure: internal}}", `exposure: "internal" instead of "internet"`},
		"less data is declared":                                    {"environments: {prod: {tier: prod, data: public}}", `environments.prod.data weakens`},
		"a smaller blast radius is declared":                       {"environments: {prod: {tier: prod, blast_radius: service}}", `blast_radius: "service" instead of "regional"`},
		"no rollback":                                              {"environments: {prod: {tier: prod, rollback: none}}", `rollback: "none" instead of "tested"`},
		"a lower SLSA level":                                       {"environments: {prod: {tier: prod, min_slsa: 1}}", `min_slsa: 1 instead of 3`},
		"another way of promotion":                                 {"environments: {prod: {tier: prod, promote_from: prod}}", `promote_from: "prod" instead of "dev"`},
		"a shorter soak":                                           {"environments: {prod: {tier: prod, soak: 1h}}", `soak: 1h instead of 4h`},
		"more time for vulnerabilities":                            {"environments: {prod: {tier: prod, vulnerability_sla: {critical: 8d}}}", `critical: 8d instead of 7d`},
		"an older base image":                                      {"environments: {prod: {tier: prod, max_base_age: 91d}}", `max_base_age: 91d instead of 90d`},
		"promotions that count for longer":                         {"environments: {prod: {tier: prod, promotion_validity: 31d}}", `promotion_validity: 31d instead of 30d`},
		"a further region":                                         {"environments: {prod: {tier: prod, reach: {regions: [westeurope, eastus]}}}", `"eastus" was added`},
		"any account":                                              {"environments: {prod: {tier: prod, reach: {accounts: []}}}", `accounts: any, instead of these alone`},
		"a kind that is no longer protected":                       {"environments: {prod: {tier: prod, protected: []}}", `"azurerm_key_vault" was taken out`},
		"a freeze in another zone":                                 {"environments: {prod: {tier: prod, timezone: Asia/Tokyo}}", `environments.prod.timezone changes`},
		"longer hours":                                             {"environments: {prod: {tier: prod, hours: {allow: Mon-Fri 08:00-16:00}}}", `environments.prod.hours weakens`},
		"hours of another zone":                                    {"environments: {prod: {tier: prod, hours: {timezone: Asia/Tokyo, allow: Mon-Thu 08:00-16:00}}}", `environments.prod.hours changes`},
		"a freeze is dropped":                                      {"environments: {prod: {tier: prod, freezes: []}}", `is no longer covered`},
		"a freeze is shortened":                                    {"environments: {prod: {tier: prod, freezes: [{from: 2026-12-18, to: 2027-01-03, reason: year end}]}}", `is no longer covered`},
		"a service runs where the organisation does not let it":    {"services: {api: {environments: [dev, prod]}}", `may run in "prod" too`},
		"a service of one's own runs somewhere":                    {"services: {other: {team: t, owner: o, environments: [dev]}}", `services.other.environments changes what the organisation acme requires: environments: the service may run in "dev" too`},
		"what runs somewhere is approved by one's own team":        {"services: {idle: {team: us}}", `services.idle.team changes`},
		"what runs somewhere comes from one's own repository":      {"services: {shop: {repo: https://github.com/evil/shop}}", `services.shop.repo changes`},
		"a service belongs to another team":                        {"team: us", `team: "us" instead of "payments"`},
		"a service belongs to another owner":                       {"owner: us", `owner: "us" instead of "leads"`},
		"a service comes from another repository":                  {"repo: https://github.com/evil/api", `services.api.repo changes`},
		"infrastructure code is hidden":                            {"iac: other", `iac: "infra" is no longer covered`},
		"somebody is trusted":                                      {"trust: [{name: build, key: k, kinds: ['*'], services: ['*'], environments: ['*']}, {name: me, key: mine, kinds: ['*'], services: ['*']}]", `trust: me mine (*) is trusted with more than before`},
		"a server speaks for people":                               {"trust: [{name: build, key: k, kinds: ['*'], services: ['*'], environments: ['*']}, {name: cp, key: '" + anID + "', for: people, kinds: [approval], services: ['*'], environments: ['*']}]", `for people (approval) is trusted with more than before`},
		"a person is added":                                        {"people: {eve: {teams: [security], accounts: {github: eve}}}", `eve was added to people`},
		"a person gets an account":                                 {"people: {jane: {accounts: {github: [jane, eve]}}}", `people.jane.accounts.github changes`},
		"a person gets a team":                                     {"people: {jane: {teams: [security, sre]}}", `people.jane.teams changes`},
		"an exception lasts longer":                                {"exceptions: {max_validity: 60d}", `exceptions.max_validity weakens`},
		"an exception needs no owner":                              {"exceptions: {requires: [rule, scope, rationale, expiry]}", `requires: "owner" was taken out`},
		"the requester may approve an exception":                   {"exceptions: {approver_not: [author]}", `approver_not: "requester" was taken out`},
		"anybody may approve an exception":                         {"exceptions: {approvers: []}", `anybody may approve, instead of these`},
		"another approver of exceptions":                           {"exceptions: {approvers: [security, us]}", `approvers: "us" was added`},
		"another may break the glass":                              {"break_glass: {who: [sre, us]}", `who: "us" was added`},
		"breaking the glass needs no incident":                     {"break_glass: {requires: [rationale]}", `requires: "incident" was taken out`},
		"broken glass lasts longer":                                {"break_glass: {max_validity: 8h}", `max_validity: 8h instead of 4h`},
		"broken glass is reviewed later":                           {"break_glass: {review_within: 7d}", `review_within: 7d instead of 1d`},
		"nobody is told of broken glass":                           {"break_glass: {notify: []}", `notify: "security" was taken out`},
		"evidence is kept for a shorter time":                      {"retention: {default: 2y}", `retention.default weakens`},
		"the minimum is shorter":                                   {"retention: {minimum: 30d}", `retention.minimum weakens`},
		"the audit log is kept for a shorter time":                 {"retention: {audit_log: 1y}", `retention.audit_log weakens`},
		"advisories may be older":                                  {"sources: {advisories: {max_age: 30d}}", `max_age: 30d instead of 7d`},
		"a command is changed":                                     {"sources: {scan: {command: [sh, -c, evil]}}", `sources.scan.command changes what the organisation acme requires: command: "sh -c evil" instead of "scan"`},
		"a source of one's own":                                    {"sources: {mine: [sbom]}", `sources.mine changes`},
		"a source yields something else":                           {"sources: {scan: [licences, sbom]}", `sources.scan.kinds changes`},
		"a source becomes the primary one":                         {"sources: {scan: {primary: true}}", `sources.scan.primary changes`},
		"another bundle":                                           {"policies: {bundle: mine}", `policies.bundle changes`},
		"another signer of the bundle":                             {"policies: {verify: {key: mine}}", `policies.verify.key changes`},
		"the time of adopting begins":                              {"adopting: true", `adopting: true instead of false`},
		"a file that calls itself an organisation's":               {"organization: acme", `is an organisation map itself`},
		"a tightening beside a loosening does not hide it":         {"points: [{id: ci.secrets, mode: observe}, {id: code.review, mode: block}]", `points.ci.secrets.mode weakens`},
		"a service that the organisation knows in a place unknown": {"services: {other: {team: t, owner: o, environments: [moon]}}", `names the environment "moon"`},
	} {
		t.Run(name, func(t *testing.T) {
			repo := load(t, repoHead+c.text+"\n")
			m, err := Merge(load(t, org), repo)
			var e *verdict.Error
			if !errors.As(err, &e) || m != nil {
				t.Fatalf("it was accepted: %v", err)
			}
			if !strings.Contains(e.What, c.want) || e.Remedy == "" {
				t.Errorf("it says\n%s\nand not\n%s", e.What, c.want)
			}
			if !strings.Contains(e.What, "verdict.yaml") {
				t.Errorf("it does not say in which file: %s", e.What)
			}
		})
	}
}

func TestARefusalNamesTheLineOfTheRepositoryFile(t *testing.T) {
	o, err := Load("acme.yaml", []byte(org))
	if err != nil {
		t.Fatal(err)
	}
	repo, err := Load("api/verdict.yaml", []byte(repoHead+"# a comment\npoints:\n  - id: ci.secrets\n    mode: observe\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(o, repo); err == nil || !strings.HasPrefix(err.Error(), "api/verdict.yaml:6: points.ci.secrets.mode weakens") {
		t.Errorf("it says %v", err)
	}
}

func TestARepositoryFileMayDeclareAndTighten(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		check func(m *Map) bool
	}{
		"paths of its service":               {"paths: [src, cmd]", func(m *Map) bool { return slices.Equal(m.Services["api"].Paths, []string{"src", "cmd"}) }},
		"further infrastructure":             {"iac: [infra, infra2]", func(m *Map) bool { return len(m.Services["api"].IaC) == 2 }},
		"a tier where none was said":         {"tier: critical", func(m *Map) bool { return m.Services["api"].Tier == "critical" }},
		"what the organisation said as well": {"team: payments\nowner: leads", func(m *Map) bool { return m.Services["api"].Team == "payments" }},
		"a service that nobody declared":     {"services: {worker: {team: us, owner: me}}", func(m *Map) bool { return m.Services["worker"].Team == "us" }},
		"a stronger mode":                    {"points: [{id: artifact.trust, mode: block}]", func(m *Map) bool { p, _ := m.Point("artifact.trust"); return p.Mode == "block" }},
		"a further need":                     {"points: [{id: ci.secrets, needs: [{kind: secrets, max_age: 1d}, dependencies]}]", func(m *Map) bool { p, _ := m.Point("ci.secrets"); return len(p.Needs) == 2 && p.Needs[0].MaxAge == Day }},
		"a further policy":                   {"points: [{id: ci.secrets, policy: [verdict.rules.ci.secrets, acme.fine]}]", func(m *Map) bool { p, _ := m.Point("ci.secrets"); return len(p.Policy) == 2 }},
		"the same needs in another order":    {"points: [{id: deploy.gate, needs: [request, environment, vulnerabilities, sbom, vsa]}]", func(m *Map) bool { p, _ := m.Point("deploy.gate"); return len(p.Needs) == 5 && p.Mode == "block" }},
		"an earlier day of enforcement":      {"points: [{id: code.ownership, enforce_from: 2026-12-01}]", func(m *Map) bool { p, _ := m.Point("code.ownership"); return p.EnforceFrom.Year() == 2026 }},
		"a point of its own": {"points: [{id: ci.mine, question: \"Is mine fine?\", policy: acme.fine, produces: {kind: mine-check}, owner: us}]", func(m *Map) bool {
			p, ok := m.Point("ci.mine")
			return ok && p.Mode == "block" && p.Produces.Retain == 3*365*Day
		}},
		"a longer retention, also of its points": {"retention: {default: 5y}", func(m *Map) bool { p, _ := m.Point("ci.secrets"); return p.Produces.Retain == 5*365*Day }},
		"a shorter exception":                    {"exceptions: {max_validity: 14d}", func(m *Map) bool { return m.Exceptions.MaxValidity == 14*Day }},
		"fresher advisories":                     {"sources: {advisories: {max_age: 2d}}", func(m *Map) bool { return m.Sources["advisories"].MaxAge == 2*Day }},
		"a further freeze":                       {"environments: {prod: {tier: prod, freezes: [{from: 2026-12-10, to: 2027-01-10, reason: ours}]}}", func(m *Map) bool { return len(m.Environments["prod"].Freezes) == 1 }},
		"shorter hours":                          {"environments: {prod: {tier: prod, hours: {allow: Tue 09:00-10:00}}}", func(m *Map) bool { return m.Environments["prod"].Hours.Allow[0].String() == "Tue 09:00-10:00" }},
		"fewer people who break the glass":       {"break_glass: {who: []}", func(m *Map) bool { return len(m.BreakGlass.Who) == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			o := load(t, org)
			before := o.Digest()
			m, err := Merge(o, load(t, repoHead+c.text+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(m) {
				b, _ := m.Canonical()
				t.Errorf("it did not arrive: %s", b)
			}
			if o.Digest() != before {
				t.Error("the organisation map was changed")
			}
		})
	}
}

// The short form declares a service without a word of where it runs: under an organisation's
// map that is nowhere, and alone everywhere.
func TestADeclaredServiceRunsWhereTheOrganisationLetsIt(t *testing.T) {
	alone := load(t, "schema: verdict/v1\nservice: mine\nenvironments: {dev: {tier: dev}}\n")
	if got := alone.Services["mine"].Environments; !slices.Equal(got, []string{"dev"}) {
		t.Errorf("alone: %v", got)
	}
	for name, want := range map[string][]string{"mine": nil, "api": {"dev"}} {
		m, err := Merge(load(t, org), load(t, "schema: verdict/v1\nservice: "+name+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Services[name].Environments; !slices.Equal(got, want) {
			t.Errorf("%s under acme: %v", name, got)
		}
	}
}

// A change must not be judged by the map that it brings along.
func TestWhichMapJudges(t *testing.T) {
	o, other := load(t, org), load(t, strings.Replace(org, "organization: acme", "organization: globex", 1))
	newer := load(t, strings.Replace(org, "mode: block", "mode: observe", 1))
	repo := load(t, repoHead+"points: [{id: artifact.trust, mode: block}]\n")
	loose := load(t, repoHead+"points: [{id: ci.secrets, mode: observe}]\n")
	mode := func(m *Map, id string) verdict.Mode {
		p, _ := m.Point(id)
		return p.Mode
	}
	for name, c := range map[string]struct {
		released, base *Map
		id             string
		want           verdict.Mode
	}{
		"without any map the built-in one":                             {nil, nil, "ci.secrets", "block"},
		"without a released map the one of the merge base":             {nil, loose, "ci.secrets", "observe"},
		"without a file the released one":                              {o, nil, "artifact.trust", "observe"},
		"with both the file over the released one":                     {o, repo, "artifact.trust", "block"},
		"an unreleased organisation map gives way to the released one": {o, newer, "ci.secrets", "block"},
		"a team's released file judges its newer one":                  {repo, loose, "ci.secrets", "block"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Resolve(c.released, c.base)
			if err != nil {
				t.Fatal(err)
			}
			if got := mode(m, c.id); got != c.want {
				t.Errorf("%s is in %s", c.id, got)
			}
		})
	}
	for name, c := range map[string]struct{ released, base *Map }{
		"a file that loosens":             {o, loose},
		"a map of another organisation":   {o, other},
		"a service in no environment":     {nil, load(t, repoHead+"services: {api: {environments: [prod]}}\n")},
		"an organisation under a team":    {repo, o},
		"a file that loosens the team's ": {o, load(t, repoHead+"retention: {minimum: 1d}\n")},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			var e *verdict.Error
			if m, err := Resolve(c.released, c.base); !errors.As(err, &e) || e.Remedy == "" || m != nil {
				t.Errorf("%v, %v", m, err)
			}
		})
	}
}
