package inventory

import (
	"bytes"
	"fmt"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// hclBlock is one block at the top of a file in HCL, with the attributes of its own that
// are plain texts or lists of such.
type hclBlock struct {
	kind   string
	labels []string
	line   int
	texts  map[string]string
	lists  map[string][]string
}

// hclText reads the outermost level of HCL; what is nested deeper is passed over with the
// care for texts, comments and heredocs that finding its end needs.
type hclText struct {
	text []byte
	at   int
	line int
}

// maxHCLDepth bounds nesting.
const maxHCLDepth = 500

// hclBlocks gives the blocks of the kinds that are asked for.
func hclBlocks(content []byte, kinds ...string) ([]hclBlock, error) {
	h := &hclText{text: withoutBOM(content), line: 1}
	var out []hclBlock
	for {
		t, err := h.token()
		switch {
		case err != nil:
			return nil, err
		case t.kind == 0:
			return out, nil
		case t.kind != 'a':
			continue // an attribute's value, at the top
		}
		b := hclBlock{kind: t.text, line: t.line, texts: map[string]string{}, lists: map[string][]string{}}
		for t, err = h.token(); err == nil && (t.kind == '"' || t.kind == 'a'); t, err = h.token() {
			b.labels = append(b.labels, t.text)
		}
		switch {
		case err != nil:
			return nil, err
		case t.kind != '{':
			continue
		}
		wanted := false
		for _, k := range kinds {
			wanted = wanted || k == b.kind
		}
		if wanted {
			err = h.body(&b)
		} else {
			err = h.skip()
		}
		if err != nil {
			return nil, err
		}
		if wanted {
			if out = append(out, b); len(out) > maxComponents {
				return nil, fmt.Errorf("it holds more than %d blocks", maxComponents)
			}
		}
	}
}

// body reads the attributes of a block, up to its end.
func (h *hclText) body(b *hclBlock) error {
	for {
		name, err := h.token()
		switch {
		case err != nil:
			return err
		case name.kind == '}':
			return nil
		case name.kind == 0:
			return h.fault("the file ends early")
		case name.kind == '{' || name.kind == '[' || name.kind == '(':
			if err := h.skip(); err != nil {
				return err
			}
			continue
		case name.kind != 'a':
			continue
		}
		at, line := h.at, h.line
		next, err := h.token()
		if err != nil {
			return err
		}
		if next.kind != '=' {
			h.at, h.line = at, line // a nested block, or a word of an expression
			continue
		}
		if _, twice := b.texts[name.text]; twice || b.lists[name.text] != nil {
			return fmt.Errorf("line %d: %s stands twice", name.line, wording.Cut(name.text, 120))
		}
		if err := h.value(b, name.text); err != nil {
			return err
		}
	}
}

// value takes a text or a list of texts; of anything else only the beginning, so that
// body goes on with the rest.
func (h *hclText) value(b *hclBlock, name string) error {
	at, line := h.at, h.line
	t, err := h.token()
	switch {
	case err != nil:
		return err
	case t.kind == '"':
		b.texts[name] = t.text
		return nil
	case t.kind != '[':
		h.at, h.line = at, line
		return nil
	}
	list := []string{}
	for depth := 1; depth > 0; {
		t, err := h.token()
		switch {
		case err != nil:
			return err
		case t.kind == 0:
			return h.fault("the file ends early")
		case t.kind == '[' || t.kind == '{' || t.kind == '(':
			if depth++; depth > maxHCLDepth {
				return h.fault("nested too deep")
			}
		case t.kind == ']' || t.kind == '}' || t.kind == ')':
			depth--
		case t.kind == '"' && depth == 1:
			list = append(list, t.text)
		}
	}
	b.lists[name] = list
	return nil
}

// skip passes over everything up to the bracket that ends what was begun.
func (h *hclText) skip() error {
	for depth := 1; depth > 0; {
		t, err := h.token()
		switch {
		case err != nil:
			return err
		case t.kind == 0:
			return h.fault("the file ends early")
		case t.kind == '{' || t.kind == '[' || t.kind == '(':
			if depth++; depth > maxHCLDepth {
				return h.fault("nested too deep")
			}
		case t.kind == '}' || t.kind == ']' || t.kind == ')':
			depth--
		}
	}
	return nil
}

func (h *hclText) fault(what string) error { return fmt.Errorf("line %d: %s", h.line, what) }

// hclToken is a name ('a'), a text ('"'), a heredoc or number ('x'), one character of
// punctuation, or the end (0).
type hclToken struct {
	kind byte
	text string
	line int
}

func (h *hclText) token() (hclToken, error) {
	if err := h.space(); err != nil || h.at >= len(h.text) {
		return hclToken{line: h.line}, err
	}
	c, line, rest := h.text[h.at], h.line, h.text[h.at:]
	switch {
	case c == '"':
		h.at++
		text, err := h.quoted(0)
		return hclToken{'"', text, line}, err
	case bytes.HasPrefix(rest, []byte("<<")):
		return hclToken{'x', "", line}, h.heredoc()
	case c >= '0' && c <= '9':
		for h.at < len(h.text) && plain.WordByte(h.text[h.at]) {
			h.at++
		}
		return hclToken{'x', "", line}, nil
	case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80:
		start := h.at
		for h.at < len(h.text) && (plain.WordByte(h.text[h.at]) && h.text[h.at] != '+' && h.text[h.at] != '.' || h.text[h.at] == '_' || h.text[h.at] >= 0x80) {
			h.at++
		}
		return hclToken{'a', string(h.text[start:h.at]), line}, nil
	case c == '=' && len(rest) > 1 && (rest[1] == '=' || rest[1] == '>'), (c == '!' || c == '<' || c == '>') && len(rest) > 1 && rest[1] == '=':
		h.at += 2
		return hclToken{'x', "", line}, nil
	}
	h.at++
	return hclToken{c, "", line}, nil
}

// space passes over spaces and comments.
func (h *hclText) space() error {
	for h.at < len(h.text) {
		c, rest := h.text[h.at], h.text[h.at:]
		switch {
		case c == '\n':
			h.line++
			h.at++
		case c == ' ' || c == '\t' || c == '\r':
			h.at++
		case c == '#' || bytes.HasPrefix(rest, []byte("//")):
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			h.at += end
		case bytes.HasPrefix(rest, []byte("/*")):
			end := bytes.Index(rest, []byte("*/"))
			if end < 0 {
				return h.fault("a comment without end")
			}
			h.line += bytes.Count(rest[:end], []byte("\n"))
			h.at += end + 2
		default:
			return nil
		}
	}
	return nil
}

// quoted takes a text up to its end. What is put in by ${…} stays as it is written.
func (h *hclText) quoted(depth int) (string, error) {
	if depth > maxHCLDepth {
		return "", h.fault("nested too deep")
	}
	var b strings.Builder
	for h.at < len(h.text) {
		c := h.text[h.at]
		switch {
		case c == '"':
			h.at++
			return b.String(), nil
		case c == '\n':
			return "", h.fault("a text that does not end in its line")
		case c == '\\' && h.at+1 < len(h.text):
			b.WriteByte(h.text[h.at+1])
			h.at += 2
			continue
		case (c == '$' || c == '%') && bytes.HasPrefix(h.text[h.at+1:], []byte("{")) && (h.at == 0 || h.text[h.at-1] != c):
			b.WriteString("${")
			h.at += 2
			if err := h.template(depth + 1); err != nil {
				return "", err
			}
			continue
		}
		b.WriteByte(c)
		h.at++
	}
	return "", h.fault("the file ends in a text")
}

// template passes over an expression inside of a text, up to its bracket.
func (h *hclText) template(depth int) error {
	for open := 1; open > 0; h.at++ {
		if h.at >= len(h.text) {
			return h.fault("the file ends in a text")
		}
		switch h.text[h.at] {
		case '{':
			open++
		case '}':
			open--
		case '\n':
			h.line++
		case '"':
			h.at++
			if _, err := h.quoted(depth + 1); err != nil {
				return err
			}
			h.at--
		}
	}
	return nil
}

// heredoc passes over <<WORD up to the line that is WORD.
func (h *hclText) heredoc() error {
	head, _, ok := bytes.Cut(h.text[h.at:], []byte("\n"))
	word := strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(string(head), "<<"), "-"))
	h.at += len(head)
	for ok {
		h.at++
		h.line++
		var line []byte
		line, _, ok = bytes.Cut(h.text[min(h.at, len(h.text)):], []byte("\n"))
		h.at += len(line)
		if strings.TrimSpace(string(line)) == word {
			return nil
		}
	}
	return h.fault("a heredoc without end")
}
