package ci

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/ci/wording"
)

// LeftOut states that files are no part of what is built, and leaves them out of checks by
// name. It is said aloud in each of their reports, with the number of files.
type LeftOut struct {
	// Path is a file or a folder with all below it. Each element may hold * and ? as
	// path.Match reads them, and **/ in front means at any depth.
	Path string `yaml:"path"`
	// Checks are those that it is left out of; there is no word for all of them.
	Checks  []string `yaml:"checks"`
	Reason  string   `yaml:"reason"`
	Owner   string   `yaml:"owner"`
	Expires Day      `yaml:"expires"` // the first day on which it no longer counts
}

const anyDepth = "**/"

func (x LeftOut) check() error {
	rest := strings.TrimPrefix(x.Path, anyDepth)
	if rest == "" || path.IsAbs(rest) || path.Clean(rest) != strings.TrimSuffix(rest, "/") || strings.HasPrefix(rest, "..") || strings.Contains(rest, "**") {
		return fmt.Errorf("%q is no path below the repository's root", x.Path)
	}
	if _, err := path.Match(rest, ""); err != nil {
		return fmt.Errorf("%q is no pattern of a path: %w", x.Path, err)
	}
	if strings.Trim(rest, "*?./") == "" || x.coversAnything() {
		return fmt.Errorf("%q leaves out everything: name what is left out", x.Path)
	}
	if len(x.Checks) == 0 {
		return errors.New("it does not say of which checks it is left out")
	}
	for _, c := range x.Checks {
		if !slices.Contains(checks, c) {
			return fmt.Errorf("there is no check %q; there are %s", c, strings.Join(checks, ", "))
		}
	}
	return stated(x.Reason, x.Owner, x.Expires)
}

// coversAnything reports whether the entry is about files of all sorts, by whatever pattern:
// at some depth it covers each of a few that have nothing in common.
func (x LeftOut) coversAnything() bool {
	for depth := range strings.Count(x.Path, "/") + 1 {
		all := true
		for _, name := range []string{"main.go", "package-lock.json", "config.yaml", "requirements.txt", "values", "index.html"} {
			all = all && x.covers(strings.Repeat(name+"/", depth)+name)
		}
		if all {
			return true
		}
	}
	return false
}

// checks are the names that left_out may give.
var checks = []string{SecretsCheck, VulnerabilitiesCheck, DependenciesCheck, IaCCheck}

// covers reports whether the entry is about a path.
func (x LeftOut) covers(p string) bool {
	pattern, deep := strings.CutPrefix(strings.TrimSuffix(x.Path, "/"), anyDepth)
	n := strings.Count(pattern, "/") + 1
	parts := strings.Split(p, "/")
	for from := 0; from+n <= len(parts); from++ {
		if ok, err := path.Match(pattern, strings.Join(parts[from:from+n], "/")); ok && err == nil {
			return true
		}
		if !deep {
			return false
		}
	}
	return false
}

// outside is what the file of ignores leaves out, for all checks or one.
type outside struct {
	list []LeftOut
	file string
	now  time.Time
	// prefix leads from the repository's root to the folder that is walked; empty or with a
	// slash at its end. The file speaks of paths from the root.
	prefix string
	check  string // whose part it is; set by of
	// part: not all of the repository is read, so what nothing matches may lie elsewhere.
	part bool
}

// of is the part about one check.
func (l outside) of(check string) outside {
	l.list = slices.DeleteFunc(slices.Clone(l.list), func(x LeftOut) bool { return !slices.Contains(x.Checks, check) })
	l.check = check
	return l
}

func (l outside) live(x LeftOut) bool { return l.now.Before(x.Expires.Time) }

// covers reports whether a path is left out now.
func (l outside) covers(p string) bool {
	return slices.ContainsFunc(l.list, func(x LeftOut) bool { return l.live(x) && x.covers(l.prefix+p) })
}

// told says of each entry what it left out of the files that a check wants. One that does
// not count any more is told too, and one that no path matches, by the first of its checks.
func (l outside) told(m *Manifest, wants func(File) bool) []verdict.NotChecked {
	var out []verdict.NotChecked
	for _, x := range l.list {
		if !l.live(x) {
			out = append(out, wording.Aside(l.file, "%s is judged again: that it is left out expired on %s (owner %s)", wording.Shown(x.Path), x.Expires.Format(time.DateOnly), wording.Shown(x.Owner)))
			continue
		}
		n, matches := 0, slices.ContainsFunc(m.Skipped, func(s Skip) bool { return x.covers(l.prefix + s.File.Path) })
		for _, e := range m.Entries {
			if !x.covers(l.prefix + e.Path) {
				continue
			}
			if matches = true; wants(File{Path: e.Path, Size: e.Size}) {
				n++
			}
		}
		switch {
		case n > 0:
			out = append(out, wording.Aside(x.Path, "%s left out: %s (%s, owner %s, until %s)", wording.Count(n, "file is", "files are"), wording.Shown(x.Reason), l.file, wording.Shown(x.Owner), x.Expires.Format(time.DateOnly)))
		case !matches && !l.part && l.check == x.Checks[0]:
			out = append(out, wording.Aside("", "%s leaves out %s, and there is nothing of that name (owner %s)", l.file, wording.Shown(x.Path), wording.Shown(x.Owner)))
		}
	}
	return out
}
