package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	said, err := w.ledger.Find(ctx, ledger.Query{Subject: about[0].Digest, Kind: verdict.KindVulnerabilities, At: ledger.Now, From: e.Index})
	if err != nil || slices.ContainsFunc(said, func(s ledger.Entry) bool { return !s.Foreign }) { // what others report is a claim
		return "", err
	}
	index, err := w.app.indexOf()
	if err != nil {
		return "", err
	}
	if index == nil {
		return "not matched, because no advisories are installed: run verdict advisories update; a gate matches it then, before it decides", nil
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
		listed, err := w.ledger.Listed(ctx, t.Digest, ledger.Now, counts)
		if err != nil {
			return "", err
		}
		if len(listed.Bills) == 0 {
			return "not matched, because the map does not trust who signed it with bills of materials", nil
		}
		r := exposure.Report(listingOf(listed), index, version())
		b, err := w.exposureOf(ctx, t, r, e.Context)
		if err != nil {
			return "", err
		}
		if _, err := w.ledger.Append(ctx, b); err != nil {
			return "", fmt.Errorf("record what is known of %s: %w", t.Digest, err)
		}
		words = exposedText(r)
	}
	return words, nil
}

// current matches the bills of an artifact again before a gate decides, where the installed
// advisories are newer than what is recorded of it, or nothing is: an update matches again
// only what it changed, and what it left as it was would be too old for ever. It says in
// words what it did, or on a dry run would do.
func (w *workspace) current(ctx context.Context, m *decisionmap.Map, about verdict.Subject, service string) (words string, err error) {
	point, _ := m.Point(gatePoint)
	if !slices.ContainsFunc(point.Needs, func(n decisionmap.Need) bool { return n.Kind == string(verdict.KindVulnerabilities) }) {
		return "", nil
	}
	index, err := w.app.indexOf()
	if err != nil || index == nil {
		return "", err
	}
	defer index.Close()
	counts, err := w.counts(ctx, m)
	if err != nil {
		return "", err
	}
	if !counts(verdict.KindVulnerabilities, evidence.Producer{Key: w.signer.KeyID()}.String(), service, "") {
		return "", nil // what this key would state counts nowhere
	}
	listed, err := w.ledger.Listed(ctx, about.Digest, ledger.Now, counts)
	if err != nil || len(listed.Bills) == 0 {
		return "", err
	}
	r := exposure.Report(listingOf(listed), index, version())
	last, err := w.lastReport(ctx, about.Digest, counts)
	if err != nil || last != nil && !newer(r.Database, last.Database) {
		return "", err
	}
	said := "its bill of materials was matched with the installed advisories: " + exposedText(r)
	if w.dry {
		return strings.Replace(said, "was matched", "is not matched yet", 1) + "; without --dry-run that is recorded first", nil
	}
	b, err := w.exposureOf(ctx, about, r, verdict.Context{Service: service})
	if err != nil {
		return "", err
	}
	if _, err := w.ledger.Append(ctx, b); err != nil {
		return "", fmt.Errorf("record what is known of %s: %w", about.Digest, err)
	}
	return said, nil
}

// lastReport is the last report of this check about an artifact that counts; nil where there
// is none.
func (w *workspace) lastReport(ctx context.Context, d verdict.Digest, counts func(kind verdict.Kind, producer, service, environment string) bool) (*verdict.Report, error) {
	said, err := w.ledger.Find(ctx, ledger.Query{Subject: d, Kind: verdict.KindVulnerabilities, At: ledger.Now})
	if err != nil {
		return nil, err
	}
	for _, e := range said { // newest first
		if !counts(e.Kind, e.Producer, e.Context.Service, e.Context.Environment) {
			continue
		}
		b, err := w.ledger.Bundle(ctx, e.Index)
		if err != nil {
			continue // it cannot be read, so nothing is known by it
		}
		s, err := b.Statement()
		if err != nil {
			continue
		}
		if r, ok := evidence.ReportOf(s); ok && r.Tool.Name == exposure.Tool {
			return r, nil
		}
	}
	return nil, nil
}

// newer reports whether data is from a later moment than what was matched with before.
func newer(data, before *verdict.Database) bool {
	return data != nil && (before == nil || data.At.After(before.At))
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

func listingOf(l ledger.Listed) exposure.Listing { return listingBy(l, componentOf) }

func listingBy(l ledger.Listed, words func(store.Component) verdict.Component) exposure.Listing {
	out := exposure.Listing{Inventory: l.Inventory, Nameless: l.Nameless, Without: l.Without, Components: make([]verdict.Component, len(l.Components))}
	for i, c := range l.Components {
		out.Components[i] = words(c)
	}
	return out
}

// componentOf is a component of the index in the words of advisories.
func componentOf(c store.Component) verdict.Component {
	purl, _ := sbom.PURL(c.Ecosystem, c.Name, c.Version)
	return verdict.Component{Ecosystem: c.Ecosystem, Name: c.Name, Version: c.Version, PURL: purl}
}

// remembering is an index that judges each component once, and finds its words once: what
// many artifacts list is the same.
type remembering struct {
	*advisory.Index
	known map[store.Component]*judgedOnce // without licences
}

type judgedOnce struct {
	component verdict.Component
	judged    bool
	hits      []verdict.Vulnerability
	err       error
}

func rememberingOf(x *advisory.Index) *remembering {
	return &remembering{x, map[store.Component]*judgedOnce{}}
}

// of is what is remembered of a component.
func (r *remembering) of(ecosystem, name, version string) *judgedOnce {
	key := store.Component{Ecosystem: ecosystem, Name: name, Version: version}
	known := r.known[key]
	if known == nil {
		known = &judgedOnce{component: componentOf(key)}
		r.known[key] = known
	}
	return known
}

// words is componentOf.
func (r *remembering) words(c store.Component) verdict.Component {
	return r.of(c.Ecosystem, c.Name, c.Version).component
}

// Match is that of the index.
func (r *remembering) Match(c verdict.Component) ([]verdict.Vulnerability, error) {
	known := r.of(c.Ecosystem, c.Name, c.Version)
	if c != known.component { // told apart by more than the index of components does
		return r.Index.Match(c)
	}
	if !known.judged {
		known.judged = true
		known.hits, known.err = r.Index.Match(c)
	}
	return known.hits, known.err
}
