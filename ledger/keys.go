package ledger

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"maps"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// keyring is which keys may sign at which positions: a fold over the key events of the
// log. It never changes; an event makes a new one.
type keyring struct {
	next int64 // the events of entries before this position are in it
	keys map[string]enrolled
}

type enrolled struct {
	public   *ecdsa.PublicKey
	from, to int64 // positions of entries that it may sign: [from, to)
}

func newKeyring() *keyring { return &keyring{keys: map[string]enrolled{}} }

// valid gives the key of an id that may sign the entry at a position.
func (k *keyring) valid(id string, position int64) (*ecdsa.PublicKey, error) {
	e, ok := k.keys[id]
	if !ok {
		return nil, &verdict.Error{
			Code: verdict.CodeRefused, What: "the statement is signed with key " + id + ", which is not enrolled in this ledger",
			Remedy: "enroll the key of its producer with verdict people enroll, or record it as evidence of somebody else: verdict verify, then verdict sync",
		}
	}
	if position < e.from || position >= e.to {
		return nil, &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("the statement is signed with key %s, which is valid for entries %d to %d of this ledger and not for entry %d", id, e.from, e.to-1, position),
			Remedy: "sign it with a key that is valid now: verdict keys list",
		}
	}
	return e.public, nil
}

// empty reports that no key was enrolled ever: then the first may enroll itself.
func (k *keyring) empty() bool { return len(k.keys) == 0 }

// keyEvent is what the ledger reads of a key event.
type keyEvent struct {
	Action string `json:"action"` // enroll, rotate, revoke
	Key    string `json:"key"`    // id
	PEM    string `json:"public_pem"`
	// Replaces is the key that a rotation ends.
	Replaces string `json:"replaces"`
}

// with gives the keyring after the event at a position.
func (k *keyring) with(e *keyEvent, position int64) (*keyring, error) {
	n := &keyring{next: position + 1, keys: maps.Clone(k.keys)}
	end := func(id string) error {
		old, ok := n.keys[id]
		if !ok || old.to != store.Open {
			return fmt.Errorf("key event: key %s is not valid", id)
		}
		old.to = position + 1
		n.keys[id] = old
		return nil
	}
	switch e.Action {
	case "revoke":
		return n, end(e.Key)
	case "rotate":
		if err := end(e.Replaces); err != nil {
			return nil, err
		}
	case "enroll":
	default:
		return nil, fmt.Errorf("key event: %q is no action", e.Action)
	}
	public, err := evidence.ParsePublicPEM([]byte(e.PEM))
	if err != nil {
		return nil, err
	}
	if id := evidence.KeyID(public); id != e.Key {
		return nil, fmt.Errorf("key event: the key has the id %s, not %s", id, e.Key)
	}
	if old, ok := n.keys[e.Key]; ok && old.to == store.Open {
		return nil, fmt.Errorf("key event: key %s is enrolled already", e.Key)
	}
	n.keys[e.Key] = enrolled{public: public, from: position, to: store.Open}
	return n, nil
}

// keysSince adds the key events that the database holds and k does not know.
func (l *Ledger) keysSince(ctx context.Context, v *store.View, k *keyring) (*keyring, error) {
	err := v.EachOfKind(ctx, string(verdict.KindKey), k.next, func(r store.Entry) error {
		payload, err := l.payload(ctx, r)
		if err != nil {
			return fmt.Errorf("key event in entry %d: %w", r.Seq, err)
		}
		s, err := evidence.ParseStatement(payload)
		if err != nil {
			return fmt.Errorf("key event in entry %d: %w", r.Seq, err)
		}
		e := &keyEvent{}
		if err := s.Decode(e); err != nil {
			return fmt.Errorf("key event in entry %d: %w", r.Seq, err)
		}
		if k, err = k.with(e, r.Seq); err != nil {
			return fmt.Errorf("key event in entry %d: %w", r.Seq, err)
		}
		return nil
	})
	return k, err
}
