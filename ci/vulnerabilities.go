package ci

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
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
	imports goImports
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
		v.imports.close(m, v.partial, v.leftOut)
		v.match(&r, places)
	}
	r.NotChecked = bounded(r.NotChecked)
	r.Complete = complete(r.NotChecked)
	return r
}

// bounded keeps a report to a size; what is folded keeps its weight.
func bounded(list []verdict.NotChecked) []verdict.NotChecked {
	if len(list) <= wording.MaxNotChecked {
		return list
	}
	rest := list[wording.MaxNotChecked:]
	return append(slices.Clone(list[:wording.MaxNotChecked]), verdict.NotChecked{Reason: fmt.Sprintf("%d more of these", len(rest)), Blocks: !complete(rest)})
}

// tellUnmatched says which components no advisory can be about, and reports whether there
// are others.
func tellUnmatched(r *verdict.Report, places map[string][]inventory.Dependency) (matchable bool) {
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
			"%s in the bill of materials and not matched: no database of advisories is about that", wording.Count(unmatched[e], "component of "+e+" is", "components of "+e+" are"))})
	}
	return matchable
}

// byPURL groups the places of each component.
func byPURL(found []inventory.Dependency) map[string][]inventory.Dependency {
	places := map[string][]inventory.Dependency{}
	for _, d := range found {
		places[d.PURL] = append(places[d.PURL], d)
	}
	return places
}

// match judges each component once, whatever the number of files that name it.
func (v *Vulnerabilities) match(r *verdict.Report, places map[string][]inventory.Dependency) {
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
			r.NotChecked = append(r.NotChecked, wording.Open(d[0].Source, "%s was not judged completely: %s", purl, wording.Shown(wording.Cut(err.Error(), 400))))
		}
		for _, hit := range hits {
			if len(r.Hits) == maxHits {
				r.NotChecked = append(r.NotChecked, verdict.NotChecked{Reason: "there are more vulnerabilities than a report holds", Blocks: true})
				return
			}
			r.Hits = append(r.Hits, v.imports.reached(hitOf(hit, d), d))
		}
	}
	for _, e := range slices.Sorted(maps.Keys(ecosystems)) {
		if !v.matcher.Covers(e) {
			r.NotChecked = append(r.NotChecked, verdict.NotChecked{Blocks: true, Reason: fmt.Sprintf(
				"no advisories for %s, and %s of it: run `verdict advisories update %q`, or `verdict advisories import` with its archive", e, wording.Count(ecosystems[e], "component", "components"), e)})
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
func hitOf(x verdict.Vulnerability, places []inventory.Dependency) verdict.Hit {
	d := places[0]
	if i := slices.IndexFunc(places, func(d inventory.Dependency) bool { return d.Direct }); i >= 0 {
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
		Key: x.ID + "@" + d.PURL, Detector: x.ID, Message: wording.Shown(b.String()), Severity: cmp.Or(x.Severity, verdict.SeverityUnknown),
		Path: wording.Shown(d.Source), Line: d.Line, Fix: inventory.Fix(d, x), Vulnerability: &x,
	}
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
