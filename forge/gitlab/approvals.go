package gitlab

import (
	"context"
	"strings"
	"time"

	"verdict/forge"
)

// GitLab keeps who approves at present, and as notes of the system who approved or took
// it back when. It keeps no commit with an approval: the versions of the request say what
// its head was at that time. Only GitLab itself writes notes with "system".

// approvals is "Approvals for a merge request".
type approvals struct {
	By []struct {
		User *user      `json:"user"`
		At   *time.Time `json:"approved_at"`
	} `json:"approved_by"`
	Required *int64 `json:"approvals_required"` // Premium and Ultimate
}

// reviewer is one of "Get merge request reviewers".
type reviewer struct {
	User  *user  `json:"user"`
	State string `json:"state"`
}

type note struct {
	Body   string    `json:"body"`
	Author *user     `json:"author"`
	At     time.Time `json:"created_at"`
	System bool      `json:"system"`
}

// version is one of "Get merge request diff versions": one for each push.
type version struct {
	Head string    `json:"head_commit_sha"`
	At   time.Time `json:"created_at"`
}

func (r *Reader) review(ctx context.Context, out *forge.Request, path string) error {
	var a approvals
	if err := r.c.Get(ctx, path+"/approvals", &a); err != nil {
		return r.withheld(out, err, forge.MissingReviews, forge.MissingRequired)
	}
	if err := r.required(ctx, out, path, a.Required); err != nil {
		return err
	}
	reviewers, err := forge.List[reviewer](ctx, r.c, path+"/reviewers")
	if err := out.Withheld(forge.MissingReviews, err); err != nil {
		return err
	}
	notes, err := forge.List[note](ctx, r.c, path+"/notes?sort=asc&order_by=created_at")
	if err := out.Withheld(forge.MissingReviews, err); err != nil {
		return err
	}
	versions, err := forge.List[version](ctx, r.c, path+"/versions")
	if err := out.Withheld(forge.MissingCommit, err); err != nil {
		return err
	}
	out.Reviews = settle(a, reviewers, notes, versions)
	out.LackCommits("GitLab has no note of when the approval was given", "ask for the approval again: it then has a note and belongs to the head that is there now")
	return nil
}

func (r *Reader) withheld(out *forge.Request, err error, what ...string) error {
	for _, w := range what {
		if err := out.Withheld(w, err); err != nil {
			return err
		}
	}
	return nil
}

// required takes the number from the approvals, or the highest of the rules of "Get the
// approval state": all rules must hold. GitLab Free has neither.
func (r *Reader) required(ctx context.Context, out *forge.Request, path string, told *int64) error {
	if told != nil {
		out.Required = max(*told, 0)
		return nil
	}
	var state struct {
		Rules []struct {
			Required int64 `json:"approvals_required"`
		} `json:"rules"`
	}
	if err := r.c.Get(ctx, path+"/approval_state", &state); err != nil {
		return out.Withheld(forge.MissingRequired, err)
	}
	out.Required = 0
	for _, rule := range state.Rules {
		out.Required = max(out.Required, rule.Required)
	}
	return nil
}

// settle joins present and history. A request for changes outweighs the same person's
// approval.
func settle(a approvals, reviewers []reviewer, notes []note, versions []version) []forge.Review {
	pushes := make([]forge.Push, 0, len(versions))
	for _, v := range versions {
		if forge.Hex(v.Head) {
			pushes = append(pushes, forge.Push{At: v.At, Commit: v.Head})
		}
	}
	said := map[string]string{} // by account id
	present := []forge.Review{}
	for _, v := range reviewers {
		state := map[string]string{"requested_changes": forge.ChangesRequested, "reviewed": forge.Commented}[v.State]
		if by := v.User.account(); state != "" {
			said[by.ID] = state
			present = append(present, forge.Review{By: by, State: state})
		}
	}
	present = dropApproved(present, a)
	times := map[string]time.Time{}
	for _, v := range a.By {
		by := v.User.account()
		if said[by.ID] == forge.ChangesRequested && by.ID != "" {
			continue
		}
		if v.At != nil {
			times[by.ID] = v.At.UTC()
		}
		// GitLab takes approvals of those alone who may approve.
		present = append(present, forge.Review{By: by, State: forge.Approved, Entitled: true})
	}
	out := forge.Settle(present, history(notes, pushes))
	for i, v := range out {
		if at, ok := times[v.By.ID]; ok && v.State == forge.Approved && v.By.ID != "" {
			out[i].At, out[i].Commit = at, forge.HeadAt(pushes, at)
		}
	}
	return out
}

// dropApproved leaves out the comments of those who approve.
func dropApproved(present []forge.Review, a approvals) []forge.Review {
	approve := map[string]bool{}
	for _, v := range a.By {
		approve[v.User.account().ID] = true
	}
	kept := present[:0]
	for _, v := range present {
		if v.State != forge.Commented || v.By.ID == "" || !approve[v.By.ID] {
			kept = append(kept, v)
		}
	}
	return kept
}

// history reads the notes that the system writes about reviews.
func history(notes []note, pushes []forge.Push) []forge.Review {
	var out []forge.Review
	for _, n := range notes {
		state := ""
		switch body := strings.ToLower(strings.TrimSpace(n.Body)); {
		case !n.System:
		case body == "approved this merge request":
			state = forge.Approved
		case body == "unapproved this merge request":
			state = forge.Dismissed
		case body == "requested changes" || body == "requested changes to this merge request":
			state = forge.ChangesRequested
		}
		if state != "" {
			at := n.At.UTC()
			out = append(out, forge.Review{By: n.Author.account(), State: state, Commit: forge.HeadAt(pushes, at), At: at})
		}
	}
	return out
}
