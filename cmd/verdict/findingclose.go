package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
)

// ended says why what a finding is about does not run there any more, empty where it does, or
// where nobody says otherwise whom the map lets say it: else anybody with a key could have a
// finding closed.
func (w *workspace) ended(ctx context.Context, f verdict.Finding, counts func(kind verdict.Kind, producer, service, environment string) bool) (why string, err error) {
	trusted := func(index int64) (bool, error) {
		e, err := w.ledger.Entry(ctx, index)
		return err == nil && !e.Foreign && counts(e.Kind, e.Producer, f.Service, f.Environment), err
	}
	runs, err := w.ledger.Running(ctx, ledger.RunningQuery{Environment: f.Environment, Service: f.Service, At: ledger.Now, Ended: true})
	if err != nil {
		return "", err
	}
	last := ledger.RunningRow{Index: -1}
	for _, r := range runs {
		if r.Name == f.Name && r.Digest == f.Digest && r.Index > last.Index {
			last = r
		}
	}
	if last.Index < 0 || last.Ended < 0 {
		return "", nil
	}
	for _, r := range runs { // a claim may have ended it first
		if r.Name != f.Name || r.Index <= last.Index {
			continue
		}
		if yes, err := trusted(r.Index); err != nil || yes {
			return fmt.Sprintf("%s was deployed in its place, says entry %d", shortArtifact(r.Name, string(r.Digest)), r.Index), err
		}
	}
	if yes, err := trusted(last.Ended); err != nil || !yes {
		return "", err
	}
	return fmt.Sprintf("it does not run there any more, says entry %d", last.Ended), nil
}

// closed is a finding as it is once it is closed.
func (w *workspace) closed(held heldFinding, why string) verdict.Finding {
	f := held.Finding
	f.State, f.Why, f.Closed, f.Replaces = verdict.FindingClosed, why, w.now(), held.entry
	return f
}

// findingStatement signs how a finding stands.
func (w *workspace) findingStatement(ctx context.Context, f verdict.Finding) (*evidence.Bundle, error) {
	about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: f.Name, Digest: f.Digest}
	return w.sign(ctx, verdict.KindFinding, about, f, verdict.Context{
		Service: f.Service, Environment: f.Environment, Point: f.Kind, Retention: retentionOf(verdict.KindFinding, nil),
	})
}

// closeEnded closes the findings of what a deployment or an outcome ended, and says how many.
// A version may still be vulnerable that took the place of another: that is among what was
// known of it when it was let in, and no finding of what runs.
func (w *workspace) closeEnded(ctx context.Context, m *decisionmap.Map, said verdict.Deployment) (n int, err error) {
	counts, err := w.counts(ctx, m)
	if err != nil {
		return 0, err
	}
	open, err := w.findings(ctx, ledger.Now, counts)
	if err != nil || len(open) == 0 {
		return 0, err
	}
	var all []*evidence.Bundle
	for _, id := range slices.Sorted(maps.Keys(open)) {
		f := open[id]
		if f.State != verdict.FindingOpen || f.Environment != said.Environment || f.Service != said.Service || f.Name != said.Name {
			continue
		}
		why, err := w.ended(ctx, f.Finding, counts)
		if err != nil {
			return 0, err
		}
		if why == "" {
			continue
		}
		b, err := w.findingStatement(ctx, w.closed(f, why))
		if err != nil {
			return 0, err
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		return 0, nil
	}
	_, err = w.ledger.AppendAll(ctx, all)
	return len(all), err
}
