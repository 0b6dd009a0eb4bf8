package inventory

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"verdict/ci/wording"
)

func (n *npm) audit() []Flaw { return n.flaws }

// compare holds the manifests that the lockfile answers for against it. What npm ci would
// refuse is told: then whoever builds takes what the lockfile does not say.
func (l *npmLock) compare(manifests map[string]*packageJSON) (flaws []Flaw) {
	const fix = "npm install --package-lock-only, and commit package-lock.json"
	places := make(map[string]npmPackage, len(l.packages))
	for _, p := range l.packages {
		places[p.place] = p
	}
	dir, lock := path.Dir(l.source), wording.Shown(path.Base(l.source))
	folders := l.projects()
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		manifest := path.Join(folder, "package.json")
		m := manifests[manifest]
		if m == nil {
			continue
		}
		project := strings.TrimPrefix(strings.TrimPrefix(path.Join("/", folder), path.Join("/", dir)), "/")
		for _, ask := range m.asks {
			p, found := placed(places, project, ask.name)
			switch {
			case !found:
				flaws = append(flaws, stale(manifest, ask.line, ask.name, "it asks for "+wording.Shown(ask.name)+", which "+lock+" does not name", fix))
			case !m.overrides && refuses(ask.spec, p.version):
				flaws = append(flaws, stale(manifest, ask.line, ask.name,
					fmt.Sprintf("it asks for %s %s, and %s locks %s", wording.Shown(ask.name), wording.Shown(wording.Cut(ask.spec, 80)), lock, wording.Shown(wording.Cut(p.version, 80))), fix))
			}
		}
	}
	return flaws
}

// placed finds a package as node does from a project: in its own node_modules, then in
// those of the folders above.
func placed(places map[string]npmPackage, project, name string) (npmPackage, bool) {
	for dir := project; ; {
		if p, ok := places[strings.TrimPrefix(dir+"/node_modules/"+name, "/")]; ok {
			return p, true
		}
		if dir == "" {
			return npmPackage{}, false
		}
		dir = strings.TrimSuffix(path.Dir(dir), ".")
	}
}

var (
	simpleRange = regexp.MustCompile(`^([\^~]?)[=v]*([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})$`)
	npmVersion  = regexp.MustCompile(`^()([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})$`)
)

// refuses reports whether a range certainly does not hold a version. Of ranges it reads one
// version alone, or with ^ or ~ before it; for every other form it says no.
func refuses(versions, version string) bool {
	r, v := simpleRange.FindStringSubmatch(strings.TrimSpace(versions)), npmVersion.FindStringSubmatch(version)
	if r == nil || v == nil {
		return false
	}
	var low, is [3]int
	for i := range low {
		low[i], _ = strconv.Atoi(r[i+2])
		is[i], _ = strconv.Atoi(v[i+2])
	}
	fixed := 3 // how many numbers have to be the same
	switch {
	case r[1] == "~":
		fixed = 2
	case r[1] == "^" && low[0] > 0:
		fixed = 1
	case r[1] == "^" && low[1] > 0:
		fixed = 2
	}
	for i := range low {
		switch {
		case i < fixed && is[i] != low[i]:
			return true
		case is[i] != low[i]:
			return is[i] < low[i]
		}
	}
	return false
}
