package ci

import (
	"context"
	"slices"
	"sync"

	"verdict"
	"verdict/ci/inventory"
)

// Components is a Reader that gathers the components which the files of a tree name. The
// checks of vulnerabilities and of dependencies and the bill of materials rest on the same.
type Components struct {
	// partial is true where by intent only a part of the tree is read.
	partial bool
	leftOut outside

	mu       sync.Mutex // guards what follows
	set      *inventory.Set
	inputs   int64
	bytes    int64
	aside    int64 // files that are told and not judged
	gathered bool
	found    []inventory.Dependency
	gaps     []verdict.NotChecked
	flaws    []inventory.Flaw
}

// NewComponents makes a Reader that has read nothing yet.
func NewComponents() *Components { return &Components{set: inventory.NewSet()} }

// Wants takes the files that name components.
func (c *Components) Wants(f File) bool { return c.knows(f) && !c.leftOut.covers(f.Path) }

// knows is Wants but for what the file of ignores leaves out.
func (c *Components) knows(f File) bool { return c.set.Wants(f.Path) }

// Read takes in one file. Files are read one at a time: they are few.
func (c *Components) Read(_ context.Context, f File, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.set.Add(f.Path, content) {
		c.aside++
		return
	}
	c.inputs++
	c.bytes += f.Size
}

// Dependencies gives every component that was named, in the order of files and lines,
// with its package URL. It is complete after the walk.
func (c *Components) Dependencies() []inventory.Dependency {
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
	c.found, c.gaps = c.set.Finish(c.partial)
	c.flaws = c.set.Audit()
}

// left lists what was not read, and what was read leaves open.
func (c *Components) left(m *Manifest) []verdict.NotChecked {
	return append(m.notChecked(c, false), slices.Concat(c.gaps, c.leftOut.told(m, c.knows))...)
}
