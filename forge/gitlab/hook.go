package gitlab

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"verdict"
	"verdict/forge"
)

// HookOptions are what a GitLab is joined with.
type HookOptions struct {
	API     string // https://gitlab.example.com/api/v4
	Token   string // with the scope api, which statuses need
	Secrets forge.Secrets
	Options forge.Options
}

// Hook receives the webhooks and external status checks of one GitLab and answers them. It
// implements forge.Hook.
type Hook struct {
	o   HookOptions
	c   *forge.Client
	now func() time.Time
}

// maxHook is how many bytes a delivery has at most: those that lead somewhere are small.
const maxHook = 5 << 20

// mostSkew is how far the signed time of a delivery may be from ours (Standard Webhooks).
const mostSkew = 5 * time.Minute

// NewHook checks what a hook is given.
func NewHook(o HookOptions) (*Hook, error) {
	c, err := forge.NewClient(forge.API{
		Forge: forge.GitLab, Base: o.API,
		Remedy: func(int) string {
			return "give a project or group access token with the scope api and the role Developer or above under `token:` of the forge's entry"
		},
		Authorize: func(h http.Header) {
			if o.Token != "" {
				h.Set("Private-Token", o.Token)
			}
		},
	}, o.Options)
	if err != nil {
		return nil, err
	}
	h := &Hook{o: o, c: c, now: o.Options.Now}
	if h.now == nil {
		h.now = time.Now
	}
	return h, nil
}

var hookID = regexp.MustCompile(`^[0-9A-Za-z_-]{8,100}$`)

// Receive verifies a delivery in one of the three ways that GitLab has: a signature after
// the Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature), the signature of
// an external status check (X-Gitlab-Signature), or the older X-Gitlab-Token, which is the
// secret itself. Where a signature is there it has to be right, whatever token comes with it.
func (h *Hook) Receive(head http.Header, body io.Reader) (forge.Delivery, error) {
	standard, check, token := head.Get("Webhook-Signature"), head.Get("X-Gitlab-Signature"), head.Get("X-Gitlab-Token")
	switch {
	case standard == "" && check == "" && !h.o.Secrets.Holds(token):
		return forge.Delivery{}, forge.NotSigned("GitLab", "webhook-signature, X-Gitlab-Signature or X-Gitlab-Token")
	case standard != "" && !h.fresh(head.Get("Webhook-Timestamp")):
		return forge.Delivery{}, forge.NotSigned("GitLab", "webhook-timestamp")
	}
	if err := forge.CheckJSON(head); err != nil {
		return forge.Delivery{}, err
	}
	b, err := forge.ReadBody(body, maxHook)
	if err != nil {
		return forge.Delivery{}, err
	}
	switch {
	case standard != "" && !h.standard(head, b):
		return forge.Delivery{}, forge.NotSigned("GitLab", "webhook-signature")
	case standard == "" && check != "" && !h.signed(check, b):
		return forge.Delivery{}, forge.NotSigned("GitLab", "X-Gitlab-Signature")
	}
	d := forge.Delivery{Event: forge.Event{Name: "unknown"}}
	// What is signed comes first. A status check has no name of its own, and is told apart by
	// its body alone.
	for _, name := range []string{"Webhook-Id", "Idempotency-Key", "X-Gitlab-Event-Uuid"} {
		if d.ID = head.Get(name); d.ID != "" {
			break
		}
	}
	if d.ID != "" && !hookID.MatchString(d.ID) {
		return forge.Delivery{}, forge.Unreadable(fmt.Errorf("the delivery is called %.80q", d.ID))
	}
	d.Event, err = event(b)
	return d, err
}

func (h *Hook) fresh(timestamp string) bool {
	s, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	age := h.now().Sub(time.Unix(s, 0))
	return -mostSkew <= age && age <= mostSkew
}

// standard verifies any of the signatures that the header lists.
func (h *Hook) standard(head http.Header, body []byte) bool {
	ok := false
	for i, given := range strings.Fields(head.Get("Webhook-Signature")) {
		version, text, _ := strings.Cut(given, ",")
		mac, err := base64.StdEncoding.DecodeString(text)
		if i >= 8 || version != "v1" || err != nil {
			continue
		}
		ok = h.keys().Signs(mac, []byte(head.Get("Webhook-Id")+"."+head.Get("Webhook-Timestamp")+"."), body) || ok
	}
	return ok
}

// keys are the secrets as keys: one that begins with whsec_ holds them in base64.
func (h *Hook) keys() forge.Secrets {
	var out forge.Secrets
	for _, s := range h.o.Secrets {
		if text, ok := strings.CutPrefix(string(s), "whsec_"); ok {
			if key, err := base64.StdEncoding.DecodeString(text); err == nil {
				s = key
			}
		}
		out = append(out, s)
	}
	return out
}

func (h *Hook) signed(given string, body []byte) bool {
	mac, err := hex.DecodeString(given)
	return err == nil && h.o.Secrets.Signs(mac, body)
}

// place is what this driver needs to answer.
type place struct {
	Project int64 `json:"project"`
	Check   int64 `json:"check,omitempty"` // the external status check that waits
}

// event reads a delivery. One that leads nowhere is no error.
func event(body []byte) (forge.Event, error) {
	var p struct {
		Kind    string `json:"object_kind"`
		Project *struct {
			ID   int64  `json:"id"`
			Path string `json:"path_with_namespace"`
			URL  string `json:"web_url"`
		} `json:"project"`
		Attributes *struct {
			IID     int64  `json:"iid"`
			Action  string `json:"action"`
			OldRev  string `json:"oldrev"`
			Updated string `json:"updated_at"`
			Last    *struct {
				ID string `json:"id"`
			} `json:"last_commit"`
		} `json:"object_attributes"`
		Check *struct {
			ID int64 `json:"id"`
		} `json:"external_approval_rule"`
	}
	e := forge.Event{Name: "unknown"}
	if err := forge.DecodeHook(body, &p); err != nil {
		return e, err
	}
	if p.Kind != "" {
		e.Name = fmt.Sprintf("%.60s", p.Kind)
	}
	if p.Kind != "merge_request" {
		return e, nil
	}
	if p.Attributes == nil || p.Attributes.Last == nil || p.Project == nil || p.Project.ID <= 0 || p.Project.Path == "" || len(p.Project.Path) > 500 || !forge.Hex(p.Attributes.Last.ID) {
		return e, forge.Unreadable(fmt.Errorf("a merge request without project or commit"))
	}
	e.Repo, e.Address, e.Commit, e.Request = p.Project.Path, p.Project.URL, p.Attributes.Last.ID, strconv.FormatInt(p.Attributes.IID, 10)
	if err := forge.CheckID(e.Request); err != nil {
		return e, forge.Unreadable(err)
	}
	e.At = moment(p.Attributes.Updated)
	at := place{Project: p.Project.ID}
	if p.Check != nil {
		if p.Check.ID <= 0 {
			return e, forge.Unreadable(fmt.Errorf("the status check %d", p.Check.ID))
		}
		e.Name, e.Kind, at.Check = "status_check", forge.Asked, p.Check.ID
	} else {
		e.Name += "." + fmt.Sprintf("%.40s", p.Attributes.Action)
		if a := p.Attributes.Action; a == "open" || a == "reopen" || a == "update" && p.Attributes.OldRev != "" {
			e.Kind = forge.Changed
		}
	}
	var err error
	e.Reply, err = json.Marshal(at)
	return e, err
}

// moment reads the two forms of time that GitLab has written over the years; zero for any
// other.
func moment(text string) time.Time {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// statuses are GitLab's words. There is none for "a person has to approve", and skipped lets
// pass: what waits is pending.
var statuses = map[verdict.Outcome]string{verdict.Allow: "success", verdict.Review: "pending", verdict.Deny: "failed", verdict.Undecided: "failed"}

// Show sets a commit status ("Commits API, Set commit pipeline status"). Setting the one that
// is there is refused by GitLab, and is no error.
func (h *Hook) Show(ctx context.Context, e forge.Event, m forge.Mark) (string, error) {
	at, err := placeOf(e)
	if err != nil {
		return "", err
	}
	state, ok := statuses[m.Decision.Enforced]
	if !ok {
		state = "failed"
	}
	body := map[string]string{"state": state, "name": m.Name, "description": forge.Clip(m.Title, 140)}
	if m.URL != "" {
		body["target_url"] = m.URL
	}
	err = h.c.Send(ctx, http.MethodPost, fmt.Sprintf("/projects/%d/statuses/%s", at.Project, url.PathEscape(e.Commit)), body, nil)
	if refusal, refused := forge.Refused(err); refused && refusal.Status == http.StatusBadRequest && strings.Contains(refusal.Message, "Cannot transition status") {
		err = nil
	}
	return m.Decision.ID, err
}

// Answer answers an external status check ("External Status Checks API"): passed, failed, or
// pending.
func (h *Hook) Answer(ctx context.Context, e forge.Event, a forge.Answer) error {
	at, err := placeOf(e)
	if err != nil {
		return err
	}
	status := "failed"
	switch {
	case !a.Final():
		status = "pending"
	case a.Passes():
		status = "passed"
	}
	return h.c.Send(ctx, http.MethodPost, fmt.Sprintf("/projects/%d/merge_requests/%s/status_check_responses", at.Project, url.PathEscape(e.Request)),
		map[string]any{"sha": e.Commit, "external_status_check_id": at.Check, "status": status}, nil)
}

func placeOf(e forge.Event) (at place, err error) {
	if err = json.Unmarshal(e.Reply, &at); err == nil && at.Project <= 0 {
		err = fmt.Errorf("no project")
	}
	if err != nil {
		err = fmt.Errorf("where the event %.80q is to be answered: %w", e.Name, err)
	}
	return at, err
}
