package decide_test

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/policy"
)

// selecting is a map whose point asks for rules of its own beside the built-in ones.
const selecting = `schema: verdict/v1
points:
  - {id: ci.secrets, policy: [ci.secrets, acme.more]}
`

// rule is one rule of one's own: check is its body.
func rule(id, effect, check string) map[string]string {
	return map[string]string{"more.rego": `# METADATA
# title: More
# custom:
#   id: ` + id + `
#   effect: ` + effect + `
#   severity: medium
#   evidence: [secrets]
#   remediation: Do more.
#   owner: web
package acme.more

` + check}
}

// compiled is the built-in rules and some of one's own.
func compiled(t testing.TB, files map[string]string) *policy.Bundle {
	t.Helper()
	b, err := policy.Compile(files, policy.CompileOptions{})
	must(t, err)
	return b
}

const passes = "check := {\"status\": \"pass\", \"message\": \"fine\"} if input.subject.kind == \"change\"\n"

// backtest judges everything in the house by other rules.
func (h *house) backtest(b *policy.Bundle, set func(*decide.Backtest)) *decide.Backtested {
	h.t.Helper()
	at, err := h.ledger.Position(h.ctx)
	must(h.t, err)
	t := &decide.Backtest{Ledger: h.ledger, Policy: b, Chosen: ledger.DecisionQuery{At: at}}
	if set != nil {
		set(t)
	}
	out, err := t.Run(h.ctx)
	must(h.t, err)
	if out.Same+out.Flipped+out.Indeterminate != out.Decisions {
		h.t.Errorf("%d decisions are %d same, %d flipped, %d indeterminate", out.Decisions, out.Same, out.Flipped, out.Indeterminate)
	}
	return out
}

// Flips that are none would make every change of a policy look dangerous, and nobody would
// read the list.
func TestABacktestOfTheSamePolicyFlipsNothing(t *testing.T) {
	h := newHouse(t, selecting)
	h.engine.Policy = compiled(t, rule("acme.more", "note", passes))
	random := rand.New(rand.NewPCG(7, 9))
	states := []func(){
		func() { h.report("local", clean("secrets")) }, func() { h.report("local", leaked()) },
		func() { h.report("local", h.vulnerable("4.17.21", time.Hour)) }, func() { h.report("local", h.vulnerable("", 9*24*time.Hour)) },
		func() {
			r := leaked()
			r.Complete, r.NotChecked = false, []verdict.NotChecked{{Path: "big.bin", Reason: "permission denied", Blocks: true}}
			h.report("local", r)
		},
	}
	points := []string{"ci.secrets", "ci.vulnerabilities", "ci.dependencies", "ci.iac", "code.ownership"}
	outcomes := map[verdict.Outcome]bool{}
	const n = 120
	for range n {
		states[random.IntN(len(states))]()
		h.now = h.now.Add(time.Minute)
		outcomes[h.decide(points[random.IntN(len(points))]).Outcome] = true
	}
	if len(outcomes) < 3 {
		t.Fatalf("the cases are few: outcomes %v", outcomes)
	}
	out := h.backtest(h.engine.Policy, func(b *decide.Backtest) {
		b.Verify = func() *decide.Replayer { return &decide.Replayer{Ledger: h.ledger, KeyName: h.keyName} }
	})
	if out.Decisions != n || out.Same != n || out.OtherReasons != 0 || len(out.Flips) > 0 {
		t.Errorf("%+v", out)
	}
}

func TestABacktestListsWhatFlipsAndByWhichRule(t *testing.T) {
	h := newHouse(t, selecting)
	h.engine.Policy = compiled(t, rule("acme.more", "deny", passes))
	h.report("local", clean("secrets"))
	var ids []string
	for range 7 {
		ids = append(ids, h.decideFor("ci.secrets", "payments").ID)
	}
	h.report("local", leaked())
	h.decide("ci.secrets")
	fails := rule("acme.more", "deny", "check := {\"status\": \"fail\", \"message\": \"no\"} if input.subject.kind == \"change\"\n")
	out := h.backtest(compiled(t, fails), nil)
	if out.Flipped != 7 || out.Same != 1 || out.OtherReasons != 1 || len(out.Flips) != 1 {
		t.Fatalf("%+v", out)
	}
	f := out.Flips[0]
	slices.Reverse(ids)
	if f.From != verdict.Allow || f.To != verdict.Deny || f.Rule != "acme.more" || f.Service != "payments" || f.Decisions != 7 || f.Enforced != 7 || !slices.Equal(f.Examples, ids[:5]) {
		t.Errorf("%+v, and the newest are %v", f, ids[:5])
	}
	if back := newHouseLike(h, compiled(t, fails)).backtest(compiled(t, rule("acme.more", "deny", passes)), nil); back.Flips[0].From != verdict.Deny || back.Flips[0].Rule != "acme.more" {
		t.Errorf("the way back: %+v", back.Flips)
	}
}

// newHouseLike takes one decision more under other rules.
func newHouseLike(h *house, b *policy.Bundle) *house {
	out := newHouse(h.t, selecting)
	out.engine.Policy = b
	out.report("local", clean("secrets"))
	out.decide("ci.secrets")
	return out
}

// What a record does not know must never be told as something that stays as it is.
func TestABacktestDoesNotTellWhatTheRecordDoesNotKnow(t *testing.T) {
	pruned := &verdict.Error{Code: verdict.CodeNotFound, What: "pruned", Remedy: "none"}
	for _, c := range []struct {
		name  string
		files map[string]string
		set   func(*house, *decide.Backtest)
		code  string
		why   string
	}{
		{"a rule reads a check that was not gathered", rule("acme.more", "deny", "check := {\"status\": \"pass\", \"message\": \"fine\"} if not input.checks.licences.failed\n"), nil, decide.LacksFact, "input.checks.licences.failed"},
		{"a rule reads a group of which nothing was known", rule("acme.more", "deny", "check := {\"status\": \"pass\", \"message\": \"fine\"} if count(input.vulnerabilities.findings) == 0\n"), nil, decide.LacksFact, "input.vulnerabilities.findings"},
		{"a rule reads everything", rule("acme.more", "deny", "check := {\"status\": \"pass\", \"message\": \"fine\"} if count(input) > 0\n"), nil, decide.LacksFact, "reads input"},
		{"a rule says nothing", rule("acme.more", "deny", "check := {\"status\": \"pass\", \"message\": \"fine\"} if input.subject.kind == \"artifact\"\n"), nil, decide.LacksReport, "reported nothing"},
		{"the point selects what the policy does not have", nil, nil, decide.LacksRule, "acme.more"},
		{"the body was pruned", rule("acme.more", "deny", passes), func(h *house, b *decide.Backtest) { b.Ledger = failing{h.ledger, pruned} }, decide.LacksBody, "pruned"},
		{"the body cannot be read", rule("acme.more", "deny", passes), func(h *house, b *decide.Backtest) { b.Ledger = failing{h.ledger, fmt.Errorf("bad sector")} }, decide.LacksBody, "bad sector"},
		{"the map has no such point", rule("acme.more", "deny", passes), func(h *house, b *decide.Backtest) {
			m := *h.engine.Map
			m.Points = m.Points[:1]
			b.Map = &m
		}, decide.LacksPoint, "no point ci.secrets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, selecting)
			h.engine.Policy = compiled(t, rule("acme.more", "deny", passes))
			h.report("local", clean("secrets"))
			d := h.decide("ci.secrets")
			out := h.backtest(compiled(t, c.files), func(b *decide.Backtest) {
				if c.set != nil {
					c.set(h, b)
				}
			})
			if out.Indeterminate != 1 || out.Unknown[0].Code != c.code || !strings.Contains(out.Unknown[0].Why, c.why) || !slices.Equal(out.Unknown[0].Examples, []string{d.ID}) {
				t.Errorf("%+v", out)
			}
		})
	}
}

// failing is a ledger whose bodies cannot be read.
type failing struct {
	*ledger.Ledger
	err error
}

func (f failing) Bundle(context.Context, int64) (*evidence.Bundle, error) { return nil, f.err }

// A record that was invented would make a policy look as its author wants it.
func TestABacktestThatVerifiesPassesOverForgedDecisions(t *testing.T) {
	h := newHouse(t, "")
	h.report("local", clean("secrets"))
	good := h.decide("ci.secrets")
	said := h.report("local", leaked())
	h.engine.Ledger = another{Ledger: h.ledger, bundle: func(index int64) *evidence.Bundle {
		if index != said.Index {
			return nil
		}
		b, err := h.ledger.Bundle(h.ctx, good.Evidence[0].Index)
		must(t, err)
		return b
	}}
	h.decide("ci.secrets")
	verify := func(b *decide.Backtest) {
		b.Verify = func() *decide.Replayer { return &decide.Replayer{Ledger: h.ledger, KeyName: h.keyName} }
	}
	if out := h.backtest(h.engine.Policy, verify); out.Same != 1 || out.Unknown[0].Code != decide.LacksReplay {
		t.Errorf("verified: %+v", out)
	}
	if out := h.backtest(h.engine.Policy, nil); out.Same != 2 {
		t.Errorf("as recorded: %+v", out)
	}
}

// A sample that is not said to be one is read as the whole.
func TestABacktestSaysWhatItLeftOut(t *testing.T) {
	h := newHouse(t, "")
	h.report("local", clean("secrets"))
	for range 9 {
		h.decide("ci.secrets")
		h.now = h.now.Add(time.Hour)
	}
	h.decide("ci.iac")
	for name, c := range map[string]struct {
		set                        func(*decide.Backtest)
		decisions, beyond, replace int64
	}{
		"all":              {nil, 10, 0, 0},
		"a limit":          {func(b *decide.Backtest) { b.Limit = 4 }, 4, 6, 0},
		"the latest":       {func(b *decide.Backtest) { b.Latest = true }, 2, 0, 8},
		"both":             {func(b *decide.Backtest) { b.Latest, b.Limit = true, 1 }, 1, 1, 8},
		"a point":          {func(b *decide.Backtest) { b.Chosen.Point = "ci.iac" }, 1, 0, 0},
		"from a position":  {func(b *decide.Backtest) { b.From = b.Chosen.At - 3 }, 3, 0, 0},
		"up to a position": {func(b *decide.Backtest) { b.Chosen.At -= 3 }, 7, 0, 0},
		"the latest of then": {func(b *decide.Backtest) {
			b.Chosen.At -= 3
			b.Latest = true
		}, 1, 0, 6},
	} {
		t.Run(name, func(t *testing.T) {
			out := h.backtest(h.engine.Policy, c.set)
			if out.Decisions != c.decisions || out.Beyond != c.beyond || out.Replaced != c.replace {
				t.Errorf("%d decisions, %d beyond the limit, %d replaced", out.Decisions, out.Beyond, out.Replaced)
			}
		})
	}
}

// What a rule says from a later day on is told, and turns nothing yet.
func TestABacktestTellsWhatIsAnnounced(t *testing.T) {
	h := newHouse(t, selecting)
	h.engine.Policy = compiled(t, rule("acme.more", "deny", passes))
	h.report("local", clean("secrets"))
	h.decide("ci.secrets")
	later := rule("acme.more", "deny", "check := {\"status\": \"fail\", \"message\": \"no\"} if input.subject.kind == \"change\"\n")
	later["more.rego"] = strings.Replace(later["more.rego"], "#   owner: web\n", "#   owner: web\n#   effective_on: \"2027-03-01\"\n", 1)
	out := h.backtest(compiled(t, later), nil)
	if out.Flipped != 0 || len(out.Announced) != 1 || out.Announced[0] != (decide.AnnouncedReason{Rule: "acme.more", From: "2027-03-01", Decisions: 1}) {
		t.Errorf("%+v", out)
	}
}

// BenchmarkBacktest judges 10,000 decisions of a ledger again by other rules, as the command
// does: the bodies are read, the rules asked, the flips grouped.
func BenchmarkBacktest(b *testing.B) {
	h := newHouse(b, selecting)
	h.engine.Policy = compiled(b, rule("acme.more", "deny", passes))
	h.report("local", h.vulnerable("4.17.21", time.Hour))
	h.report("local", leaked())
	const decisions = 10_000
	h.copies(decisions/2, h.decide("ci.secrets"))
	h.copies(decisions/2, h.decide("ci.vulnerabilities"))
	other := compiled(b, rule("acme.more", "deny", "check := {\"status\": \"fail\", \"message\": \"no\"} if input.subject.kind == \"change\"\n"))
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as the program runs
	b.ReportAllocs()
	for b.Loop() {
		out := h.backtest(other, nil)
		if out.Decisions != decisions || out.Indeterminate != 0 || out.OtherReasons != decisions/2 {
			b.Fatalf("%+v", out)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/10000_decisions")
}

// copies records a decision under other ids, so that it is there n times.
func (h *house) copies(n int, d verdict.Decision) {
	h.t.Helper()
	_, s, err := h.ledger.DecisionStatement(h.ctx, d.ID, ledger.Now)
	must(h.t, err)
	about, _ := s.Context()
	var predicate map[string]json.RawMessage
	must(h.t, s.Decode(&predicate))
	var bundles []*evidence.Bundle
	for i := 1; i < n; i++ {
		predicate["id"] = json.RawMessage(fmt.Sprintf(`"%s-%d"`, d.ID, i))
		copied, err := evidence.New(verdict.KindDecision, s.Subjects, predicate, about, crand.Reader)
		must(h.t, err)
		b, err := evidence.Sign(h.ctx, copied, h.keys["local"])
		must(h.t, err)
		if bundles = append(bundles, b); len(bundles) == 500 || i == n-1 {
			_, err = h.ledger.AppendAll(h.ctx, bundles)
			must(h.t, err)
			bundles = nil
		}
	}
}
