package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// Whatever comes as a request is answered, or refused in words: never as a defect of the server,
// and never done for somebody who did not prove who he is.
func FuzzRequest(f *testing.F) {
	var done atomic.Int64
	s := made(f, Limits{Anonymous: 1e12, Rate: 1e12})
	hostileRoutes(&done)(s)
	s.LedgerRoutes(LedgerOptions{})
	h := s.Handler()
	for _, text := range []string{
		"GET /api/v1/open HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.1, ::1\r\n\r\n",
		"POST /api/v1/echo HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer viewer\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"text\":\"hi\"}",
		"POST /api/v1/echo HTTP/1.1\r\nHost: h\r\nCookie: who=dev\r\nOrigin: null\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"GET /log/tile/0/..%2f000.p/1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer viewer\r\n\r\n",
		"GET /api/v1/entries?cursor=9&limit=1&kind=sbom HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer viewer\r\n\r\n",
		"PUT /api/v1/blobs/sha256:00 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer viewer\r\nIdempotency-Key: a\r\nContent-Length: 0\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil || strings.HasSuffix(r.URL.Path, "/events") || bytes.Contains(text, []byte("dev")) && r.Header.Get("Authorization") != "" { // dev may
			return
		}
		r.RemoteAddr = "192.0.2.1:1"
		before, w := done.Load(), httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(t.Context()))
		var p Problem
		if w.Code >= 500 || w.Code >= 400 && r.Method != http.MethodHead && (json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Remedy == "") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if done.Load() != before {
			t.Fatal("it was done")
		}
	})
}

// A body that is taken is one value of JSON, in which two readers find the same.
func FuzzStrict(f *testing.F) {
	for _, text := range []string{`{"a":{"a":[1,{"b":null}]}}`, `{"a":1,"\u0061":2}`, `[1] [2]`, strings.Repeat("[", 65) + strings.Repeat("]", 65), `"a`, `{"a"}`, `01`, "\ufeff{}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v any
		if strict(text, &v) != nil {
			return
		}
		if !json.Valid(text) || depth(v) > maxDepth {
			t.Fatalf("%q is taken", text)
		}
		members := 0
		d := json.NewDecoder(bytes.NewReader(text))
		for x, err := d.Token(); err == nil; x, err = d.Token() {
			if _, other := x.(json.Delim); !other {
				members++
			}
		}
		if n := scalars(v); n != members {
			t.Fatalf("%q has %d names and values, of which a reader finds %d", text, members, n)
		}
	})
}

func depth(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			n = max(n, depth(x))
		}
	case []any:
		for _, x := range v {
			n = max(n, depth(x))
		}
	default:
		return 0
	}
	return n + 1
}

// scalars counts names and values that are no lists or objects.
func scalars(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			n += 1 + scalars(x)
		}
		return n
	case []any:
		for _, x := range v {
			n += scalars(x)
		}
		return n
	}
	return 1
}

// A browser is led to this server, whatever it was asked to be led to.
func FuzzLocalPath(f *testing.F) {
	for _, p := range []string{"/cli", "//evil.test", "/\\evil.test", "https://evil.test", "/%2f%2fevil.test", "/a?b=//c#d", "/\tx", "javascript:alert(1)", "/..//evil.test", "/@evil.test"} {
		f.Add(p)
	}
	base, err := url.Parse(publicURL + "/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, p string) {
		to := localPath(p)
		// A browser takes a backslash for a slash, and leaves out tabs and line ends.
		seen := strings.NewReplacer("\\", "/", "\t", "", "\r", "", "\n", "").Replace(to)
		at, err := base.Parse(seen)
		if err != nil || at.Host != base.Host || at.Scheme != base.Scheme || at.User != nil || strings.HasPrefix(seen, "//") {
			t.Fatalf("%q leads to %q", p, to)
		}
	})
}
