package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
)

// agreement is something that two persons put in force: one proposes it, and the other one
// releases the same.
type agreement struct {
	one, many string // the words for it: "map", "maps"
	// proposes reports whether an entry, which is a proposal of ours, proposes it.
	proposes func(ctx context.Context, e ledger.Entry) (bool, error)
}

// reviewedBy says why a release does not have the reviewers that it needs: two persons,
// or this machine's own key where nobody is enrolled. proposal is the entry that it names.
func (w *workspace) reviewedBy(ctx context.Context, e ledger.Entry, proposal int64, x agreement, people map[string]decisionmap.Person) (void string, err error) {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return "", err
	}
	who := w.hands(h, people).Reviewers(e.Index)
	signer, _ := h.ValidAt(e.Signer, e.Index)
	switch {
	case len(who) == 0 && signer.Person == decisionmap.LocalKey:
		return "", nil
	case !slices.Contains(who, signer.Person):
		return fmt.Sprintf("%q, who signed it, is no person who may release a %s", signer.Person, x.one), nil
	case proposal < 0 || proposal >= e.Index:
		return signer.Person + " alone released it, and it needs two persons", nil
	}
	p, err := w.ledger.Entry(ctx, proposal)
	var unknown *verdict.Error
	if errors.As(err, &unknown) && unknown.Code == verdict.CodeNotFound {
		return "the proposal that it names is not in the log", nil
	}
	if err != nil {
		return "", err
	}
	proposer, err := w.proposerOf(ctx, p, x, people, e.Index)
	switch {
	case err != nil:
		return "", err
	case proposer.Person == "":
		return fmt.Sprintf("entry %d is no proposal of this %s by a person who may release one, whose key was not revoked since", p.Index, x.one), nil
	case proposer.Person == signer.Person:
		return signer.Person + " proposed it and released it, and it needs two persons", nil
	}
	one := w.hands(h, people).One(proposer, signer)
	if one != "" {
		one += ", so the two do not count as two persons"
	}
	return one, nil
}

// proposerOf is the key of the person who proposed what is agreed to at an entry; nobody's when
// the entry is no such proposal. With a key that was revoked since, somebody else may have
// proposed it: what is in force already stays, and nothing new comes of it.
func (w *workspace) proposerOf(ctx context.Context, e ledger.Entry, x agreement, people map[string]decisionmap.Person, agreed int64) (none identity.EnrolledKey, err error) {
	if e.Foreign || e.Kind != verdict.KindProposal || e.Pruned {
		return none, nil
	}
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return none, err
	}
	k, _ := h.ValidAt(e.Signer, e.Index)
	if !slices.Contains(w.hands(h, people).Reviewers(e.Index), k.Person) || k.Revoked && k.To < agreed {
		return none, nil
	}
	if same, err := x.proposes(ctx, e); !same || err != nil {
		return none, err
	}
	return k, nil
}

// proposed finds the latest proposal of the same by somebody else, in whose hand this key
// is not. about is the digest that its statements are about.
func (w *workspace) proposed(ctx context.Context, about verdict.Digest, x agreement, people map[string]decisionmap.Person, key identity.EnrolledKey) (who string, index int64, err error) {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return "", -1, err
	}
	entries, err := w.ledger.Find(ctx, ledger.Query{Kind: verdict.KindProposal, Subject: about, At: ledger.Now})
	if err != nil {
		return "", -1, err
	}
	size, err := w.size(ctx, ledger.Now)
	if err != nil {
		return "", -1, err
	}
	for _, e := range entries {
		by, err := w.proposerOf(ctx, e, x, people, size)
		if err != nil {
			return "", -1, err
		}
		if by.Person == "" || by.Person == key.Person {
			continue
		}
		if w.hands(h, people).One(by, key) == "" {
			return by.Person, e.Index, nil
		}
	}
	return "", -1, nil
}

// reviewersNow are the persons who may release, and the key that signs now, which is one of
// theirs.
func (w *workspace) reviewersNow(ctx context.Context, people map[string]decisionmap.Person, x agreement) (who []string, key identity.EnrolledKey, err error) {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, key, err
	}
	at, err := w.size(ctx, ledger.Now)
	if err != nil {
		return nil, key, err
	}
	key, _ = h.ValidAt(w.signer.KeyID(), at)
	who = w.hands(h, people).Reviewers(at)
	if slices.Contains(who, key.Person) || len(who) == 0 && key.Person == decisionmap.LocalKey {
		return who, key, nil
	}
	return nil, key, notReviewer(h, w.signer.KeyID(), key.Person, who, people, x)
}

// agreeing are the persons of whom one has to agree to what this key proposes, and why
// the others do not count.
func (w *workspace) agreeing(ctx context.Context, who []string, key identity.EnrolledKey, people map[string]decisionmap.Person) (needed, not []string, err error) {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, nil, err
	}
	at, err := w.size(ctx, ledger.Now)
	if err != nil {
		return nil, nil, err
	}
	needed, not = w.hands(h, people).Others(who, key, at)
	return needed, not, nil
}

func notReviewer(h *identity.History, id, me string, who []string, people map[string]decisionmap.Person, x agreement) error {
	e := &verdict.Error{Code: verdict.CodeForbidden}
	switch _, known := h.Key(id); {
	case me == decisionmap.LocalKey:
		e.What = "this machine's own key is nobody's, and " + x.many + " are released by persons: " + strings.Join(who, ", ")
		e.Remedy = "sign with the key of one of them: --as KEY; verdict keys list shows the keys on this machine"
	case !known:
		e.What, e.Remedy = "this key is not enrolled for anybody", "enroll it: verdict people enroll PERSON"
	case len(people) > 0:
		e.What = fmt.Sprintf("%q is not under people: of the map in force, and %s are released by persons", me, x.many)
		e.Remedy = "sign with the key of a person of the map: --as KEY; verdict people list shows them"
	default:
		e.What, e.Remedy = fmt.Sprintf("the key of %q does not count any more", me), "sign with a key that counts: verdict keys list"
	}
	return e
}
