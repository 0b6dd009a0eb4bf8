package ci

import (
	"errors"
	"strings"
)

// conanNode is one entry of the graph in a conan.lock of Conan 1.
type conanNode struct {
	ref              string
	requires, builds []string
	project          bool
	line             int64
}

// parseConanLock reads conan.lock: a graph in Conan 1 (0.4), lists in Conan 2 (0.5).
func parseConanLock(content []byte) (*locked, error) {
	x := &locked{ecosystem: ecosystemConan, relock: "conan lock create ."}
	version, known := "", false
	graph, ids := map[string]conanNode{}, []string{}
	j := newJSON(content)
	list := func(dev bool) error {
		return j.entries(func(line int64) error {
			ref, err := j.string()
			name, version := conanReference(ref)
			x.add(node{name: name, version: version, line: line, silent: true, devSaid: true, dev: dev})
			return err
		})
	}
	err := j.document(func(key string, _ int64) (err error) {
		switch key {
		case "version":
			version, err = j.string()
			return err
		case "graph_lock":
			known = true
			return j.once(func(key string, _ int64) error {
				if key != "nodes" {
					return j.skip()
				}
				return j.once(func(id string, line int64) error {
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
		return j.skip()
	})
	switch {
	case err != nil:
		return nil, err
	case !known || version == "":
		return nil, errors.New("it is no conan.lock: it has no version, or neither a graph nor requires")
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

// conanGraph adds the entries of a graph and gives their numbers.
func (l *locked) conanGraph(graph map[string]conanNode, ids []string) map[string]int {
	numbers := map[string]int{}
	for _, id := range ids {
		c := graph[id]
		n := node{line: c.line}
		n.name, n.version = conanReference(c.ref)
		if c.project {
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

// unaskedConan are wishes for what no entry of a graph asks for, where the graph does not
// hold the project itself.
func unaskedConan(graph map[string]conanNode, ids []string) (asks []ask) {
	asked := map[string]bool{}
	for _, c := range graph {
		if c.project {
			return nil
		}
		for _, to := range append(c.requires, c.builds...) {
			asked[to] = true
		}
	}
	for _, id := range ids {
		if !asked[id] {
			asks = append(asks, ask{name: id})
		}
	}
	return asks
}

func readConanNode(j *jsonText) (c conanNode, err error) {
	err = j.once(func(key string, _ int64) (err error) {
		switch key {
		case "ref", "pref":
			var ref string
			ref, err = j.string()
			if key == "ref" || c.ref == "" {
				c.ref = ref
			}
		case "requires":
			c.requires, err = j.strings()
		case "build_requires":
			c.builds, err = j.strings()
		case "path": // of the recipe that was locked
			c.project = true
			err = j.skip()
		default:
			err = j.skip()
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
