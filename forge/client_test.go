package forge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"verdict"
)

// A list without end would keep a pipeline busy until somebody kills it.
func TestListWithoutEndEnds(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Link", `</again?page=2>; rel="next"`)
		_, _ = w.Write([]byte(`[1,2,3]`))
	}))
	defer s.Close()
	c, err := NewClient(API{Forge: GitHub, Base: s.URL}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := List[int](t.Context(), c, "/x?y=z")
	if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeLimit || got != nil || asked > maxPages {
		t.Errorf("%d items and %v after %d pages", len(got), err, asked)
	}
}

// What the forge says about a refusal helps, and never holds the token.
func TestWordsOfARefusal(t *testing.T) {
	const token = "t0k3n-of-somebody"
	for body, want := range map[string]string{
		`{"message":"Resource not accessible by integration"}`: "Resource not accessible by integration",
		`{"error":"insufficient_scope"}`:                       "insufficient_scope",
		`{"message":"` + token + ` is wrong"}`:                 "",
		`{"message":{"a":["b"]}}`:                              `{"a":["b"]}`,
		`<html>`:                                               "",
		`{"message":"t0k3n-of\u002dsomebody is wrong"}`:        "",
		`{"message":"` + strings.Repeat("ä", 200) + `"}`:       strings.Repeat("ä", 100),
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(body))
		}))
		defer s.Close()
		c, err := NewClient(API{
			Forge: GitHub, Base: s.URL, Remedy: func(int) string { return "x" }, Authorize: func(h http.Header) { h.Set("Authorization", "Bearer "+token) },
		}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = c.Get(t.Context(), "/x", &struct{}{})
		if r, ok := Refused(err); !ok || r.Status != http.StatusForbidden || r.Message != want || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
