package inventory

import (
	"errors"
	"fmt"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// conanNode is one entry of the graph in a conan.lock of Conan 1.
type conanNode struct {
	ref              string
	requires, builds []string
	path             bool // it has one: a recipe of this tree
	line             int64
}

// parseConanLock reads conan.lock: a graph in Conan 1 (0.4), lists in Conan 2 (0.5).
func parseConanLock(content []byte) (*locked, error) {
	x := &locked{ecosystem: EcosystemConan, relock: "conan lock create ."}
	version, known := "", false
	graph, ids := map[string]conanNode{}, []string{}
	j := plain.NewJSON(content)
	list := func(dev bool) error {
		return j.Entries(func(line int64) error {
			ref, err := j.Text()
			name, version := conanReference(ref)
			x.add(node{name: name, version: version, line: line, silent: true, devSaid: true, dev: dev})
			return err
		})
	}
	err := j.Document(func(key string, _ int64) (err error) {
		switch key {
		case "version":
			version, err = j.Text()
			return err
		case "graph_lock":
			known = true
			return j.Once(func(key string, _ int64) error {
				if key != "nodes" {
					return j.Skip()
				}
				return j.Once(func(id string, line int64) error {
					n, err := readConanNode(j)
					n.line = line
					graph[id], ids = n, append(ids, id)
					return err
				})
			})
		case "requires", "build_requires", "python_requires", "config_requires":
			known = true
			return list(key != "requires")
		}
		return j.Skip()
	})
	switch {
	case err != nil:
		return nil, err
	case !known || version == "":
		return nil, errors.New("it is no conan.lock: it has no version, or neither a graph nor requires")
	case version != "0.3" && version != "0.4" && version != "0.5":
		return nil, fmt.Errorf("version %s is not read by this version: 0.3, 0.4 and 0.5 are", wording.Cut(version, 20))
	}
	numbers := x.conanGraph(graph, ids)
	x.resolve = func(_ int, a ask) ([]int, bool) {
		i, ok := numbers[a.name]
		return []int{i}, ok
	}
	if asks := unaskedConan(graph, ids); len(asks) > 0 {
		x.add(node{kind: project, asks: asks})
	}
	return x, nil
}

// conanGraph adds the entries of a graph and gives their numbers. An entry with a path is
// the project, or one that is edited in this tree where others ask for it.
func (l *locked) conanGraph(graph map[string]conanNode, ids []string) map[string]int {
	numbers, asked := map[string]int{}, askedConan(graph)
	for _, id := range ids {
		c := graph[id]
		n := node{line: c.line}
		n.name, n.version = conanReference(c.ref)
		switch {
		case c.path && asked[id]:
			n.kind = local
		case c.path:
			n.kind = project
		}
		for _, to := range c.requires {
			n.asks = append(n.asks, ask{name: to})
		}
		for _, to := range c.builds {
			n.asks = append(n.asks, ask{name: to, dev: true})
		}
		numbers[id] = l.add(n)
	}
	return numbers
}

// askedConan are the entries that others ask for.
func askedConan(graph map[string]conanNode) map[string]bool {
	asked := map[string]bool{}
	for _, c := range graph {
		for _, list := range [][]string{c.requires, c.builds} {
			for _, to := range list {
				asked[to] = true
			}
		}
	}
	return asked
}

// unaskedConan are wishes for what no entry of a graph asks for, where the graph does not
// hold the project itself.
func unaskedConan(graph map[string]conanNode, ids []string) (asks []ask) {
	asked := askedConan(graph)
	for _, id := range ids {
		switch {
		case asked[id]:
		case graph[id].path:
			return nil
		default:
			asks = append(asks, ask{name: id})
		}
	}
	return asks
}

func readConanNode(j *plain.JSON) (c conanNode, err error) {
	err = j.Once(func(key string, _ int64) (err error) {
		switch key {
		case "ref", "pref":
			var ref string
			ref, err = j.Text()
			if key == "ref" || c.ref == "" {
				c.ref = ref
			}
		case "requires":
			c.requires, err = j.Texts()
		case "build_requires":
			c.builds, err = j.Texts()
		case "path": // of the recipe that was locked
			c.path = true
			err = j.Skip()
		default:
			err = j.Skip()
		}
		return err
	})
	return c, err
}

// conanReference reads name/version@user/channel#revision%time.
func conanReference(ref string) (name, version string) {
	ref = ref[:indexAny(ref, "#%:")]
	ref, _, _ = strings.Cut(ref, "@")
	name, version, _ = strings.Cut(ref, "/")
	return name, version
}
