package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"verdict/identity"
)

// Somebody who sees little of a large log has much looked at for each request: he would have a
// core to himself, and is held to what others may ask for.
func TestWhatIsLookedAtForACallerWeighsAsRequests(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	b := newBuckets(10, func() time.Time { return now })
	b.charge("narrow", 30) // of the 20 that he has
	if b.take("narrow") || !b.take("another") {
		t.Error("he asks on, or another does not")
	}
	if now = now.Add(time.Second); b.take("narrow") {
		t.Error("he asks before it is earned")
	}
	if now = now.Add(time.Second); !b.take("narrow") {
		t.Error("he never asks again")
	}
}

func TestTheRoutesOfTheLedgerCountWhatTheyLookAt(t *testing.T) {
	narrow := identity.Caller{Actor: "a-narrow", Grants: []identity.Grant{{Role: identity.Viewer, Scope: identity.Scope{Services: []string{"shop"}}}}}
	s := made(t, Limits{Rate: 1000})
	s.o.Auth = known{"narrow": narrow}
	s.LedgerRoutes(LedgerOptions{})
	seen, err := (&shelf{server: s, ledger: s.o.Ledger}).seen(t.Context(), narrow)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{http.StatusOK, http.StatusTooManyRequests} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/entries", nil)
		r.Header.Set("Authorization", "Bearer narrow")
		w := httptest.NewRecorder()
		if s.Handler().ServeHTTP(w, r); w.Code != want {
			t.Errorf("%d, and not %d", w.Code, want)
		}
		seen.Passed(1_000_000)
	}
}
