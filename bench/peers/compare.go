package main

import (
	"regexp"
	"slices"
)

// Sides of a difference.
const (
	lost  = "the peer's alone"
	extra = "verdict's alone"
)

// class is a kind of difference that somebody looked at. Each has its paragraph under the
// same name in docs/design/ci-differences.md. Expressions that are empty match anything.
type class struct {
	name string // heading in the document
	kind string
	side string
	path string // expression for the file
	id   string // expression for a rule, check, or id
	pkg  string // expression for the package
	// same asks that the very secret is one that both found elsewhere in the file.
	same bool
}

func (c class) covers(kind, side string, f finding) bool {
	if c.kind != kind || c.side != side || !matches(c.path, f.Path) || !matches(c.pkg, f.Package) {
		return false
	}
	return c.id == "" || slices.ContainsFunc(f.IDs, func(id string) bool { return matches(c.id, id) })
}

func matches(expression, s string) bool {
	return expression == "" || regexp.MustCompile(expression).MatchString(s)
}

// difference is what two programs say differently of one kind.
type difference struct {
	kind   string
	common int
	known  map[string]map[string][]finding // side → class → findings
	open   map[string][]finding            // side → findings of no class
}

// compare tells what one side has and the other has not, each finding once.
func compare(kind string, mine, theirs []finding, known []class) difference {
	d := difference{kind: kind, known: map[string]map[string][]finding{lost: {}, extra: {}}, open: map[string][]finding{}}
	mine, theirs = once(kind, mine), once(kind, theirs)
	have, values := index(kind, mine), map[string]bool{}
	for _, f := range theirs {
		if f.among(kind, have) {
			d.common++
			values[f.Path+f.Value] = f.Value != ""
		}
	}
	for _, f := range theirs {
		if !f.among(kind, have) {
			d.sort(lost, f, values[f.Path+f.Value], known)
		}
	}
	have = index(kind, theirs)
	for _, f := range mine {
		if !f.among(kind, have) {
			d.sort(extra, f, false, known)
		}
	}
	return d
}

func (d *difference) sort(side string, f finding, same bool, known []class) {
	for _, c := range known {
		if c.covers(d.kind, side, f) && (same || !c.same) {
			d.known[side][c.name] = append(d.known[side][c.name], f)
			return
		}
	}
	d.open[side] = append(d.open[side], f)
}

// unexplained reports whether the peer has what is not allowed to be lost without a reason.
func (d difference) unexplained() bool {
	return (d.kind == secrets || d.kind == vulnerabilities) && len(d.open[lost]) > 0
}

func index(kind string, all []finding) map[string]bool {
	out := map[string]bool{}
	for _, f := range all {
		for _, k := range f.keys(kind) {
			out[k] = true
		}
	}
	return out
}

func (f finding) among(kind string, have map[string]bool) bool {
	return slices.ContainsFunc(f.keys(kind), func(k string) bool { return have[k] })
}

// once leaves out what was said before under any of its keys, as two rules for one line.
func once(kind string, all []finding) []finding {
	seen := map[string]bool{}
	var out []finding
	for _, f := range all {
		if !f.among(kind, seen) {
			out = append(out, f)
		}
		for _, k := range f.keys(kind) {
			seen[k] = true
		}
	}
	return out
}
