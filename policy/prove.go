package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// Proof is what Prove tried and what did not hold.
type Proof struct {
	Rules       int // proven, without the partial ones
	Partial     int // conftest-style rules, which cannot be proven
	Cases       int
	Evaluations int // single rules on changed inputs
	Failures    []Failure
}

// Failure is one law that a rule breaks.
type Failure struct {
	Rule   string
	At     string // the case, or the rule when no case is at fault
	Law    string // LawComplete …
	What   string
	Remedy string
}

// The laws.
const (
	LawComplete = "complete" // every rule has a case in which it passes and one in which it fails
	LawOmission = "omission" // removing a member of the input loses no reason without a word
	LawState    = "state"    // what is not known, or not complete, does not pass
	LawIndex    = "index"    // the engine's rule index changes nothing
	LawSame     = "same"     // the same input gives the same result, 50 times
	LawTime     = "time"     // a rule ends
	LawFold     = "fold"     // items beyond the limit become one item that says how many
)

const sameRuns = 50

// String sums the proof up in one line.
func (p Proof) String() string {
	s := fmt.Sprintf("%s proven on %s with %s, %s broken", counted(p.Rules, "rule", "rules"), counted(p.Cases, "case", "cases"), counted(p.Evaluations, "evaluation", "evaluations"), counted(len(p.Failures), "law", "laws"))
	if p.Partial > 0 {
		s += fmt.Sprintf("; %d conftest-style rules cannot be proven", p.Partial)
	}
	return s
}

// counted is a number with what it counts.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Prove tries the laws on every rule of the bundle that its tests answer for, with the
// inputs of the cases as seeds. Conftest-style rules are counted and left out: that one
// of them says nothing cannot be told from a pass.
func Prove(ctx context.Context, b *Bundle, cases []Case) Proof {
	p := &prover{Bundle: b}
	p.proof.Cases = len(cases)
	p.proof.Failures = []Failure{}
	p.complete(cases)
	for _, c := range cases {
		if ctx.Err() != nil {
			break
		}
		p.one(ctx, c)
	}
	return p.proof
}

type prover struct {
	*Bundle
	proof Proof
}

// subject is one case on its way through the laws.
type subject struct {
	Case
	rules    []*rule
	doc      any
	baseline *Evaluation
}

func (p *prover) fail(x *rule, at, law, what, remedy string) {
	p.proof.Failures = append(p.proof.Failures, Failure{Rule: x.ID, At: at, Law: law, What: what, Remedy: remedy})
}

// complete demands for each rule a case in which it passes and one in which it fails.
func (p *prover) complete(cases []Case) {
	seen := map[string][]string{}
	for _, c := range cases {
		for _, e := range c.Expect {
			seen[e.Rule] = append(seen[e.Rule], e.Status)
		}
	}
	for _, x := range p.rules {
		file, _, _ := strings.Cut(x.at, ":")
		switch {
		case !p.tested(file):
		case x.Partial:
			p.proof.Partial++
		default:
			p.proof.Rules++
			for _, status := range []string{"pass", "fail"} {
				if !slices.Contains(seen[x.ID], status) {
					p.fail(x, x.at, LawComplete, "no case shows an input on which it is "+status+", so nothing about it is proven",
						"add a case that expects "+x.ID+": "+status)
				}
			}
		}
	}
}

func (p *prover) one(ctx context.Context, c Case) {
	s := subject{Case: c}
	for _, id := range c.rules() {
		if x := p.byID[id]; x != nil && !x.Partial {
			s.rules = append(s.rules, x)
		}
	}
	doc, err := document(c.Input)
	if err != nil || len(s.rules) == 0 {
		return // the case itself is reported where it runs
	}
	s.doc = doc
	if p.inTime(ctx, &s); len(s.rules) == 0 {
		return
	}
	p.omission(ctx, s)
	p.states(ctx, s)
	p.same(ctx, s)
	p.folding(ctx, s)
}

// inTime takes the baseline, and leaves out the rules that do not end on the case as it
// stands: on a thousand changed inputs they would not end either, and nobody would wait
// for the proof. The first one uses up the time of those behind it, so it goes alone.
func (p *prover) inTime(ctx context.Context, s *subject) {
	for len(s.rules) > 0 && ctx.Err() == nil {
		s.baseline = p.evaluate(ctx, *s, s.doc, nil)
		slow := slices.IndexFunc(s.baseline.Faults, func(f verdict.Fault) bool { return f.Code == FaultSteps || f.Code == FaultDeadline })
		if slow < 0 {
			return
		}
		f := s.baseline.Faults[slow]
		x := p.byID[f.Rule]
		p.fail(x, s.at(), LawTime, "it did not end, so nothing more about it is proven: "+f.What, f.Remedy)
		s.rules = slices.DeleteFunc(s.rules, func(r *rule) bool { return r == x })
	}
	s.rules = nil
}

func (s subject) at() string { return fmt.Sprintf("%s:%d", s.File, s.Line) }

// evaluate runs the case's rules on any document, also on one that the input's types
// could not express.
func (p *prover) evaluate(ctx context.Context, s subject, doc any, change func(*run)) *Evaluation {
	v, err := ast.InterfaceToValue(doc)
	if err != nil {
		return &Evaluation{Faults: []verdict.Fault{{Code: FaultEngine, What: err.Error()}}}
	}
	b := *p.Bundle
	r := b.newRun(ast.NewTerm(v), s.Input.Decision.Layer, s.Case.At)
	if change != nil {
		change(r)
	}
	p.proof.Evaluations += len(s.rules)
	e, err := r.bounded(ctx, s.rules)
	if err != nil {
		return &Evaluation{Faults: []verdict.Fault{{Code: FaultEngine, What: err.Error()}}}
	}
	return e
}

// omission removes each member, one at a time, at every depth. Rules that fail have reasons to
// lose; the others are not asked.
func (p *prover) omission(ctx context.Context, s subject) {
	s.rules = slices.DeleteFunc(slices.Clone(s.rules), func(x *rule) bool {
		was, _ := s.baseline.status(x.ID)
		return was != string(verdict.RuleFail)
	})
	if len(s.rules) == 0 {
		return
	}
	for _, path := range memberPaths(s.doc, nil) {
		e := p.evaluate(ctx, s, without(s.doc, path), nil)
		for _, x := range s.rules {
			was, before := s.baseline.status(x.ID)
			is, after := e.status(x.ID)
			if is == ExpectSilent || is == ExpectFault {
				continue
			}
			lost := is != was
			if !lost {
				for _, key := range before.keys() {
					lost = lost || !slices.Contains(after.keys(), key)
				}
			}
			if lost {
				p.fail(x, s.at(), LawOmission, fmt.Sprintf("without input.%s it is %s and loses a reason without a word", strings.Join(path, "."), is),
					"read every member that the reason needs before you decide, and compare counts, as the function items in package verdict.lib does")
			}
		}
	}
}

var badStates = []verdict.State{verdict.StateMissing, verdict.StateStale, verdict.StateFailed, verdict.StateUnknown}

// states worsens what is known of each group that a rule reads.
func (p *prover) states(ctx context.Context, s subject) {
	groups := stateGroups(s.doc)
	for _, group := range groups {
		for _, state := range badStates {
			p.noPass(ctx, s, append(slices.Clone(group), "state"), groups, string(state))
		}
		p.noPass(ctx, s, append(slices.Clone(group), "state"), groups, nil)
		if _, ok := at(s.doc, append(slices.Clone(group), "complete")); ok {
			p.noPass(ctx, s, append(slices.Clone(group), "complete"), groups, false)
			p.noPass(ctx, s, append(slices.Clone(group), "complete"), groups, nil)
		}
	}
}

// noPass sets one member (nil removes it) and demands that no rule that rests on its
// group passes.
func (p *prover) noPass(ctx context.Context, s subject, path []string, groups [][]string, value any) {
	s.rules = slices.DeleteFunc(slices.Clone(s.rules), func(x *rule) bool { return !restsOn(x, path, groups) })
	if len(s.rules) == 0 {
		return
	}
	doc := without(s.doc, path)
	said := "without input." + strings.Join(path, ".")
	if value != nil {
		doc = set(s.doc, path, value)
		said = fmt.Sprintf("with input.%s = %v", strings.Join(path, "."), value)
	}
	e := p.evaluate(ctx, s, doc, nil)
	for _, x := range s.rules {
		if is, _ := e.status(x.ID); is == string(verdict.RulePass) {
			p.fail(x, s.at(), LawState, said+" it still passes",
				"pass only where the state is \"verified\" or \"present\" and the set is complete; report skip otherwise, as the function known in package verdict.lib does")
		}
	}
}

// restsOn tells whether a rule reads the group to which path (…, "state" or "complete")
// belongs: the group as a whole, or something of which it is the nearest group.
func restsOn(x *rule, path []string, groups [][]string) bool {
	group := "input." + strings.Join(path[:len(path)-1], ".")
	member := path[len(path)-1]
	for _, read := range x.Reads {
		if within(group, read) {
			return true
		}
		if !within(read, group) || member == "complete" && read == group+".state" {
			continue
		}
		nearest := true
		for _, g := range groups {
			name := "input." + strings.Join(g, ".")
			nearest = nearest && (len(name) <= len(group) || !within(read, name))
		}
		if nearest {
			return true
		}
	}
	return false
}

// same repeats the case, with and without the engine's index.
func (p *prover) same(ctx context.Context, s subject) {
	want := digestOfEvaluation(s.baseline)
	for n := range sameRuns {
		if digestOfEvaluation(p.evaluate(ctx, s, s.doc, nil)) != want {
			p.fail(s.rules[0], s.at(), LawSame, fmt.Sprintf("run %d of one input gave another result than the first", n+2), "report it: a rule cannot do this with the builtins that it has")
			return
		}
	}
	if digestOfEvaluation(p.evaluate(ctx, s, s.doc, func(r *run) { r.indexed, r.budget.left = false, math.MaxInt64 })) != want {
		p.fail(s.rules[0], s.at(), LawIndex, "without the engine's rule index the result is another", "report it with the rule: the engine skips a branch that it must not")
	}
}

// folding sets the limit just below the number of items.
func (p *prover) folding(ctx context.Context, s subject) {
	for _, x := range s.rules {
		status, before := s.baseline.status(x.ID)
		if status != string(verdict.RuleFail) || len(before.Items) == 0 {
			continue
		}
		n := len(before.Items)
		e := p.evaluate(ctx, s, s.doc, func(r *run) { r.limits.Items = n - 1 })
		is, after := e.status(x.ID)
		if is != status || len(after.Items) != n || !strings.HasPrefix(after.Items[n-1].Key, FoldedPrefix) {
			p.fail(x, s.at(), LawFold, fmt.Sprintf("with a limit of %d items its %d items are not folded", n-1, n), "report it: folding belongs to Verdict")
		}
	}
}

// digestOfEvaluation covers what the rules said, not what METADATA says of them.
func digestOfEvaluation(e *Evaluation) verdict.Digest {
	type said struct {
		Rule, Status, Message, Observed, Expected string
		Items                                     []verdict.Item
	}
	all := make([]said, len(e.Results))
	for i, r := range e.Results {
		all[i] = said{r.Rule.ID, string(r.Status), r.Message, r.Observed, r.Expected, r.Items}
	}
	b, err := json.Marshal([]any{all, e.Silent, e.Faults})
	if err != nil {
		panic(fmt.Sprintf("policy: results are text and integers, and yet: %v", err))
	}
	return sha256Digest(b)
}

// memberPaths lists every member of every object, at any depth. Elements of lists are
// numbered.
func memberPaths(doc any, at []string) [][]string {
	var out [][]string
	switch v := doc.(type) {
	case object:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			path := append(slices.Clone(at), k)
			out = append(out, path)
			out = append(out, memberPaths(v[k], path)...)
		}
	case []any:
		for i, x := range v {
			out = append(out, memberPaths(x, append(slices.Clone(at), fmt.Sprint(i)))...)
		}
	}
	return out
}

// stateGroups lists the objects that have a state.
func stateGroups(doc any) [][]string {
	var out [][]string
	for _, path := range memberPaths(doc, nil) {
		if path[len(path)-1] == "state" {
			out = append(out, path[:len(path)-1])
		}
	}
	return out
}

func at(doc any, path []string) (any, bool) {
	for _, name := range path {
		o, ok := doc.(object)
		if !ok {
			return nil, false
		}
		if doc, ok = o[name]; !ok {
			return nil, false
		}
	}
	return doc, true
}

// without is a copy of doc that lacks the member at path.
func without(doc any, path []string) any {
	return changed(doc, path, func(o object, name string) { delete(o, name) })
}

// set is a copy of doc with another value at path.
func set(doc any, path []string, value any) any {
	return changed(doc, path, func(o object, name string) { o[name] = value })
}

func changed(doc any, path []string, f func(object, string)) any {
	switch v := doc.(type) {
	case object:
		out := maps.Clone(v)
		if len(path) == 1 {
			f(out, path[0])
		} else {
			out[path[0]] = changed(v[path[0]], path[1:], f)
		}
		return out
	case []any:
		out := slices.Clone(v)
		var i int
		fmt.Sscan(path[0], &i)
		out[i] = changed(v[i], path[1:], f)
		return out
	}
	return doc
}
