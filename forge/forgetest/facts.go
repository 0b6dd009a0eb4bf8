package forgetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict"
	"verdict/forge"
)

// fact is a row of the table: a world, and the reviews that a reader has to find in it, as
// "login state commit" with the first digit of the commit.
type fact struct {
	name    string
	world   func(*World)
	reviews []string
	also    func(t *testing.T, r forge.Request)
}

var facts = []fact{
	{"an approval of the head", func(*World) {}, []string{"bob approved 2"}, nil},
	{"an approval of an older head keeps that head", func(w *World) { w.Opinions[0].At = At(10) }, []string{"bob approved 1"}, nil},
	{"an approval at the minute of the push is of the new head", func(w *World) { w.Opinions[0].At = At(20) }, []string{"bob approved 2"}, nil},
	{"a dismissed approval stays, marked", func(w *World) { w.Opinions[0].At, w.Opinions[0].Gone = At(10), At(21) }, []string{"bob dismissed 1"}, nil},
	{"an approval after a dismissed one counts", func(w *World) {
		w.Opinions = []Opinion{{Bob, forge.Approved, At(10), At(21)}, {Bob, forge.Approved, At(40), time.Time{}}}
	}, []string{"bob approved 2"}, nil},
	{"changes requested after an approval count", func(w *World) {
		w.Opinions = append(w.Opinions, Opinion{By: Bob, State: forge.ChangesRequested, At: At(40)})
	}, []string{"bob changes_requested 2"}, nil},
	{"a comment after an approval does not hide it", func(w *World) {
		w.Opinions = append(w.Opinions, Opinion{By: Bob, State: forge.Commented, At: At(40)})
	}, []string{"bob approved 2"}, nil},
	{"the author's own approval stays", func(w *World) {
		w.Opinions = append(w.Opinions, Opinion{By: Alice, State: forge.Approved, At: At(40)})
	}, []string{"bob approved 2", "alice approved 2"}, nil},
	{"a robot's approval is a robot's", func(w *World) { w.Opinions[0].By = Robot }, []string{"robot approved 2"}, func(t *testing.T, r forge.Request) {
		if !r.Reviews[0].By.Bot {
			t.Errorf("a robot passes for a person: %+v", r.Reviews[0].By)
		}
	}},
	{"a deleted reviewer is nobody, and each stands for himself", func(w *World) {
		w.Opinions = append(w.Opinions, Opinion{By: Deleted, State: forge.Approved, At: At(31)})
	}, []string{"bob approved 2", "? approved"}, nil},
	{"a deleted author is missing", func(w *World) { w.Author = Deleted }, []string{"bob approved 2"}, func(t *testing.T, r forge.Request) {
		if r.Author.ID != "" || !r.Lacks(forge.MissingAuthor) {
			t.Errorf("a deleted author passes for one that is known: %+v", r.Author)
		}
	}},
	{"a deleted merger is missing", func(w *World) { w.MergedBy = Deleted }, []string{"bob approved 2"}, func(t *testing.T, r forge.Request) {
		if r.MergedBy.ID != "" || !r.Lacks(forge.MissingMerge) {
			t.Errorf("whoever merged passes for known: %+v", r.MergedBy)
		}
	}},
	{"an open request has no merge, though the forge tried one", func(w *World) {
		w.State, w.Merge, w.MergedBy, w.MergedAt = forge.Open, "", Person{}, time.Time{}
	}, []string{"bob approved 2"}, nil},
	{"a request closed without a merge", func(w *World) {
		w.State, w.Merge, w.MergedBy, w.MergedAt = forge.Closed, "", Person{}, time.Time{}
	}, []string{"bob approved 2"}, nil},
	{"nobody reviewed", func(w *World) { w.Opinions = nil }, nil, nil},
	{"a target that nothing protects", func(w *World) { w.Rules = Rules{} }, []string{"bob approved 2"}, func(t *testing.T, r forge.Request) {
		if r.Protection != (forge.Protection{Known: true}) || r.Required != 0 {
			t.Errorf("nothing protects the target, and the reader says %+v with %d", r.Protection, r.Required)
		}
	}},
	{"force pushes are allowed and maintainers exempt", func(w *World) { w.Rules.NoForcePush, w.Rules.Admins = false, false }, []string{"bob approved 2"}, nil},
}

// Run holds a leaf to the suite.
func Run(t *testing.T, f Forge, open Open) {
	for _, c := range facts {
		t.Run(c.name, func(t *testing.T) {
			w := Basic()
			c.world(&w)
			checkFacts(t, f, open, w, c)
		})
	}
	t.Run("more than two pages of reviews are read to the end", func(t *testing.T) { manyReviews(t, f, open) })
	t.Run("the requests of a commit", func(t *testing.T) { forCommit(t, f, open) })
	t.Run("many questions at once", func(t *testing.T) { together(t, f, open) })
	t.Run("what is no number or commit never becomes an address", func(t *testing.T) { badWords(t, f, open) })
	t.Run("addresses that a token must not be sent to", func(t *testing.T) { badAddresses(t, f, open) })
	behave(t, f, open)
}

func reader(t *testing.T, f Forge, open Open, s *Server, token string, o forge.Options) forge.Reader {
	t.Helper()
	if o.Wait == nil {
		o.Wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	o.Now = func() time.Time { return At(100) }
	r, err := open(f.Place(s), token, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func checkFacts(t *testing.T, f Forge, open Open, w World, c fact) {
	got, err := reader(t, f, open, Start(t, f.Serve(w)), Token, forge.Options{}).Request(t.Context(), strconv.FormatInt(w.Number, 10))
	if err != nil {
		t.Fatal(err)
	}
	if got.Forge != f.Name || got.Repo != f.Repo || got.ID != "12" || got.Title != w.Title || got.State != w.State || got.Source != w.Source || got.Target != w.Target {
		t.Errorf("the request itself: %+v", got)
	}
	switch f.Name { // how much of a history its reviewers were shown, where the forge tells it
	case forge.GitHub:
		if got.Commits != int64(len(w.Pushes)) {
			t.Errorf("%d commits, want %d", got.Commits, len(w.Pushes))
		}
	case forge.GitLab:
		if got.From != Commit("0") {
			t.Errorf("shown from %q", got.From)
		}
	}
	if got.Head != w.head() || got.Merge != w.Merge || !got.MergedAt.Equal(w.MergedAt) {
		t.Errorf("head %q, merge %q at %v", got.Head, got.Merge, got.MergedAt)
	}
	if !f.is(got.Author, w.Author) || !f.is(got.MergedBy, w.MergedBy) {
		t.Errorf("author %+v, merged by %+v", got.Author, got.MergedBy)
	}
	if list := f.list(w, got.Reviews); !slices.Equal(list, c.reviews) {
		t.Errorf("reviews %q, want %q", list, c.reviews)
	}
	f.checkProtection(t, w, got)
	if c.also != nil {
		c.also(t, got)
	}
}

func (f Forge) is(a forge.Account, p Person) bool {
	if p.Deleted || p == (Person{}) {
		return a.ID == ""
	}
	return a.ID == f.ID(p) && a.Name == p.Name && a.Bot == p.Bot
}

// list writes reviews as the table does. A deleted account is "?", without commit: not
// every forge has one for it.
func (f Forge) list(w World, reviews []forge.Review) []string {
	names := map[string]string{}
	for _, o := range w.Opinions {
		if !o.By.Deleted {
			names[f.ID(o.By)] = o.By.Login
		}
	}
	var out, nameless []string
	for _, r := range reviews {
		line := fmt.Sprintf("%s %s %.1s", names[r.By.ID], r.State, r.Commit)
		switch {
		case r.By.ID == "":
			nameless = append(nameless, "? "+r.State)
		case r.State == forge.Approved && !r.Entitled:
			out = append(out, line+" without the right")
		default:
			out = append(out, line)
		}
	}
	return append(out, nameless...)
}

func (f Forge) checkProtection(t *testing.T, w World, got forge.Request) {
	t.Helper()
	r, p := w.Rules, got.Protection
	if got.Required != r.Approvals || !p.Known {
		t.Errorf("required %d, want %d; known %v; missing %v", got.Required, r.Approvals, p.Known, got.Missing)
	}
	for _, c := range []struct {
		what      string
		got, want bool
	}{
		{"requires_review", p.RequiresReview, r.Approvals > 0}, {forge.MissingDismisses, p.DismissesStale, r.DismissStale},
		{forge.MissingCodeOwner, p.RequiresCodeOwner, r.CodeOwner}, {forge.MissingAdmins, p.AppliesToAdmins, r.Admins},
		{forge.MissingForcePush, p.ForbidsForcePush, r.NoForcePush || f.Name == forge.Azure && r.Approvals > 0}, {forge.MissingSigned, p.RequiresSigned, r.Signed},
	} {
		if slices.Contains(f.Never, c.what) {
			if c.got {
				t.Errorf("%s: the forge cannot tell, and the reader says yes", c.what)
			}
		} else if c.got != c.want {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
}

func manyReviews(t *testing.T, f Forge, open Open) {
	w := Basic()
	w.Opinions = nil
	for i := range 230 {
		p := Person{Number: int64(1000 + i), Login: fmt.Sprintf("p%d", i), Name: strings.Repeat("n", i)}
		w.Opinions = append(w.Opinions, Opinion{By: p, State: forge.Approved, At: At(30).Add(time.Duration(i) * time.Second)})
	}
	for _, h := range []struct {
		name   string
		remove string
	}{{"as it is", ""}, {"through a proxy that takes the Link header away", "Link"}} {
		got, err := reader(t, f, open, Start(t, without(f.Serve(w), h.remove)), Token, forge.Options{}).Request(t.Context(), "12")
		if err != nil {
			t.Fatal(h.name, err)
		}
		if n := len(got.Reviews); n != 230 || got.Reviews[229].By.ID != f.ID(w.Opinions[229].By) {
			t.Errorf("%s: %d of 230 reviews", h.name, n)
		}
	}
}

func forCommit(t *testing.T, f Forge, open Open) {
	w := Basic()
	r := reader(t, f, open, Start(t, f.Serve(w)), Token, forge.Options{})
	for _, sha := range []string{w.Merge, w.head()} {
		got, err := r.ForCommit(t.Context(), sha)
		if err != nil || len(got) != 1 || got[0].ID != "12" || got[0].MergedBy.ID != f.ID(Carol) || len(got[0].Reviews) != 1 {
			t.Errorf("the requests of %.7s: %+v, %v", sha, got, err)
		}
	}
	got, err := r.ForCommit(t.Context(), Commit("9"))
	if e := verdict.AsError(err); len(got) != 0 || err != nil && e.Code != verdict.CodeNotFound {
		t.Errorf("a commit that nobody brought: %+v, %v", got, err)
	}
}

func together(t *testing.T, f Forge, open Open) {
	r := reader(t, f, open, Start(t, f.Serve(Basic())), Token, forge.Options{})
	answers := make([]forge.Request, 8)
	errs := make([]error, len(answers))
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i], errs[i] = r.Request(t.Context(), "12") })
	}
	group.Wait()
	for i, got := range answers {
		if errs[i] != nil || !reflect.DeepEqual(got, answers[0]) {
			t.Errorf("question %d of %d: %+v, %v", i, len(answers), got, errs[i])
		}
	}
}

func badWords(t *testing.T, f Forge, open Open) {
	s := Start(t, f.Serve(Basic()))
	r := reader(t, f, open, s, Token, forge.Options{})
	for _, id := range []string{"", "0", "-1", "12/../13", "012", "12?x", "١٢", strings.Repeat("9", 30)} {
		if _, err := r.Request(t.Context(), id); verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("request %q: %v", id, err)
		}
	}
	for _, sha := range []string{"", "abc", strings.Repeat("g", 40), Commit("A"), Commit("1") + "/", "../" + Commit("1")} {
		if _, err := r.ForCommit(t.Context(), sha); verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("commit %q: %v", sha, err)
		}
	}
	if asked := s.Asked(); len(asked) > 0 {
		t.Errorf("words of others were sent: %q", asked)
	}
	for _, repo := range []string{"", "/", "../..", ".", "a/b/../c?x#y" + strings.Repeat("z", 600)} {
		p := f.Place(s)
		if p.Repo = repo; repo != "" {
			p.API = "https://forge.example"
		}
		if _, err := open(p, Token, forge.Options{}); err == nil || verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("repository %.30q: %v", repo, err)
		}
	}
}

func badAddresses(t *testing.T, f Forge, open Open) {
	for _, api := range []string{
		"", "http://forge.example", "http://10.0.0.1/api", "ftp://127.0.0.1", "https://user:pass@forge.example", "https://forge.example/?to=x",
		"https://forge.example/#x", "//forge.example", "https://", "http://127.0.0.1.evil.example", "http://localhost.evil.example", "file:///etc/passwd",
	} {
		_, err := open(forge.Place{Forge: f.Name, API: api, Repo: f.Repo}, Token, forge.Options{})
		var e *verdict.Error
		if !errors.As(err, &e) || e.Code != verdict.CodeUsage || strings.Contains(err.Error(), Token) {
			t.Errorf("%q was taken as the address of the API: %v", api, err)
		}
	}
}
