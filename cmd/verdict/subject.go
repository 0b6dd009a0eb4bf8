package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"verdict"
	"verdict/artifact"
	"verdict/git"
	"verdict/ledger"
	"verdict/report"
)

// subjects finds out what each --subject stands for. The order in which they are typed
// says nothing, so they are sorted: the same evidence is then recorded once.
func (a *app) subjects(ctx context.Context, refs []string) ([]verdict.Subject, error) {
	var out []verdict.Subject
	for _, ref := range refs {
		s, err := a.subject(ctx, ref)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(o verdict.Subject) bool { return o.Digest == s.Digest }) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b verdict.Subject) int { return cmp.Compare(a.Digest, b.Digest) })
	return out, nil
}

// subject finds out what a reference stands for: an image by digest, a digest, a file
// that exists, or a commit by what git calls it here. Where it could be two of them, it
// is refused: a signature must not rest on a guess.
func (a *app) subject(ctx context.Context, ref string) (verdict.Subject, error) {
	if name, digest, ok := strings.Cut(ref, "@"); ok && strings.Contains(digest, ":") {
		return a.image(name, digest)
	}
	if typedDigest.MatchString(ref) {
		d, err := verdict.ParseDigest(ref)
		if err == nil && d.Algorithm() == "gitCommit" {
			if a.hosted != nil {
				return verdict.Subject{Kind: verdict.SubjectChange, Digest: d}, nil
			}
			if c, err := commitHere(ctx, d.Hex()); err == nil {
				return c, nil
			}
			return verdict.Subject{Kind: verdict.SubjectChange, Digest: d}, nil
		}
		return verdict.Subject{Digest: d}, err
	}
	if sha256Only.MatchString(ref) {
		return verdict.Subject{}, usage(a.help(), "64 hex digits can be a file's sha256 or a commit's id", fmt.Sprintf("write sha256:%s… or gitCommit:%s…", ref[:8], ref[:8]))
	}
	if a.hosted != nil { // what lies in the server's folder is nobody's business
		return verdict.Subject{}, refuseHere(ref)
	}
	path := strings.HasPrefix(ref, ".") || filepath.IsAbs(ref)
	commit, unknown := verdict.Subject{}, error(nil)
	if !path {
		commit, unknown = commitHere(ctx, ref)
	}
	_, err := os.Stat(ref)
	file := !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
	switch {
	case file && !path && unknown == nil:
		return verdict.Subject{}, usage(a.help(), fmt.Sprintf("%q is a file here and a commit too", ref),
			fmt.Sprintf("write ./%s for the file, or %s for the commit", ref, commit.Digest))
	case file || path:
		return a.artifactHere(ctx, ref)
	case unknown == nil:
		return commit, nil
	}
	return verdict.Subject{}, a.unknownSubject(ctx, ref, unknown)
}

// help is where to read about the command that runs.
func (a *app) help() string { return first(a.command, "verdict") + " --help" }

var (
	// typedDigest is algorithm:hex, also of algorithms that are refused.
	typedDigest = regexp.MustCompile(`^(md|sha|blake|git)[a-zA-Z0-9_-]*:[0-9a-fA-F]*$`)
	sha256Only  = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
	// imageName is the name of an image without tag and digest: the host and path that
	// the OCI distribution specification knows.
	imageName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
	// imageTag is a tag behind a name.
	imageTag = regexp.MustCompile(`:[\w][\w.-]{0,127}$`)
)

// image is NAME@sha256:…. A tag in the name is left out: it can be moved, and the
// statement would then name something else.
func (a *app) image(name, digest string) (verdict.Subject, error) {
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	if len(name) > 255 || !imageName.MatchString(name) {
		return verdict.Subject{}, usage(a.help(), fmt.Sprintf("%q is not the name of an image", name), "write it like ghcr.io/acme/payments-api@sha256:…")
	}
	d, err := verdict.ParseDigest(digest)
	if err != nil {
		return verdict.Subject{}, err
	}
	if !strings.HasPrefix(d.Algorithm(), "sha") {
		return verdict.Subject{}, usage(a.help(), fmt.Sprintf("%s is no digest of an image", d.Algorithm()), "give its manifest's digest: "+name+"@sha256:…")
	}
	return verdict.Subject{Kind: verdict.SubjectArtifact, Name: name, Digest: d}, nil
}

// commitHere asks git in the current folder. A full id that git does not know here is
// taken as it is given.
func commitHere(ctx context.Context, ref string) (verdict.Subject, error) {
	s := verdict.Subject{Kind: verdict.SubjectChange}
	repo, err := git.Open(ctx, ".")
	if err == nil {
		var c git.Commit
		if c, err = repo.Commit(ctx, ref); err == nil {
			s.Digest, s.Also = c.ID, []verdict.Digest{c.Tree}
			if s.Name, err = repo.Remote(ctx); s.Name == "" {
				s.Name = filepath.Base(repo.Root)
			}
			return s, err
		}
	}
	if ctx.Err() != nil {
		return s, ctx.Err()
	}
	var bad error
	if s.Digest, bad = verdict.ParseDigest("gitCommit:" + ref); bad == nil {
		return s, nil
	}
	return s, err
}

// unknownSubject says what a reference most likely should have been.
func (a *app) unknownSubject(ctx context.Context, ref string, err error) error {
	first, _, path := strings.Cut(ref, "/")
	host := path && (strings.ContainsAny(first, ".:") || first == "localhost")
	bare := imageTag.ReplaceAllString(ref, "")
	switch {
	case imageName.MatchString(bare) && bare != ref && (host || !path || strings.Contains(ref, ":")):
		return usage(a.help(), fmt.Sprintf("%s names an image by its tag, and a tag can be moved to another image", ref), a.instead(ctx, bare, ref[len(bare)+1:]))
	case imageName.MatchString(ref) && host:
		return usage(a.help(), fmt.Sprintf("there is no file %s; if it is an image, its digest is missing", ref),
			fmt.Sprintf("check the path, or give the image's digest: %s@sha256:…", ref))
	}
	if errors.Is(err, git.ErrNotFound) || errors.Is(err, git.ErrNotRepository) {
		err = nil // said by the sentence below
	}
	return &verdict.Error{
		Code: verdict.CodeNotFound, What: fmt.Sprintf("%q is no file, digest, image or commit that can be told from here", ref),
		Remedy: "give a path, sha256:…, NAME@sha256:… of an image, a full commit id, or run inside the repository that has the commit", Err: err,
	}
}

// instead says what to write in place of a tag: the digest that it was last recorded to name.
func (a *app) instead(ctx context.Context, name, tag string) string {
	if last, known := a.sighted(ctx, name, tag); known {
		return fmt.Sprintf("give the digest; at %s the tag named %s@%s (entry %d)", last.At.UTC().Format("2006-01-02 15:04 UTC"), report.Neutral(name), last.Image.Digest, last.Entry)
	}
	return fmt.Sprintf("give the digest that you mean: %s@sha256:…, as the push printed it or `verdict artifact record %s:%s` does", name, name, tag)
}

// sighted is what a tag was last recorded to name. Where the ledger cannot be asked nothing
// is known: what is wrong with it is for a command to tell that needs it.
func (a *app) sighted(ctx context.Context, name, tag string) (last artifact.Sighting, known bool) {
	r, err := artifact.ParseReference(name + ":" + tag)
	if err != nil {
		return last, false
	}
	w := a.opened
	if w == nil {
		if w, err = a.openExisting(ctx); err != nil {
			return last, false
		}
		defer w.close()
	}
	seen, err := w.sightings(ctx, r.Name, r.Tag, ledger.Now)
	if err != nil || len(seen) == 0 {
		return last, false
	}
	return seen[0], true
}
