package inventory

import (
	"bytes"
	"fmt"
	"strings"

	"verdict/ci/plain"
)

// term is one value of Elixir or Erlang, as mix and rebar3 write their lockfiles.
type term struct {
	kind termKind
	text string // of a word
	list []term // of the others
	line int64
}

type termKind int

const (
	termWord  termKind = iota // an atom, a string or a number
	termTuple                 // {…}
	termList                  // […]
	termMap                   // %{…}
	termPair                  // a key and its value
)

// maxTermDepth bounds nesting.
const maxTermDepth = 50

// word is the text of a word; "" for anything else.
func (t term) word() string {
	if t.kind == termWord {
		return t.text
	}
	return ""
}

// at is the entry of a tuple or list; an empty word where there is none.
func (t term) at(i int) term {
	if i < len(t.list) && t.kind != termWord {
		return t.list[i]
	}
	return term{}
}

// member is the value of a key among pairs.
func (t term) member(key string) term {
	for _, p := range t.list {
		if (p.kind == termPair || p.kind == termTuple) && len(p.list) == 2 && p.list[0].word() == key {
			return p.list[1]
		}
	}
	return term{}
}

// termText reads terms, and knows the line that it is at.
type termText struct {
	text  []byte
	at    int
	line  int64
	depth int
}

func newTerms(text []byte) *termText { return &termText{text: text, line: 1} }

func (t *termText) fault(what string) error { return fmt.Errorf("line %d: %s", t.line, what) }

// peek is the next character that is neither space nor comment; 0 at the end.
func (t *termText) peek() byte {
	for ; t.at < len(t.text); t.at++ {
		switch c := t.text[t.at]; {
		case c == '\n':
			t.line++
		case c == ' ' || c == '\t' || c == '\r':
		case c == '#' || c == '%' && !bytes.HasPrefix(t.text[t.at:], []byte("%{")):
			end := bytes.IndexByte(t.text[t.at:], '\n')
			if end < 0 {
				t.at = len(t.text)
				return 0
			}
			t.at += end - 1
		default:
			return c
		}
	}
	return 0
}

// value takes one term.
func (t *termText) value() (term, error) {
	c := t.peek()
	line := t.line
	rest := t.text[t.at:]
	var out term
	var err error
	switch {
	case bytes.HasPrefix(rest, []byte("%{")):
		t.at += 2
		out, err = t.sequence(termMap, '}')
	case c == '{':
		t.at++
		out, err = t.sequence(termTuple, '}')
	case c == '[':
		t.at++
		out, err = t.sequence(termList, ']')
	case bytes.HasPrefix(rest, []byte("<<")):
		out, err = t.binary()
	case c == '"' || c == '\'':
		out.text, err = t.quoted(c)
	case c == ':':
		if t.at++; t.at < len(t.text) && t.text[t.at] == '"' {
			out.text, err = t.quoted('"')
		} else {
			out.text, err = t.bare()
		}
	case c == 0:
		err = t.fault("the file ends early")
	default:
		out.text, err = t.bare()
	}
	out.line = line
	return out, err
}

// sequence takes entries with commas, up to the bracket that ends them.
func (t *termText) sequence(kind termKind, last byte) (term, error) {
	out := term{kind: kind}
	if t.depth++; t.depth > maxTermDepth {
		return out, t.fault("nested too deep")
	}
	defer func() { t.depth-- }()
	for t.peek() != last {
		entry, err := t.entry()
		if err != nil {
			return out, err
		}
		out.list = append(out.list, entry)
		switch t.peek() {
		case ',':
			t.at++
		case last:
		case 0:
			return out, t.fault("the file ends early")
		default:
			return out, t.fault("a comma was expected")
		}
	}
	t.at++
	return out, nil
}

// entry takes a value, or a key with its value: "k": v, k: v, k => v.
func (t *termText) entry() (term, error) {
	key, err := t.value()
	if err != nil {
		return key, err
	}
	keyword := t.at < len(t.text) && t.text[t.at] == ':' && key.kind == termWord
	arrow := !keyword && t.peek() == '=' && bytes.HasPrefix(t.text[t.at:], []byte("=>"))
	switch {
	case keyword:
		t.at++
	case arrow:
		t.at += 2
	default:
		return key, nil
	}
	value, err := t.value()
	return term{kind: termPair, list: []term{key, value}, line: key.line}, err
}

// binary takes <<"text">>.
func (t *termText) binary() (out term, err error) {
	if t.at += 2; t.peek() == '"' {
		out.text, err = t.quoted('"')
	}
	if err == nil && (t.peek() == 0 || !bytes.HasPrefix(t.text[t.at:], []byte(">>"))) {
		err = t.fault("a binary that is no text")
	}
	t.at += 2
	return out, err
}

func (t *termText) quoted(quote byte) (string, error) {
	var b strings.Builder
	for t.at++; t.at < len(t.text); t.at++ {
		switch c := t.text[t.at]; {
		case c == quote:
			t.at++
			return b.String(), nil
		case c == '\\' && t.at+1 < len(t.text):
			t.at++
			b.WriteByte(t.text[t.at])
		case c == '\n':
			return "", t.fault("a text that does not end in its line")
		default:
			b.WriteByte(c)
		}
	}
	return "", t.fault("the file ends in a text")
}

func (t *termText) bare() (string, error) {
	start := t.at
	for t.at < len(t.text) && (plain.WordByte(t.text[t.at]) || t.text[t.at] == '_' || t.text[t.at] == '@' || t.text[t.at] == '?' || t.text[t.at] == '!') {
		t.at++
	}
	if t.at == start {
		return "", t.fault(fmt.Sprintf("%q where a value was expected", t.peek()))
	}
	return string(t.text[start:t.at]), nil
}
