// Package code is the first layer: who owns what a change touches, what git knows of the
// change, and what a forge knows of its review.
//
// It states facts and judges nothing. Three things hold for all of them. They are about a
// commit, never about a working tree. What says who owns or decides is read as the base
// of the change has it, so that no change can make itself owned. And whatever could not
// be known is stated as such, with what would make it known: an empty answer is never
// given for one that could not be had.
package code

import (
	"errors"
	"strconv"
	"strings"

	"verdict"
)

// Limits of what is read. Beyond them an answer is missing, and never a part of itself.
const (
	maxFiles      = 20_000  // changed paths of one change
	maxCommits    = 5_000   // commits of one change
	maxOwnership  = 3 << 20 // bytes of one ownership file: what GitHub reads
	maxRules      = 20_000  // of one ownership file
	maxCatalogs   = 2_000   // catalog files of a repository
	maxFaults     = 20      // lines of a source that are told as faulty
	maxClaimOwner = 100     // owners of one line
)

// verified is the state of what was read to its end.
var verified = verdict.Knowledge{State: verdict.StateVerified}

// missing says what could not be known, and what would make it known.
func missing(why, remedy string) verdict.Knowledge {
	return verdict.Knowledge{State: verdict.StateMissing, Why: why, Remedy: remedy}
}

// notHeld says what an error of git means that this clone does not hold something: it was
// not fetched, so nothing is known of it. False for any other error.
func notHeld(err error) (verdict.Knowledge, bool) {
	var e *verdict.Error
	if errors.As(err, &e) && e.Code == verdict.CodeUnavailable {
		return missing(e.What, e.Remedy+"; then run `verdict ci` again"), true
	}
	return verdict.Knowledge{}, false
}

// shown makes a path or a word of the repository harmless and short enough to keep.
func shown(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		s = strconv.Quote(s)
	}
	if len(s) > 1000 {
		s = s[:1000] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
