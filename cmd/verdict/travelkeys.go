package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
)

// learnBefore takes up the key events of a span that were taken before a position, by earlier
// runs.
func (t *taking) learnBefore(ctx context.Context, s span, first int64) error {
	for from := s.base; from < min(first, s.base+s.size); from += travelPage {
		came, err := t.to.ledger.Arrived(ctx, s.origin, ledger.Position(from), ledger.Position(min(from+travelPage, first, s.base+s.size)))
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(came) {
			if e.Kind != verdict.KindKey {
				continue
			}
			if err := t.learned(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// learned takes up a key event that was verified when it was taken.
func (t *taking) learned(ctx context.Context, e ledger.Entry) error {
	var event identity.KeyEvent
	if err := t.to.decode(ctx, e.Index, &event); err != nil {
		return fmt.Errorf("key event in entry %d: %w", e.Index, err)
	}
	return t.keys.add(e.Source, signedEvent{e.Producer, event})
}

// senderKeys are the key events of the sender that were verified, by index.
type senderKeys struct {
	events  map[int64]signedEvent
	history identity.History
}

// signedEvent is a key event and the id of the key that signed it.
type signedEvent struct {
	signer string
	event  identity.KeyEvent
}

// add takes up an event. One that contradicts the others is refused.
func (k *senderKeys) add(index int64, e signedEvent) error {
	if k.events == nil {
		k.events = map[int64]signedEvent{}
	}
	events := maps.Clone(k.events)
	events[index] = e
	var h identity.History
	for _, i := range slices.Sorted(maps.Keys(events)) {
		if err := h.Apply(i, verifiedTime, events[i].signer, events[i].event); err != nil {
			return err
		}
	}
	k.events, k.history = events, h
	return nil
}

// signer gives the key that must have signed the entry at an index. The first key of a
// log enrolls itself.
func (k *senderKeys) signer(hint string, index int64, event *identity.KeyEvent) (identity.EnrolledKey, error) {
	if key, ok := k.history.ValidAt(hint, index); ok {
		return key, nil
	}
	if len(k.events) == 0 && event != nil && event.Action == identity.Enrol && event.Key == hint {
		var h identity.History
		if err := h.Apply(index, verifiedTime, hint, *event); err != nil {
			return identity.EnrolledKey{}, err
		}
		key, _ := h.Key(hint)
		return key, nil
	}
	return identity.EnrolledKey{}, fmt.Errorf("it is signed with key %q, which does not count there in the log that sends", hint)
}
