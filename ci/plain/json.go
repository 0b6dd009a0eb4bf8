// Package plain reads the plain text of files that others wrote: UTF-16 as UTF-8, and JSON
// together with the line of everything in it.
package plain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"verdict/ci/wording"
)

// MaxDepth bounds how deep a document may be nested.
const MaxDepth = 500

// JSON reads JSON in one pass and knows the line that it is at. Keys are compared
// as they stand and every occurrence of a key is seen: encoding/json matches keys in any
// case and keeps the last of several, which lets a file show us one version and its
// package manager another.
type JSON struct {
	text  []byte
	at    int
	line  int64
	depth int
	// Loose allows what people add to JSON: comments, and a comma behind the last entry.
	Loose bool
}

// NewJSON begins at the start of a text, behind a mark of the order of its bytes.
func NewJSON(text []byte) *JSON {
	if len(text) >= 3 && string(text[:3]) == "\xef\xbb\xbf" {
		text = text[3:]
	}
	return &JSON{text: text, line: 1}
}

// Line is the line that it is at, from 1.
func (j *JSON) Line() int64 { return j.line }

// Fault is an error about the line that it is at.
func (j *JSON) Fault(what string) error { return fmt.Errorf("line %d: %s", j.line, what) }

// Peek is the next character that is no space; 0 at the end.
func (j *JSON) Peek() byte {
	for ; j.at < len(j.text); j.at++ {
		switch c := j.text[j.at]; c {
		case '\n':
			j.line++
		case ' ', '\t', '\r':
		case '/':
			if !j.Loose || !j.comment() {
				return c
			}
		default:
			return c
		}
	}
	return 0
}

// comment passes over one, up to its last character; it reports false where there is none.
func (j *JSON) comment() bool {
	rest := j.text[j.at:]
	end := -1
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		if end = bytes.IndexByte(rest, '\n'); end < 0 {
			end = len(rest)
		}
		end-- // the line's end counts it
	case bytes.HasPrefix(rest, []byte("/*")):
		if end = bytes.Index(rest[2:], []byte("*/")); end >= 0 {
			end += 3
			j.line += int64(bytes.Count(rest[:end], []byte("\n")))
		}
	}
	if end < 0 {
		return false
	}
	j.at += end
	return true
}

func (j *JSON) take(c byte) error {
	if got := j.Peek(); got != c {
		if got == 0 {
			return j.Fault("the file ends early")
		}
		return j.Fault(fmt.Sprintf("%q where %q was expected", got, c))
	}
	j.at++
	return nil
}

// Members calls each for every member of an object, at its value, which each must take.
// What is no object is passed over.
func (j *JSON) Members(each func(key string, line int64) error) error {
	if j.Peek() != '{' {
		return j.Skip()
	}
	return j.List('{', '}', func() error {
		j.Peek()
		line := j.line
		key, err := j.Quoted()
		if err == nil {
			err = j.take(':')
		}
		if err != nil {
			return err
		}
		return each(key, line)
	})
}

// List takes what stands between two brackets, with commas.
func (j *JSON) List(first, last byte, each func() error) error {
	if err := j.take(first); err != nil {
		return err
	}
	if j.depth++; j.depth > MaxDepth {
		return j.Fault(fmt.Sprintf("nested deeper than %d", MaxDepth))
	}
	defer func() { j.depth-- }()
	if j.Peek() == last {
		j.at++
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		if j.Peek() == last {
			j.at++
			return nil
		}
		if err := j.take(','); err != nil {
			return err
		}
		if j.Loose && j.Peek() == last {
			j.at++
			return nil
		}
	}
}

// Text takes a string; any other value is passed over and reads as "".
func (j *JSON) Text() (string, error) {
	if j.Peek() != '"' {
		return "", j.Skip()
	}
	return j.Quoted()
}

// Texts takes a list of strings; other entries and other values are passed over.
func (j *JSON) Texts() ([]string, error) {
	var out []string
	if j.Peek() != '[' {
		return nil, j.Skip()
	}
	err := j.List('[', ']', func() error {
		s, err := j.Text()
		if s != "" {
			out = append(out, s)
		}
		return err
	})
	return out, err
}

// Flag takes a boolean; any other value is passed over and reads as false.
func (j *JSON) Flag() (bool, error) {
	yes := j.Peek() == 't'
	return yes, j.Skip()
}

// Quoted takes a string; any other value is an error.
func (j *JSON) Quoted() (string, error) {
	if err := j.take('"'); err != nil {
		return "", err
	}
	start, plain := j.at, true
	for j.at < len(j.text) {
		switch c := j.text[j.at]; {
		case c == '"':
			raw := j.text[start:j.at]
			j.at++
			if plain && utf8.Valid(raw) {
				return string(raw), nil
			}
			var s string
			if err := json.Unmarshal(j.text[start-1:j.at], &s); err != nil {
				return "", j.Fault("a string that cannot be read")
			}
			return s, nil
		case c == '\\':
			plain = false
			j.at += 2
		case c < ' ':
			return "", j.Fault("a control character in a string")
		default:
			j.at++
		}
	}
	return "", j.Fault("the file ends in a string")
}

// Skip passes over one value of any kind.
func (j *JSON) Skip() error {
	switch c := j.Peek(); {
	case c == '{':
		return j.Members(func(string, int64) error { return j.Skip() })
	case c == '[':
		return j.List('[', ']', j.Skip)
	case c == '"':
		_, err := j.Quoted()
		return err
	case c == 0:
		return j.Fault("the file ends early")
	}
	start := j.at
	for j.at < len(j.text) && WordByte(j.text[j.at]) {
		j.at++
	}
	if !json.Valid(j.text[start:j.at]) {
		return j.Fault("a value that is none")
	}
	return nil
}

// WordByte reports whether c can stand in a number, true, false or null.
func WordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '-' || c == '.'
}

// End makes sure that nothing follows.
func (j *JSON) End() error {
	if j.Peek() != 0 {
		return j.Fault("text after the end")
	}
	if j.at < len(j.text) { // a NUL, which peek cannot tell from the end
		return errors.New("a NUL character")
	}
	return nil
}

// Once is Members where a key that stands twice is an error: two readers take different
// ones of them.
func (j *JSON) Once(each func(key string, line int64) error) error {
	seen := map[string]bool{}
	return j.Members(func(key string, line int64) error {
		if seen[key] {
			return j.Fault(wording.Cut(key, 120) + " stands twice")
		}
		seen[key] = true
		return each(key, line)
	})
}

// Entries calls each for every entry of a list; any other value is passed over.
func (j *JSON) Entries(each func(line int64) error) error {
	if j.Peek() != '[' {
		return j.Skip()
	}
	return j.List('[', ']', func() error {
		j.Peek()
		return each(j.line)
	})
}

// Document reads the one object of a file, up to its end.
func (j *JSON) Document(each func(key string, line int64) error) error {
	if j.Peek() != '{' {
		return j.Fault("no object")
	}
	if err := j.Once(each); err != nil {
		return err
	}
	return j.End()
}

// Number takes a number as it is written; any other value is passed over and reads as "".
func (j *JSON) Number() (string, error) {
	c := j.Peek()
	raw, err := j.Raw()
	if err != nil || c < '0' || c > '9' {
		return "", err
	}
	return string(raw), nil
}

// Raw takes one value of any kind as it stands.
func (j *JSON) Raw() ([]byte, error) {
	j.Peek()
	start := j.at
	err := j.Skip()
	return j.text[start:j.at], err
}

// Nested is how many brackets are open.
func (j *JSON) Nested() int { return j.depth }
