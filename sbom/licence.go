package sbom

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/github/go-spdx/v2/spdxexp"
)

// licence is a licence as a document can state it: by the id that SPDX has for it, as an
// expression over such ids, or by what its maker wrote. Exactly one field is set.
type licence struct{ id, expression, name string }

// maxLicence bounds an expression, in bytes; a longer text is a name.
const maxLicence = 1000

// licences reads declared licences; the same text is read once.
type licences map[string]licence

// of reads texts in their order. What is the same licence in other letters comes once.
func (l licences) of(texts []string) []licence {
	var out []licence
	for _, text := range texts {
		x, known := l[text]
		if !known {
			x = readLicence(strings.TrimSpace(text))
			l[text] = x
		}
		if x.text() != "" && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

func readLicence(text string) licence {
	if text == "" || len(text) > maxLicence {
		return licence{name: cut(text, maxLicence)}
	}
	normal, bad := spdxexp.ValidateAndNormalizeLicensesWithOptions([]string{text}, spdxexp.ValidateLicensesOptions{})
	switch {
	case len(bad) > 0 || len(normal) != 1:
		return licence{name: text}
	case licenceIDs()[normal[0]]:
		return licence{id: normal[0]}
	case !strings.ContainsAny(text, " ()"): // an id that is younger than the schema
		return licence{expression: normal[0]}
	}
	return licence{expression: text} // as it is written: nothing about its meaning is changed
}

// spdx is the text for SPDX, empty where there is none. What an expression defines
// itself (LicenseRef-…) is defined in another document.
func (l licence) spdx() string {
	if strings.Contains(l.expression, "Ref-") {
		return ""
	}
	return l.id + l.expression
}

func (l licence) text() string { return l.id + l.expression + l.name }

// licenceIDs are the ids that are written as such, and readableIDs those that may be read.
// SPDX publishes new ones more often than CycloneDX a schema.
var licenceIDs, readableIDs = idsIn(oldLicences), idsIn(newLicences)

func idsIn(file string) func() map[string]bool {
	return sync.OnceValue(func() map[string]bool { return readIDs(file) })
}

func readIDs(file string) map[string]bool {
	var list struct {
		Enum []string `json:"enum"`
	}
	b, err := schemas.ReadFile(schemaFolder + file)
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil { // it is part of the program
		panic(fmt.Sprintf("the embedded list of licences: %v", err))
	}
	ids := make(map[string]bool, len(list.Enum))
	for _, id := range list.Enum {
		ids[id] = true
	}
	return ids
}

// cut shortens a foreign text, at the border of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
