package inventory

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// parsePodLock reads Podfile.lock. Parts of a pod (Firebase/Core) are one component with
// it. Its checksums are those of descriptions, not of what is downloaded.
func parsePodLock(content []byte) (*locked, error) {
	docs, err := yamlDocuments(content)
	switch {
	case err != nil:
		return nil, err
	case len(docs) != 1 || plain.Member(docs[0], "COCOAPODS") == nil: // what it ends with
		return nil, errors.New("it is no lockfile of CocoaPods, or ends early: it has no COCOAPODS")
	case plain.Member(docs[0], "PODS") != nil && plain.Member(docs[0], "DEPENDENCIES") == nil:
		return nil, errors.New("it has PODS, and no DEPENDENCIES that ask for them")
	}
	x := newNamed(EcosystemPods, "pod install")
	for _, entry := range sequence(plain.Member(docs[0], "PODS")) {
		head, wishes := entry, (*yaml.Node)(nil)
		for key, value := range plain.Members(entry) {
			head, wishes = key, value
		}
		name, version := podAndVersion(plain.Word(head))
		i, _ := x.put(node{name: name, version: version, line: int64(head.Line)})
		if x.nodes[i].version != version {
			return nil, errors.New(wording.Cut(name, 120) + " stands twice, in two versions")
		}
		for _, w := range sequence(wishes) {
			if to, _ := podAndVersion(plain.Word(w)); to != name {
				x.nodes[i].asks = append(x.nodes[i].asks, ask{name: to})
			}
		}
	}
	for key, value := range plain.Members(plain.Member(docs[0], "EXTERNAL SOURCES")) {
		i, ok := x.byName[key.Value]
		if !ok {
			continue
		}
		x.nodes[i].kind = addressed
		for member, v := range plain.Members(value) {
			if member.Value == ":path" {
				x.nodes[i].kind = local
			} else if x.nodes[i].address == "" {
				x.nodes[i].address = plain.Word(v)
			}
		}
	}
	root := node{kind: project}
	for _, w := range sequence(plain.Member(docs[0], "DEPENDENCIES")) {
		name, _ := podAndVersion(plain.Word(w))
		root.asks = append(root.asks, ask{name: name})
	}
	x.locked.add(root)
	return x.locked, nil
}

// sequence gives the entries of a list; none of anything else.
func sequence(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// podAndVersion reads "Firebase/Core (1.0)" and "Firebase/Core (~> 1.0, from `x`)".
func podAndVersion(text string) (name, version string) {
	name, rest, _ := strings.Cut(text, " (")
	version, _, _ = strings.Cut(rest, ")")
	version = strings.TrimPrefix(version, "= ")
	name, _, _ = strings.Cut(name, "/")
	return strings.TrimSpace(name), version
}
