package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"verdict"
	"verdict/ledger"
)

// sends runs verdict sync --server for the ledger of a workspace, and gives what it says.
func (w *workspace) sends(t *testing.T, address, token, trust string) (synced, error) {
	t.Helper()
	var out bytes.Buffer
	a := remoteApp(t, address, &out)
	a.env = environment{"HOME": w.app.env["HOME"], "TOKEN": token}
	a.config.Data, a.config.Output = w.dir, []output{{Format: "json"}}
	err := (&syncing{trust: trust}).run(t.Context(), a, nil)
	var r synced
	if out.Len() > 0 {
		if bad := json.Unmarshal(out.Bytes(), &r); bad != nil {
			t.Fatal(bad, out.String())
		}
	}
	if err == exit(0) {
		err = nil
	}
	return r, err
}

// What was recorded without a server is on the server once afterwards, verified, as claims;
// an interrupted run goes on.
func TestALedgerTravelsToAServer(t *testing.T) {
	from, to := ledgerHere(t, "laptop"), ledgerHere(t, "team")
	n := int64(300) // more than one request carries
	for i := range n {
		from.stated(t, verdict.KindTestResult, fmt.Sprintf("thing%d", i))
	}
	h := to.serve(t, anyone)
	key := verifierKey(t, from)
	for _, tt := range []struct {
		name, token, trust string
		code               verdict.Code
	}{
		{"nobody said that it may send", "dev", "", verdict.CodeForbidden},
		{"the key of another log", "dev", verifierKey(t, ledgerHere(t, "other")), verdict.CodeRefused},
		{"a role that states nothing", "view", key, verdict.CodeForbidden},
		{"a role for one service, and a log that nobody knows yet", "other", key, verdict.CodeForbidden},
	} {
		if _, err := from.sends(t, h.URL, tt.token, tt.trust); codeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	r, err := from.sends(t, h.URL, "dev", key)
	if err != nil || r.Sent != n+1 || r.Known != 0 || len(r.Refused) > 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	found, err := to.own.Find(t.Context(), ledger.Query{At: ledger.Now, Kind: verdict.KindTestResult, Limit: 1})
	if err != nil || len(found) != 1 || !found[0].Foreign || found[0].Source != n || found[0].Producer != from.signer.KeyID() {
		t.Errorf("%+v, %v", found, err)
	}
	from.stated(t, verdict.KindTestResult, "one more")
	if r, err = from.sends(t, h.URL, "dev", ""); err != nil || r.Sent != 1 || r.Known != n+1 {
		t.Errorf("sent again: %+v, %v", r, err)
	}
	if v, err := to.own.Verify(t.Context(), ledger.VerifyOptions{Signatures: true}); err != nil || !v.Holds() {
		t.Errorf("%+v, %v", v, err)
	}
	if r, err := from.sends(t, from.serve(t, anyone).URL, "dev", ""); codeOf(err) != verdict.CodeUsage {
		t.Errorf("to itself: %+v, %v", r, err)
	}
}
