package token

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict"
)

const maxConfig = 1 << 20

// ReadConfig reads a sign-in file. A key that nobody knows is an error: a rule that is
// misspelt would let in whom it was to keep out.
func ReadConfig(name string, data []byte) (*Config, error) {
	invalid := func(what, remedy string, err error) error {
		return &verdict.Error{Code: verdict.CodeInvalid, What: name + " " + what, Remedy: remedy, Err: err}
	}
	if len(data) > maxConfig {
		return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("%s has more than %d bytes", name, maxConfig), Remedy: "check that this is the sign-in file"}
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil {
		return nil, invalid("is not YAML that can be read", "mend the line that the message names; begin the file with `schema: "+Schema+"`", err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, invalid("holds more than one document", "keep one per file: take out what follows the line ---", nil)
	}
	if err := known(doc.Content[0], reflect.TypeFor[Config](), 0); err != nil {
		var e *verdict.Error
		errors.As(err, &e)
		return nil, &verdict.Error{Code: e.Code, What: name + " " + e.What, Remedy: e.Remedy}
	}
	c := &Config{}
	if err := doc.Decode(c); err != nil {
		return nil, invalid("cannot be read", "write the value as docs/sign-in.md has it", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// known holds the keys of a document against the struct that it is read into.
func known(n *yaml.Node, t reflect.Type, depth int) error {
	at := fmt.Sprintf("line %d:", n.Line)
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 || depth > 12 {
		return fault(at, "an anchor, an alias, a tag, or deep nesting", "write the value out")
	}
	switch t.Kind() {
	case reflect.Slice:
		if n.Kind == yaml.SequenceNode {
			for _, x := range n.Content {
				if err := known(x, t.Elem(), depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	case reflect.Struct, reflect.Map:
	default:
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fault(at, "expected keys with values", "write the value as docs/sign-in.md has it")
	}
	fields := map[string]reflect.Type{}
	names := []string{}
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		f := t.Field(i)
		fields[f.Tag.Get("yaml")] = f.Type
		names = append(names, f.Tag.Get("yaml"))
	}
	seen := []string{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		of, ok := fields[key.Value]
		if t.Kind() == reflect.Map {
			of, ok = t.Elem(), true
		}
		if !ok {
			return fault(fmt.Sprintf("line %d:", key.Line), fmt.Sprintf("the key %.40q is not known here", key.Value), meant(key.Value, names, "write one of "+strings.Join(names, ", ")))
		}
		if slices.Contains(seen, key.Value) {
			return fault(fmt.Sprintf("line %d:", key.Line), fmt.Sprintf("the key %.40q stands twice", key.Value), "keep one of them")
		}
		seen = append(seen, key.Value)
		if err := known(n.Content[i+1], of, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// meant names the word that a typing error may have meant, before the rest of a remedy.
func meant(word string, words []string, rest string) string {
	best, at := "", len(word)/3+1
	for _, w := range words {
		if d := distance(word, w); d <= at && (best == "" || d < at) {
			best, at = w, d
		}
	}
	if best == "" {
		return rest
	}
	return fmt.Sprintf("did you mean %s? Else %s", best, rest)
}

// distance counts the letters to insert, delete or replace to make b of a.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		corner := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			corner, row[j] = row[j], min(row[j]+1, row[j-1]+1, corner+cost)
		}
	}
	return row[len(b)]
}
