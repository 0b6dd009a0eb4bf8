package git

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"verdict"
)

// Top is the same repository seen from its root.
func (r *Repo) Top() *Repo {
	top := *r
	top.Dir, top.Prefix = top.Root, ""
	return &top
}

// Object is one stored object as its id names it.
type Object struct {
	ID, Kind string // hex; commit, tree, blob or tag
	// Data is nil when Missing, or when it is larger than the limit that was given.
	Data    []byte
	Size    int64
	Missing bool // this clone does not hold it
}

// Objects reads stored objects by their hex ids, in their order, with two runs of git. The
// data of one above limit bytes is left out, and of all together as much is taken as of
// any answer. In a partial clone git ends at the first object that was not fetched: then
// the error has CodeUnavailable.
func (r *Repo) Objects(ctx context.Context, ids []string, limit int64) ([]Object, error) {
	known, err := r.sizes(ctx, ids)
	if err != nil {
		return nil, err
	}
	var ask strings.Builder
	for _, o := range known {
		if !o.Missing && o.Size <= limit {
			ask.WriteString(o.ID + "\n")
		}
	}
	if ask.Len() == 0 {
		return known, nil
	}
	out, err := r.git.run(ctx, r.Root, call{args: []string{"cat-file", "--batch"}, stdin: ask.String()})
	if err != nil {
		return nil, err
	}
	for i := range known {
		o := &known[i]
		if o.Missing || o.Size > limit {
			continue
		}
		head, rest, _ := bytes.Cut(out, []byte("\n"))
		if string(head) != fmt.Sprintf("%s %s %d", o.ID, o.Kind, o.Size) || int64(len(rest)) <= o.Size {
			return nil, unreadable(r.Root, "cat-file gave "+quote(string(head)))
		}
		o.Data, out = rest[:o.Size:o.Size], rest[o.Size+1:]
	}
	return known, nil
}

// sizes says of each id what it is, and how large.
func (r *Repo) sizes(ctx context.Context, ids []string) ([]Object, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	for _, id := range ids {
		if _, err := verdict.ParseDigest("gitCommit:" + id); err != nil {
			return nil, &verdict.Error{Code: verdict.CodeInvalid, What: quote(id) + " is no id of an object", Remedy: "give the full id in hex: git rev-parse NAME", Err: err}
		}
	}
	out, err := r.git.run(ctx, r.Root, call{args: []string{"cat-file", "--batch-check"}, stdin: strings.Join(ids, "\n") + "\n"})
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(ids) {
		return nil, unreadable(r.Root, "cat-file gave "+quote(string(out)))
	}
	all := make([]Object, len(ids))
	for i, line := range lines {
		f := strings.Fields(line)
		if len(f) != 3 {
			all[i] = Object{ID: ids[i], Missing: true}
			continue
		}
		size, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil || f[0] != ids[i] {
			return nil, unreadable(r.Root, "cat-file gave "+quote(line))
		}
		all[i] = Object{ID: f[0], Kind: f[1], Size: size}
	}
	return all, nil
}

// Between lists the ids of the commits that head reaches and base does not, newest first,
// at most limit+1 of them. An empty base is none. In a shallow clone the list may lack
// commits: a parent that is in neither and not held is one of those.
func (r *Repo) Between(ctx context.Context, base, head string, limit int) ([]string, error) {
	args := []string{"rev-list", "--topo-order", "--max-count=" + strconv.Itoa(limit+1)}
	for i, rev := range []string{head, base} {
		if rev == "" && i == 1 {
			continue
		}
		if err := checkRevision(rev); err != nil {
			return nil, err
		}
		if i == 1 {
			rev = "^" + rev
		}
		args = append(args, rev)
	}
	out, err := r.git.run(ctx, r.Root, call{config: honest, args: append(args, "--")})
	return strings.Fields(string(out)), err
}

// Lines counts the lines of text that were added and removed between two revisions; a
// binary file has none. An empty from is the tree without files.
func (r *Repo) Lines(ctx context.Context, from, to string) (added, removed int64, err error) {
	if from == "" {
		from = r.emptyTree()
	}
	for _, rev := range []string{from, to} {
		if err := checkRevision(rev); err != nil {
			return 0, 0, err
		}
	}
	out, err := r.git.run(ctx, r.Root, call{args: []string{
		"diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv", "--end-of-options", from, to, "--",
	}})
	if err != nil {
		return 0, 0, err
	}
	for _, line := range fields(out) {
		f := strings.SplitN(line, "\t", 3)
		if len(f) != 3 {
			return 0, 0, unreadable(r.Root, "diff-tree gave "+quote(line))
		}
		for i, sum := range []*int64{&added, &removed} {
			if f[i] == "-" {
				continue
			}
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				return 0, 0, unreadable(r.Root, "diff-tree gave "+quote(line))
			}
			*sum += n
		}
	}
	return added, removed, nil
}

// emptyTree is the id of the tree without files, which git knows in every repository.
func (r *Repo) emptyTree() string {
	if r.SHA256 {
		return "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
	}
	return "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
}

// ParseCommit reads the bytes of a commit object with the given hex id.
func ParseCommit(id string, data []byte) (Commit, error) { return parseCommit(id, data) }
