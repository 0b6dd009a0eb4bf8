package ci

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/reachability"
	"verdict/ci/wording"
)

// goImports is a Reader that gathers what the Go files of a tree import, for the check of
// vulnerabilities to tell what of a module is used. It changes no hit's right to block.
type goImports struct {
	mu   sync.Mutex // guards what follows
	seen reachability.Imports
	read bool
}

// Wants takes Go files, and what says which module they belong to.
func (g *goImports) Wants(f File) bool { return reachability.Wants(f.Path) }

// Read takes in one file.
func (g *goImports) Read(_ context.Context, f File, content []byte) {
	says := reachability.Read(f.Path, content)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.read = true
	g.seen.Add(says)
}

// close says what of the tree was not read.
func (g *goImports) close(m *Manifest, partial bool, left outside) {
	switch {
	case partial || len(left.list) > 0:
		g.seen.Open("not all of the tree was read")
	default:
		for _, s := range m.Skipped {
			if s.Folder || reachability.Wants(s.File.Path) {
				g.seen.Open("not all of the tree could be read")
				return
			}
		}
	}
}

// reached says of a hit in a Go module whether the affected packages are imported.
func (g *goImports) reached(h verdict.Hit, places []inventory.Dependency) verdict.Hit {
	if places[0].Ecosystem != inventory.EcosystemGo || !g.read {
		return h
	}
	var gomods []string
	for _, d := range places {
		gomods = append(gomods, d.Source)
	}
	r := g.seen.Of(gomods, places[0].Name, h.Vulnerability.Packages)
	r.Path, r.Package, r.Why = wording.Shown(r.Path), wording.Shown(r.Package), wording.Shown(r.Why)
	h.Vulnerability.Reach = r
	switch r.Imported {
	case verdict.ReachYes:
		h.Message += fmt.Sprintf(" (%s is imported by %s)", cmp.Or(r.Package, "it"), reachPlace(r))
	case verdict.ReachNo:
		h.Message += " (no affected package is imported)"
	}
	return h
}

func reachPlace(r *verdict.Reach) string {
	if r.Line == 0 {
		return r.Path
	}
	return fmt.Sprintf("%s:%d", r.Path, r.Line)
}
