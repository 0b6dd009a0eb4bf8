package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"verdict"
)

// AlgorithmP256 is the only algorithm that people's keys have: ECDSA on P-256 with SHA-256.
const AlgorithmP256 = "ecdsa-p256-sha256"

// maxPublicPEM is in bytes; a P-256 key in PEM has 178.
const maxPublicPEM = 4096

// Open as the end of an EnrolledKey: the key counts until something ends it.
const Open int64 = -1

// KeyAction is what happened to a key.
type KeyAction string

// The actions.
const (
	Enrol  KeyAction = "enroll" // the key counts from here
	Rotate KeyAction = "rotate" // the key takes the place of Replaces, which ends here
	Revoke KeyAction = "revoke" // the key ends here, and never comes back
)

// KeyEvent is the predicate of evidence of kind key: one step in the life of one key.
// Who may state it is the business of the map's trust; History only folds.
type KeyEvent struct {
	Action    KeyAction `json:"action"`
	Key       string    `json:"key"` // base64 of the sha256 of the public key's SubjectPublicKeyInfo
	Person    string    `json:"person"`
	Algorithm string    `json:"algorithm"`
	PublicPEM string    `json:"public_pem"` // empty in a revocation
	Replaces  string    `json:"replaces"`   // the key id that a rotation ends
	// Beside is the key id that is enrolled together with this one, for another person:
	// each of the two enrolments names the other. Empty: it was enrolled on its own.
	Beside string `json:"beside"`
	Reason string `json:"reason"`
	// NamesKept: from the first event in the log that says so on, whoever signs, a name that
	// somebody bore is not given by one other person. Events that were recorded before that
	// rule do not say it, and mean what they meant.
	NamesKept bool `json:"names_kept"`
	// DoubtFrom is the index of the entry from which on the key may have been somebody else's,
	// in a revocation. It may name a key that ended, of which that came out later. 0: nobody says so.
	DoubtFrom int64 `json:"doubt_from"`
}

// NewEnrolment is the event that enrols a public key for a person.
func NewEnrolment(person, publicPEM string) (KeyEvent, error) {
	id, err := keyID(publicPEM)
	if err != nil {
		return KeyEvent{}, err
	}
	if person == "" {
		return KeyEvent{}, invalid("a key is enrolled for somebody", "name the person as under people: in the map")
	}
	return KeyEvent{Action: Enrol, Key: id, Person: person, Algorithm: AlgorithmP256, PublicPEM: publicPEM, NamesKept: true}, nil
}

// NewPair are the events that enrol the keys of two persons together.
func NewPair(person, publicPEM, second, secondPEM string) (a, b KeyEvent, err error) {
	if a, err = NewEnrolment(person, publicPEM); err != nil {
		return a, b, err
	}
	if b, err = NewEnrolment(second, secondPEM); err != nil {
		return a, b, err
	}
	if a.Person == b.Person || a.Key == b.Key {
		return a, b, invalid("two persons have two ids and two keys", "name two persons, and give the key that each of them made")
	}
	a.Beside, b.Beside = b.Key, a.Key
	return a, b, nil
}

// NewRotation is the event by which a person's new key takes the place of an old one.
func NewRotation(old EnrolledKey, publicPEM, reason string) (KeyEvent, error) {
	e, err := NewEnrolment(old.Person, publicPEM)
	if err != nil {
		return KeyEvent{}, err
	}
	e.Action, e.Replaces, e.Reason = Rotate, old.ID, reason
	return e, nil
}

// NewRevocation is the event that ends a key.
func NewRevocation(k EnrolledKey, reason string) KeyEvent {
	return KeyEvent{Action: Revoke, Key: k.ID, Person: k.Person, Algorithm: k.Algorithm, Reason: reason, NamesKept: true}
}

// Doubted reports whether the key may have been somebody else's at the entry with this index.
func (k EnrolledKey) Doubted(index int64) bool { return k.DoubtFrom > 0 && index >= k.DoubtFrom }

// keyID computes the id of a public key in PEM. It accepts P-256 in the one form that
// SubjectPublicKeyInfo has for it, so that a key has one id.
func keyID(publicPEM string) (string, error) {
	const head = "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04"
	block, rest := pem.Decode([]byte(publicPEM))
	if len(publicPEM) > maxPublicPEM || block == nil || block.Type != "PUBLIC KEY" || len(rest) > 0 ||
		len(block.Bytes) != len(head)+64 || string(block.Bytes[:len(head)]) != head {
		return "", invalid("this is not an ECDSA P-256 public key in PEM", "give what `verdict keys show` prints for the key")
	}
	sum := sha256.Sum256(block.Bytes)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// EnrolledKey is a key and the part of the ledger in which it counts: from the entry
// that enrolled it to the entry that ended it, both included, because the statement
// that ends a key may be its last one.
type EnrolledKey struct {
	ID        string    `json:"id"`
	Person    string    `json:"person"`
	Algorithm string    `json:"algorithm"`
	PublicPEM string    `json:"public_pem"`
	From      int64     `json:"from"` // index of the entry that enrolled it
	To        int64     `json:"to"`   // index of the entry that ended it; Open: none did
	ValidFrom time.Time `json:"valid_from"`
	ValidTo   time.Time `json:"valid_to"` // zero: still valid
	By        string    `json:"by"`       // the key that signed the event which enrolled it
	Replaces  string    `json:"replaces"`
	Beside    string    `json:"beside"` // the key that its enrolment names as enrolled together with it
	// With is the key of a second person that enrolled it before By did: it is in the hand of
	// neither. Empty: By alone gave it.
	With    string `json:"with"`
	Reason  string `json:"reason"` // why it ended
	Revoked bool   `json:"revoked"`
	EndedBy string `json:"ended_by"` // the key that signed its end
	// DoubtFrom: what it signed from this entry on lets nothing through any more. 0: all counts.
	DoubtFrom int64 `json:"doubt_from"`
	// SignedIn: see For.
	SignedIn bool `json:"-"`
}

// For is a server's key where it signs for a person who is signed in at the server. Whoever
// enrolled the key did not enroll that person, so nobody vouches for it: see Hands.
func (k EnrolledKey) For(person string) EnrolledKey {
	k.Person, k.SignedIn = person, true
	return k
}

// ValidAt reports whether the key counts at the entry with this index.
func (k EnrolledKey) ValidAt(index int64) bool {
	return index >= k.From && (k.To == Open || index <= k.To)
}

// History is the life of all keys, folded from key events in the order of the ledger.
// The zero value knows no key. It is not safe for use while Apply runs.
type History struct {
	keys  map[string]*EnrolledKey
	ids   []string // in the order of enrolment
	last  int64    // index of the last event, plus one
	waits []*waiting
	kept  int64 // index of the first event that says that names are kept, plus one; 0: none does
}

// Apply folds the event that stands at an index of the ledger, recorded at a time and signed
// with a key. Events come in the order of the ledger. An event that contradicts the history
// (a key enrolled twice, a rotation of a key that does not count or by another key, a key
// under another id than its own) is an *verdict.Error, and changes nothing.
func (h *History) Apply(index int64, at time.Time, signer string, e KeyEvent) error {
	if index < h.last {
		return fmt.Errorf("key event at entry %d after one at entry %d", index, h.last-1)
	}
	old, err := h.check(index, signer, e)
	if err != nil {
		return err
	}
	h.last = index + 1
	if h.kept == 0 && e.NamesKept {
		h.kept = h.last
	}
	with := ""
	if e.Action == Enrol {
		given := false
		if given, with = h.gives(index, signer, e); !given {
			return nil
		}
	}
	if old != nil && e.DoubtFrom > 0 && (old.DoubtFrom == 0 || e.DoubtFrom < old.DoubtFrom) {
		old.DoubtFrom = e.DoubtFrom
	}
	if old != nil && old.To == Open {
		old.To, old.ValidTo, old.Reason, old.Revoked, old.EndedBy = index, at.UTC(), e.Reason, e.Action == Revoke, signer
	}
	if e.Action != Revoke {
		h.waits = slices.DeleteFunc(h.waits, func(w *waiting) bool { return w.event.Key == e.Key })
		if h.keys == nil {
			h.keys = map[string]*EnrolledKey{}
		}
		h.keys[e.Key] = &EnrolledKey{
			ID: e.Key, Person: e.Person, Algorithm: e.Algorithm, PublicPEM: e.PublicPEM,
			From: index, To: Open, ValidFrom: at.UTC(), By: signer, Replaces: e.Replaces, Beside: e.Beside, With: with,
		}
		h.ids = append(h.ids, e.Key)
	}
	return nil
}

// check gives the key that the event ends, nil for an enrolment.
func (h *History) check(index int64, signer string, e KeyEvent) (*EnrolledKey, error) {
	ended := ""
	switch e.Action {
	case Enrol:
	case Rotate:
		ended = e.Replaces
	case Revoke:
		ended = e.Key
	default:
		return nil, invalid(fmt.Sprintf("%q is not something that happens to a key", e.Action), "use enroll, rotate or revoke")
	}
	if e.DoubtFrom != 0 && (e.Action != Revoke || e.DoubtFrom < 0 || e.DoubtFrom > index) {
		return nil, invalid("the event doubts a key that it does not revoke, or what it has not signed yet", "revoke the key from an entry of the log on: verdict keys revoke NAME --since TIME")
	}
	if e.Action != Revoke {
		if id, err := keyID(e.PublicPEM); err != nil {
			return nil, err
		} else if id != e.Key || e.Algorithm != AlgorithmP256 || e.Person == "" {
			return nil, invalid("the event does not describe the key that it names", "make it with `verdict people enroll` or `verdict keys rotate`")
		}
		if e.Beside == e.Key || e.Beside != "" && e.Action != Enrol {
			return nil, invalid("the event says that the key is enrolled together with itself, or takes another's place together with one", "enroll two persons with `verdict people enroll PERSON PERSON`")
		}
		if e.Beside != "" && e.Person == LocalKey {
			return nil, invalid("the event enrolls this machine's own key together with somebody's", "enroll two persons with `verdict people enroll PERSON PERSON`")
		}
		if e.Action == Rotate && signer != e.Replaces {
			return nil, invalid("the rotation is not signed with the key that it ends", "let its owner replace it (verdict keys rotate), or revoke it and enroll another: verdict keys revoke")
		}
		if k := h.keys[e.Key]; k != nil {
			return nil, conflict("key "+e.Key+" was enrolled at entry "+fmt.Sprint(k.From)+" already", "make a new key: one that ended never comes back")
		}
	}
	if ended == "" && e.Action == Enrol {
		return nil, nil
	}
	old := h.keys[ended]
	if old == nil || old.To != Open && e.DoubtFrom == 0 {
		return nil, conflict(fmt.Sprintf("key %q does not count at entry %d", ended, index), "see which keys count: verdict people list")
	}
	if old.Person != e.Person {
		return nil, conflict("key "+ended+" is not a key of "+e.Person, "name the person whose key it is: verdict people list")
	}
	return old, nil
}

func conflict(what, remedy string) error {
	return &verdict.Error{Code: verdict.CodeConflict, What: what, Remedy: remedy}
}

// ValidAt gives the key when it counts at the entry with this index. Whether a later
// event ends it makes no difference for an earlier entry.
func (h *History) ValidAt(keyID string, index int64) (EnrolledKey, bool) {
	k := h.keys[keyID]
	if k == nil || !k.ValidAt(index) {
		return EnrolledKey{}, false
	}
	return *k, true
}

// Key gives a key whether or not it still counts.
func (h *History) Key(keyID string) (EnrolledKey, bool) {
	k := h.keys[keyID]
	if k == nil {
		return EnrolledKey{}, false
	}
	return *k, true
}

// Keys lists all keys in the order of enrolment.
func (h *History) Keys() []EnrolledKey {
	out := make([]EnrolledKey, 0, len(h.ids))
	for _, id := range h.ids {
		out = append(out, *h.keys[id])
	}
	return out
}

// KeysOf lists the keys of a person that count at the entry with this index.
func (h *History) KeysOf(person string, index int64) []EnrolledKey {
	return slices.DeleteFunc(h.Keys(), func(k EnrolledKey) bool { return k.Person != person || !k.ValidAt(index) })
}
