package forgetest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/forge"
)

// inProcess answers without a network: one endpoint, by its place in the order of the
// questions, with given bytes, the others as the fake does.
type inProcess struct {
	h     http.Handler
	place int
	body  []byte
	asked *[][]byte
}

func (p *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	p.h.ServeHTTP(rec, r)
	if p.asked != nil {
		*p.asked = append(*p.asked, rec.Body.Bytes())
	}
	if p.place == 0 {
		rec = httptest.NewRecorder()
		rec.Header().Set("Content-Type", "application/json")
		_, _ = rec.Write(p.body)
	}
	p.place--
	return rec.Result(), nil
}

// Garble fuzzes what a leaf reads of its forge: any bytes in place of any answer are an
// error, or a request whose every word is one of ours.
func Garble(f *testing.F, fake Forge, open Open) {
	read := func(t *inProcess) (forge.Request, error) {
		r, err := open(forge.Place{Forge: fake.Name, API: "https://forge.example/base", Repo: fake.Repo}, Token, forge.Options{
			Transport: t, Now: func() time.Time { return At(100) }, Wait: func(context.Context, time.Duration) error { return errors.New("no time") },
		})
		if err != nil {
			return forge.Request{}, err
		}
		return r.Request(context.Background(), "12")
	}
	w := Basic()
	w.Opinions = append(w.Opinions, Opinion{By: Carol, State: forge.ChangesRequested, At: At(40)}, Opinion{By: Alice, State: forge.Commented, At: At(41)})
	var answers [][]byte
	if _, err := read(&inProcess{h: fake.Serve(w), place: -1, asked: &answers}); err != nil {
		f.Fatal(err)
	}
	for i, a := range answers {
		f.Add(i, a)
		f.Add(i, []byte(strings.ReplaceAll(string(a), `"`+Bob.Login+`"`, "null")))
	}
	f.Fuzz(func(t *testing.T, place int, body []byte) {
		got, err := read(&inProcess{h: fake.Serve(w), place: place % len(answers), body: body})
		var e *verdict.Error
		if err != nil && err.Error() != "no time" && (!errors.As(err, &e) || e.Remedy == "") {
			t.Fatalf("an error without a remedy: %v", err)
		}
		if err == nil {
			wellFormed(t, got)
		}
	})
}

func wellFormed(t *testing.T, r forge.Request) {
	if r.State != forge.Open && r.State != forge.Merged && r.State != forge.Closed || r.ID != "12" || r.Target == "" {
		t.Fatalf("the request itself: %+v", r)
	}
	for what, sha := range map[string]string{forge.MissingHead: r.Head, forge.MissingMerge: r.Merge} {
		if sha != "" && !forge.Hex(sha) || sha == "" && (what == forge.MissingHead || r.State == forge.Merged) && !r.Lacks(what) {
			t.Fatalf("%s is %q: %+v", what, sha, r)
		}
	}
	if r.Required < 0 && (r.Required != forge.Unknown || !r.Lacks(forge.MissingRequired)) {
		t.Fatalf("%d approvals: %+v", r.Required, r)
	}
	if !r.Protection.Known && !r.Lacks(forge.MissingProtection) {
		t.Fatalf("the protection is neither known nor missing: %+v", r)
	}
	for _, v := range r.Reviews {
		switch v.State {
		case forge.Approved, forge.ChangesRequested, forge.Commented, forge.Dismissed:
		default:
			t.Fatalf("a review in the state %q", v.State)
		}
		if v.Commit != "" && !forge.Hex(v.Commit) || v.Commit == "" && v.State == forge.Approved && !r.Lacks(forge.MissingCommit) || v.Entitled && v.By.ID == "" && r.Forge == forge.GitHub {
			t.Fatalf("a review: %+v", v)
		}
	}
}
