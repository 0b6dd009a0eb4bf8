// Package storetest is what every engine of store must do, and a real PostgreSQL to do
// it on.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"verdict/store"
)

// Engine runs the suite. Open gives an engine on a database of its own at each call;
// opened twice with the same name, on the same database.
func Engine(t *testing.T, open func(t testing.TB, name string) store.Engine) {
	one := func(t *testing.T) *store.Store { return migrated(t, open(t, "one")) }
	t.Run("a snapshot does not see what is written meanwhile", func(t *testing.T) { snapshot(t, one(t)) })
	t.Run("a plan that fails writes nothing", func(t *testing.T) { failingPlan(t, one(t)) })
	t.Run("a head that is not the one that was read is a fence", func(t *testing.T) { fences(t, one(t)) })
	t.Run("what was written comes back", func(t *testing.T) { roundTrip(t, one(t)) })
	t.Run("every question has its answer at every position", func(t *testing.T) { questions(t, one(t)) })
	t.Run("two processes that write take turns", func(t *testing.T) {
		turns(t, migrated(t, open(t, "shared")), migrated(t, open(t, "shared")))
	})
	t.Run("an append is told to other processes", func(t *testing.T) {
		announced(t, migrated(t, open(t, "told")), migrated(t, open(t, "told")))
	})
	t.Run("work is claimed by one", func(t *testing.T) { jobs(t, migrated(t, open(t, "jobs")), migrated(t, open(t, "jobs"))) })
	t.Run("the time is that of the database, where machines share it", func(t *testing.T) { clocks(t, one(t)) })
	t.Run("a write under a key is done once", func(t *testing.T) { repeats(t, migrated(t, open(t, "keys")), migrated(t, open(t, "keys"))) })
	t.Run("what a forge delivers is kept once, with its work", func(t *testing.T) {
		deliveries(t, migrated(t, open(t, "hooks")), migrated(t, open(t, "hooks")))
	})
	t.Run("signatures of witnesses are kept", func(t *testing.T) { cosignatures(t, one(t)) })
	t.Run("credentials open the door until they end", func(t *testing.T) { credentials(t, migrated(t, open(t, "doors")), migrated(t, open(t, "doors"))) })
	t.Run("a name can be forgotten and its id cannot", func(t *testing.T) { actors(t, one(t)) })
	t.Run("what entries rest on is known of each blob", func(t *testing.T) { blobs(t, one(t)) })
	t.Run("components lead to the bills that list them", func(t *testing.T) { components(t, migrated(t, open(t, "index")), migrated(t, open(t, "index"))) })
	t.Run("bills of a version before are listed late", func(t *testing.T) { listed(t, one(t)) })
	t.Run("a database moves whole", func(t *testing.T) {
		moves(t, migrated(t, open(t, "from")), migrated(t, open(t, "to")), migrated(t, open(t, "full")))
	})
	t.Run("two processes may migrate at once", func(t *testing.T) { migrations(t, open(t, "new"), open(t, "new")) })
	t.Run("a cancelled context stops a read", func(t *testing.T) { cancelled(t, one(t)) })
}

func migrated(t testing.TB, e store.Engine) *store.Store {
	t.Helper()
	s, err := store.New(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Root is a root that is not empty.
func root(n byte) []byte { return append(make([]byte, 31), n) }

// Head is the head of a first epoch.
func head(size int64) store.Head {
	return store.Head{Epoch: 1, Origin: "log.example", Key: "log.example+00000000+AA==", Size: size, Root: root(byte(size)), Opened: 1, Latest: size}
}

// entry is a row with every column set.
func entry(seq int64, change func(*store.Entry)) store.Entry {
	e := store.Entry{
		Seq: seq, ToSeq: store.Open, At: 1000 + seq, Kind: "test-result", PredicateType: "https://example.com/t", Producer: "p", Service: "shop", Team: "web",
		Environment: "prod", Point: "ci.secrets", Run: "7", Actor: "a", Said: math.MinInt64, Retention: "change", Subjects: `[{"name":"x"}]`,
		Digest: root(byte(seq)), Identity: []byte(fmt.Sprintf("identity %d", seq)), Signer: "k", Signature: []byte{1, 0, 2}, Size: 5, Payload: []byte{0, 1, 2, 0},
	}
	if change != nil {
		change(&e)
	}
	return e
}

// write appends entries and whatever else a batch holds, and moves the head.
func write(t testing.TB, s *store.Store, from int64, b store.Batch) {
	t.Helper()
	b.From, b.To = head(from), head(from+int64(len(b.Entries)))
	must(t, s.Append(t.Context(), func(*store.View) (*store.Batch, error) { return &b, nil }))
}

func begun(t testing.TB, s *store.Store) {
	t.Helper()
	must(t, s.OpenEpoch(t.Context(), head(0)))
}

func snapshot(t *testing.T, s *store.Store) {
	begun(t, s)
	must(t, s.View(t.Context(), func(v *store.View) error {
		before, _, err := v.Head(t.Context())
		must(t, err)
		write(t, s, 0, store.Batch{Entries: []store.Entry{entry(0, nil)}})
		after, found, err := v.Head(t.Context())
		if before.Size != 0 || after.Size != 0 || !found {
			t.Errorf("size %d, then %d", before.Size, after.Size)
		}
		return err
	}))
	must(t, s.View(t.Context(), func(v *store.View) error {
		h, _, err := v.Head(t.Context())
		if h.Size != 1 {
			t.Errorf("size %d afterwards", h.Size)
		}
		return err
	}))
}

func failingPlan(t *testing.T, s *store.Store) {
	begun(t, s)
	broken := errors.New("broken")
	if err := s.Append(t.Context(), func(*store.View) (*store.Batch, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	must(t, s.Append(t.Context(), func(*store.View) (*store.Batch, error) { return nil, nil }))
	write(t, s, 0, store.Batch{Entries: []store.Entry{entry(0, nil)}})
	panics := func() (p any) {
		defer func() { p = recover() }()
		return s.View(t.Context(), func(v *store.View) error { _, _, err := v.Entry(t.Context(), 0); return err })
	}
	if p := panics(); p != nil {
		t.Errorf("after a failing plan: %v", p)
	}
}

func fences(t *testing.T, s *store.Store) {
	begun(t, s)
	write(t, s, 0, store.Batch{Entries: []store.Entry{entry(0, nil)}})
	for name, b := range map[string]store.Batch{
		"another size":              {From: head(0), To: head(2), Entries: []store.Entry{entry(1, nil)}},
		"a position that is taken":  {From: head(1), To: head(2), Entries: []store.Entry{entry(0, func(e *store.Entry) { e.Identity = []byte("x") })}},
		"an identity that is known": {From: head(1), To: head(2), Entries: []store.Entry{entry(1, func(e *store.Entry) { e.Identity = []byte("identity 0") })}},
	} {
		if err := s.Append(t.Context(), func(*store.View) (*store.Batch, error) { return &b, nil }); !errors.Is(err, store.ErrFence) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := head(1)
	other.Root = root(77)
	b := store.Batch{From: other, To: head(2), Entries: []store.Entry{entry(1, nil)}}
	if err := s.Append(t.Context(), func(*store.View) (*store.Batch, error) { return &b, nil }); !errors.Is(err, store.ErrFence) {
		t.Errorf("another root: %v", err)
	}
	if err := s.OpenEpoch(t.Context(), head(0)); !errors.Is(err, store.ErrFence) {
		t.Errorf("an epoch that is open: %v", err)
	}
	must(t, s.View(t.Context(), func(v *store.View) error {
		h, _, err := v.Head(t.Context())
		must(t, err)
		_, found, err := v.Entry(t.Context(), 1)
		if h.Size != 1 || found {
			t.Errorf("something of a refused batch is there: size %d, entry %v", h.Size, found)
		}
		return err
	}))
}

func roundTrip(t *testing.T, s *store.Store) {
	begun(t, s)
	odd := entry(1, func(e *store.Entry) {
		e.Payload, e.Leaf, e.ToSeq, e.Service, e.Said = nil, []byte("leaf"), 9, "", math.MaxInt64
		e.ForeignDigest, e.ForeignOrigin, e.ForeignSeq, e.Subjects = "sha256:00", "other.example", math.MaxInt64, "ünï\u2028 '\"\\"
	})
	var many []store.Entry
	for i := int64(2); i < 90; i++ { // every size of chunk
		many = append(many, entry(i, nil))
	}
	tile := store.Tile{Level: 2, N: 1 << 40, Data: []byte{0, 0xff}}
	write(t, s, 0, store.Batch{
		Entries: append([]store.Entry{entry(0, nil), odd}, many...), Foreign: []store.ForeignBundle{{From: 1, To: store.Open, Size: 3, Data: []byte{9}}, {From: 2, To: 3, Size: 4}},
		Tiles: []store.Tile{{Level: 2, N: 1 << 40, Data: []byte{0}}, tile},
	})
	must(t, s.View(t.Context(), func(v *store.View) error {
		for i, want := range []store.Entry{entry(0, nil), odd} {
			got, found, err := v.Body(t.Context(), int64(i))
			if err != nil || !found || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || (got.Payload == nil) != (want.Payload == nil) {
				t.Errorf("got  %+v\nwant %+v, %v", got, want, err)
			}
			short, _, err := v.Entry(t.Context(), int64(i))
			want.Payload, want.Leaf, want.Signature = nil, nil, nil
			if fmt.Sprintf("%+v", short) != fmt.Sprintf("%+v", want) || err != nil {
				t.Errorf("got  %+v\nwant %+v, %v", short, want, err)
			}
		}
		f, found, err := v.Foreign(t.Context(), 1)
		if err != nil || !found || f.Size != 3 || string(f.Data) != "\t" {
			t.Errorf("%+v, %v", f, err)
		}
		if f, _, err = v.Foreign(t.Context(), 2); err != nil || f.Data != nil || f.To != 3 {
			t.Errorf("%+v, %v", f, err)
		}
		tiles := []store.Tile{{Level: 2, N: 1 << 40}, {Level: 0, N: 7}}
		must(t, v.Tiles(t.Context(), 1, tiles))
		if string(tiles[0].Data) != string(tile.Data) || tiles[1].Data != nil {
			t.Errorf("%+v", tiles)
		}
		n := 0
		must(t, v.EachTile(t.Context(), 1, 2, 0, store.Open, func(x store.Tile) error { n++; return nil }))
		epochs, err := v.Epochs(t.Context())
		if n != 1 || err != nil || len(epochs) != 1 || fmt.Sprint(epochs[0]) != fmt.Sprint(head(90)) {
			t.Errorf("%d tiles, epochs %+v, %v", n, epochs, err)
		}
		at, found, err := v.Travelled(t.Context(), "other.example", math.MaxInt64)
		if err != nil || !found || at != 1 {
			t.Errorf("travelled to %d, %v, %v", at, found, err)
		}
		_, known, err := v.Known(t.Context(), [][]byte{[]byte("identity 0"), []byte("identity 40"), []byte("none")})
		if err != nil || len(known) != 2 || known["identity 40"] != 40 {
			t.Errorf("known %v, %v", known, err)
		}
		return nil
	}))
}

func turns(t *testing.T, a, b *store.Store) {
	begun(t, a)
	var wait sync.WaitGroup
	const each = 25
	for n, s := range []*store.Store{a, b, a, b} {
		wait.Go(func() {
			for i := range each {
				err := s.Append(t.Context(), func(v *store.View) (*store.Batch, error) {
					h, _, err := v.Known(t.Context(), nil)
					next := head(h.Size + 1)
					next.Root = root(byte(h.Size + 1))
					return &store.Batch{From: h, To: next, Entries: []store.Entry{entry(h.Size, func(e *store.Entry) { e.Identity = []byte(fmt.Sprint(n, "/", i)) })}}, err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	must(t, a.View(t.Context(), func(v *store.View) error {
		h, _, err := v.Head(t.Context())
		if h.Size != 4*each {
			t.Errorf("%d of %d", h.Size, 4*each)
		}
		return err
	}))
}

func jobs(t *testing.T, a, b *store.Store) {
	ctx := t.Context()
	for i := range 20 {
		must(t, a.AddJob(ctx, store.Job{ID: fmt.Sprint("j", i), Kind: "sweep", Doc: "{}", Due: int64(i)}))
	}
	must(t, a.AddJob(ctx, store.Job{ID: "j0", Kind: "sweep", Doc: "again", Due: 0}))
	if late, err := b.LateJobs(ctx, 9); err != nil || len(late) != 1 || late[0] != (store.LateJobs{Kind: "sweep", Count: 10, Due: 0}) {
		t.Errorf("ten of them are due at 9: %+v, %v", late, err)
	}
	var mu sync.Mutex
	claimed := map[string]string{}
	var wait sync.WaitGroup
	for n, s := range []*store.Store{a, b, a, b} {
		wait.Go(func() {
			owner := fmt.Sprint("worker ", n)
			for {
				j, found, err := s.ClaimJob(ctx, "sweep", owner, 100, 200)
				if err != nil {
					t.Error(err)
				}
				if !found {
					return
				}
				mu.Lock()
				if who, twice := claimed[j.ID]; twice {
					t.Errorf("%s went to %s and to %s", j.ID, who, owner)
				}
				claimed[j.ID] = owner
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if len(claimed) != 20 {
		t.Errorf("%d of 20 were claimed", len(claimed))
	}
	if _, found, err := a.ClaimJob(ctx, "sweep", "late", 150, 400); found || err != nil {
		t.Errorf("before the lease ended: %v", err)
	}
	wanted(t, a, b)
	j, found, err := a.ClaimJob(ctx, "sweep", "late", 200, 400)
	if err != nil || !found || j.ID != "j0" || j.Attempts != 2 || j.Doc != "{}" {
		t.Fatalf("after the lease ended: %+v, %v", j, err)
	}
	if held, err := a.HoldJob(ctx, "j0", claimed["j0"], 900); held || err != nil {
		t.Errorf("who lost the work holds it: %v", err)
	}
	if held, err := a.HoldJob(ctx, "j0", "late", 500); !held || err != nil {
		t.Errorf("holding: %v", err)
	}
	if _, found, err := a.ClaimJob(ctx, "sweep", "next", 450, 600); found && err == nil {
		if j, _, _ := a.ClaimJob(ctx, "sweep", "next", 450, 600); j.ID == "j0" {
			t.Error("it was taken from who holds it")
		}
	}
	if done, err := b.FinishJob(ctx, "j0", claimed["j0"]); done || err != nil {
		t.Errorf("who lost the work finished it: %v", err)
	}
	if again, err := b.RepeatJob(ctx, "j0", "late", 900, "no network"); !again || err != nil {
		t.Errorf("giving back: %v", err)
	}
	j, found, err = a.ClaimJob(ctx, "sweep", "next", 901, 1000)
	if err != nil || !found {
		t.Fatal(err)
	}
	for j.ID != "j0" && found {
		j, found, err = a.ClaimJob(ctx, "sweep", "next", 901, 1000)
		must(t, err)
	}
	if j.Fault != "no network" {
		t.Errorf("%+v", j)
	}
	if done, err := a.FinishJob(ctx, "j0", "next"); !done || err != nil {
		t.Errorf("finish: %v", err)
	}
}

func cosignatures(t *testing.T, s *store.Store) {
	for i, c := range []store.Cosignature{
		{Origin: "o", Size: 5, Name: "w", Line: "old"}, {Origin: "o", Size: 5, Name: "w", Line: "new"}, {Origin: "o", Size: 9, Name: "w", Line: "later"},
		{Origin: "o", Size: 5, Name: "v", Line: "other"}, {Origin: "p", Size: 5, Name: "w", Line: "else"},
	} {
		c.At = int64(i + 1)
		must(t, s.PutCosignature(t.Context(), c))
	}
	must(t, s.View(t.Context(), func(v *store.View) error {
		got, err := v.Cosignatures(t.Context(), "o", 8, 10)
		if err != nil || len(got) != 2 || got[0].Line != "other" || got[1].Line != "new" || got[1].At != 2 {
			t.Errorf("%+v, %v", got, err)
		}
		all := map[string]int64{}
		must(t, v.EachCosignature(t.Context(), func(c store.Cosignature) error { all[c.Origin+" "+c.Line] = c.Size; return nil }))
		expect(t, "all", nil, all, map[string]int64{"o new": 5, "o later": 9, "o other": 5, "p else": 5})
		return nil
	}))
}

func migrations(t *testing.T, a, b store.Engine) {
	defer a.Close()
	defer b.Close()
	var wait sync.WaitGroup
	for _, e := range []store.Engine{a, b} {
		wait.Go(func() {
			if err := e.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	must(t, b.Migrate(t.Context()))
}

func cancelled(t *testing.T, s *store.Store) {
	begun(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.View(ctx, func(v *store.View) error { _, _, err := v.Head(ctx); return err }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, s.View(t.Context(), func(v *store.View) error { _, _, err := v.Head(t.Context()); return err }))
	if err := s.Append(ctx, func(*store.View) (*store.Batch, error) { return nil, nil }); err != nil && !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "cancel") {
		t.Errorf("got %v", err)
	}
}

// wanted takes work before it is due, because somebody wants it now: it is done once all the same.
func wanted(t *testing.T, a, b *store.Store) {
	t.Helper()
	ctx := t.Context()
	if err := a.AddJob(ctx, store.Job{ID: "later", Kind: "later", Doc: "{}", Due: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	if _, found, err := b.ClaimJob(ctx, "later", "w", 100, 200); found || err != nil {
		t.Errorf("it is not due: %v", err)
	}
	if j, found, err := b.TakeJob(ctx, "later", "w", 100, 200); !found || err != nil || j.ID != "later" || j.Owner != "w" || j.Due != 1<<40 || j.Attempts != 1 {
		t.Errorf("it was not taken: %+v, %v", j, err)
	}
	for _, id := range []string{"later", "none"} {
		if _, found, err := a.TakeJob(ctx, id, "x", 150, 300); found || err != nil {
			t.Errorf("%s was taken by a second one: %v", id, err)
		}
	}
	if done, err := a.FinishJob(ctx, "later", "w"); !done || err != nil {
		t.Errorf("its end: %v", err)
	}
}
