package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"verdict/store"
)

// Every command asks these when it opens a log, or in its first question. A plan that reads
// all of a table costs nothing in a test, and a tenth of a second in a log of 100,000 bills.
func TestWhatEveryCommandAsksUsesItsIndex(t *testing.T) {
	e, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	watched := &watching{Engine: e, asked: map[string][]any{}}
	s, err := store.New(t.Context(), watched)
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(v *store.View) error {
		if _, err := v.Unlisted(t.Context()); err != nil {
			return err
		}
		if err := v.EachRunning(t.Context(), store.Open, func(store.RunningBill) error { return nil }); err != nil {
			return err
		}
		return v.EachRunningImage(t.Context(), store.Open, func(int64, store.ImageOf) error { return nil })
	})
	if err != nil || len(watched.asked) < 3 {
		t.Fatalf("%d statements were seen: %v", len(watched.asked), err)
	}
	for sql, args := range watched.asked {
		err := e.Read(t.Context(), func(r store.Reader) error {
			return r.Run(t.Context(), store.Statement{SQL: "EXPLAIN QUERY PLAN " + sql, Args: args, Each: func(r store.Row) error {
				var id, parent, unused int64
				var step string
				if err := r.Scan(&id, &parent, &unused, &step); err != nil {
					return err
				}
				if strings.HasPrefix(step, "SCAN ") && step != "SCAN CONSTANT ROW" || strings.Contains(sql, "bills < 0") && !strings.Contains(step, "entry_bills") {
					t.Errorf("%s: %s", sql, step)
				}
				return nil
			}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// watching is an engine that remembers what it is asked.
type watching struct {
	*Engine
	asked map[string][]any
}

func (w *watching) Read(ctx context.Context, read func(store.Reader) error) error {
	return w.Engine.Read(ctx, func(r store.Reader) error { return read(listening{r, w}) })
}

type listening struct {
	store.Reader
	w *watching
}

func (l listening) Run(ctx context.Context, all ...store.Statement) error {
	for _, s := range all {
		l.w.asked[s.SQL] = s.Args
	}
	return l.Reader.Run(ctx, all...)
}
