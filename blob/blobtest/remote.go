package blobtest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/blob"
)

// Before looks at each request to a service, and answers it in the service's place when it
// reports that it did.
type Before func(w http.ResponseWriter, r *http.Request) bool

// Remote is what RunRemote needs to know of a driver whose store is a service.
type Remote struct {
	// Open gives an empty store at a service of its own. It keeps blob.Marks too.
	Open func(t *testing.T, before Before) blob.Store
	// Refuse answers as the service refuses.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, code string)
	// Denied, NoBucket and Busy are the service's words for statuses 403, 404 and 503.
	Denied, NoBucket, Busy string
	// Rights are the permissions that a refused put, get, stat and list lack.
	Rights [4]string
}

// RunRemote runs what a store must do when its service does not do what it should.
func RunRemote(t *testing.T, d Remote) {
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"a refusal names the permission that is missing", d.refusals},
		{"a bucket that is not there is told from a blob that is not", d.noBucket},
		{"an overloaded service is asked a few times and no more", d.busy},
		{"what fails in passing is asked again", d.passing},
		{"a body that breaks off is read again and never taken for damage", d.breaksOff},
		{"credentials follow no redirect", d.redirects},
		{"a put between the comparison and the removal wins", d.putWins},
		{"a cancelled caller is let go", d.cancelled},
		{"a large blob is one request", d.large},
		{"marks outlive the process", d.marks},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // they wait for each other's second attempts
			c.test(t)
		})
	}
}

// acts are put, get, stat and list of one blob.
var acts = [4]func(context.Context, blob.Store) error{
	func(ctx context.Context, s blob.Store) error { _, err := s.Put(ctx, []byte("x")); return err },
	func(ctx context.Context, s blob.Store) error { _, err := s.Get(ctx, theBlob); return err },
	func(ctx context.Context, s blob.Store) error { _, err := s.Stat(ctx, theBlob); return err },
	func(ctx context.Context, s blob.Store) error {
		return s.List(ctx, func(blob.Info) error { return nil })
	},
}

var theBlob = blob.DigestOf([]byte("x"))

func (d Remote) refusals(t *testing.T) {
	s := d.Open(t, func(w http.ResponseWriter, r *http.Request) bool {
		d.Refuse(w, r, http.StatusForbidden, d.Denied)
		return true
	})
	for i, act := range acts {
		e := verdict.AsError(act(t.Context(), s))
		if e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.Remedy, d.Rights[i]) {
			t.Errorf("act %d: %v; want a remedy with %s", i, e, d.Rights[i])
		}
	}
}

func (d Remote) noBucket(t *testing.T) {
	s := d.Open(t, func(w http.ResponseWriter, r *http.Request) bool {
		d.Refuse(w, r, http.StatusNotFound, d.NoBucket)
		return true
	})
	for _, i := range []int{0, 1, 3} { // a HEAD has no body to say it in
		err := acts[i](t.Context(), s)
		if e := verdict.AsError(err); e == nil || errors.Is(err, blob.ErrNotFound) || e.Code != verdict.CodeUnavailable || !strings.HasPrefix(e.Remedy, "create the ") {
			t.Errorf("act %d: %v", i, err)
		}
	}
}

func (d Remote) busy(t *testing.T) {
	var asked atomic.Int64
	s := d.Open(t, func(w http.ResponseWriter, r *http.Request) bool {
		asked.Add(1)
		d.Refuse(w, r, http.StatusServiceUnavailable, d.Busy)
		return true
	})
	err := acts[0](t.Context(), s)
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.Remedy, "in a while") {
		t.Errorf("Put: %v", err)
	}
	if n := asked.Load(); n < 2 || n > blob.Attempts {
		t.Errorf("asked %d times", n)
	}
}

func (d Remote) passing(t *testing.T) {
	var asked atomic.Int64
	s := d.Open(t, func(w http.ResponseWriter, r *http.Request) bool {
		n := asked.Add(1)
		if n%2 == 0 { // each second one goes through
			return false
		}
		d.Refuse(w, r, []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[n/2%2], d.Busy)
		return true
	})
	for i, act := range acts {
		if err := act(t.Context(), s); err != nil {
			t.Errorf("act %d: %v", i, err)
		}
	}
}

func (d Remote) breaksOff(t *testing.T) {
	var breaks atomic.Int64
	s := d.Open(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || breaks.Add(-1) < 0 {
			return false
		}
		w.Header().Set("Content-Length", "17")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	put, get := acts[0], acts[1]
	if err := put(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	breaks.Store(1)
	if err := get(t.Context(), s); err != nil {
		t.Errorf("it broke off once: %v", err)
	}
	breaks.Store(1000)
	if err := get(t.Context(), s); err == nil || errors.Is(err, blob.ErrCorrupt) || verdict.AsError(err).Code != verdict.CodeUnavailable {
		t.Errorf("it broke off each time: %v", err)
	}
}

func (d Remote) redirects(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed with %q", r.Header.Get("Authorization"))
	}))
	defer stranger.Close()
	s := d.Open(t, func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, stranger.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	for i, act := range acts {
		if act(t.Context(), s) == nil {
			t.Errorf("act %d: a redirect counts as success", i)
		}
	}
}

// putWins: the writer of the same bytes was told that the blob is there.
func (d Remote) putWins(t *testing.T) {
	var once sync.Once
	var s blob.Store
	s = d.Open(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, theBlob.Hex()) {
			once.Do(func() {
				if err := acts[0](context.Background(), s); err != nil {
					t.Error(err)
				}
			})
		}
		return false
	})
	if err := acts[0](t.Context(), s); err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(time.Hour)
	if gone, err := s.Delete(t.Context(), theBlob, future); gone || err != nil {
		t.Errorf("Delete during a put: %v, %v", gone, err)
	}
	if err := acts[1](t.Context(), s); err != nil {
		t.Errorf("the blob is lost: %v", err)
	}
	if gone, err := s.Delete(t.Context(), theBlob, future); !gone || err != nil {
		t.Errorf("Delete after it: %v, %v", gone, err)
	}
}

func (d Remote) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := d.Open(t, func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	})
	if err := acts[1](ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
}

// large is beyond what the vendors' libraries send in one piece by themselves: pieces that
// are put together later have no condition on the first.
func (d Remote) large(t *testing.T) {
	var writes atomic.Int64
	s := d.Open(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut || r.Method == http.MethodPost {
			writes.Add(1)
		}
		return false
	})
	in := bytes.Repeat([]byte("evidence"), 20<<17) // 20 MiB
	digest, err := s.Put(t.Context(), in)
	if err != nil || writes.Load() != 1 {
		t.Fatalf("Put: %v, in %d requests", err, writes.Load())
	}
	if out, err := s.Get(t.Context(), digest); err != nil || !bytes.Equal(in, out) {
		t.Errorf("Get: %d bytes, %v", len(out), err)
	}
}

func (d Remote) marks(t *testing.T) {
	s := d.Open(t, func(http.ResponseWriter, *http.Request) bool { return false }).(interface {
		blob.Store
		blob.Marks
	})
	if got, err := s.LoadMarks(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("before the first sweep: %v, %v", got, err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for range 2 { // they replace each other
		at = at.Add(time.Hour)
		if err := s.SaveMarks(t.Context(), map[verdict.Digest]time.Time{theBlob: at}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.LoadMarks(t.Context()); err != nil || len(got) != 1 || !got[theBlob].Equal(at) {
		t.Errorf("LoadMarks: %v, %v", got, err)
	}
	if err := s.List(t.Context(), func(i blob.Info) error { t.Errorf("marks are listed as %v", i); return nil }); err != nil {
		t.Error(err)
	}
}
