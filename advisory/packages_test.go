package advisory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func paths(list ...string) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf(`{"path":%q,"symbols":["F"]}`, p))
	}
	return `,"ecosystem_specific":{"imports":[` + strings.Join(out, ",") + `]}`
}

// The packages of an advisory say where to look first. Where one entry is about all of a
// module, a list of another one would hide that.
func TestTheAffectedPackagesOfAModuleAreKept(t *testing.T) {
	before := events("SEMVER", "introduced 0 fixed 1.2.0")
	later := events("SEMVER", "introduced 2.0.0 fixed 2.1.0")
	many := make([]string, maxPackages+1)
	for i := range many {
		many[i] = fmt.Sprintf("m.example/a/%d", i)
	}
	for name, tc := range map[string]struct {
		affected []string
		more     map[string]string
		want     []string
	}{
		"named":                       {[]string{affects("Go", "m.example/a", before+paths("m.example/a/y", "m.example/a"))}, nil, []string{"m.example/a", "m.example/a/y"}},
		"named in two entries":        {[]string{affects("Go", "m.example/a", before+paths("m.example/a/x")), affects("Go", "m.example/a", later+paths("m.example/a/y"))}, nil, []string{"m.example/a/x", "m.example/a/y"}},
		"named in one of two entries": {[]string{affects("Go", "m.example/a", before+paths("m.example/a/x")), affects("Go", "m.example/a", later)}, nil, nil},
		"named in the other one":      {[]string{affects("Go", "m.example/a", later), affects("Go", "m.example/a", before+paths("m.example/a/x"))}, nil, nil},
		"not named":                   {[]string{affects("Go", "m.example/a", before)}, nil, nil},
		"named in another form":       {[]string{affects("Go", "m.example/a", before+`,"ecosystem_specific":{"imports":"all"}`)}, nil, nil},
		"one without a path":          {[]string{affects("Go", "m.example/a", before+paths("m.example/a/x", ""))}, nil, nil},
		"more than are kept":          {[]string{affects("Go", "m.example/a", before+paths(many...))}, nil, nil},
		"named by one of two records": {
			[]string{affects("Go", "m.example/a", before+paths("m.example/a/x"))},
			map[string]string{"b.json": osv("GHSA-aaaa-bbbb-cccc", `"aliases":["GO-2026-0001"]`, affects("Go", "m.example/a", before))}, []string{"m.example/a/x"},
		},
		"named by a record that is not about our version": {
			[]string{affects("Go", "m.example/a", later+paths("m.example/a/x"))},
			map[string]string{"b.json": osv("GHSA-aaaa-bbbb-cccc", `"aliases":["GO-2026-0001"]`, affects("Go", "m.example/a", before))}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"a.json": osv("GO-2026-0001", "", tc.affected...)}
			for k, v := range tc.more {
				files[k] = v
			}
			got := match(t, imported(t, files), "Go", "m.example/a", "v1.0.0")
			if len(got) != 1 || !slices.Equal(got[0].Packages, tc.want) {
				t.Errorf("got %+v, want the packages %v", got, tc.want)
			}
		})
	}
}
