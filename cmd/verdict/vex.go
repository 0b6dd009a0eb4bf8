package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/report"
	"verdict/sbom"
)

func vexCommand() command {
	return command{
		use: "vex", short: "Read and write documents that say which vulnerabilities do not matter, and why",
		sub: []command{
			{
				use: "validate FILE", short: "Check a VEX document as verdict attest vex does",
				long: "FILE is OpenVEX 0.2.0, CycloneDX with vulnerabilities, or CSAF 2.0 of the category csaf_vex; - reads standard input. " +
					"Ends with 1 where the document cannot be used: an unknown status, or not_affected without a reason, is not guessed. Nothing is recorded.",
				example: "verdict vex validate openvex.json",
				args:    exactly(1), formats: textOrJSON, setup: runs(validateVEX),
			},
			{
				use: "show FILE", short: "List what a VEX document states",
				long:    "Each statement with the vulnerability, its status, the reason and the products, in the order of the document. Nothing is recorded.",
				example: "verdict vex show openvex.json\nverdict vex show csaf.json -o json",
				args:    exactly(1), formats: textOrJSON, setup: runs(showVEX),
			},
			vexConvertCommand(),
		},
	}
}

// vexShown is the document verdict.vex/v1.
type vexShown struct {
	Schema     string         `json:"schema"`
	Form       string         `json:"form"`
	ID         string         `json:"id"`
	Author     string         `json:"author"`
	Statements []vexRow       `json:"statements"`
	Remarks    []string       `json:"remarks"`
	Counts     map[string]int `json:"counts"` // by status
	summary    []string       // of Counts, in the order of the statuses
}

// vexRow is one statement.
type vexRow struct {
	Vulnerabilities []string  `json:"vulnerabilities"`
	Status          string    `json:"status"`
	Justification   string    `json:"justification"`
	Impact          string    `json:"impact"`
	At              time.Time `json:"at"`
	Products        []string  `json:"products"`
}

func (a *app) readVEX(file string) (*vexShown, error) {
	raw, err := a.readInput(file, "the VEX document", sbom.MaxVEX)
	if err != nil {
		return nil, err
	}
	doc, err := sbom.ReadVEX(raw)
	if err != nil {
		return nil, err
	}
	return vexOf(doc, a.now())
}

// vexOf is a document for people. A statement of the future would win over every one that
// is still to come.
func vexOf(doc *sbom.VEX, now time.Time) (*vexShown, error) {
	v := &vexShown{Schema: "verdict.vex/v1", Form: doc.Form, ID: doc.ID, Author: doc.Author, Remarks: append([]string{}, doc.Remarks...), Counts: map[string]int{}}
	for i, s := range doc.Statements {
		if s.At.Sub(now) > aheadOfUs {
			return nil, &verdict.Error{
				Code: verdict.CodeInvalid, What: fmt.Sprintf("the VEX document cannot be used: statement %d is dated %s, which has not come", i+1, s.At.UTC().Format(time.RFC3339)),
				Remedy: "date it to when it was made, or set this machine's clock right",
			}
		}
		row := vexRow{Vulnerabilities: s.Vulnerabilities, Status: string(s.Status), Justification: s.Justification, Impact: s.Impact, At: s.At.UTC(), Products: []string{}}
		for _, p := range s.Products {
			row.Products = append(row.Products, productText(p))
		}
		v.Statements = append(v.Statements, row)
		v.Counts[row.Status]++
	}
	for _, s := range []sbom.VEXStatus{sbom.NotAffected, sbom.Fixed, sbom.Affected, sbom.UnderInvestigation} {
		if n := v.Counts[string(s)]; n > 0 {
			v.summary = append(v.summary, fmt.Sprintf("%d %s", n, s))
		}
	}
	return v, nil
}

// aheadOfUs is how far the clocks of two machines may be apart.
const aheadOfUs = 5 * time.Minute

func productText(p sbom.VEXProduct) string {
	name := strings.Join(p.Names, " = ")
	if name == "" {
		name = "a product without a name that can be compared"
		if len(p.Digests) > 0 {
			name = string(p.Digests[0])
		}
	}
	parts := []string{}
	for _, x := range p.Parts {
		parts = append(parts, productText(x))
	}
	if len(parts) > 0 {
		return strings.Join(parts, ", ") + " in " + name
	}
	return name
}

func (v *vexShown) says() string { return v.Form + ": " + strings.Join(v.summary, ", ") }

func validateVEX(_ context.Context, a *app, args []string) error {
	v, err := a.readVEX(args[0])
	if err != nil {
		return err
	}
	return a.emit(v, func(s report.Style) string {
		out := s.Strong("It can be used.") + " " + report.Neutral(v.says()) + "\n"
		for _, r := range v.Remarks {
			out += "  " + report.Neutral(r) + "\n"
		}
		return out
	})
}

func showVEX(_ context.Context, a *app, args []string) error {
	v, err := a.readVEX(args[0])
	if err != nil {
		return err
	}
	return a.emit(v, func(s report.Style) string {
		rows := [][]string{}
		for _, x := range v.Statements {
			why := strings.TrimPrefix(strings.TrimSuffix(x.Justification+": "+x.Impact, ": "), ": ")
			about := strings.Join(x.Products, "; ")
			if about == "" {
				about = "what its evidence is about"
			}
			for _, text := range []*string{&why, &about} {
				*text = report.Neutral(*text)
			}
			rows = append(rows, []string{report.Neutral(strings.Join(x.Vulnerabilities, " = ")), x.Status, x.At.Format(time.DateOnly), about, why})
		}
		out := s.Strong(report.Neutral(v.says())) + "\n" + report.Table(rows, s.Width, "  ")
		for _, r := range v.Remarks {
			out += report.Neutral(r) + "\n"
		}
		return out
	})
}

// checkVEX refuses what could never count, before it is signed, and says what is stated
// and for what it counts.
func checkVEX(raw json.RawMessage, service string, now time.Time) (string, error) {
	doc, err := sbom.ReadVEX(raw)
	if err != nil {
		return "", err
	}
	v, err := vexOf(doc, now)
	if err != nil {
		return "", err
	}
	if service == "" {
		return v.says() + "; for this subject alone: with --service NAME for each commit of the service", nil
	}
	return v.says() + "; for every commit and artifact of " + service, nil
}

// vexSummary tells recorded VEX in a few words.
func vexSummary(s *evidence.Statement) string {
	doc, err := sbom.ReadVEX(s.Body())
	if err != nil {
		return "vex that cannot be read: " + err.Error()
	}
	counts := map[sbom.VEXStatus]int{}
	for _, x := range doc.Statements {
		counts[x.Status]++
	}
	return fmt.Sprintf("%s by %s: %s, of which %d say that nothing has to be done", doc.Form, first(doc.Author, "an author who is not named"), plural(len(doc.Statements), "statement", "statements"), counts[sbom.NotAffected]+counts[sbom.Fixed])
}
