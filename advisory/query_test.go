package advisory

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"verdict"
)

// Whoever asks by one name of a fault must get the packages of all its advisories: a
// package that is missed reads as one that is not affected.
func TestAnAdvisoryIsFoundUnderEachOfItsNames(t *testing.T) {
	x := imported(t, map[string]string{
		"a.json": osv("GHSA-aaaa-bbbb-cccc", `"aliases": ["CVE-2026-1"]`, affects("npm", "one", events("SEMVER", "introduced 0"))),
		"b.json": osv("GO-2026-0001", `"aliases": ["GHSA-aaaa-bbbb-cccc"]`, affects("Go", "example.org/Two", events("SEMVER", "introduced 0"))),
		"c.json": osv("GO-2026-0002", `"aliases": ["CVE-2026-10"]`, affects("Go", "example.org/three", events("SEMVER", "introduced 0"))),
	})
	for _, id := range []string{"CVE-2026-1", "GHSA-aaaa-bbbb-cccc", "GO-2026-0001"} {
		n, err := x.Find(id)
		if err != nil || !slices.Equal(n.Packages, []Package{{"Go", "example.org/two"}, {"npm", "one"}}) || len(n.IDs) != 3 {
			t.Errorf("%s: %+v, %v", id, n, err)
		}
	}
	if n, err := x.Find("CVE-2026-2"); err != nil || len(n.Packages) != 0 {
		t.Errorf("%+v, %v", n, err)
	}
}

// A package that is not said to have changed is not matched again, and what is new of it
// stays unknown.
func TestTheDifferenceOfTwoIndexesIsWhatTheySay(t *testing.T) {
	one := affects("npm", "one", events("SEMVER", "introduced 0 fixed 2.0.0"))
	before := imported(t, map[string]string{"a.json": osv("GHSA-1", "", one), "b.json": osv("GHSA-2", "", affects("npm", "two", events("SEMVER", "introduced 0")))})
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []Package
	}{
		{"nothing", map[string]string{"a.json": osv("GHSA-1", "", one), "b.json": osv("GHSA-2", "", affects("npm", "two", events("SEMVER", "introduced 0")))}, nil},
		{"a new one", map[string]string{"a.json": osv("GHSA-1", "", one), "b.json": osv("GHSA-2", "", affects("npm", "two", events("SEMVER", "introduced 0"))), "c.json": osv("GHSA-3", "", affects("npm", "three", events("SEMVER", "introduced 0")))}, []Package{{"npm", "three"}}},
		{"another range", map[string]string{"a.json": osv("GHSA-1", "", affects("npm", "one", events("SEMVER", "introduced 0 fixed 3.0.0"))), "b.json": osv("GHSA-2", "", affects("npm", "two", events("SEMVER", "introduced 0")))}, []Package{{"npm", "one"}}},
		{"one that is gone", map[string]string{"a.json": osv("GHSA-1", "", one)}, []Package{{"npm", "two"}}},
	} {
		got, err := Changed(before, imported(t, c.files))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	if all, err := Changed(nil, before); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	dir := folder(t, map[string]string{"a.json": osv("GHSA-1", "", one)})
	dst := filepath.Join(t.TempDir(), "x.idx")
	mustImport(t, dir, dst, ImportOptions{Name: "z", Now: clock})
	mustImport(t, dir, dst, ImportOptions{Name: "a", Now: clock})
	again := imported(t, map[string]string{"a.json": osv("GHSA-1", "", one)})
	if got, err := Changed(again, mustOpen(t, dst)); err != nil || len(got) != 0 {
		t.Errorf("a second source that says the same: %v, %v", got, err)
	}
}

func TestVersionsAreComparedAsTheirEcosystemDoes(t *testing.T) {
	for _, c := range []struct {
		ecosystem, a, b string
		want            int
		err             error
	}{
		{"npm", "4.9.0", "4.17.0", -1, nil}, {"Go", "v1.2.0", "1.2.0", 0, nil}, {"PyPI", "2.0", "2.0rc1", 1, nil},
		{"npm", "latest", "1.0.0", 0, ErrVersion}, {"pkg:deb", "1.0", "2.0", 0, ErrUnordered},
	} {
		n, err := Compare(c.ecosystem, "x", c.a, c.b)
		if n != c.want || !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s %s %s: %d, %v", c.ecosystem, c.a, c.b, n, err)
		}
	}
	if !Names(verdict.Vulnerability{ID: "CVE-1", Aliases: []string{"GHSA-1"}}, []string{"GHSA-1"}) {
		t.Error("an alias is no name")
	}
}
