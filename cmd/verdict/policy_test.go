package main

import (
	"strings"
	"testing"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/ledger"
)

// A record is judged by the map that it names. Whoever signs it could name a lenient one
// of their own, and without this replay would call the decision the same.
func TestReplayTellsWhetherTheMapWasTheOneInForce(t *testing.T) {
	const (
		released = "schema: verdict/v1\norganization: acme\npoints:\n  - {id: ci.vulnerabilities, mode: observe}\n"
		tighter  = "schema: verdict/v1\npoints:\n  - {id: ci.vulnerabilities, mode: block}\n"
		lenient  = "schema: verdict/v1\norganization: acme\npoints:\n  - {id: ci.vulnerabilities, mode: observe}\n  - {id: ci.secrets, mode: observe}\n"
	)
	w, _ := installation(t)
	load := func(text string) *decisionmap.Map {
		t.Helper()
		m, err := decisionmap.Load("test.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	merged, err := decisionmap.Merge(load(released), load(tighter))
	if err != nil {
		t.Fatal(err)
	}
	place := func(m *decisionmap.Map) replayed {
		t.Helper()
		at, err := w.ledger.Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := replayed{Replayed: &decide.Replayed{
			Decision: verdict.Decision{Digests: verdict.Digests{Map: m.Digest()}}, Map: m, Same: true, Facts: decide.Facts{Seen: at}, Index: int64(at),
		}}
		if err := w.placeMap(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := place(load(lenient)); !r.Same || !strings.HasPrefix(r.MapFrom, "no organisation map was in force") {
		t.Errorf("before a release: same %v, %s", r.Same, r.MapFrom)
	}
	stateMap(t, w, verdict.KindMapRelease, released, mapRelease{Replaces: -1, Proposal: -1})
	for name, c := range map[string]struct {
		m     *decisionmap.Map
		same  bool
		state verdict.State
		says  string
	}{
		"the released one":               {load(released), true, verdict.StateVerified, "the organisation map that entry"},
		"one that a repository tightens": {merged, true, verdict.StateVerified, "tightened by the repository's file"},
		"one that somebody brought":      {load(lenient), false, verdict.StateFailed, "NOT the organisation map"},
	} {
		r := place(c.m)
		if r.Map != c.state || r.Same != c.same || !strings.Contains(r.MapFrom, c.says) || r.Same != (r.Difference == "") {
			t.Errorf("%s: same %v, %s, difference %q", name, r.Same, r.MapFrom, r.Difference)
		}
	}
	at, err := w.ledger.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := replayed{Replayed: &decide.Replayed{Map: load(lenient), Same: true, Facts: decide.Facts{Seen: ledger.Position(1)}, Index: int64(at)}}
	if err := w.placeMap(t.Context(), &before); err != nil || !before.Same || !strings.Contains(before.MapFrom, "released another before the decision was recorded") {
		t.Errorf("a decision that saw the log before the release: %v, %s, %s", err, before.Difference, before.MapFrom)
	}
	// A program with another built-in map reads the released file differently: what it then
	// is cannot be compared, and that is no "same".
	changed := replayed{Replayed: &decide.Replayed{Decision: verdict.Decision{Digests: verdict.Digests{Map: merged.Digest()}}, Map: merged, Same: true}}
	changed.standing(&releasedMap{Said: mapRelease{Map: "sha256:of-then"}, Map: load(released)})
	if !changed.unknown() || changed.Map != verdict.StateUnknown {
		t.Errorf("what could not be compared reads as %s: %s", changed.Map, changed.MapFrom)
	}
}
