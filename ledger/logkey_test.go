package ledger_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

// moody is a log key at a service that does not always answer.
type moody struct {
	*evidence.LogKey
	silent atomic.Bool
}

func (m *moody) Signer(origin string) (note.Signer, error) {
	s, err := m.LogKey.Signer(origin)
	return moodySigner{s, m}, err
}

type moodySigner struct {
	note.Signer
	key *moody
}

var errSilent = errors.New("the key service does not answer")

func (s moodySigner) Sign(message []byte) ([]byte, error) {
	if s.key.silent.Load() {
		return nil, errSilent
	}
	return s.Signer.Sign(message)
}

// A checkpoint is signed after the commit. While the key does not answer nothing is
// acknowledged, and what was committed all the same is found again by whoever repeats it.
func TestALogKeyThatDoesNotAnswerLosesAndDoublesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		key := &moody{LogKey: b.log}
		l, err := b.try(func(o *ledger.Options) { o.LogKey = key })
		if err != nil {
			t.Fatal(err)
		}
		defer func() { l.Close() }()
		b.append(l, b.enrolment(b.key, b.key))
		before := b.append(l, b.other(50))

		key.silent.Store(true)
		said := b.other(50)
		if e, err := l.Append(t.Context(), said); !errors.Is(err, errSilent) {
			t.Fatalf("acknowledged without a checkpoint: %+v, %v", e, err)
		}
		if _, err := l.Checkpoint(t.Context()); !errors.Is(err, errSilent) {
			t.Errorf("Checkpoint: %v", err)
		}
		if _, err := l.Bundle(t.Context(), before.Index); err != nil {
			t.Errorf("what was recorded before cannot be read: %v", err)
		}

		key.silent.Store(false)
		again := b.append(l, said)
		if third := b.append(l, said); again.Index != before.Index+1 || third.Index != again.Index {
			t.Errorf("recorded at %d and %d, behind %d", again.Index, third.Index, before.Index)
		}
		b.append(l, b.other(50))
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
		if err != nil || !r.Holds() {
			t.Errorf("Verify: %+v, %v", r, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}

		// A process that starts while the key does not answer begins nothing.
		key.silent.Store(true)
		if l, err = b.try(func(o *ledger.Options) { o.LogKey = key }); err == nil {
			if e, err := l.Append(t.Context(), b.other(50)); !errors.Is(err, errSilent) {
				t.Errorf("acknowledged without a checkpoint: %+v, %v", e, err)
			}
		} else if !errors.Is(err, errSilent) {
			t.Errorf("Open: %v", verdict.AsError(err))
		}
		key.silent.Store(false)
		if l == nil {
			l = b.open()
		}
		if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
			t.Errorf("Verify afterwards: %+v, %v", r, err)
		}
	})
}
