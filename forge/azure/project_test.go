package azure

import (
	"net/http"
	"strings"
	"testing"

	"verdict"
	"verdict/forge"
	"verdict/forge/forgetest"
)

const (
	repoPath   = "/Acme%20Corp/_apis/git/repositories/house"
	pullPath   = repoPath + "/pullRequests/12"
	policyPath = "/6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c/_apis/policy/configurations"
	repoID     = "3411ebc1-d5aa-464f-9615-0b527bc66719"
)

func read(t *testing.T, h http.Handler) forge.Request {
	t.Helper()
	r, err := New(forgetest.Azure.Place(forgetest.Start(t, h)), forgetest.Token, forge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Request(t.Context(), "12")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func policyJSON(scope string) string {
	return `{"value":[{"isEnabled":true,"isBlocking":true,"type":{"id":"FA4E907D-c16b-4a4c-9dfa-4906e5d171dd"},"settings":{"minimumApproverCount":1,"scope":[` + scope + `]}}]}`
}

func TestPolicyCountsForItsBranchesAlone(t *testing.T) {
	for _, c := range []struct {
		scope string
		want  int64
	}{
		{`{"repositoryId":null,"refName":"refs/heads/release/1.0","matchKind":"Exact"}`, 1},
		{`{"repositoryId":"` + strings.ToUpper(repoID) + `","refName":"refs/heads/release","matchKind":"Prefix"}`, 1},
		{`{"repositoryId":null,"refName":"refs/heads/release","matchKind":"prefix"}`, 1},
		{`{"repositoryId":"11111111-d5aa-464f-9615-0b527bc66719","refName":"refs/heads/release/1.0","matchKind":"Exact"}`, 0},
		{`{"repositoryId":null,"refName":"refs/heads/rel","matchKind":"Prefix"}`, 0},
		{`{"repositoryId":null,"refName":null,"matchKind":"DefaultBranch"}`, 0}, // main
		{`{"repositoryId":null}`, 0},
		{`{}`, 0},
		{``, 0},
	} {
		got := read(t, forgetest.Override(forgetest.Azure.Serve(forgetest.Basic()), policyPath, 200, policyJSON(c.scope)))
		if got.Required != c.want || !got.Protection.Known {
			t.Errorf("%s: %d approvals are demanded, want %d", c.scope, got.Required, c.want)
		}
	}
}

func TestPolicyOfTheDefaultBranch(t *testing.T) {
	h := forgetest.Override(forgetest.Azure.Serve(forgetest.Basic()), policyPath, 200, policyJSON(`{"matchKind":"defaultBranch"}`))
	if got := read(t, forgetest.Override(h, repoPath, 200, `{"defaultBranch":"refs/heads/release/1.0"}`)); got.Required != 1 || !got.Protection.RequiresReview {
		t.Errorf("%+v", got.Protection)
	}
	got := read(t, forgetest.Override(h, repoPath, 403, `{"message":"TF401027"}`))
	if got.Protection.Known || got.Required != forge.Unknown || !got.Lacks(forge.MissingProtection) || !got.Lacks(forge.MissingRequired) {
		t.Errorf("a policy that may be about the target is left out without a word: %+v", got)
	}
}

// Servers before Azure DevOps write votes with the voter's id, as a group of service
// accounts. This is the form of Microsoft's documentation.
func TestVotesOfOlderServers(t *testing.T) {
	bob := forgetest.Azure.ID(forgetest.Bob)
	h := forgetest.Override(forgetest.Azure.Serve(forgetest.Basic()), pullPath+"/threads", 200, `{"value":[{"id":143,"publishedDate":"2026-03-01T10:30:36.58Z",
		"comments":[{"author":{"id":"41113706-4320-4083-9150-925feb93fc22","displayName":"[DefaultCollection]\\Project Collection Service Accounts","isContainer":true},"commentType":"system"}],
		"properties":{"CodeReviewThreadType":{"$type":"System.String","$value":"VoteUpdate"},"CodeReviewVotedByDisplayName":{"$value":"Bob"},
		"CodeReviewVotedByTfId":{"$value":"`+bob+`"},"CodeReviewVoteResult":{"$value":"10"}},"isDeleted":false}]}`)
	if got := read(t, h); len(got.Reviews) != 1 || got.Reviews[0].By.ID != bob || got.Reviews[0].Commit != forgetest.Commit("2") {
		t.Errorf("%+v", got.Reviews)
	}
}

// Azure resets votes on a push where the policy says so: the vote is 0 then, and only
// the thread remembers it.
func TestResetVoteIsADismissal(t *testing.T) {
	w := forgetest.Basic()
	w.Opinions[0].At = forgetest.At(10)
	h := forgetest.Override(forgetest.Azure.Serve(w), pullPath, 200, `{"pullRequestId":12,"status":"active","targetRefName":"refs/heads/main","reviewers":[],
		"repository":{"id":"`+repoID+`","project":{"id":"6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c"}}}`)
	if got := read(t, h); len(got.Reviews) != 1 || got.Reviews[0].State != forge.Dismissed || got.Reviews[0].Commit != forgetest.Commit("1") {
		t.Errorf("%+v", got.Reviews)
	}
}

// The author of a change could otherwise move a reviewer's approval to his last push.
func TestForgedThreadGivesNoCommit(t *testing.T) {
	bob, alice := forgetest.Azure.ID(forgetest.Bob), forgetest.Azure.ID(forgetest.Alice)
	h := forgetest.Override(forgetest.Azure.Serve(forgetest.Basic()), pullPath+"/threads", 200, `{"value":[{"publishedDate":"2026-03-01T10:30:00Z","identities":{"1":{"id":"`+bob+`"}},
		"comments":[{"author":{"id":"`+alice+`"},"commentType":"system"}],
		"properties":{"CodeReviewThreadType":{"$value":"VoteUpdate"},"CodeReviewVotedByIdentity":{"$value":"1"},"CodeReviewVoteResult":{"$value":10}}}]}`)
	if got := read(t, h); len(got.Reviews) != 1 || got.Reviews[0].Commit != "" || !got.Lacks(forge.MissingCommit) {
		t.Errorf("%+v", got)
	}
}

// Anybody who may comment could otherwise make a request unreadable.
func TestThreadThatIsNoVoteIsPassedOver(t *testing.T) {
	mallory := "d6245f20-2af8-44f4-9451-000000000901"
	for _, result := range []string{`"ten"`, `"7"`, `null`, `{"a":1}`, `1e3`, `""`} {
		h := forgetest.Override(forgetest.Azure.Serve(forgetest.Basic()), pullPath+"/threads", 200, `{"value":[{"publishedDate":"2026-03-01T10:30:00Z","identities":{"1":{"id":"`+mallory+`"},"2":null},
			"comments":[{"author":{"id":"`+mallory+`"},"commentType":"system"}],
			"properties":{"CodeReviewThreadType":{"$value":"VoteUpdate"},"CodeReviewVotedByIdentity":{"$value":"1"},"CodeReviewVoteResult":{"$value":`+result+`}}}]}`)
		if got := read(t, h); len(got.Reviews) != 1 {
			t.Errorf("%s: %+v", result, got.Reviews)
		}
	}
}

func TestMergeThatPassedByThePolicies(t *testing.T) {
	h := forgetest.Override(forgetest.Azure.Serve(forgetest.Basic()), pullPath, 200, `{"pullRequestId":12,"status":"completed","targetRefName":"refs/heads/main","completionOptions":{"bypassPolicy":true},
		"lastMergeCommit":null,"repository":{"id":"`+repoID+`","project":{"id":"6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c"}}}`)
	if got := read(t, h); !got.Bypassed || got.Merge != "" || !got.Lacks(forge.MissingMerge) {
		t.Errorf("%+v", got)
	}
}

func TestSignInPageIsARefusal(t *testing.T) {
	for _, status := range []int{200, 203} {
		s := forgetest.Start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>Azure DevOps Services | Sign In"))
		}))
		r, err := New(forgetest.Azure.Place(s), forgetest.Token, forge.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Request(t.Context(), "12"); err == nil || verdict.AsError(err).Code != verdict.CodeForbidden || !strings.Contains(verdict.AsError(err).Remedy, "System.AccessToken") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestTokensOfAPipelineAndOfAPerson(t *testing.T) {
	for token, want := range map[string]string{
		"eyJ0eXAi.eyJuYW1l.c2ln-_x": "Bearer eyJ0eXAi.eyJuYW1l.c2ln-_x", "pat": "Basic OnBhdA==", "": "",
	} {
		var got string
		s := forgetest.Start(t, http.NotFoundHandler())
		r, err := New(forgetest.Azure.Place(s), token, forge.Options{Transport: transport(func(r *http.Request) (*http.Response, error) {
			got = r.Header.Get("Authorization")
			return http.DefaultTransport.RoundTrip(r)
		})})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Request(t.Context(), "12"); err == nil || got != want {
			t.Errorf("%q is sent as %q: %v", token, got, err)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func environment(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

func TestDetect(t *testing.T) {
	env := map[string]string{
		"TF_BUILD": "True", "BUILD_REPOSITORY_PROVIDER": "TfsGit", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/", "SYSTEM_TEAMPROJECT": "Acme Corp",
		"BUILD_REPOSITORY_NAME": "house", "BUILD_REPOSITORY_ID": repoID, "BUILD_REPOSITORY_URI": "https://acme@dev.azure.com/acme/Acme%20Corp/_git/house", "SYSTEM_ACCESSTOKEN": "x",
	}
	p, ok := Detect(environment(env))
	if !ok || p != (forge.Place{Forge: forge.Azure, API: "https://dev.azure.com/acme/", Repo: repoID, Token: "SYSTEM_ACCESSTOKEN"}) {
		t.Errorf("a build of a branch: %+v", p)
	}
	for k, v := range map[string]string{
		"SYSTEM_PULLREQUEST_PULLREQUESTID": "12", "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/door", "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/release/1.0",
		"SYSTEM_PULLREQUEST_SOURCECOMMITID": forgetest.Commit("2"), "BUILD_REPOSITORY_ID": "house",
	} {
		env[k] = v
	}
	if p, _ := Detect(environment(env)); p.Repo != "Acme Corp/house" || p.ID != "12" {
		t.Errorf("%+v", p)
	}
	env["BUILD_REPOSITORY_PROVIDER"] = "GitHub"
	if _, ok := Detect(environment(env)); ok {
		t.Error("a repository on GitHub is looked for in Azure Repos")
	}
}
