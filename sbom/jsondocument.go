package sbom

import (
	"fmt"
	"slices"
)

// jsonDocument is a JSON object that was passed: its outermost members can be read one by
// one, and long lists element by element.
type jsonDocument struct {
	data    []byte
	members []jsonMember
}

func openJSON(raw []byte) (*jsonDocument, error) {
	members, err := scanJSON(raw)
	if err != nil {
		return nil, billInvalid("it is no JSON that says one thing: "+err.Error(), "write it with a tool that writes JSON")
	}
	return &jsonDocument{raw, members}, nil
}

func (d *jsonDocument) has(name string) bool {
	return slices.ContainsFunc(d.members, func(m jsonMember) bool { return m.name == name })
}

// text is the string that an outermost member holds; empty where there is none.
func (d *jsonDocument) text(name string) string {
	for _, m := range d.members {
		if m.name == name && d.data[m.start] == '"' {
			return string(unquote(d.data[m.start:m.end]))
		}
	}
	return ""
}

// kind is the byte that the value of an outermost member begins with; 0 where there is none.
func (d *jsonDocument) kind(name string) byte {
	for _, m := range d.members {
		if m.name == name {
			return d.data[m.start]
		}
	}
	return 0
}

// walk calls f with the value of each outermost member, and with each element of those
// that are lists, once it holds what the rule has for it. What f is given is good until it
// returns.
func (d *jsonDocument) walk(top *rule, f func(name string, t *jsonTree, n node) error) error {
	var t jsonTree
	for _, m := range d.members {
		r := top.members[m.name]
		if m.name == "$schema" {
			r = nil // the schema of 1.2 lists another address than its own; which one counts is said by the version
		}
		if d.data[m.start] != '[' || r != nil && !r.streams() {
			t.read(d.data, m.start)
			if r != nil && !r.holds(&t, 0) {
				return notByTheSchema(r.why(&t, 0, "/"+m.name))
			}
			if err := f(m.name, &t, 0); err != nil {
				return err
			}
			continue
		}
		if err := d.list(m, r, &t, f); err != nil {
			return err
		}
	}
	return nil
}

// streams reports whether a list may be held to the rule element by element.
func (r *rule) streams() bool {
	plain := r.ref == nil && !r.never && r.words == nil && r.fewest == 0 && r.largest < 0 &&
		r.places == nil && r.all == nil && r.any == nil && r.one == nil && r.not == nil && r.when == nil
	return plain && r.kinds == "["
}

// list walks one list.
func (d *jsonDocument) list(m jsonMember, r *rule, t *jsonTree, f func(name string, t *jsonTree, n node) error) error {
	var seen map[uint64]int // where the element of a hash begins
	if r != nil && r.unique {
		seen = map[uint64]int{}
	}
	return elements(d.data, m.start, func(i, pos int) (int, error) {
		end := t.read(d.data, pos)
		if r != nil && r.items != nil && !r.items.holds(t, 0) {
			return 0, notByTheSchema(r.items.why(t, 0, fmt.Sprintf("/%s/%d", m.name, i)))
		}
		if seen != nil {
			h := t.hash(0)
			if before, ok := seen[h]; ok {
				var other jsonTree
				if other.read(d.data, before); t.equal(0, &other, 0) {
					return 0, notByTheSchema(fmt.Sprintf("/%s/%d: it stands twice in the list", m.name, i))
				}
			}
			seen[h] = pos
		}
		return end, f(m.name, t, 0)
	})
}
