package iac

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Charts renders Helm charts, which is the work of helm itself.
type Charts interface {
	// Render gives what each of the charts in these folders would set up, in their order.
	// What keeps one from being rendered is in its Rendering; the error is that of ctx.
	Render(ctx context.Context, charts []string) ([]Rendering, error)
}

// Rendering is one chart as helm template printed it.
type Rendering struct {
	Manifests []byte            // each after a line that names its template
	Files     map[string][]byte // of the chart, by their paths below it
	By        string            // the program, for people
	Why       string            // it was not rendered; empty where it was
}

// render judges what the charts set up. A chart below the folder charts of another one is
// rendered as a part of that.
func (r *run) render(ctx context.Context) error {
	var whole []string
	for _, dir := range slices.Sorted(maps.Keys(r.charts)) {
		switch {
		case r.renderer == nil:
			r.open(chartFile(dir), false, "the chart was not rendered: what it would set up was judged only where it stands in its files as it is. "+
				"To have it rendered add `helm: {command: [helm, template], format: helm}` under `sources:` of the map, and release that")
		case r.partOf(dir) != "":
		case !r.charts[dir]:
			r.open(chartFile(dir), false, "the chart is a library and sets up nothing by itself: it is judged where others use it")
		default:
			whole = append(whole, dir)
		}
	}
	if len(whole) == 0 {
		return nil
	}
	standing := len(r.result.Problems)
	rendered, err := r.renderer.Render(ctx, whole)
	if err != nil {
		return err
	}
	for i, dir := range whole {
		r.chart(ctx, dir, rendered[i])
	}
	r.sayOnce(standing)
	return nil
}

func chartFile(dir string) string { return path.Join(dir, "Chart.yaml") }

// isLibrary reports whether a chart only lends its templates to others.
func isLibrary(content []byte) bool {
	var c struct {
		Type string `yaml:"type"`
	}
	return yaml.Unmarshal(content, &c) == nil && c.Type == "library"
}

// partOf is the chart that is rendered with this one in it; "" for none. A library takes
// nothing along that is not a part of another chart itself.
func (r *run) partOf(dir string) string {
	above := path.Dir(dir)
	parent := path.Dir(above)
	own, chart := r.charts[parent]
	switch {
	case dir == "." || path.Base(above) != "charts" || !chart:
		return ""
	case own:
		return parent
	}
	return r.partOf(parent)
}

// chart judges what one chart sets up. What cannot all be read as manifests is not judged
// in parts either: nobody knows what the rest would have been.
func (r *run) chart(ctx context.Context, dir string, c Rendering) {
	var all []printed
	var err error
	if c.Why == "" {
		if all, err = printedBy(c.Manifests); err != nil {
			c.Why = fmt.Sprintf("%s printed something else than manifests: %s", c.By, oneLine(err.Error()))
		}
	}
	if c.Why != "" {
		r.open(chartFile(dir), true, "the chart was not rendered, and nobody knows what it would set up: %s", c.Why)
		return
	}
	for _, p := range all {
		at := path.Join(dir, p.template)
		r.guarded(at, func() error {
			return r.timely(ctx, at, func(ctx context.Context) error { return r.rendered(ctx, dir, p, c.Files) })
		})
	}
	what := "what other values would set up was not judged"
	if len(all) == 0 {
		what = "they set up nothing; " + what
	}
	r.open(chartFile(dir), false, "the chart was rendered by %s, with its own values and what the map's command adds to them: %s", c.By, what)
	r.switchedOff(dir, all)
}

// switchedOff tells of the charts within a chart that gave no manifest.
func (r *run) switchedOff(dir string, all []printed) {
	for _, part := range slices.Sorted(maps.Keys(r.charts)) {
		whole := part
		for above := r.partOf(whole); above != ""; above = r.partOf(whole) {
			whole = above
		}
		inside := strings.TrimPrefix(part, strings.TrimPrefix(dir+"/", "./")) + "/"
		if part == dir || whole != dir || !r.charts[part] || slices.ContainsFunc(all, func(p printed) bool { return strings.HasPrefix(p.template, inside) }) {
			continue
		}
		r.open(chartFile(part), false, "the chart was not rendered: by the values of the chart that it is a part of it sets up nothing")
	}
}

// printed is what a template of a chart gave.
type printed struct {
	template string // its path below the chart
	text     []byte
}

const sourceLine = "# Source: "

// printedBy takes apart what helm template prints: before the text of each template stand a
// line --- and one that names it, and helm leaves no line --- within the text.
func printedBy(out []byte) (all []printed, err error) {
	lines := bytes.SplitAfter(out, []byte("\n"))
	for i := 0; i < len(lines); i++ {
		line := string(bytes.TrimRight(lines[i], "\r\n"))
		if line == "---" && i+1 < len(lines) && bytes.HasPrefix(lines[i+1], []byte(sourceLine)) {
			i++
			chart, template, _ := strings.Cut(strings.TrimSpace(string(lines[i][len(sourceLine):])), "/")
			if chart == "" || template == "." || !fs.ValidPath(template) {
				return nil, fmt.Errorf("line %d names no template of a chart", i+1)
			}
			all = append(all, printed{template: template})
			continue
		}
		if len(all) > 0 {
			all[len(all)-1].text = append(all[len(all)-1].text, lines[i]...)
		} else if line != "" {
			return nil, fmt.Errorf("line %d belongs to no template", i+1)
		}
	}
	for _, p := range all {
		if err := ofManifests(p); err != nil {
			return nil, fmt.Errorf("%s: %w", p.template, err)
		}
	}
	return all, nil
}

// ofManifests refuses a text that holds anything but manifests, or comments alone.
func ofManifests(p printed) error {
	if len(p.text) > maxText {
		return fmt.Errorf("it is larger than the %d bytes that infrastructure code is read up to", maxText)
	}
	if _, _, err := (&run{}).wellFormed(File{Path: p.template, Content: p.text}); err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(p.text))
	for {
		var n yaml.Node
		switch err := d.Decode(&n); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if len(n.Content) != 1 || n.Content[0].Tag == "!!null" {
			continue
		}
		if formatOfDocument(n.Content[0]) != formatKubernetes {
			return fmt.Errorf("line %d begins no manifest of Kubernetes", n.Content[0].Line)
		}
	}
}

// rendered judges what one template gave. Its problems are told at the template; where that
// is packed into an archive, at the chart.
func (r *run) rendered(ctx context.Context, dir string, p printed, files map[string][]byte) error {
	at, about := path.Join(dir, p.template), ""
	template, there := files[p.template]
	if !there {
		at, about = chartFile(dir), " ("+p.template+")"
	}
	r.result.Judged = append(r.result.Judged, at)
	standing, known := r.texts[at]
	r.texts[at] = p.text
	before := len(r.result.Problems)
	err := r.manifests(ctx, File{Path: at, Content: p.text}, false)
	for i := before; i < len(r.result.Problems); i++ {
		x := &r.result.Problems[i]
		x.Line, x.Resource = sourceOf(p.text, x.Line, template), x.Resource+about
	}
	if delete(r.texts, at); known {
		r.texts[at] = standing
	}
	return err
}

// sourceOf is the line of a template that a line of what it gave stands in, where it stands
// in exactly one as it is; 0 where it was made from values.
func sourceOf(text []byte, line int64, template []byte) (found int64) {
	lines := bytes.Split(text, []byte("\n"))
	if line < 1 || line > int64(len(lines)) {
		return 0
	}
	want := bytes.TrimSpace(lines[line-1])
	for i, l := range bytes.Split(template, []byte("\n")) {
		if bytes.Equal(bytes.TrimSpace(l), want) {
			if found > 0 {
				return 0
			}
			found = int64(i) + 1
		}
	}
	return found
}

// sayOnce drops what rendering found again of a template that is a manifest as it stands.
func (r *run) sayOnce(standing int) {
	type place struct {
		check, path, resource string
		line                  int64
	}
	seen := map[place]bool{}
	of := func(p Problem) []place {
		out := []place{{p.Check, p.Path, p.Resource, 0}}
		if p.Line > 0 {
			out = append(out, place{p.Check, p.Path, "", p.Line})
		}
		return out
	}
	for _, p := range r.result.Problems[:standing] {
		for _, x := range of(p) {
			seen[x] = true
		}
	}
	kept := r.result.Problems[:standing]
	for _, p := range r.result.Problems[standing:] {
		if !slices.ContainsFunc(of(p), func(x place) bool { return seen[x] }) {
			kept = append(kept, p)
		}
	}
	r.result.Problems = kept
}
