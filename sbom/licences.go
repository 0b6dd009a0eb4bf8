package sbom

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// LicenceCounts are the licences that a bill declares of its components.
type LicenceCounts struct {
	// Components are those that have a licence: not the files, the data and the operating
	// system that a bill lists beside them.
	Components int
	// Unknown are components of which not all licences are known: they declare none, or
	// something that is no expression of SPDX over its ids.
	Unknown int
	Uses    []LicenceUse // by their expressions
}

// LicenceUse is a licence, or an expression over several, as SPDX writes it. A component that
// declares several is one of the components of each.
type LicenceUse struct {
	Expression string
	IDs        []string // of the licences in it without their exceptions, sorted
	Components int
}

// maxLicenceUses bounds how many are told apart. Images of the largest distributions have
// some 150.
const maxLicenceUses = 500

// hasNoLicence are types of components that are no packages.
var hasNoLicence = []string{"file", "data", "cryptographic-asset", "operating-system"}

// Licences counts what the bill declares.
func (b *Bill) Licences() LicenceCounts {
	var out LicenceCounts
	read := map[string]*LicenceUse{} // by what is declared; nil: no expression
	uses := map[string]*LicenceUse{} // by what it means
	for _, c := range b.Components {
		if slices.Contains(hasNoLicence, c.Type) && c.Original == "" {
			continue
		}
		out.Components++
		unknown := len(c.Licenses) == 0
		var under []*LicenceUse
		for _, text := range c.Licenses {
			u, known := read[text]
			if !known {
				u = useOf(text, uses)
				read[text] = u
			}
			switch {
			case u == nil:
				unknown = true
			case !slices.Contains(under, u):
				under = append(under, u)
				u.Components++
			}
		}
		if unknown {
			out.Unknown++
		}
	}
	for _, u := range uses {
		out.Uses = append(out.Uses, *u)
	}
	slices.SortFunc(out.Uses, func(a, b LicenceUse) int { return cmp.Compare(a.Expression, b.Expression) })
	return out
}

// useOf reads what is declared; nil for what nobody knows the meaning of: a text, or a
// reference to one.
func useOf(text string, uses map[string]*LicenceUse) *LicenceUse {
	l := readLicence(strings.TrimSpace(text))
	expression := l.id + l.expression
	if expression == "" || strings.Contains(expression, "Ref-") {
		return nil
	}
	if u := uses[expression]; u != nil {
		return u
	}
	ids, err := licencesIn(expression)
	if err != nil || len(ids) == 0 || len(uses) == maxLicenceUses {
		return nil
	}
	for i, id := range ids {
		ids[i], _, _ = strings.Cut(id, " WITH ") // an exception permits more than its licence
	}
	slices.Sort(ids)
	u := &LicenceUse{Expression: expression, IDs: slices.Compact(ids)}
	uses[expression] = u
	return u
}

// toldLicences is how many licences String names.
const toldLicences = 4

// String tells the most frequent licences in one line, and of how many components they are
// not known.
func (l LicenceCounts) String() string {
	if l.Components == 0 {
		return "no component"
	}
	uses := slices.Clone(l.Uses)
	slices.SortStableFunc(uses, func(a, b LicenceUse) int { return -cmp.Compare(a.Components, b.Components) })
	var parts []string
	for i, u := range uses {
		if i == toldLicences && len(uses) > toldLicences+1 {
			parts = append(parts, fmt.Sprintf("%d others", len(uses)-toldLicences))
			break
		}
		parts = append(parts, fmt.Sprintf("%d %s", u.Components, u.Expression))
	}
	switch {
	case l.Unknown == 1 && l.Components == 1:
		parts = append(parts, "of its only component unknown")
	case l.Unknown == l.Components:
		parts = append(parts, "of all "+fmt.Sprint(l.Unknown)+" components unknown")
	case l.Unknown > 0:
		parts = append(parts, fmt.Sprintf("of %d of %d components unknown", l.Unknown, l.Components))
	}
	return strings.Join(parts, ", ")
}
