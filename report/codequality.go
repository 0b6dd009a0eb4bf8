package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"verdict"
)

// issue is an entry of GitLab's code quality report.
type issue struct {
	Description string        `json:"description"`
	CheckName   string        `json:"check_name"`
	Fingerprint string        `json:"fingerprint"`
	Severity    string        `json:"severity"`
	Location    issueLocation `json:"location"`
}

type issueLocation struct {
	Path  string     `json:"path"`
	Lines issueLines `json:"lines"`
}

type issueLines struct {
	Begin int64 `json:"begin"`
}

// codeQuality has an entry also for what could not be decided or read: GitLab shows an
// empty list as clean.
func codeQuality(r Run) []issue {
	out := []issue{}
	for _, f := range r.findings() {
		out = append(out, issue{
			Description: fit(f.message(), 1000), CheckName: fit(f.reason.Rule, 200), Fingerprint: fingerprint(f),
			Severity: issueSeverity(f), Location: issueAt(f.item.Path, f.item.Line),
		})
	}
	for _, f := range r.faults() {
		severity := "blocker"
		if f.weight != stops {
			severity = "major"
		}
		out = append(out, remark(severity, f.Code, advice(cmp.Or(f.decision.Point, "Verdict")+" could not decide: "+f.What, f.Remedy), ""))
	}
	for _, c := range r.Reports {
		if !c.Complete && len(blocking(c)) == 0 {
			out = append(out, remark("major", "check.incomplete", c.Check+": "+checkState(c).words, ""))
		}
		for _, n := range blocking(c) {
			out = append(out, remark("major", "check.not-read", fmt.Sprintf("%s did not read this: %s", c.Check, n.Reason), n.Path))
		}
	}
	return out
}

// remark is an entry that is no finding.
func remark(severity, check, text, path string) issue {
	sum := sha256.Sum256([]byte(check + "\x00" + text + "\x00" + path))
	return issue{fit(text, 1000), fit(check, 200), hex.EncodeToString(sum[:20]), severity, issueAt(path, 0)}
}

// issueAt is where GitLab shows an entry. A path and a line are obligatory there.
func issueAt(path string, line int64) issueLocation {
	return issueLocation{cmp.Or(fit(path, 1000), "."), issueLines{max(line, 1)}}
}

func issueSeverity(f finding) string {
	if f.weight == notes {
		return "info"
	}
	switch f.severity {
	case verdict.SeverityCritical:
		return "blocker"
	case verdict.SeverityHigh:
		return "critical"
	case verdict.SeverityLow:
		return "minor"
	case verdict.SeverityInfo:
		return "info"
	}
	return "major"
}
