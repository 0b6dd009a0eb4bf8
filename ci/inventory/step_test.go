package inventory

import (
	"slices"
	"strings"
	"testing"
)

// flawsOf are what is wrong with files, as "rule path about".
func flawsOf(t *testing.T, files map[string]string) (list []string) {
	t.Helper()
	s := NewSet()
	for p, text := range files {
		s.Add(p, []byte(text))
	}
	s.Finish(false)
	for _, f := range s.Audit() {
		if f.Message == "" || f.Fix == "" {
			t.Errorf("%s of %s says %q and to mend it %q", f.Rule, f.Path, f.Message, f.Fix)
		}
		list = append(list, strings.TrimSpace(f.Rule+" "+f.Path+" "+f.About))
	}
	slices.Sort(list)
	return list
}

// A manifest without its lockfile installs what there is on the day, whatever the
// ecosystem: nobody would be told where this says nothing.
func TestEveryManifestWithoutALockfileIsUnsafe(t *testing.T) {
	for p, text := range map[string]string{
		"composer.json": `{"require":{"monolog/monolog":"^2.0"}}`, "Gemfile": "gem \"rails\"\n", "gems.rb": "gem 'rails'\n", "mix.exs": `[{:phoenix, "~> 1.6"}]`,
		"rebar.config": `{deps, [{cowboy, "2.9.0"}]}.`, "pubspec.yaml": "name: a\ndependencies: {http: ^0.13.0}\n", "Package.swift": `.package(url: "https://example.com/a.git", from: "4.0.0")`,
		"conanfile.txt": "[requires]\nzlib/1.2.11\n", "conanfile.py": "requires = 'zlib/1.2.11'\n", "Podfile": "pod 'AFNetworking'\n", "build.gradle": "dependencies {\n implementation 'com.a:b:1.0'\n}\n",
		"build.gradle.kts": "dependencies { implementation(libs.one) }", "a.csproj": `<Project><ItemGroup><PackageReference Include="A" Version="1.0.0"/></ItemGroup></Project>`,
		"pyproject.toml": "[project]\nname = 'a'\nversion = '1'\ndependencies = ['requests>=2']\n[tool.uv]\n", "Pipfile": "[packages]\nrequests = '*'\n",
		"package.json": `{"name":"a","dependencies":{"left-pad":"^1.0.0"}}`, "Cargo.toml": "[package]\nname = 'a'\nversion = '1.0.0'\n[dependencies]\nserde = '1'\n",
	} {
		if got := flawsOf(t, map[string]string{"app/" + p: text}); !slices.Equal(got, []string{LockMissing + " app/" + p}) {
			t.Errorf("%s alone: %q", p, got)
		}
	}
}

// A manifest that asks for more than its lockfile holds is resolved on the day, or refused.
func TestAManifestThatAsksForMoreThanItsLockfileHoldsIsUnsafe(t *testing.T) {
	lock := `{"version":1,"dependencies":{"net8.0":{"Acme.Lib":{"type":"Direct","requested":"[1.0.0, )","resolved":"1.0.0","contentHash":"x"}}}}`
	project := func(inner string) string { return "<Project>\n<ItemGroup>\n" + inner + "\n</ItemGroup>\n</Project>" }
	pub := "packages:\n  http:\n    dependency: \"direct main\"\n    description: {name: http, sha256: \"" + strings.Repeat("a", 64) + "\", url: \"https://pub.dev\"}\n    source: hosted\n    version: \"0.13.0\"\nsdks: {dart: \">=2.0.0\"}\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"NuGet, the same": {map[string]string{"packages.lock.json": lock, "a.csproj": project(`<PackageReference Include="acme.lib" Version="1.0.0"/>`)}, nil},
		"NuGet, more":     {map[string]string{"packages.lock.json": lock, "a.csproj": project(`<PackageReference Include="Acme.Lib" Version="1.0.0"/><PackageReference Include="Acme.Other" Version="1.0.0"/>`)}, []string{LockStale + " a.csproj Acme.Other"}},
		"NuGet, more on a condition that is not worked out": {map[string]string{"packages.lock.json": lock, "a.csproj": project(`<PackageReference Include="Acme.Other" Version="1.0.0" Condition="'$(X)' == '1'"/>`)}, nil},
		"NuGet, what is only changed":                       {map[string]string{"packages.lock.json": lock, "a.csproj": project(`<PackageReference Update="Acme.Other" PrivateAssets="all"/>`)}, nil},
		"NuGet, a lockfile that cannot be read":             {map[string]string{"packages.lock.json": "{", "a.csproj": project(`<PackageReference Include="Acme.Other" Version="1.0.0"/>`)}, nil},
		"Composer, more":                                    {map[string]string{"composer.lock": `{"packages":[{"name":"a/b","version":"1.0.0"}],"packages-dev":[],"content-hash":"x"}`, "composer.json": `{"require":{"a/b":"^1","php":">=8","a/c":"^1"}}`}, []string{LockStale + " composer.lock"}},
		"Pub, the same":                                     {map[string]string{"pubspec.lock": pub, "pubspec.yaml": "name: a\ndependencies: {http: ^0.13.0, flutter: {sdk: flutter}}\n"}, nil},
		"Pub, more":                                         {map[string]string{"pubspec.lock": pub, "pubspec.yaml": "name: a\ndependencies: {http: ^0.13.0, path: ^1.0.0}\n"}, []string{LockStale + " pubspec.lock"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := flawsOf(t, c.files); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A folder that is applied without a lockfile takes the providers of the day, which are
// programs; a module that others call has none of its own.
func TestAFolderThatIsAppliedLocksItsProviders(t *testing.T) {
	backend, resource := "terraform {\n  backend \"azurerm\" {}\n}\n", "resource \"azurerm_resource_group\" \"a\" {}\n"
	lock := "provider \"registry.terraform.io/hashicorp/azurerm\" {\n  version = \"4.1.0\"\n}\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a backend and no lockfile":        {map[string]string{"infra/main.tf": backend + resource}, []string{LockMissing + " infra/main.tf"}},
		"in files of one folder":           {map[string]string{"infra/state.tf": backend, "infra/main.tf": resource}, []string{LockMissing + " infra/state.tf"}},
		"a workspace in the cloud":         {map[string]string{"main.tofu": "terraform {\n  cloud {\n  }\n  required_providers {\n  }\n}\n"}, []string{LockMissing + " main.tofu"}},
		"another folder's lockfile":        {map[string]string{"infra/main.tf": backend + resource, ".terraform.lock.hcl": lock}, []string{LockMissing + " infra/main.tf"}},
		"its lockfile":                     {map[string]string{"infra/main.tf": backend + resource, "infra/.terraform.lock.hcl": lock}, nil},
		"a module":                         {map[string]string{"modules/a/main.tf": resource}, nil},
		"nothing that is downloaded":       {map[string]string{"infra/main.tf": backend + "resource \"terraform_data\" \"a\" {}\n"}, nil},
		"a provider that begins like that": {map[string]string{"infra/main.tf": backend + "resource \"tencentcloud_vpc\" \"a\" {}\n"}, []string{LockMissing + " infra/main.tf"}},
		"a name that begins like it":       {map[string]string{"infra/main.tf": backend + "data \"terracurl_request\" \"a\" {}\n"}, []string{LockMissing + " infra/main.tf"}},
		"a comment":                        {map[string]string{"infra/main.tf": "terraform {\n  # backend \"azurerm\" {}\n}\n" + resource}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := flawsOf(t, c.files); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	s := NewSet()
	s.Add("infra/main.tf", []byte(backend+resource))
	if s.Finish(true); len(s.Audit()) > 0 {
		t.Error("where a part of the tree was read, the lockfile may be in the rest")
	}
}
