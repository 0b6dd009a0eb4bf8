package decide

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
)

// Pending is a recorded decision of which a person is asked something, with the map that it
// was taken by.
type Pending struct {
	Entry    ledger.Entry
	Decision verdict.Decision
	Map      *decisionmap.Map
}

// Recorded reads a decision by its id, or a unique beginning of it, with its map.
func Recorded(ctx context.Context, l Ledger, id string, at ledger.Position) (*Pending, error) {
	entry, s, err := l.DecisionStatement(ctx, id, at)
	if err != nil {
		return nil, err
	}
	var rec recorded
	if err := s.Decode(&rec); err != nil {
		return nil, fmt.Errorf("read the decision in entry %d: %w", entry.Index, err)
	}
	m, err := (&Replayer{Ledger: l}).chart(ctx, rec.Decision, rec.Basis.Blobs.Map)
	if err != nil {
		return nil, err
	}
	return &Pending{Entry: entry, Decision: rec.Decision, Map: m.Map}, nil
}

// request is what was asked of the point.
func (a *Pending) request() Request {
	d := a.Decision
	return Request{Point: d.Point, Subject: d.Subject, Service: d.Service, Team: d.Team, Environment: d.Environment, Actor: d.Actor, Requester: d.Requester}
}

// MayAnswer says why an answer to a decision by the person of a key would not count, and what
// to do about it; "" when it would.
func (p *Persons) MayAnswer(ctx context.Context, asked *Pending, a verdict.Approval, key identity.EnrolledKey) (why, remedy string, err error) {
	d := asked.Decision
	point, ok := asked.Map.Point(d.Point)
	if !ok || point.Review == nil || d.Answer == nil {
		return "the map lets nobody approve at " + d.Point, "add `review: {approvers: […]}` to the point", nil
	}
	if why := p.UnfitApproval(a, asked.request(), *point.Review); why != "" || a.Step == verdict.StepReject {
		return why, p.fitting(a, d.Service, *point.Review), nil
	}
	if d.Answer.Unknown != "" {
		return "nobody can be shown to be another than who had a part in it: " + d.Answer.Unknown, d.Answer.Remedy, nil
	}
	size, err := p.Ledger.Position(ctx)
	if err != nil {
		return "", "", err
	}
	if why, err = p.one(ctx, key, key); why != "" || err != nil {
		return why, "have the key revoked, and another one enrolled by a person: verdict people enroll", err
	}
	for _, b := range d.Answer.Not {
		if b.Person == a.By {
			return fmt.Sprintf("%s is %s, and nobody approves their own", a.By, b.Role), "have another person approve it", nil
		}
		if why, err = p.oneWith(ctx, key, b.Person, int64(size)); why != "" || err != nil {
			return fmt.Sprintf("%s is %s, and %s", b.Person, b.Role, why), "have somebody approve whose key " + b.Person + " did not enroll", err
		}
	}
	return "", "", nil
}

// fitting is what to do about an answer that does not fit.
func (p *Persons) fitting(a verdict.Approval, service string, review decisionmap.Review) string {
	words := p.words(review.Approvers, service)
	switch {
	case p.unentitled(words, a.By, a.Teams) != "" && len(words) > 0:
		return "have somebody of " + strings.Join(words, " or ") + " answer it"
	case a.Step == verdict.StepApprove && longer(a.Created, a.Expires, review.MaxValidity) != "":
		return "let it end sooner: --expires " + review.MaxValidity.String()
	}
	return "keep to review: of the point in the map: verdict map show"
}

// Rejected are the rejections by others than a person that stand against the facts of a
// decision: a yes beside them lets nothing in.
func (p *Persons) Rejected(ctx context.Context, asked *Pending, person string) ([]verdict.Approval, error) {
	point, ok := asked.Map.Point(asked.Decision.Point)
	if !ok || point.Review == nil {
		return nil, nil
	}
	all, err := p.answers(ctx, asked.request(), *point.Review)
	return slices.DeleteFunc(all.rejections, func(a verdict.Approval) bool {
		return a.By == person || a.Facts != asked.Decision.Digests.Facts
	}), err
}
