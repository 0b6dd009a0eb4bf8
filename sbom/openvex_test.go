package sbom

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// meaning is what a document states, in words in which order and repetition do not matter.
func meaning(v *VEX) []string {
	var out []string
	for _, s := range v.Statements {
		head := fmt.Sprint(s.Vulnerabilities, s.Status, s.Justification, s.Impact, s.At.UTC())
		if len(s.Products) == 0 {
			out = append(out, head)
		}
		for _, p := range s.Products {
			names := p.Names
			if len(names) == 0 {
				names = []string{""}
			}
			for _, n := range names {
				parts := []string{}
				for _, x := range p.Parts {
					parts = append(parts, x.Names...)
				}
				slices.Sort(parts)
				out = append(out, fmt.Sprint(head, n, p.Digests, slices.Compact(parts)))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Whoever reads the OpenVEX must come to the same conclusions as whoever reads the source:
// nothing more may be excused.
func TestWhatIsWrittenAsOpenVEXSaysTheSame(t *testing.T) {
	for form, text := range map[string]string{"OpenVEX": filled(openVEXDoc), "CycloneDX": cycloneDXDoc, "CSAF": csafDoc} {
		t.Run(form, func(t *testing.T) {
			v, err := ReadVEX([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			doc, left, err := v.OpenVEX(OpenVEXOptions{Author: "Acme", Tooling: "verdict", At: time.Unix(0, 0)})
			if err != nil {
				t.Fatal(err)
			}
			again, err := ReadVEX(doc)
			if err != nil {
				t.Fatalf("%v: %s", err, doc)
			}
			v.Statements = slices.DeleteFunc(v.Statements, func(s VEXStatement) bool {
				return slices.ContainsFunc(left, func(l string) bool { return strings.Contains(l, string(s.Status)+" of "+s.Vulnerabilities[0]) })
			})
			if a, b := meaning(v), meaning(again); !slices.Equal(a, b) {
				t.Errorf("it says\n%s\nand said\n%s", strings.Join(b, "\n"), strings.Join(a, "\n"))
			}
			if form != "OpenVEX" && !strings.Contains(string(doc), `"status_notes": "from `+form) {
				t.Errorf("it does not say where it is from: %s", doc)
			}
			for _, s := range again.Statements {
				if s.Status == Affected && s.Action == "" {
					t.Error("affected, without what to do")
				}
			}
			same, _, err := v.OpenVEX(OpenVEXOptions{Author: "Acme", Tooling: "verdict", At: time.Unix(0, 0)})
			if err != nil || len(left) == 0 && string(same) != string(doc) {
				t.Errorf("another document the second time: %v", err)
			}
		})
	}
}

// A product that is known by a range of versions alone has no name here. Written without
// products, its statement would excuse everything.
func TestAStatementOfARangeIsLeftOutAndNotWidened(t *testing.T) {
	v, err := ReadVEX([]byte(strings.NewReplacer(`"known_affected":["P2"]`, `"fixed":["P2"]`).Replace(csafDoc)))
	if err != nil {
		t.Fatal(err)
	}
	doc, left, err := v.OpenVEX(OpenVEXOptions{Author: "Acme", At: time.Unix(0, 0)})
	if err != nil || len(left) != 1 || !strings.Contains(left[0], "ranges of versions alone") {
		t.Fatalf("%v, %v", left, err)
	}
	again, err := ReadVEX(doc)
	if err != nil || len(again.Statements) != 1 || again.Statements[0].Status != NotAffected {
		t.Errorf("%+v, %v", again, err)
	}
	if _, _, err := v.OpenVEX(OpenVEXOptions{At: time.Unix(0, 0)}); err == nil {
		t.Error("written without an author")
	}
}
