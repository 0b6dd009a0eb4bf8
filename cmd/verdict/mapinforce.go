package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/report"
)

// mapRelease is the predicate of map-release: the organisation map that holds from here
// on. A proposal to release a map says the same, and nobody has agreed to it yet.
type mapRelease struct {
	Action    string         `json:"action"`    // actionMapRelease, which tells a proposal from those of other things
	Map       verdict.Digest `json:"map"`       // digest of the map with its defaults
	Source    verdict.Digest `json:"source"`    // blob of the file as it was released
	Policy    verdict.Digest `json:"policy"`    // blob of the rules that it names beside itself, empty: none
	Replaces  int64          `json:"replaces"`  // entry of the release that was in force, -1: none
	Proposal  int64          `json:"proposal"`  // entry of the proposal that this agrees to, -1: none
	Reviewers []string       `json:"reviewers"` // persons: who proposed it and who agreed; one where nobody is enrolled
}

const actionMapRelease = "map-release"

// releasedMap is a map in force.
type releasedMap struct {
	Entry ledger.Entry
	Said  mapRelease
	Map   *decisionmap.Map
	// Adopting is when the first of the releases up to this one that all say adopting:
	// true was recorded. Zero: this one does not say it.
	Adopting time.Time
}

// adoptingSince is since when the organisation adopts; the zero time without a release.
func (r *releasedMap) adoptingSince() time.Time {
	if r == nil {
		return time.Time{}
	}
	return r.Adopting
}

// index is the entry of the release; -1 for none.
func (r *releasedMap) index() int64 {
	if r == nil {
		return -1
	}
	return r.Entry.Index
}

// inForce is the organisation map that holds at a position, nil when none was released.
func (w *workspace) inForce(ctx context.Context, at ledger.Position) (*releasedMap, error) {
	all, err := w.mapsInForce(ctx, at)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[len(all)-1], nil
}

// mapsInForce are the organisation maps that held one after the other, up to a position.
// What an entry says of its reviewers is not believed: they are told from who signed
// it and the proposal. A release without them counts as absent, and is said aloud.
func (w *workspace) mapsInForce(ctx context.Context, at ledger.Position) ([]*releasedMap, error) {
	entries, err := w.ownEntries(ctx, verdict.KindMapRelease, at)
	if err != nil {
		return nil, err
	}
	var all []*releasedMap
	var holds *releasedMap
	for _, e := range entries {
		r, void, err := w.judgeRelease(ctx, e, holds)
		switch {
		case err != nil:
			return nil, fmt.Errorf("the map released in entry %d: %w", e.Index, err)
		case void != "":
			w.say(e.Index, fmt.Sprintf("entry %d says that it releases a map, and does not count: %s", e.Index, void))
		default:
			holds = r
			all = append(all, r)
		}
	}
	return all, nil
}

// say tells something about an entry on standard error, once for each command.
func (w *workspace) say(index int64, what string) {
	if !w.told[index] {
		fmt.Fprintf(w.app.stderr, "verdict: %s\n", report.Neutral(what))
	}
	if w.told == nil {
		w.told = map[int64]bool{}
	}
	w.told[index] = true
}

// ownEntries lists the statements of a kind that our own keys signed, oldest first.
func (w *workspace) ownEntries(ctx context.Context, kind verdict.Kind, at ledger.Position) ([]ledger.Entry, error) {
	var out []ledger.Entry
	q := ledger.Query{Kind: kind, At: at}
	for {
		page, err := w.ledger.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			q.Before = e.Index
			if !e.Foreign {
				out = append(out, e)
			}
		}
		if len(page) == 0 || q.Before == 0 {
			slices.Reverse(out)
			return out, nil
		}
	}
}

// judgeRelease reads a release, given the map that was in force before it. void says
// why it does not count.
func (w *workspace) judgeRelease(ctx context.Context, e ledger.Entry, before *releasedMap) (r *releasedMap, void string, err error) {
	r = &releasedMap{Entry: e}
	if r.Said, err = w.saidOfMap(ctx, e); err != nil {
		return nil, "", err
	}
	if r.Said.Action != actionMapRelease || r.Said.Map == "" || r.Said.Source == "" {
		return nil, "it does not say which map", nil
	}
	if r.Said.Replaces != before.index() {
		return nil, fmt.Sprintf("it takes the place of entry %d, and another map was in force by then", r.Said.Replaces), nil
	}
	if void, err = w.reviewedBy(ctx, e, r.Said.Proposal, w.mapAgreement(r.Said), peopleOf(before)); void != "" || err != nil {
		return nil, void, err
	}
	if r.Map, err = w.mapIn(ctx, e, r.Said); err != nil {
		return nil, "", err
	}
	w.tellChanged(r)
	if r.Map.Adopting {
		if r.Adopting = before.adoptingSince(); r.Adopting.IsZero() {
			r.Adopting = e.At
		}
	}
	return r, "", nil
}

// saidOfMap reads a release or proposal. One that cannot be read says nothing.
func (w *workspace) saidOfMap(ctx context.Context, e ledger.Entry) (mapRelease, error) {
	var said mapRelease
	b, err := w.ledger.Bundle(ctx, e.Index)
	if err != nil {
		return said, err
	}
	if s, err := b.Statement(); err != nil || s.Decode(&said) != nil {
		return mapRelease{}, nil
	}
	return said, nil
}

// mapIn reads the map of a release or proposal from its source.
func (w *workspace) mapIn(ctx context.Context, e ledger.Entry, said mapRelease) (*decisionmap.Map, error) {
	source, err := w.ledger.Blob(ctx, said.Source)
	if err != nil {
		return nil, err
	}
	return decisionmap.Load(fmt.Sprintf("released.yaml (entry %d)", e.Index), source)
}

// tellChanged says that a source gives another map than its release names. By an upgrade
// it comes to that honestly. Where two persons released it, both named a source that
// gives this map; where one did, nobody else has looked, so it is said aloud.
func (w *workspace) tellChanged(r *releasedMap) {
	effective := r.Map.Digest()
	switch {
	case effective == r.Said.Map:
	case r.Said.Proposal >= 0:
		w.app.log.Info("the built-in map has changed since the release, and with it the effective map", "released", r.Said.Map, "effective", effective)
	default:
		fmt.Fprintf(w.app.stderr, "verdict: the map in force is not the one that its release in entry %d names: %s there, %s from its file in this version\n  fix: look at it (verdict map show) and release it again: verdict map release FILE\n",
			r.Entry.Index, report.Neutral(r.Said.Map.Short()), effective.Short())
	}
}

func peopleOf(r *releasedMap) map[string]decisionmap.Person {
	if r == nil {
		return nil
	}
	return r.Map.People
}

// mapAgreement is what two persons agree to when they release a map.
func (w *workspace) mapAgreement(said mapRelease) agreement {
	return agreement{one: "map", many: "maps", proposes: func(ctx context.Context, e ledger.Entry) (bool, error) {
		p, err := w.saidOfMap(ctx, e)
		if err != nil || p.Action != actionMapRelease || p.Map != said.Map || p.Replaces != said.Replaces {
			return false, err
		}
		return w.sameMap(ctx, e, p, said)
	}}
}

// sameMap reports whether the sources of a proposal and a release give one map in this
// version of the program. The digests that they name do not tell: each of the two says
// both by himself, and what is judged by is the source. A source that gives no map
// proposes none; one that is lost leaves it open, and that is an error.
func (w *workspace) sameMap(ctx context.Context, e ledger.Entry, proposal, release mapRelease) (bool, error) {
	if proposal.Source == release.Source {
		return true, nil
	}
	var digests [2]verdict.Digest
	for i, said := range []mapRelease{proposal, release} {
		source, err := w.ledger.Blob(ctx, said.Source)
		if err != nil {
			return false, fmt.Errorf("whether the proposal in entry %d is of the same map: %w", e.Index, err)
		}
		m, err := decisionmap.Load("proposed.yaml", source)
		if err != nil {
			return false, nil
		}
		digests[i] = m.Digest()
	}
	return digests[0] == digests[1], nil
}
