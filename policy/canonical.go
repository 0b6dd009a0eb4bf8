package policy

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf16"
)

// canonicalWriter appends the canonical JSON (RFC 8785) of one Go type: members sorted,
// nothing but text, integers, true and false. Replay reads and writes a document for
// every decision, and the general encoder with a second pass costs more than the rules.
type canonicalWriter func(b []byte, v reflect.Value) []byte

var writeInput = canonicalFor(reflect.TypeFor[Input]())

// Canonical is the document in the form whose digest a decision pins: RFC 8785. The
// error is for a document that is not there.
func (i *Input) Canonical() ([]byte, error) {
	if i == nil {
		return nil, noInput()
	}
	room := 8<<10 + 640*len(i.Vulnerabilities.Findings) // enough as a rule: to grow is to copy
	return writeInput(make([]byte, 0, room), reflect.ValueOf(*i)), nil
}

func canonicalFor(t reflect.Type) canonicalWriter {
	switch t.Kind() {
	case reflect.Struct:
		return canonicalStruct(t)
	case reflect.Pointer:
		elem := canonicalFor(t.Elem())
		return func(b []byte, v reflect.Value) []byte { return elem(b, v.Elem()) }
	case reflect.Slice:
		elem := canonicalFor(t.Elem())
		return func(b []byte, v reflect.Value) []byte {
			b = append(b, '[')
			for n := range v.Len() {
				if n > 0 {
					b = append(b, ',')
				}
				b = elem(b, v.Index(n))
			}
			return append(b, ']')
		}
	case reflect.Map:
		return canonicalMap(canonicalFor(t.Elem()))
	case reflect.String:
		return func(b []byte, v reflect.Value) []byte { return appendString(b, v.String()) }
	case reflect.Int64:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendInt(b, v.Int(), 10) }
	case reflect.Bool:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendBool(b, v.Bool()) }
	}
	panic("policy: the input document has no place for " + t.String())
}

func canonicalStruct(t reflect.Type) canonicalWriter {
	type field struct {
		member
		key   []byte
		write canonicalWriter
	}
	var fields []field
	for m := range fieldsOf(t) {
		fields = append(fields, field{m, append(appendString(nil, m.name), ':'), canonicalFor(m.typ)})
	}
	slices.SortFunc(fields, func(x, y field) int { return cmp.Compare(x.name, y.name) }) // ASCII names
	return func(b []byte, v reflect.Value) []byte {
		b = append(b, '{')
		comma := false
		for n := range fields {
			f := &fields[n]
			x := v.Field(f.index)
			if f.optional && x.IsNil() {
				continue
			}
			if comma {
				b = append(b, ',')
			}
			comma = true
			b = append(b, f.key...)
			if f.typ == findingsType {
				if p := preparedOf(v); p != nil {
					b = append(b, p.canonical...)
					continue
				}
			}
			b = f.write(b, x)
		}
		return append(b, '}')
	}
}

func canonicalMap(elem canonicalWriter) canonicalWriter {
	return func(b []byte, v reflect.Value) []byte {
		keys := make([]string, 0, v.Len())
		for it := v.MapRange(); it.Next(); {
			keys = append(keys, it.Key().String())
		}
		slices.SortFunc(keys, compareUTF16)
		b = append(b, '{')
		for n, k := range keys {
			if n > 0 {
				b = append(b, ',')
			}
			b = elem(append(appendString(b, k), ':'), v.MapIndex(reflect.ValueOf(k)))
		}
		return append(b, '}')
	}
}

// compareUTF16 orders names as RFC 8785 does: by UTF-16 code units.
func compareUTF16(x, y string) int {
	return slices.Compare(utf16.Encode([]rune(x)), utf16.Encode([]rune(y)))
}
