package inventory

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/wording"
)

// maven reads pom.xml files: properties, parents and managed versions as far as they lie
// in the tree. Nothing is fetched and no local repository is looked at, so a version
// that comes from elsewhere is not known, and said to be so.
type maven struct {
	poms  map[string]*pom
	flaws []Flaw
}

func (m *maven) wants(p string) bool { return path.Base(p) == "pom.xml" }

func (m *maven) add(p string, content []byte) error {
	if m.poms == nil {
		m.poms = map[string]*pom{}
	}
	x, err := parsePOM(p, content)
	if err == nil {
		m.poms[p] = x
	}
	return err
}

func (m *maven) finish() ([]Dependency, []verdict.NotChecked) {
	own := map[string]*pom{}
	for _, x := range m.poms {
		own[x.group+":"+x.name] = x
	}
	// A parent's own dependencies are those of its children, each with the child's
	// properties and managed versions, so a parent is judged through them alone.
	parents := map[*pom]bool{}
	lineages := make([]*lineage, 0, len(m.poms))
	for _, p := range sortedKeys(m.poms) {
		l := m.lineage(m.poms[p], own)
		lineages = append(lineages, l)
		for _, p := range l.all[1:] {
			// In a circle there is no child through which a parent would be judged.
			parents[p] = parents[p] || !l.circular
		}
	}
	var found []Dependency
	var gaps []verdict.NotChecked
	for _, l := range lineages {
		if l.cut { // told of parents too: in a long circle all are
			gaps = append(gaps, wording.Open(l.all[0].source, "it has more than %d parents: what those beyond ask for was not judged", maxParents))
		}
		if parents[l.all[0]] {
			continue
		}
		if len(found) > maxComponents || len(gaps) > maxComponents {
			gaps = append(gaps, wording.Open(l.all[0].source, "the projects before it ask for more than %d dependencies: what this one and those behind it ask for was not judged", maxComponents))
			break
		}
		more, left := l.dependencies(own)
		found, gaps = append(found, more...), append(gaps, left...)
		m.flaws = append(m.flaws, l.ranges...)
	}
	return found, gaps
}

func (m *maven) audit() []Flaw { return m.flaws }

// dependencies gives what a project asks for itself and through its parents.
func (l *lineage) dependencies(own map[string]*pom) (found []Dependency, gaps []verdict.NotChecked) {
	l.managed, l.imported = map[string]pomDependency{}, map[*pom]bool{}
	for _, at := range l.all {
		l.manage(at.managed, own, 0)
	}
	defer func() { l.managed, l.imported = nil, nil }() // every child of a parent has all of them
	for _, from := range l.all {
		for _, d := range from.asks {
			dep, gap := l.resolve(from.source, d, own)
			if gap != nil {
				gaps = append(gaps, *gap)
				l.ranged(from.source, d, *gap)
			}
			if dep != nil {
				found = append(found, *dep)
			}
		}
	}
	if len(found) > 0 {
		gaps = append(gaps, wording.Aside(l.all[0].source, "what its %d dependencies bring in is not in the tree and was not judged", len(found)))
	}
	return found, gaps
}

// maxParents bounds how many parents of a project are followed: each of its children takes
// over all that they ask for.
const maxParents = 20

// lineage is a project with its parents, the project first.
type lineage struct {
	all []*pom
	// outside names the first parent that is not in the tree.
	outside  string
	circular bool
	cut      bool // there are more parents than are followed
	// boms are managed imports that are not in the tree.
	boms []string
	// managed are the versions for "group:name", each with the project that says so.
	managed map[string]pomDependency
	ranges  []Flaw
	// imported are the projects whose managed versions were taken: once more adds nothing,
	// and imports that go in a circle end.
	imported map[*pom]bool
}

// ranged notes a version that Maven picks on the day, apart from one that is not known here.
func (l *lineage) ranged(source string, d pomDependency, gap verdict.NotChecked) {
	key := l.filled(d.group) + ":" + l.filled(d.name)
	version := l.filled(cmp.Or(d.version, l.managed[key].version))
	if strings.Contains(key+version, "${") || !strings.ContainsAny(version, "[](),") && version != "LATEST" && version != "RELEASE" {
		return
	}
	l.ranges = append(l.ranges, Flaw{
		Rule: Unpinned, About: key, Path: source, Line: d.line, Gap: gap,
		Message: "it takes " + wording.Shown(wording.Cut(key, 200)) + " " + wording.Shown(wording.Cut(version, 80)) + ", whatever version that is on the day", Fix: "write one version in line " + fmt.Sprint(d.line),
	})
}

func (m *maven) lineage(x *pom, own map[string]*pom) *lineage {
	l := &lineage{}
	for at := x; at != nil; {
		if slices.Contains(l.all, at) {
			l.outside, l.circular = "the parents of this project go in a circle", true
			break
		}
		if len(l.all) > maxParents {
			l.outside, l.cut = fmt.Sprintf("the parents of this project go on beyond %d", maxParents), true
			break
		}
		l.all = append(l.all, at)
		next := m.parent(at, own)
		if next == nil && at.parent != nil {
			l.outside = at.parent.group + ":" + at.parent.name + ":" + at.parent.version
		}
		at = next
	}
	return l
}

// parent finds a parent in the tree: where the relative path leads, or by its name.
func (m *maven) parent(x *pom, own map[string]*pom) *pom {
	if x.parent == nil {
		return nil
	}
	if x.parent.place != "" {
		p := path.Join(path.Dir(x.source), x.parent.place)
		for _, q := range []string{p, path.Join(p, "pom.xml")} {
			if found := m.poms[q]; found != nil && found.name == x.parent.name && found.group == x.parent.group {
				return found
			}
		}
	}
	if found := own[x.parent.group+":"+x.parent.name]; found != x {
		return found
	}
	return nil
}

// manage takes managed versions; what is nearer to the project was taken before.
func (l *lineage) manage(list []pomDependency, own map[string]*pom, depth int) {
	for _, d := range list {
		d.group, d.name, d.version = l.filled(d.group), l.filled(d.name), l.filled(d.version)
		key := d.group + ":" + d.name
		if d.scope == "import" && d.kind == "pom" {
			switch bom := own[key]; {
			case l.imported[bom]:
			case bom != nil && depth < maxPOMDepth:
				l.imported[bom] = true
				l.manage(bom.managed, own, depth+1)
			default:
				l.boms = append(l.boms, key+":"+d.version)
			}
			continue
		}
		if _, known := l.managed[key]; !known {
			l.managed[key] = d
		}
	}
}

var placeholder = regexp.MustCompile(`\$\{([^{}]*)\}`)

// filled puts properties into a text. What is not known stays as it is written.
func (l *lineage) filled(s string) string {
	for range 20 { // properties may name properties; in a circle they never end
		next := placeholder.ReplaceAllStringFunc(s, func(p string) string { return cmp.Or(l.property(p[2:len(p)-1]), p) })
		if next == s || len(next) > 4096 {
			break
		}
		s = next
	}
	return s
}

func (l *lineage) property(name string) string {
	for _, x := range l.all {
		if v, known := x.properties[name]; known && len(v) <= 1024 { // so that 20 rounds stay small
			return v
		}
	}
	x := l.all[0]
	field, _ := strings.CutPrefix(name, "project.")
	field, _ = strings.CutPrefix(field, "pom.")
	if rest, ok := strings.CutPrefix(field, "parent."); ok && x.parent != nil {
		return map[string]string{"groupId": x.parent.group, "artifactId": x.parent.name, "version": x.parent.version}[rest]
	}
	return map[string]string{"groupId": x.group, "artifactId": x.name, "version": x.version}[field]
}

// resolve gives the component that a dependency is, or says why it cannot be told.
func (l *lineage) resolve(source string, d pomDependency, own map[string]*pom) (*Dependency, *verdict.NotChecked) {
	x := l.all[0]
	group, name := l.filled(d.group), l.filled(d.name)
	key := group + ":" + name
	if own[key] != nil { // another module of this tree
		return nil, nil
	}
	managed := l.managed[key]
	version := l.filled(cmp.Or(d.version, managed.version))
	if version == "" || strings.Contains(version, "${") || strings.ContainsAny(version, "[](),") || version == "LATEST" || version == "RELEASE" || strings.Contains(key, "${") {
		gap := wording.Open(source, "line %d: %s: write the version there, or bring what states it into the tree", d.line, l.unknown(wording.Shown(wording.Cut(key, 200)), version))
		return nil, &gap
	}
	scope := cmp.Or(d.scope, managed.scope)
	return &Dependency{
		Component: verdict.Component{Ecosystem: EcosystemMaven, Name: key, Version: version}, Source: source, Line: d.line, Direct: true,
		Path: []string{x.group + ":" + x.name, key}, Development: scope == "test",
	}, nil
}

// unknown says why a version is not known.
func (l *lineage) unknown(key, version string) string {
	switch {
	case version != "":
		return key + " has the version " + wording.Shown(wording.Cut(version, 80)) + ", which names none"
	case l.outside != "":
		return "the version of " + key + " comes from a parent that is not in the tree: " + wording.Shown(wording.Cut(l.outside, 200))
	case len(l.boms) > 0:
		return "the version of " + key + " comes from " + wording.Shown(wording.Cut(strings.Join(l.boms, ", "), 200)) + ", which is not in the tree"
	}
	return key + " has no version"
}
