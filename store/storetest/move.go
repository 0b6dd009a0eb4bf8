package storetest

import (
	"context"
	"errors"
	"testing"

	"verdict/store"
)

// moves: a database goes to another one whole, and only to an empty one.
func moves(t *testing.T, from, to, full *store.Store) {
	begun(t, from)
	write(t, from, 0, store.Batch{Entries: []store.Entry{entry(0, nil), entry(1, func(e *store.Entry) { e.Payload, e.Leaf = nil, []byte("leaf") })}})
	must(t, from.AddJob(t.Context(), store.Job{ID: "j", Kind: "k", Doc: "{}", Due: 7}))
	must(t, from.PutCosignature(t.Context(), store.Cosignature{Origin: "o", Size: 1, Name: "n", Line: "l", At: 1}))
	checked := 0
	m := store.Moving{Place: "there", At: 9, Progress: func(string, int64) {}, Check: func(context.Context) error { checked++; return nil }}

	other := head(5)
	other.Origin = "other.example"
	must(t, full.OpenEpoch(t.Context(), other))
	if err := from.Move(t.Context(), full, m); !errors.Is(err, store.ErrNotEmpty) || checked > 0 {
		t.Errorf("into a database that holds another log: %v", err)
	}
	must(t, from.Move(t.Context(), to, m))
	must(t, to.View(t.Context(), func(v *store.View) error {
		h, _, err := v.Head(t.Context())
		if h.Size != 2 || h.Moved != "" || err != nil {
			t.Errorf("the target holds %+v, %v", h, err)
		}
		e, found, err := v.Body(t.Context(), 1)
		if !found || e.Payload != nil || string(e.Leaf) != "leaf" {
			t.Errorf("the entry that was pruned came as %+v, %v", e, err)
		}
		return err
	}))
	if j, found, err := to.ClaimJob(t.Context(), "k", "me", 8, 10); !found || j.Due != 7 || err != nil {
		t.Errorf("the job came as %+v, %v", j, err)
	}
	must(t, from.View(t.Context(), func(v *store.View) error {
		if h, _, err := v.Head(t.Context()); h.Moved != "there" || err != nil {
			t.Errorf("the source says %+v, %v", h, err)
		}
		return nil
	}))
	if checked != 1 {
		t.Errorf("checked %d times", checked)
	}
}
