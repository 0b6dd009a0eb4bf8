package advisory

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict"
)

// publisher is OSV's storage on this machine. Its behaviour of the moment is a list of
// handlers, one per request; after the last it serves properly.
type publisher struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex // guards what follows
	body     []byte
	etag     string
	odd      []http.HandlerFunc
	requests []http.Header
	paths    []string
}

func publish(t *testing.T, body []byte) *publisher {
	t.Helper()
	p := &publisher{t: t, body: body, etag: `"one"`}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests, p.paths = append(p.requests, r.Header.Clone()), append(p.paths, r.URL.EscapedPath())
	body, etag := p.body, p.etag
	var odd http.HandlerFunc
	if len(p.odd) > 0 {
		odd, p.odd = p.odd[0], p.odd[1:]
	}
	p.mu.Unlock()
	if odd != nil {
		odd(w, r)
		return
	}
	w.Header().Set("ETag", etag)
	sum := binary.BigEndian.AppendUint32(nil, crcOf(body))
	w.Header().Add("X-Goog-Hash", "crc32c="+base64.StdEncoding.EncodeToString(sum)+",md5=AAAA")
	http.ServeContent(w, r, "all.zip", time.Time{}, bytes.NewReader(body))
}

func (p *publisher) serve(body []byte, etag string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.body, p.etag, p.requests, p.paths = body, etag, nil, nil
}

func (p *publisher) next(odd ...http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.odd = odd
}

func (p *publisher) header(i int, name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i >= len(p.requests) {
		p.t.Fatalf("request %d of %d", i, len(p.requests))
	}
	return p.requests[i].Get(name)
}

// updating is the options of an update from the publisher.
func (p *publisher) updating(index string) UpdateOptions {
	return UpdateOptions{Index: index, Ecosystems: []string{"npm"}, Base: p.URL, Pause: time.Millisecond, Stall: 2 * time.Second, Now: clock}
}

func mustUpdate(t *testing.T, o UpdateOptions) Updated {
	t.Helper()
	out, err := Update(t.Context(), o)
	if err != nil || len(out) != 1 {
		t.Fatalf("Update: %+v, %v", out, err)
	}
	return out[0]
}

// cut sends the headers of everything and half of the body.
func (p *publisher) cut(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", p.etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(p.body)))
		_, _ = w.Write(p.body[:n])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
}

func answer(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func TestUpdateFetchesConfirmsAndReplaces(t *testing.T) {
	p := publish(t, zipped(t, many(100)...))
	index := filepath.Join(t.TempDir(), "deep", "x")
	o := p.updating(index)
	var steps []string
	o.Progress = func(g Progress) {
		if len(steps) == 0 || steps[len(steps)-1] != g.Step {
			steps = append(steps, g.Step)
		}
		if g.Source != "osv/npm" || g.Step == "download" && g.Total != int64(len(p.body)) {
			t.Errorf("%+v", g)
		}
	}
	u := mustUpdate(t, o)
	if u.NotModified || u.Bytes != int64(len(p.body)) || u.Source.Counts.Records != 100 || !u.Source.Confirmed.Equal(today) || u.Source.Origin != p.URL+"/npm/all.zip" {
		t.Errorf("first: %+v", u)
	}
	if strings.Join(steps, " ") != "download write" {
		t.Errorf("steps: %v", steps)
	}
	if h := p.header(0, "If-None-Match"); h != "" {
		t.Errorf("the first request is conditional: %q", h)
	}

	later := today.AddDate(0, 0, 3)
	o.Now, o.Ecosystems = func() time.Time { return later }, nil // those of before
	p.serve(p.body, `"one"`)
	digest := mustOpen(t, index).Database().Digest
	u = mustUpdate(t, o)
	if !u.NotModified || u.Bytes != 0 || p.header(0, "If-None-Match") != `"one"` || !u.Source.Imported.Equal(today) {
		t.Errorf("unchanged: %+v", u)
	}
	x := mustOpen(t, index)
	if d := x.Database(); !d.At.Equal(later) || d.Digest != digest {
		t.Errorf("confirmed: %+v, want %v and the digest of before", d, later)
	}
	if got := ids(match(t, x, "npm", "p7", "1.0.0")); got != "GHSA-7" {
		t.Errorf("after the confirmation: %q", got)
	}

	p.serve(zipped(t, append(many(100), entry{"new.json", simple("GHSA-new", "new")})...), `"two"`)
	if u = mustUpdate(t, o); u.NotModified || u.Source.Counts.Records != 101 || u.Source.ETag != `"two"` {
		t.Errorf("changed: %+v", u)
	}
	if got := ids(match(t, mustOpen(t, index), "npm", "new", "1.0.0")); got != "GHSA-new" {
		t.Errorf("after the change: %q", got)
	}
	left, err := filepath.Glob(index + "*")
	if err != nil || len(left) != 3 { // the index and two locks
		t.Errorf("left: %v", left)
	}
}

func TestDownloadsAreContinued(t *testing.T) {
	body := zipped(t, many(300)...)
	p := publish(t, body)
	p.next(p.cut(1000), answer(http.StatusServiceUnavailable))
	u := mustUpdate(t, p.updating(filepath.Join(t.TempDir(), "x")))
	if !u.Resumed || u.Source.Counts.Records != 300 || u.Bytes != int64(len(body)) {
		t.Errorf("%+v, of %d bytes", u, len(body))
	}
	for i := 1; i < 3; i++ {
		if got := p.header(i, "Range") + " " + p.header(i, "If-Range"); got != `bytes=1000- "one"` {
			t.Errorf("request %d asks for %s", i, got)
		}
	}
	t.Run("also by the next run", func(t *testing.T) {
		p := publish(t, body)
		p.next(p.cut(1000), answer(500), answer(500), answer(500))
		index := filepath.Join(t.TempDir(), "x")
		_, err := Update(t.Context(), p.updating(index))
		if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.Remedy, "continued") {
			t.Fatalf("Update: %v", err)
		}
		if _, err := os.Stat(index); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("an index was made of half an archive: %v", err)
		}
		if u := mustUpdate(t, p.updating(index)); !u.Resumed || u.Bytes != int64(len(body)-1000) || u.Source.Counts.Records != 300 {
			t.Errorf("%+v", u)
		}
		if h := p.header(4, "If-Range"); h != `"one"` {
			t.Errorf("If-Range %q", h)
		}
	})
	t.Run("not when the archive changed meanwhile", func(t *testing.T) {
		p := publish(t, body)
		p.next(p.cut(1000))
		other := zipped(t, many(301)...)
		o := p.updating(filepath.Join(t.TempDir(), "x"))
		o.Progress = func(g Progress) {
			if g.Done == 1000 {
				p.mu.Lock()
				p.body, p.etag = other, `"two"`
				p.mu.Unlock()
			}
		}
		if u := mustUpdate(t, o); u.Resumed || u.Source.Counts.Records != 301 {
			t.Errorf("%+v", u)
		}
	})
}

func TestAPublisherThatBehavesBadly(t *testing.T) {
	good := zipped(t, many(300)...)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	t.Cleanup(elsewhere.Close)
	flipped := bytes.Clone(good)
	flipped[len(flipped)/3] ^= 1
	four := func(h http.HandlerFunc) []http.HandlerFunc { return []http.HandlerFunc{h, h, h, h} }
	body := func(b []byte, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			answer(200, header...)(w, r)
			_, _ = w.Write(b)
		}
	}
	for name, c := range map[string]struct {
		odd  []http.HandlerFunc
		code verdict.Code
		says string
	}{
		"busy without end":                    {four(answer(429)), verdict.CodeUnavailable, "429"},
		"come back in an hour":                {four(answer(429, "Retry-After", "3600")), verdict.CodeUnavailable, "429"},
		"broken without end":                  {four(answer(502)), verdict.CodeUnavailable, "502"},
		"not there":                           {four(answer(404)), verdict.CodeNotFound, "404"},
		"forbidden":                           {four(answer(403)), verdict.CodeUnavailable, "403"},
		"moved to another host":               {four(answer(302, "Location", elsewhere.URL+"/npm/all.zip")), verdict.CodeUnavailable, "not followed"},
		"in circles":                          {append(four(answer(302, "Location", "/npm/all.zip")), four(answer(302, "Location", "/npm/all.zip"))...), verdict.CodeUnavailable, "not followed"},
		"unchanged, though nobody asked that": {four(answer(304)), verdict.CodeUnavailable, "304"},
		"a part that nobody asked for":        {four(answer(206, "Content-Range", "bytes 0-1/2")), verdict.CodeUnavailable, "continues another file"},
		"a page of a proxy":                   {four(body([]byte("<html>Sign in</html>"))), verdict.CodeInvalid, "cannot be imported"},
		"an empty body":                       {four(body(nil)), verdict.CodeInvalid, "cannot be imported"},
		"an archive with a flipped bit":       {four(body(flipped, "X-Goog-Hash", checksum(good))), verdict.CodeUnavailable, "checksum"},
		"an archive that always ends early":   {four(body(good[:len(good)-100], "ETag", `W/"x"`, "Content-Length", fmt.Sprint(len(good)))), verdict.CodeUnavailable, "EOF"},
		"advisories about something else":     {four(body(zipped(t, entry{"1.json", osv("GO-1", "", affects("Go", "a", events("SEMVER", "introduced 0")))}))), verdict.CodeInvalid, "about npm"},
		"more than anybody publishes":         {four(answer(200, "Content-Length", fmt.Sprint(int64(maxArchive)+1))), verdict.CodeLimit, "longer than"},
		"an archive that shrank":              {four(body(zipped(t, many(10)...))), verdict.CodeInvalid, "10 records, and 300"},
	} {
		t.Run(name, func(t *testing.T) {
			p := publish(t, good)
			index := filepath.Join(t.TempDir(), "x")
			o := p.updating(index)
			if strings.Contains(name, "shrank") {
				mustUpdate(t, o)
				p.serve(good, `"two"`)
			} else {
				mustImport(t, file(t, "a.zip", zipped(t, many(2)...)), index, ImportOptions{Name: "mine"})
			}
			before, err := os.ReadFile(index)
			if err != nil {
				t.Fatal(err)
			}
			p.next(c.odd...)
			start := time.Now()
			out, err := Update(t.Context(), o)
			if e := verdict.AsError(err); e == nil || e.Code != c.code || !strings.Contains(err.Error(), c.says) || e.Remedy == "" {
				t.Errorf("gave %+v, %v; want %s and %q", out, err, c.code, c.says)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("it took %v", d)
			}
			if after, err := os.ReadFile(index); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the index changed (%v)", err)
			}
			p.next()
			if u := mustUpdate(t, o); u.Source.Counts.Records != 300 {
				t.Errorf("the run after it: %+v", u)
			}
		})
	}
}

func checksum(b []byte) string {
	return "crc32c=" + base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crcOf(b)))
}

func TestAPublisherThatFallsAsleep(t *testing.T) {
	p := publish(t, zipped(t, many(300)...))
	asleep := make(chan struct{})
	t.Cleanup(func() { close(asleep) })
	sleepy := func(bodyFirst bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if bodyFirst {
				w.Header().Set("ETag", p.etag)
				w.Header().Set("Content-Length", fmt.Sprint(len(p.body)))
				_, _ = w.Write(p.body[:100])
				w.(http.Flusher).Flush()
			}
			<-asleep
		}
	}
	p.next(sleepy(false), sleepy(true))
	o := p.updating(filepath.Join(t.TempDir(), "x"))
	o.Stall = 100 * time.Millisecond
	if u := mustUpdate(t, o); !u.Resumed || u.Source.Counts.Records != 300 {
		t.Errorf("%+v", u)
	}
	p.next(sleepy(true))
	p.serve(p.body, `"two"`)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	o.Stall = time.Hour
	if _, err := Update(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a deadline of the caller: %v", err)
	}
}

func TestOneEcosystemThatFailsLeavesTheOthers(t *testing.T) {
	p := publish(t, zipped(t, many(100)...))
	p.next(answer(404))
	o := p.updating(filepath.Join(t.TempDir(), "x"))
	o.Ecosystems = []string{"Nmp", "npm"}
	out, err := Update(t.Context(), o)
	if len(out) != 1 || out[0].Ecosystem != "npm" || err == nil || !strings.Contains(err.Error(), `update "Nmp"`) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestWhatMayNotBeAsked(t *testing.T) {
	index := filepath.Join(t.TempDir(), "x")
	for _, base := range []string{"http://osv.example.org", "ftp://127.0.0.1", "https://user:word@example.org", "https://example.org/?x=1", "example.org", ":", "https://"} {
		if _, err := Update(t.Context(), UpdateOptions{Index: index, Base: base, Ecosystems: []string{"npm"}}); verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("base %q: %v", base, err)
		}
	}
	p := publish(t, nil)
	for _, e := range []string{"", "../secret", "a/b", "npm?x", "npm#x", "%2e%2e", ".", "a\\b", "npm\n"} {
		o := p.updating(index)
		o.Ecosystems = []string{e}
		if _, err := Update(t.Context(), o); verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("ecosystem %q: %v", e, err)
		}
	}
	if len(p.paths) != 0 {
		t.Errorf("asked for %v", p.paths)
	}
	o := p.updating(index)
	o.Ecosystems = nil
	if _, err := Update(t.Context(), o); verdict.AsError(err).Code != verdict.CodeUsage || !strings.Contains(verdict.AsError(err).Remedy, "advisories update Go") {
		t.Errorf("no ecosystem at all: %v", err)
	}
	p.serve(zipped(t, entry{"1.json", osv("A-1", "", affects("GitHub Actions", "a/b", events("ECOSYSTEM", "introduced 0")))}), `"x"`)
	o.Ecosystems = []string{"GitHub Actions"}
	if mustUpdate(t, o); p.paths[0] != "/GitHub%20Actions/all.zip" {
		t.Errorf("asked for %v", p.paths)
	}
	if got := ids(match(t, mustOpen(t, index), "GitHub Actions", "A/B", "v1")); got != "A-1" {
		t.Errorf("matched %q", got)
	}
}
