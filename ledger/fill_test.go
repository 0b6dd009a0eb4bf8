package ledger

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
)

// Fill appends n statements of about 1 KiB, one in ten of them a decision, as fast as
// one machine can make them: each is signed, but no signature is checked on the way in.
// private is the key whose enrolment begins the log.
func Fill(tb testing.TB, l *Ledger, private *ecdsa.PrivateKey, n int) {
	tb.Helper()
	ctx := context.Background()
	pem := evidence.PublicPEM(&private.PublicKey)
	e, err := identity.NewEnrolment("p1", pem)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	enrolment := strings.TrimSuffix(string(text), "}") + ","
	if _, err := l.enqueue(ctx, &request{items: []*prepared{l.fill(tb, private, verdict.KindKey, enrolment, 0, &e)}}); err != nil {
		tb.Fatal(err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(6)
	const chunk = 500
	for from := 0; from < n; from += chunk {
		g.Go(func() error {
			r := &request{}
			for i := from; i < min(from+chunk, n); i++ {
				kind, predicate := verdict.KindTestResult, fmt.Sprintf(`{"result":"PASSED","number":%d,"text":%q,`, i, strings.Repeat("abcdefg ", 60))
				if i%10 == 0 {
					kind = verdict.KindDecision
					predicate = fmt.Sprintf(`{"id":"d%012d","point":"deploy.gate","layer":"deploy","environment":"prod","subject":{"kind":"artifact","name":"a","digest":"sha256:%064x"},"service":"shop","mode":"block","outcome":"allow","enforced":"allow","at":"2026-03-01T12:00:00Z","text":%q,`, i, i, strings.Repeat("abcdefg ", 40))
				}
				r.items = append(r.items, l.fill(tb, private, kind, predicate, i, nil))
			}
			_, err := l.enqueue(ctx, r)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		tb.Fatal(err)
	}
}

// fill makes one prepared statement from the beginning of its predicate.
func (l *Ledger) fill(tb testing.TB, private *ecdsa.PrivateKey, kind verdict.Kind, predicate string, n int, event *identity.KeyEvent) *prepared {
	payload := fmt.Appendf(nil, `{"_type":%q,"subject":[{"name":"a","digest":{"sha256":"%064x"},"annotations":{"kind":"artifact"}}],"predicateType":%q,"predicate":%s%q:{"service":"shop","team":"web","environment":"","point":"ci.secrets","run":"%d","actor":"p1","at":"2026-03-01T12:00:00Z","retention":"change","nonce":"%s"}}}`,
		evidence.StatementV1, n%300000, evidence.PredicateType(kind), predicate, evidence.ContextField, n, "AAAAAAAAAAAAAAAAAAAAAA==")
	pae := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(evidence.PayloadType), evidence.PayloadType, len(payload), payload))
	signature, err := ecdsa.SignASN1(rand.Reader, private, pae[:])
	if err != nil {
		tb.Fatal(err)
	}
	signer := evidence.KeyID(&private.PublicKey)
	b, err := evidence.ParseBundle(bundleJSON(payload, signature, signer))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := projectBundle(b, signer)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := evidence.Hashedrekord(b, &private.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	x := &prepared{projection: p, leaf: tlog.RecordHash(leaf), event: event, signer: &private.PublicKey}
	x.entry.Signature, x.entry.Size = signature, int64(len(payload))
	if x.entry.Payload, err = l.keep(context.Background(), payload); err != nil {
		tb.Fatal(err)
	}
	return x
}

// Forge records a statement whose signature does not hold, as somebody could who can run
// code beside the database and has the log's key, but not the producer's.
func Forge(tb testing.TB, l *Ledger, b *evidence.Bundle, public *ecdsa.PublicKey) Entry {
	tb.Helper()
	b, err := evidence.ParseBundle(bundleJSON([]byte(strings.Replace(string(b.Payload()), "FAILED", "PASSED", 1)), b.Signature(), b.Hint()))
	if err != nil {
		tb.Fatal(err)
	}
	s, err := b.Statement()
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := evidence.Hashedrekord(b, public)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := projectStatement(s, b, b.Hint())
	if err != nil {
		tb.Fatal(err)
	}
	x := &prepared{projection: p, leaf: tlog.RecordHash(leaf), signer: public}
	x.entry.Signature, x.entry.Size = b.Signature(), int64(len(b.Payload()))
	if x.entry.Payload, err = l.keep(context.Background(), b.Payload()); err != nil {
		tb.Fatal(err)
	}
	e, err := l.enqueue(context.Background(), &request{items: []*prepared{x}})
	if err != nil {
		tb.Fatal(err)
	}
	return e[0]
}

// Forget makes the next question read again what runs, as after an append.
func Forget(l *Ledger) { l.runs.Store(nil) }
