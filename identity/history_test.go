package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"
	"time"

	"pgregory.net/rapid"

	"verdict"
	"verdict/identity"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func publicPEM(t testing.TB, pub any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func newPEM(t testing.TB) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return publicPEM(t, &k.PublicKey)
}

func enrolment(t testing.TB, person, pem string) identity.KeyEvent {
	t.Helper()
	e, err := identity.NewEnrolment(person, pem)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestAKeyCountsInItsPartOfTheLedger: a key that was stolen today must not make last
// year's statements worthless, nor must a new key reach back.
func TestAKeyCountsInItsPartOfTheLedger(t *testing.T) {
	var h identity.History
	first := enrolment(t, "ada", newPEM(t))
	apply := func(index int64, e identity.KeyEvent) {
		t.Helper()
		if err := h.Apply(index, day.Add(time.Duration(index)*time.Minute), e.Replaces, e); err != nil {
			t.Fatal(err)
		}
	}
	apply(10, first)
	k, _ := h.Key(first.Key)
	second, err := identity.NewRotation(k, newPEM(t), "a year has passed")
	if err != nil {
		t.Fatal(err)
	}
	apply(20, second)
	k2, _ := h.Key(second.Key)
	apply(30, identity.NewRevocation(k2, "laptop stolen"))

	for _, c := range []struct {
		name          string
		index         int64
		first, second bool
	}{
		{"before it was enrolled", 9, false, false},
		{"at the entry that enrols it", 10, true, false},
		{"in between", 15, true, false},
		{"at the entry that rotates, both count: either may have signed it", 20, true, true},
		{"after the rotation", 21, false, true},
		{"at the entry that revokes it", 30, false, true},
		{"after the revocation", 31, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, ok := h.ValidAt(first.Key, c.index); ok != c.first {
				t.Errorf("first key: %v", ok)
			}
			if _, ok := h.ValidAt(second.Key, c.index); ok != c.second {
				t.Errorf("second key: %v", ok)
			}
		})
	}
	if _, ok := h.ValidAt("a key that nobody enrolled", 20); ok {
		t.Error("a stranger's key counts")
	}
	keys := h.Keys()
	if len(keys) != 2 || keys[0].Revoked || !keys[1].Revoked || keys[1].Reason != "laptop stolen" || keys[1].Replaces != first.Key {
		t.Errorf("history: %+v", keys)
	}
	if !keys[1].ValidTo.Equal(day.Add(30*time.Minute)) || !keys[1].ValidFrom.Equal(day.Add(20*time.Minute)) {
		t.Errorf("times: %v – %v", keys[1].ValidFrom, keys[1].ValidTo)
	}
	if got := h.KeysOf("ada", 25); len(got) != 1 || got[0].ID != second.Key {
		t.Errorf("keys of ada at 25: %v", got)
	}
}

func TestAnEventThatContradictsTheHistoryChangesNothing(t *testing.T) {
	one, two, three := enrolment(t, "ada", newPEM(t)), enrolment(t, "grace", newPEM(t)), enrolment(t, "ada", newPEM(t))
	revoked := enrolment(t, "joan", newPEM(t))
	ended := identity.KeyEvent{Action: identity.Revoke, Key: revoked.Key, Person: "joan"}
	with := func(e identity.KeyEvent, change func(*identity.KeyEvent)) identity.KeyEvent {
		change(&e)
		return e
	}
	for _, c := range []struct {
		name  string
		event identity.KeyEvent
		code  verdict.Code
	}{
		{"a key enrolled twice", one, verdict.CodeConflict},
		{"a key enrolled again for somebody else", with(one, func(e *identity.KeyEvent) { e.Person = "grace" }), verdict.CodeConflict},
		{"a revoked key that comes back", revoked, verdict.CodeConflict},
		{"a revoked key that is revoked again", ended, verdict.CodeConflict},
		{"a key that nobody enrolled, revoked", identity.KeyEvent{Action: identity.Revoke, Key: three.Key, Person: "ada"}, verdict.CodeConflict},
		{"somebody else's key, revoked in my name", identity.KeyEvent{Action: identity.Revoke, Key: two.Key, Person: "ada"}, verdict.CodeConflict},
		{"a rotation of somebody else's key", with(three, func(e *identity.KeyEvent) { e.Action, e.Replaces = identity.Rotate, two.Key }), verdict.CodeConflict},
		{"a rotation of no key", with(three, func(e *identity.KeyEvent) { e.Action = identity.Rotate }), verdict.CodeConflict},
		{"a rotation of a key by itself", with(one, func(e *identity.KeyEvent) { e.Action, e.Replaces = identity.Rotate, one.Key }), verdict.CodeConflict},
		{"a key under another key's id", with(three, func(e *identity.KeyEvent) { e.Key = two.Key }), verdict.CodeInvalid},
		{"a key under no id", with(three, func(e *identity.KeyEvent) { e.Key = "" }), verdict.CodeInvalid},
		{"a key for nobody", with(three, func(e *identity.KeyEvent) { e.Person = "" }), verdict.CodeInvalid},
		{"an algorithm that it does not have", with(three, func(e *identity.KeyEvent) { e.Algorithm = "rsa" }), verdict.CodeInvalid},
		{"no public key", with(three, func(e *identity.KeyEvent) { e.PublicPEM = "" }), verdict.CodeInvalid},
		{"a key together with itself", with(three, func(e *identity.KeyEvent) { e.Beside = e.Key }), verdict.CodeInvalid},
		{"a rotation together with another key", with(three, func(e *identity.KeyEvent) { e.Action, e.Replaces, e.Beside = identity.Rotate, one.Key, two.Key }), verdict.CodeInvalid},
		{"an action that does not exist", with(three, func(e *identity.KeyEvent) { e.Action = "unrevoke" }), verdict.CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h identity.History
			for i, e := range []identity.KeyEvent{one, two, revoked, ended} {
				if err := h.Apply(int64(i), day, "", e); err != nil {
					t.Fatal(err)
				}
			}
			before, err := json.Marshal(h.Keys())
			if err != nil {
				t.Fatal(err)
			}
			actionable(t, h.Apply(10, day, c.event.Replaces, c.event), c.code)
			if after, _ := json.Marshal(h.Keys()); string(after) != string(before) {
				t.Errorf("the history changed to %s", after)
			}
		})
	}
	var h identity.History
	if err := h.Apply(5, day, "", one); err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(5, day, "", two); err == nil {
		t.Error("two events at one entry")
	}
	if err := h.Apply(4, day, "", two); err == nil {
		t.Error("an event out of order")
	}
}

// Who is enrolled together must be told from the log, by either of the two.
func TestAPairNamesEachOther(t *testing.T) {
	one, two := newPEM(t), newPEM(t)
	a, b, err := identity.NewPair("ada", one, "grace", two)
	if err != nil {
		t.Fatal(err)
	}
	var h identity.History
	for i, e := range []identity.KeyEvent{a, b} {
		if err := h.Apply(int64(i), day, "", e); err != nil {
			t.Fatal(err)
		}
	}
	if keys := h.Keys(); keys[0].Beside != keys[1].ID || keys[1].Beside != keys[0].ID {
		t.Errorf("%+v", keys)
	}
	for name, c := range map[string][4]string{
		"one person": {"ada", one, "ada", two}, "one key": {"ada", one, "grace", one}, "nobody": {"ada", one, "", two}, "no key": {"ada", "", "grace", two},
	} {
		if _, _, err := identity.NewPair(c[0], c[1], c[2], c[3]); err == nil {
			t.Errorf("%s is a pair", name)
		}
	}
}

func TestOnlyP256KeysAreEnrolled(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := newPEM(t)
	for name, text := range map[string]string{
		"nothing": "", "no PEM": "ssh-ed25519 AAAA", "an RSA key": publicPEM(t, &rsaKey.PublicKey), "a P-384 key": publicPEM(t, &p384.PublicKey),
		"two keys": good + good, "a key and text after it": good + "x",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := identity.NewEnrolment("ada", text)
			actionable(t, err, verdict.CodeInvalid)
		})
	}
	_, err = identity.NewEnrolment("", good)
	actionable(t, err, verdict.CodeInvalid)
	_, err = identity.NewRotation(identity.EnrolledKey{Person: "ada"}, "", "")
	actionable(t, err, verdict.CodeInvalid)
}

// Whoever could put a key of their own in the place of another's would sign in that name.
func TestARotationIsSignedWithTheKeyThatItEnds(t *testing.T) {
	var h identity.History
	ada, grace := enrolment(t, "ada", newPEM(t)), enrolment(t, "grace", newPEM(t))
	for i, e := range []identity.KeyEvent{ada, grace} {
		if err := h.Apply(int64(i), day, ada.Key, e); err != nil {
			t.Fatal(err)
		}
	}
	k, _ := h.Key(ada.Key)
	rotation, err := identity.NewRotation(k, newPEM(t), "")
	if err != nil {
		t.Fatal(err)
	}
	actionable(t, h.Apply(2, day, grace.Key, rotation), verdict.CodeInvalid)
	if err := h.Apply(2, day, ada.Key, rotation); err != nil {
		t.Error(err)
	}
}

// TestAKeyCountsInOneUnbrokenPart holds for any sequence of events: what a later event
// does never changes the answer for an earlier entry.
func TestAKeyCountsInOneUnbrokenPart(t *testing.T) {
	pems := make([]string, 6)
	for i := range pems {
		pems[i] = newPEM(t)
	}
	rapid.Check(t, func(t *rapid.T) {
		var h identity.History
		type answer struct {
			key   string
			index int64
			ok    bool
		}
		var said []answer
		for index := range int64(rapid.IntRange(1, 20).Draw(t, "events")) {
			e, err := identity.NewEnrolment(rapid.SampledFrom([]string{"ada", "grace"}).Draw(t, "person"), rapid.SampledFrom(pems).Draw(t, "key"))
			if err != nil {
				t.Fatal(err)
			}
			e.Action = rapid.SampledFrom([]identity.KeyAction{identity.Enrol, identity.Rotate, identity.Revoke}).Draw(t, "action")
			if keys := h.Keys(); e.Action == identity.Rotate && len(keys) > 0 {
				e.Replaces = rapid.SampledFrom(keys).Draw(t, "old").ID
			}
			_ = h.Apply(index, day, e.Replaces, e) // refused or not
			for _, a := range said {
				if _, ok := h.ValidAt(a.key, a.index); ok != a.ok {
					t.Fatalf("entry %d changed its answer about %s to %v", a.index, a.key, ok)
				}
			}
			for _, k := range h.Keys() {
				_, ok := h.ValidAt(k.ID, index)
				said = append(said, answer{k.ID, index, ok})
			}
		}
	})
}
