package identity_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/identity"
)

// enrolments is a ledger of key events: the index of each is its place.
type enrolments struct {
	t    *testing.T
	h    identity.History
	next int64
	keys map[string]string // public keys in PEM, by the name that a test gives them
	by   string            // id of the key that signs
	old  bool              // the events are of before names were kept
}

// installed is a ledger in which this machine enrolled its own key.
func installed(t *testing.T) *enrolments { return begun(t, false) }

func begun(t *testing.T, old bool) *enrolments {
	l := &enrolments{t: t, keys: map[string]string{}, old: old}
	l.by = l.id("local")
	l.enroll("local", identity.LocalKey, "")
	return l
}

func (l *enrolments) pem(key string) string {
	if l.keys[key] == "" {
		l.keys[key] = newPEM(l.t)
	}
	return l.keys[key]
}

func (l *enrolments) id(key string) string { return enrolment(l.t, "somebody", l.pem(key)).Key }

func (l *enrolments) as(key string) { l.by = l.id(key) }

func (l *enrolments) state(e identity.KeyEvent) {
	l.t.Helper()
	e.NamesKept = !l.old
	if err := l.h.Apply(l.next, day.Add(time.Duration(l.next)*time.Minute), l.by, e); err != nil {
		l.t.Fatal(err)
	}
	l.next++
}

// enroll records an enrolment as a client that keeps no rules would.
func (l *enrolments) enroll(key, person, beside string) {
	l.t.Helper()
	e := enrolment(l.t, person, l.pem(key))
	e.NamesKept = !l.old
	if beside != "" {
		e.Beside = l.id(beside)
	}
	l.state(e)
}

func (l *enrolments) key(name string) identity.EnrolledKey {
	l.t.Helper()
	k, known := l.h.Key(l.id(name))
	if !known {
		l.t.Fatalf("no key %s was enrolled", name)
	}
	return k
}

func (l *enrolments) hands(people ...string) identity.Hands {
	h := identity.Hands{History: &l.h, People: map[string]bool{}}
	for _, p := range people {
		h.People[p] = true
	}
	return h
}

// An organisation of two can release its map, and whoever holds this machine's key gets no
// second hand by it once a person has one.
func TestTwoPersonsAreTwoWhereThisMachineEnrolledThemTogether(t *testing.T) {
	for _, c := range []struct {
		name   string
		enroll func(l *enrolments) (one, other string)
		says   string // empty: they are two
	}{
		{"two who were enrolled together are two", func(l *enrolments) (string, string) {
			l.enroll("alma", "alma", "noor")
			l.enroll("noor", "noor", "alma")
			return "alma", "noor"
		}, ""},
		{"also after one of them replaced their key", func(l *enrolments) (string, string) {
			l.enroll("alma", "alma", "noor")
			l.enroll("noor", "noor", "alma")
			rotation, err := identity.NewRotation(l.key("noor"), l.pem("noor2"), "")
			if err != nil {
				l.t.Fatal(err)
			}
			l.as("noor")
			l.state(rotation)
			return "noor2", "alma"
		}, ""},
		{"a second whom the first's enrolment does not name is none", func(l *enrolments) (string, string) {
			l.enroll("alma", "alma", "")
			l.enroll("noor", "noor", "alma")
			return "alma", "noor"
		}, "this machine's own key enrolled the key of noor"},
		{"a second who does not name the first is none", func(l *enrolments) (string, string) {
			l.enroll("alma", "alma", "noor")
			l.enroll("noor", "noor", "")
			return "alma", "noor"
		}, "this machine's own key enrolled the key of noor"},
		{"a third beside the first is none", func(l *enrolments) (string, string) {
			l.enroll("alma", "alma", "noor")
			l.enroll("noor", "noor", "alma")
			l.enroll("mei", "mei", "alma")
			return "mei", "noor"
		}, "this machine's own key enrolled the key of mei"},
		{"a second who comes when there are others already is none", func(l *enrolments) (string, string) {
			l.enroll("alma", "alma", "noor")
			l.as("alma")
			l.enroll("mei", "mei", "")
			l.as("local")
			l.enroll("noor", "noor", "alma")
			return "mei", "noor"
		}, "this machine's own key enrolled the key of noor"},
		{"a second beside a first whom a machine enrolled is none", func(l *enrolments) (string, string) {
			l.enroll("builder", "builder", "")
			l.as("builder")
			l.enroll("alma", "alma", "noor")
			l.as("local")
			l.enroll("noor", "noor", "alma")
			return "alma", "noor"
		}, "this machine's own key enrolled the key of noor"},
		{"a second beside one who was not the first is none, though the first left", func(l *enrolments) (string, string) {
			l.enroll("mei", "mei", "")
			l.enroll("alma", "alma", "noor")
			l.state(identity.NewRevocation(l.key("mei"), "gone"))
			l.enroll("noor", "noor", "alma")
			return "noor", "alma"
		}, "this machine's own key enrolled the key of noor"},
		{"a person's key enrolls nobody beside themselves", func(l *enrolments) (string, string) {
			l.enroll("alma", "alma", "noor")
			l.as("alma")
			l.enroll("noor", "noor", "alma")
			return "alma", "noor"
		}, "alma enrolled the key of noor"},
		{"keys by whom this machine enrolled behind a person's back do not count", func(l *enrolments) (string, string) {
			l.enroll("alma", "alma", "")
			l.enroll("mei", "mei", "")
			l.as("mei")
			l.enroll("sham-noor", "noor", "")
			l.enroll("sham-lena", "lena", "")
			return "sham-noor", "sham-lena"
		}, "this machine's own key enrolled the key of mei"},
		{"two who each enrolled the other's next key are in one hand", func(l *enrolments) (string, string) {
			*l = *begun(l.t, true)
			l.enroll("alma", "alma", "noor")
			l.enroll("noor", "noor", "alma")
			l.as("noor")
			l.enroll("alma2", "alma", "")
			return "alma2", "noor"
		}, "noor enrolled the key of alma"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := installed(t)
			one, other := c.enroll(l)
			got := l.hands("alma", "mei", "noor").One(l.key(one), l.key(other))
			if !strings.HasPrefix(got, c.says) || c.says == "" && got != "" {
				t.Errorf("%q", got)
			}
		})
	}
}

// One key of a person that is in nobody else's hand makes them somebody else.
func TestOtherHandsAreToldWithWhyTheRestAreNone(t *testing.T) {
	l := installed(t)
	l.enroll("alma", "alma", "noor")
	l.enroll("noor", "noor", "alma")
	l.as("noor")
	l.enroll("alma2", "alma", "")
	l.enroll("mei", "mei", "")
	others, not := l.hands().Others([]string{"alma", "mei", "noor"}, l.key("noor"), l.next)
	if !slices.Equal(others, []string{"alma"}) || !slices.Equal(not, []string{"noor enrolled the key of mei"}) {
		t.Errorf("others %v, not %q", others, not)
	}
}

// Who may release a map and whether somebody is enrolled yet are two questions. They differ
// in one case, and each other answer in it would let the wrong key act alone.
func TestWhoCountsIsAnsweredAlikeButForAMapWhosePeopleHaveNoKey(t *testing.T) {
	l := installed(t)
	l.enroll("builder", "builder", "")
	before := l.next
	l.enroll("alma", "alma", "")
	for _, c := range []struct {
		name              string
		index             int64
		people            []string
		release, enrolled []string
	}{
		{"no map, or one that names nobody: all", before + 1, nil, []string{"alma", "builder"}, []string{"alma", "builder"}},
		{"a map that has one of them: that one", before + 1, []string{"alma", "noor"}, []string{"alma"}, []string{"alma"}},
		{"a key does not count for the entry that enrolls it", before, nil, []string{"builder"}, []string{"builder"}},
		{"a map that has none of them: all release, and nobody is enrolled yet", before + 1, []string{"noor"}, []string{"alma", "builder"}, nil},
		{"nobody has a key yet", 1, []string{"noor"}, nil, nil},
	} {
		if got := l.hands(c.people...).Reviewers(c.index); !slices.Equal(got, c.release) {
			t.Errorf("%s: %v may release a map, not %v", c.name, got, c.release)
		}
		if got := l.hands(c.people...).Enrolled(c.index); !slices.Equal(got, c.enrolled) {
			t.Errorf("%s: %v are enrolled, not %v", c.name, got, c.enrolled)
		}
	}
}

// Whoever holds one key could otherwise end all others, and be alone as at the beginning, when
// this machine's own key puts any map in force and enrolls whom it likes.
func TestWhoEndsTheKeysOfOthersDoesNotBeginAnew(t *testing.T) {
	end := func(l *enrolments, key, by string) {
		l.as(by)
		l.state(identity.NewRevocation(l.key(key), ""))
	}
	pair := func(l *enrolments) {
		l.enroll("alma", "alma", "noor")
		l.enroll("noor", "noor", "alma")
	}
	for _, c := range []struct {
		name   string
		people []string
		events func(l *enrolments)
		left   []string // who keeps this machine's key from acting alone
	}{
		{"this machine's key ended both", nil, func(l *enrolments) { pair(l); end(l, "alma", "local"); end(l, "noor", "local") }, []string{"alma", "noor"}},
		{"one ended the other and then their own", nil, func(l *enrolments) { pair(l); end(l, "alma", "noor"); end(l, "noor", "noor") }, []string{"alma"}},
		{"both ended their own", nil, func(l *enrolments) { pair(l); end(l, "alma", "alma"); end(l, "noor", "noor") }, nil},
		{"a machine ended both persons of the map", []string{"alma", "noor"}, func(l *enrolments) {
			pair(l)
			l.as("alma")
			l.enroll("one", "one", "")
			l.enroll("other", "other", "")
			end(l, "alma", "one")
			end(l, "noor", "one")
		}, []string{"alma", "noor"}},
		{"the only person lost the key", nil, func(l *enrolments) { l.enroll("alma", "alma", ""); end(l, "alma", "local") }, nil},
		{"the only person, with a machine of theirs", []string{"alma"}, func(l *enrolments) {
			l.enroll("alma", "alma", "")
			l.as("alma")
			l.enroll("builder", "builder", "")
			end(l, "alma", "local")
			end(l, "builder", "local")
		}, nil},
		{"one came back with another key", nil, func(l *enrolments) {
			*l = *begun(l.t, true)
			pair(l)
			l.as("noor")
			l.enroll("alma2", "alma", "")
			end(l, "alma", "noor")
			end(l, "noor", "local")
		}, []string{"alma"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := installed(t)
			c.events(l)
			if got := l.hands(c.people...).Reviewers(l.next); !slices.Equal(got, c.left) {
				t.Errorf("%v may release, not %v", got, c.left)
			}
			if got := l.hands(c.people...).Enrolled(l.next); !slices.Equal(got, c.left) {
				t.Errorf("%v are enrolled, not %v", got, c.left)
			}
		})
	}
}

// Everybody's map gives the name of this machine's key rights, so whoever could give it to a
// key of his own would have them.
func TestTheNameOfThisMachinesKeyIsGivenByTwo(t *testing.T) {
	pair := func(l *enrolments) {
		l.enroll("alma", "alma", "noor")
		l.enroll("noor", "noor", "alma")
	}
	revoke := func(l *enrolments) { l.state(identity.NewRevocation(l.key("local"), "stolen")) }
	again := func(l *enrolments, by string) {
		l.as(by)
		l.enroll("local2", identity.LocalKey, "")
	}
	for _, c := range []struct {
		name   string
		events func(l *enrolments)
		counts bool
	}{
		{"by one person", func(l *enrolments) { pair(l); revoke(l); again(l, "alma") }, false},
		{"by one person twice", func(l *enrolments) { pair(l); revoke(l); again(l, "alma"); again(l, "alma") }, false},
		{"by two persons", func(l *enrolments) { pair(l); revoke(l); again(l, "alma"); again(l, "noor") }, true},
		{"by a person and whom they enrolled", func(l *enrolments) {
			pair(l)
			l.as("alma")
			l.enroll("mei", "mei", "")
			revoke(l)
			again(l, "alma")
			again(l, "mei")
		}, false},
		{"by a person and whom this machine's key enrolled behind their back", func(l *enrolments) {
			pair(l)
			l.enroll("eve", "eve", "")
			revoke(l)
			again(l, "eve")
			again(l, "noor")
		}, false},
		{"by a person whose key ended since, and another", func(l *enrolments) {
			pair(l)
			revoke(l)
			again(l, "alma")
			l.state(identity.NewRevocation(l.key("alma"), "left"))
			again(l, "noor")
		}, false},
		{"by this machine's key while it counts, and a person", func(l *enrolments) { pair(l); again(l, "local"); again(l, "alma") }, false},
		{"by itself, when others were enrolled", func(l *enrolments) { pair(l); revoke(l); again(l, "local2") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := installed(t)
			c.events(l)
			k, known := l.h.Key(l.id("local2"))
			if known != c.counts || known && (k.Person != identity.LocalKey || !k.ValidAt(l.next)) {
				t.Errorf("known %t: %+v", known, k)
			}
		})
	}
	l := installed(t)
	pair(l)
	revoke(l)
	l.as("alma")
	actionable(t, l.h.Apply(l.next, day, l.by, identity.KeyEvent{
		Action: identity.Enrol, Key: l.id("local2"), Person: identity.LocalKey, Algorithm: identity.AlgorithmP256, PublicPEM: l.pem("local2"), Beside: l.id("noor"),
	}), verdict.CodeInvalid)
}
