package main

import (
	"context"
	"slices"

	"verdict"
	"verdict/ledger"
	"verdict/report"
)

// cameOf adds to a decision what people said that it rests on, and to a promotion the
// deployments that used it and what came of them.
func (w *workspace) cameOf(ctx context.Context, c *report.Case, at ledger.Position) error {
	d := &c.Decision
	c.RestedOn = report.RestedOn(*d)
	if d.Point != gatePoint || d.Environment == "" {
		return nil
	}
	deployments, err := w.deploymentsOf(ctx, d.Subject.Digest, at)
	if err != nil {
		return err
	}
	outcomes, err := w.outcomesOf(ctx, d.Subject.Digest, at)
	if err != nil || len(deployments)+len(outcomes) == 0 {
		return err
	}
	l, err := w.look(ctx, at, w.app.config.At)
	if err != nil {
		return err
	}
	until := map[[2]string]int64{} // of each service and artifact, the deployment that came after
	for _, x := range deployments {
		if x.What.Environment != d.Environment {
			continue
		}
		key := [2]string{x.What.Service, x.What.Name}
		end, any := until[key]
		if !any {
			end = -1
		}
		until[key] = x.Entry.Index
		used, err := l.used(ctx, x.What, d.ID)
		if err != nil {
			return err
		}
		if !used {
			continue
		}
		one, err := l.deployed(ctx, ledger.RunningRow{
			Index: x.Entry.Index, Environment: x.What.Environment, Service: x.What.Service, Name: x.What.Name, Digest: x.What.Digest, Decision: x.What.Decision, At: x.What.At, Ended: end,
		})
		if err != nil {
			return err
		}
		if one.Runs, err = l.runs(ctx, one); err != nil {
			return err
		}
		c.Deployments = append(c.Deployments, one)
	}
	for _, o := range outcomes { // of a promotion that nobody states to have been used
		if len(c.Deployments) == 0 && o.What.Decision == d.ID {
			c.Outcomes = append(c.Outcomes, l.aftermath(o))
		}
	}
	return nil
}

// used reports whether a deployment rests on a decision: it names it, or it names none and
// this was the gate's answer then.
func (l *looking) used(ctx context.Context, x verdict.Deployment, id string) (bool, error) {
	if x.Decision != "" {
		return x.Decision == id, nil
	}
	p, err := l.w.promotionOf(ctx, l.m, x, l.at)
	return p.ID == id, err
}

// runs reports whether a deployment is the last word on what runs there.
func (l *looking) runs(ctx context.Context, d report.Deployed) (bool, error) {
	rows, err := l.w.ledger.Running(ctx, ledger.RunningQuery{Digest: d.Digest, Environment: d.Environment, Service: d.Service, At: l.at})
	return slices.ContainsFunc(rows, func(r ledger.RunningRow) bool { return r.Name == d.Name }), err
}

// chain tells where a subject stands between its commit and what runs; nil where nothing
// was made of it or from it, and it runs nowhere.
func (w *workspace) chain(ctx context.Context, d verdict.Digest, at ledger.Position) (*report.Chain, error) {
	joins, err := w.ledger.Find(ctx, ledger.Query{Subject: d, Kind: verdict.KindDecision, Point: trustPoint, At: at, Limit: 1})
	if err != nil {
		return nil, err
	}
	rows, err := w.ledger.Running(ctx, ledger.RunningQuery{Digest: d, At: at})
	if err != nil || len(joins)+len(rows) == 0 {
		return nil, err
	}
	l, err := w.look(ctx, at, w.app.config.At)
	if err != nil {
		return nil, err
	}
	c := &report.Chain{}
	if c.Runs, err = l.runsOf(ctx, rows); err != nil {
		return nil, err
	}
	if kindOfSubject(d) == verdict.SubjectArtifact { // those of a commit are the answer itself
		if c.Answers, err = l.answers(ctx, d); err != nil {
			return nil, err
		}
	}
	if c.From, err = l.madeFrom(ctx, d); err != nil {
		return nil, err
	}
	made, err := l.madeOf(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, x := range made {
		s, err := l.link(ctx, x.Subject, x.ID)
		if err != nil {
			return nil, err
		}
		c.Made = append(c.Made, s)
	}
	if len(c.From)+len(c.Made)+len(c.Runs) == 0 {
		return nil, nil
	}
	return c, nil
}

// madeFrom links an artifact to what it was made from.
func (l *looking) madeFrom(ctx context.Context, d verdict.Digest) ([]report.Link, error) {
	x, err := l.trustedAs(ctx, d)
	if err != nil || x == nil {
		return nil, err
	}
	var out []report.Link
	for _, from := range x.From {
		s, err := l.link(ctx, verdict.Subject{Kind: kindOfSubject(from), Digest: from}, x.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// trustedAs is the newest answer of artifact.trust about an artifact, nil where none
// counts: it says what the artifact was made from.
func (l *looking) trustedAs(ctx context.Context, d verdict.Digest) (*verdict.Decision, error) {
	rows, err := l.w.counting(ctx, l.m, ledger.DecisionQuery{Subject: d, Point: trustPoint, At: l.at})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	x := &verdict.Decision{}
	return x, l.w.decode(ctx, rows[0].Index, x)
}

// madeOf lists the answer of artifact.trust that counts about each artifact that was made
// from a subject.
func (l *looking) madeOf(ctx context.Context, d verdict.Digest) ([]verdict.Decision, error) {
	entries, err := l.w.findAll(ctx, ledger.Query{Subject: d, Kind: verdict.KindDecision, Point: trustPoint, At: l.at})
	if err != nil {
		return nil, err
	}
	var seen []verdict.Digest
	var out []verdict.Decision
	for _, e := range entries {
		if e.Foreign || len(e.Subjects) == 0 || isAbout(e, d) || slices.Contains(seen, e.Subjects[0].Digest) {
			continue
		}
		seen = append(seen, e.Subjects[0].Digest)
		x, err := l.trustedAs(ctx, e.Subjects[0].Digest)
		if err != nil {
			return nil, err
		}
		if x != nil && slices.Contains(x.From, d) {
			out = append(out, *x)
		}
	}
	return out, nil
}

func (l *looking) link(ctx context.Context, s verdict.Subject, by string) (report.Link, error) {
	out := report.Link{Subject: s, By: by}
	var err error
	if out.Answers, err = l.answers(ctx, s.Digest); err != nil {
		return out, err
	}
	rows, err := l.w.ledger.Running(ctx, ledger.RunningQuery{Digest: s.Digest, At: l.at})
	if err != nil {
		return out, err
	}
	out.Runs, err = l.runsOf(ctx, rows)
	return out, err
}

// answers are those about a subject that stand, the first one first.
func (l *looking) answers(ctx context.Context, d verdict.Digest) ([]report.Answer, error) {
	rows, err := l.w.ledger.Decisions(ctx, ledger.DecisionQuery{Subject: d, At: l.at})
	out := []report.Answer{}
	for _, r := range slices.Backward(rows) {
		if r.Replaced < 0 {
			out = append(out, answerOf(r))
		}
	}
	return out, err
}

func (l *looking) runsOf(ctx context.Context, rows []ledger.RunningRow) ([]report.Deployed, error) {
	out := []report.Deployed{}
	for _, r := range rows {
		d, err := l.deployed(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}
