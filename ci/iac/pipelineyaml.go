package iac

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"verdict"
	"verdict/ci/plain"
)

// fault is what makes a file something else than a pipeline, and where.
type fault struct {
	line, column int
	what, fix    string
}

func faultAt(n *yaml.Node, fix, format string, args ...any) *fault {
	return &fault{n.Line, n.Column, fmt.Sprintf(format, args...), fix}
}

func (f *fault) problem(d *definition) Problem {
	return Problem{
		Check: Invalid, Title: "A definition of a pipeline can be read", Message: f.what + ": the pipeline does not run as it is meant, and nothing of it was judged",
		Fix: f.fix, Severity: verdict.SeverityHigh, Path: d.path, Line: int64(f.line), Column: int64(f.column), Format: d.format, Type: d.kind,
	}
}

// source is the text of a file, with the places of its lines.
type source struct {
	content []byte
	lines   []int // where each begins
	ascii   bool  // a column is a byte
	root    *yaml.Node
}

func newSource(content []byte) *source {
	s := &source{content: content, lines: []int{0}, ascii: true}
	for i, c := range content {
		s.ascii = s.ascii && c < utf8.RuneSelf
		if c == '\n' || c == '\r' && !bytes.HasPrefix(content[i+1:], []byte("\n")) { // as YAML counts them
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// line is the text of a line, from 1; "" where there is none.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	end := len(s.content)
	if n < len(s.lines) {
		end = s.lines[n]
	}
	return strings.TrimRight(string(s.content[s.lines[n-1]:end]), "\r\n")
}

// offset is where a place is in the text.
func (s *source) offset(line, column int) int {
	if line < 1 || line > len(s.lines) {
		return 0
	}
	if s.ascii {
		return min(s.lines[line-1]+max(column-1, 0), len(s.content))
	}
	text := s.line(line)
	at := 0
	for range column - 1 {
		_, n := utf8.DecodeRuneInString(text[at:])
		at += n
	}
	return s.lines[line-1] + at
}

// place is the line and column of an offset.
func (s *source) place(offset int) (line, column int) {
	low, high := 0, len(s.lines)
	for high-low > 1 {
		if mid := (low + high) / 2; s.lines[mid] <= offset {
			low = mid
		} else {
			high = mid
		}
	}
	if s.ascii {
		return low + 1, offset - s.lines[low] + 1
	}
	return low + 1, utf8.RuneCount(s.content[s.lines[low]:offset]) + 1
}

func spot(line, column int) object { return object{"line": line, "column": column} }

func at(n *yaml.Node) object { return spot(n.Line, n.Column) }

// tree is the file as one mapping, with aliases in place of what they stand for. For GitLab
// it is read as Ruby does, and may have a head of its own in front: spec.
func (s *source) tree(ruby bool) (*yaml.Node, *fault) {
	in := yaml.NewDecoder(bytes.NewReader(s.content))
	var root *yaml.Node
	for {
		var n yaml.Node
		err := in.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, s.syntax(err)
		}
		if len(n.Content) != 1 || n.Content[0].Tag == "!!null" {
			continue
		}
		if root != nil && (!ruby || plain.Member(root, "spec") == nil) {
			return nil, faultAt(n.Content[0], "keep one document in the file", "it holds more than one document")
		}
		root = n.Content[0]
	}
	if root == nil {
		return nil, &fault{1, 1, "it is empty", "write the pipeline, or remove the file"}
	}
	budget := maxPipelineNodes
	if f := unfold(root, 0, &budget, ruby); f != nil {
		return nil, f
	}
	if root.Kind != yaml.MappingNode {
		return root, faultAt(root, "begin it with keys, such as name: and on:", "it is no mapping of keys to values")
	}
	return root, nil
}

var syntaxLine = regexp.MustCompile(`line (\d+): `)

// syntax is the place of an error of YAML. The parser names the line, where it knows it.
func (s *source) syntax(err error) *fault {
	what := strings.TrimPrefix(err.Error(), "yaml: ")
	f := &fault{1, 1, "", "correct the YAML at this place"}
	if m := syntaxLine.FindStringSubmatch(what); m != nil {
		n, _ := strconv.Atoi(m[1])
		f.line = max(1, min(n, len(s.lines)))
		what = strings.Replace(what, m[0], "", 1)
		text := s.line(f.line)
		f.column = len(text) - len(strings.TrimLeft(text, " \t")) + 1
	} else {
		for i := 0; i < len(s.content); {
			r, n := utf8.DecodeRune(s.content[i:])
			if r == utf8.RuneError && n == 1 || r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
				f.line, f.column = s.place(i)
				break
			}
			i += n
		}
	}
	f.what = "it is no YAML: " + what
	return f
}

// unfold puts what an alias stands for in its place, and merges << as YAML or Ruby does. The
// budget counts each node as often as it stands there in the end.
func unfold(n *yaml.Node, depth int, budget *int, ruby bool) *fault {
	if depth > maxPipelineDepth {
		return faultAt(n, "nest it less, and let no anchor hold itself", "it is nested deeper than %d", maxPipelineDepth)
	}
	if *budget--; *budget < 0 {
		return faultAt(n, "write fewer values, or less by aliases", "it holds more than %d values, aliases written out", maxPipelineNodes)
	}
	if f := tagged(n); f != nil {
		return f
	}
	for i, c := range n.Content {
		if c.Kind == yaml.AliasNode {
			c = c.Alias
			n.Content[i] = c
		}
		if f := unfold(c, depth+1, budget, ruby); f != nil {
			return f
		}
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	if ruby {
		mergeAsRuby(n)
	} else {
		mergeKeys(n)
	}
	seen := make(map[string]int, len(n.Content)/2)
	for key := range plain.Members(n) {
		if key.Kind != yaml.ScalarNode {
			return faultAt(key, "write a word as the key", "a key is no word")
		}
		if first, twice := seen[key.Value]; twice && !strings.HasPrefix(key.Value, "${{") {
			return faultAt(key, "keep one of the two", "%s stands twice, first on line %d", brief(key.Value), first)
		}
		seen[key.Value] = key.Line
	}
	return nil
}

// tagged refuses tags that make something else of a value than what is written: one reader
// decodes !!binary and another does not, and a text with !!null is a text to some.
func tagged(n *yaml.Node) *fault {
	if n.Style&yaml.TaggedStyle == 0 || n.Kind == yaml.AliasNode {
		return nil
	}
	switch tag := n.ShortTag(); {
	case tag == "!reference", n.Kind == yaml.SequenceNode && tag == "!!seq", n.Kind == yaml.MappingNode && tag == "!!map":
	case n.Kind == yaml.ScalarNode && slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, tag):
	default:
		return faultAt(n, "write the value as it is, without the tag", "a value has the tag %s", brief(tag))
	}
	return nil
}

// mergeKeys takes in what << names, under the keys that are not there.
func mergeKeys(n *yaml.Node) {
	var own, merged []*yaml.Node
	seen := map[string]bool{}
	for key, value := range plain.Members(n) {
		switch {
		case key.Tag != "!!merge":
			own, seen[key.Value] = append(own, key, value), true
		case value.Kind == yaml.SequenceNode:
			merged = append(merged, value.Content...)
		default:
			merged = append(merged, value)
		}
	}
	if merged == nil {
		return
	}
	for _, m := range merged {
		for key, value := range plain.Members(m) {
			if !seen[key.Value] {
				own, seen[key.Value] = append(own, key, value), true
			}
		}
	}
	n.Content = own
}

// mergeAsRuby takes in what << names as GitLab's reader does, which differs from YAML: in
// quotes it merges too, and what comes later counts, so that a << replaces the keys before it.
func mergeAsRuby(n *yaml.Node) {
	var out []*yaml.Node
	own, where := map[string]bool{}, map[string]int{}
	for key, value := range plain.Members(n) {
		if key.Value != "<<" || key.Style&yaml.TaggedStyle != 0 || value.Kind == yaml.ScalarNode {
			if i, there := where[key.Value]; there && !own[key.Value] {
				out[i], out[i+1] = key, value
			} else {
				where[key.Value], out = len(out), append(out, key, value)
			}
			own[key.Value] = true
			continue
		}
		merged := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			merged = slices.Clone(value.Content)
			slices.Reverse(merged) // the first of a list counts
		}
		for _, m := range merged {
			for k, v := range plain.Members(m) {
				if i, there := where[k.Value]; there {
					out[i], out[i+1] = k, v
				} else {
					where[k.Value], out = len(out), append(out, k, v)
				}
				own[k.Value] = false
			}
		}
	}
	n.Content = out
}

// texts are the plain values of a list, or the one that stands there alone.
func texts(n *yaml.Node) []string {
	if n != nil && n.Kind == yaml.SequenceNode {
		var out []string
		for _, c := range n.Content {
			out = append(out, plain.Word(c))
		}
		return out
	}
	if t := plain.Word(n); t != "" {
		return []string{t}
	}
	return nil
}

// says reports whether a value is true, in any of the ways that YAML has for it.
func says(n *yaml.Node) bool {
	switch strings.ToLower(strings.TrimSpace(plain.Word(n))) {
	case "true", "yes", "on":
		return true
	}
	return false
}

// brief is a text short enough for a sentence.
func brief(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= 120 {
		return s
	}
	cut := 117
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
