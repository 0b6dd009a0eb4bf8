package ci

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"verdict"
	"verdict/ci/inventory"
)

func isTrivy(top datum) bool {
	o, ok := top.v.(object)
	return ok && o["SchemaVersion"] != nil && (o["ArtifactName"] != nil || o["Results"] != nil)
}

// readTrivy reads trivy's JSON, schema version 2. It lists what it looked at under
// Results; without any it found nothing to look at. Secrets are told without their text.
func readTrivy(r *resultReader, top datum) {
	r.by("trivy", top.dig("Trivy", "Version").str())
	results := top.get("Results").objects()
	if len(results) == 0 {
		r.open("", "trivy names nothing that it looked at: it found no file that it knows, or it was told to skip them")
	}
	for _, x := range results {
		t := trivy{r, x.text("Target")}
		r.report.Scope.Inputs++
		for _, v := range x.get("Vulnerabilities").objects() {
			t.vulnerability(v, "")
		}
		for _, m := range x.get("Misconfigurations").objects() {
			t.misconfiguration(m, "")
		}
		for _, s := range x.get("Secrets").objects() {
			t.secret(s, "")
		}
		for _, l := range x.get("Licenses").objects() {
			t.licence(l)
		}
		for _, m := range x.get("ExperimentalModifiedFindings").objects() {
			how := cmp.Or(m.text("Status"), "set aside") + " by " + cmp.Or(m.text("Source"), "its settings")
			switch finding := m.get("Finding"); m.text("Type") {
			case "vulnerability":
				t.vulnerability(finding, how)
			case "misconfiguration":
				t.misconfiguration(finding, how)
			case "secret":
				t.secret(finding, how)
			default:
				r.open(r.placeQuietly(t.target), "a finding was %s, and its type is none that is read", how)
			}
		}
	}
}

type trivy struct {
	r      *resultReader
	target string
}

func (t trivy) vulnerability(v datum, suppressed string) {
	x := verdict.Vulnerability{
		ID: v.text("VulnerabilityID"), Summary: v.text("Title"), Severity: severityWord(v.text("Severity")), Fixed: v.text("FixedVersion"), EPSS: -1,
	}
	for _, id := range v.get("VendorIDs").list() {
		x.Aliases = append(x.Aliases, id.str())
	}
	h := vulnerability(x, v.dig("PkgIdentifier", "PURL").str(), verdict.Component{Name: v.text("PkgName"), Version: v.text("InstalledVersion")})
	t.r.report.Scope.Components++
	t.r.hit(h, cmp.Or(v.text("PkgPath"), t.target), suppressed)
}

func (t trivy) misconfiguration(m datum, suppressed string) {
	if suppressed == "" {
		switch m.text("Status") {
		case "PASS":
			return
		case "EXCEPTION":
			suppressed = "by an exception"
		}
	}
	t.r.hit(verdict.Hit{
		Detector: cmp.Or(m.text("AVDID"), m.text("ID")), Message: cmp.Or(m.text("Title"), m.text("Message")), Severity: severityWord(m.text("Severity")),
		Line: m.get("CauseMetadata").count("StartLine"), Fix: m.text("Resolution"),
		Key: cmp.Or(m.text("ID"), m.text("AVDID")) + ":" + t.r.placeQuietly(t.target) + ":" + oneLine(m.dig("CauseMetadata", "Resource").str(), 200),
	}, t.target, suppressed)
}

func (t trivy) secret(s datum, suppressed string) {
	t.r.hit(verdict.Hit{
		Detector: s.text("RuleID"), Message: cmp.Or(s.text("Title"), s.text("RuleID")), Severity: severityWord(s.text("Severity")), Line: s.count("StartLine"),
		Fix: "revoke it where it was issued, then take it out of the file and out of git's history",
	}, t.target, suppressed)
}

func (t trivy) licence(l datum) {
	name := l.text("Name")
	t.r.hit(verdict.Hit{
		Key: "licence:" + oneLine(name, 100) + ":" + oneLine(l.text("PkgName"), 200), Detector: name,
		Message: fmt.Sprintf("licence %s of %s", name, cmp.Or(l.text("PkgName"), "a file")), Severity: severityWord(l.text("Severity")),
	}, cmp.Or(l.text("FilePath"), t.target), "")
}

func isGrype(top datum) bool {
	o, ok := top.v.(object)
	return ok && o["matches"] != nil && o["descriptor"] != nil
}

// readGrype reads grype's JSON. Its database says when it was built, in one place up to
// version 5 of its schema and in another from 6 on.
func readGrype(r *resultReader, top datum) {
	d := top.get("descriptor")
	r.by(cmp.Or(d.text("name"), "grype"), d.text("version"))
	db := d.get("db")
	built := cmp.Or(db.text("built"), db.dig("status", "built").str())
	if at, err := time.Parse(time.RFC3339, built); err == nil {
		r.report.Database = &verdict.Database{Name: "grype's database", At: at.UTC(), Ecosystems: []string{}}
	} else if built != "" {
		db.wrong("a database with the time when it was built")
	}
	for _, m := range top.get("matches").objects() {
		r.grypeMatch(m, "")
	}
	for _, m := range top.get("ignoredMatches").objects() {
		how := "by a rule of its settings"
		for _, rule := range m.get("appliedIgnoreRules").objects() {
			if n := rule.text("namespace"); n == "vex" {
				how = "by a VEX document that it was given"
			}
		}
		r.grypeMatch(m, how)
	}
	if !top.has("source") {
		r.open("", "grype does not say what it looked at")
	}
	r.aside("", "grype does not say which components it looked at")
}

func (r *resultReader) grypeMatch(m datum, suppressed string) {
	v, a := m.get("vulnerability"), m.get("artifact")
	x := verdict.Vulnerability{ID: v.text("id"), Summary: v.text("description"), Severity: severityWord(v.text("severity")), EPSS: -1, Exploited: len(v.get("knownExploited").list()) > 0}
	var fixed []string
	for _, f := range v.dig("fix", "versions").list() {
		fixed = append(fixed, f.str())
	}
	x.Fixed = strings.Join(fixed, ", ")
	for _, related := range m.get("relatedVulnerabilities").objects() {
		x.Aliases = append(x.Aliases, related.text("id"))
	}
	if all := v.get("epss").objects(); len(all) > 0 {
		if p, ok := all[0].get("epss").number(); ok && p >= 0 && p <= 1 {
			x.EPSS = int64(p * 1e6)
		}
	}
	where := ""
	if at := a.get("locations").objects(); len(at) > 0 {
		where = strings.TrimPrefix(at[0].text("path"), "/") // grype writes the tree's top as /
	}
	r.report.Scope.Components++
	r.hit(vulnerability(x, a.text("purl"), verdict.Component{Name: a.text("name"), Version: a.text("version")}), where, suppressed)
}

func isSnyk(top datum) bool {
	if list, ok := top.v.([]any); ok {
		for i := range list {
			if !isSnyk(datum{v: list[i], doc: top.doc}) {
				return false
			}
		}
		return len(list) > 0
	}
	o, ok := top.v.(object)
	if !ok {
		return false
	}
	_, list := o["vulnerabilities"].([]any)
	_, failed := o["error"].(string)
	okFlag, said := o["ok"].(bool)
	return list && (said || o["packageManager"] != nil) || failed && said && !okFlag
}

// readSnyk reads the JSON of `snyk test`: one project, or a list of them. A project that
// could not be tested stands in the list as an error.
func readSnyk(r *resultReader, top datum) {
	r.by("snyk", "")
	projects := []datum{top}
	if _, several := top.v.([]any); several {
		projects = top.objects()
	}
	for _, p := range projects {
		where := cmp.Or(p.text("displayTargetFile"), p.text("path"))
		if e := p.text("error"); e != "" {
			r.open(r.placeQuietly(where), "Snyk could not test it: %s", e)
			continue
		}
		n := p.count("dependencyCount")
		if r.report.Scope.Components += n; n == 0 {
			r.open(r.placeQuietly(where), "Snyk counts no dependency that it tested")
		}
		r.report.Scope.Inputs++
		for _, v := range p.get("vulnerabilities").objects() {
			r.snyk(v, where, "")
		}
		for _, v := range p.dig("filtered", "ignore").objects() {
			r.snyk(v, where, "by a policy of Snyk")
		}
	}
}

func (r *resultReader) snyk(v datum, where, suppressed string) {
	x := verdict.Vulnerability{ID: v.text("id"), Summary: v.text("title"), Severity: severityWord(v.text("severity")), EPSS: -1}
	x.Malicious = strings.Contains(strings.ToLower(x.Summary), "malicious package")
	for _, kind := range []string{"CVE", "GHSA"} {
		for _, id := range v.dig("identifiers", kind).list() {
			x.Aliases = append(x.Aliases, id.str())
		}
	}
	var fixed []string
	for _, f := range v.get("fixedIn").list() {
		fixed = append(fixed, f.str())
	}
	x.Fixed = strings.Join(fixed, ", ")
	from := v.get("from").list()
	for i, f := range from {
		if i < 100 {
			x.Path = append(x.Path, oneLine(f.str(), 200))
		}
	}
	x.Direct = len(from) == 2
	purl := ""
	for _, p := range v.get("packageIdentifiers").objects() {
		purl = p.text("purl")
	}
	c := verdict.Component{Name: cmp.Or(v.text("packageName"), v.text("name")), Version: v.text("version")}
	if manager := map[string]string{"npm": "npm", "yarn": "npm", "pip": "pypi", "gomodules": "golang", "cargo": "cargo", "rubygems": "gem", "composer": "composer", "nuget": "nuget"}[v.text("packageManager")]; purl == "" && manager != "" {
		purl = "pkg:" + manager + "/" + strings.ReplaceAll(c.Name, "@", "%40") + "@" + c.Version
	}
	r.hit(vulnerability(x, purl, c), where, suppressed)
}

// isGovulncheck reports whether a text begins as govulncheck's stream of messages does.
func isGovulncheck(begins string) bool {
	return strings.HasPrefix(begins, "{") && strings.HasPrefix(strings.TrimLeft(begins[1:], " \t\r\n"), `"config"`) && strings.Contains(begins, `"scanner_name"`)
}

// readGovulncheck reads the stream of govulncheck -json (golang.org/x/vuln, protocol 1).
// A finding comes once for the module, once for the package and once for each function
// that is reached; the one that knows most tells.
func readGovulncheck(r *resultReader, raw []byte) error {
	messages, err := parseStream(raw)
	if err != nil {
		return err
	}
	g := govulncheck{r: r, osv: map[string]datum{}, best: map[string]datum{}}
	for _, m := range messages {
		if _, ok := m.v.(object); !ok {
			return fmt.Errorf("%s is not an object", m.at)
		}
		if err := g.message(m); err != nil {
			return err
		}
		if m.doc.fault != nil {
			return m.doc.fault
		}
	}
	if !g.configured {
		return errors.New("it holds no message that says which govulncheck wrote it")
	}
	g.tell()
	if r.report.Database == nil && r.o.DataAt.IsZero() && r.o.Check != VulnerabilitiesCheck { // which tells it of every tool
		r.open("", "govulncheck's database does not say from when it is: one that is empty finds nothing")
	}
	r.aside("", "govulncheck's stream has no end mark: only its exit code tells a whole one from one that was cut")
	return g.fault
}

type govulncheck struct {
	r          *resultReader
	osv, best  map[string]datum
	order      []string
	configured bool
	fault      error
}

func (g *govulncheck) message(m datum) error {
	if c := m.get("config"); c.v != nil {
		g.configured = true
		if v := c.text("protocol_version"); !strings.HasPrefix(v, "v1.") {
			return fmt.Errorf("its protocol %s is not version 1", oneLine(v, 20))
		}
		g.r.by(cmp.Or(c.text("scanner_name"), "govulncheck"), c.text("scanner_version"))
		db := verdict.Database{Name: oneLine(c.text("db"), 200), Ecosystems: []string{inventory.EcosystemGo}}
		if at := c.text("db_last_modified"); at != "" {
			when, err := time.Parse(time.RFC3339, at)
			if err != nil {
				return errors.New("the time of its database is none")
			}
			db.At = when.UTC()
			g.r.report.Database = &db
		}
	}
	if o := m.get("osv"); o.v != nil {
		g.osv[o.text("id")] = o
	}
	if s := m.get("SBOM"); s.v != nil {
		g.r.report.Scope.Components = int64(len(s.get("modules").list()))
	}
	if f := m.get("finding"); f.v != nil {
		trace := f.get("trace").objects()
		if len(trace) == 0 {
			return fmt.Errorf("%s: a finding without trace", m.at)
		}
		key := f.text("osv") + "@" + trace[0].text("module") + "@" + trace[0].text("version")
		old, known := g.best[key]
		if !known {
			g.order = append(g.order, key)
		}
		if !known || depthOf(f) > depthOf(old) {
			g.best[key] = f
		}
	}
	return nil
}

// howFar ends the message of a finding, by its depth.
var howFar = []string{" (required; no vulnerable package is imported)", " (imported; no vulnerable function is called)", " (a vulnerable function is called)"}

// Called reports whether a tool that follows calls says of a hit that what is vulnerable is
// called, and whether it is at least imported.
func Called(h verdict.Hit) (called, imported bool) {
	called = strings.HasSuffix(h.Message, howFar[2])
	return called, called || strings.HasSuffix(h.Message, howFar[1])
}

// depthOf is how much a finding knows: 0 the module, 1 the package, 2 the function.
func depthOf(f datum) int {
	first := f.get("trace").objects()[0]
	switch {
	case first.has("function"):
		return 2
	case first.has("package"):
		return 1
	}
	return 0
}

func (g *govulncheck) tell() {
	for _, key := range g.order {
		f := g.best[key]
		trace := f.get("trace").objects()
		o, known := g.osv[f.text("osv")]
		if !known {
			o = datum{doc: f.doc}
		}
		x := verdict.Vulnerability{ID: f.text("osv"), Summary: o.text("summary"), Fixed: f.text("fixed_version"), EPSS: -1}
		for _, a := range o.get("aliases").list() {
			x.Aliases = append(x.Aliases, a.str())
		}
		c := verdict.Component{Ecosystem: inventory.EcosystemGo, Name: trace[0].text("module"), Version: trace[0].text("version")}
		h := vulnerability(x, "pkg:golang/"+c.Name+"@"+c.Version, c)
		h.Message = oneLine(h.Message, 340) + howFar[depthOf(f)]
		last := trace[len(trace)-1].get("position")
		where := last.text("filename")
		if h.Line = last.count("line"); where == "" {
			where = "go.mod"
		}
		h.Vulnerability.Reach = &verdict.Reach{Imported: verdict.ReachNo, Why: "govulncheck found no import of an affected package"}
		if depthOf(f) > 0 {
			h.Vulnerability.Reach = &verdict.Reach{Imported: verdict.ReachYes, Package: oneLine(trace[0].text("package"), 300), Path: g.r.placeQuietly(where), Line: h.Line}
		}
		if f.doc.fault != nil {
			g.fault = f.doc.fault
		}
		g.r.hit(h, where, "")
	}
}
