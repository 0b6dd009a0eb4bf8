package decide_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
)

// chainMap has a chain of three environments, of which the last one is production.
const chainMap = trustMap + `environments:
  dev: {tier: dev}
  staging: {tier: staging, promote_from: dev}
  production: %s
people:
  jane: {teams: [payments], accounts: {github: jane}}
`

const calm = "{tier: prod, exposure: internal, data: internal, blast_radius: service, rollback: required, min_slsa: 2, promote_from: staging, soak: 1h, promotion_validity: 30d, vulnerability_sla: {critical: 7d, high: 30d}}"

// gateHouse is a house whose map has the environments, with everything about the commit
// checked and the artifact built from it.
func gateHouse(t testing.TB, production string) *house {
	h := newHouse(t, chain(production))
	h.checkCommit("payments")
	h.built(artifact)
	return h
}

func chain(production string) string {
	text := fmt.Sprintf(chainMap, production)
	text = strings.Replace(text, "{id: code.review, mode: block}]", "{id: code.review, mode: block}, {id: deploy.gate, mode: block}, {id: deploy.plan, mode: block}]", 1)
	text = strings.Replace(text, `{name: pipeline, key: local, kinds: ["*"], services: ["*"]}`, `{name: pipeline, key: local, kinds: ["*"], services: ["*"], environments: ["*"]}
  - {name: gate of staging, key: staging, kinds: [promotion], services: ["*"], environments: [staging]}`, 1)
	text = strings.ReplaceAll(text, "repo: https://github.com/acme/shop}", "repo: https://github.com/acme/shop, environments: [dev, staging, production]}")
	return text
}

// under gives the house another map.
func (h *house) under(production string) {
	h.t.Helper()
	m, err := decisionmap.Load("verdict.yaml", []byte(chain(production)))
	must(h.t, err)
	h.engine = &decide.Engine{Ledger: h.ledger, Map: m, Policy: h.engine.Policy, Signer: h.keys["local"], Now: h.engine.Now, Rand: rand.Reader, KeyName: h.keyName}
}

// built has an artifact of the commit trusted, with what a gate needs of it.
func (h *house) built(about verdict.Subject) {
	h.t.Helper()
	h.attest("local", verdict.KindSBOM, about, aBill)
	h.attest("local", verdict.KindProvenance, about, build{}.json())
	h.matched(about, clean("vulnerabilities"))
	if d := h.trust(about, "payments"); d.Outcome != verdict.Allow {
		h.t.Fatalf("it is not trusted: %s %s %+v", d.Outcome, rulesOf(d), d.Errors)
	}
}

// matched states which vulnerabilities an artifact has.
func (h *house) matched(about verdict.Subject, r verdict.Report) {
	h.t.Helper()
	r.Tool, r.Database = verdict.Tool{Name: "verdict", Version: "test"}, &verdict.Database{Name: "osv", Digest: "sha256:db", At: h.now, Entries: 1}
	s, err := evidence.NewCheck(r, []verdict.Subject{about}, h.now, h.now, verdict.Context{At: h.now}, rand.Reader)
	must(h.t, err)
	h.append("local", s)
}

var pipeline = &verdict.Requester{Person: "local", Kind: "workload", Known: true, Teams: []string{}}

func (h *house) asks(about verdict.Subject, environment string) decide.Request {
	return decide.Request{
		Point: "deploy.gate", Subject: about, Service: "payments", Team: "payments", Environment: environment, Trigger: "verdict gate", Actor: "key:test", Requester: pipeline,
	}
}

// gate asks, and takes each answer again.
func (h *house) gate(r decide.Request) verdict.Decision {
	h.t.Helper()
	d, _, err := h.engine.Decide(h.ctx, r)
	must(h.t, err)
	if h.again == nil { // one for all, since it keeps the rules that it compiled
		h.again = &decide.Replayer{Ledger: h.ledger, KeyName: h.keyName}
	}
	again, err := h.again.Replay(h.ctx, d.ID, ledger.Now)
	must(h.t, err)
	if !again.Same || again.Result != d.Digests.Result || again.Facts.State != verdict.StateVerified {
		h.t.Fatalf("the decision %s replays as another: %s, facts %+v", d.ID, again.Difference, again.Facts)
	}
	return d
}

// promote brings an artifact along the chain up to an environment.
func (h *house) promote(about verdict.Subject, environments ...string) {
	h.t.Helper()
	for _, e := range environments {
		if d := h.gate(h.asks(about, e)); d.Outcome != verdict.Allow {
			h.t.Fatalf("%s: %s %s %+v", e, d.Outcome, rulesOf(d), d.Errors)
		}
		h.now = h.now.Add(2 * time.Hour)
	}
}

func digestOf(letter string) verdict.Subject {
	return verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/payments", Digest: verdict.NewDigest("sha256", strings.Repeat(letter, 64))}
}

// A release that is in order reaches production without anybody being asked. Whoever breaks
// this makes people click yes all day.
func TestACleanServiceNeedsNobodyOnItsWay(t *testing.T) {
	h := gateHouse(t, calm)
	h.promote(artifact, "dev", "staging")
	if d := h.gate(h.asks(artifact, "production")); d.Outcome != verdict.Review || rulesOf(d) != "deploy.gate.first" {
		t.Fatalf("the first deployment to production: %s %s %+v", d.Outcome, rulesOf(d), d.Errors)
	}
	h.seasoned(calm)
	d := h.gate(h.asks(artifact, "production"))
	if d.Outcome != verdict.Allow || d.Exit() != 0 {
		t.Fatalf("%s %s %+v", d.Outcome, rulesOf(d), d.Errors)
	}
	if want := d.At.Add(30 * 24 * time.Hour); !d.Expires.Equal(want) {
		t.Errorf("the promotion expires at %s, want %s", d.Expires, want)
	}
	if d.Requester == nil || d.Requester.Person != "local" || d.Environment != "production" {
		t.Errorf("who asked and where is not recorded: %+v", d)
	}
}

// older was in production before the artifact.
var older = verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/payments-old", Digest: verdict.NewDigest("sha256", strings.Repeat("d", 64))}

// seasoned has an older artifact promoted everywhere, as if production had been less strict.
func (h *house) seasoned(production string) {
	h.t.Helper()
	h.under("{tier: staging, promote_from: staging}")
	h.built(older)
	h.promote(older, "dev", "staging", "production")
	h.under(production)
}

// A builder may build a service from other repositories where the map lists them, and what
// was trusted so is let in. It is no source of another service, for which it was not trusted.
func TestASourceIsTheServicesByRepositoryOrByBuilder(t *testing.T) {
	listed := strings.Replace(chain(calm), "level: 2,", `level: 2, sources: ["https://github.com/acme/*"],`, 1)
	h := newHouse(t, listed)
	h.checkCommit("payments")
	h.attest("local", verdict.KindSBOM, artifact, aBill)
	h.attest("local", verdict.KindProvenance, artifact, build{source: "https://github.com/acme/tools"}.json())
	h.matched(artifact, clean("vulnerabilities"))
	if d := h.trust(artifact, "payments"); d.Outcome != verdict.Allow {
		t.Fatalf("it is not trusted: %s %s", d.Outcome, rulesOf(d))
	}
	if d := h.gate(h.asks(artifact, "dev")); d.Outcome != verdict.Allow {
		t.Errorf("a source that the builder may build from: %s %s %+v", d.Outcome, rulesOf(d), d.Errors)
	}
	r := h.asks(artifact, "dev")
	r.Service, r.Team = "web", "web"
	if d := h.gate(r); d.Outcome != verdict.Deny {
		t.Errorf("as a service that it was not trusted for: %s %s", d.Outcome, rulesOf(d))
	}
	h.under(calm)
	if d := h.gate(h.asks(artifact, "dev")); d.Outcome != verdict.Deny || !strings.Contains(rulesOf(d), "deploy.gate.source") {
		t.Errorf("after the map took the source from the builder: %s %s", d.Outcome, rulesOf(d))
	}
}

// What holds a release back, each by itself. A user loses production on a Friday evening, or
// a frozen year end, if one of them is passed over.
func TestWhatHoldsAReleaseBack(t *testing.T) {
	strict := strings.Replace(calm, "soak: 1h", "soak: 1h, %s", 1)
	for name, c := range map[string]struct {
		production string
		tell       func(h *house, r *decide.Request)
		outcome    verdict.Outcome
		rules      string
	}{
		"nothing": {calm, func(*house, *decide.Request) {}, verdict.Allow, ""},
		"a freeze": {fmt.Sprintf(strict, "timezone: Europe/Amsterdam, freezes: [{from: 2026-11-20, to: 2026-11-20, reason: audit}]"),
			func(*house, *decide.Request) {}, verdict.Deny, "deploy.gate.freeze"},
		"hours":            {fmt.Sprintf(strict, "hours: {timezone: Asia/Tokyo, allow: Mon-Thu 08:00-16:00}"), func(*house, *decide.Request) {}, verdict.Deny, "deploy.gate.hours"},
		"soak time":        {strings.Replace(calm, "soak: 1h", "soak: 1d", 1), func(*house, *decide.Request) {}, verdict.Deny, "deploy.gate.soak"},
		"data at stake":    {strings.NewReplacer("exposure: internal", "exposure: internet", "data: internal", "data: restricted").Replace(calm), func(*house, *decide.Request) {}, verdict.Review, "deploy.gate.exposure"},
		"a wide blast":     {strings.Replace(calm, "blast_radius: service", "blast_radius: global", 1), func(*house, *decide.Request) {}, verdict.Review, "deploy.gate.blast"},
		"a level of SLSA":  {strings.Replace(calm, "min_slsa: 2", "min_slsa: 3", 1), func(*house, *decide.Request) {}, verdict.Deny, "deploy.gate.slsa"},
		"a base of no age": {fmt.Sprintf(strict, "max_base_age: 90d"), func(*house, *decide.Request) {}, verdict.Review, "deploy.gate.base"},
		"nobody known asks": {calm, func(_ *house, r *decide.Request) {
			r.Requester = &verdict.Requester{Person: "unknown-github-1", Kind: "person"}
		}, verdict.Deny, "deploy.gate.requester"},
		"nobody asks": {calm, func(_ *house, r *decide.Request) { r.Requester = nil }, verdict.Deny, "deploy.gate.requester evidence.missing"},
		"a place that is not there": {calm, func(_ *house, r *decide.Request) { r.Environment = "moon" }, verdict.Deny,
			"deploy.gate.chain deploy.gate.declared evidence.missing"},
		"another service": {calm, func(_ *house, r *decide.Request) { r.Service, r.Team = "web", "web" }, verdict.Deny, "deploy.gate.first deploy.gate.previous deploy.gate.slsa deploy.gate.soak evidence.missing"},
		"drift that is open": {calm, func(h *house, _ *decide.Request) {
			h.observed(`{"id":"f-1","class":"drift","state":"open"}`)
			h.observed(`{"id":"f-2","class":"drift","state":"open"}`)
			h.observed(`{"id":"f-2","class":"drift","state":"closed"}`)
		}, verdict.Review, "deploy.gate.drift"},
		"misuse that is open": {calm, func(h *house, _ *decide.Request) { h.observed(`{"id":"f-1","class":"misuse","state":"open"}`) }, verdict.Deny, "deploy.gate.misuse"},
		"what a stranger observed": {calm, func(h *house, _ *decide.Request) {
			h.enroll("mallory")
			h.observedBy("mallory", `{"id":"f-1","class":"misuse","state":"open"}`)
		}, verdict.Allow, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := gateHouse(t, calm)
			h.seasoned(calm)
			h.promote(artifact, "dev", "staging")
			h.under(c.production)
			r := h.asks(artifact, "production")
			c.tell(h, &r)
			if d := h.gate(r); d.Outcome != c.outcome || rulesOf(d) != c.rules {
				t.Errorf("%s: %s, want %s: %s\n%+v", d.Outcome, rulesOf(d), c.outcome, c.rules, d.Errors)
			}
		})
	}
}

func (h *house) observed(finding string) { h.observedBy("local", finding) }

func (h *house) observedBy(signer, finding string) {
	h.t.Helper()
	s, err := evidence.New(verdict.KindFinding, []verdict.Subject{artifact}, json.RawMessage(finding), verdict.Context{At: h.now, Service: "payments", Environment: "production"}, rand.Reader)
	must(h.t, err)
	h.append(signer, s)
}

// Who stopped looking years ago would otherwise go on seeing nothing, and what nobody looks at
// would pass for in order.
func TestWhoStoppedLookingDoesNotGoOnSeeingNothing(t *testing.T) {
	for wait, want := range map[time.Duration]verdict.State{time.Hour: verdict.StateVerified, 49 * time.Hour: verdict.StateStale} {
		h := newHouse(t, chain(calm)+"sources: {watcher: {kinds: [finding], max_age: 2d}, advisories: {max_age: 7d}, verdict: {kinds: [secrets, vulnerabilities, dependencies, iac]}}\n")
		h.checkCommit("payments")
		h.built(artifact)
		h.observed(`{"id":"f-1","class":"misuse","state":"closed"}`)
		h.now = h.now.Add(wait)
		d := h.gate(h.asks(artifact, "production"))
		if got := h.inputOf(d).Runtime; got.State != want || got.OpenMisuse != 0 {
			t.Errorf("after %s: %+v", wait, got)
		}
		if passed := slices.Contains(d.Passed, "deploy.gate.misuse"); passed != (want == verdict.StateVerified) {
			t.Errorf("after %s: passed %v, skipped %v", wait, d.Passed, d.Skipped)
		}
	}
}

// A finding that cannot be read may be open, whatever else was seen.
func TestAFindingThatCannotBeReadIsNotNothing(t *testing.T) {
	h := newHouse(t, chain(calm))
	h.checkCommit("payments")
	h.built(artifact)
	h.observed(`{"id":7}`)
	s, err := evidence.New(verdict.KindObservation, []verdict.Subject{artifact}, json.RawMessage(`{}`), verdict.Context{At: h.now, Environment: "production"}, rand.Reader)
	must(t, err)
	h.append("local", s)
	d, _, err := h.engine.Decide(h.ctx, h.asks(artifact, "production"))
	must(t, err)
	if got := h.inputOf(d).Runtime; got.State != verdict.StateUnknown {
		t.Errorf("%+v", got)
	}
}

// Who may tell what he sees could otherwise close what a stronger observer found, or make
// something harmless of it.
func TestAFindingIsClosedByWhoFoundItOrWhoIsTrustedAsMuch(t *testing.T) {
	const found, closed, harmless = `{"id":"f-1","class":"misuse","state":"open"}`, `{"id":"f-1","class":"misuse","state":"closed"}`, `{"id":"f-1","class":"other","state":"open"}`
	for _, c := range []struct {
		name string
		said [][2]string // by whom, and what
		open int64
	}{
		{"closed by who found it", [][2]string{{"local", found}, {"local", closed}}, 0},
		{"closed by a weaker one", [][2]string{{"local", found}, {"eye", closed}}, 1},
		{"made harmless by a weaker one", [][2]string{{"local", found}, {"eye", harmless}}, 1},
		{"closed by a stronger one", [][2]string{{"eye", found}, {"local", closed}}, 0},
		{"found by both, closed by the weaker one", [][2]string{{"eye", found}, {"local", found}, {"eye", closed}}, 1},
		{"found by both and told once", [][2]string{{"local", found}, {"eye", found}}, 1},
		{"closed by the stronger one, and found anew by the weaker", [][2]string{{"local", found}, {"local", closed}, {"eye", found}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, strings.Replace(chain(calm), "\nbuilders:", "\n  - {name: second eye, key: eye, kinds: [finding], services: [\"*\"], environments: [\"*\"]}\nbuilders:", 1))
			h.checkCommit("payments")
			h.built(artifact)
			h.enroll("eye")
			for _, s := range c.said {
				h.observedBy(s[0], s[1])
			}
			if got := h.inputOf(h.gate(h.asks(artifact, "production"))).Runtime; got.OpenMisuse != c.open || got.State != verdict.StateVerified {
				t.Errorf("%+v", got)
			}
		})
	}
}

// An environment lets in what the one before let in, by a signer whom the map lets say so
// there: any enrolled key could otherwise promote past it.
func TestOnlyPromotionsThatCountLeadOn(t *testing.T) {
	for name, c := range map[string]struct {
		signer  string
		byID    bool
		wait    time.Duration
		outcome verdict.Outcome
	}{
		"by the key that may":                           {"staging", true, 2 * time.Hour, verdict.Allow},
		"by a key that somebody enrolled with its name": {"staging", false, 2 * time.Hour, verdict.Deny},
		"by a key that may do nothing":                  {"mallory", false, 2 * time.Hour, verdict.Deny},
		"before its soak time is over":                  {"staging", true, 59 * time.Minute, verdict.Deny},
		"after the promotion has lapsed":                {"staging", true, 2 * 24 * time.Hour, verdict.Deny},
	} {
		t.Run(name, func(t *testing.T) {
			h := gateHouse(t, calm)
			h.seasoned(calm)
			h.promote(artifact, "dev")
			h.enroll(c.signer)
			h.engine.Signer = h.keys[c.signer]
			e := h.engine.Map.Environments["staging"]
			e.PromotionValidity = decisionmap.Day
			h.engine.Map.Environments["staging"] = e
			if _, _, err := h.engine.Decide(h.ctx, h.asks(artifact, "staging")); err != nil {
				t.Fatal(err)
			}
			h.under(calm)
			if i := slices.IndexFunc(h.engine.Map.Trust, func(t decisionmap.Trust) bool { return t.Key == c.signer }); c.byID {
				h.engine.Map.Trust[i].Key = h.keys[c.signer].KeyID()
			}
			h.now = h.now.Add(c.wait)
			h.matched(artifact, clean("vulnerabilities"))
			if d := h.gate(h.asks(artifact, "production")); d.Outcome != c.outcome {
				t.Errorf("%s %s", d.Outcome, rulesOf(d))
			}
		})
	}
}

// What an emergency let in leads nowhere: the next environment would otherwise take in what no
// rule let pass.
func TestWhatAnEmergencyLetInDoesNotLeadOn(t *testing.T) {
	for name, first := range map[string]func(h *house){
		"an emergency is no promotion": func(h *house) {
			h.promote(artifact, "dev")
			(&gate{house: h}).says("local", verdict.KindDecision, verdict.Decision{
				ID: "d-glass", Point: "deploy.gate", Subject: artifact, Service: "payments", Environment: "staging", Outcome: verdict.Allow, Enforced: verdict.Allow, At: h.now, BreakGlass: "b-1",
			}, verdict.Context{Service: "payments", Environment: "staging", Point: "deploy.gate"}, artifact)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := gateHouse(t, calm)
			h.seasoned(calm)
			first(h)
			h.now = h.now.Add(2 * time.Hour)
			h.matched(artifact, clean("vulnerabilities"))
			if d := h.gate(h.asks(artifact, "production")); d.Outcome != verdict.Deny || !strings.Contains(rulesOf(d), "deploy.gate.previous") || !strings.Contains(rulesOf(d), "deploy.gate.soak") {
				t.Errorf("%s %s", d.Outcome, rulesOf(d))
			}
		})
	}
}

// Going back does not wait, and excuses nothing that is true of the artifact.
func TestGoingBackIsAShortWay(t *testing.T) {
	frozen := strings.Replace(calm, "soak: 1h", "soak: 30d, hours: {timezone: UTC, allow: Sun-Sun 01:00-02:00}, freezes: [{from: 2026-11-01, to: 2026-12-31, reason: x}]", 1)
	ready := func(t *testing.T) *house {
		h := gateHouse(t, calm)
		h.seasoned(calm)
		h.promote(artifact, "dev", "staging", "production")
		h.under(frozen)
		return h
	}
	h := ready(t)
	if d := h.gate(h.asks(artifact, "production")); d.Outcome != verdict.Deny || d.Rollback {
		t.Errorf("what runs there already is no way back: %s, rollback %v", d.Outcome, d.Rollback)
	}
	for _, trigger := range []string{decide.TriggerRollback, "verdict gate"} {
		h := ready(t)
		r := h.asks(older, "production")
		r.Trigger = trigger
		if d := h.gate(r); d.Outcome != verdict.Allow || !d.Rollback {
			t.Errorf("%s: %s %s, rollback %v", trigger, d.Outcome, rulesOf(d), d.Rollback)
		}
	}
	back := ready(t)
	back.gate(back.asks(older, "production"))
	if d := back.gate(back.asks(artifact, "production")); d.Outcome != verdict.Deny || d.Rollback {
		t.Errorf("what was gone back from came back as a rollback: %s, rollback %v", d.Outcome, d.Rollback)
	}
	bad := h.vulnerable("", time.Hour)
	bad.Hits[0].Vulnerability.Exploited = true
	h.matched(older, bad)
	if d := h.gate(h.asks(older, "production")); d.Outcome != verdict.Deny || rulesOf(d) != "deploy.gate.exploited" {
		t.Errorf("an exploited artifact was gone back to: %s %s", d.Outcome, rulesOf(d))
	}
	never := h.asks(digestOf("e"), "production")
	h.built(digestOf("e"))
	never.Trigger = decide.TriggerRollback
	if d := h.gate(never); d.Outcome == verdict.Allow || len(d.Errors) == 0 || d.Errors[0].Code != "rollback.target" || d.Errors[0].Remedy == "" {
		t.Errorf("what never was there was gone back to: %s %+v", d.Outcome, d.Errors)
	}
}

// The time of a vulnerability counts from when the service first brought it, over every build:
// otherwise it would begin anew with each release, and never be over.
func TestANewBuildDoesNotBeginTheTimeOfAVulnerabilityAnew(t *testing.T) {
	h := gateHouse(t, calm)
	h.seasoned(calm)
	flawed := func(about verdict.Subject) { h.matched(about, h.vulnerable("", time.Hour)) }
	flawed(artifact)
	h.promote(artifact, "dev", "staging", "production")
	h.now = h.now.Add(29 * 24 * time.Hour)
	next := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/payments-next", Digest: verdict.NewDigest("sha256", strings.Repeat("c", 64))}
	h.built(next)
	flawed(next)
	h.promote(next, "dev", "staging", "production")
	h.now = h.now.Add(48 * time.Hour)
	flawed(next)
	if d := h.gate(h.asks(next, "production")); d.Outcome != verdict.Deny || rulesOf(d) != "deploy.gate.sla" {
		t.Errorf("31 days after it was first brought: %s %s", d.Outcome, rulesOf(d))
	}
}

// A second build of a commit that an environment saw is a reason to look.
func TestAnotherBuildOfTheSameCommitIsNoticed(t *testing.T) {
	h := gateHouse(t, calm)
	h.seasoned(calm)
	h.promote(artifact, "dev", "staging")
	again := digestOf("c")
	h.built(again)
	h.promote(again, "dev")
	for _, name := range []string{again.Name, "", "ghcr.io/acme/elsewhere"} { // whoever asks says it
		r := h.asks(again, "staging")
		r.Subject.Name = name
		if d, err := h.engine.Preview(h.ctx, r); err != nil || d.Outcome != verdict.Review || rulesOf(d) != "deploy.gate.rebuilt" {
			t.Errorf("as %q: %s %s, %v", name, d.Outcome, rulesOf(d), err)
		}
	}
	if d := h.gate(h.asks(again, "staging")); d.Outcome != verdict.Review {
		t.Errorf("%s %s", d.Outcome, rulesOf(d))
	}
}

// A preview says what the gate would say, and leaves no trace.
func TestAPreviewRecordsNothing(t *testing.T) {
	h := gateHouse(t, calm)
	before, err := h.ledger.Position(h.ctx)
	must(t, err)
	d, err := h.engine.Preview(h.ctx, h.asks(artifact, "dev"))
	must(t, err)
	after, err := h.ledger.Position(h.ctx)
	must(t, err)
	if d.Outcome != verdict.Allow || before != after {
		t.Errorf("%s, the ledger went from %d to %d", d.Outcome, before, after)
	}
}

// A plan is let into an environment by what it does there, as it was recorded when it was
// checked.
func TestAPlanIsJudgedByWhatItTouches(t *testing.T) {
	production := strings.Replace(calm, "soak: 1h", "soak: 1h, reach: {providers: [azurerm], regions: [westeurope]}, protected: [\"azurerm_mssql_*\"]", 1)
	res := func(kind, action, class string) verdict.PlannedResource {
		return verdict.PlannedResource{Address: kind + ".x", Type: kind, Provider: "azurerm", Action: action, Class: class, Region: "westeurope"}
	}
	for name, c := range map[string]struct {
		plan    verdict.Plan
		age     time.Duration
		outcome verdict.Outcome
		rules   string
	}{
		"it adds":                 {verdict.Plan{Create: 1, Resources: []verdict.PlannedResource{res("azurerm_linux_web_app", "create", "other")}}, 0, verdict.Allow, ""},
		"it deletes":              {verdict.Plan{Delete: 1, Resources: []verdict.PlannedResource{res("azurerm_linux_web_app", "delete", "other")}}, 0, verdict.Review, "deploy.plan.destructive"},
		"it gives rights":         {verdict.Plan{Create: 1, Resources: []verdict.PlannedResource{res("azurerm_role_assignment", "create", "identity")}}, 0, verdict.Review, "deploy.plan.identity"},
		"it takes what stays":     {verdict.Plan{Replace: 1, Resources: []verdict.PlannedResource{res("azurerm_mssql_database", "replace", "data")}}, 0, verdict.Deny, "deploy.plan.data deploy.plan.destructive deploy.plan.protected"},
		"it goes elsewhere":       {verdict.Plan{Create: 1, Regions: []string{"eastus"}, Providers: []string{"aws"}}, 0, verdict.Deny, "deploy.plan.reach"},
		"it was checked long ago": {verdict.Plan{Create: 1}, 25 * time.Hour, verdict.Deny, "evidence.missing"},
	} {
		t.Run(name, func(t *testing.T) {
			h := gateHouse(t, production)
			about := verdict.Subject{Kind: verdict.SubjectPlan, Name: "tfplan.json", Digest: verdict.NewDigest("sha256", strings.Repeat("f", 64))}
			for _, check := range []string{"iac", "iac-plan"} {
				r := clean(check)
				r.Tool = verdict.Tool{Name: "verdict", Version: "test"}
				if check == "iac-plan" {
					r.Plan = &c.plan
				}
				s, err := evidence.NewCheck(r, []verdict.Subject{about}, h.now, h.now, verdict.Context{At: h.now}, rand.Reader)
				must(t, err)
				h.append("local", s)
			}
			if d, _, err := h.engine.Decide(h.ctx, decide.Request{Point: "ci.iac", Subject: about, Service: "payments", Trigger: "test", Actor: "key:test"}); err != nil || d.Outcome != verdict.Allow {
				t.Fatalf("%v %+v", err, d.Reasons)
			}
			h.now = h.now.Add(c.age)
			r := h.asks(about, "production")
			r.Point = "deploy.plan"
			if d := h.gate(r); d.Outcome != c.outcome || rulesOf(d) != c.rules {
				t.Errorf("%s: %s, want %s: %s\n%+v", d.Outcome, rulesOf(d), c.outcome, c.rules, d.Errors)
			}
		})
	}
}
