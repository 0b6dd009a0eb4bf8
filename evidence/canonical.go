package evidence

import (
	"bytes"
	"slices"
)

// canonical is the form of a predicate that does not depend on white space, on the
// order of names or on how a string is escaped, and that leaves time and nonce of the
// context out. It is RFC 8785 otherwise, but for two things: numbers keep their
// spelling, because reading them as RFC 8785 does would make two large integers one;
// and names sort by their bytes.
func canonical(dst, predicate []byte) []byte {
	c := canon{scanner: scanner{data: predicate}, out: dst, open: make([]member, 0, 32)}
	c.space()
	c.value()
	return c.out
}

// canon writes while it reads, in one pass. It ignores the scanner's errors: what it
// reads was checked before.
type canon struct {
	scanner
	out     []byte
	open    []member // the members of the objects that are open, innermost last
	spare   []byte   // for putting members in order
	context bool     // within the context
}

// member is one member of an object, already written: its bytes in out, without comma.
type member struct{ from, name, to int }

func (c *canon) value() {
	switch c.data[c.pos] {
	case '{':
		c.object()
	case '[':
		c.array()
	case '"':
		c.string()
	default:
		start := c.pos
		_ = c.scanner.value()
		c.out = append(c.out, c.data[start:c.pos]...)
	}
}

func (c *canon) string() {
	start := c.pos
	_ = c.text()
	text := c.data[start:c.pos]
	if bytes.IndexByte(text, '\\') < 0 {
		c.out = append(c.out, text...)
	} else {
		c.out = appendQuoted(c.out, unquoted(text))
	}
}

// more reports whether an object or array that was just begun holds anything.
func (c *canon) more(end byte) bool {
	if c.data[c.pos] != end {
		return true
	}
	c.pos++
	c.depth--
	return false
}

func (c *canon) array() {
	_ = c.begin()
	c.out = append(c.out, '[')
	for more := c.more(']'); more; {
		c.value()
		if more, _ = c.next(']'); more {
			c.out = append(c.out, ',')
		}
	}
	c.out = append(c.out, ']')
}

func (c *canon) object() {
	_ = c.begin()
	c.out = append(c.out, '{')
	start, first := len(c.out), len(c.open)
	for more := c.more('}'); more; {
		before := len(c.out)
		if len(c.open) > first {
			c.out = append(c.out, ',')
		}
		if m, keep := c.member(); keep {
			c.open = append(c.open, m)
		} else {
			c.out = c.out[:before]
		}
		more, _ = c.next('}')
	}
	c.order(start, c.open[first:])
	c.open = c.open[:first]
	c.out = append(c.out, '}')
}

// member writes one member. It is not to be kept when it is what differs each time the
// same thing is said.
func (c *canon) member() (m member, keep bool) {
	m.from = len(c.out)
	c.string()
	m.name = len(c.out)
	name := c.out[m.from+1 : m.name-1]
	keep = !(c.context && c.depth == 2 && (string(name) == "at" || string(name) == "nonce"))
	isContext := c.depth == 1 && string(name) == ContextField
	c.space()
	c.pos++ // the colon
	c.space()
	c.out = append(c.out, ':')
	c.context = c.context || isContext
	c.value()
	c.context = c.context && !isContext
	m.to = len(c.out)
	return m, keep
}

// order puts the members that were written from start on in the order of their names.
func (c *canon) order(start int, all []member) {
	byName := func(a, b member) int { return bytes.Compare(c.out[a.from:a.name], c.out[b.from:b.name]) }
	if slices.IsSortedFunc(all, byName) {
		return
	}
	slices.SortFunc(all, byName)
	if c.spare == nil { // most objects are in order
		c.spare = make([]byte, 0, len(c.data))
	}
	c.spare = c.spare[:0]
	for i, m := range all {
		if i > 0 {
			c.spare = append(c.spare, ',')
		}
		c.spare = append(c.spare, c.out[m.from:m.to]...)
	}
	copy(c.out[start:], c.spare)
}
