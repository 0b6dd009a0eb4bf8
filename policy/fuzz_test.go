package policy

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// FuzzParseCases: whatever bytes a file of cases holds, reading them ends, and what is
// accepted is a valid document with something to expect.
func FuzzParseCases(f *testing.F) {
	f.Add([]byte(goodCases))
	files, err := embeddedFiles()
	if err != nil {
		f.Fatal(err)
	}
	for name, text := range files {
		if isCases(name) {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte("schema: verdict.cases/v1\ncases: [{name: x, expect: {a: pass}, input: {evidence: [{}], change: {files: [\"\\u0000\", !!binary aGk=]}}}]"))
	f.Add([]byte("a: &a [*a]\n? {}: {}\n<<: *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cases, err := ParseCases("f.cases.yaml", data)
		if err != nil {
			if e := verdict.AsError(err); e.Remedy == "" || e.Code == verdict.CodeInternal {
				t.Fatalf("an error without a remedy: %v", err)
			}
			return
		}
		for _, c := range cases {
			if len(c.Expect) == 0 || strings.TrimSpace(c.Name) == "" {
				t.Fatalf("accepted: %+v", c)
			}
			if err := Validate(mustCanonical(t, c.Input)); err != nil {
				t.Fatalf("an accepted case is no valid document: %v", err)
			}
		}
	})
}

// FuzzParseInput: what replay accepts is byte for byte what it writes.
func FuzzParseInput(f *testing.F) {
	for _, l := range verdict.Layers {
		b, err := Example(l).Canonical()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"schema":"verdict.input/v1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := ParseInput(data)
		if err != nil {
			return
		}
		if again := mustCanonical(t, in); !bytes.Equal(again, data) {
			t.Fatalf("read %q, wrote %q", data, again)
		}
		if _, err := in.value(inputBytes); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzResult: whatever value a rule returns, reading it ends in a result that keeps the
// contract, or in a fault.
func FuzzResult(f *testing.F) {
	for _, seed := range []string{
		`{"status":"fail","message":"x","observed":{"a":[1,null,true]},"expected":"y","items":[{"key":"k","line":3,"path":"p","fix":"f","evidence":"e","message":"m"}]}`,
		`{"status":"pass","message":"x"}`, `{"status":"skip","message":""}`, `{"status":"fail","message":"x","items":[{"key":"folded:1"}]}`,
		`{"status":"fail","message":"x","observed":1e400}`, `[]`, `"pass"`, `{"a":{"a":{"a":[[[[]]]]}}}`, `{"status":"fail","message":"\ud800","items":[]}`,
	} {
		f.Add(seed)
	}
	x := &rule{Rule: verdict.Rule{ID: "acme.x"}, at: "x.rego:1"}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ast.ValueFromReader(strings.NewReader(text))
		if err != nil {
			return
		}
		res, fault := checkResult(x, v, 3)
		if (res == nil) == (fault == nil) {
			t.Fatalf("result %+v, fault %+v", res, fault)
		}
		if fault != nil {
			if fault.Remedy == "" || fault.Rule != x.ID {
				t.Fatalf("fault %+v", fault)
			}
			return
		}
		if res.Items == nil || len(res.Items) > 4 || res.Message == "" || res.Status != verdict.RuleFail && len(res.Items) > 0 {
			t.Fatalf("result %+v", res)
		}
		for _, s := range []string{res.Message, res.Observed, res.Expected} {
			if len(s) > maxText || !utf8.ValidString(s) {
				t.Fatalf("text of %d bytes: %.80q", len(s), s)
			}
		}
		if partial, fault := partialResult(x, ast.NewSet(ast.NewTerm(v)), 3); (partial == nil) == (fault == nil) {
			t.Fatalf("partial %+v, fault %+v", partial, fault)
		}
	})
}
