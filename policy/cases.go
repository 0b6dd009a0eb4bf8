package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"verdict"
)

// CasesSchema is the word in the first line of a file of cases:
//
//	schema: verdict.cases/v1
//	layer: ci                       # whose document is the base; "ci" when absent
//	base:                           # merged over Example(layer), for every case below
//	  service: {name: cart}
//	cases:
//	  - name: a leaked key fails
//	    at: 2026-01-01T12:00:00Z    # the decision's time, when it matters
//	    input:                      # merged over the base: objects member by member, all else replaced
//	      checks: {secrets: {failed: [{key: "aws:a.py:3", message: AWS key, path: a.py, line: 3}]}}
//	    expect:                     # by rule; every rule that is named runs
//	      ci.secrets.none: {status: fail, items: ["aws:a.py:3"], message: 1 leaked}
//	      ci.vulnerabilities.malicious: pass
//
// The status is pass, fail, skip, silent or fault. Items are all keys, in any order;
// message is a part of the message. Entries of a list that are written in part get zero
// values for the rest; a member that the input does not have is an error.
const CasesSchema = "verdict.cases/v1"

// What a case may expect of a rule beside its three statuses.
const (
	ExpectSilent = "silent" // the rule reports nothing
	ExpectFault  = "fault"  // the rule cannot be evaluated
)

// Case is one input and what the rules have to say of it.
type Case struct {
	Name   string
	File   string
	Line   int
	At     time.Time
	Input  *Input
	Expect []Expectation // sorted by rule
}

// Expectation is what one rule has to report in a case.
type Expectation struct {
	Rule    string
	Status  string
	Items   []string // nil: not compared
	Message string   // a part of it; "": not compared
}

const (
	maxCases = 1000
	maxDepth = 40
)

// Cases reads every file of cases in the bundle; of the built-in ones only when the
// bundle holds nothing else.
func (b *Bundle) Cases() ([]Case, error) {
	var out []Case
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		if !isCases(name) || !b.tested(name) {
			continue
		}
		cases, err := ParseCases(name, []byte(b.files[name]))
		if err != nil {
			return nil, err
		}
		out = append(out, cases...)
	}
	return out, nil
}

// ParseCases reads one file of cases, strictly.
func ParseCases(name string, data []byte) ([]Case, error) {
	if len(data) > maxFileBytes {
		return nil, tooMuch(name)
	}
	p := &caseParser{file: name}
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil {
		return nil, p.errorf(0, "is not YAML: %v", err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, p.errorf(more.Line, "holds more than one document")
	}
	return p.cases(&doc)
}

type caseParser struct {
	file string
	base any // JSON of the document that cases change
}

func (p *caseParser) errorf(line int, format string, args ...any) error {
	at := p.file
	if line > 0 {
		at += ":" + strconv.Itoa(line)
	}
	return &verdict.Error{Code: verdict.CodeInvalid, What: clip(at+": "+fmt.Sprintf(format, args...), maxText),
		Remedy: "write cases as docs/design/policy.md shows them: schema, cases, and in each name, input and expect"}
}

func (p *caseParser) cases(doc *yaml.Node) ([]Case, error) {
	top, err := p.members(doc, "a file of cases", "schema", "layer", "base", "cases")
	if err != nil {
		return nil, err
	}
	if s := top["schema"]; s == nil || s.Value != CasesSchema {
		return nil, p.errorf(doc.Line, "does not say schema: %s", CasesSchema)
	}
	layer := verdict.LayerCI
	if l := top["layer"]; l != nil {
		if layer = verdict.Layer(l.Value); layer.Index() < 0 {
			return nil, p.errorf(l.Line, "%q is no layer", l.Value)
		}
	}
	if p.base, err = document(Example(layer)); err != nil {
		return nil, err
	}
	if p.base, err = p.over(top["base"]); err != nil {
		return nil, err
	}
	list := top["cases"]
	if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0 || len(list.Content) > maxCases {
		return nil, p.errorf(doc.Line, "holds no list of cases, or more than %d", maxCases)
	}
	out := make([]Case, 0, len(list.Content))
	for _, n := range list.Content {
		c, err := p.one(n)
		if err != nil {
			return nil, err
		}
		out = append(out, *c)
	}
	return out, nil
}

func (p *caseParser) one(n *yaml.Node) (*Case, error) {
	m, err := p.members(n, "a case", "name", "at", "input", "expect")
	if err != nil {
		return nil, err
	}
	c := &Case{File: p.file, Line: n.Line}
	if m["name"] != nil {
		c.Name = m["name"].Value
	}
	if strings.TrimSpace(c.Name) == "" {
		return nil, p.errorf(n.Line, "a case has no name")
	}
	merged, err := p.over(m["input"])
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(merged)
	if err != nil {
		return nil, p.errorf(n.Line, "%v", err)
	}
	if c.Input, err = decodeInput(b); err != nil {
		return nil, p.errorf(n.Line, "case %q: %v", c.Name, err)
	}
	if groups := c.Input.hidden(); len(groups) > 0 {
		return nil, p.errorf(n.Line, "case %q: the input of layer %s has no %s", c.Name, c.Input.Decision.Layer, strings.Join(groups, ", "))
	}
	at := string(c.Input.Decision.At)
	if m["at"] != nil {
		at = m["at"].Value
	}
	if c.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return nil, p.errorf(n.Line, "case %q: %q is no time such as 2026-01-01T12:00:00Z", c.Name, at)
	}
	c.Input.Decision.At = TimeOf(c.At)
	c.Input.Normalize()
	if err := c.valid(); err != nil {
		return nil, p.errorf(n.Line, "case %q: %v", c.Name, err)
	}
	c.Expect, err = p.expect(m["expect"], n.Line)
	return c, err
}

// valid holds what a case writes against the words of the input: a state that is none
// would prove nothing.
func (c *Case) valid() error {
	b, err := c.Input.Canonical()
	if err != nil {
		return err
	}
	return Validate(b)
}

func (p *caseParser) expect(n *yaml.Node, line int) ([]Expectation, error) {
	rules, err := p.members(n, "expect")
	if err != nil {
		return nil, err
	}
	if len(rules) == 0 {
		return nil, p.errorf(line, "a case expects nothing, so it proves nothing")
	}
	var out []Expectation
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		e := Expectation{Rule: id}
		v := rules[id]
		if v.Kind == yaml.ScalarNode {
			e.Status = v.Value
		} else if err := p.detail(&e, v); err != nil {
			return nil, err
		}
		if !slices.Contains([]string{"pass", "fail", "skip", ExpectSilent, ExpectFault}, e.Status) {
			return nil, p.errorf(v.Line, "%q is no status; it is pass, fail, skip, silent or fault", e.Status)
		}
		out = append(out, e)
	}
	return out, nil
}

func (p *caseParser) detail(e *Expectation, n *yaml.Node) error {
	m, err := p.members(n, "an expectation", "status", "items", "message")
	if err != nil {
		return err
	}
	if m["status"] != nil {
		e.Status = m["status"].Value
	}
	if m["message"] != nil {
		e.Message = m["message"].Value
	}
	if items := m["items"]; items != nil {
		if items.Kind != yaml.SequenceNode {
			return p.errorf(items.Line, "items is no list of keys")
		}
		e.Items = []string{}
		for _, k := range items.Content {
			e.Items = append(e.Items, k.Value)
		}
		slices.Sort(e.Items)
	}
	return nil
}

// members reads a YAML object; with legal names given, no other.
func (p *caseParser) members(n *yaml.Node, what string, legal ...string) (map[string]*yaml.Node, error) {
	out := map[string]*yaml.Node{}
	if n != nil && n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if n == nil {
		return out, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, p.errorf(n.Line, "%s is an object with members", what)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || out[k.Value] != nil:
			return nil, p.errorf(k.Line, "%s has %q twice, or a name that is no text", what, k.Value)
		case len(legal) > 0 && !slices.Contains(legal, k.Value):
			return nil, p.errorf(k.Line, "%s has no member %q; the nearest is %q", what, k.Value, nearest(k.Value, slices.Clone(legal)))
		}
		out[k.Value] = v
	}
	return out, nil
}

// over merges a YAML fragment over the base document.
func (p *caseParser) over(n *yaml.Node) (any, error) {
	if n == nil {
		return p.base, nil
	}
	fragment, err := p.plain(n, 0)
	if err != nil {
		return nil, err
	}
	if _, ok := fragment.(object); !ok {
		return nil, p.errorf(n.Line, "an input is an object with members")
	}
	return merge(p.base, fragment), nil
}

// plain turns YAML into what JSON can hold: no anchors, no null, no fractions, times as
// the text that they are.
func (p *caseParser) plain(n *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, p.errorf(n.Line, "the input is nested deeper than %d", maxDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		members, err := p.members(n, "the input")
		if err != nil {
			return nil, err
		}
		out := object{}
		for k, v := range members {
			if out[k], err = p.plain(v, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, v := range n.Content {
			x, err := p.plain(v, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!str", "!!timestamp":
			return n.Value, nil
		case "!!bool":
			var v bool
			err := n.Decode(&v)
			return v, err
		case "!!int":
			var v int64
			if err := n.Decode(&v); err == nil {
				return v, nil
			}
		}
	}
	return nil, p.errorf(n.Line, "%q is neither text, a 64-bit integer, true, false, an object nor a list", n.Value)
}

func merge(base, over any) any {
	b, isObject := base.(object)
	o, both := over.(object)
	if !isObject || !both {
		return over
	}
	out := maps.Clone(b)
	for k, v := range o {
		if was, ok := out[k]; ok {
			v = merge(was, v)
		}
		out[k] = v
	}
	return out
}

// document is an input as plain JSON values.
func document(in *Input) (any, error) {
	b, err := in.Canonical()
	if err != nil {
		return nil, err
	}
	var doc any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read the input document back: %w", err)
	}
	return doc, nil
}
