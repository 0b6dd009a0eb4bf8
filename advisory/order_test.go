package advisory

import (
	"errors"
	"testing"
)

func TestVersionsAreOrderedByTheirEcosystem(t *testing.T) {
	for _, c := range []struct{ name, ecosystem, pkg, low, high string }{
		{"numbers, not letters", "npm", "a", "1.9.0", "1.10.0"},
		{"a pre-release before its release", "npm", "a", "1.0.0-rc.1", "1.0.0"},
		{"numeric identifiers before words", "crates.io", "a", "1.0.0-1", "1.0.0-alpha"},
		{"a Go pseudo-version before the release that it leads to", "Go", "a", "v0.17.1-0.20231010000000-abcdefabcdef", "v0.17.1"},
		{"a Go pseudo-version after the release before it", "Go", "a", "v0.17.0", "v0.17.1-0.20231010000000-abcdefabcdef"},
		{"two Go pseudo-versions by time", "Go", "a", "v0.0.0-20190101000000-ffffffffffff", "v0.0.0-20200101000000-000000000000"},
		{"incompatible is not part of the order", "Go", "a", "v2.0.0+incompatible", "v2.0.1"},
		{"a release candidate of Go", "Go", "stdlib", "go1.21rc2", "go1.21"},
		{"a beta of Go before a candidate", "Go", "stdlib", "1.21beta1", "1.21rc1"},
		{"a candidate of a patch of Go", "Go", "toolchain", "1.21.0-rc.4", "go1.21.0"},
		{"a build of Go with settings", "Go", "stdlib", "go1.22.2 X:boringcrypto", "1.22.3"},
		{"epochs in Python", "PyPI", "a", "2024.1", "1!1.0"},
		{"Python's development, candidate, release, post", "PyPI", "a", "1.0.dev1", "1.0rc1"},
		{"a post-release in Python", "PyPI", "a", "1.0", "1.0.post1"},
		{"Python in upper case", "PyPI", "a", "1.0RC1", "1.0"},
		{"Maven's words", "Maven", "g:a", "1.0-alpha-1", "1.0-beta-1"},
		{"Maven's snapshot before the release", "Maven", "g:a", "1.0-SNAPSHOT", "1.0"},
		{"Maven's service pack after the release", "Maven", "g:a", "1.0", "1.0-sp"},
		{"four numbers in NuGet", "NuGet", "a", "1.0.0.1", "1.0.0.2"},
		{"Debian's tilde", "Debian:12", "a", "1.0~rc1-1", "1.0-1"},
		{"Ruby's pre-release", "RubyGems", "a", "1.0.0.pre", "1.0.0"},
		{"four numbers in Ruby", "RubyGems", "a", "6.1.7.9", "6.1.7.10"},
		{"a pre-release of NuGet in another case", "NuGet", "a", "1.0.0-BETA.2", "1.0.0-beta.10"},
		{"a release candidate of Composer", "Packagist", "a/b", "v1.0.0-RC1", "1.0.0"},
		{"numbers of Composer", "Packagist", "a/b", "1.9.0", "1.10.0"},
		{"a pre-release of Hex", "Hex", "a", "1.7.0-rc.2", "1.7.0"},
		{"a pre-release of Pub", "Pub", "a", "1.0.0-dev.9", "1.0.0-dev.10"},
		{"a tag of Swift with a v", "SwiftURL", "github.com/a/b", "v1.9.0", "1.10.0"},
		{"letters behind numbers of Conan", "ConanCenter", "openssl", "1.1.1k", "1.1.1t"},
		{"numbers of Conan", "ConanCenter", "zlib", "1.2.9", "1.2.11"},
		{"Gradle's words, which are Maven's", "Maven", "g:a", "6.0.0.M1", "6.0.0.RELEASE"},
		{"tags of GitHub Actions", "GitHub Actions", "a/b", "v4.1.7", "v4.999999999.999999999"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := orderOf(c.ecosystem, c.pkg)
			low, err1 := o.parse(c.low)
			high, err2 := o.parse(c.high)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if a, b := comparePlaces(low, high), comparePlaces(high, low); a >= 0 || b <= 0 {
				t.Errorf("%s against %s gave %d, and %d the other way round", c.low, c.high, a, b)
			}
		})
	}
}

func TestVersionsThatAreOneVersion(t *testing.T) {
	for _, c := range [][3]string{
		{"Go", "v1.2.3", "1.2.3"}, {"Go", "v2.0.0+incompatible", "2.0.0"}, {"npm", "1.2.3+build", "1.2.3"},
		{"PyPI", "1.0", "1.0.0"}, {"PyPI", "v1.0", "1.0"}, {"Maven", "1", "1.0.0.Final"}, {"crates.io", "1.0.0", "1.0.0+x"},
	} {
		o := orderOf(c[0], "a")
		a, err1 := o.parse(c[1])
		b, err2 := o.parse(c[2])
		if err1 != nil || err2 != nil || comparePlaces(a, b) != 0 {
			t.Errorf("%v are not equal (%v, %v)", c, err1, err2)
		}
	}
}

func TestWhatIsNoVersionHasNoPlace(t *testing.T) {
	long := string(make([]byte, maxVersion+1))
	for ecosystem, versions := range map[string][]string{
		"npm":       {"", "latest", "file:../a", "git+ssh://git@example.org/a#main", "1.2.3.4", "1.x", "^1.2.3", "1..2", "1.2.3-", "1.2.3-a..b", "1.2.3+", long},
		"Go":        {"", "(devel)", "main", "v", "vv1.2.3", "v1.2.3.4"},
		"PyPI":      {"", "main", "1.0-foo-bar", "@ file:///a", "1.0 || 2.0", "==1.0"},
		"Maven":     {"", "${project.version}", "[1.0,2.0)", "LATEST", "RELEASE", "1.0 "},
		"crates.io": {"", "*", "1.0.0_1"},
		"RubyGems":  {"", ">= 1.0"},
		"Homebrew":  {"1.0.0"}, // an ecosystem that nobody orders
	} {
		for _, v := range versions {
			if p, err := orderOf(ecosystem, "a").parse(v); !errors.Is(err, ErrVersion) || p != nil {
				t.Errorf("%s %.40q was given a place: %v, %v", ecosystem, v, p, err)
			}
		}
	}
}

func TestRangesByTheRulesOfTheSchema(t *testing.T) {
	in := func(v string) rawEvent { return rawEvent{Introduced: v} }
	fix := func(v string) rawEvent { return rawEvent{Fixed: v} }
	last := func(v string) rawEvent { return rawEvent{LastAffected: v} }
	limit := func(v string) rawEvent { return rawEvent{Limit: v} }
	for _, c := range []struct {
		name      string
		events    []rawEvent
		yes, noes []string
	}{
		{"from the beginning to the fix", []rawEvent{in("0"), fix("1.2.0")}, []string{"0.0.0-0", "0.0.1", "1.2.0-rc.1"}, []string{"1.2.0", "2.0.0"}},
		{"the fix is not affected, the first is", []rawEvent{in("1.0.0"), fix("1.0.1")}, []string{"1.0.0"}, []string{"0.9.9", "1.0.0-rc.1", "1.0.1"}},
		{"no end", []rawEvent{in("1.0.0")}, []string{"1.0.0", "99.0.0"}, []string{"0.9.0"}},
		{"the last affected is affected", []rawEvent{in("0"), last("1.4.0")}, []string{"1.4.0", "1.3.9"}, []string{"1.4.1"}},
		{"one version alone", []rawEvent{in("1.4.0"), last("1.4.0")}, []string{"1.4.0"}, []string{"1.3.9", "1.4.1"}},
		{"two branches, in any order", []rawEvent{in("2.0.0"), fix("1.1.0"), in("0"), fix("2.1.0")}, []string{"1.0.0", "2.0.5"}, []string{"1.1.0", "1.9.0", "2.1.0"}},
		{"fixed and brought back at once cancel out", []rawEvent{in("0"), fix("1.0.0"), in("1.0.0"), fix("2.0.0")}, []string{"0.5.0", "1.0.0", "1.5.0"}, []string{"2.0.0"}},
		{"introduced and fixed at once is nothing", []rawEvent{in("1.0.0"), fix("1.0.0")}, nil, []string{"0.9.0", "1.0.0", "1.1.0"}},
		{"a fix without a beginning starts at the beginning", []rawEvent{fix("1.0.0")}, []string{"0.1.0"}, []string{"1.0.0"}},
		{"nothing beyond a limit", []rawEvent{in("0"), limit("2.0.0")}, []string{"1.9.9"}, []string{"2.0.0", "3.0.0"}},
		{"the highest limit holds", []rawEvent{in("0"), fix("1.5.0"), in("1.8.0"), limit("1.7.0"), limit("1.9.0")}, []string{"1.0.0", "1.8.5"}, []string{"1.5.0", "1.9.0"}},
		{"a limit before the fix cuts", []rawEvent{in("1.0.0"), fix("3.0.0"), limit("2.0.0")}, []string{"1.0.0"}, []string{"2.0.0", "2.5.0"}},
		{"a limit of everything limits nothing", []rawEvent{in("0"), limit("*")}, []string{"5.0.0"}, nil},
		{"said twice", []rawEvent{in("0"), in("0"), fix("1.0.0"), fix("1.2.0")}, []string{"0.1.0"}, []string{"1.0.0", "1.1.0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := orderOf("npm", "a")
			spans, err := spansOf(c.events, o, false)
			if err != nil {
				t.Fatal(err)
			}
			for want, versions := range map[bool][]string{true: c.yes, false: c.noes} {
				for _, v := range versions {
					place, err := o.parse(v)
					if err != nil {
						t.Fatal(err)
					}
					got := false
					for _, s := range spans {
						in, err := s.holds(place, o.parse)
						if err != nil {
							t.Fatal(err)
						}
						got = got || in
					}
					if got != want {
						t.Errorf("%s affected: %v, want %v (spans %+v)", v, got, want, spans)
					}
				}
			}
		})
	}
	for _, bad := range [][]rawEvent{{in("banana")}, {in("0"), fix("1.2.3.4")}, {in("0"), last("x")}, {in("0"), limit("y")}} {
		if s, err := spansOf(bad, orderOf("npm", "a"), false); !errors.Is(err, ErrVersion) {
			t.Errorf("%v gave %v, %v", bad, s, err)
		}
	}
}

func TestNamesThatAreOnePackage(t *testing.T) {
	for _, c := range []struct {
		ecosystem, a, b string
		same            bool
	}{
		{"PyPI", "Flask_Login", "flask-login", true}, {"PyPI", "zope.interface", "zope--interface", true},
		{"Go", "github.com/BurntSushi/toml", "github.com/burntsushi/toml", true},
		{"crates.io", "serde_json", "serde-json", true}, {"npm", "JSONStream", "jsonstream", false},
		{"Maven", "g:A", "g:a", false}, {"NuGet", "Newtonsoft.Json", "newtonsoft.json", true},
	} {
		if got := keyOf(c.ecosystem, c.a) == keyOf(c.ecosystem, c.b); got != c.same {
			t.Errorf("%s %s and %s are one package: %v", c.ecosystem, c.a, c.b, got)
		}
	}
	if keyOf("npm", "a") == keyOf("PyPI", "a") || keyOf("Debian:11", "a") == keyOf("Debian:12", "a") {
		t.Error("two ecosystems share a key")
	}
}

func TestSeverityOfVectors(t *testing.T) {
	// From FIRST's documents with examples for 2.0 to 4.0 (log4shell, Heartbleed, CVE-2022-41741 …).
	for vector, want := range map[string]struct {
		score float64
		level string
	}{
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H":                    {9.8, "critical"},
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H":                    {10.0, "critical"},
		"CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H":                    {7.8, "high"},
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N":                    {6.1, "medium"},
		"CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N":                    {1.6, "low"},
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N":                    {0, "info"},
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N": {9.3, "critical"},
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H": {10.0, "critical"},
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N": {8.7, "high"},
		"CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N": {7.3, "high"},
		"AV:N/AC:L/Au:N/C:C/I:C/A:C":                                      {10.0, "critical"},
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O/RC:C":      {9.8, "critical"},
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N": {0, "info"},
		"CVSS:3.1/AV:A/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N":                    {5.3, "medium"},
	} {
		score, ok := scoreOf(vector)
		if !ok || score != want.score || string(severityOf(vector)) != want.level {
			t.Errorf("%s scored %v, %s; want %v", vector, score, severityOf(vector), want)
		}
	}
	for _, none := range []string{"", "9.8", "CVSS:3.1/", "CVSS:3.1/AV:X", "CVSS:5.0/AV:N", "CVSS:4.0/AV:N", "AV:", "high"} {
		if s := severityOf(none); s != "unknown" {
			t.Errorf("%q is %s", none, s)
		}
	}
}
