package github

import (
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

var (
	deliveryID = regexp.MustCompile(`^[0-9A-Za-z-]{8,64}$`)
	eventName  = regexp.MustCompile(`^[a-z_]{1,64}$`)
)

// Receive verifies X-Hub-Signature-256 ("Validating webhook deliveries") and reads the
// event. The headers themselves are not signed: that of the event chooses how the signed
// body is read, and whoever changes it can have nothing done that the body does not say.
func (a *App) Receive(h http.Header, body io.Reader) (forge.Delivery, error) {
	signed, err := hex.DecodeString(strings.TrimPrefix(h.Get("X-Hub-Signature-256"), "sha256="))
	if err != nil || len(signed) != 32 || !strings.HasPrefix(h.Get("X-Hub-Signature-256"), "sha256=") || len(h.Values("X-Hub-Signature-256")) != 1 {
		return forge.Delivery{}, forge.NotSigned("GitHub", "X-Hub-Signature-256")
	}
	if err := forge.CheckJSON(h); err != nil {
		return forge.Delivery{}, err
	}
	b, err := forge.ReadBody(body, forge.MaxHook)
	if err != nil {
		return forge.Delivery{}, err
	}
	if !a.o.Secrets.Signs(signed, b) {
		return forge.Delivery{}, forge.NotSigned("GitHub", "X-Hub-Signature-256")
	}
	d := forge.Delivery{ID: h.Get("X-Github-Delivery"), Event: forge.Event{Name: h.Get("X-Github-Event")}}
	if !deliveryID.MatchString(d.ID) || !eventName.MatchString(d.Event.Name) {
		return forge.Delivery{}, forge.Unreadable(fmt.Errorf("the headers X-GitHub-Delivery and X-GitHub-Event name no delivery and event: %.80q, %.80q", d.ID, d.Event.Name))
	}
	d.Event, err = a.event(d.Event.Name, b)
	return d, err
}

// payload is what of GitHub's webhook payloads leads somewhere.
type payload struct {
	Action     string `json:"action"`
	Repository *struct {
		ID       int64  `json:"id"`
		FullName string `json:"full_name"`
		URL      string `json:"html_url"`
	} `json:"repository"`
	Installation *struct {
		ID int64 `json:"id"`
	} `json:"installation"`
	Sender *user `json:"sender"`
	Pull   *struct {
		Number  int64     `json:"number"`
		Updated time.Time `json:"updated_at"`
		Head    struct {
			SHA string `json:"sha"`
		} `json:"head"`
	} `json:"pull_request"`
	Suite *struct {
		Head string `json:"head_sha"`
	} `json:"check_suite"`
	Run *struct {
		Head string `json:"head_sha"`
		App  *struct {
			ID int64 `json:"id"`
		} `json:"app"`
	} `json:"check_run"`
	Deployment *struct {
		SHA         string    `json:"sha"`
		Environment string    `json:"environment"`
		Creator     *user     `json:"creator"`
		Updated     time.Time `json:"updated_at"`
	} `json:"deployment"`
	Environment string `json:"environment"`
	Callback    string `json:"deployment_callback_url"`
}

// place is what this driver needs to answer.
type place struct {
	Installation int64 `json:"installation"`
	Repository   int64 `json:"repository"`
	Run          int64 `json:"run,omitempty"` // of the workflow that waits
}

// event reads a payload. One that leads nowhere is no error, also where nobody knows it.
func (a *App) event(name string, body []byte) (forge.Event, error) {
	e := forge.Event{Name: name}
	var p payload
	if err := forge.DecodeHook(body, &p); err != nil {
		return e, err
	}
	if p.Action != "" {
		e.Name = fmt.Sprintf("%s.%.40s", name, p.Action)
	}
	var err error
	switch e.Name {
	case "pull_request.opened", "pull_request.synchronize", "pull_request.reopened", "pull_request.ready_for_review":
		err = p.change(&e)
	case "check_suite.requested", "check_suite.rerequested":
		if p.Suite == nil {
			return e, forge.Unreadable(fmt.Errorf("an event %s without a check suite", e.Name))
		}
		e.Kind, e.Commit = forge.Changed, p.Suite.Head
	case "check_run.rerequested":
		if p.Run == nil {
			return e, forge.Unreadable(fmt.Errorf("an event %s without a check run", e.Name))
		}
		if p.Run.App == nil || p.Run.App.ID != a.o.ID {
			return e, nil // somebody else's check
		}
		e.Kind, e.Commit = forge.Changed, p.Run.Head
	case "deployment_protection_rule.requested":
		return e, a.deploys(p, &e)
	default:
		return e, nil
	}
	if err != nil {
		return e, err
	}
	return e, p.locate(&e, 0)
}

func (p payload) change(e *forge.Event) error {
	if p.Pull == nil || p.Pull.Number <= 0 {
		return forge.Unreadable(fmt.Errorf("an event %s without a pull request", e.Name))
	}
	e.Kind, e.Commit, e.Request, e.At = forge.Changed, p.Pull.Head.SHA, strconv.FormatInt(p.Pull.Number, 10), p.Pull.Updated.UTC()
	return nil
}

var runOf = regexp.MustCompile(`^/repos/([^/]+/[^/]+)/actions/runs/([0-9]{1,18})/deployment_protection_rule$`)

// deploys reads the question of a deployment protection rule. Of the address to answer at
// only the number of the run is taken, and only where the address is the one that GitHub
// documents, below our API: the sender does not choose where we send a token.
func (a *App) deploys(p payload, e *forge.Event) error {
	if p.Deployment == nil || p.Environment == "" || len(p.Environment) > 255 {
		return forge.Unreadable(fmt.Errorf("an event %s without a deployment or environment", e.Name))
	}
	u, err := url.Parse(p.Callback)
	base := strings.TrimRight(a.base.EscapedPath(), "/")
	if err != nil || u.Scheme != a.base.Scheme || u.Host != a.base.Host || u.User != nil || u.RawQuery != "" || !strings.HasPrefix(u.EscapedPath(), base+"/") {
		return forge.Unreadable(fmt.Errorf("the answer is asked for at %.200q, which is not below %s", p.Callback, a.o.API))
	}
	m := runOf.FindStringSubmatch(strings.TrimPrefix(u.EscapedPath(), base))
	if m == nil || p.Repository == nil || !strings.EqualFold(m[1], p.Repository.FullName) {
		return forge.Unreadable(fmt.Errorf("the answer is asked for at %.200q, which is no run of the repository", p.Callback))
	}
	run, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil {
		return forge.Unreadable(err)
	}
	e.Kind, e.Commit, e.Environment, e.At = forge.Deploys, p.Deployment.SHA, p.Environment, p.Deployment.Updated.UTC()
	if e.Requester = p.Deployment.Creator.account(); e.Requester.ID == "" {
		e.Requester = p.Sender.account()
	}
	return p.locate(e, run)
}

// locate says where it is, and how it is answered. An event without an installation comes
// from a webhook that is not the app's.
func (p payload) locate(e *forge.Event, run int64) error {
	switch {
	case p.Repository == nil || !repoShape.MatchString(p.Repository.FullName) || p.Repository.ID <= 0:
		return forge.Unreadable(fmt.Errorf("an event %s without a repository", e.Name))
	case !forge.Hex(e.Commit):
		return forge.Unreadable(fmt.Errorf("an event %s about the commit %.80q", e.Name, e.Commit))
	case p.Installation == nil || p.Installation.ID <= 0:
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: "the delivery names no installation, so that nothing can be answered",
			Remedy: "let the GitHub App deliver it (its settings, Webhook), and not a webhook of the repository",
		}
	}
	e.Repo, e.Address = p.Repository.FullName, p.Repository.URL
	var err error
	e.Reply, err = json.Marshal(place{p.Installation.ID, p.Repository.ID, run})
	return err
}
