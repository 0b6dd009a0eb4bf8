package ci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"verdict/git"
)

// list gives every path to read.
func (w *walk) list(ctx context.Context) ([]item, error) {
	items, err := w.everything(ctx)
	if err == nil && len(w.Within) > 0 {
		items = slices.DeleteFunc(items, func(it item) bool { return !inScope(it.path, w.Within) })
		w.skipped = slices.DeleteFunc(w.skipped, func(s Skip) bool { return !inScope(s.File.Path, w.Within) })
	}
	return items, err
}

// inScope reports whether a path is one of a scope's or lies below one.
func inScope(p string, scope []string) bool {
	return slices.ContainsFunc(scope, func(s string) bool {
		return s == "." || p == s || len(p) > len(s) && p[len(s)] == '/' && strings.HasPrefix(p, s)
	})
}

// everything gives the paths without regard to the scope.
func (w *walk) everything(ctx context.Context) ([]item, error) {
	if w.Only != nil {
		items := make([]item, len(w.Only))
		for i, p := range w.Only {
			items[i].path = p
		}
		return items, nil
	}
	if w.Repo != nil {
		return w.listed(ctx)
	}
	var items []item
	err := w.found(ctx, w.top, "", 0, &items)
	return items, err
}

// listed is what git sees.
func (w *walk) listed(ctx context.Context) ([]item, error) {
	entries, err := w.Repo.Files(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]item, 0, len(entries))
	for _, e := range entries {
		if e.Mode == "" && slices.Contains(w.Written, e.Path) {
			continue
		}
		it := item{path: strings.TrimSuffix(e.Path, "/"), mode: e.Mode, id: e.ID}
		it.folder = e.Unlisted || e.Mode == git.ModeSubmodule || it.path != e.Path
		switch {
		case e.Unlisted:
			it.gone, it.blocks = "the folder cannot be listed", true
		case e.Mode == git.ModeSubmodule:
			it.gone = "it is a submodule, a repository of its own: run verdict ci in it"
		case it.path != e.Path:
			it.gone = "it is another repository inside this one, and not part of it: run verdict ci in it"
		case e.Skipped:
			it.gone, it.blocks = "a sparse checkout leaves it out: git sparse-checkout disable", true
			// A file that is there after all is read.
			if _, err := w.top.root.Lstat(it.path); err == nil {
				it.gone = ""
			}
		}
		items = append(items, it)
	}
	return items, nil
}

// found lists a plain folder. What cannot be listed is told and blocks.
func (w *walk) found(ctx context.Context, d *folder, prefix string, depth int, items *[]item) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("list %q: %w", prefix, err)
	}
	var below []string
	err := d.names(func(e fs.DirEntry) error {
		switch name := prefix + e.Name(); {
		case e.Name() == ".git" && e.IsDir():
			w.skip(Skip{File: File{Path: name}, Folder: true, Reason: "it has the name of git's own folder, and is not read"})
		case e.IsDir():
			below = append(below, e.Name())
		case len(*items) > w.MaxFiles:
			return tooMany(w.top.root.Name(), w.MaxFiles)
		default:
			*items = append(*items, item{path: name})
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if len(*items) > w.MaxFiles {
			return err
		}
		w.skip(Skip{File: File{Path: strings.TrimSuffix(prefix, "/")}, Reason: reason("the folder cannot be listed", err), Blocks: true, Folder: true})
	}
	for _, name := range below {
		path := prefix + name
		if depth >= w.MaxDepth || len(path) > maxPath {
			w.skip(Skip{File: File{Path: path}, Reason: fmt.Sprintf("the folder lies more than %d deep, or its path is too long", w.MaxDepth), Blocks: true, Folder: true})
			continue
		}
		sub, err := d.sub(name)
		if err != nil {
			s := unopened(item{path: path}, err)
			s.Folder = !s.Gone
			w.skip(s)
			continue
		}
		err = w.found(ctx, sub, path+"/", depth+1, items)
		sub.close()
		if err != nil {
			return err
		}
	}
	return nil
}
