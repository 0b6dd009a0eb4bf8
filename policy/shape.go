package policy

import (
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"

	"verdict"
)

// member is one member of an input group, as its struct tags say it.
type member struct {
	index    int
	name     string
	typ      reflect.Type
	optional bool // the whole group may be absent
	ordered  bool // a list whose order means something
}

// shapes keeps the members of each struct type: tags are text that costs to read.
var shapes sync.Map // reflect.Type → []member

// fieldsOf walks the members of an input struct in the order of their declaration.
func fieldsOf(t reflect.Type) iter.Seq[member] {
	known, ok := shapes.Load(t)
	if !ok {
		var members []member
		for i := range t.NumField() {
			f := t.Field(i)
			if name, option, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
				members = append(members, member{i, name, f.Type, option == "omitempty", f.Tag.Get("order") == "kept"})
			}
		}
		known, _ = shapes.LoadOrStore(t, members)
	}
	return slices.Values(known.([]member))
}

// deployOnly names the groups that only deploy, runtime and governance points see.
var deployOnly = func() []string {
	var names []string
	for f := range fieldsOf(reflect.TypeFor[Input]()) {
		if f.optional {
			names = append(names, f.name)
		}
	}
	slices.Sort(names)
	return names
}()

// DeployOnly lists the groups of the input that do not exist for code, ci and artifact
// points, sorted.
func DeployOnly() []string { return slices.Clone(deployOnly) }

// ForLayer is the view of a point of layer l: for code, ci and artifact a copy without
// the groups that belong to a place and a time. Everything else is shared, not copied.
func (i *Input) ForLayer(l verdict.Layer) *Input {
	view := *i
	view.Decision.Layer = l
	if !l.SeesEnvironment() {
		view.Environment, view.Promotions, view.Rollback, view.Runtime, view.Requester, view.BreakGlass = nil, nil, nil, nil, nil, nil
	}
	return &view
}

// hidden names the groups that are there though the input's layer may not see them.
func (i *Input) hidden() []string {
	if i.Decision.Layer.SeesEnvironment() {
		return nil
	}
	v, t := reflect.ValueOf(*i), reflect.TypeFor[Input]()
	var names []string
	for f := range fieldsOf(t) {
		if f.optional && !v.Field(f.index).IsNil() {
			names = append(names, f.name)
		}
	}
	return names
}
