package inventory

import (
	"path"
	"strings"

	"verdict"
	"verdict/ci/wording"
)

// elsewhere notices the files of ecosystems that no reader here knows, so that what they
// name does not look judged.
type elsewhere struct{ open []verdict.NotChecked }

// unread gives the files that name components and are not read.
var unread = map[string]string{
	"deno.lock": "Deno", "conda-lock.yml": "conda-lock", "pixi.lock": "Pixi", "shrinkwrap.yaml": "pnpm before 3", "paket.lock": "Paket", "Cartfile.resolved": "Carthage",
	"environment.yml": "Conda", "environment.yaml": "Conda",
}

func (e *elsewhere) wants(p string) bool {
	return unread[path.Base(p)] != ""
}

func (e *elsewhere) add(p string, content []byte) error {
	tool := unread[path.Base(p)]
	if tool == "Conda" && !strings.Contains("\n"+string(content), "\ndependencies:") { // others call their files so, too
		return nil
	}
	e.open = append(e.open, wording.Open(p, "components of %s are not read by this version: attest an SBOM of the build instead", tool))
	return nil
}

func (e *elsewhere) finish() ([]Dependency, []verdict.NotChecked) { return nil, e.open }
