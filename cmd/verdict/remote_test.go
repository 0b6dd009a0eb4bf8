package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server"
	"verdict/server/client"
)

// callers signs in who sends a name of the table as a bearer token.
type callers map[string]identity.Caller

func (k callers) Authenticate(r *http.Request) (identity.Caller, error) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return identity.Caller{}, nil
	}
	if c, ok := k[name]; ok {
		return c, nil
	}
	return identity.Caller{}, &verdict.Error{Code: verdict.CodeForbidden, What: "the token is not known", Remedy: "sign in again"}
}

func (k callers) Knows(r *http.Request) bool {
	c, err := k.Authenticate(r)
	return err == nil && c.Actor != ""
}

func caller(name string, role identity.Role, s identity.Scope) identity.Caller {
	return identity.Caller{Actor: "a-" + name, Grants: []identity.Grant{{Role: role, Scope: s}}}
}

var anyone = callers{
	"dev":   caller("dev", identity.Developer, identity.Anywhere()),
	"other": caller("other", identity.Developer, identity.Scope{Services: []string{"billing"}, Environments: []string{identity.Everything}}),
	"view":  caller("view", identity.Viewer, identity.Anywhere()),
}

// served serves the ledger of a workspace, with the sign-in of a table.
func (w *workspace) serve(t *testing.T, who callers, bound ...*ledger.Bound) *httptest.Server {
	t.Helper()
	db, err := w.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	public, _ := url.Parse("http://verdict.test")
	s, err := server.New(server.Options{Ledger: w.own, Store: db, Auth: who, Now: time.Now, Rand: rand.Reader, Version: "test", PublicURL: public})
	if err != nil {
		t.Fatal(err)
	}
	key, err := w.publicLogKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.own.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	line, err := evidence.VerifierKey(c.Origin, key)
	if err != nil {
		t.Fatal(err)
	}
	s.LedgerRoutes(server.LedgerOptions{VerifierKey: line})
	s.EvidenceRoute(server.EvidenceOptions{Verb: identity.VerbOf, Signer: w.signer, Bound: boundTo(bound)})
	syncRoute(s, nil, func(identity.Caller) *workspace { return w })
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		h.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// boundTo gives the key that a session is bound to, of those in a list the one that it names.
func boundTo(list []*ledger.Bound) func(context.Context, identity.Caller) (*ledger.Bound, error) {
	return func(_ context.Context, c identity.Caller) (*ledger.Bound, error) {
		for _, b := range list {
			if public, err := evidence.ParsePublicPEM([]byte(b.Key)); err == nil && evidence.KeyID(public) == c.Key {
				return b, nil
			}
		}
		return nil, nil
	}
}

// A pipeline signs with a key that lives as long as its run. What it states counts as its own
// word, and nobody states anything in its name.
func TestAPipelineStatesUnderTheKeyOfItsRun(t *testing.T) {
	w := ledgerHere(t, "here")
	key, err := evidence.TemporaryKey()
	if err != nil {
		t.Fatal(err)
	}
	pipeline := caller("pipeline", identity.Developer, identity.Anywhere())
	pipeline.Workload, pipeline.Issuer, pipeline.Key = "repo:acme/shop", "https://issuer.example", key.KeyID()
	thief, person := pipeline, pipeline
	thief.Key, person.Workload = "another", ""
	h := w.serve(t, callers{"pipeline": pipeline, "thief": thief, "person": person}, &ledger.Bound{Key: key.PublicPEM(), Token: sha256Digest([]byte("token"))})
	s, err := evidence.New(verdict.KindTestResult, []verdict.Subject{{Kind: verdict.SubjectArtifact, Name: "x", Digest: sha256Digest([]byte("x"))}}, map[string]string{"a": "b"}, verdict.Context{Service: "shop", At: w.now()}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Sign(t.Context(), s, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"thief", "person"} {
		if _, err := clientOf(t, h.URL, who).Ledger().Append(t.Context(), b); codeOf(err) != verdict.CodeForbidden {
			t.Errorf("%s: %v", who, err)
		}
	}
	l := clientOf(t, h.URL, "pipeline").Ledger()
	e, err := l.Append(t.Context(), b)
	if err != nil || !e.Foreign || evidence.ParseProducer(e.Producer) != (evidence.Producer{Workload: "repo:acme/shop", Issuer: "https://issuer.example"}) || e.Signer != w.signer.KeyID() {
		t.Fatalf("%+v, %v", e, err)
	}
	if again, err := l.Append(t.Context(), b); err != nil || again.Index != e.Index {
		t.Errorf("sent again: %+v, %v", again, err)
	}
	if v, err := w.own.Verify(t.Context(), ledger.VerifyOptions{Signatures: true}); err != nil || !v.Holds() {
		t.Errorf("%+v, %v", v, err)
	}
}

// clientOf is a client of a server, signed in by a name.
func clientOf(t *testing.T, address, name string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Server: address, Rand: rand.Reader, Wait: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c.Authorize(func(context.Context, bool) (string, error) { return name, nil })
	t.Cleanup(c.Close)
	return c
}

// Where the two sides differ in one of these answers, a command says one thing alone and
// another with a server.
func TestAServersLedgerAnswersAsOnesOwn(t *testing.T) {
	w := ledgerHere(t, "here")
	for i := range 30 {
		w.stated(t, verdict.KindTestResult, fmt.Sprintf("thing%d", i))
	}
	d, err := w.own.PutBlob(t.Context(), []byte("rules"))
	if err != nil {
		t.Fatal(err)
	}
	there := clientOf(t, w.serve(t, anyone).URL, "dev").Ledger()
	thing := sha256Digest([]byte("thing7"))
	ctx := t.Context()
	for name, ask := range map[string]func(l book) (any, error){
		"position":           func(l book) (any, error) { return l.Position(ctx) },
		"position at a time": func(l book) (any, error) { return l.PositionAt(ctx, time.Now().Add(-time.Hour)) },
		"position now":       func(l book) (any, error) { return l.PositionAt(ctx, time.Now()) },
		"entry":              func(l book) (any, error) { return l.Entry(ctx, 3) },
		"no entry":           func(l book) (any, error) { return l.Entry(ctx, 3000) },
		"everything":         func(l book) (any, error) { return l.Find(ctx, ledger.Query{At: ledger.Now}) },
		"before":             func(l book) (any, error) { return l.Find(ctx, ledger.Query{At: ledger.Now, Before: 9, Limit: 4}) },
		"at a position":      func(l book) (any, error) { return l.Find(ctx, ledger.Query{At: 5, From: 2}) },
		"about a thing": func(l book) (any, error) {
			return l.Find(ctx, ledger.Query{At: ledger.Now, Subject: thing, Kind: verdict.KindTestResult, Service: "shop"})
		},
		"at the beginning": func(l book) (any, error) { return l.Find(ctx, ledger.Query{}) },
		"range":            func(l book) (any, error) { return l.Range(ctx, 4, 9) },
		"the whole range":  func(l book) (any, error) { return l.Range(ctx, 0, ledger.Now) },
		"arrived":          func(l book) (any, error) { return l.Arrived(ctx, "log.example", 0, ledger.Now) },
		"standing":         func(l book) (any, error) { return l.Standing(ctx, verdict.KindKey, "", ledger.Now) },
		"standing of no such": func(l book) (any, error) {
			_, err := l.Standing(ctx, verdict.KindTestResult, "", ledger.Now)
			return err != nil, nil
		},
		"decisions":         func(l book) (any, error) { return l.Decisions(ctx, ledger.DecisionQuery{At: ledger.Now}) },
		"no decision":       func(l book) (any, error) { _, _, err := l.Decision(ctx, "abcdef", ledger.Now); return nil, err },
		"no id":             func(l book) (any, error) { _, _, err := l.Decision(ctx, "a b", ledger.Now); return nil, err },
		"running":           func(l book) (any, error) { return l.Running(ctx, ledger.RunningQuery{At: ledger.Now, Ended: true}) },
		"keys":              func(l book) (any, error) { h, err := l.Keys(ctx); return h.Keys(), err },
		"leaf":              func(l book) (any, error) { return l.Leaf(ctx, 2) },
		"blob":              func(l book) (any, error) { return l.Blob(ctx, d) },
		"no blob":           func(l book) (any, error) { _, err := l.Blob(ctx, thing); return codeOf(err), nil },
		"checkpoint":        func(l book) (any, error) { return l.Checkpoint(ctx) },
		"inclusion":         func(l book) (any, error) { return l.Inclusion(ctx, 3) },
		"inclusion then":    func(l book) (any, error) { return l.InclusionAt(ctx, 3, 10) },
		"consistency":       func(l book) (any, error) { return l.Consistency(ctx, 3, 17) },
		"no consistency":    func(l book) (any, error) { return l.Consistency(ctx, 17, 3) },
		"bundle":            func(l book) (any, error) { b, err := l.Bundle(ctx, 4); return string(b.JSON()), err },
		"logged":            func(l book) (any, error) { b, err := l.Logged(ctx, 4); return string(b.JSON()), err },
		"who signed beside": func(l book) (any, error) { _, found, err := l.Cosigned(ctx); return found, err },
		"listed":            func(l book) (any, error) { return l.Listed(ctx, thing, ledger.Now, nobodys) },
		"where": func(l book) (any, error) {
			return l.Where(ctx, ledger.WhereQuery{At: ledger.Now, Limit: 3, Counts: nobodys, Packages: []ledger.PackageQuery{{Ecosystem: "npm", Name: "left"}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			own, ownErr := ask(w.ledger)
			far, farErr := ask(book{there, there, there, there, there})
			if !reflect.DeepEqual(own, far) {
				t.Errorf("alone %+v\nwith a server %+v", own, far)
			}
			if codeOf(ownErr) != codeOf(farErr) {
				t.Errorf("alone %v, with a server %v", ownErr, farErr)
			}
		})
	}
}

func codeOf(err error) verdict.Code {
	if err == nil {
		return ""
	}
	return verdict.AsError(err).Code
}

func nobodys(verdict.Kind, string, string, string) bool { return false }

// What a caller may not see must look as if it were not there: its words, its count and its
// place in a list would tell of it.
func TestRowsOutsideTheScopeAreNotThere(t *testing.T) {
	w := ledgerHere(t, "here")
	e := w.stated(t, verdict.KindTestResult, "secret thing") // of the service shop
	h := w.serve(t, anyone)
	l := clientOf(t, h.URL, "other").Ledger()
	found, err := l.Find(t.Context(), ledger.Query{At: ledger.Now, Kind: verdict.KindTestResult})
	if err != nil || len(found) > 0 {
		t.Errorf("listed: %+v, %v", found, err)
	}
	rows, err := l.Range(t.Context(), 0, ledger.Now)
	if err != nil || len(rows) != 1 || rows[0].Kind != verdict.KindKey {
		t.Errorf("listed in order: %+v, %v", rows, err)
	}
	_, hidden := l.Entry(t.Context(), e.Index)
	_, absent := l.Entry(t.Context(), 999)
	if codeOf(hidden) != verdict.CodeNotFound || strings.ReplaceAll(hidden.Error(), fmt.Sprint(e.Index), "N") != strings.ReplaceAll(absent.Error(), "999", "N") {
		t.Errorf("what is hidden reads %v, what is absent %v", hidden, absent)
	}
	if _, err := l.Bundle(t.Context(), e.Index); codeOf(err) != verdict.CodeNotFound {
		t.Errorf("its bundle: %v", err)
	}
	if _, err := l.Keys(t.Context()); err != nil {
		t.Errorf("the keys: %v", err)
	}
	if found, err := clientOf(t, h.URL, "view").Ledger().Find(t.Context(), ledger.Query{At: ledger.Now, Kind: verdict.KindTestResult}); err != nil || len(found) != 1 {
		t.Errorf("within the scope: %+v, %v", found, err)
	}
}

// Evidence that the server took without verifying it would be no evidence.
func TestTheServerVerifiesBeforeItRecords(t *testing.T) {
	w := ledgerHere(t, "here")
	h := w.serve(t, anyone)
	stranger, err := evidence.TemporaryKey()
	if err != nil {
		t.Fatal(err)
	}
	sign := func(k evidence.Signer, kind verdict.Kind, service string) *evidence.Bundle {
		t.Helper()
		s, err := evidence.New(kind, []verdict.Subject{{Kind: verdict.SubjectArtifact, Name: "x", Digest: sha256Digest([]byte(service))}}, map[string]string{"a": "b"}, verdict.Context{Service: service, At: w.now()}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		b, err := evidence.Sign(t.Context(), s, k)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tt := range []struct {
		name, who string
		bundle    *evidence.Bundle
		code      verdict.Code
	}{
		{"an enrolled key", "dev", sign(w.signer, verdict.KindTestResult, "shop"), ""},
		{"a key that nobody enrolled", "dev", sign(stranger, verdict.KindTestResult, "shop"), verdict.CodeForbidden},
		{"a service outside of the scope", "other", sign(w.signer, verdict.KindTestResult, "shop"), verdict.CodeForbidden},
		{"a role that states nothing", "view", sign(w.signer, verdict.KindTestResult, "shop"), verdict.CodeForbidden},
		{"a policy by who states evidence", "dev", sign(w.signer, verdict.KindPolicyRelease, ""), verdict.CodeForbidden},
		{"a decision, which is the server's to take", "dev", sign(w.signer, verdict.KindDecision, "shop"), verdict.CodeForbidden},
		{"a receipt, which is the log's to make", "dev", sign(w.signer, verdict.KindReceipt, ""), verdict.CodeForbidden},
		{"nobody", "nobody", sign(w.signer, verdict.KindTestResult, "shop"), verdict.CodeForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := w.own.Position(t.Context())
			l := clientOf(t, h.URL, tt.who).Ledger()
			e, err := l.Append(t.Context(), tt.bundle)
			if codeOf(err) != tt.code {
				t.Fatalf("%v, want %q", err, tt.code)
			}
			after, _ := w.own.Position(t.Context())
			if (err == nil) != (after > before) {
				t.Errorf("%v, and the log went from %d to %d", err, before, after)
			}
			if err != nil {
				return
			}
			again, err := l.Append(t.Context(), tt.bundle)
			if end, _ := w.own.Position(t.Context()); err != nil || again.Index != e.Index || end != after {
				t.Errorf("sent again it is entry %d after %d, %v", again.Index, e.Index, err)
			}
		})
	}
	t.Run("of others, under their key", func(t *testing.T) {
		l := clientOf(t, h.URL, "dev").Ledger()
		e, err := l.IngestByKey(t.Context(), sign(stranger, verdict.KindDecision, "shop"), stranger.PublicPEM(), verdict.Context{Service: "shop"})
		if err != nil || !e.Foreign || e.Producer != stranger.KeyID() || e.Context.Actor != "a-dev" {
			t.Errorf("%+v, %v", e, err)
		}
		if _, err := l.IngestByKey(t.Context(), sign(stranger, verdict.KindTestResult, "shop"), evidence.PublicPEM(w.signer.Public()), verdict.Context{Service: "shop"}); err == nil {
			t.Error("under another key than signed it")
		}
	})
	t.Run("many at once, all or none", func(t *testing.T) {
		l := clientOf(t, h.URL, "dev").Ledger()
		before, _ := w.own.Position(t.Context())
		if _, err := l.AppendAll(t.Context(), []*evidence.Bundle{sign(w.signer, verdict.KindTestResult, "one"), sign(stranger, verdict.KindTestResult, "two")}); codeOf(err) != verdict.CodeForbidden || !strings.Contains(err.Error(), "statement 2 of 2") {
			t.Errorf("%v", err)
		}
		if after, _ := w.own.Position(t.Context()); after != before {
			t.Errorf("half of it was recorded: %d entries", after-before)
		}
	})
}

// remoteApp is a command line of its own folder against a server.
func remoteApp(t *testing.T, address string, out io.Writer) *app {
	t.Helper()
	dir := t.TempDir()
	a := &app{
		env: environment{"HOME": dir, "TOKEN": "dev"}, stdin: strings.NewReader(""), stdout: out, stderr: io.Discard, now: time.Now, rand: rand.Reader,
		log: slog.New(slog.DiscardHandler), progress: &progress{},
	}
	a.config.Data, a.config.Server, a.config.Token = filepath.Join(dir, "data"), address, "env:TOKEN"
	return a
}
