package forge

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func at(minute int) time.Time { return time.Date(2026, 3, 1, 10, minute, 0, 0, time.UTC) }

func sha(digit string) string { return strings.Repeat(digit, 40) }

// line writes reviews as "who state commit minute", so that a table reads as sentences.
func line(reviews []Review) string {
	var out []string
	for _, r := range reviews {
		minute := "?"
		if !r.At.IsZero() {
			minute = fmt.Sprint(r.At.Minute())
		}
		out = append(out, fmt.Sprintf("%s %s %.1s@%s", r.By.ID, r.State, r.Commit, minute))
	}
	return strings.Join(out, ", ")
}

func review(who, state, digit string, minute int) Review {
	r := Review{By: Account{ID: who}, State: state}
	if digit != "" {
		r.Commit = sha(digit)
	}
	if minute >= 0 {
		r.At = at(minute)
	}
	return r
}

func TestLatestKeepsTheOpinionThatCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		all  []Review
		want string
	}{
		{"a comment does not hide an approval", []Review{review("a", Approved, "1", 1), review("a", Commented, "2", 2)}, "a approved 1@1"},
		{"an approval replaces a comment", []Review{review("a", Commented, "1", 1), review("a", Approved, "2", 2)}, "a approved 2@2"},
		{"a dismissal hides an older approval", []Review{review("a", Approved, "1", 1), review("a", Dismissed, "2", 2)}, "a dismissed 2@2"},
		{"the order is that of time", []Review{review("a", ChangesRequested, "2", 5), review("b", Approved, "1", 3), review("a", Approved, "1", 1)}, "b approved 1@3, a changes_requested 2@5"},
		{"deleted accounts are not one person", []Review{review("", Approved, "1", 1), review("", ChangesRequested, "1", 2)}, " approved 1@1,  changes_requested 1@2"},
		{"nothing", nil, ""},
	} {
		if got := line(Latest(c.all)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestSettleGivesNoApprovalAnotherOnesCommit(t *testing.T) {
	for _, c := range []struct {
		name             string
		present, history []Review
		want             string
	}{
		{"the last entry that says the same", []Review{review("a", Approved, "", -1)}, []Review{review("a", Approved, "1", 1), review("a", Approved, "2", 2)}, "a approved 2@2"},
		{"an approval whose entry is not there", []Review{review("a", Approved, "", -1)}, []Review{review("b", Dismissed, "1", 1)}, "a approved @?"},
		{"an approval after which only a withdrawal is known", []Review{review("a", Approved, "", -1)}, []Review{review("a", Approved, "1", 1), review("a", Dismissed, "1", 2)}, "a approved @?"},
		{"an approval after which another opinion is known", []Review{review("a", Approved, "", -1)}, []Review{review("a", Approved, "1", 1), review("a", ChangesRequested, "1", 2)}, "a approved @?"},
		{"a push took it back", nil, []Review{review("a", Approved, "1", 1)}, "a dismissed 1@1"},
		{"its author took it back", nil, []Review{review("a", Approved, "1", 1), review("a", Dismissed, "2", 2)}, "a dismissed 1@1"},
		{"a comment of today does not hide what was taken back", []Review{review("a", Commented, "", -1)}, []Review{review("a", Approved, "1", 1)}, "a dismissed 1@1"},
		{"a deleted account has no history", []Review{review("", Approved, "", -1)}, []Review{review("", Approved, "1", 1)}, " approved @?"},
	} {
		if got := line(Settle(c.present, c.history)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestHeadAtIsEmptyWhenNobodyKnows(t *testing.T) {
	pushes := []Push{{at(20), sha("2")}, {at(10), sha("1")}} // in any order
	for minute, want := range map[int]string{5: "", 10: "1", 19: "1", 20: "2", 59: "2"} {
		if got := HeadAt(pushes, at(minute)); got != strings.Repeat(want, 40) {
			t.Errorf("at %d the head was %.1s, want %s", minute, got, want)
		}
	}
	if got := HeadAt(pushes, time.Time{}); got != "" {
		t.Errorf("without a time there is a head: %s", got)
	}
}

func TestLacksSpeaksOfPartsAndWholes(t *testing.T) {
	var r Request
	r.Lack(MissingCommit, "x", "y")
	r.Lack(MissingProtection, "x", "y")
	r.Lack(MissingProtection, "again", "y")
	if len(r.Missing) != 2 || r.Missing[0].What != MissingProtection {
		t.Errorf("missing is not one sorted entry for each name: %+v", r.Missing)
	}
	for what, want := range map[string]bool{
		MissingReviews: true, MissingCommit: true, MissingEntitled: false, MissingProtection: true, MissingSigned: true, MissingRequired: false, MissingHead: false,
	} {
		if r.Lacks(what) != want {
			t.Errorf("%s is lacking: %v", what, !want)
		}
	}
}

// FuzzHeaders: no header of a forge or of a proxy between makes us wait for days, go back
// in time, or fall over.
func FuzzHeaders(f *testing.F) {
	f.Add(`<https://a.example/x?page=2>; rel="next", <https://a.example/x?page=9>; rel="last"`, "7", "0", "1772359200")
	f.Add("<", "-1", "0", "99999999999999999999")
	f.Add(`<a>;rel=next`, "Sun, 01 Mar 2026 10:01:00 GMT", "", "")
	c, err := NewClient(API{Base: "https://forge.example"}, Options{Now: func() time.Time { return at(0) }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, link, retry, remaining, reset string) {
		h := http.Header{"Link": {link}, "Retry-After": {retry}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}}
		if pause, _ := c.pauseOf(h); pause < 0 || pause > 24*time.Hour {
			t.Fatalf("a pause of %v", pause)
		}
		if next := nextLink(h); !strings.Contains(link, next) {
			t.Fatalf("the next page %q is not in %q", next, link)
		}
	})
}
