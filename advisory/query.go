package advisory

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/semantic"

	"verdict"
)

// Package names a package as advisories do: the name is folded where its registry folds.
type Package struct {
	Ecosystem, Name string
}

// PackageOf is the name under which advisories know a package.
func PackageOf(ecosystem, name string) Package {
	return Package{ecosystem, normalName(ecosystem, name)}
}

func packageOfKey(key string) Package {
	ecosystem, name, _ := strings.Cut(key, "\x00")
	return Package{ecosystem, name}
}

// Compare orders two versions of a package as its ecosystem does. ErrVersion says that
// one of them has no place in that order, ErrUnordered that there is none.
func Compare(ecosystem, name, a, b string) (int, error) {
	o := orderOf(ecosystem, name)
	x, err := o.parse(a)
	if err != nil {
		return 0, unordered(ecosystem, err)
	}
	y, err := o.parse(b)
	if err != nil {
		return 0, unordered(ecosystem, err)
	}
	return x.Compare(y)
}

// ErrUnordered says that nobody here knows the order of versions of an ecosystem.
var ErrUnordered = errors.New("the order of its versions is not known")

func unordered(ecosystem string, err error) error {
	if errors.Is(err, semantic.ErrUnsupportedEcosystem) {
		return fmt.Errorf("%s: %w", ecosystem, ErrUnordered)
	}
	return err
}

// Folds reports whether package URLs of an ecosystem keep spellings apart that its
// registry takes for one name.
func Folds(ecosystem string) bool {
	switch baseOf(ecosystem) {
	case "NuGet", "crates.io", "SwiftURL", "Hex", "Pub", "Packagist", "GitHub Actions", "PyPI":
		return true
	}
	return false
}

// Named are the advisories that are one fault with an id, over any number of aliases, and
// the packages that they are about.
type Named struct {
	IDs []string // sorted, with the one that was asked for
	// Within are advisories of distributions that are about this fault, often among others.
	Within   []string // sorted
	Packages []Package
}

// All are the ids of Named, and those that it is within.
func (n Named) All() []string { return slices.Concat(n.IDs, n.Within) }

// maxAliasSteps bounds how far aliases are followed; two are the most that happens.
const maxAliasSteps = 8

// Find looks an advisory up by its id or by an alias of it. With no packages, no advisory
// of that name is known.
func (x *Index) Find(id string) (Named, error) {
	ids := map[string]bool{id: true}
	within := map[string]bool{}
	packages := map[Package]bool{}
	err := x.guard(func() error {
		for range maxAliasSteps {
			before := len(ids)
			if err := x.mention(ids, within, packages); err != nil {
				return err
			}
			if len(ids) == before {
				break
			}
		}
		return nil
	})
	n := Named{IDs: slices.Sorted(maps.Keys(ids)), Within: slices.Sorted(maps.Keys(within)), Packages: slices.Collect(maps.Keys(packages))}
	slices.SortFunc(n.Packages, func(a, b Package) int { return strings.Compare(a.Ecosystem+"\x00"+a.Name, b.Ecosystem+"\x00"+b.Name) })
	return n, err
}

// mention adds the packages of postings that have one of the ids, and the ids that those
// have beside it. A block is read only where its bytes hold one of them.
func (x *Index) mention(ids, within map[string]bool, packages map[Package]bool) error {
	known := slices.Collect(maps.Keys(ids))
	blocks := x.section(secBlocks)
	for i := range len(x.table) / rowSize {
		r := rowAt(x.table, i)
		if uint64(r.off)+uint64(r.length) > uint64(len(blocks)) {
			return x.damaged("a package lies outside of it", nil)
		}
		raw := blocks[r.off : r.off+r.length]
		if !slices.ContainsFunc(known, func(id string) bool { return bytes.Contains(raw, []byte(id)) }) {
			continue
		}
		key, list, err := x.block(r)
		if err != nil {
			return err
		}
		for _, p := range current(list) {
			names := append([]string{p.id}, p.aliases...)
			isKnown := func(n string) bool { return slices.Contains(known, n) }
			if !slices.ContainsFunc(names, isKnown) {
				if slices.ContainsFunc(p.upstream, isKnown) {
					packages[packageOfKey(key)], within[p.id] = true, true
				}
				continue
			}
			packages[packageOfKey(key)] = true
			for _, n := range names {
				ids[n] = true
			}
		}
	}
	return nil
}

// Changed lists the packages of which the index after says something else than the index
// before, which may be nil: by what advisories say, and by whether one is exploited. It
// reads those blocks alone that differ.
func Changed(before, after *Index) ([]Package, error) {
	changed := map[Package]bool{}
	err := after.guard(func() error {
		if before == nil {
			return after.eachKey(func(key string, _ []posting) { changed[packageOfKey(key)] = true })
		}
		return before.guard(func() error { return difference(before, after, changed) })
	})
	if err != nil {
		return nil, err
	}
	out := slices.Collect(maps.Keys(changed))
	slices.SortFunc(out, func(a, b Package) int { return strings.Compare(a.Ecosystem+"\x00"+a.Name, b.Ecosystem+"\x00"+b.Name) })
	return out, nil
}

func (x *Index) eachKey(each func(key string, list []posting)) error {
	for i := range len(x.table) / rowSize {
		key, list, err := x.block(rowAt(x.table, i))
		if err != nil {
			return err
		}
		each(key, list)
	}
	return nil
}

// difference compares the rows of two tables, which are sorted by hash.
func difference(a, b *Index, changed map[Package]bool) error {
	n, m := len(a.table)/rowSize, len(b.table)/rowSize
	for i, j := 0, 0; i < n || j < m; {
		var old, now []row
		hash := uint64(0)
		switch {
		case j == m || i < n && rowAt(a.table, i).hash < rowAt(b.table, j).hash:
			hash = rowAt(a.table, i).hash
		default:
			hash = rowAt(b.table, j).hash
		}
		for ; i < n && rowAt(a.table, i).hash == hash; i++ {
			old = append(old, rowAt(a.table, i))
		}
		for ; j < m && rowAt(b.table, j).hash == hash; j++ {
			now = append(now, rowAt(b.table, j))
		}
		if sameRows(old, now) {
			continue
		}
		was, err := a.said(old)
		if err != nil {
			return err
		}
		is, err := b.said(now)
		if err != nil {
			return err
		}
		for key := range is {
			if is[key] != was[key] {
				changed[packageOfKey(key)] = true
			}
		}
		for key := range was {
			if _, still := is[key]; !still {
				changed[packageOfKey(key)] = true
			}
		}
	}
	return exploitedDifference(a, b, changed)
}

func sameRows(a, b []row) bool {
	return slices.EqualFunc(a, b, func(x, y row) bool { return x.crc == y.crc && x.length == y.length })
}

// said is what rows say of each package, whatever source says it.
func (x *Index) said(rows []row) (map[string]string, error) {
	out := map[string]string{}
	for _, r := range rows {
		key, list, err := x.block(r)
		if err != nil {
			return nil, err
		}
		var parts []string
		for _, p := range current(list) {
			p.source = 0
			parts = append(parts, string(p.encode(nil)))
		}
		slices.Sort(parts)
		out[key] += strings.Join(slices.Compact(parts), "\x00")
	}
	return out, nil
}

// exploitedDifference adds the packages with a vulnerability that one index calls
// exploited and the other does not.
func exploitedDifference(a, b *Index, changed map[Package]bool) error {
	if bytes.Equal(a.kev, b.kev) && a.KnowsExploited() == b.KnowsExploited() {
		return nil
	}
	return b.eachKey(func(key string, list []posting) {
		for _, p := range list {
			for _, id := range slices.Concat([]string{p.id}, p.aliases, p.upstream) {
				if n, ok := numberOfCVE(id); ok && a.exploited(n) != b.exploited(n) {
					changed[packageOfKey(key)] = true
				}
			}
		}
	})
}

// Names reports whether a vulnerability is one of these ids.
func Names(v verdict.Vulnerability, ids []string) bool {
	return slices.ContainsFunc(append([]string{v.ID}, v.Aliases...), func(id string) bool { return slices.Contains(ids, id) })
}
