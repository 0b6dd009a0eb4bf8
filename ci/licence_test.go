package ci

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLicencesAreEvaluatedAsExpressions(t *testing.T) {
	deny := Taking{DenyLicences: []string{"AGPL-3.0-only", "SSPL-*"}}
	allow := Taking{AllowLicences: []string{"MIT", "Apache-2.0"}}
	both := Taking{AllowLicences: []string{"MIT", "GPL-2.0-only"}, DenyLicences: []string{"GPL-2.0-only"}}
	for _, c := range []struct {
		by         Taking
		expression string
		want       answer
	}{
		{deny, "MIT", taken}, {deny, "AGPL-3.0-only", refused}, {deny, "agpl-3.0-only", refused}, {deny, "SSPL-1.0", refused},
		{deny, "MIT OR AGPL-3.0-only", taken}, {deny, "MIT AND AGPL-3.0-only", refused}, {deny, "(MIT OR AGPL-3.0-only) AND SSPL-1.0", refused},
		{deny, "SEE LICENSE IN LICENSE.md", notKnown}, {deny, "Apache 2", notKnown}, {deny, "UNLICENSED", notKnown},
		{allow, "MIT", taken}, {allow, "ISC", refused}, {allow, "(ISC OR Apache-2.0)", taken}, {allow, "ISC AND MIT", refused},
		{both, "MIT OR GPL-2.0-only", taken}, {both, "GPL-2.0-only", refused},
		{deny, strings.Repeat("(MIT OR ISC) AND ", 200) + "MIT", notKnown}, {deny, strings.Repeat("(", 5000), notKnown}, {deny, "MIT OR", notKnown}, {deny, "\x00", notKnown},
	} {
		if got := c.by.licence(c.expression); got != c.want {
			t.Errorf("%.60q under %+v: %v, want %v", c.expression, c.by, got, c.want)
		}
	}
}

// A lockfile is foreign text; whatever it calls a licence, the answer comes soon.
func FuzzLicence(f *testing.F) {
	for _, s := range []string{"MIT", "(MIT OR ISC) AND Apache-2.0 WITH LLVM-exception", "LicenseRef-x", "GPL-2.0+", ""} {
		f.Add(s)
	}
	by := Taking{AllowLicences: []string{"MIT"}, DenyLicences: []string{"GPL-*"}}
	f.Fuzz(func(t *testing.T, s string) {
		done := make(chan answer, 1)
		go func() { done <- by.licence(s) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Errorf("%q is not answered", s)
		}
	})
}

func TestWhatTheMapRefuses(t *testing.T) {
	public := "https://registry." + "npmjs.org"
	entry := func(name, from, licence string) string {
		return npmEntry(name, "1.0.0", fmt.Sprintf(`, "resolved": "%s/%s.tgz", "license": %q`, from, name, licence))
	}
	dir := folderOf(t, map[string]string{
		"package-lock.json":    npmLockOf(entry("@acme/a", public, "MIT"), entry("@acme/b", "https://npm.acme.example", "AGPL-3.0-only"), entry("acme-c", public, "custom"), entry("left", public, "")),
		"requirements.txt":     "--extra-index-url https://pypi.acme.example/simple\nacme-d==1.0.0 --hash=sha256:" + hex32 + "\n",
		"api/requirements.txt": "acme-e==1.0.0 --hash=sha256:" + hex32 + "\n",
	})
	o := Options{Now: noon, Taking: Taking{Internal: []string{"@acme/*", "acme-*"}, DenyLicences: []string{"AGPL-3.0-only"}}}
	keys := []string{}
	for _, h := range ran(t, dir, o).Reports[2].Hits {
		keys = append(keys, h.Key)
	}
	slices.Sort(keys)
	want := []string{
		"internal-name-from-public-registry:@acme/a@1.0.0:package-lock.json", "internal-name-from-public-registry:acme-c@1.0.0:package-lock.json",
		"internal-name-from-public-registry:acme-d@1.0.0:requirements.txt", "internal-name-of-unknown-source:api/requirements.txt",
		"licence-refused:@acme/b@1.0.0:package-lock.json", "licence-unknown:acme-c@1.0.0:package-lock.json", "licence-unknown:api/requirements.txt",
		"licence-unknown:package-lock.json", "licence-unknown:requirements.txt", "registries-mixed:@acme:package-lock.json",
	}
	if !slices.Equal(keys, want) {
		t.Errorf("told\n  %s\nwant\n  %s", strings.Join(keys, "\n  "), strings.Join(want, "\n  "))
	}
	if hits := ran(t, dir, Options{Now: noon}).Reports[2].Hits; len(hits) != 1 {
		t.Errorf("a map that refuses nothing: %+v", hits)
	}
}

func TestPatternsOfInternalNames(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		fits          bool
	}{
		{"@acme/*", "@acme/a", true}, {"@acme/*", "@acme2/a", false}, {"acme-*", "acme-", true}, {"*-acme", "x-acme", true}, {"a*b*c", "axxbyyc", true}, {"a*b*c", "axxc", false},
		{"acme", "acme", true}, {"acme", "acme-x", false}, {"ACME-*", "acme-x", true}, {"a*a", "a", false},
	} {
		if got := (Taking{Internal: []string{c.pattern}}).internal(c.name); got != c.fits {
			t.Errorf("%s fits %s: %v", c.pattern, c.name, got)
		}
	}
}
