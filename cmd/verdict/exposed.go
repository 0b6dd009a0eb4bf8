package main

import (
	"context"
	"fmt"
	"time"

	"verdict"
	"verdict/advisory"
	"verdict/artifact/exposure"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/sbom"
	"verdict/store"
)

// What is known of an artifact's vulnerabilities when its bill of materials is recorded is
// bound to its digest, as the report of Verdict's own check. It is found again whatever
// becomes of the advisories.

// exposed matches the bills of the artifacts of an entry with the installed advisories, and
// records a report about each. It says in words what was found, or why nothing was matched:
// then nothing is recorded, so that a decision finds no report rather than a clean one.
// An artifact whose bill was matched before has its report already.
func (w *workspace) exposed(ctx context.Context, e ledger.Entry) (words string, err error) {
	about := artifactsOf(e)
	if e.Kind != verdict.KindSBOM || len(about) == 0 {
		return "", nil
	}
	if said, err := w.ledger.Find(ctx, ledger.Query{Subject: about[0].Digest, Kind: verdict.KindVulnerabilities, At: ledger.Now, Limit: 1}); err != nil || len(said) > 0 && said[0].Index > e.Index {
		return "", err
	}
	index, err := w.app.indexOf()
	if err != nil {
		return "", err
	}
	if index == nil {
		return "not matched, because no advisories are installed: run verdict advisories update, which matches it then", nil
	}
	defer index.Close()
	m, _, err := w.mapOfPeople(ctx, ledger.Now)
	if err != nil {
		return "", err
	}
	counts, err := w.counts(ctx, m)
	if err != nil {
		return "", err
	}
	for _, t := range about {
		r, listed, err := w.reportOn(ctx, t, index, counts)
		if err != nil {
			return "", err
		}
		if !listed {
			return "not matched, because the map does not trust who signed it with bills of materials", nil
		}
		if err := w.recordReport(ctx, t, r, e.Context); err != nil {
			return "", err
		}
		words = exposedText(r)
	}
	return words, nil
}

// renewed matches the bills of an artifact again where the installed advisories are newer
// than what is known of it, and records the report: an artifact of which nothing changed
// would otherwise grow stale, and no update of the advisories would help. Older advisories
// than those of the report replace nothing. It says in words what it did, or nothing; a dry
// run records nothing, and says so.
func (w *workspace) renewed(ctx context.Context, m *decisionmap.Map, about verdict.Subject) (string, error) {
	index, err := w.app.indexOf()
	if err != nil || index == nil {
		return "", err
	}
	defer index.Close()
	counts, err := w.counts(ctx, m)
	if err != nil {
		return "", err
	}
	r, listed, err := w.reportOn(ctx, about, index, counts)
	if err != nil || !listed || r.Database == nil {
		return "", err
	}
	last, err := w.lastMatched(ctx, about)
	if err != nil || !r.Database.At.After(last) {
		return "", err
	}
	day := r.Database.At.Format("2006-01-02")
	if w.dry {
		return "the installed advisories, of " + day + ", are newer than what is known of it: without --dry-run it is matched with them first", nil
	}
	if err := w.recordReport(ctx, about, r, verdict.Context{}); err != nil {
		return "", err
	}
	return "matched again with the advisories of " + day + ": " + exposedText(r), nil
}

// lastMatched is of when the data is that Verdict's own latest report about an artifact
// rests on; zero where there is none.
func (w *workspace) lastMatched(ctx context.Context, about verdict.Subject) (time.Time, error) {
	said, err := w.ledger.Find(ctx, ledger.Query{Subject: about.Digest, Kind: verdict.KindVulnerabilities, At: ledger.Now, Limit: maxLater})
	if err != nil {
		return time.Time{}, err
	}
	for _, e := range said {
		if e.Foreign {
			continue
		}
		b, err := w.ledger.Bundle(ctx, e.Index)
		if err != nil {
			continue // pruned or damaged: what it rested on is not known
		}
		s, err := b.Statement()
		if err != nil {
			continue
		}
		if r, ok := evidence.ReportOf(s); ok && r.Source == "" && r.Database != nil {
			return r.Database.At, nil
		}
	}
	return time.Time{}, nil
}

// reportOn matches what the bills of an artifact list; it is false where none counts.
func (w *workspace) reportOn(ctx context.Context, about verdict.Subject, index *advisory.Index, counts func(kind verdict.Kind, producer, service, environment string) bool) (verdict.Report, bool, error) {
	listed, err := w.ledger.Listed(ctx, about.Digest, ledger.Now, counts)
	if err != nil || len(listed.Bills) == 0 {
		return verdict.Report{}, false, err
	}
	return exposure.Report(listingOf(listed), index, version()), true, nil
}

// recordReport signs a report about an artifact and puts it into the log.
func (w *workspace) recordReport(ctx context.Context, about verdict.Subject, r verdict.Report, c verdict.Context) error {
	b, err := w.exposureOf(ctx, about, r, c)
	if err != nil {
		return err
	}
	if _, err := w.ledger.Append(ctx, b); err != nil {
		return fmt.Errorf("record what is known of %s: %w", about.Digest, err)
	}
	return nil
}

// exposureOf signs a report about an artifact.
func (w *workspace) exposureOf(ctx context.Context, about verdict.Subject, r verdict.Report, c verdict.Context) (*evidence.Bundle, error) {
	now := w.now()
	c.At, c.Actor, c.Retention, c.Environment = now, w.actor(), retentionOf(verdict.KindVulnerabilities, []verdict.Subject{about}), ""
	s, err := evidence.NewCheck(r, []verdict.Subject{about}, now, now, c, w.app.rand)
	if err != nil {
		return nil, err
	}
	return evidence.Sign(ctx, s, w.signer)
}

func exposedText(r verdict.Report) string {
	text := plural(len(r.Hits), "known vulnerability", "known vulnerabilities") + " in " + plural(int(r.Scope.Components), "component", "components")
	if len(r.Hits) == 0 {
		text = "no known vulnerability in " + plural(int(r.Scope.Components), "component", "components")
	}
	if !r.Complete {
		for _, n := range r.NotChecked {
			if n.Blocks {
				return text + ", and not all could be judged: " + n.Reason
			}
		}
	}
	return text
}

func listingOf(l ledger.Listed) exposure.Listing {
	out := exposure.Listing{Inventory: l.Inventory, Nameless: l.Nameless}
	for _, c := range l.Components {
		out.Components = append(out.Components, componentOf(c))
	}
	return out
}

// componentOf is a component of the index in the words of advisories.
func componentOf(c store.Component) verdict.Component {
	purl, _ := sbom.PURL(c.Ecosystem, c.Name, c.Version)
	return verdict.Component{Ecosystem: c.Ecosystem, Name: c.Name, Version: c.Version, PURL: purl}
}

// remembering is an index that judges each component once.
type remembering struct {
	*advisory.Index
	known map[verdict.Component]judgedOnce
}

type judgedOnce struct {
	hits []verdict.Vulnerability
	err  error
}

func rememberingOf(x *advisory.Index) *remembering {
	return &remembering{x, map[verdict.Component]judgedOnce{}}
}

// Match is that of the index.
func (r *remembering) Match(c verdict.Component) ([]verdict.Vulnerability, error) {
	known, ok := r.known[c]
	if !ok {
		known.hits, known.err = r.Index.Match(c)
		r.known[c] = known
	}
	return known.hits, known.err
}
