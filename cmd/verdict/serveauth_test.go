package main

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/identity"
	"verdict/identity/token"
	"verdict/server"
)

// Whoever starts a server on his own machine signs in by what it prints, and by the key that
// lies there; a server for others gives neither.
func TestWhoStartsAServerForHimselfSignsIn(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	in := func(address string) (*server.SignIn, string) {
		public, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		s, err := x.host.signIn("", public)
		if err != nil {
			t.Fatal(err)
		}
		link, err := x.host.adminLink(t.Context(), s, public)
		if err != nil {
			t.Fatal(err)
		}
		return s, link
	}
	roles := func(s *server.SignIn, audience string) []identity.Grant {
		a, err := token.Assert(t.Context(), x.host.base.signer, x.host.base.signer.KeyID(), audience, time.Now(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Exchange(t.Context(), token.Exchange{Assertion: a}, "127.0.0.1:5")
		if err != nil {
			t.Fatal(err)
		}
		return got.Caller.Grants
	}
	own, link := in("http://127.0.0.1:1")
	public, _ := url.Parse("http://127.0.0.1:1")
	s, err := x.host.server(t.Context(), public, own)
	if err != nil {
		t.Fatal(err)
	}
	own.Routes(s)
	h := httptest.NewServer(s.Handler())
	defer h.Close()
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(strings.Replace(link, "http://127.0.0.1:1", h.URL, 1))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 || res.Cookies()[0].Name != "verdict" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if got := roles(own, "http://127.0.0.1:1"); len(got) != 1 || got[0].Role != identity.Developer {
		t.Errorf("by the key: %+v", got)
	}
	public2, link := in("https://verdict.example")
	if got := roles(public2, "https://verdict.example"); len(got) != 0 || link != "" {
		t.Errorf("on a server for others: %+v, link %q", got, link)
	}
}

// A sign-in file that is misspelt keeps the server from starting, and does not let nobody in,
// or everybody.
func TestAServerDoesNotStartWithASignInFileThatItCannotRead(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	public, _ := url.Parse("https://verdict.example")
	path := filepath.Join(t.TempDir(), "sign-in.yaml")
	for content, says := range map[string]string{"": "not YAML", "schema: verdict.sign-in/v1\npeeple: []\n": "did you mean people?"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := x.host.signIn(path, public)
		if e := verdict.AsError(err); e == nil || !strings.Contains(e.What+e.Remedy, says) || !strings.Contains(e.What, path) {
			t.Errorf("%q: %v", content, err)
		}
	}
	if _, err := x.host.signIn(path+".not", public); verdict.AsError(err).Code != verdict.CodeUsage {
		t.Errorf("no file: %v", err)
	}
}
