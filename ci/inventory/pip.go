package inventory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/plain"
	"verdict/ci/wording"
)

// pip reads requirements files with what they include, hands the lockfiles of other tools
// to their readers, and notices a pyproject.toml, a Pipfile or an older file that asks for
// packages, without one.
type pip struct {
	files    map[string]*requirements
	projects map[string]*pyproject // files that ask for packages
	locks    []*pythonLock
	broken   []string // folders whose lockfile cannot be read
	flaws    []Flaw
}

// pipTool is another tool's lockfile: how it is read, and which manifest beside it says
// what the project asks for, of which may says what need not be in the lockfile.
type pipTool struct {
	parse    func(content []byte) (*pythonLock, error)
	manifest string
	may      func(a ask) bool
}

var pipTools = map[string]pipTool{
	"poetry.lock":  {parsePoetryLock, "pyproject.toml", func(ask) bool { return false }},
	"pdm.lock":     {parsePDMLock, "pyproject.toml", func(a ask) bool { return a.dev }},
	"Pipfile.lock": {parsePipfileLock, "Pipfile", func(ask) bool { return false }},
	"pylock.toml":  {parsePylock, "pyproject.toml", func(ask) bool { return true }},
	"uv.lock":      {parse: parseUVLock},
}

// pipManifests say what a project asks for.
var pipManifests = []string{"pyproject.toml", "Pipfile"}

// pipToolOf finds the tool of a lockfile, some of which may have names of their own.
func pipToolOf(base string) (pipTool, bool) {
	switch {
	case strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml"):
		base = "pylock.toml"
	case strings.HasSuffix(base, ".py.lock"): // of a script
		base = "uv.lock"
	}
	tool, ok := pipTools[base]
	return tool, ok
}

// requirementsName is what requirements files are called by convention. A file that one
// of them includes has to have such a name too, or the check says that it does not.
var requirementsName = regexp.MustCompile(`(?i)^(?:.*[-_.])?(?:requirements?|constraints?)(?:[-_.].*)?\.txt$`)

func (x *pip) wants(p string) bool {
	base := path.Base(p)
	return requirementsName.MatchString(base) || path.Base(path.Dir(p)) == "requirements" && path.Ext(base) == ".txt" ||
		slices.Contains(pipManifests, base) || pipAsked(base) || isPipTool(base)
}

func isPipTool(base string) bool { _, ok := pipToolOf(base); return ok }

func (x *pip) add(p string, content []byte) error {
	if x.files == nil {
		x.files, x.projects = map[string]*requirements{}, map[string]*pyproject{}
	}
	switch base := path.Base(p); {
	case slices.Contains(pipManifests, base):
		parse := parsePyproject
		if base == "Pipfile" {
			parse = parsePipfile
		}
		m, err := parse(content)
		if err == nil {
			x.projects[p] = m
		}
		return err
	case pipAsked(base):
		x.projects[p] = olderManifest(base, content)
		return nil
	case isPipTool(base):
		tool, _ := pipToolOf(base)
		l, err := tool.parse(content)
		if err != nil {
			x.broken = append(x.broken, path.Dir(p)) // there is one, if none that can be read
			return err
		}
		l.source = p
		x.locks = append(x.locks, l)
		return nil
	}
	f, err := parseRequirements(plain.UTF8(content))
	if err != nil {
		return err
	}
	x.files[p] = f
	return nil
}

// requirements is one file.
type requirements struct {
	list     []requirement
	includes []string // of -r
	limits   []string // of -c
	gaps     []string // lines that are no release of a registry
	broken   []string // lines that cannot be read
	indexes  []string // where packages are looked for, if not on PyPI
	replaced bool     // one of them is asked instead of PyPI, not beside it
}

type requirement struct {
	name, version string // version is empty without a pin
	spec          string // as written
	line          int64
	hashes        []Hash
}

// PEP 508: a name, extras, then a specifier or an address. PEP 440 names the versions.
var (
	requirementForm = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(.*)$`)
	pinned          = regexp.MustCompile(`(?:^|,)\s*={2,3}\s*([A-Za-z0-9][A-Za-z0-9.!+_-]*)\s*(?:,|$)`)
	specifier       = regexp.MustCompile(`^(?:[<>=!~]=?=?\s*[A-Za-z0-9.*!+_-]+\s*,?\s*)*$`)
	comment         = regexp.MustCompile(`(?:^|\s)#.*$`)
	option          = regexp.MustCompile(`\s--?[A-Za-z][\w-]*(?:[ =].*)?$`)
	hashOption      = regexp.MustCompile(`\s--hash[= ]\s*([A-Za-z0-9]+):([0-9A-Fa-f]+)`)
	nameSeparators  = regexp.MustCompile(`[-_.]+`)
)

// parseRequirements reads the format of pip, with continued lines and comments.
func parseRequirements(content []byte) (*requirements, error) {
	f := &requirements{}
	in := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))))
	in.Buffer(nil, 1<<20)
	logical, begin := "", int64(0)
	for line := int64(1); in.Scan(); line++ {
		if logical == "" {
			begin = line
		}
		part := in.Text()
		if continued, more := strings.CutSuffix(part, `\`); more && !strings.HasPrefix(strings.TrimSpace(part), "#") {
			logical += continued + " "
			if len(logical) > 1<<20 {
				return nil, errors.New("a line is continued beyond a megabyte")
			}
			continue
		}
		f.read(comment.ReplaceAllString(logical+part, ""), begin)
		logical = ""
		if len(f.list) > maxComponents {
			return nil, fmt.Errorf("it names more than %d packages", maxComponents)
		}
	}
	f.read(logical, begin)
	return f, in.Err()
}

// read takes one logical line.
func (f *requirements) read(line string, n int64) {
	line = strings.TrimSpace(line)
	if line == "" {
		return
	}
	if line[0] == '-' {
		f.option(line)
		return
	}
	var hashes []Hash
	for _, m := range hashOption.FindAllStringSubmatch(line, -1) {
		hashes = append(hashes, hashOfHex(m[1], m[2])...)
	}
	line = strings.TrimSpace(option.ReplaceAllString(line, "")) // --hash and the like
	asked, _, _ := strings.Cut(line, ";")
	m := requirementForm.FindStringSubmatch(strings.TrimSpace(asked))
	switch {
	case strings.Contains(line, "://") || strings.HasPrefix(line, ".") || strings.HasPrefix(line, "/"):
		f.gaps = append(f.gaps, line)
		return
	case m == nil:
		f.broken = append(f.broken, line)
		return
	}
	spec := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(m[2]), "("), ")")
	r := requirement{name: strings.ToLower(nameSeparators.ReplaceAllString(m[1], "-")), spec: spec, line: n, hashes: hashes}
	switch pin := pinned.FindStringSubmatch(spec); {
	case strings.HasPrefix(spec, "@"):
		f.gaps = append(f.gaps, line)
		return
	case pin != nil:
		r.version = pin[1]
	case !specifier.MatchString(spec):
		f.broken = append(f.broken, line)
		return
	}
	f.list = append(f.list, r)
}

// option takes a line that begins with a dash.
func (f *requirements) option(line string) {
	name, value, _ := strings.Cut(line, " ")
	if k, v, found := strings.Cut(name, "="); found {
		name, value = k, v
	}
	value = strings.TrimSpace(value)
	short := func(flag string) bool { // -rfile
		v, ok := strings.CutPrefix(name, flag)
		if ok && v != "" && !strings.HasPrefix(name, "--") {
			value = v
		}
		return ok && !strings.HasPrefix(name, "--")
	}
	switch {
	case name == "--requirement" || short("-r"):
		f.includes = append(f.includes, value)
	case name == "--constraint" || short("-c"):
		f.limits = append(f.limits, value)
	case name == "--index-url" || name == "--extra-index-url" || short("-i"):
		f.indexes = append(f.indexes, value)
		f.replaced = f.replaced || name != "--extra-index-url"
	case name == "--editable" || short("-e"):
		if value != "." {
			f.gaps = append(f.gaps, line)
		}
	}
}

func (x *pip) finish() ([]Dependency, []verdict.NotChecked) {
	var found []Dependency
	var gaps []verdict.NotChecked
	answers, included := newPipAnswers(), x.included()
	for p, f := range x.files {
		if strings.Contains(strings.ToLower(path.Base(p)), "constraint") && !included[p] {
			continue // it asks for nothing; it pins what others ask for
		}
		x.listed(p, answers.of(path.Dir(p)), map[string]bool{})
		more, left := x.resolve(p, f)
		found, gaps = append(found, more...), append(gaps, left...)
	}
	for _, l := range x.locks {
		tool, _ := pipToolOf(path.Base(l.source))
		answers.lock(l, tool)
		if p := x.projects[beside(l.source, tool.manifest)]; p != nil && tool.manifest != "" {
			l.takeProject(p, tool.may)
		}
		more, left := l.finish()
		x.flaws = append(x.flaws, l.flaws...)
		found, gaps = append(found, more...), append(gaps, left...)
	}
	for p, m := range x.projects {
		if slices.Contains(x.broken, path.Dir(p)) {
			continue
		}
		for _, gap := range answers.missing(p, m) {
			if gaps = append(gaps, gap); gap.Blocks {
				x.flaws = append(x.flaws, unlocked(gap, m.relock))
			}
		}
	}
	return found, gaps
}

// resolve gives the components of one file.
func (x *pip) resolve(p string, f *requirements) (found []Dependency, gaps []verdict.NotChecked) {
	limits := x.limits(p, f, &gaps)
	for _, include := range f.includes {
		q := path.Join(path.Dir(p), include)
		if _, known := x.files[q]; !known {
			gaps = append(gaps, wording.Open(p, "it includes %s, which is no requirements file of this tree: name it requirements-….txt", wording.Shown(wording.Cut(include, 200))))
		}
	}
	for _, r := range f.list {
		if r.version == "" {
			r.version = limits[r.name]
		}
		if r.version == "" {
			gaps = append(gaps, wording.Open(p, "line %d asks for %s%s, which is no one version: pip-compile, or pip freeze > requirements.txt", r.line, wording.Shown(r.name), wording.Shown(wording.Cut(r.spec, 80))))
			x.flaws = append(x.flaws, Flaw{
				Rule: Unpinned, About: r.name, Path: p, Line: r.line, Gap: gaps[len(gaps)-1],
				Message: "it installs " + wording.Shown(r.name) + wording.Shown(wording.Cut(r.spec, 80)) + ", whatever version that is on the day",
				Fix:     "write " + wording.Shown(r.name) + "==VERSION in line " + fmt.Sprint(r.line) + ", or pip-compile",
			})
			continue
		}
		found = append(found, Dependency{
			Component: verdict.Component{Ecosystem: EcosystemPyPI, Name: r.name, Version: r.version}, Source: p, Line: r.line, Direct: true, Path: []string{},
			Hashes: r.hashes, From: f.index(), Public: f.public(),
		})
	}
	for _, line := range f.broken {
		gaps = append(gaps, wording.Open(p, "a line cannot be read: %s", wording.Shown(wording.Cut(line, 80))))
	}
	for _, line := range f.gaps {
		gaps = append(gaps, wording.Aside(p, "%s is an address or folder, not a release of a registry: no advisory can name its version", wording.Shown(wording.Cut(withoutCredentials(line), 120))))
	}
	// With a hash for one, pip demands that all are listed with theirs.
	if slices.ContainsFunc(found, func(d Dependency) bool { return len(d.Hashes) == 0 }) {
		gaps = append(gaps, wording.Aside(p, "what its packages bring in is judged as far as it is listed too: pip freeze lists all of it"))
	}
	return found, gaps
}

// index is where the packages of a file come from, where it names one place alone.
func (f *requirements) index() string {
	if len(f.indexes) != 1 {
		return ""
	}
	return origin(EcosystemPyPI, f.indexes[0])
}

// public reports whether PyPI is named among the indexes, or is asked beside others: pip
// takes the highest version that any of them has.
func (f *requirements) public() bool {
	return slices.ContainsFunc(f.indexes, func(i string) bool { return atHome(EcosystemPyPI, i) }) || len(f.indexes) > 0 && !f.replaced
}

func (x *pip) audit() []Flaw { return x.flaws }

// limits gives the versions that the constraint files of f pin.
func (x *pip) limits(p string, f *requirements, gaps *[]verdict.NotChecked) map[string]string {
	pins := map[string]string{}
	for _, limit := range f.limits {
		c, known := x.files[path.Join(path.Dir(p), limit)]
		if !known {
			*gaps = append(*gaps, wording.Open(p, "its constraints %s are no file of this tree that is read: name it constraints.txt", wording.Shown(wording.Cut(limit, 200))))
			continue
		}
		for _, r := range c.list {
			pins[r.name] = r.version
		}
	}
	return pins
}

var (
	userinfo = regexp.MustCompile(`//[^/\s@]*@`)
	query    = regexp.MustCompile(`(//[^\s?#]*)\?[^\s#]*`)
)

// withoutCredentials takes user, password and query out of the addresses of a text, which
// must be whole: of one that was cut, the sign behind a password may be gone.
func withoutCredentials(s string) string {
	return query.ReplaceAllString(userinfo.ReplaceAllString(s, "//"), "$1")
}
