package decide

import (
	"context"
	"fmt"
	"slices"

	"verdict"
	"verdict/ledger"
	"verdict/sbom"
)

// platformBills are the bills of the manifests of an index, where it has none of its own: what
// was looked into are its platforms, and what runs of them depends on the machine.
type platformBills struct {
	counts *Stated  // all of them as one, stated when the oldest was; nil where one is missing
	others []Stated // those behind it, each of which has to hold
	about  []verdict.Ref
	why    string // one is missing; "": it is no index
	remedy string
}

// weigh chooses among what was stated for a need. Of an index without a bill of its own, what
// its platforms have counts; why says that one of them has none.
func (e *Engine) weigh(ctx context.Context, r Request, q *lookup, all []Stated, m moment, g *gathered) (x weighed, why, remedy string, err error) {
	x = weighed{lookup: q, all: all}
	if x.counts, x.others, x.aside = choose(all); x.counts != nil {
		return x, "", "", nil
	}
	parts, err := e.ofPlatforms(ctx, r, q, m.seen)
	if err != nil || parts == nil {
		return x, "", "", err
	}
	g.about = append(g.about, parts.about...)
	if parts.counts != nil {
		x.counts, x.others = parts.counts, parts.others
	}
	return x, parts.why, parts.remedy, nil
}

// ofPlatforms looks for the bills of the manifests that the subject names, by the newest word
// on it of whom the map trusts with images.
func (e *Engine) ofPlatforms(ctx context.Context, r Request, q *lookup, at ledger.Position) (*platformBills, error) {
	if q.need != string(verdict.KindSBOM) || q.ofCommit || r.Subject.Kind != verdict.SubjectArtifact {
		return nil, nil
	}
	entries, err := e.find(ctx, ledger.Query{Subject: r.Subject.Digest, Kind: verdict.KindImage, At: at, Limit: perNeed})
	if err != nil {
		return nil, fmt.Errorf("find the platforms of %s: %w", r.Subject.Digest, err)
	}
	i := slices.IndexFunc(entries, func(x ledger.Entry) bool {
		return len(x.Subjects) > 1 && x.Subjects[0].Digest == r.Subject.Digest && e.rank(x.Producer, needImage, r, at) != Untrusted
	})
	if i < 0 {
		return nil, nil
	}
	out := &platformBills{about: []verdict.Ref{entries[i].Ref()}}
	missing, platforms := 0, entries[i].Subjects[1:]
	for _, p := range platforms {
		of := r
		of.Subject = p
		all, err := e.statements(ctx, of, &lookup{need: q.need, about: p}, at)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			out.about = append(out.about, s.Ref)
		}
		counts, others, _ := choose(all)
		if counts == nil || counts.Gone {
			if missing++; missing == 1 {
				out.remedy = artifactRemedy(verdict.KindSBOM, p)
			}
			continue
		}
		out.others = append(append(out.others, *counts), others...)
	}
	if missing > 0 {
		out.why = fmt.Sprintf("it is the index of %d platforms, and of %d of them there is no bill of materials that counts", len(platforms), missing)
		return out, nil
	}
	out.counts = asOne(out.others)
	return out, nil
}

// asOne is several bills as one: everything that they list, as complete as the worst of
// them, and stated when the oldest was.
func asOne(all []Stated) *Stated {
	oldest := 0
	for i, s := range all {
		if s.Ref.At.Before(all[oldest].Ref.At) {
			oldest = i
		}
	}
	one := all[oldest]
	if one.Bill == nil { // it cannot be read, and is judged for that
		return &one
	}
	b := *one.Bill
	b.Components, b.Inventory = nil, sbom.Complete
	for _, s := range all {
		if s.Bill == nil {
			continue
		}
		b.Components = append(b.Components, s.Bill.Components...)
		switch {
		case s.Bill.Inventory == sbom.Incomplete:
			b.Inventory = sbom.Incomplete
		case s.Bill.Inventory != sbom.Complete && b.Inventory == sbom.Complete:
			b.Inventory = sbom.Unknown
		}
	}
	one.Bill, one.Licences = &b, b.Licences()
	return &one
}
