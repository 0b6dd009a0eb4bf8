package ledger

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/store"
)

// prepared is a statement that is ready for the appender: everything that costs time and
// does not depend on its position was done by the caller's goroutine.
type prepared struct {
	*projection
	leaf   tlog.Hash
	bundle *store.ForeignBundle // what an ingestion vouches for
	event  *identity.KeyEvent
	signer *ecdsa.PublicKey // that the signature was verified with
}

// prepare verifies a bundle against the enrolled keys and computes leaf, body and rows.
func (l *Ledger) prepare(ctx context.Context, b *evidence.Bundle) (*prepared, error) {
	s, err := b.Statement()
	if err != nil {
		return nil, err
	}
	switch s.Kind() {
	case verdict.KindIngestion:
		return nil, &verdict.Error{
			Code: verdict.CodeInvalid, What: "an ingestion was given without the foreign evidence that it vouches for",
			Remedy: "give the foreign bundle itself: verdict attest --bundle FILE or verdict sync writes the ingestion",
		}
	case verdict.KindReceipt, verdict.KindEpoch:
		return nil, &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("a statement of kind %s is made by the log alone, about itself", s.Kind()),
			Remedy: "ask the log for one: it signs receipts by itself, and verdict log epoch begins an epoch",
		}
	}
	var event *identity.KeyEvent
	if s.Kind() == verdict.KindKey {
		event = &identity.KeyEvent{}
		if err := s.Decode(event); err != nil {
			return nil, invalidStatement(s.Kind(), err)
		}
	}
	signer, err := l.signerOf(ctx, b, event)
	if err != nil {
		return nil, err
	}
	return l.prepareStatement(ctx, b, s, signer, event)
}

// prepareStatement does what prepare does once the key is known.
func (l *Ledger) prepareStatement(ctx context.Context, b *evidence.Bundle, s *evidence.Statement, signer *ecdsa.PublicKey, event *identity.KeyEvent) (*prepared, error) {
	x := &prepared{signer: signer, event: event}
	if _, err := evidence.KeyVerifier(x.signer).Verify(ctx, b); err != nil {
		return nil, err
	}
	leaf, err := evidence.Hashedrekord(b, x.signer)
	if err != nil {
		return nil, err
	}
	x.leaf = tlog.RecordHash(leaf)
	if x.projection, err = project(s, b.PayloadSum(), evidence.KeyID(x.signer)); err != nil {
		return nil, invalidStatement(s.Kind(), err)
	}
	if x.foreign == nil {
		c, _ := s.Context()
		if err := l.billPresent(ctx, s); err != nil {
			return nil, err
		}
		x.bill = l.listBill(ctx, s, false, x.entry.Producer, c)
	}
	x.entry.Signature, x.entry.Size = b.Signature(), int64(len(b.Payload()))
	if x.entry.Payload, err = l.keep(ctx, b.Payload()); err != nil {
		return nil, fmt.Errorf("body of %s: %w", s.Kind(), err)
	}
	return x, nil
}

func invalidStatement(k verdict.Kind, err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("a statement of kind %s cannot be recorded", k),
		Remedy: "give it the fields that its kind demands and sign it again", Err: err,
	}
}

// signerOf finds the key that a bundle must be signed with. The appender looks again,
// when the position is known. The first key of a ledger enrolls itself.
func (l *Ledger) signerOf(ctx context.Context, b *evidence.Bundle, event *identity.KeyEvent) (*ecdsa.PublicKey, error) {
	if b.Hint() == "" {
		return nil, &verdict.Error{
			Code: verdict.CodeRefused, What: "the bundle is signed with a certificate, not with an enrolled key",
			Remedy: "record it as evidence of somebody else: verdict attest --bundle FILE --certificate-identity … --certificate-oidc-issuer … --trusted-root …",
		}
	}
	keys, position := l.keyring()
	if keys.begins(event, b.Hint()) {
		return evidence.ParsePublicPEM([]byte(event.PublicPEM))
	}
	key, err := keys.valid(b.Hint(), position)
	if err == nil {
		return key, nil
	}
	// Another process may have enrolled it since.
	if keys, position, err = l.refreshKeys(ctx); err != nil {
		return nil, err
	}
	return keys.valid(b.Hint(), position)
}

// keyring gives the keys as this process knows them and the next position.
func (l *Ledger) keyring() (*keyring, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keys, l.trusted.Base + l.trusted.Size
}

// refreshKeys takes up the key events that other processes recorded.
func (l *Ledger) refreshKeys(ctx context.Context) (keys *keyring, position int64, err error) {
	err = l.view(ctx, func(v *store.View, head store.Head) error {
		known, _ := l.keyring()
		keys, err = l.keysSince(ctx, v, known)
		position = head.Base + head.Size
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys.next < keys.next {
		l.keys = keys
	}
	return keys, position, nil
}
