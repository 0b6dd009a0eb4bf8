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
	return w.hands(h, peopleOf(before)).Enrolled(at), key, nil
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

// mayEnd refuses to end the key of the last person where nobody could enroll or release
// anything after it: others were there, and did not end their keys themselves.
func (w *workspace) mayEnd(ctx context.Context, event identity.KeyEvent) error {
	h, err := w.keyHistory(ctx, ledger.Now)
	if err != nil {
		return err
	}
	at, err := w.size(ctx, ledger.Now)
	if err != nil {
		return err
	}
	in, err := w.inForce(ctx, ledger.Now)
	if err != nil {
		return err
	}
	if err := h.Apply(at, w.now(), w.signer.KeyID(), event); err != nil {
		return err
	}
	who := w.hands(h, peopleOf(in)).Enrolled(at + 1)
	if len(who) == 0 || slices.ContainsFunc(who, func(p string) bool { return len(h.KeysOf(p, at+1)) > 0 }) {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("%s is the last person with a key that counts, and after it nobody could enroll or release anything: this machine's own key does so alone only before there are persons, or after each of them ended their own key", event.Person),
		Remedy: "enroll another person first: verdict people enroll PERSON --public-key FILE --as KEY. Who begins again ends their own key: verdict keys revoke NAME --reason TEXT --as NAME",
	}
}

// beginAgain is the way out for two persons of whom one enrolled the other.
const beginAgain = "An organisation of exactly two ends the keys of its persons, each their own (verdict keys revoke NAME --reason TEXT --as NAME), which stays in the log; each makes a new one (verdict keys create NAME), and one call enrolls both: verdict people enroll PERSON PERSON --public-key FILE --public-key FILE"

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

// hands tells persons apart by this ledger's keys; people are those of the map that was in
// force.
func (w *workspace) hands(h *identity.History, people map[string]decisionmap.Person) identity.Hands {
	out := identity.Hands{History: h, People: map[string]bool{}}
	for id := range people {
		out.People[id] = true
	}
	return out
}
