package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/advisory"
	"verdict/artifact/exposure"
	"verdict/ledger"
)

// places opens and closes the findings of what runs.
func (x *rematching) places(ctx context.Context, running []ledger.RunsWith) error {
	step := x.w.app.progress.phase("matching again what runs")
	held, err := x.w.findings(ctx, ledger.Now, x.counts)
	if err != nil {
		return err
	}
	open := map[spot][]verdict.Finding{}
	for _, h := range held {
		if h.State == verdict.FindingOpen {
			open[spotOf(h.Finding)] = append(open[spotOf(h.Finding)], h.Finding)
		}
	}
	for i, r := range running {
		step.say("%s of %s", counted(int64(i)), counted(int64(len(running))))
		if err := x.place(ctx, r, held, open); err != nil {
			return err
		}
	}
	if err := x.gone(ctx, held); err != nil {
		return err
	}
	return x.flush(ctx)
}

// spot is where an artifact runs.
type spot struct {
	environment, service, name string
	digest                     verdict.Digest
}

func spotOf(f verdict.Finding) spot { return spot{f.Environment, f.Service, f.Name, f.Digest} }

// place opens the findings of one artifact in one environment.
func (x *rematching) place(ctx context.Context, r ledger.RunsWith, held map[verdict.Digest]heldFinding, open map[spot][]verdict.Finding) error {
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
	if len(news) == 0 {
		return nil
	}
	by, err := x.letIn(ctx, r.RunningRow)
	if err != nil {
		return err
	}
	for _, g := range news {
		f := x.findingOf(r, g, by)
		known, ok := held[f.Fingerprint]
		if ok && known.State == verdict.FindingOpen || knownAs(open[spotOf(f)], f) {
			continue
		}
		if ok {
			f.Replaces = known.entry
		}
		x.out.Opened++
		held[f.Fingerprint], open[spotOf(f)] = heldFinding{f, -1}, append(open[spotOf(f)], f)
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

// letIn is the decision that let in what runs; empty where none did.
func (x *rematching) letIn(ctx context.Context, r ledger.RunningRow) (string, error) {
	p, err := x.w.promotionOf(ctx, x.m, deploymentOf(r), ledger.Now)
	if err != nil || p.Problem != "" {
		return "", err
	}
	return p.ID, nil
}

func (x *rematching) findingOf(r ledger.RunsWith, g gained, by string) verdict.Finding {
	f := verdict.Finding{
		Kind: verdict.FindingVulnerable, State: verdict.FindingOpen, Environment: r.Environment, Service: r.Service, Name: r.Name, Digest: r.Digest, Decision: by,
		Advisories: append([]string{g.v.ID}, g.v.Aliases...), Severity: g.v.Severity, Exploited: g.v.Exploited, Malicious: g.v.Malicious,
		Components: g.components, Fixed: g.v.Fixed, Opened: x.w.now(), Replaces: -1,
	}
	f.Fingerprint = sha256Digest([]byte(strings.Join([]string{f.Kind, f.Environment, f.Service, f.Name, string(f.Digest), g.v.ID}, "\n")))
	return f
}

// knownAs reports whether an open finding of the same place is the same under another id.
func knownAs(open []verdict.Finding, f verdict.Finding) bool {
	return slices.ContainsFunc(open, func(o verdict.Finding) bool {
		return slices.ContainsFunc(o.Advisories, func(id string) bool { return slices.Contains(f.Advisories, id) })
	})
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
func (x *rematching) gone(ctx context.Context, all map[verdict.Digest]heldFinding) error {
	for _, id := range slices.Sorted(maps.Keys(all)) {
		held := all[id]
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
