package inventory

import (
	"slices"
	"strings"
	"testing"

	"verdict"
)

// Tags and branches of actions, images and modules, which other files than lockfiles name.
func TestReferencesThatCanBeMoved(t *testing.T) {
	at := func(ecosystem, version string) Dependency {
		return Dependency{Component: verdict.Component{Ecosystem: ecosystem, Name: "x", Version: version}, Source: "f"}
	}
	all := []Dependency{
		at("GitHub Actions", "v4"), at("GitHub Actions", strings.Repeat("a", 40)), at("Docker", "1.27"), at("Docker", "sha256:"+hex32), at("Terraform", "1.0.0"), at("npm", "1.0.0"),
	}
	var got []string
	for _, f := range movable(all) {
		got = append(got, f.Key())
	}
	if want := []string{"mutable-reference:x@v4:f", "mutable-reference:x@1.27:f", "mutable-reference:x@1.0.0:f"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	for ecosystem, want := range map[string]string{"GitHub Actions": "write the digest or commit instead of 1", "Helm": "helm dependency update", "Terraform": "call it by its repository and commit"} {
		if f := movable([]Dependency{at(ecosystem, "1")}); len(f) != 1 || !strings.HasPrefix(f[0].Fix, want) {
			t.Errorf("%s: told %+v, want %q", ecosystem, f, want)
		}
	}
	if flaws := unhashed(all); len(flaws) > 0 {
		t.Errorf("a tag is told as a missing hash: %+v", flaws)
	}
}
