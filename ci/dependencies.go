package ci

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
)

// DependenciesCheck is the name of the check in its report.
const DependenciesCheck = "dependencies"

// What the check tells beside what is wrong with the files themselves, as detectors of its
// hits. The rules of ci.dependencies go by all of these words: which of them deny is theirs
// to say.
const (
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
	inventory.LockMissing: verdict.SeverityHigh, inventory.LockStale: verdict.SeverityHigh, inventory.HashMissing: verdict.SeverityHigh, inventory.HashChanged: verdict.SeverityCritical,
	inventory.Unpinned: verdict.SeverityMedium, inventory.MutableRef: verdict.SeverityLow, inventory.ScriptAdded: verdict.SeverityMedium, inventory.HashesNone: verdict.SeverityLow,
	inventory.RegistriesMixed: verdict.SeverityMedium, internalPublic: verdict.SeverityCritical, internalUnknown: verdict.SeverityLow,
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
		stated[f.Gap] = true
	}
	// What is told to be unsafe is not told once more as not judged.
	r.NotChecked = slices.DeleteFunc(r.NotChecked, func(n verdict.NotChecked) bool { return stated[n] })
	addFlaws(&r, x.flaws, inventory.Provenance(x.found), x.taking.internals(x.found), x.taking.licences(x.found),
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
	addFlaws(r, inventory.Against(was, now))
}

// addFlaws turns flaws into hits with keys of their own, in an order of their own.
func addFlaws(r *verdict.Report, lists ...[]inventory.Flaw) {
	known := map[string]bool{}
	for _, h := range r.Hits {
		known[h.Key] = true
	}
	for _, f := range slices.Concat(lists...) {
		h := verdict.Hit{
			Key: wording.Shown(f.Key()), Detector: f.Rule, Message: wording.Shown(f.Message), Severity: severities[f.Rule], Path: wording.Shown(f.Path), Line: f.Line, Fix: wording.Shown(f.Fix),
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
