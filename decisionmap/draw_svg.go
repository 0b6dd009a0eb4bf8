package decisionmap

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"verdict"
)

// style draws with three kinds of line and three shapes, so that nothing is told by
// colour alone, in the light and the dark scheme of the viewer.
const style = `
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",Arial,sans-serif;fill:#1b2430}
.bg{fill:#ffffff}.lanebg{fill:#f3f5f8;stroke:#dde2e9}
.title,.lane,.name{font-weight:600}.note,.mode{fill:#55606e}
.box{fill:#ffffff;stroke:#8a94a3}.block{stroke:#a3262a;stroke-width:2.5}.warn{stroke:#8a5a00;stroke-width:1.5;stroke-dasharray:7 3}.observe{stroke:#6a7686;stroke-width:1}
.unbuilt{fill:url(#hatch)}.hatch{stroke:#e4e8ee}
.mark-block{fill:#a3262a}.mark-warn{fill:#8a5a00}.mark-observe{fill:none;stroke:#55606e;stroke-width:1.6}
.wire{fill:none;stroke:#4a6fa5;stroke-width:1.3}.back{stroke:#77569b;stroke-dasharray:5 3}.tip{fill:#4a6fa5}.tipback{fill:#77569b}
@media (prefers-color-scheme:dark){
text{fill:#e7ebf1}.bg{fill:#12161c}.lanebg{fill:#1a2029;stroke:#2b3440}.note,.mode{fill:#a9b4c2}
.box{fill:#212936;stroke:#76818f}.block{stroke:#ff8a84}.warn{stroke:#e2b04a}.observe{stroke:#8e9aab}.hatch{stroke:#303a49}
.mark-block{fill:#ff8a84}.mark-warn{fill:#e2b04a}.mark-observe{stroke:#b8c2cf}
.wire{stroke:#86abe0}.back{stroke:#c3a2e6}.tip{fill:#86abe0}.tipback{fill:#c3a2e6}
}
`

// svg writes the page. Every text in it went through escape.
func (g *page) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="map-title map-desc" viewBox="0 0 %s %s" width="%s" height="%s">`+"\n",
		num(g.width), num(g.height), num(g.width), num(g.height))
	fmt.Fprintf(&b, "<title id=\"map-title\">%s</title>\n<desc id=\"map-desc\">%s</desc>\n", escape(g.title), escape(g.describe()))
	b.WriteString("<style>" + style + "</style>\n")
	b.WriteString(`<defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V8" stroke-width="4"/></pattern>` +
		`<marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker>` +
		`<marker id="tipback" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path class="tipback" d="M0 0L8 4L0 8z"/></marker></defs>` + "\n")
	fmt.Fprintf(&b, `<rect class="bg" width="%s" height="%s"/>`+"\n", num(g.width), num(g.height))
	writeLabels(&b, g.labels)
	for _, l := range g.lanesAt {
		fmt.Fprintf(&b, `<rect class="lanebg" x="%s" y="%s" width="%s" height="%s" rx="8"/>`+"\n", num(l.x), num(l.y), num(l.w), num(l.h))
		writeLabels(&b, l.labels)
	}
	for _, w := range g.wires {
		g.writeWire(&b, w)
	}
	for _, boxes := range append(g.boxes, g.environments) {
		for _, x := range boxes {
			writeBox(&b, x)
		}
	}
	g.writeLegend(&b)
	b.WriteString("</svg>\n")
	return b.String()
}

// describe is the drawing in words, for those who do not see it.
func (g *page) describe() string {
	var b strings.Builder
	b.WriteString(g.subtitle + ".")
	for i, nodes := range g.lanes {
		fmt.Fprintf(&b, " Layer %s:", verdict.Layers[i])
		if len(nodes) == 0 {
			b.WriteString(" no points.")
		}
		for _, n := range nodes {
			fmt.Fprintf(&b, " %s (%s): %s", n.name, n.mode, n.body)
		}
	}
	return b.String()
}

func writeLabels(b *strings.Builder, labels []label) {
	for _, l := range labels {
		fmt.Fprintf(b, `<text class="%s" x="%s" y="%s" font-size="%s">%s</text>`+"\n", l.class, num(l.x), num(l.y), num(l.size), escape(l.text))
	}
}

func writeBox(b *strings.Builder, x box) {
	class := "box"
	if x.node.mode.Valid() {
		class += " " + string(x.node.mode)
	}
	fmt.Fprintf(b, `<g><rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="6"/>`+"\n", class, num(x.x), num(x.y), num(x.w), num(x.h))
	if x.node.notBuilt {
		fmt.Fprintf(b, `<rect class="unbuilt" x="%s" y="%s" width="%s" height="%s" rx="4"/>`+"\n", num(x.x+2), num(x.y+2), num(x.w-4), num(x.h-4))
	}
	if x.node.mode != "" {
		writeMark(b, x.node.mode, x.mark)
	}
	writeLabels(b, x.labels)
	b.WriteString("</g>\n")
}

func writeMark(b *strings.Builder, m verdict.Mode, at pt) {
	switch m {
	default: // a mode that does not exist is enforced, and drawn as such
		fmt.Fprintf(b, `<rect class="mark-block" x="%s" y="%s" width="11" height="11"/>`+"\n", num(at.x-5.5), num(at.y-5))
	case verdict.ModeWarn:
		fmt.Fprintf(b, `<path class="mark-warn" d="M%s %sl6.5 11h-13z"/>`+"\n", num(at.x), num(at.y-5))
	case verdict.ModeObserve:
		fmt.Fprintf(b, `<circle class="mark-observe" cx="%s" cy="%s" r="4.8"/>`+"\n", num(at.x), num(at.y+0.5))
	}
}

func (g *page) writeWire(b *strings.Builder, w wire) {
	class, tip := "wire", "tip"
	if w.edge.feedback {
		class, tip = "wire back", "tipback"
	}
	fmt.Fprintf(b, `<path class="%s" marker-end="url(#%s)" d="%s">`, class, tip, rounded(w.points))
	if !g.leadership {
		from, to := g.lanes[w.edge.from.lane][w.edge.from.at], g.lanes[w.edge.to.lane][w.edge.to.at]
		fmt.Fprintf(b, "<title>%s</title>", escape(w.edge.label+": "+from.name+" to "+to.name))
	}
	b.WriteString("</path>\n")
}

// rounded draws a line of horizontal and vertical runs with round corners.
func rounded(points []pt) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%s %s", num(points[0].x), num(points[0].y))
	for i := 1; i < len(points)-1; i++ {
		p, before, after := points[i], points[i-1], points[i+1]
		in, out := toward(p, before), toward(p, after)
		fmt.Fprintf(&b, "L%s %sQ%s %s %s %s", num(in.x), num(in.y), num(p.x), num(p.y), num(out.x), num(out.y))
	}
	last := points[len(points)-1]
	fmt.Fprintf(&b, "L%s %s", num(last.x), num(last.y))
	return b.String()
}

// toward is the point a corner's radius away from p in the direction of q.
func toward(p, q pt) pt {
	const radius = 4
	step := func(from, to float64) float64 {
		return from + max(-radius, min(radius, (to-from)/2))
	}
	return pt{step(p.x, q.x), step(p.y, q.y)}
}

func (g *page) writeLegend(b *strings.Builder) {
	x, y := margin+lanePad, g.legendY
	for _, m := range []struct {
		mode verdict.Mode
		text string
	}{{verdict.ModeBlock, "block: enforced"}, {verdict.ModeWarn, "warn: told"}, {verdict.ModeObserve, "observe: recorded"}} {
		writeMark(b, m.mode, pt{x + 6, y - 5})
		l := label{x + 20, y, noteSize, "note", m.text}
		writeLabels(b, []label{l})
		x += 20 + l.width() + 24
	}
	for _, e := range []struct{ class, tip, text string }{{"wire", "tip", "evidence"}, {"wire back", "tipback", "feeds back"}} {
		fmt.Fprintf(b, `<path class="%s" marker-end="url(#%s)" d="M%s %sh30"/>`+"\n", e.class, e.tip, num(x), num(y-4))
		l := label{x + 38, y, noteSize, "note", e.text}
		writeLabels(b, []label{l})
		x += 38 + l.width() + 24
	}
}

// num writes a coordinate the same way on every machine.
func num(f float64) string { return strconv.FormatFloat(float64(int64(f*10+0.5))/10, 'f', -1, 64) }

// escape makes text safe inside an element or an attribute.
func escape(s string) string {
	var b strings.Builder
	// A strings.Builder never fails, and EscapeText has no other error.
	_ = xml.EscapeText(&b, []byte(oneLine(s)))
	return b.String()
}
