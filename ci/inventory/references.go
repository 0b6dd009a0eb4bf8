package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict"
	"verdict/ci/plain"
	"verdict/ci/wording"
)

// references reads the files in which steps of a pipeline, images, charts and modules are
// named where they are used. Each file stands for itself.
type references struct {
	found  []Dependency
	gaps   []verdict.NotChecked
	charts map[string]*chart // Chart.yaml and requirements.yaml
	locked map[string]bool   // folders with a Chart.lock

	roots   map[string]*terraformRoot // by folder
	partial bool                      // lockfiles may be there that were not read
}

// reference is what one file says.
type reference struct {
	source string
	found  []Dependency
	gaps   []verdict.NotChecked
	moving []string // what can change without a change of this file
}

// referenceReader gives the reader of a file; nil for one that names nothing.
func referenceReader(p string) func(r *reference, content []byte) error {
	base := path.Base(p)
	ext := path.Ext(base)
	isYAML := ext == ".yml" || ext == ".yaml"
	switch {
	case Within(p, "node_modules"):
	case isYAML && (path.Dir(p) == ".github/workflows" || base == "action.yml" || base == "action.yaml"):
		return (*reference).workflow
	case isYAML && azurePipeline(p):
		return (*reference).azure
	case isYAML && composeFile(base):
		return (*reference).compose
	case dockerfile(base):
		return (*reference).dockerfile
	case base == ".terraform.lock.hcl":
		return (*reference).terraformLock
	case (ext == ".tf" || ext == ".tofu") && !Within(p, ".terraform"):
		return (*reference).terraform
	case (strings.HasSuffix(base, ".tf.json") || strings.HasSuffix(base, ".tofu.json")) && !Within(p, ".terraform"):
		return (*reference).terraformJSON
	}
	return nil
}

func (x *references) wants(p string) bool { return referenceReader(p) != nil || chartFile(p) }

func (x *references) add(p string, content []byte) error {
	if chartFile(p) {
		return x.addChart(p, content)
	}
	x.ofRoot(p, content)
	r := &reference{source: p}
	if err := referenceReader(p)(r, content); err != nil {
		return err
	}
	x.take(r)
	return nil
}

// take keeps what a file says, of which one half never counts without the other.
func (x *references) take(r *reference) {
	if n := len(r.moving); n > 0 {
		slices.Sort(r.moving)
		r.gaps = append(r.gaps, wording.Aside(r.source, "%d names that can move are used, the first is %s: which release that is only the run knows; pin a digest, or an exact version", n, wording.Shown(wording.Cut(r.moving[0], 160))))
	}
	x.found, x.gaps = append(x.found, r.found...), append(x.gaps, r.gaps...)
}

func (x *references) finish() ([]Dependency, []verdict.NotChecked) {
	x.finishCharts()
	return x.found, x.gaps
}

// put adds one component, which the project asks for itself.
func (r *reference) put(ecosystem, name, version string, line int) *Dependency {
	r.found = append(r.found, Dependency{
		Component: verdict.Component{Ecosystem: ecosystem, Name: name, Version: version},
		Source:    r.source, Line: int64(line), Direct: true, Path: []string{"this project", name},
	})
	return &r.found[len(r.found)-1]
}

// full is the error of a file that names more than is believable.
func (r *reference) full() error {
	if len(r.found) > maxComponents {
		return fmt.Errorf("it names more than %d components", maxComponents)
	}
	return nil
}

// Limits of YAML that people write by hand.
const maxHandYAML = 8 << 20

// handYAML reads YAML with anchors. An alias is not followed, unless it stands for one
// word: what it leads to stands in the file where it is defined, and is read there.
func handYAML(content []byte) ([]*yaml.Node, error) {
	if len(content) > maxHandYAML {
		return nil, fmt.Errorf("it is larger than %d MiB", maxHandYAML>>20)
	}
	in := yaml.NewDecoder(bytes.NewReader(content))
	var out []*yaml.Node
	for {
		var n yaml.Node
		err := in.Decode(&n)
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		case len(out) == 100:
			return nil, errors.New("it holds more than 100 documents")
		case len(n.Content) == 1:
			out = append(out, n.Content[0])
		}
	}
}

// mappings calls each for every mapping in a document, with the key that it is under.
func mappings(n *yaml.Node, under string, depth int, each func(m *yaml.Node, under string)) error {
	if depth > plain.MaxDepth {
		return fmt.Errorf("line %d: nested deeper than %d", n.Line, plain.MaxDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		each(n, under)
		for key, value := range plain.Members(n) {
			if err := mappings(value, key.Value, depth+1, each); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if err := mappings(c, under, depth+1, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// handWord is a plain value, or that of the one word that an alias stands for.
func handWord(n *yaml.Node) string {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return strings.TrimSpace(plain.Word(n))
}
