package ci

import (
	"fmt"
	"slices"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
	"verdict/sbom"
)

// Bill is the bill of materials of what the tree names, about a subject. It is complete
// only where nothing that names components was left out: a lockfile that cannot be read, or
// a component whose version is not known, is one reason for it not to be.
func (v *Vulnerabilities) Bill(m *Manifest, about verdict.Subject) sbom.Document {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gather()
	d := sbom.Document{
		Subject: about, Tool: verdict.Tool{Name: "verdict", Version: v.version}, Components: components(v.found),
		Open: v.left(m), Inventory: sbom.Complete,
	}
	// What is taken for test data is no part of what is built.
	d.Open = slices.DeleteFunc(d.Open, func(n verdict.NotChecked) bool { return !n.Blocks && inventory.TestData(n.Path) })
	switch {
	case len(d.Open) > 0:
		d.Inventory = sbom.Incomplete
	case v.inputs == 0: // nothing names components, and nothing says that there are none
		d.Inventory = sbom.Unknown
	}
	return d
}

// bill is that of a run, whose options may leave out a part of the tree.
func (o *Options) bill(v *Vulnerabilities, m *Manifest, s Standing) sbom.Document {
	d := v.Bill(m, s.Subject)
	d.At, d.Paths = o.Now(), o.Within
	if s.Partial {
		d.Inventory = sbom.Incomplete
		d.Open = append([]verdict.NotChecked{{Reason: fmt.Sprintf("only what differs from %s was read", short(o.Base))}}, d.Open...)
	}
	return d
}

// place names a component within the file that names it.
type place struct{ source, ecosystem, label string }

// components turns what files name into components. What one needs is looked up in its
// own file; a name that is not found stays, so that the gap shows.
func components(found []inventory.Dependency) []sbom.Component {
	known := make(map[place]string, len(found))
	for _, d := range found {
		known[place{d.Source, d.Ecosystem, d.Name + "@" + d.Version}] = d.PURL
	}
	out := make([]sbom.Component, 0, len(found))
	for _, d := range found {
		c := sbom.Component{
			Component: d.Component, Direct: d.Direct, Development: d.Development,
			Sums: some(d.Sum), Licenses: some(d.License), Origins: some(d.From),
			Occurrences: []sbom.Occurrence{{Location: wording.Shown(d.Source), Line: d.Line}},
		}
		for _, h := range d.Hashes {
			c.Hashes = append(c.Hashes, sbom.Hash(h))
		}
		if d.Needs != nil {
			c.Needs = make([]string, len(d.Needs))
		}
		for i, label := range d.Needs {
			c.Needs[i] = label
			if purl, ok := known[place{d.Source, d.Ecosystem, label}]; ok {
				c.Needs[i] = purl
			}
		}
		out = append(out, c)
	}
	return out
}

// some is a list of a text; none without one.
func some(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
