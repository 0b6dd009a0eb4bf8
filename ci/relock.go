package ci

import (
	"path"
	"strings"
)

// relocks are the commands that take another version into a lockfile: of what the project
// asks for itself, and of what something else brings in. They are written with NAME, TO
// for the version, and BY for what the project asks for.
var relocks = map[string]struct{ direct, deep string }{
	"pnpm-lock.yaml": {"pnpm update --recursive NAME@TO", "take a version of BY that needs NAME TO or later: pnpm update --recursive BY"},
	"yarn.lock":      {"yarn add NAME@TO", "take a version of BY that needs NAME TO or later, or put NAME under resolutions in package.json: yarn install"},
	"bun.lock":       {"bun add NAME@TO", "take a version of BY that needs NAME TO or later: bun update BY"},
	"poetry.lock":    {"allow NAME TO in pyproject.toml: poetry update NAME", "poetry update NAME, and BY where it forbids NAME TO"},
	"uv.lock":        {"uv lock --upgrade-package NAME==TO", "uv lock --upgrade-package NAME==TO"},
	"pdm.lock":       {"allow NAME TO in pyproject.toml: pdm update NAME", "pdm update NAME, and BY where it forbids NAME TO"},
	"Pipfile.lock":   {"pipenv upgrade NAME==TO", "pipenv upgrade NAME==TO"},
	"pylock.toml":    {"lock again with NAME TO or later", "lock again with NAME TO or later"},
}

// relocked is the command that takes a fixed version into the lockfile of a dependency; ""
// for files that have none here. A lockfile is never edited by hand.
func relocked(d Dependency, name, to string) string {
	base := path.Base(d.Source)
	if _, known := relocks[base]; !known && isPipTool(base) {
		base = "pylock.toml"
	}
	c, ok := relocks[base]
	if !ok {
		return ""
	}
	text, by := c.direct, ""
	if !d.Direct && len(d.Path) > 1 {
		text, by = c.deep, shown(d.Path[1])
	}
	return strings.NewReplacer("NAME", name, "TO", to, "BY", by).Replace(text)
}
