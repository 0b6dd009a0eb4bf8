package policy

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// converter turns one Go type into the engine's values without going through JSON text,
// which would cost more than the rules themselves. It counts roughly the JSON bytes.
type converter func(v reflect.Value, size *int) *ast.Term

var convertInput = converterFor(reflect.TypeFor[Input]())

// value is the input as the engine reads it. Rules may share its parts: nothing changes
// a value once it is built.
func (i *Input) value(limit int) (*ast.Term, error) {
	if i == nil {
		return nil, noInput()
	}
	size := 0
	t := convertInput(reflect.ValueOf(*i), &size)
	if size > limit {
		return nil, tooLarge(size, limit)
	}
	return t, nil
}

func noInput() error {
	return &verdict.Error{Code: verdict.CodeInternal, What: "there is no input document to decide on",
		Remedy: "build a policy.Input; policy.Example shows a complete one"}
}

func tooLarge(size, limit int) error {
	return &verdict.Error{Code: verdict.CodeLimit,
		What:   fmt.Sprintf("the input document holds %d bytes, more than the %d that a decision may read", size, limit),
		Remedy: "judge a smaller subject: split the repository or the plan, or exclude generated files from the scan"}
}

func converterFor(t reflect.Type) converter {
	switch t.Kind() {
	case reflect.Struct:
		return structConverter(t)
	case reflect.Pointer:
		elem := converterFor(t.Elem())
		return func(v reflect.Value, size *int) *ast.Term { return elem(v.Elem(), size) }
	case reflect.Slice:
		return sliceConverter(converterFor(t.Elem()))
	case reflect.Map:
		return mapConverter(converterFor(t.Elem()))
	case reflect.String:
		return func(v reflect.Value, size *int) *ast.Term {
			s := v.String()
			*size += len(s) + 3
			if !utf8.ValidString(s) {
				s = strings.ToValidUTF8(s, "\ufffd") // as the JSON form has it
			}
			return ast.InternedTerm(s)
		}
	case reflect.Int64:
		return func(v reflect.Value, size *int) *ast.Term {
			*size += 8
			return ast.InternedTerm(int(v.Int()))
		}
	case reflect.Bool:
		return func(v reflect.Value, size *int) *ast.Term {
			*size += 6
			return ast.InternedTerm(v.Bool())
		}
	}
	panic("policy: the input document has no place for " + t.String())
}

func structConverter(t reflect.Type) converter {
	type field struct {
		index    int
		key      *ast.Term
		convert  converter
		optional bool
		size     int
		findings bool // may be prepared
	}
	var fields []field
	for f := range fieldsOf(t) {
		fields = append(fields, field{f.index, ast.StringTerm(f.name), converterFor(f.typ), f.optional, len(f.name) + 4, f.typ == findingsType})
	}
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.size, b.size) })
	return func(v reflect.Value, size *int) *ast.Term {
		o := ast.NewObjectWithCapacity(len(fields))
		for i := range fields {
			f := &fields[i]
			x := v.Field(f.index)
			if f.optional && x.IsNil() {
				continue
			}
			*size += f.size
			if f.findings {
				if p := preparedOf(v); p != nil {
					*size += p.size
					o.Insert(f.key, p.term)
					continue
				}
			}
			o.Insert(f.key, f.convert(x, size))
		}
		return ast.NewTerm(o)
	}
}

func sliceConverter(elem converter) converter {
	return func(v reflect.Value, size *int) *ast.Term {
		terms := make([]*ast.Term, v.Len())
		*size += 2
		for i := range terms {
			terms[i] = elem(v.Index(i), size)
		}
		return ast.ArrayTerm(terms...)
	}
}

func mapConverter(elem converter) converter {
	return func(v reflect.Value, size *int) *ast.Term {
		o := ast.NewObjectWithCapacity(v.Len())
		*size += 2
		for it := v.MapRange(); it.Next(); {
			k := it.Key().String()
			*size += len(k) + 4
			o.Insert(ast.StringTerm(k), elem(it.Value(), size))
		}
		return ast.NewTerm(o)
	}
}
