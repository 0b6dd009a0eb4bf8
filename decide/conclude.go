package decide

import (
	"slices"
	"sort"
	"time"

	"verdict"
	"verdict/policy"
)

// EvidenceMissing is the id of the generic rule: every need of a point has a fact whose
// state counts. It is part of every point and cannot be switched off.
const EvidenceMissing = "evidence.missing"

// Fact is what is known of one need of a point.
type Fact struct {
	Need  string        `json:"need"` // the need's word in the map: "secrets", "sbom"
	State verdict.State `json:"state"`
	// AcceptPresent is true where the map's need says accept: present.
	AcceptPresent bool `json:"accept_present"`
	// Own is true when Verdict itself should have produced the fact at this point: then
	// its absence is an error of ours and not the judged party's.
	Own bool `json:"own"`
	// Optional facts are read when they exist and missed by nobody.
	Optional bool         `json:"optional"`
	Producer string       `json:"producer"` // who should state it
	Owner    string       `json:"owner"`
	Why      string       `json:"why"`    // what was found instead
	Remedy   string       `json:"remedy"` // the command or edit that brings it
	Evidence *verdict.Ref `json:"evidence"`
}

// Holds reports whether the fact's state satisfies its need.
func (f Fact) Holds() bool {
	return f.State == verdict.StateVerified || f.State == verdict.StatePresent && f.AcceptPresent
}

// Case is everything that a conclusion depends on besides what the rules reported. It
// is recorded with the decision, so that replay needs nothing else.
type Case struct {
	Point       string          `json:"point"`
	Layer       verdict.Layer   `json:"layer"`
	Mode        verdict.Mode    `json:"mode"`
	Subject     verdict.Subject `json:"subject"`
	Service     string          `json:"service"`
	Environment string          `json:"environment"`
	At          time.Time       `json:"at"`
	Policy      verdict.Digest  `json:"policy"`
	Rules       []string        `json:"rules"` // active rules
	Facts       []Fact          `json:"facts"`
	Faults      []verdict.Fault `json:"faults"` // met while gathering
	// Exceptions are those that persons whom the map entitles approved: ApprovedBy holds
	// nobody else.
	Exceptions []verdict.Exception `json:"exceptions"`
	// Approvals are signed by persons whom the map entitles, for whatever facts.
	Approvals    []verdict.Approval   `json:"approvals"`
	BreakGlasses []verdict.BreakGlass `json:"break_glasses"`
	Approvers    int                  `json:"approvers"`     // persons that a review needs; at least 1
	NotApprovers []verdict.Barred     `json:"not_approvers"` // author, requester, …
	People       *People              `json:"people,omitempty"`
	// OldFrom is the day from which what was there before the change counts as well.
	OldFrom time.Time `json:"old_from"`
	// ValidFor is for how many seconds an allow counts; 0: for ever.
	ValidFor int64 `json:"valid_for,omitempty"`
	// Rollback is true where the decision is about going back to what ran there before.
	Rollback bool                   `json:"rollback,omitempty"`
	Refs     map[string]verdict.Ref `json:"refs"` // statements that items may name, by digest
}

// partialRule is the code of the fault for a rule that a blocking point does not let count.
const partialRule = "rule.partial"

// ask makes rules those of the case. What cannot be told from a rule that says nothing
// keeps a point from blocking.
func (c *Case) ask(rules []verdict.Rule, allowPartial bool) {
	for _, rule := range rules {
		c.Rules = append(c.Rules, rule.ID)
		if rule.Partial && c.Mode == verdict.ModeBlock && !allowPartial {
			c.Faults = append(c.Faults, verdict.Fault{
				Code: partialRule, Rule: rule.ID, What: "rule " + rule.ID + " cannot be told from a rule that says nothing",
				Remedy: "write it with a check that reports pass, fail or skip, or say allow_partial: true at " + c.Point,
			})
		}
	}
}

// Conclusion is the part of a decision that follows from case and evaluation alone.
type Conclusion struct {
	Outcome    verdict.Outcome  `json:"outcome"`
	Enforced   verdict.Outcome  `json:"enforced"`
	Reasons    []verdict.Reason `json:"reasons"`
	Passed     []string         `json:"passed"`
	Skipped    []string         `json:"skipped"`
	Errors     []verdict.Fault  `json:"errors"`
	BreakGlass string           `json:"break_glass"`
	Expires    time.Time        `json:"expires"`
	Facts      verdict.Digest   `json:"facts"`
	Answer     *verdict.Answer  `json:"answer,omitempty"`
	Lifted     *verdict.Lifted  `json:"lifted,omitempty"`
	Aside      []verdict.Aside  `json:"aside,omitempty"`
}

// Conclude is the pure pipeline from what the rules reported to the outcome, in the
// order that the decision document fixes: reasons and completeness, announcement,
// exceptions, join, approvals, break-glass, mode. It reads no clock and does no I/O, so
// the same case gives the same conclusion, today and on replay.
func Conclude(c Case, ev policy.Evaluation) Conclusion {
	out := Conclusion{Passed: []string{}, Skipped: []string{}, Reasons: []verdict.Reason{}, Errors: []verdict.Fault{}}
	out.collect(c, ev)
	deploy := c.Layer == verdict.LayerDeploy
	for i := range out.Reasons {
		r := &out.Reasons[i]
		r.Standing, r.By = verdict.Counts, []string{}
		if r.EffectiveOn.After(c.At) {
			r.Standing = verdict.Announced
		} else if deploy {
			out.accept(r, c)
		} else {
			announceOld(r, c)
		}
	}
	out.Facts = factsDigest(c, out.Reasons)
	if deploy {
		out.answer(c)
	}
	out.Outcome = out.join()
	if deploy && out.Outcome != verdict.Allow {
		out.breakGlass(c)
	}
	if until := c.At.Add(time.Duration(c.ValidFor) * time.Second); deploy && c.ValidFor > 0 && out.Outcome == verdict.Allow && (out.Expires.IsZero() || until.Before(out.Expires)) {
		out.Expires = until
	}
	out.Enforced = c.Mode.Enforce(out.Outcome)
	out.sort()
	return out
}

// collect turns results, silence and facts into reasons, passes and errors.
func (o *Conclusion) collect(c Case, ev policy.Evaluation) {
	o.Errors = append(o.Errors, c.Faults...)
	o.Errors = append(o.Errors, ev.Faults...)
	reported := map[string]bool{}
	for _, r := range ev.Results {
		reported[r.Rule.ID] = true
		switch r.Status {
		case verdict.RulePass:
			o.Passed = append(o.Passed, r.Rule.ID)
		case verdict.RuleSkip:
			o.Skipped = append(o.Skipped, r.Rule.ID)
		case verdict.RuleFail:
			o.Reasons = append(o.Reasons, reason(r, c))
		default:
			o.Errors = append(o.Errors, silent(r.Rule.ID))
		}
	}
	for _, id := range c.Rules {
		if !reported[id] && !faulted(ev.Faults, id) {
			o.Errors = append(o.Errors, silent(id))
		}
	}
	o.missing(c)
}

// missing is the generic rule over the facts of the point's needs.
func (o *Conclusion) missing(c Case) {
	r := verdict.Reason{
		Rule: EvidenceMissing, Title: "Everything that this point needs is known", Status: verdict.RuleFail,
		Effect: verdict.EffectDeny, Severity: verdict.SeverityHigh, Expected: "verified",
		Items: []verdict.Item{}, Evidence: []verdict.Ref{}, By: []string{},
		Remediation: "have the named producer state the evidence, then decide again",
	}
	needed, owned := false, false
	for _, f := range c.Facts {
		if f.Optional {
			continue
		}
		needed = true
		switch {
		case f.Holds():
		case f.Own:
			owned = true
			o.Errors = append(o.Errors, verdict.Fault{Code: "check." + string(f.State), What: f.Need + ": " + f.Why, Remedy: f.Remedy})
		default:
			r.Items = append(r.Items, verdict.Item{Key: f.Need, Message: f.Need + " is " + string(f.State) + ": " + f.Why, Fix: f.Remedy})
			r.Owner = f.Owner
		}
	}
	switch {
	case len(r.Items) > 0:
		sort.Slice(r.Items, func(i, j int) bool { return r.Items[i].Key < r.Items[j].Key })
		r.Observed, r.Message = string(worstState(c.Facts)), r.Items[0].Message
		o.Reasons = append(o.Reasons, r)
	case needed && !owned:
		o.Passed = append(o.Passed, EvidenceMissing)
	}
}

// worstState names one state for the reason's observation: the first that does not hold,
// in the order of the needs' names.
func worstState(facts []Fact) verdict.State {
	state, need := verdict.StateUnknown, ""
	for _, f := range facts {
		if !f.Optional && !f.Own && !f.Holds() && (need == "" || f.Need < need) {
			state, need = f.State, f.Need
		}
	}
	return state
}

func reason(r policy.Result, c Case) verdict.Reason {
	out := verdict.Reason{
		Rule: r.Rule.ID, Title: r.Rule.Title, Status: r.Status, Effect: r.Rule.Effect, Severity: r.Rule.Severity,
		Message: r.Message, Observed: r.Observed, Expected: r.Expected, Items: append([]verdict.Item{}, r.Items...),
		Evidence: []verdict.Ref{}, Remediation: r.Rule.Remediation, Owner: r.Rule.Owner, Link: r.Rule.Link,
		EffectiveOn: r.Rule.EffectiveOn, By: []string{},
	}
	named := map[string]bool{}
	for _, it := range r.Items {
		if ref, ok := c.Refs[it.Evidence]; ok && !named[it.Evidence] {
			named[it.Evidence] = true
			out.Evidence = append(out.Evidence, ref)
		}
	}
	sort.Slice(out.Evidence, func(i, j int) bool { return out.Evidence[i].Index < out.Evidence[j].Index })
	return out
}

// announceOld lets what was there before the change wait for the day that the map names.
// It stays in the decision with that day, and one new item makes the reason count.
func announceOld(r *verdict.Reason, c Case) {
	if !c.OldFrom.After(c.At) {
		return
	}
	waiting := 0
	for i := range r.Items {
		if r.Items[i].Old {
			r.Items[i].From = c.OldFrom
			waiting++
		}
	}
	if waiting > 0 && waiting == len(r.Items) {
		r.Standing, r.EffectiveOn = verdict.Announced, c.OldFrom
	}
}

func silent(id string) verdict.Fault {
	return verdict.Fault{
		Code: "rule.silent", What: "rule " + id + " reported nothing",
		Remedy: "run `verdict policy test`: the rule must report pass, fail or skip for every input",
	}
}

// faulted says whether the engine already told why the rule gave no result.
func faulted(faults []verdict.Fault, rule string) bool {
	return slices.ContainsFunc(faults, func(f verdict.Fault) bool { return f.Rule == rule })
}

// join is the outcome of the reasons that count and of the errors.
func (o *Conclusion) join() verdict.Outcome {
	out := verdict.Allow
	if len(o.Errors) > 0 {
		out = verdict.Undecided
	}
	for _, r := range o.Reasons {
		if r.Standing == verdict.Counts {
			out = out.Join(r.Effect.Outcome())
		}
	}
	return out
}

// sort gives the conclusion one order, whatever order the rules were asked in.
func (o *Conclusion) sort() {
	sort.SliceStable(o.Reasons, func(i, j int) bool {
		a, b := o.Reasons[i], o.Reasons[j]
		if x, y := weight(a), weight(b); x != y {
			return x > y
		}
		if x, y := a.Severity.Rank(), b.Severity.Rank(); x != y {
			return x < y
		}
		return a.Rule < b.Rule
	})
	sort.SliceStable(o.Errors, func(i, j int) bool {
		a, b := o.Errors[i], o.Errors[j]
		if a.Code != b.Code {
			return a.Code < b.Code
		}
		return a.What < b.What
	})
	sort.SliceStable(o.Aside, func(i, j int) bool {
		a, b := o.Aside[i], o.Aside[j]
		if a.Index != b.Index {
			return a.Index < b.Index
		}
		return a.ID+a.Rule < b.ID+b.Rule
	})
	o.Aside = slices.CompactFunc(o.Aside, func(a, b verdict.Aside) bool { return a == b })
	sort.Strings(o.Passed)
	sort.Strings(o.Skipped)
	o.Passed, o.Skipped = slices.Compact(o.Passed), slices.Compact(o.Skipped)
}

// weight orders reasons for people: what counts before what was lifted, deny before
// review before note.
func weight(r verdict.Reason) int {
	w := map[verdict.Effect]int{verdict.EffectDeny: 2, verdict.EffectReview: 1}[r.Effect]
	if r.Standing == verdict.Counts {
		w += 3
	}
	return w
}
