package decisionmap

import (
	"fmt"
	"strings"

	"verdict"
)

// trustIn says what trust is in each layer.
var trustIn = map[verdict.Layer]string{
	verdict.LayerCode:       "trust is established",
	verdict.LayerCI:         "trust is established",
	verdict.LayerArtifact:   "trust is established",
	verdict.LayerDeploy:     "trust is constrained",
	verdict.LayerRuntime:    "trust is observed",
	verdict.LayerGovernance: "trust is observed",
}

// modeMark is the shape of each mode, so that colour is never needed to tell them apart.
var modeMark = map[verdict.Mode]string{verdict.ModeBlock: "■", verdict.ModeWarn: "▲", verdict.ModeObserve: "○"}

// textWidth is the width of the text drawing.
const textWidth = 100

func (p *picture) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", p.title, p.subtitle)
	for i, layer := range verdict.Layers {
		fmt.Fprintf(&b, "\n── %s · %s ", strings.ToUpper(string(layer)), trustIn[layer])
		b.WriteString(strings.Repeat("─", max(0, textWidth-8-len(layer)-len(trustIn[layer]))) + "\n")
		if len(p.lanes[i]) == 0 {
			b.WriteString("   no points\n")
		}
		for k, n := range p.lanes[i] {
			p.textNode(&b, n, spot{i, k})
		}
	}
	if len(p.environments) > 0 {
		fmt.Fprintf(&b, "\n── ENVIRONMENTS %s\n", strings.Repeat("─", textWidth-16))
		for _, n := range p.environments {
			fmt.Fprintf(&b, "   %s\n", strings.TrimSpace(n.name+" · "+n.body))
			textNotes(&b, n.notes)
		}
	}
	b.WriteString("\n■ block: enforced   ▲ warn: told   ○ observe: recorded   → evidence   ⇠ feeds back\n")
	return b.String()
}

func (p *picture) textNode(b *strings.Builder, n node, at spot) {
	title := n.name
	if n.id != "" || n.fold > 0 {
		title = fmt.Sprintf("%s %-7s  %s", modeMark[n.mode], n.mode, n.name)
		if p.leadership { // the name is the mode, in a word for everybody
			title = modeMark[n.mode] + " " + n.name
		}
	}
	if n.notBuilt {
		title += "  (not built yet)"
	}
	fmt.Fprintf(b, "   %s\n", title)
	textParagraph(b, n.body)
	textNotes(b, n.notes)
	if p.leadership {
		return // the lanes and what a point rests on tell the flow
	}
	for _, e := range p.edges {
		if e.from != at {
			continue
		}
		arrow := "→"
		if e.feedback {
			arrow = "⇠"
		}
		fmt.Fprintf(b, "       %s %s to %s\n", arrow, e.label, p.lanes[e.to.lane][e.to.at].name)
	}
}

func textParagraph(b *strings.Builder, s string) {
	for _, line := range wrap(s, textWidth-7, func(t string) float64 { return float64(len([]rune(t))) }) {
		fmt.Fprintf(b, "       %s\n", line)
	}
}

// textNotes writes as many notes on a line as fit, and a long one on lines of its own.
func textNotes(b *strings.Builder, notes []string) {
	line := ""
	for _, note := range notes {
		if joined := strings.TrimPrefix(line+" · "+note, " · "); len([]rune(joined)) <= textWidth-7 {
			line = joined
			continue
		}
		textParagraph(b, line)
		line = note
	}
	textParagraph(b, line)
}

// wrap breaks text into lines of at most width, between words where it can and inside a
// word where it must.
func wrap(s string, width float64, measure func(string) float64) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(s) {
		if joined := strings.TrimPrefix(line+" "+word, " "); measure(joined) <= width {
			line = joined
			continue
		}
		if line != "" {
			out = append(out, line)
		}
		for measure(word) > width {
			head := longestHead(word, width, measure)
			out = append(out, head)
			word = word[len(head):]
		}
		line = word
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}

// longestHead is the longest beginning of the word that fits, at least one letter.
func longestHead(word string, width float64, measure func(string) float64) string {
	end := len(word)
	for i := range word {
		if i > 0 && measure(word[:i]) > width {
			break
		}
		end = i
	}
	if end == 0 {
		for i := range word {
			if i > 0 {
				return word[:i]
			}
		}
		return word
	}
	return word[:end]
}
