package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"

	"verdict"
)

// Normalize gives the document its one form: the schema word, states and severities that
// nobody set as unknown, lists empty and never null, and sorted unless their order means
// something. Call it once after building; Canonical and Evaluate expect it.
func (i *Input) Normalize() {
	i.Schema = InputSchema
	v := &i.Vulnerabilities
	found, ready := v.Findings, v.Prepared.holds(v.Findings)
	if ready { // it has its form, and is shared
		v.Findings = nil
	}
	normalize(reflect.ValueOf(i).Elem(), false)
	if ready {
		v.Findings = found
	}
	v.count(i.Decision.At)
	if i.Checks == nil {
		i.Checks = map[string]Check{}
	}
}

// The types whose zero value says "unknown", in the one word that both use.
var (
	stateType    = reflect.TypeFor[verdict.State]()
	severityType = reflect.TypeFor[verdict.Severity]()
)

func normalize(v reflect.Value, ordered bool) {
	switch v.Kind() {
	case reflect.Struct:
		for f := range fieldsOf(v.Type()) {
			normalize(v.Field(f.index), f.ordered)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			normalize(v.Elem(), false)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			elem := reflect.New(v.Type().Elem()).Elem() // map values cannot be set in place
			elem.Set(it.Value())
			normalize(elem, false)
			v.SetMapIndex(it.Key(), elem)
		}
	case reflect.String:
		if v.Len() == 0 && (v.Type() == stateType || v.Type() == severityType) {
			v.SetString(string(verdict.StateUnknown))
		}
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for n := range v.Len() {
			normalize(v.Index(n), false)
		}
		if !ordered {
			sortSlice(v)
		}
	}
}

// sortSlice orders by the members in the order of their declaration, which is why the
// types declare what identifies an entry first.
func sortSlice(v reflect.Value) {
	if v.Len() < 2 {
		return
	}
	sorted := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(sorted, v) // the caller may still hold the old one
	v.Set(sorted)
	order := make([]reflect.Value, v.Len())
	for n := range order {
		x := reflect.New(v.Type().Elem()).Elem()
		x.Set(v.Index(n))
		order[n] = x
	}
	slices.SortStableFunc(order, compareValues)
	for n, x := range order {
		v.Index(n).Set(x)
	}
}

func compareValues(a, b reflect.Value) int {
	switch a.Kind() {
	case reflect.String:
		return strings.Compare(a.String(), b.String())
	case reflect.Int64:
		return cmp.Compare(a.Int(), b.Int())
	case reflect.Bool:
		if a.Bool() == b.Bool() {
			return 0
		}
		if a.Bool() {
			return 1
		}
		return -1
	case reflect.Struct:
		for n := range a.NumField() {
			if c := compareValues(a.Field(n), b.Field(n)); c != 0 {
				return c
			}
		}
	case reflect.Slice:
		for n := range min(a.Len(), b.Len()) {
			if c := compareValues(a.Index(n), b.Index(n)); c != 0 {
				return c
			}
		}
		return a.Len() - b.Len()
	}
	return 0
}

// ParseInput reads a document that Canonical wrote, for replay. It accepts nothing
// else: a member too many, one that is absent, a fraction, a null or another order is
// an *verdict.Error, because what is replayed must be what was decided on.
func ParseInput(b []byte) (*Input, error) {
	if len(b) > inputBytes {
		return nil, tooLarge(len(b), inputBytes)
	}
	in, err := decodeInput(b)
	if err != nil {
		return nil, err
	}
	again, err := in.Canonical()
	if err != nil {
		return nil, err
	}
	if in.Schema != InputSchema || !bytes.Equal(again, b) {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: "the document is not " + InputSchema + " in its canonical form",
			Remedy: "replay the input exactly as the decision recorded it"}
	}
	return in, nil
}

// decodeInput reads a document strictly as to members and types, and fills what is
// absent with zero values.
func decodeInput(b []byte) (*Input, error) {
	var in Input
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(&in)
	if err == nil {
		if _, rest := d.Token(); rest != io.EOF {
			err = errors.New("something follows the document")
		}
	}
	if err != nil {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: "the document is not " + InputSchema,
			Remedy: "compare it with the published schema policy/input.schema.json: members are closed and numbers are integers", Err: err}
	}
	return &in, nil
}
