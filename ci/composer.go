package ci

import (
	"cmp"
	"errors"
	"strings"
)

// once is members where a key that stands twice is an error: two readers take different
// ones of them.
func (j *jsonText) once(each func(key string, line int64) error) error {
	seen := map[string]bool{}
	return j.members(func(key string, line int64) error {
		if seen[key] {
			return j.fault(cut(key, 120) + " stands twice")
		}
		seen[key] = true
		return each(key, line)
	})
}

// entries calls each for every entry of a list; any other value is passed over.
func (j *jsonText) entries(each func(line int64) error) error {
	if j.peek() != '[' {
		return j.skip()
	}
	return j.list('[', ']', func() error {
		j.peek()
		return each(j.line)
	})
}

// document reads the one object of a file, up to its end.
func (j *jsonText) document(each func(key string, line int64) error) error {
	if j.peek() != '{' {
		return j.fault("no object")
	}
	if err := j.once(each); err != nil {
		return err
	}
	return j.end()
}

// parseComposerLock reads composer.lock. What the project asks for stands in its
// composer.json.
func parseComposerLock(content []byte) (*locked, error) {
	x := newNamed(ecosystemComposer, "composer update --lock")
	j := newJSON(content)
	listed := false
	standIns := map[string]int{} // names that packages provide or replace
	err := j.document(func(key string, _ int64) error {
		if key != "packages" && key != "packages-dev" {
			return j.skip()
		}
		listed = listed || key == "packages"
		return j.entries(func(line int64) error {
			n, provides, err := readComposerPackage(j)
			if err != nil {
				return err
			}
			n.line, n.devSaid, n.dev = line, true, key == "packages-dev"
			i, fresh := x.put(n)
			if !fresh {
				return j.fault(cut(n.name, 120) + " stands twice")
			}
			for _, name := range provides {
				standIns[name] = i
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return nil, err
	case !listed:
		return nil, errors.New("it is no lockfile of Composer: it has no packages")
	}
	for name, i := range standIns {
		if _, real := x.byName[name]; !real {
			x.byName[name] = i
		}
	}
	return x.locked, nil
}

func readComposerPackage(j *jsonText) (n node, provides []string, err error) {
	var dist, source composerSource
	err = j.once(func(key string, _ int64) (err error) {
		switch key {
		case "name":
			n.name, err = j.string()
			n.name = strings.ToLower(n.name)
		case "version":
			n.version, err = j.string()
		case "require":
			n.asks, err = readComposerWishes(j, false)
		case "provide", "replace":
			var list []ask
			list, err = readComposerWishes(j, false)
			for _, a := range list {
				provides = append(provides, a.name)
			}
		case "license":
			var list []string
			list, err = j.strings()
			n.license = strings.Join(list, " OR ") // of several, one may be chosen
		case "dist":
			dist, err = readComposerSource(j)
		case "source":
			source, err = readComposerSource(j)
		default:
			err = j.skip()
		}
		return err
	})
	if err == nil && n.name == "" {
		err = j.fault("a package without a name")
	}
	n.hashes = hashOfHex("sha1", dist.shasum)
	switch {
	case dist.kind == "path":
		n.kind = local
	case strings.HasPrefix(n.version, "dev-") || strings.HasSuffix(n.version, "-dev"): // a branch
		n.kind, n.address = addressed, cmp.Or(source.url, dist.url)
		if source.reference != "" {
			n.address += "#" + source.reference
		}
	default:
		n.address = cmp.Or(dist.url, source.url)
	}
	return n, provides, err
}

type composerSource struct{ kind, url, reference, shasum string }

func readComposerSource(j *jsonText) (s composerSource, err error) {
	into := map[string]*string{"type": &s.kind, "url": &s.url, "reference": &s.reference, "shasum": &s.shasum}
	return s, j.once(func(key string, _ int64) (err error) {
		if p := into[key]; p != nil {
			*p, err = j.string()
			return err
		}
		return j.skip()
	})
}

// readComposerWishes takes the names of a member in which packages are asked for. Names
// without a vendor are of the platform: PHP itself and its extensions.
func readComposerWishes(j *jsonText, dev bool) (asks []ask, err error) {
	err = j.once(func(name string, _ int64) error {
		if strings.Contains(name, "/") {
			asks = append(asks, ask{name: strings.ToLower(name), dev: dev})
		}
		return j.skip()
	})
	return asks, err
}

func composerAsks(content []byte) (bool, []ask, error) {
	j := newJSON(content)
	var all []ask
	err := j.document(func(key string, _ int64) error {
		if key != "require" && key != "require-dev" {
			return j.skip()
		}
		asks, err := readComposerWishes(j, key == "require-dev")
		all = append(all, asks...)
		return err
	})
	return len(all) > 0, all, err
}
