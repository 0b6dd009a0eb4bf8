package forgetest

import (
	"net/http"
	"strconv"
	"strings"

	"verdict/forge"
)

// GitHub tells a world in the shapes of GitHub's REST API, with the older branch
// protection and a token that may read it.
var GitHub = Forge{
	Name: forge.GitHub, Repo: "acme/house", Serve: serveGitHub,
	ID: func(p Person) string { return strconv.FormatInt(p.Number, 10) },
}

func serveGitHub(w World) http.Handler {
	const repo = "/base/repos/{owner}/{repo}"
	number := strconv.FormatInt(w.Number, 10)
	m := http.NewServeMux()
	get := func(path string, answer any) {
		m.HandleFunc("GET "+repo+path, func(rw http.ResponseWriter, _ *http.Request) { reply(rw, answer) })
	}
	get("/pulls/"+number, githubPull(w, true))
	get("/branches/{branch}", object{"name": w.Target, "protected": w.Rules != Rules{}, "protection": object{"enabled": true}})
	get("/branches/{branch}/protection", githubProtection(w.Rules))
	m.HandleFunc("GET "+repo+"/pulls/"+number+"/reviews", func(rw http.ResponseWriter, r *http.Request) { paged(rw, r, githubReviews(w)) })
	m.HandleFunc("GET "+repo+"/rules/branches/{branch}", func(rw http.ResponseWriter, r *http.Request) {
		if r.PathValue("branch") != w.Target {
			reply(rw, []object{}) // no rule is about another branch
			return
		}
		paged(rw, r, []object{{"type": "deletion", "ruleset_source_type": "Repository", "ruleset_id": 1}})
	})
	m.HandleFunc("GET "+repo+"/commits/{sha}/pulls", func(rw http.ResponseWriter, r *http.Request) {
		found := []object{}
		if s := r.PathValue("sha"); s == w.Merge || s == w.head() {
			found = append(found, githubPull(w, false))
		}
		paged(rw, r, found)
	})
	m.HandleFunc("GET "+repo+"/collaborators/{login}/permission", func(rw http.ResponseWriter, r *http.Request) {
		for _, o := range w.Opinions {
			if o.By.Login == r.PathValue("login") {
				reply(rw, object{"permission": "write", "role_name": "maintain", "user": githubUser(o.By)})
				return
			}
		}
		notFound(rw, r)
	})
	m.HandleFunc("/", notFound)
	return m
}

func githubUser(p Person) any {
	if p.Deleted || p == (Person{}) {
		return nil
	}
	kind := "User"
	if p.Bot {
		kind = "Bot"
	}
	return object{"login": p.Login, "id": p.Number, "node_id": "x", "type": kind, "name": p.Name, "site_admin": false}
}

// githubPull has merged_by in the full form alone.
func githubPull(w World, full bool) object {
	side := func(ref, sha string) object {
		return object{"label": "acme:" + ref, "ref": ref, "sha": sha, "repo": object{"id": 1, "full_name": "acme/house"}}
	}
	p := object{
		"number": w.Number, "id": 1, "html_url": "https://github.com/acme/house/pull/12", "title": w.Title, "state": "open", "user": githubUser(w.Author),
		"merged_at": timeOrNull(w.MergedAt), "merge_commit_sha": Commit("7"), "commits": int64(len(w.Pushes)), "draft": false, "body": nil,
		"head": side(w.Source, w.head()), "base": side(w.Target, Commit("0")),
	}
	if w.State != forge.Open {
		p["state"] = "closed"
	}
	if w.State == forge.Merged {
		p["merge_commit_sha"] = w.Merge
	}
	if full {
		p["merged"], p["merged_by"] = w.State == forge.Merged, githubUser(w.MergedBy)
	}
	return p
}

func githubReviews(w World) []object {
	out := []object{{"id": 1, "user": githubUser(w.Author), "state": "PENDING", "body": "a draft", "commit_id": nil}}
	for i, o := range w.Opinions {
		state := strings.ToUpper(o.State)
		if !o.Gone.IsZero() {
			state = "DISMISSED"
		}
		out = append(out, object{
			"id": i + 2, "user": githubUser(o.By), "state": state, "body": "", "author_association": "MEMBER",
			"commit_id": orNull(forge.HeadAt(w.Pushes, o.At)), "submitted_at": timeOrNull(o.At),
		})
	}
	return out
}

func githubProtection(r Rules) object {
	on := func(b bool) object { return object{"enabled": b} }
	p := object{
		"url": "x", "enforce_admins": on(r.Admins), "allow_force_pushes": on(!r.NoForcePush), "required_signatures": on(r.Signed),
		"allow_deletions": on(false), "required_linear_history": on(false),
	}
	if r.Approvals > 0 {
		p["required_pull_request_reviews"] = object{
			"required_approving_review_count": r.Approvals, "dismiss_stale_reviews": r.DismissStale, "require_code_owner_reviews": r.CodeOwner,
			"bypass_pull_request_allowances": object{"users": []any{}, "teams": []any{}, "apps": []any{}},
		}
	}
	return p
}
