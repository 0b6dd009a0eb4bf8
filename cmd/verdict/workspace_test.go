package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/blob/dir"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
	"verdict/store"
	"verdict/store/sqlite"
)

// unclosable is a database whose disk refuses what is left at the end.
type unclosable struct{ *sqlite.Engine }

func (u unclosable) Close() error { return errors.Join(u.Engine.Close(), errors.New("no space left")) }

// A disk that is full may say so only when a file is closed: a command that says nothing
// then has told of something that is not there.
func TestWhatALedgerSaysWhenItIsClosedIsHeard(t *testing.T) {
	open := func(talk *bytes.Buffer) *workspace {
		folder := t.TempDir()
		e, err := sqlite.Open(t.Context(), filepath.Join(folder, "a.db"), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		db, err := store.New(t.Context(), unclosable{e})
		if err != nil {
			t.Fatal(err)
		}
		blobs, err := dir.Open(filepath.Join(folder, "blobs"), dir.Options{})
		if err != nil {
			t.Fatal(err)
		}
		key, err := openLogKey(filepath.Join(folder, "log.key"))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(t.Context(), ledger.Options{Store: db, Blobs: blobs, LogKey: key, AnchorDir: filepath.Join(folder, "anchor")})
		if err != nil {
			t.Fatal(err)
		}
		return &workspace{app: &app{stderr: talk}, ledger: ownBook(l), own: l}
	}
	var talk bytes.Buffer
	var err error
	open(&talk).end(&err)
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(err.Error(), "no space left") || talk.Len() > 0 {
		t.Errorf("a command that went well: %v, %q", err, talk.String())
	}
	err = exit(3)
	open(&talk).end(&err)
	if err != exit(3) || !strings.Contains(talk.String(), "no space left") {
		t.Errorf("a command that has an answer: %v, %q", err, talk.String())
	}
}

// Each change of maps would prove the same rules anew and add to the log; and a release
// by somebody whose decisions count for nobody would spare rules their tests.
func TestABundleIsReleasedOnceAndByWhoseDecisionsCount(t *testing.T) {
	const rule = `# METADATA
# title: Nothing
# custom:
#   id: acme.nothing
#   effect: deny
#   severity: medium
#   evidence: [secrets]
#   remediation: Do nothing.
#   owner: web
package acme.nothing

check := {"status": "pass", "message": "nothing"}
`
	w, _ := installation(t)
	builtin, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	unproved, err := policy.Compile(map[string]string{"nothing.rego": rule}, policy.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	releases := func() int {
		entries, err := w.ledger.Find(t.Context(), ledger.Query{Kind: verdict.KindPolicyRelease, At: ledger.Now})
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	plain := decisionmap.Builtin()
	if err := w.releasePolicy(t.Context(), plain, unproved, true); err == nil || releases() != 0 {
		t.Fatalf("rules without tests were released (%v)", err)
	}
	enrollForTest(t, w, "builder")
	w.as(t, "builder")
	builder := w.signer.KeyID()
	for _, b := range []*policy.Bundle{unproved, builtin, unproved, builtin} { // as a client that proves nothing would
		if err := w.releasePolicy(t.Context(), plain, b, false); err != nil {
			t.Fatal(err)
		}
	}
	if n := releases(); n != 2 {
		t.Errorf("two bundles were released %d times", n)
	}
	w.as(t, "local")
	if err := w.releasePolicy(t.Context(), plain, unproved, true); err == nil {
		t.Error("rules without tests decide, because a key says so whose decisions count for nobody")
	}
	for _, c := range []struct {
		key, kind string
		counts    bool
	}{{builder, "secrets", false}, {"builder", "secrets-check", false}, {builder, "secrets-check", true}} { // anybody enrolled can give a key that name
		trusting := *plain
		trusting.Trust = append(slices.Clone(plain.Trust), decisionmap.Trust{Key: c.key, Kinds: []string{c.kind}, Services: []string{"app"}})
		if err := w.releasePolicy(t.Context(), &trusting, unproved, true); (err == nil) != c.counts {
			t.Errorf("the map trusts %s with %s: %v", c.key, c.kind, err)
		}
	}
	if n := releases(); n != 2 {
		t.Errorf("%d releases, not 2", n)
	}
	if err := w.releasePolicy(t.Context(), plain, builtin, false); err != nil || releases() != 3 {
		t.Errorf("this machine's own release of the built-in rules: %v", err)
	}
}
