package inventory

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"verdict"
	"verdict/ci/wording"
)

// cargo reads Cargo.lock, and notices a Cargo.toml without one.
type cargo struct {
	found     []Dependency
	manifests map[string]cargoAsked      // by the path of a Cargo.toml
	locked    map[string]map[string]bool // folder with a Cargo.lock → the crates in it; nil where it cannot be read
	flaws     []Flaw
}

func (c *cargo) wants(p string) bool {
	return path.Base(p) == "Cargo.lock" || path.Base(p) == "Cargo.toml"
}

func (c *cargo) add(p string, content []byte) error {
	if c.manifests == nil {
		c.manifests, c.locked = map[string]cargoAsked{}, map[string]map[string]bool{}
	}
	if path.Base(p) == "Cargo.toml" {
		asked, err := cargoAsks(content)
		c.manifests[p] = asked
		return err
	}
	c.locked[path.Dir(p)] = nil
	found, names, err := parseCargoLock(p, content)
	if err == nil {
		c.locked[path.Dir(p)] = names
	}
	c.found = append(c.found, found...)
	return err
}

// cargoTables are the tables in which a manifest asks for crates.
type cargoTables struct {
	Dependencies map[string]any `toml:"dependencies"`
	Development  map[string]any `toml:"dev-dependencies"`
	Build        map[string]any `toml:"build-dependencies"`
}

func (t cargoTables) count() int { return len(t.Dependencies) + len(t.Development) + len(t.Build) }

// cargoAsked is what a manifest asks for.
type cargoAsked struct {
	count int
	names []string // of the crates that its lockfile has to name
}

// name adds what a table asks for by name. What a workspace states may have another name
// there; what is read from it is looked up in no lockfile.
func (a *cargoAsked) name(t cargoTables) {
	a.count += t.count()
	for _, table := range []map[string]any{t.Dependencies, t.Development, t.Build} {
		for name, how := range table {
			if more, ok := how.(map[string]any); ok {
				if inherited, _ := more["workspace"].(bool); inherited {
					continue
				}
				if real, ok := more["package"].(string); ok {
					name = real
				}
			}
			a.names = append(a.names, name)
		}
	}
}

// cargoAsks gives the crates that a manifest asks for.
func cargoAsks(content []byte) (cargoAsked, error) {
	if err := boundedTOML(content); err != nil {
		return cargoAsked{}, err
	}
	var own cargoTables
	var more struct {
		Target    map[string]cargoTables `toml:"target"`
		Workspace cargoTables            `toml:"workspace"`
	}
	for _, into := range []any{&own, &more} {
		if err := toml.Unmarshal(content, into); err != nil {
			return cargoAsked{}, fmt.Errorf("read Cargo.toml: %w", err)
		}
	}
	asked := cargoAsked{count: more.Workspace.count()} // a crate that no member takes is in no lockfile
	asked.name(own)
	for _, t := range more.Target {
		asked.name(t)
	}
	slices.Sort(asked.names)
	return asked, nil
}

// crate is one package of a lockfile. Without a source it is a project of this tree.
type crate struct {
	name, version, source, checksum string
	needs                           []string
}

// crateOf takes the members by their exact names: a decoder that ignores case could be
// shown one version while cargo takes another.
func crateOf(table map[string]any) crate {
	word := func(key string) string { s, _ := table[key].(string); return s }
	k := crate{name: word("name"), version: word("version"), source: word("source"), checksum: word("checksum")}
	list, _ := table["dependencies"].([]any)
	for _, x := range list {
		if s, ok := x.(string); ok {
			k.needs = append(k.needs, s)
		}
	}
	return k
}

// hashes are those of the crate's file. In the first form of the file they stand together
// in a table of their own.
func (k crate) hashes(older map[string]any) []Hash {
	sum := k.checksum
	if sum == "" {
		sum, _ = older["checksum "+k.name+" "+k.version+" ("+k.source+")"].(string)
	}
	return hashOfHex("sha256", sum)
}

// from is the registry or repository; the word before the plus sign says how an index is
// read.
func (k crate) from() string {
	address := strings.TrimPrefix(strings.TrimPrefix(k.source, "registry+"), "sparse+")
	return origin(EcosystemCargo, address)
}

func (k crate) public() bool {
	address, registry := strings.CutPrefix(k.source, "registry+")
	if sparse, ok := strings.CutPrefix(k.source, "sparse+"); ok {
		address, registry = sparse, true
	}
	return registry && atHome(EcosystemCargo, address)
}

func parseCargoLock(p string, content []byte) (found []Dependency, names map[string]bool, err error) {
	if err := boundedTOML(content); err != nil {
		return nil, nil, err
	}
	var f map[string]any
	if err := toml.Unmarshal(content, &f); err != nil {
		return nil, nil, fmt.Errorf("read Cargo.lock: %w", err)
	}
	tables, _ := f["package"].([]any)
	if len(tables) > maxComponents {
		return nil, nil, fmt.Errorf("it names more than %d crates", maxComponents)
	}
	lines := cargoLines(content)
	if len(lines) != len(tables) { // lines are a comfort, never worth a wrong one
		lines = make([]int64, len(tables))
	}
	var all []crate
	for _, t := range tables {
		table, _ := t.(map[string]any)
		all = append(all, crateOf(table))
	}
	if root, ok := f["root"].(map[string]any); ok { // the project, in the first form of the file
		k := crateOf(root)
		k.source = ""
		all, lines = append(all, k), append(lines, 0)
	}
	labels := make([]string, len(all))
	for i, k := range all {
		if k.source != "" {
			labels[i] = k.name + "@" + k.version
		}
	}
	older, _ := f["metadata"].(map[string]any)
	g := cargoGraph(all)
	needs := g.brings(labels)
	ways, direct := g.paths()
	names = make(map[string]bool, len(all))
	for i, k := range all {
		if k.name == "" || k.version == "" {
			return nil, nil, fmt.Errorf("package %d of Cargo.lock has no name or version", i+1)
		}
		names[crateName(k.name)] = true
		if k.source == "" {
			continue
		}
		found = append(found, Dependency{
			Component: verdict.Component{Ecosystem: EcosystemCargo, Name: k.name, Version: k.version}, Source: p, Line: lines[i], Direct: direct[i], Path: ways[i],
			Needs: needs[i], Hashes: k.hashes(older), From: k.from(), Public: k.public(),
		})
	}
	return found, names, nil
}

// cargoLines gives the line of each package table, in order.
func cargoLines(content []byte) []int64 {
	var lines []int64
	n := int64(1)
	for line := range bytes.Lines(content) {
		if string(bytes.TrimSpace(line)) == "[[package]]" {
			lines = append(lines, n)
		}
		n++
	}
	return lines
}

// cargoGraph resolves "name", "name version" and "name version (source)".
func cargoGraph(all []crate) *graph {
	g := &graph{names: make([]string, len(all)), needs: make([][]int, len(all))}
	exact, named := map[string]int{}, map[string]int{}
	for i, k := range all {
		exact[k.name+" "+k.version], named[k.name] = i, i
	}
	for i, k := range all {
		if g.names[i] = k.name; k.source == "" {
			g.roots = append(g.roots, i)
		}
		for _, d := range k.needs {
			name, rest, versioned := strings.Cut(d, " ")
			version, _, _ := strings.Cut(rest, " ")
			n, ok := exact[name+" "+version]
			if !versioned {
				n, ok = named[name]
			}
			if ok {
				g.needs[i] = append(g.needs[i], n)
			}
		}
	}
	return g
}

func (c *cargo) finish() ([]Dependency, []verdict.NotChecked) {
	var gaps []verdict.NotChecked
	for p, asked := range c.manifests {
		var names map[string]bool
		hasLock := above(p, "Cargo.lock", func(q string) (there bool) { // a workspace shares one above
			names, there = c.locked[path.Dir(q)]
			return there
		})
		switch {
		case asked.count > 0 && !hasLock:
			gaps = append(gaps, wording.Open(p, "it asks for %s and there is no Cargo.lock that says which versions: cargo generate-lockfile", wording.Count(asked.count, "crate", "crates")))
			c.flaws = append(c.flaws, unlocked(gaps[len(gaps)-1], "cargo generate-lockfile, and commit Cargo.lock"))
		case names != nil:
			for _, name := range asked.names {
				if !names[crateName(name)] {
					c.flaws = append(c.flaws, stale(p, 0, name, "it asks for the crate "+wording.Shown(name)+", which Cargo.lock does not name", "cargo update --workspace, and commit Cargo.lock"))
				}
			}
		}
	}
	return c.found, gaps
}

func (c *cargo) audit() []Flaw { return c.flaws }

// crateName makes one of the two ways of writing a name: no two crates differ in it alone.
func crateName(name string) string { return strings.ReplaceAll(name, "_", "-") }
