package admission

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
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
	const size = 2 << 20
	for range 3 * largeReviews {
		c := stranger(t, s)
		fmt.Fprintf(c, "POST /admission/aks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", size)
		go func() { _, _ = c.Write([]byte(strings.Repeat(" ", smallReview+1))) }()
	}
	for until := time.Now().Add(time.Minute); len(b.large) < largeReviews; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d large reviews are read", len(b.large))
		}
	}
	post := func(body string) (int, string) {
		res, err := http.Post(s.URL+"/admission/aks", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if code, body := post(review(podOf(image("a")))); code != 200 || !strings.Contains(body, `"allowed":true`) {
		t.Errorf("beside them a cluster is answered %d %s", code, body)
	}
	large := review(podOf(image("a"))) + strings.Repeat(" ", size)
	if code, body := post(large); code != 503 || !strings.Contains(body, "remedy") {
		t.Errorf("a large review beside them is answered %d %s", code, body)
	}
	s.CloseClientConnections()
	for until := time.Now().Add(time.Minute); len(b.large) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d places were not given back", len(b.large))
		}
	}
	if code, body := post(large); code != 200 || !strings.Contains(body, `"allowed":true`) {
		t.Errorf("a large review is answered %d %s", code, body)
	}
}

// stranger is a connection from an address that no API server has.
func stranger(t *testing.T, s *httptest.Server) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 5)}}
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Whoever reaches the address and sends many small reviews that never end, or more than are
// answered, waits for himself: a cluster that asks from elsewhere is answered at once.
func TestSmallReviewsOfAStrangerKeepNoClusterWaiting(t *testing.T) {
	b := newBed(t, "block")
	b.log.decided("d-good", "prod", "a", verdict.Allow)
	a := b.caughtUp(t)
	a.patient = 2 * time.Second
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	const begun = "POST /admission/aks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
	places := func() (n int) {
		a.turns.mu.Lock()
		defer a.turns.mu.Unlock()
		for _, x := range a.turns.of {
			n += len(x.places)
		}
		return n
	}
	for range 3 * atWork {
		_, _ = stranger(t, s).Write([]byte(begun)) // some are refused
	}
	for until := time.Now().Add(time.Minute); places() < atWork; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d reviews are at work", places())
		}
	}
	for range 20 {
		res, err := http.Post(s.URL+"/admission/aks", "application/json", strings.NewReader(review(podOf(image("a")))))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != 200 || !strings.Contains(string(text), `"allowed":true`) {
			t.Fatalf("beside them a cluster is answered %d %s: %v", res.StatusCode, text, err)
		}
	}
	c := stranger(t, s)
	_, _ = c.Write([]byte(begun + strings.Repeat(" ", 99)))
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	said := make([]byte, 12)
	if n, err := io.ReadFull(c, said); string(said) != "HTTP/1.1 503" {
		t.Errorf("one more of the stranger hears %q: %v", said[:n], err)
	}
	s.CloseClientConnections()
	for until := time.Now().Add(time.Minute); places() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d places were not given back", places())
		}
	}
}

// Operators size the endpoint by the table of limits.
func TestTheTableOfLimitsOfTheEndpointIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		fmt.Sprintf("| %d, and %d that wait for %.0f s |", atWork, waiting, patience.Seconds()),
		fmt.Sprintf("| %d MiB, of which %d over %d KiB at once |", MaxReview>>20, largeReviews, smallReview>>10),
	} {
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/operations.md does not say %q", row)
		}
	}
}
