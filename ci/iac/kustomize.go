package iac

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"verdict"
	"verdict/ci/wording"
)

// maxLayers bounds the folders that one overlay is made of, counted as often as they are
// taken: two that each take one twice are six.
const maxLayers = 500

// maxEntries bounds what one kustomization lists: each entry is tried on each manifest.
const maxEntries = 5_000

// errElsewhere says that an overlay needs what is not in the tree, or what only another
// program could make of it.
var errElsewhere = errors.New("the overlay was not rendered")

// isKustomization reports whether a file has a name that Kustomize looks for.
func isKustomization(p string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(p))
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
