package decide

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
)

// answers are what persons said to the review reasons of a point about a subject.
type answers struct {
	approvals, rejections []verdict.Approval
	keys                  map[string]identity.EnrolledKey // that signed, by the id of the answer
	refs                  map[string][]verdict.Ref
	aside                 []verdict.Aside
	gone                  string // an answer that can no longer be read
}

// others bounds how many answers about other digests of a service are told.
const others = 20

// answers reads them for the place that a request is about; whom the review names may give
// them.
func (p *Persons) answers(ctx context.Context, r Request, review decisionmap.Review) (answers, error) {
	out := answers{keys: map[string]identity.EnrolledKey{}, refs: map[string][]verdict.Ref{}}
	entries, err := p.all(ctx, ledger.Query{Subject: r.Subject.Digest, Kind: verdict.KindApproval})
	if err != nil {
		return out, err
	}
	steps, err := stepsOf(ctx, p, entries, func(a verdict.Approval) spoken {
		return spoken{a.By, a.Created, a.SignedIn, a.Service, []string{a.Environment}}
	})
	if err != nil {
		return out, err
	}
	for i := range steps {
		s := &steps[i]
		no := slices.ContainsFunc(steps[:i], func(o step[verdict.Approval]) bool {
			return o.said.ID == s.said.ID && o.said.Step == verdict.StepReject
		})
		if s.said.Step == verdict.StepApprove || s.said.Step == verdict.StepWithdraw && no {
			s.doubted()
		}
	}
	for i, s := range steps {
		if s.gone {
			out.gone = fmt.Sprintf("entry %d: %s", s.entry.Index, s.why)
		}
		if s.said.Step == verdict.StepWithdraw && s.why == "" {
			continue // told with what it takes back
		}
		why, remedy := p.uncounted(r, review, steps, i)
		if why != "" {
			out.aside = append(out.aside, verdict.Aside{
				Kind: verdict.KindApproval, ID: s.said.ID, By: s.key.Person, Index: s.entry.Index, Why: why, Remedy: remedy,
			})
			continue
		}
		out.keys[s.said.ID], out.refs[s.said.ID] = s.key, []verdict.Ref{s.ref()}
		if s.said.Step == verdict.StepReject {
			out.rejections = append(out.rejections, s.said)
		} else {
			out.approvals = append(out.approvals, s.said)
		}
	}
	return out, p.elsewhere(ctx, r, &out)
}

// uncounted says why one of several answers counts for nothing, whatever the facts are; ""
// when it may count.
func (p *Persons) uncounted(r Request, review decisionmap.Review, all []step[verdict.Approval], i int) (why, remedy string) {
	const again = "have a person whom the map entitles approve it: verdict approve DECISION --as KEY"
	s := all[i]
	if s.why != "" {
		return s.why, again
	}
	a := s.said
	if why := p.UnfitApproval(a, r, review); why != "" {
		return why, again
	}
	if slices.ContainsFunc(all[:i], func(o step[verdict.Approval]) bool { return o.said.ID == a.ID && o.why == "" }) {
		return "its id is taken by an earlier answer", again
	}
	for _, later := range all[i+1:] {
		switch l := later.said; {
		case later.why != "" || later.key.Person != s.key.Person || later.place.elsewhere(a.Service, a.Environment):
		case l.Step == verdict.StepWithdraw && l.ID == a.ID:
			if a.Step == verdict.StepReject { // a no that is gone asks for nothing
				return fmt.Sprintf("%s took this rejection back at %s", s.key.Person, clock(l.Created)), ""
			}
			return s.key.Person + " withdrew it at " + clock(l.Created), again
		case l.Step != verdict.StepWithdraw && l.Facts == a.Facts && l.Step != a.Step && l.Point == a.Point && l.Environment == a.Environment:
			return fmt.Sprintf("%s answered the same facts again at %s: %s", s.key.Person, clock(l.Created), l.Step), ""
		}
	}
	return "", ""
}

// UnfitApproval says why an answer is not for the place of a request, breaks a limit of the
// review, or is given by somebody whom the map does not entitle; "" when none of it holds.
func (p *Persons) UnfitApproval(a verdict.Approval, r Request, review decisionmap.Review) string {
	switch {
	case a.Step != verdict.StepApprove && a.Step != verdict.StepReject:
		return fmt.Sprintf("%.40q is no answer", a.Step)
	case a.Subject != r.Subject.Digest:
		return "it is for another digest: " + a.Subject.Short()
	case a.Point != r.Point || a.Environment != r.Environment:
		return fmt.Sprintf("it is for %s in %s", a.Point, a.Environment)
	case a.Service != r.Service:
		return "it is for the service " + a.Service
	}
	if why := p.unentitled(p.words(review.Approvers, r.Service), a.By, a.Teams); why != "" {
		return why + ", who approve here"
	}
	if a.Step == verdict.StepReject {
		if a.Rationale == "" {
			return "it does not say why"
		}
		return ""
	}
	if why := longer(a.Created, a.Expires, review.MaxValidity); why != "" {
		return why
	}
	return lacks(review.Requires, map[string]bool{"scope": a.Scope != "", "rationale": a.Rationale != "", "expiry": !a.Expires.IsZero()})
}

// elsewhere tells of answers about other digests of the service at this place: who gave one
// may think that it holds for this digest too.
func (p *Persons) elsewhere(ctx context.Context, r Request, out *answers) error {
	if r.Service == "" {
		return nil
	}
	entries, err := p.entries(ctx, ledger.Query{
		Kind: verdict.KindApproval, Service: r.Service, Environment: r.Environment, Point: r.Point, At: p.At, Limit: others,
	})
	if err != nil {
		return fmt.Errorf("find approvals of %s: %w", r.Service, err)
	}
	for _, e := range entries {
		if slices.ContainsFunc(e.Subjects, func(s verdict.Subject) bool { return s.Digest == r.Subject.Digest }) || e.Foreign {
			continue
		}
		told, err := p.statement(ctx, e.Index)
		if err != nil || told.failure != nil {
			continue // it could not count here, whatever it says
		}
		var a verdict.Approval
		if told.statement.Decode(&a) != nil || a.Step != verdict.StepApprove {
			continue
		}
		out.aside = append(out.aside, verdict.Aside{
			Kind: verdict.KindApproval, ID: a.ID, By: a.By, Index: e.Index,
			Why: "it is for another digest: " + a.Subject.Short(), Remedy: "have this digest approved: verdict approve DECISION --as KEY",
		})
	}
	return nil
}

// EmergencyRecord is a break-glass as it stands.
type EmergencyRecord struct {
	verdict.BreakGlass
	Index int64         `json:"index"`
	Why   string        `json:"why"`   // it counts for nothing; "" when it can
	Notes []string      `json:"notes"` // reviews of it that do not count, and why
	Refs  []verdict.Ref `json:"-"`
	gone  string
	unfit bool // it is by whom it says, and breaks the limits of the map of now
	key   identity.EnrolledKey
}

// Emergencies lists the break-glass of a service in an environment, oldest first; where one
// of the two is empty, of all.
func (p *Persons) Emergencies(ctx context.Context, service, environment string) ([]EmergencyRecord, error) {
	q := ledger.Query{Kind: verdict.KindBreakGlass, Service: service, Environment: environment}
	if service != "" && environment != "" {
		q = ledger.Query{Kind: verdict.KindBreakGlass, Subject: verdict.DeploymentSubject(service, environment).Digest}
	}
	entries, err := p.all(ctx, q)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	steps, err := stepsOf(ctx, p, entries, func(b verdict.BreakGlass) spoken {
		if b.Step == verdict.StepReview {
			return spoken{b.ReviewedBy, b.Reviewed, b.ReviewSignedIn, b.Service, []string{b.Environment}}
		}
		return spoken{b.By, b.Created, b.SignedIn, b.Service, []string{b.Environment}}
	})
	if err != nil {
		return nil, err
	}
	out := []EmergencyRecord{}
	for _, s := range steps {
		i := slices.IndexFunc(out, func(x EmergencyRecord) bool { return x.ID == s.said.ID })
		switch {
		case s.said.Step == verdict.StepReview && i >= 0:
			s.doubted()
			if err := p.reviewed(ctx, &out[i], s); err != nil {
				return nil, err
			}
		case i < 0 && (s.said.Step == verdict.StepBegin || s.said.Step == ""):
			x := EmergencyRecord{BreakGlass: s.said, Index: s.entry.Index, Why: s.why, Notes: []string{}, Refs: []verdict.Ref{s.ref()}, key: s.key}
			x.Reviewed, x.ReviewedBy, x.ReviewSignedIn, x.ReviewTeams, x.Review = time.Time{}, "", false, nil, ""
			if s.gone {
				x.ID, x.gone = fmt.Sprintf("entry %d", s.entry.Index), fmt.Sprintf("entry %d: %s", s.entry.Index, s.why)
			}
			if x.Why == "" { // what may have let something in stays a fact to be reviewed
				x.Why = cmp.Or(s.doubt, p.UnfitEmergency(x.BreakGlass))
				x.unfit = x.Why != ""
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// UnfitEmergency says which limit of the map a break-glass breaks; "" when it keeps them.
func (p *Persons) UnfitEmergency(b verdict.BreakGlass) string {
	limits := p.Map.BreakGlass
	if limits == nil {
		return "the map lets nobody break the glass"
	}
	if why := p.unentitled(p.words(limits.Who, b.Service), b.By, b.Teams); why != "" {
		return why + ", who may break the glass"
	}
	if why := longer(b.Created, b.Expires, limits.MaxValidity); why != "" {
		return why
	}
	if b.ReviewBy.IsZero() || longer(b.Created, b.ReviewBy, limits.ReviewWithin) != "" {
		return fmt.Sprintf("it is to be reviewed later than the map allows: within %s", limits.ReviewWithin)
	}
	if b.Service == "" || b.Environment == "" || b.Subject == "" {
		return "it does not say what it lets in, and where"
	}
	return lacks(limits.Requires, map[string]bool{"incident": b.Incident != "", "rationale": b.Rationale != ""})
}

// FittingEmergency is what to do about a break-glass that breaks a limit of the map.
func (p *Persons) FittingEmergency(b verdict.BreakGlass) string {
	if limits := p.Map.BreakGlass; limits != nil {
		words := p.words(limits.Who, b.Service)
		switch {
		case len(words) > 0 && p.unentitled(words, b.By, b.Teams) != "":
			return "have somebody of " + strings.Join(words, " or ") + " do it"
		case longer(b.Created, b.Expires, limits.MaxValidity) != "":
			return "let it end sooner: --expires " + limits.MaxValidity.String()
		}
	}
	return "keep to what break_glass: of the map allows: verdict map show"
}

// reviewed takes the review of an emergency.
func (p *Persons) reviewed(ctx context.Context, x *EmergencyRecord, s step[verdict.BreakGlass]) error {
	why := s.why
	if s.gone {
		x.gone = fmt.Sprintf("entry %d: %s", s.entry.Index, s.why)
	}
	if why == "" && s.place.elsewhere(x.Service, x.Environment) {
		why = otherPlace
	}
	if why == "" {
		var err error
		if why, err = p.unreviewing(ctx, x, s.key, s.said.ReviewTeams); err != nil {
			return err
		}
	}
	if why != "" {
		x.Notes = append(x.Notes, fmt.Sprintf("the review in entry %d does not count: %s", s.entry.Index, why))
		return nil
	}
	if x.Reviewed.IsZero() {
		x.Reviewed, x.ReviewedBy, x.ReviewSignedIn, x.ReviewTeams, x.Review = s.said.Reviewed, s.key.Person, s.key.SignedIn, s.said.ReviewTeams, s.said.Review
		x.Refs = append(x.Refs, s.ref())
	}
	return nil
}

// reviewers are whose review of an emergency counts, and what they may do otherwise. Where the
// map lets nobody break the glass any more they are those who approve at its deploy points:
// what was let in is still to be looked at.
func (p *Persons) reviewers(service string) (words []string, who string) {
	if b := p.Map.BreakGlass; b != nil && len(b.Who)+len(b.Notify) > 0 {
		return p.words(append(slices.Clone(b.Who), b.Notify...), service), "may break the glass or are told of it"
	}
	for _, point := range p.Map.Points {
		if point.Layer == verdict.LayerDeploy && point.Review != nil {
			words = append(words, p.words(point.Review.Approvers, service)...)
		}
	}
	slices.Sort(words)
	return slices.Compact(words), "approve at deploy points, and review what was let in since nobody may break the glass"
}

// Binds reports whether an emergency is to be looked at, though the map of now would not let
// it be given: it let something in, by a map of then.
func (p *Persons) Binds(ctx context.Context, x EmergencyRecord) (bool, error) {
	if !x.unfit {
		return false, nil
	}
	entries, err := p.all(ctx, ledger.Query{Subject: x.Subject, Kind: verdict.KindDecision, Environment: x.Environment})
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.Foreign {
			continue
		}
		told, err := p.statement(ctx, e.Index)
		if err != nil && !isGone(err) {
			return false, err
		}
		var d verdict.Decision
		if err != nil || told.failure != nil || told.statement.Decode(&d) != nil || d.BreakGlass == x.ID { // what cannot be read may be it
			return true, nil
		}
	}
	return false, nil
}

// unreviewing says why a person's review of an emergency does not count: it is for another
// one of the reviewers.
func (p *Persons) unreviewing(ctx context.Context, x *EmergencyRecord, key identity.EnrolledKey, teams []string) (string, error) {
	if key.Person == x.By {
		return key.Person + " broke the glass, and nobody reviews their own", nil
	}
	words, who := p.reviewers(x.Service)
	if why := p.unentitled(words, key.Person, teams); why != "" {
		return why + ", who " + who, nil
	}
	if x.key.ID == "" {
		return "", nil
	}
	why, err := p.one(ctx, key, x.key)
	if why != "" {
		why += ", so the two do not count as two persons"
	}
	return why, err
}

// MayReview says why the person of a key cannot review an emergency now; "" when they can.
func (p *Persons) MayReview(ctx context.Context, x EmergencyRecord, key identity.EnrolledKey) (string, error) {
	return p.unreviewing(ctx, &x, key, p.teamsOf(key.Person))
}
