package decide

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"verdict"
	"verdict/decisionmap"
	"verdict/policy"
)

// planner works out, once for each policy and map that decisions were taken by, which rules
// the other policy asks at their points. Maps are as many as changes of them, so neither
// they nor the bundles of then are kept: only what follows from them.
type planner struct {
	test *Backtest

	mu    sync.Mutex // guards plans and read
	plans map[Blobs]*plan
	read  map[verdict.Digest]*readings
}

// Bounds of what is kept: beyond them it is worked out anew.
const (
	maxPlans    = 2000
	maxReadings = 8 // compiled bundles; decisions near each other rest on the same
)

// plan is what another policy asks at the points of a map.
type plan struct {
	lost   string // why it cannot be told; the rest is empty
	points map[string]pointPlan
	other  bool // the built-in rules of then were others than those of this policy
}

// pointPlan is what it asks at one point.
type pointPlan struct {
	rules    []verdict.Rule
	news     map[string][]string // by rule: what it reads and no rule of the point read then
	selector string              // the first one that names no rule; empty: each does
}

// readings is what the rules of a recorded bundle read, by id, and the built-in files.
type readings struct {
	bundle *policy.Bundle // nil where it does not compile any more
	files  map[string]string
}

// of gives the plan for a decision.
func (p *planner) of(ctx context.Context, rec *recorded) (*plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.plans[rec.Basis.Blobs]; ok {
		return known, nil
	}
	made, err := p.make(ctx, rec.Basis.Blobs)
	if err != nil {
		return nil, err
	}
	if p.plans == nil || len(p.plans) >= maxPlans {
		p.plans = map[Blobs]*plan{}
	}
	p.plans[rec.Basis.Blobs] = made
	return made, nil
}

// make works a plan out. Only the end of ctx is an error: a blob that is gone leaves the
// decisions that rest on it indeterminate.
func (p *planner) make(ctx context.Context, b Blobs) (*plan, error) {
	then, err := p.readings(ctx, b.Policy)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return &plan{lost: "its policy is gone: " + err.Error()}, nil
	}
	m, err := p.mapOf(ctx, b.Map)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return &plan{lost: "its map is gone: " + err.Error()}, nil
	}
	out := &plan{points: map[string]pointPlan{}, other: !maps.Equal(builtinFiles(then.files), builtinFiles(p.test.Policy.Files()))}
	asks := m
	if p.test.Map != nil {
		asks = p.test.Map
	}
	for _, point := range asks.Points {
		was, _ := m.Point(point.ID)
		out.points[point.ID] = p.point(point, was, then.bundle)
	}
	return out, nil
}

// point plans one point: was is the point of the decision's map, which selects the rules
// whose reads were asked then.
func (p *planner) point(point, was decisionmap.Point, then *policy.Bundle) pointPlan {
	out := pointPlan{rules: active(point, p.test.Policy), news: map[string][]string{}}
	for _, s := range point.Policy {
		if _, ok := p.test.Policy.Select(s); !ok {
			out.selector = s
			return out
		}
	}
	var read []string
	if then != nil {
		for _, r := range active(was, then) {
			read = append(read, r.Reads...)
		}
	}
	for _, r := range out.rules {
		for _, name := range r.Reads {
			if !slices.ContainsFunc(read, func(known string) bool { return within(name, known) }) {
				out.news[r.ID] = append(out.news[r.ID], name)
			}
		}
	}
	return out
}

func (p *planner) mapOf(ctx context.Context, blob verdict.Digest) (*decisionmap.Map, error) {
	content, err := p.test.Ledger.Blob(ctx, blob)
	if err != nil {
		return nil, err
	}
	return decisionmap.Load("recorded map", content)
}

// readings reads a recorded bundle. One that this engine does not compile counts as having
// read nothing, which leaves more decisions indeterminate and no fewer.
func (p *planner) readings(ctx context.Context, blob verdict.Digest) (*readings, error) {
	if known, ok := p.read[blob]; ok {
		return known, nil
	}
	content, err := p.test.Ledger.Blob(ctx, blob)
	if err != nil {
		return nil, err
	}
	files, err := bundleFiles(content)
	if err != nil {
		return nil, err
	}
	out := &readings{files: files}
	if maps.Equal(files, p.test.Policy.Files()) {
		out.bundle = p.test.Policy
	} else if b, err := policy.Restore(files); err == nil {
		out.bundle = b
	}
	if p.read == nil || len(p.read) >= maxReadings {
		p.read = map[verdict.Digest]*readings{}
	}
	p.read[blob] = out
	return out, nil
}

// builtinFiles are those of a bundle that came with the program.
func builtinFiles(files map[string]string) map[string]string {
	out := map[string]string{}
	for name, text := range files {
		if strings.HasPrefix(name, policy.BuiltinPrefix) {
			out[name] = text
		}
	}
	return out
}
