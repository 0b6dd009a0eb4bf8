package decide

import (
	"context"
	"fmt"

	"verdict"
	"verdict/decisionmap"
	"verdict/policy"
)

// retakes is how often a decision is taken again because what persons had said no longer
// held when it was to be recorded.
const retakes = 3

// stands reports whether a decision that rests on what persons said may still be recorded:
// none of it has expired since, and nobody has said anything else.
func (e *Engine) stands(ctx context.Context, r Request, p decisionmap.Point, d verdict.Decision, b Basis) (bool, error) {
	if d.Lifted == nil {
		return true, nil
	}
	now := e.Now().UTC()
	if !d.Expires.IsZero() && !now.Before(d.Expires) {
		return false, nil
	}
	seen, err := e.Ledger.Position(ctx)
	if err != nil || seen == b.Seen {
		return err == nil, err
	}
	again := &gathered{input: &policy.Input{}}
	if err := e.gatherPeople(ctx, r, p, moment{id: d.ID, now: now, seen: seen}, again); err != nil {
		return false, fmt.Errorf("look again at what persons said of %s: %w", r.Subject.Digest, err)
	}
	return same(b.Case.Exceptions, orNone(again.exceptions)) && same(b.Case.Approvals, orNone(again.approvals)) &&
		same(b.Case.BreakGlasses, orNone(again.glasses)) && same(b.Case.NotApprovers, orNone(again.barred)) && same(b.Case.People, again.people), nil
}

// orNone is a list as a case writes it: never null.
func orNone[T any](list []T) []T { return append([]T{}, list...) }

func unsteady(point string) error {
	return &verdict.Error{
		Code: verdict.CodeConflict, What: "what persons say about it changed each time that " + point + " was to be recorded",
		Remedy: "ask again; where nobody is at work on it, see who is: verdict log checkpoint, and verdict exception list",
	}
}
