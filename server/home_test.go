package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Whoever types the address of a server into a browser is shown where to go on, by a page that
// loads and runs nothing; a program is told the same.
func TestTheFirstPageSaysWhereToGoOn(t *testing.T) {
	x := opened(t, Limits{}, func(*Server) {})
	ask := func(method, path, accept string) (*http.Response, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, x.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		res, err := x.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(b)
	}
	res, page := ask("GET", "/", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	for _, link := range []string{`href="/login"`, `href="/openapi.json"`, `href="/log/checkpoint"`} {
		if !strings.Contains(page, link) {
			t.Errorf("the page has no %s: %s", link, page)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "src=") || strings.Contains(page, "<style") || len(page) > 2000 {
		t.Errorf("the page loads or runs something: %s", page)
	}
	var said home
	if res, body := ask("GET", "/", "*/*"); res.StatusCode != 200 || json.Unmarshal([]byte(body), &said) != nil || said.Origin == "" || said.API != Prefix {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if !strings.Contains(page, said.Origin) {
		t.Errorf("the page does not name the log %s", said.Origin)
	}
	for _, other := range []struct{ method, path string }{{"GET", "/elsewhere"}, {"POST", "/"}} {
		if res, body := ask(other.method, other.path, "text/html"); res.StatusCode < 400 || !strings.Contains(body, "remedy") {
			t.Errorf("%s %s: %d %s", other.method, other.path, res.StatusCode, body)
		}
	}
}
