package main

import (
	"strings"
	"testing"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
)

// stateKey records an enrolment as a client that keeps no rules would, signed with the
// key that signs now, and gives its event.
func stateKey(t *testing.T, w *workspace, file, person, beside string) identity.KeyEvent {
	t.Helper()
	key, _, err := w.ring.Named(file)
	if err != nil {
		t.Fatal(err)
	}
	event, err := identity.NewEnrolment(person, key.PublicPEM())
	if err != nil {
		t.Fatal(err)
	}
	event.Beside = beside
	if _, err := w.state(t.Context(), verdict.KindKey, keySubject(event.Key, person), event, verdict.Context{}); err != nil {
		t.Fatal(err)
	}
	return event
}

// idOf is the id of a key of the ring, made if there is none.
func idOf(t *testing.T, w *workspace, file string) string {
	t.Helper()
	key, _, err := w.ring.Named(file)
	if err != nil {
		t.Fatal(err)
	}
	return key.KeyID()
}

// releaseBy lets one key propose a map and another release it, and reports whether it is
// in force.
func releaseBy(t *testing.T, w *workspace, first int64, proposer, releaser string) bool {
	t.Helper()
	const next = smallOrganisation + "points:\n  - {id: code.review, mode: block}\n"
	w.as(t, proposer)
	p := stateMap(t, w, verdict.KindProposal, next, mapRelease{Replaces: first, Proposal: -1})
	w.as(t, releaser)
	e := stateMap(t, w, verdict.KindMapRelease, next, mapRelease{Replaces: first, Proposal: p})
	r, err := w.inForce(t.Context(), ledger.Now)
	if err != nil {
		t.Fatal(err)
	}
	return r.index() == e
}

// Which keys are in one hand is told from this ledger, and decides what is in force. The
// cases are those of package identity.
func TestAMapIsReleasedByTwoPersonsInTwoHands(t *testing.T) {
	for _, c := range []struct {
		name   string
		enroll func(t *testing.T, w *workspace) (proposer, releaser string)
		says   string // empty: it is in force
	}{
		{"two who were enrolled together release a map", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "alma", "alma", idOf(t, w, "noor"))
			stateKey(t, w, "noor", "noor", idOf(t, w, "alma"))
			return "alma", "noor"
		}, ""},
		{"a second whom the first's enrolment does not name is none", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "alma", "alma", "")
			stateKey(t, w, "noor", "noor", idOf(t, w, "alma"))
			return "alma", "noor"
		}, "this machine's own key enrolled the key of noor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, talk := installation(t)
			first := stateMap(t, w, verdict.KindMapRelease, smallOrganisation, mapRelease{Replaces: -1, Proposal: -1})
			proposer, releaser := c.enroll(t, w)
			if got := releaseBy(t, w, first, proposer, releaser); got != (c.says == "") {
				t.Errorf("in force: %v: %s", got, talk)
			}
			if !strings.Contains(talk.String(), c.says) || c.says == "" && talk.Len() > 0 {
				t.Errorf("nobody is told %q: %s", c.says, talk)
			}
		})
	}
}

// The key that a machine made for itself has one name, by which the map trusts it and which
// stands for nobody among persons.
func TestTheMachinesOwnKeyHasOneName(t *testing.T) {
	if decisionmap.LocalKey != identity.LocalKey {
		t.Errorf("%q in the map, and %q in the ring", decisionmap.LocalKey, identity.LocalKey)
	}
}

// Half a pair would leave one person alone, and the other never to be enrolled.
func TestAPairIsRecordedTogetherOrNotAtAll(t *testing.T) {
	w, _ := installation(t)
	a, b := idOf(t, w, "alma"), idOf(t, w, "noor")
	one, two, err := identity.NewPair("alma", pemOf(t, w, "alma"), "noor", pemOf(t, w, "noor"))
	if err != nil || one.Beside != b || two.Beside != a {
		t.Fatalf("%+v, %+v: %v", one, two, err)
	}
	two.Algorithm = "rsa"
	if err := w.recordPair(t.Context(), one, two); err == nil {
		t.Fatal("a pair was recorded of which one enrolment is wrong")
	}
	if h, err := w.ledger.Keys(t.Context()); err != nil || len(h.Keys()) != 1 {
		t.Errorf("%d keys are enrolled (%v), not this machine's alone", len(h.Keys()), err)
	}
}

func pemOf(t *testing.T, w *workspace, file string) string {
	t.Helper()
	key, _, err := w.ring.Named(file)
	if err != nil {
		t.Fatal(err)
	}
	public, err := evidence.ParsePublicPEM([]byte(key.PublicPEM()))
	if err != nil {
		t.Fatal(err)
	}
	return evidence.PublicPEM(public)
}
