package sbom

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"verdict"
)

// exceptions are official cases that we do not follow, by file, kind of test and input,
// each with its reason.
var exceptions = map[string]string{
	`gem-test.json parse "pkg:gem/jruby-launcher@1.1.2?Platform=java"`: "refuses a key in upper case that the specification lowers, " +
		"and that another case of the same file (validate) accepts",
	`rpm-test.json parse "pkg:Rpm/fedora/curl@7.50.3-1.fc25?Arch=i386&Distro=fedora-25"`: "refuses keys in upper case that the " +
		"specification lowers; the same is accepted for Maven in maven-test.json",
}

type officialCase struct {
	Description string          `json:"description"`
	Group       string          `json:"test_group"`
	Type        string          `json:"test_type"`
	Input       json.RawMessage `json:"input"`
	Output      json.RawMessage `json:"expected_output"`
	Failure     bool            `json:"expected_failure"`
}

func corpora(t testing.TB, sub string) string {
	t.Helper()
	root := os.Getenv("VERDICT_CORPORA")
	if root == "" {
		root = "../../shared/corpora"
	}
	dir := filepath.Join(root, sub)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpora are missing: %v", err)
		}
		t.Skipf("the corpora are missing (set VERDICT_CORPORA): %v", err)
	}
	return dir
}

func TestOfficialCases(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpora(t, "purl"), "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no official cases: %v", err)
	}
	ran, excepted := 0, 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var suite struct {
			Tests []officialCase `json:"tests"`
		}
		if err := json.Unmarshal(b, &suite); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, c := range suite.Tests {
			ran++
			problem := c.run(t)
			reason, known := exceptions[filepath.Base(f)+" "+c.Type+" "+string(c.Input)]
			switch {
			case known && problem == "":
				t.Errorf("%s: %s passes now: strike it from the exceptions (%s)", f, c.Input, reason)
			case known:
				excepted++
			case problem != "":
				t.Errorf("%s: %s (%s, %s) %s: %s", filepath.Base(f), c.Description, c.Group, c.Type, c.Input, problem)
			}
		}
	}
	t.Logf("%d official purl cases ran, %d of them are known exceptions", ran, excepted)
	if excepted != len(exceptions) {
		t.Errorf("%d of %d exceptions were met", excepted, len(exceptions))
	}
}

// run gives what is wrong, or nothing.
func (c officialCase) run(t *testing.T) string {
	t.Helper()
	var got PackageURL
	var err error
	if c.Type == "build" {
		got, err = parts(t, c.Input).canonical()
	} else {
		var in string
		decode(t, c.Input, &in)
		got, err = ParsePURL(in)
	}
	if (err != nil) != c.Failure {
		return "gave " + got.String() + ", error " + errText(err)
	}
	if err != nil {
		return ""
	}
	if c.Type == "parse" {
		return cmp.Diff(parts(t, c.Output), got)
	}
	var want string
	decode(t, c.Output, &want)
	return cmp.Diff(want, got.String())
}

func errText(err error) string {
	if err == nil {
		return "none"
	}
	return err.Error()
}

func parts(t *testing.T, b json.RawMessage) PackageURL {
	t.Helper()
	var p PackageURL
	decode(t, b, &p)
	if p.Qualifiers == nil {
		p.Qualifiers = map[string]string{}
	}
	return p
}

func decode(t *testing.T, b json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
}

func TestPURLPerEcosystem(t *testing.T) {
	for _, c := range []struct{ name, ecosystem, pkg, version, want string }{
		{"a Go module with the v of its version", "Go", "golang.org/x/net", "v0.17.0", "pkg:golang/golang.org/x/net@v0.17.0"},
		{"a Go module without it", "Go", "golang.org/x/net", "0.17.0", "pkg:golang/golang.org/x/net@v0.17.0"},
		{"a Go module in upper case", "Go", "github.com/BurntSushi/toml", "v1.3.2", "pkg:golang/github.com/burntsushi/toml@v1.3.2"},
		{"a Go version that is incompatible", "Go", "github.com/docker/docker", "v25.0.0+incompatible",
			"pkg:golang/github.com/docker/docker@v25.0.0%2Bincompatible"},
		{"Go's standard library", "Go", "stdlib", "go1.22.3", "pkg:golang/stdlib@1.22.3"},
		{"an npm package", "npm", "lodash", "4.17.20", "pkg:npm/lodash@4.17.20"},
		{"an npm package in a scope", "npm", "@angular/core", "16.0.0", "pkg:npm/%40angular/core@16.0.0"},
		{"a Python package by another spelling", "PyPI", "Flask_Login", "0.6.0", "pkg:pypi/flask-login@0.6.0"},
		{"a crate", "crates.io", "serde_json", "1.0.1", "pkg:cargo/serde_json@1.0.1"},
		{"a Maven artifact", "Maven", "org.apache.logging.log4j:log4j-core", "2.14.1", "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"},
		{"a package without version", "npm", "lodash", "", "pkg:npm/lodash"},
		{"a PHP package", "Packagist", "Symfony/Http-Kernel", "v6.0.0", "pkg:composer/symfony/http-kernel@v6.0.0"},
		{"a NuGet package", "NuGet", "Newtonsoft.Json", "13.0.3", "pkg:nuget/Newtonsoft.Json@13.0.3"},
		{"a gem", "RubyGems", "rails", "7.0.4", "pkg:gem/rails@7.0.4"},
		{"a package of Erlang or Elixir", "Hex", "phoenix", "1.7.0", "pkg:hex/phoenix@1.7.0"},
		{"a Swift package by its repository", "SwiftURL", "github.com/apple/swift-nio", "2.60.0", "pkg:swift/github.com/apple/swift-nio@2.60.0"},
		{"a step of GitHub Actions", "GitHub Actions", "actions/checkout", "v4.1.0", "pkg:github/actions/checkout@v4.1.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := PURL(c.ecosystem, c.pkg, c.version)
			if err != nil || got != c.want {
				t.Fatalf("got %q, %v, want %q", got, err, c.want)
			}
			p, err := ParsePURL(got)
			if err != nil || p.String() != got {
				t.Errorf("it does not come back from its text: %q, %v", p, err)
			}
			back, ok := p.Component()
			if !ok || back.Ecosystem != c.ecosystem || !strings.EqualFold(strings.ReplaceAll(c.pkg, "_", "-"), strings.ReplaceAll(back.Name, "_", "-")) {
				t.Errorf("read back as %+v", back)
			}
		})
	}
}

// What OSV has no ecosystem for is named all the same, and never taken for a package that
// advisories could be about.
func TestPURLsWithoutAdvisories(t *testing.T) {
	for _, c := range [][4]string{
		{"Docker", "alpine", "3.19", "pkg:docker/alpine@3.19"},
		{"Docker", "ghcr.io/acme/app", "1", "pkg:docker/acme/app@1?repository_url=ghcr.io"},
		{"Docker", "localhost:5000/app", "1", "pkg:docker/app@1?repository_url=localhost:5000"},
		{"Docker", "acme/app", "1", "pkg:docker/acme/app@1"},
		{"Helm", "postgresql", "12.1.0", "pkg:helm/postgresql@12.1.0"},
		{"Terraform", "hashicorp/aws", "5.0.0", "pkg:terraform/hashicorp/aws@5.0.0"},
		{"CocoaPods", "Firebase", "10.0.0", "pkg:cocoapods/Firebase@10.0.0"},
		{"Azure Pipelines", "DotNetCoreCLI", "2", "pkg:generic/azure-pipelines/DotNetCoreCLI@2"},
	} {
		got, err := PURL(c[0], c[1], c[2])
		if err != nil || got != c[3] {
			t.Errorf("%s %s gave %q, %v, want %q", c[0], c[1], got, err, c[3])
		}
		p, err := ParsePURL(got)
		if err != nil || p.String() != got {
			t.Errorf("%q comes back as %q, %v", got, p, err)
		}
		if back, ok := p.Component(); ok || HasAdvisories(c[0]) {
			t.Errorf("%q was taken for a package: %+v", got, back)
		}
	}
	if !HasAdvisories("Maven") || !HasAdvisories("Debian:12") {
		t.Error("an ecosystem of OSV was taken for one of our own")
	}
}

func TestWhatCannotBeNamedIsRefusedWithARemedy(t *testing.T) {
	for name, in := range map[string][2]string{
		"an unknown ecosystem":          {"Homebrew", "wget"},
		"a Maven name without a group":  {"Maven", "log4j-core"},
		"a Maven name of three parts":   {"Maven", "a:b:c"},
		"an empty name":                 {"npm", ""},
		"a Go module that ends with /":  {"Go", "example.com/"},
		"a name of bytes, not of text":  {"npm", "a\xff"},
		"an ecosystem in another case":  {"pypi", "flask"},
		"a Maven name of a colon alone": {"Maven", ":"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := NewComponent(in[0], in[1], "1")
			if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeInvalid || e.Remedy == "" {
				t.Errorf("gave %+v, %v", c, err)
			}
		})
	}
	if _, err := ParsePURL("pkg:npm/" + strings.Repeat("a", maxPURL)); err == nil {
		t.Error("a package URL without end was accepted")
	}
	if c, ok := (PackageURL{Type: "docker", Name: "alpine"}).Component(); ok {
		t.Errorf("an image was taken for a package: %+v", c)
	}
}

func FuzzParsePURL(f *testing.F) {
	for _, s := range []string{
		"pkg:npm/%40angular/core@16.0.0?arch=x#a/b", "pkg:git/h/a/b/c@1", "pkg:maven/a.b/c@1?type=pom&classifier=x",
		"pkg:golang/google.golang.org/genproto#googleapis/api", "pkg:generic/a%2Fb", "pkg:/type//ns///name", "pkg:pypi/A_b@%00",
		"pkg:npm/a#%2e%2e/b", "pkg:npm/@/x", "pkg:swift/github.com/a/b@1", "pkg:cpan/A/b::c", "pkg:npm/a?b=%26&c=%3d",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePURL(s)
		if err != nil {
			return
		}
		text := p.String()
		q, err := ParsePURL(text)
		if err != nil {
			t.Fatalf("%q became %q, which is refused: %v", s, text, err)
		}
		if q.String() != text {
			t.Fatalf("%q became %q and then %q", s, text, q.String())
		}
		if d := cmp.Diff(p, q); d != "" {
			t.Fatalf("%q changed on its way through %q: %s", s, text, d)
		}
	})
}
