package inventory

import (
	"bytes"
	"fmt"
	"go/version"
	"path"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"

	"verdict"
	"verdict/ci/wording"
)

// goModules reads go.mod files. Since Go 1.17 one lists every module that takes part in
// a build; go.sum, which lists more, gives the digests of those. Which module brings in
// which, neither of them tells.
type goModules struct {
	found    []Dependency
	open     []verdict.NotChecked
	requires map[string]int               // go.mod → how many modules it requires from elsewhere
	sums     map[string]map[string]string // go.sum → "module version" → digest; "module version/go.mod" for that file alone
	flaws    []Flaw
	// vendored are the files below a folder called vendor, of which only vendoring says
	// whether a go.mod outside of it covers them; seen are all others, and the lists that
	// vendoring writes.
	vendored map[string][]byte
	seen     map[string]bool
}

func (g *goModules) wants(p string) bool {
	base := path.Base(p)
	return base == "go.mod" || base == "go.sum" || base == "go.work" || base == "go.work.sum" || vendorList(p)
}

// vendorList reports whether a file is the one in which go mod vendor says what it did.
func vendorList(p string) bool { return strings.HasSuffix("/"+p, "/vendor/modules.txt") }

func (g *goModules) add(p string, content []byte) error {
	if g.seen == nil {
		g.seen, g.vendored = map[string]bool{}, map[string][]byte{}
	}
	if Within(p, "vendor") && !vendorList(p) {
		g.vendored[p] = bytes.Clone(content)
		return nil
	}
	return g.read(p, content)
}

func (g *goModules) read(p string, content []byte) error {
	g.seen[p] = true
	if vendorList(p) {
		return nil
	}
	switch path.Base(p) {
	case "go.work":
		return g.addWork(p, content)
	case "go.sum", "go.work.sum":
		return g.addSums(p, content)
	}
	f, err := modfile.Parse("go.mod", content, nil)
	if err != nil {
		return fmt.Errorf("go.mod: %w", err)
	}
	if len(f.Require) > maxComponents {
		return fmt.Errorf("go.mod requires more than %d modules", maxComponents)
	}
	project := "this module"
	if f.Module != nil {
		project = f.Module.Mod.Path
	}
	if len(f.Require) > 0 && (f.Go == nil || version.Compare("go"+f.Go.Version, "go1.17") < 0) {
		g.open = append(g.open, wording.Open(p, "before go 1.17 a go.mod does not list the modules that others bring in: go mod tidy -go=1.17"))
	}
	g.standardLibrary(p, f, project)
	if g.requires == nil {
		g.requires = map[string]int{}
	}
	for _, r := range f.Require {
		name, version, local := replaced(f, r.Mod.Path, r.Mod.Version)
		if local {
			judged := "which is judged by its own go.mod"
			if path.IsAbs(name) || strings.HasPrefix(path.Join(path.Dir(p), name)+"/", "../") {
				judged = "which lies outside of this tree: nothing here judges it"
			}
			g.open = append(g.open, wording.Aside(p, "%s is replaced by the folder %s, %s", wording.Shown(r.Mod.Path), wording.Shown(name), judged))
			continue
		}
		d := Dependency{
			Component: verdict.Component{Ecosystem: EcosystemGo, Name: name, Version: version},
			Source:    p, Line: int64(r.Syntax.Start.Line), Direct: !r.Indirect, Path: []string{},
		}
		if d.Direct {
			d.Path = []string{project, name}
		}
		g.requires[p]++
		g.found = append(g.found, d)
	}
	return nil
}

// replaced applies the replace directives: the one for this version, else the one for
// all versions.
func replaced(f *modfile.File, name, version string) (newName, newVersion string, local bool) {
	newName, newVersion = name, version
	for _, r := range f.Replace {
		if r.Old.Path != name || r.Old.Version != "" && r.Old.Version != version {
			continue
		}
		newName, newVersion, local = r.New.Path, r.New.Version, r.New.Version == ""
		if r.Old.Version != "" {
			break
		}
	}
	return newName, newVersion, local
}

var exactRelease = regexp.MustCompile(`^1\.[0-9]+\.[0-9]+$|^1\.[0-9]+(?:rc|beta)[0-9]+$`)

// standardLibrary takes the Go release that go.mod names, the toolchain's before the
// least one. A language version such as 1.20 names no release: which one builds cannot
// be told from the tree.
func (g *goModules) standardLibrary(p string, f *modfile.File, project string) {
	release, line := "", 0
	if f.Go != nil {
		release, line = f.Go.Version, f.Go.Syntax.Start.Line
	}
	if f.Toolchain != nil && strings.HasPrefix(f.Toolchain.Name, "go") {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Toolchain.Name, "go"), "-")
		release, line = name, f.Toolchain.Syntax.Start.Line
	}
	if !exactRelease.MatchString(release) {
		g.open = append(g.open, wording.Aside(p, "go.mod names no exact Go release, so the standard library was not judged: go get toolchain@latest"))
		return
	}
	g.found = append(g.found, Dependency{
		Component: verdict.Component{Ecosystem: EcosystemGo, Name: "stdlib", Version: release},
		Source:    p, Line: int64(line), Direct: true, Path: []string{project, "stdlib"}, Needs: []string{},
	})
}

// addWork looks for what a workspace changes in its modules.
func (g *goModules) addWork(p string, content []byte) error {
	f, err := modfile.ParseWork("go.work", content, nil)
	if err != nil {
		return fmt.Errorf("go.work: %w", err)
	}
	if len(f.Replace) > 0 {
		g.open = append(g.open, wording.Open(p, "its replace directives are not followed: put them into the go.mod files"))
	}
	return nil
}

// addSums reads a go.sum: module, version, digest. The digest of a module's go.mod alone
// stands in lines of its own.
func (g *goModules) addSums(p string, content []byte) error {
	sums, n := map[string]string{}, 0
	for line := range strings.Lines(string(content)) {
		n++
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || !strings.Contains(f[2], ":") {
			return fmt.Errorf("line %d is no module, version and digest", n)
		}
		if len(sums) > 2*maxComponents {
			return fmt.Errorf("it names more than %d modules", maxComponents)
		}
		if goSum.MatchString(f[2]) {
			sums[f[0]+" "+f[1]] = f[2]
		}
	}
	if g.sums == nil {
		g.sums = map[string]map[string]string{}
	}
	g.sums[p] = sums
	return nil
}

var goSum = regexp.MustCompile(`^h1:[A-Za-z0-9+/]{43}=$`)

// coveredBy is the folder that go mod vendor filled and a path lies in; "" for none. A
// folder of that name alone says nothing: it may be a service's.
func (g *goModules) coveredBy(p string) string {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if path.Base(dir) == "vendor" && g.seen[path.Join(dir, "modules.txt")] && (g.seen[beside(dir, "go.mod")] || g.seen[beside(dir, "go.work")]) {
			return dir
		}
	}
	return ""
}

func (g *goModules) finish() ([]Dependency, []verdict.NotChecked) {
	for _, p := range sortedKeys(g.vendored) {
		if dir := g.coveredBy(p); dir != "" {
			g.open = append(g.open, wording.Aside(dir, "the go.mod files in it were not judged: the one beside it lists what go mod vendor put there"))
		} else if err := g.read(p, g.vendored[p]); err != nil {
			g.open = append(g.open, wording.Open(p, "it cannot be read: %s", wording.Shown(wording.Cut(err.Error(), 300))))
		}
	}
	for i, d := range g.found {
		g.found[i].Sum = g.sums[beside(d.Source, "go.sum")][d.Name+" "+d.Version]
	}
	g.compare()
	return g.found, g.open
}

func (g *goModules) audit() []Flaw { return g.flaws }

// compare looks for modules that no sum of the tree vouches for: the go command refuses
// to build with them, or takes what it gets at first. A module that gives no package to
// the build has the sum of its go.mod alone, which is in order.
func (g *goModules) compare() {
	missing := map[string]bool{}
	for _, d := range g.found {
		sums, there := g.sums[beside(d.Source, "go.sum")]
		if d.Name == "stdlib" {
			continue
		}
		key := d.Name + " " + d.Version
		vouched := sums[key] != "" || sums[key+"/go.mod"] != "" || above(d.Source, "go.work.sum", func(q string) bool {
			return g.sums[q][key] != "" || g.sums[q][key+"/go.mod"] != ""
		})
		switch {
		case vouched || missing[d.Source]:
		case !there:
			missing[d.Source] = true
			g.flaws = append(g.flaws, Flaw{
				Rule: LockMissing, Path: d.Source, Message: "it requires " + wording.Count(g.requires[d.Source], "module", "modules") + " and there is no go.sum that says what is in them",
				Fix: "go mod tidy, and commit go.sum",
			})
		default:
			g.flaws = append(g.flaws, stale(d.Source, d.Line, d.Name, "go.sum has no line for "+wording.Shown(d.Name)+" "+wording.Shown(d.Version), "go mod tidy, and commit go.sum"))
		}
	}
}
