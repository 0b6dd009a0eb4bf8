package git

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"verdict"
)

// MaxFile is the largest file that ReadFile gives, in bytes.
const MaxFile = 16 << 20

// Signature is who did something to a commit, and when they say they did.
type Signature struct {
	Name  string
	Email string
	At    time.Time // UTC, seconds; zero when the commit does not say
}

// Commit is one commit's own words. Nothing of it is verified.
type Commit struct {
	ID        verdict.Digest // gitCommit:…
	Tree      verdict.Digest // gitTree:…
	Parents   []verdict.Digest
	Author    Signature
	Committer Signature
	Message   string // valid UTF-8; up to 64 KiB
}

// Head is the commit that the working tree stands on. Before the first commit the
// error holds ErrUnborn.
func (r *Repo) Head(ctx context.Context) (Commit, error) {
	o, err := r.object(ctx, "HEAD", "commit")
	if err == nil && o.missing {
		if id, err := r.resolves(ctx, "HEAD"); err != nil || id != "" {
			return Commit{}, r.absent("the commit of HEAD", err)
		}
		return Commit{}, &verdict.Error{
			Code: verdict.CodeNotFound, What: "nothing is committed in " + quote(r.Root),
			Remedy: "commit first: git add . && git commit", Err: ErrUnborn,
		}
	}
	if err != nil {
		return Commit{}, err
	}
	return parseCommit(o.id, o.data)
}

// resolves gives the id that a name stands for, whether or not the object is there.
func (r *Repo) resolves(ctx context.Context, name string) (string, error) {
	ended := 0
	out, err := r.git.run(ctx, r.Root, call{args: []string{"rev-parse", "-q", "--verify", name}, ok1: true, ended: &ended})
	return strings.TrimSpace(string(out)), err
}

// Commit reads the commit that rev names: an id, a branch, a tag, HEAD~2. The error
// holds ErrNotFound when there is none.
func (r *Repo) Commit(ctx context.Context, rev string) (Commit, error) {
	if err := checkRevision(rev); err != nil {
		return Commit{}, err
	}
	o, err := r.object(ctx, rev+"^{commit}", "commit")
	if err != nil {
		return Commit{}, err
	}
	if o.missing {
		return Commit{}, r.noRevision(rev)
	}
	return parseCommit(o.id, o.data)
}

// Tree is the id of the tree that rev names, as gitTree:….
func (r *Repo) Tree(ctx context.Context, rev string) (verdict.Digest, error) {
	c, err := r.Commit(ctx, rev)
	return c.Tree, err
}

// ReadFile gives the file at name, slash-separated and relative to Root, as rev has it.
// The error holds ErrNotFound only when the tree of rev lists no such path: a revision
// or a content that this clone does not hold is CodeUnavailable, a folder, a link or a
// submodule CodeInvalid, and a file above MaxFile CodeLimit.
func (r *Repo) ReadFile(ctx context.Context, rev, name string) ([]byte, error) {
	if err := checkRevision(rev); err != nil {
		return nil, err
	}
	if err := checkPath(name); err != nil {
		return nil, err
	}
	e, err := r.entry(ctx, rev, name)
	if err != nil {
		return nil, err
	}
	o, err := r.object(ctx, e.ID, "blob")
	if err != nil {
		return nil, err
	}
	if o.missing {
		return nil, r.absent("the content of "+quote(name)+" in "+rev, nil)
	}
	return o.data, nil
}

// Blob gives the content of a blob by its object id, as Entries lists it. One that this
// clone does not hold is CodeUnavailable, and one above MaxFile CodeLimit.
func (r *Repo) Blob(ctx context.Context, id string) ([]byte, error) {
	o, err := r.object(ctx, id, "blob")
	if err != nil {
		return nil, err
	}
	if o.missing {
		return nil, r.absent("the content "+quote(id), nil)
	}
	return o.data, nil
}

// entry looks a path up in the tree of rev. Only a path that the tree does not list is
// ErrNotFound: whoever takes that for "was not there" must not be told it of a revision
// or an object that is absent here, nor of something that is no file.
func (r *Repo) entry(ctx context.Context, rev, name string) (Entry, error) {
	commit, err := r.first(ctx, []string{rev})
	if err != nil {
		return Entry{}, err
	}
	if commit.name == "" {
		return Entry{}, r.absent("the commit "+quote(rev), nil)
	}
	said := ""
	out, err := r.git.run(ctx, r.Root, call{args: []string{"ls-tree", "-z", "--full-tree", commit.id, "--", name}, warned: &said})
	if err != nil || strings.Contains("\n"+said, "\nerror: ") { // hints are no failure
		return Entry{}, r.absent("the tree that would list "+quote(name)+" in "+rev, err)
	}
	entries, err := parseTree(out)
	if err != nil {
		return Entry{}, err
	}
	for _, e := range entries {
		switch {
		case e.Path != name:
		case e.Mode == ModeFile || e.Mode == ModeProgram || e.Mode == "100664": // as old versions wrote it
			return e, nil
		default:
			return Entry{}, &verdict.Error{
				Code: verdict.CodeInvalid, What: quote(name) + " in " + rev + " is no regular file, but " + kindOf(e.Mode),
				Remedy: "commit a regular file in its place, or take it out: git rm -r -- " + shellQuote(name),
			}
		}
	}
	return Entry{}, &verdict.Error{
		Code: verdict.CodeNotFound, What: "there is no file " + quote(name) + " in " + rev,
		Remedy: "list what is there: git ls-tree -r --name-only " + rev, Err: ErrNotFound,
	}
}

func kindOf(mode string) string {
	switch mode {
	case ModeLink:
		return "a symbolic link"
	case ModeSubmodule:
		return "a submodule"
	}
	return "a folder"
}

// absent is the error for something that may well exist and that this clone does not hold.
func (r *Repo) absent(what string, err error) error {
	remedy := "fetch what is missing: git fetch --refetch, or clone again without --filter; then check with git fsck"
	if r.Shallow {
		remedy = "this clone is shallow: git fetch --unshallow"
	}
	return &verdict.Error{Code: verdict.CodeUnavailable, What: "this clone does not hold " + what, Remedy: remedy, Err: err}
}

func (r *Repo) noRevision(rev string) error {
	remedy := "list the branches with git branch --all, and the commits with git log --oneline"
	if r.Shallow {
		remedy = "this clone is shallow: git fetch --unshallow"
	}
	return &verdict.Error{Code: verdict.CodeNotFound, What: "the repository has no commit " + quote(rev), Remedy: remedy, Err: ErrNotFound}
}

// object is what cat-file says about one name.
type object struct {
	id, kind string
	data     []byte
	missing  bool
}

// object reads one object. A name that is there but is no kind is missing.
func (r *Repo) object(ctx context.Context, name, kind string) (object, error) {
	out, err := r.git.run(ctx, r.Root, call{args: []string{"cat-file", "--batch"}, stdin: name + "\n", limit: MaxFile + 256})
	if err != nil {
		return object{}, err
	}
	head, data, _ := bytes.Cut(out, []byte("\n"))
	f := strings.Fields(string(head))
	if bytes.HasSuffix(head, []byte(" missing")) || bytes.HasSuffix(head, []byte(" ambiguous")) || len(f) != 3 || f[1] != kind {
		return object{missing: true}, nil
	}
	size, err := strconv.Atoi(f[2])
	if err != nil || size < 0 || size > len(data) {
		return object{}, unreadable(r.Root, "object "+quote(string(head)))
	}
	return object{id: f[0], kind: f[1], data: data[:size]}, nil
}

// checkPath refuses what is no path below Root.
func checkPath(name string) error {
	if name == "" || path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\n\x00") {
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: quote(name) + " is not a path inside a repository",
			Remedy: "give a path relative to the repository's top, with slashes and without . or ..",
		}
	}
	return nil
}

// checkRevision refuses what git could take for an option, a range, a search or a path.
func checkRevision(rev string) error {
	bad := func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`:?*[\`, c) }
	if rev == "" || rev[0] == '-' || rev[0] == '^' || len(rev) > 512 || strings.Contains(rev, "..") || strings.Contains(rev, "^{/") ||
		strings.Contains(rev, "@{") || strings.ContainsFunc(rev, bad) {
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: quote(rev) + " does not name one revision",
			Remedy: "give a commit id, a branch, a tag, or one of them with ~N; a name cannot start with - or hold .. : or spaces",
		}
	}
	return nil
}

const maxMessage = 64 << 10

// parseCommit reads a commit object: header lines, an empty line, the message.
func parseCommit(id string, data []byte) (Commit, error) {
	head, message, _ := strings.Cut(string(data), "\n\n")
	if len(message) > maxMessage {
		message = message[:maxMessage]
	}
	c := Commit{ID: verdict.NewDigest("gitCommit", id), Message: strings.ToValidUTF8(message, "\uFFFD"), Parents: []verdict.Digest{}}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ") // continuation lines have an empty key
		switch key {
		case "tree":
			c.Tree = verdict.NewDigest("gitTree", value)
		case "parent":
			c.Parents = append(c.Parents, verdict.NewDigest("gitCommit", value))
		case "author":
			c.Author = parseSignature(value)
		case "committer":
			c.Committer = parseSignature(value)
		}
	}
	for _, d := range append([]verdict.Digest{c.ID, c.Tree}, c.Parents...) {
		if _, err := verdict.ParseDigest(string(d)); err != nil {
			return Commit{}, fmt.Errorf("commit %s: %w", id, err)
		}
	}
	return c, nil
}

// parseSignature reads "Name <mail> seconds zone". Each part may be missing or odd.
func parseSignature(s string) Signature {
	s = strings.ToValidUTF8(s, "\uFFFD")
	name, rest, found := strings.Cut(s, "<")
	end := strings.LastIndex(rest, ">")
	if !found || end < 0 {
		return Signature{Name: strings.TrimSpace(s)}
	}
	out := Signature{Name: strings.TrimSpace(name), Email: strings.TrimSpace(rest[:end])}
	seconds, _, _ := strings.Cut(strings.TrimSpace(rest[end+1:]), " ")
	// Beyond the year 9999 a time cannot be written as RFC 3339.
	if n, err := strconv.ParseInt(seconds, 10, 64); err == nil && n > 0 && n < 253402300800 {
		out.At = time.Unix(n, 0).UTC()
	}
	return out
}
