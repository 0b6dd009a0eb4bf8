package ledger

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/store"
)

// keyring is which keys may sign at which positions: the key events of the log, folded.
// It never changes; an event makes a new one.
type keyring struct {
	next    int64 // the events of entries before this position are in it
	events  []keyStep
	history *identity.History
	public  map[string]*ecdsa.PublicKey // by id, also of keys that ended
}

type keyStep struct {
	index  int64
	at     time.Time
	signer string
	event  identity.KeyEvent
}

func newKeyring() *keyring {
	return &keyring{history: &identity.History{}, public: map[string]*ecdsa.PublicKey{}}
}

// valid gives the key of an id that may sign the entry at a position.
func (k *keyring) valid(id string, position int64) (*ecdsa.PublicKey, error) {
	if _, ok := k.history.ValidAt(id, position); ok {
		return k.public[id], nil
	}
	known, ok := k.history.Key(id)
	if !ok {
		return nil, &verdict.Error{
			Code: verdict.CodeRefused, What: "the statement is signed with key " + id + ", which is not enrolled in this ledger",
			Remedy: "enroll the key of its producer with verdict people enroll, or record it as evidence of somebody else: verdict attest --bundle FILE --key FILE",
		}
	}
	return nil, &verdict.Error{
		Code: verdict.CodeRefused, What: fmt.Sprintf("the statement is signed with key %s, which counts from entry %d to entry %d and not at entry %d", id, known.From, known.To, position),
		Remedy: "sign it with a key that counts now: verdict keys list",
	}
}

// begins reports whether an event signed with a key may be the first of all: nobody else
// could enroll that key.
func (k *keyring) begins(e *identity.KeyEvent, signer string) bool {
	return len(k.events) == 0 && e != nil && e.Action == identity.Enrol && e.Key == signer
}

// with gives the keyring after one more event.
func (k *keyring) with(s keyStep) (*keyring, error) {
	return foldKeys(append(slices.Clone(k.events), s), maps.Clone(k.public))
}

// foldKeys folds all events; known are public keys that were read already.
func foldKeys(events []keyStep, known map[string]*ecdsa.PublicKey) (*keyring, error) {
	k := &keyring{events: events, history: &identity.History{}, public: known}
	for _, s := range events {
		if err := k.history.Apply(s.index, s.at, s.signer, s.event); err != nil {
			return nil, err
		}
		if s.event.Action != identity.Revoke && known[s.event.Key] == nil {
			public, err := evidence.ParsePublicPEM([]byte(s.event.PublicPEM))
			if err != nil {
				return nil, err
			}
			known[s.event.Key] = public
		}
		k.next = s.index + 1
	}
	return k, nil
}

// keysSince adds the key events that the database holds and k does not know.
func (l *Ledger) keysSince(ctx context.Context, v *store.View, k *keyring) (*keyring, error) {
	var found []keyStep
	err := v.EachOfKind(ctx, string(verdict.KindKey), k.next, func(r store.Entry) error {
		payload, err := l.payload(ctx, r)
		if err != nil {
			return fmt.Errorf("key event in entry %d: %w", r.Seq, err)
		}
		s, err := evidence.ParseStatement(payload)
		if err != nil {
			return fmt.Errorf("key event in entry %d: %w", r.Seq, err)
		}
		var e identity.KeyEvent
		if err := s.Decode(&e); err != nil {
			return fmt.Errorf("key event in entry %d: %w", r.Seq, err)
		}
		found = append(found, keyStep{r.Seq, fromMicros(r.At), r.Signer, e})
		return nil
	})
	if err != nil || len(found) == 0 {
		return k, err
	}
	return foldKeys(append(slices.Clone(k.events), found...), maps.Clone(k.public))
}

// told reports why the statement of an entry is not the key event that the keyring has for it.
func (k *keyring) told(r store.Entry, s *evidence.Statement) error {
	at, found := slices.BinarySearchFunc(k.events, r.Seq, func(e keyStep, seq int64) int { return cmp.Compare(e.index, seq) })
	var states identity.KeyEvent
	if err := s.Decode(&states); err != nil {
		return err
	}
	if !found {
		return errors.New("it states a key event that is not among those of the log")
	}
	if e := k.events[at]; e.event != states || e.signer != r.Signer || micros(e.at) != r.At {
		return errors.New("it states another key event than the one that is given for it")
	}
	return nil
}

// Keys gives the enrolled keys and their history. It must not be changed.
func (l *Ledger) Keys(ctx context.Context) (*identity.History, error) {
	k, _, err := l.refreshKeys(ctx)
	if err != nil {
		return nil, err
	}
	return k.history, nil
}

// PlacedEvent is a key event with its place in the log, its time and the key that signed it.
type PlacedEvent struct {
	Index  int64
	At     time.Time
	Signer string
	Event  identity.KeyEvent
}

// KeyEvents gives the events from which Keys is folded, from an entry on, in the log's order.
func (l *Ledger) KeyEvents(ctx context.Context, from int64) ([]PlacedEvent, error) {
	k, _, err := l.refreshKeys(ctx)
	if err != nil {
		return nil, err
	}
	out := []PlacedEvent{}
	for _, s := range k.events {
		if s.index >= from {
			out = append(out, PlacedEvent{s.index, s.at, s.signer, s.event})
		}
	}
	return out, nil
}
