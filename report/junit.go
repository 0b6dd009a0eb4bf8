package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"verdict"
)

// The JUnit form that CI systems read. A rule is a test case: what stops the change
// fails, what could not be told is an error, what the mode lets through is skipped with
// its reason, so that it is seen and does not turn the pipeline red.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Properties []junitProperty `xml:"properties>property,omitempty"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string      `xml:"name,attr"`
		Class   string      `xml:"classname,attr"`
		File    string      `xml:"file,attr,omitempty"`
		Failure *junitFault `xml:"failure"`
		Error   *junitFault `xml:"error"`
		Skipped *junitFault `xml:"skipped"`
	}
	junitFault struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// junitBody is how many findings one test case spells out.
const junitBody = 100

func writeJUnit(w io.Writer, r Run) error {
	all := junitSuites{Name: "verdict"}
	found := map[*verdict.Reason][]finding{}
	for _, f := range r.findings() {
		found[f.reason] = append(found[f.reason], f)
	}
	for i := range r.Decisions {
		all.add(r.junitSuite(&r.Decisions[i], found))
	}
	if len(r.Decisions) == 0 {
		s := junitSuite{Name: "verdict"}
		for _, f := range r.faults() {
			s.Cases = append(s.Cases, junitFaultCase("verdict", f))
		}
		all.add(s)
	}
	return writeXML(w, all)
}

func writeXML(w io.Writer, v any) error {
	b, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, b)
	return err
}

func (r Run) junitSuite(d *verdict.Decision, found map[*verdict.Reason][]finding) junitSuite {
	point := word(d.Point)
	s := junitSuite{Name: point, Properties: []junitProperty{
		{"decision", word(d.ID)}, {"answer", answerOf(*d, r.nothing(*d)).words}, {"mode", word(string(d.Mode))}, {"subject", subjectText(d.Subject)},
	}}
	for j := range d.Reasons {
		reason := &d.Reasons[j]
		c := junitCase{Name: word(reason.Rule), Class: point}
		fs := found[reason]
		if len(fs) > 0 {
			c.File = fit(fs[0].item.Path, 1000)
		}
		fault := &junitFault{Message: fit(cmp.Or(reason.Message, reason.Title, reason.Rule), 1000), Type: severityWord(reason.Severity), Text: junitText(reason, fs)}
		if weightOf(d, reason) == stops {
			c.Failure = fault
		} else {
			fault.Message, fault.Type = cmp.Or(standingText(reason, d), "Would have counted under mode block.")+" "+fault.Message, ""
			c.Skipped = fault
		}
		s.Cases = append(s.Cases, c)
	}
	for _, f := range r.faults() {
		if f.decision == d {
			s.Cases = append(s.Cases, junitFaultCase(point, f))
		}
	}
	for _, id := range d.Passed {
		s.Cases = append(s.Cases, junitCase{Name: word(id), Class: point})
	}
	for _, id := range d.Skipped {
		s.Cases = append(s.Cases, junitCase{Name: word(id), Class: point, Skipped: &junitFault{Message: "The rule does not apply to this subject."}})
	}
	return s
}

func junitFaultCase(class string, f fault) junitCase {
	out := junitFault{Message: fit("Could not decide: "+f.What, 1000), Type: word(f.Code), Text: remedy("fix: " + f.Remedy)}
	c := junitCase{Name: cmp.Or(word(f.Rule), word(f.Code), "undecided"), Class: class}
	if f.weight == stops {
		c.Error = &out
	} else {
		out.Type = ""
		c.Skipped = &out
	}
	return c
}

func junitText(r *verdict.Reason, fs []finding) string {
	var b strings.Builder
	for i, f := range fs {
		if i == junitBody {
			fmt.Fprintf(&b, "\n… and %s more", number(len(fs)-i))
			break
		}
		fmt.Fprintf(&b, "\n%s  %s  %s", severityWord(f.severity), cmp.Or(fit(f.place(), 400), "-"), fit(f.message(), 400))
	}
	if r.Remediation != "" {
		fmt.Fprintf(&b, "\nfix: %s", remedy(r.Remediation))
	}
	return b.String() + "\n"
}

// add puts a suite in and counts it.
func (s *junitSuites) add(suite junitSuite) {
	for _, c := range suite.Cases {
		suite.Tests++
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	s.Tests += suite.Tests
	s.Failures += suite.Failures
	s.Errors += suite.Errors
	s.Skipped += suite.Skipped
	s.Suites = append(s.Suites, suite)
}
