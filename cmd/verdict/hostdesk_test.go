package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/ledger"
	"verdict/server/wire"
)

// What a decision is taken by is kept between questions. A map that somebody else released
// meanwhile judges the next one: a server that went on by the old one would let in what the
// organisation has just forbidden.
func TestAMapThatIsReleasedJudgesTheNextQuestion(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	judged := func() (string, string) {
		t.Helper()
		status, body := x.do("dev", "POST", "/api/v1/decisions", strings.Replace(askedSecrets, `"dry":false`, `"dry":true`, 1))
		var a wire.Answer
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != 200 || a.Decision == nil {
			t.Fatalf("%d %v %s", status, err, body)
		}
		return a.JudgedBy, string(a.Decision.Mode)
	}
	if by, _ := judged(); by != "the built-in map" {
		t.Fatalf("judged by %q before anything was released", by)
	}
	for _, mode := range []string{"observe", "block"} {
		file := filepath.Join(t.TempDir(), "verdict.yaml")
		if err := os.WriteFile(file, []byte("schema: verdict/v1\norganization: acme\npoints:\n  - {id: ci.secrets, mode: "+mode+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := x.run("map", "release", file); !strings.Contains(said, "RELEASED") {
			t.Fatalf("it was not released: %s", said)
		}
		if by, got := judged(); by != "the released organisation map" || got != mode {
			t.Errorf("after the release of %s it is judged by %q, in mode %q", mode, by, got)
		}
	}
}

// Who only looks leaves nothing in the log, also where he is the first to ask by rules. They are
// stated before the first decision that is recorded, or it would rest on rules of nobody.
func TestADryQuestionRecordsNothing(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	releases := func() (size ledger.Position, found []ledger.Entry) {
		t.Helper()
		size, err := x.host.base.own.Position(t.Context())
		if err == nil {
			found, err = x.host.base.own.Find(t.Context(), ledger.Query{Kind: verdict.KindPolicyRelease, At: ledger.Now})
		}
		if err != nil {
			t.Fatal(err)
		}
		return size, found
	}
	ask := func(question string) (a wire.Answer) {
		t.Helper()
		status, body := x.do("dev", "POST", "/api/v1/decisions", question)
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != 200 {
			t.Fatalf("%d %v %s", status, err, body)
		}
		return a
	}
	before, _ := releases()
	ask(strings.Replace(askedSecrets, `"dry":false`, `"dry":true`, 1))
	if after, found := releases(); after != before || len(found) != 0 {
		t.Fatalf("a question that records nothing recorded %d entries", after-before)
	}
	for range 2 {
		a := ask(askedSecrets)
		if _, found := releases(); len(found) != 1 || a.Entry == nil || found[0].Index >= a.Entry.Index {
			t.Errorf("a decision in entry %+v, by rules that are stated in %+v", a.Entry, found)
		}
	}
}
