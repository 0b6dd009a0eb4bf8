package ledger

import (
	"context"
	"slices"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// What runs is a projection of deployments and of what came of them, in the order in
// which they were stated: the last word counts. It takes every statement of ours; whether
// its signer may say so is for the map's trust, when the answer is read.

// projectRun computes what a deployment or an outcome says of what runs, nil when it says
// nothing: it is not in the form of its kind, is about another digest than it names, or
// changes nothing.
func projectRun(s *evidence.Statement) *store.Run {
	var x verdict.Aftermath // has every field of a deployment that counts here
	if s.Decode(&x) != nil || x.Environment == "" || x.Service == "" || x.Name == "" {
		return nil
	}
	about := func(t verdict.Subject) bool { return t.Digest == x.Digest || slices.Contains(t.Also, x.Digest) }
	if d, err := verdict.ParseDigest(string(x.Digest)); err != nil || d != x.Digest || !slices.ContainsFunc(s.Subjects, about) {
		return nil
	}
	for _, w := range []string{x.Environment, x.Service, x.Name, string(x.Digest), x.Decision} {
		if word(string(s.Kind()), w) != nil {
			return nil
		}
	}
	r := &store.Run{Running: store.Running{
		To: store.Open, Environment: x.Environment, Service: x.Service, Name: x.Name, Digest: string(x.Digest), Decision: x.Decision, At: said(x.At),
	}}
	if s.Kind() == verdict.KindDeployment {
		return r
	}
	switch r.Ends = true; x.Result {
	case verdict.ResultRolledBack: // whatever let it in
		r.Decision = ""
		return r
	case verdict.ResultFailed: // what an earlier decision let in runs on
		return r
	}
	return nil
}

// RunningQuery chooses what runs. Empty fields choose all. The zero At is the position 0,
// before everything: set it to Now for what runs now.
type RunningQuery struct {
	Environment, Service string
	Digest               verdict.Digest
	At                   Position
	Ended                bool  // also what ran before At and does not any more
	Before               int64 // only what began with an entry of a smaller index; 0: all
	Limit                int   // at most 10,000, which is also what 0 means
}

// RunningRow is a digest that is stated to run.
type RunningRow struct {
	Index       int64          `json:"index"` // of the deployment with which it began
	Environment string         `json:"environment"`
	Service     string         `json:"service"`
	Name        string         `json:"name"` // of the artifact
	Digest      verdict.Digest `json:"digest"`
	Decision    string         `json:"decision"` // the promotion that the deployment names; empty: none
	At          time.Time      `json:"at"`       // since when, as the deployment states
	// Ended is the index of the entry with which it ended, -1 while it runs.
	Ended int64 `json:"ended"`
}

// Running lists what is stated to run, the last that was deployed first. Statements of
// others are claims and are not among them. An empty list says that nothing was stated,
// not that nothing runs.
func (l *Ledger) Running(ctx context.Context, q RunningQuery) ([]RunningRow, error) {
	out := []RunningRow{}
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		rows, err := v.Running(ctx, store.RunningQuery{
			Environment: q.Environment, Service: q.Service, Digest: string(q.Digest), At: q.At.upTo(), Ended: q.Ended, Before: q.Before, Limit: limited(q.Limit),
		})
		for _, r := range rows {
			out = append(out, runningRow(r, q.At))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func runningRow(r store.Running, at Position) RunningRow {
	out := RunningRow{
		Index: r.From, Environment: r.Environment, Service: r.Service, Name: r.Name, Digest: verdict.Digest(r.Digest), Decision: r.Decision, At: fromMicros(r.At), Ended: -1,
	}
	if r.To < at.upTo() {
		out.Ended = r.To
	}
	return out
}

// runKey is of what one digest runs at a time.
type runKey struct{ environment, service, name string }

// runs follows which row is open while statements are read in the order of the log.
type runs struct {
	rows map[int64]*store.Running // every row, by the entry that it comes from
	open map[runKey]*store.Running
}

func newRuns() *runs {
	return &runs{rows: map[int64]*store.Running{}, open: map[runKey]*store.Running{}}
}

// change does what the store does with a statement, and gives the row that it ended and
// the one that it began.
func (s *runs) change(r store.Run) (ended, began *store.Running) {
	key := runKey{r.Environment, r.Service, r.Name}
	now := s.open[key]
	same := now != nil && now.Digest == r.Digest
	if r.Ends && same && (r.Decision == "" || r.Decision == now.Decision) || !r.Ends && now != nil && !same {
		ended = now
		ended.To = r.From
		delete(s.open, key)
	}
	if !r.Ends && s.open[key] == nil {
		row := r.Running
		row.To = store.Open
		began = &row
		s.open[key], s.rows[r.From] = began, began
	}
	return ended, began
}
