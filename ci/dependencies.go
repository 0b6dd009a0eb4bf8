package ci

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"verdict"
)

// DependenciesCheck is the name of the check in its report.
const DependenciesCheck = "dependencies"

// What the check tells, as detectors of its hits. The rules of ci.dependencies go by these
// words: which of them deny is theirs to say.
const (
	lockMissing     = "lockfile-missing"
	lockStale       = "lockfile-out-of-step"
	hashMissing     = "hash-missing"
	hashChanged     = "hash-changed"
	unpinned        = "unpinned"
	mutableRef      = "mutable-reference"
	scriptAdded     = "install-script-added"
	hashesNone      = "hashes-not-recorded"
	registriesMixed = "registries-mixed"
	internalPublic  = "internal-name-from-public-registry"
	internalUnknown = "internal-name-of-unknown-source"
	licenceRefused  = "licence-refused"
	licenceUnknown  = "licence-unknown"
	nameNear        = "name-like-a-popular-one"
	endOfLife       = "end-of-life"
	endOfLifeLeast  = "end-of-life-allowed"
)

// severities are those of the hits of each detector.
var severities = map[string]verdict.Severity{
	lockMissing: verdict.SeverityHigh, lockStale: verdict.SeverityHigh, hashMissing: verdict.SeverityHigh, hashChanged: verdict.SeverityCritical,
	unpinned: verdict.SeverityMedium, mutableRef: verdict.SeverityLow, scriptAdded: verdict.SeverityMedium, hashesNone: verdict.SeverityLow,
	registriesMixed: verdict.SeverityMedium, internalPublic: verdict.SeverityCritical, internalUnknown: verdict.SeverityLow,
	nameNear: verdict.SeverityMedium, endOfLife: verdict.SeverityMedium, endOfLifeLeast: verdict.SeverityLow, licenceRefused: verdict.SeverityHigh, licenceUnknown: verdict.SeverityLow,
}

// Dependencies tells what is unsafe about the components of a tree apart from known
// vulnerabilities: what is installed is not what was looked at, or not what was meant.
// Malicious packages are known from advisories, and so belong to Vulnerabilities.
type Dependencies struct {
	*Components
	taking  Taking
	version string

	running  sync.Mutex // guards what follows
	runtimes []runsOn
	alone    int64 // files that name a runtime and no component
}

// NewDependencies makes the check over components that a walk gathers, and by what the map
// says is taken. version is Verdict's.
func NewDependencies(c *Components, t Taking, version string) *Dependencies {
	return &Dependencies{Components: c, taking: t, version: version}
}

// Wants takes the files that name components, and those that name a runtime.
func (x *Dependencies) Wants(f File) bool { return x.Components.Wants(f) || x.wantsRuntime(f) }

func (x *Dependencies) wantsRuntime(f File) bool {
	return x.taking.EndOfLife != nil && namesRuntime(f.Path) && !x.leftOut.covers(f.Path)
}

// Read takes in one file.
func (x *Dependencies) Read(ctx context.Context, f File, content []byte) {
	both := x.Components.Wants(f)
	if both {
		x.Components.Read(ctx, f, content)
	}
	if x.wantsRuntime(f) {
		x.running.Lock()
		defer x.running.Unlock()
		if !both {
			x.alone++
		}
		x.runtimes = append(x.runtimes, runtimesOf(f.Path, content)...)
	}
}

// like is the same check, which has read nothing.
func (x *Dependencies) like() *Dependencies {
	c := NewComponents()
	c.leftOut = x.leftOut
	return NewDependencies(c, x.taking, x.version)
}

// Report says what is unsafe about the tree by itself: see Against for what only a
// comparison shows.
func (x *Dependencies) Report(m *Manifest, scope string) verdict.Report {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.running.Lock()
	defer x.running.Unlock()
	x.gather()
	r := verdict.Report{
		Check: DependenciesCheck, Tool: verdict.Tool{Name: "verdict", Version: x.version},
		Scope:      verdict.Scope{Path: scope, Files: x.inputs + x.alone, Bytes: x.bytes, Inputs: x.inputs + x.alone, Components: int64(len(byPURL(x.found)))},
		NotChecked: x.left(m), Hits: []verdict.Hit{},
	}
	if x.inputs+x.alone == 0 {
		r.NotChecked = append(r.NotChecked, x.nothing(r.NotChecked))
	}
	r.NotChecked = append(r.NotChecked, x.taking.untold(x.inputs)...)
	stated := map[verdict.NotChecked]bool{}
	for _, f := range x.flaws {
		stated[f.gap] = true
	}
	// What is told to be unsafe is not told once more as not judged.
	r.NotChecked = slices.DeleteFunc(r.NotChecked, func(n verdict.NotChecked) bool { return stated[n] })
	addFlaws(&r, x.flaws, unhashed(x.found), movable(x.found), mixed(x.found), x.taking.internals(x.found), x.taking.licences(x.found),
		x.taking.imitations(x.found), x.taking.ended(x.runtimes))
	return r
}

// nothing says that no file that names components was judged.
func (c *Components) nothing(left []verdict.NotChecked) verdict.NotChecked {
	if c.aside > 0 || slices.ContainsFunc(left, func(n verdict.NotChecked) bool { return n.Path != "" }) {
		return verdict.NotChecked{Reason: "no file that names components was judged: see what was not read or is test data"}
	}
	return verdict.NotChecked{Reason: "there is no file here that names components: nothing to judge"}
}

// Against adds to the report what differs from the base of the change: other content under
// the same version, and programs that run at installation and did not before.
func (x *Dependencies) Against(r *verdict.Report, base *Components) {
	was := base.Dependencies()
	now := x.Dependencies()
	addFlaws(r, changed(now, was), scripts(now, was))
}

// addFlaws turns flaws into hits with keys of their own, in an order of their own.
func addFlaws(r *verdict.Report, lists ...[]flaw) {
	known := map[string]bool{}
	for _, h := range r.Hits {
		known[h.Key] = true
	}
	for _, f := range slices.Concat(lists...) {
		h := verdict.Hit{
			Key: shown(f.key()), Detector: f.rule, Message: shown(f.message), Severity: severities[f.rule], Path: shown(f.path), Line: f.line, Fix: shown(f.fix),
		}
		if known[h.Key] {
			continue
		}
		if len(r.Hits) == maxHits {
			r.NotChecked = append(r.NotChecked, verdict.NotChecked{Reason: "there is more that is unsafe than a report holds", Blocks: true})
			break
		}
		known[h.Key] = true
		r.Hits = append(r.Hits, h)
	}
	slices.SortStableFunc(r.Hits, func(a, b verdict.Hit) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	r.NotChecked = bounded(r.NotChecked)
	r.Complete = complete(r.NotChecked)
}

// key names the flaw whatever its line is.
func (f flaw) key() string {
	if f.about == "" {
		return f.rule + ":" + f.path
	}
	return f.rule + ":" + f.about + ":" + f.path
}

// unlocked says of a file, for which the gap stands, that it has no lockfile.
func unlocked(gap verdict.NotChecked, fix string) flaw {
	message, _, _ := strings.Cut(gap.Reason, ": ")
	return flaw{rule: lockMissing, path: gap.Path, message: message, fix: fix, gap: gap}
}

// stale says of a manifest that its lockfile is not of the same state.
func stale(manifest string, line int64, about, message, fix string) flaw {
	return flaw{rule: lockStale, about: about, path: manifest, line: line, message: message, fix: fix}
}

// flaw is one of the component, at its place.
func (d Dependency) flaw(rule, fix, format string, args ...any) flaw {
	return flaw{rule: rule, about: d.Name + "@" + d.Version, path: d.Source, line: d.Line, message: fmt.Sprintf(format, args...), fix: fix}
}
