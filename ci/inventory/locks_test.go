package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/ci/inventory/inventorytest"
)

var zero = strings.Repeat("0", 64)

func TestGemfileLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"web/Gemfile.lock": strings.ReplaceAll(inventorytest.GemfileLock, "DIGEST", zero), "web/Gemfile": "gem 'rack'\n"})
	sameLines(t, found,
		"web/Gemfile.lock:6 pkg:gem/ours@0.3.0 direct this project>ours",
		"web/Gemfile.lock:18 pkg:gem/bundler-audit@0.9.1 direct this project>bundler-audit",
		"web/Gemfile.lock:21 pkg:gem/nokogiri@1.15.4 direct this project>nokogiri",
		"web/Gemfile.lock:25 pkg:gem/racc@1.7.1 this project>nokogiri>racc",
		"web/Gemfile.lock:26 pkg:gem/rack@2.2.8 this project>ours>rack",
		"web/Gemfile.lock:27 pkg:gem/thor@1.2.2 this project>bundler-audit>thor",
	)
	toldBeside(t, found,
		"ours needs [rack@2.2.8] hashes 0 from https://git.acme.example/ours.git#0123456789012345678901234567890123456789",
		"bundler-audit needs [thor@1.2.2] hashes 0 from ", "nokogiri needs [racc@1.7.1] hashes 2 from ", "racc needs [] hashes 0 from ",
		"rack needs [] hashes 0 from ", "thor needs [] hashes 0 from ",
	)
	gap(t, gaps, "shop is a folder", false)
	gap(t, gaps, "ours comes from an address (https://git.acme.example/ours.git", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

const composerLockText = `{"packages": [
{"name": "Acme/App", "version": "v1.2.0", "require": {"php": ">=8", "ext-json": "*", "psr/log-implementation": "1", "acme/lib": "^1"}, "license": ["MIT", "GPL-2.0-only"],
 "dist": {"type": "zip", "url": "https://api.acme.example/z?token=s3cret", "reference": "x", "shasum": "0000000000000000000000000000000000000000"}},
{"name": "acme/lib", "version": "1.0.0", "require": {"acme/app": "*"}, "dist": {"shasum": ""}},
{"name": "acme/log", "version": "2.0.0", "provide": {"psr/log-implementation": "1.0"}},
{"name": "acme/branch", "version": "dev-main", "source": {"type": "git", "url": "https://git.acme.example/b", "reference": "0123456789012345678901234567890123456789"}},
{"name": "acme/here", "version": "1.0", "dist": {"type": "path", "url": "../here"}}
], "packages-dev": [
{"name": "phpunit/phpunit", "version": "10.0.0"}
], "content-hash": "x"}`

func TestComposerLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"composer.lock": composerLockText,
		"composer.json": `{"require": {"php": "8", "acme/app": "^1", "acme/branch": "dev-main"}, "require-dev": {"phpunit/phpunit": "*"}}`,
	})
	sameLines(t, found,
		"composer.lock:2 pkg:composer/acme/app@v1.2.0 direct this project>acme/app",
		"composer.lock:4 pkg:composer/acme/lib@1.0.0 this project>acme/app>acme/lib",
		"composer.lock:5 pkg:composer/acme/log@2.0.0 this project>acme/app>acme/log",
		"composer.lock:9 pkg:composer/phpunit/phpunit@10.0.0 direct dev this project>phpunit/phpunit",
	)
	if len(found) == 4 && (found[0].License != "MIT OR GPL-2.0-only" || len(found[0].Hashes) != 1 || found[0].From != "https://api.acme.example/z" || !slices.Equal(found[0].Needs, []string{"acme/lib@1.0.0", "acme/log@2.0.0"})) {
		t.Errorf("%+v", found[0])
	}
	gap(t, gaps, "acme/branch comes from an address", false)
	gap(t, gaps, "acme/here is a folder", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
	_, _, gaps = inventoryOf(t, map[string]string{"composer.lock": `{"packages":[{"name":"a/b","version":"1.0","require":{"a/gone":"1"}}]}`})
	gap(t, gaps, "does not hold 1 package that is asked for, the first is a/gone: composer update --lock", true)
}

const mixLockText = `%{
  # a comment
  "decimal": {:hex, :decimal, "2.1.1", "INNER", [:mix], [], "hexpm", "SUM"},
  "json_app": {:hex, :jason, "1.4.1", "INNER", [:mix], [{:decimal, "~> 1.0 or ~> 2.0", [hex: :decimal, repo: "hexpm", optional: true]}], "hexpm", "SUM"},
  "ours": {:git, "https://git.acme.example/ours.git", "0123456789012345678901234567890123456789", [branch: "main"]},
  :private => {:hex, :private, "1.0.0", "INNER", [:mix], [{:jason, "~> 1.0", [hex: :jason]}], "hexpm:acme", "SUM"},
}
`

const rebarLockText = `{"1.2.0",
[{<<"cowboy">>,{pkg,<<"cowboy">>,<<"2.10.0">>},0},
 {<<"cowlib">>,{pkg,<<"cowlib">>,<<"2.12.1">>},1},
 {<<"ours">>,{git,"https://git.acme.example/ours",{ref,"0123456789012345678901234567890123456789"}},0}]}.
[
{pkg_hash,[
 {<<"cowboy">>, <<"INNER">>}]},
{pkg_hash_ext,[
 {<<"cowboy">>, <<"SUM">>}]}
].
`

func TestLocksOfHex(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"mix.lock": strings.ReplaceAll(mixLockText, "SUM", zero)})
	sameLines(t, found,
		"mix.lock:3 pkg:hex/decimal@2.1.1 this project>private>jason>decimal",
		"mix.lock:4 pkg:hex/jason@1.4.1 this project>private>jason",
		"mix.lock:6 pkg:hex/private@1.0.0 direct this project>private",
	)
	toldBeside(t, found, "decimal needs [] hashes 1 from ", "jason needs [decimal@2.1.1] hashes 1 from ", "private needs [jason@1.4.1] hashes 1 from ")
	gap(t, gaps, "ours comes from an address (https://git.acme.example/ours.git#0123456789012345678901234567890123456789), not from a registry", false)
	gap(t, gaps, "private comes from an address (hexpm:acme): it is judged by the version 1.0.0", false)
	_, found, gaps = inventoryOf(t, map[string]string{"rebar.lock": strings.ReplaceAll(rebarLockText, "SUM", zero)})
	sameLines(t, found,
		"rebar.lock:2 pkg:hex/cowboy@2.10.0 direct this project>cowboy",
		"rebar.lock:3 pkg:hex/cowlib@2.12.1",
	)
	toldBeside(t, found, "cowboy needs untold hashes 1 from ", "cowlib needs untold hashes 0 from ")
	gap(t, gaps, "ours comes from an address", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

const pubLockText = `packages:
  async:
    dependency: transitive
    description: {name: async, sha256: "SUM", url: "https://pub.dev"}
    source: hosted
    version: "2.11.0"
  flutter:
    dependency: "direct main"
    description: flutter
    source: sdk
    version: "0.0.0"
  http:
    dependency: "direct main"
    description: {name: http, sha256: "SUM", url: "https://u:s3cret@pub.acme.example"}
    source: hosted
    version: "1.1.0+1"
  lints:
    dependency: "direct dev"
    description: {name: lints, url: "https://pub.dev"}
    source: hosted
    version: "2.1.1"
  ours:
    dependency: "direct main"
    description: {path: ".", ref: HEAD, resolved-ref: "0123456789012345678901234567890123456789", url: "https://git.acme.example/ours.git"}
    source: git
    version: "0.1.0"
  shared:
    dependency: "direct main"
    description: {path: "../shared", relative: true}
    source: path
    version: "0.1.0"
sdks:
  dart: ">=3.0.0 <4.0.0"
`

func TestPubLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"app/pubspec.lock": strings.ReplaceAll(pubLockText, "SUM", zero)})
	sameLines(t, found,
		"app/pubspec.lock:2 pkg:pub/async@2.11.0",
		"app/pubspec.lock:12 pkg:pub/http@1.1.0%2B1 direct this project>http",
		"app/pubspec.lock:17 pkg:pub/lints@2.1.1 direct dev this project>lints",
		"app/pubspec.lock:22 pkg:pub/ours@0.1.0 direct this project>ours",
	)
	toldBeside(t, found, "async needs untold hashes 1 from ", "http needs untold hashes 1 from https://pub.acme.example", "lints needs untold hashes 0 from ",
		"ours needs untold hashes 0 from https://git.acme.example/ours.git#0123456789012345678901234567890123456789")
	gap(t, gaps, "flutter comes with the SDK", false)
	gap(t, gaps, "shared is a folder", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

const swiftLock1 = `{"object": {"pins": [
{"package": "NIO", "repositoryURL": "https://github.com/apple/swift-nio.git", "state": {"branch": null, "revision": "0123456789012345678901234567890123456789", "version": "2.60.0"}},
{"package": "Ours", "repositoryURL": "git@git.acme.example:acme/ours.git", "state": {"branch": "main", "revision": "0123456789012345678901234567890123456789", "version": null}}
]}, "version": 1}`

const swiftLock3 = `{"originHash": "x", "pins": [
{"identity": "swift-nio", "kind": "remoteSourceControl", "location": "https://u:s3cret@github.com/apple/swift-nio", "state": {"revision": "0123456789012345678901234567890123456789", "version": "2.60.0"}},
{"identity": "acme.lib", "kind": "registry", "location": "", "state": {"version": "1.0.0"}},
{"identity": "near", "kind": "localSourceControl", "location": "/srv/near", "state": {"version": "1.0.0"}}
], "version": 3}`

func TestSwiftLock(t *testing.T) {
	for text, told := range map[string][]string{
		swiftLock1: {"git.acme.example/acme/ours comes from an address (git@git.acme.example:acme/ours.git"},
		swiftLock3: {"acme.lib comes from a registry of packages", "near is a folder"},
	} {
		_, found, gaps := inventoryOf(t, map[string]string{"Package.resolved": text})
		sameLines(t, found, "Package.resolved:2 pkg:swift/github.com/apple/swift-nio@2.60.0")
		for _, words := range told {
			gap(t, gaps, words, false)
		}
		if strings.Contains(fmt.Sprint(found, gaps), "s3cret") {
			t.Error("a credential is told")
		}
	}
}

const conanLock1 = `{"graph_lock": {"nodes": {
"0": {"ref": "app/1.0", "requires": ["1"], "build_requires": ["3"], "path": "conanfile.py"},
"1": {"ref": "openssl/1.1.1t#rev", "requires": ["2"]},
"2": {"ref": "zlib/1.2.11#rev%1", "requires": ["1"]},
"3": {"ref": "cmake/cci.20230101@acme/stable"}
}}, "version": "0.4"}`

const conanLock2 = `{"version": "0.5", "requires": [
"zlib/1.2.11#rev%1"
], "build_requires": [
"cmake/3.22.6#rev"
], "python_requires": []}`

func TestConanLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"conan.lock": conanLock1})
	sameLines(t, found,
		"conan.lock:3 pkg:conan/openssl@1.1.1t direct app>openssl",
		"conan.lock:4 pkg:conan/zlib@1.2.11 app>openssl>zlib",
		"conan.lock:5 pkg:conan/cmake@cci.20230101 direct dev app>cmake",
	)
	_, found, more := inventoryOf(t, map[string]string{"conan.lock": conanLock2})
	sameLines(t, found, "conan.lock:2 pkg:conan/zlib@1.2.11", "conan.lock:4 pkg:conan/cmake@3.22.6 dev")
	if gaps = append(gaps, more...); len(gaps) > 0 {
		t.Errorf("%+v", gaps)
	}
}

func TestPodLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"ios/Podfile.lock": inventorytest.PodfileLock})
	sameLines(t, found,
		"ios/Podfile.lock:2 pkg:cocoapods/Firebase@10.0.0 direct this project>Firebase",
		"ios/Podfile.lock:6 pkg:cocoapods/Analytics@10.1.0 this project>Firebase>Analytics",
	)
	gap(t, gaps, "Near is a folder", false)
}

// A lockfile is changed by its tool, and the command has to be one of that tool.
func TestTheFixOfOtherEcosystems(t *testing.T) {
	x := verdict.Vulnerability{ID: "V", Fixed: "2.0.0"}
	for _, c := range []struct{ source, ecosystem, direct, deep string }{
		{"gradle.lockfile", EcosystemMaven, "take lib 2.0.0 in the build: gradle dependencies --update-locks lib", "constrain lib to 2.0.0 in the build: gradle dependencies --update-locks lib"},
		{"a/packages.lock.json", EcosystemNuGet, "in a: dotnet add package lib --version 2.0.0", "in a: dotnet add package lib --version 2.0.0, which asks for it in place of top"},
		{"composer.lock", EcosystemComposer, "composer require lib:2.0.0", "composer update lib --with lib:2.0.0, and top where it forbids lib 2.0.0"},
		{"Gemfile.lock", EcosystemGems, "allow lib 2.0.0 in the Gemfile: bundle update --conservative lib", "bundle update --conservative lib, and top where it forbids lib 2.0.0"},
		{"mix.lock", EcosystemHex, "allow lib 2.0.0 in mix.exs: mix deps.update lib", "mix deps.update lib, and top where it forbids lib 2.0.0"},
		{"conan.lock", EcosystemConan, "ask for lib/2.0.0 in the conanfile: conan lock create .", "conan lock create . with lib/2.0.0, and what brings it in where that forbids it"},
		{".github/workflows/a.yml", EcosystemActions, "use lib in release 2.0.0 or later, by its commit, in line 7 of .github/workflows/a.yml", "use lib in release 2.0.0 or later, by its commit, in line 7 of .github/workflows/a.yml"},
		{"a.csproj", EcosystemNuGet, "take lib 2.0.0 or later", "take lib 2.0.0 or later"},
	} {
		d := Dependency{Component: verdict.Component{Ecosystem: c.ecosystem, Name: "lib", Version: "1.0.0"}, Source: c.source, Line: 7, Direct: true, Path: []string{"app", "lib"}}
		if got := Fix(d, x); got != c.direct {
			t.Errorf("%s: %q", c.source, got)
		}
		d.Direct, d.Path = false, []string{"app", "top", "lib"}
		if got := Fix(d, x); got != c.deep {
			t.Errorf("%s: %q", c.source, got)
		}
	}
}
