package plain

import (
	"iter"

	"go.yaml.in/yaml/v3"
)

// Members gives the keys and values of a mapping of YAML; none of anything else.
func Members(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// Member is the value of a key; nil where there is none.
func Member(n *yaml.Node, name string) *yaml.Node {
	for key, value := range Members(n) {
		if key.Value == name {
			return value
		}
	}
	return nil
}

// Word is a plain value as it is written; "" for anything else.
func Word(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}
