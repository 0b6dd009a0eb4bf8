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

// tried is what an enrolment would come to, if it were recorded now.
type tried struct {
	history *identity.History // after it
	key     identity.EnrolledKey
	at      int64
	asked   []identity.EnrolledKey // who enrolled the key before
	counts  bool
	// second: this machine's key is the second word that the key waits for.
	second bool
}

func (w *workspace) tryEnrolment(ctx context.Context, events ...identity.KeyEvent) (t tried, err error) {
	if t.history, err = w.keyHistory(ctx, ledger.Now); err != nil {
		return t, err
	}
	if t.at, err = w.size(ctx, ledger.Now); err != nil {
		return t, err
	}
	t.key, _ = t.history.ValidAt(w.signer.KeyID(), t.at)
	t.asked = t.history.Asked(events[0].Key, events[0].Person, t.at)
	t.counts = true
	for i, e := range events {
		if err := t.history.Apply(t.at+int64(i), w.now(), w.signer.KeyID(), e); err != nil {
			return t, err
		}
		k, counts := t.history.Key(e.Key)
		t.counts = t.counts && counts
		t.second = t.key.Person == decisionmap.LocalKey && k.With != ""
	}
	return t, nil
}

// recordEnrolment states an enrolment. A name that somebody bore takes its bearer or two
// persons, each of whom records the same enrolment: see identity.History. who are the
// persons that there are.
func (w *workspace) recordEnrolment(ctx context.Context, event identity.KeyEvent, file string, t tried, who []string) error {
	if t.counts {
		return w.recordKey(ctx, event, file, len(who) == 0 && event.Person != decisionmap.LocalKey && !t.second)
	}
	if t.key.Person == decisionmap.LocalKey {
		return notByMachine(event.Person, t)
	}
	others, not := t.history.Seconds(who, event.Person, t.key, t.at)
	first := t.history.FirstGiver(event.Person)
	if len(t.history.KeysOf(first, t.at)) == 0 {
		first = ""
	}
	switch {
	case len(others) == 0 && first == "":
		why := strings.Join(append([]string{"nobody else is there who counts as another person"}, not...), ": ")
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("two persons give a key the name %q%s, and %s", event.Person, borneBefore(event.Person), why),
			Remedy: ownID(event.Person, file),
		}
	case slices.ContainsFunc(t.asked, func(k identity.EnrolledKey) bool { return k.Person == t.key.Person }):
		return &verdict.Error{
			Code: verdict.CodeConflict, What: fmt.Sprintf("%s enrolled this key as %q already, and it takes a second person", t.key.Person, event.Person),
			Remedy: "let one of them do the same (" + strings.Join(withFirst(others, first), ", ") + "): verdict people enroll " + event.Person + " --public-key FILE --as KEY",
		}
	}
	doc, err := w.stateKey(ctx, event, file)
	if err != nil {
		return err
	}
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	if _, counts := h.Key(event.Key); !counts {
		doc.Waits = withFirst(others, first)
	}
	return w.emitKey(doc)
}

// notByMachine refuses to let this machine's key give a name again while others have keys.
func notByMachine(person string, t tried) error {
	who := identity.Hands{History: t.history}.Enrolled(t.at)
	return &verdict.Error{
		Code: verdict.CodeForbidden, What: fmt.Sprintf("this machine's own key cannot give the name of %s to a key, as somebody bore it and others are enrolled: %s", person, strings.Join(who, ", ")),
		Remedy: "let two of them enroll the key, verdict people enroll PERSON --public-key FILE --as KEY, or use an id that nobody bore; whoever of them no longer takes part ends their own key first: verdict keys revoke NAME --reason TEXT --as NAME",
	}
}

// waits reports whether a key waits for a second word that it is somebody's.
func (w *workspace) waits(ctx context.Context, person string) bool {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return false
	}
	at, err := w.size(ctx, ledger.Now)
	return err == nil && slices.ContainsFunc(h.Waiting(at), func(x identity.Waiting) bool { return x.Person == person })
}

// withFirst adds who enrolled the first key of a name, whose word is enough.
func withFirst(others []string, first string) []string {
	if first != "" && !slices.Contains(others, first) {
		others = append(others, first)
	}
	return others
}

func borneBefore(person string) string {
	if person == decisionmap.LocalKey {
		return ""
	}
	return ", which somebody bore"
}

// ownID is the way out for who has no second person.
func ownID(person, file string) string {
	show := ""
	if file != "" {
		show = "verdict keys show " + keyNames.Replace(person) + " > FILE and "
	}
	out := "enroll this key under an id of its own, " + show + "verdict people enroll ID --public-key FILE --as KEY, and give its id the rights under trust: of the map"
	if person != decisionmap.LocalKey {
		out = strings.TrimSuffix(out, "the rights under trust: of the map") + "its place under people: of the map; where " + person + "'s key is still at hand, it enrolls the next one alone: verdict people enroll " + person + " --public-key FILE --as KEY"
	}
	return out
}
