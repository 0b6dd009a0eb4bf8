package iac

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
)

// expression is one ${{ … }} of a text.
type expression struct {
	raw   string   // what is between the braces
	flows []string // contexts whose text can be in what it stands for, in lower letters and with dots
}

// maxExpressionDepth bounds nesting. Beyond it every context that is named counts.
const maxExpressionDepth = 50

// expressions finds what a text takes in. A closing pair of braces inside quotes does not
// end an expression.
func expressions(text string) (out []expression) {
	for {
		start := strings.Index(text, "${{")
		if start < 0 {
			return out
		}
		body := text[start+3:]
		end, quoted := -1, false
		for i := 0; i < len(body); i++ {
			if body[i] == '\'' {
				quoted = !quoted
			}
			if !quoted && strings.HasPrefix(body[i:], "}}") {
				end = i
				break
			}
		}
		if end < 0 {
			if end = strings.Index(body, "}}"); end < 0 {
				return out
			}
		}
		out = append(out, expression{body[:end], flowsOf(body[:end])})
		text = body[end+2:]
	}
}

// flowsOf reads an expression. One that is not understood lets every context that it names
// through: what is not known is not taken for harmless.
func flowsOf(raw string) []string {
	p := &expressionText{text: raw}
	flows, ok := p.either(0)
	p.space()
	if !ok || p.at != len(p.text) {
		flows = nil
		for _, name := range anyContext.FindAllString(raw, -1) {
			flows = append(flows, strings.ToLower(name))
		}
	}
	slices.Sort(flows)
	return slices.Compact(flows)
}

var anyContext = regexp.MustCompile(`[A-Za-z_][\w-]*(?:\.[\w*-]+)+`)

// decides are the functions that give true, false or a number of their own making.
var decides = strings.Fields(`contains startswith endswith hashfiles success failure always cancelled
	succeeded failed succeededorfailed canceled eq ne gt ge lt le and or not xor in notin containsvalue counter length`)

// expressionText reads the language of expressions, which GitHub and Azure share but for
// their functions: a || b gives either, a && b gives b or nothing, and what compares gives
// no text.
type expressionText struct {
	text string
	at   int
}

func (p *expressionText) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *expressionText) take(word string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.at:], word) {
		p.at += len(word)
		return true
	}
	return false
}

func (p *expressionText) either(depth int) (flows []string, ok bool) {
	if depth > maxExpressionDepth {
		return nil, false
	}
	for {
		var last []string
		for {
			if last, ok = p.compared(depth); !ok {
				return nil, false
			}
			if !p.take("&&") {
				break
			}
		}
		flows = append(flows, last...)
		if !p.take("||") {
			return flows, true
		}
	}
}

func (p *expressionText) compared(depth int) (flows []string, ok bool) {
	flows, ok = p.value(depth)
	for ok && (p.take("==") || p.take("!=") || p.take("<=") || p.take(">=") || p.take("<") || p.take(">")) {
		_, ok = p.value(depth)
		flows = nil
	}
	return flows, ok
}

var contextName = regexp.MustCompile(`^[A-Za-z_][\w-]*`)

func (p *expressionText) value(depth int) (flows []string, ok bool) {
	if p.space(); p.at == len(p.text) || depth > maxExpressionDepth {
		return nil, false
	}
	switch c := p.text[p.at]; {
	case c == '!':
		p.at++
		_, ok = p.value(depth + 1)
		return nil, ok
	case c == '(':
		p.at++
		if flows, ok = p.either(depth + 1); !ok || !p.take(")") {
			return nil, false
		}
		_, ok = p.members("", depth)
		return flows, ok
	case c == '\'':
		_, ok = p.quoted()
		return nil, ok
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		for p.at < len(p.text) && strings.IndexByte("0123456789abcdefABCDEFxXoO.+-", p.text[p.at]) >= 0 {
			p.at++
		}
		return nil, true
	}
	name := contextName.FindString(p.text[p.at:])
	if name == "" {
		return nil, false
	}
	p.at += len(name)
	if p.take("(") {
		return p.called(strings.ToLower(name), depth)
	}
	full, ok := p.members(strings.ToLower(name), depth)
	if slices.Contains([]string{"true", "false", "null"}, full) {
		return nil, ok
	}
	return []string{full}, ok
}

// called takes the arguments of a function.
func (p *expressionText) called(name string, depth int) (flows []string, ok bool) {
	for !p.take(")") {
		args, ok := p.either(depth + 1)
		if !ok {
			return nil, false
		}
		flows = append(flows, args...)
		if !p.take(",") {
			if !p.take(")") {
				return nil, false
			}
			break
		}
	}
	if slices.Contains(decides, name) {
		flows = nil
	}
	_, ok = p.members("", depth)
	return flows, ok
}

func (p *expressionText) quoted() (string, bool) {
	start := p.at + 1
	for i := start; i < len(p.text); i++ {
		if p.text[i] != '\'' {
			continue
		}
		if i+1 < len(p.text) && p.text[i+1] == '\'' {
			i++
			continue
		}
		p.at = i + 1
		return p.text[start:i], true
	}
	return "", false
}

// members takes .name, .*, ['name'] and [0] behind a value. What is computed is any.
func (p *expressionText) members(name string, depth int) (string, bool) {
	for {
		switch p.space(); {
		case p.take("."):
			p.space()
			word := contextName.FindString(p.text[p.at:])
			if word == "" && p.take("*") {
				word = "*"
			} else {
				p.at += len(word)
			}
			if word == "" {
				return "", false
			}
			name += "." + strings.ToLower(word)
		case p.take("["):
			word := "*"
			if p.space(); p.at < len(p.text) && p.text[p.at] == '\'' {
				s, ok := p.quoted()
				if !ok {
					return "", false
				}
				if p.space(); p.at < len(p.text) && p.text[p.at] == ']' {
					word = strings.ToLower(s)
				}
			} else if !p.take("*") {
				if _, ok := p.either(depth + 1); !ok {
					return "", false
				}
			}
			if !p.take("]") {
				return "", false
			}
			name += "." + word
		default:
			return name, true
		}
	}
}

// resolver says what a context of a pipeline is made of, beside itself.
type resolver func(context string) []string

// expressionsOf describes what a text takes in, with the place of each.
func (s *source) expressionsOf(n *yaml.Node, resolve resolver) []any {
	out := []any{}
	from := s.offset(n.Line, n.Column)
	for _, e := range expressions(plain.Word(n)) {
		where := at(n)
		raw := "${{" + e.raw + "}}"
		if i := bytes.Index(s.content[from:], []byte(raw)); i >= 0 {
			where = spot(s.place(from + i))
			from += i + len(raw)
		}
		paths := slices.Clone(e.flows)
		for _, f := range e.flows {
			paths = append(paths, resolve(f)...)
		}
		out = append(out, object{"text": "${{ " + brief(e.raw) + " }}", "contexts": list(paths), "at": where})
	}
	return out
}

func list(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

// flows are the contexts in a text, with what they are made of.
func flows(text string, resolve resolver) (out []string) {
	for _, e := range expressions(text) {
		for _, f := range e.flows {
			out = append(append(out, f), resolve(f)...)
		}
	}
	return out
}

// macro is what Azure puts into a text before it runs, and percent what cmd of Windows does:
// both before the text is read as commands.
var (
	macro   = regexp.MustCompile(`\$\(([A-Za-z_][\w.-]*)\)`)
	percent = regexp.MustCompile(`%([A-Za-z_]\w*)%`)
)

// script describes a text that is executed: its commands, and what the system of the
// pipeline puts into it before.
func (s *source) script(key string, n *yaml.Node, resolve resolver) object {
	out := object{"key": key, "text": plain.Word(n), "at": at(n), "expressions": s.expressionsOf(n, resolve), "commands": s.resolved(n, resolve)}
	macros := []any{}
	take := func(found [][]string, named func(string) string) {
		from := s.offset(n.Line, n.Column)
		for _, m := range found {
			where, name := at(n), named(strings.ToLower(m[1]))
			if i := bytes.Index(s.content[from:], []byte(m[0])); i >= 0 {
				where = spot(s.place(from + i))
				from += i + len(m[0])
			}
			made := append([]string{"variables." + name}, resolve("variables."+name)...)
			macros = append(macros, object{"text": m[0], "name": name, "at": where, "contexts": list(made)})
		}
	}
	take(macro.FindAllStringSubmatch(plain.Word(n), -1), func(name string) string { return name })
	take(percent.FindAllStringSubmatch(plain.Word(n), -1), func(name string) string { return strings.ReplaceAll(name, "_", ".") })
	out["macros"] = macros
	return out
}

// resolved are the commands of a script with the contexts that are put into each.
func (s *source) resolved(n *yaml.Node, resolve resolver) []any {
	out := s.commands(n)
	for _, c := range out {
		c := c.(object)
		c["contexts"] = list(flows(c["text"].(string), resolve))
	}
	return out
}

// commands are the lines of a script, with those that continue them, and without comments.
func (s *source) commands(n *yaml.Node) []any {
	out := []any{}
	written := n.Style&yaml.LiteralStyle != 0
	begun, first := "", 0
	for i, line := range strings.Split(plain.Word(n), "\n") {
		line = strings.TrimSpace(line)
		if begun == "" {
			first = i
		}
		if line == "" || line[0] == '#' {
			if begun == "" {
				continue
			}
			line = ""
		}
		if more, goesOn := strings.CutSuffix(line, `\`); goesOn {
			begun += more + " "
			continue
		}
		where := at(n)
		if written {
			text := s.line(n.Line + 1 + first)
			where = spot(n.Line+1+first, len(text)-len(strings.TrimLeft(text, " \t"))+1)
		}
		if full := strings.TrimSpace(begun + line); full != "" {
			out = append(out, object{"text": full, "at": where})
		}
		begun = ""
	}
	if full := strings.TrimSpace(begun); full != "" {
		out = append(out, object{"text": full, "at": at(n)})
	}
	return out
}
