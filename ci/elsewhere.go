package ci

import (
	"path"
	"strings"

	"verdict"
)

// elsewhere notices the files of ecosystems that no reader here knows, so that what they
// name does not look judged.
type elsewhere struct{ open []verdict.NotChecked }

// unread gives the files that name components and are not read.
var unread = map[string]string{
	"Gemfile.lock": "Bundler", "composer.lock": "Composer", "packages.lock.json": "NuGet", "packages.config": "NuGet", "Directory.Packages.props": "NuGet",
	"gradle.lockfile": "Gradle", "build.gradle": "Gradle", "build.gradle.kts": "Gradle", "mix.lock": "Mix", "pubspec.lock": "Pub", "Package.resolved": "Swift", "conan.lock": "Conan",
	"deno.lock": "Deno", "conda-lock.yml": "conda-lock", "pixi.lock": "Pixi", "shrinkwrap.yaml": "pnpm before 3",
}

func (e *elsewhere) wants(p string) bool { return e.tool(p) != "" && !within(p, "node_modules") }

func (e *elsewhere) tool(p string) string {
	switch path.Base(p) {
	case "environment.yml", "environment.yaml":
		return "Conda"
	}
	switch path.Ext(p) {
	case ".csproj", ".fsproj", ".vbproj":
		return "NuGet"
	}
	return unread[path.Base(p)]
}

func (e *elsewhere) add(p string, content []byte) error {
	switch {
	case strings.HasSuffix(path.Ext(p), "proj") && !strings.Contains(string(content), "PackageReference"):
		return nil
	case e.tool(p) == "Conda" && !strings.Contains("\n"+string(content), "\ndependencies:"): // others call their files so, too
		return nil
	}
	e.open = append(e.open, open(p, "components of %s are not read by this version: attest an SBOM of the build instead", e.tool(p)))
	return nil
}

func (e *elsewhere) finish() ([]Dependency, []verdict.NotChecked) { return nil, e.open }
