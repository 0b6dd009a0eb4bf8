package report

import (
	"fmt"
	"strings"
)

// shownLeft bounds what a person reads of what was not mended; JSON has all of it.
const shownLeft = 10

// text tells what was written and what was not, with the diff, so that nobody has to guess
// what happened to the files.
func (m *Mended) text(p *page) {
	if m == nil {
		return
	}
	p.heading("Mended in the working copy")
	if len(m.Edits) == 0 {
		p.line("  nothing: no edit is safe without its tool or its author")
	} else {
		p.under("  ", fmt.Sprintf("%s written; the decision above is about the files before. Read the change, run your tests, commit it, and ask again.", count(len(m.Edits), "line was", "lines were")))
		for _, e := range m.Edits {
			p.under("  ✓ ", fit(fmt.Sprintf("%s:%d  %s", e.Path, e.Line, e.Why), 400))
		}
		p.gap()
		for line := range strings.Lines(m.Diff) {
			p.line("  " + fit(strings.TrimSuffix(line, "\n"), 400))
		}
	}
	if len(m.Left) == 0 {
		return
	}
	p.heading("Left for you")
	for _, l := range m.Left[:min(len(m.Left), shownLeft)] {
		p.under("  · ", fit(fmt.Sprintf("%s:%d  %s", l.Path, l.Line, l.Why), 400))
	}
	if more := len(m.Left) - shownLeft; more > 0 {
		p.line(fmt.Sprintf("  and %d more: -o json lists them", more))
	}
}
