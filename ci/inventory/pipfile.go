package inventory

import (
	"errors"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// parsePipfileLock reads Pipfile.lock: the names of each category with their pins. Who
// brings in what, it does not tell.
func parsePipfileLock(content []byte) (*pythonLock, error) {
	x := newPythonLock("pipenv lock")
	sources := map[string]string{} // names of indexes
	var named []string             // the index of each node
	j := plain.NewJSON(content)
	if j.Peek() != '{' {
		return nil, j.Fault("no object")
	}
	meta := false
	err := j.Members(func(category string, _ int64) error {
		if category == "_meta" {
			meta = true
			return readPipfileSources(j, sources)
		}
		seen := map[string]bool{}
		return j.Members(func(name string, line int64) error {
			if seen[name] {
				return j.Fault(wording.Cut(name, 120) + " stands twice")
			}
			seen[name] = true
			n := node{name: name, line: line, silent: true, devSaid: true, dev: category == "develop"}
			index, err := n.readPin(j)
			if err != nil {
				return err
			}
			named = append(named, index)
			_, err = x.put(n)
			return err
		})
	})
	if err == nil {
		err = j.End()
	}
	switch {
	case err != nil:
		return nil, err
	case !meta:
		return nil, errors.New("it is no lockfile of pipenv: it has no _meta")
	}
	for i, index := range named {
		if x.nodes[i].kind == released {
			x.nodes[i].address = sources[index]
		}
	}
	return x, x.tooMany()
}

// readPipfileSources takes the names and addresses of indexes.
func readPipfileSources(j *plain.JSON, into map[string]string) error {
	return j.Members(func(key string, _ int64) error {
		if key != "sources" || j.Peek() != '[' {
			return j.Skip()
		}
		return j.List('[', ']', func() error {
			words := map[string]string{}
			err := j.Members(func(key string, _ int64) (err error) {
				words[key], err = j.Text()
				return err
			})
			into[words["name"]] = words["url"]
			return err
		})
	})
}

// readPin takes what is pinned for one name, and gives the index that it is taken from.
func (n *node) readPin(j *plain.JSON) (index string, err error) {
	var folder, commit string
	err = j.Members(func(key string, _ int64) (err error) {
		switch key {
		case "version":
			n.version, err = j.Text()
			n.version = strings.TrimLeft(n.version, "=")
		case "index":
			index, err = j.Text()
		case "hashes":
			var list []string
			list, err = j.Texts()
			for _, h := range list {
				algorithm, digest, _ := strings.Cut(h, ":")
				n.hashes = append(n.hashes, hashOfHex(algorithm, digest)...)
			}
		case "git", "hg", "svn", "bzr", "file":
			n.kind = addressed
			n.address, err = j.Text()
		case "ref":
			commit, err = j.Text()
		case "path":
			folder, err = j.Text()
		default:
			err = j.Skip()
		}
		return err
	})
	switch {
	case folder != "" && isPythonArchive(folder):
		n.kind, n.address = addressed, folder
	case folder != "":
		n.kind = local
	case n.kind == addressed && commit != "":
		n.address += "#" + commit
	}
	return index, err
}
