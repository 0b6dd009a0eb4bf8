package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
)

// act is a new id, and the time as evidence has it.
func (s *SignIn) act() (id string, now time.Time, err error) {
	random := make([]byte, 10)
	if _, err := io.ReadFull(s.o.Rand, random); err != nil {
		return "", now, fmt.Errorf("chance: %w", err)
	}
	return hex.EncodeToString(random), s.o.Now().UTC().Truncate(time.Microsecond), nil
}

// state signs what the server says of somebody, and appends it.
func (s *SignIn) state(ctx context.Context, kind verdict.Kind, subject string, predicate any, c verdict.Context) (ledger.Entry, error) {
	sum := sha256.Sum256([]byte(subject))
	about := verdict.Subject{Kind: verdict.SubjectIdentity, Name: subject, Digest: verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))}
	st, err := evidence.New(kind, []verdict.Subject{about}, predicate, c, s.o.Rand)
	if err != nil {
		return ledger.Entry{}, err
	}
	b, err := evidence.Sign(ctx, st, s.o.Signer)
	if err != nil {
		return ledger.Entry{}, err
	}
	return s.o.Ledger.Append(ctx, b)
}

// recordAccess states what a caller did about a credential or an actor. What ends access is
// done before it is recorded, and may be done again where the record is missing.
func (s *SignIn) recordAccess(ctx context.Context, c identity.Caller, act identity.AccessAct, subject, credential string) error {
	id, now, err := s.act()
	if err != nil {
		return err
	}
	x := identity.Access{ID: "c" + id, Act: act, Subject: subject, Credential: credential, By: c.Actor, At: now}
	if _, err := s.state(ctx, verdict.KindAccess, subject, x, verdict.Context{Actor: c.Actor, At: now, Retention: "log"}); err != nil {
		return fmt.Errorf("record %s of %s: %w", act, subject, err)
	}
	return nil
}
