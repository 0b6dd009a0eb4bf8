// Package azure reads pull requests of Azure Repos through the Azure DevOps REST API 7.0
// (documents "Pull Requests", "Pull Request Query", "Pull Request Iterations", "Pull
// Request Threads" and "Policy Configurations").
package azure

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

const version = "api-version=7.0"

// Detect says where a job of Azure Pipelines runs that builds a repository of Azure
// Repos; false for any other.
func Detect(env func(string) string) (forge.Place, bool) {
	if !strings.EqualFold(env("TF_BUILD"), "true") || env("BUILD_REPOSITORY_PROVIDER") != "TfsGit" {
		return forge.Place{}, false
	}
	p := forge.Place{
		Forge: forge.Azure, API: cmp.Or(env("SYSTEM_COLLECTIONURI"), env("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI")),
		Repo: env("BUILD_REPOSITORY_ID"), ID: env("SYSTEM_PULLREQUEST_PULLREQUESTID"),
		Token: forge.FirstSet(env, "VERDICT_FORGE_TOKEN", "SYSTEM_ACCESSTOKEN"),
	}
	if !guid.MatchString(p.Repo) {
		p.Repo = env("SYSTEM_TEAMPROJECT") + "/" + env("BUILD_REPOSITORY_NAME")
	}
	if forge.CheckID(p.ID) != nil {
		p.ID = ""
	}
	return p, true
}

const askToken = "map the job's token in the step: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken), and let the build service read the repository and its project"

var (
	guid  = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	token = regexp.MustCompile(`^eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$`)
)

// Reader reads the pull requests of one repository.
type Reader struct {
	c    *forge.Client
	path string // of the repository below the base
}

// New makes a reader for the repository of a place: its id, or project/name. The token is
// sent to its API alone: as bearer where it is one that Azure signed, such as
// System.AccessToken, or else as a personal access token.
func New(p forge.Place, secret string, o forge.Options) (forge.Reader, error) {
	path := "/_apis/git/repositories/" + p.Repo
	if !guid.MatchString(p.Repo) {
		project, name, _ := strings.Cut(p.Repo, "/")
		if strings.Trim(project, ". ") == "" || strings.Trim(name, ". ") == "" || strings.Contains(name, "/") || len(p.Repo) > 500 {
			return nil, &verdict.Error{
				Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q is no repository of Azure Repos", p.Repo),
				Remedy: "write it as project/name, or give its id",
			}
		}
		path = "/" + url.PathEscape(project) + "/_apis/git/repositories/" + url.PathEscape(name)
	}
	c, err := forge.NewClient(forge.API{
		Forge: forge.Azure, Base: p.API, Remedy: remedy,
		Authorize: authorize(secret),
	}, o)
	if err != nil {
		return nil, err
	}
	return &Reader{c, path}, nil
}

func remedy(status int) string {
	if status == http.StatusUnauthorized {
		return askToken + "; or give a personal access token with the scope Code (read) as VERDICT_FORGE_TOKEN"
	}
	return "let the project's build service read the repository (Project settings, Repositories, Security: Read), and check the names; or give a personal access token with the scope Code (read) as VERDICT_FORGE_TOKEN"
}

// identity is Azure's IdentityRef; a deleted one may be null or without id.
type identity struct {
	ID         string `json:"id"`
	Name       string `json:"displayName"`
	Login      string `json:"uniqueName"`
	Descriptor string `json:"descriptor"`
	Container  bool   `json:"isContainer"` // a group
}

// nobody is the id that Azure gives where it knows none.
const nobody = "00000000-0000-0000-0000-000000000000"

func (i *identity) account() forge.Account {
	switch {
	case i == nil:
		return forge.Account{}
	case i.ID == nobody || i.ID == "":
		return forge.Account{Login: i.Login, Name: i.Name}
	}
	kind, _, _ := strings.Cut(i.Descriptor, ".")
	bot := kind == "svc" || kind == "s2s" || kind == "aadsp" // build services, Azure itself, service principals
	return forge.Account{ID: strings.ToLower(i.ID), Login: i.Login, Name: i.Name, Bot: bot}
}

type commit struct {
	ID string `json:"commitId"`
}

type pullRequest struct {
	ID         int64      `json:"pullRequestId"`
	Title      string     `json:"title"`
	Status     string     `json:"status"`
	CreatedBy  *identity  `json:"createdBy"`
	ClosedBy   *identity  `json:"closedBy"`
	ClosedDate *time.Time `json:"closedDate"`
	Source     string     `json:"sourceRefName"`
	Target     string     `json:"targetRefName"`
	Merge      *commit    `json:"lastMergeCommit"` // of a trial while the request is active
	Reviewers  []reviewer `json:"reviewers"`
	Completion *struct {
		Bypass bool `json:"bypassPolicy"`
	} `json:"completionOptions"`
	Repository struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		WebURL  string `json:"webUrl"`
		Project struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"project"`
	} `json:"repository"`
}

func (p pullRequest) request() (forge.Request, error) {
	r := forge.Request{
		Forge: forge.Azure, Repo: p.Repository.Project.Name + "/" + p.Repository.Name, ID: strconv.FormatInt(p.ID, 10),
		Title: p.Title, Author: p.CreatedBy.account(), Source: forge.Branch(p.Source), Target: forge.Branch(p.Target),
		Required: forge.Unknown, Reviews: []forge.Review{}, Missing: []forge.Missing{},
	}
	if p.Repository.WebURL != "" {
		r.URL = p.Repository.WebURL + "/pullrequest/" + r.ID
	}
	if forge.CheckID(r.ID) != nil || p.Target == "" || p.Repository.ID == "" || p.Repository.Project.ID == "" {
		return r, fmt.Errorf("pull request %d has no number, target or repository", p.ID)
	}
	switch p.Status {
	case "active":
		r.State = forge.Open
	case "abandoned":
		r.State = forge.Closed
	case "completed":
		r.State, r.MergedBy = forge.Merged, p.ClosedBy.account()
		r.Bypassed = p.Completion != nil && p.Completion.Bypass
		if p.Merge != nil {
			r.Merge = p.Merge.ID
		}
		if p.ClosedDate != nil {
			r.MergedAt = p.ClosedDate.UTC()
		}
		if !forge.Hex(r.Merge) || r.MergedBy.ID == "" || p.ClosedDate == nil {
			r.Merge = hexOrNothing(r.Merge)
			r.Lack(forge.MissingMerge, "Azure does not name the merge commit, who merged or when", "nothing makes Azure tell it: find the merge with git log on the target")
		}
	default:
		return r, fmt.Errorf("pull request %d is in the status %.50q", p.ID, p.Status)
	}
	if r.Author.ID == "" {
		r.Lack(forge.MissingAuthor, "Azure does not know the account any more", "nothing brings it back: the authors of the commits are in git")
	}
	return r, nil
}

func hexOrNothing(s string) string {
	if forge.Hex(s) {
		return s
	}
	return ""
}

// ForCommit asks the "Pull Request Query" for the requests whose merge the commit is, and
// for those that hold it.
func (r *Reader) ForCommit(ctx context.Context, commit string) ([]forge.Request, error) {
	if err := forge.CheckCommit(commit); err != nil {
		return nil, err
	}
	type query struct {
		Type  string   `json:"type"`
		Items []string `json:"items"`
	}
	var answer struct {
		Results []map[string][]struct {
			ID int64 `json:"pullRequestId"`
		} `json:"results"`
	}
	question := map[string]any{"queries": []query{{"lastMergeCommit", []string{commit}}, {"commit", []string{commit}}}}
	if err := r.c.Query(ctx, r.path+"/pullrequestquery?"+version, question, &answer); err != nil {
		return nil, err
	}
	numbers := []int64{}
	for _, result := range answer.Results {
		for _, found := range result {
			for _, f := range found {
				numbers = append(numbers, f.ID)
			}
		}
	}
	slices.Sort(numbers)
	if numbers = slices.Compact(numbers); len(numbers) > forge.MostRequests {
		return nil, forge.TooMany(forge.Azure, "/pullrequestquery", forge.MostRequests)
	}
	out := []forge.Request{}
	for _, n := range numbers {
		req, err := r.Request(ctx, strconv.FormatInt(n, 10))
		if err != nil {
			return nil, err
		}
		out = append(out, req)
	}
	return out, nil
}

// Request reads "Get Pull Request", the history of its votes, and the policies of its
// target.
func (r *Reader) Request(ctx context.Context, id string) (forge.Request, error) {
	if err := forge.CheckID(id); err != nil {
		return forge.Request{}, err
	}
	var p pullRequest
	path := r.path + "/pullRequests/" + id
	if err := r.c.Get(ctx, path+"?"+version, &p); err != nil {
		return forge.Request{}, err
	}
	out, err := p.request()
	if err == nil && out.ID != id {
		err = fmt.Errorf("asked for %s, got %s", id, out.ID)
	}
	if err != nil {
		return forge.Request{}, r.c.Strange(err)
	}
	if err := r.review(ctx, &out, path, p.Reviewers); err != nil {
		return forge.Request{}, err
	}
	if out.Head == "" {
		out.Lack(forge.MissingHead, "Azure names no iteration of the request", "push the branch again, or look at the request's updates")
	}
	if err := r.protect(ctx, &out, p); err != nil {
		return forge.Request{}, err
	}
	return out, nil
}
