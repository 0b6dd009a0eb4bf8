package inventory

import (
	"cmp"
	"errors"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// parsePubLock reads pubspec.lock of Dart and Flutter. It tells what the project asks for
// itself, and not who brings in the rest.
func parsePubLock(content []byte) (*locked, error) {
	docs, err := yamlDocuments(content)
	switch {
	case err != nil:
		return nil, err
	case len(docs) != 1 || plain.Member(docs[0], "packages") == nil || plain.Member(docs[0], "sdks") == nil: // what it ends with
		return nil, errors.New("it is no lockfile of Pub, or ends early: it has no packages or no sdks")
	}
	x := newNamed(EcosystemPub, "dart pub get")
	root := node{kind: project}
	for key, value := range plain.Members(plain.Member(docs[0], "packages")) {
		description := plain.Member(value, "description")
		word := func(key string) string { return plain.Word(plain.Member(description, key)) }
		n := node{name: key.Value, version: plain.Word(plain.Member(value, "version")), line: int64(key.Line), silent: true}
		switch source := plain.Word(plain.Member(value, "source")); source {
		case "hosted":
			n.address, n.hashes = word("url"), hashOfHex("sha256", word("sha256"))
			if name := word("name"); name != "" {
				n.name = name
			}
		case "git":
			n.kind, n.address = addressed, word("url")+"#"+word("resolved-ref")
		case "path":
			n.kind = local
		case "sdk":
			x.tell(wording.Aside("", "%s comes with the SDK, whose version the file does not tell", wording.Shown(wording.Cut(key.Value, 120))))
			continue
		default:
			n.version = "" // told as one that cannot be judged
		}
		if _, fresh := x.put(n); !fresh {
			return nil, errors.New(wording.Cut(n.name, 120) + " stands twice")
		}
		if kind := plain.Word(plain.Member(value, "dependency")); strings.HasPrefix(kind, "direct") {
			root.asks = append(root.asks, ask{name: n.name, dev: kind == "direct dev"})
		}
	}
	x.locked.add(root)
	for i := range x.nodes { // without links, what is not asked for by name can be for anything
		x.nodes[i].devSaid = x.nodes[i].kind != project && !asksFor(root, x.nodes[i].name, true)
	}
	return x.locked, nil
}

// asksFor reports whether a project asks for a name, for development or not.
func asksFor(n node, name string, dev bool) bool {
	for _, a := range n.asks {
		if a.name == name && a.dev == dev {
			return true
		}
	}
	return false
}

func pubAsks(content []byte) (bool, []ask, error) {
	docs, err := yamlDocuments(content)
	if err != nil {
		return false, nil, err
	}
	var wishes []ask
	for _, d := range docs {
		for _, member := range []string{"dependencies", "dev_dependencies"} {
			for key, value := range plain.Members(plain.Member(d, member)) {
				if plain.Member(value, "sdk") == nil && plain.Member(value, "path") == nil {
					name := cmp.Or(plain.Word(plain.Member(plain.Member(value, "hosted"), "name")), key.Value)
					wishes = append(wishes, ask{name: name, dev: member == "dev_dependencies", optional: plain.Member(value, "git") != nil})
				}
			}
		}
	}
	return len(wishes) > 0, wishes, nil
}
