package inventory

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/plain"
	"verdict/ci/wording"
)

// nuget reads lockfiles and packages.config, and projects with the central versions above
// them. What a project without a lockfile declares is judged as it stands, and it is told
// that the versions which are resolved, and what they bring in, are not known.
type nuget struct {
	files    map[string]*locked
	locked   map[string]bool // folders with a lockfile
	projects map[string][]nugetAsk
	central  map[string][]nugetAsk
	partial  bool // lockfiles may be there that were not read
	flaws    []Flaw
}

func (x *nuget) audit() []Flaw { return x.flaws }

// nugetAsk is one PackageReference, PackageVersion or GlobalPackageReference.
type nugetAsk struct {
	name, version string
	dev, global   bool
	central       bool // it says a version for others, and asks for nothing
	maybe         bool // its file says conditions, which are not worked out
	line          int64
}

const nugetRelock = "dotnet restore --use-lock-file"

func (x *nuget) wants(p string) bool {
	return (nugetLock(p) || path.Base(p) == "packages.config" || centralVersions(p) || nugetProject(p)) && !Within(p, "node_modules")
}

func centralVersions(p string) bool { return path.Base(p) == "Directory.Packages.props" }

// nugetLock is packages.lock.json, or packages.<project>.lock.json where projects share a
// folder.
func nugetLock(p string) bool {
	base := path.Base(p)
	return strings.HasPrefix(base, "packages.") && strings.HasSuffix(base, ".lock.json") || base == "packages.lock.json"
}

func nugetProject(p string) bool {
	switch path.Ext(p) {
	case ".csproj", ".fsproj", ".vbproj":
		return true
	}
	return sharedProject(p)
}

// sharedProject is what every project below it takes in.
func sharedProject(p string) bool {
	return path.Base(p) == "Directory.Build.props" || path.Base(p) == "Directory.Build.targets"
}

func (x *nuget) add(p string, content []byte) error {
	if x.files == nil {
		x.files, x.locked, x.projects, x.central = map[string]*locked{}, map[string]bool{}, map[string][]nugetAsk{}, map[string][]nugetAsk{}
	}
	var l *locked
	var err error
	switch {
	case nugetLock(p):
		x.locked[path.Dir(p)] = true
		l, err = parseNuGetLock(content)
	case path.Base(p) == "packages.config":
		l, err = parsePackagesConfig(content)
	case centralVersions(p):
		x.central[p], err = readNuGetAsks(content)
		return err
	default:
		x.projects[p], err = readNuGetAsks(content)
		x.projects[p] = slices.DeleteFunc(x.projects[p], func(a nugetAsk) bool { return a.central })
		return err
	}
	if err == nil {
		l.source, x.files[p] = p, l
	}
	return err
}

// parseNuGetLock reads packages.lock.json 1 and 2 (with central versions). Its contentHash
// leaves out the signature that a registry adds, so it is no hash of what is downloaded.
func parseNuGetLock(content []byte) (*locked, error) {
	x := &nugetLocked{locked: &locked{ecosystem: EcosystemNuGet, relock: "dotnet restore --force-evaluate"}, keys: map[string]int{}, of: map[string]map[string]int{}}
	x.locked.resolve = x.answer
	version, listed := "", false
	j := plain.NewJSON(content)
	err := j.Document(func(key string, _ int64) (err error) {
		switch key {
		case "version":
			version, err = j.Number()
			return err
		case "dependencies":
			listed = true
			return j.Once(func(framework string, _ int64) error {
				x.of[framework] = map[string]int{}
				return j.Once(func(name string, line int64) error { return x.entry(j, framework, name, line) })
			})
		}
		return j.Skip()
	})
	switch {
	case err != nil:
		return nil, err
	case !listed || version == "":
		return nil, fmt.Errorf("it is no lockfile of NuGet: it has no version or no dependencies")
	case version != "1" && version != "2":
		return nil, fmt.Errorf("version %s is not read by this version: 1 and 2 are", wording.Cut(version, 20))
	}
	x.root.kind = project
	x.locked.add(x.root)
	return x.locked, x.tooMany()
}

// nugetLocked is a lockfile in which each target framework has packages of its own. The
// same package of several is one component.
type nugetLocked struct {
	*locked
	root node
	keys map[string]int            // name@version → node
	of   map[string]map[string]int // framework → name → node
}

func (x *nugetLocked) entry(j *plain.JSON, framework, name string, line int64) error {
	n := node{name: name, line: line}
	kind := ""
	err := j.Once(func(key string, _ int64) (err error) {
		switch key {
		case "type":
			kind, err = j.Text()
		case "resolved":
			n.version, err = j.Text()
		case "dependencies":
			err = j.Once(func(to string, _ int64) error {
				n.asks = append(n.asks, ask{name: strings.ToLower(to), spec: framework, optional: true}) // one that the platform has is left out
				return j.Skip()
			})
		default:
			err = j.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	lower := strings.ToLower(name)
	key := lower + "@" + n.version
	if kind == "Project" {
		n.kind, key = project, lower+"@"
	}
	i, known := x.keys[key]
	if !known {
		i = x.locked.add(n)
		x.keys[key] = i
	} else {
		x.nodes[i].asks = append(x.nodes[i].asks, n.asks...)
	}
	if _, twice := x.of[framework][lower]; twice { // in another case
		return j.Fault(wording.Cut(name, 120) + " stands twice")
	}
	x.of[framework][lower] = i
	if kind == "Direct" {
		x.root.asks = append(x.root.asks, ask{name: lower, spec: framework})
	}
	return nil
}

// answer looks in the framework, and for one of a runtime (net8.0/win-x64) in the one
// that it adds to.
func (x *nugetLocked) answer(_ int, a ask) ([]int, bool) {
	base, _, _ := strings.Cut(a.spec, "/")
	for _, framework := range []string{a.spec, base} {
		if i, ok := x.of[framework][a.name]; ok {
			return []int{i}, true
		}
	}
	return nil, false
}

// parsePackagesConfig reads packages.config, which lists all that is resolved.
func parsePackagesConfig(content []byte) (*locked, error) {
	l := &locked{ecosystem: EcosystemNuGet, relock: "nuget install packages.config"}
	root := false
	err := xmlItems(content, func(e xmlItem) error {
		switch {
		case e.depth == 1:
			root = e.name == "packages"
		case e.name == "package":
			l.add(node{
				name: e.values["id"], version: e.values["version"], line: e.line, silent: true,
				devSaid: true, dev: strings.EqualFold(e.values["developmentdependency"], "true"),
			})
		}
		return l.tooMany()
	})
	if err == nil && !root {
		err = fmt.Errorf("it is no packages.config: its root is not <packages>")
	}
	l.resolve = byNumber
	return l, err
}

// readNuGetAsks reads what a project or its central versions declare. MSBuild takes names
// in any case.
func readNuGetAsks(content []byte) (asks []nugetAsk, err error) {
	maybe := bytes.Contains(bytes.ToLower(content), []byte("condition"))
	err = xmlItems(content, func(e xmlItem) error {
		global := e.name == "globalpackagereference"
		if e.name != "packagereference" && e.name != "packageversion" && !global {
			return nil
		}
		names := cmp.Or(e.values["include"], e.values["update"])
		version := cmp.Or(e.values["versionoverride"], e.values["version"])
		for name := range strings.SplitSeq(names, ";") {
			if name = strings.TrimSpace(name); name != "" {
				asks = append(asks, nugetAsk{name: name, version: strings.TrimSpace(version), global: global, central: e.name == "packageversion", maybe: maybe || e.values["include"] == "", line: e.line,
					dev: global || strings.EqualFold(strings.TrimSpace(e.values["privateassets"]), "all")})
			}
		}
		if len(asks) > maxComponents {
			return fmt.Errorf("it names more than %d packages", maxComponents)
		}
		return nil
	})
	return asks, err
}

func (x *nuget) finish() (found []Dependency, gaps []verdict.NotChecked) {
	for _, p := range sortedKeys(x.files) {
		more, left := x.files[p].finish()
		found, gaps = append(found, more...), append(gaps, left...)
		x.flaws = append(x.flaws, x.files[p].flaws...)
	}
	for _, p := range sortedKeys(x.projects) {
		if x.isLocked(p) {
			x.compare(p)
		}
		if len(x.projects[p]) == 0 || x.isLocked(p) {
			continue
		}
		more, left := x.declared(p)
		found, gaps = append(found, more...), append(gaps, left...)
	}
	for _, p := range sortedKeys(x.central) {
		global := &locked{source: p, ecosystem: EcosystemNuGet, resolve: byNumber}
		for _, a := range x.central[p] {
			if v := exactNuGet(a.version); a.global && v != "" {
				global.add(node{name: a.name, version: v, line: a.line, silent: true, devSaid: true, dev: true})
			}
		}
		more, left := global.finish()
		found, gaps = append(found, more...), append(gaps, left...)
	}
	return found, gaps
}

// isLocked reports whether a lockfile answers for a project.
func (x *nuget) isLocked(p string) bool {
	dir := path.Dir(p)
	if sharedProject(p) {
		return slices.ContainsFunc(sortedKeys(x.locked), func(d string) bool { return under(d, dir) })
	}
	return x.locked[dir]
}

// compare holds what a project asks for against the lockfiles of its folder. What it asks
// for on a condition may be asked for nowhere.
func (x *nuget) compare(p string) {
	holds, readable := map[string]bool{}, false
	for q, l := range x.files {
		if nugetLock(q) && path.Dir(q) == path.Dir(p) {
			readable = true
			for _, n := range l.nodes {
				holds[strings.ToLower(n.name)] = true
			}
		}
	}
	for _, a := range x.projects[p] {
		if readable && !a.maybe && !holds[strings.ToLower(a.name)] {
			x.flaws = append(x.flaws, stale(p, a.line, a.name, "it asks for "+wording.Shown(a.name)+", which packages.lock.json does not name", "dotnet restore --force-evaluate, and commit packages.lock.json"))
		}
	}
}

// declared are the packages of a project as it declares them.
func (x *nuget) declared(p string) ([]Dependency, []verdict.NotChecked) {
	central := map[string]string{}
	above(p, "Directory.Packages.props", func(q string) bool { // the nearest alone
		for _, a := range x.central[q] {
			central[strings.ToLower(a.name)] = a.version
		}
		_, there := x.central[q]
		return there
	})
	l := &locked{source: p, ecosystem: EcosystemNuGet, relock: nugetRelock}
	root, ranges := node{kind: project}, 0
	for _, a := range x.projects[p] {
		version := exactNuGet(cmp.Or(a.version, central[strings.ToLower(a.name)]))
		if version == "" {
			ranges++
			continue
		}
		i := l.add(node{name: a.name, version: version, line: a.line, silent: true, devSaid: true, dev: a.dev})
		root.asks = append(root.asks, ask{name: fmt.Sprint(i)})
	}
	l.resolve = byNumber
	l.add(root)
	gap := wording.Open(p, "it asks for %s, %d of them without an exact version, and there is no packages.lock.json that says what is resolved: %s", wording.Count(len(x.projects[p]), "package", "packages"), ranges, nugetRelock)
	gap.Blocks = !x.partial || !sharedProject(p)
	if gap.Blocks {
		x.flaws = append(x.flaws, unlocked(gap, nugetRelock+", and commit packages.lock.json"))
	}
	l.tell(gap)
	return l.finish()
}

// exactNuGet is the version that a declaration begins at, which NuGet takes where nothing
// asks for more; "" for a range, a moving one and a property.
func exactNuGet(v string) string {
	if inner, ok := strings.CutPrefix(v, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if !ok || strings.Contains(inner, ",") {
			return ""
		}
		v = strings.TrimSpace(inner)
	}
	if !versionForm.MatchString(v) || strings.Contains(v, "*") {
		return ""
	}
	return v
}
