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
	"sync"

	kubernetes "github.com/aquasecurity/trivy/pkg/iac/scanners/kubernetes/parser"
	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"verdict"
	"verdict/ci/plain"
	"verdict/ci/wording"
)

// maxLayers bounds the folders that one overlay is made of, counted as often as they are
// taken: two that each take one twice are six.
const maxLayers = 500

// errElsewhere says that an overlay needs what is not in the tree, or what only another
// program could make of it.
var errElsewhere = errors.New("the overlay was not rendered")

// isKustomization reports whether a file has a name that Kustomize looks for.
func isKustomization(p string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(p))
}

// layer is one folder with a kustomization.
type layer struct {
	file string // the kustomization
	spec kustomize.Kustomization
	// takes are the folders that it is made of, and files those that it reads as manifests
	// or patches. patches are the latter of them.
	takes, files, patches []string
	// data are files of which a ConfigMap or a Secret is generated.
	data  []string
	why   error // why it cannot be rendered here
	wrong bool  // it was told as a file that cannot be read
}

// layers are those of a tree, by their folders, over the files that may belong to them.
type layers struct {
	all   map[string]*layer
	texts map[string][]byte
}

// overlays reads the kustomizations among the files and renders each that no other takes.
func (r *run) overlays(ctx context.Context, files []File) {
	l := &layers{all: map[string]*layer{}, texts: map[string][]byte{}}
	for _, f := range files {
		if ext := strings.ToLower(path.Ext(f.Path)); len(f.Content) <= maxText && (isKustomization(f.Path) || ext == ".yaml" || ext == ".yml" || ext == ".json") {
			l.texts[f.Path] = f.Content
		}
	}
	for _, f := range files {
		if isKustomization(f.Path) && l.texts[f.Path] != nil {
			r.layer(f, l)
		}
	}
	for _, dir := range l.roots() {
		r.within(ctx, l.all[dir].file, 0, func(part *run) error { return part.overlay(ctx, dir, l) })
	}
}

// layer reads one kustomization.
func (r *run) layer(f File, l *layers) {
	dir := path.Dir(f.Path)
	if line, column, err := r.wellFormed(f); err != nil {
		r.invalid(f.Path, formatKustomize, line, column, err.Error())
		return
	}
	if of := firstKey(f.Content, "apiVersion"); of != "" && !strings.HasPrefix(of, "kustomize.config.k8s.io/") {
		return // a manifest that only has the name, such as one of Flux
	}
	if other := l.all[dir]; other != nil {
		r.invalid(f.Path, formatKustomize, 0, 0, fmt.Sprintf("%s is beside it, and Kustomize takes one of them", path.Base(other.file)))
		other.wrong = true
		return
	}
	y := &layer{file: f.Path}
	l.all[dir] = y
	if err := y.spec.Unmarshal(f.Content); err != nil {
		r.invalid(f.Path, formatKustomize, yamlLine(err), 0, err.Error())
		y.wrong = true
		return
	}
	r.result.Judged = append(r.result.Judged, f.Path)
	y.settle(dir, l)
}

// settle brings the kustomization to the form without deprecated fields, of which the
// library would warn on standard error, and finds what it is made of. Nothing that is not
// a file or a folder of the tree gets to the library: it would fetch it.
func (y *layer) settle(dir string, l *layers) {
	k := &y.spec
	k.FixKustomization()
	//lint:ignore SA1019 what is said in the older form counts too
	older, oldest := k.PatchesStrategicMerge, k.PatchesJson6902
	//lint:ignore SA1019 and is not said twice
	k.PatchesStrategicMerge, k.PatchesJson6902, k.Vars, k.SortOptions = nil, nil, nil, nil
	var first []kustomize.Patch
	for _, p := range older {
		if text := string(p); l.texts[path.Join(dir, text)] != nil && !strings.Contains(text, "\n") {
			first = append(first, kustomize.Patch{Path: text})
		} else {
			first = append(first, kustomize.Patch{Patch: text})
		}
	}
	k.Patches = slices.Concat(first, k.Patches, oldest)
	switch {
	case len(k.Generators)+len(k.Transformers)+len(k.Validators) > 0:
		y.why = fmt.Errorf("%w: it has generators, transformers or validators of its own, which are programs or may call some", errElsewhere)
	case len(k.HelmCharts) > 0:
		y.why = fmt.Errorf("%w: it takes a chart of Helm in", errElsewhere)
	}
	for _, p := range slices.Concat(k.Resources, k.Components) {
		if at := path.Join(dir, p); l.texts[at] == nil || isKustomization(at) {
			y.takes = append(y.takes, p)
		} else {
			y.files = append(y.files, p)
		}
	}
	for _, p := range k.Patches {
		if p.Path != "" {
			y.files, y.patches = append(y.files, p.Path), append(y.patches, path.Join(dir, p.Path))
		}
	}
	for _, p := range k.Replacements {
		if p.Path != "" {
			y.files = append(y.files, p.Path)
		}
	}
	y.files = append(y.files, slices.Concat(k.Crds, k.Configurations)...)
	if p := k.OpenAPI["path"]; p != "" {
		y.files = append(y.files, p)
	}
	for _, g := range k.ConfigMapGenerator {
		y.data = append(y.data, slices.Concat(g.FileSources, g.EnvSources)...)
	}
	for _, g := range k.SecretGenerator {
		y.data = append(y.data, slices.Concat(g.FileSources, g.EnvSources)...)
	}
	for i, p := range y.data {
		if _, file, named := strings.Cut(p, "="); named {
			y.data[i] = file
		}
	}
	for _, p := range slices.Concat(y.takes, y.files, y.data) {
		if remote(p) {
			y.why = cmp.Or(y.why, fmt.Errorf("%w: %s comes from elsewhere and is not fetched", errElsewhere, oneLine(p)))
		}
	}
	for i := range y.takes {
		y.takes[i] = path.Join(dir, y.takes[i])
	}
}

// remote reports whether Kustomize could take a path as an address. It is wider than what
// Kustomize does: a folder that is called github.com is taken as one too.
func remote(p string) bool {
	return strings.ContainsAny(p, ":@?%\\\n") || strings.Contains(strings.ToLower(p), "github.com") || path.IsAbs(p)
}

// firstKey is a word of the first document of a file; empty where there is none.
func firstKey(content []byte, key string) string {
	var n yaml.Node
	if yaml.Unmarshal(content, &n) != nil || len(n.Content) != 1 {
		return ""
	}
	keys := map[string]*yaml.Node{}
	topKeys(n.Content[0], keys, 0)
	return plain.Word(aliased(keys[key]))
}

// roots are the folders that no overlay takes, sorted. Components alone are none.
func (l *layers) roots() (dirs []string) {
	taken := map[string]bool{}
	for _, y := range l.all {
		for _, dir := range y.takes {
			taken[dir] = true
		}
	}
	for dir, y := range l.all {
		if !taken[dir] && !y.wrong && y.spec.Kind != kustomize.ComponentKind {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// overlay renders the overlay of a folder and judges what it sets up.
func (r *run) overlay(ctx context.Context, dir string, l *layers) error {
	top := l.all[dir]
	all, err := l.below(dir)
	switch {
	case errors.Is(err, errElsewhere):
		r.open(top.file, false, "%s; its manifests were judged as they stand in their files", err)
		return nil
	case errors.As(err, new(absent)):
		r.result.Absent = append(r.result.Absent, verdict.NotChecked{Path: top.file, Reason: err.Error(), Blocks: true})
		return nil
	case err != nil:
		r.invalid(top.file, formatKustomize, 0, 0, err.Error())
		return nil
	}
	for _, y := range all {
		for _, p := range y.files {
			at := path.Join(path.Dir(y.file), p)
			if _, _, err := r.wellFormed(File{Path: at, Content: l.texts[at]}); err != nil {
				r.open(top.file, true, "the overlay was not rendered: %s cannot be read: %s", at, oneLine(err.Error()))
				return nil
			}
		}
	}
	fsys, made, err := l.laid(dir, all)
	if err != nil {
		return err
	}
	set, err := rendered(fsys, path.Join("/", dir))
	switch {
	case err != nil && made > 0:
		r.open(top.file, true, "the overlay was not rendered, perhaps because %d files that it makes ConfigMaps or Secrets of are not read as infrastructure code: %s", made, oneLine(err.Error()))
		return nil
	case err != nil:
		r.invalid(top.file, formatKustomize, 0, 0, "it cannot be rendered: "+err.Error())
		return nil
	case made > 0:
		r.open(top.file, false, "what its ConfigMaps and Secrets get from %s was not judged", wording.Count(made, "file", "files"))
	}
	for _, y := range all {
		r.patches = append(r.patches, y.patches...)
	}
	for _, res := range set {
		if err := r.judgeRendered(ctx, top.file, dir, res); err != nil {
			return err
		}
	}
	return nil
}

// absent is what an overlay names and nobody handed in.
type absent string

func (a absent) Error() string { return string(a) }

// below lists a layer and those that it is made of, each once.
func (l *layers) below(dir string) (list []*layer, err error) {
	count, under := 0, map[string]bool{}
	var visit func(dir, by string) error
	visit = func(dir, by string) error {
		y := l.all[dir]
		count++
		switch {
		case y == nil:
			return absent(fmt.Sprintf("the overlay was not rendered: %s takes %s, of which no kustomization and no manifest was read", by, dir))
		case y.wrong:
			return absent(fmt.Sprintf("the overlay was not rendered: %s cannot be read", y.file))
		case y.why != nil:
			return y.why
		case under[dir]:
			return fmt.Errorf("%s comes to take itself in", y.file)
		case count > maxLayers:
			return fmt.Errorf("it takes more than %d folders in", maxLayers)
		}
		for _, p := range y.files {
			if l.texts[path.Join(path.Dir(y.file), p)] == nil {
				return absent(fmt.Sprintf("the overlay was not rendered: %s takes %s, which was not read as infrastructure code", y.file, p))
			}
		}
		if !slices.Contains(list, y) {
			list = append(list, y)
		}
		under[dir] = true
		defer delete(under, dir)
		for _, next := range y.takes {
			if err := visit(next, y.file); err != nil {
				return err
			}
		}
		return nil
	}
	return list, visit(dir, "")
}

// laid writes the layers into a file system in memory, and counts the files that stand in
// for what was not kept.
func (l *layers) laid(top string, all []*layer) (fsys filesys.FileSystem, made int, err error) {
	fsys = filesys.MakeFsInMemory()
	for _, y := range all {
		dir := path.Dir(y.file)
		if dir == top {
			y.spec.BuildMetadata = []string{kustomize.OriginAnnotations}
		}
		spec, err := json.Marshal(y.spec)
		if err != nil {
			return nil, 0, err
		}
		if err := fsys.WriteFile(path.Join("/", dir, konfig.DefaultKustomizationFileName()), spec); err != nil {
			return nil, 0, err
		}
		for _, p := range slices.Concat(y.files, y.data) {
			at := path.Join(dir, p)
			text, kept := l.texts[at]
			if !kept {
				made++
			}
			if err := fsys.WriteFile(path.Join("/", at), text); err != nil {
				return nil, 0, err
			}
		}
	}
	return fsys, made, nil
}

// oneAtATime is held while the library renders: it keeps the schema of an overlay for the
// whole process.
var oneAtATime sync.Mutex

func rendered(fsys filesys.FileSystem, dir string) ([]*resource.Resource, error) {
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = kustomize.LoadRestrictionsNone // the file system holds nothing but the tree's
	set, err := krusty.MakeKustomizer(options).Run(fsys, dir)
	if err != nil {
		return nil, err
	}
	return set.Resources(), nil
}

// added is what is wrong with a manifest as an overlay renders it, and the file that it
// was rendered from.
type added struct {
	Problem
	from, name string
}

func (r *run) judgeRendered(ctx context.Context, file, dir string, res *resource.Resource) error {
	from := file
	if origin, err := res.GetOrigin(); err == nil && origin != nil && origin.Path != "" {
		from = path.Join(dir, origin.Path)
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
		r.added = append(r.added, added{p, from, res.GetName()})
	}
	return err
}

// overlaid takes in what overlays add to what the files show by themselves.
func (r *run) overlaid() {
	type place struct{ path, check, kind string }
	stands := map[place][]Problem{}
	for _, p := range r.result.Problems {
		at := place{p.Path, p.Check, p.Type}
		stands[at] = append(stands[at], p)
	}
	for _, a := range r.added {
		known := slices.ContainsFunc(stands[place{a.from, a.Check, a.Type}], func(p Problem) bool {
			_, name, _ := strings.Cut(p.Resource, "/")
			return strings.Contains(a.name, name) && strings.ReplaceAll(a.Message, a.name, name) == p.Message
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
