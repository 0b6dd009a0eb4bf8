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
	data   []string
	unseen bool  // it changes manifests in a way that is judged nowhere but in what is rendered
	vars   bool  // it has variables, which are not put in
	why    error // why it cannot be rendered here
	wrong  bool  // it was told as a file that cannot be read
}

// layers are those of a tree, by their folders, over the files that may belong to them.
type layers struct {
	all   map[string]*layer
	texts map[string][]byte
}

// overlays reads the kustomizations among the files and renders those that set something up.
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
	var loose []string // patches of overlays that were not rendered are judged as they stand
	late := false
	for _, dir := range l.roots() {
		if file := l.all[dir].file; late { // what was given up still holds the library
			r.open(file, true, "the overlay was not rendered: one before it takes longer than %s", perModule)
		} else {
			late = r.within(ctx, file, 0, func(part *run) error {
				return part.timely(ctx, file, func(ctx context.Context) error { return part.overlay(ctx, dir, l) })
			})
		}
		if !slices.Contains(r.overlaysDone, dir) {
			for _, y := range l.reach(dir) {
				loose = append(loose, y.patches...)
			}
		}
	}
	r.patches = slices.DeleteFunc(r.patches, func(p string) bool { return slices.Contains(loose, p) })
}

// layer reads one kustomization.
func (r *run) layer(f File, l *layers) {
	dir := path.Dir(f.Path)
	if line, column, err := r.wellFormed(f); err != nil {
		r.invalid(f.Path, formatKustomize, line, column, err.Error())
		return
	}
	y := &layer{file: f.Path}
	unread := y.spec.Unmarshal(f.Content)
	of := y.spec.APIVersion // as Kustomize reads it, to which letters are the same in either case
	if unread != nil {
		of = firstKey(f.Content, "apiVersion")
	}
	if of != "" && !strings.HasPrefix(of, "kustomize.config.k8s.io/") {
		return // a manifest that only has the name, such as one of Flux
	}
	if other := l.all[dir]; other != nil {
		r.invalid(f.Path, formatKustomize, 0, 0, fmt.Sprintf("%s is beside it, and Kustomize takes one of them", path.Base(other.file)))
		other.wrong = true
		return
	}
	l.all[dir] = y
	if unread != nil {
		r.invalid(f.Path, formatKustomize, yamlLine(unread), 0, unread.Error())
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
	older, oldest, common := k.PatchesStrategicMerge, k.PatchesJson6902, k.CommonLabels
	//lint:ignore SA1019 they are told
	y.vars = len(k.Vars) > 0
	//lint:ignore SA1019 and is not said twice
	k.PatchesStrategicMerge, k.PatchesJson6902, k.CommonLabels, k.Vars, k.SortOptions = nil, nil, nil, nil, nil
	if len(common) > 0 {
		k.Labels = append(k.Labels, kustomize.Label{Pairs: common, IncludeSelectors: true})
	}
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
		y.made(g.KvPairSources)
	}
	for _, g := range k.SecretGenerator {
		y.made(g.KvPairSources)
	}
	y.unseen = len(k.Generators)+len(k.Transformers)+len(k.Replacements) > 0 || slices.ContainsFunc(k.Patches, func(p kustomize.Patch) bool {
		return p.Path == "" || !remote(p.Path) && !standsAlone(l.texts[path.Join(dir, p.Path)], p.Target)
	})
	for _, p := range slices.Concat(y.takes, y.files, y.data) {
		if remote(p) {
			y.why = cmp.Or(y.why, fmt.Errorf("%w: %s comes from elsewhere and is not fetched", errElsewhere, oneLine(p)))
		}
	}
	for i := range y.takes {
		y.takes[i] = path.Join(dir, y.takes[i])
	}
}

// made takes the files that data come from. A name may stand before that of a file whose
// content is one value, and before no other.
func (y *layer) made(of kustomize.KvPairSources) {
	for _, p := range of.FileSources {
		if _, file, named := strings.Cut(p, "="); named {
			p = file
		}
		y.data = append(y.data, p)
	}
	y.data = append(y.data, of.EnvSources...)
}

// standsAlone reports whether a patch is judged in its file as what it is put into.
func standsAlone(patch []byte, target *kustomize.Selector) bool {
	kind := firstKey(patch, "kind")
	return kind != "" && firstKey(patch, "apiVersion") != "" && (target == nil || target.Kind == kind)
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

// roots are the folders that set something up by themselves, sorted: those that no overlay
// takes, and those that change what they take. One that another takes may be applied as it
// is all the same, and what the other mends says nothing of it.
func (l *layers) roots() (dirs []string) {
	taken := map[string]bool{}
	for _, y := range l.all {
		for _, dir := range y.takes {
			taken[dir] = true
		}
	}
	for dir, y := range l.all {
		part := taken[dir] && (y.gathers() || y.spec.Kind == kustomize.ComponentKind)
		if !part && !y.wrong {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// gathers reports whether a layer does nothing but take others and manifests in.
func (y *layer) gathers() bool {
	rest := y.spec
	rest.TypeMeta, rest.MetaData, rest.Resources = kustomize.TypeMeta{}, nil, nil
	empty := kustomize.Kustomization{}
	text, err := json.Marshal(rest)
	none, err2 := json.Marshal(empty)
	return errors.Join(err, err2) == nil && bytes.Equal(text, none) && y.why == nil && !y.vars
}

// reach lists the layers that a folder leads to, as far as they are in the tree.
func (l *layers) reach(dir string) (list []*layer) {
	seen := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		if y := l.all[dir]; y != nil && !seen[dir] {
			seen[dir] = true
			list = append(list, y)
			for _, next := range y.takes {
				visit(next)
			}
		}
	}
	visit(dir)
	return list
}

// overlay renders the overlay of a folder and judges what it sets up.
func (r *run) overlay(ctx context.Context, dir string, l *layers) error {
	top := l.all[dir]
	if top.spec.Kind == kustomize.ComponentKind {
		unseen := slices.ContainsFunc(l.reach(dir), func(y *layer) bool { return y.unseen })
		r.open(top.file, unseen, "the component was not rendered: no overlay of the tree takes it")
		return nil
	}
	all, err := l.below(dir)
	switch {
	case errors.Is(err, errElsewhere):
		r.notRendered(top.file, err, l.reach(dir))
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
	}
	r.leftOut(top.file, made, all)
	r.overlaysDone = append(r.overlaysDone, dir)
	var parts []string
	for _, y := range all {
		r.patches = append(r.patches, y.patches...)
		if y != top {
			parts = append(parts, y.file)
		}
	}
	for _, res := range set {
		if err := r.judgeRendered(ctx, top.file, parts, res); err != nil {
			return err
		}
	}
	return nil
}

// notRendered says that an overlay was not rendered. Manifests and patches that look like
// some are judged in their files all the same; what else it changes is a gap.
func (r *run) notRendered(file string, why error, all []*layer) {
	if slices.ContainsFunc(all, func(y *layer) bool { return y.unseen }) {
		r.open(file, true, "%s; it changes manifests by what was judged nowhere, such as patches within it or as JSON: write those as manifests in files", why)
		return
	}
	r.open(file, false, "%s; its manifests were judged as they stand in their files", why)
}

// leftOut says what an overlay was rendered without. It is a gap where that may have come
// to stand anywhere in a manifest.
func (r *run) leftOut(file string, made int, all []*layer) {
	has := func(what func(y *layer) bool) bool { return slices.ContainsFunc(all, what) }
	if made > 0 {
		r.open(file, has(func(y *layer) bool { return len(y.spec.Replacements) > 0 }), "what its ConfigMaps and Secrets get from %s was not judged", wording.Count(made, "file", "files"))
	}
	if has(func(y *layer) bool { return y.vars }) {
		r.open(file, has(func(y *layer) bool { return len(y.spec.Configurations) > 0 }), "its vars were not put in, and what they would set was not judged: Kustomize has replacements instead")
	}
}

// absent is what an overlay names and nobody handed in.
type absent string

func (a absent) Error() string { return string(a) }

// below lists a layer and those that it is made of, each once.
func (l *layers) below(dir string) (list []*layer, err error) {
	count, under := 0, map[string]bool{}
	taker := func(file string) string {
		if file == l.all[dir].file {
			return "it" // where it is told
		}
		return file
	}
	var visit func(dir, by string) error
	visit = func(dir, by string) error {
		y := l.all[dir]
		count++
		switch {
		case y == nil:
			return absent(fmt.Sprintf("the overlay was not rendered: %s takes %s, which is not there, or of which no kustomization and no manifest was read", taker(by), dir))
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
				return absent(fmt.Sprintf("the overlay was not rendered: %s takes %s, which is not there, or was not read as infrastructure code", taker(y.file), p))
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
// for what was not kept. A kustomization lies there as it was settled, and never as it was
// written, whatever else takes it in.
func (l *layers) laid(top string, all []*layer) (fsys filesys.FileSystem, made int, err error) {
	fsys = filesys.MakeFsInMemory()
	for _, y := range all {
		for _, p := range slices.Concat(y.files, y.data) {
			at := path.Join(path.Dir(y.file), p)
			text, kept := l.texts[at]
			if !kept || isKustomization(at) {
				made, text = made+1, nil
			}
			if err := fsys.WriteFile(path.Join("/", at), text); err != nil {
				return nil, 0, err
			}
		}
	}
	for _, y := range all {
		spec := y.spec
		spec.BuildMetadata = nil
		if path.Dir(y.file) == top {
			spec.BuildMetadata = []string{kustomize.OriginAnnotations}
		}
		text, err := json.Marshal(spec)
		if err != nil {
			return nil, 0, err
		}
		if err := fsys.WriteFile(path.Join("/", y.file), text); err != nil {
			return nil, 0, err
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
