package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/git"
	"verdict/ledger"
	"verdict/report"
)

// maxLookBack bounds how many earlier runs of a check are read to find where a risk was
// before.
const maxLookBack = 200

// tellRecurring marks the new hits of a report whose pattern an earlier run of the same
// check found, and a later one no longer: somebody took the risk out, and here it is again
// under another name. What was never gone does not recur. It says where it was and who took
// it out, as far as the repository has that commit.
func (w *workspace) tellRecurring(ctx context.Context, r *verdict.Report, about verdict.Subject, service string, repo *git.Repo) error {
	if !slices.ContainsFunc(r.Hits, func(h verdict.Hit) bool { return h.Pattern != "" && !h.Old }) {
		return nil
	}
	rows, err := w.ledger.Find(ctx, ledger.Query{Kind: verdict.KindTestResult, Service: service, Point: "ci." + r.Check, At: ledger.Now, Limit: maxLookBack})
	if err != nil {
		return fmt.Errorf("find earlier runs of %s: %w", r.Check, err)
	}
	var runs []earlierRun
	for _, e := range rows {
		if run, ok := w.earlierRun(ctx, e, about); ok && run.report.Check == r.Check {
			runs = append(runs, run)
		}
	}
	for i := range r.Hits {
		h := &r.Hits[i]
		if h.Pattern == "" || h.Old {
			continue
		}
		if h.Recurs = recurrence(runs, h.Pattern); h.Recurs != nil {
			h.Message += "; " + recurs(ctx, repo, *h.Recurs)
		}
	}
	return nil
}

// earlierRun is one run of a check about a commit.
type earlierRun struct {
	report *verdict.Report
	change verdict.Digest
}

// earlierRun reads a run that is about another commit than this one. A body that is gone or
// cannot be read tells nothing, and nothing is concluded from it.
func (w *workspace) earlierRun(ctx context.Context, e ledger.Entry, now verdict.Subject) (earlierRun, bool) {
	if e.Pruned || len(e.Subjects) != 1 || e.Subjects[0].Kind != verdict.SubjectChange || e.Subjects[0].Digest == now.Digest {
		return earlierRun{}, false
	}
	b, err := w.ledger.Bundle(ctx, e.Index)
	if err != nil {
		return earlierRun{}, false
	}
	s, err := b.Statement()
	if err != nil {
		return earlierRun{}, false
	}
	r, ok := evidence.ReportOf(s)
	return earlierRun{r, e.Subjects[0].Digest}, ok
}

// recurrence goes back from the newest run. A run that is incomplete, or of a part, cannot
// show that a pattern was gone.
func recurrence(newestFirst []earlierRun, pattern string) *verdict.Recurrence {
	gone := verdict.Digest("")
	for _, run := range newestFirst {
		i := slices.IndexFunc(run.report.Hits, func(h verdict.Hit) bool { return h.Pattern == pattern })
		switch {
		case i >= 0 && gone == "": // it was never gone
			return nil
		case i >= 0:
			h := run.report.Hits[i]
			return &verdict.Recurrence{Path: h.Path, Line: h.Line, Found: run.change, Gone: gone}
		case run.report.Complete && run.report.Scope.Path == "." && len(run.report.Scope.Paths) == 0:
			gone = run.change
		}
	}
	return nil
}

// recurs tells it in words. Names of people stay in git: evidence holds none.
func recurs(ctx context.Context, repo *git.Repo, r verdict.Recurrence) string {
	where := r.Path
	if r.Line > 0 {
		where = fmt.Sprintf("%s:%d", r.Path, r.Line)
	}
	by := r.Gone.Short() + " no longer had it"
	if repo != nil {
		if c, err := repo.Commit(ctx, r.Gone.Hex()); err == nil {
			subject, _, _ := strings.Cut(c.Message, "\n")
			by = fmt.Sprintf("%s took it out (%s): git show %[1]s tells who, and how", r.Gone.Short(), report.Cut(report.Neutral(subject), 80))
		}
	}
	return "the same risk was here before, in " + where + ", until " + by
}
