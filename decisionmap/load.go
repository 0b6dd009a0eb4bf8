package decisionmap

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"verdict"
)

//go:embed builtin.yaml
var builtinYAML []byte

// base is the built-in map before defaults that depend on other values are filled in,
// so that a file's own retention reaches the built-in points.
var base = sync.OnceValue(func() *Map {
	root, err := parse("builtin.yaml", builtinYAML)
	if err != nil {
		panic("decisionmap: " + err.Error())
	}
	m := &Map{}
	r := &reader{name: "builtin.yaml", origins: map[string]Origin{}}
	r.file(root, m)
	if err := r.err(); err != nil {
		panic("decisionmap: " + err.Error())
	}
	return m
})

// Builtin is the map that holds where no file says anything else: ci points block, the
// others observe.
func Builtin() *Map {
	m := clone(base())
	m.name = "built-in map"
	m.fill(nil)
	return m
}

// Load reads a map file over the built-in map. A file that it cannot accept is an
// *verdict.Error (CodeInvalid, or CodeLimit beyond a limit) that names every line at
// fault. The name is for messages; nothing is opened.
func Load(name string, data []byte) (*Map, error) {
	name = oneLine(name)
	root, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	m := clone(base())
	m.Schema = "" // the file has to say it
	m.name, m.doc = name, root
	r := &reader{name: name, origins: m.origins}
	r.file(root, m)
	if err := r.err(); err != nil {
		return nil, err
	}
	m.fill(r)
	if m.Organization != "" || len(m.Environments) > 0 {
		m.checkReferences(r, root)
	}
	m.checkPeople(r, root)
	return m, cmpNil(r.err(), &m)
}

// cmpNil drops the map where there is an error.
func cmpNil(err error, m **Map) error {
	if err != nil {
		*m = nil
	}
	return err
}

// parse gives the root mapping of the one document in data, within the limits and
// without anchors, aliases and tags.
func parse(name string, data []byte) (*yaml.Node, error) {
	if len(data) > maxBytes {
		return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("%s has %d bytes; a map has at most %d", name, len(data), maxBytes), Remedy: "check that this is the decision map; split a map that has grown so large by organisation"}
	}
	if !utf8.Valid(data) {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: name + " is not UTF-8 text", Remedy: "save it as UTF-8"}
	}
	if nesting(data) > maxOpen {
		return nil, tooDeep(name)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: name + " is empty", Remedy: "write `schema: " + Schema + "` and your service, or run `verdict init`"}
	} else if err != nil {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("%s is not YAML that can be read: %v", name, err), Remedy: "mend the line that the message names; indentation is by spaces, and text with a colon needs quotes"}
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: name + " holds more than one document", Remedy: "keep one map per file: take out what follows the line ---"}
	}
	if err := plainNodes(name, &doc, 0); err != nil {
		return nil, err
	}
	return doc.Content[0], nil
}

func tooDeep(name string) error {
	return &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("%s is nested more than %d deep", name, maxDepth), Remedy: "a decision map needs six levels; check that this is the right file"}
}

// maxOpen bounds brackets that are open at once, before the parser recurses into them.
// It counts those in text and comments too, so it is generous; plainNodes is exact.
const maxOpen = 1000

func nesting(data []byte) int {
	depth, most := 0, 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		most = max(most, depth)
	}
	return most
}

// plainNodes refuses anchors, aliases and tags: a file that holds each value once, as
// it stands, is one that a reviewer can read.
func plainNodes(name string, n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return tooDeep(name)
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("%s:%d: anchors (&), aliases (*) and tags (!) are not read in a decision map", name, n.Line), Remedy: "write the value out where it is meant"}
	}
	for _, c := range n.Content {
		if err := plainNodes(name, c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// clone copies a map with its origins; nothing is shared.
func clone(m *Map) *Map {
	b, err := json.Marshal(m)
	if err != nil {
		panic("decisionmap: " + err.Error())
	}
	out := &Map{}
	if err := json.Unmarshal(b, out); err != nil {
		panic("decisionmap: " + err.Error())
	}
	out.name, out.doc, out.released = m.name, m.doc, m.released
	out.origins = maps.Clone(m.origins)
	if out.origins == nil {
		out.origins = map[string]Origin{}
	}
	return out
}

// fill gives what the file did not say its default, where that depends on other values.
func (m *Map) fill(r *reader) {
	for name, s := range m.Services {
		if len(s.Paths) == 0 {
			s.Paths = []string{"."}
		}
		m.Services[name] = s
	}
	if r != nil {
		m.withdrawSources(r)
	}
	for name, s := range m.Sources {
		if len(s.Command) > 0 && s.Timeout == 0 {
			s.Timeout = toolTime
			if s.Format == HelmFormat {
				s.Timeout = chartTime
			}
			m.Sources[name] = s
		}
	}
	for i := range m.Points {
		p := &m.Points[i]
		if p.Produces.Kind != "" && p.Produces.Retain == 0 {
			p.Produces.Retain = m.Retention.Default
		}
		if p.At == "" {
			p.At = defaultPlace[p.Layer]
		}
		if _, said := m.origins["points."+p.ID+".mode"]; m.Adopting && !said {
			p.Mode = verdict.ModeObserve
		}
	}
	noNil(reflect.ValueOf(m).Elem())
}

// withdrawSources takes the kinds that the file's own sources yield from the built-in
// ones: who names a tool replaces the default.
func (m *Map) withdrawSources(r *reader) {
	var own []string
	for name := range m.Sources {
		if _, said := r.origins["sources."+name+".kinds"]; said {
			own = append(own, m.Sources[name].Kinds...)
		}
	}
	for name, s := range m.Sources {
		if _, said := r.origins["sources."+name+".kinds"]; !said {
			s.Kinds = slices.DeleteFunc(slices.Clone(s.Kinds), func(k string) bool { return slices.Contains(own, k) })
			m.Sources[name] = s
		}
	}
}

// noNil makes every list and mapping non-nil, so that documents never hold null.
func noNil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			noNil(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				noNil(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			noNil(v.Index(i))
		}
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		for _, k := range v.MapKeys() {
			e := reflect.New(v.Type().Elem()).Elem()
			e.Set(v.MapIndex(k))
			noNil(e)
			v.SetMapIndex(k, e)
		}
	}
}
