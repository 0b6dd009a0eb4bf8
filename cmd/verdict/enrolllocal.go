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

// enrollLocal gives a key the name of this machine's own, after that one was revoked. It takes
// two persons, each of whom records the same enrolment: see identity.History. who are the
// persons that there are.
func (w *workspace) enrollLocal(ctx context.Context, event identity.KeyEvent, file string, who []string) error {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	at, err := w.size(ctx, ledger.Now)
	if err != nil {
		return err
	}
	key, _ := h.ValidAt(w.signer.KeyID(), at)
	others, not := identity.Hands{History: h}.Others(who, key, at)
	asked := h.Asked(event.Key, at)
	switch {
	case len(others) == 0:
		why := strings.Join(append([]string{"nobody else is there who counts as another person"}, not...), ": ")
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("two persons give a key the name %q, and %s", decisionmap.LocalKey, why),
			Remedy: "enroll this key under an id of its own, verdict keys show " + decisionmap.LocalKey + " > FILE and verdict people enroll ID --public-key FILE --as KEY, and give its id the rights under trust: of the map",
		}
	case slices.ContainsFunc(asked, func(k identity.EnrolledKey) bool { return k.Person == key.Person }):
		return &verdict.Error{
			Code: verdict.CodeConflict, What: fmt.Sprintf("%s enrolled this key as %q already, and it takes a second person", key.Person, decisionmap.LocalKey),
			Remedy: "let one of them do the same (" + strings.Join(others, ", ") + "): verdict people enroll " + decisionmap.LocalKey + " --as KEY",
		}
	}
	doc, err := w.stateKey(ctx, event, file)
	if err != nil {
		return err
	}
	if h, err = w.ledger.Keys(ctx); err != nil {
		return err
	}
	if _, counts := h.Key(event.Key); !counts {
		doc.Waits = others
	}
	return w.emitKey(doc)
}
