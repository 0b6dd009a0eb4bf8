package git

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"verdict"
)

// ReadFolder gives the regular files below the folder at name, slash-separated and
// relative to Root, as rev has them: by their path inside the folder, those that keep
// chooses. The error holds ErrNotFound only when the tree of rev lists no such path; a
// link or a submodule that keep chooses is CodeInvalid, and more than limit bytes are
// CodeLimit.
func (r *Repo) ReadFolder(ctx context.Context, rev, name string, limit int64, keep func(path string) bool) (map[string][]byte, error) {
	if err := checkRevision(rev); err != nil {
		return nil, err
	}
	if err := checkPath(name); err != nil {
		return nil, err
	}
	listed, err := r.below(ctx, rev, name)
	if err != nil {
		return nil, err
	}
	var paths, ids []string
	for _, e := range listed {
		path, ok := strings.CutPrefix(e.Path, name+"/")
		if !ok || !keep(path) {
			continue
		}
		if e.Mode == ModeLink || e.Mode == ModeSubmodule {
			return nil, &verdict.Error{
				Code: verdict.CodeInvalid, What: quote(e.Path) + " in " + rev + " is no regular file, but " + kindOf(e.Mode),
				Remedy: "commit a regular file in its place, or take it out: git rm -r -- " + shellQuote(e.Path),
			}
		}
		paths, ids = append(paths, path), append(ids, e.ID)
	}
	contents, err := r.blobs(ctx, ids, limit)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for i, path := range paths {
		if contents[i].missing {
			return nil, r.absent("the content of "+quote(name+"/"+path)+" in "+rev, nil)
		}
		out[path] = contents[i].data
	}
	return out, nil
}

// below lists what the tree of rev has under a folder.
func (r *Repo) below(ctx context.Context, rev, name string) ([]Entry, error) {
	commit, err := r.first(ctx, []string{rev})
	if err != nil {
		return nil, err
	}
	if commit.name == "" {
		return nil, r.absent("the commit "+quote(rev), nil)
	}
	said := ""
	out, err := r.git.run(ctx, r.Root, call{args: []string{"ls-tree", "-r", "-z", "--full-tree", commit.id, "--", name + "/"}, warned: &said})
	if err != nil || strings.Contains("\n"+said, "\nerror: ") {
		return nil, r.absent("the tree that would list "+quote(name)+" in "+rev, err)
	}
	entries, err := parseTree(out)
	if err != nil || len(entries) > 0 {
		return entries, err
	}
	if _, err := r.entry(ctx, rev, name); err != nil { // not there, or a link
		return nil, err
	}
	return nil, &verdict.Error{Code: verdict.CodeInvalid, What: quote(name) + " in " + rev + " is a file and no folder", Remedy: "name the folder that it is in"}
}

// blobs reads the contents of objects, in their order.
func (r *Repo) blobs(ctx context.Context, ids []string, limit int64) ([]object, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	const heading = 128 // bytes of an id, a kind and a size, and then some
	out, err := r.git.run(ctx, r.Root, call{args: []string{"cat-file", "--batch"}, stdin: strings.Join(ids, "\n") + "\n", limit: limit + int64(len(ids))*heading})
	if err != nil {
		return nil, fmt.Errorf("read %d objects: %w", len(ids), err)
	}
	objects := make([]object, 0, len(ids))
	for range ids {
		head, rest, _ := bytes.Cut(out, []byte("\n"))
		f := strings.Fields(string(head))
		if len(f) == 2 && f[1] == "missing" {
			objects, out = append(objects, object{missing: true}), rest
			continue
		}
		size := -1
		if len(f) == 3 && f[1] == "blob" {
			size, err = strconv.Atoi(f[2])
		}
		if err != nil || size < 0 || size >= len(rest) {
			return nil, unreadable(r.Root, "object "+quote(string(head)))
		}
		objects, out = append(objects, object{id: f[0], kind: f[1], data: rest[:size]}), rest[size+1:]
	}
	return objects, nil
}
