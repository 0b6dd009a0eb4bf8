package inventory

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/plain"
	"verdict/ci/wording"
)

// pipAsked reports whether a file is one of the older ones that ask for packages.
func pipAsked(base string) bool {
	return slices.Contains([]string{"setup.py", "setup.cfg", "requirements.in"}, base)
}

// A setup.py is a program: only a list that stands in it word by word can be read.
var (
	setupList   = regexp.MustCompile(`install_requires['"]?\s*[=:]\s*\[((?:\s|,|#[^\n]*\n|'[^'\n]*'|"[^"\n]*")*)\]`)
	setupWord   = regexp.MustCompile(`#[^\n]*\n|'([^'\n]*)'|"([^"\n]*)"`)
	setupOption = regexp.MustCompile(`(?m)^install_requires[ \t]*[=:]((?:.*)(?:\n[ \t]+.*|\n[ \t]*$)*)`)
	eggName     = regexp.MustCompile(`[#&]egg=([A-Za-z0-9._-]+)`)
)

// olderManifest reads what an older file asks for. A wish without a name stands for those
// that cannot be told.
func olderManifest(base string, content []byte) *pyproject {
	p := &pyproject{relock: "pip-compile " + base + " -o requirements.txt"}
	whole := string(plain.UTF8(content))
	switch lists := setupList.FindAllStringSubmatch(whole, -1); base {
	case "requirements.in":
		p.lines(whole)
	case "setup.cfg":
		for _, m := range setupOption.FindAllStringSubmatch(whole, -1) {
			p.lines(m[1])
		}
	default:
		for _, m := range lists {
			for _, word := range setupWord.FindAllStringSubmatch(m[1], -1) {
				p.requirements([]string{word[1] + word[2]}, ask{})
			}
		}
		if len(lists) < strings.Count(whole, "install_requires") {
			p.asks = append(p.asks, ask{})
		}
	}
	return p
}

// lines takes one requirement in each line.
func (p *pyproject) lines(list string) {
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimRight(line, "\r\n"), ""))
		switch {
		case line == "":
		case line[0] == '-' || strings.Contains(line, "://") || strings.HasPrefix(line, "file:"):
			p.asks = append(p.asks, ask{})
		default:
			p.requirements([]string{line}, ask{})
		}
	}
}

// included are the files that others take in by -r.
func (x *pip) included() map[string]bool {
	all := map[string]bool{}
	for p, f := range x.files {
		for _, q := range f.includes {
			all[path.Join(path.Dir(p), q)] = true
		}
	}
	return all
}

// listed takes the names that a requirements file lists, itself or by what it includes.
func (x *pip) listed(p string, names, seen map[string]bool) {
	f := x.files[p]
	if f == nil || seen[p] {
		return
	}
	seen[p] = true
	for _, r := range f.list {
		names[r.name] = true
	}
	for _, line := range f.gaps { // from an address, which is told
		if m := requirementForm.FindStringSubmatch(line); m != nil && strings.HasPrefix(m[2], "@") {
			names[pypiNormal(m[1])] = true
		}
		if m := eggName.FindStringSubmatch(line); m != nil {
			names[pypiNormal(m[1])] = true
		}
	}
	for _, q := range f.includes {
		x.listed(path.Join(path.Dir(p), q), names, seen)
	}
}

// pipAnswers are what the files of each folder say about versions.
type pipAnswers struct {
	names map[string]map[string]bool // by folder
	whole map[string]bool            // manifests that are held against their own lockfile
}

func newPipAnswers() *pipAnswers {
	return &pipAnswers{names: map[string]map[string]bool{}, whole: map[string]bool{}}
}

func (a *pipAnswers) of(folder string) map[string]bool {
	if a.names[folder] == nil {
		a.names[folder] = map[string]bool{}
	}
	return a.names[folder]
}

// lock takes what a lockfile names. Its own manifest is held against it elsewhere.
func (a *pipAnswers) lock(l *pythonLock, tool pipTool) {
	manifest := tool.manifest
	if manifest == "" {
		manifest = "pyproject.toml"
	}
	for _, folder := range append([]string{"."}, l.projects...) {
		folder = path.Join(path.Dir(l.source), folder)
		a.whole[path.Join(folder, manifest)] = true
		for name := range l.byName {
			a.of(folder)[name] = true
		}
	}
}

// missing tells what a manifest asks for and no file beside it lists: a list for the
// documentation says nothing about the product.
func (a *pipAnswers) missing(p string, m *pyproject) []verdict.NotChecked {
	dir := path.Dir(p)
	beside, below := a.names[dir], a.names[path.Join(dir, "requirements")]
	switch {
	case len(m.asks) == 0 || a.whole[p]:
		return nil
	case beside == nil && below == nil:
		return []verdict.NotChecked{wording.Open(p, "it asks for packages and no file says which versions: %s", m.relock)}
	}
	var gaps []verdict.NotChecked
	var must, may []string
	for _, ask := range m.asks {
		switch {
		case ask.name == "":
			gaps = []verdict.NotChecked{wording.Aside(p, "some of what it asks for cannot be told by reading it: whether the files beside it list all of that was not judged")}
		case beside[ask.name] || below[ask.name] || ask.name == m.name:
		case ask.optional || ask.dev:
			may = append(may, ask.name)
		default:
			must = append(must, ask.name)
		}
	}
	told := func(names []string, gap func(string, string, ...any) verdict.NotChecked, what string) {
		if slices.Sort(names); len(names) > 0 {
			names = slices.Compact(names)
			gaps = append(gaps, gap(p, "it asks for %s%s of which no file beside it says the version, the first is %s: %s", wording.Count(len(names), "package", "packages"), what, wording.Shown(wording.Cut(names[0], 120)), m.relock))
		}
	}
	told(must, wording.Open, "")
	told(may, wording.Aside, " for development or on a condition")
	return gaps
}
