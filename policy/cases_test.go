package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
)

const goodCases = `schema: verdict.cases/v1
layer: deploy
base:
  service: {tier: "2"}
cases:
  - name: a case
    at: 2026-03-01T08:00:00+01:00
    input:
      environment: {min_slsa: 3}
      vulnerabilities:
        findings:
          - {key: b, fixed: 1.2.3, line: 0x10}
          - {key: a, severity: high}
      checks: {licences: {state: stale}}
    expect:
      acme.y: pass
      acme.x: {status: fail, items: [b, a], message: 'no: "x"'}
`

func TestACaseIsTheBaseWithWhatItWrites(t *testing.T) {
	cases, err := ParseCases("x.cases.yaml", []byte(goodCases))
	if err != nil {
		t.Fatal(err)
	}
	c := cases[0]
	at := time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)
	if c.Name != "a case" || c.Line != 6 || !c.At.Equal(at) || c.Input.Decision.At != "2026-03-01T07:00:00Z" {
		t.Errorf("case %+v", c)
	}
	in := c.Input
	if in.Service.Tier != "2" || in.Service.Owner != "p-ana" || in.Environment.MinSLSA != 3 || in.Environment.Tier != "prod" {
		t.Errorf("merged %+v %+v", in.Service, in.Environment)
	}
	f := in.Vulnerabilities.Findings
	if len(f) != 2 || f[0].Key != "a" || f[0].Severity != verdict.SeverityHigh || f[1].Severity != verdict.SeverityUnknown || f[1].Line != 16 || f[1].Aliases == nil {
		t.Errorf("findings %+v", f)
	}
	if in.Checks["licences"].State != verdict.StateStale || in.Checks["secrets"].State != verdict.StateVerified {
		t.Errorf("checks %+v", in.Checks)
	}
	if len(c.Expect) != 2 || c.Expect[0].Rule != "acme.x" || strings.Join(c.Expect[0].Items, " ") != "a b" || c.Expect[1].Items != nil {
		t.Errorf("expect %+v", c.Expect)
	}
	if err := Validate(mustCanonical(t, in)); err != nil {
		t.Error(err)
	}
}

func mustCanonical(t *testing.T, in *Input) []byte {
	t.Helper()
	b, err := in.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCasesThatProveNothingAreRefused(t *testing.T) {
	change := func(old, now string) string { return strings.Replace(goodCases, old, now, 1) }
	deep := strings.Repeat("{a: ", 60) + "1" + strings.Repeat("}", 60)
	for name, c := range map[string]struct{ text, what string }{
		"nothing":                            {"", "is not YAML"},
		"not YAML":                           {"cases: [", "is not YAML"},
		"two documents":                      {goodCases + "---\nschema: x\n", "more than one document"},
		"no schema":                          {change("schema: verdict.cases/v1\n", ""), "schema: verdict.cases/v1"},
		"another schema":                     {change("cases/v1", "cases/v2"), "schema: verdict.cases/v1"},
		"a layer that is none":               {change("layer: deploy", "layer: prod"), "no layer"},
		"the environment in a layer without": {change("layer: deploy", "layer: ci"), "the input of layer ci has no environment"},
		"a word that is none":                {change("base:", "bases:"), `nearest is "base"`},
		"no cases":                           {"schema: verdict.cases/v1\n", "no list of cases"},
		"cases that are no list":             {"schema: verdict.cases/v1\ncases: {}\n", "no list of cases"},
		"a case without a name":              {change("name: a case", "name: ' '"), "has no name"},
		"a case that expects nothing":        {change("    expect:\n      acme.y: pass\n      acme.x: {status: fail, items: [b, a], message: 'no: \"x\"'}\n", ""), "expects nothing"},
		"a status that is none":              {change("acme.y: pass", "acme.y: passes"), `"passes" is no status`},
		"an expectation without a status":    {change("status: fail, ", ""), `"" is no status`},
		"items that are no list":             {change("items: [b, a]", "items: b"), "items is no list"},
		"a member that the input has not":    {change("min_slsa", "min_sla"), "min_sla"},
		"a state that is none":               {change("state: stale", "state: old"), "input.checks.licences.state"},
		"a fraction":                         {change("min_slsa: 3", "min_slsa: 3.0"), `"3.0" is neither`},
		"a null":                             {change("min_slsa: 3", "min_slsa: null"), "is neither"},
		"a number too large":                 {change("min_slsa: 3", "min_slsa: 99999999999999999999"), "is neither"},
		"text for a number":                  {change("min_slsa: 3", "min_slsa: '3'"), "case \"a case\""},
		"an anchor and its alias":            {change("min_slsa: 3", "name: &x y, hours: *x"), "is neither"},
		"a name twice":                       {change("min_slsa: 3", "min_slsa: 3, min_slsa: 2"), "twice"},
		"a nesting without an end":           {change("environment: {min_slsa: 3}", "environment: "+deep), "nested deeper"},
		"a time that is none":                {change("2026-03-01T08:00:00+01:00", "tomorrow"), "is no time"},
		"an input that is no object":         {change("service: {tier: \"2\"}", "[x]"), "an object"},
		"a file that is too large":           {goodCases + strings.Repeat("#", maxFileBytes), "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseCases("x.cases.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("it is accepted")
			}
			wantError(t, err, c.what, "")
			if !strings.Contains(err.Error(), "x.cases.yaml") {
				t.Errorf("%q does not name the file", err)
			}
		})
	}
}

// TestTheDocumentedCasesWork keeps the example of the note and of CasesSchema true.
func TestTheDocumentedCasesWork(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "design", "policy.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, part := range strings.Split(string(text), "\n```") {
		lang, body, _ := strings.Cut(part, "\n")
		switch lang {
		case "rego":
			files["example.rego"] = body
		case "yaml":
			files["example.cases.yaml"] = body
		}
	}
	b, err := Compile(files, CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := b.Test(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() || len(report.Outcomes) == 0 {
		t.Error(report.Text())
	}
}
