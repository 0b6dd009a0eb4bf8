package iac

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
)

// Which format a file of YAML or JSON is of is told by the keys of its documents, as the
// program that applies it would read them: what merely stands in a text somewhere in it
// must neither make it another one nor hide what it is.

// words are those of which a file of a format holds all of a group, unless it writes them
// with escapes.
var formatWords = [][]string{
	{"apiVersion", "kind"}, {"AWSTemplateFormatVersion"}, {"Resources", "AWS::"}, {"deploymentTemplate"}, {"format_version", "planned_values"}, {"format_version", "resource_changes"},
}

// mayBe reports whether a file has to be taken apart to tell what it is.
func mayBe(content []byte) bool {
	if escaped(content) {
		return true
	}
	return speaksOf(content)
}

// speaksOf reports whether all words of a format stand in a text.
func speaksOf(content []byte) bool {
	low := bytes.ToLower(content)
	return slices.ContainsFunc(formatWords, func(all []string) bool {
		return !slices.ContainsFunc(all, func(w string) bool { return !bytes.Contains(low, []byte(strings.ToLower(w))) })
	})
}

// escaped reports whether a text may write a word in another way.
func escaped(content []byte) bool {
	for _, e := range []string{`\u`, `\U`, `\x`, "\\\n", "\\\r"} {
		if bytes.Contains(content, []byte(e)) {
			return true
		}
	}
	return false
}

// ofOverlay reports whether a file may be what an overlay of Kustomize takes in and what is
// no manifest: a patch as JSON Patch writes it (RFC 6902), a list of replacements, settings
// of its own transformers.
func ofOverlay(content []byte) bool {
	has := func(word string) bool { return bytes.Contains(content, []byte(word)) }
	return slices.ContainsFunc(overlayHints, has) && overlayWord.Match(content)
}

// overlayHints are parts of what overlayWord matches: most files have none, and are
// searched for them much faster.
var overlayHints = []string{`op"`, `op'`, "op:", "op\t", "op ", "fieldSpecs", "fieldPaths", "nameReference", "varReference", "namePrefix", "commonLabels", "commonAnnotations"}

var overlayWord = regexp.MustCompile(`(?m)(^|[\s{,-])["']?(op["']?\s*:\s*["']?(add|remove|replace|move|copy|test)\b|(fieldSpecs|fieldPaths|nameReference|varReference|namePrefix|commonLabels|commonAnnotations)["']?\s*:)`)

// formatsOf are the formats of the documents of a file that is well formed, in an order
// of their own, and a key in them that stands twice: of the two one program takes the first
// and another the last.
func formatsOf(content []byte) (formats []string, again *yaml.Node) {
	d := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var n yaml.Node
		if d.Decode(&n) != nil || len(n.Content) != 1 {
			break
		}
		f := formatOfDocument(n.Content[0])
		if f != "" && !slices.Contains(formats, f) {
			formats = append(formats, f)
		}
		if f != "" && again == nil {
			again = standsTwice(n.Content[0])
		}
	}
	slices.Sort(formats)
	return formats, again
}

// standsTwice finds a key that its mapping has already.
func standsTwice(n *yaml.Node) *yaml.Node {
	keys := map[string]bool{}
	for key := range plain.Members(n) {
		if keys[key.Value] && key.Kind == yaml.ScalarNode {
			return key
		}
		keys[key.Value] = true
	}
	for _, c := range n.Content {
		if key := standsTwice(c); key != nil {
			return key
		}
	}
	return nil
}

func formatOfDocument(n *yaml.Node) string {
	keys := map[string]*yaml.Node{}
	topKeys(n, keys, 0)
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(k string) bool { return keys[k] == nil })
	}
	schema := strings.ToLower(plain.Word(keys["$schema"]))
	switch {
	case strings.Contains(schema, "deploymenttemplate.json"):
		return formatARM
	case has("AWSTemplateFormatVersion"), ofAmazon(keys["Resources"]):
		return formatCFN
	case has("format_version", "planned_values"), has("format_version", "resource_changes"):
		return formatPlan
	case has("apiVersion", "kind") && plain.Word(aliased(keys["kind"])) != "":
		return formatKubernetes
	}
	return ""
}

// topKeys gathers the keys of a mapping, with those that it merges in.
func topKeys(n *yaml.Node, into map[string]*yaml.Node, depth int) {
	if depth > 10 {
		return
	}
	for key, value := range plain.Members(aliased(n)) {
		switch key = aliased(key); {
		case key.Value == "<<" && aliased(value).Kind == yaml.SequenceNode:
			for _, m := range aliased(value).Content {
				topKeys(m, into, depth+1)
			}
		case key.Value == "<<":
			topKeys(value, into, depth+1)
		case into[key.Value] == nil:
			into[key.Value] = value
		}
	}
}

// ofAmazon reports whether a mapping holds a resource of CloudFormation.
func ofAmazon(resources *yaml.Node) bool {
	if resources == nil {
		return false
	}
	for _, r := range plain.Members(aliased(resources)) {
		if t := plain.Word(aliased(plain.Member(aliased(r), "Type"))); strings.HasPrefix(t, "AWS::") {
			return true
		}
	}
	return false
}

// aliased is what a node stands for.
func aliased(n *yaml.Node) *yaml.Node {
	for range 10 {
		if n == nil || n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	return n
}

// manifest is one of Kubernetes by itself.
type manifest struct {
	json  []byte // nil where it cannot be brought to that
	line  int64  // where it begins
	apart bool   // its keys are merged in, or it is an item of a list
}

// manifestsOf are the manifests of a file that is well formed, with the items of lists.
func manifestsOf(content []byte) (all []manifest) {
	d := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var n yaml.Node
		if d.Decode(&n) != nil || len(n.Content) != 1 {
			return all
		}
		all = append(all, manifestsIn(n.Content[0], false, 0)...)
	}
}

func manifestsIn(n *yaml.Node, apart bool, depth int) (all []manifest) {
	n = aliased(n)
	if formatOfDocument(n) != formatKubernetes || depth > 10 {
		return nil
	}
	keys := map[string]*yaml.Node{}
	topKeys(n, keys, 0)
	if items := aliased(keys["items"]); items != nil && items.Kind == yaml.SequenceNode && strings.HasSuffix(plain.Word(aliased(keys["kind"])), "List") {
		for _, item := range items.Content {
			all = append(all, manifestsIn(item, true, depth+1)...)
		}
		return all
	}
	var v map[string]any
	var text []byte
	err := n.Decode(&v)
	if err == nil {
		text, err = json.Marshal(v)
	}
	return append(all, manifest{json: text, line: int64(n.Line), apart: apart || err != nil || merges(n)})
}

// merges reports whether a mapping merges others in, at any depth.
func merges(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return true
	}
	return slices.ContainsFunc(n.Content, merges)
}
