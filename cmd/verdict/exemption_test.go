package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"verdict"
	"verdict/sbom"
)

func acceptedRisk() verdict.Exception {
	return verdict.Exception{
		ID: "x-1", Rule: "deploy.gate.vulnerabilities", Items: []string{"CVE-2026-1 pkg:npm/x@1.0.0"}, Service: "pay", Environments: []string{"production"},
		Digests: []verdict.Digest{verdict.NewDigest("sha256", strings.Repeat("1", 64))}, Rationale: "no fix", Controls: "the firewall", Ticket: "PAY-1", Owner: "payments",
		RequestedBy: "alma", ApprovedBy: []string{"noor"}, Created: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), Expires: time.Date(2026, 12, 20, 9, 0, 0, 0, time.UTC),
	}
}

// What goes to Azure comes back with the same terms, but as a request of whoever brings it.
func TestAnExemptionKeepsTheTermsOfAnException(t *testing.T) {
	x := acceptedRisk()
	raw, err := json.Marshal([]exemption{exempting(x, "/assignments/base", "")})
	if err != nil {
		t.Fatal(err)
	}
	back, err := readExemptions(raw)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	got, err := back[0].exception(verdict.Exception{RequestedBy: "mei", Created: now})
	if err != nil {
		t.Fatal(err)
	}
	want := x.Terms()
	want.ID, want.RequestedBy, want.Created = "", "mei", now
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the terms changed on the way (-want +got):\n%s", diff)
	}
	x.Controls = ""
	if e := exempting(x, "/a", ""); e.Properties.ExemptionCategory != waiver {
		t.Errorf("without controls it is %s", e.Properties.ExemptionCategory)
	}
}

func TestFormsInWhichAzureGivesExemptions(t *testing.T) {
	const beside = `{"name": "a", "type": "Microsoft.Authorization/policyExemptions", "exemptionCategory": "Waiver", "expiresOn": "2026-12-31T23:59:59+00:00", "description": "old", "policyDefinitionReferenceIds": ["r"]}`
	const apart = `{"name": "a", "type": "microsoft.authorization/policyexemptions", "properties": {"exemptionCategory": "Mitigated", "expiresOn": "2026-12-31T23:59:59Z", "displayName": "old"}}`
	for name, text := range map[string]string{
		"one": beside, "a list": "[" + beside + "]", "a page": `{"value": [` + apart + `]}`, "a template with other resources": `{"resources": [{"type": "Microsoft.Storage/storageAccounts"}, ` + apart + `]}`,
	} {
		found, err := readExemptions([]byte(text))
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %d found, %v", name, len(found), err)
			continue
		}
		x, err := found[0].exception(verdict.Exception{Rule: "r", Service: "pay", Environments: []string{"production"}, Owner: "payments"})
		if err != nil || x.Rationale != "old" || x.Versions != "*" || !x.Expires.Equal(time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)) {
			t.Errorf("%s: %+v, %v", name, x, err)
		}
	}
}

func TestExemptionsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"one that never ends", `{"name": "a", "exemptionCategory": "Waiver"}`, "does not expire"},
		{"one of no category", `{"name": "a", "expiresOn": "2026-12-31T23:59:59Z"}`, "its category is"},
		{"an end that is no time", `{"name": "a", "exemptionCategory": "Waiver", "expiresOn": "soon"}`, "is no time"},
		{"no JSON", `exemption`, "no JSON"},
		{"nothing", `[]`, "no exemption"},
		{"another resource", `{"type": "Microsoft.Storage/storageAccounts"}`, "no exemption"},
		{"a file without end", "[" + strings.Repeat(" ", maxExemptionFile) + "]", "bytes"},
		{"too many", "[" + strings.Repeat(`{"exemptionCategory": "Waiver", "expiresOn": "2026-12-31T23:59:59Z"},`, maxExemptions) + `{}]`, "more than"},
	} {
		_, err := readExemptions([]byte(c.text))
		var e *verdict.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || e.Remedy == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for name, given := range map[string]verdict.Exception{
		"no rule": {Service: "pay", Environments: []string{"production"}}, "no service": {Rule: "r", Environments: []string{"production"}}, "no environment": {Rule: "r", Service: "pay"},
	} {
		e := exemption{Properties: exemptionProperties{ExemptionCategory: waiver, ExpiresOn: "2026-12-31T23:59:59Z"}}
		if _, err := e.exception(given); err == nil {
			t.Errorf("%s: it is taken over", name)
		}
	}
}

// An accepted risk is told to others as a risk. As not_affected it would be taken for
// the absence of one.
func TestAnExceptionAsOpenVEXIsAffected(t *testing.T) {
	ranged, other := acceptedRisk(), acceptedRisk()
	ranged.ID, ranged.Digests, ranged.Versions = "x-2", nil, "<2.0.0"
	other.ID, other.Items = "x-3", []string{"sbom"}
	doc, left := openVEX([]verdict.Exception{acceptedRisk(), ranged, other}, "urn:verdict:vex:1", "key:1", time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC))
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	read, err := sbom.ReadVEX(raw)
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	if len(read.Statements) != 2 || len(left) != 1 || left[0] != "x-3" {
		t.Fatalf("%d statements, %v left out", len(read.Statements), left)
	}
	for i, s := range read.Statements {
		if s.Status != sbom.Affected || s.Vulnerabilities[0] != "CVE-2026-1" || !strings.Contains(doc.Statements[i].Action, "until 2026-12-20T09:00:00Z") {
			t.Errorf("statement %d: %+v", i, s)
		}
	}
}

func FuzzExemptions(f *testing.F) {
	raw, _ := json.Marshal([]exemption{exempting(acceptedRisk(), "/a", "/s")})
	f.Add(raw)
	f.Add([]byte(`{"value": [{"properties": {"exemptionCategory": "Waiver", "expiresOn": "2026-12-31T23:59:59Z", "metadata": {"verdict": {"items": null}}}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		found, err := readExemptions(raw)
		if err != nil {
			return
		}
		for _, e := range found {
			if x, err := e.exception(verdict.Exception{Rule: "r", Service: "s", Environments: []string{"e"}, Owner: "o"}); err == nil && x.Expires.IsZero() {
				t.Fatalf("an exception without an end came of %q", raw)
			}
		}
	})
}
