package ci

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"verdict"
	"verdict/sbom"
)

// VulnerabilitiesCheck is the name of the check in its report.
const VulnerabilitiesCheck = "vulnerabilities"

// Matcher knows advisories. An advisory index is one.
type Matcher interface {
	// Match gives the vulnerabilities of a component. An error beside them says that
	// there may be more.
	Match(c verdict.Component) ([]verdict.Vulnerability, error)
	// Database names the data as a whole.
	Database() verdict.Database
	// Covers reports whether the advisories of an ecosystem are there at all.
	Covers(ecosystem string) bool
}

// Databases is a Matcher that can name the part of its data that judged some ecosystems:
// what was not used needs not be fresh.
type Databases interface {
	// DatabaseFor is Database for these ecosystems alone.
	DatabaseFor(ecosystems ...string) verdict.Database
}

// Catalogue is a Matcher that can tell whether it knows which vulnerabilities are
// exploited: without the catalogue, "not exploited" is not known.
type Catalogue interface {
	// KnowsExploited reports whether the catalogue was imported.
	KnowsExploited() bool
}

// Vulnerabilities matches the components that the files of a tree name with advisories. It
// is a Reader of its own where it shares its components with nobody.
type Vulnerabilities struct {
	*Components
	matcher Matcher
	version string
}

// NewVulnerabilities makes the check. matcher is nil where there are no advisories:
// then components leave it incomplete. version is Verdict's.
func NewVulnerabilities(matcher Matcher, version string) *Vulnerabilities {
	return &Vulnerabilities{Components: NewComponents(), matcher: matcher, version: version}
}

// Report says which components of the tree are known to be vulnerable.
func (v *Vulnerabilities) Report(m *Manifest, scope string) verdict.Report {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gather()
	r := verdict.Report{
		Check: VulnerabilitiesCheck, Tool: verdict.Tool{Name: "verdict", Version: v.version},
		Scope:      verdict.Scope{Path: scope, Files: v.inputs, Bytes: v.bytes, Inputs: v.inputs},
		NotChecked: v.left(m), Hits: []verdict.Hit{},
	}
	places := byPURL(v.found)
	r.Scope.Components = int64(len(places))
	matchable := tellUnmatched(&r, places)
	switch {
	case len(places) == 0 && v.inputs == 0:
		r.NotChecked = append(r.NotChecked, v.nothing(r.NotChecked))
	case matchable && v.matcher == nil:
		r.NotChecked = append(r.NotChecked, verdict.NotChecked{
			Reason: "no advisories: run `verdict advisories update`, or `verdict advisories import` with an archive", Blocks: true})
	}
	if v.matcher != nil {
		v.match(&r, places)
	}
	r.NotChecked = bounded(r.NotChecked)
	r.Complete = complete(r.NotChecked)
	return r
}

// maxNotChecked bounds how many gaps a report lists.
const maxNotChecked = 2_000

// bounded keeps a report to a size; what is folded keeps its weight.
func bounded(list []verdict.NotChecked) []verdict.NotChecked {
	if len(list) <= maxNotChecked {
		return list
	}
	rest := list[maxNotChecked:]
	return append(slices.Clone(list[:maxNotChecked]), verdict.NotChecked{Reason: fmt.Sprintf("%d more of these", len(rest)), Blocks: !complete(rest)})
}

// tellUnmatched says which components no advisory can be about, and reports whether there
// are others.
func tellUnmatched(r *verdict.Report, places map[string][]Dependency) (matchable bool) {
	unmatched := map[string]int{}
	for _, d := range places {
		if sbom.HasAdvisories(d[0].Ecosystem) {
			matchable = true
		} else {
			unmatched[d[0].Ecosystem]++
		}
	}
	for _, e := range slices.Sorted(maps.Keys(unmatched)) {
		r.NotChecked = append(r.NotChecked, verdict.NotChecked{Reason: fmt.Sprintf(
			"%d components of %s are in the bill of materials and are not matched: no database of advisories is about them", unmatched[e], e)})
	}
	return matchable
}

// byPURL groups the places of each component.
func byPURL(found []Dependency) map[string][]Dependency {
	places := map[string][]Dependency{}
	for _, d := range found {
		places[d.PURL] = append(places[d.PURL], d)
	}
	return places
}

// match judges each component once, whatever the number of files that name it.
func (v *Vulnerabilities) match(r *verdict.Report, places map[string][]Dependency) {
	ecosystems := map[string]int{}
	for _, purl := range slices.Sorted(maps.Keys(places)) {
		d := places[purl]
		if !sbom.HasAdvisories(d[0].Ecosystem) {
			continue
		}
		if ecosystems[d[0].Ecosystem]++; !v.matcher.Covers(d[0].Ecosystem) {
			continue
		}
		c := d[0].Component
		c.Version = cmp.Or(d[0].JudgedAs, c.Version)
		hits, err := v.matcher.Match(c)
		if err != nil {
			r.NotChecked = append(r.NotChecked, open(d[0].Source, "%s was not judged completely: %s", purl, shown(cut(err.Error(), 400))))
		}
		for _, hit := range hits {
			if len(r.Hits) == maxHits {
				r.NotChecked = append(r.NotChecked, verdict.NotChecked{Reason: "there are more vulnerabilities than a report holds", Blocks: true})
				return
			}
			r.Hits = append(r.Hits, hitOf(hit, d))
		}
	}
	for _, e := range slices.Sorted(maps.Keys(ecosystems)) {
		if !v.matcher.Covers(e) {
			r.NotChecked = append(r.NotChecked, verdict.NotChecked{Blocks: true, Reason: fmt.Sprintf(
				"no advisories for %s, and %d components of it: run `verdict advisories update %q`, or `verdict advisories import` with its archive", e, ecosystems[e], e)})
		}
	}
	db := v.matcher.Database()
	if some, ok := v.matcher.(Databases); ok && len(ecosystems) > 0 {
		db = some.DatabaseFor(slices.Sorted(maps.Keys(ecosystems))...)
	}
	r.Database = &db
	if c, ok := v.matcher.(Catalogue); ok && !c.KnowsExploited() && len(places) > 0 {
		r.NotChecked = append(r.NotChecked, verdict.NotChecked{Reason: "no catalogue of exploited vulnerabilities was imported, so none is marked as exploited"})
	}
	slices.SortStableFunc(r.Hits, func(a, b verdict.Hit) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
}

// hitOf tells a vulnerability at the first place of its component, preferring one where
// the project asks for it itself.
func hitOf(x verdict.Vulnerability, places []Dependency) verdict.Hit {
	d := places[0]
	if i := slices.IndexFunc(places, func(d Dependency) bool { return d.Direct }); i >= 0 {
		d = places[i]
	}
	x.Component, x.Direct, x.Path = d.Component, d.Direct, nonNil(d.Path)
	x.Aliases = nonNil(x.Aliases)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", d.Name, d.Version)
	if x.Summary != "" {
		fmt.Fprintf(&b, ": %s", x.Summary)
	}
	if len(d.Path) > 2 {
		fmt.Fprintf(&b, " (brought in by %s)", d.Path[1])
	}
	if d.Development {
		b.WriteString(" (for development)")
	}
	if n := len(places) - 1; n > 0 {
		fmt.Fprintf(&b, " (named in %d more places)", n)
	}
	return verdict.Hit{
		Key: x.ID + "@" + d.PURL, Detector: x.ID, Message: shown(b.String()), Severity: cmp.Or(x.Severity, verdict.SeverityUnknown),
		Path: shown(d.Source), Line: d.Line, Fix: fix(d, x), Vulnerability: &x,
	}
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// fix is the command or edit that takes the fixed version.
func fix(d Dependency, x verdict.Vulnerability) string {
	if x.Malicious {
		return "remove " + d.Name + ", treat the machines that installed it as compromised, and change the secrets that they hold"
	}
	if x.Fixed == "" {
		return "no fixed version is known: look for another component, or let the deployment gate judge the risk"
	}
	change := upgrade(d, shown(d.Name), shown(x.Fixed))
	// A command for a file below the top fails there, or makes a project of the top.
	if dir := path.Dir(d.Source); dir != "." && !strings.HasSuffix(change, shown(d.Source)) {
		change = "in " + shown(dir) + ": " + change
	}
	return change
}

// upgrade is what takes a version in the folder of the file that names a component.
func upgrade(d Dependency, name, to string) string {
	if change := relocked(d, name, to); change != "" {
		return change
	}
	switch {
	case d.Ecosystem == ecosystemGo && d.Name == "stdlib":
		return "build with Go " + to + " or later: go get toolchain@go" + to
	case d.Ecosystem == ecosystemGo:
		return "go get " + name + "@v" + strings.TrimPrefix(to, "v")
	case d.Ecosystem == ecosystemActions:
		return "use " + name + " in release " + to + " or later, by its commit, in line " + fmt.Sprint(d.Line) + " of " + shown(d.Source)
	case d.Ecosystem == ecosystemNPM && d.Direct:
		return "npm install " + name + "@" + to
	case d.Ecosystem == ecosystemNPM && len(d.Path) > 1:
		return "take a version of " + shown(d.Path[1]) + " that needs " + name + " " + to + " or later: npm audit fix"
	case d.Ecosystem == ecosystemNPM:
		return "npm audit fix (" + name + " " + to + " or later)"
	case d.Ecosystem == ecosystemCargo:
		return "cargo update -p " + name + "@" + shown(d.Version) + " --precise " + to
	case d.Ecosystem == ecosystemPyPI && len(d.Hashes) > 0: // another version has others
		return "pip-compile --generate-hashes --upgrade-package " + name + "==" + to + " -o " + shown(path.Base(d.Source))
	case d.Ecosystem == ecosystemPyPI:
		return "write " + name + "==" + to + " in line " + fmt.Sprint(d.Line) + " of " + shown(d.Source)
	}
	return "take " + name + " " + to + " or later"
}
