package admission

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"verdict"
)

// Whoever reaches the address and sends many large reviews that never end must neither fill the
// memory nor keep clusters waiting: their API servers would do what the fail policy says.
func TestLargeReviewsThatNeverEndKeepNoClusterWaiting(t *testing.T) {
	b := newBed(t, "block")
	b.log.decided("d-good", "prod", "a", verdict.Allow)
	s := httptest.NewServer(b.caughtUp(t).Handler())
	t.Cleanup(s.Close)
	at := strings.TrimPrefix(s.URL, "http://")
	const size = 2 << 20
	for range 3 * largeReviews {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		fmt.Fprintf(c, "POST /admission/aks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", size)
		go func() { _, _ = c.Write([]byte(strings.Repeat(" ", smallReview+1))) }()
	}
	for until := time.Now().Add(10 * time.Second); len(b.large) < largeReviews; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d large reviews are read", len(b.large))
		}
	}
	post := func(body string) (int, string, time.Duration) {
		began := time.Now()
		res, err := http.Post(s.URL+"/admission/aks", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text), time.Since(began)
	}
	if code, body, took := post(review(podOf(image("a")))); code != 200 || !strings.Contains(body, `"allowed":true`) || took > 2*time.Second {
		t.Errorf("beside them a cluster is answered %d %s after %s", code, body, took)
	}
	large := review(podOf(image("a"))) + strings.Repeat(" ", size)
	if code, body, took := post(large); code != 503 || !strings.Contains(body, "remedy") || took > 2*patience {
		t.Errorf("a large review beside them is answered %d %s after %s", code, body, took)
	}
	s.CloseClientConnections()
	for until := time.Now().Add(10 * time.Second); len(b.large) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d places were not given back", len(b.large))
		}
	}
	if code, body, _ := post(large); code != 200 || !strings.Contains(body, `"allowed":true`) {
		t.Errorf("a large review is answered %d %s", code, body)
	}
}
