package decide

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"verdict"
)

// What lifts a reason lives in this file alone: exceptions, approvals and break-glass
// are looked at in one place, at deploy points only, always against the decision's time.
// Who may say what was judged when it was gathered; here it is held against the facts.

// People is what was gathered of persons besides what they said.
type People struct {
	// Entitled are the persons and teams whom the map lets approve a review here.
	Entitled []string `json:"entitled"`
	// Rejections are those of persons whom the map entitles, of whatever facts.
	Rejections []verdict.Approval `json:"rejections"`
	// OneHand are pairs of persons whose keys may be in one hand.
	OneHand []Pair `json:"one_hand"`
	// Unknown says why nobody can be shown to be another than who had a part in the
	// subject; then no approval counts. Remedy goes with it.
	Unknown string `json:"unknown"`
	Remedy  string `json:"remedy"`
	// Accepters are the persons that an exception needs; 0 is 1.
	Accepters int `json:"accepters"`
	// Aside is what does not count by whom or how it was signed.
	Aside []verdict.Aside `json:"aside"`
	// Entries are the statements behind exceptions, approvals and break-glass, by id.
	Entries map[string][]verdict.Ref `json:"entries"`
}

// Pair is two persons who do not count as two, and why.
type Pair struct {
	A   string `json:"a"`
	B   string `json:"b"`
	Why string `json:"why"`
}

// critical is how many persons what is critical takes.
const critical = 2

// people is never nil.
func (c Case) people() *People {
	if c.People == nil {
		return &People{}
	}
	return c.People
}

// asideOf makes an entry of what does not count.
func (c Case) asideOf(kind verdict.Kind, id, by, why, remedy string) verdict.Aside {
	a := verdict.Aside{Kind: kind, ID: id, By: by, Index: -1, Why: why, Remedy: remedy}
	if refs := c.people().Entries[id]; len(refs) > 0 {
		a.Index = refs[0].Index
	}
	return a
}

func (o *Conclusion) lifted() *verdict.Lifted {
	if o.Lifted == nil {
		o.Lifted = &verdict.Lifted{Exceptions: []verdict.Exception{}, Approvals: []verdict.Approval{}}
	}
	return o.Lifted
}

// accept marks the items that live exceptions cover, and the reason itself when nothing
// of it is left. The decision then expires no later than the exception.
func (o *Conclusion) accept(r *verdict.Reason, c Case) {
	all := slices.Clone(c.Exceptions)
	slices.SortFunc(all, func(a, b verdict.Exception) int { return cmp.Compare(a.ID, b.ID) })
	for _, x := range all {
		if x.Rule != r.Rule || x.Service == "" || x.Service != c.Service || !slices.Contains(x.Environments, c.Environment) {
			continue
		}
		if why, remedy := c.uncovered(x, r); why != "" {
			aside := c.asideOf(verdict.KindException, x.ID, strings.Join(x.ApprovedBy, ", "), why, remedy)
			aside.Rule = x.Rule
			o.Aside = append(o.Aside, aside)
			continue
		}
		used := len(x.Items) == 0
		if used {
			r.Standing = verdict.Accepted
		}
		for i := range r.Items {
			if r.Items[i].Accepted == "" && slices.Contains(x.Items, r.Items[i].Key) {
				r.Items[i].Accepted, used = x.ID, true
			}
		}
		if used {
			lift(r, x.ID, x.Expires, &o.Expires)
			if l := o.lifted(); !slices.ContainsFunc(l.Exceptions, func(y verdict.Exception) bool { return y.ID == x.ID }) {
				l.Exceptions = append(l.Exceptions, x)
			}
		}
	}
	open := slices.ContainsFunc(r.Items, func(i verdict.Item) bool { return i.Accepted == "" })
	if len(r.Items) > 0 && !open {
		r.Standing = verdict.Accepted
	}
	sort.Strings(r.By)
	for _, a := range c.people().Aside {
		if a.Kind == verdict.KindException && a.Rule == r.Rule {
			o.Aside = append(o.Aside, a)
		}
	}
}

func lift(r *verdict.Reason, id string, until time.Time, expires *time.Time) {
	if !slices.Contains(r.By, id) {
		r.By = append(r.By, id)
	}
	if expires.IsZero() || until.Before(*expires) {
		*expires = until
	}
}

// uncovered says why an exception for the service and environment does not cover a reason
// here and now; "" when it does. An exception that names no digests holds for its version
// range only, and a range is judged by the caller that knows versions: it hands in
// exceptions whose range fits. What is left empty covers nothing, except Digests beside a
// range.
func (c Case) uncovered(x verdict.Exception, r *verdict.Reason) (why, remedy string) {
	if why := standing("exception", x.Created, x.Expires, c.At); why != "" {
		return why, "mend what it accepts, or ask for another one: verdict exception add"
	}
	switch {
	case !x.Revoked.IsZero() && !c.At.Before(x.Revoked):
		return "it was revoked at " + clock(x.Revoked), "mend what it accepted, or ask for another one: verdict exception add"
	case len(x.Digests) > 0 && !slices.Contains(x.Digests, c.Subject.Digest):
		return "it is for other digests than this one", "ask for one that names this digest, or a range of versions: verdict exception add --digest " + string(c.Subject.Digest)
	case len(x.Digests) == 0 && x.Versions == "":
		return "it names neither digests nor versions", "ask for one that does: verdict exception add"
	}
	need := max(c.people().Accepters, 1)
	if r.Severity == verdict.SeverityCritical {
		need = max(need, critical)
	}
	if len(x.ApprovedBy) < need {
		return fmt.Sprintf("%d of %d persons approved it", len(x.ApprovedBy), need), "have another person approve it: verdict exception approve " + x.ID + " --as KEY"
	}
	return "", ""
}

// standing says why something that holds for a time does not hold now. What is dated
// ahead by no more than two clocks may be apart holds.
func standing(what string, created, expires, now time.Time) string {
	switch {
	case created.Sub(now) > maxSkew:
		return fmt.Sprintf("the %s is of the future: it is dated %s", what, clock(created))
	case !now.Before(expires):
		return "it expired at " + clock(expires)
	}
	return ""
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// ReviewRejected is the id of the generic rule about a person's no.
const ReviewRejected = "review.rejected"

// answer holds the review reasons that count against what persons said to them: a no makes
// it a deny, and enough persons' yes lifts them.
func (o *Conclusion) answer(c Case) {
	asked, severe := o.asked()
	if len(asked) == 0 {
		return
	}
	for _, a := range c.people().Aside {
		if a.Kind == verdict.KindApproval {
			o.Aside = append(o.Aside, a)
		}
	}
	o.Answer = &verdict.Answer{
		Persons: max(c.Approvers, 1), Approvers: append([]string{}, c.people().Entitled...), Given: []string{},
		Not: append([]verdict.Barred{}, c.NotApprovers...), Unknown: c.people().Unknown, Remedy: c.people().Remedy,
	}
	if severe {
		o.Answer.Persons = max(o.Answer.Persons, critical)
	}
	given := o.approvals(c, asked)
	o.Answer.Given = given.persons
	if o.reject(c) || len(given.persons) < o.Answer.Persons {
		return
	}
	for i := range o.Reasons {
		r := &o.Reasons[i]
		if r.Standing != verdict.Counts || r.Effect != verdict.EffectReview {
			continue
		}
		r.Standing = verdict.Approved
		for _, p := range given.persons {
			lift(r, given.by[p].ID, given.by[p].Expires, &o.Expires)
		}
		sort.Strings(r.By)
	}
	for _, p := range given.persons {
		o.lifted().Approvals = append(o.lifted().Approvals, given.by[p])
	}
}

// asked are the review reasons that count, as a person is shown them, and whether one of
// them is critical.
func (o *Conclusion) asked() (shown []verdict.ShownReason, severe bool) {
	for _, r := range o.Reasons {
		if r.Standing != verdict.Counts || r.Effect != verdict.EffectReview {
			continue
		}
		severe = severe || r.Severity == verdict.SeverityCritical
		shown = append(shown, Shown(r))
	}
	return shown, severe
}

// Shown is what an answer to a reason covers of it.
func Shown(r verdict.Reason) verdict.ShownReason {
	s := verdict.ShownReason{Rule: r.Rule, Items: []string{}, Observed: r.Observed, Expected: r.Expected}
	for _, it := range r.Items {
		if it.Accepted == "" {
			s.Items = append(s.Items, it.Key)
		}
	}
	sort.Strings(s.Items)
	return s
}

// given are the approvals that count: one of each person, and no two of one hand.
type given struct {
	by      map[string]verdict.Approval
	persons []string // sorted
}

// approvals chooses those that count for exactly these facts, by persons who had no part in
// what they approve, of all review reasons.
func (o *Conclusion) approvals(c Case, asked []verdict.ShownReason) given {
	out := given{by: map[string]verdict.Approval{}, persons: []string{}}
	all := slices.Clone(c.Approvals)
	slices.SortFunc(all, func(a, b verdict.Approval) int { return cmp.Compare(a.ID, b.ID) })
	for _, a := range all {
		if why, remedy := o.unapproved(c, a, asked); why != "" {
			o.Aside = append(o.Aside, c.asideOf(verdict.KindApproval, a.ID, a.By, why, remedy))
			continue
		}
		if old, ok := out.by[a.By]; !ok || a.Expires.After(old.Expires) {
			out.by[a.By] = a
		}
	}
	all = all[:0]
	for _, a := range out.by {
		all = append(all, a)
		out.persons = append(out.persons, a.By)
	}
	sort.Strings(out.persons)
	apart := separate(out.persons, c.people().OneHand)
	for _, p := range out.persons {
		if slices.Contains(apart, p) {
			continue
		}
		o.Aside = append(o.Aside, c.asideOf(verdict.KindApproval, out.by[p].ID, p, "it counts as no second person: "+together(p, apart, c.people().OneHand),
			"have somebody approve whose key none of them enrolled"))
	}
	out.persons = apart
	return out
}

// unapproved says why an approval does not count for what is asked; "" when it does.
func (o *Conclusion) unapproved(c Case, a verdict.Approval, asked []verdict.ShownReason) (why, remedy string) {
	again := "look at it again, and approve what is asked now: verdict approve DECISION --as KEY"
	if why := standing("approval", a.Created, a.Expires, c.At); why != "" {
		return why, again
	}
	if a.Facts != o.Facts {
		return "it died: the facts changed: " + cmp.Or(changed(a.Shown, asked), "the rules did"), again
	}
	// The digest alone is what a forged decision can copy, beside reasons that are harmless.
	if why := changed(a.Shown, asked); why != "" {
		return "its signer was shown something else than these facts: " + why, again
	}
	for _, s := range asked {
		if !slices.Contains(a.Rules, s.Rule) {
			return "it does not cover " + s.Rule, again
		}
	}
	for _, b := range c.NotApprovers {
		if b.Person == a.By || a.By == "" {
			return a.By + " is " + b.Role + ", and nobody approves their own", "have another person approve it"
		}
	}
	if u := c.people().Unknown; u != "" {
		return "nobody can be shown to be another than who had a part in it: " + u, c.people().Remedy
	}
	for _, p := range c.people().OneHand {
		for _, b := range c.NotApprovers {
			if p.A == a.By && p.B == b.Person || p.B == a.By && p.A == b.Person {
				return fmt.Sprintf("%s is %s, and %s", b.Person, b.Role, p.Why), "have somebody approve whose key " + b.Person + " did not enroll"
			}
		}
		if p.A == a.By && p.B == a.By {
			return p.Why, "have the key revoked, and another one enrolled by a person: verdict people enroll"
		}
	}
	return "", ""
}

// changed says in what the review reasons are others than the ones that were approved; "" when
// they are the same.
func changed(was, is []verdict.ShownReason) string {
	find := func(in []verdict.ShownReason, rule string) int {
		return slices.IndexFunc(in, func(s verdict.ShownReason) bool { return s.Rule == rule })
	}
	var out []string
	for _, s := range is {
		i := find(was, s.Rule)
		if i < 0 {
			out = append(out, s.Rule+" is new")
			continue
		}
		fresh, gone := without(s.Items, was[i].Items), without(was[i].Items, s.Items)
		switch {
		case len(fresh) > 0:
			out = append(out, s.Rule+" has "+few(fresh)+" besides")
		case len(gone) > 0:
			out = append(out, s.Rule+" no longer has "+few(gone))
		case s.Observed != was[i].Observed || s.Expected != was[i].Expected:
			out = append(out, fmt.Sprintf("%s was %q and is %q", s.Rule, was[i].Observed, s.Observed))
		}
	}
	for _, s := range was {
		if find(is, s.Rule) < 0 {
			out = append(out, s.Rule+" is no longer asked")
		}
	}
	return strings.Join(out, "; ")
}

func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// few names some of a list.
func few(list []string) string {
	const shown = 3
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}

// separate gives the largest number of persons of whom no two are in one hand. Only so many
// are weighed as a review ever needs.
func separate(persons []string, pairs []Pair) []string {
	const most = 12
	if len(persons) > most {
		persons = persons[:most]
	}
	best := []string{}
	for set := range 1 << len(persons) {
		var some []string
		for i, p := range persons {
			if set>>i&1 == 1 {
				some = append(some, p)
			}
		}
		if len(some) > len(best) && !slices.ContainsFunc(pairs, func(p Pair) bool {
			return p.A != p.B && slices.Contains(some, p.A) && slices.Contains(some, p.B)
		}) {
			best = some
		}
	}
	return best
}

// together says why a person does not count beside some others.
func together(person string, others []string, pairs []Pair) string {
	for _, p := range pairs {
		if p.A == person && slices.Contains(others, p.B) || p.B == person && slices.Contains(others, p.A) {
			return p.Why
		}
	}
	return "enough others approved"
}

// reject makes a deny of an entitled person's no to exactly these facts.
func (o *Conclusion) reject(c Case) bool {
	var no []verdict.Approval
	for _, a := range c.people().Rejections {
		if a.Facts == o.Facts && a.Created.Sub(c.At) <= maxSkew {
			no = append(no, a)
		}
	}
	if len(no) == 0 {
		return false
	}
	slices.SortFunc(no, func(a, b verdict.Approval) int { return cmp.Compare(a.ID, b.ID) })
	r := verdict.Reason{
		Rule: ReviewRejected, Title: "No person who may approve said no", Status: verdict.RuleFail, Effect: verdict.EffectDeny, Severity: verdict.SeverityHigh,
		Message: fmt.Sprintf("%s rejected it: %s", no[0].By, no[0].Rationale), Observed: "rejected", Expected: "not rejected", Standing: verdict.Counts,
		Items: []verdict.Item{}, Evidence: []verdict.Ref{}, By: []string{}, Owner: no[0].By,
		Remediation: "change what was rejected, which makes other facts of it; or have " + no[0].By + " take the answer back: verdict approve --withdraw " + no[0].ID + " --as KEY",
	}
	if len(no) > 1 {
		r.Remediation = "change what was rejected, which makes other facts of it; or have each of these answers taken back"
	}
	for _, a := range no {
		item := verdict.Item{Key: a.ID, Message: a.By + ": " + a.Rationale}
		if len(no) > 1 {
			item.Fix = "have " + a.By + " take it back: verdict approve --withdraw " + a.ID + " --as KEY"
		}
		r.Items = append(r.Items, item)
		r.Evidence = append(r.Evidence, c.people().Entries[a.ID]...)
	}
	o.Reasons = append(o.Reasons, r)
	return true
}

// breakGlass lets an emergency through, visibly: the reasons keep counting and the
// errors stay; only the outcome becomes allow, with the emergency's id beside it.
func (o *Conclusion) breakGlass(c Case) {
	for _, a := range c.people().Aside {
		if a.Kind == verdict.KindBreakGlass {
			o.Aside = append(o.Aside, a)
		}
	}
	best := verdict.BreakGlass{}
	for _, b := range c.BreakGlasses {
		if b.Service != c.Service || b.Environment != c.Environment || b.Environment == "" {
			continue
		}
		why := standing("emergency", b.Created, b.Expires, c.At)
		if why == "" && b.Subject != "" && b.Subject != c.Subject.Digest {
			why = "it is for another digest than this one"
		}
		if why != "" {
			o.Aside = append(o.Aside, c.asideOf(verdict.KindBreakGlass, b.ID, b.By, why, "if the emergency goes on, break the glass for it: verdict break-glass open"))
			continue
		}
		if best.ID == "" || b.Expires.After(best.Expires) || b.Expires.Equal(best.Expires) && b.ID < best.ID {
			best = b
		}
	}
	if best.ID == "" {
		return
	}
	if o.unreviewed() {
		o.Aside = append(o.Aside, c.asideOf(verdict.KindBreakGlass, best.ID, best.By, "an earlier emergency of the service here was not reviewed in time, and another one does not let past that",
			"have the earlier one reviewed first: verdict break-glass list names it, verdict break-glass review ID --as KEY"))
		return
	}
	o.Outcome, o.BreakGlass = verdict.Allow, best.ID
	o.lifted().BreakGlass = &best
	if o.Expires.IsZero() || best.Expires.Before(o.Expires) {
		o.Expires = best.Expires
	}
}
