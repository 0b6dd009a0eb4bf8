package decide

import (
	"cmp"
	"slices"
	"strings"

	"verdict"
	"verdict/ledger"
)

// Why a decision is indeterminate.
const (
	LacksBody   = "body"   // it was pruned, or cannot be read
	LacksBasis  = "basis"  // what it rests on was recorded in another way, or is gone
	LacksSchema = "input"  // its input is of another schema
	LacksPoint  = "point"  // the map has no such point
	LacksRule   = "rules"  // the point selects rules that the policy does not have
	LacksFact   = "fact"   // a rule reads what the record does not know
	LacksReport = "report" // a rule reported nothing, or did not end
	LacksReplay = "replay" // taken again, it is another decision
)

// Backtested is what a backtest found.
type Backtested struct {
	Decisions     int64 `json:"decisions"` // that were looked at: the sum of the next three
	Same          int64 `json:"same"`      // of the same outcome
	Flipped       int64 `json:"flipped"`
	Indeterminate int64 `json:"indeterminate"`
	// OtherReasons are those of the same outcome for other reasons.
	OtherReasons int64 `json:"other_reasons"`
	// OtherBuiltin are those that were taken with other built-in rules than this program's.
	OtherBuiltin int64 `json:"other_builtin"`

	Outcomes  []FlippedOutcome  `json:"outcomes"` // flips by outcome alone
	Flips     []Flip            `json:"flips"`    // by outcome, rule, service and environment; most first
	Unknown   []Undetermined    `json:"unknown"`
	Announced []AnnouncedReason `json:"announced"` // what these rules would say from a later day on
	Asked     Asked             `json:"asked"`
	// NeverAsked are rules that are not built in and that no point selected for any of these
	// decisions: that they flip nothing says nothing about them.
	NeverAsked []string `json:"never_asked"`

	// What was left out, and what there was no room to list by itself. Totals count it.
	Replaced int64 `json:"left_out_replaced"`
	Beyond   int64 `json:"left_out_limit"`
	Unlisted int64 `json:"unlisted"` // decisions in groups beyond the bound
}

// FlippedOutcome counts decisions that went from one outcome to another.
type FlippedOutcome struct {
	From      verdict.Outcome `json:"from"`
	To        verdict.Outcome `json:"to"`
	Decisions int64           `json:"decisions"`
}

// Flip is a group of decisions that one rule turns. A decision that several rules turn is in
// several groups.
type Flip struct {
	From        verdict.Outcome `json:"from"`
	To          verdict.Outcome `json:"to"`
	Point       string          `json:"point"`
	Rule        string          `json:"rule"` // which was added or fell away; a fault's code where no rule is named
	Service     string          `json:"service"`
	Environment string          `json:"environment"`
	Decisions   int64           `json:"decisions"`
	Enforced    int64           `json:"enforced"` // of them, where the mode lets the outcome through
	Examples    []string        `json:"examples"` // ids of decisions, newest first
	newest      []int64
}

// Undetermined is a group of decisions of which nobody can tell.
type Undetermined struct {
	Code      string   `json:"code"`
	Point     string   `json:"point"`
	Rule      string   `json:"rule"`
	Why       string   `json:"why"`
	Decisions int64    `json:"decisions"`
	Examples  []string `json:"examples"`
	newest    []int64
}

// AnnouncedReason is a rule that fails and does not count yet at the time of the decisions.
type AnnouncedReason struct {
	Rule      string `json:"rule"`
	From      string `json:"from"` // the day
	Decisions int64  `json:"decisions"`
}

// Asked is how many decisions wait for people, and how many yeses they need together.
type Asked struct {
	DecisionsBefore int64 `json:"decisions_before"`
	Decisions       int64 `json:"decisions"`
	PeopleBefore    int64 `json:"people_before"`
	People          int64 `json:"people"`
}

// Bounds of what is listed.
const (
	maxGroups   = 5000
	maxExamples = 5
)

// tally sums up what came of each decision, in whatever order they come.
type tally struct {
	decisions, same, indeterminate, reasons, builtin, replaced, beyond, unlisted int64

	outcomes  map[[2]verdict.Outcome]int64
	flips     map[flipKey]*Flip
	unknown   map[unknownAtPoint]*Undetermined
	announced map[[2]string]int64
	asked     Asked
	selected  map[string]bool // rules that the point of a decision selects
}

// flipKey is what tells groups of flips apart.
type flipKey struct {
	from, to                          verdict.Outcome
	point, rule, service, environment string
}

type unknownAtPoint struct{ code, point, rule, why string }

func newTally() *tally {
	return &tally{
		outcomes: map[[2]verdict.Outcome]int64{}, flips: map[flipKey]*Flip{}, unknown: map[unknownAtPoint]*Undetermined{}, announced: map[[2]string]int64{}, selected: map[string]bool{},
	}
}

// add counts one decision.
func (t *tally) add(row ledger.DecisionRow, r retried) {
	t.decisions++
	for _, x := range r.rules {
		t.selected[x.ID] = true
	}
	if r.unknown != nil {
		t.indeterminate++
		t.group(row, *r.unknown)
		return
	}
	if r.other {
		t.builtin++
	}
	t.ask(r.asks)
	for _, x := range r.again.Reasons {
		if x.Standing == verdict.Announced {
			t.announced[[2]string{x.Rule, x.EffectiveOn.Format("2006-01-02")}]++
		}
	}
	added, gone := turned(r.was, r.again)
	if r.was.Outcome == r.again.Outcome {
		t.same++
		if len(added)+len(gone) > 0 {
			t.reasons++
		}
		return
	}
	t.outcomes[[2]verdict.Outcome{r.was.Outcome, r.again.Outcome}]++
	rules := added
	if r.was.Outcome.Join(r.again.Outcome) == r.was.Outcome { // it became milder
		rules = gone
	}
	if len(rules) == 0 {
		rules = []string{""}
	}
	for _, rule := range rules {
		t.flip(row, r, rule)
	}
}

func (t *tally) ask(p people) {
	t.asked.PeopleBefore += p.before
	t.asked.People += p.after
	if p.before > 0 {
		t.asked.DecisionsBefore++
	}
	if p.after > 0 {
		t.asked.Decisions++
	}
}

func (t *tally) flip(row ledger.DecisionRow, r retried, rule string) {
	k := flipKey{r.was.Outcome, r.again.Outcome, row.Point, rule, row.Service, row.Environment}
	f := t.flips[k]
	if f == nil {
		if len(t.flips) >= maxGroups {
			t.unlisted++
			return
		}
		f = &Flip{From: k.from, To: k.to, Point: k.point, Rule: rule, Service: k.service, Environment: k.environment, Examples: []string{}}
		t.flips[k] = f
	}
	f.Decisions++
	if r.was.Enforced != r.again.Enforced {
		f.Enforced++
	}
	f.Examples, f.newest = example(f.Examples, f.newest, row)
}

func (t *tally) group(row ledger.DecisionRow, u unknown) {
	k := unknownAtPoint{u.code, row.Point, u.rule, u.why}
	x := t.unknown[k]
	if x == nil {
		if len(t.unknown) >= maxGroups {
			t.unlisted++
			return
		}
		x = &Undetermined{Code: u.code, Point: row.Point, Rule: u.rule, Why: u.why, Examples: []string{}}
		t.unknown[k] = x
	}
	x.Decisions++
	x.Examples, x.newest = example(x.Examples, x.newest, row)
}

// example keeps the newest few, whatever order they come in.
func example(ids []string, newest []int64, row ledger.DecisionRow) ([]string, []int64) {
	at, _ := slices.BinarySearchFunc(newest, row.Index, func(have, want int64) int { return cmp.Compare(want, have) })
	if at >= maxExamples {
		return ids, newest
	}
	ids, newest = slices.Insert(ids, at, row.ID), slices.Insert(newest, at, row.Index)
	return ids[:min(len(ids), maxExamples)], newest[:min(len(newest), maxExamples)]
}

// turned lists what counts in the new conclusion alone, and what counted in the old alone:
// rules, and the codes of faults that name none. A rule whose effect changed is in both.
func turned(was verdict.Decision, is Conclusion) (added, gone []string) {
	before, after := counting(was.Reasons, was.Errors), counting(is.Reasons, is.Errors)
	only := func(in, out map[[2]string]bool) (names []string) {
		for k := range in {
			if !out[k] {
				names = append(names, k[0])
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	return only(after, before), only(before, after)
}

// counting are the rules and faults that make an outcome, each with its effect.
func counting(reasons []verdict.Reason, faults []verdict.Fault) map[[2]string]bool {
	out := map[[2]string]bool{}
	for _, r := range reasons {
		if r.Standing == verdict.Counts {
			out[[2]string{r.Rule, string(r.Effect)}] = true
		}
	}
	for _, f := range faults {
		out[[2]string{cmp.Or(f.Rule, f.Code), f.Code}] = true
	}
	return out
}

// report puts the groups in their order.
func (t *tally) report() *Backtested {
	out := &Backtested{
		Decisions: t.decisions, Same: t.same, Flipped: t.decisions - t.same - t.indeterminate, Indeterminate: t.indeterminate,
		OtherReasons: t.reasons, OtherBuiltin: t.builtin, Outcomes: []FlippedOutcome{}, Flips: []Flip{}, Unknown: []Undetermined{}, Announced: []AnnouncedReason{},
		Asked: t.asked, Replaced: t.replaced, Beyond: t.beyond, Unlisted: t.unlisted,
	}
	for k, n := range t.outcomes {
		out.Outcomes = append(out.Outcomes, FlippedOutcome{k[0], k[1], n})
	}
	for _, f := range t.flips {
		out.Flips = append(out.Flips, *f)
	}
	for _, u := range t.unknown {
		out.Unknown = append(out.Unknown, *u)
	}
	for k, n := range t.announced {
		out.Announced = append(out.Announced, AnnouncedReason{k[0], k[1], n})
	}
	slices.SortFunc(out.Outcomes, func(a, b FlippedOutcome) int {
		return cmp.Or(cmp.Compare(b.Decisions, a.Decisions), strings.Compare(string(a.From)+string(a.To), string(b.From)+string(b.To)))
	})
	slices.SortFunc(out.Flips, func(a, b Flip) int {
		return cmp.Or(cmp.Compare(b.Decisions, a.Decisions), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Point, b.Point),
			strings.Compare(a.Service, b.Service), strings.Compare(a.Environment, b.Environment), strings.Compare(string(a.From)+string(a.To), string(b.From)+string(b.To)))
	})
	slices.SortFunc(out.Unknown, func(a, b Undetermined) int {
		return cmp.Or(cmp.Compare(b.Decisions, a.Decisions), strings.Compare(a.Code, b.Code), strings.Compare(a.Point, b.Point), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Why, b.Why))
	})
	slices.SortFunc(out.Announced, func(a, b AnnouncedReason) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.Rule, b.Rule))
	})
	return out
}
