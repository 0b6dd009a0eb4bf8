package iac

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	kubernetes "github.com/aquasecurity/trivy/pkg/iac/scanners/kubernetes/parser"
	"sigs.k8s.io/kustomize/api/resource"
)

// added is what is wrong with a manifest as an overlay renders it, and the file that it
// was rendered from.
type added struct {
	Problem
	from, name string
	origin     string   // its name in that file
	parts      []string // the kustomizations that the overlay is made of, but its own
}

func (r *run) judgeRendered(ctx context.Context, file string, parts []string, res *resource.Resource) error {
	from := file
	if origin, err := res.GetOrigin(); err == nil && origin != nil && origin.Path != "" {
		from = path.Join(path.Dir(file), origin.Path)
	}
	if err := res.SetOrigin(nil); err != nil {
		return err
	}
	text, err := res.AsYAML()
	if err != nil {
		return err
	}
	parsed, err := kubernetes.Parse(ctx, bytes.NewReader(text), file)
	if err != nil || len(parsed) != 1 {
		return fmt.Errorf("%s %s as it is rendered: %w", res.GetKind(), res.GetName(), cmp.Or(err, errors.New("it is no manifest")))
	}
	found, err := groups["kubernetes"].judge(ctx, parsed[0], res.GetKind())
	for _, x := range found {
		x.resource = res.GetKind() + "/" + res.GetName()
		p := problemOf(x, formatKubernetes, res.GetKind())
		if x.line > 0 && x.end <= x.line {
			p.Cause = setting(text, x.line, formatKubernetes)
		}
		p.Path, p.Line = file, 0
		r.added = append(r.added, added{Problem: p, from: from, name: res.GetName(), parts: parts})
	}
	return err
}

// as reports whether it is what was told before of a thing of that name, which an overlay
// may have made longer.
func (a added) as(name, message string) bool {
	return strings.Contains(a.name, name) && strings.ReplaceAll(a.Message, a.name, name) == message
}

// origins finds the names that rendered manifests have in their files.
type origins struct {
	run   *run
	known map[string]map[string][]string // file → kind → names
}

// of is the longest name of the kind in the file that an overlay may have made longer; the
// name as it is where there is none.
func (o *origins) of(a added) (name string) {
	if o.known[a.from] == nil {
		kinds := map[string][]string{}
		for _, m := range manifestsOf(o.run.texts[a.from]) {
			var about struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if json.Unmarshal(m.json, &about) == nil {
				kinds[about.Kind] = append(kinds[about.Kind], about.Metadata.Name)
			}
		}
		o.known[a.from] = kinds
	}
	for _, n := range o.known[a.from][a.Type] {
		if len(n) > len(name) && strings.Contains(a.name, n) {
			name = n
		}
	}
	return cmp.Or(name, a.name)
}

// overlaid takes in what overlays add to what the files show by themselves, and each once:
// at the lowest overlay that has it.
func (r *run) overlaid() {
	type place struct{ path, check, kind string }
	stands, makes := map[place][]Problem{}, map[place][]added{}
	for _, p := range r.result.Problems {
		at := place{p.Path, p.Check, p.Type}
		stands[at] = append(stands[at], p)
	}
	names := &origins{run: r, known: map[string]map[string][]string{}}
	for i := range r.added {
		r.added[i].origin = names.of(r.added[i])
		a := r.added[i]
		at := place{a.from, a.Check, a.Type}
		makes[at] = append(makes[at], a)
	}
	for _, a := range r.added {
		at := place{a.from, a.Check, a.Type}
		known := slices.ContainsFunc(stands[at], func(p Problem) bool {
			_, name, _ := strings.Cut(p.Resource, "/")
			return name == a.origin && a.as(name, p.Message)
		}) || slices.ContainsFunc(makes[at], func(b added) bool {
			return slices.Contains(a.parts, b.Path) && a.origin == b.origin && a.as(b.name, b.Message)
		})
		if known {
			continue
		}
		if a.from != a.Path {
			a.Message += " (as this overlay makes it of " + a.from + ")"
		}
		r.result.Problems = append(r.result.Problems, a.Problem)
	}
}

// partOfOverlay reports whether a document of a file is a patch of an overlay that was
// rendered, and nothing that could run by itself: what it does is judged where it is put in.
func (r *run) partOfOverlay(p string, o map[string]any) bool {
	if !slices.Contains(r.patches, p) {
		return false
	}
	if _, directive := o["$patch"]; directive {
		return true
	}
	at, ok := podIn[fmt.Sprint(o["kind"])]
	if !ok {
		return false
	}
	for _, key := range at {
		if o, _ = o[key].(map[string]any); o == nil {
			return true
		}
	}
	containers, _ := o["containers"].([]any)
	return len(containers) == 0 || slices.ContainsFunc(containers, func(c any) bool {
		m, _ := c.(map[string]any)
		return m["image"] == nil
	})
}

// podIn is where the kinds that run containers describe their pods.
var podIn = func() map[string][]string {
	kinds := map[string][]string{"Pod": {"spec"}, "CronJob": {"spec", "jobTemplate", "spec", "template", "spec"}}
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"} {
		kinds[kind] = []string{"spec", "template", "spec"}
	}
	return kinds
}()
