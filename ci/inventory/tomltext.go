package inventory

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// tomlTable is a table whose members are taken by their exact names: decoding into a
// struct would match them in any case. A key that stands twice is an error.
type tomlTable map[string]any

// Limits of a file in TOML. Its values in memory are some thirty times as large as its
// text.
const (
	maxTOMLBytes = 32 << 20
	maxTOMLDepth = 100  // of lists and tables within each other
	maxTOMLDots  = 1000 // of keys in one line
)

func parseTOML(content []byte) (tomlTable, error) {
	if err := boundedTOML(content); err != nil {
		return nil, err
	}
	var t map[string]any
	if err := toml.Unmarshal(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")), &t); err != nil {
		return nil, err
	}
	return t, nil
}

// boundedTOML refuses what the library would follow deeper than the stack is, which ends
// the process and cannot be recovered from. It reads strings and comments as the library
// does, and whatever comes behind a fault the library does not reach.
func boundedTOML(content []byte) error {
	if len(content) > maxTOMLBytes {
		return fmt.Errorf("it is larger than %d MiB", maxTOMLBytes>>20)
	}
	depth, dots := 0, 0
	for i := 0; i < len(content); {
		switch c := content[i]; c {
		case '"', '\'':
			i += tomlString(content[i:])
			continue
		case '#':
			if end := bytes.IndexByte(content[i:], '\n'); end >= 0 {
				i += end
				continue
			}
			return nil
		case '\n':
			dots = 0
		case '.':
			dots++
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		}
		if depth > maxTOMLDepth || dots > maxTOMLDots {
			return fmt.Errorf("line %d: nested too deep", 1+bytes.Count(content[:i], []byte("\n")))
		}
		i++
	}
	return nil
}

// tomlString is the length of the string that s begins with, up to the end of the line
// where it is not closed.
func tomlString(s []byte) int {
	quote := s[0]
	long := bytes.HasPrefix(s, []byte{quote, quote, quote})
	i := 1
	if long {
		i = 3
	}
	for i < len(s) {
		switch {
		case s[i] == '\\' && quote == '"':
			i++
		case s[i] == '\n' && !long:
			return i
		case s[i] == quote && !long:
			return i + 1
		case s[i] == quote && bytes.HasPrefix(s[i:], []byte{quote, quote, quote}):
			for i += 3; i < len(s) && s[i] == quote; i++ { // quotes in front of the last three
			}
			return i
		}
		i++
	}
	return len(s)
}

// The values of a member; empty for one that is missing or of another kind.

func (t tomlTable) word(key string) string { s, _ := t[key].(string); return s }

func (t tomlTable) has(key string) bool { _, ok := t[key]; return ok }

// table follows keys down.
func (t tomlTable) table(keys ...string) tomlTable {
	for _, key := range keys {
		t, _ = t[key].(map[string]any)
	}
	return t
}

func (t tomlTable) list(key string) []any { l, _ := t[key].([]any); return l }

func (t tomlTable) words(key string) []string {
	var out []string
	for _, x := range t.list(key) {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// tables are the entries of a list that are tables.
func (t tomlTable) tables(key string) []tomlTable { return tablesOf(t.list(key)) }

func tablesOf(list []any) []tomlTable {
	out := make([]tomlTable, 0, len(list))
	for _, x := range list {
		if table, ok := x.(map[string]any); ok {
			out = append(out, table)
		}
	}
	return out
}

// packages gives the tables of a list with the lines that they begin on.
func (t tomlTable) packages(key string, content []byte) ([]tomlTable, []int64, error) {
	list := t.list(key)
	tables := tablesOf(list)
	if len(tables) > maxComponents {
		return nil, nil, fmt.Errorf("it names more than %d packages", maxComponents)
	}
	if t.has(key) && len(tables) != len(list) || t.has(key) && list == nil {
		return nil, nil, fmt.Errorf("%s is no list of tables", key)
	}
	var lines []int64
	n := int64(1)
	for line := range bytes.Lines(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))) {
		if string(bytes.TrimSpace(line)) == "[["+key+"]]" {
			lines = append(lines, n)
		}
		n++
	}
	if len(lines) != len(tables) { // lines are a comfort, never worth a wrong one
		lines = make([]int64, len(tables))
	}
	return tables, lines, nil
}

// hashesOf reads "algorithm:digest" of each file in a list.
func hashesOf(files []tomlTable) []Hash {
	var out []Hash
	for _, f := range files {
		algorithm, digest, _ := strings.Cut(f.word("hash"), ":")
		out = append(out, hashOfHex(algorithm, digest)...)
	}
	return out
}
