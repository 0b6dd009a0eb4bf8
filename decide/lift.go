package decide

import (
	"slices"
	"sort"
	"time"

	"verdict"
)

// What lifts a reason lives in this file alone: exceptions, approvals and break-glass
// are looked at in one place, at deploy points only, always against the decision's time.

// accept marks the items that live exceptions cover, and the reason itself when nothing
// of it is left. The decision then expires no later than the exception.
func accept(r *verdict.Reason, c Case, expires *time.Time) {
	for _, x := range c.Exceptions {
		if x.Rule != r.Rule || !covers(x, c) {
			continue
		}
		if len(x.Items) == 0 {
			r.Standing = verdict.Accepted
			lift(r, x.ID, x.Expires, expires)
			continue
		}
		for i := range r.Items {
			if r.Items[i].Accepted == "" && slices.Contains(x.Items, r.Items[i].Key) {
				r.Items[i].Accepted = x.ID
				lift(r, x.ID, x.Expires, expires)
			}
		}
	}
	open := slices.ContainsFunc(r.Items, func(i verdict.Item) bool { return i.Accepted == "" })
	if len(r.Items) > 0 && !open {
		r.Standing = verdict.Accepted
	}
	sort.Strings(r.By)
}

func lift(r *verdict.Reason, id string, until time.Time, expires *time.Time) {
	if !slices.Contains(r.By, id) {
		r.By = append(r.By, id)
	}
	if expires.IsZero() || until.Before(*expires) {
		*expires = until
	}
}

// covers says whether an exception is about this case at this time. An exception that
// names no digests holds for its version range only, and a range is judged by the
// caller that knows versions: it hands in exceptions whose range fits. What is left
// empty covers nothing, except Digests beside a range.
func covers(x verdict.Exception, c Case) bool {
	if !x.LiveAt(c.At) || x.Service == "" || x.Service != c.Service || !slices.Contains(x.Environments, c.Environment) {
		return false
	}
	if len(x.Digests) > 0 {
		return slices.Contains(x.Digests, c.Subject.Digest)
	}
	return x.Versions != ""
}

// approve lifts the review reasons when enough persons, none of them barred, have
// approved all of them for exactly these facts. A deny is never lifted here.
func (o *Conclusion) approve(c Case) {
	var rules []string
	for _, r := range o.Reasons {
		if r.Standing == verdict.Counts && r.Effect == verdict.EffectReview {
			rules = append(rules, r.Rule)
		}
	}
	if len(rules) == 0 {
		return
	}
	by := map[string]verdict.Approval{}
	for _, a := range c.Approvals {
		if !a.LiveAt(c.At) || a.Facts != o.Facts || a.By == "" || slices.Contains(c.NotApprovers, a.By) || !subset(rules, a.Rules) {
			continue
		}
		if old, ok := by[a.By]; !ok || a.Expires.After(old.Expires) {
			by[a.By] = a
		}
	}
	if len(by) < max(c.Approvers, 1) {
		return
	}
	for i := range o.Reasons {
		r := &o.Reasons[i]
		if r.Standing != verdict.Counts || r.Effect != verdict.EffectReview {
			continue
		}
		r.Standing = verdict.Approved
		for _, a := range by {
			lift(r, a.ID, a.Expires, &o.Expires)
		}
		sort.Strings(r.By)
	}
}

func subset(want, have []string) bool {
	return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(have, w) })
}

// breakGlass lets an emergency through, visibly: the reasons keep counting and the
// errors stay; only the outcome becomes allow, with the emergency's id beside it.
func (o *Conclusion) breakGlass(c Case) {
	best := verdict.BreakGlass{}
	for _, b := range c.BreakGlasses {
		if b.LiveAt(c.At) && b.Service == c.Service && b.Environment == c.Environment && b.Environment != "" &&
			(best.ID == "" || b.Expires.After(best.Expires) || b.Expires.Equal(best.Expires) && b.ID < best.ID) {
			best = b
		}
	}
	if best.ID == "" {
		return
	}
	o.Outcome, o.BreakGlass = verdict.Allow, best.ID
	if o.Expires.IsZero() || best.Expires.Before(o.Expires) {
		o.Expires = best.Expires
	}
}
