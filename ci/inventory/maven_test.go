package inventory

import (
	"fmt"
	"strings"
	"testing"
)

const pomParentText = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <groupId>com.acme</groupId><artifactId>parent</artifactId><version>${revision}</version><packaging>pom</packaging>
  <parent><groupId>org.outside</groupId><artifactId>corporate</artifactId><version>7</version><relativePath/></parent>
  <properties><revision>2.0</revision><log.version>2.14.1</log.version></properties>
  <dependencyManagement><dependencies>
    <dependency><groupId>org.log</groupId><artifactId>log-core</artifactId><version>${log.version}</version></dependency>
    <dependency><groupId>org.test</groupId><artifactId>unit</artifactId><version>4.1</version><scope>test</scope></dependency>
    <dependency><groupId>org.outside</groupId><artifactId>bom</artifactId><version>1</version><type>pom</type><scope>import</scope></dependency>
  </dependencies></dependencyManagement>
</project>
`

const pomChild = `<project>
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>com.acme</groupId><artifactId>parent</artifactId><version>2.0</version></parent>
  <artifactId>service</artifactId>
  <properties><own>1.5</own><a>${b}</a><b>${a}</b></properties>
  <dependencies>
    <dependency><groupId>org.log</groupId><artifactId>log-core</artifactId></dependency>
    <dependency><groupId>org.own</groupId><artifactId>own</artifactId><version>${own}</version></dependency>
    <dependency><groupId>org.test</groupId><artifactId>unit</artifactId></dependency>
    <dependency><groupId>com.acme</groupId><artifactId>library</artifactId><version>${project.version}</version></dependency>
    <dependency><groupId>org.nowhere</groupId><artifactId>managed-elsewhere</artifactId></dependency>
    <dependency><groupId>org.circle</groupId><artifactId>circle</artifactId><version>${a}</version></dependency>
    <dependency><groupId>org.range</groupId><artifactId>range</artifactId><version>[1.0,2.0)</version>
      <exclusions><exclusion><groupId>x</groupId><artifactId>y</artifactId></exclusion></exclusions></dependency>
  </dependencies>
  <build><plugins><plugin><groupId>p</groupId><artifactId>q</artifactId><dependencies><dependency><groupId>plugin</groupId><artifactId>only</artifactId><version>1</version></dependency></dependencies></plugin></plugins></build>
  <profiles><profile><id>x</id><dependencies><dependency><groupId>org.profile</groupId><artifactId>p</artifactId><version>3</version></dependency></dependencies></profile></profiles>
</project>
`

func TestMavenProjects(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"pom.xml": pomParentText, "service/pom.xml": pomChild,
		"library/pom.xml": `<project><parent><groupId>com.acme</groupId><artifactId>parent</artifactId><version>2.0</version></parent><artifactId>library</artifactId></project>`,
	})
	sameLines(t, found,
		"service/pom.xml:7 pkg:maven/org.log/log-core@2.14.1 direct com.acme:service>org.log:log-core",
		"service/pom.xml:8 pkg:maven/org.own/own@1.5 direct com.acme:service>org.own:own",
		"service/pom.xml:9 pkg:maven/org.test/unit@4.1 direct dev com.acme:service>org.test:unit",
		"service/pom.xml:17 pkg:maven/org.profile/p@3 direct com.acme:service>org.profile:p",
	)
	gap(t, gaps, "org.nowhere:managed-elsewhere comes from a parent that is not in the tree: org.outside:corporate:7", true)
	gap(t, gaps, "org.circle:circle has the version ${", true)
	gap(t, gaps, "org.range:range has the version [1.0,2.0)", true)
	gap(t, gaps, "what its 4 dependencies bring in", false)
	if n := blocking(gaps); n != 3 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

func TestParentsInACircleEnd(t *testing.T) {
	project := func(name, parent string) string {
		return `<project><groupId>g</groupId><artifactId>` + name + `</artifactId><version>1</version><parent><groupId>g</groupId><artifactId>` + parent + `</artifactId><version>1</version><relativePath>../` + parent +
			`</relativePath></parent><dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId></dependency></dependencies></project>`
	}
	_, found, gaps := inventoryOf(t, map[string]string{"a/pom.xml": project("a", "b"), "b/pom.xml": project("b", "a"), "c/pom.xml": project("c", "c")})
	if len(found) > 0 || blocking(gaps) != 3 {
		t.Errorf("found %+v, gaps %+v", found, gaps)
	}
}

// A child inherits what its parent asks for, with the child's own properties.
func TestDependenciesOfAParent(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"pom.xml": `<project><groupId>g</groupId><artifactId>parent</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId><version>${y}</version></dependency></dependencies></project>`,
		"a/pom.xml": `<project><parent><groupId>g</groupId><artifactId>parent</artifactId><version>1</version></parent><artifactId>a</artifactId><properties><y>5</y></properties></project>`,
		"b/pom.xml": `<project><parent><groupId>g</groupId><artifactId>parent</artifactId><version>1</version></parent><artifactId>b</artifactId><properties><y>6</y></properties></project>`,
	})
	sameLines(t, found, "pom.xml:2 pkg:maven/x/y@5 direct g:a>x:y", "pom.xml:2 pkg:maven/x/y@6 direct g:b>x:y")
	if n := blocking(gaps); n != 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}

func TestManagedVersionsOfAProjectInTheTree(t *testing.T) {
	_, found, _ := inventoryOf(t, map[string]string{
		"bom/pom.xml": `<project><groupId>g</groupId><artifactId>bom</artifactId><version>1</version><dependencyManagement><dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId><version>8</version></dependency></dependencies></dependencyManagement></project>`,
		"app/pom.xml": `<project><groupId>g</groupId><artifactId>app</artifactId><version>1</version><dependencyManagement><dependencies><dependency><groupId>g</groupId><artifactId>bom</artifactId><version>1</version><type>pom</type><scope>import</scope></dependency></dependencies></dependencyManagement>
<dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId></dependency></dependencies></project>`,
	})
	sameLines(t, found, "app/pom.xml:2 pkg:maven/x/y@8 direct g:app>x:y")
}

// A project that imports itself twice would be read 2^100 times: nobody waits for that check.
func TestImportsInACircleEnd(t *testing.T) {
	self := `<dependency><groupId>g</groupId><artifactId>a</artifactId><version>1</version><type>pom</type><scope>import</scope></dependency>`
	_, found, _ := inventoryOf(t, map[string]string{"pom.xml": `<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version><dependencyManagement><dependencies>` + self + self +
		`<dependency><groupId>x</groupId><artifactId>y</artifactId><version>8</version></dependency></dependencies></dependencyManagement>
<dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId></dependency></dependencies></project>`})
	sameLines(t, found, "pom.xml:2 pkg:maven/x/y@8 direct g:a>x:y")
}

// Each child takes over what all its parents ask for: in a long chain that would be
// gigabytes.
func TestParentsWithoutAnEndAreNotFollowed(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("p%d/pom.xml", i)] = fmt.Sprintf(`<project><groupId>g</groupId><artifactId>p%d</artifactId><version>1</version><parent><groupId>g</groupId><artifactId>p%d</artifactId><version>1</version></parent>
<dependencies><dependency><groupId>x</groupId><artifactId>y%d</artifactId><version>1</version></dependency></dependencies></project>`, i, i+1, i)
	}
	_, found, gaps := inventoryOf(t, files)
	if len(found) != maxParents+1 {
		t.Errorf("found %d", len(found))
	}
	gap(t, gaps, "p0/pom.xml: it has more than 20 parents", true)
	files["p299/pom.xml"] = strings.Replace(files["p299/pom.xml"], "p300", "p0", 1) // a circle, which has no last child
	if _, _, gaps = inventoryOf(t, files); blocking(gaps) != 300 {
		t.Errorf("%d gaps block", blocking(gaps))
	}
}

func TestProjectFilesThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"cut short":                pomChild[:500],
		"no project":               `<settings></settings>`,
		"empty":                    "",
		"an entity of its own":     `<!DOCTYPE project [<!ENTITY a "x">]><project><version>&a;</version></project>`,
		"nested too deep":          strings.Repeat("<project>", 2*maxPOMDepth) + strings.Repeat("</project>", 2*maxPOMDepth),
		"an encoding nobody reads": `<?xml version="1.0" encoding="EBCDIC"?><project/>`,
		"tags that do not fit":     `<project><a></b></project>`,
	} {
		_, found, gaps := inventoryOf(t, map[string]string{"pom.xml": text})
		if len(found) > 0 || blocking(gaps) != 1 {
			t.Errorf("%s: found %+v, gaps %+v", name, found, gaps)
		}
	}
	_, found, gaps := inventoryOf(t, map[string]string{"pom.xml": "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><project><groupId>g</groupId><artifactId>a</artifactId><name>M\xfcller</name><dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId><version>1</version></dependency></dependencies></project>"})
	if len(found) != 1 || blocking(gaps) != 0 {
		t.Errorf("latin-1: found %+v, gaps %+v", found, gaps)
	}
}
