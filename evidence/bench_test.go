package evidence_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
)

// bundle4K is one append of the ledger: a statement of 4 KiB.
func bundle4K(b *testing.B) (*evidence.Bundle, *evidence.KeyFile) {
	b.Helper()
	k, err := evidence.CreateKey(filepath.Join(b.TempDir(), "key.pem"))
	if err != nil {
		b.Fatal(err)
	}
	hits := make([]verdict.Hit, 0, 20)
	for i := range 20 {
		hits = append(hits, verdict.Hit{Key: strings.Repeat("k", 20), Detector: "rule", Message: strings.Repeat("m", 40), Path: "a/b/c", Line: int64(i)})
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, err := evidence.NewCheck(verdict.Report{Check: "secrets", Hits: hits}, []verdict.Subject{{
		Kind: verdict.SubjectChange, Name: "shop", Digest: verdict.NewDigest("gitCommit", strings.Repeat("a", 40)),
	}}, at, at, verdict.Context{Service: "shop", Point: "ci.secrets", At: at}, nil)
	if err != nil {
		b.Fatal(err)
	}
	x, err := evidence.Sign(context.Background(), s, k)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("statement %d bytes, bundle %d bytes", len(x.Payload()), len(x.JSON()))
	return x, k
}

func BenchmarkParseBundle(b *testing.B) {
	x, _ := bundle4K(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := evidence.ParseBundle(x.JSON()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseStatement(b *testing.B) {
	x, _ := bundle4K(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Statement(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIdentity(b *testing.B) {
	x, k := bundle4K(b)
	s, err := x.Statement()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Identity(k.KeyID())
	}
}

func BenchmarkVerifyByKey(b *testing.B) {
	x, k := bundle4K(b)
	v := evidence.KeyVerifier(k.Public())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(context.Background(), x); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	x, k := bundle4K(b)
	s, err := x.Statement()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := evidence.Sign(context.Background(), s, k); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHashedrekord(b *testing.B) {
	x, k := bundle4K(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := evidence.Hashedrekord(x, k.Public()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIngest is everything that one append does here: bundle, statement, context,
// signature, identity and leaf.
func BenchmarkIngest(b *testing.B) {
	x, k := bundle4K(b)
	v := evidence.KeyVerifier(k.Public())
	b.ReportAllocs()
	for b.Loop() {
		y, err := evidence.ParseBundle(x.JSON())
		if err != nil {
			b.Fatal(err)
		}
		p, err := v.Verify(context.Background(), y)
		if err != nil {
			b.Fatal(err)
		}
		s, err := y.Statement()
		if err != nil {
			b.Fatal(err)
		}
		s.Context()
		s.Identity(p.String())
		if _, err := evidence.Hashedrekord(y, k.Public()); err != nil {
			b.Fatal(err)
		}
	}
}
