package forgetest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Sent is one request that a stand-in was sent.
type Sent struct {
	Method, Path, Query string // the path escaped and without /base
	Token               string // as it was shown: bearer, basic's password or Private-Token
	Body                map[string]any
}

// Stand is a stand-in for that half of a forge's API that is written to. It records what
// comes, and each request is answered by the handler of the test.
type Stand struct {
	*httptest.Server
	mu   sync.Mutex
	sent []Sent
}

// Sent lists what came, in order; all of it, or that whose "METHOD PATH" begins so.
func (s *Stand) Sent(beginning string) []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Sent
	for _, x := range s.sent {
		if strings.HasPrefix(x.Method+" "+x.Path, beginning) {
			out = append(out, x)
		}
	}
	return slices.Clone(out)
}

// Base is the address of the API.
func (s *Stand) Base() string { return s.URL + "/base" }

// Standing serves a stand-in until the test ends.
func Standing(t testing.TB, answer func(w http.ResponseWriter, s Sent)) *Stand {
	s := &Stand{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := Sent{Method: r.Method, Path: strings.TrimPrefix(r.URL.EscapedPath(), "/base"), Query: r.URL.RawQuery}
		if _, password, ok := r.BasicAuth(); ok {
			x.Token = password
		} else if x.Token = r.Header.Get("Private-Token"); x.Token == "" {
			x.Token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		}
		b, _ := io.ReadAll(r.Body)
		if len(b) > 0 && json.Unmarshal(b, &x.Body) != nil {
			t.Errorf("%s %s came with %q, which is no JSON", x.Method, x.Path, b)
		}
		s.mu.Lock()
		s.sent = append(s.sent, x)
		s.mu.Unlock()
		answer(w, x)
	}))
	t.Cleanup(s.Close)
	return s
}

// Reply answers with a status and JSON, and with headers in pairs.
func Reply(w http.ResponseWriter, status int, body string, headers ...string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	for i := 0; i+1 < len(headers); i += 2 {
		w.Header().Set(headers[i], headers[i+1])
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
