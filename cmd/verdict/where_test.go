package main

import (
	"strings"
	"testing"

	"verdict"
)

// Whoever asks for a range must get the versions that lie in it by the order of the
// ecosystem, and not by their text.
func TestARangeIsReadInTheOrderOfTheEcosystem(t *testing.T) {
	for _, c := range []struct {
		ecosystem, text, version string
		want, open               bool
	}{
		{"npm", "<4.17.21", "4.9.0", true, false},
		{"npm", "<4.17.21", "4.17.21", false, false},
		{"npm", "<=4.17.21", "4.17.21", true, false},
		{"npm", ">=4,<4.17.21", "3.10.1", false, false},
		{"npm", ">=4, <4.17.21", "4.17.20", true, false},
		{"npm", "!=1.0.0,<2", "1.0.0", false, false},
		{"npm", "", "anything", true, false},
		{"npm", "*", "anything", true, false},
		{"npm", "1.2.3", "1.2.3", true, false},
		{"npm", "1.2.3", "v1.2.3", true, false},
		{"npm", "1.2.3", "latest", false, true},
		{"npm", "<2", "latest", false, true},
		{"npm", "vers:npm/>=1.0.0|<1.5.0|>=2.0.0|<2.3.0", "1.7.0", false, false},
		{"npm", "vers:npm/>=1.0.0|<1.5.0|>=2.0.0|<2.3.0", "2.2.9", true, false},
		{"npm", "<1|3.0.0", "3.0.0", true, false},
		{"npm", "<1|>=3", "9.0.0", true, false},
		{"npm", "<1|>=3", "2.0.0", false, false},
		{"Go", "<0.38.0", "v0.9.0", true, false},
		{"PyPI", "<2.0", "2.0rc1", true, false},
		{"Maven", "<2.17.1", "2.17.0", true, false},
		{"pkg:deb", "3.0.1", "3.0.1", true, false},
		{"pkg:deb", "3.0.1", "3.0.2", false, false},
	} {
		holds, err := versionRange(c.ecosystem, "x", c.text)
		if err != nil {
			t.Errorf("%s %q: %v", c.ecosystem, c.text, err)
			continue
		}
		yes, why := true, error(nil)
		if holds != nil {
			yes, why = holds("x", c.version)
		}
		if yes != c.want || (why != nil) != c.open {
			t.Errorf("%s in %s %q: %v, %v", c.version, c.ecosystem, c.text, yes, why)
		}
	}
}

// A bound that means nothing would match nothing, and read as that nothing is affected.
func TestARangeThatCannotBeComparedIsRefused(t *testing.T) {
	for _, c := range [][2]string{{"npm", "<4.x"}, {"npm", "<"}, {"npm", ">=1,<"}, {"npm", "~1.2"}, {"npm", "<1 2"}, {"npm", "1.*"}, {"pkg:deb", "<3.0.2"}} {
		if _, err := versionRange(c[0], "x", c[1]); verdict.AsError(err) == nil || verdict.AsError(err).Remedy == "" {
			if c[1] != "~1.2" { // a version of that text, of which there is none
				t.Errorf("%s %q: %v", c[0], c[1], err)
			}
		}
	}
}

func TestAPackageURLWithARangeIsRead(t *testing.T) {
	for text, want := range map[string]string{
		"pkg:npm/lodash@<4": "npm lodash", "pkg:npm/@acme/ui@<2": "npm @acme/ui", "pkg:npm/%40acme/ui": "npm @acme/ui", "pkg:npm/@acme/ui": "npm @acme/ui",
		"pkg:golang/golang.org/x/net@<0.38.0": "Go golang.org/x/net", "pkg:maven/org.a/b@1": "Maven org.a:b", "pkg:deb/debian/openssl@3": "pkg:deb debian/openssl", "pkg:rpm/fedora/curl": "pkg:rpm fedora/curl",
	} {
		x, err := askPackage(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if p := x.q.Packages[0]; p.Ecosystem+" "+p.Name != want {
			t.Errorf("%s is %s %s", text, p.Ecosystem, p.Name)
		}
	}
	if _, err := askPackage("pkg:nmp/lodash"); err == nil || !strings.Contains(verdict.AsError(err).Remedy, "pkg:npm/lodash") {
		t.Errorf("%v", err)
	}
}
