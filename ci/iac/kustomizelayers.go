package iac

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	kustomize "sigs.k8s.io/kustomize/api/types"

	"verdict/ci/plain"
)

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

// entries counts what a layer does to manifests.
func (y *layer) entries() int {
	k := y.spec
	return len(k.Resources) + len(k.Components) + len(k.Patches) + len(k.Images) + len(k.Replacements) + len(k.Replicas) + len(k.Labels) +
		len(k.ConfigMapGenerator) + len(k.SecretGenerator) + len(k.Crds) + len(k.Configurations)
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
		case y.entries() > maxEntries:
			return fmt.Errorf("%s has more than %d entries", y.file, maxEntries)
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
