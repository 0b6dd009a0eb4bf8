package inventory

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"verdict"
	"verdict/ci/wording"
)

// More ecosystems, as OSV writes them.
const (
	EcosystemNuGet    = "NuGet"
	EcosystemGems     = "RubyGems"
	EcosystemComposer = "Packagist"
	EcosystemHex      = "Hex"
	EcosystemPub      = "Pub"
	EcosystemSwift    = "SwiftURL"
	EcosystemConan    = "ConanCenter"
	EcosystemActions  = "GitHub Actions"
)

// Ecosystems of our own: no database of advisories is about them.
const (
	EcosystemPods      = "CocoaPods"
	EcosystemImages    = "Docker"
	EcosystemHelm      = "Helm"
	EcosystemTerraform = "Terraform"
	EcosystemTasks     = "Azure Pipelines"
)

// lockKinds are the lockfiles that stand for themselves, by name. A manifest beside one
// tells at most what the project asks for itself.
var lockKinds = map[string]func(content []byte) (*locked, error){
	"Gemfile.lock": parseGemfileLock, "gems.locked": parseGemfileLock,
	"composer.lock":    parseComposerLock,
	"mix.lock":         parseMixLock,
	"rebar.lock":       parseRebarLock,
	"pubspec.lock":     parsePubLock,
	"Package.resolved": parseSwiftLock,
	"conan.lock":       parseConanLock,
	"Podfile.lock":     parsePodLock,
}

// manifestKind is a file in which a project asks for packages.
type manifestKind struct {
	locks []string // of which one has to be beside it
	above bool     // or in a folder above, where projects share one
	relock,
	// tool is whose packages they are.
	tool string
	// asks reports whether it asks for anything, and what, where that can be read.
	asks func(content []byte) (some bool, wishes []ask, err error)
}

var manifestKinds = map[string]manifestKind{
	"Gemfile":       {[]string{"Gemfile.lock"}, false, "bundle lock", "Bundler", asksBy(`(?m)^\s*(?:gem|gemspec)\b`)},
	"gems.rb":       {[]string{"gems.locked"}, false, "bundle lock", "Bundler", asksBy(`(?m)^\s*(?:gem|gemspec)\b`)},
	"composer.json": {[]string{"composer.lock"}, false, "composer update --no-install", "Composer", composerAsks},
	"mix.exs":       {[]string{"mix.lock"}, true, "mix deps.get", "Mix", asksBy(`\{\s*:[a-z][a-z0-9_]*\s*,\s*(?:"|~s|git:|github:|hex:|\[\s*(?:git|github|hex):)`)},
	"rebar.config":  {[]string{"rebar.lock"}, true, "rebar3 lock", "rebar3", asksBy(`\{\s*deps\s*,\s*\[\s*[^\s\]]`)},
	"pubspec.yaml":  {[]string{"pubspec.lock"}, true, "dart pub get", "Pub", pubAsks},
	"Package.swift": {[]string{"Package.resolved"}, false, "swift package resolve", "Swift", asksBy(`\.package\(\s*(?:name:[^,]*,\s*)?(?:url|id):`)},
	"conanfile.txt": {[]string{"conan.lock"}, false, "conan lock create .", "Conan", asksBy(`(?m)^\s*[A-Za-z0-9_][A-Za-z0-9_+.-]+/[^\s]+`)},
	"conanfile.py":  {[]string{"conan.lock"}, false, "conan lock create .", "Conan", asksBy(`\brequires\b`)},
	"Podfile":       {[]string{"Podfile.lock"}, false, "pod install", "CocoaPods", asksBy(`(?m)^\s*pod\s`)},
}

// asksBy looks for a form in a manifest that is a program: whether it asks for anything
// can be told, and not what.
func asksBy(form string) func([]byte) (bool, []ask, error) {
	x := regexp.MustCompile(form)
	return func(content []byte) (bool, []ask, error) { return x.Match(content), nil, nil }
}

// lockfiles reads the lockfiles of lockKinds, and notices manifests without one.
type lockfiles struct {
	files     map[string]*locked
	seen      map[string]bool // lockfiles that are there, also those that cannot be read
	manifests map[string][]ask
	flaws     []Flaw
}

func (x *lockfiles) audit() []Flaw { return x.flaws }

func (x *lockfiles) wants(p string) bool {
	base := path.Base(p)
	_, manifest := manifestKinds[base]
	return lockKinds[base] != nil && !Within(p, "node_modules") || manifest && !unpacked(p)
}

// unpacked reports whether a path lies in a folder into which package managers unpack:
// the manifests there are those of packages, which the project's own lockfile names.
func unpacked(p string) bool {
	return slices.ContainsFunc([]string{"node_modules", "vendor", "Pods", "deps", "_build", ".build"}, func(f string) bool { return Within(p, f) })
}

func (x *lockfiles) add(p string, content []byte) error {
	if x.files == nil {
		x.files, x.seen, x.manifests = map[string]*locked{}, map[string]bool{}, map[string][]ask{}
	}
	if parse := lockKinds[path.Base(p)]; parse != nil {
		x.seen[p] = true
		l, err := parse(withoutBOM(content))
		if err != nil {
			return err
		}
		if err := l.tooMany(); err != nil {
			return err
		}
		l.source, x.files[p] = p, l
		return nil
	}
	some, wishes, err := manifestKinds[path.Base(p)].asks(withoutBOM(content))
	if some {
		x.manifests[p] = wishes
	}
	return err
}

func withoutBOM(content []byte) []byte {
	if len(content) >= 3 && string(content[:3]) == "\xef\xbb\xbf" {
		return content[3:]
	}
	return content
}

func (x *lockfiles) finish() (found []Dependency, gaps []verdict.NotChecked) {
	for _, p := range sortedKeys(x.manifests) {
		kind := manifestKinds[path.Base(p)]
		has := false
		for _, lock := range kind.locks {
			if l := x.files[beside(p, lock)]; l != nil && len(x.manifests[p]) > 0 {
				l.add(node{kind: project, asks: x.manifests[p]})
			}
			has = has || x.seen[beside(p, lock)] || kind.above && above(p, lock, func(q string) bool { return x.seen[q] })
		}
		if !has {
			gaps = append(gaps, wording.Open(p, "it asks for packages of %s and there is no %s that says which versions: %s", kind.tool, kind.locks[0], kind.relock))
			x.flaws = append(x.flaws, unlocked(gaps[len(gaps)-1], kind.relock+", and commit "+kind.locks[0]))
		}
	}
	for _, p := range sortedKeys(x.files) {
		more, left := x.files[p].finish()
		found, gaps = append(found, more...), append(gaps, left...)
		x.flaws = append(x.flaws, x.files[p].flaws...)
	}
	return found, gaps
}

// named is a lockfile in which one name has one version.
type named struct {
	*locked
	byName map[string]int
}

func newNamed(ecosystem, relock string) *named {
	x := &named{locked: &locked{ecosystem: ecosystem, relock: relock}, byName: map[string]int{}}
	x.locked.resolve = func(_ int, a ask) ([]int, bool) {
		if i, ok := x.byName[a.name]; ok {
			return []int{i}, true
		}
		return nil, false
	}
	return x
}

// put adds a package and gives its number; false where its name is taken.
func (x *named) put(n node) (int, bool) {
	if i, twice := x.byName[n.name]; twice {
		return i, false
	}
	x.byName[n.name] = x.locked.add(n)
	return x.byName[n.name], true
}

// unasked is a project that asks for what nobody else in the file asks for: somebody
// has to.
func (x *named) unasked() {
	asked := map[string]bool{}
	for _, n := range x.nodes {
		for _, a := range n.asks {
			if a.name != n.name {
				asked[a.name] = true
			}
		}
	}
	p := node{kind: project}
	for _, n := range x.nodes {
		if !asked[n.name] {
			p.asks = append(p.asks, ask{name: n.name})
		}
	}
	x.locked.add(p)
}

// Forms of names and versions. What has others could be neither a package nor a word of
// a command.
var (
	versionAny = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.!+_~-]*$`)
	nameForms  = map[string]*regexp.Regexp{
		EcosystemNPM: npmName, EcosystemPyPI: pypiName,
		EcosystemMaven:    regexp.MustCompile(`^[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+$`),
		EcosystemNuGet:    regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`),
		EcosystemGems:     regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`),
		EcosystemComposer: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$`),
		EcosystemHex:      regexp.MustCompile(`^[a-z][a-z0-9_]*$`),
		EcosystemPub:      regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`),
		EcosystemSwift:    regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:-]*(?:/[A-Za-z0-9._~+-]+)+$`),
		EcosystemConan:    regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_+.-]*$`),
		EcosystemPods:     regexp.MustCompile(`^[A-Za-z0-9_+][A-Za-z0-9_+.-]*$`),
	}
	// versionForms are those of ecosystems whose versions need not begin with a number.
	versionForms = map[string]*regexp.Regexp{EcosystemMaven: versionAny, EcosystemConan: versionAny}
)

// nameForm and versionFormOf give the forms of an ecosystem.
func nameForm(ecosystem string) *regexp.Regexp {
	if x := nameForms[ecosystem]; x != nil {
		return x
	}
	return npmName
}

func versionFormOf(ecosystem string) *regexp.Regexp {
	if x := versionForms[ecosystem]; x != nil {
		return x
	}
	return versionForm
}

// repositoryName writes the address of a git repository as a name: host and path.
func repositoryName(address string) string {
	address = withoutCredentials(address)
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	} else if host, p, ok := strings.Cut(address, ":"); ok && !strings.Contains(host, "/") { // git@host:path
		address = host + "/" + p
	}
	if at := strings.IndexByte(address, '@'); at >= 0 && at < indexAny(address, "/") {
		address = address[at+1:]
	}
	address = address[:indexAny(address, "?#")]
	return strings.TrimSuffix(strings.Trim(address, "/"), ".git")
}

// byNumber resolves wishes that name the number of a node.
func byNumber(_ int, a ask) ([]int, bool) {
	i, err := strconv.Atoi(a.name)
	return []int{i}, err == nil
}
