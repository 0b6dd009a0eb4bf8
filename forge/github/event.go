package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"verdict"
	"verdict/forge"
)

// maxEvent is more than GitHub sends (25 MB).
const maxEvent = 32 << 20

// Event reads the event file of GitHub Actions ("Webhook events and payloads":
// pull_request, pull_request_review, merge_group): what it tells without a call, and the
// rest as missing. It is false where the event is about no request, such as a push.
//
// Any earlier step of the job can write that file, so it is a hint of where to look and
// weaker than what the API answers.
func Event(env func(string) string) (forge.Request, bool, error) {
	path := env("GITHUB_EVENT_PATH")
	if env("GITHUB_ACTIONS") != "true" || path == "" {
		return forge.Request{}, false, nil
	}
	body, err := readEvent(path)
	if err != nil {
		return forge.Request{}, false, &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("the event file %.200q cannot be read", path),
			Remedy: "unset GITHUB_EVENT_PATH, or run the step where the runner puts the file (in a container: mount it)", Err: err,
		}
	}
	r, ok, err := parseEvent(env("GITHUB_EVENT_NAME"), body)
	if err != nil {
		return forge.Request{}, false, &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("the event file %.200q is not understood", path),
			Remedy: "look at what an earlier step of the job did to it, or unset GITHUB_EVENT_PATH", Err: err,
		}
	}
	if ok && r.Repo == "" {
		r.Repo = env("GITHUB_REPOSITORY")
	}
	return r, ok, nil
}

func readEvent(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() { // a pipe would never end
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxEvent+1))
	if err == nil && len(b) > maxEvent {
		err = fmt.Errorf("more than %d bytes", maxEvent)
	}
	return b, err
}

const notInEvent = "the event file does not tell it"

// askAPI is how an event's gaps are filled.
const askAPI = "hand the job's token in: env: GITHUB_TOKEN: ${{ github.token }}, with permissions: pull-requests: read"

func parseEvent(name string, body []byte) (forge.Request, bool, error) {
	var e struct {
		Pull       *pull   `json:"pull_request"`
		Review     *review `json:"review"`
		MergeGroup *struct {
			HeadRef string `json:"head_ref"`
			BaseRef string `json:"base_ref"`
		} `json:"merge_group"`
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return forge.Request{}, false, err
	}
	switch name {
	case "pull_request", "pull_request_target", "pull_request_review":
		if e.Pull == nil {
			return forge.Request{}, false, fmt.Errorf("an event %s without a pull request", name)
		}
		r, err := e.Pull.request(e.Repository.FullName)
		if err != nil {
			return forge.Request{}, false, err
		}
		if e.Review != nil {
			if r.Reviews, err = reviews([]review{*e.Review}); err != nil {
				return forge.Request{}, false, err
			}
		}
		unread(&r)
		return r, true, nil
	case "merge_group":
		if e.MergeGroup == nil || numberOf(e.MergeGroup.HeadRef) == "" {
			return forge.Request{}, false, nil
		}
		n, err := strconv.ParseInt(numberOf(e.MergeGroup.HeadRef), 10, 64)
		if err != nil || n <= 0 {
			return forge.Request{}, false, nil
		}
		r := forge.Request{
			Forge: forge.GitHub, Repo: e.Repository.FullName, ID: strconv.FormatInt(n, 10), State: forge.Open,
			Target: forge.Branch(e.MergeGroup.BaseRef), Required: forge.Unknown, Reviews: []forge.Review{},
		}
		for _, what := range []string{forge.MissingAuthor, forge.MissingBranches, forge.MissingHead} {
			r.Lack(what, notInEvent, askAPI)
		}
		unread(&r)
		return r, true, nil
	}
	return forge.Request{}, false, nil
}

// unread notes what no event has.
func unread(r *forge.Request) {
	for _, what := range []string{forge.MissingReviews, forge.MissingRequired, forge.MissingProtection} {
		r.Lack(what, notInEvent, askAPI)
	}
}
