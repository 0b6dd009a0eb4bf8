package code

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/forge"
)

// merged is a request of two commits by two people, which one file shares with what came
// to its target meanwhile.
//
//	base - first - head     the request: alma's, with jonas as committer
//	base - target           main
type merged struct {
	sandbox
	base, first, head, target string
}

// shared is a file of which both sides change their own end.
func shared(top, end string) string { return top + "\n1\n2\n3\n4\n5\n6\n7\n8\n" + end + "\n" }

func newMerged(t *testing.T) merged {
	m := merged{sandbox: newRepo(t)}
	m.base = m.commit(map[string]string{"a.go": shared("top", "end"), "z.go": "z"})
	m.git("checkout", "-q", "-b", "feature")
	t.Setenv("GIT_COMMITTER_EMAIL", "jonas@acme.example")
	m.first = m.commit(map[string]string{"b.go": "two"}, "--author", "Alma <alma@acme.example>")
	must(t, os.Unsetenv("GIT_COMMITTER_EMAIL"))
	m.head = m.commit(map[string]string{"a.go": shared("theirs", "end")})
	m.git("checkout", "-q", "main")
	m.target = m.commit(map[string]string{"a.go": shared("top", "ours"), "y.go": "y"})
	return m
}

// by makes the commit that the forge is going to name as the merge.
func (m merged) by(steps ...string) string {
	m.t.Helper()
	m.git("checkout", "-q", "-B", "main", m.target)
	for _, step := range steps {
		switch step {
		case "merge":
			m.git("merge", "-q", "--no-ff", "-m", "merge", m.head)
		case "squash":
			m.git("merge", "-q", "--squash", m.head)
			m.git("commit", "-q", "-m", "squash")
		case "rebase":
			m.git("cherry-pick", m.first, m.head)
		case "squash, then merge":
			m.git("checkout", "-q", "-B", "tmp", m.base)
			m.git("merge", "-q", "--squash", m.head)
			m.git("commit", "-q", "-m", "squash")
			m.git("checkout", "-q", "main")
			m.git("merge", "-q", "--no-ff", "-m", "merge", "tmp")
		case "rebase, then merge":
			m.git("checkout", "-q", "-B", "tmp", m.target)
			m.git("cherry-pick", m.first, m.head)
			m.git("checkout", "-q", "main")
			m.git("merge", "-q", "--no-ff", "-m", "merge", "tmp")
		case "stray, squash, then merge": // the squash stands on what the target never had
			m.git("checkout", "-q", "-B", "tmp", m.base)
			m.commit(map[string]string{"evil.go": "x"})
			m.git("merge", "-q", "--squash", m.head)
			m.git("commit", "-q", "-m", "squash")
			m.git("checkout", "-q", "main")
			m.git("merge", "-q", "--no-ff", "-m", "merge", "tmp")
		case "other, then merge":
			m.git("checkout", "-q", "-B", "tmp", m.head)
			m.commit(map[string]string{"evil.go": "x"})
			m.git("checkout", "-q", "main")
			m.git("merge", "-q", "--no-ff", "-m", "merge", "tmp")
		case "file":
			m.commit(map[string]string{"evil.go": "x"}, "--amend")
		case "line": // in the file that git merges
			m.commit(map[string]string{"a.go": shared("theirs", "ours and more")}, "--amend")
		case "less":
			m.git("rm", "-q", "b.go")
			m.git("commit", "-q", "--amend", "-m", "less")
		case "undone": // what the target had before is gone
			m.git("rm", "-q", "y.go")
			m.git("commit", "-q", "--amend", "-m", "undone")
		}
	}
	return m.git("rev-parse", "HEAD")
}

// Whoever may push can name any commit as the merge of a request that somebody approved.
func TestAMergeBringsWhatWasApprovedAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		steps string
		want  verdict.State
	}{
		{"merge", verdict.StateVerified}, {"squash", verdict.StateVerified}, {"rebase", verdict.StateVerified},
		{"squash, then merge", verdict.StateVerified}, {"rebase, then merge", verdict.StateVerified},
		{"merge+file", verdict.StateMissing}, {"merge+line", verdict.StateMissing}, {"merge+less", verdict.StateMissing}, {"merge+undone", verdict.StateMissing},
		{"squash+file", verdict.StateMissing}, {"squash+line", verdict.StateMissing}, {"squash+less", verdict.StateMissing}, {"squash+undone", verdict.StateMissing},
		{"rebase+file", verdict.StateMissing}, {"rebase+line", verdict.StateMissing},
		{"squash, then merge+file", verdict.StateMissing}, {"other, then merge", verdict.StateMissing}, {"stray, squash, then merge", verdict.StateMissing},
	} {
		t.Run(c.steps, func(t *testing.T) {
			m := newMerged(t)
			commit := m.by(strings.Split(c.steps, "+")...)
			before := m.git("count-objects", "-v")
			r := request(m.head)
			r.State, r.Merge = forge.Merged, commit
			got, err := Review(t.Context(), m.asked(m.target, commit, people), r)
			must(t, err)
			if got.State != c.want || (got.State == verdict.StateMissing) == (got.Remedy == "") {
				t.Errorf("%s, want %s: %s / %s", got.State, c.want, got.Why, got.Remedy)
			}
			if after := m.git("count-objects", "-v"); after != before {
				t.Error("the comparison left objects in the repository that it reads")
			}
		})
	}
}

// A merge driver is a program that a repository names: the commit that is judged must not
// run it, nor have its way of merging taken for git's.
func TestAMergeIsComparedWithoutTheDriversOfTheRepository(t *testing.T) {
	m := newMerged(t)
	commit := m.by("merge")
	ran := filepath.Join(t.TempDir(), "ran")
	m.git("config", "merge.mine.driver", "touch "+ran)
	must(t, os.MkdirAll(filepath.Join(m.dir, ".git", "info"), 0o755))
	for _, file := range []string{".gitattributes", ".git/info/attributes"} {
		must(t, os.WriteFile(filepath.Join(m.dir, file), []byte("* merge=mine\n"), 0o644))
	}
	r := request(m.head)
	r.State, r.Merge = forge.Merged, commit
	got, err := Review(t.Context(), m.asked(m.target, commit, people), r)
	must(t, err)
	if _, err := os.Stat(ran); err == nil || got.State != verdict.StateVerified {
		t.Errorf("%s, and the driver ran: %v", got.State, err == nil)
	}
}

func TestWithAGitThatCannotCompareTheReviewIsMissing(t *testing.T) {
	m := newMerged(t)
	commit := m.by("merge")
	real, bin := m.git("--exec-path")+"/git", t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\nfor a; do [ \"$a\" = merge-tree ] && exit 129; done\nexec "+real+" \"$@\"\n"), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	r := request(m.head)
	r.State, r.Merge = forge.Merged, commit
	got, err := Review(t.Context(), m.asked(m.target, commit, people), r)
	must(t, err)
	if got.State != verdict.StateMissing || !strings.Contains(got.Remedy, "git 2.38") {
		t.Errorf("%s: %s / %s", got.State, got.Why, got.Remedy)
	}
}

func TestTheRemedyFetchesWhereTheForgeKeepsTheRequest(t *testing.T) {
	m := newMerged(t)
	commit := m.by("squash")
	for name, want := range map[string]string{
		forge.GitHub: "git fetch origin refs/pull/7/head;", forge.GitLab: "git fetch origin refs/merge-requests/7/head;", forge.Azure: "git fetch origin refs/pull/7/merge;",
	} {
		r := request(strings.Repeat("2", 40))
		r.Forge, r.State, r.Merge = name, forge.Merged, commit
		got, err := Review(t.Context(), m.asked(m.target, commit, people), r)
		must(t, err)
		if got.State != verdict.StateMissing || !strings.Contains(got.Remedy, want) {
			t.Errorf("%s: %s: %s", name, got.State, got.Remedy)
		}
	}
}

// A merge for a pipeline is of the request with its target. With another commit in the
// place of the target, nobody has seen what that holds.
func TestAMergeForThePipelineStandsOnTheTarget(t *testing.T) {
	m := newMerged(t)
	m.git("checkout", "-q", "--detach", m.target)
	m.commit(map[string]string{"evil.go": "x"})
	m.git("merge", "-q", "--no-ff", "-m", "merge", m.head)
	got, err := Review(t.Context(), m.asked(m.target, m.git("rev-parse", "HEAD"), people), request(m.head))
	must(t, err)
	if got.State != verdict.StateMissing || !strings.Contains(got.Why, "holds more") {
		t.Errorf("%s: %s", got.State, got.Why)
	}
}

// A squash shows one author. Who wrote or committed a part of what it brings had a hand in
// it all the same, and must not approve it.
func TestWhoWroteAPartOfASquashHadAHandInIt(t *testing.T) {
	for _, how := range []string{"squash", "merge", "rebase", "squash, then merge"} {
		m := newMerged(t)
		commit := m.by(how)
		q := m.asked(m.target, commit, people)
		q.Made, q.Reviewed, q.Forge = true, m.head, "github"
		change, err := Change(t.Context(), q)
		must(t, err)
		r := request(m.head)
		r.State, r.Merge, r.Protection.ForbidsForcePush = forge.Merged, commit, true
		review, err := Review(t.Context(), q, r)
		must(t, err)
		ids, _ := Contributors(change, review)
		if !slices.Contains(ids, "alma") || !slices.Contains(ids, "jonas") {
			t.Errorf("%s: of alma and jonas, who made its first commit, it tells %v", how, ids)
		}
		if slices.Contains(Levels(change, review), "ORG_SOURCE_REVIEWED") {
			t.Errorf("%s: jonas approved what he committed himself, and it counts", how)
		}
	}
}
