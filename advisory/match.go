package advisory

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/osv-scalibr/semantic"

	"verdict"
)

// The reasons, beside ErrVersion, for which Match cannot tell. They come inside an
// *UnjudgedError.
var (
	// ErrNotCovered says that the index has no complete data for the ecosystem.
	ErrNotCovered = errors.New("no advisories were imported for this ecosystem")
	// ErrNotMatchable says that an advisory names the package and no versions that can
	// be compared.
	ErrNotMatchable = errors.New("an advisory cannot be compared with versions")
)

// UnjudgedError says that the hits that Match found may not be all: something about the
// component could not be judged. A caller reports it as not checked.
type UnjudgedError struct {
	Component  verdict.Component
	Advisories []string // ids that could not be judged; empty when none could be
	Reasons    []error  // each wraps ErrVersion, ErrNotCovered or ErrNotMatchable
}

// Error names component, reasons and advisories in one line.
func (e *UnjudgedError) Error() string {
	var reasons []string
	for _, r := range e.Reasons {
		reasons = append(reasons, r.Error())
	}
	s := fmt.Sprintf("%s %.200q %.80q: %s", e.Component.Ecosystem, e.Component.Name, e.Component.Version, strings.Join(reasons, "; "))
	if n := len(e.Advisories); n > 5 {
		return fmt.Sprintf("%s (%s and %d more)", s, strings.Join(e.Advisories[:5], ", "), n-5)
	} else if n > 0 {
		return fmt.Sprintf("%s (%s)", s, strings.Join(e.Advisories, ", "))
	}
	return s
}

// Unwrap lets errors.Is find the reasons.
func (e *UnjudgedError) Unwrap() []error { return e.Reasons }

// Match gives the vulnerabilities of a component, never nil: malicious ones first, then
// exploited ones, then by severity.
// Advisories that are one fault under several ids (CVE, GHSA, GO …) are one vulnerability. Its id is the first
// of: MAL-, CVE-, the ecosystem's own database (GO-, RUSTSEC-, PYSEC-), GHSA-, any
// other; among equals the lowest. A CVE goes first because it stays the same whatever
// databases are imported.
//
// An *UnjudgedError comes beside the hits when the component could not be judged
// completely. With any other error there are no hits.
func (x *Index) Match(c verdict.Component) ([]verdict.Vulnerability, error) {
	hits := []verdict.Vulnerability{}
	var unjudged *UnjudgedError
	err := x.guard(func() error {
		list, err := x.postings(keyOf(c.Ecosystem, c.Name))
		if err != nil {
			return err
		}
		o := orderOf(c.Ecosystem, c.Name)
		m := &matcher{component: c, order: o, parse: placed(o)}
		m.place, m.err = o.parse(c.Version)
		for _, f := range faults(m.all(current(list))) {
			if v, hit := m.judge(f); hit {
				hits = append(hits, x.rated(v, upstreamOf(f)))
			}
		}
		if !x.Covers(c.Ecosystem) {
			m.fail(fmt.Errorf("%s: %w", c.Ecosystem, ErrNotCovered))
		}
		unjudged = m.unjudged
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(hits, func(a, b verdict.Vulnerability) int {
		return cmp.Or(later(a.Malicious, b.Malicious), later(a.Exploited, b.Exploited),
			cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), compareIDs(a.ID, b.ID))
	})
	if unjudged != nil {
		slices.Sort(unjudged.Advisories)
		return hits, unjudged
	}
	return hits, nil
}

// later orders what is not so after what is.
func later(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// upstreamOf are the faults that the advisories of a distribution which hit are about.
func upstreamOf(fault []judged) []string {
	var out []string
	for _, p := range fault {
		if p.yes {
			out = append(out, p.upstream...)
		}
	}
	return out
}

// rated adds what KEV and EPSS say about the ids and about what they are about.
func (x *Index) rated(v verdict.Vulnerability, upstream []string) verdict.Vulnerability {
	for _, id := range slices.Concat([]string{v.ID}, v.Aliases, upstream) {
		if n, ok := numberOfCVE(id); ok {
			v.Exploited = v.Exploited || x.exploited(n)
			if ppm, ok := x.probability(n); ok {
				v.EPSS = max(v.EPSS, ppm)
			}
		}
	}
	return v
}

// current leaves out withdrawn records and those that another source has in a newer
// state under the same id. A record without a time supersedes nothing and is not
// superseded.
func current(list []posting) []posting {
	newest := map[string]int64{}
	for _, p := range list {
		newest[p.id] = max(newest[p.id], p.modified)
	}
	return slices.DeleteFunc(slices.Clone(list), func(p posting) bool {
		return p.withdrawn || p.modified != 0 && p.modified < newest[p.id]
	})
}

// judged is a posting with what it says about our component.
type judged struct {
	posting
	yes bool
	err error // why it cannot be said
}

// all judges the postings of the component's package. When none says anything about our
// version, none is left.
func (m *matcher) all(list []posting) []judged {
	out := make([]judged, len(list))
	matters := false
	for i, p := range list {
		yes, err := m.affects(p, m.component.Version, m.place, m.err)
		out[i] = judged{p, yes, err}
		matters = matters || yes || err != nil
	}
	if !matters {
		return nil
	}
	return out
}

// faults groups postings that are one fault: those that share an id or alias, over any
// number of steps, as the OSV schema defines aliases.
func faults(list []judged) [][]judged {
	leader := map[string]string{}
	find := func(id string) string {
		for leader[id] != "" && leader[id] != id {
			id = leader[id]
		}
		return id
	}
	for _, p := range list {
		root := find(p.id)
		for _, a := range p.aliases {
			leader[find(a)] = root
		}
	}
	groups := map[string][]judged{}
	for _, p := range list {
		root := find(p.id)
		groups[root] = append(groups[root], p)
	}
	out := slices.Collect(maps.Values(groups))
	slices.SortFunc(out, func(a, b []judged) int { return cmp.Compare(a[0].id, b[0].id) })
	return out
}

// matcher judges the faults of one component.
type matcher struct {
	component verdict.Component
	order     order
	parse     func(string) (semantic.Version, error)
	place     semantic.Version
	err       error // of place
	semver    func(string) (semantic.Version, error)
	unjudged  *UnjudgedError
}

// fail notes that something could not be judged; each reason once.
func (m *matcher) fail(reason error, ids ...string) {
	if m.unjudged == nil {
		m.unjudged = &UnjudgedError{Component: m.component}
	}
	m.unjudged.Advisories = append(m.unjudged.Advisories, ids...)
	for _, r := range m.unjudged.Reasons {
		if r.Error() == reason.Error() {
			return
		}
	}
	m.unjudged.Reasons = append(m.unjudged.Reasons, reason)
}

// judge decides about one fault. It is a hit when any of its records says so; without
// one, a record that cannot be judged makes the component unjudged.
func (m *matcher) judge(fault []judged) (verdict.Vulnerability, bool) {
	v := verdict.Vulnerability{Component: m.component, EPSS: -1, Path: []string{}, Severity: verdict.SeverityUnknown}
	var reason error
	hit := false
	for _, p := range fault {
		hit = hit || p.yes
		reason = cmp.Or(reason, p.err)
	}
	if !hit && reason == nil {
		return v, false
	}
	var names []string
	for _, p := range fault {
		names = append(append(names, p.id), p.aliases...)
		v.Severity = worseOf(v.Severity, p.severity)
		v.Summary = cmp.Or(v.Summary, p.summary)
		v.Malicious = v.Malicious || p.yes && p.malicious
		if p.yes { // a record that names no packages says nothing against one that does
			v.Packages = append(v.Packages, p.packages...)
		}
	}
	slices.Sort(v.Packages)
	v.Packages = slices.Compact(v.Packages)
	slices.SortFunc(names, byPreference)
	names = slices.Compact(names)
	v.ID, v.Aliases = names[0], names[1:]
	slices.Sort(v.Aliases)
	if !hit {
		m.fail(reason, v.ID)
		return v, false
	}
	v.Fixed = m.fixed(fault)
	return v, true
}

// affects reports whether a posting names the version, whose place may be unknown.
func (m *matcher) affects(p posting, version string, place semantic.Version, placeErr error) (bool, error) {
	for _, v := range p.versions {
		if v == version {
			return true, nil
		}
		if placeErr == nil {
			if w, err := m.parse(v); err == nil && comparePlaces(place, w) == 0 {
				return true, nil
			}
		}
	}
	var failed error
	for _, s := range p.spans {
		if s.low == "" && s.end == endOpen {
			return true, nil // all versions, ours included, whatever it looks like
		}
		at, parse, err := place, m.parse, placeErr
		if s.semver {
			if m.semver == nil {
				m.semver = placed(semverOrder)
			}
			parse = m.semver
			at, err = parse(version)
		}
		in := false
		if err == nil {
			in, err = s.holds(at, parse)
		}
		if in {
			return true, nil
		}
		failed = cmp.Or(failed, err)
	}
	switch {
	case failed != nil:
	case placeErr != nil && len(p.versions) > 0 && !errors.Is(placeErr, semantic.ErrUnsupportedEcosystem):
		// Equal to none by its text, but another spelling may be meant. Where nobody
		// knows an order, the text is all there is.
		failed = placeErr
	case p.why == badRange:
		failed = fmt.Errorf("%s: %w", p.why, ErrVersion)
	case p.why != 0:
		failed = fmt.Errorf("%s: %w", p.why, ErrNotMatchable)
	}
	return false, failed
}

// fixed is the lowest fixed version above ours that no record of the fault calls
// affected. Records that know of no fix above ours have no say: they are older than the
// fix, or leave it open.
func (m *matcher) fixed(fault []judged) string {
	if m.err != nil {
		return ""
	}
	type candidate struct {
		version string
		place   semantic.Version
	}
	var found []candidate
	var voters []judged
	for _, p := range fault {
		knows := !p.yes
		for _, s := range p.spans {
			if s.end != endFixed || s.semver {
				continue
			}
			if place, err := m.parse(s.high); err == nil && comparePlaces(place, m.place) > 0 {
				found, knows = append(found, candidate{s.high, place}), true
			}
		}
		if knows {
			voters = append(voters, p)
		}
	}
	slices.SortFunc(found, func(a, b candidate) int { return comparePlaces(a.place, b.place) })
	for _, c := range found {
		if !slices.ContainsFunc(voters, func(p judged) bool {
			yes, err := m.affects(p.posting, c.version, c.place, nil)
			return yes || err != nil && p.why == 0
		}) {
			return m.spelled(c.version)
		}
	}
	return ""
}

// spelled is a version as the tools of the ecosystem write it: advisories leave out the
// v of Go's modules, the go command wants it.
func (m *matcher) spelled(version string) string {
	if m.order.ecosystem == "Go" && m.component.Name != "stdlib" && m.component.Name != "toolchain" && !strings.HasPrefix(version, "v") {
		return "v" + version
	}
	return version
}

// byPreference orders the ids of one fault, the one to show first.
func byPreference(a, b string) int {
	return cmp.Or(cmp.Compare(preference(a), preference(b)), compareIDs(a, b))
}

func preference(id string) int {
	for i, prefixes := range [][]string{{"MAL-"}, {"CVE-"}, {"GO-", "RUSTSEC-", "PYSEC-"}, {"GHSA-"}} {
		for _, p := range prefixes {
			if strings.HasPrefix(id, p) {
				return i
			}
		}
	}
	return 4
}

// compareIDs puts CVE-2020-999 before CVE-2020-1000.
func compareIDs(a, b string) int {
	x, okX := numberOfCVE(a)
	y, okY := numberOfCVE(b)
	if okX && okY {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// numberOfCVE packs a CVE id into a number that sorts by year and number.
func numberOfCVE(id string) (uint64, bool) {
	rest, ok := strings.CutPrefix(id, "CVE-")
	year, num, ok2 := strings.Cut(rest, "-")
	if !ok || !ok2 || len(year) != 4 || len(num) < 4 {
		return 0, false
	}
	y, err1 := strconv.ParseUint(year, 10, 16)
	n, err2 := strconv.ParseUint(num, 10, 48)
	return y<<48 | n, err1 == nil && err2 == nil
}
