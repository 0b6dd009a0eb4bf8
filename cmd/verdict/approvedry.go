package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/report"
)

// supposed is an answer as it stands when all that it lacks is said, so that a dry run tells
// of what else is in its way; with the flags that it lacks, and how long it can hold.
func supposed(asked *decide.Pending, a verdict.Approval) (whole verdict.Approval, lacks []string, longest string) {
	lacks = []string{}
	point, ok := asked.Map.Point(asked.Decision.Point)
	if !ok || point.Review == nil {
		return a, lacks, ""
	}
	if a.Step == verdict.StepApprove {
		longest = point.Review.MaxValidity.String()
		if a.Scope == "" {
			lacks = append(lacks, "scope")
		}
	}
	if a.Rationale == "" {
		lacks = append(lacks, "rationale")
	}
	if a.Step == verdict.StepApprove && a.Expires.IsZero() {
		lacks = append(lacks, "expires")
		a.Expires = a.Created.Add(time.Duration(point.Review.MaxValidity))
	}
	a.Scope, a.Rationale = cmp.Or(a.Scope, "not said yet"), cmp.Or(a.Rationale, "not said yet")
	return a, lacks, longest
}

// toSign says what a dry run found to be still needed.
func (x answered) toSign() string {
	out := ""
	if x.Longest != "" {
		out = fmt.Sprintf(" It can hold for %s at most.", x.Longest)
	}
	if x.Answer.Step == verdict.StepApprove && x.Persons > 1 {
		out += fmt.Sprintf(" It takes %d persons, and with %s it would be %d.", x.Persons, x.Answer.By, len(x.Given))
	}
	if len(x.Lacks) > 0 {
		out += " Still to be said: " + listed(x.Lacks) + "."
	}
	return out
}

// signing is the command that signs what a dry run has shown, with words in capitals for
// what is still to be said.
func (x answered) signing() string {
	a := x.Answer
	words := []string{"verdict", string(a.Step), a.Decision}
	if !a.SignedIn {
		words = append(words, "--as", a.By)
	}
	say := func(flag, text, word string) {
		if text != "" {
			word = shellText(text)
		}
		words = append(words, "--"+flag, word)
	}
	if a.Step == verdict.StepApprove {
		say("scope", a.Scope, "TEXT")
	}
	say("rationale", a.Rationale, "TEXT")
	if a.Step == verdict.StepApprove {
		until := ""
		if !a.Expires.IsZero() {
			until = a.Expires.Format(time.RFC3339)
		}
		say("expires", until, x.Longest)
	}
	return report.Neutral(strings.Join(words, " "))
}

// withKey is how a command names the key of whoever types it; nothing where a server signs.
func withKey(signedIn bool) string {
	if signedIn {
		return ""
	}
	return " --as KEY"
}

// rejections tells of answers by others that a yes does not lift.
func (x answered) rejections(s report.Style) string {
	var out string
	for _, id := range x.Rejected {
		out += report.Wrap(fmt.Sprintf("%s rejected these facts, and they stay denied until that is taken back:", x.RejectedBy[id]), s.Width, "") + "\n"
		out += "  verdict approve --withdraw " + id + " --as KEY\n"
	}
	return out
}
