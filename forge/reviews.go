package forge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
)

// Push is a change of a request's head.
type Push struct {
	At     time.Time
	Commit string
}

// HeadAt is the head that a request had at the time; empty when that cannot be told. It
// is how a review finds its commit on a forge that keeps the time alone.
func HeadAt(pushes []Push, at time.Time) string {
	var head Push
	if at.IsZero() {
		return ""
	}
	for _, p := range pushes {
		if !p.At.After(at) && !p.At.Before(head.At) {
			head = p
		}
	}
	return head.Commit
}

// Latest keeps the opinion of each account that counts: the last that is not a comment,
// or else its last comment. Accounts without an id cannot be told apart, so each of
// their reviews stays.
func Latest(all []Review) []Review {
	slices.SortStableFunc(all, byTime)
	at := map[string]int{}
	out := []Review{}
	for _, r := range all {
		i, seen := at[r.By.ID]
		switch {
		case r.By.ID == "" || !seen:
			at[r.By.ID] = len(out)
			out = append(out, r)
		case r.State != Commented || out[i].State == Commented:
			out[i] = r
		}
	}
	slices.SortStableFunc(out, byTime)
	return out
}

// Settle joins what a forge counts at present with its history, for forges that keep no
// reviews: an opinion of the present finds its time and commit in the last entry of its
// account, if that says the same, and an opinion that only the history has was taken back.
// The history may be sorted anew.
func Settle(present, history []Review) []Review {
	slices.SortStableFunc(history, byTime)
	opinionated := map[string]bool{}
	for _, h := range history {
		opinionated[h.By.ID] = opinionated[h.By.ID] || h.By.ID != "" && h.State != Dismissed
	}
	out := slices.DeleteFunc(slices.Clone(present), func(r Review) bool { return r.State == Commented && opinionated[r.By.ID] })
	counted := map[string]bool{}
	for i, r := range out {
		if r.By.ID == "" {
			continue
		}
		counted[r.By.ID] = true
		for _, h := range slices.Backward(history) {
			if h.By.ID == r.By.ID {
				if h.State == r.State {
					out[i].At, out[i].Commit = h.At, h.Commit
				}
				break // an older entry of the same kind is another opinion
			}
		}
	}
	for _, h := range slices.Backward(history) {
		if h.By.ID != "" && h.State != Dismissed && !counted[h.By.ID] {
			counted[h.By.ID] = true
			h.State = Dismissed
			out = append(out, h)
		}
	}
	slices.SortStableFunc(out, byTime)
	return out
}

func byTime(a, b Review) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.By.ID, b.By.ID)) }

// Lack notes that something could not be read, once for each name.
func (r *Request) Lack(what, why, remedy string) {
	i, found := slices.BinarySearchFunc(r.Missing, what, func(m Missing, w string) int { return cmp.Compare(m.What, w) })
	if !found {
		r.Missing = slices.Insert(r.Missing, i, Missing{what, why, remedy})
	}
}

// Withheld notes what a refusal kept back, and gives the error back when it is none.
func (r *Request) Withheld(what string, err error) error {
	if refusal, ok := Refused(err); ok {
		e := verdict.AsError(err)
		r.Lack(what, fmt.Sprintf("%s does not show it to this token (%v)", r.Forge, refusal), e.Remedy)
		return nil
	}
	return err
}

// LackCommits notes reviews that count and whose commit nobody could tell.
func (r *Request) LackCommits(why, remedy string) {
	for _, v := range r.Reviews {
		if v.Commit == "" && (v.State == Approved || v.State == ChangesRequested) {
			r.Lack(MissingCommit, why, remedy)
		}
	}
}

// Hex reports whether s is a full commit id: 40 or 64 lower-case hex digits.
func Hex(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// CheckCommit refuses what is no full commit id, before it becomes part of an address.
func CheckCommit(commit string) error {
	if Hex(commit) {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeUsage, What: fmt.Sprintf("%.80q is no full commit id", commit),
		Remedy: "give all 40 (or 64) lower-case hex digits, as git rev-parse prints them",
	}
}

// CheckID refuses what is no request's number, before it becomes part of an address.
func CheckID(id string) error {
	if id != "" && len(id) <= 18 && id[0] != '0' && strings.Trim(id, "0123456789") == "" {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeUsage, What: fmt.Sprintf("%.80q is no number of a request", id),
		Remedy: "give the number alone, as the forge shows it behind # or !",
	}
}

// FirstSet is the name of the first variable that has a value, or "".
func FirstSet(env func(string) string, names ...string) string {
	for _, n := range names {
		if env(n) != "" {
			return n
		}
	}
	return ""
}

// Branch is the short name of a branch.
func Branch(ref string) string { return strings.TrimPrefix(ref, "refs/heads/") }
