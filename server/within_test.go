package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"verdict/identity"
)

// Work that somebody waits for is not cut off at the time that other requests have, and is at its
// own: without that a sweep of a large store would be begun again and again, and never ended.
func TestWorkThatIsWaitedForHasATimeOfItsOwn(t *testing.T) {
	type out struct{ Body string }
	work := func(s *Server, id string, within time.Duration) {
		Route(s, Operation{Method: http.MethodPost, Path: "/" + id, ID: id, Summary: id, Verb: identity.Reading, Status: http.StatusOK, Within: within},
			func(ctx context.Context, _ identity.Caller, _ *struct{}) (*out, error) {
				select {
				case <-time.After(700 * time.Millisecond):
					return &out{"done"}, nil
				case <-ctx.Done():
					return &out{"cut off"}, nil
				}
			})
	}
	x := liveServer(t, Limits{Request: 200 * time.Millisecond, Lag: 200 * time.Millisecond}, func(s *Server) {
		work(s, "short", 0)
		work(s, "long", 5*time.Second)
		work(s, "bounded", 400*time.Millisecond)
	})
	for id, want := range map[string]string{"short": "cut off", "long": "done", "bounded": "cut off"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+x.at+Prefix+"/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(dev, ": ")
		r.Header.Set(name, value)
		began := time.Now()
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Errorf("%s: %v after %v", id, err, time.Since(began))
			continue
		}
		b := make([]byte, 100)
		n, _ := res.Body.Read(b)
		_ = res.Body.Close()
		if res.StatusCode != 200 || !strings.Contains(string(b[:n]), want) {
			t.Errorf("%s: %d %s, want %s", id, res.StatusCode, b[:n], want)
		}
	}
}
