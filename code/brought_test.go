package code

import (
	"strings"
	"testing"

	"verdict"
	"verdict/forge"
)

// landed is a request of two commits, and the ways in which it and others came to main:
//
//	base - reviewed - reviewed        the request, which may be fast-forwarded as it is
//	base - moved - one - two          the same, rebased
type landed struct {
	sandbox
	base, first, head string // of the request
	moved             string // main after somebody else's merge
}

func newLanded(t *testing.T) landed {
	l := landed{sandbox: newRepo(t)}
	l.base = l.commit(map[string]string{"a.go": "one"})
	l.git("checkout", "-q", "-b", "feature")
	l.first = l.commit(map[string]string{"b.go": "two"})
	l.head = l.commit(map[string]string{"c.go": "three"})
	l.git("checkout", "-q", "-b", "moved", "main")
	l.moved = l.commit(map[string]string{"z.go": "other"})
	return l
}

// on puts main on a commit and commits there what the steps say: "stray" is somebody's
// push, "rebase" the request's commits made anew, "squash" all of them in one, and "evil"
// a change of the last one that nobody saw.
func (l landed) on(at string, steps ...string) string {
	l.t.Helper()
	l.git("checkout", "-q", "-B", "main", at)
	for _, step := range steps {
		switch step {
		case "stray":
			l.commit(map[string]string{"stray.go": "x"})
		case "rebase":
			l.git("-c", "user.name=Forge", "cherry-pick", l.first, l.head)
		case "squash":
			l.git("merge", "-q", "--squash", l.head)
			l.commit(nil)
		case "evil":
			l.commit(map[string]string{"evil.go": "x"}, "--amend")
		case "hidden": // in the first commit, and taken back in the second
			l.git("cherry-pick", l.first)
			l.commit(map[string]string{"evil.go": "x"}, "--amend")
			l.git("cherry-pick", "-n", l.head)
			l.git("rm", "-q", "-f", "evil.go")
			l.git("commit", "-q", "--reuse-message", l.head)
		}
	}
	return l.git("rev-parse", "HEAD")
}

func TestARequestThatWasRebasedOrFastForwardedCoversWhatItBrought(t *testing.T) {
	const gone = "2222222222222222222222222222222222222222"
	for _, c := range []struct {
		name  string
		onto  func(l landed) (base, head string)
		tell  func(l landed, r *forge.Request) // beside Merge, which is the change's head
		want  verdict.State
		words string // of why and remedy
	}{
		{"a fast-forward of two, of which the forge tells where it began", func(l landed) (string, string) { return l.base, l.on(l.head) },
			func(l landed, r *forge.Request) { r.From = l.base }, verdict.StateVerified, ""},
		{"a fast-forward of two, of which the forge tells that it is two", func(l landed) (string, string) { return l.base, l.on(l.head) },
			func(_ landed, r *forge.Request) { r.Commits = 2 }, verdict.StateVerified, ""},
		{"a fast-forward of two, of which the forge tells nothing", func(l landed) (string, string) { return l.base, l.on(l.head) },
			func(landed, *forge.Request) {}, verdict.StateMissing, "judge the request before it is merged"},
		{"a fast-forward of which the forge does not tell yet that it is merged", func(l landed) (string, string) { return l.base, l.on(l.head) },
			func(_ landed, r *forge.Request) { r.State, r.Merge, r.Commits = forge.Open, "", 2 }, verdict.StateVerified, ""},
		{"the same, where it tells nothing", func(l landed) (string, string) { return l.base, l.on(l.head) },
			func(_ landed, r *forge.Request) { r.State, r.Merge = forge.Open, "" }, verdict.StateMissing, "judge the request before it is merged"},
		{"a fast-forward of one", func(l landed) (string, string) { return l.first, l.on(l.head) }, func(landed, *forge.Request) {}, verdict.StateVerified, ""},
		{"a fast-forward behind a stray commit, by where it began", func(l landed) (string, string) { return l.base, l.on(l.head) },
			func(l landed, r *forge.Request) { r.From = l.first }, verdict.StateMissing, "holds more than the request"},
		{"a fast-forward behind a stray commit, by how many it is", func(l landed) (string, string) { return l.base, l.on(l.head) },
			func(_ landed, r *forge.Request) { r.Commits = 1 }, verdict.StateMissing, "--base COMMIT"},
		{"a fast-forward that began where this clone does not reach", func(l landed) (string, string) { return l.base, l.on(l.head) },
			func(_ landed, r *forge.Request) { r.From = gone }, verdict.StateMissing, "holds more"},

		{"a rebase of two", func(l landed) (string, string) { return l.moved, l.on(l.moved, "rebase") }, func(landed, *forge.Request) {}, verdict.StateVerified, ""},
		{"a rebase of two, counted", func(l landed) (string, string) { return l.moved, l.on(l.moved, "rebase") },
			func(_ landed, r *forge.Request) { r.Commits = 2 }, verdict.StateVerified, ""},
		{"a rebase of two behind a stray commit", func(l landed) (string, string) { return l.moved, l.on(l.moved, "stray", "rebase") },
			func(_ landed, r *forge.Request) { r.Commits = 2 }, verdict.StateMissing, "holds more"},
		{"the same, where nobody counts", func(l landed) (string, string) { return l.moved, l.on(l.moved, "stray", "rebase") },
			func(landed, *forge.Request) {}, verdict.StateMissing, "holds more"},
		{"a rebase of two, decided by itself", func(l landed) (string, string) { stray := l.on(l.moved, "stray"); return stray, l.on(stray, "rebase") },
			func(landed, *forge.Request) {}, verdict.StateVerified, ""},
		{"a rebase that was changed on its way", func(l landed) (string, string) { return l.moved, l.on(l.moved, "rebase", "evil") },
			func(landed, *forge.Request) {}, verdict.StateMissing, "holds more"},
		{"a rebase that hides something between its commits", func(l landed) (string, string) { return l.moved, l.on(l.moved, "hidden") },
			func(landed, *forge.Request) {}, verdict.StateMissing, "holds more"},
		{"a squash of two behind a stray commit is as many commits", func(l landed) (string, string) { return l.moved, l.on(l.moved, "stray", "squash") },
			func(_ landed, r *forge.Request) { r.Commits = 2 }, verdict.StateMissing, "holds more"},
		{"a squash of two", func(l landed) (string, string) { return l.moved, l.on(l.moved, "squash") }, func(landed, *forge.Request) {}, verdict.StateVerified, ""},
		{"a rebase of what this clone does not hold", func(l landed) (string, string) { return l.moved, l.on(l.moved, "rebase") },
			func(_ landed, r *forge.Request) { r.Head = gone }, verdict.StateMissing, "git fetch origin refs/pull/7/head"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLanded(t)
			base, head := c.onto(l)
			r := request(l.head)
			r.State, r.Merge = forge.Merged, head
			c.tell(l, &r)
			got, err := Review(t.Context(), l.asked(base, head, people), r)
			must(t, err)
			if got.State != c.want || !strings.Contains(got.Why+" / "+got.Remedy, c.words) || (got.State == verdict.StateMissing) != (got.Remedy != "") {
				t.Errorf("%s, want %s with %q: %s / %s", got.State, c.want, c.words, got.Why, got.Remedy)
			}
		})
	}
}

// Whoever pressed the button for a rebase stands in each of its commits as committer, and
// wrote nothing of them; whoever committed anything else did.
func TestTheForgeMadeEachCommitOfARebase(t *testing.T) {
	for _, c := range []struct {
		steps []string
		want  string // committers, newest first
	}{
		{[]string{"rebase"}, "github github"},
		{[]string{"rebase", "evil"}, "github jonas"},
		{[]string{"stray", "squash"}, "github jonas"},
	} {
		l := newLanded(t)
		t.Setenv("GIT_COMMITTER_EMAIL", "jonas@acme.example")
		head := l.on(l.moved, c.steps...)
		q := l.asked(l.moved, head, people)
		q.Made, q.Reviewed, q.Forge = true, l.head, "github"
		got, err := Change(t.Context(), q)
		must(t, err)
		var words []string
		for _, one := range got.Commits {
			words = append(words, one.Committer.ID)
		}
		if out := strings.Join(words, " "); out != c.want {
			t.Errorf("%v: committed by %q, want %q", c.steps, out, c.want)
		}
	}
}
