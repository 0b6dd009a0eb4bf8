package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"verdict"
)

// An operator has the witnesses sign now, sees how much each of them signed, and is told of the
// one who is down; and nobody has the server call an address of his own.
func TestAServerAsksItsWitnesses(t *testing.T) {
	signer, handler := obliging(t)
	there := httptest.NewServer(handler)
	defer there.Close()
	key := signer.Verifier().String()
	x := servingData(t, oneImage(t), func(h *host) {
		if err := h.witnessesOf([]string{there.URL + "=" + key}); err != nil {
			t.Fatal(err)
		}
	})
	list := func() (l witnessList) {
		t.Helper()
		status, body := x.get("viewer", "/api/v1/log/witnesses")
		if err := json.Unmarshal([]byte(body), &l); err != nil || status != 200 || len(l.Witnesses) != 1 {
			t.Fatalf("%d %s", status, body)
		}
		return l
	}
	if w := list().Witnesses[0]; w.Size != 0 || !w.At.IsZero() || !w.Asked || w.Key != key {
		t.Errorf("before he was asked: %+v", w)
	}
	ask := func() (w witnessed) {
		t.Helper()
		status, body := x.do("admin", "POST", "/api/v1/log/witnesses", "")
		if err := json.Unmarshal([]byte(body), &w); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		x.promised(t, "post", "/api/v1/log/witnesses", body)
		return w
	}
	if w := ask(); len(w.Signed) != 1 || len(w.Failed) != 0 || !strings.Contains(w.Signed[0].Note, "— witness.example ") {
		t.Errorf("%+v", w)
	}
	if l := list(); l.Size == 0 || l.Witnesses[0].Size != l.Size || l.Witnesses[0].At.IsZero() {
		t.Errorf("after it: %+v", l)
	}
	there.Close()
	if w := ask(); len(w.Signed) != 0 || len(w.Failed) != 1 || w.Failed[0].Code != verdict.CodeUnavailable || w.Failed[0].Remedy == "" {
		t.Errorf("he is down: %+v", w)
	}
	for _, bad := range []string{"witness.example", "ftp://w.example=" + key, there.URL + "=nonsense", there.URL + "=" + key} {
		if err := x.host.witnessesOf([]string{bad}); err == nil {
			t.Errorf("--witness %s is taken", bad)
		}
	}
}
