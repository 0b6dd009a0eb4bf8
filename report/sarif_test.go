package report

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"verdict"
)

// sarif decodes a run's SARIF without our types: what a reader gets.
func sarif(t *testing.T, r Run) map[string]any {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, "sarif", r); err != nil {
		t.Fatal(err)
	}
	var log map[string]any
	if err := json.Unmarshal([]byte(b.String()), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

func objects(v any) []map[string]any {
	var out []map[string]any
	list, _ := v.([]any)
	for _, x := range list {
		out = append(out, x.(map[string]any))
	}
	return out
}

// The rules of SARIF 2.1.0 that a viewer or upload refuses a file for, by section.
func TestSARIFHoldsTheRulesOfTheStandard(t *testing.T) {
	fingerprintName := regexp.MustCompile(`^[A-Za-z]+/v\d+$`)
	for name, r := range cases() {
		t.Run(name, func(t *testing.T) {
			log := sarif(t, r)
			if log["version"] != "2.1.0" { // 3.13.2
				t.Errorf("version %v", log["version"])
			}
			runs := objects(log["runs"])
			if len(runs) != 1 {
				t.Fatalf("%d runs", len(runs))
			}
			driver := runs[0]["tool"].(map[string]any)["driver"].(map[string]any)
			if driver["name"] == "" { // 3.19.8
				t.Error("the driver has no name")
			}
			rules := objects(driver["rules"])
			var ids []string
			for _, rule := range rules {
				id := rule["id"].(string)
				if slices.Contains(ids, id) { // 3.49.3
					t.Errorf("the rule %q is there twice", id)
				}
				ids = append(ids, id)
				if help := rule["help"].(map[string]any); help["text"] == "" { // 3.11.8: markdown never stands alone
					t.Errorf("the rule %q has no help", id)
				}
				if uri, ok := rule["helpUri"].(string); ok {
					if u, err := url.Parse(uri); err != nil || !u.IsAbs() { // 3.49.12
						t.Errorf("helpUri %q", uri)
					}
				}
			}
			for _, res := range objects(runs[0]["results"]) {
				if i := int(res["ruleIndex"].(float64)); i < 0 || i >= len(ids) || ids[i] != res["ruleId"] { // 3.27.6
					t.Errorf("rule %v is not at %d", res["ruleId"], i)
				}
				if res["kind"] != "fail" || !slices.Contains([]string{"error", "warning", "note"}, res["level"].(string)) { // 3.27.9, 3.27.10
					t.Errorf("kind %v, level %v", res["kind"], res["level"])
				}
				if text := res["message"].(map[string]any)["text"].(string); text == "" || unescapedBracket(text) { // 3.11.6
					t.Errorf("message %q", text)
				}
				for k, v := range res["partialFingerprints"].(map[string]any) { // 3.27.17
					if !fingerprintName.MatchString(k) || v == "" {
						t.Errorf("fingerprint %q: %q", k, v)
					}
				}
				for _, l := range objects(res["locations"]) {
					p := l["physicalLocation"].(map[string]any)
					art := p["artifactLocation"].(map[string]any)
					u, err := url.Parse(art["uri"].(string))
					if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "//") { // 3.4.3, 3.4.4
						t.Errorf("uri %q, error %v", art["uri"], err)
					}
					if _, ok := runs[0]["originalUriBaseIds"].(map[string]any)[art["uriBaseId"].(string)]; !ok { // 3.14.14
						t.Errorf("uriBaseId %q is not described", art["uriBaseId"])
					}
					if region, ok := p["region"].(map[string]any); ok && region["startLine"].(float64) < 1 { // 3.30.5
						t.Errorf("line %v", region["startLine"])
					}
				}
				for _, s := range objects(res["suppressions"]) { // 3.35
					if s["kind"] != "external" || s["status"] != "accepted" || s["justification"] == "" {
						t.Errorf("suppression %v", s)
					}
				}
			}
		})
	}
}

// unescapedBracket finds what SARIF reads as the start of a link.
func unescapedBracket(s string) bool {
	return strings.ContainsAny(strings.NewReplacer(`\\`, "", `\[`, "", `\]`, "").Replace(s), "[]")
}

func TestSARIFSaysWhenThereIsNoAnswer(t *testing.T) {
	for name, want := range map[string]bool{"allowed": true, "blocked": true, "warn": true, "undecided": false, "empty": false, "mixed": false} {
		inv := objects(objects(sarif(t, cases()[name])["runs"])[0]["invocations"])[0]
		if inv["executionSuccessful"] != want {
			t.Errorf("%s: executionSuccessful is %v, want %v", name, inv["executionSuccessful"], want)
		}
		if !want && len(objects(inv["toolExecutionNotifications"])) == 0 {
			t.Errorf("%s: nothing says why", name)
		}
	}
}

// An alert that a person closed must stay closed when lines move, and must not be taken
// for another.
func TestFingerprintsFollowTheFinding(t *testing.T) {
	find := func(change func(*verdict.Item)) string {
		r := cases()["blocked"]
		item := r.Decisions[0].Reasons[0].Items[0]
		change(&item)
		return fingerprint(finding{decision: &r.Decisions[0], reason: &r.Decisions[0].Reasons[0], item: item})
	}
	same := find(func(*verdict.Item) {})
	if got := find(func(i *verdict.Item) { i.Line, i.Message = 99, "other words" }); got != same {
		t.Error("another line or wording makes another finding")
	}
	if got := find(func(i *verdict.Item) { i.Key = "s-9" }); got == same {
		t.Error("another key is the same finding")
	}
	if got := find(func(i *verdict.Item) { i.Key, i.Path = "s-1c", "onfig/prod.env" }); got == same {
		t.Error("parts that run together are the same finding")
	}
}

func TestPathsBecomeRelativeReferences(t *testing.T) {
	for in, want := range map[string]string{
		"a/b.go":           "a/b.go",
		"a b/ü.go":         "a%20b/%C3%BC.go",
		"javascript:x":     "javascript%3Ax",
		"a\n::error::":     "a%0A%3A%3Aerror%3A%3A",
		"100%/x#y?z":       "100%25/x%23y%3Fz",
		"bad\xff":          "bad%FF",
		"//evil.example/x": "%2F/evil.example/x",
	} {
		if got := pathURI(in); got != want {
			t.Errorf("pathURI(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTooManyResultsAreCutAndSaid(t *testing.T) {
	r := cases()["blocked"]
	r.Decisions[1].Reasons[0] = vulnsReason(maxResults + 7)
	run := objects(sarif(t, r)["runs"])[0]
	if n := len(objects(run["results"])); n != maxResults {
		t.Errorf("%d results", n)
	}
	notes := objects(objects(run["invocations"])[0]["toolExecutionNotifications"])
	if len(notes) == 0 || !strings.Contains(notes[0]["message"].(map[string]any)["text"].(string), "9 more findings") {
		t.Errorf("what was cut is not said: %v", notes)
	}
}
