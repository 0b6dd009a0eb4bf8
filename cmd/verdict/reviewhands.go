package main

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

// personsNow are the persons with a key that counts, and the key that signs.
func (w *workspace) personsNow(ctx context.Context) (who []string, key identity.EnrolledKey, err error) {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, key, err
	}
	at, err := w.size(ctx, ledger.Now)
	if err != nil {
		return nil, key, err
	}
	before, err := w.inForce(ctx, ledger.Now)
	if err != nil {
		return nil, key, err
	}
	key, _ = h.ValidAt(w.signer.KeyID(), at)
	return enrolledPersons(h, at, peopleOf(before)), key, nil
}

// mayFound refuses to enroll two persons together except where nobody is enrolled. Until
// then this machine's key puts any map in force alone, so the two take nothing that it
// did not have.
func (w *workspace) mayFound(ctx context.Context) error {
	who, key, err := w.personsNow(ctx)
	switch {
	case err != nil:
		return err
	case len(who) > 0:
		return &verdict.Error{
			Code: verdict.CodeConflict, What: "two persons are enrolled together only while nobody is, and somebody is: " + strings.Join(who, ", "),
			Remedy: "enroll one at a time, signed with the key of a person: verdict people enroll PERSON --public-key FILE --as KEY. " + beginAgain,
		}
	case key.Person != decisionmap.LocalKey:
		return &verdict.Error{Code: verdict.CodeForbidden, What: fmt.Sprintf("two persons are enrolled together by this machine's own key, and %q signs", key.Person), Remedy: "leave --as out"}
	}
	return nil
}

// beginAgain is the way out for two persons of whom one enrolled the other.
const beginAgain = "An organisation of exactly two ends the keys of its persons (verdict keys revoke NAME --reason TEXT), which stays in the log; each makes a new one (verdict keys create NAME), and one call enrolls both: verdict people enroll PERSON PERSON --public-key FILE --public-key FILE"

// mayVouch gives the persons that there are. It refuses to let a key that is no person's
// enroll another once there are some: whoever holds this machine's key would make
// himself as many as he needs.
func (w *workspace) mayVouch(ctx context.Context) ([]string, error) {
	who, key, err := w.personsNow(ctx)
	if err != nil || len(who) == 0 || slices.Contains(who, key.Person) {
		return who, err
	}
	what := fmt.Sprintf("the key of %q is no person's", key.Person)
	if key.Person == decisionmap.LocalKey {
		what = "this machine's own key is nobody's"
	}
	return nil, &verdict.Error{
		Code: verdict.CodeForbidden, What: what + ", and since persons are enrolled only they enroll others: " + strings.Join(who, ", "),
		Remedy: "sign with the key of one of them: --as KEY; verdict keys list shows the keys on this machine, and where the key is elsewhere, its owner runs this there",
	}
}

// keyholders are the persons with a key that counts for an entry and was enrolled before
// it: all, and those of them whom the map that was in force by then has under people. This
// machine's own key is nobody's. Two questions are asked about them, with one difference:
// what holds where a map names people and none of them is among those with a key.
func keyholders(h *identity.History, index int64, people map[string]decisionmap.Person) (all, known []string) {
	for _, k := range h.Keys() {
		if k.From >= index || !k.ValidAt(index) || k.Person == decisionmap.LocalKey {
			continue
		}
		all = append(all, k.Person)
		if _, ok := people[k.Person]; ok {
			known = append(known, k.Person)
		}
	}
	slices.Sort(all)
	slices.Sort(known)
	return slices.Compact(all), slices.Compact(known)
}

// reviewers are those who may release a map: keyholders of the map in force, or all when
// it has none of them. With nobody instead, this machine's own key would release alone
// while others have keys. The map that is to be released has no say.
func reviewers(h *identity.History, index int64, people map[string]decisionmap.Person) []string {
	all, known := keyholders(h, index, people)
	if len(known) > 0 {
		return known
	}
	return all
}

// enrolledPersons are those who end the time in which this machine enrolls persons:
// keyholders of the map, or all where it names nobody. With all instead where none of its
// people has a key, one enrolled machine would keep the first two of them from being
// enrolled together, which nobody else may do.
func enrolledPersons(h *identity.History, index int64, people map[string]decisionmap.Person) []string {
	all, known := keyholders(h, index, people)
	if len(people) > 0 {
		return known
	}
	return all
}

// voucher is who signed that a key, or one that it replaced, is somebody's.
type voucher struct {
	By  identity.EnrolledKey // the key that signed
	For identity.EnrolledKey
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
			out = append(out, voucher{by, k})
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
			if v.By.Person == other.Person {
				return fmt.Sprintf("%s enrolled the key of %s", other.Person, key.Person), nil
			}
		}
		if behind, err := w.behindTheirBack(ctx, h, key, people); behind != "" || err != nil {
			return behind, err
		}
	}
	return "", nil
}

// behindTheirBack says whom this machine's own key enrolled when there were persons to do
// so: the person of this key, or somebody who vouches for it, however far back.
func (w *workspace) behindTheirBack(ctx context.Context, h *identity.History, key identity.EnrolledKey, people map[string]decisionmap.Person) (string, error) {
	seen := map[string]bool{}
	for ask := []identity.EnrolledKey{key}; len(ask) > 0; ask = ask[1:] {
		if seen[ask[0].ID] {
			continue
		}
		seen[ask[0].ID] = true
		list, err := w.vouchers(ctx, h, ask[0])
		if err != nil {
			return "", err
		}
		for _, v := range list {
			if v.By.Person != decisionmap.LocalKey {
				ask = append(ask, v.By)
				continue
			}
			together, err := w.foundedTogether(ctx, h, v.For, people)
			if err != nil {
				return "", err
			}
			if !together && len(enrolledPersons(h, v.For.From, people)) > 0 {
				return fmt.Sprintf("this machine's own key enrolled the key of %s when persons were enrolled already", v.For.Person), nil
			}
		}
	}
	return "", nil
}

// foundedTogether reports whether this machine's own key enrolled a key together with the
// first person's, whose enrolment names it: that was said while nobody was enrolled, when
// this machine's key could put any map in force alone.
func (w *workspace) foundedTogether(ctx context.Context, h *identity.History, k identity.EnrolledKey, people map[string]decisionmap.Person) (bool, error) {
	first, ok := h.Key(k.Beside)
	if !ok || first.Beside != k.ID || first.From >= k.From || len(enrolledPersons(h, first.From, people)) > 0 ||
		!slices.Equal(enrolledPersons(h, k.From, people), []string{first.Person}) {
		return false, nil
	}
	e, err := w.ledger.Entry(ctx, first.From)
	if err != nil {
		return false, fmt.Errorf("who enrolled key %s: %w", first.ID, err)
	}
	by, _ := h.ValidAt(e.Signer, e.Index)
	return by.Person == decisionmap.LocalKey, nil
}

// otherHands leaves of some persons those who have a key that counts and is not in one
// hand with this key, and says of the others why not.
func (w *workspace) otherHands(ctx context.Context, h *identity.History, who []string, key identity.EnrolledKey, at int64, people map[string]decisionmap.Person) (other, not []string, err error) {
	other, not = []string{}, []string{}
	for _, p := range who {
		if p == key.Person {
			continue
		}
		why := ""
		for _, k := range h.KeysOf(p, at) {
			if why, err = w.oneHand(ctx, h, k, key, people); err != nil {
				return nil, nil, err
			}
			if why == "" {
				other = append(other, p)
				break
			}
		}
		if why != "" {
			not = append(not, why)
		}
	}
	return other, not, nil
}
