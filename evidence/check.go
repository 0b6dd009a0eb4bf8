package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"verdict"
)

// NewCheck makes the statement of a check that ran: known vulnerabilities in the
// predicate for those, any other check in a test result. The whole report travels under
// ReportField beside what the standard has a place for.
//
// Both say when the check ran. So a run is evidence of its own, although it found what an
// earlier one found: were it that one again, a fail that comes back after a pass would
// stay at its old place in the ledger, and the pass would count.
func NewCheck(r verdict.Report, subjects []verdict.Subject, started, finished time.Time, c verdict.Context, random io.Reader) (*Statement, error) {
	if r.Check == "vulnerabilities" {
		return New(verdict.KindVulnerabilities, subjects, Vulns(r, started, finished), c, random)
	}
	return New(verdict.KindTestResult, subjects, TestResult(r, started, finished), c, random)
}

// testResult is in-toto's test-result v0.1, with the report beside it.
type testResult struct {
	Result        string          `json:"result"` // PASSED, WARNED, FAILED
	Configuration []descriptor    `json:"configuration"`
	PassedTests   []string        `json:"passedTests"`
	WarnedTests   []string        `json:"warnedTests"`
	FailedTests   []string        `json:"failedTests"`
	Started       time.Time       `json:"startedOn"` // the standard knows no times; readers of it pass these over
	Finished      time.Time       `json:"finishedOn"`
	Report        *verdict.Report `json:"-"`
}

// descriptor is an in-toto resource descriptor, as far as a tool needs one.
type descriptor struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest,omitempty"`
}

// TestResult is the predicate, for New, that states a report as in-toto's test-result
// v0.1. The standard knows no
// incomplete run, so one is FAILED: a reader that knows nothing of Verdict must not
// take what was not looked at for clean.
func TestResult(r verdict.Report, started, finished time.Time) any {
	p := testResult{
		Result: "PASSED", Configuration: []descriptor{tool(r.Tool)},
		PassedTests: []string{}, WarnedTests: []string{}, FailedTests: []string{}, Report: whole(r),
		Started: micros(started), Finished: micros(finished),
	}
	for _, h := range r.Hits {
		p.FailedTests = append(p.FailedTests, r.Check+": "+h.Key)
	}
	if !r.Complete {
		p.FailedTests = append(p.FailedTests, r.Check+": incomplete")
	}
	if len(p.FailedTests) > 0 {
		p.Result = "FAILED"
	} else {
		p.PassedTests = append(p.PassedTests, r.Check)
	}
	return p
}

// micros is a time as documents write it.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func tool(t verdict.Tool) descriptor {
	d := descriptor{Name: strings.TrimSpace(t.Name + " " + t.Version)}
	if t.Rules != "" {
		d.Digest = map[string]string{t.Rules.Algorithm(): t.Rules.Hex()}
	}
	return d
}

// MarshalJSON puts the report in under its URI.
func (p testResult) MarshalJSON() ([]byte, error) {
	type plain testResult
	return withReport(plain(p), p.Report)
}

// scan is in-toto's vulns v0.2, with the report beside it.
type scan struct {
	Scanner  scanned         `json:"scanner"`
	Metadata scanTimes       `json:"metadata"`
	Report   *verdict.Report `json:"-"`
}

type scanned struct {
	URI     string       `json:"uri"`
	Version string       `json:"version"`
	DB      scannedDB    `json:"db"`
	Result  []scanResult `json:"result"`
}

type scannedDB struct {
	URI        string     `json:"uri,omitempty"`
	Version    string     `json:"version,omitempty"`
	LastUpdate *time.Time `json:"lastUpdate,omitempty"`
}

type scanResult struct {
	ID          string              `json:"id"`
	Severity    []scanSeverity      `json:"severity"`
	Annotations []map[string]string `json:"annotations"`
}

type scanSeverity struct {
	Method string `json:"method"`
	Score  string `json:"score"`
}

type scanTimes struct {
	Started  time.Time `json:"scanStartedOn"`
	Finished time.Time `json:"scanFinishedOn"`
}

// Vulns is the predicate, for New, that states a report as in-toto's vulns v0.2. The
// standard has no word for an
// incomplete scan: a reader that does not know ReportField cannot tell an empty list
// from one that could not be had.
func Vulns(r verdict.Report, started, finished time.Time) any {
	p := scan{
		Scanner:  scanned{URI: r.Tool.Name, Version: r.Tool.Version, Result: []scanResult{}},
		Metadata: scanTimes{micros(started), micros(finished)},
		Report:   whole(r),
	}
	if d := r.Database; d != nil {
		p.Scanner.DB = scannedDB{URI: d.Name, Version: string(d.Digest)}
		if !d.At.IsZero() {
			at := micros(d.At)
			p.Scanner.DB.LastUpdate = &at
		}
	}
	for _, h := range r.Hits {
		x := scanResult{ID: h.Detector, Severity: []scanSeverity{{Method: "verdict", Score: string(h.Severity)}}}
		note := map[string]string{"key": h.Key}
		if v := h.Vulnerability; v != nil {
			x.ID = v.ID
			note["component"], note["fixed"] = v.Component.PURL, v.Fixed
		}
		x.Annotations = []map[string]string{note}
		p.Scanner.Result = append(p.Scanner.Result, x)
	}
	return p
}

// MarshalJSON puts the report in under its URI.
func (p scan) MarshalJSON() ([]byte, error) {
	type plain scan
	return withReport(plain(p), p.Report)
}

func withReport(predicate any, r *verdict.Report) ([]byte, error) {
	body, err := json.Marshal(predicate)
	if err != nil || r == nil {
		return body, err
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("report %s: %w", r.Check, err)
	}
	body = appendQuoted(append(body[:len(body)-1], ','), ReportField)
	return append(append(append(body, ':'), bytes.TrimSpace(buf.Bytes())...), '}'), nil
}

// whole is a copy of the report in the form in which documents are written: no list is
// null, times are UTC in microseconds.
func whole(r verdict.Report) *verdict.Report {
	if r.NotChecked == nil {
		r.NotChecked = []verdict.NotChecked{}
	}
	if r.Database != nil {
		d := *r.Database
		d.At = micros(d.At)
		if d.Ecosystems == nil {
			d.Ecosystems = []string{}
		}
		r.Database = &d
	}
	r.Hits = append([]verdict.Hit{}, r.Hits...)
	for i, h := range r.Hits {
		if h.Vulnerability == nil {
			continue
		}
		v := *h.Vulnerability
		v.Aliases, v.Path = append([]string{}, v.Aliases...), append([]string{}, v.Path...)
		r.Hits[i].Vulnerability = &v
	}
	return &r
}

// ReportOf is the report that a statement of a check carries. It is false when there is
// none, or none that can be read: then nothing is known of what the check did.
func ReportOf(s *Statement) (*verdict.Report, bool) {
	raw, ok := s.field(ReportField)
	if !ok {
		return nil, false
	}
	r := new(verdict.Report)
	if json.Unmarshal(raw, r) != nil {
		return nil, false
	}
	return r, true
}
