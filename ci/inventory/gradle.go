package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/wording"
)

// gradle reads lockfiles and version catalogs. Builds are programs, which are not run:
// one without a lockfile is told.
type gradle struct {
	files    map[string]*locked
	locked   map[string]bool // projects with a lockfile, also one that cannot be read
	builds   []string        // that ask for something
	catalogs map[string]*locked
	partial  bool // lockfiles may be there that were not read
	flaws    []Flaw
}

func (g *gradle) audit() []Flaw { return g.flaws }

const gradleRelock = "dependencyLocking { lockAllConfigurations() } in the build, then: gradle dependencies --write-locks"

func (g *gradle) wants(p string) bool {
	switch path.Base(p) {
	case "gradle.lockfile", "buildscript-gradle.lockfile", "build.gradle", "build.gradle.kts":
		return true
	}
	return legacyGradleLock(p) || gradleCatalog(p)
}

// legacyGradleLock are the lockfiles of Gradle before 7: one for each configuration.
func legacyGradleLock(p string) bool {
	return path.Ext(p) == ".lockfile" && path.Base(path.Dir(p)) == "dependency-locks"
}

func gradleCatalog(p string) bool { return strings.HasSuffix(p, ".versions.toml") }

// gradleProject is the folder that a file answers for.
func gradleProject(p string) string {
	dir := path.Dir(p)
	if legacyGradleLock(p) {
		dir = path.Dir(dir)
	}
	if path.Base(dir) == "gradle" && !strings.HasSuffix(p, "gradle.lockfile") {
		dir = path.Dir(dir)
	}
	return dir
}

// gradleAsks finds what asks for packages in a build, in Groovy and in Kotlin.
var gradleAsks = regexp.MustCompile(`\bdependencies\s*[{(]|\bid\s*\(?\s*["'][^"'\n]+["']\s*\)?\s*version\b|\balias\s*\(`)

func (g *gradle) add(p string, content []byte) error {
	if g.files == nil {
		g.files, g.locked, g.catalogs = map[string]*locked{}, map[string]bool{}, map[string]*locked{}
	}
	base := path.Base(p)
	if strings.HasPrefix(base, "build.gradle") {
		if gradleAsks.Match(content) {
			g.builds = append(g.builds, p)
		}
		return nil
	}
	if gradleCatalog(p) {
		l, err := parseGradleCatalog(content)
		if err == nil {
			l.source, g.catalogs[p] = p, l
		}
		return err
	}
	build := strings.HasPrefix(base, "buildscript-") // which answers for the build alone
	if !build {
		g.locked[gradleProject(p)] = true
	}
	configuration := ""
	if legacyGradleLock(p) {
		configuration = strings.TrimSuffix(base, ".lockfile")
	}
	l, err := parseGradleLock(content, configuration)
	if err != nil {
		return err
	}
	if l.source = p; build {
		for i := range l.nodes {
			l.nodes[i].dev = true
		}
	}
	g.files[p] = l
	return nil
}

// parseGradleLock reads a lockfile: group:artifact:version=configuration,… in each line.
// A lockfile of one configuration has no equals sign. Who asks for what, it does not tell.
func parseGradleLock(content []byte, configuration string) (*locked, error) {
	l := &locked{ecosystem: EcosystemMaven, relock: "gradle dependencies --write-locks"}
	number, ended := int64(0), configuration != ""
	for line := range bytes.Lines(content) {
		number++
		text := strings.TrimSpace(string(line))
		coordinate, configurations, equals := strings.Cut(text, "=")
		switch {
		case text == "" || text[0] == '#':
			continue
		case coordinate == "empty" && equals: // the last line: configurations without anything
			ended = true
			continue
		case configuration != "":
			configurations = configuration
		case !equals:
			return nil, fmt.Errorf("line %d: it says no configuration", number)
		}
		parts := strings.Split(coordinate, ":")
		if len(parts) != 3 {
			return nil, fmt.Errorf("line %d: it is no group:artifact:version", number)
		}
		l.add(node{
			name: parts[0] + ":" + parts[1], version: parts[2], line: number, silent: true,
			devSaid: true, dev: gradleDevelopment(strings.Split(configurations, ",")),
		})
	}
	if !ended {
		return nil, errors.New("it is no lockfile of Gradle, or ends early: its last line, empty=, is not there")
	}
	l.resolve = byNumber
	return l, l.tooMany()
}

// gradleTools are configurations of checkers and compilers.
var gradleTools = map[string]bool{
	"checkstyle": true, "pmd": true, "pmdAux": true, "spotbugs": true, "jacocoAgent": true, "jacocoAnt": true, "ktlint": true, "detekt": true, "errorprone": true,
	"lintClassPath": true, "zinc": true, "kotlinCompilerClasspath": true, "kotlinBuildToolsApiClasspath": true, "kotlinKlibCommonizerClasspath": true,
}

// gradleDevelopment reports whether all configurations are of tests, checkers and
// compilers. Of one with another name it is not known, so it counts as of what runs.
func gradleDevelopment(configurations []string) bool {
	return !slices.ContainsFunc(configurations, func(c string) bool {
		c = strings.TrimSpace(c)
		return !strings.HasPrefix(c, "test") && !strings.Contains(c, "Test") && !gradleTools[c]
	})
}

// parseGradleCatalog reads *.versions.toml: what builds may ask for, in declared versions.
func parseGradleCatalog(content []byte) (*locked, error) {
	f, err := parseTOML(content)
	if err != nil {
		return nil, err
	}
	l := &locked{ecosystem: EcosystemMaven, relock: gradleRelock}
	lines := tomlLines(content)
	root := node{kind: project}
	for _, section := range []string{"libraries", "plugins"} {
		entries := f.table(section)
		for _, alias := range slices.Sorted(maps.Keys(entries)) {
			name, version := catalogEntry(section, entries[alias], f.table("versions"))
			if name == "" {
				return nil, fmt.Errorf("%s.%s names nothing", section, wording.Cut(alias, 120))
			}
			n := node{name: name, version: version, line: lines[section+"."+alias], silent: true, devSaid: true, dev: section == "plugins"}
			if !versionAny.MatchString(version) { // of a platform, or a range: no lockfile, no version
				l.tell(wording.Aside("", "%s has no exact version in the catalog", wording.Shown(wording.Cut(name, 120))))
				continue
			}
			root.asks = append(root.asks, ask{name: fmt.Sprint(l.add(n))})
		}
	}
	l.resolve = byNumber
	l.add(root)
	return l, l.tooMany()
}

// catalogEntry reads "group:artifact:1.0", {module, version}, {group, name, version} and
// {id, version}, where the version is a text, a {ref} or a rich one.
func catalogEntry(section string, entry any, versions tomlTable) (name, version string) {
	t, _ := entry.(map[string]any)
	table := tomlTable(t)
	if text, ok := entry.(string); ok {
		i := strings.LastIndexByte(text, ':')
		if i < 0 {
			return "", ""
		}
		name, version = text[:i], text[i+1:]
	} else {
		name = table.word("module")
		if name == "" && table.has("group") {
			name = table.word("group") + ":" + table.word("name")
		}
		if name == "" {
			name = table.word("id")
		}
		version = catalogVersion(table["version"], versions)
	}
	if section == "plugins" && name != "" {
		name += ":" + name + ".gradle.plugin" // under which a plugin is published
	}
	return name, version
}

func catalogVersion(v any, versions tomlTable) string {
	if s, ok := v.(string); ok {
		return s
	}
	t, _ := v.(map[string]any)
	rich := tomlTable(t)
	if ref := rich.word("ref"); ref != "" {
		v := versions[ref]
		if again, ok := v.(map[string]any); ok && again["ref"] != nil { // a reference to a reference there is none
			return ""
		}
		return catalogVersion(v, versions)
	}
	for _, key := range []string{"strictly", "require", "prefer"} {
		if s := rich.word(key); s != "" {
			return s
		}
	}
	return ""
}

// tomlLines gives the line of each key that stands in a section of its own line.
func tomlLines(content []byte) map[string]int64 {
	lines, section, n := map[string]int64{}, "", int64(0)
	for line := range bytes.Lines(content) {
		n++
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
			section = strings.Trim(text, "[] ")
		} else if key, _, ok := strings.Cut(text, "="); ok {
			key = section + "." + strings.Trim(strings.TrimSpace(key), `"'`)
			if lines[key] == 0 {
				lines[key] = n
			}
		}
	}
	return lines
}

func (g *gradle) finish() (found []Dependency, gaps []verdict.NotChecked) {
	take := func(l *locked) {
		more, left := l.finish()
		found, gaps = append(found, more...), append(gaps, left...)
	}
	for _, p := range sortedKeys(g.files) {
		take(g.files[p])
	}
	for _, p := range g.builds {
		if !g.locked[path.Dir(p)] {
			gaps = append(gaps, wording.Open(p, "it asks for packages and there is no gradle.lockfile that says which versions: %s", gradleRelock))
			g.flaws = append(g.flaws, unlocked(gaps[len(gaps)-1], gradleRelock))
		}
	}
	for _, p := range sortedKeys(g.catalogs) {
		dir := gradleProject(p)
		if slices.ContainsFunc(slices.Collect(maps.Keys(g.locked)), func(project string) bool { return under(project, dir) }) {
			continue // the lockfiles say what is taken of it
		}
		if len(g.catalogs[p].nodes) == 1 && len(g.catalogs[p].gaps) == 0 { // the project alone: it declares nothing
			continue
		}
		take(g.catalogs[p])
		gap := wording.Open(p, "it declares versions, judged as they stand, and there is no gradle.lockfile that says what is resolved: %s", gradleRelock)
		gap.Blocks = !g.partial
		gaps = append(gaps, gap)
	}
	return found, gaps
}
