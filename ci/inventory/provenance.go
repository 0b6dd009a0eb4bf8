package inventory

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Where components come from, and whether they are what was looked at. Everything here goes
// by the fields of a Dependency, so that an ecosystem takes part by filling them.

// Provenance tells what the components of a tree show by themselves: whose content nothing
// vouches for, which names can be moved, which sources are mixed.
func Provenance(all []Dependency) []Flaw {
	return slices.Concat(unhashed(all), movable(all), mixed(all))
}

// Against tells what only the base of a change shows: other content under the same version,
// and programs that run at installation and did not before.
func Against(was, now []Dependency) []Flaw {
	return slices.Concat(changed(now, was), scripts(now, was))
}

// recordsHashes are the lockfiles whose tool records a hash for everything that it downloads.
var recordsHashes = []string{"package-lock.json", "npm-shrinkwrap.json", "Cargo.lock"}

// unhashed tells components whose content nothing vouches for: in a lockfile that records
// hashes always, or has one for another component of the same ecosystem. A file in which
// hashes are a choice that nobody made is told once.
func unhashed(all []Dependency) (flaws []Flaw) {
	type of struct{ source, ecosystem string }
	with, without := map[of]int{}, map[of][]Dependency{}
	for _, d := range all {
		at := of{d.Source, d.Ecosystem}
		switch {
		case len(d.Hashes) > 0:
			with[at]++
		case !d.Bundled && !atCommit(d.From) && !slices.Contains(referenced, d.Ecosystem):
			without[at] = append(without[at], d)
		}
	}
	for at, list := range without {
		if with[at] == 0 && !slices.Contains(recordsHashes, path.Base(at.source)) {
			if at.ecosystem == EcosystemPyPI {
				flaws = append(flaws, Flaw{
					Rule: HashesNone, Path: at.source, Fix: "pip-compile --generate-hashes",
					Message: fmt.Sprintf("it has no hash for any of its packages (%d): pip installs whatever is served under these versions", len(list)),
				})
			}
			continue
		}
		for _, d := range list {
			flaws = append(flaws, d.Flaw(HashMissing, rehash(d), "%s %s has no hash, so whatever is served under this version is installed", d.Name, d.Version))
		}
	}
	return flaws
}

// rehash is the command that records the hash.
func rehash(d Dependency) string {
	switch d.Ecosystem {
	case EcosystemNPM:
		return "rm -rf node_modules " + path.Base(d.Source) + ", then npm install, and commit the lockfile"
	case EcosystemCargo:
		return "cargo update -p " + d.Name + "@" + d.Version + " --precise " + d.Version
	case EcosystemPyPI:
		return "pip-compile --generate-hashes"
	}
	return "let the package manager write the lockfile again"
}

// atCommit reports whether an origin names the commit that is taken.
func atCommit(from string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(from, func(r rune) bool { return strings.ContainsRune("/#@", r) }), commitID.MatchString)
}

// referenced are ecosystems whose components are named by what somebody can move: a tag,
// a branch, a version of a module without a lockfile.
var referenced = []string{EcosystemActions, EcosystemImages, EcosystemHelm, EcosystemTerraform}

// movable tells components that are named by a tag or branch, where a digest or commit
// could stand.
func movable(all []Dependency) (flaws []Flaw) {
	for _, d := range all {
		digest := strings.HasPrefix(d.Version, "sha256:") || commitID.MatchString(d.Version) || len(d.Hashes) > 0 || atCommit(d.From)
		repository := strings.HasPrefix(d.From, "git") || strings.HasPrefix(d.From, "ssh:") || strings.HasSuffix(strings.TrimSuffix(d.From, "/"), ".git")
		if digest || !repository && !slices.Contains(referenced, d.Ecosystem) || d.Ecosystem == EcosystemCargo {
			continue // Cargo.lock holds the commit, which crates of a repository are never without
		}
		flaws = append(flaws, d.Flaw(MutableRef, unmovable(d), "%s is a name that its owner can move to other content", strings.TrimSpace(d.Name+" "+d.Version)))
	}
	return flaws
}

// unmovable is what to write where a name can move. Repositories of charts and registries of
// modules know no digest to ask for.
func unmovable(d Dependency) string {
	switch {
	case d.Ecosystem == EcosystemHelm && !strings.HasPrefix(d.From, "oci:"):
		return "helm dependency update, and commit Chart.lock and the chart in charts/"
	case d.Ecosystem == EcosystemTerraform && d.From == "":
		return "call it by its repository and commit (git::https://…?ref=COMMIT), or have its content approved (verdict help modules)"
	}
	return "write the digest or commit instead of " + cmp.Or(d.Version, "the latest")
}

// mixed tells scopes of npm whose packages come from more than one registry in a lockfile:
// one of them may not be the one that was meant.
func mixed(all []Dependency) (flaws []Flaw) {
	type of struct{ source, scope string }
	hosts := map[of]map[string]Dependency{}
	for _, d := range all {
		scope, _, scoped := strings.Cut(d.Name, "/")
		if d.Ecosystem != EcosystemNPM || !scoped || d.From == "" && !d.Public || atCommit(d.From) {
			continue
		}
		at := of{d.Source, scope}
		if hosts[at] == nil {
			hosts[at] = map[string]Dependency{}
		}
		if _, known := hosts[at][host(d.From)]; !known {
			hosts[at][host(d.From)] = d
		}
	}
	for at, from := range hosts {
		if len(from) < 2 {
			continue
		}
		var names []string
		for h := range from {
			names = append(names, cmp.Or(h, "the public registry"))
		}
		slices.Sort(names)
		flaws = append(flaws, Flaw{
			Rule: RegistriesMixed, About: at.scope, Path: at.source, Fix: "set the registry of " + at.scope + " in .npmrc, and lock again",
			Message: fmt.Sprintf("packages of %s come from %s", at.scope, strings.Join(names, " and ")),
		})
	}
	return flaws
}

// host is the host of an origin; empty for the ecosystem's own registry.
func host(from string) string {
	_, rest, _ := strings.Cut(from, "://")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// changed tells components that have the same version as in the base of the change and none
// of the hashes that they had there.
func changed(now, was []Dependency) (flaws []Flaw) {
	before := map[string]map[string]bool{} // purl and algorithm → digests
	for _, d := range was {
		for algorithm, digest := range d.digests() {
			key := d.PURL + " " + algorithm
			if before[key] == nil {
				before[key] = map[string]bool{}
			}
			before[key][digest] = true
		}
	}
	for _, d := range now {
		same, other := false, false
		for algorithm, digest := range d.digests() {
			if known := before[d.PURL+" "+algorithm]; known != nil {
				same, other = same || known[digest], other || !known[digest]
			}
		}
		if other && !same {
			flaws = append(flaws, d.Flaw(HashChanged, "find out which of the two is the release before anything is installed: a version that was published never changes",
				"%s %s has another hash than before this change, under the same version", d.Name, d.Version))
		}
	}
	return flaws
}

// digests gives every digest with its algorithm.
func (d Dependency) digests() func(yield func(algorithm, digest string) bool) {
	return func(yield func(algorithm, digest string) bool) {
		for _, h := range d.Hashes {
			if !yield(h.Algorithm, h.Hex) {
				return
			}
		}
		if d.Sum != "" {
			yield("h1", d.Sum)
		}
	}
}

// scripts tells packages that run a program of their own at installation, where no version
// in the base of the change did. A file that does not tell is neither.
func scripts(now, was []Dependency) (flaws []Flaw) {
	before := map[string]Told{} // by ecosystem and name
	for _, d := range was {
		if key := d.Ecosystem + " " + d.Name; d.Script != Untold && before[key] != Yes {
			before[key] = d.Script
		}
	}
	for _, d := range now {
		if d.Script == Yes && before[d.Ecosystem+" "+d.Name] == No {
			flaws = append(flaws, d.Flaw(ScriptAdded, "read what it runs before it is installed: npm install --ignore-scripts, then look at its package.json",
				"%s %s runs a program at installation, which it did not before this change", d.Name, d.Version))
		}
	}
	return flaws
}
