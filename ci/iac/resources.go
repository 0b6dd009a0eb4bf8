package iac

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// asset is one resource of a cloud in the form that is the same for all languages.
// Nothing of it is read before a rule asks for it.
type asset struct {
	format  string
	kind    string // as the language writes it: azurerm_key_vault, AWS::S3::Bucket, Microsoft.KeyVault/vaults
	address string
	path    string
	line    int64
	top     func(name string) field // one of its settings by name
}

// state is what is known of a setting.
type state string

// A setting that nobody wrote has the default of the provider. One that is unknown has a
// value that the files do not tell: a variable without one, or what only the apply makes.
const (
	isValue   state = "value"
	isAbsent  state = "absent"
	isUnknown state = "unknown"
	isNothing state = "nothing" // resources of the type have no such setting
)

// field is one setting of a resource, or a part of one.
type field struct {
	state state
	// value is a string, bool, json.Number, []field or map[string]field. An unknown
	// one has as text what is known of it.
	value any
	path  string // the file, where it is not the one of the resource
	line  int64
}

func unset(line int64) field { return field{state: isAbsent, line: line} }

func unknown(text string, line int64) field {
	return field{state: isUnknown, value: text, line: line}
}

func valued(v any, line int64) field { return field{state: isValue, value: v, line: line} }

// number is a number as a value. What JSON cannot say is unknown.
func number(f float64, line int64) field {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return unknown("", line)
	}
	return valued(json.Number(strconv.FormatFloat(f, 'g', -1, 64)), line)
}

// member is a part by its name, in whatever letters: Azure takes them all. Of two names that
// differ in letters alone nobody knows which counts. A block that may be there several times
// is asked for its first.
func (s field) member(name string) field {
	switch v := s.value.(type) {
	case map[string]field:
		var found []field
		for key, m := range v {
			if strings.EqualFold(key, name) {
				found = append(found, m)
			}
		}
		switch {
		case len(found) == 1:
			return found[0]
		case len(found) > 1:
			return field{state: isUnknown, value: "", path: s.path, line: s.line}
		}
	case []field:
		if len(v) > 0 {
			return v[0].member(name)
		}
	}
	if s.state == isUnknown {
		return s
	}
	return field{state: isAbsent, path: s.path, line: s.line}
}

// at is the setting at one of several paths: the first that is not absent.
func (r *asset) at(paths []string) (name string, s field) {
	if len(paths) == 0 {
		return "", field{state: isNothing}
	}
	for _, path := range paths {
		names := strings.Split(path, ".")
		at := r.top(names[0])
		for _, n := range names[1:] {
			at = at.member(n)
		}
		if name == "" || at.state != isAbsent {
			name, s = path, at
		}
		if at.state != isAbsent {
			break
		}
	}
	if s.line == 0 {
		s.line = r.line
	}
	return name, s
}

// term is the setting as rules see it.
func (s field) term(name string) *ast.Term {
	o := ast.NewObject(
		[2]*ast.Term{ast.StringTerm("state"), ast.StringTerm(string(s.state))},
		[2]*ast.Term{ast.StringTerm("name"), ast.StringTerm(name)},
		[2]*ast.Term{ast.StringTerm("line"), ast.NumberTerm(json.Number(strconv.FormatInt(s.line, 10)))},
	)
	if s.path != "" {
		o.Insert(ast.StringTerm("path"), ast.StringTerm(s.path))
	}
	switch v := s.value.(type) {
	case string:
		o.Insert(ast.StringTerm("value"), ast.StringTerm(v))
	case bool:
		o.Insert(ast.StringTerm("value"), ast.BooleanTerm(v))
	case json.Number:
		o.Insert(ast.StringTerm("value"), ast.NumberTerm(v))
	case []field:
		list := make([]*ast.Term, 0, len(v))
		for _, m := range v {
			list = append(list, m.term(name))
		}
		o.Insert(ast.StringTerm("value"), ast.ArrayTerm(list...))
	case map[string]field:
		members := ast.NewObject()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			members.Insert(ast.StringTerm(key), v[key].term(name+"."+key))
		}
		o.Insert(ast.StringTerm("value"), ast.NewTerm(members))
	}
	return ast.NewTerm(o)
}

// unknowns counts the parts of a setting that are unknown.
func (s field) unknowns() (n int) {
	if s.state == isUnknown {
		return 1
	}
	switch v := s.value.(type) {
	case []field:
		for _, m := range v {
			n += m.unknowns()
		}
	case map[string]field:
		for _, m := range v {
			n += m.unknowns()
		}
	}
	return n
}

// documented is a text as a setting: what it holds where it is JSON, as policies are.
// tell makes a setting of each text in it.
func documented(text string, line int64, tell func(text string, line int64) field) field {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") {
		return tell(text, line)
	}
	if deepest, _ := nesting([]byte(trimmed)); deepest > maxDepth {
		return unknown("", line)
	}
	d := json.NewDecoder(strings.NewReader(trimmed))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return tell(text, line)
	}
	return ofJSON(v, line, tell)
}

func ofJSON(v any, line int64, tell func(text string, line int64) field) field {
	switch v := v.(type) {
	case nil:
		return unset(line)
	case string:
		return tell(v, line)
	case []any:
		list := make([]field, 0, len(v))
		for _, x := range v {
			list = append(list, ofJSON(x, line, tell))
		}
		return valued(list, line)
	case map[string]any:
		members := map[string]field{}
		for key, x := range v {
			members[key] = ofJSON(x, line, tell)
		}
		return valued(members, line)
	}
	return valued(v, line)
}

// plainText is a text that is a value as it stands.
func plainText(text string, line int64) field { return valued(text, line) }
