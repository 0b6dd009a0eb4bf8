package ci_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict/advisory"
	"verdict/ci"
)

// osvRecord is an advisory about all versions before fixed.
func osvRecord(id, ecosystem, name, fixed string) string {
	return fmt.Sprintf(`{"schema_version":"1.6.0","id":%q,"modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":%q,"name":%q},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`,
		id, ecosystem, name, fixed)
}

// The names that lockfiles have are those that OSV has, and the versions are in the order
// of each ecosystem: otherwise a vulnerable component would look clean.
func TestComponentsOfEachEcosystemAreMatched(t *testing.T) {
	cases := []struct{ file, text, ecosystem, name, fixed string }{
		{"gradle.lockfile", "org.acme:lib:6.0.0.M9=runtimeClasspath\nempty=\n", "Maven", "org.acme:lib", "6.0.0.RC1"},
		{"packages.lock.json", `{"version":1,"dependencies":{"net8.0":{"Acme.Lib":{"type":"Direct","resolved":"1.0.0.9"}}}}`, "NuGet", "acme.lib", "1.0.0.10"},
		{"composer.lock", `{"packages":[{"name":"acme/lib","version":"v1.9.0"}]}`, "Packagist", "acme/lib", "1.10.0"},
		{"Gemfile.lock", "GEM\n  specs:\n    lib (6.1.7.9-x86_64-linux)\n\nDEPENDENCIES\n  lib\n", "RubyGems", "lib", "6.1.7.10"},
		{"mix.lock", `%{"lib": {:hex, :lib, "1.7.0-rc.2", "x", [:mix], [], "hexpm", "x"}}`, "Hex", "lib", "1.7.0"},
		{"pubspec.lock", "packages:\n  lib: {source: hosted, version: 1.0.0-dev.9}\nsdks: {}\n", "Pub", "lib", "1.0.0-dev.10"},
		{"Package.resolved", `{"version":2,"pins":[{"kind":"remoteSourceControl","location":"https://github.com/Acme/Lib.git","state":{"version":"1.9.0"}}]}`, "SwiftURL", "github.com/acme/lib", "1.10.0"},
		{"conan.lock", `{"version":"0.5","requires":["lib/1.1.1k#r"]}`, "ConanCenter", "lib", "1.1.1t"},
		{".github/workflows/a.yml", "jobs: {a: {steps: [{uses: Acme/lib@v4.1.6}]}}\n", "GitHub Actions", "acme/lib", "4.1.7"},
		{"action.yml", "runs: {steps: [{uses: acme/moving@v4}]}\n", "GitHub Actions", "acme/moving", "5.0.0"},
	}
	dir := t.TempDir()
	records := filepath.Join(dir, "osv")
	if err := os.Mkdir(records, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if err := os.WriteFile(filepath.Join(records, fmt.Sprint(i, ".json")), []byte(osvRecord(fmt.Sprint("OSV-", i), c.ecosystem, c.name, c.fixed)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	index := filepath.Join(dir, "index")
	if _, err := advisory.Import(context.Background(), records, index, advisory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	x, err := advisory.Open(index)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for i, c := range cases {
		hits := hitsOf(t, x, c.file, c.text)
		if want := fmt.Sprint("OSV-", i); !slices.ContainsFunc(hits, func(h string) bool { return strings.HasPrefix(h, want+"@") }) {
			t.Errorf("%s: %s of %s is not found: %v", c.file, c.name, c.ecosystem, hits)
		}
	}
	// The release that mends it, and a tag that follows it, are not told.
	for file, text := range map[string]string{
		"Gemfile.lock": "GEM\n  specs:\n    lib (6.1.7.10)\n\nDEPENDENCIES\n  lib\n", "conan.lock": `{"version":"0.5","requires":["lib/1.1.1t"]}`,
		"action.yml": "runs: {steps: [{uses: acme/lib@v4}, {uses: acme/lib@0123456789012345678901234567890123456789 # v4.1.7\n}]}\n",
	} {
		if hits := hitsOf(t, x, file, text); len(hits) > 0 {
			t.Errorf("%s: %v", file, hits)
		}
	}
}

func hitsOf(t *testing.T, m ci.Matcher, file, text string) []string {
	t.Helper()
	v := ci.NewVulnerabilities(m, "test")
	v.Read(t.Context(), ci.File{Path: file, Size: int64(len(text))}, []byte(text))
	r := v.Report(&ci.Manifest{}, ".")
	if !r.Complete {
		t.Errorf("%s: %+v", file, r.NotChecked)
	}
	var keys []string
	for _, h := range r.Hits {
		keys = append(keys, h.Key)
	}
	return keys
}
