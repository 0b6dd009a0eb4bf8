package identity_test

import (
	"slices"
	"testing"

	"verdict/identity"
)

func (l *enrolments) pair() {
	l.enroll("alma", "alma", "noor")
	l.enroll("noor", "noor", "alma")
}

// three are persons of whom nobody is behind the two others.
func (l *enrolments) three() {
	l.pair()
	l.as("noor")
	l.enroll("mei", "mei", "")
}

func (l *enrolments) revoke(key, by string) {
	l.as(by)
	l.state(identity.NewRevocation(l.key(key), ""))
}

func (l *enrolments) give(key, person string, by ...string) {
	for _, b := range by {
		l.as(b)
		l.enroll(key, person, "")
	}
}

// Whoever could end another's key and enroll one of their own in that name would approve as
// them what a third person asks.
func TestANameOnceBorneIsNotGivenByOneOther(t *testing.T) {
	for _, c := range []struct {
		name   string
		events func(l *enrolments) // give alma's name to the key alma2
		counts bool
		hand   string // who is in one hand with alma2
	}{
		{"by one who ended her key", func(l *enrolments) { l.three(); l.revoke("alma", "mei"); l.give("alma2", "alma", "mei") }, false, ""},
		{"by one while her key counts", func(l *enrolments) { l.three(); l.give("alma2", "alma", "noor") }, false, ""},
		{"by one twice, with a second key of theirs", func(l *enrolments) {
			l.three()
			l.give("mei2", "mei", "mei")
			l.give("alma2", "alma", "mei", "mei2")
		}, false, ""},
		{"by one and whom they enrolled", func(l *enrolments) { l.three(); l.give("alma2", "alma", "mei", "noor") }, false, ""},
		{"by one and whom somebody enrolled whom they enrolled", func(l *enrolments) {
			l.pair()
			l.give("x", "x", "noor")
			l.give("y", "y", "x")
			l.give("alma2", "alma", "noor", "y")
		}, false, ""},
		{"by two whom one other enrolled", func(l *enrolments) {
			l.pair()
			l.give("x", "x", "noor")
			l.give("y", "y", "noor")
			l.give("alma2", "alma", "x", "y")
		}, false, ""},
		{"by two whom she enrolled herself", func(l *enrolments) {
			l.enroll("alma", "alma", "")
			l.give("noor", "noor", "alma")
			l.give("mei", "mei", "alma")
			l.give("alma2", "alma", "noor", "mei")
		}, true, ""},
		{"by two in two hands", func(l *enrolments) {
			l.pair()
			l.give("mei", "mei", "alma")
			l.give("alma2", "alma", "mei", "noor")
		}, true, ""},
		{"by two, of whom the first lost the key since", func(l *enrolments) {
			l.pair()
			l.give("mei", "mei", "alma")
			l.give("alma2", "alma", "mei")
			l.revoke("mei", "noor")
			l.give("alma2", "alma", "noor")
		}, false, ""},
		{"by herself", func(l *enrolments) { l.three(); l.give("alma2", "alma", "alma") }, true, ""},
		{"by her ended key", func(l *enrolments) { l.three(); l.revoke("alma", "mei"); l.give("alma2", "alma", "alma") }, false, ""},
		{"by this machine's key, when there are others", func(l *enrolments) { l.three(); l.revoke("alma", "mei"); l.give("alma2", "alma", "local") }, false, ""},
		{"by one and this machine's key, when there are others", func(l *enrolments) {
			l.pair()
			l.give("mei", "mei", "alma")
			l.give("alma2", "alma", "mei", "local")
		}, false, ""},
		{"by one and this machine's key, after one ended the keys of the others", func(l *enrolments) {
			l.pair()
			l.give("mei", "mei", "alma")
			l.revoke("noor", "mei")
			l.revoke("alma", "mei")
			l.give("alma2", "alma", "mei", "local")
		}, false, ""},
		{"by the one who is left of two, and this machine's key", func(l *enrolments) {
			l.pair()
			l.revoke("alma", "noor")
			l.give("alma2", "alma", "noor", "local")
		}, true, "noor"},
		{"by this machine's key where the only person lost theirs", func(l *enrolments) {
			l.enroll("alma", "alma", "")
			l.revoke("alma", "local")
			l.give("alma2", "alma", "local")
		}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := installed(t)
			c.events(l)
			k, known := l.h.Key(l.id("alma2"))
			if known != c.counts || known && (k.Person != "alma" || !k.ValidAt(l.next)) {
				t.Fatalf("known %t: %+v", known, k)
			}
			if c.hand != "" && l.hands().One(k, l.key(c.hand)) == "" {
				t.Errorf("alma2 is another hand than %s", c.hand)
			}
		})
	}
}

// Who enrolled the first key of a name could have made it, so they give it again and gain
// nothing by it; the key stays in their hand, also when it enrolls a next one.
func TestWhoEnrolledSomebodyFirstEnrollsThemAgain(t *testing.T) {
	l := installed(t)
	l.three()
	l.revoke("mei", "alma")
	l.give("mei2", "mei", "noor")
	l.give("mei3", "mei", "mei2")
	for _, key := range []string{"mei2", "mei3"} {
		if got := l.hands().One(l.key(key), l.key("noor")); got != "noor enrolled the key of mei" {
			t.Errorf("%s and noor: %q", key, got)
		}
		if got := l.hands().One(l.key(key), l.key("alma")); got != "" {
			t.Errorf("%s and alma: %q", key, got)
		}
	}
}

// Two who ended their own keys begin again together, under the names that they bore.
func TestTwoWhoBeginAgainKeepTheirNames(t *testing.T) {
	l := installed(t)
	l.pair()
	l.revoke("alma", "alma")
	l.revoke("noor", "noor")
	l.as("local")
	l.enroll("alma2", "alma", "noor2")
	l.enroll("noor2", "noor", "alma2")
	if got := l.hands().One(l.key("alma2"), l.key("noor2")); got != "" {
		t.Errorf("%q", got)
	}
}

// What a ledger recorded before this rule means what it meant, or decisions of then would
// come out otherwise; and nobody takes the rule back by leaving its mark out.
func TestOldEnrolmentsStayAndTheRuleDoesToo(t *testing.T) {
	l := begun(t, true)
	l.three()
	l.revoke("alma", "mei")
	l.give("alma2", "alma", "mei")
	l.give("alma3", "alma", "alma2")
	was := l.hands().One(l.key("alma3"), l.key("mei"))
	from := l.next
	l.old = false
	l.give("zoe", "zoe", "noor")
	l.old = true
	l.give("alma4", "alma", "mei")
	for key, counts := range map[string]bool{"alma2": true, "alma3": true, "alma4": false} {
		if _, ok := l.h.ValidAt(l.id(key), l.next); ok != counts {
			t.Errorf("%s counts: %t", key, ok)
		}
	}
	if got := l.hands().One(l.key("alma3"), l.key("mei")); got != was {
		t.Errorf("of keys before entry %d it was said %q, and now %q", from, was, got)
	}
}

// Who asked has to be told what waits, for whom, and until when.
func TestWhatWaitsIsTold(t *testing.T) {
	l := installed(t)
	l.three()
	l.give("alma2", "alma", "mei")
	since := l.next - 1
	waits := l.h.Waiting(l.next)
	if len(waits) != 1 || waits[0].Key != l.id("alma2") || waits[0].Person != "alma" || waits[0].Since != since || !slices.Equal(waits[0].Asked, []string{"mei"}) {
		t.Fatalf("%+v", waits)
	}
	if others, not := l.h.Seconds([]string{"alma", "mei", "noor"}, "alma", l.key("mei"), l.next); !slices.Equal(others, []string{"alma"}) || !slices.Equal(not, []string{"noor enrolled the key of mei"}) {
		t.Errorf("%v, not %v", others, not)
	}
	l.give("alma2", "alma", "alma")
	if waits := l.h.Waiting(l.next); len(waits) != 0 {
		t.Errorf("still waits: %+v", waits)
	}
	l.give("alma3", "alma", "mei")
	l.revoke("mei", "noor")
	if waits := l.h.Waiting(l.next); len(waits) != 0 {
		t.Errorf("waits for a key that ended: %+v", waits)
	}
}

// A thief may have rotated the key, so what an ended key signed can be doubted too, and nobody
// makes the doubt smaller.
func TestDoubtOfAKeyOnlyGrows(t *testing.T) {
	l := installed(t)
	l.three()
	doubt := func(from int64) {
		e := identity.NewRevocation(l.key("mei"), "stolen")
		e.DoubtFrom = from
		l.as("noor")
		l.state(e)
	}
	l.revoke("mei", "noor")
	ended := l.key("mei")
	for _, from := range []int64{4, 3, 4} {
		doubt(from)
	}
	k := l.key("mei")
	if k.DoubtFrom != 3 || k.Doubted(2) || !k.Doubted(3) || k.To != ended.To || k.EndedBy != ended.EndedBy || !k.ValidTo.Equal(ended.ValidTo) {
		t.Errorf("%+v", k)
	}
	e := identity.NewRevocation(l.key("alma"), "stolen")
	e.DoubtFrom = l.next + 1
	actionable(t, l.h.Apply(l.next, day, l.by, e), "invalid")
}
