package azure

import (
	"context"
	"net/url"
	"strings"

	"verdict/forge"
)

// The ids of the policy types that say something about reviews ("Policy Types").
const (
	minimumReviewers  = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
	requiredReviewers = "fd2167ab-b0be-447a-8ec8-39368250530e"
)

// policy is one of "Policy Configurations".
type policy struct {
	Enabled  bool `json:"isEnabled"`
	Blocking bool `json:"isBlocking"`
	Deleted  bool `json:"isDeleted"`
	Type     struct {
		ID string `json:"id"`
	} `json:"type"`
	Settings struct {
		Approvals int64    `json:"minimumApproverCount"`
		Reset     bool     `json:"resetOnSourcePush"`
		Required  []string `json:"requiredReviewerIds"`
		Scope     []scope  `json:"scope"`
	} `json:"settings"`
}

type scope struct {
	Repository *string `json:"repositoryId"` // null: each of the project
	Ref        *string `json:"refName"`
	Match      string  `json:"matchKind"` // Exact, Prefix or DefaultBranch, in the case in which somebody wrote it
}

const ofDefault = "DefaultBranch" // of each repository that is meant

// protect reads the policies of the project and takes those of the target that block.
func (r *Reader) protect(ctx context.Context, out *forge.Request, p pullRequest) error {
	policies, err := r.policies(ctx, p.Repository.Project.ID)
	if err != nil {
		if err := out.Withheld(forge.MissingProtection, err); err != nil {
			return err
		}
		return out.Withheld(forge.MissingRequired, err)
	}
	main, err := r.mainBranch(ctx, policies)
	if withheld := out.Withheld(forge.MissingProtection, err); withheld != nil {
		return withheld
	}
	out.Protection.Known, out.Required = err == nil, 0
	for _, x := range policies {
		if x.Enabled && x.Blocking && !x.Deleted && x.applies(p.Repository.ID, p.Target, main) {
			x.join(out)
		}
	}
	if out.Protection.RequiresReview = out.Required > 0; !out.Protection.Known && out.Required == 0 {
		out.Required = forge.Unknown
		out.Lack(forge.MissingRequired, "a policy is about the default branch, and Azure does not tell which that is", askToken)
	}
	if out.Protection.ForbidsForcePush {
		out.Lack(forge.MissingAdmins, "Azure tells who may bypass policies only as permissions of each account",
			"nothing makes it tell: deny \"Bypass policies when completing pull requests\" and \"when pushing\" to everybody, and see the request's Bypassed")
	}
	return nil
}

// join adds what a policy enforces. Any policy that blocks makes a pull request the only
// way in, so that nobody pushes to the branch, by force or not.
func (x policy) join(out *forge.Request) {
	out.Protection.ForbidsForcePush = true
	switch strings.ToLower(x.Type.ID) {
	case minimumReviewers:
		out.Required = max(out.Required, x.Settings.Approvals)
		out.Protection.DismissesStale = out.Protection.DismissesStale || x.Settings.Reset
	case requiredReviewers:
		out.Protection.RequiresCodeOwner = out.Protection.RequiresCodeOwner || len(x.Settings.Required) > 0
	}
}

// policies lists those of the project to the end, in at most 100 pages.
func (r *Reader) policies(ctx context.Context, project string) ([]policy, error) {
	const pages = 100
	out := []policy{}
	next := ""
	for range pages {
		var page struct {
			Value []policy `json:"value"`
		}
		path := "/" + url.PathEscape(project) + "/_apis/policy/configurations?" + version
		if next != "" {
			path += "&continuationToken=" + url.QueryEscape(next)
		}
		token, err := r.c.Continued(ctx, path, &page)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Value...)
		if token == "" {
			return out, nil
		}
		next = token
	}
	return nil, forge.TooMany(forge.Azure, "/_apis/policy/configurations", pages)
}

// mainBranch is the repository's default branch, asked for only where a policy is about
// it.
func (r *Reader) mainBranch(ctx context.Context, policies []policy) (string, error) {
	for _, x := range policies {
		for _, s := range x.Settings.Scope {
			if strings.EqualFold(s.Match, ofDefault) {
				var repository struct {
					Main string `json:"defaultBranch"`
				}
				err := r.c.Get(ctx, r.path+"?"+version, &repository)
				return repository.Main, err
			}
		}
	}
	return "", nil
}

func (x policy) applies(repository, target, main string) bool {
	for _, s := range x.Settings.Scope {
		if s.Repository != nil && !strings.EqualFold(*s.Repository, repository) {
			continue
		}
		switch {
		case strings.EqualFold(s.Match, ofDefault):
			if target == main && main != "" {
				return true
			}
		case s.Ref == nil:
		case *s.Ref == target:
			return true
		case strings.EqualFold(s.Match, "Prefix") && strings.HasPrefix(target, strings.TrimSuffix(*s.Ref, "/")+"/"):
			return true
		}
	}
	return false
}
