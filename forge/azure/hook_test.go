package azure

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/forge"
	"verdict/forge/forgetest"
)

const (
	hookSecret = "the password of the subscription"
	jobToken   = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2IifQ.c2ln"
	anID       = "a6f2fb3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c"
)

func hook(t testing.TB, api string, hosts []string, o forge.Options) *Hook {
	t.Helper()
	h, err := NewHook(HookOptions{API: api, Token: forgetest.Token, Secrets: forge.Secrets{[]byte("the one before"), []byte(hookSecret)}, Hosts: hosts, Options: o})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func basic(password string) http.Header {
	r := &http.Request{Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}}
	r.SetBasicAuth("verdict", password)
	return r.Header
}

// checking is what a check sends that was set up after docs/forges.md.
func checking(plan string) http.Header {
	h := basic(hookSecret)
	for k, v := range map[string]string{
		"PlanUrl": plan, "ProjectId": anID, "HubName": "build", "PlanId": anID, "JobId": anID, "TimelineId": anID, "TaskInstanceId": anID, "AuthToken": jobToken,
	} {
		h.Set(k, v)
	}
	return h
}

const question = `{"environment":"production","repository":"https://dev.azure.com/acme/shop/_git/house","commit":"1111111111111111111111111111111111111111","requester":"jane@acme.example"}`

const pullRequestHook = `{"subscriptionId":"a6f2fb3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c","notificationId":7,"eventType":"git.pullrequest.updated","createdDate":"2026-03-01T10:00:00Z",
	"resource":{"pullRequestId":12,"status":"active","lastMergeSourceCommit":{"commitId":"1111111111111111111111111111111111111111"},
	"repository":{"id":"a6f2fb3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c","name":"house","remoteUrl":"https://acme@dev.azure.com/acme/shop/_git/house","project":{"id":"a6f2fb3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c","name":"shop"}}}}`

func TestServiceHooks(t *testing.T) {
	h := hook(t, "https://dev.azure.com/acme", nil, forge.Options{})
	d, err := h.Receive(basic("the one before"), strings.NewReader(pullRequestHook))
	if err != nil || d.ID != anID+".7" || d.Event.Kind != forge.Changed || d.Event.Repo != "shop/house" || d.Event.Address != "https://dev.azure.com/acme/shop/_git/house" || d.Event.Request != "12" || d.Event.At.IsZero() {
		t.Fatalf("%+v, %v", d, err)
	}
	if d, err := h.Receive(basic(hookSecret), strings.NewReader(strings.Replace(pullRequestHook, "active", "completed", 1))); err != nil || d.Event.Kind != forge.Nowhere {
		t.Errorf("a request that is over: %+v, %v", d.Event, err)
	}
	if d, err := h.Receive(basic(hookSecret), strings.NewReader(strings.Replace(pullRequestHook, "git.pullrequest.updated", "build.complete", 1))); err != nil || d.Event.Kind != forge.Nowhere || d.Event.Name != "build.complete" {
		t.Errorf("%+v, %v", d.Event, err)
	}
	plain := basic(hookSecret)
	plain.Set("Content-Type", "text/plain")
	for name, c := range map[string]struct {
		head http.Header
		body string
		code verdict.Code
	}{
		"no password":        {http.Header{"Content-Type": {"application/json"}}, pullRequestHook, verdict.CodeForbidden},
		"an empty password":  {basic(""), pullRequestHook, verdict.CodeForbidden},
		"another password":   {basic("guess"), pullRequestHook, verdict.CodeForbidden},
		"text":               {plain, pullRequestHook, verdict.CodeInvalid},
		"no number":          {basic(hookSecret), strings.Replace(pullRequestHook, `"notificationId":7,`, "", 1), verdict.CodeInvalid},
		"no commit":          {basic(hookSecret), strings.Replace(pullRequestHook, `"1111`, `"x111`, 1), verdict.CodeInvalid},
		"a path as a repo":   {basic(hookSecret), strings.Replace(pullRequestHook, `"repository":{"id":"a6f2fb3c`, `"repository":{"id":"../../x`, 1), verdict.CodeInvalid},
		"a depth of hundred": {basic(hookSecret), strings.Repeat("[", 100), verdict.CodeInvalid},
		"too large":          {basic(hookSecret), strings.Repeat(" ", maxHook+1), verdict.CodeLimit},
	} {
		if _, err := h.Receive(c.head, strings.NewReader(c.body)); err == nil || verdict.AsError(err).Code != c.code || verdict.AsError(err).Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The check names the address that gets a token and an answer. Only Azure's and those that
// the configuration names are taken.
func TestChecksNameNoAddressOfTheirOwnChoice(t *testing.T) {
	h := hook(t, "https://dev.azure.com/acme", []string{"tfs.acme.example:8443"}, forge.Options{})
	for _, plan := range []string{"https://dev.azure.com/acme/", "https://acme.visualstudio.com/", "https://tfs.acme.example:8443/tfs/Default"} {
		d, err := h.Receive(checking(plan), strings.NewReader(question))
		if err != nil || d.Event.Kind != forge.Deploys || d.Event.Environment != "production" || d.Event.Token != jobToken || d.Event.Requester.Login != "jane@acme.example" || strings.Contains(string(d.Event.Reply), jobToken) {
			t.Errorf("%s: %+v, %v", plan, d, err)
		}
	}
	for _, plan := range []string{
		"http://169.254.169.254/metadata", "http://localhost:8080", "http://127.0.0.1", "https://[::1]/", "http://dev.azure.com/acme", "https://dev.azure.com.evil.example/acme", "https://evil.example/dev.azure.com",
		"https://dev.azure.com@evil.example/", "https://dev.azure.com:444/acme", "https://a.b.visualstudio.com/", "https://visualstudio.com/", "https://evilvisualstudio.com/", "https://tfs.acme.example/", "https://dev.azure.com/../x",
		"https://dev.azure.com/acme?x=1", "https://dev.azure.com/%2e%2e/x", "https://dev.azure.com/acme#x", "file:///etc/passwd", "gopher://dev.azure.com/", "dev.azure.com",
	} {
		if _, err := h.Receive(checking(plan), strings.NewReader(question)); err == nil || verdict.AsError(err).Code != verdict.CodeForbidden {
			t.Errorf("%s: %v", plan, err)
		}
	}
	for _, name := range []string{"ProjectId", "HubName", "PlanId", "JobId", "TimelineId", "TaskInstanceId", "AuthToken"} {
		for _, value := range []string{"", "../x", "a\nb", "$(system.PlanId)"} {
			head := checking("https://dev.azure.com/acme")
			head.Set(name, value)
			if _, err := h.Receive(head, strings.NewReader(question)); err == nil || verdict.AsError(err).Code != verdict.CodeInvalid {
				t.Errorf("%s as %q: %v", name, value, err)
			}
		}
	}
	for _, body := range []string{`{}`, strings.Replace(question, "production", "", 1), strings.Replace(question, "1111", "main", 1), `[]`} {
		if _, err := h.Receive(checking("https://dev.azure.com/acme"), strings.NewReader(body)); err == nil || verdict.AsError(err).Code != verdict.CodeInvalid {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestChecksAreAnswered(t *testing.T) {
	feed := 200
	s := forgetest.Standing(t, func(w http.ResponseWriter, x forgetest.Sent) {
		if strings.HasSuffix(x.Path, "/feed") {
			forgetest.Reply(w, feed, `{}`)
			return
		}
		w.WriteHeader(204)
	})
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	h := hook(t, "https://dev.azure.com/acme", []string{u.Host}, forge.Options{})
	d, err := h.Receive(checking(s.Base()), strings.NewReader(question))
	if err != nil {
		t.Fatal(err)
	}
	for o, want := range map[verdict.Outcome]string{verdict.Allow: "succeeded", verdict.Deny: "failed", verdict.Undecided: "failed", "": "failed", verdict.Review: ""} {
		for _, feed = range []int{200, 403} {
			before := len(s.Sent(""))
			err := h.Answer(t.Context(), d.Event, forge.Answer{Outcome: o, Comment: "why", URL: "https://verdict.example"})
			sent := s.Sent("")[before:]
			if o == verdict.Review {
				if len(sent) != 1 || (err == nil) != (feed == 200) {
					t.Errorf("what waits was ended: %+v, %v", sent, err)
				}
				continue
			}
			if err != nil || len(sent) != 2 || sent[1].Path != "/"+anID+"/_apis/distributedtask/hubs/build/plans/"+anID+"/events" || sent[1].Body["result"] != want || sent[1].Body["name"] != "TaskCompleted" || sent[1].Body["taskId"] != anID || sent[1].Token != jobToken {
				t.Errorf("%q: %+v, %v", o, sent, err)
			}
		}
	}
	// What was stored before the host was taken off the list.
	if err := hook(t, "https://dev.azure.com/acme", nil, forge.Options{}).Answer(t.Context(), d.Event, forge.Answer{Outcome: verdict.Allow}); err == nil || verdict.AsError(err).Code != verdict.CodeForbidden {
		t.Errorf("%v", err)
	}
	// An allowed name that leads to this machine when it is connected to.
	guarded := hook(t, "https://dev.azure.com/acme", []string{u.Host}, forge.Options{Transport: forge.Guarded(nil)})
	before := len(s.Sent(""))
	if err := guarded.Answer(t.Context(), d.Event, forge.Answer{Outcome: verdict.Allow}); err == nil || verdict.AsError(err).Code != verdict.CodeForbidden || len(s.Sent("")) != before {
		t.Errorf("%v, %+v", err, s.Sent("")[before:])
	}
}

func TestStatusesOfPullRequests(t *testing.T) {
	s := forgetest.Standing(t, func(w http.ResponseWriter, _ forgetest.Sent) { forgetest.Reply(w, 200, `{"id":1}`) })
	h := hook(t, s.Base(), nil, forge.Options{})
	d, err := h.Receive(basic(hookSecret), strings.NewReader(pullRequestHook))
	if err != nil {
		t.Fatal(err)
	}
	for o, want := range map[verdict.Outcome]string{verdict.Allow: "succeeded", verdict.Review: "pending", verdict.Deny: "failed", verdict.Undecided: "error", "": "failed"} {
		before := len(s.Sent(""))
		if _, err := h.Show(t.Context(), d.Event, forge.Mark{Name: "ci.secrets", Title: "x", URL: "https://verdict.example", Decision: verdict.Decision{ID: "d-1", At: time.Now(), Enforced: o}}); err != nil {
			t.Fatal(err)
		}
		if sent := s.Sent("")[before:]; len(sent) != 1 || sent[0].Path != "/"+anID+"/_apis/git/repositories/"+anID+"/pullRequests/12/statuses" || sent[0].Body["state"] != want || sent[0].Token != forgetest.Token {
			t.Errorf("%q: %+v", o, sent)
		}
	}
}

// FuzzHook: whoever has the password of a subscription sends what he likes.
func FuzzHook(f *testing.F) {
	h := hook(f, "https://dev.azure.com/acme", nil, forge.Options{})
	f.Add("", []byte(pullRequestHook))
	f.Add("https://dev.azure.com/acme", []byte(question))
	f.Add("http://169.254.169.254", []byte(question))
	f.Fuzz(func(t *testing.T, plan string, body []byte) {
		head := checking(plan)
		if plan == "" {
			head = basic(hookSecret)
		}
		d, err := h.Receive(head, strings.NewReader(string(body)))
		if err != nil {
			if verdict.AsError(err).Code == verdict.CodeInternal {
				t.Fatalf("an error without a remedy: %v", err)
			}
			return
		}
		var at place
		if e := d.Event; e.Kind != forge.Nowhere && (!forge.Hex(e.Commit) || json.Unmarshal(e.Reply, &at) != nil) {
			t.Fatalf("leads to %q without saying where: %+v", e.Kind, e)
		}
		if at.Check != nil && !strings.HasPrefix(at.Check.Plan, "https://dev.azure.com") && !strings.Contains(at.Check.Plan, ".visualstudio.com") {
			t.Fatalf("answers at %q", at.Check.Plan)
		}
	})
}
