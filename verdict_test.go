package verdict

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestParseDigest(t *testing.T) {
	sha := "sha256:" + strings.Repeat("a", 64)
	for name, tc := range map[string]struct {
		in string
		ok bool
	}{
		"a full sha256 is accepted":            {sha, true},
		"a git commit is accepted":             {"gitCommit:" + strings.Repeat("0", 40), true},
		"a sha256 git commit is accepted":      {"gitCommit:" + strings.Repeat("0", 64), true},
		"md5 alone is refused":                 {"md5:" + strings.Repeat("a", 32), false},
		"sha1 alone is refused":                {"sha1:" + strings.Repeat("a", 40), false},
		"a shortened digest is refused":        {"sha256:abcd", false},
		"upper case is refused":                {strings.ToUpper(sha), false},
		"a digest without algorithm":           {strings.Repeat("a", 64), false},
		"an empty value is refused":            {"", false},
		"a digest with a newline at its end":   {sha + "\n", false},
		"letters that are no hex are refused":  {"sha256:" + strings.Repeat("g", 64), false},
		"a path hidden in a digest is refused": {"sha256:../" + strings.Repeat("a", 61), false},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := ParseDigest(tc.in)
			if (err == nil) != tc.ok {
				t.Fatalf("ParseDigest(%q) = %q, %v", tc.in, d, err)
			}
			if err != nil && AsError(err).Remedy == "" {
				t.Fatal("the refusal has no remedy")
			}
		})
	}
}

func TestAsErrorAlwaysHasARemedy(t *testing.T) {
	for name, err := range map[string]error{
		"an error of the standard library":    io.ErrUnexpectedEOF,
		"an Error that lost its remedy":       &Error{Code: CodeInvalid, What: "x"},
		"an Error wrapped by its callers":     fmt.Errorf("load map: %w", &Error{Code: CodeUsage, What: "x", Remedy: "do y"}),
		"an Error around a cause":             &Error{Code: CodeUnavailable, What: "x", Remedy: "do y", Err: io.EOF},
		"several errors, one of them with it": errors.Join(io.EOF, &Error{Code: CodeForbidden, What: "x", Remedy: "sign in"}),
	} {
		t.Run(name, func(t *testing.T) {
			e := AsError(err)
			if e.Remedy == "" || e.What == "" || e.Code == "" {
				t.Fatalf("got %+v", e)
			}
		})
	}
	wrapped := AsError(fmt.Errorf("load map: %w", &Error{Code: CodeUsage, What: "x", Remedy: "do y"}))
	if wrapped.Code != CodeUsage || wrapped.What != "load map: x" || wrapped.Remedy != "do y" {
		t.Fatalf("wrapping lost something: %+v", wrapped)
	}
	if AsError(nil) != nil {
		t.Fatal("no error became an error")
	}
}

func TestDecisionExit(t *testing.T) {
	deny := []Reason{{Effect: EffectDeny, Standing: Counts}}
	for name, tc := range map[string]struct {
		d    Decision
		want int
	}{
		"allowed":                              {Decision{Outcome: Allow, Enforced: Allow}, 0},
		"denied, but only observed":            {Decision{Outcome: Deny, Enforced: Allow, Reasons: deny}, 0},
		"blocked":                              {Decision{Outcome: Deny, Enforced: Deny, Reasons: deny}, 3},
		"needs approval":                       {Decision{Outcome: Review, Enforced: Review}, 5},
		"could not decide":                     {Decision{Outcome: Undecided, Enforced: Deny}, 1},
		"a real failure beside an error wins":  {Decision{Outcome: Undecided, Enforced: Deny, Reasons: deny}, 3},
		"an announced failure beside an error": {Decision{Outcome: Undecided, Enforced: Deny, Reasons: []Reason{{Effect: EffectDeny, Standing: Announced}}}, 1},
		"a word that we do not know":           {Decision{Outcome: "maybe", Enforced: "maybe"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.d.Exit(); got != tc.want {
				t.Fatalf("exit %d, want %d", got, tc.want)
			}
		})
	}
}

func TestModeEnforce(t *testing.T) {
	for _, o := range []Outcome{Allow, Review, Deny, Undecided, "maybe"} {
		if got := ModeObserve.Enforce(o); got != Allow {
			t.Errorf("observe enforced %s as %s", o, got)
		}
		if got := Mode("").Enforce(o); o != Allow && o != Review && got != Deny {
			t.Errorf("a mode that nobody set enforced %s as %s", o, got)
		}
	}
	if ModeBlock.Enforce(Undecided) != Deny || ModeBlock.Enforce(Review) != Review {
		t.Error("block must deny on error and keep review")
	}
}

func TestExceptionLiveAt(t *testing.T) {
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	x := Exception{Created: day, Expires: day.AddDate(0, 0, 30)}
	for name, tc := range map[string]struct {
		at      time.Time
		revoked time.Time
		want    bool
	}{
		"from the moment it was created":   {day, time.Time{}, true},
		"not before":                       {day.Add(-time.Microsecond), time.Time{}, false},
		"not from the moment it expires":   {day.AddDate(0, 0, 30), time.Time{}, false},
		"until it is revoked":              {day.AddDate(0, 0, 4), day.AddDate(0, 0, 5), true},
		"not from the moment it's revoked": {day.AddDate(0, 0, 5), day.AddDate(0, 0, 5), false},
	} {
		t.Run(name, func(t *testing.T) {
			x.Revoked = tc.revoked
			if x.LiveAt(tc.at) != tc.want {
				t.Fatalf("LiveAt(%s) = %v", tc.at, !tc.want)
			}
		})
	}
	if (Exception{}).LiveAt(day) || (Approval{}).LiveAt(day) || (BreakGlass{}).LiveAt(day) {
		t.Fatal("a zero value is live")
	}
}
