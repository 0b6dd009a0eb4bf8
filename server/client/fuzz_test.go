package client

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"verdict"
	"verdict/ledger"
	"verdict/server/wire"
)

// Whatever answers in place of a control plane is taken as it is meant, or refused in words.
func FuzzAnswers(f *testing.F) {
	var body atomic.Pointer[[]byte]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(wire.HeaderVersion, wire.Release)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(*body.Load())
	}))
	f.Cleanup(s.Close)
	c, err := New(Options{Server: s.URL})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	c.Authorize(func(context.Context, bool) (string, error) { return "secret", nil })
	l := c.Ledger()
	for _, text := range []string{
		`{"position":1}`, `{"entry":{"index":1},"bundle":{}}`, `{"items":[{"index":1}],"next":"1"}`, `{"events":[{"index":0,"at":"2026-03-01T12:00:00Z","signer":"k","event":{"action":"enroll"}}]}`,
		`{"checkpoint":{"origin":"o","size":1,"root":""},"verifier_key":"k"}`, `{"leaf":""}`, `{"index":1,"size":1,"hashes":["AA"]}`, `null`, `[]`, `{`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		body.Store(&text)
		for _, ask := range []func() error{
			func() error { _, err := l.Position(t.Context()); return err },
			func() error { _, err := l.Entry(t.Context(), 1); return err },
			func() error { _, err := l.Find(t.Context(), ledger.Query{Limit: 1}); return err },
			func() error { _, err := l.Decisions(t.Context(), ledger.DecisionQuery{Limit: 1}); return err },
			func() error { _, err := l.Keys(t.Context()); return err },
			func() error { _, err := l.Bundle(t.Context(), 1); return err },
			func() error { _, err := l.Leaf(t.Context(), 1); return err },
			func() error { _, err := l.Checkpoint(t.Context()); return err },
			func() error { _, err := l.Inclusion(t.Context(), 1); return err },
		} {
			if err := ask(); err != nil {
				if e := verdict.AsError(err); e.Code == verdict.CodeInternal || e.Remedy == "" {
					t.Fatalf("%q: %v", text, err)
				}
			}
		}
	})
}
