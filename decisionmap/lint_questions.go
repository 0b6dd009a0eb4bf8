package decisionmap

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"verdict"
)

// second finds the beginning of another question inside a question: a conjunction and a
// word that asks, or a stop and a verb that asks. After a comma "which" and "where" go on
// with the same question.
var second = regexp.MustCompile(`(?i)(?:\b(?:and|or|but)\s+(?:` + asks + `|who|whom|whose|what|when|where|which|why|how)|[;:,]\s+(?:` + asks + `|what|why|how))\b`)

const asks = `is|are|was|were|does|do|did|may|might|can|could|has|have|had|will|would|should|shall`

func oneQuestion(l *linter) { // VD-Q01
	for _, p := range l.Points {
		q := strings.TrimSpace(p.Question)
		why := ""
		switch {
		case q == "":
			why = "asks nothing"
		case !strings.HasSuffix(q, "?"):
			why = fmt.Sprintf("does not ask: %q", clip(q))
		case strings.Count(q, "?") > 1, second.MatchString(q):
			why = fmt.Sprintf("asks more than one question: %q", clip(q))
		}
		if why != "" {
			l.found(at(p, "question"), p.ID+" "+why, "ask one thing that passes or fails, ending in a question mark; a second question is a point of its own")
		}
	}
}

func noTwins(l *linter) { // VD-Q02
	for i, p := range l.Points {
		for _, o := range l.Points[:i] {
			if shared := l.sharedBetween(o, p); shared != "" {
				keep, drop := keepOf(o, p)
				l.found("points."+drop.ID, fmt.Sprintf("%s and %s %s", o.ID, p.ID, shared),
					fmt.Sprintf("keep %s, which comes earlier or owns it by name, and take it out of %s", keep.ID, drop.ID))
				break // a third twin is told when this one is gone
			}
		}
	}
}

// sharedBetween names the first thing that two points share, or nothing.
func (l *linter) sharedBetween(a, b Point) string {
	if wa, wb := l.words[a.ID], l.words[b.ID]; len(wa) > 0 && slices.Equal(wa, wb) {
		return fmt.Sprintf("ask one question: %q", clip(b.Question))
	}
	for _, s := range a.Policy {
		if slices.ContainsFunc(b.Policy, func(o string) bool { return plainSelector(o) == plainSelector(s) }) {
			return "share the policy " + s
		}
	}
	for _, r := range l.rules[a.ID] {
		if slices.ContainsFunc(l.rules[b.ID], func(o verdict.Rule) bool { return o.ID == r.ID }) {
			return "share the rule " + r.ID
		}
	}
	return ""
}

// keepOf says which of two points should keep what they share: the one after which the
// policy is named, else the one of the earlier layer, else the first.
func keepOf(a, b Point) (keep, drop Point) {
	named := func(p Point) bool {
		return slices.ContainsFunc(p.Policy, func(s string) bool {
			return plainSelector(s) == p.ID || strings.HasPrefix(plainSelector(s), p.ID+".")
		})
	}
	switch {
	case named(a) != named(b):
		if named(b) {
			return b, a
		}
	case b.Layer.Index() >= 0 && b.Layer.Index() < a.Layer.Index():
		return b, a
	}
	return a, b
}

func noEchoes(l *linter) { // VD-Q03
	for i, p := range l.Points {
		for _, o := range l.Points[:i] {
			a, b := l.words[o.ID], l.words[p.ID]
			if len(a) == 0 || len(b) == 0 || slices.Equal(a, b) {
				continue // VD-Q01 and VD-Q02
			}
			both := 0
			for _, w := range a {
				if slices.Contains(b, w) {
					both++
				}
			}
			if 5*both >= 4*max(len(a), len(b)) {
				l.found(at(p, "question"), fmt.Sprintf("%s asks nearly what %s asks: %d of %d words are the same", p.ID, o.ID, both, max(len(a), len(b))),
					"say in the question what sets it apart, or keep one of the two points")
				break
			}
		}
	}
}

// fillers carry no meaning that sets one question apart from another.
var fillers = strings.Fields("a an the is are was were be been does do did has have had of to for in on at by with its it this that these those any there")

// questionWords is the sorted set of a question's words that mean something.
func questionWords(q string) []string {
	words := strings.FieldsFunc(strings.ToLower(q), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsNumber(c) })
	words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(fillers, w) })
	slices.Sort(words)
	return slices.Compact(words)
}
