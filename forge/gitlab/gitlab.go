// Package gitlab reads merge requests of GitLab through the REST API v4 (documents "Merge
// requests", "Merge request approvals", "Notes", "Commits", "Protected branches" and
// "Project push rules").
package gitlab

import (
	"cmp"
	"context"
	"fmt"
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

// jobToken is the variable whose token most of the API refuses.
const jobToken = "CI_JOB_TOKEN"

// Detect says where a job of GitLab CI runs; false for any other.
func Detect(env func(string) string) (forge.Place, bool) {
	if env("GITLAB_CI") != "true" || env("CI_API_V4_URL") == "" {
		return forge.Place{}, false
	}
	p := forge.Place{
		Forge: forge.GitLab, API: env("CI_API_V4_URL"), ID: env("CI_MERGE_REQUEST_IID"),
		Repo:  cmp.Or(env("CI_MERGE_REQUEST_PROJECT_PATH"), env("CI_PROJECT_PATH")),
		Token: forge.FirstSet(env, "VERDICT_FORGE_TOKEN", "GITLAB_TOKEN", jobToken),
	}
	if forge.CheckID(p.ID) != nil {
		p.ID = ""
	}
	return p, true
}

const askToken = "give a project access token with the scope read_api as the masked variable GITLAB_TOKEN: GitLab does not let CI_JOB_TOKEN read merge requests"

// Reader reads the merge requests of one project.
type Reader struct {
	c       *forge.Client
	project string // escaped path below the base
	repo    string
}

// New makes a reader for the project of a place. The token is sent to its API alone, as
// job token where Place.Token says that it is one.
func New(p forge.Place, token string, o forge.Options) (forge.Reader, error) {
	if p.Repo == "" || len(p.Repo) > 500 || strings.Trim(p.Repo, "./") == "" {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q is no project of GitLab", p.Repo),
			Remedy: "write its full path, such as group/subgroup/project, or its number",
		}
	}
	header := "Private-Token"
	if p.Token == jobToken {
		header = "Job-Token"
	}
	c, err := forge.NewClient(forge.API{
		Forge: forge.GitLab, Base: p.API, Remedy: func(int) string { return askToken },
		Authorize: func(h http.Header) {
			if token != "" {
				h.Set(header, token)
			}
		},
	}, o)
	if err != nil {
		return nil, err
	}
	return &Reader{c, "/projects/" + url.PathEscape(p.Repo), p.Repo}, nil
}

type user struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	Name     string `json:"name"`
}

// robots are the accounts that GitLab makes for project and group access tokens. It says
// nothing of service accounts here.
var robots = regexp.MustCompile(`^(project|group)_[0-9]+_bot`)

// account takes the ghost, to which GitLab gives the work of deleted users, for nobody.
func (u *user) account() forge.Account {
	switch {
	case u == nil:
		return forge.Account{}
	case u.ID <= 0 || u.Username == "ghost":
		return forge.Account{Login: u.Username, Name: u.Name}
	}
	return forge.Account{ID: strconv.FormatInt(u.ID, 10), Login: u.Username, Name: u.Name, Bot: robots.MatchString(u.Username)}
}

type mergeRequest struct {
	IID       int64      `json:"iid"`
	WebURL    string     `json:"web_url"`
	Title     string     `json:"title"`
	State     string     `json:"state"`
	Author    *user      `json:"author"`
	Source    string     `json:"source_branch"`
	Target    string     `json:"target_branch"`
	SHA       string     `json:"sha"`
	Merge     string     `json:"merge_commit_sha"`
	Squash    string     `json:"squash_commit_sha"`
	MergeUser *user      `json:"merge_user"`
	MergedBy  *user      `json:"merged_by"` // before GitLab 14.7
	MergedAt  *time.Time `json:"merged_at"`
	Shown     struct {
		Base string `json:"base_sha"`
		Head string `json:"head_sha"`
	} `json:"diff_refs"` // of the latest version
	References struct {
		Full string `json:"full"`
	} `json:"references"`
}

func (m mergeRequest) request(repo string) (forge.Request, error) {
	r := forge.Request{
		Forge: forge.GitLab, Repo: repo, ID: strconv.FormatInt(m.IID, 10), URL: m.WebURL, Title: m.Title, Author: m.Author.account(),
		Source: m.Source, Target: m.Target, Head: m.SHA, Required: forge.Unknown, Reviews: []forge.Review{}, Missing: []forge.Missing{},
	}
	if path, _, ok := strings.Cut(m.References.Full, "!"); ok && path != "" {
		r.Repo = path
	}
	if forge.CheckID(r.ID) != nil || !forge.Hex(m.SHA) || m.Target == "" {
		return r, fmt.Errorf("merge request %d has no number, head or target", m.IID)
	}
	if m.Shown.Head == m.SHA && forge.Hex(m.Shown.Base) { // else it lags behind a push
		r.From = m.Shown.Base
	}
	switch m.State {
	case "opened", "locked": // locked: it is being merged at this moment
		r.State = forge.Open
	case "closed":
		r.State = forge.Closed
	case "merged":
		r.State = forge.Merged
		// Without a merge commit the squashed commit is on the target, and without that
		// the head itself: a fast-forward.
		r.Merge = cmp.Or(m.Merge, m.Squash, m.SHA)
		if r.MergedBy = m.MergeUser.account(); m.MergeUser == nil {
			r.MergedBy = m.MergedBy.account()
		}
		if m.MergedAt != nil {
			r.MergedAt = m.MergedAt.UTC()
		}
		if !forge.Hex(r.Merge) {
			return r, fmt.Errorf("merge request %d was merged as %.80q", m.IID, r.Merge)
		}
		if r.MergedBy.ID == "" || m.MergedAt == nil {
			r.Lack(forge.MissingMerge, "GitLab does not name who merged or when: the account may be deleted", "nothing brings it back: the committer of the merge is in git")
		}
	default:
		return r, fmt.Errorf("merge request %d is in the state %.50q", m.IID, m.State)
	}
	if r.Author.ID == "" {
		r.Lack(forge.MissingAuthor, "GitLab deleted the account", "nothing brings it back: the authors of the commits are in git")
	}
	return r, nil
}

// ForCommit reads "List merge requests associated with a commit".
func (r *Reader) ForCommit(ctx context.Context, commit string) ([]forge.Request, error) {
	if err := forge.CheckCommit(commit); err != nil {
		return nil, err
	}
	found, err := forge.List[struct {
		IID int64 `json:"iid"`
	}](ctx, r.c, r.project+"/repository/commits/"+commit+"/merge_requests")
	if err != nil {
		return nil, err
	}
	numbers := map[int64]bool{}
	for _, f := range found {
		numbers[f.IID] = true
	}
	if len(numbers) > forge.MostRequests {
		return nil, forge.TooMany(forge.GitLab, "/commits/"+commit+"/merge_requests", forge.MostRequests)
	}
	out := []forge.Request{}
	for n := range numbers {
		req, err := r.Request(ctx, strconv.FormatInt(n, 10))
		if err != nil {
			return nil, err
		}
		out = append(out, req)
	}
	slices.SortFunc(out, func(a, b forge.Request) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Request reads "Get single MR", its approvals with their history, and what protects its
// target.
func (r *Reader) Request(ctx context.Context, id string) (forge.Request, error) {
	if err := forge.CheckID(id); err != nil {
		return forge.Request{}, err
	}
	var m mergeRequest
	path := r.project + "/merge_requests/" + id
	if err := r.c.Get(ctx, path, &m); err != nil {
		return forge.Request{}, err
	}
	out, err := m.request(r.repo)
	if err == nil && out.ID != id {
		err = fmt.Errorf("asked for %s, got %s", id, out.ID)
	}
	if err != nil {
		return forge.Request{}, r.c.Strange(err)
	}
	if err := r.review(ctx, &out, path); err != nil {
		return forge.Request{}, err
	}
	if err := r.protect(ctx, &out); err != nil {
		return forge.Request{}, err
	}
	return out, nil
}
