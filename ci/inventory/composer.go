package inventory

import (
	"cmp"
	"errors"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// parseComposerLock reads composer.lock. What the project asks for stands in its
// composer.json.
func parseComposerLock(content []byte) (*locked, error) {
	x := newNamed(EcosystemComposer, "composer update --lock")
	j := plain.NewJSON(content)
	listed := false
	standIns := map[string]int{} // names that packages provide or replace
	err := j.Document(func(key string, _ int64) error {
		if key != "packages" && key != "packages-dev" {
			return j.Skip()
		}
		listed = listed || key == "packages"
		return j.Entries(func(line int64) error {
			n, provides, err := readComposerPackage(j)
			if err != nil {
				return err
			}
			n.line, n.devSaid, n.dev = line, true, key == "packages-dev"
			i, fresh := x.put(n)
			if !fresh {
				return j.Fault(wording.Cut(n.name, 120) + " stands twice")
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

func readComposerPackage(j *plain.JSON) (n node, provides []string, err error) {
	var dist, source composerSource
	err = j.Once(func(key string, _ int64) (err error) {
		switch key {
		case "name":
			n.name, err = j.Text()
			n.name = strings.ToLower(n.name)
		case "version":
			n.version, err = j.Text()
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
			list, err = j.Texts()
			n.license = strings.Join(list, " OR ") // of several, one may be chosen
		case "dist":
			dist, err = readComposerSource(j)
		case "source":
			source, err = readComposerSource(j)
		default:
			err = j.Skip()
		}
		return err
	})
	if err == nil && n.name == "" {
		err = j.Fault("a package without a name")
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

func readComposerSource(j *plain.JSON) (s composerSource, err error) {
	into := map[string]*string{"type": &s.kind, "url": &s.url, "reference": &s.reference, "shasum": &s.shasum}
	return s, j.Once(func(key string, _ int64) (err error) {
		if p := into[key]; p != nil {
			*p, err = j.Text()
			return err
		}
		return j.Skip()
	})
}

// readComposerWishes takes the names of a member in which packages are asked for. Names
// without a vendor are of the platform: PHP itself and its extensions.
func readComposerWishes(j *plain.JSON, dev bool) (asks []ask, err error) {
	err = j.Once(func(name string, _ int64) error {
		if strings.Contains(name, "/") {
			asks = append(asks, ask{name: strings.ToLower(name), dev: dev})
		}
		return j.Skip()
	})
	return asks, err
}

func composerAsks(content []byte) (bool, []ask, error) {
	j := plain.NewJSON(content)
	var all []ask
	err := j.Document(func(key string, _ int64) error {
		if key != "require" && key != "require-dev" {
			return j.Skip()
		}
		asks, err := readComposerWishes(j, key == "require-dev")
		all = append(all, asks...)
		return err
	})
	return len(all) > 0, all, err
}
