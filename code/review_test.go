package code

import (
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/forge"
)

func by(login string) forge.Account { return forge.Account{ID: "id-" + login, Login: login} }

// request is one that alma asked for and jonas approved.
func request(head string) forge.Request {
	return forge.Request{
		Forge: forge.GitHub, Repo: "acme/shop", ID: "7", URL: "https://github.com/acme/shop/pull/7", Author: by("alma-r"), State: forge.Open, Source: "feature", Target: "main", Head: head, Required: 1,
		Reviews: []forge.Review{{By: by("jbrandt"), State: forge.Approved, Commit: head, At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}},
	}
}

func TestAnApprovalIsWorthWhatTheForgeSaysOfIt(t *testing.T) {
	s := newRepo(t)
	base := s.commit(nil)
	s.git("checkout", "-q", "-b", "feature")
	first := s.commit(map[string]string{"a.go": "x"})
	s.git("checkout", "-q", "main")
	head := s.commit(map[string]string{"a.go": "x"}, "-m", "squashed")
	for _, c := range []struct {
		name  string
		tell  func(r *forge.Request)
		state verdict.State
		want  string // approvals
	}{
		{"one for the last commit stands", func(*forge.Request) {}, verdict.StateVerified, "jonas stands"},
		{"one for an earlier commit is stale", func(r *forge.Request) { r.Reviews[0].Commit = base }, verdict.StateVerified, "jonas stale"},
		{"one that was taken back is dismissed", func(r *forge.Request) { r.Reviews[0].State = forge.Dismissed }, verdict.StateVerified, "jonas dismissed"},
		{"one for a commit that nobody knows is unknown", func(r *forge.Request) { r.Reviews[0].Commit = "" }, verdict.StateVerified, "jonas unknown"},
		{"one of an account that the map does not know names nobody", func(r *forge.Request) { r.Reviews[0].By = by("stranger") }, verdict.StateVerified, "unknown-github-"},
		{"one of a bot says so", func(r *forge.Request) { r.Reviews[0].By.Bot = true }, verdict.StateVerified, "jonas bot stands"},
		{"a comment is none", func(r *forge.Request) { r.Reviews[0].State = forge.Commented }, verdict.StateVerified, ""},
		{"reviews that the token may not see are missing, not none", func(r *forge.Request) {
			r.Reviews, r.Missing = nil, []forge.Missing{{What: forge.MissingReviews, Why: "403", Remedy: "give the token pull-requests: read"}}
		}, verdict.StateMissing, ""},
		{"a request about another commit says nothing of this one", func(r *forge.Request) { r.Head = base }, verdict.StateMissing, "jonas stale"},
		{"a request that was merged as this commit is about it", func(r *forge.Request) {
			r.Head, r.Reviews[0].Commit, r.Merge, r.State = first, first, head, forge.Merged
		}, verdict.StateVerified, "jonas stands"},
		{"a commit that was merged as it and adds what the request did not have", func(r *forge.Request) {
			r.Head, r.Reviews[0].Commit, r.Merge, r.State = base, base, head, forge.Merged
		}, verdict.StateMissing, "jonas stands"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(head)
			c.tell(&r)
			got, err := Review(t.Context(), s.asked(base, head, people), r)
			must(t, err)
			var words []string
			for _, a := range got.Approvals {
				word := a.By.ID
				if a.By.Bot {
					word += " bot"
				}
				words = append(words, word+" "+a.Standing)
			}
			if out := strings.Join(words, ", "); got.State != c.state || !strings.HasPrefix(out, c.want) || (c.want == "") != (out == "") {
				t.Errorf("%s: %q, want %s: %q (%s)", got.State, out, c.state, c.want, got.Why)
			}
			if (got.State == verdict.StateVerified) == (got.Remedy != "") {
				t.Errorf("state %s with the remedy %q", got.State, got.Remedy)
			}
			if strings.Contains(strings.Join(words, ""), "stranger") {
				t.Error("evidence holds the name of an account")
			}
		})
	}
}

// GitHub checks a merge of the request with its target out. It is what was reviewed only
// as long as it adds nothing.
func TestAMergeForThePipelineCountsOnlyWhileItAddsNothing(t *testing.T) {
	s := newRepo(t)
	s.commit(map[string]string{"a.go": "one", "b.go": "one"})
	s.git("checkout", "-q", "-b", "feature")
	reviewed := s.commit(map[string]string{"a.go": "two"})
	s.git("checkout", "-q", "main")
	target := s.commit(map[string]string{"b.go": "two"})
	s.git("checkout", "-q", "--detach")
	s.git("merge", "-q", "--no-ff", "-m", "merge", reviewed)
	clean := s.git("rev-parse", "HEAD")
	s.commit(map[string]string{"evil.go": "x"}, "--amend")
	evil := s.git("rev-parse", "HEAD")
	for commit, want := range map[string]verdict.State{clean: verdict.StateVerified, evil: verdict.StateMissing, target: verdict.StateMissing} {
		s.git("checkout", "-q", "--detach", commit)
		got, err := Review(t.Context(), s.asked(target, commit, people), request(reviewed))
		must(t, err)
		if got.State != want {
			t.Errorf("%s: %s, want %s", commit, got.State, want)
		}
	}
}

func TestTheRequestOfACommitIsTheOneThatBroughtIt(t *testing.T) {
	all := []forge.Request{
		{ID: "1", Head: "a", State: forge.Closed}, {ID: "2", Head: "a", State: forge.Open}, {ID: "3", Head: "b", Merge: "a", State: forge.Merged}, {ID: "4", Head: "c"},
	}
	for commit, want := range map[string]string{"a": "3", "b": "3", "c": "4", "d": ""} {
		if r, ok := Pick(all, commit); r.ID != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", commit, r.ID, want)
		}
	}
	if r, _ := Pick(all[:2], "a"); r.ID != "2" {
		t.Errorf("of a closed and an open request it is %s", r.ID)
	}
}

func TestNoLevelIsClaimedThatTheFactsDoNotCarry(t *testing.T) {
	alma, jonas := verdict.Party{ID: "alma", Known: true}, verdict.Party{ID: "jonas", Known: true}
	change := verdict.Change{Knowledge: verified, Commits: []verdict.Commit{{Authors: []verdict.Party{alma}, Committer: alma}}}
	review := func() verdict.ChangeReview {
		return verdict.ChangeReview{
			Knowledge: verified, Author: alma, Merged: true, Protection: []string{"forbids_force_push"},
			Approvals: []verdict.ChangeApproval{{By: jonas, Standing: verdict.ApprovalStands}},
		}
	}
	for _, c := range []struct {
		name string
		tell func(r *verdict.ChangeReview)
		want []string
	}{
		{"a reviewed merge into a branch that nobody rewrites", func(*verdict.ChangeReview) {}, []string{"ORG_SOURCE_REVIEWED", "SLSA_SOURCE_LEVEL_2"}},
		{"one that its author approved", func(r *verdict.ChangeReview) { r.Approvals[0].By = alma }, []string{"SLSA_SOURCE_LEVEL_2"}},
		{"one of a requester whom nobody knows", func(r *verdict.ChangeReview) { r.Author.Known = false }, []string{"SLSA_SOURCE_LEVEL_2"}},
		{"a branch whose protection nobody could read", func(r *verdict.ChangeReview) { r.Protection = nil }, nil},
		{"a request that is not merged", func(r *verdict.ChangeReview) { r.Merged = false }, nil},
		{"a merge past the protection", func(r *verdict.ChangeReview) { r.Bypassed = true }, nil},
		{"a review that is not known", func(r *verdict.ChangeReview) { r.State = verdict.StateMissing }, nil},
	} {
		r := review()
		c.tell(&r)
		if got := Levels(change, r); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Whoever approved a part of the change has not seen the rest of it.
func TestARequestThatShowsLessThanTheChangeDoesNotCoverIt(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{"a.go": "one"})
	s.git("checkout", "-q", "-b", "lower")
	lower := s.commit(map[string]string{"evil.go": "x"})
	s.git("checkout", "-q", "-b", "feature")
	head := s.commit(map[string]string{"b.go": "y"})
	s.git("checkout", "-q", "-b", "asked", base)
	asked := s.commit(map[string]string{"b.go": "y"}) // what was squashed behind lower
	s.git("checkout", "-q", "feature")
	for _, c := range []struct {
		name, base, target string
		merged             bool
		want               verdict.State
	}{
		{"a request to the branch that the change is measured with", base, "main", false, verdict.StateVerified},
		{"a request that is stacked on another", base, "lower", false, verdict.StateMissing},
		{"the same, measured with the branch that it goes to", lower, "lower", false, verdict.StateVerified},
		{"a branch that is not here", base, "gone", false, verdict.StateMissing},
		{"a merge that brought all of the change", lower, "main", true, verdict.StateVerified},
		{"a merge behind one that nobody asked about", base, "main", true, verdict.StateMissing},
	} {
		r := request(head)
		r.Target = c.target
		if c.merged {
			r.State, r.Merge, r.Head = forge.Merged, head, asked
		}
		got, err := Review(t.Context(), s.asked(c.base, head, people), r)
		must(t, err)
		if got.State != c.want || (got.State == verdict.StateMissing) != (got.Remedy != "") {
			t.Errorf("%s: %s, want %s (%s)", c.name, got.State, c.want, got.Why)
		}
	}
}
