package inventory

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/wording"
)

// locked is what one lockfile names, in the form that all share which tell a graph.
type locked struct {
	source    string
	ecosystem string
	nodes     []node
	// projects are the folders whose wishes the file answers, beside its own.
	projects []string
	// globs is true where the file leaves it to the manifest to say which folders those are.
	globs bool
	// manifest takes what a project says in its package.json, where the file needs it. root
	// is that beside the file; nil where there is none.
	manifest func(folder string, m, root *packageJSON)
	// unseen is true where projects may share the file that were not read: what is asked for
	// and not in the file can be one of them.
	unseen bool
	// resolve gives the nodes that answer what node from asks for. It reports false where
	// there have to be some and there are none.
	resolve func(from int, a ask) ([]int, bool)
	// relock is the command that writes the file anew.
	relock string
	flaws  []Flaw
	gaps   []verdict.NotChecked
	told   map[bool]int // how many gaps were told, and how many of them block
}

// node is one package of a lockfile, or a project that asks for some.
type node struct {
	name, version string
	line          int64
	kind          nodeKind
	asks          []ask
	silent        bool // the file does not tell what it asks for
	devSaid, dev  bool // what the file itself says about development
	hashes        []Hash
	license       string
	address       string // that it comes from, as it stands; empty where its name says it
}

type nodeKind int

const (
	released  nodeKind = iota // by a registry
	addressed                 // from a repository or an archive; its version is what it says of itself
	local                     // a folder of this tree that others ask for
	project                   // what asks: no component
)

// ask is one wish of a package or project.
type ask struct {
	name, spec string
	dev        bool
	optional   bool // may stay without an answer
	line       int64
}

// Names and versions that can be components. What has others is told: it could be
// neither a package nor a word of a command.
var (
	npmName     = regexp.MustCompile(`^(?:@[A-Za-z0-9~_-][A-Za-z0-9~._-]*/)?[A-Za-z0-9~_-][A-Za-z0-9~._-]*$`)
	pypiName    = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	versionForm = regexp.MustCompile(`^v?[0-9][A-Za-z0-9.!+_-]*$`)
)

const (
	maxNameLength    = 214 // npm's own bound; PyPI's names are shorter
	maxVersionLength = 256
	maxLinks         = 4_000_000 // who needs what, in one file
)

// add takes one more package and gives its number.
func (l *locked) add(n node) int {
	l.nodes = append(l.nodes, n)
	return len(l.nodes) - 1
}

// tooMany is the error of a file that names more than is believable.
func (l *locked) tooMany() error {
	if len(l.nodes) > maxComponents {
		return fmt.Errorf("it names more than %d packages", maxComponents)
	}
	return nil
}

// tell keeps a gap. A file can have any number of them: only so many of those that block,
// and of the others, are kept, and counted is what is not.
func (l *locked) tell(n verdict.NotChecked) {
	if l.told == nil {
		l.told = map[bool]int{}
	}
	if l.told[n.Blocks]++; l.told[n.Blocks] <= wording.MaxNotChecked {
		l.gaps = append(l.gaps, n)
	}
}

// allTold gives the gaps, and says how many more there are.
func (l *locked) allTold() []verdict.NotChecked {
	for i := range l.gaps { // those of a parser, which does not know the file's name
		l.gaps[i].Path = wording.Shown(l.source)
	}
	for _, blocks := range []bool{true, false} {
		if n := l.told[blocks] - wording.MaxNotChecked; n > 0 {
			more := wording.Open(l.source, "%d more of these", n)
			more.Blocks = blocks
			l.gaps = append(l.gaps, more)
		}
	}
	return l.gaps
}

// links resolves all wishes: what runs needs, and what only builds or tests need.
func (l *locked) links() (needs, dev [][]int) {
	needs, dev = make([][]int, len(l.nodes)), make([][]int, len(l.nodes))
	missing := []string{}
	total := 0
	for i, n := range l.nodes {
		for _, a := range n.asks {
			to, ok := l.resolve(i, a)
			if total += 1 + len(to); total > maxLinks {
				l.tell(wording.Open(l.source, "it has more than %d links between packages: how they are brought in is told in part", maxLinks))
				return needs, dev
			}
			switch {
			case !ok && !a.optional:
				missing = append(missing, strings.TrimSpace(a.name+" "+a.spec))
			case a.dev:
				dev[i] = append(dev[i], to...)
			default:
				needs[i] = append(needs[i], to...)
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		missing = slices.Compact(missing)
		unseen, gap := false, wording.Open(l.source, "it does not hold %s asked for, the first is %s: %s", wording.Count(len(missing), "package that is", "packages that are"), wording.Shown(wording.Cut(missing[0], 120)), l.relock)
		if l.unseen {
			unseen = true
			gap = wording.Aside(l.source, "it does not hold %s asked for, the first is %s: others of its workspace, or it is out of step", wording.Count(len(missing), "package that is", "packages that are"), wording.Shown(wording.Cut(missing[0], 120)))
		}
		l.tell(gap)
		if !unseen {
			message, _, _ := strings.Cut(gap.Reason, ": ")
			l.flaws = append(l.flaws, Flaw{Rule: LockStale, Path: l.source, Message: message, Fix: l.relock + ", and commit it", Gap: gap})
		}
	}
	return needs, dev
}

// finish gives the components and what stays open.
func (l *locked) finish() ([]Dependency, []verdict.NotChecked) {
	needs, dev := l.links()
	g := &graph{names: make([]string, len(l.nodes)), needs: make([][]int, len(l.nodes))}
	for i, n := range l.nodes {
		g.names[i] = n.name
		g.needs[i] = append(slices.Clip(needs[i]), dev[i]...)
		if n.kind == project {
			g.roots = append(g.roots, i)
			if n.name == "" {
				g.names[i] = "this project"
			}
		}
	}
	ways, direct := g.paths()
	labels := make([]string, len(l.nodes)) // of what is a component
	for i, n := range l.nodes {
		if l.judged(n) {
			labels[i] = n.name + "@" + n.version
		}
	}
	brings := (&graph{needs: needs}).brings(labels)
	running, building := reached(g.roots, needs, nil), reached(g.roots, needs, dev)
	var found []Dependency
	for i, n := range l.nodes {
		if labels[i] == "" {
			continue
		}
		d := Dependency{
			Component: verdict.Component{Ecosystem: l.ecosystem, Name: n.name, Version: n.version},
			Source:    l.source, Line: n.line, Direct: direct[i], Path: ways[i], Development: building[i] && !running[i],
			Hashes: n.hashes, License: n.license, From: origin(l.ecosystem, n.address), Public: atHome(l.ecosystem, n.address),
		}
		if n.devSaid {
			d.Development = n.dev
		}
		if !n.silent {
			d.Needs = brings[i]
		}
		found = append(found, d)
	}
	return found, l.allTold()
}

// judged reports whether a node is a component, and tells why where it is none.
func (l *locked) judged(n node) bool {
	form := nameForm(l.ecosystem)
	version := len(n.version) <= maxVersionLength && versionFormOf(l.ecosystem).MatchString(n.version)
	switch {
	case n.kind == project:
		return false
	case n.kind == local:
		l.tell(wording.Aside(l.source, "%s is a folder or file of this tree, not a release", wording.Shown(wording.Cut(n.name, 120))))
		return false
	case len(n.name) > maxNameLength || !form.MatchString(n.name):
		l.tell(wording.Open(l.source, "line %d names a component that cannot be: %s", n.line, wording.Shown(wording.Cut(n.name, 120))))
		return false
	case n.kind == addressed && !version:
		l.tell(wording.Aside(l.source, "%s comes from an address (%s), not from a registry: no advisory can name its version", wording.Shown(n.name), shownAddress(n.address)))
		return false
	case n.kind == addressed:
		l.tell(wording.Aside(l.source, "%s comes from an address (%s): it is judged by the version %s that it gives itself, and not for what differs from that release", wording.Shown(n.name), shownAddress(n.address), n.version))
	case !version:
		l.tell(wording.Open(l.source, "line %d names %s without a version that can be judged (%s): %s", n.line, wording.Shown(n.name), wording.Shown(wording.Cut(n.version, 80)), l.relock))
		return false
	}
	if l.ecosystem == EcosystemNPM && n.kind == released && otherTarball(n) {
		l.tell(wording.Open(l.source, "line %d says %s %s and downloads another (%s): %s", n.line, n.name, n.version, shownAddress(n.address), l.relock))
	}
	return true
}

// otherTarball reports whether a download from npm's own registry is that of another
// package or version than the one that a node is judged as.
func otherTarball(n node) bool {
	u, err := url.Parse(n.address)
	if err != nil { // others may read it all the same
		return strings.Contains(n.address, "://")
	}
	file := path.Clean(u.Path)
	return npmHost(u) && (!strings.HasPrefix(file, "/"+n.name+"/-/") || !strings.HasSuffix(file, "-"+n.version+".tgz"))
}

// npmHost reports whether an address is one of npm's own registry, whatever scheme and port
// lead there.
func npmHost(u *url.URL) bool {
	return slices.Contains(homes[EcosystemNPM], "https://"+strings.ToLower(u.Hostname()))
}

// shownAddress writes an address for people, without what may be a credential.
func shownAddress(address string) string {
	address, _, _ = strings.Cut(withoutCredentials(wording.Cut(address, 400)), "?")
	return wording.Shown(wording.Cut(address, 120))
}

// reached tells which nodes the roots lead to, over needs everywhere and over more from
// the roots themselves.
func reached(roots []int, needs, more [][]int) []bool {
	seen := make([]bool, len(needs))
	queue := slices.Clone(roots)
	take := func(list []int) {
		for _, n := range list {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
	}
	for _, r := range roots {
		if more != nil {
			take(more[r])
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		take(needs[at])
	}
	return seen
}

// under reports whether p is dir or lies in it.
func under(p, dir string) bool {
	return dir == "." || p == dir || strings.HasPrefix(p, dir+"/")
}

// relative is the part of p inside dir, which it lies under.
func relative(p, dir string) string {
	switch {
	case p == dir:
		return "."
	case dir == ".":
		return p
	}
	return p[len(dir)+1:]
}

// sortedKeys gives the paths of a map in order, so that what is found does not depend on
// the order in which files were read.
func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// inWorkspace reports whether a folder, relative to that of a manifest, is one of its
// workspaces by the patterns of npm and yarn.
func inWorkspace(patterns []string, folder string) bool {
	in := false
	for _, p := range patterns {
		p, not := strings.CutPrefix(p, "!")
		if p = path.Clean(p); globMatches(strings.Split(p, "/"), strings.Split(folder, "/")) {
			in = !not
		}
	}
	return in
}

// globMatches matches folder by folder; ** stands for any number of folders.
func globMatches(pattern, folders []string) bool {
	// reach[i] is true when the pattern so far can end in front of folders[i].
	reach := make([]bool, len(folders)+1)
	reach[0] = true
	for _, p := range pattern {
		next := make([]bool, len(folders)+1)
		for i, ok := range reach {
			switch {
			case p == "**":
				next[i] = ok || i > 0 && next[i-1]
			case ok && i < len(folders):
				if m, err := path.Match(p, folders[i]); err == nil && m {
					next[i+1] = true
				}
			}
		}
		reach = next
	}
	return reach[len(folders)]
}
