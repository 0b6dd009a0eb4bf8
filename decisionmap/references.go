package decisionmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// checkReferences refuses names of environments and points that do not exist: a typing
// error must not make a rule apply to nothing. Policy selectors are for Lint (VD-P01).
func (m *Map) checkReferences(r *reader, root *yaml.Node) {
	environments := slices.Sorted(maps.Keys(m.Environments))
	for _, name := range slices.Sorted(maps.Keys(m.Services)) {
		at := "services." + name + ".environments"
		for _, e := range m.Services[name].Environments {
			m.mustExist(r, root, at, "environment", e, environments)
		}
	}
	for _, name := range environments {
		if from := m.Environments[name].PromoteFrom; from != "" {
			m.mustExist(r, root, "environments."+name+".promote_from", "environment", from, environments)
		}
	}
	targets := []string{Backlog}
	for _, p := range m.Points {
		targets = append(targets, p.ID)
	}
	for _, p := range m.Points {
		for _, f := range p.Feeds {
			m.mustExist(r, root, "points."+p.ID+".feeds", "point", f, targets)
		}
	}
	for i, t := range m.Trust {
		for _, e := range t.Environments {
			if e != All {
				m.mustExist(r, root, fmt.Sprintf("trust[%d].environments", i), "environment", e, environments)
			}
		}
	}
}

func (m *Map) mustExist(r *reader, root *yaml.Node, at, what, name string, list []string) {
	if slices.Contains(list, name) {
		return
	}
	near := nearest(name, list)
	remedy := fmt.Sprintf("declare %s, or take it out", clip(name))
	if near != "" {
		remedy = "write " + near
	}
	n := *root
	if o, ok := m.origins[at]; ok {
		n.Line = o.Line
	}
	r.fail(&n, fmt.Sprintf("%s names the %s %q, which does not exist%s", at, what, clip(name), did(near)), remedy)
}

// checkPeople refuses an account that two persons claim: separation of duties compares
// persons, and would compare the wrong ones.
func (m *Map) checkPeople(r *reader, root *yaml.Node) {
	owner := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(m.People)) {
		for _, system := range AccountSystems {
			for _, a := range m.People[id].Accounts[system] {
				key := system + " " + a
				if system != "kubernetes" && system != "key" { // which compare names exactly: see identity.Account
					key = strings.ToLower(strings.TrimSpace(key))
				}
				if other, taken := owner[key]; taken {
					n := *root
					n.Line = m.origins["people."+id+".accounts."+system].Line
					r.fail(&n, fmt.Sprintf("people.%s and people.%s both have the %s account %q", other, id, system, clip(a)), "leave it with the person who uses it")
				}
				owner[key] = id
			}
		}
	}
}

// promotionOrder lists environments so that each comes after the one it is promoted
// from; those of a cycle come last.
func promotionOrder(all map[string]Environment) []string {
	out := []string{}
	left := slices.Sorted(maps.Keys(all))
	for len(left) > 0 {
		rest := left[:0:0]
		for _, name := range left {
			from := all[name].PromoteFrom
			if _, known := all[from]; from == "" || !known || slices.Contains(out, from) {
				out = append(out, name)
			} else {
				rest = append(rest, name)
			}
		}
		if len(rest) == len(left) {
			return append(out, rest...)
		}
		left = rest
	}
	return out
}
