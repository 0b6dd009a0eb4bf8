package sbom

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"unicode/utf8"
)

// jsonWriter writes one JSON object, member by member and lists element by element, so
// that a document never has to be held as a whole. Each element has a line of its own:
// two documents can be compared line by line. The first error stays.
type jsonWriter struct {
	out     *bufio.Writer
	buf     bytes.Buffer
	enc     *json.Encoder
	err     error
	members int
}

func newJSON(w io.Writer) *jsonWriter {
	j := &jsonWriter{out: bufio.NewWriterSize(w, 64<<10)}
	j.enc = json.NewEncoder(&j.buf)
	return j
}

// text writes what is ours.
func (j *jsonWriter) text(s string) { j.out.WriteString(s) } // bufio keeps the error

// value writes v in one line.
func (j *jsonWriter) value(v any) {
	if j.err != nil {
		return
	}
	j.buf.Reset()
	if j.err = j.enc.Encode(v); j.err == nil {
		j.out.Write(harmless(bytes.TrimSuffix(j.buf.Bytes(), []byte("\n"))))
	}
}

func (j *jsonWriter) name(s string) {
	if j.members++; j.members == 1 {
		j.text("{\n  ")
	} else {
		j.text(",\n  ")
	}
	j.value(s)
	j.text(": ")
}

func (j *jsonWriter) member(name string, v any) {
	j.name(name)
	j.value(v)
}

func (j *jsonWriter) list(name string, elements iter.Seq[any]) {
	j.name(name)
	n := 0
	for v := range elements {
		if n++; n == 1 {
			j.text("[\n    ")
		} else {
			j.text(",\n    ")
		}
		j.value(v)
		if j.err != nil {
			return
		}
	}
	if n == 0 {
		j.text("[]")
	} else {
		j.text("\n  ]")
	}
}

// end closes the object and tells the first error.
func (j *jsonWriter) end() error {
	j.text("\n}\n")
	if err := j.out.Flush(); j.err == nil {
		j.err = err
	}
	return j.err
}

// harmless gives JSON in which nothing acts on a terminal, a pipeline or a page, and
// which says the same to who decodes it: everything beyond printable ASCII is escaped,
// and so is what begins a command of Azure Pipelines ("##["). The encoder has escaped
// control characters and the signs of HTML. What begins a command of GitHub ("::") does
// so at the start of a line alone, which is always ours.
func harmless(in []byte) []byte {
	plain := func(i int) bool {
		return in[i] >= ' ' && in[i] <= '~' && (in[i] != '#' || i+1 == len(in) || in[i+1] != '#')
	}
	i := 0
	for i < len(in) && plain(i) {
		i++
	}
	if i == len(in) {
		return in
	}
	out := append(make([]byte, 0, len(in)+64), in[:i]...)
	for i < len(in) {
		if plain(i) {
			out = append(out, in[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(in[i:])
		out = appendEscape(out, r)
		i += n
	}
	return out
}

func appendEscape(out []byte, r rune) []byte {
	if r >= 0x10000 {
		r -= 0x10000
		return appendEscape(appendEscape(out, 0xD800+r>>10), 0xDC00+r&0x3FF)
	}
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
