package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/report"
)

func environmentsCommand() command {
	return command{
		use: "environments [E]", short: "Tell what runs in the environments, and what let it in",
		long: "Without E, each environment with what is at stake there, how much runs, which answers of the gate wait for approval, and whether it is closed to changes. With E, what runs there: since when, who deployed it, what let it in, and what came of it.\n\n" +
			"The answer comes from the deployments and outcomes that were stated (verdict attest deployment), in their order. A statement whose signer the map does not trust with deployments of the service there is told as a claim. " +
			"That nothing was stated does not say that nothing runs.",
		example: "verdict environments\nverdict environments production\nverdict environments production --at 2h\nverdict environments staging -o json",
		args:    atMost(1), formats: textOrJSON, reads: true,
		complete: func(a *app, args []string) []string {
			t, err := a.findMap()
			if err != nil || len(args) > 0 {
				return nil
			}
			m, err := t.load()
			if err != nil {
				return nil
			}
			return slices.Sorted(maps.Keys(m.Environments))
		},
		setup: reading(environments),
	}
}

func environments(ctx context.Context, w *workspace, args []string) error {
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	l, err := w.look(ctx, at, w.app.config.At)
	if err != nil {
		return err
	}
	l.brief = len(args) == 0
	x := report.Environments{Position: l.size, At: l.now, Map: l.from, Detail: len(args) == 1}
	names := slices.Collect(maps.Keys(l.m.Environments))
	rows, err := w.ledger.Running(ctx, ledger.RunningQuery{At: at, Ended: true})
	if err != nil {
		return err
	}
	for _, r := range rows {
		names = append(names, r.Environment)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if x.Detail {
		if !slices.Contains(names, args[0]) {
			return usage("verdict environments", fmt.Sprintf("%s has no environment %s", l.from, report.Neutral(args[0])), meant(args[0], names, "", listedOr(names, "declare it under environments: of the map")))
		}
		names = args
	}
	for _, name := range names {
		e, err := l.environment(ctx, name)
		if err != nil {
			return err
		}
		x.List = append(x.List, e)
	}
	return w.app.write(func(out io.Writer, format string, s report.Style) error {
		return report.WriteEnvironments(out, format, x, s)
	})
}

// looking answers questions about one position of the log.
type looking struct {
	w       *workspace
	at      ledger.Position
	size    int64
	now     time.Time // that the answer is of
	m       *decisionmap.Map
	from    string
	trusted judge
	brief   bool // what runs is counted, and nobody reads what came of it
}

// look fixes what is looked at: a position, its time, and the map that held then.
func (w *workspace) look(ctx context.Context, at ledger.Position, when moment) (*looking, error) {
	l := &looking{w: w, at: at}
	var err error
	if l.size, err = w.size(ctx, at); err != nil {
		return nil, err
	}
	if l.now, err = w.timeOf(ctx, when, at); err != nil {
		return nil, err
	}
	if l.m, l.from, err = w.mapOfPeople(ctx, at); err != nil {
		return nil, err
	}
	l.trusted, err = w.trusting(ctx, l.m)
	return l, err
}

// environment tells all that is known of one.
func (l *looking) environment(ctx context.Context, name string) (report.Environment, error) {
	e, declared := l.m.Environments[name]
	out := report.Environment{
		Name: name, Declared: declared, Tier: e.Tier, Exposure: e.Exposure, Data: e.Data, BlastRadius: e.BlastRadius, Rollback: e.Rollback, Chain: chainTo(l.m, name),
	}
	for _, f := range e.Freezes {
		if f.Holds(l.now) {
			out.Closed = fmt.Sprintf("frozen until %s: %s", f.To.UTC().Format("2006-01-02 15:04 UTC"), f.Reason)
		}
	}
	if out.Closed == "" && e.Hours != nil && !e.Hours.Open(l.now) {
		out.Closed = "outside of its hours"
	}
	waiting, err := l.w.counting(ctx, l.m, ledger.DecisionQuery{Point: gatePoint, Environment: name, Outcome: verdict.Review, At: l.at})
	if err != nil {
		return out, err
	}
	for _, d := range waiting {
		if d.Replaced < 0 && d.Enforced == verdict.Review && (d.Expires.IsZero() || l.now.Before(d.Expires)) {
			out.OpenReviews = append(out.OpenReviews, answerOf(d))
		}
	}
	rows, err := l.w.ledger.Running(ctx, ledger.RunningQuery{Environment: name, At: l.at, Ended: true})
	if err != nil {
		return out, err
	}
	out.Stated = len(rows) > 0
	if err := l.running(ctx, rows, &out); err != nil {
		return out, err
	}
	return out, nil
}

func answerOf(d ledger.DecisionRow) report.Answer {
	return report.Answer{ID: d.ID, Point: d.Point, Environment: d.Environment, Outcome: d.Outcome, Enforced: d.Enforced, At: d.At}
}

// chainTo lists the environments that come before one, the first one first, and says where
// the chain does not hold together.
func chainTo(m *decisionmap.Map, name string) []string {
	before, whole := m.Chain(name)
	out := slices.Clone(before)
	slices.Reverse(out)
	if !whole && len(out) > 0 {
		out = append([]string{"?"}, out...)
	}
	return out
}

// running fills in what runs by the rows of an environment, the last that began first, and
// what ended without anything in its place.
func (l *looking) running(ctx context.Context, rows []ledger.RunningRow, out *report.Environment) error {
	type key struct{ service, name string }
	services, seen := map[string]bool{}, map[key]bool{}
	for _, r := range rows {
		k := key{r.Service, r.Name}
		if seen[k] {
			continue
		}
		seen[k] = true // the first row of a key is its last
		d, err := l.deployed(ctx, r)
		if err != nil {
			return err
		}
		if r.Ended >= 0 {
			x := report.Ended{Deployed: d}
			if err := l.endOf(ctx, r, &x); err != nil {
				return err
			}
			out.Ended = append(out.Ended, x)
			continue
		}
		one := report.Running{Deployed: d}
		if one.Promotion, err = l.promotion(ctx, r); err != nil {
			return err
		}
		if !d.Trusted {
			out.Claims++
			if one.Instead, err = l.before(ctx, r, rows); err != nil {
				return err
			}
		}
		if one.Promotion.Problem != "" {
			out.Unpromoted++
		}
		services[r.Service] = true
		out.Artifacts++
		out.Runs = append(out.Runs, one)
	}
	out.Services = int64(len(services))
	if l.brief {
		out.Runs, out.Ended = nil, nil
		return nil
	}
	slices.SortStableFunc(out.Runs, func(a, b report.Running) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(out.Ended, func(a, b report.Ended) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

// deployed tells the deployment that a row comes from, and what came of it.
func (l *looking) deployed(ctx context.Context, r ledger.RunningRow) (report.Deployed, error) {
	d := report.Deployed{
		Environment: r.Environment, Service: r.Service, Team: l.m.Services[r.Service].Team, Name: r.Name, Digest: r.Digest, At: r.At, Runs: r.Ended < 0,
	}
	e, err := l.w.ledger.Entry(ctx, r.Index)
	if err != nil {
		return d, err
	}
	d.Recorded, d.Run = e.Ref(), e.Context.Run
	d.By, d.Trusted = l.trusted(e, string(e.Kind), r.Service, r.Environment)
	if l.brief {
		return d, nil
	}
	var x verdict.Deployment
	if !e.Pruned {
		if err := l.w.decode(ctx, r.Index, &x); err != nil {
			return d, err
		}
		d.Rollback = x.Rollback
	}
	outcomes, err := l.w.outcomesOf(ctx, r.Digest, l.at)
	if err != nil {
		return d, err
	}
	for _, o := range outcomes {
		if o.What.Environment == r.Environment && o.What.Service == r.Service && o.What.Name == r.Name && o.Entry.Index > r.Index && (r.Ended < 0 || o.Entry.Index <= r.Ended) {
			d.Outcomes = append(d.Outcomes, l.aftermath(o))
		}
	}
	return d, nil
}

func (l *looking) aftermath(o ourWord[verdict.Aftermath]) report.Aftermath {
	x := report.Aftermath{Result: o.What.Result, At: o.What.At, Detail: o.What.Detail, Link: o.What.Link, Recorded: o.Entry.Ref()}
	x.By, x.Trusted = l.trusted(o.Entry, string(o.Entry.Kind), o.What.Service, o.What.Environment)
	return x
}

// promotion is what let in what a row says, as it stands at the position.
func (l *looking) promotion(ctx context.Context, r ledger.RunningRow) (report.Promotion, error) {
	p, err := l.w.promotionOf(ctx, l.m, deploymentOf(r), l.at)
	p.Expired = !p.Expires.IsZero() && !l.now.Before(p.Expires)
	return p, err
}

// endOf says what ended a row.
func (l *looking) endOf(ctx context.Context, r ledger.RunningRow, x *report.Ended) error {
	e, err := l.w.ledger.Entry(ctx, r.Ended)
	if err != nil {
		return err
	}
	x.Until = e.At
	if e.Kind != verdict.KindOutcome || e.Pruned {
		return nil
	}
	var o verdict.Aftermath
	err = l.w.decode(ctx, r.Ended, &o)
	x.Result = o.Result
	return err
}

// before is what a trusted signer stated to run where a claim took its place.
func (l *looking) before(ctx context.Context, r ledger.RunningRow, rows []ledger.RunningRow) (*report.Deployed, error) {
	for _, b := range rows {
		if b.Index >= r.Index || b.Service != r.Service || b.Name != r.Name {
			continue
		}
		d, err := l.deployed(ctx, b)
		if err != nil {
			return nil, err
		}
		if d.Trusted {
			return &d, nil
		}
	}
	return nil, nil
}
