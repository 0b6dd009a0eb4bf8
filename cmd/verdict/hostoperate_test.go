package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict/identity"
	"verdict/server"
)

func init() {
	for _, r := range identity.Roles {
		testCallers["of-"+string(r)] = caller("of-"+string(r), r, identity.Anywhere())
		testCallers["in-"+string(r)] = caller("in-"+string(r), r, identity.Scope{Services: []string{"shop"}, Teams: []string{}, Environments: []string{"prod"}})
	}
}

// mayOperate is who may have the server do what. Nobody may by a role for a service of his: it
// concerns everybody.
var mayOperate = []struct {
	method, path, body string
	roles              []identity.Role
}{
	{"POST", "/log/receipts", "", []identity.Role{identity.Admin}},
	{"POST", "/log/sweeps", "", []identity.Role{identity.Admin}},
	{"POST", "/log/witnesses", "", []identity.Role{identity.Admin}},
	{"POST", "/advisories/updates", `{"ecosystems":["../none"]}`, []identity.Role{identity.Security}},
	{"PUT", "/advisories?file=none.zip", "none", []identity.Role{identity.Security}},
	{"DELETE", "/advisories?source=none", "", []identity.Role{identity.Security}},
}

// Who has no right to operate the server is refused, whatever else he may do.
func TestWhoMayOperateTheServer(t *testing.T) {
	x := servingData(t, oneImage(t))
	for _, tt := range mayOperate {
		for _, r := range identity.Roles {
			for _, scope := range []string{"of-", "in-"} {
				status, body := x.do(scope+string(r), tt.method, server.Prefix+tt.path, tt.body)
				may := scope == "of-" && slices.Contains(tt.roles, r)
				if (status != 403) != may || strings.Contains(body, "defect") {
					t.Errorf("%s%s %s %s: %d %s", scope, r, tt.method, tt.path, status, body)
				}
			}
		}
	}
}

// replica is a second host over the same database.
func (x *served) replica() *host {
	x.t.Helper()
	a := &app{
		env: environment{"HOME": x.home}, stdin: bytes.NewReader(nil), stdout: io.Discard, stderr: io.Discard, now: time.Now, rand: rand.Reader,
		progress: &progress{}, config: config{Data: x.data},
	}
	a.log = (&serving{}).logger(a)
	w, err := a.open(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { _ = w.close() })
	return newHost(w)
}

// A sweep that a replica is at is told, and not done a second time beside it.
func TestOneSweepIsAtWorkOverAllReplicas(t *testing.T) {
	x := servingData(t, oneImage(t))
	begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- x.replica().work.Begin(t.Context(), sweepChore(func(context.Context) error { close(begun); <-end; return nil }))
	}()
	<-begun
	status, body := x.do("admin", "POST", "/api/v1/log/sweeps", "")
	if status != 409 || !strings.Contains(body, "is being done already") {
		t.Errorf("%d %s", status, body)
	}
	close(end)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	status, body = x.do("admin", "POST", "/api/v1/log/sweeps", "")
	var doc sweptLog
	if err := json.Unmarshal([]byte(body), &doc); err != nil || status != 200 || doc.Schema != sweepSchema || doc.Marked == nil {
		t.Errorf("after its end: %d %s", status, body)
	}
}
