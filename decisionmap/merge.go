package decisionmap

import (
	"fmt"
	"slices"
	"strings"

	"verdict"
)

// IsOrganisation reports whether the map is an organisation's, and not a repository's.
func (m *Map) IsOrganisation() bool { return m.Organization != "" }

// Merge reads a repository's file over an organisation's map. The file may declare its
// service (team, owner, repo, tier, paths, iac) and tighten; whatever else it says is
// refused with the line that says it. Where a service may run is the organisation's to say,
// and of one that may run somewhere, from which repository it comes and whose it is. Neither argument is
// changed.
func Merge(org, repo *Map) (*Map, error) {
	if repo.IsOrganisation() {
		return nil, &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("%s is an organisation map itself (of %s); only a repository's file can be read over %s", repo.name, repo.Organization, org.name),
			Remedy: "take `organization:` out of it, or release it with `verdict map release`",
		}
	}
	m := clone(org)
	for path, o := range m.origins {
		if o.From == FromFile {
			o.From = FromOrganisation
			m.origins[path] = o
		}
	}
	if repo.doc == nil { // the built-in map says nothing of its own
		return m, nil
	}
	r := &reader{name: repo.name, origins: m.origins, over: true}
	r.file(repo.doc, m)
	m.forgetRetains()
	m.fill(r)
	m.checkReferences(r, repo.doc)
	if err := r.err(); err != nil {
		return nil, err
	}
	for _, c := range Beyond(org, m) {
		n := *repo.doc
		n.Line = m.originOf(c.Path).Line
		r.fail(&n, fmt.Sprintf("%s %s what %s requires: %s", c.Path, verb(c.Effect), orgName(org), c.What), "take that line out, or have the owner of the organisation map change it there")
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	m.name = repo.name + " over " + org.name
	return m, nil
}

// forgetRetains takes back what fill gave the points, so that a longer retention of the
// repository reaches them.
func (m *Map) forgetRetains() {
	for i := range m.Points {
		p := &m.Points[i]
		_, said := m.origins["points."+p.ID+".produces.retain"]
		builtin, _ := base().Point(p.ID)
		if !said {
			p.Produces.Retain = builtin.Produces.Retain
		}
	}
}

// mayRepository says which changes a repository's file may make: it tightens, or it
// declares what nobody said of its service yet. Paths that the organisation left at
// their default are the repository's to say.
func mayRepository(org *Map, c Change) bool {
	if c.Effect == Tightens {
		return true
	}
	if !strings.HasPrefix(c.Path, "services.") {
		return false
	}
	_, said := org.origins[c.Path]
	return c.Effect == Safe || strings.HasSuffix(c.Path, ".paths") && !said
}

// Beyond lists how a map departs from an organisation's map in more than a repository's
// file may: it declares and tightens. Empty: the map follows from the organisation's.
func Beyond(org, m *Map) []Change {
	return slices.DeleteFunc(Diff(org, m), func(c Change) bool { return mayRepository(org, c) })
}

func verb(e Effect) string {
	if e == Loosens {
		return "weakens"
	}
	return "changes"
}

func orgName(org *Map) string {
	if org.Organization != "" {
		return "the organisation " + org.Organization
	}
	return org.name
}

// Resolve gives the map that judges a change. Released is the organisation's released
// map, nil where there is none; base is the file of the repository in the merge base
// of the change, nil where there was none. The file that the change itself brings has
// no say.
//
// Without a released map the base judges alone, and without both the built-in map
// does. Where the base holds the very map that was released, of the organisation or of a
// team with one repository, the released version judges.
func Resolve(released, base *Map) (*Map, error) {
	if released == nil {
		return unreleased(base)
	}
	m := clone(released)
	if base != nil && base.Organization != released.Organization {
		var err error
		if m, err = Merge(released, base); err != nil {
			return nil, err
		}
	}
	m.released = true
	return m, nil
}

func unreleased(base *Map) (*Map, error) {
	if base == nil || base.doc == nil {
		return Builtin(), nil
	}
	r := &reader{name: base.name, origins: base.origins}
	if base.checkReferences(r, base.doc); r.err() != nil {
		return nil, r.err()
	}
	return base, nil
}
