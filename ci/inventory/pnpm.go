package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// pnpmLock reads pnpm-lock.yaml, whose keys changed with each version:
//
//	5.x  /name/1.0.0_peer@2.0.0           6.x  /name@1.0.0(peer@2.0.0)
//	9.0  name@1.0.0 in packages, and name@1.0.0(peer@2.0.0) in snapshots
//
// What a package was resolved with (its peers) makes it several entries and one component:
// entries are joined under the key without peers.
type pnpmLock struct {
	*locked
	major   string
	keys    map[string]int
	folders map[string]bool // of its projects
}

func parsePnpmLock(content []byte) (*locked, error) {
	docs, err := yamlDocuments(content)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return nil, errors.New("it is empty")
	}
	x := &pnpmLock{locked: &locked{ecosystem: EcosystemNPM, relock: "pnpm install --lockfile-only"}, keys: map[string]int{}, folders: map[string]bool{}}
	x.locked.resolve = x.answer
	for _, d := range docs { // a second one holds what pnpm itself needs
		if err := x.document(d); err != nil {
			return nil, err
		}
	}
	return x.locked, x.tooMany()
}

func (x *pnpmLock) document(root *yaml.Node) error {
	version := plain.Word(plain.Member(root, "lockfileVersion"))
	major, _, _ := strings.Cut(version, ".")
	switch {
	case version == "":
		return errors.New("it is no lockfile of pnpm: it has no lockfileVersion")
	case major != "5" && major != "6" && major != "9":
		return fmt.Errorf("lockfileVersion %s is not read by this version: 5, 6 and 9 are", wording.Cut(version, 20))
	case x.major != "" && x.major != major:
		return errors.New("its documents are of several lockfileVersions")
	}
	x.major = major
	if importers := plain.Member(root, "importers"); importers != nil {
		for key, value := range plain.Members(importers) {
			x.importer(key.Value, key.Line, value)
		}
	} else {
		x.importer(".", 0, root)
	}
	for key, value := range plain.Members(plain.Member(root, "packages")) {
		if err := x.pack(key, value); err != nil {
			return err
		}
	}
	for key, value := range plain.Members(plain.Member(root, "snapshots")) {
		x.wishes(x.at(key), value)
	}
	return nil
}

// pnpmWishes are the members in which a project or a package asks, and what that means.
var pnpmWishes = []struct {
	member        string
	dev, optional bool
}{
	{"dependencies", false, false}, {"optionalDependencies", false, true}, {"devDependencies", true, false},
	{"configDependencies", true, false}, {"packageManagerDependencies", true, false},
}

func (x *pnpmLock) importer(folder string, line int, value *yaml.Node) {
	name := path.Clean(folder)
	x.projects, x.folders[name] = append(x.projects, name), true
	if name == "." {
		name = ""
	}
	x.wishes(x.add(node{name: name, line: int64(line), kind: project}), value)
}

// wishes adds what an entry asks for to a node.
func (x *pnpmLock) wishes(i int, value *yaml.Node) {
	for _, w := range pnpmWishes {
		for key, v := range plain.Members(plain.Member(value, w.member)) {
			spec := plain.Word(v)
			if v.Kind == yaml.MappingNode {
				spec = plain.Word(plain.Member(v, "version"))
			}
			x.nodes[i].asks = append(x.nodes[i].asks, ask{name: key.Value, spec: spec, dev: w.dev, optional: w.optional})
		}
	}
}

// at is the node of a key; a new one where there is none yet.
func (x *pnpmLock) at(key *yaml.Node) int {
	plain := x.withoutPeers(key.Value)
	if i, ok := x.keys[plain]; ok {
		return i
	}
	n := node{line: int64(key.Line)}
	var host string
	n.name, n.version, host = x.parts(plain)
	switch {
	case host != "":
		n.address = "https://" + host
	case !registryVersion(n.version):
		n.kind, n.address = addressed, cmp.Or(n.version, plain)
	}
	x.keys[plain] = x.add(n)
	return x.keys[plain]
}

// pack takes one member of packages. pnpm goes by the name and version that the entry
// gives itself, where it does: another one than in its key is no slip.
func (x *pnpmLock) pack(key, value *yaml.Node) error {
	i := x.at(key)
	n := &x.nodes[i]
	name, version := plain.Word(plain.Member(value, "name")), plain.Word(plain.Member(value, "version"))
	if n.kind == released && (name != "" && name != n.name || version != "" && version != n.version) {
		return fmt.Errorf("line %d: %s says that it is %s %s", key.Line, wording.Cut(key.Value, 120), wording.Cut(cmp.Or(name, n.name), 120), wording.Cut(cmp.Or(version, n.version), 120))
	}
	n.name = cmp.Or(name, n.name)
	if n.kind == addressed {
		n.version = version
	}
	r := plain.Member(value, "resolution")
	word := func(name string) string { return plain.Word(plain.Member(r, name)) }
	n.hashes = integrity(word("integrity"))
	switch repo, tarball := word("repo"), word("tarball"); {
	case word("directory") != "" || word("type") == "directory":
		n.kind, n.name = local, cmp.Or(n.name, key.Value)
	case repo != "":
		n.kind, n.address = addressed, repo+"#"+word("commit")
	case tarball != "":
		n.address = tarball
	}
	x.wishes(i, value)
	return nil
}

// withoutPeers takes the peers out of a key.
func (x *pnpmLock) withoutPeers(key string) string {
	if x.major != "5" {
		if i := strings.IndexByte(key, '('); i > 0 {
			return key[:i]
		}
		return key
	}
	if !strings.HasPrefix(key, "/") { // a host or a repository, whose names can hold anything
		return key
	}
	name, version := nameAndVersion(key[1:], '/')
	return "/" + name + "/" + version[:indexAny(version, "_/")]
}

func indexAny(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}

// nameAndVersion splits at the first separator behind the name and its scope.
func nameAndVersion(s string, separator byte) (name, version string) {
	from := 0
	if strings.HasPrefix(s, "@") {
		from = max(strings.IndexByte(s, '/'), 0) + 1
	}
	if i := strings.IndexByte(s[from:], separator); i >= 0 {
		return s[:from+i], s[from+i+1:]
	}
	return s, ""
}

// parts reads a key without peers. host is a registry that is not the default one.
func (x *pnpmLock) parts(key string) (name, version, host string) {
	separator := byte('@')
	if x.major == "5" {
		separator = '/'
	}
	if rest, ok := strings.CutPrefix(key, "/"); ok || x.major == "9" {
		name, version = nameAndVersion(rest, separator)
		return name, version, ""
	}
	host, rest, _ := strings.Cut(key, "/")
	name, version = nameAndVersion(rest, separator)
	if x.major == "5" {
		version = version[:indexAny(version, "_/")]
	}
	if strings.ContainsAny(host, ":@") || !registryVersion(version) {
		return "", "", ""
	}
	return name, version, host
}

// answer finds the entry that a wish was resolved to: its own key, or the wish's name
// with the version.
func (x *pnpmLock) answer(from int, a ask) ([]int, bool) {
	if target, ok := strings.CutPrefix(a.spec, "link:"); ok {
		if p := x.nodes[from]; p.kind == project && !x.folders[path.Join(p.name, target)] {
			x.tell(wording.Aside(x.source, "%s is linked to a folder that this lockfile does not answer for", wording.Shown(wording.Cut(a.name, 120))))
		}
		return nil, true // a project of its own
	}
	key := x.withoutPeers(a.spec)
	if file, ok := strings.CutPrefix(key, "file:"); ok {
		key = "file:" + path.Clean(file)
	}
	version := key
	if x.major == "5" {
		version = key[:indexAny(key, "_/")]
	}
	for _, key := range []string{a.name + "@" + version, "/" + a.name + "@" + version, "/" + a.name + "/" + version, key} {
		if i, ok := x.keys[key]; ok {
			return []int{i}, true
		}
	}
	return nil, false
}
