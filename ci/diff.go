package ci

import (
	"context"
	"io/fs"
	"path"
	"slices"

	"verdict/git"
)

// differing lists what a quick answer reads: the paths in which the tree differs from the
// base, and beside and above each file that names components the others that do. A
// lockfile and its manifest, or a pom and its parent, mean little without each other.
func differing(ctx context.Context, repo *git.Repo, dir, base string) ([]string, error) {
	paths, err := repo.Differs(ctx, base)
	if err != nil {
		return nil, err
	}
	top, err := openTop(dir)
	if err != nil {
		return nil, err
	}
	defer top.close()
	names := NewVulnerabilities(nil, "")
	looked, modules, charts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range slices.Clone(paths) {
		paths = append(paths, beside(top, p, modules)...)
		paths = append(paths, chartsAbove(top, p, charts)...)
		if !names.Wants(File{Path: p}) {
			continue
		}
		for at := path.Dir(p); !looked[at]; at = path.Dir(at) {
			looked[at] = true
			paths = append(paths, top.wanted(at, names)...)
		}
	}
	slices.Sort(paths)
	if paths = slices.Compact(paths); paths == nil {
		paths = []string{} // nothing differs, which is not everything
	}
	return paths, nil
}

// withAbove adds to the paths of a scope the files in the folders above that name
// components: a workspace locks in one file what all its parts need.
func withAbove(dir string, scope []string) ([]string, error) {
	top, err := openTop(dir)
	if err != nil {
		return nil, err
	}
	defer top.close()
	names := NewVulnerabilities(nil, "")
	out := slices.Clone(scope)
	for _, p := range scope {
		for at := path.Dir(p); p != "."; at = path.Dir(at) {
			out = append(out, top.wanted(at, names)...)
			if at == "." {
				break
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// wanted lists the files of a folder that a reader wants. What cannot be listed has none:
// the walk tells of the path that led there.
func (d *folder) wanted(dir string, r Reader) []string {
	at, err := d.walkTo(dir)
	if err != nil {
		return nil
	}
	defer at.close()
	var out []string
	_ = at.names(func(e fs.DirEntry) error {
		if p := path.Join(dir, e.Name()); e.Type().IsRegular() && r.Wants(File{Path: p}) {
			out = append(out, p)
		}
		return nil
	})
	return out
}
