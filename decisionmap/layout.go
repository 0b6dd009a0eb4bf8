package decisionmap

import (
	"slices"

	"verdict"
)

// Measures of the drawing, in pixels.
const (
	margin     = 24.0
	boxWidth   = 236.0
	emptyWidth = 128.0 // of a lane without points
	padding    = 12.0
	boxGap     = 18.0
	lanePad    = 12.0 // between a lane's edge and its boxes
	headHeight = 48.0 // of a lane's heading
	trackGap   = 9.0  // between two edges that run side by side
	portGap    = 11.0 // between two edges that enter one box
	bodyLines  = 7
	noteLines  = 5

	titleSize, nameSize, bodySize, noteSize = 20.0, 12.5, 13.0, 11.0
)

type rect struct{ x, y, w, h float64 }

type pt struct{ x, y float64 }

// label is one line of text; y is its baseline.
type label struct {
	x, y  float64
	size  float64
	class string // of the style sheet
	text  string
}

func (l label) bold() bool { return l.class == "name" || l.class == "title" || l.class == "lane" }

func (l label) width() float64 { return measure(l.text, l.size, l.bold()) }

type box struct {
	rect
	node   node
	labels []label
	mark   pt // where the shape of the mode stands
}

type wire struct {
	points []pt
	edge   edge
}

type lane struct {
	rect
	labels []label
}

// page is a picture with every thing in its place.
type page struct {
	*picture
	width, height float64
	labels        []label
	lanesAt       []lane
	boxes         [][]box // as picture.lanes
	environments  []box
	wires         []wire
	legendY       float64
}

// layout places lanes side by side, boxes one below the other, and runs each edge
// through the gutters between lanes, never over a box.
func (p *picture) layout() *page {
	g := &page{picture: p, boxes: make([][]box, len(p.lanes))}
	r := newRouting(p)
	top := margin + 62
	boxesTop := top + headHeight + float64(len(r.above))*trackGap + 8
	x, bottom := margin, boxesTop
	for i, nodes := range p.lanes {
		w := boxWidth
		if len(nodes) == 0 {
			w = emptyWidth
		}
		y := boxesTop
		for k, n := range nodes {
			b := newBox(n, rect{x + lanePad, y, boxWidth, 0}, r.ports(spot{i, k}), p.leadership)
			g.boxes[i] = append(g.boxes[i], b)
			y += b.h + boxGap
		}
		bottom = max(bottom, y)
		g.lanesAt = append(g.lanesAt, lane{rect: rect{x, top, w + 2*lanePad, 0}})
		x += w + 2*lanePad + r.gutterWidth(i)
	}
	g.width = x + margin
	bottom += float64(len(r.below))*trackGap + 4
	for i := range g.lanesAt {
		g.lanesAt[i].h = bottom - top
		g.headLane(i)
	}
	r.run(g, top+headHeight, bottom)
	g.labels = append(g.labels, label{margin, margin + 18, titleSize, "title", fit(p.title, g.width-2*margin, titleSize, true)},
		label{margin, margin + 40, bodySize, "note", fit(p.subtitle, g.width-2*margin, bodySize, false)})
	g.placeEnvironments(bottom + 30)
	return g
}

func (g *page) headLane(i int) {
	l := &g.lanesAt[i]
	layer := verdict.Layers[i]
	l.labels = []label{
		{l.x + lanePad, l.y + 21, 14, "lane", string(layer)},
		{l.x + lanePad, l.y + 38, noteSize, "note", trustIn[layer]},
	}
	if len(g.lanes[i]) == 0 {
		l.labels = append(l.labels, label{l.x + lanePad, l.y + headHeight + 32, noteSize, "note", "no points"})
	}
}

// newBox writes a node's texts into a box and makes it as high as they and its ports
// need.
func newBox(n node, at rect, ports int, leadership bool) box {
	b := box{rect: at, node: n}
	inner := at.w - 2*padding
	y := at.y + padding + nameSize - 2
	nameX, room := at.x+padding, inner
	if n.mode != "" {
		b.mark = pt{at.x + padding + 6, y - 5}
		nameX, room = nameX+20, room-20
	}
	for i, line := range cut(n.name, room, nameSize, true, 3) {
		if i > 0 {
			y += 15
		}
		b.labels = append(b.labels, label{nameX, y, nameSize, "name", line})
	}
	if status := statusOf(n, leadership); status != "" {
		y += 15
		b.labels = append(b.labels, label{nameX, y, noteSize, "mode", status})
	}
	y += 5
	for _, line := range cut(n.body, inner, bodySize, false, bodyLines) {
		y += 17
		b.labels = append(b.labels, label{at.x + padding, y, bodySize, "body", line})
	}
	y += 4
	for _, note := range n.notes {
		for _, line := range cut(note, inner, noteSize, false, noteLines) {
			y += 14.5
			b.labels = append(b.labels, label{at.x + padding, y, noteSize, "note", line})
		}
	}
	b.h = max(y+padding-at.y, float64(ports+1)*portGap)
	return b
}

// statusOf says the mode in words, because neither shape nor colour says it to everybody.
func statusOf(n node, leadership bool) string {
	s := string(n.mode)
	if leadership || n.mode == "" {
		s = ""
	}
	if n.notBuilt {
		if s != "" {
			s += ", "
		}
		s += "not built yet"
	}
	return s
}

// cut wraps text and keeps at most so many lines; the last one says that there is more.
func cut(s string, width, size float64, bold bool, most int) []string {
	wide := func(t string) float64 { return measure(t, size, bold) }
	lines := wrap(s, width, wide)
	if len(lines) > most {
		lines = lines[:most]
		lines[most-1] = fit(lines[most-1]+" …", width, size, bold)
	}
	return lines
}

// fit shortens text to a width, ending in … where it had to.
func fit(s string, width, size float64, bold bool) string {
	if measure(s, size, bold) <= width {
		return s
	}
	return longestHead(s, width-measure("…", size, bold), func(t string) float64 { return measure(t, size, bold) }) + "…"
}

func (g *page) placeEnvironments(y float64) {
	g.legendY = y
	if len(g.picture.environments) == 0 {
		g.height = y + margin
		return
	}
	g.labels = append(g.labels, label{margin + lanePad, y + 4, 14, "lane", "environments"})
	x, rowTop, rowBottom := margin+lanePad, y+18, 0.0
	for _, n := range g.picture.environments {
		if x+boxWidth > g.width-margin {
			x, rowTop = margin+lanePad, rowBottom+boxGap
		}
		b := newBox(n, rect{x, rowTop, boxWidth, 0}, 0, g.leadership)
		g.environments = append(g.environments, b)
		rowBottom = max(rowBottom, b.y+b.h)
		x += boxWidth + boxGap
	}
	g.legendY = rowBottom + 30
	g.height = g.legendY + margin
}

// routing gives each edge its way: ports at boxes, tracks in the gutter behind each
// lane, and rows above or below the boxes for edges that pass whole lanes. Edges from
// one box share their way until they part.
type routing struct {
	p      *picture
	tracks [][]track // per gutter; gutter i lies behind lane i
	above  []spot    // sources of evidence that passes a lane
	below  []spot    // sources of feedback that passes a lane
	left   map[spot][]port
	right  map[spot][]port
}

type track struct {
	from     spot
	feedback bool
}

// port is one end of edges at a box: where they leave, or where one enters.
type port struct {
	from     spot
	feedback bool
	out      bool
}

func newRouting(p *picture) *routing {
	r := &routing{p: p, tracks: make([][]track, len(p.lanes)), left: map[spot][]port{}, right: map[spot][]port{}}
	edges := slices.Clone(p.edges)
	slices.SortStableFunc(edges, func(a, b edge) int {
		if a.from.lane != b.from.lane {
			return a.from.lane - b.from.lane
		}
		return a.from.at - b.from.at
	})
	for _, e := range edges {
		back := e.from.lane > e.to.lane
		outSide, inSide := r.right, r.left
		if back {
			outSide, inSide = r.left, r.right
		} else if e.from.lane == e.to.lane {
			inSide = r.right
		}
		addOnce(outSide, e.from, port{e.from, e.feedback, true})
		addOnce(inSide, e.to, port{e.from, e.feedback, false})
		first, last := gutters(e)
		r.track(first, e)
		r.track(last, e)
		if first != last {
			row := &r.above
			if back {
				row = &r.below
			}
			if !slices.Contains(*row, e.from) {
				*row = append(*row, e.from)
			}
		}
	}
	return r
}

// gutters gives the gutter in which the edge leaves and the one in which it arrives.
func gutters(e edge) (first, last int) {
	switch {
	case e.from.lane < e.to.lane:
		return e.from.lane, e.to.lane - 1
	case e.from.lane == e.to.lane:
		return e.from.lane, e.from.lane
	}
	return e.from.lane - 1, e.to.lane
}

func addOnce(side map[spot][]port, at spot, p port) {
	if !slices.Contains(side[at], p) {
		side[at] = append(side[at], p)
	}
}

func (r *routing) track(gutter int, e edge) {
	t := track{e.from, e.feedback}
	if !slices.Contains(r.tracks[gutter], t) {
		r.tracks[gutter] = append(r.tracks[gutter], t)
	}
}

func (r *routing) ports(s spot) int { return max(len(r.left[s]), len(r.right[s])) }

func (r *routing) gutterWidth(i int) float64 {
	if len(r.tracks[i]) == 0 {
		return 10
	}
	return 26 + float64(len(r.tracks[i])-1)*trackGap
}

// run gives every edge its line. Rows above the boxes begin at top, rows below end at
// bottom.
func (r *routing) run(g *page, top, bottom float64) {
	for _, e := range r.p.edges {
		out, in := r.ends(g, e)
		first, last := gutters(e)
		x1 := r.trackX(g, first, e)
		points := []pt{out, {x1, out.y}}
		if first != last {
			y := top + 8 + trackGap*float64(slices.Index(r.above, e.from))
			if e.from.lane > e.to.lane {
				y = bottom - 6 - trackGap*float64(slices.Index(r.below, e.from))
			}
			x2 := r.trackX(g, last, e)
			points = append(points, pt{x1, y}, pt{x2, y}, pt{x2, in.y})
		} else {
			points = append(points, pt{x1, in.y})
		}
		g.wires = append(g.wires, wire{append(points, in), e})
	}
}

// trackX is where an edge runs in a gutter. What goes forward keeps to the left half,
// where what comes from higher runs further left, so that edges to one box do not cross;
// what comes back keeps to the right half, in the same way mirrored.
func (r *routing) trackX(g *page, gutter int, e edge) float64 {
	var forward, back []track
	for _, t := range r.tracks[gutter] {
		if t.from.lane > gutter {
			back = append(back, t)
		} else {
			forward = append(forward, t)
		}
	}
	t := track{e.from, e.feedback}
	i := slices.Index(forward, t)
	if i < 0 {
		i = len(forward) + len(back) - 1 - slices.Index(back, t)
	}
	l := g.lanesAt[gutter]
	return l.x + l.w + 10 + float64(i)*trackGap
}

func (r *routing) ends(g *page, e edge) (out, in pt) {
	from, to := g.boxes[e.from.lane][e.from.at], g.boxes[e.to.lane][e.to.at]
	back, same := e.from.lane > e.to.lane, e.from.lane == e.to.lane
	out = pt{from.x + from.w, portY(from, r.right[e.from], port{e.from, e.feedback, true})}
	if back {
		out = pt{from.x, portY(from, r.left[e.from], port{e.from, e.feedback, true})}
	}
	in = pt{to.x, portY(to, r.left[e.to], port{e.from, e.feedback, false})}
	if back || same {
		in = pt{to.x + to.w, portY(to, r.right[e.to], port{e.from, e.feedback, false})}
	}
	return out, in
}

// portY spreads the ports of one side evenly over the height of the box.
func portY(b box, ports []port, p port) float64 {
	i := slices.Index(ports, p)
	return b.y + b.h*float64(i+1)/float64(len(ports)+1)
}
