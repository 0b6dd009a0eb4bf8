package sbom

import (
	"slices"
	"strings"
	"testing"
)

func TestLicences(t *testing.T) {
	for text, want := range map[string]licence{
		"MIT": {id: "MIT"}, "mit": {id: "MIT"}, " Apache-2.0 ": {id: "Apache-2.0"}, "GPL-2.0": {id: "GPL-2.0"},
		"MIT OR Apache-2.0": {expression: "MIT OR Apache-2.0"}, "GPL-2.0-only WITH Classpath-exception-2.0": {expression: "GPL-2.0-only WITH Classpath-exception-2.0"},
		"(MIT OR (Apache-2.0 AND BSD-3-Clause))": {expression: "(MIT OR (Apache-2.0 AND BSD-3-Clause))"},
		"LicenseRef-own":                         {expression: "LicenseRef-own"},
		"Classpath-exception-2.0":                {name: "Classpath-exception-2.0"}, // an exception is no licence, though the schema lists it
		"SEE LICENSE IN LICENSE":                 {name: "SEE LICENSE IN LICENSE"}, "MIT OR": {name: "MIT OR"}, "UNLICENSED": {name: "UNLICENSED"}, "": {},
		"(((": {name: "((("}, "MIT/Apache-2.0": {name: "MIT/Apache-2.0"},
	} {
		if got := readLicence(strings.TrimSpace(text)); got != want {
			t.Errorf("%q is read as %+v, want %+v", text, got, want)
		}
	}
	if got := (licences{}).of([]string{"", "MIT", "mit", "X"}); !slices.Equal(got, []licence{{id: "MIT"}, {name: "X"}}) {
		t.Errorf("one licence in two spellings is %+v", got)
	}
	long := strings.Repeat("(", 1<<20)
	if got := readLicence(long); got.name == "" || len(got.name) > maxLicence+4 {
		t.Errorf("an endless licence became %d bytes", len(got.text()))
	}
}

func FuzzLicence(f *testing.F) {
	for _, s := range []string{"MIT", "MIT OR (Apache-2.0 AND X)", "((", "DocumentRef-a:LicenseRef-b", "GPL-2.0+ WITH Classpath-exception-2.0", "MIT\x00", "and or with"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l := readLicence(s)
		set := 0
		for _, x := range []string{l.id, l.expression, l.name} {
			if x != "" {
				set++
			}
		}
		if set > 1 || set == 0 && strings.TrimSpace(s) != "" {
			t.Errorf("%q is read as %+v", s, l)
		}
		if l.id != "" && !licenceIDs()[l.id] {
			t.Errorf("%q has the id %q, which the schema does not know", s, l.id)
		}
	})
}
