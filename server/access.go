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
	about := verdict.Subject{Kind: verdict.SubjectIdentity, Name: subject, Digest: subjectDigest(subject)}
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

func subjectDigest(subject string) verdict.Digest {
	sum := sha256.Sum256([]byte(subject))
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}

// recordAccess states what a caller did about a credential or an actor. What ends access is
// done before it is recorded, and may be done again where the record is missing.
func (s *SignIn) recordAccess(ctx context.Context, c identity.Caller, act identity.AccessAct, subject, credential string) error {
	return s.stateAccess(ctx, identity.Access{Act: act, Subject: subject, Credential: credential, By: c.Actor})
}

func (s *SignIn) stateAccess(ctx context.Context, x identity.Access) error {
	id, now, err := s.act()
	if err != nil {
		return err
	}
	x.ID, x.At = "c"+id, now
	if _, err := s.state(ctx, verdict.KindAccess, x.Subject, x, verdict.Context{Actor: x.By, At: now, Retention: "log"}); err != nil {
		return fmt.Errorf("record %s of %s: %w", x.Act, x.Subject, err)
	}
	return nil
}

// RecordConfig states by its digest which sign-in file this server began with, unless it is the
// one that was recorded last: who changes the file changes who may come in.
func (s *SignIn) RecordConfig(ctx context.Context) error {
	last, err := s.o.Ledger.Find(ctx, ledger.Query{Kind: verdict.KindAccess, Subject: subjectDigest(identity.SignInFile), At: ledger.Now, Limit: 1})
	if err != nil {
		return err
	}
	var was identity.Access
	for _, e := range last {
		b, err := s.o.Ledger.Bundle(ctx, e.Index)
		if err != nil {
			return err
		}
		st, err := b.Statement()
		if err != nil {
			return err
		}
		if err := st.Decode(&was); err != nil {
			return err
		}
	}
	if was.Config == s.o.ConfigDigest {
		return nil
	}
	return s.stateAccess(ctx, identity.Access{Act: identity.SignInChanged, Subject: identity.SignInFile, By: identity.SubjectKey + s.o.Signer.KeyID(), Config: s.o.ConfigDigest})
}
