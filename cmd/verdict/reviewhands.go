package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
)

// mayVouch refuses to let a key that is no person's enroll another once there are
// persons: whoever holds this machine's key would make himself as many as he needs.
func (w *workspace) mayVouch(ctx context.Context) error {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	at, err := w.size(ctx, ledger.Now)
	if err != nil {
		return err
	}
	before, err := w.inForce(ctx, ledger.Now)
	if err != nil {
		return err
	}
	who := enrolledPersons(h, at, peopleOf(before))
	key, _ := h.ValidAt(w.signer.KeyID(), at)
	if len(who) == 0 || slices.Contains(who, key.Person) {
		return nil
	}
	what := fmt.Sprintf("the key of %q is no person's", key.Person)
	if key.Person == decisionmap.LocalKey {
		what = "this machine's own key is nobody's"
	}
	return &verdict.Error{
		Code: verdict.CodeForbidden, What: what + ", and since persons are enrolled only they enroll others: " + strings.Join(who, ", "),
		Remedy: "sign with the key of one of them: --as KEY; verdict keys list shows the keys on this machine, and where the key is elsewhere, its owner runs this there",
	}
}

// enrolledPersons are the persons with a key that counts at an entry: those of the map,
// or everybody where the map has no people.
func enrolledPersons(h *identity.History, index int64, people map[string]decisionmap.Person) []string {
	found := map[string]bool{}
	for _, k := range h.Keys() {
		_, known := people[k.Person]
		if k.ValidAt(index) && k.Person != decisionmap.LocalKey && (known || len(people) == 0) {
			found[k.Person] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// voucher is who signed that a key, or the one that it replaces, is somebody's.
type voucher struct {
	Person string
	Index  int64
}

// vouchers are those of a key but its own person, who signs his rotations.
func (w *workspace) vouchers(ctx context.Context, h *identity.History, k identity.EnrolledKey) ([]voucher, error) {
	var out []voucher
	for {
		e, err := w.ledger.Entry(ctx, k.From)
		if err != nil {
			return nil, fmt.Errorf("who enrolled key %s: %w", k.ID, err)
		}
		if by, _ := h.ValidAt(e.Signer, e.Index); by.Person != k.Person {
			out = append(out, voucher{by.Person, e.Index})
		}
		before, ok := h.Key(k.Replaces)
		if k.Replaces == "" || !ok {
			return out, nil
		}
		k = before
	}
}

// oneHand says why the keys of two persons may be in one hand, so that they do not count
// as two; empty when nothing says so. Whoever enrolls a key may have made it.
func (w *workspace) oneHand(ctx context.Context, h *identity.History, a, b identity.EnrolledKey, people map[string]decisionmap.Person) (string, error) {
	for _, pair := range [][2]identity.EnrolledKey{{a, b}, {b, a}} {
		key, other := pair[0], pair[1]
		list, err := w.vouchers(ctx, h, key)
		if err != nil {
			return "", err
		}
		for _, v := range list {
			switch {
			case v.Person == other.Person:
				return fmt.Sprintf("%s enrolled the key of %s", other.Person, key.Person), nil
			case v.Person == decisionmap.LocalKey && len(enrolledPersons(h, v.Index-1, people)) > 0:
				return fmt.Sprintf("this machine's own key enrolled the key of %s when persons were enrolled already", key.Person), nil
			}
		}
	}
	return "", nil
}

// otherHands leaves of some persons those who have a key that counts and is not in one
// hand with this key.
func (w *workspace) otherHands(ctx context.Context, h *identity.History, who []string, key identity.EnrolledKey, at int64, people map[string]decisionmap.Person) ([]string, error) {
	out := []string{}
	for _, p := range who {
		if p == key.Person {
			continue
		}
		for _, k := range h.KeysOf(p, at) {
			one, err := w.oneHand(ctx, h, k, key, people)
			if err != nil {
				return nil, err
			}
			if one == "" {
				out = append(out, p)
				break
			}
		}
	}
	return out, nil
}
