package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/server/wire"
)

func of(t *testing.T, address string) *Client {
	t.Helper()
	c, err := New(Options{Server: address, Rand: rand.Reader, Wait: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c.Authorize(func(context.Context, bool) (string, error) { return "secret", nil })
	t.Cleanup(c.Close)
	return c
}

// answering serves one answer to everything.
func answering(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(wire.HeaderVersion, wire.Release)
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// A list that goes on for ever takes neither the memory nor the day of whoever asks for it.
func TestAListWithoutEndIsLeft(t *testing.T) {
	n := 0
	for name, next := range map[string]func() string{"the same page": func() string { return "x" }, "another page": func() string { n++; return fmt.Sprint(n) }} {
		items := strings.Repeat(`{"id":"i"},`, 10_000)
		c := of(t, answering(t, func(w http.ResponseWriter, r *http.Request) {
			says(200, "application/json", fmt.Sprintf(`{"items":[%s{"id":"i"}],"next":%q}`, items, next()))(w, r)
		}))
		c.o.Wait = time.Minute
		if _, err := c.Held(t.Context(), Tokens, true); err == nil || verdict.AsError(err).Code != verdict.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever answers in place of a control plane, a pipeline must neither hang nor go on as if
// it had been let through.
func TestNoStrangeAnswerIsTakenForOne(t *testing.T) {
	elsewhere := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with %q", r.Header.Get("Authorization"))
	})
	for name, h := range map[string]http.HandlerFunc{
		"nothing": says(200, "application/json", ""),
		"no JSON": says(200, "application/json", "<html>"),
		"a page":  says(200, "text/html", "{}"),
		"no release of the API": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{}")
		},
		"another release": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set(wire.HeaderVersion, "v2")
			fmt.Fprint(w, "{}")
		},
		"a list in place of it": says(200, "application/json", "[]"),
		"a huge answer":         func(w http.ResponseWriter, r *http.Request) { endless(w, r, 64<<10) },
		"an endless trickle":    func(w http.ResponseWriter, r *http.Request) { trickle(w, r) },
		"silence":               func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		},
		"always at work":  says(503, "text/plain", "later"),
		"always a defect": says(500, "application/problem+json", `{"code":"internal","what":"a defect","remedy":"ask"}`),
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "{")
		},
		"entry of another index":    says(200, "application/json", `{"index":4}`),
		"a problem that is success": says(200, "application/problem+json", `{"code":"","what":"","remedy":""}`),
		"no content":                says(204, "application/json", ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := of(t, answering(t, h)).Ledger().Entry(t.Context(), 3)
			e := verdict.AsError(err)
			if e == nil || e.Code.Exit() != 1 || e.Remedy == "" {
				t.Errorf("%+v", e)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func endless(w http.ResponseWriter, r *http.Request, step int) {
	w.Header().Set(wire.HeaderVersion, wire.Release)
	w.Header().Set("Content-Type", "application/json")
	for chunk := bytes.Repeat([]byte(" "), step); r.Context().Err() == nil; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func trickle(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		time.Sleep(10 * time.Millisecond)
	}
}

// The exit code of a pipeline follows from these.
func TestAServersErrorIsTheCommandsOwn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		exit   int
		what   string
	}{
		{"as the server told it", 422, `{"code":"refused","what":"the signature is wrong","remedy":"ask the signer"}`, 3, "the signature is wrong"},
		{"not signed in", 401, `{"code":"forbidden","what":"nobody is signed in","remedy":"sign in"}`, 4, "nobody is signed in"},
		{"not permitted", 403, ``, 4, "status 403"},
		{"not permitted, whatever the body says", 403, `{"code":"invalid","what":"x","remedy":"y"}`, 4, "x"},
		{"a code that there is not", 422, `{"code":"ok","what":"fine","remedy":"y"}`, 1, "fine"},
		{"interrupted is the user's own", 503, `{"code":"interrupted","what":"x","remedy":"y"}`, 1, "x"},
		{"no words", 404, `{"code":"not-found"}`, 1, "status 404"},
		{"more words than anybody reads", 422, `{"code":"invalid","what":"` + strings.Repeat("w", 1<<17) + `","remedy":"y"}`, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := of(t, answering(t, says(tt.status, wire.ProblemType, tt.body))).Ledger().Position(t.Context())
			e := verdict.AsError(err)
			if e == nil || e.Code.Exit() != tt.exit || !strings.Contains(e.What, tt.what) || e.Remedy == "" || len(e.What) > maxText+100 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// Whoever writes https to a server without TLS is told that, and not to look for a fault of the
// network.
func TestAServerWithoutTLSIsNamed(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	_, err := of(t, strings.Replace(s.URL, "http:", "https:", 1)).Ledger().Position(t.Context())
	if e := verdict.AsError(err); e == nil || !strings.Contains(e.What, "without TLS") || !strings.Contains(e.Remedy, "http://") {
		t.Errorf("%+v", err)
	}
}

// Nobody answers at the address: this is an outage, and never an answer.
func TestAnUnreachableServerIsAnOutage(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := of(t, s.URL).Ledger().Position(t.Context())
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.What, s.URL) || e.Remedy == "" {
		t.Errorf("%+v", err)
	}
}

// A write whose answer was lost is sent again under the same key, and one that was refused is
// not sent again.
func TestAWriteIsSentAgainUnderItsKey(t *testing.T) {
	var keys []string
	var tries atomic.Int64
	c := of(t, answering(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get(wire.HeaderIdempotency))
		if tries.Add(1) < 3 {
			says(503, "text/plain", "")(w, r)
			return
		}
		says(422, wire.ProblemType, `{"code":"invalid","what":"no","remedy":"other"}`)(w, r)
	}))
	_, err := c.Decide(t.Context(), wire.Ask{Point: "ci.secrets"})
	if verdict.AsError(err).Code != verdict.CodeInvalid || len(keys) != 3 || keys[0] == "" || keys[0] != keys[2] {
		t.Errorf("%v, with the keys %q", err, keys)
	}
}

// A session that ended meanwhile is renewed once.
func TestASessionThatEndedIsAskedForAnew(t *testing.T) {
	var seen []string
	c := of(t, answering(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		says(401, wire.ProblemType, `{"code":"forbidden","what":"it has ended","remedy":"sign in"}`)(w, r)
	}))
	c.Authorize(func(_ context.Context, again bool) (string, error) { return fmt.Sprint("again-", again), nil })
	_, err := c.Ledger().Position(t.Context())
	if verdict.AsError(err).Code.Exit() != 4 || strings.Join(seen, ",") != "Bearer again-false,Bearer again-true" {
		t.Errorf("%v, sent %q", err, seen)
	}
}

func TestNoTokenGoesOverTheNetworkInTheClear(t *testing.T) {
	for _, address := range []string{"http://verdict.example.org", "http://10.0.0.1:8080", "ftp://127.0.0.1", "https://u:p@host", "https://host?x=1", "//host", "https://"} {
		if _, err := New(Options{Server: address}); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"http://127.0.0.1:8080", "http://localhost", "http://[::1]:1", "https://verdict.example.org"} {
		if _, err := New(Options{Server: address}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A server that acknowledges what it did not record must not be believed.
func TestAnAcknowledgementCoversWhatWasSent(t *testing.T) {
	k, err := evidence.TemporaryKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := evidence.New(verdict.KindTestResult, []verdict.Subject{{Kind: verdict.SubjectArtifact, Name: "x", Digest: digestOf([]byte("x"))}}, map[string]string{}, verdict.Context{At: time.Now()}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Sign(t.Context(), s, k)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"none of it":                      `{"entries":[],"checkpoint":{"position":9}}`,
		"more than it":                    `{"entries":[{"index":1},{"index":2}],"checkpoint":{"position":9}}`,
		"a checkpoint that is older":      `{"entries":[{"index":9}],"checkpoint":{"position":9}}`,
		"nothing but that it is all well": `{}`,
	} {
		if _, err := of(t, answering(t, says(200, "application/json", body))).Ledger().Append(t.Context(), b); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Bytes and proofs are held against what they claim to be, whoever serves them.
func TestWhatCanBeCheckedIsChecked(t *testing.T) {
	l := of(t, answering(t, says(200, "application/octet-stream", "other rules"))).Ledger()
	if _, err := l.Blob(t.Context(), digestOf([]byte("rules"))); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeRefused {
		t.Errorf("other bytes: %v", err)
	}
	l = of(t, answering(t, says(200, "application/json", `{"index":3,"hashes":[],"checkpoint":{"size":9}}`))).Ledger()
	if _, err := l.Inclusion(t.Context(), 3); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeRefused {
		t.Errorf("a proof of nothing: %v", err)
	}
	l = of(t, answering(t, says(200, "application/json", `{"entries":[],"next":"5"}`))).Ledger()
	if _, err := l.Find(t.Context(), ledger.Query{At: ledger.Now}); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeUnavailable {
		t.Errorf("the same page for ever: %v", err)
	}
	l = of(t, answering(t, says(200, "application/json", `{"open":{"names":[{"package":0,"name":"x"}]}}`))).Ledger()
	if _, err := l.Where(t.Context(), ledger.WhereQuery{Named: "x"}); verdict.AsError(err) == nil {
		t.Error("a question about what nobody asked for")
	}
}
