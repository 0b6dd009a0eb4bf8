package sbom

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// rule is a compiled schema in the form in which a value is held to it at once, without
// gathering what is wrong: nearly every document holds, and the library takes ten times as
// long to say so. What does not hold is given to the library, which says why. A test
// compares the two.
type rule struct {
	source *jsonschema.Schema

	ref            *rule
	never          bool
	kinds          string          // the kinds of nodes that are allowed, with "i" for whole numbers; empty: all
	words          map[string]bool // the texts that are allowed; nil: all, and marks say nothing
	marks          string          // the other values that are allowed, by the kind of their node
	format         *jsonschema.Format
	pattern        jsonschema.Regexp
	shortest       int
	longest        int // -1: no limit
	least, most    *big.Rat
	required       []string
	members        map[string]*rule
	closed         bool // nothing but members is allowed
	others         *rule
	fewest         int
	largest        int // -1: no limit
	unique         bool
	items          *rule
	places         []*rule // of the first elements, one by one
	exact          bool    // there may be no more elements than places
	all, any, one  []*rule
	not            *rule
	when, then, or *rule
}

// handled are the keywords that a rule holds to; annotations aside. A schema with another
// one is refused when it is compiled, not read as if it had none.
var handled = strings.Fields("Bool Ref Types Enum Const Not AllOf AnyOf OneOf If Then Else Format Required Properties AdditionalProperties " +
	"MinItems MaxItems UniqueItems Items AdditionalItems MinLength MaxLength Pattern Maximum Minimum " +
	"DraftVersion Location ID Anchor Title Description Default Comment ReadOnly WriteOnly Examples Deprecated")

// ruleMaker makes the rules of one schema, each once.
type ruleMaker struct {
	made map[*jsonschema.Schema]*rule
	err  error
}

func (m *ruleMaker) wrong(s *jsonschema.Schema, what string) {
	if m.err == nil {
		m.err = fmt.Errorf("the schema %s holds %s, which is not held to", s.Location, what)
	}
}

func (m *ruleMaker) rule(s *jsonschema.Schema) *rule {
	if s == nil {
		return nil
	}
	if r, ok := m.made[s]; ok {
		return r
	}
	r := &rule{source: s, longest: -1, largest: -1}
	m.made[s] = r
	v := reflect.ValueOf(*s)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() && !slices.Contains(handled, f.Name) {
			m.wrong(s, f.Name)
		}
	}
	r.ref, r.never = m.rule(s.Ref), s.Bool != nil && !*s.Bool
	r.format, r.pattern, r.least, r.most = s.Format, s.Pattern, s.Minimum, s.Maximum
	r.required, r.unique = s.Required, s.UniqueItems
	for to, from := range map[*int]*int{&r.shortest: s.MinLength, &r.longest: s.MaxLength, &r.fewest: s.MinItems, &r.largest: s.MaxItems} {
		if from != nil {
			*to = *from
		}
	}
	m.values(r, s)
	m.parts(r, s)
	return r
}

// values takes what a schema says of kinds and words.
func (m *ruleMaker) values(r *rule, s *jsonschema.Schema) {
	if s.Types != nil {
		for _, t := range s.Types.ToStrings() {
			r.kinds += map[string]string{"object": "{", "array": "[", "string": `"`, "boolean": "tf", "null": "n", "number": "\x00", "integer": "i"}[t]
		}
	}
	var list []any
	if s.Enum != nil {
		list = s.Enum.Values
	}
	if s.Const != nil {
		list = append(list, *s.Const)
	}
	if s.Enum != nil && s.Const != nil {
		m.wrong(s, "enum with const")
	}
	if list != nil {
		r.words = make(map[string]bool, len(list))
	}
	for _, x := range list {
		switch x := x.(type) {
		case string:
			r.words[x] = true
		case bool:
			r.marks += strconv.FormatBool(x)[:1]
		case nil:
			r.marks += "n"
		default:
			m.wrong(s, "a value that is no text")
		}
	}
}

// parts takes the schemas that a schema holds.
func (m *ruleMaker) parts(r *rule, s *jsonschema.Schema) {
	if s.Properties != nil {
		r.members = make(map[string]*rule, len(s.Properties))
	}
	for name, p := range s.Properties {
		r.members[name] = m.rule(p)
	}
	switch more := s.AdditionalProperties.(type) {
	case bool:
		r.closed = !more
	case *jsonschema.Schema:
		r.others = m.rule(more)
	}
	switch items := s.Items.(type) { // additionalItems says nothing where all items have one schema
	case *jsonschema.Schema:
		r.items = m.rule(items)
	case []*jsonschema.Schema:
		for _, x := range items {
			r.places = append(r.places, m.rule(x))
		}
		more, boolean := s.AdditionalItems.(bool)
		if r.exact = boolean && !more; s.AdditionalItems != nil && !boolean {
			m.wrong(s, "a schema for additional items")
		}
	}
	for to, from := range map[*[]*rule][]*jsonschema.Schema{&r.all: s.AllOf, &r.any: s.AnyOf, &r.one: s.OneOf} {
		for _, x := range from {
			*to = append(*to, m.rule(x))
		}
	}
	r.not, r.when, r.then, r.or = m.rule(s.Not), m.rule(s.If), m.rule(s.Then), m.rule(s.Else)
}

// holds reports whether a value holds.
func (r *rule) holds(t *jsonTree, n node) bool {
	if r.never || !r.allows(t, n) {
		return false
	}
	if r.ref != nil {
		return r.ref.holds(t, n) // beside a reference nothing counts, as draft 7 has it
	}
	switch t.nodes[n].kind {
	case '{':
		if !r.object(t, n) {
			return false
		}
	case '[':
		if !r.list(t, n) {
			return false
		}
	}
	return r.combined(t, n)
}

// allows judges what a value is by itself.
func (r *rule) allows(t *jsonTree, n node) bool {
	x := &t.nodes[n]
	if r.kinds != "" && strings.IndexByte(r.kinds, x.kind) < 0 &&
		(x.kind != 0 || strings.IndexByte(r.kinds, 'i') < 0 || !t.whole(n)) {
		return false
	}
	if r.words != nil && (x.kind != '"' || !r.words[string(x.text)]) && strings.IndexByte(r.marks, x.kind) < 0 {
		return false
	}
	switch x.kind {
	case '"':
		return r.text(x.text)
	case 0:
		return (r.least == nil || t.number(n).Cmp(r.least) >= 0) && (r.most == nil || t.number(n).Cmp(r.most) <= 0)
	}
	return true
}

// whole reports whether a number has no fraction.
func (t *jsonTree) whole(n node) bool {
	for _, c := range t.nodes[n].text {
		if c == '.' || c|0x20 == 'e' {
			return t.number(n).IsInt()
		}
	}
	return true
}

func (r *rule) text(b []byte) bool {
	if r.shortest > 0 || r.longest >= 0 {
		if n := utf8.RuneCount(b); n < r.shortest || r.longest >= 0 && n > r.longest {
			return false
		}
	}
	if r.format != nil && r.format.Validate(string(b)) != nil {
		return false
	}
	return r.pattern == nil || matches(r.pattern, b)
}

// hashPattern is that of a digest, the one that every component has: it is told without
// the machine for patterns.
const hashPattern = "^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})$"

func matches(pattern jsonschema.Regexp, b []byte) bool {
	if pattern.String() != hashPattern {
		return pattern.MatchString(string(b))
	}
	for _, c := range b {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return slices.Contains([]int{32, 40, 64, 96, 128}, len(b))
}

func (r *rule) object(t *jsonTree, n node) bool {
	for _, name := range r.required {
		if t.get(n, name) == 0 {
			return false
		}
	}
	if r.members == nil && !r.closed && r.others == nil {
		return true
	}
	for k := t.nodes[n].kid; k != 0; k = t.nodes[k].next {
		p, known := r.members[string(t.nodes[k].name)]
		if !known {
			p = r.others
		}
		if !known && r.closed || p != nil && !p.holds(t, k) {
			return false
		}
	}
	return true
}

func (r *rule) list(t *jsonTree, n node) bool {
	if x := int(t.nodes[n].n); x < r.fewest || r.largest >= 0 && x > r.largest || r.unique && !t.distinct(n) {
		return false
	}
	if r.items == nil && r.places == nil {
		return true
	}
	i := 0
	for k := t.nodes[n].kid; k != 0; k = t.nodes[k].next {
		p := r.items
		if r.places != nil && i < len(r.places) {
			p = r.places[i]
		} else if r.exact {
			return false
		}
		if i++; p != nil && !p.holds(t, k) {
			return false
		}
	}
	return true
}

// distinct reports whether no two elements of a list are equal.
func (t *jsonTree) distinct(n node) bool {
	if t.nodes[n].n < 2 {
		return true
	}
	seen := make(map[uint64][]node, t.nodes[n].n)
	for k := t.nodes[n].kid; k != 0; k = t.nodes[k].next {
		h := t.hash(k)
		for _, other := range seen[h] {
			if t.equal(k, t, other) {
				return false
			}
		}
		seen[h] = append(seen[h], k)
	}
	return true
}

func (r *rule) combined(t *jsonTree, n node) bool {
	holds := func(p *rule) bool { return p.holds(t, n) }
	for _, p := range r.all {
		if !holds(p) {
			return false
		}
	}
	if len(r.any) > 0 && !slices.ContainsFunc(r.any, holds) {
		return false
	}
	if len(r.one) > 0 {
		held := 0
		for _, p := range r.one {
			if holds(p) {
				held++
			}
		}
		if held != 1 {
			return false
		}
	}
	if r.not != nil && holds(r.not) {
		return false
	}
	if r.when != nil {
		if holds(r.when) {
			return r.then == nil || holds(r.then)
		}
		return r.or == nil || holds(r.or)
	}
	return true
}
