package policy

import (
	"bytes"
	"slices"
	"testing"

	"verdict"
)

// A backtest that fills in what an older program did not record would report passes that
// nobody ever saw.
func TestReadRecordedNamesWhatAnEarlierVersionDidNotKnow(t *testing.T) {
	in := Example(verdict.LayerCI)
	in.Vulnerabilities.Findings = []Finding{{Key: "k", ID: "CVE-1"}}
	in.Normalize()
	whole, err := in.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	cut := func(b []byte, was, is string) []byte {
		t.Helper()
		if !bytes.Contains(b, []byte(was)) {
			t.Fatalf("%s is not in the document", was)
		}
		return bytes.Replace(b, []byte(was), []byte(is), 1)
	}
	for _, c := range []struct {
		name  string
		doc   []byte
		lacks []string
		bad   bool
	}{
		{"a document of today lacks nothing", whole, nil, false},
		{"a member that came later is named", cut(whole, `"signed_commits":false,`, ""), []string{"input.service.signed_commits"}, false},
		{"one of the elements of a list too, without its number", cut(whole, `"malicious":false,`, ""), []string{"input.vulnerabilities.findings.malicious"}, false},
		{"a member that nobody knows is refused", cut(whole, `"signed_commits":false`, `"signed_commits":false,"zeal":true`), nil, true},
		{"another schema is refused", cut(whole, InputSchema, "verdict.input/v0"), nil, true},
		{"the same in other bytes is refused", append([]byte(" "), whole...), nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, lacks, err := ReadRecorded(c.doc)
			if (err != nil) != c.bad || !slices.Equal(lacks, c.lacks) {
				t.Fatalf("lacks %v, %v", lacks, err)
			}
			if err == nil && got.Schema != InputSchema {
				t.Errorf("schema %q", got.Schema)
			}
		})
	}
}

// What a point did not gather must not be taken for a fact.
func TestUnknownNamesWhatADocumentHoldsNoFactFor(t *testing.T) {
	in := (&Input{
		Service: Service{State: verdict.StateMissing}, Checks: map[string]Check{"secrets": {State: verdict.StateVerified}, "iac": {}},
		Artifact: Artifact{State: verdict.StateVerified},
	}).ForLayer(verdict.LayerCI)
	in.Normalize()
	for read, unknown := range map[string]bool{
		"input":                          true,  // nobody can tell what it looks for
		"input.subject.name":             false, // the question is always there
		"input.service.team":             false, // missing is something that is known
		"input.checks.secrets.failed":    false,
		"input.checks.iac.failed":        true, // there, and nothing is known of it
		"input.checks.licences.state":    true, // not gathered
		"input.checks":                   false,
		"input.vulnerabilities.findings": true,
		"input.vulnerabilities":          true,
		"input.artifact.built_at":        false,
		"input.artifact.sbom.complete":   true, // the nearest group counts
		"input.environment.exposure":     true, // does not exist for this layer
	} {
		if got := len(in.Unknown([]string{read})) == 1; got != unknown {
			t.Errorf("%s: unknown is %v", read, got)
		}
	}
}
