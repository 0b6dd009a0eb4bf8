package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"verdict"
	"verdict/forge"
)

// The limits of "Check runs" and of the comment of a deployment review.
const (
	mostAnnotations = 50 // of one request
	allAnnotations  = 200
	mostSummary     = 65_000 // bytes; GitHub takes 65,535 characters
	mostComment     = 1_000
	checkPages      = 20 // of check runs of one name and commit
)

// conclusions are GitHub's words for outcomes. "Could not decide" is a failure: neutral and
// skipped let a required check pass.
var conclusions = map[verdict.Outcome]string{
	verdict.Allow: "success", verdict.Review: "action_required", verdict.Deny: "failure", verdict.Undecided: "failure",
}

func conclusion(o verdict.Outcome) string {
	if c, ok := conclusions[o]; ok {
		return c
	}
	return "failure"
}

type annotation struct {
	Path    string `json:"path"`
	Start   int64  `json:"start_line"`
	End     int64  `json:"end_line"`
	Level   string `json:"annotation_level"`
	Message string `json:"message"`
	Title   string `json:"title"`
}

type output struct {
	Title       string       `json:"title"`
	Summary     string       `json:"summary"`
	Annotations []annotation `json:"annotations,omitempty"`
}

type checkRun struct {
	Name       string  `json:"name"`
	Head       string  `json:"head_sha,omitempty"`
	Status     string  `json:"status"`
	Conclusion string  `json:"conclusion"`
	External   string  `json:"external_id"`
	Details    string  `json:"details_url,omitempty"`
	Completed  string  `json:"completed_at"`
	Output     *output `json:"output,omitempty"`
}

type madeRun struct {
	ID       int64  `json:"id"`
	External string `json:"external_id"`
	App      *struct {
		ID int64 `json:"id"`
	} `json:"app"`
}

// Show makes the check run of a decision. A decision that is shown already is told again
// without its annotations, which are there; another one gets a check run of its own, of
// which GitHub shows the newest, because annotations of a check run are never taken away.
// Where no check run is known its own is looked for first: it may have been made by a call
// whose answer was lost.
func (a *App) Show(ctx context.Context, e forge.Event, m forge.Mark) (string, error) {
	var at place
	if err := json.Unmarshal(e.Reply, &at); err != nil {
		return "", fmt.Errorf("where the event is to be answered: %w", err)
	}
	var made int64
	err := a.as(ctx, at, func(c *forge.Client) error {
		id, err := strconv.ParseInt(m.Ref, 10, 64)
		if err != nil {
			if id, err = a.find(ctx, c, e, m); err != nil {
				return err
			}
		}
		made, err = write(ctx, c, e, m, id)
		if refusal, refused := forge.Refused(err); id != 0 && refused && refusal.Status == http.StatusNotFound {
			made, err = write(ctx, c, e, m, 0) // it is gone with its suite
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(made, 10), nil
}

// find is the newest check run of the app that tells the decision; 0 when there is none.
func (a *App) find(ctx context.Context, c *forge.Client, e forge.Event, m forge.Mark) (int64, error) {
	newest, seen := int64(0), 0
	for page := 1; page <= checkPages; page++ {
		var got struct {
			Total int       `json:"total_count"`
			Runs  []madeRun `json:"check_runs"`
		}
		path := fmt.Sprintf("/repos/%s/commits/%s/check-runs?check_name=%s&app_id=%d&filter=all&per_page=%d&page=%d", e.Repo, e.Commit, url.QueryEscape(m.Name), a.o.ID, forge.PageSize, page)
		if err := c.Get(ctx, path, &got); err != nil {
			return 0, err
		}
		for _, r := range got.Runs {
			if r.App != nil && r.App.ID == a.o.ID && r.External == m.Decision.ID {
				newest = max(newest, r.ID)
			}
		}
		if seen += len(got.Runs); seen >= got.Total || len(got.Runs) == 0 {
			return newest, nil
		}
	}
	return 0, forge.TooMany(forge.GitHub, "check runs of "+m.Name, checkPages*forge.PageSize)
}

// write sends the decision, with its annotations in as many requests as they need: GitHub
// adds those of each update to those before.
func write(ctx context.Context, c *forge.Client, e forge.Event, m forge.Mark, id int64) (int64, error) {
	run := checkRun{
		Name: m.Name, Status: "completed", Conclusion: conclusion(m.Decision.Enforced), External: m.Decision.ID, Details: m.URL,
		Completed: m.Decision.At.UTC().Format(time.RFC3339),
	}
	var notes []annotation
	if id == 0 {
		notes = annotations(m.Decision)
	}
	for {
		n := min(len(notes), mostAnnotations)
		run.Output = &output{Title: forge.Clip(m.Title, 250), Summary: forge.Clip(m.Summary, mostSummary), Annotations: notes[:n]}
		method, path := http.MethodPatch, fmt.Sprintf("/repos/%s/check-runs/%d", e.Repo, id)
		if run.Head = ""; id == 0 {
			method, path, run.Head = http.MethodPost, "/repos/"+e.Repo+"/check-runs", e.Commit
		}
		var made madeRun
		if err := c.Send(ctx, method, path, run, &made); err != nil {
			return 0, err
		}
		if made.ID <= 0 {
			return 0, c.Strange(fmt.Errorf("a check run with the id %d", made.ID))
		}
		if id, notes = made.ID, notes[n:]; len(notes) == 0 {
			return id, nil
		}
	}
}

// annotations are the items of the decision that have a place in a file.
func annotations(d verdict.Decision) []annotation {
	var out []annotation
	for _, r := range d.Reasons {
		level := "notice"
		if r.Standing == verdict.Counts {
			level = map[verdict.Effect]string{verdict.EffectDeny: "failure", verdict.EffectReview: "warning"}[r.Effect]
			if level == "" {
				level = "notice"
			}
		}
		for _, i := range r.Items {
			if i.Path == "" || i.Accepted != "" || len(out) == allAnnotations {
				continue
			}
			line := max(i.Line, 1)
			out = append(out, annotation{Path: i.Path, Start: line, End: line, Level: level, Message: forge.Clip(said(i, r), 4_000), Title: forge.Clip(r.Title, 250)})
		}
	}
	return out
}

func said(i verdict.Item, r verdict.Reason) string {
	text := i.Message
	if text == "" {
		text = r.Message
	}
	if text == "" {
		text = r.Rule
	}
	if i.Fix != "" {
		text += "\nfix: " + i.Fix
	}
	return text
}

// Answer approves or rejects a deployment, or says beside it what it waits for, which
// GitHub takes up to ten times. One that waits no more is refused by GitHub.
func (a *App) Answer(ctx context.Context, e forge.Event, answer forge.Answer) error {
	var at place
	if err := json.Unmarshal(e.Reply, &at); err != nil || at.Run == 0 {
		return fmt.Errorf("where the event %.80q is to be answered is not known: %v", e.Name, err)
	}
	comment := answer.Comment
	if answer.URL != "" {
		comment = forge.Clip(comment, mostComment-len(answer.URL)-1) + "\n" + answer.URL
	}
	body := map[string]string{"environment_name": e.Environment, "comment": forge.Clip(comment, mostComment)}
	if answer.Final() {
		body["state"] = "rejected"
		if answer.Passes() {
			body["state"] = "approved"
		}
	}
	return a.as(ctx, at, func(c *forge.Client) error {
		return c.Send(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/actions/runs/%d/deployment_protection_rule", e.Repo, at.Run), body, nil)
	})
}
