package main

import (
	"cmp"
	"context"
	"io"
	"slices"

	"verdict"
	"verdict/decide"
	"verdict/ledger"
	"verdict/report"
)

func diffCommand() command {
	return command{
		use: "diff E T1 T2", short: "Tell what changed in an environment between two times",
		long: "T1 and T2 are times, numbers of log entries, or how long ago (2h, 7d), as --at takes them; now is the end of the log. What was deployed, replaced, rolled back or ended is told for each service with who stated it and what let it in, " +
			"and with the commits that both artifacts were made from where artifact.trust took them; then the accepted risks that began or ended to hold there, and the findings that were stated.",
		example: "verdict diff production 7d now\nverdict diff production 2026-01-31T18:00:00Z 2026-02-01T18:00:00Z -o json\nverdict diff staging 4100 4120",
		args:    exactly(3), formats: textOrJSON,
		setup: reading(changes),
	}
}

func changes(ctx context.Context, w *workspace, args []string) error {
	var ends [2]*looking
	for i, text := range args[1:] {
		var at moment
		if text != "now" {
			var err error
			if at, err = parseMoment(text); err != nil {
				return named([]string{"T1", "T2"}[i], "verdict diff --help", err)
			}
		}
		p, err := w.positionOf(ctx, "", at)
		if err != nil {
			return err
		}
		if ends[i], err = w.look(ctx, p, at); err != nil {
			return err
		}
	}
	from, to := ends[0], ends[1]
	from.at, to.at = ledger.Position(from.size), ledger.Position(to.size)
	if from.at > to.at {
		return usage("verdict diff --help", "T1 is after T2", "write verdict diff "+args[0]+" "+args[2]+" "+args[1])
	}
	rows, err := w.ledger.Running(ctx, ledger.RunningQuery{Environment: args[0], At: to.at, Ended: true})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		if _, err := environmentIn(to.m, to.from, args[0]); err != nil {
			return err
		}
	}
	x := report.Changes{
		Environment: args[0], Map: to.from, Stated: len(rows) > 0,
		From: report.Bound{Position: from.size, At: from.now}, To: report.Bound{Position: to.size, At: to.now},
	}
	if x.Services, err = to.changes(ctx, rows, from.at); err != nil {
		return err
	}
	if x.Exceptions, err = to.accepted(ctx, from, args[0]); err != nil {
		return err
	}
	if x.Findings, err = to.findings(ctx, from.at, args[0]); err != nil {
		return err
	}
	var left [3]int
	x.Services, left[0] = shown(w.app, x.Services)
	x.Exceptions, left[1] = shown(w.app, x.Exceptions)
	x.Findings, left[2] = shown(w.app, x.Findings)
	x.NotShown = left[0] + left[1] + left[2]
	return w.app.write(func(out io.Writer, format string, s report.Style) error {
		return report.WriteChanges(out, format, x, s)
	})
}

// changes tells what the rows of an environment, the last that began first, say of the
// time since a position.
func (l *looking) changes(ctx context.Context, rows []ledger.RunningRow, since ledger.Position) ([]report.Change, error) {
	type key struct{ service, name string }
	byKey := map[key]*report.Change{}
	for _, r := range slices.Backward(rows) {
		began, ended := ledger.Position(r.Index) >= since, r.Ended >= 0 && ledger.Position(r.Ended) >= since
		k := key{r.Service, r.Name}
		c := byKey[k]
		if c == nil {
			c = &report.Change{Service: r.Service, Team: l.m.Services[r.Service].Team, Name: r.Name}
			byKey[k] = c
		}
		if !began && (r.Ended < 0 || ended) {
			c.Before = r.Digest
		}
		if r.Ended < 0 {
			c.After = r.Digest
		}
		if began {
			d, err := l.deployed(ctx, r)
			if err != nil {
				return nil, err
			}
			p, err := l.promotion(ctx, r)
			if err != nil {
				return nil, err
			}
			c.Steps = append(c.Steps, report.Step{Deployed: d, Promotion: &p})
		}
		if ended {
			if err := l.ended(ctx, r, c); err != nil {
				return nil, err
			}
		}
	}
	out := []report.Change{}
	for _, c := range byKey {
		if len(c.Steps) == 0 {
			continue
		}
		c.What = whatChanged(*c)
		for _, p := range []struct {
			of   verdict.Digest
			into *verdict.Digest
		}{{c.Before, &c.CommitBefore}, {c.After, &c.CommitAfter}} {
			var err error
			if *p.into, err = l.commitOf(ctx, p.of); err != nil {
				return nil, err
			}
		}
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b report.Change) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// ended adds the step that ended a row, where that was no other deployment.
func (l *looking) ended(ctx context.Context, r ledger.RunningRow, c *report.Change) error {
	e, err := l.w.ledger.Entry(ctx, r.Ended)
	if err != nil || e.Kind != verdict.KindOutcome {
		return err
	}
	x := report.Ended{}
	if err := l.endOf(ctx, r, &x); err != nil {
		return err
	}
	s := report.Step{Result: cmp.Or(x.Result, verdict.ResultFailed), Deployed: report.Deployed{
		Environment: r.Environment, Service: r.Service, Team: c.Team, Name: r.Name, Digest: r.Digest, At: e.At, Recorded: e.Ref(), Run: e.Context.Run,
	}}
	s.By, s.Trusted = l.trusted(e, string(e.Kind), r.Service, r.Environment)
	c.Steps = append(c.Steps, s)
	return nil
}

// whatChanged is the change in one word.
func whatChanged(c report.Change) string {
	last := c.Steps[len(c.Steps)-1]
	switch {
	case c.Before == c.After && c.Before == "":
		return "came and went"
	case c.Before == c.After:
		return "returned"
	case c.After == "" && last.Result == verdict.ResultRolledBack:
		return "rolled back"
	case c.After == "":
		return "ended"
	case c.Before == "":
		return "deployed"
	case last.Rollback:
		return "rolled back"
	}
	return "replaced"
}

// commitOf is the commit that an artifact was made from, as artifact.trust took it; empty:
// not known.
func (l *looking) commitOf(ctx context.Context, d verdict.Digest) (verdict.Digest, error) {
	if d == "" {
		return "", nil
	}
	x, err := l.trustedAs(ctx, d)
	if err != nil || x == nil {
		return "", err
	}
	for _, from := range x.From {
		if from.Algorithm() == "gitCommit" {
			return from, nil
		}
	}
	return "", nil
}

// accepted lists the exceptions for an environment that began or ended to hold.
func (l *looking) accepted(ctx context.Context, from *looking, environment string) ([]report.Accept, error) {
	held, err := from.exceptions(ctx, environment)
	if err != nil {
		return nil, err
	}
	holds, err := l.exceptions(ctx, environment)
	if err != nil {
		return nil, err
	}
	out := []report.Accept{}
	for id, x := range holds {
		before, now := held[id].State(from.now), x.State(l.now)
		was := held[id].ID != "" && before == decide.ExceptionActive
		switch is := now == decide.ExceptionActive; {
		case is && !was:
			out = append(out, report.Accept{ID: x.ID, Rule: x.Rule, Service: x.Service, Began: true, Expires: x.Expires})
		case was && !is:
			out = append(out, report.Accept{ID: x.ID, Rule: x.Rule, Service: x.Service, Why: first(x.Why, now), Expires: x.Expires})
		}
	}
	slices.SortFunc(out, func(a, b report.Accept) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// exceptions are those for an environment as they stand at the position, by id.
func (l *looking) exceptions(ctx context.Context, environment string) (map[string]decide.ExceptionRecord, error) {
	all, err := (&decide.Persons{Ledger: l.w.ledger, Map: l.m, At: l.at}).Exceptions(ctx, "", environment)
	out := map[string]decide.ExceptionRecord{}
	for _, x := range all {
		out[x.ID] = x
	}
	return out, err
}

// findings are those that were stated about an environment since a position.
func (l *looking) findings(ctx context.Context, since ledger.Position, environment string) ([]report.Finding, error) {
	entries, err := l.w.findAll(ctx, ledger.Query{Kind: verdict.KindFinding, Environment: environment, At: l.at})
	if err != nil {
		return nil, err
	}
	out := []report.Finding{}
	for _, e := range entries {
		if ledger.Position(e.Index) < since {
			break
		}
		if e.Foreign || len(e.Subjects) == 0 {
			continue
		}
		var x verdict.Finding
		if !e.Pruned {
			if err := l.w.decode(ctx, e.Index, &x); ctx.Err() != nil {
				return nil, err
			} else if err != nil { // in a form of somebody's own: that it was stated is told
				x = verdict.Finding{}
			}
		}
		out = append(out, report.Finding{
			Subject: e.Subjects[0], Service: first(x.Service, e.Context.Service), Kind: first(x.Kind, "finding"), State: first(string(x.State), "stated"), Advisories: x.Advisories, Recorded: e.Ref(),
		})
	}
	return out, nil
}
