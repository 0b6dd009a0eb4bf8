package evidence

import (
	"bytes"
	"slices"
	"strings"
)

// canonical is the form of a checked value that does not depend on white space, on the
// order of names or on how a string is escaped. It is RFC 8785 but for two things:
// numbers keep their spelling, because reading them as RFC 8785 does would make two
// large integers one; and names sort by their bytes.
func canonical(value []byte) []byte {
	c := canon{scanner: scanner{data: value}, out: make([]byte, 0, len(value))}
	c.space()
	c.value()
	return c.out
}

// canon writes while it reads. It ignores the scanner's errors: what it reads was
// checked before.
type canon struct {
	scanner
	out   []byte
	spare []byte // for putting members in order
}

// member is one member of an object, already written.
type member struct {
	name     string
	from, to int // its bytes in out, without comma
}

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

func (c *canon) string() []byte {
	start := c.pos
	_ = c.text()
	text := c.data[start:c.pos]
	if bytes.IndexByte(text, '\\') < 0 {
		c.out = append(c.out, text...)
	} else {
		c.out = appendQuoted(c.out, unquoted(text))
	}
	return text
}

// more reports whether an object or array that was just opened holds anything.
func (c *canon) more(end byte) bool {
	if c.data[c.pos] != end {
		return true
	}
	c.pos++
	c.depth--
	return false
}

func (c *canon) array() {
	_ = c.open()
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
	_ = c.open()
	c.out = append(c.out, '{')
	start, sorted := len(c.out), true
	var all []member
	for more := c.more('}'); more; {
		if len(all) > 0 {
			c.out = append(c.out, ',')
		}
		m := member{from: len(c.out)}
		m.name = unquoted(c.string())
		c.space()
		c.pos++ // the colon
		c.space()
		c.out = append(c.out, ':')
		c.value()
		m.to = len(c.out)
		sorted = sorted && (len(all) == 0 || all[len(all)-1].name < m.name)
		all = append(all, m)
		more, _ = c.next('}')
	}
	if !sorted {
		c.order(start, all)
	}
	c.out = append(c.out, '}')
}

// order puts the members that were written from start on in the order of their names.
func (c *canon) order(start int, all []member) {
	slices.SortFunc(all, func(a, b member) int { return strings.Compare(a.name, b.name) })
	c.spare = c.spare[:0]
	for i, m := range all {
		if i > 0 {
			c.spare = append(c.spare, ',')
		}
		c.spare = append(c.spare, c.out[m.from:m.to]...)
	}
	copy(c.out[start:], c.spare)
}
