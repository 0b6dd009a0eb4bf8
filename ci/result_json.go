package ci

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// Limits of a tool's document. A report with ten thousand findings is far below them.
const (
	maxResultDepth  = 100
	maxResultValues = 1_000_000
)

// datum is one value of a tool's JSON document. A value of another kind than what is
// asked for is the document's fault, which is told once the reading is over: no reader
// takes a number where a list of findings should be for an empty list.
type datum struct {
	at  string // such as results[3].extra
	v   any    // object, list, string, json.Number, bool or nil
	doc *document
}

type object map[string]any

// document is a tool's JSON text, read strictly: names as they stand, none of them twice.
type document struct {
	text   *plain.JSON
	values int
	fault  error // the first value that is of another kind than expected
}

// parseDocument reads the one value of a text. whole is false for the values of a stream,
// which stream takes one after the other.
func parseDocument(raw []byte) (datum, error) {
	d := &document{text: plain.NewJSON(raw)}
	v, err := d.value()
	if err == nil {
		err = d.text.End()
	}
	return datum{v: v, doc: d}, err
}

// parseStream reads JSON values that stand one behind the other.
func parseStream(raw []byte) ([]datum, error) {
	d := &document{text: plain.NewJSON(raw)}
	var all []datum
	for d.text.Peek() != 0 {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		all = append(all, datum{at: fmt.Sprintf("message %d", len(all)+1), v: v, doc: d})
	}
	return all, d.text.End()
}

func (d *document) value() (any, error) {
	j := d.text
	if d.values++; d.values > maxResultValues {
		return nil, j.Fault(fmt.Sprintf("more than %d values", maxResultValues))
	}
	if j.Nested() > maxResultDepth {
		return nil, j.Fault(fmt.Sprintf("nested deeper than %d", maxResultDepth))
	}
	switch j.Peek() {
	case '{':
		o := object{}
		err := j.Members(func(key string, line int64) error {
			if _, twice := o[key]; twice {
				return fmt.Errorf("line %d: the name %q stands twice in one object", line, wording.Cut(key, 60))
			}
			v, err := d.value()
			o[key] = v
			return err
		})
		return o, err
	case '[':
		list := []any{}
		err := j.List('[', ']', func() error {
			v, err := d.value()
			list = append(list, v)
			return err
		})
		return list, err
	case '"':
		return j.Quoted()
	}
	raw, err := j.Raw()
	if err != nil {
		return nil, err
	}
	switch word := string(raw); word {
	case "null":
		return nil, nil
	case "true", "false":
		return word == "true", nil
	default:
		return json.Number(word), nil
	}
}

// wrong keeps the first fault.
func (p datum) wrong(expected string) {
	if p.doc.fault == nil {
		where := p.at
		if where == "" {
			where = "the document"
		}
		p.doc.fault = fmt.Errorf("%s is not %s", wording.Cut(where, 200), expected)
	}
}

// has reports whether an object has a member, and that is not null.
func (p datum) has(name string) bool {
	o, _ := p.v.(object)
	return o[name] != nil
}

// get is a member of an object. What is absent has the value nil.
func (p datum) get(name string) datum {
	o, ok := p.v.(object)
	if !ok && p.v != nil {
		p.wrong("an object")
	}
	at := name
	if p.at != "" {
		at = p.at + "." + name
	}
	return datum{at: at, v: o[name], doc: p.doc}
}

// dig follows names into objects.
func (p datum) dig(names ...string) datum {
	for _, n := range names {
		p = p.get(n)
	}
	return p
}

// list gives the entries of a list; none where it is absent.
func (p datum) list() []datum {
	l, ok := p.v.([]any)
	if !ok && p.v != nil {
		p.wrong("a list")
	}
	out := make([]datum, len(l))
	for i, v := range l {
		out[i] = datum{at: fmt.Sprintf("%s[%d]", p.at, i), v: v, doc: p.doc}
	}
	return out
}

// objects is list for lists of objects.
func (p datum) objects() []datum {
	out := p.list()
	for _, x := range out {
		if _, ok := x.v.(object); !ok {
			x.wrong("an object")
			return nil
		}
	}
	return out
}

// str is a text; "" where it is absent.
func (p datum) str() string {
	s, ok := p.v.(string)
	if !ok && p.v != nil {
		p.wrong("a text")
	}
	return s
}

// text is a member that is a text.
func (p datum) text(name string) string { return p.get(name).str() }

// flag is a member that is true or false; absent: def.
func (p datum) flag(name string, def bool) bool {
	m := p.get(name)
	b, ok := m.v.(bool)
	switch {
	case ok:
		return b
	case m.v != nil:
		m.wrong("true or false")
	}
	return def
}

// count is a member that is a whole number from 0; absent or below: 0.
func (p datum) count(name string) int64 {
	f, ok := p.get(name).number()
	if !ok || f < 0 || f > math.MaxInt32 {
		return 0
	}
	return int64(f)
}

// number is a number, also one that is written as text, as some tools do; false where
// it is absent.
func (p datum) number() (float64, bool) {
	text := ""
	switch v := p.v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	case nil:
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		p.wrong("a number")
		return 0, false
	}
	return f, true
}
