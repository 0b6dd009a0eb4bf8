package decisionmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
)

func ownersNamed(l *linter) { // VD-O01
	for _, name := range slices.Sorted(maps.Keys(l.Services)) {
		s := l.Services[name]
		if s.Team == "" || s.Owner == "" {
			l.found("services."+name, name+" does not name both owner and team", "add `team:` and `owner:`; nobody infers them from the repository's name")
		}
	}
	for _, p := range l.Points {
		if p.Owner == "" {
			l.found("points."+p.ID, p.ID+" has no owner", "add `owner:`; `owner: team` is the team of the service that is judged")
		}
	}
}

// signaturesActed: who asks for signed commits wants more than a record that there are none.
func signaturesActed(l *linter) { // VD-O03
	const rule = "code.review.signed"
	acted := slices.ContainsFunc(l.Points, func(p Point) bool {
		return acts(p) && slices.ContainsFunc(l.rules[p.ID], func(r verdict.Rule) bool { return r.ID == rule })
	})
	for _, name := range slices.Sorted(maps.Keys(l.Services)) {
		if l.Services[name].SignedCommits && !acted {
			l.found("services."+name+".signed_commits", name+" asks for signed commits, and no point that tells or enforces has the rule "+rule, "set `mode: block` at code.review, or take `signed_commits:` out")
		}
	}
}

func rulesOwned(l *linter) { // VD-O02
	seen := map[string]bool{}
	for _, p := range l.Points {
		for _, r := range l.rules[p.ID] {
			if r.Effect == verdict.EffectNote || seen[r.ID] {
				continue
			}
			seen[r.ID] = true
			var missing []string
			if strings.TrimSpace(r.Remediation) == "" {
				missing = append(missing, "remediation")
			}
			if strings.TrimSpace(r.Owner) == "" {
				missing = append(missing, "owner")
			}
			if len(missing) > 0 {
				l.found(at(p, "policy"), fmt.Sprintf("the rule %s of %s can block and names no %s", r.ID, p.ID, strings.Join(missing, " and no ")), "add it to the rule's METADATA")
			}
		}
	}
}

// lacking lists the words of want that have does not hold.
func lacking(have []string, want ...string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(w string) bool { return slices.Contains(have, w) })
}

// ninetyDays is the longest that anything provisional may last.
const ninetyDays = 90 * Day

func approvalLimits(l *linter) { // VD-A01
	for _, p := range l.Points {
		if p.Review == nil {
			asks := slices.IndexFunc(l.rules[p.ID], func(r verdict.Rule) bool { return r.Effect == verdict.EffectReview })
			if p.Layer == verdict.LayerDeploy && asks >= 0 {
				l.found("points."+p.ID, fmt.Sprintf("the rule %s of %s asks for a review that nobody may give", l.rules[p.ID][asks].ID, p.ID), "add `review: {approvers: […]}` to the point")
			}
			continue
		}
		var why []string
		if m := lacking(p.Review.Requires, "scope", "rationale", "expiry"); len(m) > 0 {
			why = append(why, "does not require "+strings.Join(m, ", "))
		}
		if m := lacking(p.Review.Not, "author", "requester"); len(m) > 0 {
			why = append(why, "does not exclude "+strings.Join(m, ", "))
		}
		if len(p.Review.Approvers) == 0 {
			why = append(why, "names no approvers")
		}
		if len(why) > 0 {
			l.found(at(p, "review"), "an approval at "+p.ID+" "+strings.Join(why, " and "), "set `requires: [scope, rationale, expiry]`, `not: [author, requester]` and `approvers:`")
		}
	}
}

func exceptionLimits(l *linter) { // VD-A02
	var why []string
	if m := lacking(l.Exceptions.Requires, "rule", "scope", "rationale", "owner", "expiry"); len(m) > 0 {
		why = append(why, "do not require "+strings.Join(m, ", "))
	}
	if l.Exceptions.MaxValidity > ninetyDays || l.Exceptions.MaxValidity == 0 {
		why = append(why, fmt.Sprintf("may hold for %s", l.Exceptions.MaxValidity))
	}
	if len(why) > 0 {
		l.found("exceptions", "exceptions "+strings.Join(why, " and "), "set `requires: [rule, scope, rationale, owner, expiry]` and `max_validity:` of at most 90d")
	}
}

func breakGlassLimits(l *linter) { // VD-A03
	b := l.BreakGlass
	if b == nil {
		return
	}
	var why []string
	if len(b.Who) == 0 {
		why = append(why, "does not name who may")
	}
	if m := lacking(b.Requires, "incident", "rationale"); len(m) > 0 {
		why = append(why, "does not require "+strings.Join(m, ", "))
	}
	if b.MaxValidity == 0 || b.MaxValidity > Duration(4*time.Hour) {
		why = append(why, fmt.Sprintf("may hold for %s", b.MaxValidity))
	}
	if b.ReviewWithin == 0 || b.ReviewWithin > Day {
		why = append(why, fmt.Sprintf("is reviewed within %s", b.ReviewWithin))
	}
	if len(b.Notify) == 0 {
		why = append(why, "tells nobody")
	}
	if len(why) > 0 {
		l.found("break_glass", "break-glass "+strings.Join(why, " and "), "name `who:` and `notify:`, require incident and rationale, at most 4h, reviewed within 24h")
	}
}

// leastHistory is how many decisions say something: of a few, half are soon reached.
const leastHistory = 20

// reviewsAreRare: what is nearly always asked is nearly always granted, and nobody looks any
// more.
func reviewsAreRare(l *linter) { // VD-A04
	for _, p := range l.Points {
		h := l.opts.History[p.ID]
		for _, r := range l.rules[p.ID] {
			if n := h.Asked[r.ID]; r.Effect == verdict.EffectReview && h.Decisions >= leastHistory && 2*n > h.Decisions {
				l.found(at(p, "policy"), fmt.Sprintf("the rule %s of %s asked for a review in %d of the last %d decisions", r.ID, p.ID, n, h.Decisions),
					"write down what the reviewers look at as a rule that allows or denies, and let people see what is left")
			}
		}
	}
}
