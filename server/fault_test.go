package server

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"verdict/evidence"
	"verdict/store/sqlite"
)

// A clock that is set back by an hour while the server works must shut nobody out, do nothing
// twice, and end no stream.
func TestAClockThatIsSetBackWhileServing(t *testing.T) {
	var done, back atomic.Int64
	now := func() time.Time { return time.Now().Round(0).Add(-time.Duration(back.Load())) }
	s := madeOn(t, Limits{Rate: 20, Anonymous: 20}, sqlite.Options{}, now)
	echo(&done)(s)
	s.LedgerRoutes(LedgerOptions{})
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	key := IdempotencyKey + ": before"
	if status, body, _ := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev, key); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	for range 60 { // and he has used up his rate
		ask(t, h, "GET", "/api/v1/open", "", dev)
	}
	x := &live{Server: s, t: t, at: strings.TrimPrefix(h.URL, "http://")}
	stream := bufio.NewReader(x.dial("127.0.0.1", "GET /api/v1/events HTTP/1.1\r\nHost: verdict.test\r\nAuthorization: Bearer viewer\r\n\r\n"))
	hear := func(what string) {
		t.Helper()
		for {
			line, err := stream.ReadString('\n')
			if err != nil {
				t.Fatalf("the stream ends before it says %q: %v", what, err)
			}
			if strings.Contains(line, what) {
				return
			}
		}
	}
	hear(": following")
	back.Store(int64(time.Hour))
	d := &door{t: t, ledger: s.o.Ledger, now: now()}
	key2, err := evidence.CreateKey(filepath.Join(t.TempDir(), "local.key"))
	d.must(err)
	d.key = key2
	d.enroll("local", key2)
	hear(`"kind":"key"`)
	eventually(t, "who had used up his rate is shut out for as long as the clock was set back", func() bool {
		status, _, _ := ask(t, h, "GET", "/api/v1/open", "", dev)
		return status == 200
	})
	time.Sleep(100 * time.Millisecond)
	status, body, header := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev, key)
	if status != 200 || header.Get("Idempotent-Replayed") != "true" || done.Load() != 1 {
		t.Errorf("sent again after the clock was set back: %d %s, done %d times", status, body, done.Load())
	}
}

// On a full disk a write is refused with what to do, before it is done; questions are answered
// on; and when there is room again everything that was done is known.
func TestAFullDiskRefusesWritesAndAnswersQuestions(t *testing.T) {
	var done atomic.Int64
	s := madeOn(t, Limits{}, sqlite.Options{MaxPages: 150}, time.Now)
	echo(&done)(s)
	s.LedgerRoutes(LedgerOptions{})
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	acknowledged, status, body := 0, 0, ""
	for i := range 20_000 {
		if status, body, _ = ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev, fmt.Sprintf("%s: %0150d", IdempotencyKey, i)); status != 200 {
			break
		}
		acknowledged++
	}
	if status != 503 || !strings.Contains(body, `"remedy"`) || strings.Contains(strings.ToLower(body), "sqlite") || acknowledged < 100 {
		t.Fatalf("after %d writes: %d %s", acknowledged, status, body)
	}
	if n := done.Load(); n != int64(acknowledged) {
		t.Errorf("%d writes were done, and %d acknowledged", n, acknowledged)
	}
	for _, path := range []string{"/api/v1/open", "/api/v1/entries", "/api/v1/checkpoint"} {
		if status, body, _ := ask(t, h, "GET", path, "", dev); status != 200 {
			t.Errorf("%s on a full disk: %d %s", path, status, body)
		}
	}
	first := fmt.Sprintf("%s: %0150d", IdempotencyKey, 0)
	if status, _, header := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev, first); status != 200 || header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("what was acknowledged is not known any more: %d", status)
	}
}
