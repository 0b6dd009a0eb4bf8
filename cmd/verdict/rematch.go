package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"verdict"
	"verdict/advisory"
	"verdict/artifact/exposure"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
	"verdict/store"
)

// rematched says what new advisories changed of what was built and what runs.
type rematched struct {
	Packages int `json:"packages"` // of which advisories say something else now
	// Artifacts are those whose report changed, and was recorded anew.
	Artifacts int `json:"artifacts"`
	Opened    int `json:"findings_opened"` // of what runs
	Closed    int `json:"findings_closed"`
	// Approvals are those that were given for an artifact whose report changed: they
	// answered other facts, and the next decision does not count them.
	Approvals []string `json:"approvals_to_give_again"`
}

// beforeFile is the index as it was when what was built was last matched with it: a link
// that stays until the newer one was, so that a run that broke off is made up for.
func beforeFile(index string) string { return index + ".before" }

// keepBefore keeps the index that a change is about to replace.
func keepBefore(index string) error {
	kept := beforeFile(index)
	if _, err := os.Lstat(kept); err == nil {
		return nil // that of a run that broke off is older, and counts
	}
	err := os.Link(index, kept)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.WriteFile(kept, nil, 0o600) // empty: nothing was known
	case err != nil: // a file system without links
		err = copyIndex(index, kept)
	}
	if err != nil {
		return advisoryError(index, err)
	}
	return nil
}

// copyIndex copies a file, which is there whole or not at all.
func copyIndex(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".*.new")
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(out.Name()))
	}
	return err
}

// rematch matches again what new advisories are about, where there is a ledger: of the
// bills that were recorded, and of nothing else. Nothing is scanned.
func (a *app) rematch(ctx context.Context, index string) (done *rematched, err error) {
	kept := beforeFile(index)
	defer func() {
		if err == nil {
			err = os.Remove(kept)
		}
	}()
	if a.mustExist() != nil {
		return nil, nil
	}
	after, err := advisory.Open(index)
	if err != nil {
		return nil, err
	}
	defer after.Close()
	var before *advisory.Index
	if info, err := os.Stat(kept); err == nil && info.Size() > 0 {
		if before, err = advisory.Open(kept); err != nil {
			return nil, err
		}
		defer before.Close()
	}
	w, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer w.end(&err)
	m, _, err := w.mapOfPeople(ctx, ledger.Now)
	if err != nil {
		return nil, err
	}
	counts, err := w.counts(ctx, m)
	if err != nil {
		return nil, err
	}
	x := &rematching{w: w, after: rememberingOf(after), counts: counts, out: &rematched{Approvals: []string{}}}
	if before != nil {
		x.before = rememberingOf(before)
	}
	return x.out, x.run(ctx, before, after)
}

// rematching is one run of it.
type rematching struct {
	w             *workspace
	before, after *remembering // before is nil where nothing was known
	counts        func(kind verdict.Kind, producer, service, environment string) bool
	out           *rematched
	queue         []*evidence.Bundle
}

func (x *rematching) run(ctx context.Context, before, after *advisory.Index) error {
	packages, err := advisory.Changed(before, after)
	if err != nil {
		return err
	}
	x.out.Packages = len(packages)
	found, err := x.w.ledger.Where(ctx, x.question(packages))
	if err != nil {
		return err
	}
	for _, t := range touched(found) {
		if err := x.artifact(ctx, t); err != nil {
			return err
		}
	}
	open, err := x.w.findings(ctx, ledger.Now, x.counts)
	if err != nil {
		return err
	}
	for _, r := range found.Running {
		if err := x.place(ctx, r, open); err != nil {
			return err
		}
	}
	if err := x.gone(ctx, open); err != nil {
		return err
	}
	return x.flush(ctx)
}

// question asks which artifacts list a version of which something else is known now.
func (x *rematching) question(packages []advisory.Package) ledger.WhereQuery {
	q := ledger.WhereQuery{At: ledger.Now, Limit: allOfThem, Counts: x.counts, Packages: make([]ledger.PackageQuery, 0, len(packages))}
	var old exposure.Matcher
	if x.before != nil {
		old = x.before
	}
	differs := func(ecosystem string) func(name, version string) (bool, error) {
		return func(name, version string) (bool, error) {
			return exposure.Differ(old, x.after, componentOf(store.Component{Ecosystem: ecosystem, Name: name, Version: version}))
		}
	}
	if len(packages) <= askedSingly {
		for _, p := range packages {
			q.Packages = append(q.Packages, ledger.PackageQuery{Ecosystem: p.Ecosystem, Name: p.Name, Same: sameName(p.Ecosystem, p.Name), Holds: differs(p.Ecosystem)})
		}
		return q
	}
	changed := map[advisory.Package]bool{}
	ecosystems := map[string]bool{}
	for _, p := range packages {
		changed[p], ecosystems[p.Ecosystem] = true, true
	}
	for _, e := range slices.Sorted(maps.Keys(ecosystems)) {
		q.Packages = append(q.Packages, ledger.PackageQuery{
			Ecosystem: e, Same: func(name string) bool { return changed[advisory.PackageOf(e, name)] }, Holds: differs(e),
		})
	}
	return q
}

// askedSingly is up to how many packages are looked up one by one; of more, the names of
// all packages that bills list are read once.
const askedSingly = 200

// touched are the artifacts of an answer, each once.
func touched(found *ledger.Where) []verdict.Subject {
	seen := map[verdict.Digest]bool{}
	var out []verdict.Subject
	add := func(s verdict.Subject) {
		if !seen[s.Digest] {
			seen[s.Digest] = true
			out = append(out, s)
		}
	}
	for _, r := range found.Running {
		add(verdict.Subject{Kind: verdict.SubjectArtifact, Name: r.Name, Digest: r.Digest})
	}
	for _, b := range found.Built {
		for _, s := range artifactsOf(b.Bill) {
			add(verdict.Subject{Kind: s.Kind, Name: s.Name, Digest: s.Digest})
		}
	}
	return out
}

// artifact records what is known of an artifact now.
func (x *rematching) artifact(ctx context.Context, about verdict.Subject) error {
	listed, err := x.w.ledger.Listed(ctx, about.Digest, ledger.Now, x.counts)
	if err != nil {
		return err
	}
	b, err := x.w.exposureOf(ctx, about, exposure.Report(listingOf(listed), x.after, version()), verdict.Context{})
	if err != nil {
		return err
	}
	x.out.Artifacts++
	given, err := x.w.ledger.Find(ctx, ledger.Query{Subject: about.Digest, Kind: verdict.KindApproval, At: ledger.Now})
	if err != nil {
		return err
	}
	for _, e := range given {
		var said verdict.Approval
		if x.w.decode(ctx, e.Index, &said) == nil && said.Step == verdict.StepApprove && said.Expires.After(x.w.now()) && !slices.Contains(x.out.Approvals, said.ID) {
			x.out.Approvals = append(x.out.Approvals, said.ID)
		}
	}
	return x.record(ctx, b)
}

// perAppend is how many statements are recorded in one transaction.
const perAppend = 256

func (x *rematching) record(ctx context.Context, b *evidence.Bundle) error {
	if x.queue = append(x.queue, b); len(x.queue) < perAppend {
		return nil
	}
	return x.flush(ctx)
}

func (x *rematching) flush(ctx context.Context) error {
	if len(x.queue) == 0 {
		return nil
	}
	_, err := x.w.ledger.AppendAll(ctx, x.queue)
	x.queue = nil
	return err
}

// place opens and closes the findings of one artifact in one environment.
func (x *rematching) place(ctx context.Context, r ledger.RunsWith, open map[verdict.Digest]heldFinding) error {
	var news []gained
	for _, s := range r.Components {
		c := componentOf(s)
		now, _ := x.after.Match(c) // what could not be judged is said in the report
		var was []verdict.Vulnerability
		if x.before != nil {
			was, _ = x.before.Match(c)
		}
		for _, v := range exposure.Without(now, was) {
			if i := slices.IndexFunc(news, func(g gained) bool { return exposure.Same(g.v, v) }); i >= 0 {
				news[i].components = append(news[i].components, c)
			} else {
				news = append(news, gained{v, []verdict.Component{c}})
			}
		}
	}
	for _, g := range news {
		f := x.findingOf(r, g)
		known, ok := open[f.Fingerprint]
		if ok && known.State == verdict.FindingOpen || knownAs(open, f) {
			continue
		}
		if ok {
			f.Replaces = known.entry
		}
		x.out.Opened++
		open[f.Fingerprint] = heldFinding{f, -1}
		if err := x.say(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// gained is a vulnerability that was not known of some components before.
type gained struct {
	v          verdict.Vulnerability
	components []verdict.Component
}

func (x *rematching) findingOf(r ledger.RunsWith, g gained) verdict.Finding {
	f := verdict.Finding{
		Kind: verdict.FindingVulnerable, State: verdict.FindingOpen, Environment: r.Environment, Service: r.Service, Name: r.Name, Digest: r.Digest, Decision: r.Decision,
		Advisories: append([]string{g.v.ID}, g.v.Aliases...), Severity: g.v.Severity, Exploited: g.v.Exploited, Malicious: g.v.Malicious,
		Components: g.components, Fixed: g.v.Fixed, Opened: x.w.now(), Replaces: -1,
	}
	f.Fingerprint = sha256Digest([]byte(strings.Join([]string{f.Kind, f.Environment, f.Service, f.Name, string(f.Digest), g.v.ID}, "\n")))
	return f
}

// knownAs reports whether an open finding is the same under another id.
func knownAs(open map[verdict.Digest]heldFinding, f verdict.Finding) bool {
	for _, o := range open {
		if o.State == verdict.FindingOpen && o.Environment == f.Environment && o.Service == f.Service && o.Name == f.Name && o.Digest == f.Digest &&
			slices.ContainsFunc(o.Advisories, func(id string) bool { return slices.Contains(f.Advisories, id) }) {
			return true
		}
	}
	return false
}

// say records how a finding stands.
func (x *rematching) say(ctx context.Context, f verdict.Finding) error {
	b, err := x.w.findingStatement(ctx, f)
	if err != nil {
		return err
	}
	return x.record(ctx, b)
}

// gone closes the findings of what does not run any more, and those that no advisory
// bears out.
func (x *rematching) gone(ctx context.Context, open map[verdict.Digest]heldFinding) error {
	for _, id := range slices.Sorted(maps.Keys(open)) {
		held := open[id]
		f := held.Finding
		if f.State != verdict.FindingOpen || held.entry < 0 { // opened just now
			continue
		}
		why, err := x.w.ended(ctx, f, x.counts)
		if err != nil {
			return err
		}
		switch {
		case why != "":
		case !x.borneOut(f):
			why = "no installed advisory says so any more"
		default:
			continue
		}
		x.out.Closed++
		if err := x.say(ctx, x.w.closed(held, why)); err != nil {
			return err
		}
	}
	return nil
}

// borneOut reports whether advisories still say of a component what a finding says. What
// cannot be judged is not taken back.
func (x *rematching) borneOut(f verdict.Finding) bool {
	return slices.ContainsFunc(f.Components, func(c verdict.Component) bool {
		hits, err := x.after.Match(c)
		return err != nil || slices.ContainsFunc(hits, func(v verdict.Vulnerability) bool { return advisory.Names(v, f.Advisories) })
	})
}

// textOf tells a rematch for people.
func (r *rematched) text() string {
	if r == nil {
		return ""
	}
	out := fmt.Sprintf("Matched again what was built: %s of which something else is known, %s whose report changed.\n",
		plural(r.Packages, "package", "packages"), plural(r.Artifacts, "artifact", "artifacts"))
	if r.Opened+r.Closed > 0 {
		out += fmt.Sprintf("What runs: %s opened, %d closed: verdict findings list\n", plural(r.Opened, "finding", "findings"), r.Closed)
	}
	for _, id := range r.Approvals {
		out += fmt.Sprintf("Approval %s was given for other facts: the next decision does not count it.\n", report.Neutral(id))
	}
	return out
}
