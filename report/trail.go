package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"verdict"
)

// Side says where a node stands to what was asked.
type Side string

// The sides, in the order in which a trail is told.
const (
	Before Side = "before" // what led to it
	Asked  Side = "asked"  // the subject itself
	After  Side = "after"  // what came of it
)

// TrailNode is one link of the chain that a subject belongs to. Nodes come in the order
// in which they are told; Depth indents a node under the last one of less depth.
type TrailNode struct {
	Side    Side            `json:"side"`
	Depth   int             `json:"depth"`
	Layer   verdict.Layer   `json:"layer"` // empty for a link outside the layers
	Subject verdict.Subject `json:"subject"`
	// Recorded is the statement that makes the link; Index -1 when there is none.
	Recorded verdict.Ref `json:"recorded"`
	Point    string      `json:"point"`   // of a decision
	ID       string      `json:"id"`      // of a decision
	Summary  string      `json:"summary"` // what happened, in a few words
	// Outcome and Enforced are of a decision; empty for other evidence.
	Outcome  verdict.Outcome `json:"outcome"`
	Enforced verdict.Outcome `json:"enforced"`
	Actor    string          `json:"actor"`
	// By is who signed it: the person or machine that the key is enrolled for, else the key or
	// certificate itself.
	By string `json:"by"`
	// Unknown says that the link is expected and cannot be told, and why: it is never
	// left out.
	Unknown string `json:"unknown"`
}

// TrailDocument is verdict.trail/v1.
type TrailDocument struct {
	Schema string      `json:"schema"`
	Nodes  []TrailNode `json:"nodes"`
	// Unknown counts the links that are expected and cannot be told.
	Unknown int `json:"unknown"`
}

// Trail writes a subject's chain as text or json.
func Trail(w io.Writer, format string, nodes []TrailNode, s Style) error {
	unknown := 0
	for _, n := range nodes {
		if n.Unknown != "" {
			unknown++
		}
	}
	switch format {
	case "text":
		return writeText(w, trailText(nodes, unknown, s))
	case "json":
		return writeJSON(w, full(TrailDocument{"verdict.trail/v1", nodes, unknown}))
	}
	return unknownFormat(format)
}

func trailText(nodes []TrailNode, unknown int, s Style) string {
	p := &page{Style: s}
	if len(nodes) == 0 {
		p.line(p.paint(care, "? The log holds nothing about this subject."))
		p.line("  That is not a yes: it may have been recorded elsewhere, or never.")
		return p.String()
	}
	for _, part := range []struct {
		side  Side
		title string
	}{{Before, "What led to it"}, {Asked, "Asked"}, {After, "What came of it"}} {
		p.heading(part.title)
		empty := true
		for _, n := range nodes {
			if n.Side == part.side {
				trailLine(p, n)
				empty = false
			}
		}
		if empty {
			p.line("  nothing is recorded")
		}
	}
	for _, n := range nodes {
		if n.Side != Before && n.Side != Asked && n.Side != After {
			trailLine(p, n) // told, though nobody knows where it belongs
		}
	}
	if unknown > 0 {
		p.gap()
		p.under(p.paint(care, "?")+" ", count(unknown, "link is", "links are")+" expected and unknown: the chain is not proved without them.")
	}
	return p.String()
}

// trailLine is one node: its mark, what it is, and under it when, by whom and where it
// is recorded.
func trailLine(p *page, n TrailNode) {
	depth := min(max(n.Depth, 0), 8)
	indent := "  " + strings.Repeat("  ", depth)
	if depth > 0 {
		indent = "  " + strings.Repeat("  ", depth-1) + "└ "
	}
	pad := strings.Repeat(" ", columnsOf(indent)+2)
	layer := ""
	if n.Layer != "" {
		layer = word(string(n.Layer)) + ": "
	}
	if n.Unknown != "" {
		what := cmp.Or(word(n.Summary), word(string(n.Recorded.Kind)), "a link")
		p.line(hang(indent+p.paint(care, "?")+" ", layer+what+" unknown: "+fit(n.Unknown, 300), p.width()))
		return
	}
	a := trailAnswer(n)
	what := fit(n.Summary, 300)
	if what == "" && n.Outcome == "" {
		what = word(string(n.Recorded.Kind))
	}
	if what == "" && n.Outcome == "" {
		layer, what = "", subjectText(n.Subject)
	}
	if a.words != "" && what != "" {
		a.words += ":" // behind it stands the question
	}
	p.line(hang(indent+p.paint(a.code, a.mark)+" ", layer+join(name(n.Point), a.words, what), p.width()))
	where := []string{}
	if n.Recorded.Index >= 0 && n.Recorded.Digest != "" {
		where = append(where, when(n.Recorded.At), entry(n.Recorded.Index))
	} else if n.Side != Asked {
		where = append(where, "not recorded")
	}
	if n.Subject.Digest != "" && what != subjectText(n.Subject) {
		where = append(where, subjectText(n.Subject))
	}
	if who := cmp.Or(n.By, n.Actor, n.Recorded.Producer); who != "" {
		where = append(where, "by "+fit(who, 100))
	}
	if n.ID != "" {
		where = append(where, "verdict why "+shortID(n.ID))
	}
	p.under(pad, p.paint(plainText, strings.Join(where, " · ")))
}

// trailAnswer marks a decision by its outcome; other evidence is just there.
func trailAnswer(n TrailNode) answer {
	switch {
	case n.Outcome == "":
		return answer{"·", "", plainText}
	case n.Outcome == verdict.Allow:
		return answer{"✓", "allowed", good}
	case n.Enforced == verdict.Allow:
		return answer{"!", fmt.Sprintf("allowed, although the outcome was %s", outcomeWord(n.Outcome)), care}
	case n.Outcome == verdict.Deny:
		return answer{"✗", "denied", bad}
	case n.Outcome == verdict.Review:
		return answer{"✗", "needs approval", bad}
	}
	return answer{"?", "could not decide", bad}
}

func outcomeWord(o verdict.Outcome) string {
	switch o {
	case verdict.Deny:
		return "denied"
	case verdict.Review:
		return "needs approval"
	}
	return "could not decide"
}
