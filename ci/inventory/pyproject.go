package inventory

import (
	"cmp"
	"slices"
	"strings"
)

// pyproject is what a pyproject.toml or a Pipfile asks for.
type pyproject struct {
	name   string
	asks   []ask
	relock string // the command that writes a lockfile for it
}

// pypiNormal writes a name as PEP 503 compares it.
func pypiNormal(name string) string {
	return strings.ToLower(nameSeparators.ReplaceAllString(name, "-"))
}

func parsePyproject(content []byte) (*pyproject, error) {
	f, err := parseTOML(content)
	if err != nil {
		return nil, err
	}
	p := &pyproject{name: pypiNormal(cmp.Or(f.table("project").word("name"), f.table("tool", "poetry").word("name")))}
	p.requirements(f.table("project").words("dependencies"), ask{})
	for _, extra := range sortedKeys(f.table("project", "optional-dependencies")) {
		p.requirements(f.table("project", "optional-dependencies").words(extra), ask{optional: true})
	}
	p.groups(f.table("dependency-groups"))
	p.groups(f.table("tool", "pdm", "dev-dependencies"))
	p.requirements(f.table("tool", "uv").words("dev-dependencies"), ask{dev: true})
	poetry := f.table("tool", "poetry")
	p.names(poetry.table("dependencies"), false)
	p.names(poetry.table("dev-dependencies"), true)
	for _, group := range sortedKeys(poetry.table("group")) {
		p.names(poetry.table("group", group, "dependencies"), group != "main")
	}
	p.relock = "pip-compile pyproject.toml -o requirements.txt"
	for _, tool := range []string{"uv", "pdm", "poetry"} {
		if f.table("tool").has(tool) {
			p.relock = tool + " lock"
		}
	}
	return p, nil
}

// parsePipfile reads the manifest of pipenv: tables of names, one of them for development,
// others with names of the project's own.
func parsePipfile(content []byte) (*pyproject, error) {
	f, err := parseTOML(content)
	if err != nil {
		return nil, err
	}
	p := &pyproject{relock: "pipenv lock"}
	for _, key := range sortedKeys(f) {
		if !slices.Contains([]string{"source", "requires", "scripts", "pipenv", "pipfile"}, key) {
			p.names(f.table(key), key == "dev-packages")
		}
	}
	return p, nil
}

// names takes a table from names to versions, as poetry and pipenv write it.
func (p *pyproject) names(t tomlTable, dev bool) {
	for _, name := range sortedKeys(t) {
		if pypiNormal(name) != "python" {
			p.asks = append(p.asks, ask{name: pypiNormal(name), dev: dev, optional: conditional(t[name])})
		}
	}
}

// conditional reports whether a wish may stay without an answer in a lockfile: it is for
// an extra that nobody took, or for an environment that the project does not have.
func conditional(wish any) bool {
	switch w := wish.(type) {
	case map[string]any:
		return w["optional"] == true || tomlTable(w).has("markers") || tomlTable(w).has("python")
	case []any:
		return !slices.ContainsFunc(w, func(one any) bool { return !conditional(one) })
	}
	return false
}

// requirements takes a list of PEP 508.
func (p *pyproject) requirements(list []string, as ask) {
	for _, r := range list {
		if name := requiredName(r); name != "" {
			p.asks = append(p.asks, ask{name: name, dev: as.dev, optional: as.optional || strings.Contains(r, ";")})
		}
	}
}

// requiredName is the name in a requirement of PEP 508.
func requiredName(r string) string {
	if m := requirementForm.FindStringSubmatch(strings.TrimSpace(r)); m != nil {
		return pypiNormal(m[1])
	}
	return ""
}

// groups takes PEP 735: groups of requirements for developers. One that includes another
// adds nothing that the other does not say.
func (p *pyproject) groups(t tomlTable) {
	for _, group := range sortedKeys(t) {
		p.requirements(t.words(group), ask{dev: true})
	}
}
