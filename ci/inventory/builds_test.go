package inventory

import (
	"testing"
)

const gradleLockText = `# This is a Gradle generated file for dependency locking.
com.acme:lib:1.2.3=compileClasspath,runtimeClasspath,testCompileClasspath
com.acme:tests:Finchley.SR1=testCompileClasspath,testRuntimeClasspath
com.puppycrawl.tools:checkstyle:10.0=checkstyle
empty=annotationProcessor
`

const gradleCatalogText = `[versions]
kotlin = "1.9.0"
rich = { strictly = "[1.0, 2.0[", prefer = "1.5" }

[libraries]
one = "com.acme:one:1.0"
two = { module = "com.acme:two", version = "2.0" }
three = { group = "com.acme", name = "three", version.ref = "kotlin" }
ranged = { module = "com.acme:ranged", version.ref = "rich" }
bom = { module = "com.acme:bom" }

[plugins]
kotlin = { id = "org.jetbrains.kotlin.jvm", version.ref = "kotlin" }
`

func TestGradle(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"app/gradle.lockfile": gradleLockText, "app/build.gradle.kts": "dependencies { implementation(libs.one) }", "gradle/libs.versions.toml": gradleCatalogText,
		"app/buildscript-gradle.lockfile": "com.acme:plugin:1.0=classpath\nempty=\n", "old/gradle/dependency-locks/testCompile.lockfile": "com.acme:old:1.0\n", "old/build.gradle": "dependencies {}",
	})
	sameLines(t, found,
		"app/buildscript-gradle.lockfile:1 pkg:maven/com.acme/plugin@1.0 dev",
		"app/gradle.lockfile:2 pkg:maven/com.acme/lib@1.2.3",
		"app/gradle.lockfile:3 pkg:maven/com.acme/tests@Finchley.SR1 dev",
		"app/gradle.lockfile:4 pkg:maven/com.puppycrawl.tools/checkstyle@10.0 dev",
		"old/gradle/dependency-locks/testCompile.lockfile:1 pkg:maven/com.acme/old@1.0 dev",
	)
	if len(gaps) > 0 {
		t.Errorf("gaps: %+v", gaps)
	}
	_, found, gaps = inventoryOf(t, map[string]string{"gradle/libs.versions.toml": gradleCatalogText, "buildscript-gradle.lockfile": "empty=\n"})
	sameLines(t, found,
		"gradle/libs.versions.toml:6 pkg:maven/com.acme/one@1.0 direct this project>com.acme:one",
		"gradle/libs.versions.toml:7 pkg:maven/com.acme/two@2.0 direct this project>com.acme:two",
		"gradle/libs.versions.toml:8 pkg:maven/com.acme/three@1.9.0 direct this project>com.acme:three",
		"gradle/libs.versions.toml:13 pkg:maven/org.jetbrains.kotlin.jvm/org.jetbrains.kotlin.jvm.gradle.plugin@1.9.0 direct dev this project>org.jetbrains.kotlin.jvm:org.jetbrains.kotlin.jvm.gradle.plugin",
	)
	gap(t, gaps, "there is no gradle.lockfile that says what is resolved", true)
	gap(t, gaps, "com.acme:ranged has no exact version", false)
	gap(t, gaps, "com.acme:bom has no exact version", false)
	if _, found, gaps = inventoryOf(t, map[string]string{"gradle/libs.versions.toml": "[versions]\na = \"1\"\n"}); len(found)+len(gaps) > 0 {
		t.Errorf("a catalog without libraries: %+v %+v", found, gaps)
	}
	for name, text := range map[string]string{
		"no last line": "a:b:1=runtimeClasspath\n", "no configuration": "a:b:1\nempty=\n", "no coordinate": "a:b=runtimeClasspath\nempty=\n", "nothing": "",
	} {
		if _, found, gaps := inventoryOf(t, map[string]string{"gradle.lockfile": text}); len(found) > 0 || blocking(gaps) != 1 {
			t.Errorf("%s: found %+v, gaps %+v", name, found, gaps)
		}
	}
}

const nugetLockText = `{"version": 2, "dependencies": {
"net8.0": {
"Acme.Lib": {"type": "Direct", "requested": "[1.0.0, )", "resolved": "1.0.0", "contentHash": "AAAA", "dependencies": {"Acme.Base": "2.0.0"}},
"Acme.Base": {"type": "CentralTransitive", "requested": "[2.0.0, )", "resolved": "2.0.0", "dependencies": {"Acme.Lib": "1.0.0"}},
"Deep": {"type": "Transitive", "resolved": "3.0.0-beta.1"},
"shared": {"type": "Project", "dependencies": {"Deep": "3.0.0"}}
},
"net6.0": {
"acme.lib": {"type": "Direct", "resolved": "1.0.0", "dependencies": {"Old": "1.0.0"}},
"Old": {"type": "Transitive", "resolved": "1.0.0.7"}
},
"net6.0/win-x64": {"Native": {"type": "Transitive", "resolved": "1.0.0", "dependencies": {"Old": "1.0.0"}}}
}}`

const packagesConfigText = `<?xml version="1.0" encoding="utf-8"?>
<packages>
  <package id="Acme.Lib" version="1.0.0" targetFramework="net48" />
  <package id="Acme.Tool" version="2.0.0.1" developmentDependency="true" />
</packages>
`

func TestNuGet(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"src/packages.lock.json": nugetLockText, "src/app.csproj": `<Project><ItemGroup><PackageReference Include="Acme.Lib"/></ItemGroup></Project>`, "old/packages.config": packagesConfigText,
	})
	sameLines(t, found,
		"old/packages.config:3 pkg:nuget/Acme.Lib@1.0.0",
		"old/packages.config:4 pkg:nuget/Acme.Tool@2.0.0.1 dev",
		"src/packages.lock.json:3 pkg:nuget/Acme.Lib@1.0.0 direct this project>Acme.Lib",
		"src/packages.lock.json:4 pkg:nuget/Acme.Base@2.0.0 this project>Acme.Lib>Acme.Base",
		"src/packages.lock.json:5 pkg:nuget/Deep@3.0.0-beta.1 direct shared>Deep",
		"src/packages.lock.json:10 pkg:nuget/Old@1.0.0.7 this project>Acme.Lib>Old",
		"src/packages.lock.json:12 pkg:nuget/Native@1.0.0",
	)
	toldBeside(t, found[2:4], "Acme.Lib needs [Acme.Base@2.0.0 Old@1.0.0.7] hashes 0 from ", "Acme.Base needs [Acme.Lib@1.0.0] hashes 0 from ")
	if len(gaps) > 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}

// What a project declares is judged as it stands, and nobody takes that for all of it.
func TestNuGetProjectsWithoutALockfile(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"src/app/app.fsproj": `<Project Sdk="x">
<ItemGroup Condition="'$(A)' == 'b'">
<PackageReference Include="Exact" Version="[1.0.0]" />
<PackageReference Include="Central" />
<PackageReference Include="Child"><Version>3.0.0</Version><PrivateAssets>All</PrivateAssets></PackageReference>
<PackageReference Include="Over" VersionOverride="4.0.0" />
<PackageReference Include="Moving" Version="5.*" />
<PackageVersion Include="NoAsk" Version="1.0.0" />
<PackageReference Include="Property" Version="$(V)" />
</ItemGroup></Project>`,
		"src/Directory.Packages.props": `<Project><ItemGroup><PackageVersion Include="central" Version="2.0.0"/><PackageVersion Include="Over" Version="1.0.0"/>
<GlobalPackageReference Include="Everywhere" Version="6.0.0"/></ItemGroup></Project>`,
		"Directory.Packages.props": `<Project><ItemGroup><PackageVersion Include="central" Version="9.9.9"/></ItemGroup></Project>`,
	})
	sameLines(t, found,
		"src/Directory.Packages.props:2 pkg:nuget/Everywhere@6.0.0 dev",
		"src/app/app.fsproj:3 pkg:nuget/Exact@1.0.0 direct this project>Exact",
		"src/app/app.fsproj:4 pkg:nuget/Central@2.0.0 direct this project>Central",
		"src/app/app.fsproj:5 pkg:nuget/Child@3.0.0 direct dev this project>Child",
		"src/app/app.fsproj:6 pkg:nuget/Over@4.0.0 direct this project>Over",
	)
	gap(t, gaps, "it asks for 6 packages, 2 of them without an exact version, and there is no packages.lock.json that says what is resolved: dotnet restore --use-lock-file", true)
}
