package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"verdict/ci/wording"
)

// Limits of a lockfile in YAML. Its tree in memory is some fifteen times as large as its
// text.
const (
	maxYAMLBytes     = 32 << 20
	maxYAMLDepth     = 32
	maxYAMLDocuments = 8
)

// yamlDocuments reads a lockfile in YAML. Package managers write every value out, and
// every key once: anchors, aliases, tags, merge keys and keys that stand twice are
// refused, because two readers take different things from them.
func yamlDocuments(content []byte) ([]*yaml.Node, error) {
	if len(content) > maxYAMLBytes {
		return nil, fmt.Errorf("it is larger than %d MiB", maxYAMLBytes>>20)
	}
	in := yaml.NewDecoder(bytes.NewReader(content))
	var out []*yaml.Node
	for {
		var n yaml.Node
		err := in.Decode(&n)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(out) == maxYAMLDocuments {
			return nil, fmt.Errorf("it holds more than %d documents", maxYAMLDocuments)
		}
		if len(n.Content) != 1 || n.Content[0].Kind != yaml.MappingNode {
			return nil, errors.New("it is no mapping")
		}
		if err := plainYAML(n.Content[0], 0); err != nil {
			return nil, err
		}
		out = append(out, n.Content[0])
	}
}

// plainYAML refuses what a lockfile does not need.
func plainYAML(n *yaml.Node, depth int) error {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0:
		return fmt.Errorf("line %d: anchors (&), aliases (*) and tags (!) are not read in a lockfile", n.Line)
	case depth > maxYAMLDepth:
		return fmt.Errorf("line %d: nested deeper than %d", n.Line, maxYAMLDepth)
	case n.Kind == yaml.MappingNode:
		seen := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
				return fmt.Errorf("line %d: a key that is no word", key.Line)
			}
			if first, twice := seen[key.Value]; twice {
				return fmt.Errorf("line %d: %s stands twice, first on line %d", key.Line, wording.Cut(key.Value, 120), first)
			}
			seen[key.Value] = key.Line
		}
	}
	for _, c := range n.Content {
		if err := plainYAML(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}
