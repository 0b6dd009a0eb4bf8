package inventory

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"verdict/ci/plain"
)

// packageJSON is what a project says of itself and asks for.
type packageJSON struct {
	name       string
	asks       []ask
	workspaces []string // patterns of folders that share its lockfile
	overrides  bool     // it puts other versions in place of those that are asked for
	manager    string   // the package manager that it names, with a version; empty for none
}

// locks are the commands that write a lockfile and install nothing, by package manager.
var locks = map[string]string{
	"npm": "npm install --package-lock-only", "pnpm": "pnpm install --lockfile-only", "yarn": "yarn install", "bun": "bun install --lockfile-only",
}

// lock is the command that writes the project's lockfile.
func (m *packageJSON) lock() string {
	manager, _, _ := strings.Cut(m.manager, "@")
	return cmp.Or(locks[manager], locks["npm"])
}

// parsePackageJSON reads a manifest. A key that stands twice counts each time.
func parsePackageJSON(content []byte) (*packageJSON, error) {
	m := &packageJSON{}
	j := plain.NewJSON(content)
	if j.Peek() != '{' {
		return nil, j.Fault("no object")
	}
	err := j.Members(func(key string, _ int64) (err error) {
		switch key {
		case "name":
			m.name, err = j.Text()
		case "packageManager":
			m.manager, err = j.Text()
		case "dependencies", "devDependencies", "optionalDependencies":
			err = m.readAsks(j, key)
		case "workspaces":
			err = m.readWorkspaces(j)
		case "resolutions", "overrides":
			m.overrides = true
			err = j.Skip()
		default:
			err = j.Skip()
		}
		return err
	})
	if err == nil {
		err = j.End()
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (m *packageJSON) readAsks(j *plain.JSON, member string) error {
	return j.Members(func(name string, line int64) error {
		spec, err := j.Text()
		m.asks = append(m.asks, ask{name: name, spec: spec, line: line, dev: member == "devDependencies", optional: member == "optionalDependencies"})
		return err
	})
}

// readWorkspaces takes a list of patterns, or an object that holds one as packages.
func (m *packageJSON) readWorkspaces(j *plain.JSON) error {
	if j.Peek() == '{' {
		return j.Members(func(key string, _ int64) error {
			if key == "packages" {
				return m.readWorkspaces(j)
			}
			return j.Skip()
		})
	}
	list, err := j.Texts()
	m.workspaces = append(m.workspaces, list...)
	if len(m.workspaces) > maxWorkspaces || slices.ContainsFunc(list, func(p string) bool { return len(p) > maxPattern }) {
		return j.Fault("workspaces that are too many or too long")
	}
	return err
}

// Limits of the patterns of workspaces, each of which is held against every manifest below.
const (
	maxWorkspaces = 1000
	maxPattern    = 1000
)

// onlyDevelopment gives the names that are asked for by what builds or tests alone.
func (m *packageJSON) onlyDevelopment() map[string]bool {
	only := map[string]bool{}
	for _, a := range m.asks {
		if before, known := only[a.name]; known {
			only[a.name] = before && a.dev
		} else {
			only[a.name] = a.dev
		}
	}
	return only
}

// meet brings a lockfile together with the manifests that it answers: which folders these
// are, what they ask for where only they say it, and what of it is for development.
func (n *npm) meet(l *locked, answered map[string]bool) {
	dir := path.Dir(l.source)
	root := n.manifests[beside(l.source, "package.json")]
	own := map[string]bool{dir: true}
	for _, p := range l.projects {
		own[path.Join(dir, p)] = true
	}
	for _, p := range sortedKeys(n.manifests) {
		folder := path.Dir(p)
		if l.globs && root != nil && under(folder, dir) && inWorkspace(root.workspaces, relative(folder, dir)) {
			own[folder] = true
		}
		if l.manifest != nil && root != nil && own[folder] && under(folder, dir) {
			l.manifest(relative(folder, dir), n.manifests[p], root)
			l.unseen = l.globs && n.partial && len(root.workspaces) > 0
		}
	}
	maps.Copy(answered, own)
}
