package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"verdict/forge"
)

// Azure keeps one vote for each reviewer, without time or commit. When votes were given,
// changed and reset stands in threads that Azure writes in the voter's name; what the head
// was at that time follows from the iterations, one for each push.

// reviewer is Azure's IdentityRefWithVote.
type reviewer struct {
	identity
	Vote int64 `json:"vote"`
}

// opinion is what a vote says: 10 approved, 5 approved with suggestions, 0 none, -5
// waiting for the author, -10 rejected. A word that Azure does not have is an error.
func opinion(vote int64) (string, error) {
	switch vote {
	case 10, 5:
		return forge.Approved, nil
	case -5, -10:
		return forge.ChangesRequested, nil
	case 0:
		return "", nil
	}
	return "", fmt.Errorf("a reviewer voted %d", vote)
}

type iteration struct {
	ID     int64     `json:"id"`
	At     time.Time `json:"createdDate"`
	Source *commit   `json:"sourceRefCommit"`
}

type thread struct {
	At         time.Time `json:"publishedDate"`
	Properties map[string]struct {
		Value json.RawMessage `json:"$value"`
	} `json:"properties"`
	Identities map[string]*identity `json:"identities"`
	Comments   []struct {
		Author *identity `json:"author"`
		Type   string    `json:"commentType"`
	} `json:"comments"`
}

func (r *Reader) review(ctx context.Context, out *forge.Request, path string, reviewers []reviewer) error {
	var rounds struct {
		Value []iteration `json:"value"`
	}
	err := r.c.Get(ctx, path+"/iterations?"+version, &rounds)
	for _, what := range []string{forge.MissingCommit, forge.MissingHead} {
		if err := out.Withheld(what, err); err != nil {
			return err
		}
	}
	pushes := []forge.Push{}
	last := int64(0) // its source is the head: lastMergeSourceCommit lags behind a push
	for _, i := range rounds.Value {
		if i.Source == nil || !forge.Hex(i.Source.ID) {
			continue
		}
		pushes = append(pushes, forge.Push{At: i.At, Commit: i.Source.ID})
		if i.ID > last {
			last, out.Head = i.ID, i.Source.ID
		}
	}
	var talk struct {
		Value []thread `json:"value"`
	}
	if err := r.c.Get(ctx, path+"/threads?"+version, &talk); err != nil {
		return out.Withheld(forge.MissingReviews, err) // nothing else tells which votes were reset
	}
	if out.Reviews, err = votes(reviewers, talk.Value, pushes); err != nil {
		return r.c.Strange(err)
	}
	out.LackCommits("Azure has no entry of its own of when the vote was given", "ask for the vote again: it then belongs to the head that is there now")
	return nil
}

// votes leaves out groups: a group's vote repeats that of a member.
func votes(reviewers []reviewer, threads []thread, pushes []forge.Push) ([]forge.Review, error) {
	history := []forge.Review{}
	people := map[string]forge.Account{}
	for _, v := range reviewers {
		people[v.account().ID] = v.account()
	}
	for _, t := range threads {
		if h, ok := t.vote(people); ok {
			h.Commit = forge.HeadAt(pushes, h.At)
			history = append(history, h)
		}
	}
	present := []forge.Review{}
	for _, v := range reviewers {
		state, err := opinion(v.Vote)
		if err != nil {
			return nil, err
		}
		if state != "" && !v.Container {
			// Azure takes votes of those alone who may contribute to pull requests.
			present = append(present, forge.Review{By: v.account(), State: state, Entitled: state == forge.Approved})
		}
	}
	return forge.Settle(present, history), nil
}

// vote reads a thread about a vote. A vote of 0 takes one back. What is no vote says
// nothing: anybody could block a request with such a thread if it were an error.
func (t thread) vote(people map[string]forge.Account) (forge.Review, bool) {
	by := t.Identities[t.property("CodeReviewVotedByIdentity")].account()
	if old := strings.ToLower(t.property("CodeReviewVotedByTfId")); by.ID == "" && guid.MatchString(old) { // of older servers
		by = forge.Account{ID: old, Name: t.property("CodeReviewVotedByDisplayName")}
	}
	if t.property("CodeReviewThreadType") != "VoteUpdate" || by.ID == "" || !t.writtenFor(by.ID) {
		return forge.Review{}, false
	}
	vote, err := strconv.ParseInt(t.property("CodeReviewVoteResult"), 10, 64)
	state, unknown := opinion(vote)
	if err != nil || unknown != nil {
		return forge.Review{}, false
	}
	if state == "" {
		state = forge.Dismissed
	}
	if known, ok := people[by.ID]; ok {
		by = known
	}
	return forge.Review{By: by, State: state, At: t.At.UTC()}, true
}

// writtenFor reports whether the thread can stand for the voter. Everybody who may comment
// can create threads with properties of any kind, also about the votes of others, but in no
// other's name. Azure writes votes in the voter's name, or as itself: as the service
// Microsoft.VisualStudio.Services.TFS, on older servers as a group of service accounts.
func (t thread) writtenFor(voter string) bool {
	for _, c := range t.Comments {
		a := c.Author
		if c.Type != "system" || a == nil {
			return false
		}
		if !a.Container && !strings.EqualFold(a.ID, voter) && !strings.EqualFold(a.ID, itself) && !strings.HasPrefix(a.Descriptor, "s2s.") {
			return false
		}
	}
	return len(t.Comments) > 0
}

const itself = "00000002-0000-8888-8000-000000000000"

// property is a value as text; numbers come as such.
func (t thread) property(name string) string {
	raw := t.Properties[name].Value
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
