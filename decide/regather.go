package decide

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
)

// A record that agrees with itself can still be invented. What nobody can invent
// afterwards is the ledger before it, the map and the bundle: so replay gathers once
// more at the position that the decision saw, and holds the recorded basis against that.

// Facts says whether the facts of a decision were found again in the ledger.
type Facts struct {
	// State is verified where the same facts were gathered again, failed where others
	// were, and unknown where the ledger no longer holds all that was read.
	State verdict.State `json:"state"`
	Why   string        `json:"why"`
	// Seen is the position that the decision says it gathered at.
	Seen ledger.Position `json:"seen"`
	// Late are entries that would have counted and came after Seen but before the
	// decision was recorded.
	Late []int64 `json:"late"`
}

// found holds the basis of a record against the map, the bundle and the ledger that it
// names, and gives the input to evaluate. It sets Trusted, Facts and Difference of out.
func (r *Replayer) found(ctx context.Context, rec *recorded, entry ledger.Entry, m *chart, b *policy.Bundle, out *Replayed) (*policy.Input, error) {
	d, basis := rec.Decision, rec.Basis
	out.Facts = Facts{State: verdict.StateFailed, Seen: basis.Seen, Late: []int64{}}
	point, ok := m.Point(d.Point)
	if !ok || m.digest != d.Digests.Map || m.points[d.Point] != d.Digests.Point {
		out.Difference = fmt.Sprintf("point %s of map %s is not that of the recorded map %s", d.Point, d.Digests.Map, m.digest)
		return policy.ParseInput(basis.Input)
	}
	e := &Engine{Ledger: r.Ledger, Map: m.Map, Policy: b, KeyName: r.KeyName}
	q := Request{
		Point: d.Point, Subject: d.Subject, Service: d.Service, Team: d.Team, Environment: d.Environment, Trigger: d.Trigger, Actor: d.Actor,
	}
	out.Trusted = e.rank(entry.Producer, point.Produces.Kind, q, ledger.Position(entry.Index)) != Untrusted
	g, err := e.gather(ctx, q, point, moment{d.ID, d.At, min(basis.Seen, ledger.Position(entry.Index))})
	if err != nil {
		return nil, fmt.Errorf("gather again for decision %s: %w", d.ID, err)
	}
	again, err := g.input.Canonical()
	if err != nil {
		return nil, err
	}
	c := e.caseOf(g, q, point, active(point, b), d.At)
	if bytes.Equal(again, basis.Input) && sameCase(c, basis.Case) && slices.EqualFunc(d.Evidence, g.refs, sameRef) &&
		basis.Seen <= ledger.Position(entry.Index) && entry.At.Sub(d.At).Abs() <= maxSkew &&
		basis.Partial == point.AllowPartial && d.Digests.Capabilities == b.Capabilities() {
		out.Facts.State = verdict.StateVerified
		return g.input, e.late(ctx, q, point, entry, out)
	}
	in, err := policy.ParseInput(basis.Input)
	if err != nil {
		return nil, fmt.Errorf("input of decision %s: %w", d.ID, err)
	}
	out.Difference = departs(d, basis, entry, in, point, b, c, g)
	if out.Difference == "" && g.unread != "" {
		out.Facts.State, out.Facts.Why = verdict.StateUnknown, g.unread
		return in, e.late(ctx, q, point, entry, out)
	}
	if out.Difference == "" {
		out.Difference = cmp.Or(firstDifference("input", basis.Input, again), firstDifference("case", canonical(basis.Case), canonical(c)),
			"the record does not name the evidence that was gathered again")
	}
	out.Facts.Why = out.Difference
	return in, nil
}

// departs names the first thing of a basis that does not need the bodies of evidence to
// be told wrong: rules, needs or mode other than those of its point, a case or an input
// about something else, evidence that is not in the ledger.
func departs(d verdict.Decision, b Basis, entry ledger.Entry, in *policy.Input, point decisionmap.Point, p *policy.Bundle, again Case, g *gathered) string {
	c := b.Case
	if gap := entry.At.Sub(d.At).Abs(); gap > maxSkew {
		return fmt.Sprintf("the decision says that it was taken %s, and was recorded %s", d.At.Format(time.RFC3339), entry.At.Format(time.RFC3339))
	}
	if b.Seen > ledger.Position(entry.Index) {
		return fmt.Sprintf("the decision is entry %d and says that it saw %d entries", entry.Index, b.Seen)
	}
	known := map[int64]verdict.Ref{}
	for _, ref := range g.about {
		known[ref.Index] = ref
	}
	for _, found := range []string{
		differ("active rules", c.Rules, again.Rules), differ("needs", needsOf(c.Facts), needsOf(again.Facts)), differ("mode", c.Mode, again.Mode),
		differ("point", c.Point, d.Point), differ("layer", c.Layer, point.Layer), differ("service", c.Service, d.Service),
		differ("environment", c.Environment, d.Environment), differ("time", c.At, d.At), differ("policy digest", c.Policy, d.Digests.Policy),
		differ("capabilities digest", d.Digests.Capabilities, p.Capabilities()), differ("partial rules", b.Partial, point.AllowPartial),
		differ("decision of the input", in.Decision, g.input.Decision), differ("subject of the input", in.Subject, g.input.Subject),
		differ("service of the input", in.Service, g.input.Service), differ("evidence of the input", len(in.Evidence), len(d.Evidence)),
	} {
		if found != "" {
			return found
		}
	}
	for _, ref := range d.Evidence {
		is, ok := known[ref.Index]
		switch {
		case !ok:
			return fmt.Sprintf("evidence in entry %d is not among what position %d of the ledger holds about the subject for this point", ref.Index, b.Seen)
		case !sameRef(is, ref):
			return differ(fmt.Sprintf("evidence in entry %d", ref.Index), ref, is)
		}
	}
	return ""
}

func needsOf(facts []Fact) []string {
	out := []string{}
	for _, f := range facts {
		out = append(out, f.Need)
	}
	return out
}

// late lists what came between gathering and recording.
func (e *Engine) late(ctx context.Context, r Request, p decisionmap.Point, decision ledger.Entry, out *Replayed) error {
	if out.Facts.Seen >= ledger.Position(decision.Index) {
		return nil
	}
	for _, need := range p.Needs {
		all, _, err := e.statements(ctx, r, need.Kind, ledger.Position(decision.Index))
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Ref.Index < int64(out.Facts.Seen) || s.Rank == Untrusted {
				continue
			}
			out.Facts.Late = append(out.Facts.Late, s.Ref.Index)
			if waited := decision.At.Sub(s.Ref.At); waited > maxSkew && out.Difference == "" {
				out.Difference = fmt.Sprintf("entry %d had been in the ledger for %s when the decision was recorded, and the decision did not look at it",
					s.Ref.Index, waited.Round(time.Second))
			}
		}
	}
	return nil
}

func sameRef(a, b verdict.Ref) bool {
	return a.Kind == b.Kind && a.Digest == b.Digest && a.Index == b.Index && a.At.Equal(b.At) && a.Producer == b.Producer
}

// sameCase compares as Go writes: equal values are equal JSON.
func sameCase(a, b Case) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// firstDifference names the first member in which two canonical documents differ, with
// both values; "" when they are equal.
func firstDifference(what string, recorded, again []byte) string {
	var x, y any
	if json.Unmarshal(recorded, &x) != nil || json.Unmarshal(again, &y) != nil {
		return what + " cannot be read"
	}
	return firstOf(what, x, y)
}

func firstOf(at string, x, y any) string {
	was, is := fmt.Sprint(x), fmt.Sprint(y)
	if was == is {
		return ""
	}
	switch a := x.(type) {
	case map[string]any:
		b, ok := y.(map[string]any)
		if !ok {
			break
		}
		for _, name := range slices.Sorted(maps.Keys(a)) {
			if found := firstOf(at+"."+name, a[name], b[name]); found != "" {
				return found
			}
		}
	case []any:
		b, ok := y.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			if found := firstOf(fmt.Sprintf("%s[%d]", at, i), a[i], b[i]); found != "" {
				return found
			}
		}
	}
	return fmt.Sprintf("%s was %.200s and is %.200s", at, was, is)
}
