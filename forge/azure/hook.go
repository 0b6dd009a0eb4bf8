package azure

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"verdict"
	"verdict/forge"
)

// HookOptions are what an organisation of Azure DevOps is joined with.
type HookOptions struct {
	API     string // https://dev.azure.com/ORGANISATION, or that of a collection
	Token   string // with the scope Code (status), for statuses of pull requests
	Secrets forge.Secrets
	Hosts   []string // that checks may be answered at beside Azure's own, as HOST or HOST:PORT
	// Options.Transport has to be one that looks where it connects, such as
	// forge.Guarded: whoever sends a check names the address that is answered.
	Options forge.Options
}

// Hook receives service hooks and the checks of environments, and answers them. It
// implements forge.Hook.
type Hook struct {
	o HookOptions
	c *forge.Client
}

// maxHook is how many bytes a delivery has at most. Azure keeps its own below 2 MB.
const maxHook = 2 << 20

// NewHook checks what a hook is given.
func NewHook(o HookOptions) (*Hook, error) {
	c, err := forge.NewClient(forge.API{Forge: forge.Azure, Base: o.API, Remedy: hookRemedy, Authorize: authorize(o.Token)}, o.Options)
	if err != nil {
		return nil, err
	}
	return &Hook{o, c}, nil
}

func hookRemedy(int) string {
	return "give a token with the scope Code (status) under `token:` of the forge's entry, and let the check send AuthToken: $(system.AccessToken)"
}

// authorize sends a token as bearer where it is one that Azure signed, or else as a personal
// access token.
func authorize(secret string) func(http.Header) {
	return func(h http.Header) {
		// Without it Azure answers a missing right with a redirect to its sign-in page.
		h.Set("X-Tfs-Fedauthredirect", "Suppress")
		switch {
		case secret == "":
		case token.MatchString(secret):
			h.Set("Authorization", "Bearer "+secret)
		default:
			h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(":"+secret)))
		}
	}
}

// Receive verifies the password of basic authentication, which is all that Azure has to
// show, and reads a service hook, or the check of an environment where the header PlanUrl
// is there.
func (h *Hook) Receive(head http.Header, body io.Reader) (forge.Delivery, error) {
	_, password, ok := (&http.Request{Header: head}).BasicAuth()
	if !ok || !h.o.Secrets.Holds(password) {
		return forge.Delivery{}, forge.NotSigned("Azure DevOps", "the password of basic authentication")
	}
	if err := forge.CheckJSON(head); err != nil {
		return forge.Delivery{}, err
	}
	b, err := forge.ReadBody(body, maxHook)
	if err != nil {
		return forge.Delivery{}, err
	}
	if head.Get("PlanUrl") != "" {
		return h.check(head, b)
	}
	return hooked(b)
}

// place is what this driver needs to answer: a pull request, or a check.
type place struct {
	Project    string `json:"project,omitempty"`
	Repository string `json:"repository,omitempty"`
	Check      *task  `json:"check,omitempty"`
}

// task is a check that waits, in the words of "Invoke Azure Function / REST API checks".
type task struct {
	Plan     string `json:"plan"` // address of the collection
	Project  string `json:"project"`
	Hub      string `json:"hub"`
	PlanID   string `json:"plan_id"`
	Job      string `json:"job"`
	Timeline string `json:"timeline"`
	Task     string `json:"task"`
}

var hubName = regexp.MustCompile(`^[A-Za-z]{1,40}$`)

// check reads the headers that our instructions let a check send, and the question in its
// body.
func (h *Hook) check(head http.Header, body []byte) (forge.Delivery, error) {
	t := task{
		Plan: strings.TrimRight(head.Get("PlanUrl"), "/"), Project: head.Get("ProjectId"), Hub: head.Get("HubName"), PlanID: head.Get("PlanId"),
		Job: head.Get("JobId"), Timeline: head.Get("TimelineId"), Task: head.Get("TaskInstanceId"),
	}
	d := forge.Delivery{Event: forge.Event{Name: "check", Kind: forge.Deploys, Token: head.Get("AuthToken")}}
	for _, id := range []string{t.Project, t.PlanID, t.Job, t.Timeline, t.Task} {
		if !guid.MatchString(id) {
			return d, forge.Unreadable(fmt.Errorf("one of the headers ProjectId, PlanId, JobId, TimelineId and TaskInstanceId is no id: %.80q", id))
		}
	}
	d.ID = strings.ToLower(t.PlanID + "." + t.Job + "." + t.Task)
	if !hubName.MatchString(t.Hub) || !token.MatchString(d.Event.Token) {
		return d, forge.Unreadable(fmt.Errorf("the header HubName or AuthToken is not what Azure fills in: let the check send $(system.HostType) and $(system.AccessToken)"))
	}
	if err := h.allowed(t.Plan); err != nil {
		return d, err
	}
	var q struct {
		Environment string `json:"environment"`
		Repository  string `json:"repository"`
		Commit      string `json:"commit"`
		Artifact    string `json:"artifact"`
		Requester   string `json:"requester"` // $(Build.RequestedForEmail), as maps name people of Azure
	}
	if err := forge.DecodeHook(body, &q); err != nil {
		return d, err
	}
	if q.Environment == "" || len(q.Environment) > 255 || q.Repository == "" || len(q.Repository) > 500 || !forge.Hex(q.Commit) {
		return d, forge.Unreadable(fmt.Errorf("the check's body names no environment, repository or commit: see \"Azure\" in docs/forges.md"))
	}
	e := &d.Event
	e.Environment, e.Address, e.Repo, e.Commit, e.Artifact = q.Environment, q.Repository, q.Repository, q.Commit, q.Artifact
	if len(q.Requester) <= 320 && !strings.HasPrefix(q.Requester, "$(") {
		e.Requester = forge.Account{Login: q.Requester}
	}
	var err error
	e.Reply, err = json.Marshal(place{Check: &t})
	return d, err
}

// allowed reports whether a check may be answered at an address: the sender chose it, and
// gets a token and a decision there.
func (h *Hook) allowed(plan string) error {
	u, err := url.Parse(plan)
	ok := err == nil && u.User == nil && u.RawQuery == "" && u.Fragment == "" && !strings.Contains(u.EscapedPath(), "%") && !strings.Contains(u.Path, "..")
	if ok {
		host := strings.ToLower(u.Host)
		azures := u.Scheme == "https" && (host == "dev.azure.com" || strings.HasSuffix(host, ".visualstudio.com") && strings.Count(host, ".") == 2)
		ok = azures || slices.ContainsFunc(h.o.Hosts, func(x string) bool { return strings.EqualFold(x, u.Host) })
	}
	if !ok {
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("the check wants its answer at %.200q, which is none of Azure's addresses", plan),
			Remedy: "let the check send PlanUrl: $(system.CollectionUri); the host of an Azure DevOps Server goes under `hosts:` of the forge's entry",
		}
	}
	return nil
}

// hooked reads a service hook ("Service hooks events", Azure Repos). Its notification has a
// number that is the same when it is sent again.
func hooked(body []byte) (forge.Delivery, error) {
	var p struct {
		Subscription string    `json:"subscriptionId"`
		Notification int64     `json:"notificationId"`
		Type         string    `json:"eventType"`
		Created      time.Time `json:"createdDate"`
		Resource     *struct {
			ID         int64   `json:"pullRequestId"`
			Status     string  `json:"status"`
			Head       *commit `json:"lastMergeSourceCommit"`
			Repository *struct {
				ID      string `json:"id"`
				Name    string `json:"name"`
				URL     string `json:"remoteUrl"`
				Project *struct {
					ID   string `json:"id"`
					Name string `json:"name"`
				} `json:"project"`
			} `json:"repository"`
		} `json:"resource"`
	}
	d := forge.Delivery{Event: forge.Event{Name: "unknown"}}
	if err := forge.DecodeHook(body, &p); err != nil {
		return d, err
	}
	if p.Type != "" {
		d.Event.Name = fmt.Sprintf("%.60s", p.Type)
	}
	if !guid.MatchString(p.Subscription) || p.Notification <= 0 {
		return d, forge.Unreadable(fmt.Errorf("a service hook without subscription or notification"))
	}
	d.ID = strings.ToLower(p.Subscription) + "." + strconv.FormatInt(p.Notification, 10)
	if p.Type != "git.pullrequest.created" && p.Type != "git.pullrequest.updated" {
		return d, nil
	}
	r := p.Resource
	if r == nil || r.Head == nil || !forge.Hex(r.Head.ID) || r.Repository == nil || !guid.MatchString(r.Repository.ID) || r.Repository.Project == nil || !guid.MatchString(r.Repository.Project.ID) {
		return d, forge.Unreadable(fmt.Errorf("a pull request without repository or commit"))
	}
	e := &d.Event
	if r.Status != "active" {
		return d, nil
	}
	e.Kind, e.At, e.Commit, e.Request = forge.Changed, p.Created.UTC(), r.Head.ID, strconv.FormatInt(r.ID, 10)
	if err := forge.CheckID(e.Request); err != nil {
		return d, forge.Unreadable(err)
	}
	e.Repo, e.Address = r.Repository.Project.Name+"/"+r.Repository.Name, withoutUser(r.Repository.URL)
	var err error
	e.Reply, err = json.Marshal(place{Project: r.Repository.Project.ID, Repository: r.Repository.ID})
	return d, err
}

// withoutUser is a repository's address without the organisation that Azure writes before
// the host.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

// statuses are Azure's words; a branch policy on a status lets only succeeded pass.
var statuses = map[verdict.Outcome]string{verdict.Allow: "succeeded", verdict.Review: "pending", verdict.Deny: "failed", verdict.Undecided: "error"}

// Show sets a status of the pull request ("Pull Request Statuses"), of which Azure keeps the
// newest of each name as the one that counts.
func (h *Hook) Show(ctx context.Context, e forge.Event, m forge.Mark) (string, error) {
	var at place
	if err := json.Unmarshal(e.Reply, &at); err != nil || at.Repository == "" || e.Request == "" {
		return "", fmt.Errorf("where the event %.80q is to be answered is not known: %v", e.Name, err)
	}
	state, ok := statuses[m.Decision.Enforced]
	if !ok {
		state = "failed"
	}
	body := map[string]any{"state": state, "description": forge.Clip(m.Title, 300), "context": map[string]string{"name": m.Name, "genre": "verdict"}}
	if m.URL != "" {
		body["targetUrl"] = m.URL
	}
	path := "/" + at.Project + "/_apis/git/repositories/" + at.Repository + "/pullRequests/" + e.Request + "/statuses?" + version
	return m.Decision.ID, h.c.Send(ctx, http.MethodPost, path, body, nil)
}

// Answer ends the check of an environment, or says in its log what it waits for. The
// address was checked when it came, and is again, because what is stored may be older than
// what is allowed.
func (h *Hook) Answer(ctx context.Context, e forge.Event, a forge.Answer) error {
	var at place
	if err := json.Unmarshal(e.Reply, &at); err != nil || at.Check == nil {
		return fmt.Errorf("where the event %.80q is to be answered is not known: %v", e.Name, err)
	}
	t := at.Check
	if err := h.allowed(t.Plan); err != nil {
		return err
	}
	c, err := forge.NewClient(forge.API{Forge: forge.Azure, Base: t.Plan, Remedy: hookRemedy, Authorize: authorize(e.Token)}, h.o.Options)
	if err != nil {
		return err
	}
	plan := "/" + t.Project + "/_apis/distributedtask/hubs/" + t.Hub + "/plans/" + t.PlanID
	lines := []string{forge.Clip(a.Comment, 4_000)}
	if a.URL != "" {
		lines = append(lines, a.URL)
	}
	said := c.Send(ctx, http.MethodPost, plan+"/timelines/"+t.Timeline+"/records/"+t.Job+"/feed?api-version=4.1", map[string]any{"count": len(lines), "value": lines}, nil)
	if !a.Final() {
		return said
	}
	result := "failed"
	if a.Passes() {
		result = "succeeded"
	}
	// What could not be written into the log keeps nobody from the answer.
	return c.Send(ctx, http.MethodPost, plan+"/events?api-version=2.0-preview.1", map[string]string{"name": "TaskCompleted", "taskId": t.Task, "jobId": t.Job, "result": result}, nil)
}
