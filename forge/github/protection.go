package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"verdict/forge"
)

// GitHub protects a branch in two ways that add up: rulesets, which any token with
// "metadata: read" may read, and the older branch protection, which needs
// "administration: read" that no workflow's token can have. Each true field is certain
// as soon as one of the two says so.

const askAdministration = "move the branch protection into a ruleset, which the workflow's token can read; or give a fine-grained token with administration: read as VERDICT_FORGE_TOKEN"

// rule is one of "Get rules for a branch": only rules that are enforced are listed.
type rule struct {
	Type       string `json:"type"`
	RulesetID  int64  `json:"ruleset_id"`
	Parameters struct {
		Approvals    int64 `json:"required_approving_review_count"`
		DismissStale bool  `json:"dismiss_stale_reviews_on_push"`
		CodeOwner    bool  `json:"require_code_owner_review"`
	} `json:"parameters"`
}

type enabled struct {
	Enabled bool `json:"enabled"`
}

// classic is "Get branch protection".
type classic struct {
	EnforceAdmins *enabled `json:"enforce_admins"`
	Reviews       *struct {
		Approvals    int64 `json:"required_approving_review_count"`
		DismissStale bool  `json:"dismiss_stale_reviews"`
		CodeOwner    bool  `json:"require_code_owner_reviews"`
		Bypass       *struct {
			Users []struct{} `json:"users"`
			Teams []struct{} `json:"teams"`
			Apps  []struct{} `json:"apps"`
		} `json:"bypass_pull_request_allowances"`
	} `json:"required_pull_request_reviews"`
	ForcePushes *enabled `json:"allow_force_pushes"`
	Signatures  *enabled `json:"required_signatures"`
}

func (r *Reader) protect(ctx context.Context, out *forge.Request) error {
	rules, err := forge.List[rule](ctx, r.c, "/repos/"+r.repo+"/rules/branches/"+url.PathEscape(out.Target))
	rulesRead := err == nil
	if err := out.Withheld(forge.MissingProtection, err); err != nil {
		return err
	}
	old, oldRead, err := r.classic(ctx, out)
	if err != nil {
		return err
	}
	p := &out.Protection
	p.Known = rulesRead && oldRead
	required := old.join(p)
	var demanding []int64 // rulesets that demand a review
	for _, x := range rules {
		switch x.Type {
		case "pull_request":
			p.DismissesStale = p.DismissesStale || x.Parameters.DismissStale
			p.RequiresCodeOwner = p.RequiresCodeOwner || x.Parameters.CodeOwner
			if required = max(required, x.Parameters.Approvals); x.Parameters.Approvals > 0 {
				demanding = append(demanding, x.RulesetID)
			}
		case "non_fast_forward":
			p.ForbidsForcePush = true
		case "required_signatures":
			p.RequiresSigned = true
		}
	}
	p.RequiresReview = required > 0
	if p.Known || required > 0 {
		out.Required = required
	} else {
		out.Lack(forge.MissingRequired, "the protection of the branch could not be read in full", askAdministration)
	}
	return r.exempt(ctx, out, demanding)
}

// classic reads the older branch protection where there may be one. Nothing but GitHub's
// words "Branch not protected" says that there is none: any other refusal may be about
// the token.
func (r *Reader) classic(ctx context.Context, out *forge.Request) (c classic, read bool, err error) {
	var branch struct {
		Protected *bool `json:"protected"`
	}
	path := "/repos/" + r.repo + "/branches/" + url.PathEscape(out.Target)
	switch err := r.c.Get(ctx, path, &branch); {
	case err == nil && branch.Protected != nil && !*branch.Protected:
		return c, true, nil // by neither way
	case err != nil:
		if _, refused := forge.Refused(err); !refused {
			return c, false, err
		}
	}
	err = r.c.Get(ctx, path+"/protection", &c)
	refusal, refused := forge.Refused(err)
	switch {
	case err == nil:
		return c, true, nil
	case !refused:
		return c, false, err
	case refusal.Status == http.StatusNotFound && refusal.Message == "Branch not protected":
		return c, true, nil
	}
	out.Lack(forge.MissingProtection, fmt.Sprintf("GitHub does not show the branch protection to this token (%v)", refusal), askAdministration)
	return c, false, nil
}

// join adds what the older protection enforces, and gives the approvals that it demands.
func (c classic) join(p *forge.Protection) (required int64) {
	p.ForbidsForcePush = c.ForcePushes != nil && !c.ForcePushes.Enabled
	p.RequiresSigned = c.Signatures != nil && c.Signatures.Enabled
	if c.Reviews == nil {
		return 0
	}
	p.DismissesStale, p.RequiresCodeOwner = c.Reviews.DismissStale, c.Reviews.CodeOwner
	b := c.Reviews.Bypass
	nobody := b == nil || len(b.Users)+len(b.Teams)+len(b.Apps) == 0
	p.AppliesToAdmins = c.Reviews.Approvals > 0 && nobody && c.EnforceAdmins != nil && c.EnforceAdmins.Enabled
	return max(c.Reviews.Approvals, 0)
}

// exempt asks the rulesets that demand a review for whom they do not count. GitHub tells
// the list only to those who may change the ruleset. One without exemption is enough.
func (r *Reader) exempt(ctx context.Context, out *forge.Request, rulesets []int64) error {
	why := "" // nobody could tell
	for _, id := range rulesets {
		if out.Protection.AppliesToAdmins {
			return nil
		}
		var set struct {
			Bypass *[]struct{} `json:"bypass_actors"`
		}
		err := r.c.Get(ctx, fmt.Sprintf("/repos/%s/rulesets/%d", r.repo, id), &set)
		if refusal, refused := forge.Refused(err); refused {
			why = fmt.Sprintf("GitHub does not show ruleset %d to this token (%v)", id, refusal)
		} else if err != nil {
			return err
		} else if set.Bypass == nil {
			why = "GitHub tells who may bypass a ruleset only to those who may change it"
		} else {
			out.Protection.AppliesToAdmins = len(*set.Bypass) == 0
		}
	}
	if why != "" && !out.Protection.AppliesToAdmins {
		out.Lack(forge.MissingAdmins, why, "give a fine-grained token with administration: write as VERDICT_FORGE_TOKEN, or leave the question to an audit of the organisation")
	}
	return nil
}
