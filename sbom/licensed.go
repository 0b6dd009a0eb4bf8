package sbom

import (
	"slices"
	"strings"

	"github.com/github/go-spdx/v2/spdxexp"
)

// LicenceID is a licence id as SPDX writes it, or as it is given with a * at its end, and
// whether there is such a one.
func LicenceID(text string) (id string, known bool) {
	if prefix, pattern := strings.CutSuffix(text, "*"); pattern {
		for id := range licenceIDs() {
			if hasPrefixFold(id, prefix) {
				return text, true
			}
		}
		return text, false
	}
	for id := range licenceIDs() {
		if strings.EqualFold(id, text) {
			return id, true
		}
	}
	return text, false
}

// NearLicences are ids of SPDX that begin like a word, at most a few.
func NearLicences(word string) (out []string) {
	prefix := word[:min(len(word), 3)]
	for id := range licenceIDs() {
		if hasPrefixFold(id, prefix) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), 5)]
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// UnderLicence reports whether a component may be used under a licence as it is declared:
// an expression names it, alone, together with others, or as one of a choice. A name may
// end in *. known is false where something that is declared is no expression of SPDX, so
// that it may mean any licence.
func UnderLicence(declared []string, want string) (yes, known bool) {
	known = true
	for _, text := range declared {
		ids, err := licencesIn(text)
		if err != nil {
			known = known && strings.EqualFold(text, want)
			yes = yes || strings.EqualFold(text, want)
			continue
		}
		yes = yes || slices.ContainsFunc(ids, func(id string) bool { return sameLicence(id, want) })
	}
	return yes, known || yes
}

// maxChoice bounds the words AND and OR of an expression: it is multiplied out.
const maxChoice = 12

func licencesIn(text string) ([]string, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxLicence || strings.Count(text, " OR ")+strings.Count(text, " AND ") > maxChoice {
		return nil, errLicence
	}
	return spdxexp.ExtractLicenses(text)
}

var errLicence = invalid("licence", "it is too long an expression", nil)

// sameLicence compares ids. GPL-3.0 is the older name of GPL-3.0-only, and GPL-3.0+ that
// of GPL-3.0-or-later.
func sameLicence(id, want string) bool {
	modern := func(s string) string {
		s, _, _ = strings.Cut(s, " WITH ")
		if strings.HasPrefix(strings.ToUpper(s), "GPL-") || strings.HasPrefix(strings.ToUpper(s), "LGPL-") || strings.HasPrefix(strings.ToUpper(s), "AGPL-") {
			if later, ok := strings.CutSuffix(s, "+"); ok {
				return later + "-or-later"
			}
			if !strings.HasSuffix(s, "-only") && !strings.HasSuffix(s, "-or-later") {
				return s + "-only"
			}
		}
		return s
	}
	if prefix, pattern := strings.CutSuffix(want, "*"); pattern {
		return hasPrefixFold(id, prefix)
	}
	return strings.EqualFold(modern(id), modern(want))
}
