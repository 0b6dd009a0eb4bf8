package storetest

import (
	"fmt"
	"sync"
	"testing"

	"verdict/store"
)

func delivery(id string, digest byte) store.Delivery {
	return store.Delivery{
		Source: "github", ID: id, Name: "pull_request.opened", Digest: root(digest), Received: 100, State: store.DeliveryWaiting,
		Event: `{"commit":"1"}`, Sealed: []byte{0, 7}, Progress: `{}`,
	}
}

// What a forge was told is kept must be there with its work, once, however often and from
// wherever it is delivered again.
func deliveries(t *testing.T, a, b *store.Store) {
	ctx := t.Context()
	one := delivery("d-1", 1)
	if _, known, err := a.AddDelivery(ctx, one, "forge"); known || err != nil {
		t.Fatalf("a new delivery is known: %v", err)
	}
	var wait sync.WaitGroup
	for _, s := range []*store.Store{a, b} {
		wait.Go(func() {
			if was, known, err := s.AddDelivery(ctx, one, "forge"); !known || err != nil || fmt.Sprintf("%+v", was) != fmt.Sprintf("%+v", one) {
				t.Errorf("delivered again: %+v, %v, %v", was, known, err)
			}
		})
	}
	wait.Wait()
	if was, known, err := b.AddDelivery(ctx, delivery("d-1", 2), "forge"); !known || err != nil || was.Digest[31] != 1 {
		t.Errorf("another body under the same name: %+v, %v, %v", was, known, err)
	}
	if was, known, err := b.AddDelivery(ctx, delivery("d-2", 1), "forge"); !known || err != nil || was.ID != "d-1" {
		t.Errorf("the same body under another name: %+v, %v, %v", was, known, err)
	}
	ignored := delivery("d-3", 3)
	ignored.State, ignored.Sealed = store.DeliveryIgnored, nil
	if _, known, err := a.AddDelivery(ctx, ignored, "forge"); known || err != nil {
		t.Error(known, err)
	}
	j := claimOnly(t, b, 100)
	if j.ID != one.JobID() {
		t.Errorf("the work is %+v", j)
	}

	one.Progress, one.Waits = `{"n":1}`, "gitCommit:aa"
	must(t, a.KeepDelivery(ctx, one))
	if ok, err := a.RepeatJob(ctx, j.ID, "w", 900, ""); !ok || err != nil {
		t.Fatal(ok, err)
	}
	must(t, b.WakeDeliveries(ctx, []string{"gitCommit:bb"}, 200))
	if _, found, err := a.ClaimJob(ctx, "forge", "w", 201, 300); found || err != nil {
		t.Errorf("woken by another subject: %v", err)
	}
	must(t, b.WakeDeliveries(ctx, []string{"gitCommit:bb", "gitCommit:aa"}, 200))
	if j = claimOnly(t, a, 201); j.Due != 200 {
		t.Errorf("%+v", j)
	}
	if ok, err := a.RepeatJob(ctx, j.ID, "w", 900, "throttled"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	must(t, b.WakeDeliveries(ctx, []string{"gitCommit:aa"}, 250))
	if _, found, err := a.ClaimJob(ctx, "forge", "w", 251, 300); found || err != nil {
		t.Errorf("work that waits for a throttle was woken: %v", err)
	}
	again(t, a, one)
}

// again: a failed delivery can be delivered again, and only what is over is forgotten.
func again(t *testing.T, s *store.Store, one store.Delivery) {
	ctx := t.Context()
	j := claimOnly(t, s, 900)
	one.State, one.Told, one.Waits = store.DeliveryFailed, "nobody is there", ""
	must(t, s.KeepDelivery(ctx, one))
	if ok, err := s.FinishJob(ctx, j.ID, "w"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if was, known, err := s.AddDelivery(ctx, delivery("d-1", 1), "forge"); !known || err != nil || was.State != store.DeliveryFailed {
		t.Errorf("%+v, %v, %v", was, known, err)
	}
	if j = claimOnly(t, s, 1000); j.ID != one.JobID() {
		t.Errorf("%+v", j)
	}
	must(t, s.ForgetDeliveries(ctx, 1000))
	must(t, s.View(ctx, func(v *store.View) error {
		all, err := v.Deliveries(ctx, 1000, "", 10)
		if err != nil || len(all) != 1 || all[0].State != store.DeliveryWaiting || all[0].Told != "" || string(all[0].Sealed) != "\x00\x07" {
			t.Errorf("%+v, %v", all, err)
		}
		some, err := v.Deliveries(ctx, 1000, store.DeliveryFailed, 10)
		if err != nil || len(some) != 0 {
			t.Errorf("%+v, %v", some, err)
		}
		_, found, err := v.Delivery(ctx, "github", "d-3")
		if found {
			t.Error("what led nowhere was kept for ever")
		}
		return err
	}))
}

func claimOnly(t *testing.T, s *store.Store, now int64) store.Job {
	t.Helper()
	j, found, err := s.ClaimJob(t.Context(), "forge", "w", now, now+50)
	if err != nil || !found {
		t.Fatalf("no work: %v", err)
	}
	if two, found, err := s.ClaimJob(t.Context(), "forge", "w", now, now+50); found || err != nil {
		t.Fatalf("more work than there is: %+v, %v", two, err)
	}
	return j
}
