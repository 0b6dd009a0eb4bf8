package iac

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// prints are charts by their folders, as a program would give them.
type prints map[string]Rendering

func (c prints) Render(_ context.Context, charts []string) (out []Rendering, err error) {
	for _, dir := range charts {
		r, known := c[dir]
		if !known {
			r.Why = "nobody expected " + dir
		}
		r.By = "helm v3"
		out = append(out, r)
	}
	return out, nil
}

func withCharts(t *testing.T, c prints, files map[string]string) Result {
	t.Helper()
	var list []File
	for p, text := range files {
		list = append(list, File{Path: p, Content: []byte(text)})
	}
	result, err := (&Library{Charts: c}).Check(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func opened(r Result, p, words string) (found, blocks bool) {
	for _, n := range r.Open {
		if n.Path == p && strings.Contains(n.Reason, words) {
			return true, n.Blocks
		}
	}
	return false, false
}

// What a chart sets up is told at the template that it comes from, in its line where that
// stands there as it is.
func TestWhatAChartSetsUpIsToldAtItsTemplate(t *testing.T) {
	const template = "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}}\nspec:\n  containers:\n    - name: web\n      image: {{ .Values.image }}\n      securityContext:\n        privileged: true\n"
	out := "---\n# Source: shop/templates/pod.yaml\n" + pod + "---\n# Source: shop/charts/db/templates/pod.yaml\n" + strings.ReplaceAll(pod, "web", "db") + "---\n# Source: shop/templates/empty.yaml\n# nothing\n"
	r := withCharts(t, prints{"deploy": {Manifests: []byte(out), Files: map[string][]byte{"templates/pod.yaml": []byte(template)}}},
		map[string]string{"deploy/Chart.yaml": "name: shop\n", "deploy/templates/pod.yaml": template})
	type place struct {
		path, resource string
		line           int64
	}
	var got []place
	for _, p := range r.Problems {
		if p.Check == "AVD-KSV-0017" {
			got = append(got, place{p.Path, p.Resource, p.Line})
		}
	}
	if want := []place{{"deploy/Chart.yaml", "Pod/db (charts/db/templates/pod.yaml)", 0}, {"deploy/templates/pod.yaml", "Pod/web", 6}}; !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	if ok, blocks := opened(r, "deploy/Chart.yaml", "was rendered by helm v3, with its own values"); !ok || blocks {
		t.Errorf("got %+v", r.Open)
	}
	if !slices.Contains(r.Judged, "deploy/templates/pod.yaml") {
		t.Errorf("judged %v", r.Judged)
	}
}

// A template that is a manifest as it stands is judged as such, and told once.
func TestAManifestAmongTheTemplatesIsToldOnce(t *testing.T) {
	alone := checked(t, map[string]string{"c/templates/pod.yaml": pod})
	r := withCharts(t, prints{"c": {Manifests: []byte("---\n# Source: c/templates/pod.yaml\n" + pod), Files: map[string][]byte{"templates/pod.yaml": []byte(pod)}}},
		map[string]string{"c/Chart.yaml": "name: c\n", "c/templates/pod.yaml": pod})
	if len(r.Problems) == 0 || !slices.Equal(r.Problems, alone.Problems) {
		t.Errorf("alone %d problems, in a chart %d: %+v", len(alone.Problems), len(r.Problems), r.Problems)
	}
	off := withCharts(t, prints{"c": {}}, map[string]string{"c/Chart.yaml": "name: c\n", "c/templates/pod.yaml": pod})
	if !slices.Equal(off.Problems, alone.Problems) {
		t.Error("a chart beside a manifest takes it out")
	}
}

// A chart that was not rendered must not look like one that sets up nothing.
func TestAChartThatWasNotRenderedLeavesTheCheckIncomplete(t *testing.T) {
	for name, c := range map[string]struct {
		r      Rendering
		told   string
		blocks bool
	}{
		"it fails":                       {Rendering{Why: "need x"}, "was not rendered, and nobody knows what it would set up: need x", true},
		"it sets up nothing":             {Rendering{}, "they set up nothing", false},
		"something else is printed":      {Rendering{Manifests: []byte("hello\n")}, "line 1 belongs to no template", true},
		"talk stands before":             {Rendering{Manifests: []byte("hello\n---\n# Source: c/templates/a.yaml\n" + pod)}, "line 1 belongs to no template", true},
		"a manifest without its source":  {Rendering{Manifests: []byte(pod)}, "line 1 belongs to no template", true},
		"a source out of the chart":      {Rendering{Manifests: []byte("---\n# Source: c/../../x.yaml\n" + pod)}, "names no template", true},
		"a source without a chart":       {Rendering{Manifests: []byte("---\n# Source: x.yaml\n" + pod)}, "names no template", true},
		"a text among the manifests":     {Rendering{Manifests: []byte("---\n# Source: c/a.yaml\n" + pod + "---\nhello\n")}, "begins no manifest", true},
		"a manifest that is cut":         {Rendering{Manifests: []byte("---\n# Source: c/a.yaml\n" + pod + "x: [\n")}, "something else than manifests: a.yaml", true},
		"a stack in place of a manifest": {Rendering{Manifests: []byte("---\n# Source: c/a.yaml\nAWSTemplateFormatVersion: x\n" + pod)}, "begins no manifest", true},
		"one that is too large":          {Rendering{Manifests: []byte("---\n# Source: c/a.yaml\n" + pod + "#" + strings.Repeat("x", maxText))}, "larger than", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := withCharts(t, prints{"c": c.r}, map[string]string{"c/Chart.yaml": "name: c\n"})
			if ok, blocks := opened(r, "c/Chart.yaml", c.told); !ok || blocks != c.blocks {
				t.Errorf("got %+v", r.Open)
			}
			if c.blocks && len(r.Problems) > 0 {
				t.Errorf("what is no rendering is judged in parts: %+v", r.Problems)
			}
		})
	}
}

// A chart within a chart is rendered with it. A library is none by itself, and hides nothing.
func TestAPartOfAChartIsRenderedWithIt(t *testing.T) {
	const chart, library = "name: c\n", "name: l\ntype: library\n"
	one := Rendering{Manifests: []byte("---\n# Source: c/charts/on/templates/a.yaml\n" + pod)}
	r := withCharts(t, prints{"a": one, "lib/charts/x": {}, "a/examples/y": {}}, map[string]string{
		"a/Chart.yaml": chart, "a/charts/on/Chart.yaml": chart, "a/charts/on/charts/deep/Chart.yaml": chart, "a/charts/off/Chart.yaml": chart, "a/charts/helpers/Chart.yaml": library,
		"lib/Chart.yaml": library, "lib/charts/x/Chart.yaml": chart, "a/examples/y/Chart.yaml": chart,
	})
	for p, words := range map[string]string{
		"a/Chart.yaml": "was rendered", "lib/charts/x/Chart.yaml": "was rendered", "a/examples/y/Chart.yaml": "was rendered", "lib/Chart.yaml": "is a library",
		"a/charts/off/Chart.yaml": "the chart that it is a part of it sets up nothing", "a/charts/on/charts/deep/Chart.yaml": "it sets up nothing",
	} {
		if ok, blocks := opened(r, p, words); !ok || blocks {
			t.Errorf("%s: not told %q", p, words)
		}
	}
	if len(r.Open) != 6 {
		t.Errorf("got %+v", r.Open)
	}
	top := withCharts(t, prints{".": one}, map[string]string{"Chart.yaml": chart, "charts/on/Chart.yaml": chart, "charts/off/Chart.yaml": chart})
	if ok, _ := opened(top, "charts/off/Chart.yaml", "sets up nothing"); !ok || len(top.Open) != 2 {
		t.Errorf("got %+v", top.Open)
	}
}

func FuzzRendered(f *testing.F) {
	f.Add("---\n# Source: c/templates/a.yaml\n"+pod, pod)
	f.Add("---\n# Source: c/../a.yaml\n", "{{")
	f.Fuzz(func(t *testing.T, out, template string) {
		r, err := (&Library{Charts: prints{"c": {Manifests: []byte(out), Files: map[string][]byte{"templates/a.yaml": []byte(template)}}}}).
			Check(t.Context(), []File{{Path: "c/Chart.yaml", Content: []byte("name: c\n")}})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Open) == 0 {
			t.Error("nothing is said of the chart")
		}
		lines := int64(strings.Count(template, "\n")) + 1
		for _, p := range r.Problems {
			if p.Line > lines || !strings.HasPrefix(p.Path, "c/") {
				t.Errorf("got %+v", p)
			}
		}
	})
}

// A template whose braces happen to be YAML is no manifest that could not be judged: what it
// gives is told by rendering, and a chart that nobody renders is told as such.
func TestATemplateThatHappensToBeYAMLIsNoGap(t *testing.T) {
	files := map[string]string{"c/Chart.yaml": "name: c\n", "c/templates/pod.yaml": strings.Replace(pod, "privileged: true", "privileged: {{ .Values.open }}", 1)}
	for name, r := range map[string]Result{"told": checked(t, files), "rendered": withCharts(t, prints{"c": {}}, files)} {
		if len(r.Open) != 1 || r.Open[0].Blocks || len(r.Problems) != 0 {
			t.Errorf("%s: %+v, %+v", name, r.Open, r.Problems)
		}
	}
	delete(files, "c/Chart.yaml")
	if r := checked(t, files); len(r.Open) != 1 || !r.Open[0].Blocks || !strings.Contains(r.Open[0].Reason, "keys are texts") {
		t.Errorf("outside of a chart: %+v", r.Open)
	}
}
