package decisionmap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/github/go-spdx/v2/spdxexp"
	"go.yaml.in/yaml/v3"
)

// Dependencies says what an organisation takes from others, and what it keeps to itself.
type Dependencies struct {
	Licences Licences `json:"licences,omitzero"`
	// Internal are patterns of package names that are the organisation's own, in which *
	// stands for any text: such a name is never taken from a public registry.
	Internal []string `json:"internal,omitempty"`
}

// Licences are ids of SPDX. Where Allow has any, a component needs one way of using it that
// takes licences of the list alone; where Deny has any, one that takes none of these. An
// entry of Deny that ends in * stands for every id that begins so.
type Licences struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
}

// IsZero reports whether nothing is said: then the map has the digest that it had before
// there was such a section.
func (d Dependencies) IsZero() bool { return len(d.Internal) == 0 && d.Licences.IsZero() }

// IsZero reports whether neither list has an entry.
func (l Licences) IsZero() bool { return len(l.Allow) == 0 && len(l.Deny) == 0 }

func (r *reader) dependencies(x *Dependencies) field {
	return func(n *yaml.Node, at string) {
		r.object(n, at, "{licences: {deny: [AGPL-3.0-only]}, internal: [\"@acme/*\"]}", map[string]field{
			"internal": func(n *yaml.Node, at string) {
				r.words(&x.Internal, "\"@acme/*\"")(n, at)
				if slices.ContainsFunc(x.Internal, func(p string) bool { return strings.Trim(p, "*") == "" }) {
					r.fail(n, at+" has a pattern that every name fits", "write what the names of the organisation have in common, for example \"@acme/*\"")
				}
			},
			"licences": func(n *yaml.Node, at string) {
				r.object(n, at, "{deny: [AGPL-3.0-only]}", map[string]field{
					"allow": r.licences(&x.Licences.Allow, false),
					"deny":  r.licences(&x.Licences.Deny, true),
				})
				for _, id := range x.Licences.Allow {
					if slices.Contains(x.Licences.Deny, id) {
						r.fail(n, fmt.Sprintf("%s allows and denies %s", at, clip(id)), "keep it in one of the two lists")
					}
				}
			},
		})
	}
}

// licences reads ids of SPDX and writes them as SPDX does.
func (r *reader) licences(into *[]string, patterns bool) field {
	return func(n *yaml.Node, at string) {
		r.words(into, "Apache-2.0")(n, at)
		for i, id := range *into {
			if begin, open := strings.CutSuffix(id, "*"); patterns && open && begin != "" && !strings.ContainsAny(begin, " *()") {
				continue
			}
			normal, bad := spdxexp.ValidateAndNormalizeLicensesWithOptions([]string{id}, spdxexp.ValidateLicensesOptions{})
			if len(bad) > 0 || len(normal) != 1 || strings.ContainsAny(id, " ()") {
				r.fail(n, fmt.Sprintf("%s lists %q, which is no licence that SPDX knows", at, clip(id)), "write its id from https://spdx.org/licenses, for example Apache-2.0; an expression is none")
				continue
			}
			(*into)[i] = normal[0]
		}
	}
}

func (d *differ) dependencies(a, b Dependencies) {
	d.words("dependencies.internal", a.Internal, b.Internal, Tightens)
	d.words("dependencies.licences.deny", a.Licences.Deny, b.Licences.Deny, Tightens)
	const allow = "dependencies.licences.allow"
	was, is := a.Licences.Allow, b.Licences.Allow
	switch {
	case len(was) == 0 && len(is) > 0:
		d.add(allow, Tightens, "", strings.Join(is, ", "), "allow: only these licences, instead of any")
	case len(was) > 0 && len(is) == 0:
		d.add(allow, Loosens, strings.Join(was, ", "), "", "allow: any licence, instead of these")
	default:
		d.words(allow, was, is, Loosens)
	}
}
