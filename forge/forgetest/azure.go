package forgetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"verdict/forge"
)

// Azure tells a world in the shapes of the Azure DevOps REST API.
var Azure = Forge{
	Name: forge.Azure, Repo: "Acme Corp/house", Serve: serveAzure, ID: azureID, NoComments: true,
	Never: []string{forge.MissingAdmins, forge.MissingSigned},
}

const (
	azureProject = "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c"
	azureRepo    = "3411ebc1-d5aa-464f-9615-0b527bc66719"
	azureItself  = "00000002-0000-8888-8000-000000000000"
)

func azureID(p Person) string { return fmt.Sprintf("d6245f20-2af8-44f4-9451-%012d", p.Number) }

func serveAzure(w World) http.Handler {
	const repo = "/base/Acme%20Corp/_apis/git/repositories/house"
	pr := repo + "/pullRequests/" + strconv.FormatInt(w.Number, 10)
	answers := map[string]object{
		repo:               {"id": azureRepo, "name": "house", "defaultBranch": "refs/heads/main"},
		pr:                 azurePull(w),
		pr + "/iterations": {"count": len(w.Pushes), "value": azureIterations(w)},
		pr + "/threads":    {"value": azureThreads(w)},
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		if r.URL.Query().Get("api-version") == "" {
			http.Error(rw, "No api-version was supplied", http.StatusBadRequest)
			return
		}
		switch answer, ok := answers[path]; {
		case ok && r.Method == http.MethodGet:
			reply(rw, answer)
		case path == "/base/"+azureProject+"/_apis/policy/configurations":
			azurePolicies(rw, r, w)
		case path == repo+"/pullrequestquery" && r.Method == http.MethodPost:
			azureQuery(rw, r, w)
		default:
			notFound(rw, r)
		}
	})
}

func azureIdentity(p Person) any {
	switch {
	case p == Person{}:
		return nil
	case p.Deleted:
		return object{"id": "00000000-0000-0000-0000-000000000000", "displayName": "", "uniqueName": ""}
	}
	kind := "aad."
	if p.Bot {
		kind = "svc."
	}
	return object{"id": azureID(p), "displayName": p.Name, "uniqueName": p.Login, "descriptor": kind + "x", "imageUrl": "x"}
}

func azurePull(w World) object {
	reviewers := []object{
		// A group shows the vote of its member a second time.
		{"id": "11111111-2af8-44f4-9451-000000000001", "displayName": "[Acme]\\Team", "isContainer": true, "vote": 10},
		{"id": "11111111-2af8-44f4-9451-000000000002", "displayName": "idle", "vote": 0},
	}
	for _, o := range w.latest(func(o Opinion) bool { return true }) {
		who, _ := azureIdentity(o.By).(object)
		who["vote"] = map[string]int{forge.Approved: 10, forge.ChangesRequested: -5, forge.Commented: 0}[o.State]
		for _, before := range w.Opinions { // a comment takes no vote back
			if o.State == forge.Commented && before.By == o.By && before.State == forge.Approved && before.Gone.IsZero() {
				who["vote"] = 5
			}
		}
		reviewers = append(reviewers, who)
	}
	p := object{
		"pullRequestId": w.Number, "codeReviewId": w.Number, "title": w.Title, "createdBy": azureIdentity(w.Author), "creationDate": timeOrNull(At(0)),
		"status":        map[string]string{forge.Open: "active", forge.Closed: "abandoned", forge.Merged: "completed"}[w.State],
		"sourceRefName": "refs/heads/" + w.Source, "targetRefName": "refs/heads/" + w.Target, "mergeStatus": "succeeded", "reviewers": reviewers,
		"lastMergeSourceCommit": object{"commitId": w.Pushes[0].Commit}, // behind, as after a push
		"lastMergeCommit":       object{"commitId": Commit("7")},
		"repository":            object{"id": azureRepo, "name": "house", "project": object{"id": azureProject, "name": "Acme Corp"}},
	}
	if w.State == forge.Merged {
		p["lastMergeCommit"] = object{"commitId": w.Merge}
		p["closedBy"], p["closedDate"] = azureIdentity(w.MergedBy), timeOrNull(w.MergedAt)
	}
	return p
}

func azureIterations(w World) []object {
	out := []object{}
	for i, p := range w.Pushes {
		out = append(out, object{"id": i + 1, "createdDate": timeOrNull(p.At), "sourceRefCommit": object{"commitId": p.Commit}, "reason": "push"})
	}
	return out
}

func azureThreads(w World) []object {
	out := []object{}
	for _, o := range w.Opinions {
		if o.State != forge.Commented {
			out = append(out, azureVote(o.By, map[string]int{forge.Approved: 10, forge.ChangesRequested: -5}[o.State], timeOrNull(o.At), azureIdentity(o.By)))
			// Anybody may make a thread with any properties, but not in another's name.
			out = append(out, azureVote(o.By, 10, timeOrNull(At(59)), azureIdentity(Person{Number: 901, Login: "mallory"})))
		}
		if !o.Gone.IsZero() {
			out = append(out, azureVote(o.By, 0, timeOrNull(o.Gone), object{"id": azureItself, "displayName": "Microsoft.VisualStudio.Services.TFS", "descriptor": "s2s.x"}))
		}
	}
	return append(out, object{"publishedDate": timeOrNull(At(3)), "properties": nil, "comments": []object{{"commentType": "text", "content": "hm", "author": azureIdentity(w.Author)}}})
}

func azureVote(by Person, vote int, at, author any) object {
	text := func(s string) object { return object{"$type": "System.String", "$value": s} }
	return object{
		"publishedDate": at, "identities": object{"1": azureIdentity(by)},
		"properties": object{"CodeReviewThreadType": text("VoteUpdate"), "CodeReviewVoteResult": text(strconv.Itoa(vote)), "CodeReviewVotedByIdentity": text("1")},
		"comments":   []object{{"id": 1, "commentType": "system", "content": "voted", "author": author}},
	}
}

// azurePolicies gives two pages; the second holds what counts.
func azurePolicies(rw http.ResponseWriter, r *http.Request, w World) {
	policy := func(kind string, blocking bool, ref, match string, settings object) object {
		settings["scope"] = []object{{"repositoryId": azureRepo, "refName": ref, "matchKind": match}}
		return object{"isEnabled": true, "isBlocking": blocking, "isDeleted": false, "type": object{"id": kind}, "settings": settings}
	}
	const reviewers, owners = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd", "fd2167ab-b0be-447a-8ec8-39368250530e"
	if r.URL.Query().Get("continuationToken") == "" {
		rw.Header().Set("X-Ms-Continuationtoken", "a b&c")
		reply(rw, object{"value": []object{
			policy(reviewers, true, "refs/heads/main", "Exact", object{"minimumApproverCount": 9}),
			policy(reviewers, true, "refs/heads/rel", "Prefix", object{"minimumApproverCount": 9}),
			policy(reviewers, false, "refs/heads/release", "Prefix", object{"minimumApproverCount": 9, "resetOnSourcePush": true}),
			policy("0609b952-1397-4640-95ec-e00a01b2c241", false, "refs/heads/release/1.0", "Exact", object{}),
		}})
		return
	}
	value := []object{}
	if w.Rules.Approvals > 0 || w.Rules.NoForcePush {
		value = append(value, policy(reviewers, true, "refs/heads/release/", "Prefix", object{"minimumApproverCount": w.Rules.Approvals, "resetOnSourcePush": w.Rules.DismissStale}))
	}
	if w.Rules.CodeOwner {
		value = append(value, policy(owners, true, "refs/heads/release/1.0", "Exact", object{"requiredReviewerIds": []string{azureID(Carol)}}))
	}
	reply(rw, object{"value": value})
}

func azureQuery(rw http.ResponseWriter, r *http.Request, w World) {
	var q struct {
		Queries []struct {
			Type  string
			Items []string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	results := []object{}
	for _, one := range q.Queries {
		found := object{}
		for _, sha := range one.Items {
			if one.Type == "lastMergeCommit" && sha == w.Merge || one.Type == "commit" && (sha == w.head() || sha == w.Merge) {
				found[sha] = []object{azurePull(w)}
			}
		}
		results = append(results, found)
	}
	reply(rw, object{"queries": q.Queries, "results": results})
}
