package decisionmap

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"verdict"
)

// The formats and views of a drawing.
const (
	FormatText = "text"
	FormatSVG  = "svg"

	// ViewEngineer names places, tools and evidence.
	ViewEngineer = "engineer"
	// ViewLeadership shows trust, exposure and the flow of evidence. The names of tools,
	// places, clouds and clusters are replaced by their roles.
	ViewLeadership = "leadership"
)

// DrawOptions chooses what is drawn. The zero value is text for engineers.
type DrawOptions struct {
	Format   string
	View     string
	NotBuilt []string // points to mark as not built yet: see NotBuilt
}

// Draw writes the map as a picture: six lanes, points as boxes with mode and question,
// evidence as edges. The same map gives the same bytes. At most 60 boxes are drawn, the
// rest is folded into boxes that say how many.
func Draw(m *Map, w io.Writer, o DrawOptions) error {
	o.Format, o.View = cmp.Or(o.Format, FormatText), cmp.Or(o.View, ViewEngineer)
	if o.View != ViewEngineer && o.View != ViewLeadership {
		return &verdict.Error{Code: verdict.CodeUsage, What: fmt.Sprintf("there is no view %q", clip(o.View)), Remedy: "use engineer or leadership"}
	}
	p := newPicture(m, o)
	switch o.Format {
	case FormatText:
		_, err := io.WriteString(w, p.text())
		return err
	case FormatSVG:
		_, err := io.WriteString(w, p.layout().svg())
		return err
	}
	return &verdict.Error{Code: verdict.CodeUsage, What: fmt.Sprintf("a map cannot be drawn as %q", clip(o.Format)), Remedy: "use -o text or -o svg"}
}

// maxNodes bounds the boxes of a picture: points and environments together.
const (
	maxNodes        = 60
	maxEnvironments = 12
)

// picture is what a drawing shows, before it has a place on a page. Its texts are safe
// to print on one line and, in the leadership view, free of vendors' names.
type picture struct {
	title, subtitle string
	lanes           [][]node // one per layer, in order
	edges           []edge
	environments    []node
	leadership      bool
}

// node is one box.
type node struct {
	id       string // of the point; empty for a fold and for an environment
	name     string // what stands first, beside the mode
	mode     verdict.Mode
	body     string   // the question
	notes    []string // smaller, below
	notBuilt bool
	fold     int // points folded into this box
}

// spot is a node's place: lane and position in it.
type spot struct{ lane, at int }

type edge struct {
	from, to spot
	label    string
	feedback bool
}

func newPicture(m *Map, o DrawOptions) *picture {
	p := &picture{leadership: o.View == ViewLeadership, lanes: make([][]node, len(verdict.Layers))}
	say := oneLine
	if p.leadership {
		say = m.scrubber()
	}
	p.environments = environmentNodes(m, p.leadership, say)
	spots := p.place(m, o, say)
	p.connect(m, spots, say)
	name := cmp.Or(m.Organization, onlyService(m))
	p.title = "Decision map"
	if name != "" {
		p.title += " of " + say(name)
	}
	counts := map[verdict.Mode]int{}
	for _, x := range m.Points {
		counts[x.Mode]++
	}
	p.subtitle = fmt.Sprintf("%s: %d block, %d warn, %d observe", counted(len(m.Points), "point"), counts[verdict.ModeBlock], counts[verdict.ModeWarn], counts[verdict.ModeObserve])
	if !p.leadership {
		p.subtitle += " · " + m.Digest().Short()
	}
	return p
}

func onlyService(m *Map) string {
	if len(m.Services) == 1 {
		for name := range m.Services {
			return name
		}
	}
	return ""
}

// place gives each point its spot, or that of the fold it is in.
func (p *picture) place(m *Map, o DrawOptions, say func(string) string) map[string]spot {
	byLane := make([][]Point, len(verdict.Layers))
	for _, x := range m.Points {
		lane := x.Layer.Index()
		if lane < 0 {
			lane = len(verdict.Layers) - 1 // a layer that does not exist is a lint error, and still drawn
		}
		byLane[lane] = append(byLane[lane], x)
	}
	shown := shares(byLane, maxNodes-len(p.environments))
	spots := map[string]spot{}
	for lane, points := range byLane {
		// What blocks is drawn before what only observes.
		slices.SortStableFunc(points, func(a, b Point) int {
			if len(points) <= shown[lane] {
				return 0
			}
			return modeRank(b.Mode) - modeRank(a.Mode)
		})
		for i, x := range points {
			if i >= shown[lane] {
				p.fold(lane, shown[lane], x, spots)
				continue
			}
			spots[x.ID] = spot{lane, i}
			n := pointNode(m, x, p.leadership, say)
			n.notBuilt = slices.Contains(o.NotBuilt, x.ID)
			p.lanes[lane] = append(p.lanes[lane], n)
		}
	}
	return spots
}

func (p *picture) fold(lane, at int, x Point, spots map[string]spot) {
	if len(p.lanes[lane]) == at {
		p.lanes[lane] = append(p.lanes[lane], node{})
	}
	n := &p.lanes[lane][at]
	n.fold++
	n.name = fmt.Sprintf("and %s more", counted(n.fold, "point"))
	if modeRank(x.Mode) > modeRank(n.mode) {
		n.mode = x.Mode
	}
	n.body = "Folded: the strictest of them is in " + string(n.mode) + "."
	spots[x.ID] = spot{lane, at}
}

// shares says how many points of each lane are drawn, so that they and one fold for each
// lane that has more fit into room.
func shares(lanes [][]Point, room int) []int {
	out := make([]int, len(lanes))
	total := 0
	for i, l := range lanes {
		out[i] = len(l)
		total += len(l)
	}
	for total > room {
		widest := 0
		for i := range out {
			if out[i] > out[widest] {
				widest = i
			}
		}
		if out[widest] == len(lanes[widest]) {
			total++ // its fold
		}
		out[widest]--
		total--
	}
	return out
}

func modeRank(m verdict.Mode) int {
	return slices.Index([]verdict.Mode{verdict.ModeObserve, verdict.ModeWarn, verdict.ModeBlock}, m)
}

func pointNode(m *Map, x Point, leadership bool, say func(string) string) node {
	n := node{id: x.ID, name: oneLine(x.ID), mode: x.Mode, body: say(x.Question)}
	if leadership {
		n.name = map[verdict.Mode]string{verdict.ModeBlock: "stops", verdict.ModeWarn: "warns", verdict.ModeObserve: "records"}[x.Mode]
		if on := m.restsOn(x); len(on) > 0 {
			n.notes = append(n.notes, "rests on "+strings.Join(on, ", "))
		}
		if x.Owner != "" {
			n.notes = append(n.notes, "owner "+say(x.Owner))
		}
		return n
	}
	n.notes = append(n.notes, "at "+say(x.At))
	if len(x.Needs) > 0 {
		var needs []string
		for _, need := range x.Needs {
			text := say(need.Kind)
			if from := m.sourceOf(need.Kind); from != "" {
				text += " (" + say(from) + ")"
			}
			needs = append(needs, text)
		}
		n.notes = append(n.notes, "needs "+strings.Join(needs, ", "))
	}
	if x.Produces.Kind != "" {
		n.notes = append(n.notes, "leaves "+say(x.Produces.Kind)+", kept "+x.Produces.Retain.String())
	}
	if !x.EnforceFrom.IsZero() {
		n.notes = append(n.notes, "blocks from "+x.EnforceFrom.Format("2006-01-02"))
	}
	if !x.OldFrom.IsZero() {
		n.notes = append(n.notes, "old findings from "+x.OldFrom.Format("2006-01-02"))
	}
	if slices.Contains(x.Feeds, Backlog) {
		n.notes = append(n.notes, "feeds the backlog")
	}
	n.notes = append(n.notes, "owner "+cmp.Or(say(x.Owner), "nobody"))
	return n
}

// sourceOf names the source of a kind; the primary one, where there are several.
func (m *Map) sourceOf(kind string) string {
	first := ""
	for _, name := range slices.Sorted(maps.Keys(m.Sources)) {
		s := m.Sources[name]
		if slices.Contains(s.Kinds, kind) {
			if s.Primary {
				return name
			}
			first = cmp.Or(first, name)
		}
	}
	return first
}

// connect draws an edge wherever a point needs what another leaves, and where one feeds
// another back.
func (p *picture) connect(m *Map, spots map[string]spot, say func(string) string) {
	var edges []edge
	for _, x := range m.Points {
		for _, need := range x.Needs {
			for _, o := range m.Points {
				if o.Produces.Kind == need.Kind && !slices.Contains(o.Feeds, x.ID) {
					edges = append(edges, edge{from: spots[o.ID], to: spots[x.ID], label: say(need.Kind)})
				}
			}
		}
		for _, f := range x.Feeds {
			if to, ok := spots[f]; ok {
				edges = append(edges, edge{from: spots[x.ID], to: to, label: say(x.Produces.Kind), feedback: true})
			}
		}
	}
	for _, e := range edges { // folds join what they have in common
		i := slices.IndexFunc(p.edges, func(o edge) bool { return o.from == e.from && o.to == e.to && o.feedback == e.feedback })
		switch {
		case e.from == e.to:
		case i >= 0:
			if !slices.Contains(strings.Split(p.edges[i].label, ", "), e.label) {
				p.edges[i].label += ", " + e.label
			}
		default:
			p.edges = append(p.edges, e)
		}
	}
}

// environmentNodes lists the environments in the order of promotion.
func environmentNodes(m *Map, leadership bool, say func(string) string) []node {
	var out []node
	names := promotionOrder(m.Environments)
	for i, name := range names {
		if i == maxEnvironments-1 && len(names) > maxEnvironments {
			return append(out, node{name: fmt.Sprintf("and %d more", len(names)-i), fold: len(names) - i})
		}
		e := m.Environments[name]
		n := node{name: say(name), body: e.Tier}
		if e.PromoteFrom != "" {
			n.body += ", after " + say(e.PromoteFrom)
		}
		for _, f := range []struct{ name, value string }{
			{"exposure", e.Exposure}, {"data", e.Data}, {"blast radius", e.BlastRadius}, {"rollback", e.Rollback},
		} {
			n.notes = append(n.notes, f.name+" "+cmp.Or(f.value, "not declared"))
		}
		if !leadership && e.Cloud+e.Cluster != "" {
			n.notes = append(n.notes, "on "+strings.TrimSpace(say(e.Cloud)+" "+say(e.Cluster)))
		}
		out = append(out, n)
	}
	return out
}
