package decisionmap

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"verdict"
)

// Limits of a map file. They are far above what an organisation writes by hand and far
// below what would slow a decision down.
const (
	maxBytes   = 1 << 20
	maxDepth   = 32
	maxText    = 1000 // runes of one value
	maxList    = 1000 // entries of one list
	maxEntries = 5000 // keys of one mapping
	maxPoints  = 500
	maxFaults  = 20 // reported at once
)

// Origin says where a value of the map was said.
type Origin struct {
	From string `json:"from"` // "default", "organisation" or "file"
	Name string `json:"name,omitempty"`
	Line int    `json:"line,omitempty"` // from 1
}

// The values of Origin.From.
const (
	FromDefault      = "default"
	FromOrganisation = "organisation"
	FromFile         = "file"
)

// reader turns YAML nodes into a Map. It goes on after a problem, so that a person
// sees all of them at once, and keeps the line of every value that it took.
type reader struct {
	name    string
	origins map[string]Origin
	faults  []fault
	over    bool // it is a repository's file, read over an organisation's map
}

type fault struct {
	line         int
	what, remedy string
}

// field reads one value at a path such as "points.ci.secrets.mode".
type field func(n *yaml.Node, path string)

func (r *reader) fail(n *yaml.Node, what, remedy string) {
	r.faults = append(r.faults, fault{n.Line, what, remedy})
}

// theFile is the path of the whole.
const theFile = "the file"

// wrong reports a value of the wrong shape: what it is, what was expected, an example.
func (r *reader) wrong(n *yaml.Node, path, expected, example string) {
	is := "is " + describe(n)
	if n.Tag == "!!null" {
		is = "has no value"
	}
	remedy := fmt.Sprintf("write it like `%s: %s`, or leave the key out", lastKey(path), example)
	if path == theFile {
		remedy = fmt.Sprintf("begin it with `%s`", example)
	}
	r.fail(n, fmt.Sprintf("%s %s; expected %s", path, is, expected), remedy)
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "the number " + clip(n.Value)
	case "!!bool":
		return "the boolean " + clip(n.Value)
	case "!!timestamp":
		return "the date " + clip(n.Value)
	}
	return strconv.Quote(clip(n.Value))
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// lastKey is the key that a path ends in: of "points.ci.secrets.needs[2]" it is "needs".
func lastKey(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		path = path[i+1:]
	}
	key, _, _ := strings.Cut(path, "[")
	return key
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (r *reader) said(n *yaml.Node, path string) {
	r.origins[path] = Origin{From: FromFile, Name: r.name, Line: n.Line}
}

// pairs walks a mapping in the order of the file. It refuses what is no mapping and
// keys that are no text, that repeat, or that are too many.
func (r *reader) pairs(n *yaml.Node, path, example string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, cmp.Or(path, theFile), "a mapping", example)
		return
	}
	if len(n.Content)/2 > maxEntries {
		r.fail(n, fmt.Sprintf("%s has %d entries; at most %d are read", cmp.Or(path, theFile), len(n.Content)/2, maxEntries), "split the file by organisation or service")
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || key.Tag == "!!null" {
			r.fail(key, fmt.Sprintf("%s has a key that is no plain word", cmp.Or(path, theFile)), "write each key as one plain word; merge keys are not read")
			continue
		}
		if line, dup := first[key.Value]; dup {
			r.fail(key, fmt.Sprintf("%s is said twice, first on line %d", oneLine(join(path, clip(key.Value))), line), "keep one of the two")
			continue
		}
		first[key.Value] = key.Line
		each(key, value)
	}
}

// object reads a mapping whose keys are known.
func (r *reader) object(n *yaml.Node, path, example string, keys map[string]field) {
	if path != "" {
		r.said(n, path)
	}
	r.pairs(n, path, example, func(key, value *yaml.Node) {
		read, ok := keys[key.Value]
		if !ok {
			r.unknownKey(key, path, keys)
			return
		}
		read(value, join(path, key.Value))
	})
}

func (r *reader) unknownKey(key *yaml.Node, path string, keys map[string]field) {
	known := make([]string, 0, len(keys))
	for k := range keys {
		known = append(known, k)
	}
	slices.Sort(known)
	where := ""
	if path != "" {
		where = " in " + path
	}
	near := nearest(key.Value, known)
	remedy := "use one of: " + strings.Join(known, ", ")
	if near != "" {
		remedy = fmt.Sprintf("write %s, or take the line out", near)
	}
	r.fail(key, fmt.Sprintf("unknown key %q%s%s", clip(key.Value), where, did(near)), remedy)
}

func did(near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; the nearest is %q", near)
}

// entries reads a mapping from names to things, each read over what the base says of it.
func entries[T any](r *reader, into *map[string]T, example string, read func(n *yaml.Node, path, name string, v *T)) field {
	return func(n *yaml.Node, path string) {
		if *into == nil {
			*into = map[string]T{}
		}
		r.pairs(n, path, example, func(key, value *yaml.Node) {
			name := r.name1(key, path)
			if name == "" {
				return
			}
			v := (*into)[name]
			before := len(r.faults)
			read(value, join(path, name), name, &v)
			if len(r.faults) == before || value.Kind == yaml.MappingNode {
				(*into)[name] = v
			}
		})
	}
}

// name1 checks the name of an entry: what people type on command lines and what
// travels in evidence.
func (r *reader) name1(key *yaml.Node, path string) string {
	if !validID(key.Value) {
		r.fail(key, fmt.Sprintf("%s names %q; a name is lower-case letters, digits, dots, dashes and underscores, at most 100, and starts with a letter or digit", path, clip(key.Value)), "rename it, for example payments-api")
		return ""
	}
	return key.Value
}

func validID(s string) bool {
	if s == "" || len(s) > 100 || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	for i, c := range s {
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '-' && c != '.' && c != '_') {
			return false
		}
	}
	return true
}

// scalar gives the text of a plain value with one of the tags.
func (r *reader) scalar(n *yaml.Node, path, expected, example string, tags ...string) (string, bool) {
	if n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.Tag) {
		r.wrong(n, path, expected, example)
		return "", false
	}
	r.said(n, path)
	return n.Value, true
}

// text reads one line of text.
func (r *reader) text(into *string, example string) field {
	return func(n *yaml.Node, path string) {
		s, ok := r.scalar(n, path, "text (in quotes, where it looks like a number or a date)", example, "!!str")
		if ok && r.plain(n, path, s) {
			*into = s
		}
	}
}

// plain refuses what could not be shown on one line or would be taken for an order to
// a terminal.
func (r *reader) plain(n *yaml.Node, path, s string) bool {
	if s == "" || strings.TrimSpace(s) != s {
		r.fail(n, path+" is empty or begins or ends with a space", "write a value, or leave the key out")
		return false
	}
	if len([]rune(s)) > maxText {
		r.fail(n, fmt.Sprintf("%s is longer than %d characters", path, maxText), "shorten it")
		return false
	}
	if i := strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }); i >= 0 {
		r.fail(n, fmt.Sprintf("%s holds a character that cannot be printed, at byte %d", path, i), "write it on one line without control characters")
		return false
	}
	return true
}

// oneOf reads a word of a closed list.
func (r *reader) oneOf(into *string, words ...string) field {
	return func(n *yaml.Node, path string) {
		s, ok := r.scalar(n, path, "one of "+strings.Join(words, ", "), words[0], "!!str")
		if !ok {
			return
		}
		if !slices.Contains(words, s) {
			r.fail(n, fmt.Sprintf("%s is %q; expected one of %s%s", path, clip(s), strings.Join(words, ", "), did(nearest(s, words))),
				fmt.Sprintf("write it like `%s: %s`", lastKey(path), cmp.Or(nearest(s, words), words[0])))
			return
		}
		*into = s
	}
}

// words reads a list of single-line texts; one text alone is a list of one.
func (r *reader) words(into *[]string, example string) field {
	return func(n *yaml.Node, path string) {
		list, ok := r.list(n, path, example)
		if !ok {
			return
		}
		out := []string{}
		for i, item := range list {
			var s string
			r.text(&s, example)(item, fmt.Sprintf("%s[%d]", path, i))
			if slices.Contains(out, s) && s != "" {
				r.fail(item, fmt.Sprintf("%s lists %q twice", path, clip(s)), "keep one of the two")
				continue
			}
			out = append(out, s)
		}
		*into = out
	}
}

// list gives the items of a list; one plain value alone is a list of one.
func (r *reader) list(n *yaml.Node, path, example string) ([]*yaml.Node, bool) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		r.said(n, path)
		return []*yaml.Node{n}, true
	case n.Kind == yaml.SequenceNode && len(n.Content) <= maxList:
		r.said(n, path)
		return n.Content, true
	case n.Kind == yaml.SequenceNode:
		r.fail(n, fmt.Sprintf("%s lists %d things; at most %d are read", path, len(n.Content), maxList), "shorten the list")
	default:
		r.wrong(n, path, "a list", "["+example+"]")
	}
	return nil, false
}

func (r *reader) flag(into *bool) field {
	return func(n *yaml.Node, path string) {
		s, ok := r.scalar(n, path, "true or false", "true", "!!bool")
		if !ok {
			return
		}
		v, err := strconv.ParseBool(s)
		if err != nil {
			r.wrong(n, path, "true or false", "true")
			return
		}
		*into = v
	}
}

func (r *reader) number(into *int64, low, high int64, example string) field {
	return func(n *yaml.Node, path string) {
		expected := fmt.Sprintf("a whole number from %d to %d", low, high)
		s, ok := r.scalar(n, path, expected, example, "!!int")
		if !ok {
			return
		}
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil || v < low || v > high {
			r.wrong(n, path, expected, example)
			return
		}
		*into = v
	}
}

func (r *reader) duration(into *Duration, example string) field {
	return func(n *yaml.Node, path string) {
		const expected = "a length of time: one whole number and m, h, d, w or y"
		s, ok := r.scalar(n, path, expected, example, "!!str")
		if !ok {
			return
		}
		d, err := ParseDuration(s)
		if err != nil {
			r.wrong(n, path, expected, example)
			return
		}
		*into = d
	}
}

// day reads a date or a time with its zone. A date is the start of that day in zone.
func (r *reader) day(into *time.Time, zone *time.Location, example string) field {
	return func(n *yaml.Node, path string) {
		const expected = "a date, or a time with its zone"
		s, ok := r.scalar(n, path, expected, example, "!!timestamp", "!!str")
		if !ok {
			return
		}
		t, _, err := parseTime(s, zone)
		if err != nil {
			r.wrong(n, path, expected, example+" or 2027-02-01T09:00:00+01:00")
			return
		}
		*into = t
	}
}

// err gives all problems as one error, in the order of the file; nil if there are none.
func (r *reader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(r.faults, func(a, b fault) int { return cmp.Compare(a.line, b.line) })
	out := &FileError{}
	var lines []string
	for i, f := range r.faults {
		if i == maxFaults {
			more := fmt.Sprintf("and %d more", len(r.faults)-i)
			lines = append(lines, r.name+": "+more)
			out.Problems = append(out.Problems, Problem{ID: Unreadable, Severity: SeverityError, File: r.name, What: more, Remedy: "correct those above first"})
			break
		}
		lines = append(lines, fmt.Sprintf("%s:%d: %s", r.name, f.line, f.what))
		out.Problems = append(out.Problems, Problem{ID: Unreadable, Severity: SeverityError, File: r.name, Line: f.line, What: f.what, Remedy: f.remedy})
	}
	remedy := r.faults[0].remedy
	if len(r.faults) > 1 {
		remedy = fmt.Sprintf("line %d: %s; then the others in the same way", r.faults[0].line, remedy)
	}
	out.err = &verdict.Error{Code: verdict.CodeInvalid, What: strings.Join(lines, "\n"), Remedy: remedy}
	return out
}

// Unreadable is the id of a Problem that keeps a file from being read as a map at all.
const Unreadable = "VD-FILE"

// FileError says value by value what keeps a file from being read as a map. It wraps
// the *verdict.Error that says all of it.
type FileError struct {
	Problems []Problem // by line; what is beyond 20 is one that says how many
	err      *verdict.Error
}

// Error is the text of the wrapped error.
func (f *FileError) Error() string { return f.err.Error() }

// Unwrap gives the *verdict.Error.
func (f *FileError) Unwrap() error { return f.err }
