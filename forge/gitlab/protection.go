package gitlab

import (
	"context"
	"strings"

	"verdict/forge"
)

// access is who may push: a role, or one person, group or key.
type access struct {
	Level     *int64 `json:"access_level"`
	User      *int64 `json:"user_id"`
	Group     *int64 `json:"group_id"`
	DeployKey *int64 `json:"deploy_key_id"`
}

// The roles that GitLab numbers: 0 is nobody, 40 are maintainers.
const (
	nobody      = 0
	maintainers = 40
)

// protectedBranch is one of "List protected branches"; those of the group are among them.
type protectedBranch struct {
	Name           string   `json:"name"` // may hold *
	Push           []access `json:"push_access_levels"`
	AllowForcePush bool     `json:"allow_force_push"`
	CodeOwner      bool     `json:"code_owner_approval_required"`
}

// protect reads what holds for the target. Where several entries match, GitLab lets the
// most permissive decide on pushes and the strictest on code owners.
func (r *Reader) protect(ctx context.Context, out *forge.Request) error {
	all, err := forge.List[protectedBranch](ctx, r.c, r.project+"/protected_branches")
	if err != nil {
		return out.Withheld(forge.MissingProtection, err)
	}
	p := &out.Protection
	p.Known = true
	matches, everybody, exempt := 0, false, false
	p.ForbidsForcePush = true
	for _, b := range all {
		if !matchBranch(b.Name, out.Target) {
			continue
		}
		matches++
		p.ForbidsForcePush = p.ForbidsForcePush && !b.AllowForcePush
		p.RequiresCodeOwner = p.RequiresCodeOwner || b.CodeOwner
		for _, a := range b.Push {
			person := a.User != nil || a.Group != nil || a.DeployKey != nil
			exempt = exempt || person || a.Level == nil || *a.Level != nobody
			everybody = everybody || !person && (a.Level == nil || *a.Level != nobody && *a.Level < maintainers)
		}
	}
	p.ForbidsForcePush = p.ForbidsForcePush && matches > 0
	// Whoever may push to the branch needs no request.
	p.RequiresReview = matches > 0 && !everybody && out.Required > 0
	p.AppliesToAdmins = p.RequiresReview && !exempt
	if out.Required == forge.Unknown {
		out.Lack(forge.MissingProtection, "the approvals that are demanded could not be read", askPremium)
		p.Known = false
	}
	return r.settings(ctx, out)
}

const askPremium = "give a token with the scope read_api and the role Maintainer as GITLAB_TOKEN; in GitLab Free this does not exist, and nothing is demanded"

// settings reads the project's approval settings and push rules, which GitLab Free does
// not have: its refusal cannot be told from one of a right.
func (r *Reader) settings(ctx context.Context, out *forge.Request) error {
	var approval struct {
		Reset *bool `json:"reset_approvals_on_push"`
	}
	err := r.c.Get(ctx, r.project+"/approvals", &approval)
	if refusal, refused := forge.Refused(err); refused || err == nil && approval.Reset == nil {
		out.Lack(forge.MissingDismisses, why("the approval settings", refusal), askPremium)
	} else if err != nil {
		return err
	} else {
		out.Protection.DismissesStale = *approval.Reset
	}
	var push *struct {
		Unsigned bool `json:"reject_unsigned_commits"`
	}
	err = r.c.Get(ctx, r.project+"/push_rule", &push)
	if refusal, refused := forge.Refused(err); refused {
		out.Lack(forge.MissingSigned, why("the push rules", refusal), askPremium)
	} else if err != nil {
		return err
	} else {
		out.Protection.RequiresSigned = push != nil && push.Unsigned
	}
	return nil
}

func why(what string, refusal *forge.Refusal) string {
	if refusal == nil {
		return "GitLab leaves it out of " + what
	}
	return "GitLab does not show " + what + " to this token (" + refusal.Error() + ")"
}

// matchBranch is GitLab's wildcard: * stands for any text, also with slashes.
func matchBranch(pattern, branch string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == branch
	}
	if !strings.HasPrefix(branch, first) {
		return false
	}
	branch = branch[len(first):]
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(branch, part)
		}
		i := strings.Index(branch, part)
		if i < 0 {
			return false
		}
		branch, rest = branch[i+len(part):], more
	}
}
