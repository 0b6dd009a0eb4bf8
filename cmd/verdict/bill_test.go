package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/sbom"
)

func tellBill(t *testing.T, predicate string) string {
	t.Helper()
	about := []verdict.Subject{{Kind: verdict.SubjectChange, Digest: verdict.NewDigest("gitCommit", strings.Repeat("1", 40))}}
	s, err := evidence.New(verdict.KindSBOM, about, json.RawMessage(predicate), verdict.Context{At: time.Unix(1, 0)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return billSummary(s)
}

// A trail says of each bill whether it is whole: half a list looks like a whole one.
func TestATrailTellsWhetherABillIsWhole(t *testing.T) {
	for name, c := range map[string]struct{ predicate, want string }{
		"one of ours":              {`{"components":[{},{}],"compositions":[{"aggregate":"complete","assemblies":["x"]},{"aggregate":"unknown","dependencies":["y"]}]}`, "2 components, complete"},
		"one that lacks something": {`{"components":[{}],"compositions":[{"aggregate":"incomplete","assemblies":["x"]}]}`, "1 component, not complete"},
		"one that cannot tell":     {`{"components":[],"compositions":[{"aggregate":"unknown","assemblies":["x"]}]}`, "0 components, not complete"},
		"one that says nothing":    {`{"components":[{}]}`, "1 component, which does not say whether that is all"},
		"SPDX":                     {`{"packages":[{},{},{}]}`, "3 components, which does not say"},
		"something else":           {`{"components":"x"}`, "bill of materials"},
	} {
		if got := tellBill(t, c.predicate); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What is recorded does not depend on the hour, or each run would record it again; and what
// no statement holds lies beside it, so that no commit is without its bill.
func TestTheTextOfABill(t *testing.T) {
	doc := sbom.Document{Subject: verdict.Subject{Kind: verdict.SubjectChange, Digest: verdict.NewDigest("gitCommit", strings.Repeat("1", 40))}, Tool: verdict.Tool{Name: "verdict"}}
	first, note, err := ownBillOf(doc, maxBill)
	doc.At = time.Unix(1, 0)
	again, _, _ := ownBillOf(doc, maxBill)
	if err != nil || note != "" || string(first.text) != string(again.text) || first.beside != nil || sbom.ValidateCycloneDX(first.text) != nil {
		t.Errorf("%v, %q, %s\n%s", err, note, first.text, again.text)
	}
	large, note, err := ownBillOf(doc, 100)
	if err != nil || note != "" || large.kind != evidence.StoredBill || large.beside == nil || string(large.beside.raw) != string(first.text) {
		t.Errorf("%+v, %q, %v", large, note, err)
	}
}
