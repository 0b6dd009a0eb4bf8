package decisionmap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"verdict"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata/golden.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is another; run with -update and read the difference:\n%s", file, got)
	}
}

func draw(t *testing.T, m *Map, o DrawOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Draw(m, &b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheDrawingsOfAcme(t *testing.T) {
	m := acme(t)
	for _, view := range []string{ViewEngineer, ViewLeadership} {
		for _, format := range []string{FormatText, FormatSVG} {
			out := draw(t, m, DrawOptions{Format: format, View: view, NotBuilt: NotBuilt(m, stepOne)})
			golden(t, "acme-"+view+"."+format, []byte(out))
			if again := draw(t, acme(t), DrawOptions{Format: format, View: view, NotBuilt: NotBuilt(m, stepOne)}); again != out {
				t.Errorf("%s as %s comes out in two ways", view, format)
			}
		}
	}
}

// hostile is a map that no file can hold, as a library user could build it.
func hostile() *Map {
	m := Builtin()
	m.Organization = `"><script>alert(1)</script>`
	m.Points = append(m.Points, Point{
		ID: "ci.<script>\x1b[31m\n</text>&", Layer: "nonsense", Mode: "off\"", At: "a]]>/b", Owner: "\u202e\x00",
		Question: strings.Repeat("<b>&amp;\n\x1b]8;;http://x\x07", 40) + strings.Repeat("W", 300) + "漢字🙂",
		Needs:    []Need{{Kind: "secrets-check"}, {Kind: "<i>"}}, Produces: Produces{Kind: "'\""},
	})
	m.Environments["<style>"] = Environment{Tier: "prod", Cloud: "{}", PromoteFrom: "<style>"}
	return m
}

// crowded has far more points than a drawing shows, with edges over all layers.
func crowded() *Map {
	m := Builtin()
	for i, l := range verdict.Layers {
		for k := range 30 {
			p := Point{
				ID: fmt.Sprintf("%s.extra-%02d", l, k), Layer: l, Mode: []verdict.Mode{"observe", "warn", "block"}[k%3], Owner: "team",
				At: "verdict/x", Question: fmt.Sprintf("Is thing %d of the layer %s as it ought to be in every respect that anybody named?", k, l),
				Produces: Produces{Kind: fmt.Sprintf("%s-extra-%02d", l, k)}, Feeds: []string{"code.ownership"},
			}
			for j := range i {
				p.Needs = append(p.Needs, Need{Kind: fmt.Sprintf("%s-extra-%02d", verdict.Layers[j], (k*7)%30)})
			}
			m.Points = append(m.Points, p)
		}
	}
	for i := range 30 {
		m.Environments[fmt.Sprintf("env-%02d", i)] = Environment{Tier: "dev"}
	}
	return m
}

func TestTheSVGIsWellFormedAndAccessibleWhateverTheMapSays(t *testing.T) {
	for name, m := range map[string]*Map{"acme": acme(t), "built-in": Builtin(), "hostile": hostile(), "crowded": crowded()} {
		t.Run(name, func(t *testing.T) {
			out := draw(t, m, DrawOptions{Format: FormatSVG, NotBuilt: []string{"ci.iac"}})
			elements := map[string]int{}
			dec := xml.NewDecoder(strings.NewReader(out))
			for {
				token, err := dec.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("not well-formed: %v", err)
				}
				if start, ok := token.(xml.StartElement); ok {
					elements[start.Name.Local]++
				}
			}
			for e := range elements {
				if !strings.Contains(" svg title desc style defs pattern marker path rect circle text g ", " "+e+" ") {
					t.Errorf("an element %s came in", e)
				}
			}
			for _, want := range []string{`role="img"`, `aria-labelledby="map-title map-desc"`, `<title id="map-title">`, `<desc id="map-desc">`, "prefers-color-scheme:dark"} {
				if !strings.Contains(out, want) {
					t.Errorf("it has no %s", want)
				}
			}
			if i := strings.IndexFunc(out, func(c rune) bool { return c < ' ' && c != '\n' }); i >= 0 {
				t.Errorf("a control character at %d", i)
			}
		})
	}
}

func TestTheTextDrawingGivesNoOrdersToATerminal(t *testing.T) {
	out := draw(t, hostile(), DrawOptions{})
	if strings.ContainsAny(out, "\x1b\x07\x00\r") || strings.Contains(out, "\u202e") {
		t.Errorf("it does:\n%q", out)
	}
	for _, line := range strings.Split(out, "\n") {
		if n := len([]rune(line)); n > 2*textWidth {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
}

func TestBoxesDoNotOverlapAndNoTextLeavesItsBox(t *testing.T) {
	for name, m := range map[string]*Map{"acme": acme(t), "built-in": Builtin(), "hostile": hostile(), "crowded": crowded()} {
		for _, view := range []string{ViewEngineer, ViewLeadership} {
			t.Run(name+" for "+view, func(t *testing.T) {
				checkPage(t, newPicture(m, DrawOptions{View: view, NotBuilt: []string{"ci.iac"}}).layout())
			})
		}
	}
}

// checkPage is the geometry of a drawing that can be read.
func checkPage(t *testing.T, g *page) {
	t.Helper()
	var boxes []box
	for i, lane := range g.boxes {
		for _, b := range lane {
			if !inside(b.rect, g.lanesAt[i].rect) {
				t.Errorf("%s leaves its lane", b.node.name)
			}
		}
		boxes = append(boxes, lane...)
		checkLabels(t, g.lanesAt[i].rect, g.lanesAt[i].labels)
	}
	boxes = append(boxes, g.environments...)
	if len(boxes) > maxNodes {
		t.Errorf("%d boxes", len(boxes))
	}
	canvas := rect{0, 0, g.width, g.height}
	checkLabels(t, canvas, g.labels)
	for i, b := range boxes {
		checkLabels(t, b.rect, b.labels)
		if !inside(b.rect, canvas) {
			t.Errorf("%s leaves the drawing", b.node.name)
		}
		for _, o := range boxes[:i] {
			if overlap(b.rect, o.rect) {
				t.Errorf("%s and %s overlap", b.node.name, o.node.name)
			}
		}
	}
	for _, w := range g.wires {
		checkWire(t, w, boxes, canvas)
	}
}

func checkLabels(t *testing.T, in rect, labels []label) {
	t.Helper()
	last := in.y
	for _, l := range labels {
		if l.x < in.x || l.x+l.width() > in.x+in.w {
			t.Errorf("%q is %.0f wide in %.0f", l.text, l.width(), in.w)
		}
		if l.y-l.size*0.8 < last-l.size*0.45 || l.y+l.size*0.25 > in.y+in.h {
			t.Errorf("%q lies over what is above or below it", l.text)
		}
		last = l.y
	}
}

func checkWire(t *testing.T, w wire, boxes []box, canvas rect) {
	t.Helper()
	for i := 1; i < len(w.points); i++ {
		a, b := w.points[i-1], w.points[i]
		if a.x != b.x && a.y != b.y {
			t.Errorf("%s runs askew", w.edge.label)
		}
		run := rect{min(a.x, b.x), min(a.y, b.y), max(a.x, b.x) - min(a.x, b.x), max(a.y, b.y) - min(a.y, b.y)}
		if !inside(run, canvas) {
			t.Errorf("%s leaves the drawing", w.edge.label)
		}
		for _, x := range boxes {
			if overlap(rect{run.x, run.y, run.w + 0.01, run.h + 0.01}, rect{x.x + 0.5, x.y + 0.5, x.w - 1, x.h - 1}) {
				t.Errorf("%s runs over %s", w.edge.label, x.node.name)
			}
		}
	}
}

func inside(a, b rect) bool {
	return a.x >= b.x && a.y >= b.y && a.x+a.w <= b.x+b.w && a.y+a.h <= b.y+b.h
}

func overlap(a, b rect) bool {
	return a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h
}

func TestBeyondSixtyBoxesTheRestIsFoldedAndCounted(t *testing.T) {
	m := crowded()
	p := newPicture(m, DrawOptions{View: ViewEngineer})
	boxes, points := len(p.environments), 0
	for _, lane := range p.lanes {
		boxes += len(lane)
		for _, n := range lane {
			points += max(1, n.fold)
		}
	}
	if boxes > maxNodes || boxes < maxNodes-6 {
		t.Errorf("%d boxes", boxes)
	}
	if points != len(m.Points) {
		t.Errorf("%d of %d points are drawn or counted", points, len(m.Points))
	}
	if last := p.environments[len(p.environments)-1]; last.name != "and 19 more" {
		t.Errorf("the environments end in %q", last.name)
	}
}

// A leadership drawing goes to people outside: it must not tell with which tools, at
// whose place, in which cloud.
func TestTheLeadershipViewNamesNoVendor(t *testing.T) {
	nasty := load(t, `schema: verdict/v1
organization: acme
environments: {prod: {tier: prod, cloud: Nimbus Cloud, cluster: nimbus-k8s-7, promote_from: dev}, dev: {tier: dev, cloud: azure}}
services: {api: {team: t, owner: o, environments: [prod]}}
sources:
  gizmo-scan: {kinds: [licences], command: [/opt/bin/gizmoctl, run]}
points:
  - id: ci.licences
    question: Did Gizmo Scan, run as gizmoctl on forgehub/pull-request in Nimbus Cloud, allow every licence?
    at: forgehub/pull-request
    needs: [licences]
    policy: acme.fine
    produces: {kind: licences-check}
    owner: the ForgeHub team of azure
    feeds: [artifact.trust]
`)
	for name, m := range map[string]*Map{"acme": acme(t), "built-in": Builtin(), "nasty": nasty} {
		for _, format := range []string{FormatText, FormatSVG} {
			t.Run(name+" as "+format, func(t *testing.T) {
				out := draw(t, m, DrawOptions{Format: format, View: ViewLeadership})
				for _, word := range placesAndTools(m) {
					if regexp.MustCompile(`(?i)(^|[^\pL\pN])` + regexp.QuoteMeta(word) + `($|[^\pL\pN])`).MatchString(out) {
						t.Errorf("it names %q", word)
					}
				}
			})
		}
	}
	if out := draw(t, nasty, DrawOptions{View: ViewLeadership}); !strings.Contains(strings.Join(strings.Fields(out), " "), "Did automated checks, run as automated checks on automated checks in cloud, allow every licence?") {
		t.Errorf("the roles are not in the place of the names:\n%s", out)
	}
}

// placesAndTools lists each word of sources and at, with the names of clouds, clusters
// and commands.
func placesAndTools(m *Map) []string {
	var out []string
	for name, s := range m.Sources {
		out = append(out, name, strings.ReplaceAll(name, "-", " "))
		out = append(out, s.Command[:min(1, len(s.Command))]...)
	}
	for _, p := range m.Points {
		out = append(out, p.At)
		out = append(out, strings.Split(p.At, "/")...)
	}
	for _, e := range m.Environments {
		out = append(out, e.Cloud, e.Cluster)
	}
	var words []string
	for _, w := range out {
		if w != "" {
			words = append(words, w)
		}
	}
	return words
}

func TestColourIsNeverAllThatTellsAModeFromAnother(t *testing.T) {
	out := draw(t, acme(t), DrawOptions{Format: FormatSVG})
	for _, want := range []string{`>block<`, `>warn<`, `>observe<`, `class="mark-block"`, `class="mark-warn"`, `class="mark-observe"`, "stroke-dasharray"} {
		if !strings.Contains(out, want) {
			t.Errorf("it has no %s", want)
		}
	}
}

func TestAnUnknownFormatOrViewIsAUsageError(t *testing.T) {
	for _, o := range []DrawOptions{{Format: "png"}, {View: "auditor"}} {
		var e *verdict.Error
		if err := Draw(Builtin(), io.Discard, o); !errors.As(err, &e) || e.Code != verdict.CodeUsage || e.Remedy == "" {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
