// Package git reads repositories through the git program: what is committed, what is
// changed, what a change is measured against.
//
// A repository is foreign input. Its configuration may name programs (filters, hooks,
// a file system monitor), its refs may be written to confuse (replacements, grafts) and
// its objects may live on a server. None of that takes part here: only commands that
// read stored objects and the index are run, every key that names a program is
// overridden on the command line, and the network is closed. What the user and the
// machine configured (safe.directory, ignore files) counts as it does for git itself.
package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"verdict"
)

// ErrNotRepository is in the chain of Open's error when the folder is in no repository.
var ErrNotRepository = errors.New("not a git repository")

// ErrUnborn is in the chain of Head's error when nothing was committed yet.
var ErrUnborn = errors.New("no commit yet")

// ErrNotFound is in the chain when a revision, or a file in a revision, does not exist.
var ErrNotFound = errors.New("not found in the repository")

// Repo is one repository, seen from one folder of its working tree. It holds no open
// files and is safe for concurrent use.
type Repo struct {
	// Dir is the folder that was opened: absolute, links resolved.
	Dir string
	// Root is the top of the working tree, or the repository itself when Bare.
	Root string
	// Prefix is Dir relative to Root with slashes: "" at the top, else "a/b".
	Prefix string
	// Bare is true for a repository that says it has no working tree (core.bare).
	Bare bool
	// Shallow is true when older history was not fetched: then a question about
	// history that finds nothing is unanswered, not answered with no.
	Shallow bool
	// SHA256 is true when object ids are SHA-256, not SHA-1.
	SHA256 bool
	// Submodule is true when the working tree belongs to another repository.
	Submodule bool

	git     program
	answers *answers // shared by all views of the repository
}

// Open finds the repository that path is in. Outside of one the error holds
// ErrNotRepository; every error is a *verdict.Error.
func Open(ctx context.Context, path string) (*Repo, error) {
	dir, err := resolve(path)
	if err != nil {
		return nil, err
	}
	git, err := find()
	if err != nil {
		return nil, err
	}
	r := &Repo{Dir: dir, git: git, answers: &answers{known: map[string][]byte{}}}
	var beside sync.WaitGroup // a process costs more than what it answers
	defer beside.Wait()
	apart := make(chan error, 1)
	beside.Go(func() { apart <- r.outside(ctx) })
	// One call answers everything else. The prefix is the only answer that may hold a
	// newline, so it comes last; a git directory may hold one too.
	out, err := git.run(ctx, dir, call{args: []string{
		"rev-parse", "--is-bare-repository", "--is-inside-work-tree", "--is-shallow-repository",
		"--show-object-format", "--show-superproject-working-tree", "--show-prefix",
	}})
	if err != nil {
		return nil, err
	}
	if err := <-apart; err != nil {
		return nil, err
	}
	return r, r.read(string(out))
}

// outside refuses a folder that is a git directory or lies in one. Any change can commit
// a folder with HEAD, config, objects/ and refs/; git before 2.38 takes it for a
// repository of its own, whose index and excludes say what there is to read.
func (r *Repo) outside(ctx context.Context) error {
	out, err := r.git.run(ctx, r.Dir, call{args: []string{"rev-parse", "--absolute-git-dir"}})
	if err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(filepath.FromSlash(strings.TrimSuffix(string(out), "\n")))
	if err != nil {
		return unreadable(r.Dir, "its git directory "+quote(string(out))+" cannot be found")
	}
	if r.Dir == dir || strings.HasPrefix(r.Dir, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator)) {
		return inGitDirectory(r.Dir, nil)
	}
	return nil
}

// inGitDirectory is the error for a folder that is a git directory or lies in one.
func inGitDirectory(dir string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: quote(dir) + " is a git directory, or lies in one: it is no working tree, and what it says of itself is not believed",
		Remedy: "give the folder that holds the files, not its .git folder; for a bare repository: git --git-dir=" + shellQuote(dir) +
			" worktree add ../tree; when the folder is part of another repository, run it at that one's top, and remove HEAD, objects and refs from the folder", Err: err,
	}
}

// read takes the answers of rev-parse. The superproject's path is printed only inside
// a submodule, and the prefix may hold newlines, so the tail is taken from its ends.
func (r *Repo) read(out string) error {
	f := strings.SplitN(strings.TrimSuffix(out, "\n"), "\n", 5)
	if len(f) < 4 {
		return unreadable(r.Dir, "rev-parse gave "+quote(out))
	}
	r.Bare, r.Shallow, r.SHA256 = f[0] == "true", f[2] == "true", f[3] == "sha256"
	if r.Bare {
		r.Root = r.Dir
		return nil
	}
	if f[1] != "true" {
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: r.Dir + " is not in the repository's working tree",
			Remedy: "give the folder that holds the files, not its .git folder; or look at core.worktree in .git/config",
		}
	}
	var tail string
	if len(f) == 5 {
		tail = f[4]
	}
	return r.place(tail)
}

// place sets Prefix and Root from what follows the fixed answers: the prefix, behind
// the superproject's path if there is one.
func (r *Repo) place(tail string) error {
	if strings.HasPrefix(tail, "/") {
		r.Submodule = true
		_, tail, _ = strings.Cut(tail, "\n")
	}
	r.Prefix = strings.TrimSuffix(tail, "/")
	root := r.Dir
	if r.Prefix != "" {
		var inside bool
		root, inside = strings.CutSuffix(filepath.ToSlash(r.Dir), "/"+r.Prefix)
		if !inside {
			return &verdict.Error{
				Code: verdict.CodeInvalid, What: "the repository of " + r.Dir + " says that its working tree is elsewhere",
				Remedy: "look at core.worktree: git -C " + quote(r.Dir) + " config --get core.worktree",
			}
		}
	}
	r.Root = filepath.FromSlash(root)
	return nil
}

// resolve makes path absolute and free of links, and insists on a folder.
func resolve(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", &verdict.Error{
			Code: verdict.CodeNotFound, What: "there is no folder " + quote(path),
			Remedy: "give the path of a folder that exists and that you may read", Err: err,
		}
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return "", &verdict.Error{
			Code: verdict.CodeInvalid, What: quote(path) + " is not a folder",
			Remedy: "give the folder that holds the files", Err: err,
		}
	}
	return abs, nil
}
