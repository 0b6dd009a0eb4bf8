package git

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"verdict"
)

// Merged is the id of the tree that git makes of two revisions which both come from fork;
// clean is false where they contradict each other. It takes git 2.38 or later. The merge
// is made in an empty repository that is thrown away: this one is only read, and neither
// its configuration nor its attributes, which could name programs, have a say.
func (r *Repo) Merged(ctx context.Context, fork, a, b string) (tree string, clean bool, err error) {
	var trees [3]string
	for i, rev := range []string{fork, a, b} {
		d, err := r.Tree(ctx, rev)
		if err != nil {
			return "", false, err
		}
		trees[i] = d.Hex()
	}
	dir, err := r.lent(ctx)
	if dir != "" {
		defer os.RemoveAll(dir)
	}
	if err != nil {
		return "", false, err
	}
	// Commits that stand for the three, so that what git finds as their fork is this one.
	var made [3]string
	for i, t := range trees {
		args := []string{"commit-tree", "-m", "merged", t}
		if i > 0 {
			args = append(args, "-p", made[0])
		}
		out, err := r.git.run(ctx, dir, call{repository: dir, config: []string{"user.name=verdict", "user.email=verdict@localhost"}, args: args})
		if err != nil {
			return "", false, err
		}
		made[i] = strings.TrimSpace(string(out))
	}
	ended := 0
	out, err := r.git.run(ctx, dir, call{
		repository: dir, config: []string{"core.attributesFile=" + os.DevNull, "merge.default="},
		args: []string{"merge-tree", "--write-tree", "--name-only", "--no-messages", made[1], made[2]}, ok1: true, ended: &ended,
	})
	switch {
	case ctx.Err() != nil:
		return "", false, err
	case err != nil:
		return "", false, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "git could not merge two commits of " + quote(r.Root) + " to compare the outcome",
			Remedy: "install git 2.38 or later (git version names the one that is here), and check the repository: git fsck", Err: err,
		}
	}
	return firstLine(string(out)), ended == 0, nil
}

// lent makes an empty repository in a folder of its own, which reads the objects of this
// one and writes beside them. The caller removes the folder, also after an error.
func (r *Repo) lent(ctx context.Context) (dir string, err error) {
	out, err := r.git.run(ctx, r.Root, call{args: []string{"rev-parse", "--git-path", "objects"}})
	if err != nil {
		return "", err
	}
	objects := strings.TrimSuffix(string(out), "\n")
	if !filepath.IsAbs(objects) {
		objects = filepath.Join(r.Root, objects)
	}
	if dir, err = os.MkdirTemp("", "verdict-merge-"); err != nil {
		return "", err
	}
	args := []string{"init", "-q", "--bare", "--template="}
	if r.SHA256 {
		args = append(args, "--object-format=sha256")
	}
	if _, err = r.git.run(ctx, dir, call{args: append(args, dir)}); err != nil {
		return dir, err
	}
	return dir, os.WriteFile(filepath.Join(dir, "objects", "info", "alternates"), []byte(objects+"\n"), 0o600)
}
