package sbom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// jsonScanner passes over JSON once and checks what encoding/json lets pass: a name twice
// in one object, bytes that are no UTF-8, nesting without an end, and numbers that no
// reader can hold. What it has passed is read by jsonTree without further checks.
type jsonScanner struct {
	data  []byte
	pos   int
	depth int
	names [][]byte // of the objects that are open, innermost last
}

// jsonMember is one member of the outermost object. Its value is data[start:end].
type jsonMember struct {
	name       string
	start, end int
}

// maxJSONNumber bounds a number, in bytes, and maxJSONExponent the digits of its exponent:
// arithmetic on larger ones is a way to keep us busy.
const (
	maxJSONNumber   = 100
	maxJSONExponent = 3
	maxJSONMembers  = 1_000 // of the outermost object
)

// scanJSON checks that data is one object, and gives its members.
func scanJSON(data []byte) (out []jsonMember, err error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it holds bytes that are not UTF-8")
	}
	s := jsonScanner{data: data}
	s.space()
	if s.pos == len(data) || data[s.pos] != '{' {
		return nil, errors.New("it is no JSON object")
	}
	err = s.object(func(m jsonMember) error {
		if out = append(out, m); len(out) > maxJSONMembers {
			return fmt.Errorf("it has more than %d members", maxJSONMembers)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s.space(); s.pos != len(data) {
		return nil, s.wrong("there is more behind the end")
	}
	return out, nil
}

func (s *jsonScanner) wrong(what string) error { return fmt.Errorf("%s, at byte %d", what, s.pos) }

func (s *jsonScanner) space() { s.pos = skipSpace(s.data, s.pos) }

func skipSpace(data []byte, pos int) int {
	for pos < len(data) && (data[pos] == ' ' || data[pos] == '\n' || data[pos] == '\r' || data[pos] == '\t') {
		pos++
	}
	return pos
}

func (s *jsonScanner) value() error {
	if s.pos == len(s.data) {
		return s.wrong("it ends too early")
	}
	switch c := s.data[s.pos]; {
	case c == '"':
		return s.text()
	case c == '{':
		return s.object(nil)
	case c == '[':
		return s.array()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
			s.pos += len(word)
			return nil
		}
	}
	return s.wrong("there is no value")
}

func (s *jsonScanner) open() error {
	if s.depth++; s.depth > maxBillDepth {
		return fmt.Errorf("it nests more than %d deep", maxBillDepth)
	}
	s.pos++
	s.space()
	return nil
}

// next ends a member or element, and reports whether another follows.
func (s *jsonScanner) next(end byte) (bool, error) {
	s.space()
	if s.pos < len(s.data) && s.data[s.pos] == end {
		s.pos++
		s.depth--
		return false, nil
	}
	if s.pos == len(s.data) || s.data[s.pos] != ',' {
		return false, s.wrong("a comma or the end of a list or object is missing")
	}
	s.pos++
	s.space()
	return true, nil
}

func (s *jsonScanner) object(each func(jsonMember) error) error {
	if err := s.open(); err != nil {
		return err
	}
	if s.pos < len(s.data) && s.data[s.pos] == '}' {
		s.pos++
		s.depth--
		return nil
	}
	first := len(s.names)
	var many map[string]bool
	for more := true; more; {
		name, err := s.name()
		if err != nil {
			return err
		}
		if many, err = s.unique(first, many, name); err != nil {
			return err
		}
		start := s.pos
		if err := s.value(); err != nil {
			return err
		}
		if each != nil {
			if err := each(jsonMember{string(name), start, s.pos}); err != nil {
				return err
			}
		}
		if more, err = s.next('}'); err != nil {
			return err
		}
	}
	s.names = s.names[:first]
	return nil
}

// name reads the name of a member, and passes its colon.
func (s *jsonScanner) name() ([]byte, error) {
	if s.pos == len(s.data) || s.data[s.pos] != '"' {
		return nil, s.wrong("a name is missing")
	}
	start := s.pos
	if err := s.text(); err != nil {
		return nil, err
	}
	name := unquote(s.data[start:s.pos])
	if s.space(); s.pos == len(s.data) || s.data[s.pos] != ':' {
		return nil, s.wrong("a colon is missing")
	}
	s.pos++
	s.space()
	return name, nil
}

// manyNames is from when on names are looked up and not compared one by one.
const manyNames = 32

func (s *jsonScanner) unique(first int, many map[string]bool, name []byte) (map[string]bool, error) {
	seen := s.names[first:]
	if many == nil && len(seen) == manyNames {
		many = make(map[string]bool, 2*manyNames)
		for _, n := range seen {
			many[string(n)] = true
		}
	}
	twice := many[string(name)]
	if many == nil {
		for _, n := range seen {
			twice = twice || bytes.Equal(n, name)
		}
		s.names = append(s.names, name)
	} else {
		many[string(name)] = true
	}
	if twice {
		return many, fmt.Errorf("%q stands twice in one object", cut(string(name), 64))
	}
	return many, nil
}

func (s *jsonScanner) array() error {
	if err := s.open(); err != nil {
		return err
	}
	if s.pos < len(s.data) && s.data[s.pos] == ']' {
		s.pos++
		s.depth--
		return nil
	}
	for more := true; more; {
		err := s.value()
		if err == nil {
			more, err = s.next(']')
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *jsonScanner) text() error {
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return nil
		case c < ' ':
			return s.wrong("a text holds a control character")
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	return s.wrong("a text does not end")
}

// escape passes all of an escape but its last byte. Half of a surrogate pair is no
// character, and readers differ in what they make of it.
func (s *jsonScanner) escape() error {
	s.pos++
	if s.pos < len(s.data) && bytes.IndexByte([]byte(`"\/bfnrt`), s.data[s.pos]) >= 0 {
		return nil
	}
	r, ok := hex4(s.data[s.pos:])
	if !ok {
		return s.wrong("a text holds an escape that is none")
	}
	s.pos += 4
	if r < 0xD800 || r > 0xDFFF {
		return nil
	}
	low, ok := rune(0), false
	if s.pos+1 < len(s.data) && s.data[s.pos+1] == '\\' {
		low, ok = hex4(s.data[s.pos+2:])
	}
	if r > 0xDBFF || !ok || low < 0xDC00 || low > 0xDFFF {
		return s.wrong("a text holds half a character")
	}
	s.pos += 6
	return nil
}

// hex4 reads the rest of an escape: the letter u and the four hex digits behind it.
func hex4(b []byte) (rune, bool) {
	if len(b) < 5 || b[0] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[1:5] {
		d := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if d < 0 || c < '0' {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

func (s *jsonScanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}

func (s *jsonScanner) number() error {
	start := s.pos
	if s.data[s.pos] == '-' {
		s.pos++
	}
	zero := s.pos < len(s.data) && s.data[s.pos] == '0'
	if n := s.digits(); n == 0 || zero && n > 1 {
		return s.wrong("a number is none")
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		if s.pos++; s.digits() == 0 {
			return s.wrong("a number is none")
		}
	}
	if s.pos < len(s.data) && s.data[s.pos]|0x20 == 'e' {
		if s.pos++; s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		n := s.digits()
		if n == 0 {
			return s.wrong("a number is none")
		}
		if n > maxJSONExponent {
			return s.wrong("a number is larger than a reader can hold")
		}
	}
	if s.pos-start > maxJSONNumber {
		return s.wrong("a number is longer than a reader can hold")
	}
	return nil
}

// unquote gives the text of a string that was passed, without a copy where nothing in it
// is escaped.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil // not reached: it was passed
	}
	return []byte(s)
}
