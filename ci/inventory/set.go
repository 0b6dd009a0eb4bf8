// Package inventory reads which components the files of a tree name: lockfiles, manifests,
// and what is referred to where it is used, as in pipelines and Dockerfiles. It says where
// each stands and what brings it in, what the files leave open, and what is wrong with them.
//
// It knows no advisory and no map: package ci matches and judges what is found here.
package inventory

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"verdict"
	"verdict/ci/wording"
	"verdict/sbom"
)

// inventory collects what the files of one ecosystem name. Files come in any order and
// may need each other: a manifest its lockfile, a pom its parent, a list of requirements
// the one that it includes.
type inventory interface {
	// wants reports whether the file is one of the ecosystem's.
	wants(p string) bool
	// add reads one file. An error is one of the file's content.
	add(p string, content []byte) error
	// finish gives what all files together name, and what they leave open.
	finish() (found []Dependency, open []verdict.NotChecked)
}

// auditor is an inventory that can tell, after finish, what is wrong with its files
// whatever advisories say.
type auditor interface{ audit() []Flaw }

// Set is the inventories of all ecosystems: it takes the files of one tree, in any order, and
// then tells what they name together. It is for one caller at a time; Wants alone may be
// asked by several.
type Set struct {
	inventories []inventory
	failed      []verdict.NotChecked // of files that cannot be read
	gaps        []verdict.NotChecked
	flaws       []Flaw
}

// NewSet makes a set that has read nothing yet.
func NewSet() *Set {
	return &Set{inventories: []inventory{&goModules{}, &npm{}, &pip{}, &cargo{}, &maven{}, &gradle{}, &nuget{}, &lockfiles{}, &references{}, &elsewhere{}}}
}

// Wants reports whether a file names components, by its path.
func (s *Set) Wants(p string) bool { return s.of(p) != nil }

func (s *Set) of(p string) inventory {
	for _, i := range s.inventories {
		if i.wants(p) {
			return i
		}
	}
	return nil
}

// Add reads one file that Wants takes; content is the caller's again afterwards. It reports
// whether the file is judged: Finish tells of one that is not.
func (s *Set) Add(p string, content []byte) (judged bool) {
	if TestData(p) {
		s.gaps = append(s.gaps, wording.Aside(p, "it lies in a testdata folder: taken for test data, not for what is built"))
		return false
	}
	if folder := s.installed(p); folder != "" {
		if told := wording.Aside(folder, "the manifests in it were not judged: taken for what a package manager put there by a lockfile outside of it"); !slices.Contains(s.gaps, told) {
			s.gaps = append(s.gaps, told)
		}
		return false
	}
	if conflict(content) {
		s.failed = append(s.failed, wording.Open(p, "it holds the marks of a merge conflict: resolve it and commit"))
		return true
	}
	if garbled(p, content) {
		s.failed = append(s.failed, wording.Open(p, "it cannot be read: it is no text in UTF-8, as files of its kind have to be; save it as UTF-8"))
		return true
	}
	if err := s.of(p).add(p, content); err != nil {
		s.failed = append(s.failed, wording.Open(p, "it cannot be read: %s", wording.Shown(wording.Cut(err.Error(), 300))))
	}
	return true
}

// TestData reports whether a path is one of test data, by the convention of Go and others.
func TestData(p string) bool { return Within(p, "testdata") }

// installed is the folder node_modules that a manifest of npm or the like lies in, the
// outermost; "" for one that the project itself wrote.
func (s *Set) installed(p string) string {
	switch s.of(p).(type) {
	case *npm, *elsewhere:
		if i := strings.Index("/"+p, "/node_modules/"); i >= 0 {
			return p[:i+len("node_modules")]
		}
	}
	return ""
}

// garbled reports whether a file is no text in the way that its language demands: in JSON,
// TOML, HCL and go.mod all is UTF-8, and no program reads NULs in a Dockerfile. A name that
// is read in another way than its tool does is another component, or none.
func garbled(p string, content []byte) bool {
	switch path.Ext(p) {
	case ".json": // whose reader refuses NULs
		return !utf8.Valid(content)
	case ".toml", ".hcl", ".tf", ".tofu", ".mod":
		return !utf8.Valid(content) || bytes.IndexByte(content, 0) >= 0
	}
	return dockerfile(path.Base(p)) && bytes.IndexByte(content, 0) >= 0
}

// conflict reports whether git left its marks in a file.
func conflict(content []byte) bool {
	return bytes.Contains(content, []byte("\n>>>>>>> ")) && (bytes.HasPrefix(content, []byte("<<<<<<< ")) || bytes.Contains(content, []byte("\n<<<<<<< ")))
}

// Finish gives every component that was named, in the order of files and lines and with its
// package URL, and what the files leave open. It is called once, when all files were added.
// partial is true where by intent only a part of the tree was read.
func (s *Set) Finish(partial bool) (found []Dependency, open []verdict.NotChecked) {
	for _, i := range s.inventories {
		switch i := i.(type) {
		case *npm:
			i.partial = partial
		case *gradle:
			i.partial = partial
		case *nuget:
			i.partial = partial
		case *references:
			i.partial = partial
		}
		named, gaps := i.finish()
		s.gaps = append(s.gaps, gaps...)
		if a, ok := i.(auditor); ok {
			s.flaws = append(s.flaws, a.audit()...)
		}
		found = append(found, s.known(named)...)
	}
	// Files that inherit from each other say the same more than once.
	sortDependencies(found)
	found = slices.CompactFunc(found, func(a, b Dependency) bool { return a.PURL == b.PURL && a.Source == b.Source && a.Line == b.Line })
	slices.SortStableFunc(s.gaps, func(a, b verdict.NotChecked) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	return found, slices.Concat(s.failed, slices.Compact(s.gaps))
}

// known gives the components that can be, each with its package URL.
func (s *Set) known(named []Dependency) (found []Dependency) {
	for _, d := range named {
		known, err := sbom.NewComponent(d.Ecosystem, d.Name, d.Version)
		if err != nil {
			s.gaps = append(s.gaps, wording.Open(d.Source, "line %d names a component that cannot be: %s", d.Line, wording.Shown(wording.Cut(err.Error(), 200))))
			continue
		}
		d.Component = known
		found = append(found, d)
	}
	return found
}

// Audit tells, after Finish, what is wrong with the files whatever advisories say.
func (s *Set) Audit() []Flaw { return s.flaws }
