package decide

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
)

// A record that agrees with itself can still be invented. What nobody can invent
// afterwards is the ledger before it, the map and the bundle: so replay takes the decision
// again from those, at the position that it saw, and compares every part of the record
// with what comes out. Nothing of the record is believed but which question was asked.

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

// retake takes a recorded decision again and says in out what came of it.
func (r *Replayer) retake(ctx context.Context, rec *recorded, about []verdict.Subject, entry ledger.Entry, m *chart, b *policy.Bundle, out *Replayed) error {
	d := rec.Decision
	point, ok := m.Point(d.Point)
	switch {
	case m.digest != d.Digests.Map:
		out.Difference = fmt.Sprintf("the record names the map %s and keeps the map %s", d.Digests.Map, m.digest)
	case !ok:
		out.Difference = fmt.Sprintf("the map of the record has no point %q", d.Point)
	case m.points[d.Point] != d.Digests.Point:
		out.Difference = fmt.Sprintf("the record names the point %s, and in its map it is %s", d.Digests.Point, m.points[d.Point])
	}
	if out.Difference != "" {
		return nil
	}
	e := &Engine{Ledger: r.Ledger, Map: m.Map, Policy: b, KeyName: r.KeyName}
	q := Request{
		Point: d.Point, Subject: d.Subject, Service: d.Service, Team: d.Team, Environment: d.Environment, Trigger: d.Trigger, Actor: d.Actor, Requester: d.Requester,
	}
	if s, known := m.Services[q.Service]; known {
		q.Team = s.Team
	}
	out.Trusted = e.rank(entry.Producer, point.Produces.Kind, q, ledger.Position(entry.Index)) != Untrusted
	var err error
	if out.Difference, err = r.misplaced(ctx, rec, about, entry); err != nil {
		return err
	}
	g, err := e.gather(ctx, q, point, moment{d.ID, d.At, min(rec.Basis.Seen, ledger.Position(entry.Index)), d.From})
	if err != nil {
		return fmt.Errorf("gather again for decision %s: %w", d.ID, err)
	}
	basis, err := e.basis(g, q, point, active(point, b), d.At, rec.Basis.Seen)
	if err != nil {
		return err
	}
	in, refs := g.input, g.refs
	if len(g.gone) > 0 && out.Difference == "" {
		if err := rec.Basis.complete(ctx, r.Ledger); err != nil {
			return fmt.Errorf("decision %s: %w", d.ID, err)
		}
		if in, out.Difference = asRecorded(rec, &basis, g); out.Difference != "" {
			in = g.input
		} else {
			out.Facts.State, out.Facts.Why, refs = verdict.StateUnknown, g.gone[0].why, d.Evidence
		}
	}
	if out.Again, err = e.conclude(ctx, basis.Case, in); err != nil {
		return fmt.Errorf("decision %s: %w", d.ID, err)
	}
	again := e.decision(d.ID, q, point, out.Again, basis, refs, g.from())
	again.Digests.Map, again.Digests.Point, again.Engine = m.digest, m.points[d.Point], d.Engine
	out.Result = again.Digests.Result
	if out.Difference == "" {
		out.Difference = differs(rec, recorded{Decision: again, Basis: basis})
	}
	if out.Difference == "" && out.Facts.State == verdict.StateFailed {
		out.Facts.State = verdict.StateVerified
	}
	return e.late(ctx, q, point, entry, g.origin.commit, out)
}

// misplaced names what is wrong with the place of a record in the ledger: its subject, its
// time, or the position that it says it saw.
func (r *Replayer) misplaced(ctx context.Context, rec *recorded, about []verdict.Subject, entry ledger.Entry) (string, error) {
	d, seen := rec.Decision, rec.Basis.Seen
	if len(about) != 1 || about[0].Kind != d.Subject.Kind || about[0].Name != d.Subject.Name || about[0].Digest != d.Subject.Digest || !slices.Equal(about[0].Also, d.Subject.Also) {
		return "the statement is about another subject than its decision", nil
	}
	if gap := entry.At.Sub(d.At).Abs(); gap > maxSkew {
		return fmt.Sprintf("the decision says that it was taken %s, and was recorded %s", d.At.Format(time.RFC3339), entry.At.Format(time.RFC3339)), nil
	}
	if seen < 0 || seen > ledger.Position(entry.Index) {
		return fmt.Sprintf("the decision is entry %d and says that it saw %d entries", entry.Index, seen), nil
	}
	if seen == ledger.Position(entry.Index) {
		return "", nil
	}
	first, err := r.Ledger.Find(ctx, ledger.Query{At: seen + 1, Limit: 1})
	if err != nil {
		return "", fmt.Errorf("find what decision %s did not see: %w", d.ID, err)
	}
	for _, x := range first {
		if waited := entry.At.Sub(x.At); x.Index >= int64(seen) && waited > maxSkew {
			return fmt.Sprintf("entry %d had been in the ledger for %s when the decision was recorded, and the decision says that it did not see it", x.Index, waited.Round(time.Second)), nil
		}
	}
	return "", nil
}

const miscounted = "the recorded input counts other vulnerabilities than it lists, or lists them in no order"

// asRecorded takes the parts of a basis that can no longer be gathered from the record:
// those of needs whose statements are gone. Everything else has to be as it was gathered
// again, and the evidence has to be in the ledger.
func asRecorded(rec *recorded, again *Basis, g *gathered) (in *policy.Input, difference string) {
	was, err := rec.Basis.whole()
	if err == nil {
		in, err = policy.ParseInput(was)
	}
	if err != nil {
		return nil, "the recorded input cannot be read: " + err.Error()
	}
	if !in.Counted() {
		return nil, miscounted
	}
	is, err := again.whole()
	if err != nil {
		return nil, err.Error()
	}
	lost := []string{"input.evidence", "case.refs", "case.faults"}
	for _, x := range g.gone {
		if x.need == needPeople {
			lost = append(lost, "case.exceptions", "case.approvals", "case.break_glasses", "case.not_approvers", "case.approvers", "case.people")
			continue
		}
		lost = append(lost, "input."+x.group)
	}
	for i, f := range again.Case.Facts {
		if slices.ContainsFunc(g.gone, func(x gone) bool { return x.need == f.Need }) {
			lost = append(lost, fmt.Sprintf("case.facts[%d]", i))
		}
	}
	if d := firstDifference("input", was, is, lost...); d != "" {
		return nil, d
	}
	if d := firstDifference("case", canonical(rec.Basis.Case), canonical(again.Case), lost...); d != "" {
		return nil, d
	}
	for _, ref := range rec.Evidence {
		if !slices.ContainsFunc(g.about, func(is verdict.Ref) bool { return sameRef(is, ref) }) {
			return nil, fmt.Sprintf("the evidence in entry %d is not what the ledger holds about the subject for this point", ref.Index)
		}
	}
	again.Findings, again.found, again.digest = rec.Basis.Findings, rec.Basis.found, sha256Of(was)
	again.Input, again.Case = rec.Basis.Input, rec.Basis.Case
	return in, ""
}

// differs names the first thing in which a record is not what comes out now, from what
// went in to what came out: input, case, then the decision itself. Go writes equal values
// as equal JSON, and only where it does not is the canonical form worth its price.
func differs(rec *recorded, again recorded) string {
	if bytes.Equal(rec.Basis.Input, again.Basis.Input) && rec.Basis.Findings == again.Basis.Findings && rec.Basis.Partial == again.Basis.Partial &&
		same(rec.Basis.Case, again.Basis.Case) && same(rec.Decision, again.Decision) {
		return ""
	}
	for _, part := range []struct {
		what     string
		was, are []byte
	}{
		{"input", rec.Basis.Input, again.Basis.Input}, {"findings", canonical(map[string]any{"": rec.Basis.Findings}), canonical(map[string]any{"": again.Basis.Findings})}, {"case", canonical(rec.Basis.Case), canonical(again.Basis.Case)},
		{"decision", canonical(rec.Decision), canonical(again.Decision)},
		{"allow_partial", canonical(map[string]bool{"": rec.Basis.Partial}), canonical(map[string]bool{"": again.Basis.Partial})},
	} {
		if found := firstDifference(part.what, part.was, part.are); found != "" {
			return found
		}
	}
	return "" // written otherwise, and the same
}

// same compares values as Go writes them.
func same(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// late lists what would have counted and came between gathering and recording.
func (e *Engine) late(ctx context.Context, r Request, p decisionmap.Point, decision ledger.Entry, commit verdict.Digest, out *Replayed) error {
	if out.Facts.Seen >= ledger.Position(decision.Index) {
		return nil
	}
	for _, need := range p.Needs {
		all, err := e.statements(ctx, r, e.lookupFor(r, p, need.Kind, commit), ledger.Position(decision.Index))
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Ref.Index >= int64(out.Facts.Seen) && s.Rank != Untrusted {
				out.Facts.Late = append(out.Facts.Late, s.Ref.Index)
			}
		}
	}
	slices.Sort(out.Facts.Late)
	out.Facts.Late = slices.Compact(out.Facts.Late)
	return nil
}

func sameRef(a, b verdict.Ref) bool {
	return a.Kind == b.Kind && a.Digest == b.Digest && a.Index == b.Index && a.At.Equal(b.At) && a.Producer == b.Producer
}

// firstDifference names the first member in which two documents differ, with both values;
// "" when they are equal but for members that begin with one of the names in except.
func firstDifference(what string, recorded, again []byte, except ...string) string {
	var x, y any
	if json.Unmarshal(recorded, &x) != nil || json.Unmarshal(again, &y) != nil {
		return what + " cannot be read"
	}
	return firstOf(what, x, y, except...)
}

func firstOf(at string, x, y any, except ...string) string {
	if slices.ContainsFunc(except, func(e string) bool { return at == e || strings.HasPrefix(at, e+".") }) {
		return ""
	}
	switch a := x.(type) {
	case map[string]any:
		b, ok := y.(map[string]any)
		if !ok {
			break
		}
		names := slices.Sorted(maps.Keys(a))
		for name := range b {
			if _, known := a[name]; !known {
				names = append(names, name)
			}
		}
		for _, name := range names {
			if found := firstOf(at+"."+name, a[name], b[name], except...); found != "" {
				return found
			}
		}
		return ""
	case []any:
		b, ok := y.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			if found := firstOf(fmt.Sprintf("%s[%d]", at, i), a[i], b[i], except...); found != "" {
				return found
			}
		}
		return ""
	}
	was, err := json.Marshal(x)
	is, err2 := json.Marshal(y)
	if err == nil && err2 == nil && bytes.Equal(was, is) {
		return ""
	}
	return fmt.Sprintf("%s was %.200s and is %.200s", at, was, is)
}
