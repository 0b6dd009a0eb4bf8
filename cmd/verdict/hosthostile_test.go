package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict/identity"
)

// hostileValues are what nobody sends by mistake.
var hostileValues = []string{
	"", "-1", "0", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "99999999999999999999", "1e9", "0x10", "NaN", "null", "true", "\x00", "a\r\nSet-Cookie: x=y", "'; DROP TABLE entry; --", "\" OR 1=1",
	"../../../etc/passwd", "%2e%2e%2f", "\u202e\u2066", "\xff\xfe", "sha256:" + strings.Repeat("0", 64), "gitCommit:" + strings.Repeat("f", 40), "d-", "%", "*", "[", "{\"a\":1}", "pkg:npm/%00@1", "pkg:npm/a@vers:npm/<=", strings.Repeat("x", 6000), strings.Repeat("é", 200),
	"9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "-7d", "999999999999d",
}

// Whatever somebody writes into a parameter or a path, he is told what is wrong with it, or
// answered. A defect would tell him where to look further, and fill the log of the operator.
func TestNoParameterFindsADefect(t *testing.T) {
	x, c, _ := wholeAPI(t)
	asked := 0
	ask := func(method, path string) {
		asked++
		status, body := x.do("admin", strings.ToUpper(method), path, "")
		if status >= 500 {
			t.Errorf("%s %.200s: %d %.400s", method, path, status, body)
		}
		if status >= 400 && (!strings.Contains(body, `"remedy"`) && !strings.Contains(body, "<!doctype html>") || strings.Contains(body, "SQL") || strings.Contains(body, x.data)) {
			t.Errorf("%s %.200s: %d says %.400s", method, path, status, body)
		}
	}
	for path, methods := range c.Paths {
		for method, o := range methods {
			if method != "get" && method != "delete" || strings.HasSuffix(path, "/events") {
				continue
			}
			for _, v := range hostileValues {
				for _, p := range o.Parameters {
					switch p.In {
					case "query":
						query := url.Values{p.Name: {v}}
						for _, other := range o.Parameters {
							if other.Required && other.In == "query" && other.Name != p.Name {
								query.Set(other.Name, "sbom")
							}
						}
						ask(method, strings.NewReplacer("{index}", "1", "{id}", "x", "{digest}", pictureD, "{environment}", "e").Replace(path)+"?"+query.Encode())
					case "path":
						if v != "" {
							ask(method, strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(v)))
						}
					}
				}
			}
		}
	}
	for _, v := range hostileValues {
		for _, path := range []string{"/log/tile/", "/log/tile/0/", "/log/tile/entries/", "/login?return=", "/login?code=", "/login?with=", "/callback?state=", "/callback?error="} {
			if strings.Contains(path, "?") {
				ask("GET", path+url.QueryEscape(v))
			} else {
				ask("GET", path+url.PathEscape(v))
			}
		}
	}
	if asked < 1500 {
		t.Errorf("only %d requests were sent", asked)
	}
}

// A developer who sends another map with each question has no more than a few read at once, and
// the map of the organisation stays ready for everybody else.
func TestMapsOfCallersDisplaceNobody(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	if _, err := x.host.desk(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	x.host.mu.Lock()
	released := x.host.latest
	x.host.mu.Unlock()
	most, stop := 0, make(chan struct{})
	var watch, all sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				x.host.mu.Lock()
				most = max(most, len(x.host.desks))
				x.host.mu.Unlock()
			}
		}
	})
	for i := range 3 * maxDesks {
		all.Go(func() {
			own, err := json.Marshal(fmt.Sprintf("schema: verdict/v1\n# %d\nenvironments: {production: {tier: prod}}\n", i))
			if err != nil {
				t.Error(err)
				return
			}
			status, body := x.do("dev", "POST", "/api/v1/decisions", strings.Replace(askedSecrets, `"dry":false`, `"dry":true,"map":{"file":"verdict.yaml","revision":"abc","content":`+string(own)+`}`, 1))
			if status != 200 {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	all.Wait()
	close(stop)
	watch.Wait()
	x.host.mu.Lock()
	defer x.host.mu.Unlock()
	kept := false
	for _, d := range x.host.desks {
		kept = kept || d == released
	}
	if !kept || x.host.latest != released {
		t.Error("the map of the organisation has to be read again because of the callers' maps")
	}
	if most > maxDesks+1 || len(x.host.reading) != 0 {
		t.Errorf("%d desks were kept, %d maps are still read", most, len(x.host.reading))
	}
}

// A map that a caller sends is foreign bytes: what makes little text large, or looks elsewhere,
// is refused within a moment, and no machine's file is read.
func TestAHostileMapIsRefused(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	bomb := "schema: verdict/v1\na: &a [x, x, x, x, x, x, x, x]\n"
	for i := range 8 {
		bomb += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c]\n", 'b'+i, 'b'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	var services strings.Builder
	services.WriteString("schema: verdict/v1\nservices:\n")
	for i := range 100_000 {
		fmt.Fprintf(&services, "  s%d: {team: t}\n", i)
	}
	for name, content := range map[string]string{
		"aliases that multiply":       bomb,
		"an alias of itself":          "schema: verdict/v1\na: &a [*a]\n",
		"a tag that makes an object":  "schema: verdict/v1\npoints: !!python/object/apply:os.system [id]\n",
		"deep":                        "schema: verdict/v1\npoints: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "\n",
		"deep by indentation":         "schema: verdict/v1\n" + deepYAML(2_000),
		"a hundred thousand services": services.String(),
		"several megabytes":           "schema: verdict/v1\n# " + strings.Repeat("x", 5<<20) + "\n",
		"two documents":               "schema: verdict/v1\n---\nschema: verdict/v1\n",
		"a key twice":                 "schema: verdict/v1\npoints: {}\npoints: {}\n",
		"a file of the machine":       "schema: verdict/v1\ninclude: /etc/passwd\n",
	} {
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		status, body := x.do("dev", "POST", "/api/v1/decisions", strings.Replace(askedSecrets, `"dry":false`, `"dry":true,"map":{"file":"verdict.yaml","revision":"abc","content":`+string(text)+`}`, 1))
		if status != http.StatusUnprocessableEntity && status != http.StatusRequestEntityTooLarge || strings.Contains(body, "root:") {
			t.Errorf("%s: %d %.300s", name, status, body)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
	if n := len(x.host.desks); n != 0 {
		t.Errorf("%d maps that are none are kept", n)
	}
}

func deepYAML(levels int) string {
	var b strings.Builder
	for i := range levels {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

// Evidence is stated by who sends it: that its key is enrolled gives somebody who only reads, or
// who has another service, no right to record it.
func TestAnEnrolledKeyGivesItsBearerNoRole(t *testing.T) {
	x := servingData(t, oneImage(t))
	_, text := x.get("viewer", "/api/v1/entries?kind=sbom")
	var page struct{ Entries []struct{ Index int64 } }
	if err := json.Unmarshal([]byte(text), &page); err != nil || len(page.Entries) == 0 {
		t.Fatalf("%v %s", err, text)
	}
	_, text = x.get("viewer", fmt.Sprintf("/api/v1/entries/%d/bundle", page.Entries[0].Index))
	var had struct{ Bundle json.RawMessage }
	if err := json.Unmarshal([]byte(text), &had); err != nil {
		t.Fatal(err)
	}
	for as, want := range map[string]int{"viewer": 403, "narrow": 403, "away": 403, "nobody": 403, "": 401, "admin": 403, "dev": 200} {
		before := x.entries()
		status, body := x.do(as, "POST", "/api/v1/evidence", `{"evidence":[{"bundle":`+string(had.Bundle)+`}]}`)
		if status != want || x.entries() != before {
			t.Errorf("%q: %d %.300s", as, status, body)
		}
	}
}

// No page may be put into a frame, be run with scripts of elsewhere, or be kept by a cache, and
// no page leads a browser elsewhere.
func TestEveryPageKeepsToItself(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	client := *x.http.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	get := func(path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), "GET", x.http.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	for _, path := range []string{"/", "/login", "/cli", "/logout", "/callback", "/openapi.json", "/api/v1/me", "/api/v1/nothing", "/log/checkpoint", "/a/../b"} {
		h := get(path).Header
		if h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Cache-Control"), "no-store") || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
	in, err := x.host.signIn("", x.public)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"https://evil.test/", "//evil.test/", "/\\evil.test", "\\/evil.test", "/%5cevil.test", "/\tevil.test", "http:evil.test", "javascript:alert(1)", "/x\r\nLocation: https://evil.test", "////evil.test", "/.//evil.test", "https:///evil.test", "@evil.test"} {
		code, err := in.Link(t.Context(), []identity.Grant{{Role: identity.Viewer, Scope: identity.Anywhere()}})
		if err != nil {
			t.Fatal(err)
		}
		res := get("/login?code=" + code + "&return=" + url.QueryEscape(to))
		at, err := url.Parse(res.Header.Get("Location"))
		if err != nil || res.StatusCode != http.StatusSeeOther || at.Host != "" || at.Scheme != "" || strings.HasPrefix(res.Header.Get("Location"), "//") || strings.Contains(res.Header.Get("Location"), "\\") {
			t.Errorf("%q leads to %d %q", to, res.StatusCode, res.Header.Get("Location"))
		}
	}
}
