package evidence

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// The scanner reads JSON once, without recursion beyond MaxDepth and without copying.
// encoding/json is not enough at this border: it takes field names in any case, the
// last of two equal names, and broken UTF-8 as U+FFFD.

var errDeep = errors.New("nested too deep")

// scanner is one pass over one document.
type scanner struct {
	data  []byte
	pos   int
	depth int
	names [][]byte // the names of the objects that are open, innermost last
	at    int      // where the member that a callback is given begins
	watch *index   // is told of each member, those of an inner object before it
}

// valid reports why data is not exactly one JSON value with unique names per object.
func valid(data []byte) error {
	s := scanner{data: data}
	return s.document(func() error { return s.value() })
}

// members calls f with each name, without quotes, and value of the object that data
// consists of. The whole document is checked on the way; f may stop it with an error.
func members(data []byte, f func(name, value []byte) error) error {
	s := scanner{data: data}
	return s.outer(f)
}

func (s *scanner) outer(f func(name, value []byte) error) error {
	return s.document(func() error {
		if s.pos >= len(s.data) || s.data[s.pos] != '{' {
			return errors.New("not an object")
		}
		return s.object(f)
	})
}

// elements calls f with each value of the array that data consists of.
func elements(data []byte, f func(value []byte) error) error {
	s := scanner{data: data}
	return s.document(func() error {
		if s.pos >= len(data) || data[s.pos] != '[' {
			return errors.New("not an array")
		}
		return s.array(f)
	})
}

func (s *scanner) document(body func() error) error {
	if !utf8.Valid(s.data) {
		return errors.New("not valid UTF-8")
	}
	s.space()
	if err := body(); err != nil {
		return err
	}
	s.space()
	if s.pos != len(s.data) {
		return s.wrong("more after the end of the document")
	}
	return nil
}

func (s *scanner) wrong(what string) error { return fmt.Errorf("%s at byte %d", what, s.pos) }

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) value() error {
	if s.pos >= len(s.data) {
		return s.wrong("unexpected end")
	}
	switch c := s.data[s.pos]; {
	case c == '{':
		return s.object(nil)
	case c == '[':
		return s.array(nil)
	case c == '"':
		return s.text()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.wrong("unexpected character")
}

func (s *scanner) word(w string) error {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return s.wrong("unexpected character")
	}
	s.pos += len(w)
	return nil
}

func (s *scanner) begin() error {
	s.depth++
	if s.depth > MaxDepth {
		return errDeep
	}
	s.pos++
	s.space()
	return nil
}

// next ends a member or element: true when another one follows.
func (s *scanner) next(end byte) (bool, error) {
	s.space()
	if s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ',':
			s.pos++
			s.space()
			return true, nil
		case end:
			s.pos++
			s.depth--
			return false, nil
		}
	}
	return false, s.wrong("expected a comma or the end of an object or array")
}

func (s *scanner) object(f func(name, value []byte) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	if s.pos < len(s.data) && s.data[s.pos] == '}' {
		s.pos++
		s.depth--
		return nil
	}
	first := len(s.names)
	defer func() { s.names = s.names[:first] }()
	var many map[string]bool
	for {
		begin := s.pos
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
		if s.watch != nil {
			s.watch.add(s.depth, plain(name), begin, start, s.pos)
		}
		if f != nil {
			s.at = begin
			if err := f(plain(name), s.data[start:s.pos]); err != nil {
				return err
			}
		}
		if more, err := s.next('}'); err != nil || !more {
			return err
		}
	}
}

func (s *scanner) name() ([]byte, error) {
	if s.pos >= len(s.data) || s.data[s.pos] != '"' {
		return nil, s.wrong("expected a name in quotes")
	}
	start := s.pos
	if err := s.text(); err != nil {
		return nil, err
	}
	name := s.data[start:s.pos]
	s.space()
	if s.pos >= len(s.data) || s.data[s.pos] != ':' {
		return nil, s.wrong("expected a colon")
	}
	s.pos++
	s.space()
	return name, nil
}

// unique refuses a name that the open object has already. Names are few as a rule; a
// map takes over where comparing each with each would be a way to keep us busy.
func (s *scanner) unique(first int, many map[string]bool, name []byte) (map[string]bool, error) {
	if bytes.IndexByte(name, '\\') >= 0 {
		name = appendQuoted(nil, unquoted(name))
	}
	seen := s.names[first:]
	if many == nil && len(seen) == 32 {
		many = make(map[string]bool, 64)
		for _, n := range seen {
			many[string(n)] = true
		}
	}
	if many != nil {
		if many[string(name)] {
			return many, s.twice(name)
		}
		many[string(name)] = true
		return many, nil
	}
	for _, n := range seen {
		if bytes.Equal(n, name) {
			return nil, s.twice(name)
		}
	}
	s.names = append(s.names, name)
	return nil, nil
}

func (s *scanner) twice(name []byte) error {
	if len(name) > 64 {
		name = name[:64]
	}
	return s.wrong(fmt.Sprintf("the name %q occurs twice in one object", name))
}

func (s *scanner) array(f func(value []byte) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	if s.pos < len(s.data) && s.data[s.pos] == ']' {
		s.pos++
		s.depth--
		return nil
	}
	for {
		start := s.pos
		if err := s.value(); err != nil {
			return err
		}
		if f != nil {
			if err := f(s.data[start:s.pos]); err != nil {
				return err
			}
		}
		if more, err := s.next(']'); err != nil || !more {
			return err
		}
	}
}

func (s *scanner) text() error {
	i := s.pos + 1
	for i < len(s.data) {
		for i+8 <= len(s.data) && ordinary(binary.LittleEndian.Uint64(s.data[i:])) {
			i += 8
		}
		if i == len(s.data) {
			break
		}
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return nil
		case c < 0x20:
			s.pos = i
			return s.wrong("control character in a string")
		case c != '\\':
			i++
		default:
			n := escape(s.data[i:])
			if n == 0 {
				s.pos = i
				return s.wrong("wrong escape in a string")
			}
			i += n
		}
	}
	s.pos = len(s.data)
	return s.wrong("string without end")
}

// ordinary reports whether none of eight bytes is a quote, a backslash or a control
// character. A byte above 0x7f may count as not ordinary; it is then looked at alone.
func ordinary(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := x^ones*'"', x^ones*'\\'
	return ((x-ones*0x20)|(quote-ones)|(slash-ones)|x)&tops == 0
}

// escape is the length of the escape sequence that b starts with, 0 when it is none.
// Half a surrogate pair is none: readers disagree on what it stands for.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		switch u := hex4(b); {
		case u < 0 || u >= 0xdc00 && u <= 0xdfff:
			return 0
		case u < 0xd800 || u > 0xdfff:
			return 6
		}
		if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			if u := hex4(b[6:]); u >= 0xdc00 && u <= 0xdfff {
				return 12
			}
		}
	}
	return 0
}

// hex4 is the value of \uXXXX at the start of b, or -1.
func hex4(b []byte) int {
	if len(b) < 6 {
		return -1
	}
	v := 0
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | int(c-'A'+10)
		default:
			return -1
		}
	}
	return v
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) number() error {
	if s.data[s.pos] == '-' {
		s.pos++
	}
	if s.pos < len(s.data) && s.data[s.pos] == '0' {
		s.pos++
	} else if !s.digits() {
		return s.wrong("wrong number")
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if !s.digits() {
			return s.wrong("wrong number")
		}
	}
	if s.pos < len(s.data) && (s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if !s.digits() {
			return s.wrong("wrong number")
		}
	}
	return nil
}

// unquoted is the text of a string that the scanner accepted.
func unquoted(quoted []byte) string { return string(plain(quoted)) }

// plain is unquoted without a copy where nothing is escaped.
func plain(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil // not reached: the scanner has accepted the string
	}
	return []byte(s)
}

// asText reads a value that has to be a string.
func asText(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	return unquoted(value), true
}

// appendQuoted appends s as a JSON string, escaped as RFC 8785 demands: no more than
// JSON itself needs.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[start:]...), '"')
}
