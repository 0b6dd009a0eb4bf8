package inventory

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict/ci/inventory/inventorytest"
)

// Every kind of lockfile, with what makes each hard to read.
var lockTexts = map[string]string{
	"Gemfile.lock": inventorytest.GemfileLock, "composer.lock": composerLockText, "mix.lock": mixLockText, "rebar.lock": rebarLockText, "pubspec.lock": pubLockText,
	"Package.resolved": swiftLock3, "conan.lock": conanLock1, "Podfile.lock": inventorytest.PodfileLock, "gradle.lockfile": gradleLockText, "packages.lock.json": nugetLockText,
	"packages.config": packagesConfigText, ".terraform.lock.hcl": inventorytest.TerraformLock, "Chart.lock": chartLockText,
}

// A file that was cut names nothing that looks whole.
func TestALockfileThatWasCutIsNotJudgedAsWhole(t *testing.T) {
	for file, text := range lockTexts {
		for _, part := range []int{3, 2} {
			_, found, gaps := inventoryOf(t, map[string]string{file: text[:len(text)*(part-1)/part]})
			if file == ".terraform.lock.hcl" { // a cut between two providers cannot be seen
				continue
			}
			if blocking(gaps) == 0 {
				t.Errorf("%s, cut to %d/%d: %d components and no gap blocks: %+v", file, part-1, part, len(found), gaps)
			}
		}
		_, found, gaps := inventoryOf(t, map[string]string{file: text + "\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> side\n"})
		gap(t, gaps, "merge conflict", true)
		if len(found) > 0 {
			t.Errorf("%s: a file with a conflict names %+v", file, found)
		}
	}
}

func TestWhatStandsTwiceIsRefused(t *testing.T) {
	for file, text := range map[string]string{
		"Gemfile.lock":        "GEM\n  specs:\n    a (1.0)\n    a (2.0)\n\nDEPENDENCIES\n  a\n",
		"composer.lock":       `{"packages":[{"name":"a/b","version":"1.0"},{"name":"A/b","version":"2.0"}]}`,
		"x/composer.lock":     `{"packages":[{"name":"a/b","version":"1.0","version":"2.0"}]}`,
		"mix.lock":            `%{"a": {:hex, :a, "1.0.0"}, "a": {:hex, :a, "2.0.0"}}`,
		"rebar.lock":          `{"1.2.0",[{<<"a">>,{pkg,<<"a">>,<<"1.0.0">>},0},{<<"a">>,{pkg,<<"a">>,<<"2.0.0">>},0}]}.`,
		"pubspec.lock":        "packages:\n  a: {source: hosted, version: 1.0.0}\n  a: {source: hosted, version: 2.0.0}\nsdks: {}\n",
		"Package.resolved":    `{"version":2,"pins":[{"location":"https://x.example/a","state":{"version":"1.0.0"}},{"location":"https://x.example/a.git","state":{"version":"2.0.0"}}]}`,
		"conan.lock":          `{"version":"0.5","requires":["a/1"],"requires":["a/2"]}`,
		"Podfile.lock":        "PODS:\n  - A (1.0)\n  - A (2.0)\nDEPENDENCIES: [A]\nCOCOAPODS: 1.0\n",
		"packages.lock.json":  `{"version":1,"dependencies":{"net8.0":{"A":{"type":"Direct","resolved":"1.0.0"},"a":{"type":"Direct","resolved":"2.0.0"}}}}`,
		".terraform.lock.hcl": "provider \"h.example/a/b\" {\n version = \"1.0.0\"\n version = \"2.0.0\"\n}\n",
	} {
		_, found, gaps := inventoryOf(t, map[string]string{file: text})
		if len(found) > 0 || blocking(gaps) != 1 {
			t.Errorf("%s: found %+v, gaps %+v", file, found, gaps)
			continue
		}
		gap(t, gaps, "twice", true)
	}
}

// Names that would act in a command or a terminal are told, and are no components.
func TestHostileNamesAreNoComponents(t *testing.T) {
	const evil = "a;rm -rf $(x)"
	for file, text := range map[string]string{
		"Gemfile.lock":       "GEM\n  specs:\n    " + evil + " (1.0)\n\nDEPENDENCIES\n",
		"composer.lock":      `{"packages":[{"name":"` + evil + `","version":"1.0"}]}`,
		"mix.lock":           `%{"` + evil + `": {:hex, :"` + evil + `", "1.0.0"}}`,
		"rebar.lock":         `[{<<"a">>,{pkg,<<"` + evil + `">>,<<"1.0.0">>},0}].`,
		"pubspec.lock":       "packages:\n  '" + evil + "': {source: hosted, version: 1.0.0}\nsdks: {}\n",
		"Package.resolved":   `{"version":2,"pins":[{"location":"https://x.example/` + evil + `","state":{"version":"1.0.0"}}]}`,
		"conan.lock":         `{"version":"0.5","requires":["` + evil + `/1"]}`,
		"Podfile.lock":       "PODS:\n  - '" + evil + "(1.0)'\nDEPENDENCIES: []\nCOCOAPODS: 1.0\n",
		"gradle.lockfile":    "g:" + evil + ":1.0=runtimeClasspath\nempty=\n",
		"packages.lock.json": `{"version":1,"dependencies":{"net8.0":{"` + evil + `":{"type":"Direct","resolved":"1.0.0"}}}}`,
		"packages.config":    `<packages><package id="` + evil + `" version="1.0"/></packages>`,
		"Chart.lock":         "dependencies:\n- {name: '" + evil + "', version: 1.0.0}\ndigest: x\n",
	} {
		_, found, gaps := inventoryOf(t, map[string]string{file: text})
		if len(found) > 0 || blocking(gaps) == 0 {
			t.Errorf("%s: found %+v, gaps %+v", file, found, gaps)
		}
	}
}

func TestAManifestWithoutItsLockfileIsTold(t *testing.T) {
	for file, c := range map[string]struct{ text, told string }{
		"Gemfile":         {"source 'x'\ngem 'rack'\n", "there is no Gemfile.lock that says which versions: bundle lock"},
		"composer.json":   {`{"require":{"a/b":"*"}}`, "composer update --no-install"},
		"a/mix.exs":       {"defp deps do\n  [{:jason, \"~> 1.0\"}]\nend", "mix deps.get"},
		"rebar.config":    {"{deps, [cowboy]}.", "rebar3 lock"},
		"pubspec.yaml":    {"dependencies:\n  http: ^1.0.0\n", "dart pub get"},
		"Package.swift":   {`.package(url: "https://x.example/a", from: "1.0.0")`, "swift package resolve"},
		"conanfile.txt":   {"[requires]\nzlib/1.2.11\n", "conan lock create ."},
		"Podfile":         {"target 'A' do\n  pod 'B'\nend\n", "pod install"},
		"build.gradle":    {"dependencies {\n implementation 'a:b:1'\n}", "gradle dependencies --write-locks"},
		"app.csproj":      {`<Project><ItemGroup><PackageReference Include="A" Version="1.*"/></ItemGroup></Project>`, "1 of them without an exact version"},
		"a/Gemfile":       {"# gem 'rack'\n", ""},
		"a/composer.json": {`{"require":{"php":"*"}}`, ""},
		"a/pubspec.yaml":  {"dependencies:\n  flutter: {sdk: flutter}\n", ""},
		"b/build.gradle":  {"version '1.0'\ntask hello {}\n", ""},
		"c/build.gradle":  {"plugins { id 'a.b' version '1.0' }\n", "gradle.lockfile"},
		"b/app.csproj":    {"<Project/>", ""},
	} {
		_, found, gaps := inventoryOf(t, map[string]string{file: c.text})
		if c.told != "" {
			gap(t, gaps, c.told, true)
		} else if len(gaps) > 0 {
			t.Errorf("%s: %+v", file, gaps)
		}
		if len(found) > 0 {
			t.Errorf("%s: found %+v", file, found)
		}
	}
	for p, wants := range map[string]bool{"vendor/a/b/composer.json": false, "deps/a/mix.exs": false, "vendor/composer.lock": true, "deps/conan.lock": true, "node_modules/a/Gemfile.lock": false} {
		if (&lockfiles{}).wants(p) != wants {
			t.Errorf("%s is wanted: %v", p, !wants)
		}
	}
	_, _, gaps := inventoryOf(t, map[string]string{"apps/a/mix.exs": "{:jason, \"~> 1.0\"}", "mix.lock": "%{}"})
	if len(gaps) > 0 {
		t.Errorf("an umbrella shares one lockfile: %+v", gaps)
	}
}

// manyEntries writes lockfiles of n packages, which need each other in a circle where the
// format can say so.
func manyEntries(n int) map[string]string {
	var gem, composer, mix, rebar, pub, swift, conan, pods, gradle, nuget, config, terraform strings.Builder
	for i := range n {
		next := (i + 1) % n
		fmt.Fprintf(&gem, "    p%d (1.0)\n      p%d (>= 1)\n", i, next)
		fmt.Fprintf(&composer, ",\n{\"name\":\"a/p%d\",\"version\":\"1.0.0\",\"require\":{\"a/p%d\":\"*\"}}", i, next)
		fmt.Fprintf(&mix, "  \"p%d\": {:hex, :p%d, \"1.0.0\", \"x\", [:mix], [{:p%d, \"~> 1.0\", []}], \"hexpm\", \"x\"},\n", i, i, next)
		fmt.Fprintf(&rebar, ",{<<\"p%d\">>,{pkg,<<\"p%d\">>,<<\"1.0.0\">>},0}\n", i, i)
		fmt.Fprintf(&pub, "  p%d: {dependency: transitive, source: hosted, version: 1.0.0}\n", i)
		fmt.Fprintf(&swift, ",{\"location\":\"https://x.example/a/p%d\",\"state\":{\"version\":\"1.0.0\"}}\n", i)
		fmt.Fprintf(&conan, ",\"%d\":{\"ref\":\"p%d/1.0\",\"requires\":[\"%d\"]}\n", i, i, next)
		fmt.Fprintf(&pods, "  - P%d (1.0):\n    - P%d\n", i, next)
		fmt.Fprintf(&gradle, "g:p%d:1.0=runtimeClasspath\n", i)
		fmt.Fprintf(&nuget, ",\"p%d\":{\"type\":\"Transitive\",\"resolved\":\"1.0.0\",\"dependencies\":{\"p%d\":\"1\"}}\n", i, next)
		fmt.Fprintf(&config, "<package id=\"p%d\" version=\"1.0\"/>\n", i)
		fmt.Fprintf(&terraform, "provider \"h.example/a/p%d\" {\n  version = \"1.0.0\"\n}\n", i)
	}
	return map[string]string{
		"Gemfile.lock": "GEM\n  specs:\n" + gem.String() + "\nDEPENDENCIES\n  p0\n", "composer.lock": `{"packages":[{"name":"a/first","version":"1.0"}` + composer.String() + "]}",
		"mix.lock": "%{\n" + mix.String() + "}\n", "rebar.lock": `{"1.2.0",[{<<"first">>,{pkg,<<"first">>,<<"1.0.0">>},0}` + rebar.String() + "]}.\n",
		"pubspec.lock": "packages:\n" + pub.String() + "sdks: {}\n", "Package.resolved": `{"version":2,"pins":[{"location":"https://x.example/first/a","state":{"version":"1.0.0"}}` + swift.String() + "]}",
		"conan.lock":   `{"version":"0.4","graph_lock":{"nodes":{"x":{"ref":"first/1.0"}` + conan.String() + "}}}",
		"Podfile.lock": "PODS:\n" + pods.String() + "DEPENDENCIES: [P0]\nCOCOAPODS: 1.0\n", "gradle.lockfile": gradle.String() + "empty=\n",
		"packages.lock.json": `{"version":1,"dependencies":{"net8.0":{"first":{"type":"Direct","resolved":"1.0.0"}` + nuget.String() + "}}}",
		"packages.config":    "<packages>\n" + config.String() + "</packages>", ".terraform.lock.hcl": terraform.String(),
	}
}

// A lockfile of 100,000 entries in one circle is read in seconds, and one of more than is
// believable is refused.
func TestOtherLockfilesOfManyEntries(t *testing.T) {
	const many = 100_000
	for file, text := range manyEntries(many) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, found, gaps := inventoryOf(t, map[string]string{file: text})
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
		if n := len(found); n != many && n != many+1 || blocking(gaps) > 0 {
			t.Errorf("%s: %d components, gaps %+v", file, n, gaps[:min(len(gaps), 3)])
		}
		if allocated > 1500 || took > time.Minute {
			t.Errorf("%s: %d bytes took %v and %d MiB", file, len(text), took, allocated)
		}
		t.Logf("%s: %d bytes in %v, %d MiB allocated", file, len(text), took, allocated)
	}
	_, found, gaps := inventoryOf(t, map[string]string{"gradle.lockfile": strings.Repeat("g:a:1=runtimeClasspath\n", maxComponents+1) + "empty=\n"})
	gap(t, gaps, "more than 200000", true)
	if len(found) > 0 {
		t.Errorf("found %d", len(found))
	}
}

// What is nested without end is refused before a stack is full.
func TestNestingInLocksIsBounded(t *testing.T) {
	const deep = 200_000
	for file, text := range map[string]string{
		"mix.lock": "%{\"a\": " + strings.Repeat("[", deep), "rebar.lock": strings.Repeat("{", deep), "composer.lock": strings.Repeat(`{"a":`, deep),
		"packages.config": strings.Repeat("<a>", deep), ".terraform.lock.hcl": "provider \"a\" {\n a = " + strings.Repeat("[", deep), "main.tf": "module \"a\" {\n a = \"" + strings.Repeat("${\"", deep),
		".github/workflows/a.yml": "a: " + strings.Repeat("[", deep), "Chart.lock": "a: " + strings.Repeat("[", deep),
	} {
		_, found, gaps := inventoryOf(t, map[string]string{file: text})
		if len(found) > 0 || blocking(gaps) == 0 {
			t.Errorf("%s: found %+v, gaps %+v", file, found, gaps)
		}
	}
}

func FuzzLocks(f *testing.F) {
	files := []string{
		"Gemfile.lock", "composer.lock", "mix.lock", "rebar.lock", "pubspec.lock", "Package.resolved", "conan.lock", "Podfile.lock", "gradle.lockfile", "packages.lock.json",
		"packages.config", ".terraform.lock.hcl", "Chart.lock", "gradle/libs.versions.toml", "a.csproj", "main.tf", "Dockerfile", "compose.yml", ".github/workflows/a.yml", "azure-pipelines.yml",
		"composer.json", "pubspec.yaml", "a.tf.json",
	}
	for i, file := range files {
		f.Add(uint8(i), []byte(lockTexts[file]))
	}
	for file, text := range referenceTexts {
		f.Add(uint8(slices.Index(files, file)), []byte(text))
	}
	f.Add(uint8(5), []byte(swiftLock1))
	f.Add(uint8(6), []byte(conanLock2))
	f.Add(uint8(13), []byte(gradleCatalogText))
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		s := NewSet()
		s.Add("composer.json", []byte(`{"require":{"a/b":"1"}}`))
		s.Add(files[int(which)%len(files)], content)
		found, _ := s.Finish(false)
		for _, d := range found {
			unversioned := d.Ecosystem == EcosystemHelm || d.Ecosystem == EcosystemTerraform || d.Ecosystem == EcosystemActions
			if d.Name == "" || d.Version == "" && !unversioned || d.PURL == "" || d.Line < 0 || len(d.Path) > maxPathLength || strings.ContainsAny(d.Name, " ;'\"$`\n") || strings.ContainsAny(d.Version, " \n") {
				t.Errorf("a component that cannot be: %+v", d)
			}
			if d.Direct && len(d.Path) != 2 || !slices.IsSorted(d.Needs) || strings.Contains(d.From, "@") && strings.Contains(d.From, "://") {
				t.Errorf("what cannot be told: %+v", d)
			}
		}
	})
}
