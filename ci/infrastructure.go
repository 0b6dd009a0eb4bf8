package ci

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"verdict"
	"verdict/ci/iac"
	"verdict/ci/inventory"
	"verdict/ci/plain"
	"verdict/ci/wording"
	"verdict/git"
)

// IaCCheck is the name of the check of infrastructure code in its report.
const IaCCheck = "iac"

// iacKey begins the key of each of its hits.
const iacKey = "iac:"

// maxIaC bounds the bytes of infrastructure code that are held to be judged together.
const maxIaC = 256 << 20

// Infrastructure is a Reader that gathers infrastructure code and the definitions of
// pipelines, and judges them together once the walk is over.
type Infrastructure struct {
	checkers []iac.Checker
	version  string
	leftOut  outside
	prefix   string   // as in outside: keys name paths from the repository's root
	modules  *modules // what is asked about modules; nil: nothing
	// partial is true where by intent only a part of the tree is read.
	partial bool
	charts  *treeCharts // nil where nobody renders charts

	mu     sync.Mutex // guards what follows
	files  []iac.File
	bytes  int64
	aside  int64
	failed []verdict.NotChecked
	judged bool
	result iac.Result
}

// NewInfrastructure makes the check. It is for one walk. version is Verdict's.
func NewInfrastructure(version string) *Infrastructure {
	return &Infrastructure{checkers: checkers(nil), version: version}
}

// renders lets charts of the tree that is walked be rendered.
func (x *Infrastructure) renders(c *Charts, dir string, o WalkOptions) {
	if c != nil {
		x.charts = &treeCharts{Charts: c, dir: dir, walk: o}
		x.checkers = checkers(x.charts)
	}
}

// checkers are all that judge infrastructure. Nothing is loaded before they meet a file of
// theirs.
func checkers(charts iac.Charts) []iac.Checker {
	return []iac.Checker{&iac.Library{Charts: charts}, iac.NewPipelines()}
}

// asks adds the question whether modules are approved; base: of what came before the change.
func (x *Infrastructure) asks(m *modules, base bool) {
	if m == nil {
		return
	}
	x.checkers = append(x.checkers, m.checker(base))
	if !base {
		x.modules = m
	}
}

// Wants takes what a checker may want, by its name.
func (x *Infrastructure) Wants(f File) bool { return x.knows(f) && !x.leftOut.covers(f.Path) }

func (x *Infrastructure) knows(f File) bool {
	return slices.ContainsFunc(x.checkers, func(c iac.Checker) bool { return c.Wants(f.Path) })
}

// Read keeps one file until all are there: a module needs its callers.
func (x *Infrastructure) Read(_ context.Context, f File, content []byte) {
	read := iac.File{Path: f.Path, Content: plain.UTF8(content)}
	ours := slices.ContainsFunc(x.checkers, func(c iac.Checker) bool { return c.Wants(f.Path) && c.Keeps(read) })
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case !ours:
	case inventory.TestData(f.Path), inventory.Within(f.Path, "node_modules"):
		x.aside++
	case x.bytes+int64(len(content)) > maxIaC:
		x.failed = append(x.failed, wording.Open(f.Path, "infrastructure code of more than %d bytes is not judged in one run", maxIaC))
	default:
		x.bytes += int64(len(content))
		read.Content = bytes.Clone(read.Content)
		x.files = append(x.files, read)
	}
}

// judge asks every checker, once. The contents are given up then.
func (x *Infrastructure) judge(ctx context.Context) error {
	if x.judged {
		return nil
	}
	for _, c := range x.checkers {
		files := slices.DeleteFunc(slices.Clone(x.files), func(f iac.File) bool { return !c.Wants(f.Path) })
		if len(files) == 0 {
			continue
		}
		r, err := c.Check(ctx, files)
		if err != nil {
			return fmt.Errorf("judge infrastructure code: %w", err)
		}
		x.result.Judged = append(x.result.Judged, r.Judged...)
		for _, p := range r.Problems { // what a chart sets up may be told at a file that is left out
			if !x.leftOut.covers(p.Path) {
				x.result.Problems = append(x.result.Problems, p)
			}
		}
		for _, n := range r.Absent {
			n.Blocks = n.Blocks && !x.partial
			r.Open = append(r.Open, n)
		}
		x.result.Open = append(x.result.Open, r.Open...)
	}
	x.files, x.judged = nil, true
	return nil
}

// Report says what is wrong with the code that was read.
func (x *Infrastructure) Report(ctx context.Context, m *Manifest, scope string) (verdict.Report, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.charts != nil {
		x.charts.seen = m
	}
	if x.modules != nil {
		x.modules.seen = m
	}
	if err := x.judge(ctx); err != nil {
		return verdict.Report{}, err
	}
	slices.Sort(x.result.Judged)
	inputs := int64(len(slices.Compact(slices.Clone(x.result.Judged))))
	r := verdict.Report{
		Check: IaCCheck, Tool: verdict.Tool{Name: "verdict", Version: x.version}, Scope: verdict.Scope{Path: scope, Files: inputs, Bytes: x.bytes, Inputs: inputs},
		NotChecked: slices.Concat(m.notChecked(x, false), x.failed, x.leftOut.told(m, x.knows)), Hits: x.hits(),
	}
	x.pardonLinks(m, r.NotChecked)
	for _, n := range x.result.Open {
		n.Path = wording.Shown(n.Path)
		n.Reason = wording.Shown(n.Reason)
		r.NotChecked = append(r.NotChecked, n)
	}
	if x.aside > 0 {
		r.NotChecked = append(r.NotChecked, wording.Aside("", "files in testdata and node_modules are not judged as infrastructure code: %d", x.aside))
	}
	if inputs == 0 && len(r.NotChecked) == 0 {
		r.NotChecked = append(r.NotChecked, wording.Aside("", "there is no infrastructure code and no definition of a pipeline here: nothing to judge"))
	}
	if len(r.Hits) > maxHits {
		r.NotChecked = append(r.NotChecked, wording.Open("", "%d more hits than a report holds are not listed", len(r.Hits)-maxHits))
		r.Hits = r.Hits[:maxHits]
	}
	r.NotChecked = bounded(r.NotChecked)
	r.Complete = complete(r.NotChecked)
	return r, nil
}

// pardonLinks takes the weight off links of which the name does not say that they are
// infrastructure: what most links of YAML and JSON lead to is none, and is judged where it
// lies if it is.
func (x *Infrastructure) pardonLinks(m *Manifest, left []verdict.NotChecked) {
	links := map[string]bool{}
	for _, e := range m.Entries {
		if e.Mode == git.ModeLink && !slices.ContainsFunc(x.checkers, func(c iac.Checker) bool { return c.Names(e.Path) }) {
			links[wording.Shown(e.Path)] = true
		}
	}
	for i := range left {
		left[i].Blocks = left[i].Blocks && !links[left[i].Path]
	}
}

// hits makes a hit of each problem, the worst first, with a key of its own: two in one
// place are told apart by their order.
func (x *Infrastructure) hits() []verdict.Hit {
	hits, taken := []verdict.Hit{}, map[string]int{}
	for _, p := range x.result.Problems {
		h := verdict.Hit{
			Key: x.key(p, p.Path), Detector: p.Check, Message: wording.Shown(sentence(p)), Severity: cmp.Or(p.Severity, verdict.SeverityUnknown), Path: wording.Shown(p.Path), Line: p.Line,
			Fix: wording.Shown(p.Fix),
		}
		if p.Check != iac.Invalid {
			h.Pattern = p.Pattern()
		}
		if taken[h.Key]++; taken[h.Key] > 1 {
			h.Key += fmt.Sprintf("#%d", taken[h.Key])
		}
		hits = append(hits, h)
	}
	slices.SortStableFunc(hits, func(a, b verdict.Hit) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return hits
}

// key names a problem whatever its line is.
func (x *Infrastructure) key(p iac.Problem, at string) string {
	about := wording.Shown(wording.Cut(p.Resource, 200))
	if p.About != "" {
		about += "@" + p.About
	}
	return iacKey + p.Check + ":" + about + ":" + wording.Shown(x.prefix+at)
}

// sentence is a problem in one sentence, with the thing that it is about.
func sentence(p iac.Problem) string {
	message := strings.TrimSuffix(cmp.Or(p.Message, p.Title), ".")
	if p.Check == iac.Invalid {
		message = "it cannot be read: " + message
		if p.Column > 0 {
			message += fmt.Sprintf(" (column %d)", p.Column)
		}
	}
	if p.Resource != "" && p.Resource != p.Path {
		message = wording.Cut(p.Resource, 120) + ": " + message
	}
	return wording.Cut(message, 400)
}

// oldInfrastructure goes by the keys that the check gives the base. What only moved is old
// where it was.
func (b *before) oldInfrastructure(ctx context.Context, m *Manifest, x *Infrastructure, hits []verdict.Hit) error {
	probe := &Infrastructure{version: x.version, leftOut: x.leftOut, prefix: x.prefix, partial: true}
	if probe.checkers = checkers(nil); x.charts != nil {
		probe.checkers = checkers(baseCharts{x.charts.Charts, b})
	}
	if len(hits) == 0 {
		return nil
	}
	ofCharts := b.inCharts(m, x.charts != nil)
	probe.asks(x.modules, true)
	var paths []string
	same := true
	now := map[string]Entry{}
	for _, e := range m.Entries {
		now[wording.Shown(e.Path)] = e
	}
	for p, blob := range b.files {
		wanted := probe.Wants(File{Path: p})
		if wanted {
			paths = append(paths, p)
		} else if !ofCharts(p) {
			continue
		}
		e, there := now[wording.Shown(p)]
		same = same && (there && e.Blob == blob || !there && (b.partial || b.scoped))
	}
	for _, e := range m.Entries {
		if _, there := b.files[e.Path]; !there && (x.Wants(File{Path: e.Path, Size: e.Size}) || ofCharts(e.Path)) {
			same = false
		}
	}
	if same {
		for i := range hits {
			hits[i].Old = hits[i].Detector != iac.ModuleOther
		}
		return nil
	}
	slices.Sort(paths)
	near, seen := b.near(m, now, hits), &Manifest{}
	for _, p := range paths {
		if !near(p) {
			continue
		}
		if err := b.read(ctx, p, seen, probe); err != nil {
			return err
		}
	}
	base, err := probe.Report(ctx, seen, ".")
	if err != nil {
		return err
	}
	keys := map[string]bool{}
	for _, h := range base.Hits {
		keys[h.Key] = true
	}
	for i, h := range hits {
		if h.Detector == iac.ModuleOther {
			continue // what lies where an approved module should is no matter of the code
		}
		if hits[i].Old = keys[h.Key]; hits[i].Old || b.files[now[h.Path].Path] == now[h.Path].Blob {
			continue // what lies where it lay did not move
		}
		for _, p := range b.movedFrom(m, now, now[h.Path]) {
			hits[i].Old = hits[i].Old || keys[strings.Replace(h.Key, ":"+wording.Shown(x.prefix)+h.Path, ":"+wording.Shown(x.prefix+p), 1)]
		}
	}
	return nil
}

// near tells which paths of the base are judged: all, or where a part of the tree was read
// the folders of that part, now and before they were moved.
func (b *before) near(m *Manifest, now map[string]Entry, hits []verdict.Hit) func(p string) bool {
	folders := map[string]bool{}
	for _, e := range m.Entries {
		folders[path.Dir(e.Path)] = true
	}
	for _, h := range hits {
		for _, p := range b.movedFrom(m, now, now[h.Path]) {
			for dir := path.Dir(p); !folders[dir]; dir = path.Dir(dir) { // one above may be that of a chart
				folders[dir] = true
			}
		}
	}
	return func(p string) bool { return !b.partial || folders[path.Dir(p)] }
}

// beside lists what is needed to understand a file of Terraform: the files of its folder.
func beside(top *folder, p string, looked map[string]bool) []string {
	x := NewInfrastructure("")
	if dir := path.Dir(p); x.Wants(File{Path: p}) && (path.Ext(p) == ".tf" || path.Ext(p) == ".tofu") && !looked[dir] {
		looked[dir] = true
		return top.wanted(dir, x)
	}
	return nil
}
