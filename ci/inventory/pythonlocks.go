package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"verdict/ci/wording"
)

// pythonLock collects the packages of one lockfile of Python, where a wish is a name and
// everything of that name answers it: which one an environment takes, its markers decide.
type pythonLock struct {
	*locked
	byName map[string][]int
}

func newPythonLock(relock string) *pythonLock {
	x := &pythonLock{locked: &locked{ecosystem: EcosystemPyPI, relock: relock}, byName: map[string][]int{}}
	x.locked.resolve = func(_ int, a ask) ([]int, bool) {
		to, ok := x.byName[a.name]
		if !ok || a.spec == "" {
			return to, ok
		}
		exact := []int{}
		for _, i := range to {
			if x.nodes[i].version == a.spec {
				exact = append(exact, i)
			}
		}
		return exact, len(exact) > 0
	}
	return x
}

// put adds a package under its name as PEP 503 writes it.
func (x *pythonLock) put(n node) (int, error) {
	if n.name == "" {
		return 0, fmt.Errorf("line %d: a package without a name", n.line)
	}
	n.name = pypiNormal(n.name)
	x.byName[n.name] = append(x.byName[n.name], len(x.nodes))
	return x.add(n), nil
}

// takeProject adds what the project beside the file asks for, where only it tells. may
// says what the tool leaves out of its file on purpose.
func (x *pythonLock) takeProject(p *pyproject, may func(a ask) bool) {
	n := node{name: p.name, kind: project}
	for _, a := range p.asks {
		if a.name != p.name { // its own extras
			a.optional = a.optional || may(a)
			n.asks = append(n.asks, a)
		}
	}
	x.add(n)
}

// parsePoetryLock reads poetry.lock 1.x and 2.x. What the project asks for stands in its
// pyproject.toml.
func parsePoetryLock(content []byte) (*pythonLock, error) {
	f, err := parseTOML(content)
	if err != nil {
		return nil, err
	}
	version := f.table("metadata").word("lock-version")
	switch {
	case len(f) == 0 || !f.has("metadata"):
		return nil, errors.New("it is no lockfile of poetry, or ends early: it has no metadata")
	case version != "" && !strings.HasPrefix(version, "1.") && !strings.HasPrefix(version, "2."):
		return nil, fmt.Errorf("lock-version %s is not read by this version: 1 and 2 are", wording.Cut(version, 20))
	}
	tables, lines, err := f.packages("package", content)
	if err != nil {
		return nil, err
	}
	x := newPythonLock("poetry lock")
	for i, t := range tables {
		n := node{name: t.word("name"), version: t.word("version"), line: lines[i], hashes: hashesOf(t.tables("files"))}
		if older := f.table("metadata", "files"); n.hashes == nil {
			n.hashes = hashesOf(older.tables(n.name))
		}
		switch groups := t.words("groups"); {
		case groups != nil:
			n.devSaid, n.dev = true, !slices.Contains(groups, "main")
		case t.has("category"):
			n.devSaid, n.dev = true, t.word("category") != "main"
		}
		for _, name := range sortedKeys(t.table("dependencies")) {
			n.asks = append(n.asks, ask{name: pypiNormal(name), optional: conditional(t.table("dependencies")[name])})
		}
		n.poetrySource(t.table("source"))
		if _, err := x.put(n); err != nil {
			return nil, err
		}
	}
	return x, x.tooMany()
}

func (n *node) poetrySource(source tomlTable) {
	address := source.word("url")
	switch source.word("type") {
	case "":
	case "legacy":
		n.address = address
	case "directory":
		n.kind = local
	default: // git, url, file
		n.kind, n.address = addressed, address
		if commit := source.word("resolved_reference"); commit != "" {
			n.address += "#" + commit
		}
	}
}

// parsePDMLock reads pdm.lock. A package with extras stands in it several times.
func parsePDMLock(content []byte) (*pythonLock, error) {
	f, err := parseTOML(content)
	if err != nil {
		return nil, err
	}
	if !f.has("metadata") {
		return nil, errors.New("it is no lockfile of pdm, or ends early: it has no metadata")
	}
	if v := f.table("metadata").word("lock_version"); v != "" && !strings.HasPrefix(v, "4.") && !strings.HasPrefix(v, "3") {
		return nil, fmt.Errorf("lock_version %s is not read by this version: 3 and 4 are", wording.Cut(v, 20))
	}
	tables, lines, err := f.packages("package", content)
	if err != nil {
		return nil, err
	}
	x := newPythonLock("pdm lock")
	for i, t := range tables {
		files := append(t.tables("files"), f.table("metadata", "files").tables(t.word("name")+" "+t.word("version"))...)
		n := node{name: t.word("name"), version: t.word("version"), line: lines[i], hashes: hashesOf(files)}
		for _, r := range t.words("dependencies") {
			if name := requiredName(r); name != "" && name != pypiNormal(n.name) {
				n.asks = append(n.asks, ask{name: name, optional: strings.Contains(r, ";")})
			}
		}
		switch {
		case t.word("path") != "":
			if n.kind = local; isPythonArchive(t.word("path")) {
				n.kind, n.address = addressed, t.word("path")
			}
		case t.word("git") != "":
			n.kind, n.address = addressed, t.word("git")+"#"+t.word("revision")
		case t.word("url") != "":
			n.kind, n.address = addressed, t.word("url")
		}
		if _, err := x.put(n); err != nil {
			return nil, err
		}
	}
	return x, x.tooMany()
}

// isPythonArchive reports whether a path is that of a packed distribution.
func isPythonArchive(p string) bool {
	return strings.HasSuffix(p, ".whl") || strings.HasSuffix(p, ".zip") || strings.HasSuffix(p, ".tar.gz") || strings.HasSuffix(p, ".tar.bz2")
}

// parsePylock reads pylock.toml of PEP 751.
func parsePylock(content []byte) (*pythonLock, error) {
	f, err := parseTOML(content)
	if err != nil {
		return nil, err
	}
	if v := f.word("lock-version"); v != "1.0" {
		return nil, fmt.Errorf("lock-version %q is not read by this version: 1.0 is", wording.Cut(v, 20))
	}
	tables, lines, err := f.packages("packages", content)
	if err != nil {
		return nil, err
	}
	x := newPythonLock("lock again with the tool that wrote it (created-by)")
	for i, t := range tables {
		n := node{name: t.word("name"), version: t.word("version"), line: lines[i], address: t.word("index"), silent: !t.has("dependencies")}
		for _, d := range t.tables("dependencies") {
			n.asks = append(n.asks, ask{name: pypiNormal(d.word("name")), spec: d.word("version")})
		}
		for _, file := range append(t.tables("wheels"), t.table("sdist"), t.table("archive")) {
			for _, algorithm := range sortedKeys(file.table("hashes")) {
				n.hashes = append(n.hashes, hashOfHex(algorithm, file.table("hashes").word(algorithm))...)
			}
		}
		switch vcs, archive := t.table("vcs"), t.table("archive"); {
		case vcs != nil:
			n.kind, n.address = addressed, cmp.Or(vcs.word("url"), vcs.word("path"))+"#"+vcs.word("commit-id")
		case archive != nil:
			n.kind, n.address = addressed, cmp.Or(archive.word("url"), archive.word("path"))
		case t.has("directory"):
			n.kind = local
		}
		if _, err := x.put(n); err != nil {
			return nil, err
		}
	}
	return x, x.tooMany()
}

// parseUVLock reads uv.lock, which tells the projects too: members of the workspace, or
// what lies in the folder of the file.
func parseUVLock(content []byte) (*pythonLock, error) {
	f, err := parseTOML(content)
	if err != nil {
		return nil, err
	}
	if v, _ := f["version"].(int64); v != 1 {
		return nil, fmt.Errorf("version %v is not read by this version: 1 is", f["version"])
	}
	if f.has("distribution") {
		return nil, errors.New("it is of a uv before 0.3: uv lock")
	}
	tables, lines, err := f.packages("package", content)
	if err != nil {
		return nil, err
	}
	members := map[string]bool{}
	for _, m := range f.table("manifest").words("members") {
		members[pypiNormal(m)] = true
	}
	x := newPythonLock("uv lock")
	own := node{kind: project} // of a script, or of a workspace whose top is no package
	own.uvAsks(f.table("manifest").list("requirements"), false)
	for _, group := range sortedKeys(f.table("manifest", "dependency-groups")) {
		own.uvAsks(f.table("manifest", "dependency-groups").list(group), true)
	}
	if len(own.asks) > 0 {
		x.add(own)
	}
	for i, t := range tables {
		n := node{name: t.word("name"), version: t.word("version"), line: lines[i]}
		n.uvSource(t.table("source"))
		if folder := uvFolder(t.table("source")); folder != "" && (members[pypiNormal(n.name)] || len(members) == 0 && folder == ".") {
			n.kind = project
			x.projects = append(x.projects, folder)
		}
		n.hashes = hashesOf(append(t.tables("wheels"), t.table("sdist")))
		n.uvAsks(t.list("dependencies"), false)
		for _, extra := range sortedKeys(t.table("optional-dependencies")) {
			n.uvAsks(t.table("optional-dependencies").list(extra), false)
		}
		for _, group := range sortedKeys(t.table("dev-dependencies")) {
			n.uvAsks(t.table("dev-dependencies").list(group), true)
		}
		if _, err := x.put(n); err != nil {
			return nil, err
		}
	}
	return x, x.tooMany()
}

// uvFolder is the folder that a package lies in; "" for one that does not.
func uvFolder(source tomlTable) string {
	if folder := cmp.Or(source.word("editable"), source.word("virtual"), source.word("directory")); folder != "" {
		return path.Clean(folder)
	}
	return ""
}

func (n *node) uvSource(source tomlTable) {
	switch {
	case source == nil:
	case source.has("registry"):
		n.address = source.word("registry")
	case uvFolder(source) != "":
		n.kind = local
	default: // git, url, path
		n.kind, n.address = addressed, cmp.Or(source.word("git"), source.word("url"), source.word("path"))
	}
}

// uvAsks adds wishes. Where one name has several versions, a wish tells its version.
func (n *node) uvAsks(list []any, dev bool) {
	for _, d := range tablesOf(list) {
		n.asks = append(n.asks, ask{name: pypiNormal(d.word("name")), spec: d.word("version"), dev: dev})
	}
}
