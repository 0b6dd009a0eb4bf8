package ci

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"verdict"
	"verdict/sbom"
)

// Components is a Reader that gathers the components which the files of a tree name. The
// checks of vulnerabilities and of dependencies and the bill of materials rest on the same.
type Components struct {
	// partial is true where by intent only a part of the tree is read.
	partial bool
	leftOut outside

	mu          sync.Mutex // guards what follows
	inventories []inventory
	inputs      int64
	bytes       int64
	aside       int64 // files that are told and not judged
	failed      []verdict.NotChecked
	gathered    bool
	found       []Dependency
	gaps        []verdict.NotChecked
	flaws       []flaw
}

// NewComponents makes a Reader that has read nothing yet.
func NewComponents() *Components {
	return &Components{inventories: []inventory{&goModules{}, &npm{}, &pip{}, &cargo{}, &maven{}, &gradle{}, &nuget{}, &lockfiles{}, &references{}, &elsewhere{}}}
}

// Wants takes the files that name components.
func (c *Components) Wants(f File) bool { return c.knows(f) && !c.leftOut.covers(f.Path) }

// knows is Wants but for what the file of ignores leaves out.
func (c *Components) knows(f File) bool { return c.of(f.Path) != nil }

func (c *Components) of(p string) inventory {
	for _, i := range c.inventories {
		if i.wants(p) {
			return i
		}
	}
	return nil
}

// Read takes in one file. Files of an ecosystem are read one at a time: they are few.
func (c *Components) Read(_ context.Context, f File, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if testData(f.Path) {
		c.aside++
		c.gaps = append(c.gaps, aside(f.Path, "it lies in a testdata folder: taken for test data, not for what is built"))
		return
	}
	if folder := c.installed(f.Path); folder != "" {
		c.aside++
		if told := aside(folder, "the manifests in it were not judged: taken for what a package manager put there by a lockfile outside of it"); !slices.Contains(c.gaps, told) {
			c.gaps = append(c.gaps, told)
		}
		return
	}
	c.inputs++
	c.bytes += f.Size
	if conflict(content) {
		c.failed = append(c.failed, open(f.Path, "it holds the marks of a merge conflict: resolve it and commit"))
		return
	}
	if err := c.of(f.Path).add(f.Path, content); err != nil {
		c.failed = append(c.failed, open(f.Path, "it cannot be read: %s", shown(cut(err.Error(), 300))))
	}
}

// testData reports whether a path is one of test data, by the convention of Go and others.
func testData(p string) bool { return within(p, "testdata") }

// installed is the folder node_modules that a manifest of npm or the like lies in, the
// outermost; "" for one that the project itself wrote.
func (c *Components) installed(p string) string {
	switch c.of(p).(type) {
	case *npm, *elsewhere:
		if i := strings.Index("/"+p, "/node_modules/"); i >= 0 {
			return p[:i+len("node_modules")]
		}
	}
	return ""
}

// conflict reports whether git left its marks in a file.
func conflict(content []byte) bool {
	return bytes.Contains(content, []byte("\n>>>>>>> ")) && (bytes.HasPrefix(content, []byte("<<<<<<< ")) || bytes.Contains(content, []byte("\n<<<<<<< ")))
}

// Dependencies gives every component that was named, in the order of files and lines,
// with its package URL. It is complete after the walk.
func (c *Components) Dependencies() []Dependency {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gather()
	return c.found
}

// gather resolves what files say together, once.
func (c *Components) gather() {
	if c.gathered {
		return
	}
	c.gathered = true
	for _, i := range c.inventories {
		switch i := i.(type) {
		case *npm:
			i.partial = c.partial
		case *gradle:
			i.partial = c.partial
		case *nuget:
			i.partial = c.partial
		}
		found, gaps := i.finish()
		c.gaps = append(c.gaps, gaps...)
		if a, ok := i.(auditor); ok {
			c.flaws = append(c.flaws, a.audit()...)
		}
		for _, d := range found {
			known, err := sbom.NewComponent(d.Ecosystem, d.Name, d.Version)
			if err != nil {
				c.gaps = append(c.gaps, open(d.Source, "line %d names a component that cannot be: %s", d.Line, shown(cut(err.Error(), 200))))
				continue
			}
			d.Component = known
			c.found = append(c.found, d)
		}
	}
	// Files that inherit from each other say the same more than once.
	sortDependencies(c.found)
	c.found = slices.CompactFunc(c.found, func(a, b Dependency) bool { return a.PURL == b.PURL && a.Source == b.Source && a.Line == b.Line })
	slices.SortStableFunc(c.gaps, func(a, b verdict.NotChecked) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	c.gaps = slices.Compact(c.gaps)
}

// left lists what was not read, and what was read leaves open.
func (c *Components) left(m *Manifest) []verdict.NotChecked {
	return append(m.notChecked(c, false), slices.Concat(c.failed, c.gaps, c.leftOut.told(m, c.knows))...)
}
