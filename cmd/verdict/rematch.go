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

	"verdict"
	"verdict/advisory"
	"verdict/artifact/exposure"
	"verdict/decisionmap"
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
	x := &rematching{w: w, m: m, after: rememberingOf(after), counts: counts, out: &rematched{Approvals: []string{}}}
	if before != nil {
		x.before = rememberingOf(before)
	}
	if err := x.run(ctx, before, after); err != nil {
		return x.out, err
	}
	return x.out, w.share(ctx, index)
}

// rematching is one run of it.
type rematching struct {
	w             *workspace
	m             *decisionmap.Map
	before, after *remembering // before is nil where nothing was known
	counts        func(kind verdict.Kind, producer, service, environment string) bool
	out           *rematched
	queue         []*evidence.Bundle
	given         map[verdict.Digest][]int64 // entries of approvals, by what they are about
}

// run begins with what runs: its findings are recorded before anything else takes time. Then
// come the reports about it, those that approvals were given by, and last those of all else
// that was built: a popular package is in tens of thousands of artifacts.
func (x *rematching) run(ctx context.Context, before, after *advisory.Index) error {
	progress := x.w.app.progress
	defer progress.stop()
	progress.phase("looking up what was built with what changed")
	packages, err := advisory.Changed(before, after)
	if err != nil {
		return err
	}
	x.out.Packages = len(packages)
	found, err := x.w.ledger.Where(ctx, x.question(packages))
	if err != nil {
		return err
	}
	still, err := x.stillRunning(ctx, found)
	if err != nil {
		return err
	}
	if err := x.places(ctx, append(found.Running, still...)); err != nil {
		return err
	}
	all, err := x.inOrder(ctx, found)
	if err != nil {
		return err
	}
	if len(all) > perAppend { // the rest takes its time
		progress.tell(x.out.findings())
	}
	step := progress.phase("matching again what was built")
	for i, t := range all {
		step.say("%s of %s artifacts", counted(int64(i)), counted(int64(len(all))))
		if err := x.artifact(ctx, t); err != nil {
			return err
		}
	}
	return x.flush(ctx)
}

// inOrder are the artifacts of an answer: what runs, what an approval was given for, the rest.
func (x *rematching) inOrder(ctx context.Context, found *ledger.Where) ([]verdict.Subject, error) {
	all, running := touched(found)
	x.given = map[verdict.Digest][]int64{}
	for _, t := range all {
		x.given[t.Digest] = nil
	}
	entries, err := x.w.ownEntries(ctx, verdict.KindApproval, ledger.Now)
	for _, e := range entries {
		for _, s := range e.Subjects {
			for _, d := range append([]verdict.Digest{s.Digest}, s.Also...) {
				if of, asked := x.given[d]; asked && !slices.Contains(of, e.Index) {
					x.given[d] = append(of, e.Index)
				}
			}
		}
	}
	slices.SortStableFunc(all[running:], func(a, b verdict.Subject) int {
		return min(len(x.given[b.Digest]), 1) - min(len(x.given[a.Digest]), 1)
	})
	return all, err
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

// touched are the artifacts of an answer, each once: first those that run, of which it says
// how many they are.
func touched(found *ledger.Where) (out []verdict.Subject, running int) {
	seen := map[verdict.Digest]bool{}
	add := func(s verdict.Subject) {
		if !seen[s.Digest] {
			seen[s.Digest] = true
			out = append(out, s)
		}
	}
	for _, r := range found.Running {
		add(verdict.Subject{Kind: verdict.SubjectArtifact, Name: r.Name, Digest: r.Digest})
	}
	running = len(out)
	for _, b := range found.Built {
		for _, s := range artifactsOf(b.Bill) {
			add(verdict.Subject{Kind: s.Kind, Name: s.Name, Digest: s.Digest})
		}
	}
	return out, running
}

// artifact records what is known of an artifact now.
func (x *rematching) artifact(ctx context.Context, about verdict.Subject) error {
	bills, err := x.w.ledger.Listed(ctx, about.Digest, ledger.Now, x.counts)
	if err != nil {
		return err
	}
	b, err := x.w.exposureOf(ctx, about, exposure.Report(listingBy(bills, x.after.words), x.after, version()), verdict.Context{})
	if err != nil {
		return err
	}
	x.out.Artifacts++
	for _, index := range x.given[about.Digest] {
		var said verdict.Approval
		if x.w.decode(ctx, index, &said) == nil && said.Step == verdict.StepApprove && said.Expires.After(x.w.now()) && !slices.Contains(x.out.Approvals, said.ID) {
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

// textOf tells a rematch for people.
func (r *rematched) text() string {
	if r == nil {
		return ""
	}
	out := fmt.Sprintf("Matched again what was built: %s of which something else is known, %s whose report changed.\n",
		plural(r.Packages, "package", "packages"), plural(r.Artifacts, "artifact", "artifacts"))
	out += r.findings()
	for _, id := range r.Approvals {
		out += fmt.Sprintf("Approval %s was given for other facts: the next decision does not count it.\n", report.Neutral(id))
	}
	return out
}

// findings tells what became of those of what runs; empty where nothing did.
func (r *rematched) findings() string {
	if r.Opened+r.Closed == 0 {
		return ""
	}
	return fmt.Sprintf("What runs: %s opened, %d closed: verdict findings list\n", plural(r.Opened, "finding", "findings"), r.Closed)
}
