package inventory

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/wording"
)

// Bounds of a place in node_modules, both beyond what can be installed: finding what a
// package asks for takes as long as its place is deep.
const (
	maxPlaceDepth  = 64
	maxPlaceLength = 4096 // bytes
)

// believable is the error of a file that names what nobody could install.
func (l *npmLock) believable() error {
	asks := 0
	for _, p := range l.packages {
		if len(p.place) > maxPlaceLength || strings.Count("/"+p.place, "/node_modules/") > maxPlaceDepth {
			return fmt.Errorf("line %d: a package that lies deeper than %d others or %d characters", p.line, maxPlaceDepth, maxPlaceLength)
		}
		if asks += len(p.asks); asks > maxLinks {
			return fmt.Errorf("it has more than %d links between packages", maxLinks)
		}
	}
	return nil
}

// takeManifests adds what the projects ask for in their own package.json: the file may be
// out of step with them, and in its first form only they say it.
func (l *npmLock) takeManifests(manifests map[string]*packageJSON) {
	top := false
	for i := range l.packages {
		p := &l.packages[i]
		if strings.Contains("/"+p.place, "/node_modules/") {
			continue
		}
		top = top || p.place == ""
		if m := manifests[path.Join(path.Dir(l.source), p.place, "package.json")]; m != nil {
			p.asks = append(p.asks, m.wishes(p.place == "")...)
		}
	}
	if m := manifests[beside(l.source, "package.json")]; m != nil && !top {
		l.packages = append(l.packages, npmPackage{asks: m.wishes(true)})
	}
}

// wishes are what a package-lock has to answer. Only those of the top need what is for
// development.
func (m *packageJSON) wishes(top bool) []ask {
	asks := slices.Clone(m.asks)
	for i := range asks {
		asks[i].optional = asks[i].optional || asks[i].dev && !top
	}
	spare(asks)
	return asks
}

// spare makes a wish that may stay without an answer of every one for the same name: who
// publishes a package may say both.
func spare(asks []ask) {
	free := map[string]bool{}
	for _, a := range asks {
		free[a.name] = free[a.name] || a.optional
	}
	for i, a := range asks {
		asks[i].optional = free[a.name]
	}
}

// missing tells what is asked for and lies nowhere.
func (l *npmLock) missing(names []string) []verdict.NotChecked {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return []verdict.NotChecked{wording.Open(l.source, "it does not hold %s asked for, the first is %s: %s", wording.Count(len(names), "package that is", "packages that are"), wording.Shown(wording.Cut(names[0], 240)), locks["npm"])}
}

// npmPlaces finds packages by the folder whose node_modules they lie in, and by the name
// of their folder there.
type npmPlaces struct {
	folders map[string]int
	in      map[npmPlace]int
	whole   map[string]int
}

type npmPlace struct {
	folder int
	name   string
}

func (l *npmLock) places() *npmPlaces {
	x := &npmPlaces{folders: map[string]int{}, in: make(map[npmPlace]int, len(l.packages)), whole: make(map[string]int, len(l.packages))}
	for i, p := range l.packages {
		x.whole[p.place] = i
		name := nameOfPlace(p.place)
		folder := strings.TrimSuffix(strings.TrimSuffix(p.place, "node_modules/"+name), "/")
		if name == "" || path.Base(folder) == "node_modules" {
			continue
		}
		if _, known := x.folders[folder]; !known {
			x.folders[folder] = len(x.folders)
		}
		x.in[npmPlace{x.folders[folder], name}] = i
	}
	return x
}

// above are the folders with packages in which node looks from a place, the nearest first.
func (x *npmPlaces) above(place string) []int {
	var all []int
	for dir := place; ; {
		if id, ok := x.folders[dir]; ok {
			all = append(all, id)
		}
		if dir == "" {
			return all
		}
		dir = dir[:max(0, strings.LastIndexByte(dir, '/'))]
	}
}

// graph resolves what each package asks for as node does: in its own node_modules, then
// in those of the folders above. missing is what has to be there and is not.
func (l *npmLock) graph() (g *graph, missing []string) {
	g = &graph{names: make([]string, len(l.packages)), needs: make([][]int, len(l.packages))}
	places := l.places()
	for i, p := range l.packages {
		g.names[i] = p.name
		if !strings.Contains("/"+p.place, "/node_modules/") {
			g.roots = append(g.roots, i)
			g.names[i] = cmp.Or(p.name, p.place, "this project")
		}
		folders := places.above(p.place)
		for _, a := range p.asks {
			n, ok := l.resolve(places, folders, a.name)
			switch {
			case ok:
				g.needs[i] = append(g.needs[i], n)
			case !a.optional && !strings.HasSuffix(p.place, noPlace):
				missing = append(missing, a.name+" (of "+g.names[i]+")")
			}
		}
	}
	return g, missing
}

func (l *npmLock) resolve(places *npmPlaces, folders []int, name string) (int, bool) {
	for _, folder := range folders {
		if n, ok := places.in[npmPlace{folder, name}]; ok {
			if t := l.packages[n].target; t != "" {
				n, ok = places.whole[t]
			}
			return n, ok
		}
	}
	return 0, false
}
