package ci

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/github/go-spdx/v2/spdxexp"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
)

// Taking is what an organisation takes from others, as its map says it.
type Taking struct {
	// Internal are patterns of names that are never taken from a public registry.
	Internal []string
	// AllowLicences and DenyLicences are ids of SPDX; an entry of the second may end in *.
	AllowLicences, DenyLicences []string
	// Popular and EndOfLife are the operator's tables; nil where none was imported.
	Popular   *Popular
	EndOfLife *EndOfLife
	// Now tells which ends of life are news; Run sets it.
	Now func() time.Time
}

// untold says what was not asked for want of a table.
func (t Taking) untold(inputs int64) (list []verdict.NotChecked) {
	if inputs > 0 && t.Popular == nil {
		list = append(list, wording.Aside("", "no list of popular names was imported, so no name was compared with one: verdict advisories tables --popular FILE"))
	}
	if inputs > 0 && t.EndOfLife == nil {
		list = append(list, wording.Aside("", "no table of ends of life was imported, so no runtime was judged: verdict advisories tables --end-of-life FILE"))
	}
	return list
}

// maxChoices bounds the words AND and OR of an expression that is evaluated: it is
// multiplied out, and each word can double it.
const maxChoices = 10

// answer is what is known of a licence.
type answer int

const (
	taken answer = iota
	refused
	notKnown
)

// licence judges an expression: it is taken where one way of using the component needs
// only licences that are allowed, and none that is denied.
func (t Taking) licence(expression string) answer {
	words := strings.Fields(strings.ToUpper(strings.NewReplacer("(", " ", ")", " ").Replace(expression)))
	choices := 0
	for _, w := range words {
		if w == "AND" || w == "OR" {
			choices++
		}
	}
	if len(expression) > 1000 || choices > maxChoices {
		return notKnown
	}
	if valid, _ := spdxexp.ValidateLicenses([]string{expression}); !valid {
		return notKnown
	}
	parts, err := spdxexp.ExtractLicenses(expression)
	if err != nil || len(parts) == 0 {
		return notKnown
	}
	parts = slices.DeleteFunc(parts, func(id string) bool { return t.denied(id) })
	if len(t.AllowLicences) > 0 {
		ok, err := spdxexp.Satisfies(expression, t.AllowLicences)
		if err != nil {
			return notKnown
		}
		if !ok {
			return refused
		}
	}
	if len(parts) == 0 {
		return refused
	}
	ok, err := spdxexp.Satisfies(expression, parts)
	switch {
	case err != nil:
		return notKnown
	case !ok:
		return refused
	}
	return taken
}

func (t Taking) denied(id string) bool {
	id, _, _ = strings.Cut(id, " WITH ") // an exception adds to what the licence permits
	return slices.ContainsFunc(t.DenyLicences, func(d string) bool {
		begin, open := strings.CutSuffix(d, "*")
		return strings.EqualFold(id, d) || open && len(id) >= len(begin) && strings.EqualFold(id[:len(begin)], begin)
	})
}

// licences tells components under a licence that is refused, and what cannot be told: one
// text that SPDX does not know for each component, and once for each file how many
// components it gives no licence for.
func (t Taking) licences(all []inventory.Dependency) (flaws []inventory.Flaw) {
	if len(t.AllowLicences)+len(t.DenyLicences) == 0 {
		return nil
	}
	known, silent := map[string]answer{}, map[string]int{}
	for _, d := range all {
		if strings.TrimSpace(d.License) == "" {
			silent[d.Source]++
			continue
		}
		a, judged := known[d.License]
		if !judged {
			a = t.licence(d.License)
			known[d.License] = a
		}
		switch a {
		case refused:
			flaws = append(flaws, d.Flaw(licenceRefused, "take another component, or have the owner of the map take the licence up under dependencies.licences",
				"%s %s is licensed as %s, which the map refuses", d.Name, d.Version, wording.Cut(d.License, 200)))
		case notKnown:
			flaws = append(flaws, d.Flaw(licenceUnknown, "look up what SPDX calls it", "%s %s has the licence %q, which is no expression that can be evaluated", d.Name, d.Version, wording.Cut(d.License, 200)))
		}
	}
	for source, n := range silent {
		flaws = append(flaws, inventory.Flaw{
			Rule: licenceUnknown, Path: source, Fix: "ask another source for the licences: attest an SBOM of the build that has them",
			Message: "it gives no licence for " + wording.Count(n, "component, which was not judged", "components, so none of these was judged"),
		})
	}
	return flaws
}

// internals tells components that have an internal name and a public source. A file that
// does not say where a component comes from is told once.
func (t Taking) internals(all []inventory.Dependency) (flaws []inventory.Flaw) {
	silent := map[string][]string{}
	for _, d := range all {
		switch {
		case d.Ecosystem == inventory.EcosystemGo || !t.internal(d.Name): // a module's name is where it comes from
		case d.Public:
			flaws = append(flaws, d.Flaw(internalPublic, "set the registry of the organisation for this name, lock again, and find out who published the public one",
				"%s %s has a name of this organisation, and comes from the public registry", d.Name, d.Version))
		case d.From == "":
			silent[d.Source] = append(silent[d.Source], d.Name)
		}
	}
	for source, names := range silent {
		flaws = append(flaws, inventory.Flaw{
			Rule: internalUnknown, Path: source, Fix: "let the lockfile say where packages come from",
			Message: fmt.Sprintf("it does not say where %s (%d internal names) come from", names[0], len(names)),
		})
	}
	return flaws
}

func (t Taking) internal(name string) bool {
	return slices.ContainsFunc(t.Internal, func(p string) bool { return fits(strings.ToLower(p), strings.ToLower(name)) })
}

// fits matches a name against a pattern in which * stands for any text.
func fits(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, p)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
