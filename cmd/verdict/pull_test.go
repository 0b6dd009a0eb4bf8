package main

import (
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"verdict/forge"
	"verdict/forge/forgetest"
)

// servePull starts a fake of GitHub with one pull request, and makes the script a job of
// its pipeline: pull head=COMMIT [earlier=COMMIT] [author=LOGIN] [approve=LOGIN]
// [early=LOGIN] [dismissed=LOGIN] [merge=COMMIT by=LOGIN]. It is asked for by
// alice. Early is an approval of the earlier commit.
func servePull(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: pull head=COMMIT [KEY=VALUE…]")
	}
	said := map[string]string{}
	for _, a := range args {
		key, value, ok := strings.Cut(a, "=")
		if !ok || !slices.Contains([]string{"head", "earlier", "author", "approve", "early", "dismissed", "merge", "by"}, key) {
			ts.Fatalf("pull does not know %q", a)
		}
		said[key] = value
	}
	account := func(login string) forgetest.Person {
		for _, p := range []forgetest.Person{forgetest.Alice, forgetest.Bob, forgetest.Carol, forgetest.Robot} {
			if p.Login == login {
				return p
			}
		}
		return forgetest.Person{Number: 900, Login: login, Name: login}
	}
	w := forgetest.World{
		Number: 12, Title: "A change", Author: forgetest.Alice, State: forge.Open, Source: "feature", Target: "main",
		Rules: forgetest.Rules{Approvals: 1, NoForcePush: true},
	}
	if login := said["author"]; login != "" {
		w.Author = account(login)
	}
	if earlier := said["earlier"]; earlier != "" {
		w.Pushes = append(w.Pushes, forge.Push{At: forgetest.At(0), Commit: earlier})
	}
	w.Pushes = append(w.Pushes, forge.Push{At: forgetest.At(20), Commit: said["head"]})
	for _, o := range []struct {
		key  string
		at   int
		gone time.Time
	}{{"early", 10, time.Time{}}, {"dismissed", 25, forgetest.At(26)}, {"approve", 30, time.Time{}}} {
		if login := said[o.key]; login != "" {
			w.Opinions = append(w.Opinions, forgetest.Opinion{By: account(login), State: forge.Approved, At: forgetest.At(o.at), Gone: o.gone})
		}
	}
	if merge := said["merge"]; merge != "" {
		w.State, w.Merge, w.MergedBy, w.MergedAt = forge.Merged, merge, account(said["by"]), forgetest.At(60)
	}
	server := httptest.NewServer(forgetest.GitHub.Serve(w))
	ts.Defer(server.Close)
	ts.Setenv("GITHUB_ACTIONS", "true")
	ts.Setenv("GITHUB_REPOSITORY", forgetest.GitHub.Repo)
	ts.Setenv("GITHUB_API_URL", server.URL+"/base/")
	ts.Setenv("GITHUB_TOKEN", forgetest.Token)
	ts.Setenv("GITHUB_REF", "refs/pull/12/merge")
}
