package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"verdict"
)

// ReadRecorded reads an input that a decision recorded, also one that an earlier version of
// the program wrote. What that version did not know is filled in as not known, and lacks
// names it as rules name what they read: a rule that reads it decides on what nobody said.
// Anything else that Canonical would not write is an *verdict.Error.
func ReadRecorded(b []byte) (in *Input, lacks []string, err error) {
	if len(b) > inputBytes {
		return nil, nil, tooLarge(len(b), inputBytes)
	}
	if in, err = decodeInput(b); err != nil {
		return nil, nil, err
	}
	again, err := in.Canonical()
	if err != nil {
		return nil, nil, err
	}
	if in.Schema == InputSchema && bytes.Equal(again, b) {
		return in, nil, nil
	}
	in.Normalize()
	if again, err = in.Canonical(); err != nil {
		return nil, nil, err
	}
	var was, is any
	if json.Unmarshal(b, &was) == nil && json.Unmarshal(again, &is) == nil {
		found := map[string]bool{}
		if absent("input", was, is, found) && len(found) > 0 {
			return in, slices.Sorted(maps.Keys(found)), nil
		}
	}
	return nil, nil, &verdict.Error{Code: verdict.CodeInvalid, What: "the document is not " + InputSchema + " as any version wrote it",
		Remedy: "replay the decision: verdict policy replay says whether its record is whole"}
}

// absent collects the members that is has and was has not, elements of lists without their
// number. It is false where the two differ in anything else.
func absent(at string, was, is any, found map[string]bool) bool {
	switch x := is.(type) {
	case map[string]any:
		y, ok := was.(map[string]any)
		if !ok {
			return false
		}
		for name := range y {
			if _, known := x[name]; !known {
				return false
			}
		}
		for name, value := range x {
			old, there := y[name]
			if !there {
				found[at+"."+name] = true
			} else if !absent(at+"."+name, old, value, found) {
				return false
			}
		}
		return true
	case []any:
		y, ok := was.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for n := range x {
			if !absent(at, y[n], x[n], found) {
				return false
			}
		}
		return true
	}
	return was == is
}

// Unknown gives those of some reads, as Rule.Reads names them, for which the document holds
// no fact: a member that is not there, one of a group of which nothing is known, and a read
// of the whole document, of which nobody can tell what it looks for.
func (i *Input) Unknown(reads []string) []string {
	var out []string
	for _, r := range reads {
		names := strings.Split(r, ".")
		if len(names) < 2 || unknownAt(reflect.ValueOf(*i), names[1:], "") {
			out = append(out, r)
		}
	}
	return out
}

// unknownAt follows names into a group; state is that of the nearest group around it.
func unknownAt(v reflect.Value, names []string, state verdict.State) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return v.IsNil() || unknownAt(v.Elem(), names, state)
	case reflect.Struct:
		if s := v.FieldByName("State"); s.IsValid() && s.Type() == stateType {
			state = verdict.State(s.String())
		}
		if len(names) == 0 {
			break
		}
		for m := range fieldsOf(v.Type()) {
			if m.name == names[0] {
				return unknownAt(v.Field(m.index), names[1:], state)
			}
		}
		return true
	case reflect.Map:
		if len(names) == 0 {
			break
		}
		x := v.MapIndex(reflect.ValueOf(names[0]))
		return !x.IsValid() || unknownAt(x, names[1:], state)
	}
	return state == verdict.StateUnknown
}
