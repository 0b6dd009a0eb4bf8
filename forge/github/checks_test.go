package github

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/forge"
	"verdict/forge/forgetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// github is a stand-in for the part of GitHub's API that an app writes to.
type github struct {
	*forgetest.Stand
	tokens int
	dead   string                                             // a token that is over, whatever its end said
	before func(w http.ResponseWriter, s forgetest.Sent) bool // answers in place of it
	runs   []string                                           // check runs, as JSON
}

func standIn(t *testing.T) *github {
	g := &github{}
	g.Stand = forgetest.Standing(t, func(w http.ResponseWriter, s forgetest.Sent) {
		switch {
		case g.before != nil && g.before(w, s):
		case s.Path == "/app/installations/5/access_tokens":
			checkAssertion(t, s.Token)
			g.tokens++
			forgetest.Reply(w, 201, fmt.Sprintf(`{"token":"ghs_%d","expires_at":%q}`, g.tokens, noon.Add(time.Hour).Format(time.RFC3339)))
		case !strings.HasPrefix(s.Token, "ghs_") || s.Token == g.dead:
			forgetest.Reply(w, 401, `{"message":"Bad credentials"}`)
		case s.Method == "GET" && strings.HasSuffix(s.Path, "/check-runs"):
			forgetest.Reply(w, 200, fmt.Sprintf(`{"total_count":%d,"check_runs":[%s]}`, len(g.runs), strings.Join(g.runs, ",")))
		case s.Method == "POST" && strings.HasSuffix(s.Path, "/check-runs"):
			forgetest.Reply(w, 201, `{"id":77}`)
		case s.Method == "PATCH":
			forgetest.Reply(w, 200, `{"id":77}`)
		case strings.HasSuffix(s.Path, "/deployment_protection_rule"):
			w.WriteHeader(204)
		default:
			forgetest.Reply(w, 404, `{"message":"Not Found"}`)
		}
	})
	return g
}

// checkAssertion verifies what the app says of itself: who issued it, for how long, and that
// its key signed it.
func checkAssertion(t *testing.T, text string) {
	t.Helper()
	part := strings.Split(text, ".")
	if len(part) != 3 {
		t.Errorf("the app shows %q", text)
		return
	}
	key, err := appKey(appPEM())
	if err != nil {
		t.Error(err)
		return
	}
	signature, _ := base64.RawURLEncoding.DecodeString(part[2])
	sum := sha256.Sum256([]byte(part[0] + "." + part[1]))
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
	}
	var c struct {
		Iat, Exp int64
		Iss      string
	}
	claims, _ := base64.RawURLEncoding.DecodeString(part[1])
	if err := json.Unmarshal(claims, &c); err != nil || c.Iss != fmt.Sprint(appID) || c.Exp-c.Iat > 600 || c.Iat > noon.Unix() || c.Exp <= noon.Unix() {
		t.Errorf("%s, %v", claims, err)
	}
}

func (g *github) app(t *testing.T) *App {
	return app(t, g.Base(), forge.Options{Now: func() time.Time { return noon }, Wait: func(context.Context, time.Duration) error { return nil }})
}

func changed() forge.Event {
	return forge.Event{Kind: forge.Changed, Name: "pull_request.opened", Repo: "acme/house", Commit: forgetest.Commit("1"), Reply: json.RawMessage(`{"installation":5,"repository":3}`)}
}

func mark(o verdict.Outcome, items int) forge.Mark {
	r := verdict.Reason{Rule: "secrets.none", Title: "No secret", Effect: verdict.EffectDeny, Standing: verdict.Counts, Message: "a secret"}
	for i := range items {
		r.Items = append(r.Items, verdict.Item{Path: "a.go", Line: int64(i), Message: "a key", Fix: "take it out"})
	}
	r.Items = append(r.Items, verdict.Item{Path: "old.go", Accepted: "x-1"}, verdict.Item{Message: "without a place"})
	return forge.Mark{
		Name: "ci.secrets", Title: "denied", Summary: "# why", URL: "https://verdict.example/why/d-1",
		Decision: verdict.Decision{ID: "d-1", At: noon, Enforced: o, Reasons: []verdict.Reason{r}},
	}
}

// A required check that says neutral or skipped lets a change in.
func TestAnOutcomeThatIsNoAllowNeverPasses(t *testing.T) {
	for o, want := range map[verdict.Outcome]string{
		verdict.Allow: "success", verdict.Deny: "failure", verdict.Review: "action_required", verdict.Undecided: "failure", "": "failure", "of the future": "failure",
	} {
		g := standIn(t)
		ref, err := g.app(t).Show(t.Context(), changed(), mark(o, 0))
		made := g.Sent("POST /repos/acme/house/check-runs")
		if err != nil || ref != "77" || len(made) != 1 || made[0].Body["conclusion"] != want || made[0].Body["external_id"] != "d-1" || made[0].Body["head_sha"] != forgetest.Commit("1") || made[0].Body["details_url"] == nil {
			t.Errorf("%s: %q, %v, %+v", o, ref, err, made)
		}
	}
}

// GitHub takes 50 annotations at a time and refuses a request with more, and with it the check.
func TestAnnotationsComeInPortions(t *testing.T) {
	g := standIn(t)
	if _, err := g.app(t).Show(t.Context(), changed(), mark(verdict.Deny, 120)); err != nil {
		t.Fatal(err)
	}
	var portions []int
	for _, s := range append(g.Sent("POST /repos"), g.Sent("PATCH /repos/acme/house/check-runs/77")...) {
		out := s.Body["output"].(map[string]any)
		n, _ := out["annotations"].([]any)
		portions = append(portions, len(n))
		for _, x := range n {
			if a := x.(map[string]any); a["start_line"].(float64) < 1 || a["annotation_level"] != "failure" || !strings.Contains(a["message"].(string), "take it out") {
				t.Errorf("%+v", a)
			}
		}
	}
	if fmt.Sprint(portions) != "[50 50 20]" {
		t.Errorf("%v", portions)
	}
}

// The answer of the first call was lost. The second must find what it made, on the second
// page of the check runs, and not make another.
func TestACheckRunWhoseAnswerWasLostIsFound(t *testing.T) {
	g := standIn(t)
	lost := true
	g.before = func(w http.ResponseWriter, s forgetest.Sent) bool {
		switch {
		case s.Method == "POST" && strings.HasSuffix(s.Path, "/check-runs") && lost:
			lost = false
			forgetest.Reply(w, 502, "<html>")
			return true
		case s.Method == "GET" && strings.HasSuffix(s.Path, "/check-runs") && !lost:
			run := `{"id":99,"external_id":"d-0","app":{"id":29310}},{"id":900,"external_id":"d-1","app":{"id":1}}`
			if strings.Contains(s.Query, "page=2") {
				run = `{"id":42,"external_id":"d-1","app":{"id":29310}}`
			}
			forgetest.Reply(w, 200, `{"total_count":3,"check_runs":[`+run+`]}`)
			return true
		}
		return false
	}
	a := g.app(t)
	if _, err := a.Show(t.Context(), changed(), mark(verdict.Deny, 3)); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeUnavailable {
		t.Fatalf("an answer that was lost: %v", err)
	}
	if _, err := a.Show(t.Context(), changed(), mark(verdict.Deny, 3)); err != nil {
		t.Fatal(err)
	}
	made, mended := g.Sent("POST /repos/acme/house/check-runs"), g.Sent("PATCH ")
	if len(made) != 1 || len(mended) != 1 || mended[0].Path != "/repos/acme/house/check-runs/42" || mended[0].Body["output"].(map[string]any)["annotations"] != nil {
		t.Errorf("%+v\n%+v", made, mended)
	}
}

func TestTokensOfInstallations(t *testing.T) {
	g := standIn(t)
	a := g.app(t)
	for range 3 {
		if _, err := a.Show(t.Context(), changed(), mark(verdict.Allow, 0)); err != nil {
			t.Fatal(err)
		}
	}
	asked := g.Sent("POST /app/installations")
	if g.tokens != 1 || fmt.Sprint(asked[0].Body["repository_ids"]) != "[3]" {
		t.Errorf("%d tokens for three calls, asked for with %v", g.tokens, asked)
	}
	g.dead = "ghs_1" // taken back before its end
	if _, err := a.Show(t.Context(), changed(), mark(verdict.Allow, 0)); err != nil || g.tokens != 2 {
		t.Errorf("a token that ended in between: %v, %d tokens", err, g.tokens)
	}
	g.dead = "ghs_3"
	a.now = func() time.Time { return noon.Add(59 * time.Minute) }
	g.before = func(w http.ResponseWriter, s forgetest.Sent) bool {
		if !strings.HasPrefix(s.Path, "/app/") {
			return false
		}
		g.tokens = 3
		forgetest.Reply(w, 201, `{"token":"ghs_3","expires_at":"2026-03-01T14:00:00Z"}`)
		return true
	}
	if _, err := a.Show(t.Context(), changed(), mark(verdict.Allow, 0)); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeForbidden || len(g.Sent("POST /app/")) > 4 {
		t.Errorf("a token that is refused whenever it is new: %v after %d", err, len(g.Sent("POST /app/")))
	}
}

func TestThrottlesConflictsAndNonsense(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		header []string
		once   bool
		code   verdict.Code
	}{
		{"a throttle with Retry-After", 429, `{}`, []string{"Retry-After", "3"}, true, ""},
		{"the secondary limit", 403, `{"message":"You have exceeded a secondary rate limit"}`, nil, true, ""},
		{"the primary limit", 403, `{"message":"API rate limit exceeded"}`, []string{"X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", fmt.Sprint(noon.Unix() + 5)}, true, ""},
		{"a limit that lasts", 429, `{}`, []string{"Retry-After", "3600"}, false, verdict.CodeUnavailable},
		{"a conflict", 409, `{"message":"Conflict"}`, nil, false, verdict.CodeConflict},
		{"a commit that is not there", 422, `{"message":"No commit found for SHA"}`, nil, false, verdict.CodeInvalid},
		{"no right", 403, `{"message":"Resource not accessible by integration"}`, nil, false, verdict.CodeForbidden},
		{"wrong JSON", 201, `{"id":"seven"}`, nil, false, verdict.CodeInvalid},
		{"no id", 201, `{}`, nil, false, verdict.CodeInvalid},
		{"a page of a proxy", 200, `<html>`, nil, false, verdict.CodeUnavailable},
	} {
		g := standIn(t)
		hit := false
		g.before = func(w http.ResponseWriter, s forgetest.Sent) bool {
			if s.Method != "POST" || !strings.HasSuffix(s.Path, "/check-runs") || hit && c.once {
				return false
			}
			hit = true
			forgetest.Reply(w, c.status, c.body, c.header...)
			return true
		}
		_, err := g.app(t).Show(t.Context(), changed(), mark(verdict.Allow, 0))
		if e := verdict.AsError(err); (err == nil) != (c.code == "") || err != nil && (e.Code != c.code || e.Remedy == "" || strings.Contains(err.Error(), "ghs_")) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDeploymentsAreAnswered(t *testing.T) {
	e := changed()
	e.Kind, e.Environment, e.Reply = forge.Deploys, "production", json.RawMessage(`{"installation":5,"repository":3,"run":9}`)
	for o, want := range map[verdict.Outcome]any{verdict.Allow: "approved", verdict.Deny: "rejected", verdict.Undecided: "rejected", "": "rejected", verdict.Review: nil} {
		g := standIn(t)
		if err := g.app(t).Answer(t.Context(), e, forge.Answer{Outcome: o, Comment: strings.Repeat("why ", 1000), URL: "https://verdict.example/why/d-1"}); err != nil {
			t.Fatal(err)
		}
		sent := g.Sent("POST /repos/acme/house/actions/runs/9/deployment_protection_rule")
		if len(sent) != 1 || sent[0].Body["state"] != want || sent[0].Body["environment_name"] != "production" || len(sent[0].Body["comment"].(string)) > mostComment || !strings.HasSuffix(sent[0].Body["comment"].(string), "/why/d-1") {
			t.Errorf("%q: %+v", o, sent)
		}
	}
}

func TestAnAppThatCannotSignIsRefusedAtOnce(t *testing.T) {
	for name, o := range map[string]AppOptions{
		"no key": {API: publicAPI, ID: 1}, "no id": {API: publicAPI, Key: appPEM()}, "text": {API: publicAPI, ID: 1, Key: []byte("key")}, "no https": {API: "http://ghe.example", ID: 1, Key: appPEM()},
	} {
		if _, err := NewApp(o); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
