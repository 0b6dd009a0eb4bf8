package inventory

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// bunLock reads bun.lock, JSON with comments and commas at the end. A package stands under
// the names that lead to it: "a" for all, "b/a" for b alone.
type bunLock struct {
	*locked
	version   string
	keys      map[string]int
	places    []string // of each node: its key, or the name of a project
	workspace map[string]bool
}

// maxPlace bounds a key, which each wish of its package is looked up along.
const maxPlace = 1024

func parseBunLock(content []byte) (*locked, error) {
	x := &bunLock{locked: &locked{ecosystem: EcosystemNPM, relock: "bun install --lockfile-only"}, keys: map[string]int{}, workspace: map[string]bool{}}
	x.locked.resolve = x.answer
	j := plain.NewJSON(content)
	j.Loose = true
	if j.Peek() != '{' {
		return nil, j.Fault("no object")
	}
	seen := map[string]bool{}
	err := j.Members(func(key string, _ int64) error {
		if seen[key] {
			return j.Fault(wording.Cut(key, 120) + " stands twice")
		}
		seen[key] = true
		switch key {
		case "lockfileVersion":
			raw, err := j.Raw()
			x.version = string(raw)
			return err
		case "workspaces":
			return j.Members(func(folder string, line int64) error { return x.project(j, folder, line) })
		case "packages":
			return j.Members(func(key string, line int64) error { return x.pack(j, key, line) })
		}
		return j.Skip()
	})
	if err == nil {
		err = j.End()
	}
	switch {
	case err != nil:
		return nil, err
	case x.version == "":
		return nil, errors.New("it is no lockfile of bun: it has no lockfileVersion")
	case x.version != "0" && x.version != "1":
		return nil, fmt.Errorf("lockfileVersion %s is not read by this version: 0 and 1 are", wording.Cut(x.version, 20))
	}
	return x.locked, x.tooMany()
}

// project takes one member of workspaces.
func (x *bunLock) project(j *plain.JSON, folder string, line int64) error {
	if folder = path.Clean(folder); x.workspace[folder] {
		return j.Fault(wording.Cut(folder, 120) + " stands twice")
	}
	x.workspace[folder] = true
	n := node{line: line, kind: project}
	err := x.info(j, &n)
	x.projects = append(x.projects, folder)
	x.put(n, n.name)
	return err
}

func (x *bunLock) put(n node, place string) int {
	x.places = append(x.places, place)
	return x.add(n)
}

// info takes an object of wishes.
func (x *bunLock) info(j *plain.JSON, n *node) error {
	return j.Members(func(key string, _ int64) (err error) {
		switch key {
		case "name":
			n.name, err = j.Text()
		case "dependencies", "devDependencies", "optionalDependencies", "peerDependencies":
			may := key == "optionalDependencies" || key == "peerDependencies"
			err = j.Members(func(name string, _ int64) error {
				spec, err := j.Text()
				n.asks = append(n.asks, ask{name: name, spec: spec, dev: key == "devDependencies", optional: may})
				return err
			})
		default:
			err = j.Skip()
		}
		return err
	})
}

// pack takes one package: a list of what it is, where from, what it asks for, and its
// hash, of which only the first always stands.
func (x *bunLock) pack(j *plain.JSON, key string, line int64) error {
	if _, twice := x.keys[key]; twice {
		return j.Fault(wording.Cut(key, 120) + " stands twice")
	}
	if j.Peek() != '[' {
		return j.Fault("a package that is no list")
	}
	if len(key) > maxPlace {
		return j.Fault("a place that is too long")
	}
	n := node{line: line}
	var words []string
	err := j.List('[', ']', func() error {
		if j.Peek() == '{' {
			return x.info(j, &n)
		}
		s, err := j.Text()
		words = append(words, s)
		return err
	})
	if err != nil {
		return err
	}
	if len(words) == 0 || words[0] == "" {
		return j.Fault("a package without name and version")
	}
	x.origin(&n, words)
	x.keys[key] = x.put(n, key)
	return nil
}

// origin reads name@version, and what else stands beside.
func (x *bunLock) origin(n *node, words []string) {
	n.name, n.version = nameAndVersion(words[0], '@')
	protocol, rest, _ := strings.Cut(n.version, ":")
	for _, w := range words[1:] {
		n.hashes = append(n.hashes, integrity(w)...)
	}
	switch {
	case registryVersion(n.version):
		if len(words) > 1 && strings.Contains(words[1], "://") {
			n.address = words[1]
		}
	case protocol == "workspace" || protocol == "root":
		n.kind = project
	case protocol == "link" || protocol == "file" && !isArchive(rest):
		n.kind = local
	default:
		n.kind, n.address, n.version = addressed, n.version, ""
	}
}

// answer looks from the place that asks upwards, as node does.
func (x *bunLock) answer(from int, a ask) ([]int, bool) {
	for place := x.places[from]; place != ""; place = parentPlace(place) {
		if i, ok := x.keys[place+"/"+a.name]; ok {
			return []int{i}, true
		}
	}
	if i, ok := x.keys[a.name]; ok {
		return []int{i}, true
	}
	return nil, false
}

// parentPlace takes the last name, with its scope, off a place.
func parentPlace(place string) string {
	i := strings.LastIndexByte(place, '/')
	if i < 0 {
		return ""
	}
	if j := strings.LastIndexByte(place[:i], '/'); place[j+1] == '@' {
		i = max(j, 0)
	}
	return place[:i]
}
