package storetest

import (
	"fmt"
	"testing"

	"verdict/store"
)

// questions fills every projection and asks everything at several positions.
func questions(t *testing.T, s *store.Store) {
	begun(t, s)
	var entries []store.Entry
	var subjects []store.Subject
	for i := range int64(8) {
		entries = append(entries, entry(i, func(e *store.Entry) {
			e.Kind, e.Service = []string{"sbom", "decision"}[i%2], []string{"shop", "bank"}[i/4]
			e.Environment, e.Point = []string{"", "prod"}[i%2], []string{"a", "b"}[i%2]
			if i == 2 || i == 4 {
				e.ForeignDigest, e.ForeignOrigin, e.ForeignSeq = "sha256:00", "other.example", 10*i
			}
		}))
		subjects = append(subjects, store.Subject{Digest: fmt.Sprint("sha256:", i%3), From: i, To: store.Open, Kind: entries[i].Kind})
	}
	decide := func(seq int64, id, point, subject string) store.Decision {
		return store.Decision{From: seq, To: store.Open, ID: id, Point: point, Subject: subject, Name: "n", Service: "shop", Environment: "prod", Mode: "block", Outcome: "deny", Enforced: "deny", At: seq, Expires: 7}
	}
	hold := func(kind, id string, from int64, about string) store.Register {
		return store.Register{Kind: kind, ID: id, From: from, To: store.Open, About: about}
	}
	write(t, s, 0, store.Batch{
		Entries: entries, Subjects: subjects, Foreign: []store.ForeignBundle{{From: 3, To: store.Open, Size: 1, Data: []byte{1}}},
		Decisions: []store.Decision{decide(1, "abcd1", "p", "s"), decide(3, "abcd2", "p", "s"), decide(5, "abce1", "q", "s"), decide(7, "abcd1", "p", "r")},
		Registers: []store.Register{hold("exception", "x", 1, "shop"), hold("exception", "x", 4, "shop"), hold("exception", "y", 5, "bank"), hold("map-release", "", 6, "")},
		Runs:      runs(),
	})
	must(t, s.View(t.Context(), func(v *store.View) error {
		askEntries(t, v)
		askDecisions(t, v)
		askRegisters(t, v)
		askRunning(t, v)
		askRanges(t, v)
		return nil
	}))
}

func expect(t testing.TB, what string, err error, got, want any) {
	t.Helper()
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v, %v", what, got, want, err)
	}
}

func indexes(e []store.Entry) []int64 {
	out := []int64{}
	for _, x := range e {
		out = append(out, x.Seq)
	}
	return out
}

func askEntries(t testing.TB, v *store.View) {
	for _, c := range []struct {
		q    store.EntryQuery
		want []int64
	}{
		{store.EntryQuery{Before: store.Open, Limit: 3}, []int64{7, 6, 5}},
		{store.EntryQuery{Before: 4, Limit: 9}, []int64{3, 2, 1, 0}},
		{store.EntryQuery{From: 2, Before: 4, Limit: 9}, []int64{3, 2}},
		{store.EntryQuery{From: 3, Before: 7, Kind: "decision", Limit: 9}, []int64{5, 3}},
		{store.EntryQuery{From: 6, Before: store.Open, Service: "bank", Limit: 9}, []int64{7, 6}},
		{store.EntryQuery{From: 4, Before: store.Open, Subject: "sha256:1", Limit: 9}, []int64{7, 4}},
		{store.EntryQuery{Before: 4, Environment: "prod", Point: "b", Limit: 9}, []int64{3, 1}},
		{store.EntryQuery{Before: 7, Kind: "decision", Limit: 9}, []int64{5, 3, 1}},
		{store.EntryQuery{Before: store.Open, Kind: "decision", Service: "bank", Environment: "prod", Point: "b", Limit: 9}, []int64{7, 5}},
		{store.EntryQuery{Before: store.Open, Service: "bank", Limit: 9}, []int64{7, 6, 5, 4}},
		{store.EntryQuery{Before: 7, Service: "bank", Environment: "prod", Point: "b", Limit: 9}, []int64{5}},
		{store.EntryQuery{Before: store.Open, Subject: "sha256:1", Limit: 9}, []int64{7, 4, 1}},
		{store.EntryQuery{Before: 7, Subject: "sha256:1", Kind: "sbom", Service: "bank", Point: "a", Limit: 9}, []int64{4}},
		{store.EntryQuery{Before: store.Open, Subject: "sha256:1", Environment: "none", Limit: 9}, []int64{}},
	} {
		got, err := v.Entries(t.Context(), c.q)
		expect(t, fmt.Sprintf("%+v", c.q), err, indexes(got), c.want)
	}
}

func askDecisions(t testing.TB, v *store.View) {
	ids := func(d []store.Decision) []int64 {
		out := []int64{}
		for _, x := range d {
			out = append(out, x.From)
		}
		return out
	}
	for _, c := range []struct {
		q    store.DecisionQuery
		want []int64
	}{
		{store.DecisionQuery{Before: store.Open, Limit: 9}, []int64{7, 5, 3, 1}},
		{store.DecisionQuery{Before: 6, Environment: "prod", Outcome: "deny", Limit: 9}, []int64{5, 3, 1}},
		{store.DecisionQuery{Before: 6, Outcome: "allow", Limit: 9}, []int64{}},
		{store.DecisionQuery{Before: store.Open, Subject: "s", Point: "p", Service: "shop", Environment: "prod", Outcome: "deny", Limit: 1}, []int64{3}},
		{store.DecisionQuery{Before: store.Open, Point: "p", Service: "shop", Environment: "prod", Outcome: "deny", Limit: 9}, []int64{7, 3, 1}},
		{store.DecisionQuery{Before: 2, Service: "shop", Environment: "prod", Outcome: "deny", Limit: 9}, []int64{1}},
		{store.DecisionQuery{Before: store.Open, From: 5, Limit: 9}, []int64{7, 5}},
		{store.DecisionQuery{Before: 7, From: 3, Subject: "s", Limit: 9}, []int64{5, 3}},
		{store.DecisionQuery{Before: store.Open, From: 2, Point: "p", Service: "shop", Limit: 1}, []int64{7}},
		{store.DecisionQuery{Before: store.Open, From: 4, Service: "shop", Limit: 9}, []int64{7, 5}},
	} {
		got, err := v.Decisions(t.Context(), c.q)
		expect(t, fmt.Sprintf("%+v", c.q), err, ids(got), c.want)
	}
	for _, c := range []struct {
		from, before, limit int64
		want                string
	}{{0, store.Open, 9, "[1 3 7] p"}, {2, 7, 9, "[3] p"}, {0, store.Open, 2, "[1 3] p"}} {
		signed, err := v.SignedDecisions(t.Context(), "p", "prod", c.from, c.before, c.limit)
		var seen []store.Decision
		for _, x := range signed {
			seen = append(seen, x.Decision)
		}
		expect(t, fmt.Sprintf("signed %+v", c), err, fmt.Sprint(ids(seen), " ", signed[0].Producer), c.want)
	}
	found, err := v.DecisionsByID(t.Context(), "abcd", store.Open, 9)
	expect(t, "by id", err, ids(found), []int64{1, 7, 3})
	found, err = v.DecisionsByID(t.Context(), "abcd", 7, 9)
	expect(t, "by id at a position", err, ids(found), []int64{1, 3})
	expect(t, "ends", err, fmt.Sprint(found[0].To, found[1].To == store.Open), "3 true")
	next, ok, err := v.NextDecision(t.Context(), found[0])
	expect(t, "next", err, fmt.Sprint(next, ok), "3 true")
}

func askRegisters(t testing.TB, v *store.View) {
	for at, want := range map[int64]string{1: "false 0", 2: "true 1", 4: "true 1", 5: "true 4", store.Open: "true 4"} {
		r, found, err := v.Register(t.Context(), "exception", "x", at)
		expect(t, fmt.Sprint("exception x at ", at), err, fmt.Sprint(found, " ", r.From), want)
	}
	for _, c := range []struct {
		about string
		at    int64
		want  int
	}{{"", store.Open, 2}, {"shop", store.Open, 1}, {"", 4, 1}, {"bank", 4, 0}} {
		r, err := v.Registers(t.Context(), "exception", c.about, c.at, 9)
		expect(t, fmt.Sprintf("exceptions %+v", c), err, len(r), c.want)
	}
	next, ok, err := v.NextRegister(t.Context(), store.Register{Kind: "exception", ID: "x", From: 1})
	expect(t, "next", err, fmt.Sprint(next, ok), "4 true")
}

func askRanges(t testing.TB, v *store.View) {
	ctx := t.Context()
	got, err := v.EntriesBetween(ctx, 2, 6, 3)
	expect(t, "between", err, indexes(got), []int64{2, 3, 4})
	for _, c := range []struct {
		origin          string
		from, to, limit int64
		want            []int64
	}{
		{"other.example", 0, store.Open, 5, []int64{4, 2}},
		{"other.example", 0, store.Open, 1, []int64{4}},
		{"other.example", 20, 40, 5, []int64{2}},
		{"third.example", 0, store.Open, 5, []int64{}},
		{"", 0, store.Open, 5, []int64{}},
	} {
		came, err := v.Arrived(ctx, c.origin, c.from, c.to, c.limit)
		expect(t, fmt.Sprintf("arrived %+v", c), err, indexes(came), c.want)
	}
	var bodies, kinds []store.Entry
	must(t, v.EachBody(ctx, 2, 4, func(e store.Entry) error { bodies = append(bodies, e); return nil }))
	expect(t, "bodies", nil, indexes(bodies), []int64{2, 3})
	must(t, v.EachOfKind(ctx, "decision", 4, func(e store.Entry) error { kinds = append(kinds, e); return nil }))
	expect(t, "of a kind", nil, indexes(kinds), []int64{5, 7})
	var places []int64
	must(t, v.EachIndex(ctx, 6, store.Open, func(seq int64) error { places = append(places, seq); return nil }))
	expect(t, "places", nil, places, []int64{6, 7})
	seq, at, found, err := v.LastBefore(ctx, 5)
	expect(t, "last before", err, fmt.Sprint(seq, at, found), "4 1004 true")
	counts := [5]int{}
	count := store.Projections{
		Subject:  func(store.Subject) error { counts[0]++; return nil },
		Decision: func(store.Decision) error { counts[1]++; return nil },
		Register: func(store.Register) error { counts[2]++; return nil },
		Foreign:  func(store.ForeignBundle) error { counts[3]++; return nil },
		Running:  func(store.Running) error { counts[4]++; return nil },
	}
	must(t, v.EachProjection(ctx, count))
	expect(t, "projections", nil, counts, [5]int{8, 4, 4, 1, 4})
	must(t, v.EachProjectionBetween(ctx, 3, 6, count))
	expect(t, "and between", nil, counts, [5]int{11, 6, 6, 2, 6})
}
