package forgetest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"verdict/forge"
)

// GitLab tells a world in the shapes of GitLab Premium's REST API v4.
var GitLab = Forge{
	Name: forge.GitLab, Repo: "acme/building/house", Serve: serveGitLab,
	ID: func(p Person) string { return strconv.FormatInt(p.Number, 10) },
}

func serveGitLab(w World) http.Handler {
	const project = "/base/projects/acme%2Fbuilding%2Fhouse"
	mr := project + "/merge_requests/" + strconv.FormatInt(w.Number, 10)
	pages := map[string]any{
		mr:                              gitlabRequest(w),
		mr + "/approvals":               gitlabApprovals(w),
		project + "/approvals":          object{"reset_approvals_on_push": w.Rules.DismissStale, "merge_requests_author_approval": true},
		project + "/push_rule":          object{"id": 1, "reject_unsigned_commits": w.Rules.Signed},
		mr + "/approval_state":          object{"approval_rules_overwritten": false, "rules": []object{{"rule_type": "any_approver", "approvals_required": w.Rules.Approvals}}},
		mr + "/reviewers":               gitlabReviewers(w),
		mr + "/notes":                   gitlabNotes(w),
		mr + "/versions":                gitlabVersions(w),
		project + "/protected_branches": gitlabProtected(w),
	}
	for _, sha := range []string{w.Merge, w.head()} {
		pages[project+"/repository/commits/"+sha+"/merge_requests"] = []object{gitlabRequest(w)}
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch answer := pages[r.URL.EscapedPath()].(type) {
		case nil:
			notFound(rw, r)
		case []object:
			paged(rw, r, answer)
		default:
			reply(rw, answer)
		}
	})
}

func gitlabUser(p Person) any {
	switch {
	case p == Person{}:
		return nil
	case p.Deleted:
		return object{"id": 9, "username": "ghost", "name": "Ghost User", "state": "active"}
	case p.Bot:
		return object{"id": p.Number, "username": "project_5_bot_" + p.Login, "name": p.Name, "state": "active"}
	}
	return object{"id": p.Number, "username": p.Login, "name": p.Name, "state": "active", "avatar_url": nil}
}

func gitlabRequest(w World) object {
	state := map[string]string{forge.Open: "opened", forge.Closed: "closed", forge.Merged: "merged"}[w.State]
	return object{
		"id": 1, "iid": w.Number, "title": w.Title, "state": state, "web_url": "https://gitlab.com/x", "author": gitlabUser(w.Author),
		"source_branch": w.Source, "target_branch": w.Target, "sha": w.head(), "diff_refs": object{"base_sha": Commit("0"), "head_sha": w.head(), "start_sha": Commit("9")}, "merge_commit_sha": orNull(w.Merge), "squash_commit_sha": nil,
		"merge_user": gitlabUser(w.MergedBy), "merged_at": timeOrNull(w.MergedAt), "references": object{"short": "!12", "full": fmt.Sprintf("acme/building/house!%d", w.Number)},
	}
}

func gitlabApprovals(w World) object {
	by := []object{}
	for _, o := range w.latest(func(o Opinion) bool { return o.State == forge.Approved }) {
		by = append(by, object{"user": gitlabUser(o.By)})
	}
	// A comment takes no approval back.
	for _, o := range w.latest(func(o Opinion) bool { return o.State == forge.Commented }) {
		for _, before := range w.Opinions {
			if before.By == o.By && before.State == forge.Approved && before.Gone.IsZero() {
				by = append(by, object{"user": gitlabUser(o.By)})
			}
		}
	}
	return object{"id": 1, "iid": w.Number, "approved": true, "approvals_required": w.Rules.Approvals, "approvals_left": 0, "approved_by": by}
}

func gitlabReviewers(w World) []object {
	out := []object{{"user": gitlabUser(Person{Number: 900, Login: "idle"}), "state": "unreviewed"}}
	for _, o := range w.latest(func(Opinion) bool { return true }) {
		state := map[string]string{forge.Approved: "approved", forge.ChangesRequested: "requested_changes", forge.Commented: "reviewed"}[o.State]
		out = append(out, object{"user": gitlabUser(o.By), "state": state})
	}
	return out
}

func gitlabNotes(w World) []object {
	out := []object{
		{"id": 1, "system": true, "body": "added 1 commit\n\n<ul><li>1111</li></ul>", "author": gitlabUser(w.Author), "created_at": timeOrNull(At(1))},
		// What a person writes is no approval, whatever it says.
		{"id": 2, "system": false, "body": "approved this merge request", "author": gitlabUser(Person{Number: 901, Login: "mallory"}), "created_at": timeOrNull(At(2))},
	}
	for i, o := range w.Opinions {
		n := object{"id": i + 10, "system": true, "author": gitlabUser(o.By), "created_at": timeOrNull(o.At)}
		switch o.State {
		case forge.Approved:
			n["body"] = "approved this merge request"
		case forge.ChangesRequested:
			n["body"] = "requested changes"
		default:
			n["body"], n["system"] = "what is this?", false
		}
		if out = append(out, n); !o.Gone.IsZero() {
			out = append(out, object{"id": i + 500, "system": true, "body": "unapproved this merge request", "author": gitlabUser(o.By), "created_at": timeOrNull(o.Gone)})
		}
	}
	return out
}

// gitlabVersions are the newest first.
func gitlabVersions(w World) []object {
	out := []object{}
	for i, p := range w.Pushes {
		out = append(out, object{"id": i + 1, "head_commit_sha": p.Commit, "created_at": timeOrNull(p.At), "state": "collected"})
	}
	slices.Reverse(out)
	return out
}

func gitlabProtected(w World) []object {
	level := 40
	if w.Rules.Admins {
		level = 0
	}
	out := []object{{"id": 1, "name": "main", "push_access_levels": []object{{"access_level": 30}}, "allow_force_push": true}}
	if (w.Rules != Rules{}) {
		out = append(out, object{
			"id": 2, "name": "release/*", "push_access_levels": []object{{"access_level": level, "user_id": nil, "group_id": nil}},
			"allow_force_push": !w.Rules.NoForcePush, "code_owner_approval_required": w.Rules.CodeOwner, "inherited": false,
		})
	}
	return out
}
