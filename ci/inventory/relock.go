package inventory

import (
	"fmt"
	"path"
	"strings"

	"verdict"
	"verdict/ci/wording"
)

// relocks are the commands that take another version into a lockfile: of what the project
// asks for itself, and of what something else brings in. They are written with NAME, TO
// for the version, and BY for what the project asks for.
var relocks = map[string]struct{ direct, deep string }{
	"pnpm-lock.yaml":     {"pnpm update --recursive NAME@TO", "take a version of BY that needs NAME TO or later: pnpm update --recursive BY"},
	"yarn.lock":          {"yarn add NAME@TO", "take a version of BY that needs NAME TO or later, or put NAME under resolutions in package.json: yarn install"},
	"bun.lock":           {"bun add NAME@TO", "take a version of BY that needs NAME TO or later: bun update BY"},
	"poetry.lock":        {"allow NAME TO in pyproject.toml: poetry update NAME", "poetry update NAME, and BY where it forbids NAME TO"},
	"uv.lock":            {"uv lock --upgrade-package NAME==TO", "uv lock --upgrade-package NAME==TO"},
	"pdm.lock":           {"allow NAME TO in pyproject.toml: pdm update NAME", "pdm update NAME, and BY where it forbids NAME TO"},
	"Pipfile.lock":       {"pipenv upgrade NAME==TO", "pipenv upgrade NAME==TO"},
	"gradle.lockfile":    {"take NAME TO in the build: gradle dependencies --update-locks NAME", "constrain NAME to TO in the build: gradle dependencies --update-locks NAME"},
	"packages.lock.json": {"dotnet add package NAME --version TO", "dotnet add package NAME --version TO, which asks for it in place of BY"},
	"packages.config":    {"nuget update packages.config -Id NAME -Version TO", "nuget update packages.config -Id NAME -Version TO"},
	"composer.lock":      {"composer require NAME:TO", "composer update NAME --with NAME:TO, and BY where it forbids NAME TO"},
	"Gemfile.lock":       {"allow NAME TO in the Gemfile: bundle update --conservative NAME", "bundle update --conservative NAME, and BY where it forbids NAME TO"},
	"gems.locked":        {"allow NAME TO in gems.rb: bundle update --conservative NAME", "bundle update --conservative NAME, and BY where it forbids NAME TO"},
	"mix.lock":           {"allow NAME TO in mix.exs: mix deps.update NAME", "mix deps.update NAME, and BY where it forbids NAME TO"},
	"rebar.lock":         {"allow NAME TO in rebar.config: rebar3 upgrade NAME", "rebar3 upgrade NAME, and what brings it in where that forbids NAME TO"},
	"pubspec.lock":       {"allow NAME TO in pubspec.yaml: dart pub upgrade NAME", "dart pub upgrade NAME, and what brings it in where that forbids NAME TO"},
	"Package.resolved":   {"allow NAME TO in Package.swift: swift package update", "swift package update, and what brings it in where that forbids NAME TO"},
	"conan.lock":         {"ask for NAME/TO in the conanfile: conan lock create .", "conan lock create . with NAME/TO, and what brings it in where that forbids it"},
	"pylock.toml":        {"lock again with NAME TO or later", "lock again with NAME TO or later"},
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
		text, by = c.deep, wording.Shown(d.Path[1])
	}
	return strings.NewReplacer("NAME", name, "TO", to, "BY", by).Replace(text)
}

// Fix is the command or edit that takes the fixed version.
func Fix(d Dependency, x verdict.Vulnerability) string {
	if x.Malicious {
		return "remove " + d.Name + ", treat the machines that installed it as compromised, and change the secrets that they hold"
	}
	if x.Fixed == "" {
		return "no fixed version is known: look for another component, or let the deployment gate judge the risk"
	}
	change := upgrade(d, wording.Shown(d.Name), wording.Shown(x.Fixed))
	// A command for a file below the top fails there, or makes a project of the top.
	if dir := path.Dir(d.Source); dir != "." && !strings.HasSuffix(change, wording.Shown(d.Source)) {
		change = "in " + wording.Shown(dir) + ": " + change
	}
	return change
}

// upgrade is what takes a version in the folder of the file that names a component.
func upgrade(d Dependency, name, to string) string {
	if change := relocked(d, name, to); change != "" {
		return change
	}
	switch {
	case d.Ecosystem == EcosystemGo && d.Name == "stdlib":
		return "build with Go " + to + " or later: go get toolchain@go" + to
	case d.Ecosystem == EcosystemGo:
		return "go get " + name + "@v" + strings.TrimPrefix(to, "v")
	case d.Ecosystem == EcosystemActions:
		return "use " + name + " in release " + to + " or later, by its commit, in line " + fmt.Sprint(d.Line) + " of " + wording.Shown(d.Source)
	case d.Ecosystem == EcosystemNPM && d.Direct:
		return "npm install " + name + "@" + to
	case d.Ecosystem == EcosystemNPM && len(d.Path) > 1:
		return "take a version of " + wording.Shown(d.Path[1]) + " that needs " + name + " " + to + " or later: npm audit fix"
	case d.Ecosystem == EcosystemNPM:
		return "npm audit fix (" + name + " " + to + " or later)"
	case d.Ecosystem == EcosystemCargo:
		return "cargo update -p " + name + "@" + wording.Shown(d.Version) + " --precise " + to
	case d.Ecosystem == EcosystemPyPI && len(d.Hashes) > 0: // another version has others
		return "pip-compile --generate-hashes --upgrade-package " + name + "==" + to + " -o " + wording.Shown(path.Base(d.Source))
	case d.Ecosystem == EcosystemPyPI:
		return "write " + name + "==" + to + " in line " + fmt.Sprint(d.Line) + " of " + wording.Shown(d.Source)
	}
	return "take " + name + " " + to + " or later"
}
