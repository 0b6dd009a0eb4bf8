package main

import (
	"slices"
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

// An organisation of two can release its map, and whoever holds this machine's key gets
// no second hand by it once a person has one.
func TestTwoPersonsAreTwoWhereThisMachineEnrolledThemTogether(t *testing.T) {
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
		{"also after one of them replaced their key", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "alma", "alma", idOf(t, w, "noor"))
			event := stateKey(t, w, "noor", "noor", idOf(t, w, "alma"))
			h, err := w.ledger.Keys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			old, _ := h.Key(event.Key)
			w.as(t, "noor")
			key, _, err := w.ring.Named("noor2")
			if err != nil {
				t.Fatal(err)
			}
			rotation, err := identity.NewRotation(old, key.PublicPEM(), "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.state(t.Context(), verdict.KindKey, keySubject(rotation.Key, "noor"), rotation, verdict.Context{}); err != nil {
				t.Fatal(err)
			}
			return "noor2", "alma"
		}, ""},
		{"a second whom the first's enrolment does not name is none", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "alma", "alma", "")
			stateKey(t, w, "noor", "noor", idOf(t, w, "alma"))
			return "alma", "noor"
		}, "this machine's own key enrolled the key of noor"},
		{"a second who does not name the first is none", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "alma", "alma", idOf(t, w, "noor"))
			stateKey(t, w, "noor", "noor", "")
			return "alma", "noor"
		}, "this machine's own key enrolled the key of noor"},
		{"a third beside the first is none", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "alma", "alma", idOf(t, w, "noor"))
			stateKey(t, w, "noor", "noor", idOf(t, w, "alma"))
			stateKey(t, w, "mei", "mei", idOf(t, w, "alma"))
			return "mei", "noor"
		}, "this machine's own key enrolled the key of mei"},
		{"a second who comes when there are others already is none", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "alma", "alma", idOf(t, w, "noor"))
			w.as(t, "alma")
			stateKey(t, w, "mei", "mei", "")
			w.as(t, "local")
			stateKey(t, w, "noor", "noor", idOf(t, w, "alma"))
			return "mei", "noor"
		}, "this machine's own key enrolled the key of noor"},
		{"a second beside a first whom a machine enrolled is none", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "builder", "builder", "")
			w.as(t, "builder")
			stateKey(t, w, "alma", "alma", idOf(t, w, "noor"))
			w.as(t, "local")
			stateKey(t, w, "noor", "noor", idOf(t, w, "alma"))
			return "alma", "noor"
		}, "this machine's own key enrolled the key of noor"},
		{"a second beside one who was not the first is none, though the first left", func(t *testing.T, w *workspace) (string, string) {
			mei := stateKey(t, w, "mei", "mei", "")
			stateKey(t, w, "alma", "alma", idOf(t, w, "noor"))
			gone := identity.KeyEvent{Action: identity.Revoke, Key: mei.Key, Person: "mei", Algorithm: mei.Algorithm}
			if _, err := w.state(t.Context(), verdict.KindKey, keySubject(mei.Key, "mei"), gone, verdict.Context{}); err != nil {
				t.Fatal(err)
			}
			stateKey(t, w, "noor", "noor", idOf(t, w, "alma"))
			return "noor", "alma"
		}, "this machine's own key enrolled the key of noor"},
		{"a person's key enrolls nobody beside themselves", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "alma", "alma", idOf(t, w, "noor"))
			w.as(t, "alma")
			stateKey(t, w, "noor", "noor", idOf(t, w, "alma"))
			return "alma", "noor"
		}, "alma enrolled the key of noor"},
		{"keys by whom this machine enrolled behind a person's back do not count", func(t *testing.T, w *workspace) (string, string) {
			stateKey(t, w, "alma", "alma", "")
			stateKey(t, w, "mei", "mei", "")
			w.as(t, "mei")
			stateKey(t, w, "sham-noor", "noor", "")
			stateKey(t, w, "sham-alma", "alma", "")
			return "sham-noor", "sham-alma"
		}, "this machine's own key enrolled the key of mei"},
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

// Who may release a map and whether somebody is enrolled yet are two questions. They
// differ in one case, and each other answer in it would let the wrong key act alone.
func TestWhoCountsIsAnsweredAlikeButForAMapWhosePeopleHaveNoKey(t *testing.T) {
	w, _ := installation(t)
	stateKey(t, w, "builder", "builder", "")
	before, err := w.size(t.Context(), ledger.Now)
	if err != nil {
		t.Fatal(err)
	}
	stateKey(t, w, "alma", "alma", "")
	h, err := w.ledger.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type names = map[string]decisionmap.Person
	for _, c := range []struct {
		name              string
		index             int64
		people            names
		release, enrolled []string
	}{
		{"no map, or one that names nobody: all", before + 1, nil, []string{"alma", "builder"}, []string{"alma", "builder"}},
		{"a map that has one of them: that one", before + 1, names{"alma": {}, "noor": {}}, []string{"alma"}, []string{"alma"}},
		{"a key does not count for the entry that enrolls it", before, nil, []string{"builder"}, []string{"builder"}},
		{"a map that has none of them: all release, and nobody is enrolled yet", before + 1, names{"noor": {}}, []string{"alma", "builder"}, nil},
		{"nobody has a key yet", 1, names{"noor": {}}, nil, nil},
	} {
		if got := reviewers(h, c.index, c.people); !slices.Equal(got, c.release) {
			t.Errorf("%s: %v may release a map, not %v", c.name, got, c.release)
		}
		if got := enrolledPersons(h, c.index, c.people); !slices.Equal(got, c.enrolled) {
			t.Errorf("%s: %v are enrolled, not %v", c.name, got, c.enrolled)
		}
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
