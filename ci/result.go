package ci

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
	"verdict/sbom"
)

// MaxResult bounds another tool's report, in bytes.
const MaxResult = 32 << 20

// ResultOptions say what a tool's report is read as.
type ResultOptions struct {
	Format string // one of ResultFormats
	// Source is the tool's name under `sources:` in the map.
	Source string
	// Check is the question that the map gives the tool: "sast", "vulnerabilities".
	Check string
	// Root is the folder that the tool ran in, with slashes, so that its paths below that
	// one are told as paths of the tree; empty where nobody knows.
	Root string
	// Below is the folder of the tree that the tool ran in, with slashes; empty: all of it.
	Below string
	// DataAt is when the tool's vulnerability data was published, where its report does not
	// say so; zero: nobody says it.
	DataAt time.Time
}

// resultFormat is one form in which tools write what they found.
type resultFormat struct {
	name string
	// how is the command that writes it, for who has handed in another form.
	how  string
	fits func(top datum) bool // for JSON: whether a document is of this form
	read func(r *resultReader, top datum)
	// whole reads what is not one JSON document; nil otherwise.
	whole func(r *resultReader, raw []byte) error
}

var resultFormats = []resultFormat{
	{name: "sarif", how: "the tool's option for SARIF 2.1.0", fits: isSARIF, read: readSARIF},
	{name: "junit", how: "the test runner's option for JUnit XML", whole: readJUnit},
	{name: "gitleaks", how: "gitleaks dir . --report-format json --report-path FILE", fits: isGitleaks, read: readGitleaks},
	{name: "trivy", how: "trivy fs . --format json", fits: isTrivy, read: readTrivy},
	{name: "grype", how: "grype dir:. -o json", fits: isGrype, read: readGrype},
	{name: "snyk", how: "snyk test --json", fits: isSnyk, read: readSnyk},
	{name: "checkov", how: "checkov -d . -o json", fits: isCheckov, read: readCheckov},
	{name: "kics", how: "kics scan -p . --report-formats json", fits: isKICS, read: readKICS},
	{name: "semgrep", how: "semgrep scan --json", fits: isSemgrep, read: readSemgrep},
	{name: "govulncheck", how: "govulncheck -json ./...", whole: readGovulncheck},
	{name: "zap", how: "ZAP's traditional JSON report (zap-baseline.py -J FILE)", fits: isZAP, read: readZAP},
}

// ResultFormats are the words for the forms that ReadResult knows.
func ResultFormats() []string {
	var out []string
	for _, f := range resultFormats {
		out = append(out, f.name)
	}
	return out
}

// ReadResult reads what another tool found. The report is complete only where the tool
// says that it did its work and what it did it on: one that failed or looked at nothing is
// incomplete and never clean. Nothing of a secret that the tool prints is kept. A text
// that is no such report is an *verdict.Error.
func ReadResult(o ResultOptions, raw []byte) (verdict.Report, error) {
	i := slices.IndexFunc(resultFormats, func(f resultFormat) bool { return f.name == o.Format })
	if i < 0 {
		return verdict.Report{}, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%q is no format of results", wording.Cut(o.Format, 60)), Remedy: "use one of " + strings.Join(ResultFormats(), ", "),
		}
	}
	f := resultFormats[i]
	if len(raw) > MaxResult {
		return verdict.Report{}, &verdict.Error{
			Code: verdict.CodeLimit, What: fmt.Sprintf("the report has more than the %d MiB that Verdict takes", MaxResult>>20), Remedy: "let the tool report what fails alone, without the lines of source around it",
		}
	}
	r := &resultReader{o: o, report: verdict.Report{Check: o.Check, Source: o.Source, Scope: verdict.Scope{Path: "."}}}
	if err := f.readInto(r, raw); err != nil {
		return verdict.Report{}, err
	}
	if err := r.whose(f.name); err != nil {
		return verdict.Report{}, err
	}
	return r.finish(), nil
}

func (f resultFormat) readInto(r *resultReader, raw []byte) error {
	begins := strings.TrimLeft(strings.TrimPrefix(string(raw[:min(len(raw), 4096)]), "\xef\xbb\xbf"), " \t\r\n")
	if begins == "" {
		return f.unlike("it is empty: the tool wrote no report", nil)
	}
	var top datum
	var broken error
	form := ""
	switch {
	case begins[0] == '<' && isJUnit(raw):
		form = "junit"
	case begins[0] == '<':
	case isGovulncheck(begins):
		form = "govulncheck"
	default:
		if top, broken = parseDocument(raw); broken == nil {
			form = recognise(top)
		}
	}
	switch {
	case form != "" && form != f.name:
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("this is a report of the form %s and not of %s", form, f.name),
			Remedy: fmt.Sprintf("say %s where you say %s, or write the other form: %s", form, f.name, f.how),
		}
	case f.whole != nil:
		if err := f.whole(r, raw); err != nil {
			return f.unlike("it cannot be read", err)
		}
		return nil
	case begins[0] == '<':
		return f.unlike("it is XML", nil)
	case broken != nil:
		return f.unlike("it cannot be read", broken)
	case !f.fits(top):
		return f.unlike("it does not have the form of one", nil)
	}
	if f.read(r, top); top.doc.fault != nil {
		return f.unlike("it cannot be read", top.doc.fault)
	}
	return nil
}

// unlike is the error for what is no report of a format.
func (f resultFormat) unlike(why string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("this is no report of the form %s: %s", f.name, why), Err: err,
		Remedy: "look at what the tool said when it ran, and have it write the report again: " + f.how,
	}
}

// recognise tells whose form a JSON document has; "" for none that is known.
func recognise(top datum) string {
	if list, ok := top.v.([]any); ok && len(list) == 0 { // what gitleaks writes for none says nothing of who wrote it
		return ""
	}
	for _, f := range resultFormats {
		if f.fits != nil && f.fits(top) {
			return f.name
		}
	}
	return ""
}

// toolWords are the tools that say who they are in what they write.
var toolWords = []string{"gitleaks", "trivy", "grype", "snyk", "checkov", "kics", "semgrep", "codeql", "govulncheck", "zap"}

func toolWord(name string) string {
	for _, w := range strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return !unicode.IsLetter(c) }) {
		if slices.Contains(toolWords, w) {
			return w
		}
	}
	return ""
}

// whose refuses the report of one well-known tool under the name of another.
func (r *resultReader) whose(format string) error {
	said, named := cmp.Or(toolWord(format), toolWord(r.report.Tool.Name)), toolWord(r.o.Source)
	if said == "" || named == "" || said == named {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("this is a report of %s, and it is given as one of %s", said, r.o.Source),
		Remedy: "name the source of the map that stands for the tool that wrote it",
	}
}

// resultReader gathers a report while one is read.
type resultReader struct {
	o       ResultOptions
	report  verdict.Report
	outside []string // places that are not in the tree
	hushed  int      // findings that the tool was told to pass over
	more    int      // findings beyond maxHits
}

// open tells what was not checked.
func (r *resultReader) open(p, format string, args ...any) {
	r.told(wording.Open(p, format, args...))
}

// aside tells what is no reason to doubt the rest.
func (r *resultReader) aside(p, format string, args ...any) {
	r.told(wording.Aside(p, format, args...))
}

func (r *resultReader) told(n verdict.NotChecked) {
	if n.Reason = oneLine(n.Reason, 400); len(r.report.NotChecked) < maxTold {
		r.report.NotChecked = append(r.report.NotChecked, n)
	} else if n.Blocks {
		r.report.NotChecked[maxTold-1] = wording.Open("", "there is more that the tool did not check than is told here")
	}
}

// maxTold bounds what is told of things that were not checked.
const maxTold = 200

// by says which tool it is. Several are told as such.
func (r *resultReader) by(name, version string) {
	name, version = oneLine(name, 100), oneLine(version, 60)
	switch t := &r.report.Tool; {
	case t.Name == "":
		*t = verdict.Tool{Name: name, Version: version}
	case t.Name != name && !slices.Contains(strings.Split(t.Name, ", "), name) && len(t.Name) < 400:
		t.Name, t.Version = t.Name+", "+name, ""
	}
}

// hit takes one finding. where is the tool's own word for the place, and suppressed how
// the tool was told to pass over it, empty where it was not. A suppression does not count:
// a change could bring it.
func (r *resultReader) hit(h verdict.Hit, where, suppressed string) {
	if len(r.report.Hits) >= maxHits {
		r.more++
		return
	}
	h.Path = r.place(where)
	h.Message, h.Detector, h.Fix, h.Key = oneLine(h.Message, 400), oneLine(h.Detector, 200), oneLine(h.Fix, 400), oneLine(h.Key, 600)
	if h.Detector == "" {
		h.Detector = "unnamed"
	}
	if h.Message == "" {
		h.Message = h.Detector
	}
	if h.Line < 0 {
		h.Line = 0
	}
	if h.Key == "" {
		h.Key = h.Detector + ":" + h.Path
	}
	if suppressed != "" {
		r.hushed++
		h.Message += "; it is suppressed " + oneLine(suppressed, 100) + ", which does not count: a change could bring that"
	}
	h.Severity = cmp.Or(h.Severity, verdict.SeverityUnknown)
	r.report.Hits = append(r.report.Hits, h)
}

// place is a path of the tree, with slashes; "" for what lies elsewhere or could.
func (r *resultReader) place(where string) string {
	p := where
	if rest, ok := strings.CutPrefix(p, "file://"); ok {
		if u, err := url.PathUnescape(rest); err == nil {
			p = u
		}
	}
	p = strings.ReplaceAll(p, `\`, "/")
	if r.o.Root != "" {
		p = strings.TrimPrefix(p, strings.TrimSuffix(r.o.Root, "/")+"/")
	}
	switch {
	case p == "":
		return ""
	case len(p) > 4096, path.IsAbs(p), strings.Contains(p, "://"), len(p) > 1 && p[1] == ':', strings.ContainsRune(p, 0),
		slices.Contains(strings.Split(p, "/"), ".."):
		r.outside = append(r.outside, oneLine(where, 200))
		return ""
	}
	return oneLine(path.Join(r.o.Below, p), 4096)
}

// finish orders the report and says whether it is complete.
func (r *resultReader) finish() verdict.Report {
	x := &r.report
	if n := len(r.outside); n > 0 {
		r.aside("", "%d findings are at places outside of the tree, such as %s: they count, and name no file", n, r.outside[0])
	}
	if r.hushed > 0 {
		r.aside("", "%d findings are suppressed in the tool's own way and count all the same", r.hushed)
	}
	if r.more > 0 {
		r.open("", "%d more findings than a report holds are not listed", r.more)
	}
	if x.Check == VulnerabilitiesCheck {
		r.onlyVulnerabilities()
	}
	byPlace := func(a, b verdict.Hit) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Message, b.Message))
	}
	slices.SortStableFunc(x.Hits, byPlace)
	taken := map[string]int{}
	for i := range x.Hits {
		h := &x.Hits[i]
		if taken[h.Key]++; taken[h.Key] > 1 {
			h.Key += fmt.Sprintf("#%d", taken[h.Key])
		}
	}
	slices.SortStableFunc(x.Hits, func(a, b verdict.Hit) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), byPlace(a, b))
	})
	if x.Hits == nil {
		x.Hits = []verdict.Hit{}
	}
	if x.NotChecked == nil {
		x.NotChecked = []verdict.NotChecked{}
	}
	x.Complete = complete(x.NotChecked)
	return *x
}

// onlyVulnerabilities takes out what answers another question, and holds the report to
// what a match against advisories has to say: from when its data is.
func (r *resultReader) onlyVulnerabilities() {
	x := &r.report
	before := len(x.Hits)
	x.Hits = slices.DeleteFunc(x.Hits, func(h verdict.Hit) bool { return h.Vulnerability == nil })
	if n := before - len(x.Hits); n > 0 {
		r.open("", "%d findings name no vulnerable component: let %s look for vulnerabilities alone and write its own JSON, or give it another kind in the map", n, r.o.Source)
	}
	if x.Database == nil && !r.o.DataAt.IsZero() {
		x.Database = &verdict.Database{Name: x.Tool.Name, At: r.o.DataAt.UTC(), Ecosystems: []string{}}
	}
	if x.Database == nil || x.Database.At.IsZero() {
		x.Database = nil
		r.open("", "the report does not say from when the vulnerability data is: whoever knows it says so with verdict attest --data-at TIME")
	}
}

// vulnerability makes the hit of one advisory that applies to one component. The
// component is what purl says, else name and version alone.
func vulnerability(v verdict.Vulnerability, purl string, c verdict.Component) verdict.Hit {
	if p, err := sbom.ParsePURL(purl); purl != "" && err == nil {
		if known, ok := p.Component(); ok {
			c = known
		} else {
			c.PURL = p.String()
		}
	}
	c.Name, c.Version, c.Ecosystem = oneLine(c.Name, 300), oneLine(c.Version, 100), oneLine(c.Ecosystem, 60)
	v.ID, v.Summary, v.Fixed, v.Component = oneLine(v.ID, 100), oneLine(v.Summary, 300), oneLine(v.Fixed, 100), c
	v.Severity = cmp.Or(v.Severity, verdict.SeverityUnknown)
	aliases := []string{}
	for _, a := range v.Aliases {
		if a = oneLine(a, 100); a != "" && a != v.ID {
			aliases = append(aliases, a)
		}
	}
	slices.Sort(aliases)
	v.Aliases = slices.Compact(aliases[:min(len(aliases), 100)])
	v.Path = nonNil(v.Path)
	v.Malicious = v.Malicious || strings.HasPrefix(v.ID, "MAL-") || slices.ContainsFunc(v.Aliases, func(a string) bool { return strings.HasPrefix(a, "MAL-") })
	h := verdict.Hit{
		Key: v.ID + "@" + cmp.Or(c.PURL, c.Name+"@"+c.Version), Detector: v.ID, Severity: v.Severity,
		Message: strings.TrimSuffix(c.Name+" "+c.Version+": "+v.Summary, ": "), Vulnerability: &v,
	}
	switch {
	case v.Malicious:
		h.Fix = inventory.Fix(inventory.Dependency{Component: c}, v)
	case v.Fixed != "":
		h.Fix = "take " + c.Name + " " + v.Fixed
	}
	return h
}

// oneLine makes a foreign text fit for a document: one line, of characters that show,
// and not long.
func oneLine(s string, n int) string {
	if len(s) > 4*n+64 {
		s = s[:4*n+64]
	}
	s = strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, wording.Shown(s))
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n]) + "…"
	}
	return s
}

// severityWord reads the words in which tools say how bad something is.
func severityWord(s string) verdict.Severity {
	switch strings.ToLower(s) {
	case "critical":
		return verdict.SeverityCritical
	case "high", "important", "error":
		return verdict.SeverityHigh
	case "medium", "moderate", "warning":
		return verdict.SeverityMedium
	case "low", "minor", "note":
		return verdict.SeverityLow
	case "info", "informational", "negligible", "none", "trace":
		return verdict.SeverityInfo
	}
	return verdict.SeverityUnknown
}

// severityScore reads the scale of CVSS 3.1 and 4.0, from 0 to 10.
func severityScore(score float64) verdict.Severity {
	switch {
	case score >= 9:
		return verdict.SeverityCritical
	case score >= 7:
		return verdict.SeverityHigh
	case score >= 4:
		return verdict.SeverityMedium
	case score > 0:
		return verdict.SeverityLow
	}
	return verdict.SeverityInfo
}
