package decide

import (
	"context"
	"slices"

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
