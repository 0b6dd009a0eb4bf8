package storetest

import (
	"fmt"
	"testing"

	"verdict/store"
)

// run is what a statement says of one artifact of a service.
func run(seq int64, environment, service, digest, decision string, ends bool) store.Run {
	return store.Run{Ends: ends, Running: store.Running{
		From: seq, To: store.Open, Environment: environment, Service: service, Name: "img", Digest: digest, Decision: decision, At: 100 + seq,
	}}
}

// runs has one statement of each sort: first ones, the same again, another digest, ends of
// what runs, of what does not, and of what rests on another decision.
func runs() []store.Run {
	return []store.Run{
		run(0, "prod", "shop", "v1", "d1", false),
		run(1, "prod", "bank", "v1", "d2", false),
		run(2, "prod", "shop", "v1", "d3", false), // runs already
		run(3, "prod", "shop", "v2", "d4", false), // ends 0
		run(4, "test", "shop", "v2", "", false),
		run(4, "prod", "shop", "v1", "", true),   // does not run any more
		run(5, "prod", "shop", "v2", "d5", true), // that of another decision
		run(6, "prod", "shop", "v2", "d4", true), // ends 3
		run(7, "prod", "bank", "v1", "", true),   // ends 1
	}
}

func askRunning(t testing.TB, v *store.View) {
	for _, c := range []struct {
		q    store.RunningQuery
		want []int64
	}{
		{store.RunningQuery{At: store.Open, Limit: 9}, []int64{4}},
		{store.RunningQuery{At: 0, Limit: 9}, []int64{}},
		{store.RunningQuery{At: 1, Limit: 9}, []int64{0}},
		{store.RunningQuery{At: 3, Limit: 9}, []int64{1, 0}},
		{store.RunningQuery{At: 4, Limit: 9}, []int64{3, 1}},
		{store.RunningQuery{At: 6, Limit: 9}, []int64{4, 3, 1}},
		{store.RunningQuery{At: 7, Limit: 9}, []int64{4, 1}},
		{store.RunningQuery{At: 6, Limit: 1}, []int64{4}},
		{store.RunningQuery{At: 6, Before: 4, Limit: 1}, []int64{3}},
		{store.RunningQuery{At: 6, Before: 9, Limit: 9}, []int64{4, 3, 1}},
		{store.RunningQuery{At: 6, Environment: "prod", Limit: 9}, []int64{3, 1}},
		{store.RunningQuery{At: 6, Environment: "none", Limit: 9}, []int64{}},
		{store.RunningQuery{At: 6, Service: "shop", Limit: 9}, []int64{4, 3}},
		{store.RunningQuery{At: 6, Service: "shop", Environment: "prod", Limit: 9}, []int64{3}},
		{store.RunningQuery{At: 3, Digest: "v1", Limit: 9}, []int64{1, 0}},
		{store.RunningQuery{At: 3, Digest: "v1", Service: "bank", Environment: "prod", Limit: 9}, []int64{1}},
		{store.RunningQuery{At: 4, Digest: "v1", Ended: true, Limit: 9}, []int64{1, 0}},
		{store.RunningQuery{At: store.Open, Ended: true, Limit: 9}, []int64{4, 3, 1, 0}},
	} {
		got, err := v.Running(t.Context(), c.q)
		begun := []int64{}
		for _, r := range got {
			begun = append(begun, r.From)
		}
		expect(t, fmt.Sprintf("%+v", c.q), err, begun, c.want)
	}
	got, err := v.Running(t.Context(), store.RunningQuery{At: 1, Limit: 1})
	expect(t, "a row", err, got, []store.Running{{From: 0, To: 3, Environment: "prod", Service: "shop", Name: "img", Digest: "v1", Decision: "d1", At: 100}})
	var ended []int64
	must(t, v.EachEnded(t.Context(), 3, 7, func(r store.Running) error { ended = append(ended, r.From); return nil }))
	expect(t, "ended", nil, len(ended), 2)
}
