package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxRendered bounds the JSON of one observed or expected before it is cut.
const maxRendered = 1 << 20

// rendered is text as it is, and any other value as canonical JSON (RFC 8785), written
// here because going through a general encoder costs more than most rules.
func rendered(v ast.Value) (string, error) {
	if s, ok := v.(ast.String); ok {
		return clip(string(s), maxText), nil
	}
	b, err := appendJSON(make([]byte, 0, 64), v)
	if err != nil {
		return "", err
	}
	return clip(string(b), maxText), nil
}

func appendJSON(b []byte, v ast.Value) ([]byte, error) {
	if len(b) > maxRendered {
		return nil, fmt.Errorf("is larger than %d bytes", maxRendered)
	}
	switch v := v.(type) {
	case ast.Null:
		return append(b, "null"...), nil
	case ast.Boolean:
		return fmt.Appendf(b, "%t", bool(v)), nil
	case ast.Number:
		if !isPlainInteger(string(v)) {
			return nil, fmt.Errorf("holds %s, which is no plain integer", clip(string(v), 80))
		}
		return append(b, v...), nil
	case ast.String:
		return appendString(b, string(v)), nil
	case *ast.Array:
		return appendList(b, v.Len(), v.Elem)
	case ast.Set:
		terms := v.Slice()
		return appendList(b, len(terms), func(i int) *ast.Term { return terms[i] })
	case ast.Object:
		return appendObject(b, v)
	}
	return nil, fmt.Errorf("holds %s", ast.ValueName(v))
}

func appendList(b []byte, n int, at func(int) *ast.Term) ([]byte, error) {
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, at(i).Value); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, o ast.Object) ([]byte, error) {
	keys := o.Keys() // in byte order, which is the canonical one for ASCII
	plain := true
	for _, k := range keys {
		s, ok := k.Value.(ast.String)
		if !ok {
			return nil, fmt.Errorf("has a name that is %s, not text", ast.ValueName(k.Value))
		}
		plain = plain && !strings.ContainsFunc(string(s), func(r rune) bool { return r >= utf8.RuneSelf })
	}
	if !plain {
		slices.SortFunc(keys, func(x, y *ast.Term) int {
			return compareUTF16(string(x.Value.(ast.String)), string(y.Value.(ast.String)))
		})
	}
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, string(k.Value.(ast.String))), ':')
		var err error
		if b, err = appendJSON(b, o.Get(k).Value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendString quotes text as RFC 8785 has it. What is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0 // start of what needs no escape
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if r >= ' ' && r != '"' && r != '\\' && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = append(b, s[plain:i]...)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == utf8.RuneError:
			b = utf8.AppendRune(b, r)
		case strings.IndexByte("\b\t\n\f\r", byte(r)) >= 0:
			b = append(b, '\\', "btn.fr"[r-'\b'])
		default:
			b = fmt.Appendf(b, "\\u%04x", r)
		}
		i += size
		plain = i
	}
	b = append(b, s[plain:]...)
	return append(b, '"')
}

// isPlainInteger reports whether a number is an integer of at most 15 digits without
// sign tricks: a fraction has no one form, and beyond 53 bits readers differ.
func isPlainInteger(n string) bool {
	digits := strings.TrimPrefix(n, "-")
	if len(digits) == 0 || len(digits) > 15 || digits[0] == '0' && len(n) > 1 {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}
