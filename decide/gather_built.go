package decide

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/git"
	"verdict/ledger"
	"verdict/policy"
)

// What a deployment point sees of how the artifact came to be: the change behind it, the
// image that it was built on, and for how long its vulnerabilities are known. None of it is
// a need of the point, so each fact is optional: whether to do without is for the rules.

const needImage = string(verdict.KindImage)

// ownSource reports whether the source that a trusted artifact was built from is one of the
// service that is asked about: it may have been trusted for another one. What the map's list
// of the builder allows holds for the service that it was trusted for alone.
func (e *Engine) ownSource(r Request, trust *earlier, p policy.Provenance) bool {
	if repo := e.Map.Services[r.Service].Repo; repo != "" && git.SameRepository(repo, p.Source) {
		return true
	}
	return p.Own && trust.Service == r.Service && slices.ContainsFunc(e.Map.Builders, func(b decisionmap.Builder) bool {
		return b.Name == p.Known && len(b.Sources) > 0 && b.Allows(p.Source)
	})
}

// behind fills the change behind the artifact, by the commit that its trust decision names,
// or of a plan by that of the decision about its code.
func (d *deployment) behind(ctx context.Context) error {
	var all []Stated
	commits := []verdict.Digest{}
	if d.g.trusted != nil {
		commits = d.g.trusted.From
	}
	for _, commit := range commits {
		entries, err := d.find(ctx, ledger.Query{Subject: commit, Kind: verdict.KindTestResult, At: d.m.seen, Limit: perNeed})
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if d.ofAnother(entry.Index, needChange) {
				continue
			}
			s := Stated{Ref: entry.Ref(), Rank: d.rank(entry.Producer, needChange, d.r, d.m.seen)}
			told, err := d.said(ctx, entry.Index)
			if err != nil {
				d.g.pruned(d.Map, needChange, entry.Index, err.Error())
				continue
			}
			// Which map joined its accounts to people does not matter here: an account that was
			// nobody's then is nobody in the rules either.
			if s.read(told, needChange, "", verdict.Subject{Kind: verdict.SubjectChange, Digest: commit}) && d.covers(s.Report, d.r.Service) {
				all = append(all, s)
			}
		}
	}
	f, counts := d.optional(needChange, all)
	d.g.fillCode(f, counts)
	return nil
}

// optional adds a fact that nobody misses, as well as it is known.
func (d *deployment) optional(need string, all []Stated) (Fact, *Stated) {
	counts, others, aside := choose(all)
	f := Fact{Need: need, Optional: true, Producer: producer(d.Map, need)}
	judged := func(f *Fact, s *Stated) { judge(f, s, aside, 0, d.m.now) }
	judged(&f, counts)
	f = leastKnown(f, others, judged)
	if counts != nil {
		f.Evidence = &counts.Ref
		d.weigh(counts.Ref)
	}
	for _, s := range all {
		if counts == nil || s.Ref.Index != counts.Ref.Index {
			d.g.about = append(d.g.about, s.Ref)
		}
	}
	d.g.facts = append(d.g.facts, f)
	return f, counts
}

// image fills what the image says that it was built on.
func (d *deployment) image(ctx context.Context) error {
	base := &d.g.input.Artifact.Base
	base.State, base.AgeSeconds = verdict.StateMissing, -1
	if d.r.Subject.Kind != verdict.SubjectArtifact {
		return nil
	}
	all, err := d.statements(ctx, d.r, &lookup{need: needImage, about: d.r.Subject}, d.m.seen)
	if err != nil {
		return err
	}
	f, counts := d.optional(needImage, all)
	if base.State = f.State; counts == nil || f.State != verdict.StateVerified {
		return nil
	}
	var x verdict.Image
	s, err := d.said(ctx, counts.Ref.Index)
	if err != nil || s.failure != nil || s.statement.Decode(&x) != nil {
		base.State = verdict.StateUnknown
		return nil
	}
	base.State, base.Evidence = x.Base.State, counts.Ref.Digest
	base.Name, base.Digest, base.Created = x.Base.Name, x.Base.Digest, policy.TimeOf(x.Base.Created)
	if !x.Base.Created.IsZero() {
		base.AgeSeconds = d.since(x.Base.Created)
	}
	return nil
}

// openSince fills for how long each finding is known: since the first statement about this
// digest that has it, or for as long as the last decision here knew it of the service. So
// neither a new build nor another version with the same flaw begins its time anew.
func (d *deployment) openSince(ctx context.Context) error {
	findings := d.g.input.Vulnerabilities.Findings
	if len(findings) == 0 {
		return nil
	}
	since, err := d.before(ctx)
	if err != nil {
		return err
	}
	first := make(map[flaw]time.Time, len(findings))
	for _, s := range d.g.weighed {
		if s.Report == nil || s.Rank == Untrusted {
			continue
		}
		for _, h := range s.Report.Hits {
			if v := h.Vulnerability; v != nil {
				x := flaw{v.ID, v.Component.Ecosystem, v.Component.Name}
				if t, known := first[x]; !known || s.Ref.At.Before(t) {
					first[x] = s.Ref.At
				}
			}
		}
	}
	for i := range findings {
		x := flaw{findings[i].ID, findings[i].Ecosystem, findings[i].Name}
		t, known := first[x]
		if !known {
			t = d.m.now
		}
		if earlier, known := since[x]; known && earlier.Before(t) {
			t = earlier
		}
		findings[i].OpenSeconds = d.since(t.Truncate(time.Second))
	}
	d.recall.taking(d.m.id, flawsSince(findings, d.m.now))
	return nil
}

// flaw is a vulnerability of a component, in whichever version.
type flaw struct{ id, ecosystem, name string }

// before is since when the last decision about the service here knew each flaw.
func (d *deployment) before(ctx context.Context) (map[flaw]time.Time, error) {
	last := int64(-1)
	err := d.decided(ctx, ledger.DecisionQuery{Environment: d.r.Environment}, func(_ ledger.DecisionRow, entry ledger.Entry) bool {
		d.use(entry)
		last = entry.Index
		return false
	})
	if err != nil || last < 0 {
		return nil, err
	}
	return d.flaws(ctx, last)
}

// flaws reads since when a decision knew each flaw. They are kept for the next decision: to
// read the last one whole each time would cost more than to decide.
func (e *Engine) flaws(ctx context.Context, index int64) (map[flaw]time.Time, error) {
	if known, ok := e.recall.flawsAt(index); ok {
		return known, nil
	}
	b, err := e.Ledger.Bundle(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("read the last decision here, entry %d: %w", index, err)
	}
	s, err := b.Statement()
	if err != nil {
		return nil, err
	}
	var last struct {
		At    time.Time `json:"at"`
		Basis struct {
			Input json.RawMessage `json:"input"`
		} `json:"basis"`
	}
	var input struct {
		Vulnerabilities struct {
			Findings []policy.Finding `json:"findings"`
		} `json:"vulnerabilities"`
	}
	if err := s.Decode(&last); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(last.Basis.Input, &input); err != nil {
		return nil, fmt.Errorf("input of the decision in entry %d: %w", index, err)
	}
	out := flawsSince(input.Vulnerabilities.Findings, last.At)
	e.recall.keepFlaws(index, out)
	return out, nil
}

// flawsSince is since when findings of a decision at a time were known.
func flawsSince(findings []policy.Finding, at time.Time) map[flaw]time.Time {
	out := make(map[flaw]time.Time, len(findings))
	for _, f := range findings {
		if f.OpenSeconds >= 0 {
			out[flaw{f.ID, f.Ecosystem, f.Name}] = at.Add(-time.Duration(f.OpenSeconds) * time.Second).Truncate(time.Second)
		}
	}
	return out
}
