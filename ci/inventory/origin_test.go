package inventory

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"verdict/ci/inventory/inventorytest"
)

// inShort writes in short what a bill of materials takes from a dependency beside its name.
func inShort(d Dependency) string {
	s := d.Name + "@" + d.Version + ":"
	if d.Needs != nil {
		s += fmt.Sprintf(" needs %v", d.Needs)
	}
	for _, h := range d.Hashes {
		s += " " + h.Algorithm + ":" + h.Hex[:4]
	}
	for _, part := range []string{d.Sum, d.License, d.From} {
		if part != "" {
			s += " " + part
		}
	}
	return s
}

func sameFacts(t *testing.T, files map[string]string, want ...string) {
	t.Helper()
	_, found, gaps := inventoryOf(t, files)
	var got []string
	for _, d := range found {
		got = append(got, inShort(d))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if text := fmt.Sprintf("%+v %+v", found, gaps); strings.Contains(text, "s3cret") {
		t.Errorf("a credential is kept: %s", text)
	}
}

// digest64 and digest32 are hashes as lockfiles write them.
var (
	digest64 = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xab", 64)))
	digest20 = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xcd", 20)))
	hex32    = strings.Repeat("ef", 32)
)

// npm tells what a package needs, its hash, its licence and where it comes from. Whoever
// reads the bill must be able to compare what he downloads.
func TestWhatPackageLocksTellBeside(t *testing.T) {
	home := "https://registry." + "npmjs.org"
	sameFacts(t, map[string]string{"package-lock.json": `{"lockfileVersion":3,"packages":{
		"":{"dependencies":{"a":"1"}},
		"node_modules/a":{"version":"1.0.0","resolved":"` + home + `/a/-/a-1.0.0.tgz","integrity":"sha512-` + digest64 + ` sha1-` + digest20 + `?x=1","license":"MIT","dependencies":{"b":"1","missing":"1"},"peerDependencies":{"git":"1"}},
		"node_modules/a/node_modules/b":{"version":"2.0.0","resolved":"https://user:s3cret@npm.acme.example/b.tgz?token=s3cret#s3cret","integrity":"sha512-AAAA md5-AAAA","license":"SEE LICENSE IN X","dependencies":{"a":"1","b":"*"}},
		"node_modules/b":{"version":"1.0.0","license":{"type":"MIT"}},
		"node_modules/git":{"version":"git+ssh://git@example.com/g.git#abc"}}}`},
		"a@1.0.0: needs [b@2.0.0] SHA-512:abab SHA-1:cdcd MIT",
		"b@2.0.0: needs [a@1.0.0] SEE LICENSE IN X https://npm.acme.example/b.tgz",
		"b@1.0.0: needs []",
	)
}

func TestWhatOldPackageLocksTellBeside(t *testing.T) {
	sameFacts(t, map[string]string{"package-lock.json": `{"lockfileVersion":1,"dependencies":{
		"a":{"version":"1.0.0","integrity":"sha1-` + digest20 + `","resolved":"http://npm.acme.example/a.tgz","requires":{"b":"1"}},
		"b":{"version":"npm:real@2.0.0","requires":true}}}`},
		"a@1.0.0: needs [real@2.0.0] SHA-1:cdcd http://npm.acme.example/a.tgz",
		"real@2.0.0: needs []",
	)
	// What only the first form of a mixed file names has no place to look from.
	sameFacts(t, map[string]string{"package-lock.json": `{"lockfileVersion":2,"packages":{"":{},"node_modules/a":{"version":"2.0.0"}},"dependencies":{"c":{"version":"1.0.0","requires":{"a":"1"}}}}`},
		"a@2.0.0: needs []", "c@1.0.0:")
}

// go.sum is over a listing of files: taken for the hash of an archive, it would refuse
// every genuine one.
func TestTheSumOfAGoModuleIsNoHash(t *testing.T) {
	sum := "h1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x01", 32)))
	other := "h1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x02", 32)))
	sameFacts(t, map[string]string{
		"a/go.mod": "module m\n\ngo 1.26.0\n\nrequire (\n\texample.com/a v1.0.0\n\texample.com/b v1.0.0 // indirect\n)\n\nreplace example.com/b => example.com/c v1.1.0\n",
		"a/go.sum": "example.com/a v1.0.0 " + sum + "\nexample.com/a v1.0.0/go.mod " + other + "\n\nexample.com/b v1.0.0 " + other + "\nexample.com/c v1.1.0 " + sum + "\nexample.com/d v1.0.0 h9:later\n",
		"b/go.mod": "module n\n\ngo 1.20\n\nrequire example.com/a v1.0.0\n",
	},
		"stdlib@1.26.0: needs []",
		"example.com/a@v1.0.0: "+sum,
		"example.com/c@v1.1.0: "+sum,
		"example.com/a@v1.0.0:",
	)
	for name, text := range map[string]string{"cut short": "example.com/a v1.0.0\n", "no digest": "example.com/a v1.0.0 x\n", "of four words": "a v1 h1:x y\n"} {
		_, _, gaps := inventoryOf(t, map[string]string{"go.sum": text})
		gap(t, gaps, "line 1 is no module", true)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestWhatRequirementsTellBeside(t *testing.T) {
	sameFacts(t, map[string]string{"requirements.txt": "--index-url https://me:s3cret@pypi.acme.example/simple/\na==1.0 \\\n    --hash=sha256:" + hex32 + " \\\n    --hash sha512:" + hex32 + hex32 + " \\\n    --hash=md5:" + hex32[:32] + " --hash=sha256:zz\nb==2.0\n"},
		"a@1.0: SHA-256:efef SHA-512:efef https://pypi.acme.example/simple/",
		"b@2.0: https://pypi.acme.example/simple/",
	)
	sameFacts(t, map[string]string{"requirements.txt": "-i https://pypi.org/simple\na==1.0\n"}, "a@1.0:")
	sameFacts(t, map[string]string{"requirements.txt": "-i https://a.example/simple\n--extra-index-url=https://b.example/s3cret\na==1.0\n"}, "a@1.0:")
}

func TestWhatCargoTellsBeside(t *testing.T) {
	sameFacts(t, map[string]string{"Cargo.lock": strings.ReplaceAll(inventorytest.CargoLock, `"abc"`, `"`+hex32+`"`)},
		"left@0.3.1: needs [two@2.0.0] SHA-256:efef",
		"two@1.0.0: needs []",
		"two@2.0.0: needs [] git+https://github.com/acme/two",
	)
	commit := strings.Repeat("a1", 20)
	sameFacts(t, map[string]string{"Cargo.lock": "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\n" +
		"[[package]]\nname = \"b\"\nversion = \"1.0.0\"\nsource = \"git+https://s3cret@git.acme.example/b?branch=s3cret#" + commit + "\"\n\n" +
		"[[package]]\nname = \"c\"\nversion = \"1.0.0\"\nsource = \"sparse+https://u:s3cret@cargo.acme.example/index/\"\n\n" +
		"[metadata]\n\"checksum a 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)\" = \"" + hex32 + "\"\n"},
		"a@1.0.0: needs [] SHA-256:efef",
		"b@1.0.0: needs [] git+https://git.acme.example/b#"+commit,
		"c@1.0.0: needs [] https://cargo.acme.example/index/",
	)
}

// A pom says what a project asks for. What that brings in lies in poms elsewhere.
func TestMavenDoesNotTellWhatADependencyNeeds(t *testing.T) {
	_, found, _ := inventoryOf(t, map[string]string{"pom.xml": `<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version><dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId><version>1</version></dependency></dependencies></project>`})
	if len(found) != 1 || found[0].Needs != nil {
		t.Errorf("%+v", found)
	}
}

func TestAddressesCarryNoCredentials(t *testing.T) {
	long := "https://" + strings.Repeat("user", 40) + ":s3cret@example.com/"
	sameFacts(t, map[string]string{
		"requirements.txt":  long + "a.whl\na @ https://example.com/a.whl?sig=s3cret#sha256=x\n",
		"package-lock.json": `{"lockfileVersion":1,"dependencies":{"a":{"version":"` + long + `a.tgz?token=s3cret"},"b":{"version":"git+https://s3cret@example.com/b.git"}}}`,
	})
	for in, want := range map[string]string{
		"https://user:s3cret@example.com/a":                     "https://example.com/a",
		"https://s3cret@example.com/a?sig=s3cret#x":             "https://example.com/a",
		"https://example.com/x//user:s3cret@b.example":          "https://example.com/x//b.example",
		"https://user%3as3cret%40@example.com/a":                "https://example.com/a",
		"git@example.com:acme/a.git":                            "",
		"not an address":                                        "",
		"https://a b/":                                          "",
		"https://example.com/\x1b[2J":                           "",
		"https://pypi.org.evil.example/simple":                  "https://pypi.org.evil.example/simple",
		"http://pypi.org/simple":                                "http://pypi.org/simple",
		"https://pypi.org/simple/":                              "",
		"https://example.com/" + strings.Repeat("a", maxOrigin): "",
	} {
		if got := origin(EcosystemPyPI, in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
