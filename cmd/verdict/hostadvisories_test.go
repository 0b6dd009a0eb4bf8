package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"verdict/advisory"
)

// publisher publishes advisories about npm packages until it is down.
type publisher struct {
	*httptest.Server
	archive []byte
	down    atomic.Bool
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{archive: zipOf(t, member{name: "R-0001.json", body: strings.Replace(osvRecord("CVE-2026-0001", "npm", "lodash"), "1.2.3", "4.17.21", 1)})}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.down.Load() || r.URL.Path != "/npm/all.zip" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(p.archive)
	}))
	t.Cleanup(p.Close)
	return p
}

func (x *served) change(t *testing.T, as, method, path, body string) (c advisoryChange) {
	t.Helper()
	status, text := x.do(as, method, path, body)
	if err := json.Unmarshal([]byte(text), &c); err != nil || status != 200 {
		t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	at, _, _ := strings.Cut(path, "?")
	x.promised(t, strings.ToLower(method), at, text)
	return c
}

// A security lead renews the data by which a server answers, sees what that changed, and loses
// nothing where the publisher is down.
func TestAServersVulnerabilityDataAreRenewedOverTheAPI(t *testing.T) {
	p := newPublisher(t)
	x := servingData(t, oneImage(t), func(h *host) { h.publisher = p.URL })
	for _, path := range []string{"/advisories", "/where?what=CVE-2026-0001"} {
		if status, body := x.get("viewer", "/api/v1"+path); status != 404 || !strings.Contains(body, "--at-server") || strings.Contains(body, x.data) {
			t.Errorf("there are none: %s: %d %s", path, status, body)
		}
	}
	if status, body := x.do("of-security", "POST", "/api/v1/advisories/updates", "{}"); status != 400 || !strings.Contains(body, "never fetched an ecosystem") {
		t.Errorf("nothing is named: %d %s", status, body)
	}
	const updates = "/api/v1/advisories/updates"
	c := x.change(t, "of-security", "POST", updates, `{"ecosystems":["npm"]}`)
	if len(c.Sources) != 1 || c.Sources[0].State != "fetched" || c.Rematched == nil || c.Rematched.Artifacts != 1 || strings.Contains(c.Index, "/") {
		t.Errorf("%+v, re-matched %+v", c, c.Rematched)
	}
	if status, body := x.get("viewer", "/api/v1/where?what=CVE-2026-0001"); status != 200 || !strings.Contains(body, pictureD) {
		t.Errorf("%d %s", status, body)
	}
	schemas := schemasOf(t, x)
	list := func() (l advisoryList) {
		t.Helper()
		status, body := x.get("viewer", "/api/v1/advisories")
		if err := json.Unmarshal([]byte(body), &l); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		if err := schemas["/api/v1/advisories"].Validate(decoded(t, body)); err != nil {
			t.Errorf("the answer is not what the API's document says: %v", err)
		}
		return l
	}
	if l := list(); l.State != ageFresh || len(l.Sources) != 1 || l.Sources[0].Name != "osv/npm" {
		t.Errorf("%+v", l)
	}
	p.down.Store(true)
	if status, body := x.do("of-security", "POST", updates, `{}`); status < 400 || !strings.Contains(body, "remedy") || strings.Contains(body, "defect") {
		t.Errorf("the publisher is down: %d %s", status, body)
	}
	if l := list(); l.State != ageFresh || len(l.Sources) != 1 {
		t.Errorf("after it: %+v", l)
	}
	for _, body := range []string{`{"url":"http://127.0.0.1:1"}`, `{"ecosystems":["../x"]}`} {
		if status, text := x.do("of-security", "POST", updates, body); status < 400 || strings.Contains(text, "defect") {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
}

// What is sent does not become fresh by that, and counts as if it had been imported there.
func TestAdvisoriesAreSentToAServerWithoutNetwork(t *testing.T) {
	x := servingData(t, oneImage(t))
	archive := string(newPublisher(t).archive)
	const path = "/api/v1/advisories?file=npm.zip"
	c := x.change(t, "of-security", "PUT", path+"&covers=npm&modified=2026-06-01T00:00:00Z", archive)
	want := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	if len(c.Sources) != 1 || c.Sources[0].Name != "npm" || !c.Sources[0].Confirmed.Equal(want) || c.Sources[0].Origin != "npm.zip" || c.Rematched == nil || c.Rematched.Artifacts != 1 {
		t.Errorf("%+v, re-matched %+v", c, c.Rematched)
	}
	if c := x.change(t, "of-security", "PUT", path, archive); !c.Sources[0].Confirmed.Equal(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("nobody says how old it is: %+v", c.Sources[0])
	}
	for _, bad := range []struct{ path, body string }{
		{path, ""}, {path, archive[:len(archive)/2]}, {path, "no archive"}, {"/api/v1/advisories?file=../npm.zip", archive}, {"/api/v1/advisories", archive},
		{path + "&as_of=2126-01-01T00:00:00Z", archive}, {path + "&as_of=yesterday", archive}, {path + "&modified=then", archive}, {path + "&url=http://127.0.0.1", archive},
	} {
		if status, body := x.do("of-security", "PUT", bad.path, bad.body); status < 400 || status >= 500 && status != 503 || !strings.Contains(body, "remedy") || strings.Contains(body, "defect") {
			t.Errorf("%s of %d bytes: %d %s", bad.path, len(bad.body), status, body)
		}
	}
	if err := os.Mkdir(filepath.Join(x.data, "advisories-sent-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(x.data, "advisories-sent-1", "npm.zip"), []byte("of a server that was killed while it was sent"))
	x.change(t, "of-security", "PUT", path, archive)
	if left, _ := filepath.Glob(filepath.Join(x.data, "advisories-sent-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	x.change(t, "of-security", "PUT", "/api/v1/advisories?file=other.zip&covers=npm", archive)
	if status, body := x.do("of-security", "DELETE", "/api/v1/advisories?source=npm", ""); status != 200 || !strings.Contains(body, `"other"`) || strings.Contains(body, `"npm.zip"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := x.do("of-security", "DELETE", "/api/v1/advisories?source=npm", ""); status != 404 || strings.Contains(body, "advisories.idx") {
		t.Errorf("again: %d %s", status, body)
	}
}

// Of two that renew at once, over two replicas, the second is told that the first is at it.
func TestOneRenewalIsAtWorkOverAllReplicas(t *testing.T) {
	p := newPublisher(t)
	x := servingData(t, oneImage(t), func(h *host) { h.publisher = p.URL })
	begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- x.replica().work.Begin(t.Context(), advising(func(context.Context) error { close(begun); <-end; return nil }))
	}()
	<-begun
	for _, q := range [][3]string{{"POST", "/updates", `{"ecosystems":["npm"]}`}, {"PUT", "?file=npm.zip", string(p.archive)}, {"DELETE", "?source=npm", ""}} {
		if status, body := x.do("of-security", q[0], "/api/v1/advisories"+q[1], q[2]); status != 409 || !strings.Contains(body, "is being done already") {
			t.Errorf("%s %s: %d %s", q[0], q[1], status, body)
		}
	}
	close(end)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	x.change(t, "of-security", "POST", "/api/v1/advisories/updates", `{"ecosystems":["npm"]}`)
}

// A server that is told to keeps its data renewed, and goes on with what it has where the publisher
// is down.
func TestAServerRenewsItsVulnerabilityDataByItself(t *testing.T) {
	p := newPublisher(t)
	x := servingData(t, oneImage(t), func(h *host) { h.publisher = p.URL })
	every := renewal{6 * time.Hour, []string{"npm"}}
	now := time.Now()
	if !x.host.renewalDue(every, now) {
		t.Error("what was never fetched is not due")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- x.host.renewing(every)(ctx) }()
	for x.host.renewalDue(every, now) {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if x.host.renewalDue(every, now.Add(5*time.Hour)) || !x.host.renewalDue(every, now.Add(7*time.Hour)) || !x.host.renewalDue(renewal{6 * time.Hour, []string{"npm", "Go"}}, now) {
		t.Error("it is renewed too soon, too late, or without what was never fetched")
	}
	p.down.Store(true)
	if err := x.host.renew(t.Context(), every); err == nil {
		t.Error("a publisher that is down renewed it")
	}
	index, err := advisory.Open(filepath.Join(x.data, advisoryFile))
	if err != nil || len(index.Sources()) != 1 {
		t.Fatalf("what was known is gone: %v", err)
	}
	_ = index.Close()
	for _, bad := range []serving{{renewEvery: "soon"}, {renewEvery: "1m"}, {renewing: []string{"npm"}}} {
		if _, err := bad.renewal(false); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	if _, err := (&serving{renewEvery: "6h"}).renewal(true); err == nil {
		t.Error("it fetches offline")
	}
}

// With a server the commands are about this machine and say so; --at-server makes them about the
// server, and nothing of this machine is changed then.
func TestAdvisoriesOfTheServerAndOfThisMachineAreTwoThings(t *testing.T) {
	p := typistWith(t, "gate")
	put(t, filepath.Join(p.dir, "npm.zip"), newPublisher(t).archive)
	if code, _, talk := p.types("advisories list --at-server"); code != 2 || !strings.Contains(talk, "--server URL") {
		t.Errorf("without a server: %d %s", code, talk)
	}
	p.serveIn()
	here := filepath.Join(p.dir, "elsewhere")
	for _, tt := range []struct {
		role, words string
		code        int
		says, talks string
	}{
		{"security", "advisories import ../npm.zip --covers npm --at-server", 0, "Imported npm", ""},
		{"developer", "advisories import ../npm.zip --at-server", 4, "", "role"},
		{"auditor", "advisories list --at-server", 0, "npm", ""},
		{"auditor", "advisories list", 1, "", "--at-server is about that of"},
		{"security", "advisories update npm --at-server --url http://127.0.0.1:1", 2, "", "no address that a caller names"},
		{"security", "advisories import .. --at-server", 2, "", "is a folder"},
		{"auditor", "where CVE-2026-0001", 0, "CVE-2026-0001", ""}, // by the data of the server
		{"auditor", "where CVE-2026-0001 -o json", 0, `"kind": "vulnerability"`, ""},
		{"auditor", "where CVE-2026-9999", 1, "", "no installed advisory is called"},
		{"security", "advisories remove npm --at-server", 0, "", ""},
		{"auditor", "where CVE-2026-0001", 1, "", "--at-server"},
	} {
		code, out, talk := p.as(tt.role, tt.words+" --data "+here)
		if code != tt.code || !strings.Contains(out, tt.says) || !strings.Contains(talk, tt.talks) {
			t.Errorf("%s: %d\n%s%s", tt.words, code, out, talk)
		}
	}
	if _, err := os.Stat(filepath.Join(here, advisoryFile)); err == nil {
		t.Error("the data of this machine were changed")
	}
}
