// Package exposure says which known vulnerabilities the components of an artifact have, by
// its bill of materials. What a bill does not tell, or nobody can judge, is said: a report
// of a bill that leaves something open is never a clean one.
package exposure

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
)

// Check is the name of the check in its report: that of verdict ci, which asks the same of
// a tree.
const Check = "vulnerabilities"

// Tool is who made a report.
const Tool = "verdict"

// Matcher knows advisories. An advisory index is one.
type Matcher interface {
	// Match gives the vulnerabilities of a component. An error beside them says that
	// there may be more.
	Match(c verdict.Component) ([]verdict.Vulnerability, error)
	// DatabaseFor names the data about these ecosystems.
	DatabaseFor(ecosystems ...string) verdict.Database
	// Covers reports whether the advisories of an ecosystem are there at all.
	Covers(ecosystem string) bool
	// KnowsExploited reports whether the catalogue of exploited vulnerabilities is there.
	KnowsExploited() bool
}

// Listing is what the bills of one artifact say of its components.
type Listing struct {
	Components []verdict.Component // each once, sorted; the ecosystem is OSV's word, or pkg: and a type of package URL
	Inventory  string              // complete, incomplete, unknown; unreadable: nothing is known
	Nameless   int64               // components whose package or ecosystem is not known
	Without    int                 // platforms of an index of whose components nothing is known
}

// Bounds of a report.
const (
	maxHits = 10_000
	maxOpen = 500 // components that are named because they could not be judged
)

// otherType begins the ecosystem of a component whose type of package URL OSV has no word
// for.
const otherType = "pkg:"

// distributions are types of packages that have advisories in the world which are not
// matched here, so that what they hold is not known.
var distributions = []string{"deb", "rpm", "apk", "alpm"}

// Report matches what is listed with advisories. version is Verdict's.
func Report(l Listing, m Matcher, version string) verdict.Report {
	r := verdict.Report{
		Check: Check, Tool: verdict.Tool{Name: Tool, Version: version}, Hits: []verdict.Hit{}, NotChecked: []verdict.NotChecked{},
		Scope: verdict.Scope{Path: ".", Files: 1, Inputs: 1, Components: int64(len(l.Components))},
	}
	open := func(blocks bool, format string, a ...any) {
		r.NotChecked = append(r.NotChecked, verdict.NotChecked{Reason: fmt.Sprintf(format, a...), Blocks: blocks})
	}
	switch l.Inventory {
	case "complete":
	case "incomplete":
		open(true, "the bill of materials says that it is not complete: what it lacks was not matched")
	case "unreadable":
		open(true, "the bill of materials cannot be read: nothing was matched")
	default:
		open(false, "the bill of materials does not say that it is complete")
	}
	if l.Without > 0 {
		open(true, "%d platforms of the index have no bill of materials that can be read: nothing of them was matched", l.Without)
	}
	ecosystems := map[string]int{}
	others := map[string]int{}
	for _, c := range l.Components {
		switch kind, other := strings.CutPrefix(c.Ecosystem, otherType); {
		case other:
			if namespace, _, ok := strings.Cut(c.Name, "/"); ok && slices.Contains(distributions, kind) {
				kind += "/" + namespace
			}
			others[kind]++
		case c.Ecosystem != "":
			ecosystems[c.Ecosystem]++
		}
	}
	tellOthers(open, l, others)
	for _, e := range slices.Sorted(maps.Keys(ecosystems)) {
		if !m.Covers(e) {
			base, _, _ := strings.Cut(e, ":") // OSV publishes one archive for all releases
			open(true, "no advisories for %s, and %s of it: run `verdict advisories update %q`, or `verdict advisories import` with its archive", e, components(int64(ecosystems[e]), "", ""), base)
		}
	}
	match(&r, l.Components, m, open)
	if len(ecosystems) > 0 { // else no data is about it, and none can be too old
		db := m.DatabaseFor(slices.Sorted(maps.Keys(ecosystems))...)
		r.Database = &db
	}
	if !m.KnowsExploited() && len(ecosystems) > 0 {
		open(false, "no catalogue of exploited vulnerabilities was imported, so none is marked as exploited")
	}
	r.Complete = !slices.ContainsFunc(r.NotChecked, func(n verdict.NotChecked) bool { return n.Blocks })
	return r
}

// components counts them, with what stands behind one and behind several.
func components(n int64, one, many string) string {
	if n == 1 {
		return "1 component" + one
	}
	return fmt.Sprintf("%d components%s", n, many)
}

// tellOthers says which components no advisories here can be about.
func tellOthers(open func(bool, string, ...any), l Listing, others map[string]int) {
	named := int64(0)
	for _, kind := range slices.Sorted(maps.Keys(others)) {
		named += int64(others[kind])
		if system, _, _ := strings.Cut(kind, "/"); slices.Contains(distributions, system) {
			open(true, "%s in the bill of materials and not matched: no advisories are known for that, or its package URL names no release", components(int64(others[kind]), " of pkg:"+kind+" is", " of pkg:"+kind+" are"))
			continue
		}
		open(false, "%s in the bill of materials and not matched: no advisories about that are kept here", components(int64(others[kind]), " of type "+kind+" is", " of type "+kind+" are"))
	}
	if rest := l.Nameless - named; rest > 0 {
		open(true, "%s no package URL that says what it is, and no match was looked for", components(rest, " has", " have"))
	}
}

func match(r *verdict.Report, all []verdict.Component, m Matcher, open func(bool, string, ...any)) {
	unjudged := 0
	for _, c := range all {
		if c.Ecosystem == "" || strings.HasPrefix(c.Ecosystem, otherType) || !m.Covers(c.Ecosystem) {
			continue
		}
		hits, err := m.Match(c)
		if err != nil {
			if unjudged++; unjudged <= maxOpen {
				open(true, "%s was not judged completely: %s", c.PURL, short(err.Error()))
			}
		}
		for _, v := range hits {
			if len(r.Hits) == maxHits {
				open(true, "there are more vulnerabilities than a report holds")
				return
			}
			r.Hits = append(r.Hits, hit(v, c))
		}
	}
	if unjudged > maxOpen {
		open(true, "%s not judged completely, beside these", components(int64(unjudged-maxOpen), " was", " were"))
	}
	slices.SortStableFunc(r.Hits, func(a, b verdict.Hit) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), cmp.Compare(a.Key, b.Key))
	})
}

func hit(v verdict.Vulnerability, c verdict.Component) verdict.Hit {
	v.Component, v.Path = c, []string{}
	if v.Aliases == nil {
		v.Aliases = []string{}
	}
	message := c.Name + " " + c.Version
	if v.Summary != "" {
		message += ": " + v.Summary
	}
	fix := "no fixed version is known: replace it, or state in VEX why it does not matter here"
	if v.Fixed != "" {
		fix = "build it again with " + c.Name + " " + v.Fixed
	}
	return verdict.Hit{
		Key: v.ID + "@" + c.PURL, Detector: v.ID, Message: strings.ToValidUTF8(message, "\uFFFD"), Severity: cmp.Or(v.Severity, verdict.SeverityUnknown), Fix: fix, Vulnerability: &v,
	}
}

func short(s string) string {
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "…"
	}
	return s
}

// Same reports whether two vulnerabilities are one fault: they share an id or alias. Which
// of its ids comes first depends on what is known of it.
func Same(a, b verdict.Vulnerability) bool {
	ids := append([]string{b.ID}, b.Aliases...)
	return slices.ContainsFunc(append([]string{a.ID}, a.Aliases...), func(id string) bool { return slices.Contains(ids, id) })
}

// Without gives those of all that are none of others.
func Without(all, others []verdict.Vulnerability) []verdict.Vulnerability {
	out := []verdict.Vulnerability{}
	for _, v := range all {
		if !slices.ContainsFunc(others, func(o verdict.Vulnerability) bool { return Same(v, o) }) {
			out = append(out, v)
		}
	}
	return out
}

// Differ reports whether two matchers say different things of a component: which
// vulnerabilities it has, how bad they are, what fixes them, and whether it could be judged.
func Differ(before, after Matcher, c verdict.Component) (bool, error) {
	var told [2]string
	for i, m := range []Matcher{before, after} {
		if m == nil {
			continue
		}
		hits, err := m.Match(c)
		var open interface{ Unwrap() []error }
		if err != nil && !errors.As(err, &open) { // not only that it could not be judged
			return false, err
		}
		for _, v := range hits {
			told[i] += fmt.Sprintf("%s %s %s %s %v %v\n", v.ID, v.Aliases, v.Severity, v.Fixed, v.Exploited, v.Malicious)
		}
		if err != nil {
			told[i] += err.Error()
		}
	}
	return told[0] != told[1], nil
}
