package sbom

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"verdict"
)

// Document is a bill of materials: what is known about the components of one subject,
// whatever the format that it is written in.
type Document struct {
	// Subject is what the components belong to: a commit, or a tree that is none's.
	Subject verdict.Subject
	// Name is what people call the subject: a service or a repository. Empty takes the
	// subject's own.
	Name string
	// Paths are the part of the subject that was looked at: a service's of a repository,
	// for example. Empty: all of it.
	Paths []string
	Tool  verdict.Tool // that gathered the components
	// At is when they were gathered. The zero time leaves it out where the format allows
	// that: without it the same tree gives the same bytes at any time.
	At time.Time
	// Components may name one package more than once, in any order: it is written once,
	// with all that is known of it.
	Components []Component
	// Inventory says whether these are all components. The zero value is Unknown.
	Inventory Completeness
	// Open says what the inventory lacks, or may lack.
	Open []verdict.NotChecked
}

// Completeness says whether a list is whole. Only Complete says so.
type Completeness string

// The degrees, in the words of CycloneDX.
const (
	Complete   Completeness = "complete"
	Incomplete Completeness = "incomplete" // there is more
	Unknown    Completeness = "unknown"    // there may be more
)

// Component is one package, and where it was found.
type Component struct {
	verdict.Component // with its canonical package URL, which is never empty
	// Direct is true for what the project itself asks for.
	Direct bool
	// Development is true for what only builds or tests need.
	Development bool
	// Needs are the package URLs of what it brings in. nil: nobody told; empty: nothing.
	Needs []string
	// Hashes are those of what is downloaded for it: of one file, or of several of which
	// one is taken.
	Hashes []Hash
	// Sums are digests of its content that are none of a file: Go's "h1:…". More than one
	// is a contradiction between the places that name it.
	Sums []string
	// Licenses are SPDX expressions, or what its maker wrote instead, as declared.
	Licenses []string
	// Origins are where it is downloaded from, without credentials, where that is not the
	// ecosystem's own registry.
	Origins     []string
	Occurrences []Occurrence
}

// Hash is one digest of a downloaded file.
type Hash struct {
	Algorithm string // as CycloneDX writes it: "SHA-256"
	Hex       string // lower case
}

// Occurrence is one place that names a component.
type Occurrence struct {
	Location string // a file, relative to the folder that was looked at
	Line     int64  // from 1; 0 when unknown
}

// name, version and ref are the subject's in a document.
func (d *Document) name() string { return cmp.Or(d.Name, d.Subject.Name, "unnamed") }

// version marks what is no commit, so that nobody takes its bill for that of one.
func (d *Document) version() string {
	if d.uncommitted() {
		return "uncommitted:" + d.Subject.Digest.Hex()
	}
	return d.Subject.Digest.Hex()
}

func (d *Document) uncommitted() bool { return d.Subject.Kind == verdict.SubjectTree }

func (d *Document) ref() string { return cmp.Or(string(d.Subject.Digest), "subject") }

func (d *Document) inventory() Completeness { return cmp.Or(d.Inventory, Unknown) }

// uuid names the document: the same for the same part of a subject under the same name by
// the same tool, which gives the same components. Its version, 8, is that of identifiers whose
// maker chose the bits (RFC 9562, 5.8).
func (d *Document) uuid() string {
	h := sha256.New()
	for _, part := range append([]string{"bill of materials", string(d.Subject.Digest), d.name(), d.Tool.Name, d.Tool.Version}, d.Paths...) {
		fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// maxTold bounds how many gaps a document lists.
const maxTold = 200

// told lists what is open, for people.
func (d *Document) told() []string {
	var out []string
	for i, n := range d.Open {
		if i == maxTold {
			return append(out, fmt.Sprintf("and %d more", len(d.Open)-i))
		}
		if n.Path == "" {
			out = append(out, n.Reason)
		} else {
			out = append(out, n.Path+": "+n.Reason)
		}
	}
	return out
}

// entry is a component as it is written: everything that is said of it, once.
type entry struct {
	Component
	// needs says whether Needs is all of what it brings in.
	needs Completeness
}

// entries puts together what is said of each package, sorted by package URL. A need that
// is no component of the document is taken out, and what needed it is incomplete.
func (d *Document) entries() ([]entry, error) {
	order := make([]int, len(d.Components))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(d.Components[a].PURL, d.Components[b].PURL) })
	var out []entry
	known := make(map[string]bool, len(order))
	for _, i := range order {
		c := d.Components[i]
		switch {
		case c.PURL == "" || c.Name == "":
			return nil, fmt.Errorf("component %d (%q) has no package URL", i, c.Name)
		case known[c.PURL]:
			out[len(out)-1].join(c)
		default:
			known[c.PURL] = true
			out = append(out, entry{Component: c})
		}
	}
	for i := range out {
		out[i].tidy(known)
	}
	return out, nil
}

// join adds what another place says of the same package. It never writes into a list
// that the caller holds.
func (e *entry) join(c Component) {
	e.Direct, e.Development = e.Direct || c.Direct, e.Development && c.Development
	if e.Needs != nil || c.Needs != nil {
		e.Needs = append(append(make([]string, 0, len(e.Needs)+len(c.Needs)), e.Needs...), c.Needs...)
	}
	e.Hashes = slices.Concat(e.Hashes, c.Hashes)
	e.Sums = slices.Concat(e.Sums, c.Sums)
	e.Licenses = slices.Concat(e.Licenses, c.Licenses)
	e.Origins = slices.Concat(e.Origins, c.Origins)
	e.Occurrences = slices.Concat(e.Occurrences, c.Occurrences)
}

// tidy brings every list into its one order, without doubles.
func (e *entry) tidy(known map[string]bool) {
	e.needs = Complete
	if e.Needs == nil {
		e.needs = Unknown
	}
	e.Needs = unique(e.Needs, cmp.Compare[string])
	e.Needs = slices.DeleteFunc(e.Needs, func(n string) bool {
		if !known[n] {
			e.needs = Incomplete
		}
		return !known[n] || n == e.PURL
	})
	e.Hashes = unique(e.Hashes, func(a, b Hash) int { return cmp.Or(cmp.Compare(a.Algorithm, b.Algorithm), cmp.Compare(a.Hex, b.Hex)) })
	e.Sums, e.Licenses, e.Origins = unique(e.Sums, cmp.Compare[string]), unique(e.Licenses, cmp.Compare[string]), unique(e.Origins, cmp.Compare[string])
	e.Occurrences = unique(e.Occurrences, func(a, b Occurrence) int {
		return cmp.Or(cmp.Compare(a.Location, b.Location), cmp.Compare(a.Line, b.Line))
	})
}

// unique is a sorted copy without doubles.
func unique[T comparable](list []T, order func(a, b T) int) []T {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.SortFunc(list, order)
	return slices.Compact(list)
}
