package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
)

// codeTold says in a few words what a statement of the code layer tells, and how well its
// producer knew it. False for any other statement.
func codeTold(s *evidence.Statement) (words string, state verdict.State, ok bool) {
	var known verdict.Knowledge
	if r, is := evidence.ReportOf(s); is && r.Change != nil {
		known, words = r.Change.Knowledge, changeTold(*r.Change)
	} else {
		switch s.Kind() {
		case verdict.KindOwnership:
			var o verdict.Ownership
			if s.Decode(&o) != nil {
				return "", "", false
			}
			known, words = o.Knowledge, ownershipTold(o)
		case verdict.KindChangeReview:
			var r verdict.ChangeReview
			if s.Decode(&r) != nil {
				return "", "", false
			}
			known, words = r.Knowledge, reviewTold(r)
		default:
			return "", "", false
		}
	}
	if known.State != verdict.StateVerified {
		words = known.Why
	}
	return words, cmp.Or(known.State, verdict.StateUnknown), true
}

func changeTold(c verdict.Change) string {
	var authors []string
	for _, x := range c.Commits {
		for _, a := range x.Authors {
			if !slices.Contains(authors, a.ID) {
				authors = append(authors, a.ID)
			}
		}
	}
	lines := "lines unknown"
	if c.Added >= 0 {
		lines = fmt.Sprintf("%s added, %d removed", countOf(int(c.Added), "line"), c.Removed)
	}
	return fmt.Sprintf("%s by %s; %s, %s", countOf(len(c.Commits), "commit"), someOf(authors), countOf(len(c.Files), "path"), lines)
}

func ownershipTold(o verdict.Ownership) string {
	var owners []string
	unowned, disputed, protected := 0, 0, 0
	for _, g := range o.Groups {
		for _, c := range g.Claims {
			for _, name := range c.Owners {
				if !slices.Contains(owners, name) {
					owners = append(owners, name)
				}
			}
		}
		if g.Unowned() {
			unowned += len(g.Paths)
		}
		if g.Conflict {
			disputed += len(g.Paths)
		}
		if g.Protected {
			protected += len(g.Paths)
		}
	}
	words := "owned by " + someOf(owners)
	for _, more := range []struct {
		n    int
		what string
	}{{unowned, "without an owner"}, {disputed, "with owners that differ"}, {protected, "protected"}} {
		if more.n > 0 {
			words += fmt.Sprintf("; %s %s", countOf(more.n, "path"), more.what)
		}
	}
	return words
}

func reviewTold(r verdict.ChangeReview) string {
	var said []string
	for _, a := range r.Approvals {
		how := map[string]string{verdict.ApprovalStands: "approved by", verdict.ApprovalStale: "stale approval by", verdict.ApprovalDismissed: "dismissed approval by"}[a.Standing]
		said = append(said, cmp.Or(how, "approval of an unknown commit by")+" "+a.By.ID)
	}
	if len(said) == 0 {
		said = append(said, "approved by nobody")
	}
	words := fmt.Sprintf("%s asked for by %s: %s", r.Request, r.Author.ID, someOf(said))
	if r.Merged {
		words += "; merged by " + r.MergedBy.ID
	}
	return words
}

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// someOf lists a few names and counts the rest.
func someOf(names []string) string {
	const few = 5
	switch {
	case len(names) == 0:
		return "nobody"
	case len(names) > few:
		return strings.Join(names[:few], ", ") + fmt.Sprintf(" and %d more", len(names)-few)
	}
	return strings.Join(names, ", ")
}
