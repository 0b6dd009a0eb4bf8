package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/plain"
	"verdict/ci/wording"
)

// npm reads package-lock.json and npm-shrinkwrap.json of every version, hands the lockfiles
// of other package managers to their readers, and notices a package.json without one.
type npm struct {
	locks     []*npmLock
	others    []*locked // lockfiles of other package managers
	broken    []string  // folders whose lockfile cannot be read
	manifests map[string]*packageJSON
	gaps      []verdict.NotChecked
	flaws     []Flaw
	partial   bool // manifests may be there that were not read
}

// npmOthers are the lockfiles of other package managers.
var npmOthers = map[string]func(content []byte) (*locked, error){
	"yarn.lock": parseYarnLock, "pnpm-lock.yaml": parsePnpmLock, "bun.lock": parseBunLock, "bun.lockb": nil,
}

func (n *npm) wants(p string) bool {
	base := path.Base(p)
	_, other := npmOthers[base]
	return other || base == "package-lock.json" || base == "npm-shrinkwrap.json" || base == "package.json"
}

func (n *npm) add(p string, content []byte) error {
	if n.manifests == nil {
		n.manifests = map[string]*packageJSON{}
	}
	base := path.Base(p)
	parse, other := npmOthers[base]
	var err error
	switch {
	case base == "package.json":
		var m *packageJSON
		if m, err = parsePackageJSON(content); err == nil {
			n.manifests[p] = m
		}
		return err
	case base == "bun.lockb":
		n.broken = append(n.broken, path.Dir(p))
		n.gaps = append(n.gaps, wording.Open(p, "it is the binary form, which is not read: bun install --save-text-lockfile --frozen-lockfile --lockfile-only, and commit bun.lock in its place"))
		return nil
	case other:
		var l *locked
		if l, err = parse(content); err == nil {
			l.source = p
			n.others = append(n.others, l)
		}
	default:
		var l *npmLock
		if l, err = parsePackageLock(content); err == nil {
			l.source = p
			n.locks = append(n.locks, l)
		}
	}
	if err != nil {
		n.broken = append(n.broken, path.Dir(p)) // there is one, if none that can be read
	}
	return err
}

// npmPackage is one place in node_modules, or a project.
type npmPackage struct {
	place   string // "node_modules/a/node_modules/b"; "" and "packages/x" are projects
	name    string
	version string
	target  string // of a link: the place that it stands for
	line    int64
	dev     bool
	asks    []ask
	address string // that it is downloaded from, as it stands; "" where the file does not say
	bundled bool
	script  Told
	license string
	hashes  []Hash
}

// npmLock is one lockfile.
type npmLock struct {
	source   string
	packages []npmPackage
	// old is true without a "packages" member: then only package.json says what the
	// project asks for.
	old bool
}

var npmAsks = []string{"dependencies", "devDependencies", "optionalDependencies", "peerDependencies"}

// parsePackageLock reads one lockfile. Where it holds both forms, both count: which one
// is followed depends on the version of npm.
func parsePackageLock(content []byte) (*npmLock, error) {
	lock := &npmLock{old: true}
	j := plain.NewJSON(content)
	if j.Peek() != '{' {
		return nil, j.Fault("no object")
	}
	var older []npmPackage
	known := false
	err := j.Members(func(key string, _ int64) error {
		switch key {
		case "lockfileVersion":
			known = true
		case "packages":
			known, lock.old = true, false
			return j.Members(lock.readPackage(j))
		case "dependencies":
			known = true
			return readNested(j, "", &older)
		}
		return j.Skip()
	})
	if err == nil {
		err = j.End()
	}
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, errors.New("it is no lockfile of npm: it has neither lockfileVersion nor packages")
	}
	lock.addOlder(older)
	if len(lock.packages) > maxComponents {
		return nil, fmt.Errorf("it names more than %d packages", maxComponents)
	}
	return lock, lock.believable()
}

// readPackage takes one member of "packages".
func (l *npmLock) readPackage(j *plain.JSON) func(place string, line int64) error {
	return func(place string, line int64) error {
		p := npmPackage{place: place, name: nameOfPlace(place), line: line, script: No}
		link, resolved := false, ""
		err := j.Members(func(key string, _ int64) (err error) {
			switch {
			case key == "version":
				p.version, err = j.Text()
			case key == "name":
				var name string
				if name, err = j.Text(); name != "" {
					p.name = name
				}
			case key == "resolved":
				resolved, err = j.Text()
				p.address = resolved
			case key == "inBundle":
				p.bundled, err = j.Flag()
			case key == "hasInstallScript":
				var yes bool
				if yes, err = j.Flag(); yes {
					p.script = Yes
				}
			case key == "integrity":
				p.hashes, err = integrityOf(j)
			case key == "license":
				p.license, err = j.Text()
			case key == "link":
				link, err = j.Flag()
			case key == "dev" || key == "devOptional":
				var yes bool
				yes, err = j.Flag()
				p.dev = p.dev || yes
			case slices.Contains(npmAsks, key):
				err = j.Members(func(name string, _ int64) error {
					// Peers may be left to whoever asks for the package, and what only a workspace's
					// developers need is installed for those of the top alone.
					free := key == "peerDependencies" || key == "optionalDependencies" || key == "devDependencies" && place != ""
					p.asks = append(p.asks, ask{name: name, optional: free})
					return j.Skip()
				})
			default:
				err = j.Skip()
			}
			return err
		})
		spare(p.asks)
		if link {
			p.target = path.Clean(resolved)
		}
		l.packages = append(l.packages, p)
		return err
	}
}

// nameOfPlace is the package's name where a place does not say another.
func nameOfPlace(place string) string {
	if i := strings.LastIndex("/"+place, "/node_modules/"); i >= 0 {
		return place[i+len("node_modules/"):]
	}
	return ""
}

// readNested takes the "dependencies" of the first form, which nest as folders do.
func readNested(j *plain.JSON, above string, out *[]npmPackage) error {
	return j.Members(func(name string, line int64) error {
		p := npmPackage{place: strings.TrimPrefix(above+"/node_modules/"+name, "/"), name: name, line: line}
		n := len(*out)
		*out = append(*out, p)
		err := j.Members(func(key string, _ int64) (err error) {
			switch key {
			case "version":
				p.version, err = j.Text()
			case "dev":
				p.dev, err = j.Flag()
			case "resolved":
				p.address, err = j.Text()
			case "bundled":
				p.bundled, err = j.Flag()
			case "integrity":
				p.hashes, err = integrityOf(j)
			case "requires":
				err = j.Members(func(name string, _ int64) error {
					p.asks = append(p.asks, ask{name: name, optional: true}) // it does not tell which have to be there
					return j.Skip()
				})
			case "dependencies":
				err = readNested(j, p.place, out)
			default:
				err = j.Skip()
			}
			return err
		})
		// An alias: "npm:name@version".
		if alias, ok := strings.CutPrefix(p.version, "npm:"); ok {
			if i := strings.LastIndex(alias, "@"); i > 0 {
				p.name, p.version = alias[:i], alias[i+1:]
			}
		}
		(*out)[n] = p
		return err
	})
}

// addOlder adds what only the first form names.
func (l *npmLock) addOlder(older []npmPackage) {
	if l.old {
		l.packages = older
		return
	}
	known := map[[2]string]bool{}
	for _, p := range l.packages {
		known[[2]string{p.name, p.version}] = true
	}
	for _, p := range older {
		if (!known[[2]string{p.name, p.version}] || p.otherTarball()) && !strings.HasPrefix(p.version, "file:") {
			p.place += noPlace // it takes no part in finding ways
			l.packages = append(l.packages, p)
		}
	}
}

// noPlace ends the place of what only the first form names: what it needs cannot be found
// from there.
const noPlace = "#dependencies"

// project reports whether a place stands for a project of this tree.
func (p npmPackage) project() bool {
	return p.target != "" || !strings.Contains("/"+p.place, "/node_modules/")
}

// registryVersion reports whether a version is one, and no address.
func registryVersion(v string) bool {
	return v != "" && v[0] >= '0' && v[0] <= '9' && !strings.ContainsAny(v, ":/ ")
}

// otherTarball reports whether npm would install another release than the place names.
func (p npmPackage) otherTarball() bool {
	return otherTarball(node{name: p.name, version: p.version, address: p.address})
}

// elsewhere reports whether a place without a release is filled from an address, and not by
// the registry.
func (p npmPackage) elsewhere() bool {
	from := cmp.Or(p.address, p.version)
	u, err := url.Parse(from)
	return strings.ContainsAny(from, ":/") && !strings.HasPrefix(from, "npm:") && (err != nil || !npmHost(u))
}

func (n *npm) finish() ([]Dependency, []verdict.NotChecked) {
	var found []Dependency
	gaps := n.gaps
	answered := map[string]bool{} // folders whose wishes a lockfile answers
	for _, l := range n.locks {
		for _, folder := range l.projects() {
			answered[folder] = true
		}
		l.takeManifests(n.manifests)
		more, left := l.dependencies()
		found, gaps = append(found, more...), append(gaps, left...)
		n.flaws = append(n.flaws, l.compare(n.manifests)...)
	}
	for _, l := range n.others {
		n.meet(l, answered)
		more, left := l.finish()
		n.flaws = append(n.flaws, l.flaws...)
		found, gaps = append(found, more...), append(gaps, left...)
	}
	for p, m := range n.manifests {
		dir := path.Dir(p)
		hidden := slices.ContainsFunc(n.broken, func(above string) bool { return under(dir, above) })
		if asked := len(m.asks); asked > 0 && !answered[dir] && !hidden {
			gaps = append(gaps, wording.Open(p, "it asks for %s and there is no lockfile that says which versions: %s", wording.Count(asked, "package", "packages"), m.lock()))
			n.flaws = append(n.flaws, unlocked(gaps[len(gaps)-1], m.lock()+", and commit the lockfile"))
		}
	}
	return found, gaps
}

// projects are the folders that the lockfile answers for.
func (l *npmLock) projects() []string {
	folders := []string{path.Dir(l.source)}
	for _, p := range l.packages {
		if !strings.Contains("/"+p.place, "/node_modules/") {
			folders = append(folders, path.Join(folders[0], p.place))
		}
	}
	return folders
}

// dependencies gives the components of one lockfile.
func (l *npmLock) dependencies() ([]Dependency, []verdict.NotChecked) {
	g, missing := l.graph()
	labels := make([]string, len(l.packages))
	for i, p := range l.packages {
		if !p.project() && registryVersion(p.version) {
			labels[i] = p.name + "@" + p.version
		}
	}
	needs := g.brings(labels)
	ways, direct := g.paths()
	var found []Dependency
	gaps := l.missing(missing)
	for i, p := range l.packages {
		if strings.HasSuffix(p.place, noPlace) {
			needs[i] = nil
		}
		switch {
		case p.project():
		case registryVersion(p.version):
			found = append(found, Dependency{
				Component: verdict.Component{Ecosystem: EcosystemNPM, Name: p.name, Version: p.version},
				Source:    l.source, Line: p.line, Direct: direct[i], Path: ways[i], Development: p.dev,
				Needs: needs[i], Hashes: p.hashes, License: p.license, From: origin(EcosystemNPM, p.address), Public: atHome(EcosystemNPM, p.address),
				Bundled: p.bundled, Script: p.script,
			})
			if p.otherTarball() {
				gaps = append(gaps, wording.Open(l.source, "line %d says %s %s and downloads another (%s): %s", p.line, wording.Shown(p.name), wording.Shown(p.version), shownAddress(p.address), locks["npm"]))
			}
		case strings.HasPrefix(p.version, "file:") || strings.HasPrefix(p.version, "link:"):
			gaps = append(gaps, wording.Aside(l.source, "%s is a folder or file of this tree, not a release", wording.Shown(p.name)))
		case p.elsewhere():
			gaps = append(gaps, wording.Aside(l.source, "%s comes from an address (%s), not from a registry: no advisory can name its version", wording.Shown(p.name), wording.Shown(wording.Cut(withoutCredentials(cmp.Or(p.address, p.version)), 80))))
		default:
			gaps = append(gaps, wording.Open(l.source, "line %d names %s without a version that can be judged (%s): %s", p.line, wording.Shown(wording.Cut(p.name, 120)), wording.Shown(wording.Cut(p.version, 80)), locks["npm"]))
		}
	}
	return found, gaps
}

// integrityOf takes a string with the digests of what is downloaded.
func integrityOf(j *plain.JSON) ([]Hash, error) {
	s, err := j.Text()
	return integrity(s), err
}
