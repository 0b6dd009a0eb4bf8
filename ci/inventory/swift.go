package inventory

import (
	"errors"
	"fmt"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// swiftPin is one entry of Package.resolved. Its name is where its repository is.
type swiftPin struct {
	identity, kind, location, version, revision, branch string
	line                                                int64
}

// parseSwiftLock reads Package.resolved 1 to 3. Who brings in what, it does not tell.
func parseSwiftLock(content []byte) (*locked, error) {
	var pins []swiftPin
	version, listed := "", false
	j := plain.NewJSON(content)
	read := func(line int64) error {
		p, err := readSwiftPin(j)
		p.line = line
		pins = append(pins, p)
		return err
	}
	err := j.Document(func(key string, _ int64) (err error) {
		switch key {
		case "pins":
			listed = true
			return j.Entries(read)
		case "object":
			return j.Once(func(key string, _ int64) error {
				if key != "pins" {
					return j.Skip()
				}
				listed = true
				return j.Entries(read)
			})
		case "version":
			version, err = j.Number()
			return err
		}
		return j.Skip()
	})
	switch {
	case err != nil:
		return nil, err
	case !listed || version == "":
		return nil, errors.New("it is no Package.resolved: it has no pins or no version")
	case version != "1" && version != "2" && version != "3":
		return nil, fmt.Errorf("version %s is not read by this version: 1, 2 and 3 are", wording.Cut(version, 20))
	}
	x := newNamed(EcosystemSwift, "swift package resolve")
	for _, p := range pins {
		if p.kind == "registry" {
			x.tell(wording.Aside("", "%s comes from a registry of packages, and advisories name repositories", wording.Shown(wording.Cut(p.identity, 120))))
			continue
		}
		if _, fresh := x.put(p.node()); !fresh {
			return nil, fmt.Errorf("line %d: %s stands twice", p.line, wording.Cut(p.location, 120))
		}
	}
	return x.locked, nil
}

func (p swiftPin) node() node {
	n := node{name: repositoryName(p.location), version: p.version, line: p.line, silent: true}
	switch {
	case p.kind == "localSourceControl" || strings.HasPrefix(p.location, "/") || strings.HasPrefix(p.location, "file:"):
		n.name, n.kind = p.identity, local
	case p.version == "":
		n.kind, n.address = addressed, p.location+"#"+p.revision
	}
	return n
}

func readSwiftPin(j *plain.JSON) (p swiftPin, err error) {
	into := map[string]*string{
		"identity": &p.identity, "package": &p.identity, "kind": &p.kind, "location": &p.location, "repositoryURL": &p.location,
		"version": &p.version, "revision": &p.revision, "branch": &p.branch,
	}
	var each func(key string, _ int64) error
	each = func(key string, _ int64) (err error) {
		if key == "state" {
			return j.Once(each)
		}
		if s := into[key]; s != nil {
			*s, err = j.Text()
			return err
		}
		return j.Skip()
	}
	return p, j.Once(each)
}
