// Package github reads pull requests of GitHub and GitHub Enterprise Server through the
// REST API of version 2022-11-28 (documents "Pull requests", "Pull request reviews",
// "Commits", "Branches", "Protected branches" and "Rules").
package github

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

// Detect says where a job of GitHub Actions runs, or one of Azure Pipelines that builds a
// repository on GitHub; false for any other.
func Detect(env func(string) string) (forge.Place, bool) {
	p := forge.Place{Forge: forge.GitHub, Token: forge.FirstSet(env, "VERDICT_FORGE_TOKEN", "GITHUB_TOKEN")}
	switch {
	case env("GITHUB_ACTIONS") == "true" && env("GITHUB_REPOSITORY") != "":
		p.API, p.Repo = cmp.Or(env("GITHUB_API_URL"), publicAPI), env("GITHUB_REPOSITORY")
		p.ID = numberOf(env("GITHUB_REF"))
	case strings.EqualFold(env("TF_BUILD"), "true") && env("BUILD_REPOSITORY_PROVIDER") == "GitHub":
		p.API, p.Repo, p.ID = publicAPI, env("BUILD_REPOSITORY_NAME"), env("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER")
	default:
		return forge.Place{}, false
	}
	if forge.CheckID(p.ID) != nil {
		p.ID = ""
	}
	return p, true
}

const publicAPI = "https://api.github.com"

// numberOf finds the request in a ref: refs/pull/12/merge of a request, or the branch
// that a merge queue makes.
func numberOf(ref string) string {
	if rest, ok := strings.CutPrefix(ref, "refs/pull/"); ok {
		id, _, _ := strings.Cut(rest, "/")
		return id
	}
	if m := queued.FindStringSubmatch(ref); m != nil {
		return m[1]
	}
	return ""
}

var (
	queued    = regexp.MustCompile(`^refs/heads/gh-readonly-queue/.+/pr-([0-9]{1,18})-[0-9a-f]{40,64}$`)
	repoShape = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$`)
)

// Reader reads the pull requests of one repository.
type Reader struct {
	c    *forge.Client
	repo string
}

// New makes a reader for the repository of a place. The token is sent to its API alone.
func New(p forge.Place, token string, o forge.Options) (forge.Reader, error) {
	owner, name, _ := strings.Cut(p.Repo, "/")
	if !repoShape.MatchString(p.Repo) || strings.Trim(owner, ".") == "" || strings.Trim(name, ".") == "" {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q is no repository of GitHub", p.Repo),
			Remedy: "write it as owner/name",
		}
	}
	c, err := forge.NewClient(forge.API{
		Forge: forge.GitHub, Base: p.API, Remedy: remedy,
		Authorize: func(h http.Header) {
			h.Set("Accept", "application/vnd.github+json")
			h.Set("X-Github-Api-Version", "2022-11-28")
			if token != "" {
				h.Set("Authorization", "Bearer "+token)
			}
		},
	}, o)
	if err != nil {
		return nil, err
	}
	return &Reader{c, p.Repo}, nil
}

func remedy(status int) string {
	if status == http.StatusUnauthorized {
		return "hand the job's token in: env: GITHUB_TOKEN: ${{ github.token }} in the step of the workflow, or a token of your own as VERDICT_FORGE_TOKEN"
	}
	return "give the job the right: permissions: pull-requests: read and contents: read in the workflow; or a token with both as VERDICT_FORGE_TOKEN, and check the repository's name"
}

// user is a GitHub account; null when it was deleted.
type user struct {
	Login string `json:"login"`
	ID    int64  `json:"id"`
	Type  string `json:"type"` // User, Bot, Organization, Mannequin
	Name  string `json:"name"`
}

// ghost is the account that stands in for deleted ones where null does not.
const ghost = 10137

func (u *user) account() forge.Account {
	switch {
	case u == nil:
		return forge.Account{}
	case u.ID <= 0 || u.ID == ghost:
		return forge.Account{Login: u.Login, Name: u.Name}
	}
	return forge.Account{ID: strconv.FormatInt(u.ID, 10), Login: u.Login, Name: u.Name, Bot: u.Type == "Bot"}
}

// pull is a pull request as both the API and the event file have it.
type pull struct {
	Number   int64      `json:"number"`
	HTMLURL  string     `json:"html_url"`
	Title    string     `json:"title"`
	State    string     `json:"state"`
	User     *user      `json:"user"`
	MergedAt *time.Time `json:"merged_at"`
	MergedBy *user      `json:"merged_by"`
	Merge    string     `json:"merge_commit_sha"` // of a trial while the request is open
	Commits  int64      `json:"commits"`
	Head     side       `json:"head"`
	Base     side       `json:"base"`
}

type side struct {
	Ref  string `json:"ref"`
	SHA  string `json:"sha"`
	Repo *struct {
		FullName string `json:"full_name"`
	} `json:"repo"`
}

// request is what the pull request itself tells, with the rest still missing.
func (p pull) request(repo string) (forge.Request, error) {
	r := forge.Request{
		Forge: forge.GitHub, Repo: repo, ID: strconv.FormatInt(p.Number, 10), URL: p.HTMLURL, Title: p.Title, Author: p.User.account(),
		Source: p.Head.Ref, Target: p.Base.Ref, Head: p.Head.SHA, Commits: max(p.Commits, 0), Required: forge.Unknown, Reviews: []forge.Review{}, Missing: []forge.Missing{},
	}
	if p.Base.Repo != nil && p.Base.Repo.FullName != "" {
		r.Repo = p.Base.Repo.FullName
	}
	switch {
	case forge.CheckID(r.ID) != nil || !forge.Hex(p.Head.SHA) || p.Base.Ref == "":
		return r, fmt.Errorf("pull request %d has no number, head or base", p.Number)
	case p.MergedAt != nil && p.State == "closed":
		r.State, r.MergedAt, r.MergedBy, r.Merge = forge.Merged, p.MergedAt.UTC(), p.MergedBy.account(), p.Merge
		if !forge.Hex(r.Merge) {
			r.Merge = ""
			r.Lack(forge.MissingMerge, "GitHub names no merge commit", "nothing makes GitHub tell it: find it with git log on the target")
		}
		if r.MergedBy.ID == "" {
			r.Lack(forge.MissingMerge, "GitHub does not name who merged: the account may be deleted", "nothing brings it back: the committer of the merge is in git")
		}
	case p.MergedAt == nil && p.State == "closed":
		r.State = forge.Closed
	case p.MergedAt == nil && p.State == "open":
		r.State = forge.Open
	default:
		return r, fmt.Errorf("pull request %d is in the state %.50q", p.Number, p.State)
	}
	if r.Author.ID == "" {
		r.Lack(forge.MissingAuthor, "GitHub deleted the account", "nothing brings it back: the authors of the commits are in git")
	}
	return r, nil
}

// ForCommit reads "List pull requests associated with a commit": those that brought a
// commit of the default branch, or the open ones that hold it.
func (r *Reader) ForCommit(ctx context.Context, commit string) ([]forge.Request, error) {
	if err := forge.CheckCommit(commit); err != nil {
		return nil, err
	}
	found, err := forge.List[pull](ctx, r.c, "/repos/"+r.repo+"/commits/"+commit+"/pulls")
	if refusal, ok := forge.Refused(err); ok && refusal.Status == http.StatusUnprocessableEntity {
		return []forge.Request{}, nil // GitHub's word for a commit that it does not have
	} else if err != nil {
		return nil, err
	}
	if len(found) > forge.MostRequests {
		return nil, forge.TooMany(forge.GitHub, "/commits/"+commit+"/pulls", forge.MostRequests)
	}
	slices.SortFunc(found, func(a, b pull) int { return cmp.Compare(a.Number, b.Number) })
	out := []forge.Request{}
	for _, p := range found {
		req, err := r.Request(ctx, strconv.FormatInt(p.Number, 10))
		if err != nil {
			return nil, err
		}
		if p.Base.Repo == nil || strings.EqualFold(p.Base.Repo.FullName, req.Repo) {
			out = append(out, req) // else a fork's own of the same number
		}
	}
	return out, nil
}

// Request reads "Get a pull request", its reviews and what protects its base.
func (r *Reader) Request(ctx context.Context, id string) (forge.Request, error) {
	if err := forge.CheckID(id); err != nil {
		return forge.Request{}, err
	}
	var p pull
	path := "/repos/" + r.repo + "/pulls/" + id
	if err := r.c.Get(ctx, path, &p); err != nil {
		return forge.Request{}, err
	}
	out, err := p.request(r.repo)
	if err == nil && out.ID != id {
		err = fmt.Errorf("asked for %s, got %s", id, out.ID)
	}
	if err != nil {
		return forge.Request{}, r.c.Strange(err)
	}
	given, err := forge.List[review](ctx, r.c, path+"/reviews")
	if err == nil {
		out.Reviews, err = reviews(given)
		if err != nil {
			return forge.Request{}, r.c.Strange(err)
		}
		out.LackCommits("GitHub no longer has the commit that was reviewed", "ask for the review again, of the head that is there now")
		if err := r.entitle(ctx, &out); err != nil {
			return forge.Request{}, err
		}
	} else if err = out.Withheld(forge.MissingReviews, err); err != nil {
		return forge.Request{}, err
	}
	if err := r.protect(ctx, &out); err != nil {
		return forge.Request{}, err
	}
	return out, nil
}

// mostApprovers are asked about: each costs a question of the token's limit.
const mostApprovers = 100

// entitle asks "Get repository permissions for a user" of each who approves: GitHub
// counts the approvals of those who may write.
func (r *Reader) entitle(ctx context.Context, out *forge.Request) error {
	asked := 0
	for i, v := range out.Reviews {
		if v.State != forge.Approved {
			continue
		}
		if v.By.ID == "" {
			out.Lack(forge.MissingEntitled, "GitHub deleted the account of a reviewer", "ask somebody else for a review")
			continue
		}
		if asked++; asked > mostApprovers {
			out.Lack(forge.MissingEntitled, fmt.Sprintf("more than %d accounts approve, and the others were not asked about", mostApprovers), "let the one approve first whose approval counts")
			return nil
		}
		var p struct {
			Permission string `json:"permission"`
			User       *user  `json:"user"`
		}
		err := r.c.Get(ctx, "/repos/"+r.repo+"/collaborators/"+url.PathEscape(v.By.Login)+"/permission", &p)
		if err := out.Withheld(forge.MissingEntitled, err); err != nil {
			return err
		}
		out.Reviews[i].Entitled = err == nil && p.User.account().ID == v.By.ID && (p.Permission == "admin" || p.Permission == "write")
	}
	return nil
}

type review struct {
	User        *user     `json:"user"`
	State       string    `json:"state"` // upper case in the API, lower case in events
	CommitID    string    `json:"commit_id"`
	SubmittedAt time.Time `json:"submitted_at"`
}

// states are GitHub's words. A pending review is its author's draft.
var states = map[string]string{
	"APPROVED": forge.Approved, "CHANGES_REQUESTED": forge.ChangesRequested, "COMMENTED": forge.Commented, "DISMISSED": forge.Dismissed,
}

func reviews(given []review) ([]forge.Review, error) {
	var all []forge.Review
	for _, g := range given {
		word := strings.ToUpper(g.State)
		state, known := states[word]
		switch {
		case word == "PENDING":
			continue
		case !known:
			return nil, fmt.Errorf("a review is in the state %.50q", g.State)
		case g.CommitID != "" && !forge.Hex(g.CommitID):
			return nil, fmt.Errorf("a review is of the commit %.80q", g.CommitID)
		}
		all = append(all, forge.Review{By: g.User.account(), State: state, Commit: g.CommitID, At: g.SubmittedAt.UTC()})
	}
	return forge.Latest(all), nil
}
