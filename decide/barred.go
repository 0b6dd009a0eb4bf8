package decide

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/ledger"
)

// barred are those who may not approve, and why that cannot be told of everybody.
type barred struct {
	persons         []verdict.Barred
	unknown, remedy string
}

const roleRequester = "who asks for it"

func (b *barred) add(person, role string) {
	if person != "" && !slices.ContainsFunc(b.persons, func(x verdict.Barred) bool { return x.Person == person && x.Role == role }) {
		b.persons = append(b.persons, verdict.Barred{Person: person, Role: role})
	}
}

func (b *barred) doubt(why, remedy string) {
	if b.unknown == "" {
		b.unknown, b.remedy = why, remedy
	}
}

// barred finds who had a part in a subject: who asks for it, and everybody who wrote or
// committed a commit of the change that it was made from.
func (e *Engine) barred(ctx context.Context, who *Persons, r Request, not []string) (barred, error) {
	b := barred{persons: []verdict.Barred{}}
	if slices.Contains(not, "requester") {
		if err := e.requester(ctx, who, r, &b); err != nil {
			return b, err
		}
	}
	if slices.ContainsFunc(not, func(w string) bool {
		return slices.Contains([]string{"author", "authors", "committer", "last-committer", "contributor"}, w)
	}) {
		if err := e.authors(ctx, r, who.At, &b); err != nil {
			return b, err
		}
	}
	slices.SortFunc(b.persons, func(x, y verdict.Barred) int { return strings.Compare(x.Person+"\x00"+x.Role, y.Person+"\x00"+y.Role) })
	return b, nil
}

// requester bars who asks: the person that the request names, and the person whose key runs
// the gate, who could name somebody else. A workload is no person, and cannot approve. One whose
// token names nobody may say for whom it asks, and then bars one more than by its silence: what it
// says is in the record as its word.
func (e *Engine) requester(ctx context.Context, who *Persons, r Request, b *barred) error {
	switch q := r.Requester; {
	case q == nil, q.Kind == "workload":
	case !q.Known:
		b.doubt(fmt.Sprintf("the map knows nobody by the account of who asks (%s)", q.Person), "add the account to its person under people: in the map")
	case q.Claimed != "":
		b.add(q.Person, roleRequester+", as "+q.Claimed+" says")
	default:
		b.add(q.Person, roleRequester)
	}
	id, ok := strings.CutPrefix(r.Actor, "key:")
	if !ok {
		if r.Requester == nil {
			b.doubt("who asks for it is not said", "say who asks: --requester")
		}
		return nil
	}
	h, err := who.keys(ctx)
	if err != nil {
		return err
	}
	if k, known := h.Key(id); known {
		if _, person := e.Map.People[k.Person]; person {
			b.add(k.Person, roleRequester)
		}
	}
	return nil
}

// authors bars everybody who had a hand in the change behind the subject.
func (e *Engine) authors(ctx context.Context, r Request, at ledger.Position, b *barred) error {
	commits, err := e.madeFrom(ctx, r, at)
	if err != nil {
		return err
	}
	if len(commits) == 0 {
		remedy := "have it trusted, which tells its commit: verdict artifact trust " + string(r.Subject.Digest)
		if r.Subject.Kind == verdict.SubjectPlan {
			remedy = "plan from a commit, with nothing else in the tree, and have that judged: verdict plan check FILE"
		}
		b.doubt("which commit it was made from is not known", remedy)
		return nil
	}
	for _, commit := range commits {
		c, why, err := e.change(ctx, r, commit, at)
		if err != nil {
			return err
		}
		if why != "" {
			b.doubt(fmt.Sprintf("who wrote commit %s is not known: %s", commit.Short(), why), "run verdict ci on this commit, with its history")
			continue
		}
		of := " commit " + commit.Short()
		e.hand(b, c.Author, "author of"+of)
		e.hand(b, c.Committer, "committer of"+of)
		for _, one := range c.Commits {
			for _, a := range one.Authors {
				e.hand(b, a, "an author of the change of"+of)
			}
			e.hand(b, one.Committer, "a committer of the change of"+of)
		}
		if err := e.proposer(ctx, r, commit, at, b); err != nil {
			return err
		}
	}
	return nil
}

// proposer bars who asked the forge for the change: the addresses in commits are what their
// maker wrote there, and the forge knows who was logged in.
func (e *Engine) proposer(ctx context.Context, r Request, commit verdict.Digest, at ledger.Position, b *barred) error {
	entries, err := e.find(ctx, ledger.Query{Subject: commit, Kind: verdict.KindChangeReview, At: at, Limit: perNeed})
	if err != nil {
		return fmt.Errorf("find who asked for the change of %s: %w", commit, err)
	}
	for _, entry := range entries {
		if e.rank(entry.Producer, string(verdict.KindChangeReview), Request{Service: r.Service}, at) == Untrusted {
			continue
		}
		told, err := e.said(ctx, entry.Index)
		var review verdict.ChangeReview
		if err == nil && told.failure == nil && told.statement.Decode(&review) == nil && review.State == verdict.StateVerified {
			e.hand(b, review.Author, "who asked for the change of commit "+commit.Short())
		}
	}
	return nil
}

// hand bars one party of a change. A bot is no person; neither is it anybody who could
// approve.
func (e *Engine) hand(b *barred, p verdict.Party, role string) {
	_, here := e.Map.People[p.ID]
	switch {
	case p.ID == "" && !p.Known, p.Bot:
	case p.Known && here:
		if !slices.ContainsFunc(b.persons, func(x verdict.Barred) bool { return x.Person == p.ID }) {
			b.add(p.ID, role)
		}
	case p.Known: // the forge itself, or somebody who is no longer of the map
	default:
		b.doubt(fmt.Sprintf("%s (%s) is nobody whom the map knows", p.ID, role), "add the account to its person under people: in the map, then run verdict ci on the commit again")
	}
}

// madeFrom are the commits that the subject was made from, as the trusted decisions about
// it say.
func (e *Engine) madeFrom(ctx context.Context, r Request, at ledger.Position) ([]verdict.Digest, error) {
	if r.Subject.Digest.Algorithm() == "gitCommit" {
		return []verdict.Digest{r.Subject.Digest}, nil
	}
	if r.Subject.Kind == verdict.SubjectPlan {
		return e.plannedFrom(ctx, r, at)
	}
	var from []verdict.Digest
	err := e.eachEarlier(ctx, r, at, func(d *earlier) bool {
		from = slices.DeleteFunc(slices.Clone(d.From), func(x verdict.Digest) bool { return x.Algorithm() != "gitCommit" })
		return len(from) == 0
	})
	return from, err
}

// eachEarlier gives the trusted decisions that earlier points took about the subject for the
// service, newest first, as long as more are asked for. One that cannot be read says nothing.
// Each point is asked about by itself: a gate may have been asked any number of times.
func (e *Engine) eachEarlier(ctx context.Context, r Request, at ledger.Position, more func(*earlier) bool) error {
	var entries []ledger.Entry
	for _, p := range e.Map.Points {
		if p.Layer == verdict.LayerDeploy {
			continue
		}
		of, err := e.find(ctx, ledger.Query{Subject: r.Subject.Digest, Kind: verdict.KindDecision, Point: p.ID, At: at, Limit: perNeed})
		if err != nil {
			return fmt.Errorf("find what was decided about %s: %w", r.Subject.Digest, err)
		}
		entries = append(entries, of...)
	}
	slices.SortFunc(entries, func(a, b ledger.Entry) int { return cmp.Compare(b.Index, a.Index) })
	for _, entry := range entries {
		p, known := e.Map.Point(entry.Context.Point)
		if !known || entry.Foreign || e.rank(entry.Producer, p.Produces.Kind, Request{Service: r.Service}, at) == Untrusted {
			continue
		}
		told, err := e.said(ctx, entry.Index)
		if err != nil || told.decided == nil || told.unread != nil {
			continue
		}
		if told.decided.Service == r.Service && !more(told.decided) {
			return nil
		}
	}
	return nil
}

// plannedFrom is the commit of a plan, as whoever checked it states.
func (e *Engine) plannedFrom(ctx context.Context, r Request, at ledger.Position) ([]verdict.Digest, error) {
	entries, err := e.find(ctx, ledger.Query{Subject: r.Subject.Digest, Kind: verdict.KindTestResult, At: at, Limit: perNeed})
	if err != nil {
		return nil, fmt.Errorf("find what plan %s was made from: %w", r.Subject.Digest, err)
	}
	for _, entry := range entries { // newest first
		told, err := e.said(ctx, entry.Index)
		if err != nil || told.report == nil || told.report.Check != needPlan || told.report.Plan == nil || e.rank(entry.Producer, needPlan, Request{Service: r.Service}, at) == Untrusted {
			continue
		}
		if c := told.report.Plan.Commit; c.Algorithm() == "gitCommit" {
			return []verdict.Digest{c}, nil
		}
		return nil, nil
	}
	return nil, nil
}

// change is what a trusted producer says of a commit's change; why, that nothing is known.
// Who a statement of another map names counts here too: ids of persons stay.
func (e *Engine) change(ctx context.Context, r Request, commit verdict.Digest, at ledger.Position) (c *verdict.Change, why string, err error) {
	entries, err := e.find(ctx, ledger.Query{Subject: commit, Kind: verdict.KindTestResult, At: at, Limit: perNeed})
	if err != nil {
		return nil, "", fmt.Errorf("find the change of %s: %w", commit, err)
	}
	why = "nobody has stated its change"
	for _, entry := range entries { // newest first
		if e.ofAnother(entry.Index, needChange) || e.rank(entry.Producer, needChange, Request{Service: r.Service}, at) == Untrusted {
			continue
		}
		told, err := e.said(ctx, entry.Index)
		if err != nil {
			why = err.Error()
			continue
		}
		if told.report == nil || told.report.Check != needChange || told.report.Change == nil {
			continue
		}
		if c := told.report.Change; c.State == verdict.StateVerified {
			return c, "", nil
		} else if why = c.Why; why == "" {
			why = "its change is " + string(c.State)
		}
		return nil, why, nil
	}
	return nil, why, nil
}
