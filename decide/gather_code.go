package decide

import (
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/policy"
)

// needChange is the need that the check "change" answers.
const needChange = "change"

// readCode takes the statements of the code layer. It is false for any other kind.
func (s *Stated) readCode(statement *evidence.Statement) bool {
	var err error
	switch statement.Kind() {
	case verdict.KindOwnership:
		s.Ownership = new(verdict.Ownership)
		err = statement.Decode(s.Ownership)
		s.Known, s.JoinedBy = &s.Ownership.Knowledge, s.Ownership.Map
		s.Fails = slices.ContainsFunc(s.Ownership.Groups, func(g verdict.OwnedPaths) bool { return g.Unowned() || g.Conflict })
	case verdict.KindChangeReview:
		s.Review = new(verdict.ChangeReview)
		err = statement.Decode(s.Review)
		s.Known, s.JoinedBy = &s.Review.Knowledge, s.Review.Map
		s.Fails = !slices.ContainsFunc(s.Review.Approvals, func(a verdict.ChangeApproval) bool {
			return a.Standing == verdict.ApprovalStands && a.By.Known && !a.By.Bot
		})
	default:
		return false
	}
	if err != nil {
		s.Unreadable = err.Error()
	}
	s.Fails = s.Fails || s.Known.State != verdict.StateVerified
	return true
}

// joinedHere reports whether a statement names people as the map with this digest does. One
// that another map joined says nothing here: who somebody is may have changed since.
func joinedHere(s Stated, here func() verdict.Digest) bool {
	return s.JoinedBy == "" || s.JoinedBy == here()
}

// worse is the state that a producer gives its own statement. A word that is none of
// those for what is not known is unknown.
func worse(s verdict.State) verdict.State {
	switch s {
	case verdict.StateMissing, verdict.StateFailed, verdict.StateStale:
		return s
	}
	return verdict.StateUnknown
}

// fillCode writes what a statement of the code layer says into its group of the input.
func (g *gathered) fillCode(f Fact, s *Stated) {
	switch {
	case f.Need == needChange:
		g.input.Change = change(f, s)
	case f.Need == string(verdict.KindOwnership):
		g.input.Ownership = ownership(f, s)
	default:
		g.input.Review = review(f, s)
	}
}

func change(f Fact, s *Stated) policy.Change {
	out := policy.Change{State: f.State, Lines: -1}
	if s == nil || s.Report == nil || s.Report.Change == nil {
		return out
	}
	c := s.Report.Change
	out.Author, out.Committer, out.Commits, out.IaCTouched, out.Evidence = c.Author.ID, c.Committer.ID, int64(len(c.Commits)), len(c.Infrastructure) > 0, s.Ref.Digest
	if c.Added >= 0 && c.Removed >= 0 {
		out.Lines = c.Added + c.Removed
	}
	for _, x := range c.Files {
		out.Files = append(out.Files, x.Path)
	}
	hand := func(p verdict.Party) {
		one := policy.Contributor{ID: p.ID, Known: p.Known}
		if !slices.Contains(out.Contributors, one) {
			out.Contributors = append(out.Contributors, one)
		}
	}
	for _, x := range c.Commits {
		for _, a := range x.Authors {
			hand(a)
		}
		hand(x.Committer)
		if why, remedy := unsigned(x); why != "" {
			out.Unsigned = append(out.Unsigned, policy.UnsignedCommit{ID: x.ID, Why: why, Remedy: remedy})
		}
	}
	return out
}

// unsigned says why a commit does not count as signed by its committer; "" when it does.
func unsigned(c verdict.Commit) (why, remedy string) {
	s := c.Signature
	switch {
	case s.State != verdict.StateVerified:
		return s.Why, s.Remedy
	case !s.By.Known:
		return "its key belongs to nobody that the map knows", "add the signer's address to its person under people: in the map"
	case s.By.ID != c.Committer.ID:
		return "it is signed by " + s.By.ID + " and committed by " + c.Committer.ID, "commit and sign as one person"
	}
	return "", ""
}

func ownership(f Fact, s *Stated) policy.Ownership {
	out := policy.Ownership{State: f.State}
	if s == nil || s.Ownership == nil {
		return out
	}
	out.Evidence = s.Ref.Digest
	for _, group := range s.Ownership.Groups {
		out.Paths += int64(len(group.Paths))
		owners := []string{}
		for _, c := range group.Claims {
			owners = append(owners, c.Owners...)
		}
		slices.Sort(owners)
		owners = slices.Compact(owners)
		out.Owners = append(out.Owners, owners...)
		for _, path := range group.Paths {
			if group.Unowned() {
				out.Unowned = append(out.Unowned, policy.UnownedPath{Path: path, Brought: claimsText(group.Brought)})
			}
			if group.Conflict {
				out.Disputed = append(out.Disputed, policy.DisputedPath{Path: path, Claims: claimsText(group.Claims)})
			}
			if group.Protected {
				out.Protected = append(out.Protected, policy.ProtectedPath{Path: path, Own: group.Own, Owners: owners, Persons: group.Persons})
			}
		}
	}
	slices.Sort(out.Owners)
	out.Owners = slices.Compact(out.Owners)
	return out
}

// claimsText says for people who claims what, with the line that says it.
func claimsText(claims []verdict.Claim) string {
	var out []string
	for _, c := range claims {
		if len(c.Owners) > 0 {
			out = append(out, c.Place()+" names "+strings.Join(c.Owners, ", "))
		}
	}
	return strings.Join(out, "; ")
}

func review(f Fact, s *Stated) policy.Review {
	out := policy.Review{State: f.State, Required: -1}
	if s == nil || s.Review == nil {
		return out
	}
	r := s.Review
	out.Request, out.Author, out.AuthorKnown, out.Head, out.Required = r.Request, r.Author.ID, r.Author.Known, r.Head, r.Required
	out.Merged, out.MergedBy, out.MergerKnown, out.MergerBot, out.Bypassed = r.Merged, r.MergedBy.ID, r.MergedBy.Known, r.MergedBy.Bot, r.Bypassed
	out.Protection, out.Evidence = append([]string{}, r.Protection...), s.Ref.Digest
	for _, a := range r.Approvals {
		out.Approvals = append(out.Approvals, policy.ApprovalOfChange{Person: a.By.ID, Known: a.By.Known, Bot: a.By.Bot, Standing: a.Standing})
	}
	for _, o := range r.Objecting {
		out.Objecting = append(out.Objecting, o.ID)
	}
	return out
}
