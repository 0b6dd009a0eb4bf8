package inventory

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"verdict"
)

// Dependency is one component that a file of the tree names.
type Dependency struct {
	verdict.Component
	// Source is the file, relative to the folder that was walked, and Line where it names
	// the component, from 1; 0 when that was not worth finding out.
	Source string
	Line   int64
	// Direct is true for what the project itself asks for.
	Direct bool
	// Path leads from the project to the component, both included; empty where the file
	// does not tell.
	Path []string
	// Development is true for what only builds or tests need.
	Development bool

	// What the file says beyond that. Each is empty where the file does not tell, which is
	// not the same as none.

	// Needs are the components of the same file that this one brings in, each as
	// name@version. nil: the file does not tell; empty: it brings in nothing.
	Needs []string
	// Hashes are those of what is downloaded for it. Several of one algorithm are those of
	// several files, of which one is taken.
	Hashes []Hash
	// Sum is Go's digest of a module as go.sum has it, "h1:…". It covers a listing of the
	// module's files, so it is no hash of anything that is downloaded.
	Sum string
	// License is an SPDX expression, or what the file says instead of one.
	License string
	// From is where it is downloaded from, without credentials; empty for the ecosystem's
	// own registry, and where the file does not tell. Public is true where the file itself
	// says that it is the ecosystem's own registry, which anybody may publish to.
	From   string
	Public bool
	// Bundled is true for what comes inside of another component, which has the hash.
	Bundled bool
	// Script says whether its installation runs a program of its own.
	Script Told
	// JudgedAs is the version that it is matched as, where Version is a name that follows
	// the newest release of a line; empty otherwise.
	JudgedAs string
}

// Told is what a file says about a question.
type Told int8

// The answers.
const (
	Untold Told = iota // the file does not tell, which is not no
	No
	Yes
)

// Hash is one digest of a downloaded component.
type Hash struct {
	Algorithm string // as CycloneDX writes it: "SHA-256", "SHA-512", "SHA-1"
	Hex       string // lower case
}

// Ecosystems, as OSV writes them.
const (
	EcosystemGo    = "Go"
	EcosystemNPM   = "npm"
	EcosystemPyPI  = "PyPI"
	EcosystemCargo = "crates.io"
	EcosystemMaven = "Maven"
)

// maxComponents bounds what one file may name, and maxPathLength how far a component's
// path is told.
const (
	maxComponents = 200_000
	maxPathLength = 32
)

// graph finds how components were brought in. Nodes are numbered by the caller.
type graph struct {
	names []string // of each node
	needs [][]int  // the nodes that each node needs
	roots []int    // the projects
}

// paths gives for each node the shortest way from a project, and whether a project asks
// for it itself. Cycles end where they come back.
func (g *graph) paths() (ways [][]string, direct []bool) {
	from := make([]int, len(g.names))
	for i := range from {
		from[i] = -1
	}
	direct = make([]bool, len(g.names))
	queue := slices.Clone(g.roots)
	for _, r := range g.roots {
		from[r] = r
		for _, n := range g.needs[r] {
			direct[n] = true
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, n := range g.needs[at] {
			if from[n] < 0 {
				from[n] = at
				queue = append(queue, n)
			}
		}
	}
	ways = make([][]string, len(g.names))
	for n := range ways {
		ways[n] = g.way(from, n)
	}
	return ways, direct
}

func (g *graph) way(from []int, n int) []string {
	way := []string{}
	if from[n] < 0 {
		return way
	}
	for at := n; len(way) < maxPathLength; at = from[at] {
		way = append(way, g.names[at])
		if from[at] == at {
			break
		}
	}
	slices.Reverse(way)
	return way
}

// brings gives for each node what it needs, by the labels of the nodes, sorted. A node
// with an empty label is no component, and is left out.
func (g *graph) brings(labels []string) [][]string {
	all := make([][]string, len(g.needs))
	for i, needs := range g.needs {
		list := make([]string, 0, len(needs))
		for _, n := range needs {
			if labels[n] != "" && n != i {
				list = append(list, labels[n])
			}
		}
		slices.Sort(list)
		all[i] = slices.Compact(list)
	}
	return all
}

// sortDependencies puts them in the order of files and lines.
func sortDependencies(all []Dependency) {
	slices.SortStableFunc(all, func(a, b Dependency) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
}

// Within reports whether a path lies in a folder of that name, at any depth.
func Within(p, folder string) bool {
	return strings.HasPrefix(p, folder+"/") || strings.Contains(p, "/"+folder+"/")
}

// beside is the path of a file in the same folder.
func beside(p, name string) string { return path.Join(path.Dir(p), name) }

// above calls each for the path of a file of that name in every folder from p's own up
// to the top, until it says that it is enough.
func above(p, name string, enough func(p string) bool) bool {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if enough(path.Join(dir, name)) {
			return true
		}
		if dir == "." || dir == "/" {
			return false
		}
	}
}
