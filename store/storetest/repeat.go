package storetest

import (
	"testing"

	"verdict/store"
)

// repeats checks that a write under a key is one caller's to do, over two processes.
func repeats(t *testing.T, a, b *store.Store) {
	ctx := t.Context()
	r := store.Repeat{Actor: "a", Key: "k", Request: "r", At: 10, Claimed: 20, Expires: 100}
	claim := func(s *store.Store, at int64, request string) (store.Repeat, bool) {
		t.Helper()
		r.At, r.Claimed, r.Request = at, at+10, request
		got, mine, err := s.ClaimRepeat(ctx, r)
		must(t, err)
		return got, mine
	}
	if _, mine := claim(a, 10, "r"); !mine {
		t.Fatal("the first does not get it")
	}
	if got, mine := claim(b, 15, "r"); mine || got.Status != 0 {
		t.Errorf("a second gets it while the first is at work: %v %+v", mine, got)
	}
	if _, mine := claim(b, 25, "other"); mine {
		t.Error("another request gets the key of one that was let go")
	}
	if _, mine := claim(b, 25, "r"); !mine {
		t.Error("nobody gets what the first let go")
	}
	r.Status, r.Type, r.Body = 200, "text/plain", []byte("done")
	must(t, b.FinishRepeat(ctx, r))
	if got, mine := claim(a, 50, "other"); mine || got.Request != "r" || got.Status != 200 || string(got.Body) != "done" || got.Type != "text/plain" {
		t.Errorf("the answer does not come back: %v %+v", mine, got)
	}
	if _, mine := claim(a, 100, "new"); !mine {
		t.Error("a key that expired is not free")
	}
	must(t, a.DropRepeat(ctx, "a", "k"))
	if _, mine := claim(b, 101, "r"); !mine {
		t.Error("a key that was dropped is not free")
	}
}
