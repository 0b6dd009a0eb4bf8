package forgetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict"
	"verdict/forge"
)

// without takes a header out of all answers.
func without(h http.Handler, header string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		rec.Header().Del(header)
		copyAnswer(w, rec)
	})
}

func copyAnswer(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// fault spoils one answer; h gives the right one.
type fault struct {
	name  string
	spoil func(w http.ResponseWriter, r *http.Request, h http.Handler)
	code  verdict.Code // when it stays so; "" when the forge answers for good
	// passes says that a single one is waited out.
	passes bool
}

func status(code int, header ...string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprint(w, `{"message":"no"}`)
	}
}

// answer gives the right answer with something done to it.
func answer(change func([]byte) []byte, header ...string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		b := change(rec.Body.Bytes())
		for i := 0; i+1 < len(header); i += 2 {
			rec.Header().Set(header[i], header[i+1])
		}
		rec.Body = bytes.NewBuffer(b)
		copyAnswer(w, rec)
	}
}

func same(b []byte) []byte { return b }

// reset is a minute after the readers' clock.
var reset = fmt.Sprint(At(101).Unix())

var faults = []fault{
	{"a throttle with Retry-After", status(429, "Retry-After", "7"), verdict.CodeUnavailable, true},
	{"a throttle with a date", status(429, "Retry-After", At(101).Format(http.TimeFormat)), verdict.CodeUnavailable, true},
	{"a 403 with an empty limit", status(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset), verdict.CodeUnavailable, true},
	{"a 403 with Retry-After", status(403, "Retry-After", "1"), verdict.CodeUnavailable, true},
	{"a throttle that says nothing", status(429), verdict.CodeUnavailable, true},
	{"a throttle that looks like a missing right", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(403)
		fmt.Fprint(w, `{"message":"You have exceeded a secondary rate limit. Please wait."}`)
	}, verdict.CodeUnavailable, true},
	{"a 500", status(500), verdict.CodeUnavailable, true},
	{"a 502 in HTML", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		http.Error(w, "<html>", http.StatusBadGateway)
	}, verdict.CodeUnavailable, true},
	{"JSON cut short", answer(func(b []byte) []byte { return b[:len(b)/2] }), verdict.CodeUnavailable, true},
	{"an empty body", answer(func([]byte) []byte { return nil }), verdict.CodeUnavailable, true},
	{"a connection that breaks", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Length", "100")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"a":`)
		panic(http.ErrAbortHandler)
	}, verdict.CodeUnavailable, true},
	{"JSON with a tail", answer(func(b []byte) []byte { return append(slices.Clone(b), "{}"...) }), verdict.CodeUnavailable, false},
	{"another type of answer", answer(func([]byte) []byte { return []byte(`"text"`) }), verdict.CodeInvalid, false},
	{"JSON that is very deep", answer(func([]byte) []byte { return bytes.Repeat([]byte("["), 100_000) }), verdict.CodeUnavailable, false},
	{"text", answer(same, "Content-Type", "text/plain"), verdict.CodeInvalid, false},
	{"a body without end", answer(func(b []byte) []byte { return append(bytes.Repeat([]byte(" "), 33<<20), b...) }), verdict.CodeLimit, false},
}

// behave spoils each endpoint that a reader asks, one after the other. A fault that passes
// must not change the answer; one that stays must be an error and never half an answer.
func behave(t *testing.T, f Forge, open Open) {
	good := Start(t, f.Serve(Basic()))
	want, err := reader(t, f, open, good, Token, forge.Options{}).Request(t.Context(), "12")
	if err != nil {
		t.Fatal(err)
	}
	endpoints := slices.Compact(good.Asked())
	if len(endpoints) < 4 {
		t.Fatalf("the reader asked %q alone", endpoints)
	}
	for _, x := range faults {
		t.Run(x.name, func(t *testing.T) {
			for i, path := range endpoints {
				if x.code == verdict.CodeLimit && i > 0 {
					break // one is enough of 33 MB
				}
				checkFault(t, f, open, x, path, want)
			}
		})
	}
	t.Run("a body that comes slowly", func(t *testing.T) { slowBody(t, f, open) })
	t.Run("a redirect to another host", func(t *testing.T) { redirectAway(t, f, open) })
	t.Run("a redirect on the same host is followed", func(t *testing.T) { redirectHome(t, f, open, want) })
	t.Run("a throttle that is longer than we wait", func(t *testing.T) { longThrottle(t, f, open) })
	t.Run("an interrupted wait", func(t *testing.T) { interrupted(t, f, open) })
	t.Run("a token that is refused is never repeated", func(t *testing.T) { wrongToken(t, f, open) })
	t.Run("what is withheld is missing", func(t *testing.T) { withheld(t, f, open, endpoints, want) })
}

// spoiled answers one path wrongly, as often as told; below 0 for ever.
func spoiled(h http.Handler, path string, times int, spoil func(http.ResponseWriter, *http.Request, http.Handler)) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hit := times != 0 && (path == "" || strings.TrimPrefix(r.URL.EscapedPath(), "/base") == path)
		if hit {
			times--
		}
		mu.Unlock()
		if hit {
			spoil(w, r, h)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func checkFault(t *testing.T, f Forge, open Open, x fault, path string, want forge.Request) {
	t.Helper()
	if x.passes {
		got, err := reader(t, f, open, Start(t, spoiled(f.Serve(Basic()), path, 1, x.spoil)), Token, forge.Options{}).Request(t.Context(), "12")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("once at %s: %v\n got %+v\nwant %+v", path, err, got, want)
		}
	}
	s := Start(t, spoiled(f.Serve(Basic()), path, -1, x.spoil))
	var waited time.Duration
	_, err := reader(t, f, open, s, Token, forge.Options{Wait: func(_ context.Context, d time.Duration) error { waited += d; return nil }}).Request(t.Context(), "12")
	var e *verdict.Error
	if !errors.As(err, &e) || e.Code != x.code || e.Remedy == "" {
		t.Errorf("for ever at %s: %v, want an error with the code %s", path, err, x.code)
	}
	tries := 0
	for _, p := range s.Asked() {
		if p == path {
			tries++
		}
	}
	if tries > 5 || // the transport itself asks again once, on a connection that was open
		waited > 2*time.Minute {
		t.Errorf("for ever at %s: %d tries, and %v of waiting", path, tries, waited)
	}
}

func slowBody(t *testing.T, f Forge, open Open) {
	s := Start(t, spoiled(f.Serve(Basic()), "", -1, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "[")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	_, err := reader(t, f, open, s, Token, forge.Options{Timeout: 20 * time.Millisecond}).Request(t.Context(), "12")
	if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeUnavailable {
		t.Errorf("a body that never ends: %v", err)
	}
}

func redirectAway(t *testing.T, f Forge, open Open) {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked, with the headers %v", r.Header)
	}))
	defer thief.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := Start(t, spoiled(f.Serve(Basic()), "", -1, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, thief.URL+r.URL.Path, code)
		}))
		r := reader(t, f, open, s, Token, forge.Options{})
		_, one := r.Request(t.Context(), "12")
		_, two := r.ForCommit(t.Context(), Commit("a"))
		for _, err := range []error{one, two} {
			if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeUnavailable || strings.Contains(err.Error(), Token) {
				t.Errorf("a redirect with %d: %v", code, err)
			}
		}
	}
	if f.Name == forge.Azure {
		return // follows no links
	}
	s := Start(t, spoiled(f.Serve(Basic()), "", -1, answer(same, "Link", "<"+thief.URL+`/x?page=2>; rel="next"`)))
	if _, err := reader(t, f, open, s, Token, forge.Options{}).Request(t.Context(), "12"); err == nil {
		t.Error("a next page on another host passes for the end of the list")
	}
}

func redirectHome(t *testing.T, f Forge, open Open, want forge.Request) {
	s := Start(t, spoiled(f.Serve(Basic()), "", 1, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, r.URL.String(), http.StatusMovedPermanently)
	}))
	got, err := reader(t, f, open, s, Token, forge.Options{}).Request(t.Context(), "12")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("a repository that was renamed: %+v, %v", got, err)
	}
	s = Start(t, spoiled(f.Serve(Basic()), "", -1, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, r.URL.String(), http.StatusFound)
	}))
	if _, err := reader(t, f, open, s, Token, forge.Options{}).Request(t.Context(), "12"); err == nil || len(s.Asked()) > 10 {
		t.Errorf("a redirect in a circle: %v after %d questions", err, len(s.Asked()))
	}
}

func longThrottle(t *testing.T, f Forge, open Open) {
	s := Start(t, spoiled(f.Serve(Basic()), "", -1, status(429, "Retry-After", "3600")))
	_, err := reader(t, f, open, s, Token, forge.Options{Wait: func(context.Context, time.Duration) error {
		t.Error("waits for a throttle that is longer than the job")
		return nil
	}}).Request(t.Context(), "12")
	if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.What, "1h0m0s") || len(s.Asked()) != 1 {
		t.Errorf("%v after %d questions", err, len(s.Asked()))
	}
}

func interrupted(t *testing.T, f Forge, open Open) {
	ctx, cancel := context.WithCancel(t.Context())
	s := Start(t, spoiled(f.Serve(Basic()), "", -1, status(503)))
	_, err := reader(t, f, open, s, Token, forge.Options{Wait: func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}}).Request(ctx, "12")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted while waiting: %v", err)
	}
}

func wrongToken(t *testing.T, f Forge, open Open) {
	const wrong = "another-s3cr3t-that-nobody-prints"
	for _, token := range []string{wrong, ""} {
		r := reader(t, f, open, Start(t, f.Serve(Basic())), token, forge.Options{})
		_, err := r.Request(t.Context(), "12")
		e := verdict.AsError(err)
		if err == nil || e.Code != verdict.CodeForbidden || !strings.Contains(e.Remedy, "TOKEN") {
			t.Errorf("a wrong token: %v", err)
		}
		if all := fmt.Sprintf("%v %+v %#v %s", err, e, r, e.Remedy); token != "" && strings.Contains(all, token) {
			t.Errorf("the token is printed: %s", all)
		}
	}
}

// withheld refuses each endpoint by itself. What was known then is either still the same
// or named as missing.
func withheld(t *testing.T, f Forge, open Open, endpoints []string, want forge.Request) {
	for _, path := range endpoints {
		for _, code := range []int{401, 403, 404} {
			s := Start(t, spoiled(f.Serve(Basic()), path, -1, status(code)))
			got, err := reader(t, f, open, s, Token, forge.Options{}).Request(t.Context(), "12")
			e := verdict.AsError(err)
			switch {
			case err != nil && e.Code != verdict.CodeForbidden && e.Code != verdict.CodeNotFound:
				t.Errorf("%d at %s: %v", code, path, err)
			case err == nil:
				checkMissing(t, fmt.Sprintf("%d at %s", code, path), got, want)
			}
		}
	}
}

func checkMissing(t *testing.T, where string, got, want forge.Request) {
	t.Helper()
	gone := func(what string, changed bool) {
		if changed && !got.Lacks(what) {
			t.Errorf("%s: %s is neither read nor missing: %+v", where, what, got)
		}
	}
	p, q := got.Protection, want.Protection
	gone(forge.MissingReviews, !reflect.DeepEqual(got.Reviews, want.Reviews))
	gone(forge.MissingHead, got.Head != want.Head)
	gone(forge.MissingRequired, got.Required != want.Required)
	gone(forge.MissingProtection, p.Known != q.Known || p.RequiresReview != q.RequiresReview)
	gone(forge.MissingDismisses, p.DismissesStale != q.DismissesStale)
	gone(forge.MissingCodeOwner, p.RequiresCodeOwner != q.RequiresCodeOwner)
	gone(forge.MissingForcePush, p.ForbidsForcePush != q.ForbidsForcePush)
	gone(forge.MissingAdmins, p.AppliesToAdmins != q.AppliesToAdmins)
	gone(forge.MissingSigned, p.RequiresSigned != q.RequiresSigned)
	if got.Required < want.Required && got.Required != forge.Unknown {
		t.Errorf("%s: %d approvals are demanded, which is less than %d", where, got.Required, want.Required)
	}
	for _, m := range got.Missing {
		if m.What == "" || m.Why == "" || m.Remedy == "" || strings.Contains(m.Why+m.Remedy, Token) {
			t.Errorf("%s: %+v", where, m)
		}
	}
}
