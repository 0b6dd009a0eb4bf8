package gitlab

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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

const secret = "the secret of the webhook"

func hook(t testing.TB, api string) *Hook {
	t.Helper()
	h, err := NewHook(HookOptions{
		API: api, Token: forgetest.Token, Secrets: forge.Secrets{[]byte("the one before"), []byte(secret), []byte("whsec_" + base64.StdEncoding.EncodeToString([]byte("a key")))},
		Options: forge.Options{Now: func() time.Time { return noon }},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// merge is what GitLab sends of a merge request ("Webhook events", "External status checks").
func merge(attributes, more string) string {
	return `{"object_kind":"merge_request","event_type":"merge_request","project":{"id":6,"path_with_namespace":"acme/house","web_url":"https://gitlab.example/acme/house"},` +
		`"object_attributes":{"iid":12,"updated_at":"2026-03-01 11:59:00 UTC","last_commit":{"id":"1111111111111111111111111111111111111111"}` + attributes + `}` + more + `}`
}

func mac(key string, parts ...string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	for _, p := range parts {
		m.Write([]byte(p))
	}
	return m.Sum(nil)
}

func head(pairs ...string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// standard is a delivery signed after the Standard Webhooks.
func standard(key, id string, at time.Time, body string) http.Header {
	stamp := fmt.Sprint(at.Unix())
	return head("Webhook-Id", id, "Webhook-Timestamp", stamp, "Webhook-Signature", "v2,xx v1,"+base64.StdEncoding.EncodeToString(mac(key, id, ".", stamp, ".", body)))
}

// Whoever does not have the secret must not make the server act.
func TestDeliveriesAreVerified(t *testing.T) {
	h := hook(t, "https://gitlab.example/api/v4")
	body := merge(`,"action":"open"`, "")
	check := hex.EncodeToString(mac(secret, body))
	good := standard("a key", "msg-12345678", noon, body)
	moved := good.Clone()
	moved.Set("Webhook-Timestamp", fmt.Sprint(noon.Unix()+1))
	renamed := good.Clone()
	renamed.Set("Webhook-Id", "msg-87654321")
	withToken := standard("guess", "msg-12345678", noon, body)
	withToken.Set("X-Gitlab-Token", secret)
	for _, c := range []struct {
		name string
		head http.Header
		body string
		code verdict.Code
	}{
		{"the token", head("X-Gitlab-Token", secret, "X-Gitlab-Event-Uuid", "1f2e3d4c-0000"), body, ""},
		{"the token before", head("X-Gitlab-Token", "the one before"), body, ""},
		{"a signature by the key", good, body, ""},
		{"a signature by the secret as text", standard(secret, "msg-12345678", noon, body), body, ""},
		{"the signature of a status check", head("X-Gitlab-Signature", check), body, ""},
		{"no token", head(), body, verdict.CodeForbidden},
		{"an empty token", head("X-Gitlab-Token", ""), body, verdict.CodeForbidden},
		{"a token in another case", head("X-Gitlab-Token", strings.ToUpper(secret)), body, verdict.CodeForbidden},
		{"a signature over another body", good, body + " ", verdict.CodeForbidden},
		{"a signature over another time", moved, body, verdict.CodeForbidden},
		{"a signature over another id", renamed, body, verdict.CodeForbidden},
		{"a signature of six minutes ago", standard("a key", "msg-12345678", noon.Add(-6*time.Minute), body), body, verdict.CodeForbidden},
		{"a signature of the future", standard("a key", "msg-12345678", noon.Add(6*time.Minute), body), body, verdict.CodeForbidden},
		{"a wrong signature beside a right token", withToken, body, verdict.CodeForbidden},
		{"a wrong signature of a status check beside a right token", head("X-Gitlab-Signature", strings.Repeat("0", 64), "X-Gitlab-Token", secret), body, verdict.CodeForbidden},
		{"a form", head("X-Gitlab-Token", secret, "Content-Type", "application/x-www-form-urlencoded"), body, verdict.CodeInvalid},
		{"no JSON", head("X-Gitlab-Token", secret), "{", verdict.CodeInvalid},
		{"a name that is a path", head("X-Gitlab-Token", secret, "X-Gitlab-Event-Uuid", "../../../x"), body, verdict.CodeInvalid},
		{"too large", head("X-Gitlab-Token", secret), strings.Repeat(" ", maxHook+1), verdict.CodeLimit},
	} {
		d, err := h.Receive(c.head, strings.NewReader(c.body))
		switch {
		case c.code == "" && (err != nil || d.Event.Kind != forge.Changed || d.Event.Repo != "acme/house" || d.Event.Request != "12" || !d.Event.At.Equal(noon.Add(-time.Minute))):
			t.Errorf("%s: %+v, %v", c.name, d, err)
		case c.code != "" && (err == nil || verdict.AsError(err).Code != c.code || strings.Contains(err.Error(), secret)):
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if d, err := h.Receive(good, strings.NewReader(body)); err != nil || d.ID != "msg-12345678" {
		t.Errorf("the signed id: %+v, %v", d, err)
	}
}

func TestWhereDeliveriesLead(t *testing.T) {
	h := hook(t, "https://gitlab.example/api/v4")
	for body, want := range map[string]forge.EventKind{
		merge(`,"action":"open"`, ""):   forge.Changed,
		merge(`,"action":"reopen"`, ""): forge.Changed,
		merge(`,"action":"update","oldrev":"2222222222222222222222222222222222222222"`, ""): forge.Changed,
		merge(`,"action":"update"`, ""):                          forge.Nowhere, // a label
		merge(`,"action":"merge"`, ""):                           forge.Nowhere,
		merge(`,"action":"approved"`, ""):                        forge.Nowhere,
		merge("", `,"external_approval_rule":{"id":4}`):          forge.Asked,
		`{"object_kind":"push"}`:                                 forge.Nowhere,
		`{"object_kind":"of the future","object_attributes":{}}`: forge.Nowhere,
		`{}`: forge.Nowhere,
	} {
		d, err := h.Receive(head("X-Gitlab-Token", secret), strings.NewReader(body))
		if err != nil || d.Event.Kind != want || d.Event.Name == "" {
			t.Errorf("%s: %+v, %v", body, d.Event, err)
		}
	}
	for _, body := range []string{`{"object_kind":"merge_request"}`, merge("", `,"external_approval_rule":{"id":-4}`), strings.Replace(merge("", ""), "1111", "../.", 1)} {
		if d, err := h.Receive(head("X-Gitlab-Token", secret), strings.NewReader(body)); err == nil {
			t.Errorf("%s: %+v", body, d)
		}
	}
}

func TestStatusesAndAnswers(t *testing.T) {
	answer := func(w http.ResponseWriter, _ forgetest.Sent) { forgetest.Reply(w, 201, `{"id":1}`) }
	s := forgetest.Standing(t, func(w http.ResponseWriter, x forgetest.Sent) { answer(w, x) })
	h := hook(t, s.Base())
	e := forge.Event{Repo: "acme/house", Commit: forgetest.Commit("1"), Request: "12", Reply: json.RawMessage(`{"project":6,"check":4}`)}
	for o, want := range map[verdict.Outcome][2]string{
		verdict.Allow: {"success", "passed"}, verdict.Review: {"pending", "pending"}, verdict.Deny: {"failed", "failed"}, verdict.Undecided: {"failed", "failed"}, "": {"failed", "failed"},
	} {
		before := len(s.Sent(""))
		if _, err := h.Show(t.Context(), e, forge.Mark{Name: "ci.secrets", Title: strings.Repeat("ä", 200), Decision: verdict.Decision{ID: "d-1", Enforced: o}}); err != nil {
			t.Fatal(err)
		}
		if err := h.Answer(t.Context(), e, forge.Answer{Outcome: o}); err != nil {
			t.Fatal(err)
		}
		sent := s.Sent("")[before:]
		if len(sent) != 2 || sent[0].Path != "/projects/6/statuses/"+e.Commit || sent[0].Body["state"] != want[0] || sent[0].Token != forgetest.Token ||
			sent[1].Path != "/projects/6/merge_requests/12/status_check_responses" || sent[1].Body["status"] != want[1] || sent[1].Body["sha"] != e.Commit || sent[1].Body["external_status_check_id"] != 4.0 {
			t.Errorf("%q: %+v", o, sent)
		}
	}
	answer = func(w http.ResponseWriter, _ forgetest.Sent) {
		forgetest.Reply(w, 400, `{"message":"Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition)"}`)
	}
	if _, err := h.Show(t.Context(), e, forge.Mark{Name: "ci.secrets"}); err != nil {
		t.Errorf("the status that is there already: %v", err)
	}
	answer = func(w http.ResponseWriter, _ forgetest.Sent) { forgetest.Reply(w, 403, `{"message":"403 Forbidden"}`) }
	if _, err := h.Show(t.Context(), e, forge.Mark{Name: "ci.secrets"}); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeForbidden || !strings.Contains(verdict.AsError(err).Remedy, "scope api") {
		t.Errorf("no right: %v", err)
	}
}

// FuzzHook: whoever has the secret of a webhook sends what he likes.
func FuzzHook(f *testing.F) {
	f.Add([]byte(merge(`,"action":"open"`, "")))
	f.Add([]byte(merge("", `,"external_approval_rule":{"id":4}`)))
	f.Add([]byte(`{"object_kind":"push"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := event(body)
		if err != nil {
			if verdict.AsError(err).Code == verdict.CodeInternal {
				t.Fatalf("an error without a remedy: %v", err)
			}
			return
		}
		if at, err := placeOf(e); e.Kind != forge.Nowhere && (err != nil || !forge.Hex(e.Commit) || forge.CheckID(e.Request) != nil || e.Kind == forge.Asked && at.Check <= 0) {
			t.Fatalf("leads to %q without saying where: %+v", e.Kind, e)
		}
	})
}
