package decide_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/blob/dir"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/policy"
	"verdict/store"
	"verdict/store/sqlite"
)

// house is a real ledger on SQLite with one enrolled key, and an engine on the built-in
// map and rules.
type house struct {
	t      testing.TB
	ctx    context.Context
	ledger *ledger.Ledger
	keys   map[string]*evidence.KeyFile
	engine *decide.Engine
	again  *decide.Replayer // nil until a test takes decisions again by it
	now    time.Time
	// replica opens the same ledger as another process does, with an anchor of its own.
	replica func(name string) *ledger.Ledger
}

func newHouse(t testing.TB, mapYAML string) *house {
	t.Helper()
	folder := t.TempDir()
	return newHouseOn(t, folder, mapYAML, func() (store.Engine, error) {
		return sqlite.Open(context.Background(), filepath.Join(folder, "ledger.db"), sqlite.Options{})
	})
}

// newHouseOn is newHouse on another database; folder is for what lies beside it.
func newHouseOn(t testing.TB, folder, mapYAML string, database func() (store.Engine, error)) *house {
	t.Helper()
	h := &house{t: t, ctx: context.Background(), keys: map[string]*evidence.KeyFile{}, now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	logKey, err := evidence.CreateLogKey(filepath.Join(folder, "log.key"))
	must(t, err)
	h.replica = func(name string) *ledger.Ledger {
		engine, err := database()
		must(t, err)
		db, err := store.New(h.ctx, engine)
		must(t, err)
		blobs, err := dir.Open(filepath.Join(folder, "blobs"), dir.Options{})
		must(t, err)
		l, err := ledger.Open(h.ctx, ledger.Options{
			Store: db, Blobs: blobs, LogKey: logKey, AnchorDir: filepath.Join(folder, "anchor"+name), Now: func() time.Time { return h.now },
		})
		must(t, err)
		t.Cleanup(func() { must(t, l.Close()) })
		return l
	}
	h.ledger = h.replica("")
	h.enroll("local")
	m := decisionmap.Builtin()
	if mapYAML != "" {
		m, err = decisionmap.Load("verdict.yaml", []byte(mapYAML))
		must(t, err)
	}
	rules, err := policy.Builtin()
	must(t, err)
	h.engine = &decide.Engine{
		Ledger: h.ledger, Map: m, Policy: rules, Signer: h.keys["local"], Now: func() time.Time { return h.now }, Rand: rand.Reader,
		KeyName: h.keyName,
	}
	return h
}

func (h *house) keyName(id string, _ ledger.Position) string {
	for name, k := range h.keys {
		if k.KeyID() == id {
			return name
		}
	}
	return ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// enroll makes a key and enrols it; the first one enrols itself.
func (h *house) enroll(name string) {
	h.t.Helper()
	key, err := evidence.CreateKey(filepath.Join(h.t.TempDir(), name+".pem"))
	must(h.t, err)
	h.keys[name] = key
	event, err := identity.NewEnrolment(name, key.PublicPEM())
	must(h.t, err)
	subject := verdict.Subject{Kind: verdict.SubjectIdentity, Name: name, Digest: verdict.NewDigest("sha256", strings.Repeat("0", 64))}
	s, err := evidence.New(verdict.KindKey, []verdict.Subject{subject}, event, verdict.Context{At: h.now}, rand.Reader)
	must(h.t, err)
	h.append("local", s)
}

func (h *house) append(signer string, s *evidence.Statement) ledger.Entry {
	h.t.Helper()
	b, err := evidence.Sign(h.ctx, s, h.keys[signer])
	must(h.t, err)
	e, err := h.ledger.Append(h.ctx, b)
	must(h.t, err)
	return e
}

var commit = verdict.Subject{Kind: verdict.SubjectChange, Name: "payments", Digest: verdict.NewDigest("gitCommit", strings.Repeat("a", 40))}

// report states a check of the commit.
func (h *house) report(signer string, r verdict.Report) ledger.Entry {
	h.t.Helper()
	if r.Tool.Name == "" {
		r.Tool = verdict.Tool{Name: "verdict", Version: "test"}
	}
	s, err := evidence.NewCheck(r, []verdict.Subject{commit}, h.now, h.now, verdict.Context{At: h.now}, rand.Reader)
	must(h.t, err)
	return h.append(signer, s)
}

func (h *house) decide(point string) verdict.Decision {
	h.t.Helper()
	return h.decideFor(point, "")
}

func (h *house) decideFor(point, service string) verdict.Decision {
	h.t.Helper()
	d, _, err := h.engine.Decide(h.ctx, decide.Request{Point: point, Subject: commit, Service: service, Trigger: "test", Actor: "key:test"})
	must(h.t, err)
	return d
}

func clean(check string) verdict.Report {
	return verdict.Report{Check: check, Complete: true, NotChecked: []verdict.NotChecked{}, Hits: []verdict.Hit{}, Scope: verdict.Scope{Path: ".", Files: 4}}
}

func leaked() verdict.Report {
	r := clean("secrets")
	r.Hits = []verdict.Hit{{Key: "k1", Detector: "acme-key", Message: "an Acme key", Severity: verdict.SeverityHigh, Path: "config.yaml", Line: 3, Fix: "revoke it"}}
	return r
}

func (h *house) vulnerable(fixed string, dataAge time.Duration) verdict.Report {
	r := clean("vulnerabilities")
	r.Scope.Inputs, r.Scope.Components = 1, 1
	r.Database = &verdict.Database{Name: "advisories", Digest: "sha256:db", At: h.now.Add(-dataAge), Entries: 1, Ecosystems: []string{"npm"}}
	c := verdict.Component{Ecosystem: "npm", Name: "lodash", Version: "4.17.20", PURL: "pkg:npm/lodash@4.17.20"}
	r.Hits = []verdict.Hit{{
		Key: "CVE-1 pkg:npm/lodash@4.17.20", Detector: "CVE-1", Message: "lodash", Severity: verdict.SeverityHigh, Path: "package-lock.json",
		Vulnerability: &verdict.Vulnerability{ID: "CVE-1", Aliases: []string{}, Component: c, Fixed: fixed, EPSS: -1, Path: []string{}},
	}}
	return r
}

func TestCIPointsDecideFromEvidence(t *testing.T) {
	for name, tc := range map[string]struct {
		point   string
		state   func(h *house)
		outcome verdict.Outcome
		exit    int
		rule    string // a failing rule that must be there
		fault   string // a fault that must be there
	}{
		"a clean commit is allowed":                {"ci.secrets", func(h *house) { h.report("local", clean("secrets")) }, verdict.Allow, 0, "", ""},
		"a leaked secret blocks":                   {"ci.secrets", func(h *house) { h.report("local", leaked()) }, verdict.Deny, 3, "ci.secrets", ""},
		"a check that never ran is no pass":        {"ci.secrets", func(*house) {}, verdict.Undecided, 1, "", "check.missing"},
		"a report of another check is no pass":     {"ci.secrets", func(h *house) { h.report("local", clean("vulnerabilities")) }, verdict.Undecided, 1, "", "check.missing"},
		"a fixable vulnerability blocks":           {"ci.vulnerabilities", func(h *house) { h.report("local", h.vulnerable("4.17.21", time.Hour)) }, verdict.Deny, 3, "ci.vulnerabilities", ""},
		"one without a fix goes on to the gate":    {"ci.vulnerabilities", func(h *house) { h.report("local", h.vulnerable("", time.Hour)) }, verdict.Allow, 0, "", ""},
		"stale data cannot decide":                 {"ci.vulnerabilities", func(h *house) { h.report("local", h.vulnerable("", 8*24*time.Hour)) }, verdict.Undecided, 1, "", "check.stale"},
		"data of the future cannot decide":         {"ci.vulnerabilities", func(h *house) { h.report("local", h.vulnerable("", -time.Hour)) }, verdict.Undecided, 1, "", "check.unknown"},
		"clocks may be a little apart":             {"ci.vulnerabilities", func(h *house) { h.report("local", h.vulnerable("", -time.Minute)) }, verdict.Allow, 0, "", ""},
		"a real failure beside stale data wins":    {"ci.vulnerabilities", func(h *house) { h.report("local", h.vulnerable("4.17.21", 8*24*time.Hour)) }, verdict.Undecided, 3, "ci.vulnerabilities", "check.stale"},
		"a key without the right counts as absent": {"ci.secrets", func(h *house) { h.enroll("mallory"); h.report("mallory", clean("secrets")) }, verdict.Undecided, 1, "", "check.missing"},
		"and cannot wash away what a trusted one saw": {"ci.secrets", func(h *house) {
			h.report("local", leaked())
			h.enroll("mallory")
			h.report("mallory", clean("secrets"))
		}, verdict.Deny, 3, "ci.secrets", ""},
		"a leak that comes back after a pass blocks again": {"ci.secrets", func(h *house) {
			for _, r := range []verdict.Report{leaked(), clean("secrets"), leaked()} {
				h.report("local", r)
				h.now = h.now.Add(time.Minute)
			}
		}, verdict.Deny, 3, "ci.secrets", ""},
		"an incomplete check without hits is no pass": {"ci.secrets", func(h *house) {
			r := clean("secrets")
			r.Complete, r.NotChecked = false, []verdict.NotChecked{{Path: "big.bin", Reason: "permission denied", Blocks: true}}
			h.report("local", r)
		}, verdict.Undecided, 1, "", "check.failed"},
		"an incomplete check with a hit blocks": {"ci.secrets", func(h *house) {
			r := leaked()
			r.Complete, r.NotChecked = false, []verdict.NotChecked{{Path: "big.bin", Reason: "permission denied", Blocks: true}}
			h.report("local", r)
		}, verdict.Undecided, 3, "ci.secrets", "check.failed"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, "")
			tc.state(h)
			d := h.decide(tc.point)
			if d.Outcome != tc.outcome || d.Exit() != tc.exit {
				t.Errorf("outcome %s with exit %d, want %s with %d\n%+v", d.Outcome, d.Exit(), tc.outcome, tc.exit, d)
			}
			if tc.rule != "" && !slices.ContainsFunc(d.Reasons, func(r verdict.Reason) bool { return strings.HasPrefix(r.Rule, tc.rule) }) {
				t.Errorf("no reason of %s in %+v", tc.rule, d.Reasons)
			}
			if tc.fault != "" && !slices.ContainsFunc(d.Errors, func(f verdict.Fault) bool { return f.Code == tc.fault && f.Remedy != "" }) {
				t.Errorf("no fault %s in %+v", tc.fault, d.Errors)
			}
			again := h.replay(d.ID)
			if !again.Same || again.Result != d.Digests.Result {
				t.Errorf("replay differs: %s", again.Difference)
			}
		})
	}
}

func (h *house) replay(id string) *decide.Replayed {
	h.t.Helper()
	r := &decide.Replayer{Ledger: h.ledger, KeyName: h.keyName}
	out, err := r.Replay(h.ctx, id, ledger.Now)
	must(h.t, err)
	return out
}

// forged is a decision as its own engine would never have recorded it, signed with an
// enrolled key. Whoever relies on replay loses this case when it goes unseen.
func TestReplayFindsADecisionThatDoesNotFollowFromItsBasis(t *testing.T) {
	for name, forge := range map[string]func(d map[string]any){
		"an outcome that was turned":     func(d map[string]any) { d["outcome"], d["enforced"] = "allow", "allow" },
		"a reason that was left out":     func(d map[string]any) { d["reasons"] = []any{} },
		"a rule that is said to pass":    func(d map[string]any) { d["passed"] = []any{"ci.secrets.none"} },
		"an input that was cleaned":      func(d map[string]any) { cleanInput(d) },
		"a mode that was said otherwise": func(d map[string]any) { d["mode"] = "observe" },
		"another policy digest": func(d map[string]any) {
			d["digests"].(map[string]any)["policy"] = "sha256:" + strings.Repeat("1", 64)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, "")
			h.report("local", leaked())
			d := h.decide("ci.secrets")
			entry, _, err := h.ledger.Decision(h.ctx, d.ID, ledger.Now)
			must(t, err)
			bundle, err := h.ledger.Bundle(h.ctx, entry.Index)
			must(t, err)
			original, err := bundle.Statement()
			must(t, err)
			var predicate map[string]any
			must(t, original.Decode(&predicate))
			predicate["id"] = "d-forged"
			forge(predicate)
			s, err := evidence.New(verdict.KindDecision, original.Subjects, predicate, verdict.Context{At: h.now, Point: d.Point}, rand.Reader)
			must(t, err)
			h.append("local", s)
			if out := h.replay("d-forged"); out.Same || out.Difference == "" {
				t.Fatalf("the forged decision replays as the same: %+v", out)
			}
		})
	}
}

// A basis that was forged as a whole contradicts nothing inside itself. What it cannot
// change is the map, the bundle and the ledger that it names.
func TestReplayHoldsABasisAgainstItsMapAndTheLedger(t *testing.T) {
	of := func(d map[string]any, name string) map[string]any { return d[name].(map[string]any) }
	for want, forge := range map[string]func(d, c map[string]any){
		"case.rules":                     func(_, c map[string]any) { c["rules"] = []any{} },
		"case.facts":                     func(_, c map[string]any) { c["facts"] = []any{} },
		"case.mode":                      func(d, c map[string]any) { d["mode"], c["mode"] = "observe", "observe" },
		"case.service":                   func(_, c map[string]any) { c["service"] = "another" },
		"case.rules ":                    func(_, c map[string]any) { c["rules"] = []any{"nope"} },
		"decision.digests.capabilities":  func(d, _ map[string]any) { of(d, "digests")["capabilities"] = "sha256:0" },
		"the record names the map":       func(d, _ map[string]any) { of(d, "digests")["map"] = "sha256:0" },
		"the record names the point":     func(d, _ map[string]any) { of(d, "digests")["point"] = "sha256:0" },
		"the map of the record has no":   func(d, _ map[string]any) { d["point"] = "ci.nothing" },
		"decision.evidence":              func(d, _ map[string]any) { d["evidence"].([]any)[0].(map[string]any)["digest"] = "sha256:0" },
		"decision.evidence ":             func(d, _ map[string]any) { d["evidence"] = []any{} },
		"decision.layer":                 func(d, _ map[string]any) { d["layer"] = "deploy" },
		"decision.question":              func(d, _ map[string]any) { d["question"] = "Is all well?" },
		"decision.expires":               func(d, _ map[string]any) { d["expires"] = "2099-01-01T00:00:00Z" },
		"decision.reasons":               func(d, _ map[string]any) { d["reasons"].([]any)[0].(map[string]any)["message"] = "nothing much" },
		"the statement is about another": func(d, _ map[string]any) { of(d, "subject")["digest"] = "gitCommit:" + strings.Repeat("b", 40) },
		"input.x":                        func(d, _ map[string]any) { of(of(d, "basis"), "input")["x"] = 1 },
	} {
		t.Run(want, func(t *testing.T) {
			h := newHouse(t, "")
			h.report("local", leaked())
			d := h.decide("ci.secrets")
			_, original, err := h.ledger.DecisionStatement(h.ctx, d.ID, ledger.Now)
			must(t, err)
			var predicate map[string]any
			must(t, original.Decode(&predicate))
			basis := predicate["basis"].(map[string]any)
			predicate["id"] = "d-forged"
			basis["input"].(map[string]any)["decision"].(map[string]any)["id"] = "d-forged"
			forge(predicate, basis["case"].(map[string]any))
			input, err := json.Marshal(basis["input"]) // members sorted: canonical as far as these go
			must(t, err)
			sum := sha256.Sum256(input)
			of(predicate, "digests")["input"] = "sha256:" + hex.EncodeToString(sum[:])
			s, err := evidence.New(verdict.KindDecision, original.Subjects, predicate, verdict.Context{At: h.now, Point: d.Point}, rand.Reader)
			must(t, err)
			h.append("local", s)
			if out := h.replay("d-forged"); out.Same || !strings.HasPrefix(out.Difference, strings.TrimSpace(want)) || out.Facts.State != verdict.StateFailed || out.Facts.Why == "" {
				t.Fatalf("the difference is %q, facts %+v", out.Difference, out.Facts)
			}
		})
	}
}

// A result of somebody else's test has to say that it passed, and a report of ours is
// not one: with either, missing evidence would read as verified.
func TestANeedForTestResultsIsMetByAPassOfTheirsAlone(t *testing.T) {
	const chart = "schema: verdict/v1\nsources: {tests: {kinds: [test-result]}}\ntrust:\n  - {name: all, key: local, kinds: [secrets, test-result], services: [\"*\"], environments: []}\npoints:\n  - {id: ci.secrets, needs: [secrets, test-result]}\n"
	state := func(h *house, predicate any) {
		s, err := evidence.New(verdict.KindTestResult, []verdict.Subject{commit}, predicate, verdict.Context{At: h.now}, rand.Reader)
		must(h.t, err)
		h.append("local", s)
	}
	for name, tc := range map[string]struct {
		state   func(h *house)
		outcome verdict.Outcome
	}{
		"none was stated":      {func(*house) {}, verdict.Deny},
		"a pass was stated":    {func(h *house) { state(h, map[string]any{"result": "PASSED", "configuration": []any{}}) }, verdict.Allow},
		"a fail was stated":    {func(h *house) { state(h, map[string]any{"result": "FAILED", "configuration": []any{}}) }, verdict.Deny},
		"a warning was stated": {func(h *house) { state(h, map[string]any{"result": "WARNED", "configuration": []any{}}) }, verdict.Deny},
		"no result was stated": {func(h *house) { state(h, map[string]any{"configuration": []any{}}) }, verdict.Deny},
		"a fail followed the pass": {func(h *house) {
			state(h, map[string]any{"result": "PASSED", "configuration": []any{}})
			state(h, map[string]any{"result": "FAILED", "configuration": []any{}})
		}, verdict.Deny},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, chart)
			h.report("local", clean("secrets"))
			tc.state(h)
			if d := h.decide("ci.secrets"); d.Outcome != tc.outcome {
				t.Fatalf("outcome %s, want %s: %+v", d.Outcome, tc.outcome, d.Reasons)
			}
		})
	}
}

func TestAFindingWithoutItsVulnerabilityIsNotPassedOver(t *testing.T) {
	h := newHouse(t, "")
	r := h.vulnerable("4.17.21", time.Hour)
	r.Hits[0].Vulnerability = nil
	h.report("local", r)
	if d := h.decide("ci.vulnerabilities"); d.Exit() != 1 || len(d.Errors) == 0 {
		t.Fatalf("exit %d with errors %v", d.Exit(), d.Errors)
	}
}

// A clock that was set back makes evidence one of the future, and the decision one whose
// time nobody can tell: it allows nothing, and replay says why.
func TestAClockThatWasSetBackDecidesNothing(t *testing.T) {
	h := newHouse(t, "")
	h.report("local", clean("secrets"))
	h.now = h.now.Add(-time.Hour)
	d := h.decide("ci.secrets")
	if d.Outcome != verdict.Undecided || !slices.ContainsFunc(d.Errors, func(f verdict.Fault) bool { return f.Code == "check.unknown" }) {
		t.Fatalf("outcome %s, errors %+v", d.Outcome, d.Errors)
	}
	if again := h.replay(d.ID); again.Same || !strings.Contains(again.Difference, "was recorded") {
		t.Fatalf("same %v, difference %q", again.Same, again.Difference)
	}
}

// A need says how old what was stated may be, and the source of the data how old that
// may be. Neither lets the other grow older: a repository's file may add an age to a
// need, and must not keep old advisories fresh with it.
func TestTheShorterAgeCounts(t *testing.T) {
	for name, tc := range map[string]struct {
		chart   string
		outcome verdict.Outcome
	}{
		"the data's, where the need has none": {"points:\n  - {id: ci.vulnerabilities, needs: [vulnerabilities]}\n", verdict.Undecided},
		"the data's, where the need's is longer": {
			"points:\n  - {id: ci.vulnerabilities, needs: [{kind: vulnerabilities, max_age: 1y}]}\n", verdict.Undecided,
		},
		"the need's, where it is shorter": {
			"sources: {advisories: {max_age: 30d}}\npoints:\n  - {id: ci.vulnerabilities, needs: [{kind: vulnerabilities, max_age: 1d}]}\n", verdict.Undecided,
		},
		"both are kept": {
			"sources: {advisories: {max_age: 30d}}\npoints:\n  - {id: ci.vulnerabilities, needs: [{kind: vulnerabilities, max_age: 20d}]}\n", verdict.Allow,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, "schema: verdict/v1\n"+tc.chart)
			h.report("local", h.vulnerable("", 8*24*time.Hour))
			if d := h.decide("ci.vulnerabilities"); d.Outcome != tc.outcome {
				t.Fatalf("outcome %s, want %s: %+v", d.Outcome, tc.outcome, d.Errors)
			}
		})
	}
}

// Whoever follows the advice to check again gets an answer: the same result of a new run
// is fresh, and not the old statement once more.
func TestWhatIsCheckedAgainIsFresh(t *testing.T) {
	h := newHouse(t, "schema: verdict/v1\npoints:\n  - {id: ci.secrets, needs: [{kind: secrets, max_age: 1d}]}\n")
	h.report("local", clean("secrets"))
	h.now = h.now.Add(48 * time.Hour)
	if d := h.decide("ci.secrets"); d.Outcome != verdict.Undecided {
		t.Fatalf("stale evidence: %s", d.Outcome)
	}
	h.report("local", clean("secrets"))
	if d := h.decide("ci.secrets"); d.Outcome != verdict.Allow {
		t.Fatalf("after a new run: %s, %+v", d.Outcome, d.Errors)
	}
}

func cleanInput(d map[string]any) {
	input := d["basis"].(map[string]any)["input"].(map[string]any)
	input["checks"].(map[string]any)["secrets"].(map[string]any)["failed"] = []any{}
}

func TestAModeBelowBlockRecordsTheOutcomeAndLetsItThrough(t *testing.T) {
	h := newHouse(t, "schema: verdict/v1\npoints:\n  - {id: ci.secrets, mode: observe}\n")
	h.report("local", leaked())
	d := h.decide("ci.secrets")
	if d.Outcome != verdict.Deny || d.Enforced != verdict.Allow || d.Exit() != 0 {
		t.Fatalf("outcome %s, enforced %s, exit %d", d.Outcome, d.Enforced, d.Exit())
	}
}

func TestAPointWithoutRulesCannotDecide(t *testing.T) {
	h := newHouse(t, "")
	_, _, err := h.engine.Decide(h.ctx, decide.Request{Point: "runtime.drift", Subject: commit})
	if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeUnavailable || e.Remedy == "" {
		t.Fatalf("got %v", err)
	}
}

func TestAnUncommittedTreeNeverSatisfiesACommit(t *testing.T) {
	h := newHouse(t, "")
	tree := verdict.Subject{Kind: verdict.SubjectTree, Name: "payments (uncommitted)", Digest: verdict.NewDigest("sha256", strings.Repeat("b", 64))}
	s, err := evidence.NewCheck(clean("secrets"), []verdict.Subject{tree}, h.now, h.now, verdict.Context{At: h.now}, rand.Reader)
	must(t, err)
	h.append("local", s)
	if d := h.decide("ci.secrets"); d.Outcome != verdict.Undecided {
		t.Fatalf("the check of an uncommitted tree decided a commit: %s", d.Outcome)
	}
}

func BenchmarkReplay(b *testing.B) {
	h := newHouse(b, "")
	h.report("local", leaked())
	d := h.decide("ci.secrets")
	r := &decide.Replayer{Ledger: h.ledger, KeyName: h.keyName}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as the program runs
	b.ReportAllocs()
	for b.Loop() {
		out, err := r.Replay(h.ctx, d.ID, ledger.Now)
		if err != nil || !out.Same {
			b.Fatalf("replay: %v %+v", err, out)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}
