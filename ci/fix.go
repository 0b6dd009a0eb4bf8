package ci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
)

// Edit takes one line of a file for another that is safe.
type Edit struct {
	Path string // of the file, relative to the folder that was walked
	Line int64  // from 1
	Old  string // the line as it is, without its end
	New  string
	Why  string // what is better now, in a few words
}

// Unfixed is a hit of which nobody can say what is safe without its tool or its author.
type Unfixed struct {
	Path string
	Line int64
	Why  string
}

// manifests are files without a lockfile, in which a version can be written by hand, by
// the ends of their names. locks are the files beside or above them that make the tool's
// own command the only safe one.
var manifests = []struct {
	end   string
	locks []string
}{
	{".txt", nil}, {".in", nil}, {"pom.xml", nil},
	{".csproj", []string{"packages.lock.json"}}, {".fsproj", []string{"packages.lock.json"}}, {".vbproj", []string{"packages.lock.json"}}, {".props", []string{"packages.lock.json"}},
	{"package.json", []string{"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"}},
	{"libs.versions.toml", []string{"gradle.lockfile", "buildscript-gradle.lockfile"}},
	{"Chart.yaml", []string{"Chart.lock"}}, {".tf", nil}, {".tofu", nil}, {".yml", nil}, {".yaml", nil},
}

// Fixes finds the edits that take what the check found without any other tool: the version
// that is not affected, in files that no lockfile repeats, and the commit or digest that the
// operator's table has for a tag. read gives a file of the tree as it was walked. What needs
// the tool or the author is told.
func (r *Result) Fixes(m Matcher, pins *Pins, read func(p string) ([]byte, error)) (edits []Edit, left []Unfixed, err error) {
	x := fixer{result: r, matcher: m, pins: pins, read: read, files: map[string][]string{}}
	for _, report := range r.Reports {
		for _, h := range report.Hits {
			switch {
			case h.Vulnerability != nil && !h.Vulnerability.Malicious:
				err = errors.Join(err, x.upgrade(h))
			case report.Check == DependenciesCheck && h.Detector == inventory.MutableRef:
				err = errors.Join(err, x.pin(h))
			}
		}
	}
	slices.SortFunc(x.edits, func(a, b Edit) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return int(a.Line - b.Line)
	})
	return x.edits, x.left, err
}

// fixer gathers edits. A line is edited once: a second reason finds it as the first left it.
type fixer struct {
	result  *Result
	matcher Matcher
	pins    *Pins
	read    func(p string) ([]byte, error)
	files   map[string][]string // lines, as they were
	edits   []Edit
	left    []Unfixed
}

func (x *fixer) leave(d inventory.Dependency, why string, args ...any) {
	u := Unfixed{Path: d.Source, Line: d.Line, Why: fmt.Sprintf(why, args...)}
	if !slices.Contains(x.left, u) {
		x.left = append(x.left, u)
	}
}

// upgrade takes a version without known vulnerability wherever the component is asked for.
func (x *fixer) upgrade(h verdict.Hit) error {
	for _, d := range x.result.Dependencies {
		if d.PURL != h.Vulnerability.Component.PURL {
			continue
		}
		to, err := x.unaffected(d.Component)
		if err != nil {
			return err
		}
		switch {
		case to == "":
			x.leave(d, "%s %s has no version that is known to be unaffected", d.Name, d.Version)
		case !d.Direct:
			x.leave(d, "%s %s is brought in by another component: %s", d.Name, d.Version, h.Fix)
		case x.locked(d):
			x.leave(d, "%s %s stands in a lockfile, which its tool writes: %s", d.Name, d.Version, h.Fix)
		case !compatible(d.Version, to):
			x.leave(d, "%s %s to %s may change what your code relies on: %s", d.Name, d.Version, to, h.Fix)
		default:
			if err := x.bump(d, to, h.Vulnerability.ID, h.Fix); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxSteps bounds how often the next version turns out to be affected by something else.
const maxSteps = 10

// unaffected is the lowest version above a component's for which no advisory knows a fix;
// "" where there is none.
func (x *fixer) unaffected(c verdict.Component) (string, error) {
	if x.matcher == nil {
		return "", nil
	}
	start := c.Version
	for range maxSteps {
		known, err := x.matcher.Match(c)
		if err != nil {
			return "", fmt.Errorf("match %s %s: %w", c.Name, c.Version, err)
		}
		fixable := slices.IndexFunc(known, func(v verdict.Vulnerability) bool { return v.Fixed != "" })
		switch {
		case slices.ContainsFunc(known, func(v verdict.Vulnerability) bool { return v.Malicious }):
			return "", nil
		case fixable >= 0:
			c.Version = known[fixable].Fixed
		case c.Version != start:
			return c.Version, nil
		default:
			return "", nil
		}
	}
	return "", nil
}

// locked reports whether another file repeats the version, with what was downloaded for it.
func (x *fixer) locked(d inventory.Dependency) bool {
	if len(d.Hashes) > 0 || d.Sum != "" {
		return true
	}
	for _, m := range manifests {
		if !strings.HasSuffix(d.Source, m.end) {
			continue
		}
		for dir := path.Dir(d.Source); ; dir = path.Dir(dir) {
			for _, l := range m.locks {
				if x.holds(path.Join(dir, l)) {
					return true
				}
			}
			if dir == "." || dir == "/" {
				return false
			}
		}
	}
	return true
}

func (x *fixer) holds(p string) bool {
	_, there := slices.BinarySearchFunc(x.result.Manifest.Entries, p, func(e Entry, p string) int { return strings.Compare(e.Path, p) })
	return there
}

// compatible reports whether the first number that is not zero stays, which is what
// versions promise where they promise anything (https://semver.org/).
func compatible(from, to string) bool {
	numbers := func(v string) []string {
		return strings.FieldsFunc(strings.TrimPrefix(v, "v"), func(r rune) bool { return r == '.' || r == '-' || r == '+' })
	}
	a, b := numbers(from), numbers(to)
	for i := range min(len(a), len(b)) {
		if n, err := strconv.ParseUint(a[i], 10, 64); err != nil || a[i] != b[i] || n > 0 {
			return err == nil && a[i] == b[i]
		}
	}
	return false
}

// bump writes a version in the line that names the component, or in one of the next lines
// where XML has it.
func (x *fixer) bump(d inventory.Dependency, to, id, by string) error {
	lines, err := x.lines(d.Source)
	if err != nil {
		return err
	}
	if strings.HasPrefix(d.Version, "v") && !strings.HasPrefix(to, "v") {
		to = "v" + to
	}
	for at := d.Line - 1; at >= 0 && at < int64(len(lines)) && at < d.Line+maxApart; at++ {
		line := lines[at]
		if next, ok := swapped(line, d.Version, to); ok {
			x.edit(d.Source, at, line, next, fmt.Sprintf("%s %s instead of %s (%s)", d.Name, to, d.Version, id))
			return nil
		}
		if !strings.HasSuffix(d.Source, ".xml") || strings.Contains(line, "</dependency>") {
			break
		}
	}
	x.leave(d, "%s %s does not stand once in the line that asks for it: %s", d.Name, d.Version, by)
	return nil
}

// maxApart is how many lines the version stands at most behind the name.
const maxApart = 8

// swapped writes one word for another where it stands exactly once.
func swapped(line, old, to string) (string, bool) {
	at := -1
	for from := 0; ; {
		i := strings.Index(line[from:], old)
		if i < 0 {
			break
		}
		i += from
		from = i + len(old)
		if i > 0 && partOfVersion(line[i-1]) || from < len(line) && partOfVersion(line[from]) {
			continue
		}
		if at >= 0 {
			return "", false
		}
		at = i
	}
	if at < 0 || old == "" {
		return "", false
	}
	return line[:at] + to + line[at+len(old):], true
}

func partOfVersion(c byte) bool {
	return c == '.' || c == '-' || c == '+' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '*'
}

// pin writes the commit or digest that the table has for a tag.
func (x *fixer) pin(h verdict.Hit) error {
	for _, d := range x.result.Dependencies {
		if wording.Shown(d.Source) != h.Path || d.Line != h.Line || !strings.Contains(h.Key, d.Name+"@"+d.Version) {
			continue
		}
		if d.Ecosystem == inventory.EcosystemHelm || d.Ecosystem == inventory.EcosystemTerraform {
			x.leave(d, "%s: %s", d.Name, h.Fix) // pins are of actions and images
			continue
		}
		to, known := x.pins.of(d.Name, d.Version)
		if !known {
			x.leave(d, "%s %s is in no table of pins: verdict advisories tables --pins FILE", d.Name, d.Version)
			continue
		}
		lines, err := x.lines(d.Source)
		if err != nil {
			return err
		}
		if d.Line < 1 || d.Line > int64(len(lines)) {
			continue
		}
		line := lines[d.Line-1]
		next, ok := pinnedLine(line, d.Version, to)
		if !ok {
			x.leave(d, "%s %s does not stand once in its line: write %s there", d.Name, d.Version, to)
			continue
		}
		x.edit(d.Source, d.Line-1, line, next, fmt.Sprintf("%s %s by what it is today", d.Name, d.Version))
	}
	return nil
}

// pinnedLine writes a commit in the place of a tag, which stays behind as a comment, or a digest
// behind it.
func pinnedLine(line, tag, to string) (string, bool) {
	if strings.HasPrefix(to, "sha256:") {
		return swapped(line, tag, tag+"@"+to)
	}
	at := strings.LastIndex(line, "@"+tag)
	if at < 0 {
		return "", false
	}
	rest := line[at+1+len(tag):]
	if strings.Trim(rest, " \t\"'\r") != "" { // another comment is there: whose it is nobody knows
		return "", false
	}
	end := strings.TrimRight(rest, " \t\r")
	return line[:at+1] + to + end + " # " + tag + rest[len(strings.TrimRight(rest, "\r")):], true
}

func (x *fixer) lines(p string) ([]string, error) {
	if known, ok := x.files[p]; ok {
		return known, nil
	}
	content, err := x.read(p)
	if err != nil {
		return nil, fmt.Errorf("read %s to mend it: %w", wording.Shown(p), err)
	}
	x.files[p] = strings.Split(string(content), "\n")
	return x.files[p], nil
}

// edit keeps one edit of a line; two for one line become one.
func (x *fixer) edit(p string, at int64, old, next, why string) {
	i := slices.IndexFunc(x.edits, func(e Edit) bool { return e.Path == p && e.Line == at+1 })
	if i < 0 {
		x.edits = append(x.edits, Edit{Path: p, Line: at + 1, Old: old, New: next, Why: why})
	} else if x.edits[i].New != next {
		x.leave(inventory.Dependency{Source: p, Line: at + 1}, "two things are to be mended in this line, of which one was: run it again")
	}
}

// Mend writes the edits into the files below dir and gives what changed, as a unified diff.
// A file that is not what was walked is not touched, and nothing is written through a link.
func (r *Result) Mend(ctx context.Context, dir string, edits []Edit) (changes []byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s to mend it: %w", wording.Shown(dir), err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for len(edits) > 0 && err == nil {
		if ctx.Err() != nil {
			return changes, ctx.Err()
		}
		p := edits[0].Path
		n := 1
		for n < len(edits) && edits[n].Path == p {
			n++
		}
		var one []byte
		if one, err = r.mend(root, p, edits[:n]); err == nil {
			changes = append(changes, one...)
		}
		edits = edits[n:]
	}
	return changes, err
}

// ReadWalked reads a file of the tree below dir, which must be what the walk met.
func (r *Result) ReadWalked(dir, p string) (content []byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return r.walked(root, p)
}

func (r *Result) walked(root *os.Root, p string) ([]byte, error) {
	i, there := slices.BinarySearchFunc(r.Manifest.Entries, p, func(e Entry, p string) int { return strings.Compare(e.Path, p) })
	info, err := root.Lstat(p)
	if err != nil {
		return nil, err
	}
	if !there || !info.Mode().IsRegular() || info.Size() != r.Manifest.Entries[i].Size {
		return nil, errMoved
	}
	content, err := root.ReadFile(p)
	if err == nil && sha256.Sum256(content) != r.Manifest.Entries[i].SHA256 {
		err = errMoved
	}
	return content, err
}

var errMoved = &verdict.Error{
	Code: verdict.CodeConflict, What: "a file changed after it was checked, so it was not mended", Remedy: "run it again when nothing else writes into the folder: verdict ci --fix",
}

// mend writes one file anew, beside itself first.
func (r *Result) mend(root *os.Root, p string, edits []Edit) ([]byte, error) {
	before, err := r.walked(root, p)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(before), "\n")
	for _, e := range edits {
		if e.Line < 1 || e.Line > int64(len(lines)) || lines[e.Line-1] != e.Old {
			return nil, errMoved
		}
		lines[e.Line-1] = e.New
	}
	after := []byte(strings.Join(lines, "\n"))
	if bytes.Equal(before, after) {
		return nil, nil
	}
	if err := replaceFile(root, p, after); err != nil {
		return nil, fmt.Errorf("write %s: %w", wording.Shown(p), err)
	}
	return diff.Diff("a/"+p, before, "b/"+p, after), nil
}

// replaceFile puts a file in the place of another, whole or not at all, with its mode.
func replaceFile(root *os.Root, p string, content []byte) error {
	info, err := root.Lstat(p)
	if err != nil {
		return err
	}
	beside := p + ".verdict-fix"
	f, err := root.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, left by an earlier run: remove it", wording.Shown(beside))
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = root.Rename(beside, p)
	}
	if err != nil {
		err = errors.Join(err, root.Remove(beside))
	}
	return err
}
