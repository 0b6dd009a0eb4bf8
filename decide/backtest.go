package decide

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/policy"
)

// Backtest judges recorded decisions by other rules: each keeps its facts, exceptions,
// approvals, mode and time, and only the rules are others. What was recorded is the other
// side of the comparison.
//
// A decision that the rules cannot judge, because its record lacks what they read, is
// indeterminate. It is never counted as one that stays the same.
type Backtest struct {
	Ledger Past
	Policy *policy.Bundle
	// Map, where there is one, says which of the rules each point asks. Mode and needs stay
	// those of the decision.
	Map *decisionmap.Map
	// Verify, where it is set, gives what takes a decision again before it is judged: one
	// that does not follow from its record is indeterminate.
	Verify func() *Replayer

	Chosen ledger.DecisionQuery // At is the end; its Before and Limit are not looked at
	From   ledger.Position      // decisions that were recorded before it are not looked at
	Latest bool                 // only those that no later one of the same point about the same subject replaced
	Limit  int64                // at most so many, the newest; 0: all

	// Progress, where it is set, hears how many decisions were judged.
	Progress func(done int64)
}

// Past is what a backtest reads of the ledger.
type Past interface {
	// Decisions lists decisions, newest first.
	Decisions(ctx context.Context, q ledger.DecisionQuery) ([]ledger.DecisionRow, error)
	// Bundle gives the signed bytes of an entry, with an error where they were pruned.
	Bundle(ctx context.Context, index int64) (*evidence.Bundle, error)
	// Blob gives content by its digest.
	Blob(ctx context.Context, d verdict.Digest) ([]byte, error)
}

// backtestPage is how many rows of decisions are in memory at once.
const backtestPage = 1000

// Run judges what was chosen. Of the decisions it holds a page of rows and one body for each
// core.
func (t *Backtest) Run(ctx context.Context) (*Backtested, error) {
	run := &backtesting{Backtest: t, out: newTally(), plans: planner{test: t}}
	if t.Chosen.At < 0 {
		return nil, errors.New("a backtest needs the position that it ends at")
	}
	q := t.Chosen
	q.Limit, q.Before = backtestPage, 0
	for {
		page, err := t.Ledger.Decisions(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list decisions: %w", err)
		}
		if err := run.page(ctx, page); err != nil {
			return nil, err
		}
		// A page of what its reader may see is seldom full, and only an empty one is the end.
		if len(page) == 0 || page[len(page)-1].Index <= max(int64(t.From), 0) {
			out := run.out.report()
			out.NeverAsked, err = run.neverAsked()
			return out, err
		}
		q.Before = page[len(page)-1].Index
	}
}

// neverAsked are the rules over the built-in ones that no decision's point selects.
func (b *backtesting) neverAsked() ([]string, error) {
	builtin, err := policy.Builtin()
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, r := range b.Policy.Rules() {
		if !b.out.selected[r.ID] && !slices.ContainsFunc(builtin.Rules(), func(x verdict.Rule) bool { return x.ID == r.ID }) {
			out = append(out, r.ID)
		}
	}
	return out, nil
}

// backtesting is a backtest under way.
type backtesting struct {
	*Backtest
	plans planner
	taken int64 // rows that were judged, of those that Limit lets through

	mu  sync.Mutex // guards out
	out *tally
}

// page judges the rows of a page on all cores.
func (b *backtesting) page(ctx context.Context, rows []ledger.DecisionRow) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var again *Replayer
	if b.Verify != nil {
		again = b.Verify() // anew for each page: it keeps every map that it meets
	}
	work := make(chan ledger.DecisionRow)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for row := range work {
				r, err := b.retry(ctx, row, again)
				if err != nil {
					stop(err)
					continue
				}
				b.mu.Lock()
				b.out.add(row, r)
				done := b.out.decisions
				b.mu.Unlock()
				if b.Progress != nil {
					b.Progress(done)
				}
			}
		})
	}
	for _, row := range rows {
		if ctx.Err() == nil && b.wants(row) {
			work <- row
		}
	}
	close(work)
	workers.Wait()
	return context.Cause(ctx)
}

// wants reports whether a row is to be judged, and counts those that are left out.
func (b *backtesting) wants(row ledger.DecisionRow) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case row.Index < int64(b.From):
		return false
	case b.Latest && row.Replaced >= 0:
		b.out.replaced++
		return false
	case b.Limit > 0 && b.taken >= b.Limit:
		b.out.beyond++
		return false
	}
	b.taken++
	return true
}

// retried is what came of one decision.
type retried struct {
	unknown *unknown // set: it cannot be told, and nothing else but rules is set
	was     verdict.Decision
	again   Conclusion
	asks    people         // of its review reasons, before and after
	other   bool           // the built-in rules of then were others
	rules   []verdict.Rule // that its point selects
}

// unknown says why nobody can tell what the rules would have said.
type unknown struct{ code, rule, why string }

// people is how many persons a decision asks: as recorded, and by the other rules.
type people struct{ before, after int64 }

// retry judges one decision. The error is for what concerns no single decision.
func (b *backtesting) retry(ctx context.Context, row ledger.DecisionRow, again *Replayer) (retried, error) {
	rec, u := b.read(ctx, row)
	if u == nil && again != nil {
		u = verified(ctx, again, row, b.Chosen.At)
	}
	if u != nil {
		return retried{unknown: u}, context.Cause(ctx)
	}
	p, err := b.plans.of(ctx, rec)
	if err != nil {
		return retried{}, err
	}
	point, known := p.points[rec.Point]
	switch {
	case p.lost != "":
		u = &unknown{code: LacksBasis, why: p.lost}
	case !known:
		u = &unknown{code: LacksPoint, why: fmt.Sprintf("the map has no point %s", rec.Point)}
	case point.selector != "":
		u = &unknown{code: LacksRule, rule: point.selector, why: fmt.Sprintf("the point %s selects %s, which names no rule of this policy", rec.Point, point.selector)}
	}
	if u != nil {
		return retried{unknown: u}, nil
	}
	out, u, err := b.judge(ctx, rec, point)
	if err != nil || u != nil {
		return retried{unknown: u, rules: point.rules}, err
	}
	return retried{was: rec.Decision, again: out, asks: asked(rec, out), other: p.other, rules: point.rules}, nil
}

// read reads the record of a decision. What it cannot say is unknown, whatever the cause.
func (b *backtesting) read(ctx context.Context, row ledger.DecisionRow) (*recorded, *unknown) {
	bundle, err := b.Ledger.Bundle(ctx, row.Index)
	if err != nil {
		if verdict.AsError(err).Code == verdict.CodeNotFound {
			return nil, &unknown{code: LacksBody, why: "its body was pruned, or is gone"}
		}
		return nil, &unknown{code: LacksBody, why: "its body cannot be read: " + err.Error()}
	}
	s, err := bundle.Statement()
	rec := &recorded{}
	if err == nil {
		err = s.Decode(rec)
	}
	switch {
	case err != nil:
		return nil, &unknown{code: LacksBody, why: "its body cannot be read: " + err.Error()}
	case rec.Basis.Schema != BasisSchema:
		return nil, &unknown{code: LacksBasis, why: fmt.Sprintf("its basis is %.80q, and this program reads %s", rec.Basis.Schema, BasisSchema)}
	}
	if err := rec.Basis.complete(ctx, b.Ledger); err != nil {
		return nil, &unknown{code: LacksBasis, why: err.Error()}
	}
	if whole, err := rec.Basis.whole(); err != nil || sha256Of(whole) != rec.Digests.Input {
		return nil, &unknown{code: LacksBasis, why: "its input is not the one whose digest it names"}
	}
	return rec, nil
}

// verified takes a decision again from the ledger.
func verified(ctx context.Context, again *Replayer, row ledger.DecisionRow, at ledger.Position) *unknown {
	out, err := again.Replay(ctx, row.ID, at)
	switch {
	case err != nil:
		return &unknown{code: LacksReplay, why: "it cannot be replayed: " + err.Error()}
	case !out.Same:
		return &unknown{code: LacksReplay, why: "its replay gives another decision: " + out.Difference}
	}
	return nil
}

// judge asks the rules of a plan about the recorded facts.
func (b *backtesting) judge(ctx context.Context, rec *recorded, p pointPlan) (Conclusion, *unknown, error) {
	whole, err := rec.Basis.whole()
	if err != nil {
		return Conclusion{}, nil, err
	}
	in, lacks, err := policy.ReadRecorded(whole)
	if err != nil {
		return Conclusion{}, &unknown{code: LacksSchema, why: schemaOf(rec.Basis.Input) + " as this program cannot read it"}, nil
	}
	if !in.Counted() {
		return Conclusion{}, &unknown{code: LacksBasis, why: miscounted}, nil
	}
	for _, r := range p.rules {
		for _, read := range p.news[r.ID] {
			if len(in.Unknown([]string{read})) > 0 {
				return Conclusion{}, &unknown{code: LacksFact, rule: r.ID, why: fmt.Sprintf("the rule reads %s, of which the record knows nothing", read)}, nil
			}
		}
		for _, gone := range lacks {
			if slices.ContainsFunc(r.Reads, func(read string) bool { return within(gone, read) || within(read, gone) }) {
				return Conclusion{}, &unknown{code: LacksFact, rule: r.ID, why: fmt.Sprintf("the rule reads %s, which the version that recorded it did not know", gone)}, nil
			}
		}
	}
	// Approvals are bound to facts, and facts to the policy: under the digest of the other
	// rules every approval would be void, also where the rules ask for the same. So the case
	// keeps the policy of then.
	c := rec.Basis.Case
	c.Rules, c.Faults = []string{}, slices.DeleteFunc(slices.Clone(c.Faults), func(f verdict.Fault) bool { return f.Code == partialRule })
	c.ask(p.rules, rec.Basis.Partial)
	ev, err := b.Policy.Evaluate(ctx, policy.Query{Rules: c.Rules, Input: in, At: c.At})
	if err != nil {
		if ctx.Err() != nil {
			return Conclusion{}, nil, context.Cause(ctx)
		}
		return Conclusion{}, &unknown{code: LacksSchema, why: err.Error()}, nil
	}
	if u := unreported(ev, rec); u != nil {
		return Conclusion{}, u, nil
	}
	return Conclude(c, *ev), nil, nil
}

// unreported finds a rule that said nothing, or did not end, and did not do so
// when the decision was taken.
func unreported(ev *policy.Evaluation, rec *recorded) *unknown {
	before := func(is verdict.Fault) bool {
		return slices.ContainsFunc(rec.Errors, func(was verdict.Fault) bool { return was.Code == is.Code && was.What == is.What })
	}
	for _, id := range ev.Silent {
		if !before(silent(id)) {
			return &unknown{code: LacksReport, rule: id, why: "the rule reported nothing about it"}
		}
	}
	for _, f := range ev.Faults {
		if (f.Code == policy.FaultSteps || f.Code == policy.FaultDeadline) && !before(f) {
			return &unknown{code: LacksReport, rule: f.Rule, why: "the rules did not end: " + f.What}
		}
	}
	return nil
}

// asked tells whom a decision asks: the persons that a review needs, where the point blocks
// and nothing but reviews stands in the way.
func asked(rec *recorded, again Conclusion) people {
	count := func(o verdict.Outcome, reasons []verdict.Reason) int64 {
		if rec.Mode != verdict.ModeBlock || o != verdict.Allow && o != verdict.Review {
			return 0
		}
		for _, r := range reasons {
			if r.Effect == verdict.EffectReview && (r.Standing == verdict.Counts || r.Standing == verdict.Approved) {
				return int64(max(rec.Basis.Case.Approvers, 1))
			}
		}
		return 0
	}
	return people{count(rec.Outcome, rec.Reasons), count(again.Outcome, again.Reasons)}
}

// schemaOf names the schema of a document that cannot be read as one of ours.
func schemaOf(doc []byte) string {
	var x struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(doc, &x); err != nil || x.Schema == "" {
		return "its input says no schema"
	}
	return fmt.Sprintf("its input is %.80q", x.Schema)
}

// within reports whether a name of the input is another one or lies below it.
func within(name, above string) bool {
	rest, ok := strings.CutPrefix(name, above)
	return ok && (rest == "" || rest[0] == '.')
}
