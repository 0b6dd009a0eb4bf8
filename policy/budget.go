package policy

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"verdict"
)

// ending is why an evaluation was ended before its rules were done.
type ending int32

const (
	notEnded ending = iota
	bySteps         // the steps are used up
	byTime          // the time is used up
	byCaller        // whoever asked does not wait any longer
)

// budget is what the rules of one evaluation may use up together. It is the Cancel of the
// engine, which asks it before each expression that it evaluates, and builtins before each
// piece of what they write. So the questions count the work, and their number is the same
// for the same rules and input on every machine, however busy it is.
type budget struct {
	left  int64        // steps; the evaluating goroutine alone counts them
	ended atomic.Int32 // an ending
}

// Cancel ends the evaluation for whoever asked.
func (b *budget) Cancel() { b.end(byCaller) }

// Cancelled counts a step. Once it says yes it never says no.
func (b *budget) Cancelled() bool {
	if b.left--; b.left < 0 {
		b.end(bySteps)
	}
	return b.ending() != notEnded
}

func (b *budget) end(why ending) { b.ended.CompareAndSwap(int32(notEnded), int32(why)) }

func (b *budget) ending() ending { return ending(b.ended.Load()) }

// bounded runs the rules on a core of their own and ends them when the budget is used up.
// Most builtins look at it and some do not: those are waited for as long again, and then
// it is told of all rules that there is no answer. They keep their core until they end, so
// that however many of them there are, they take no more than all cores. The error is for
// ctx done while waiting for a core.
func (r *run) bounded(ctx context.Context, rules []*rule) (*Evaluation, error) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a core to evaluate rules: %w", context.Cause(ctx))
	}
	defer context.AfterFunc(ctx, r.budget.Cancel)()
	done := make(chan *Evaluation, 1)
	go func() {
		defer func() { <-slots }()
		growStack()
		done <- r.all(ctx, rules)
	}()
	began, _ := r.processor()
	var waited time.Duration
	for wait := r.limits.Time; ; {
		look := time.NewTimer(wait)
		select {
		case e := <-done:
			look.Stop()
			return e, nil
		case <-look.C:
		}
		waited += wait
		spent := waited
		if now, known := r.processor(); known { // less where others use the machine too
			spent = min(spent, now-began)
		}
		if spent >= r.limits.Time {
			r.budget.end(byTime)
		}
		if spent >= 2*r.limits.Time && r.watch == nil { // what watches is read afterwards
			return r.abandoned(rules), nil
		}
		wait = max(r.limits.Time-spent%r.limits.Time, r.limits.Time/16)
	}
}

// growStack gives a new goroutine the stack that the engine's recursion needs. Growing
// to it step by step copies the stack each time, which costs a quarter of an evaluation.
//
//go:noinline
func growStack() byte {
	var space [64 << 10]byte
	return space[len(slots)]
}

// abandoned says of every rule that there is no answer: which of them did not stop
// cannot be read while it runs.
func (b *Bundle) abandoned(rules []*rule) *Evaluation {
	e := &Evaluation{Results: []Result{}, Silent: []string{}, Faults: make([]verdict.Fault, len(rules)), lost: true}
	for i, x := range rules {
		e.Faults[i] = *faultOf(x, FaultDeadline, fmt.Sprintf("one of these rules did not stop at its limit of %s, nor after as long again", b.limits.Time),
			"make the rules read less at a time: a builtin over very long text is the usual cause")
	}
	return e
}

// overspent is the fault of a rule that was ended.
func (r *run) overspent(x *rule) *verdict.Fault {
	switch r.budget.ending() {
	case bySteps:
		return faultOf(x, FaultSteps, fmt.Sprintf("the rules took more than %d steps", r.limits.Steps),
			"make the rule cheaper: look up by name instead of comparing every pair")
	case byTime:
		return faultOf(x, FaultDeadline, fmt.Sprintf("the rules took longer than %s", r.limits.Time),
			"make the rule cheaper: a builtin over very long text or lists is the usual cause")
	}
	return faultOf(x, FaultDeadline, "the caller stopped before the rule ended", "run the command again and let it end")
}
