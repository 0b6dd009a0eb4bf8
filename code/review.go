package code

import (
	"context"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/forge"
	"verdict/identity"
)

// Pick chooses the request that the commit came with: the one that brought it to its
// target, else the one of which it is the head. Of several it is the first that is open,
// else the first. False when none is about the commit.
func Pick(all []forge.Request, commit string) (forge.Request, bool) {
	for _, fits := range []func(forge.Request) bool{
		func(r forge.Request) bool { return r.Merge == commit },
		func(r forge.Request) bool { return r.Head == commit && r.State == forge.Open },
		func(r forge.Request) bool { return r.Head == commit },
	} {
		if i := slices.IndexFunc(all, fits); i >= 0 {
			return all[i], true
		}
	}
	return forge.Request{}, false
}

// Untold is the review of a change of which a forge was asked and told nothing.
func Untold(q Question, why, remedy string) verdict.ChangeReview {
	return verdict.ChangeReview{
		Knowledge: missing(shown(why), shown(remedy)), Map: q.Map.Digest(), Asked: q.Now.UTC().Truncate(time.Microsecond), Forge: q.Forge,
		Author: verdict.Party{ID: "unknown"}, MergedBy: verdict.Party{ID: "unknown"}, Required: forge.Unknown,
		Approvals: []verdict.ChangeApproval{}, Objecting: []verdict.Party{}, Protection: []string{}, Unread: []string{},
	}
}

// Review says what a request tells of the review of the change. An approval stands when
// it was given for the request's last commit, and the change is that commit, or what the
// forge made of it.
func Review(ctx context.Context, q Question, r forge.Request) (verdict.ChangeReview, error) {
	out := verdict.ChangeReview{
		Knowledge: verified, Map: q.Map.Digest(), Asked: q.Now.UTC().Truncate(time.Microsecond), Forge: r.Forge, Request: shown(r.Repo + "#" + r.ID), URL: shown(r.URL), Author: q.account(r.Forge, r.Author),
		Approvals: []verdict.ChangeApproval{}, Objecting: []verdict.Party{}, Required: r.Required,
		Merged: r.State == forge.Merged, MergedBy: verdict.Party{ID: "unknown"}, MergedAt: r.MergedAt.UTC().Truncate(time.Microsecond), Bypassed: r.Bypassed,
		Protection: protection(r.Protection), Unread: []string{},
	}
	if out.Merged {
		out.MergedBy = q.account(r.Forge, r.MergedBy)
	}
	for _, m := range r.Missing {
		switch m.What {
		case forge.MissingReviews, forge.MissingHead, forge.MissingMerge:
			if out.State == verdict.StateVerified {
				out.Knowledge = missing("the forge does not tell the "+m.What+" of "+out.Request+": "+m.Why, m.Remedy)
			}
		default:
			out.Unread = append(out.Unread, m.What)
		}
	}
	if d, err := verdict.ParseDigest("gitCommit:" + r.Head); err == nil {
		out.Head = d
	} else if out.State == verdict.StateVerified {
		out.Knowledge = missing("the forge does not tell the last commit of "+out.Request, "run `verdict ci` again; if it stays so, give the pipeline's token the right to read pull requests")
	}
	if out.State == verdict.StateVerified {
		known, err := q.about(ctx, r)
		if err != nil {
			return out, err
		}
		out.Knowledge = known
	}
	for _, review := range r.Reviews {
		by := q.account(r.Forge, review.By)
		switch review.State {
		case forge.Approved, forge.Dismissed:
			out.Approvals = append(out.Approvals, verdict.ChangeApproval{By: by, Standing: standing(review, r.Head), At: review.At.UTC().Truncate(time.Microsecond)})
		case forge.ChangesRequested:
			out.Objecting = append(out.Objecting, by)
		}
	}
	return out, nil
}

// about says whether the request is about the commit that is asked about, and covers all
// of the change: whoever approved a part of it has not seen the rest.
func (q Question) about(ctx context.Context, r forge.Request) (verdict.Knowledge, error) {
	name := shown(r.Repo + "#" + r.ID)
	if r.Merge == q.Head {
		return q.broughtAlone(ctx, r, name)
	}
	if r.Head != q.Head {
		known, err := q.asMerged(ctx, r, name)
		if err != nil || known.State != verdict.StateVerified {
			return known, err
		}
	}
	return q.measuredAlike(ctx, r, name)
}

// inBase reports whether the base of the change holds the commit.
func (q Question) inBase(ctx context.Context, commit string) (bool, error) {
	if q.Base == "" || commit == q.Base {
		return commit == q.Base, nil
	}
	fork, err := q.Repo.Fork(ctx, commit, q.Base)
	return fork == commit, err
}

// standing is what an approval is worth at the request's last commit.
func standing(r forge.Review, head string) string {
	switch {
	case r.State == forge.Dismissed:
		return verdict.ApprovalDismissed
	case r.Commit == "":
		return verdict.ApprovalUnknown
	case r.Commit == head:
		return verdict.ApprovalStands
	}
	return verdict.ApprovalStale
}

// account says whose account of a forge it is.
func (q Question) account(system string, a forge.Account) verdict.Party {
	word := a.Login
	if word == "" {
		word = a.ID
	}
	p := q.People.party(identity.System(system), word)
	p.Bot = a.Bot
	return p
}

// protection names what is enforced for certain, in the order of the letters.
func protection(p forge.Protection) []string {
	out := []string{}
	for _, rule := range []struct {
		name string
		is   bool
	}{
		{"applies_to_admins", p.AppliesToAdmins}, {"dismisses_stale", p.DismissesStale}, {"forbids_force_push", p.ForbidsForcePush},
		{"requires_code_owner", p.RequiresCodeOwner}, {"requires_review", p.RequiresReview}, {"requires_signed", p.RequiresSigned},
	} {
		if rule.is {
			out = append(out, rule.name)
		}
	}
	return out
}

// Levels are the levels of SLSA's source track, and properties beside them, that the
// facts carry for certain; none when they carry none. No level above the second is ever
// among them: those rest on controls that were in force without a break, which one look
// at a forge cannot tell.
func Levels(c verdict.Change, r verdict.ChangeReview) []string {
	if r.State != verdict.StateVerified || c.State != verdict.StateVerified || !r.Merged || r.Bypassed || !slices.Contains(r.Protection, "forbids_force_push") {
		return nil
	}
	levels := []string{evidence.SourceLevel(2)}
	authors, known := Contributors(c, r)
	for _, a := range r.Approvals {
		if known && a.Standing == verdict.ApprovalStands && a.By.Known && !a.By.Bot && !slices.Contains(authors, a.By.ID) {
			return append([]string{evidence.SourceReviewed}, levels...)
		}
	}
	return levels
}

// Contributors are the ids of everybody who had a hand in the change: authors,
// committers, and who asked for it. Known is false when one of them is nobody that the
// directory knows.
func Contributors(c verdict.Change, r verdict.ChangeReview) (ids []string, known bool) {
	known = len(c.Commits) > 0
	add := func(p verdict.Party) {
		known = known && p.Known
		ids = append(ids, p.ID)
	}
	for _, commit := range c.Commits {
		for _, a := range commit.Authors {
			add(a)
		}
		add(commit.Committer)
	}
	add(r.Author)
	slices.Sort(ids)
	return slices.Compact(ids), known
}

// locator is the address of a repository as a resource: git+ in front of a URL.
func locator(address string) string {
	address = strings.TrimSuffix(address, "/")
	if strings.Contains(address, "://") {
		return "git+" + address
	}
	return "git+ssh://" + strings.Replace(address, ":", "/", 1)
}

// Summary is the predicate of SLSA's verification summary for a commit with levels.
func Summary(commit verdict.Subject, at time.Time, levels []string) evidence.Summary {
	return evidence.Summary{
		Verifier: evidence.SummaryVerifier{ID: evidence.SourceVerifier}, At: at.UTC().Truncate(time.Microsecond), Resource: locator(commit.Name) + "@" + commit.Digest.Hex(),
		Policy: evidence.Resource("https://slsa.dev/spec/v1.2/source-requirements", ""), Result: evidence.SummaryPassed, Levels: levels, SLSA: evidence.SLSAVersion,
	}
}
