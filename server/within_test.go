package server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"verdict/identity"
)

// Work that somebody waits for is not cut off at the time that other requests have, and is at its
// own: without that a sweep of a large store would be begun again and again, and never ended.
func TestWorkThatIsWaitedForHasATimeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
		s := made(t, Limits{Request: 200 * time.Millisecond, Lag: 200 * time.Millisecond})
		work(s, "short", 0)
		work(s, "long", 5*time.Second)
		work(s, "bounded", 400*time.Millisecond)
		x := liveInMemory(t, s, nil)
		for id, want := range map[string]string{"short": "cut off", "long": "done", "bounded": "cut off"} {
			c := x.dial("127.0.0.1", "POST "+Prefix+"/"+id+" HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n"+dev+"\r\nContent-Length: 0\r\n\r\n")
			if got, _ := io.ReadAll(c); !strings.HasPrefix(string(got), "HTTP/1.1 200") || !strings.Contains(string(got), want) {
				t.Errorf("%s: %s, want %s", id, got, want)
			}
		}
	})
}
