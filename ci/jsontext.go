package ci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep a lockfile may be nested.
const maxJSONDepth = 500

// jsonText reads JSON in one pass and knows the line that it is at. Keys are compared
// as they stand and every occurrence of a key is seen: encoding/json matches keys in any
// case and keeps the last of several, which lets a file show us one version and its
// package manager another.
type jsonText struct {
	text  []byte
	at    int
	line  int64
	depth int
	// loose allows what people add to JSON: comments, and a comma behind the last entry.
	loose bool
}

func newJSON(text []byte) *jsonText {
	if len(text) >= 3 && string(text[:3]) == "\xef\xbb\xbf" {
		text = text[3:]
	}
	return &jsonText{text: text, line: 1}
}

func (j *jsonText) fault(what string) error { return fmt.Errorf("line %d: %s", j.line, what) }

// peek is the next character that is no space; 0 at the end.
func (j *jsonText) peek() byte {
	for ; j.at < len(j.text); j.at++ {
		switch c := j.text[j.at]; c {
		case '\n':
			j.line++
		case ' ', '\t', '\r':
		case '/':
			if !j.loose || !j.comment() {
				return c
			}
		default:
			return c
		}
	}
	return 0
}

// comment passes over one, up to its last character; it reports false where there is none.
func (j *jsonText) comment() bool {
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

func (j *jsonText) take(c byte) error {
	if got := j.peek(); got != c {
		if got == 0 {
			return j.fault("the file ends early")
		}
		return j.fault(fmt.Sprintf("%q where %q was expected", got, c))
	}
	j.at++
	return nil
}

// members calls each for every member of an object, at its value, which each must take.
// What is no object is passed over.
func (j *jsonText) members(each func(key string, line int64) error) error {
	if j.peek() != '{' {
		return j.skip()
	}
	return j.list('{', '}', func() error {
		j.peek()
		line := j.line
		key, err := j.str()
		if err == nil {
			err = j.take(':')
		}
		if err != nil {
			return err
		}
		return each(key, line)
	})
}

// list takes what stands between two brackets, with commas.
func (j *jsonText) list(first, last byte, each func() error) error {
	if err := j.take(first); err != nil {
		return err
	}
	if j.depth++; j.depth > maxJSONDepth {
		return j.fault(fmt.Sprintf("nested deeper than %d", maxJSONDepth))
	}
	defer func() { j.depth-- }()
	if j.peek() == last {
		j.at++
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		if j.peek() == last {
			j.at++
			return nil
		}
		if err := j.take(','); err != nil {
			return err
		}
		if j.loose && j.peek() == last {
			j.at++
			return nil
		}
	}
}

// text takes a string; any other value is passed over and reads as "".
func (j *jsonText) string() (string, error) {
	if j.peek() != '"' {
		return "", j.skip()
	}
	return j.str()
}

// strings takes a list of strings; other entries and other values are passed over.
func (j *jsonText) strings() ([]string, error) {
	var out []string
	if j.peek() != '[' {
		return nil, j.skip()
	}
	err := j.list('[', ']', func() error {
		s, err := j.string()
		if s != "" {
			out = append(out, s)
		}
		return err
	})
	return out, err
}

// flag takes a boolean; any other value is passed over and reads as false.
func (j *jsonText) flag() (bool, error) {
	yes := j.peek() == 't'
	return yes, j.skip()
}

// integrity takes a string with the digests of what is downloaded.
func (j *jsonText) integrity() ([]Hash, error) {
	s, err := j.string()
	return integrity(s), err
}

func (j *jsonText) str() (string, error) {
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
				return "", j.fault("a string that cannot be read")
			}
			return s, nil
		case c == '\\':
			plain = false
			j.at += 2
		case c < ' ':
			return "", j.fault("a control character in a string")
		default:
			j.at++
		}
	}
	return "", j.fault("the file ends in a string")
}

// skip passes over one value of any kind.
func (j *jsonText) skip() error {
	switch c := j.peek(); {
	case c == '{':
		return j.members(func(string, int64) error { return j.skip() })
	case c == '[':
		return j.list('[', ']', j.skip)
	case c == '"':
		_, err := j.str()
		return err
	case c == 0:
		return j.fault("the file ends early")
	}
	start := j.at
	for j.at < len(j.text) && wordByte(j.text[j.at]) {
		j.at++
	}
	if !json.Valid(j.text[start:j.at]) {
		return j.fault("a value that is none")
	}
	return nil
}

// wordByte reports whether c can stand in a number, true, false or null.
func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '-' || c == '.'
}

// end makes sure that nothing follows.
func (j *jsonText) end() error {
	if j.peek() != 0 {
		return j.fault("text after the end")
	}
	if j.at < len(j.text) { // a NUL, which peek cannot tell from the end
		return errors.New("a NUL character")
	}
	return nil
}
