package decisionmap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict"
)

// Show writes the map with every default filled in and where each value came from: as
// YAML with a comment on each value, or as JSON with the origins beside the map. The
// YAML can be loaded and gives a map with the same digest.
func Show(m *Map, w io.Writer, format string) error {
	switch format {
	case "yaml", "text", "":
		return m.showYAML(w)
	case "json":
		return m.showJSON(w)
	}
	return &verdict.Error{Code: verdict.CodeUsage, What: fmt.Sprintf("a map cannot be shown as %q", clip(format)), Remedy: "use -o yaml or -o json"}
}

func (m *Map) showJSON(w io.Writer) error {
	doc := struct {
		Schema  string            `json:"schema"`
		Digest  verdict.Digest    `json:"digest"`
		Map     *Map              `json:"map"`
		Origins map[string]Origin `json:"origins"` // a path that is not here is a default
	}{"verdict.map-show/v1", m.Digest(), m, m.origins}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

func (m *Map) showYAML(w io.Writer) error {
	b, err := json.Marshal(m) // keeps the order of the fields
	if err != nil {
		return fmt.Errorf("show map %s: %w", m.name, err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("show map %s: %w", m.name, err)
	}
	root := doc.Content[0]
	m.comment(root, "")
	doc.HeadComment = fmt.Sprintf("The effective decision map, digest %s.\nBehind each value: the file and line that says it, or default.", m.Digest())
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return fmt.Errorf("show map %s: %w", m.name, err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// comment sets the style of the node and says at each value where it came from. Lists of
// plain values stand on one line.
func (m *Map) comment(n *yaml.Node, path string) {
	n.Style = 0
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			key.Style = 0
			m.comment(value, join(path, key.Value))
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
	case yaml.SequenceNode:
		m.commentList(n, path)
	default:
		if n.Tag == "!!str" && !plainText(n.Value) {
			n.Style = yaml.DoubleQuotedStyle
		}
		n.LineComment = m.saidAt(path)
	}
}

func (m *Map) commentList(n *yaml.Node, path string) {
	if lastKey(path) == "needs" {
		shortNeeds(n)
	}
	plain := !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return c.Kind != yaml.ScalarNode })
	for i, item := range n.Content {
		if plain {
			item.Style = yaml.DoubleQuotedStyle
			continue
		}
		name := fmt.Sprintf("%s[%d]", path, i)
		if path == "points" && len(item.Content) > 1 {
			name = join(path, item.Content[1].Value) // id comes first
		}
		m.comment(item, name)
	}
	if plain {
		n.Style = yaml.FlowStyle
		n.LineComment = m.saidAt(path)
		for _, item := range n.Content {
			if plainText(item.Value) {
				item.Style = 0
			}
		}
	}
}

// shortNeeds writes a need that says no more than its kind as that one word.
func shortNeeds(n *yaml.Node) {
	for i, need := range n.Content {
		if len(need.Content) == 4 && need.Content[3].Value == string(verdict.StateVerified) {
			n.Content[i] = need.Content[1]
		}
	}
}

// plainText reports whether a text needs no quotes to be read back as text.
func plainText(s string) bool {
	var n yaml.Node
	return yaml.Unmarshal([]byte(s), &n) == nil && len(n.Content) == 1 && n.Content[0].Kind == yaml.ScalarNode &&
		n.Content[0].Tag == "!!str" && n.Content[0].Value == s && !strings.ContainsAny(s, ",[]{}#:?")
}

func (m *Map) saidAt(path string) string {
	o, ok := m.origins[path]
	if !ok && strings.HasSuffix(path, "]") { // an entry of a list is said where the list is
		o, ok = m.origins[path[:strings.LastIndexByte(path, '[')]]
	}
	switch {
	case !ok:
		return FromDefault
	case o.From == FromOrganisation:
		return fmt.Sprintf("organisation %s:%d", oneLine(o.Name), o.Line)
	}
	return fmt.Sprintf("%s:%d", oneLine(o.Name), o.Line)
}
