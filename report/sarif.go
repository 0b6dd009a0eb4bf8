package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"verdict"
)

// SARIF 2.1.0 (OASIS, 2020), the parts that we write. Arrays that a reader expects are
// never null.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool              sarifTool               `json:"tool"`
		Invocations       []sarifInvocation       `json:"invocations"`
		AutomationDetails *sarifAutomation        `json:"automationDetails,omitempty"`
		OriginalURIBases  map[string]sarifURIBase `json:"originalUriBaseIds"`
		ColumnKind        string                  `json:"columnKind"`
		Results           []sarifResult           `json:"results"`
		Properties        map[string]any          `json:"properties,omitempty"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri,omitempty"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifURIBase struct {
		Description sarifText `json:"description"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifRule struct {
		ID            string         `json:"id"`
		Short         sarifText      `json:"shortDescription"`
		Full          sarifText      `json:"fullDescription"`
		Help          sarifText      `json:"help"`
		HelpURI       string         `json:"helpUri,omitempty"`
		Configuration sarifConfig    `json:"defaultConfiguration"`
		Properties    map[string]any `json:"properties"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		ExitCode      int                 `json:"exitCode"`
		Notifications []sarifNotification `json:"toolExecutionNotifications"`
	}
	sarifNotification struct {
		Level      string          `json:"level"`
		Message    sarifText       `json:"message"`
		Descriptor sarifDescriptor `json:"descriptor"`
		Locations  []sarifLocation `json:"locations,omitempty"`
	}
	sarifDescriptor struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Kind         string             `json:"kind"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Baseline     string             `json:"baselineState,omitempty"` // 3.27.24; empty where it cannot be told
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]any     `json:"properties"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI     string `json:"uri"`
		URIBase string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine int64 `json:"startLine"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	sarifRoot   = "SRCROOT"
	// maxResults is what code scanning services take in one run; what is left out is
	// said in a notification.
	maxResults = 5000
)

// sarifPlain makes text fit for a SARIF message, where "[text](target)" is a link even
// in plain text (3.11.6) and a backslash escapes.
func sarifPlain(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(fit(s, 1000))
}

func sarifOf(r Run) sarifLog {
	run := newSarifRun(r.Version)
	run.Invocations[0].ExitCode = r.Exit()
	if r.ReportOnly && r.Exit() != 1 {
		run.Invocations[0].ExitCode = 0
	}
	run.AutomationDetails = &sarifAutomation{ID: strings.ReplaceAll(cmp.Or(word(r.Command), "verdict"), " ", "/") + "/"}
	run.Properties = map[string]any{"verdict/answer": lower(r.headline().words), "verdict/outcome": r.Outcome(), "verdict/enforced": r.Enforced(), "verdict/reportOnly": r.ReportOnly}
	index := map[string]int{}
	all := r.findings()
	for i, f := range all {
		if i == maxResults {
			run.note("warning", "results.cut", fmt.Sprintf("%s more findings are not in this file; -o json has all", number(len(all)-i)))
			break
		}
		id := sarifID(f.reason.Rule)
		at, ok := index[id]
		if !ok {
			at = len(run.Tool.Driver.Rules)
			index[id] = at
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(id, f.reason))
		}
		run.Results = append(run.Results, sarifResultOf(id, at, f))
	}
	for _, f := range r.faults() {
		level := "error"
		if f.weight == stops {
			run.Invocations[0].Successful = false
		} else {
			level = "warning"
		}
		run.note(level, sarifID(f.Code), advice(cmp.Or(f.decision.Point, "Verdict")+" could not decide: "+f.What, f.Remedy))
	}
	r.sarifChecks(&run)
	return sarifLog{sarifSchema, "2.1.0", []sarifRun{run}}
}

func newSarifRun(version string) sarifRun {
	return sarifRun{
		Tool:             sarifTool{sarifDriver{Name: "Verdict", Version: word(version), Rules: []sarifRule{}}},
		Invocations:      []sarifInvocation{{Successful: true, Notifications: []sarifNotification{}}},
		OriginalURIBases: map[string]sarifURIBase{sarifRoot: {sarifText{Text: "The root of the repository."}}},
		ColumnKind:       "unicodeCodePoints",
		Results:          []sarifResult{},
	}
}

// note adds a remark about the run itself.
func (r *sarifRun) note(level, id, text string) {
	i := &r.Invocations[0]
	i.Notifications = append(i.Notifications, sarifNotification{Level: level, Message: sarifText{Text: sarifPlain(text)}, Descriptor: sarifDescriptor{id}})
}

// sarifChecks says which checks were incomplete or had nothing to judge: an empty list
// of results alone would look clean.
func (r Run) sarifChecks(run *sarifRun) {
	for _, c := range r.Reports {
		switch {
		case !c.Complete:
			run.note("warning", "check.incomplete", fmt.Sprintf("%s: %s", c.Check, checkState(c).words))
		case nothingToJudge(c):
			run.note("note", "check.nothing", fmt.Sprintf("%s: %s", c.Check, checkState(c).words))
		}
		for i, n := range blocking(c) {
			if i == 100 {
				break
			}
			what := "could not judge all"
			if n.Path != "" {
				what = "did not read " + n.Path
			}
			run.note("warning", "check.not-read", fmt.Sprintf("%s %s: %s", c.Check, what, n.Reason))
		}
	}
	for _, id := range r.NotBuilt {
		run.note("note", "point.not-built", id+" was not asked: no rule for it exists yet")
	}
}

// sarifID is an id without the slash that separates a rule from its variants (3.52.4).
func sarifID(id string) string {
	return strings.ReplaceAll(cmp.Or(fit(id, 200), "unnamed"), "/", ".")
}

func sarifRuleOf(id string, r *verdict.Reason) sarifRule {
	title := cmp.Or(r.Title, r.Rule)
	help := sarifPlain(cmp.Or(r.Remediation, "No remediation is given."))
	out := sarifRule{
		ID: id, Short: sarifText{Text: sarifPlain(title)}, Full: sarifText{Text: sarifPlain(title)},
		Help:          sarifText{Text: help, Markdown: markdownText(cmp.Or(r.Remediation, "No remediation is given."))},
		Configuration: sarifConfig{sarifLevel(r.Severity)},
		Properties:    map[string]any{"tags": []string{"security"}, "verdict/effect": string(r.Effect), "verdict/owner": word(r.Owner)},
	}
	if u, err := url.Parse(r.Link); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && Neutral(r.Link) == r.Link {
		out.HelpURI = u.String()
	}
	if score := sarifScore(r.Severity); score != "" {
		out.Properties["security-severity"] = score
	}
	return out
}

func sarifResultOf(id string, index int, f finding) sarifResult {
	level := sarifLevel(f.severity)
	switch {
	case f.weight == stops:
		level = "error"
	case f.weight == notes:
		level = "note"
	case level == "error":
		level = "warning"
	}
	out := sarifResult{
		RuleID: id, RuleIndex: index, Kind: "fail", Level: level, Message: sarifText{Text: sarifPlain(advice(f.message(), f.fix()))},
		Fingerprints: map[string]string{"verdictKey/v1": fingerprint(f)},
		Properties: map[string]any{
			"verdict/point": word(f.decision.Point), "verdict/decision": word(f.decision.ID), "verdict/mode": string(f.decision.Mode),
			"verdict/standing": string(f.reason.Standing), "verdict/severity": severityWord(f.severity), "verdict/key": word(f.item.Key),
		},
	}
	if f.item.Old {
		out.Baseline = "unchanged"
	}
	if f.item.Path != "" {
		p := sarifPhysical{Artifact: sarifArtifact{pathURI(f.item.Path), sarifRoot}}
		if f.item.Line > 0 {
			p.Region = &sarifRegion{f.item.Line}
		}
		out.Locations = []sarifLocation{{p}}
	}
	if f.item.Accepted != "" || f.reason.Standing == verdict.Accepted || f.reason.Standing == verdict.Approved {
		why := cmp.Or(f.item.Accepted, strings.Join(f.reason.By, ", "), "not named")
		out.Suppressions = []sarifSuppression{{"external", "accepted", sarifPlain(string(f.reason.Standing) + ": " + why)}}
	}
	return out
}

// fingerprint finds the same finding again in the next run, wherever its line went.
func fingerprint(f finding) string {
	h := sha256.New()
	for _, s := range []string{f.reason.Rule, f.item.Key, f.item.Path} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	if f.item.Key == "" {
		fmt.Fprintf(h, "%d:%s", len(f.message()), f.message())
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// pathURI is a path of the tree as a relative reference: every byte that is not
// unreserved is encoded, and so is a slash at the start: a name can neither name a scheme
// nor a host.
func pathURI(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 || c == '/' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func sarifLevel(s verdict.Severity) string {
	switch s {
	case verdict.SeverityCritical, verdict.SeverityHigh:
		return "error"
	case verdict.SeverityLow, verdict.SeverityInfo:
		return "note"
	}
	return "warning"
}

// sarifScore is the number that code scanning services sort by; none for unknown.
func sarifScore(s verdict.Severity) string {
	switch s {
	case verdict.SeverityCritical:
		return "9.5"
	case verdict.SeverityHigh:
		return "8.0"
	case verdict.SeverityMedium:
		return "5.5"
	case verdict.SeverityLow:
		return "2.0"
	}
	return ""
}

// sarifFailure is a run that did not come to an answer.
func sarifFailure(f Failure) sarifLog {
	run := newSarifRun("")
	run.Invocations[0].Successful, run.Invocations[0].ExitCode = false, f.Exit
	run.note("error", sarifID(string(f.Code)), advice(f.What, f.Remedy))
	return sarifLog{sarifSchema, "2.1.0", []sarifRun{run}}
}
