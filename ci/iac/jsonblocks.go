package iac

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Terraform as JSON (https://developer.hashicorp.com/terraform/language/syntax/json) is
// written as native blocks before anything reads it: the library sees no block within a
// block there. Whether a member is an argument or a block only the provider's schema tells,
// so an object, and a list of objects, is written as both: whoever asks for one finds it.

// member is a value of JSON with its place and its name, where it has one.
type member struct {
	name  string
	line  int64
	kind  json.Delim // { or [; 0 for what is neither
	value any        // of what is neither
	below []member
}

// object reports whether the value is an object, or a list of nothing else.
func (m member) object() bool {
	return m.kind == '{' || m.kind == '[' && len(m.below) > 0 && !slices.ContainsFunc(m.below, func(x member) bool { return x.kind != '{' })
}

// each are the objects of such a value.
func (m member) each() []member {
	if m.kind == '[' {
		return m.below
	}
	return []member{m}
}

// jsonText reads values with their lines. Its nesting was bounded before.
type jsonText struct {
	*json.Decoder
	text []byte
	at   int64
	line int64
}

func (j *jsonText) next() (json.Token, error) {
	t, err := j.Token()
	end := j.InputOffset()
	j.line += int64(bytes.Count(j.text[j.at:end], []byte("\n")))
	j.at = end
	return t, err
}

func (j *jsonText) read(name string) (member, error) {
	t, err := j.next()
	m := member{name: name, line: j.line, value: t}
	if err != nil || t != json.Delim('{') && t != json.Delim('[') {
		return m, err
	}
	m.kind, m.value = t.(json.Delim), nil
	for j.More() {
		key := ""
		if m.kind == '{' {
			t, err := j.next()
			if err != nil {
				return m, err
			}
			key, _ = t.(string)
		}
		x, err := j.read(key)
		if err != nil {
			return m, err
		}
		m.below = append(m.below, x)
	}
	_, err = j.next()
	return m, err
}

// nativeOf writes a file of JSON as native blocks, with the line of the JSON for each line
// that is written.
func nativeOf(content []byte) (code []byte, lines []int64, err error) {
	j := &jsonText{Decoder: json.NewDecoder(bytes.NewReader(content)), text: content, line: 1}
	j.UseNumber()
	root, err := j.read("")
	if err != nil {
		return nil, nil, err
	}
	if _, err := j.next(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("something stands behind its end")
	}
	w := &blockWriter{}
	for _, part := range root.each() {
		for _, m := range part.below {
			if labels, known := labelsOf[m.name]; known {
				w.labelled(m, m.name, nil, labels)
			}
		}
	}
	if w.err != nil {
		return nil, nil, w.err
	}
	if w.out.Len() > 8*len(content)+64<<10 { // objects within each other are written at each level
		return nil, nil, errUnwritten
	}
	if _, diags := hclsyntax.ParseConfig(w.out.Bytes(), "", hcl.InitialPos); diags.HasErrors() {
		return nil, nil, errUnwritten
	}
	return w.out.Bytes(), w.lines, nil
}

// native brings a file of JSON that was parsed to native syntax. What cannot be brought to
// it is judged as far as the library sees it, and holds the answer back.
func (r *run) native(f File) (code []byte, lines []int64, parsed *hcl.File, ok bool) {
	code, lines, err := nativeOf(f.Content)
	var fault *faultInJSON
	switch {
	case errors.As(err, &fault):
		r.invalid(f.Path, formatTerraform, fault.line, 0, fault.what)
		return nil, nil, nil, false
	case err != nil:
		r.open(f.Path, true, "blocks within its blocks were not judged: %s; write it in native syntax, or judge the plan (verdict plan check)", err)
		return nil, nil, nil, false
	}
	parsed, _ = hclsyntax.ParseConfig(code, f.Path, hcl.InitialPos)
	return code, lines, parsed, true
}

// labelsOf is how many names the blocks have of which a check can say something.
var labelsOf = map[string]int{"resource": 2, "data": 2, "module": 1, "variable": 1, "output": 1, "provider": 1, "locals": 0}

// errUnwritten is the error for what is in order and cannot be written in another way.
var errUnwritten = errors.New("its expressions cannot be written as blocks")

// faultInJSON is what Terraform would refuse too.
type faultInJSON struct {
	line int64
	what string
}

func (f *faultInJSON) Error() string { return f.what }

type blockWriter struct {
	out   bytes.Buffer
	lines []int64
	err   error
}

// maxBlocks is how deep objects are written as blocks: what lies deeper is data.
const maxBlocks = 12

func (w *blockWriter) write(line int64, text string) {
	w.out.WriteString(text + "\n")
	for range strings.Count(text, "\n") + 1 {
		w.lines = append(w.lines, line)
	}
}

// labelled writes the blocks of a kind. At each level one object can stand, or a list.
func (w *blockWriter) labelled(m member, kind string, labels []string, left int) {
	if !m.object() {
		return
	}
	for _, x := range m.each() {
		if left > 0 {
			for _, named := range x.below {
				if named.name != "//" {
					w.labelled(named, kind, append(slices.Clone(labels), quotedText(named.name)), left-1)
				}
			}
			continue
		}
		w.write(x.line, strings.Join(append([]string{kind}, labels...), " ")+" {")
		if kind == "variable" {
			w.variable(x)
		} else {
			w.body(x, kind == "locals" || kind == "output" || kind == "module", 0)
		}
		w.write(x.line, "}")
	}
}

// variable writes one, of which nothing is a template.
func (w *blockWriter) variable(v member) {
	for _, m := range v.below {
		switch {
		case m.name == "default":
			w.write(m.line, "default = "+w.expression(m, quotedText))
		case m.name == "type" && m.kind == 0: // not in quotes, so nothing but a type may stand there
			text := fmt.Sprint(m.value)
			if _, diags := hclsyntax.ParseExpression([]byte(text), "", hcl.InitialPos); diags.HasErrors() || strings.ContainsAny(text, "\n#/") {
				w.err = errUnwritten
				return
			}
			w.write(m.line, "type = "+text)
		}
	}
}

// ofTerraform are arguments that say something to Terraform, and nothing of what is set up.
var ofTerraform = []string{"//", "depends_on", "provider", "providers", "lifecycle", "connection", "provisioner"}

// body writes the members of an object: arguments alone, or with each object as a block too.
func (w *blockWriter) body(o member, argumentsOnly bool, depth int) {
	seen := map[string]member{}
	for _, m := range o.below {
		if !hclsyntax.ValidIdentifier(m.name) || m.kind == 0 && m.value == nil || depth == 0 && slices.Contains(ofTerraform, m.name) {
			continue
		}
		if before, twice := seen[m.name]; twice && !(before.object() && m.object()) {
			w.err = &faultInJSON{m.line, fmt.Sprintf("%s stands twice, first on line %d", oneLine(m.name), before.line)}
			return
		} else if !twice && m.name != "dynamic" {
			w.write(m.line, m.name+" = "+w.expression(m, w.template))
		}
		seen[m.name] = m
		switch {
		case argumentsOnly || !m.object() || depth >= maxBlocks || m.name == "for_each":
		case m.name == "dynamic":
			for _, x := range m.each() {
				for _, named := range x.below {
					w.blocks(named, "dynamic "+quotedText(named.name), depth)
				}
			}
		default:
			w.blocks(m, m.name, depth)
		}
	}
}

func (w *blockWriter) blocks(m member, head string, depth int) {
	if !m.object() {
		return
	}
	for _, x := range m.each() {
		w.write(x.line, head+" {")
		w.body(x, false, depth+1)
		w.write(x.line, "}")
	}
}

// expression writes a value in one line, its texts by text.
func (w *blockWriter) expression(m member, text func(string) string) string {
	var parts []string
	switch m.kind {
	case '{':
		taken := map[string]bool{}
		for _, x := range m.below {
			if !taken[x.name] { // the other is told where it is an argument
				parts = append(parts, "("+text(x.name)+") = "+w.expression(x, text))
			}
			taken[x.name] = true
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case '[':
		for _, x := range m.below {
			parts = append(parts, w.expression(x, text))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	switch v := m.value.(type) {
	case string:
		return text(v)
	case nil:
		return "null"
	default:
		return fmt.Sprint(v)
	}
}

// template writes a text of JSON, which is a template without the escapes of a text in quotes.
func (w *blockWriter) template(s string) string {
	if !strings.Contains(s, "${") && !strings.Contains(s, "%{") {
		return quotedText(s)
	}
	e, diags := hclsyntax.ParseTemplate([]byte(s), "", hcl.InitialPos)
	if diags.HasErrors() || strings.Contains(strings.ReplaceAll(s, "%%{", ""), "%{") {
		w.err = errUnwritten
		return `""`
	}
	source := func(e hclsyntax.Expression) string { return string(e.Range().SliceBytes([]byte(s))) }
	switch e := e.(type) {
	case *hclsyntax.TemplateWrapExpr:
		return "(" + source(e.Wrapped) + ")"
	case *hclsyntax.TemplateExpr:
		out := ""
		for _, part := range e.Parts {
			if l, ok := part.(*hclsyntax.LiteralValueExpr); ok && l.Val.Type() == cty.String {
				q := quotedText(l.Val.AsString())
				out += q[1 : len(q)-1]
			} else {
				out += "${" + source(part) + "}"
			}
		}
		return `"` + out + `"`
	}
	w.err = errUnwritten
	return `""`
}

func quotedText(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}
