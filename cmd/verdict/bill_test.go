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

// What is recorded does not depend on the hour, or each run would record it again; and
// what is too large to be recorded is told, with the way to keep it.
func TestTheTextOfABill(t *testing.T) {
	doc := sbom.Document{Subject: verdict.Subject{Kind: verdict.SubjectChange, Digest: verdict.NewDigest("gitCommit", strings.Repeat("1", 40))}, Tool: verdict.Tool{Name: "verdict"}}
	first, note, err := billText(doc, maxBill)
	doc.At = time.Unix(1, 0)
	again, _, _ := billText(doc, maxBill)
	if err != nil || note != "" || string(first) != string(again) || sbom.ValidateCycloneDX(first) != nil {
		t.Errorf("%v, %q, %s\n%s", err, note, first, again)
	}
	if text, note, err := billText(doc, 100); err != nil || text != nil || !strings.Contains(note, "not recorded") || !strings.Contains(note, "-o cyclonedx=FILE") {
		t.Errorf("%s, %q, %v", text, note, err)
	}
}
