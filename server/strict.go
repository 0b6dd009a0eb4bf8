package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxDepth bounds how deep a JSON body may be nested.
const maxDepth = 64

// strict reads a JSON body: one value, no deeper than maxDepth, and no object that names a
// member twice, of which two readers could take one each.
func strict(b []byte, into any) error {
	if err := checkJSON(b); err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// checkJSON walks the tokens of a document once.
func checkJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	type level struct {
		names map[string]bool // nil for an array
		key   bool            // an object's next string is a name
	}
	var at []level
	values := 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && len(at) == 0 && values == 1 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("no JSON: %w", err)
		}
		if len(at) > 0 && at[len(at)-1].names != nil && at[len(at)-1].key {
			if name, ok := t.(string); ok {
				l := &at[len(at)-1]
				if l.names[name] {
					return fmt.Errorf("the member %.60q stands in one object twice", name)
				}
				l.names[name], l.key = true, false
				continue
			}
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if len(at) == maxDepth {
				return fmt.Errorf("nested deeper than %d", maxDepth)
			}
			l := level{key: true}
			if t == json.Delim('{') {
				l.names = map[string]bool{}
			}
			at = append(at, l)
			continue
		case json.Delim('}'), json.Delim(']'):
			at = at[:len(at)-1]
		}
		if len(at) == 0 {
			if values++; values > 1 {
				return errors.New("more than one JSON value")
			}
			continue
		}
		at[len(at)-1].key = true
	}
}
