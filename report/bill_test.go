package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/sbom"
)

// bill names one component by hostile words.
func bill(t *testing.T, words string) *sbom.Document {
	t.Helper()
	c, err := sbom.NewComponent("npm", words, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	return &sbom.Document{
		Subject: change(), Name: words, Tool: verdict.Tool{Name: "verdict", Version: words}, At: noon, Inventory: sbom.Incomplete,
		Components: []sbom.Component{{Component: c, Licenses: []string{words}, Occurrences: []sbom.Occurrence{{Location: words, Line: 1}}}},
		Open:       []verdict.NotChecked{{Path: words, Reason: words}},
	}
}

func TestBillsAreWrittenAndHostileWordsActInNone(t *testing.T) {
	r := cases()["mixed"]
	r.Bill = bill(t, strings.ToValidUTF8(strings.ReplaceAll(hostileWords, "/", "|"), "?"))
	for _, format := range BillFormats {
		var b strings.Builder
		if err := Write(&b, format, r); err != nil {
			t.Fatal(err)
		}
		if why := acting(b.String()); why != "" {
			t.Errorf("%s holds %s", format, why)
		}
		if !strings.Contains(b.String(), "pkg:npm/") {
			t.Errorf("%s lacks the component: %s", format, b.String())
		}
	}
}

func TestARunWithoutComponentsHasNoBill(t *testing.T) {
	for _, format := range BillFormats {
		var b strings.Builder
		err := Write(&b, format, cases()["mixed"])
		if e := verdict.AsError(err); e == nil || e.Remedy == "" || b.Len() > 0 {
			t.Errorf("%s: %v, %q", format, err, b.String())
		}
		if slices.Contains(Formats, format) {
			t.Errorf("%s is offered where there is no bill", format)
		}
	}
}

// A file of a run before must not pass for the bill of one that failed, and neither must
// an empty list.
func TestAFailureIsNoBill(t *testing.T) {
	for _, format := range BillFormats {
		var b strings.Builder
		if err := WriteFailure(&b, format, Failure{Code: verdict.CodeUnavailable, What: hostileWords, Remedy: "x", Exit: 1}, Style{}); err != nil {
			t.Fatal(err)
		}
		var read map[string]any
		if err := json.Unmarshal([]byte(b.String()), &read); err != nil || read["schema"] != "verdict.error/v1" || read["bomFormat"] != nil || read["spdxVersion"] != nil {
			t.Errorf("%s: %v, %s", format, err, b.String())
		}
		if err := sbom.ValidateCycloneDX([]byte(b.String())); err == nil {
			t.Error("it holds the schema of CycloneDX")
		}
		if why := acting(b.String()); why != "" {
			t.Errorf("%s holds %s", format, why)
		}
	}
}
