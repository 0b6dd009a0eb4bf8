// Package forgetest is the conformance suite of the forges: one world of requests, pushes
// and opinions, told by a fake of each forge in the shapes of its API, and a table of the
// facts that every reader has to find in it, also when the forge behaves badly.
package forgetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict/forge"
)

// Token is what the fakes take.
const Token = "s3cr3t-t0ken-that-nobody-prints"

// Person is somebody with an account. The zero value is nobody.
type Person struct {
	Number      int64
	Login, Name string
	Bot         bool
	Deleted     bool
}

// Opinion is what a person said about the head of that time.
type Opinion struct {
	By    Person
	State string // forge.Approved, forge.ChangesRequested or forge.Commented
	At    time.Time
	Gone  time.Time // when it was taken back; zero: it was not
}

// Rules protect the target.
type Rules struct {
	Approvals                                            int64
	DismissStale, CodeOwner, NoForcePush, Admins, Signed bool
}

// World is one request and what surrounds it.
type World struct {
	Number         int64
	Title          string
	Author         Person
	State          string
	Source, Target string
	Pushes         []forge.Push
	Opinions       []Opinion
	Merge          string
	MergedBy       Person
	MergedAt       time.Time
	Rules          Rules
}

func (w World) head() string { return w.Pushes[len(w.Pushes)-1].Commit }

// latest is the last opinion of each person, and whether it still counts.
func (w World) latest(count func(o Opinion) bool) []Opinion {
	last := map[Person]Opinion{}
	var order []Person
	for _, o := range w.Opinions {
		if _, seen := last[o.By]; !seen {
			order = append(order, o.By)
		}
		last[o.By] = o
	}
	var out []Opinion
	for _, p := range order {
		if o := last[p]; o.Gone.IsZero() && count(o) {
			out = append(out, o)
		}
	}
	return out
}

// Forge is a fake of one forge.
type Forge struct {
	Name, Repo string
	Serve      func(World) http.Handler
	ID         func(Person) string // the immutable id of an account
	Never      []string            // what this forge cannot tell: Missing names
	NoComments bool                // comments are no reviews there
}

// Open makes a reader; each leaf's New.
type Open func(p forge.Place, token string, o forge.Options) (forge.Reader, error)

// Commit is a commit id for tests: the digit forty times.
func Commit(digit string) string { return strings.Repeat(digit, 40) }

// At is a time so many minutes after the request was opened.
func At(minutes int) time.Time {
	return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// The people of the worlds.
var (
	Alice   = Person{Number: 101, Login: "alice", Name: "Alice Ähren"}
	Bob     = Person{Number: 102, Login: "bob", Name: "Bob \x1b[31m::error::\u202egpj.exe"}
	Carol   = Person{Number: 103, Login: "carol", Name: "曹 \"Carol\" <&>\n\x00"}
	Robot   = Person{Number: 104, Login: "robot", Name: "Robot", Bot: true}
	Deleted = Person{Deleted: true}
)

// Basic is a merged request with one approval of the head and a protected target, whose
// name needs escaping.
func Basic() World {
	return World{
		Number: 12, Title: "Add a door \u202e\x1b[2J", Author: Alice, State: forge.Merged, Source: "door", Target: "release/1.0",
		Pushes:   []forge.Push{{At: At(0), Commit: Commit("1")}, {At: At(20), Commit: Commit("2")}},
		Opinions: []Opinion{{By: Bob, State: forge.Approved, At: At(30)}},
		Merge:    Commit("a"), MergedBy: Carol, MergedAt: At(60),
		Rules: Rules{Approvals: 2, DismissStale: true, CodeOwner: true, NoForcePush: true, Admins: true, Signed: true},
	}
}

// Server is a fake of a forge with what was asked of it.
type Server struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

// Asked lists the paths that were asked for, escaped and without /base, in order.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Start serves a handler until the test ends, and refuses whoever does not show Token.
func Start(t testing.TB, h http.Handler) *Server {
	s := &Server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, strings.TrimPrefix(r.URL.EscapedPath(), "/base"))
		s.mu.Unlock()
		if !shows(r.Header, Token) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"message":"Bad credentials %s"}`, r.Header.Get("Authorization")+r.Header.Get("Private-Token"))
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// Place is where the fake is.
func (f Forge) Place(s *Server) forge.Place {
	return forge.Place{Forge: f.Name, API: s.URL + "/base/", Repo: f.Repo, Token: "VERDICT_FORGE_TOKEN"}
}

// Override answers one path (escaped, without /base) in place of a handler.
func Override(h http.Handler, path string, status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimPrefix(r.URL.EscapedPath(), "/base") != path {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func shows(h http.Header, token string) bool {
	_, password, basic := (&http.Request{Header: h}).BasicAuth()
	return h.Get("Authorization") == "Bearer "+token || h.Get("Private-Token") == token || h.Get("Job-Token") == token || basic && password == token
}

type object = map[string]any

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"message":"Not Found"}`)
}

// paged gives the page that is asked for, and names the next one as GitHub and GitLab do.
func paged[T any](w http.ResponseWriter, r *http.Request, items []T) {
	q := r.URL.Query()
	size, _ := strconv.Atoi(q.Get("per_page"))
	page, _ := strconv.Atoi(q.Get("page"))
	if size <= 0 || size > 100 {
		size = 20
	}
	from := min(max(page-1, 0)*size, len(items))
	to := min(from+size, len(items))
	if to < len(items) {
		q.Set("page", strconv.Itoa(max(page, 1)+1))
		next := "http://" + r.Host + r.URL.EscapedPath() + "?" + q.Encode()
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next", <%s>; rel="last"`, next, next))
	}
	reply(w, append([]T{}, items[from:to]...))
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format(time.RFC3339Nano)
}
