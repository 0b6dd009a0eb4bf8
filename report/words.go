package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"verdict"
)

// answer is an outcome in words. The mark and the words say the same, so that neither
// colour nor a symbol carries meaning alone.
type answer struct {
	mark  string
	words string
	code  string // how to paint it
}

// answerOf is what one decision said, and what its mode made of it.
func answerOf(d verdict.Decision, nothing bool) answer {
	let := d.Enforced == verdict.Allow
	under := " (mode " + word(string(d.Mode)) + ")"
	switch {
	case d.BreakGlass != "" && let:
		return answer{"!", "allowed by break-glass " + name(d.BreakGlass), care}
	case d.Outcome == verdict.Allow && nothing:
		return answer{"–", "allowed: nothing to judge", care}
	case d.Outcome == verdict.Allow && let:
		return answer{"✓", "allowed" + lifted(d), good}
	case let && unknown(d):
		return answer{"?", "not known" + under, care}
	case d.Outcome == verdict.Deny && let:
		return answer{"!", "would have been denied" + under, care}
	case d.Outcome == verdict.Deny:
		return answer{"✗", "denied", bad}
	case d.Outcome == verdict.Review && let:
		return answer{"!", "would have needed approval" + under, care}
	case d.Outcome == verdict.Review:
		return answer{"✗", "needs approval", bad}
	case let:
		return answer{"?", "could not decide" + under, care}
	}
	return answer{"?", "could not decide", bad}
}

// missing is the generic rule about evidence that somebody else owes.
const missing = "evidence.missing"

// unknown reports whether a decision denies for nothing but evidence that nobody stated:
// where it does not block, that is something unknown and nothing found.
func unknown(d verdict.Decision) bool {
	return d.Outcome == verdict.Deny && !slices.ContainsFunc(d.Reasons, func(r verdict.Reason) bool {
		return r.Rule != missing && r.Standing == verdict.Counts && r.Effect == verdict.EffectDeny
	})
}

// lifted says that an allow rests on people's words.
func lifted(d verdict.Decision) string {
	accepted, approved, announced := 0, 0, 0
	for _, r := range d.Reasons {
		switch r.Standing {
		case verdict.Accepted:
			accepted++
		case verdict.Approved:
			approved++
		case verdict.Announced:
			announced++
		}
	}
	var parts []string
	if accepted > 0 {
		parts = append(parts, count(accepted, "accepted risk", "accepted risks"))
	}
	if approved > 0 {
		parts = append(parts, count(approved, "reason", "reasons")+" approved"+approvers(d))
	}
	if announced > 0 {
		parts = append(parts, count(announced, "announced rule", "announced rules")+" not in force yet")
	}
	if len(parts) == 0 {
		return ""
	}
	return ", with " + strings.Join(parts, " and ")
}

// approvers are the persons whose approvals an answer rests on. One person can approve
// several reasons at once, so that persons and reasons are told apart.
func approvers(d verdict.Decision) string {
	if d.Lifted == nil || len(d.Lifted.Approvals) == 0 {
		return ""
	}
	var who []string
	for _, a := range d.Lifted.Approvals {
		who = append(who, word(a.By))
	}
	slices.Sort(who)
	return " by " + listed(slices.Compact(who), 3)
}

// headline is the answer of a run in a few words.
func (r Run) headline() answer {
	switch r.Exit() {
	case verdict.CodeRefused.Exit():
		return answer{"✗", "BLOCKED", bad}
	case verdict.CodeReview.Exit():
		return answer{"✗", "NEEDS APPROVAL", bad}
	case 0:
	default:
		return answer{"?", "COULD NOT DECIDE", bad}
	}
	glass, denied, lacking, nothing := false, false, false, len(r.Reports) > 0
	for _, d := range r.Decisions {
		glass = glass || d.BreakGlass != ""
		lacking = lacking || unknown(d)
		denied = denied || d.Outcome == verdict.Deny && !unknown(d)
	}
	for _, p := range r.Reports {
		nothing = nothing && nothingToJudge(p)
	}
	switch {
	case glass:
		return answer{"!", "ALLOWED BY BREAK-GLASS", care}
	case denied: // a real failure is said before what is unknown
		return answer{"!", "ALLOWED, BUT WOULD HAVE BEEN DENIED", care}
	case r.Outcome() == verdict.Undecided:
		return answer{"?", "ALLOWED, BUT NOT DECIDED", care}
	case r.Outcome() == verdict.Review:
		return answer{"!", "ALLOWED, BUT WOULD HAVE NEEDED APPROVAL", care}
	case lacking:
		return answer{"!", "ALLOWED, BUT NOT EVERYTHING IS KNOWN", care}
	case nothing:
		return answer{"–", "ALLOWED: NOTHING TO JUDGE", care}
	case !r.complete():
		return answer{"!", "ALLOWED, BUT NOT EVERYTHING WAS CHECKED", care}
	}
	return answer{"✓", "ALLOWED", good}
}

// nothing reports whether the check behind a ci decision found nothing that it could
// have judged. "ci.secrets" rests on the check "secrets".
func (r Run) nothing(d verdict.Decision) bool {
	_, check, _ := strings.Cut(d.Point, ".")
	for _, p := range r.Reports {
		if p.Check == check {
			return nothingToJudge(p)
		}
	}
	return false
}

// nothingToJudge reports whether a complete check had no input: no lockfile, no file. Of
// another tool it is never said: many count nothing that they looked at.
func nothingToJudge(p verdict.Report) bool {
	if !p.Complete || len(p.Hits) > 0 || p.Source != "" {
		return false
	}
	if p.Check == "secrets" {
		return p.Scope.Files == 0
	}
	return p.Scope.Inputs == 0 && p.Scope.Components == 0
}

// subjectText names a subject for a person.
func subjectText(s verdict.Subject) string {
	id := word(s.Digest.Short())
	name := word(s.Name)
	switch s.Kind {
	case verdict.SubjectChange:
		return join("commit", id, of(name))
	case verdict.SubjectTree:
		return join("uncommitted tree", id, of(name))
	case "":
		return cmp.Or(join(name, id), "nothing")
	}
	return join(word(string(s.Kind)), name, id)
}

func lower(s string) string { return strings.ToLower(s) }

func of(name string) string {
	if name == "" {
		return ""
	}
	return "of " + name
}

// join puts spaces between the words that are there.
func join(words ...string) string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

// name is a foreign identifier as a label: short enough for a column.
func name(s string) string { return Cut(fit(s, 60), 40) }

// advice is what is wrong and what to do, as two sentences of one line.
func advice(what, fix string) string {
	if fix == "" {
		return what
	}
	if what != "" && !strings.ContainsAny(what[len(what)-1:], ".!?:;") {
		what += "."
	}
	return what + " Fix: " + fix
}

// shortID is enough of a decision's id to find it again.
func shortID(id string) string {
	if id == "" {
		return "ID"
	}
	return Cut(word(id[:min(len(id), 12)]), 24)
}

func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// number has commas between the thousands.
func number[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size is bytes for a person.
func size(n int64) string {
	switch {
	case n < 1000:
		return count(n, "byte", "bytes")
	case n < 1_000_000:
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// age is how long before now something was, in the largest whole unit. It is empty when
// either time is not known, and says so when the clock runs the wrong way.
func age(at, now time.Time) string {
	if at.IsZero() || now.IsZero() {
		return ""
	}
	d := now.Sub(at)
	switch {
	case d < -time.Minute:
		return "in the future"
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int64(d/time.Minute), "minute", "minutes") + " old"
	case d < 48*time.Hour:
		return count(int64(d/time.Hour), "hour", "hours") + " old"
	}
	return count(int64(d/(24*time.Hour)), "day", "days") + " old"
}

// when is a time for a person: UTC, to the minute.
func when(t time.Time) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// day is a date.
func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// fit is foreign text made neutral and bounded. It is bounded before, too: what is
// thrown away needs no work.
func fit(s string, runes int) string { return clip(Neutral(clip(s, runes)), runes) }

// remedy is what to do, whole: a rule can say no more (policy bounds it), and half a command
// is none.
func remedy(s string) string { return fit(s, 8<<10) }

// word is foreign text that names something.
func word(s string) string { return fit(s, 200) }

// clip bounds foreign text, so that one message never fills the page.
func clip(s string, runes int) string {
	if len(s) <= runes {
		return s
	}
	n := 0
	for i := range s {
		if n++; n > runes {
			return s[:i] + "…"
		}
	}
	return s
}
