package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
)

// Who is asked years later who could come in reads it in words, and learns of each change of the file
// that says whose tokens sign in: once, and nothing of what is in it.
func TestWhoCouldComeInIsToldInWords(t *testing.T) {
	x := servingData(t, oneImage(t))
	file := filepath.Join(t.TempDir(), "sign-in.yaml")
	const secretly = "jane@acme.example"
	first := put(t, file, []byte("schema: verdict.sign-in/v1\n# "+secretly+"\nissuers: []\n"))
	begin := func(file string) {
		t.Helper()
		in, err := x.host.signIn(file, x.public)
		if err == nil {
			err = in.RecordConfig(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	recorded := func() []ledger.Entry {
		t.Helper()
		list, err := x.host.base.ledger.Find(t.Context(), ledger.Query{Kind: verdict.KindAccess, At: ledger.Now, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for i, step := range []struct {
		file string
		want int
	}{{"", 0}, {first, 1}, {first, 1}, {"", 2}, {"", 2}, {first, 3}} {
		begin(step.file)
		if got := len(recorded()); got != step.want {
			t.Errorf("start %d with %q: %d are recorded, want %d", i, step.file, got, step.want)
		}
	}
	text, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x.host.base.ledger.Bundle(t.Context(), recorded()[0].Index)
	if err != nil || strings.Contains(string(b.JSON()), secretly) {
		t.Errorf("what is in the file is recorded: %s, %v", b.JSON(), err)
	}

	w := x.host.base
	of := func(kind verdict.Kind, predicate any) {
		t.Helper()
		about := verdict.Subject{Kind: verdict.SubjectIdentity, Name: identity.SignInFile, Digest: sha256Digest([]byte(identity.SignInFile))}
		if _, err := w.state(t.Context(), kind, about, predicate, verdict.Context{Retention: "log"}); err != nil {
			t.Fatal(err)
		}
	}
	of(verdict.KindAccess, identity.Access{ID: "c1", Act: identity.TokenMade, Subject: "a-2", Credential: "t-1", By: "a-1"})
	of(verdict.KindAccess, identity.Access{ID: "c2", Act: identity.ActorErased, Subject: "a-2", By: "a-1"})
	of(verdict.KindAccess, identity.Access{ID: "c3", Act: "unheard-of", Subject: "a-2", By: "a-1"})
	of(verdict.KindRoleChange, identity.RoleChange{ID: "r1", Subject: "a-3", Role: identity.Auditor, Scope: identity.Anywhere(), Given: true, By: "a-1", Reason: "audit"})
	of(verdict.KindRoleChange, identity.RoleChange{ID: "r2", Subject: "a-3", Role: identity.Auditor, By: "a-1", Reason: "it ended"})
	status, body := x.get("viewer", "/api/v1/trail?ref="+string(sha256Digest([]byte(identity.SignInFile))))
	var doc any
	if err := json.Unmarshal([]byte(body), &doc); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	for _, want := range []string{
		"began with another sign-in file: " + string(sha256Digest(text)), "began with another sign-in file: none",
		"a-1 made the API token t-1 for a-2", "a-1 erased who a-2 is", `did \"unheard-of\" about a-2, which this version does not know`,
		"a-1 gave a-3 the role auditor for ", ": audit", "a-1 took the role auditor from a-3: it ended",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the trail lacks %q: %s", want, body)
		}
	}
}
