package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"verdict"
)

// Range is a stretch of history: the commits that To has and From has not.
type Range struct {
	From verdict.Digest // gitCommit:…; empty for all of To's history
	To   verdict.Digest
	// Commits are their hex ids, parents first.
	Commits []string
	// Cut are those of them whose parents a shallow clone does not hold. Older commits of
	// the range are not known.
	Cut []string
}

// Range reads FROM..TO, where an empty side is HEAD, or one revision for all of its
// history. The error is for one that does not name two commits of this repository.
func (r *Repo) Range(ctx context.Context, text string) (Range, error) {
	from, to, both := strings.Cut(text, "..")
	if !both {
		from, to = "", text
	}
	if text == "" || strings.HasPrefix(to, ".") {
		return Range{}, &verdict.Error{
			Code: verdict.CodeInvalid, What: quote(text) + " is no range of commits",
			Remedy: "give FROM..TO, for example HEAD~50..HEAD, or one revision for all of its history",
		}
	}
	var g Range
	for _, side := range []struct {
		rev   string
		id    *verdict.Digest
		named bool
	}{{from, &g.From, both}, {to, &g.To, true}} {
		if side.rev == "" {
			side.rev = "HEAD"
		}
		if !side.named {
			continue
		}
		c, err := r.Commit(ctx, side.rev)
		if err != nil {
			return Range{}, err
		}
		*side.id = c.ID
	}
	return g, r.commits(ctx, &g)
}

// honest are keys that keep a walk through history from believing a file that only says
// what stands in the objects.
var honest = []string{"core.commitGraph=false", "core.multiPackIndex=false"}

func (r *Repo) commits(ctx context.Context, g *Range) error {
	args := []string{"rev-list", "--reverse", "--topo-order", "--parents", g.To.Hex()}
	if g.From != "" {
		args = append(args, "--not", g.From.Hex())
	}
	out, err := r.git.run(ctx, r.Root, call{config: honest, args: append(args, "--")})
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 0 || !hexID(f[0]) {
			return unreadable(r.Root, "rev-list gave "+quote(line))
		}
		g.Commits = append(g.Commits, f[0])
		if len(f) > 1 || !r.Shallow {
			continue
		}
		c, err := r.Commit(ctx, f[0])
		if err != nil {
			return err
		}
		if len(c.Parents) > 0 {
			g.Cut = append(g.Cut, f[0])
		}
	}
	return nil
}

func hexID(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// Addition is a content that a commit brought, under the path that it gave it.
type Addition struct {
	Commit string // hex id
	Path   string // relative to Root, raw bytes
	Mode   string
	ID     string // hex id of the blob
}

// Added calls each for every file that a commit of the range has and none of its parents
// has so, in the order of the commits. Of a merge that is what was changed in merging.
func (r *Repo) Added(ctx context.Context, g Range, each func(Addition) error) error {
	if len(g.Commits) == 0 {
		return nil
	}
	c := call{config: honest, args: []string{
		"diff-tree", "--stdin", "-r", "-c", "--root", "-z", "--raw", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-abbrev",
	}}
	err := r.git.stream(ctx, r.Root, c, strings.NewReader(strings.Join(g.Commits, "\n")+"\n"), func(out *bufio.Reader) error {
		return parseAdded(out, each)
	})
	var e *verdict.Error
	if errors.As(err, &e) && e.Code == verdict.CodeUnavailable {
		return r.absent("every folder of the commits in the range", err)
	}
	return err
}

// parseAdded reads a commit's id, or a record ":mode mode id id status" and then its
// path; a merge has a colon, a mode and an id for each parent.
func parseAdded(out *bufio.Reader, each func(Addition) error) error {
	commit := ""
	for {
		token, err := field(out)
		if err != nil || token == "" {
			return ignoreEnd(err)
		}
		rest := strings.TrimLeft(token, ":")
		parents := len(token) - len(rest)
		if parents == 0 {
			if !hexID(token) {
				return fmt.Errorf("diff-tree gave %s", quote(token))
			}
			commit = token
			continue
		}
		path, err := field(out)
		f := strings.Fields(rest)
		if err != nil || path == "" || commit == "" || len(f) != 2*parents+3 || !hexID(f[2*parents+1]) {
			return fmt.Errorf("diff-tree gave %s and ended", quote(token))
		}
		a := Addition{Commit: commit, Path: path, Mode: f[parents], ID: f[2*parents+1]}
		if a.Mode == "000000" { // deleted
			continue
		}
		if err := each(a); err != nil {
			return err
		}
	}
}

// field takes what ends with NUL; io.EOF at the end.
func field(out *bufio.Reader) (string, error) {
	b, err := out.ReadSlice(0)
	if err != nil {
		if len(b) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	return string(b[:len(b)-1]), nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Blob is a content by its id.
type Blob struct {
	ID   string
	Size int64
	// Content is nil for a blob that is larger than what was asked for, and for one that
	// this clone does not hold. Of a larger one Head is the start, up to 8,000 bytes.
	Content []byte
	Head    []byte
	Missing bool
}

const headSize = 8000

// Blobs reads contents of the range through one process, in the order of their ids, and
// calls each with every one of them. The content belongs to each.
func (r *Repo) Blobs(ctx context.Context, g Range, ids []string, limit int64, each func(Blob) error) error {
	if i := slices.IndexFunc(ids, func(id string) bool { return !hexID(id) }); i >= 0 {
		return fmt.Errorf("blob %s: no id", quote(ids[i]))
	}
	lost, err := r.lost(ctx, g)
	if err != nil {
		return err
	}
	held := make([]string, 0, len(ids))
	for _, id := range ids {
		if !lost[id] {
			held = append(held, id)
			continue
		}
		if err := each(Blob{ID: id, Missing: true}); err != nil {
			return err
		}
	}
	if len(held) == 0 {
		return nil
	}
	c := call{args: []string{"cat-file", "--batch", "--buffer"}}
	return r.git.stream(ctx, r.Root, c, strings.NewReader(strings.Join(held, "\n")+"\n"), func(out *bufio.Reader) error {
		for _, id := range held {
			b, err := readBlob(out, id, limit)
			if err != nil {
				return err
			}
			if err := each(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// readBlob reads "id blob size", a newline, the content and a newline; or "id missing".
func readBlob(out *bufio.Reader, id string, limit int64) (Blob, error) {
	head, err := out.ReadSlice('\n')
	if err != nil {
		return Blob{}, io.ErrUnexpectedEOF
	}
	f := strings.Fields(string(head))
	if len(f) == 2 && f[0] == id && f[1] == "missing" {
		return Blob{ID: id, Missing: true}, nil
	}
	if len(f) != 3 || f[0] != id || f[1] != "blob" {
		return Blob{}, fmt.Errorf("cat-file gave %s for %s", quote(string(head)), id)
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || size < 0 {
		return Blob{}, fmt.Errorf("cat-file gave %s for %s", quote(string(head)), id)
	}
	b := Blob{ID: id, Size: size}
	if size > limit {
		b.Head = make([]byte, min(size, headSize))
		if _, err = io.ReadFull(out, b.Head); err == nil {
			_, err = io.CopyN(io.Discard, out, size-int64(len(b.Head)))
		}
	} else {
		b.Content = make([]byte, size)
		_, err = io.ReadFull(out, b.Content)
	}
	if err == nil {
		_, err = out.Discard(1)
	}
	return b, err
}

// lost gives the objects of the range that a partial clone does not hold. To ask for one
// of them would have git fetch it, or end.
func (r *Repo) lost(ctx context.Context, g Range) (map[string]bool, error) {
	ended := 0
	out, err := r.git.run(ctx, r.Root, call{
		args: []string{"config", "--get-regexp", `^(remote\..*\.(promisor|partialclonefilter)|extensions\.partialclone)$`}, ok1: true, ended: &ended,
	})
	if err != nil || len(out) == 0 || len(g.Commits) == 0 {
		return nil, err
	}
	lost := map[string]bool{}
	c := call{args: []string{"rev-list", "--objects", "--no-walk", "--missing=print", "--stdin"}}
	return lost, r.git.stream(ctx, r.Root, c, strings.NewReader(strings.Join(g.Commits, "\n")+"\n"), func(out *bufio.Reader) error {
		for {
			line, err := out.ReadString('\n')
			if id, missing := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "?"); missing {
				lost[id] = true
			}
			if err != nil {
				return ignoreEnd(err)
			}
		}
	})
}

// stream runs git and has read take its output while it comes, and all of it.
func (p program) stream(ctx context.Context, dir string, c call, in io.Reader, read func(*bufio.Reader) error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(running, p.path, p.arguments(c)...)
	cmd.Dir, cmd.WaitDelay, cmd.Stdin = dir, patience, in
	cmd.Env = surroundings(cmd)
	errs := &bounded{left: maxStderr}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return failure(ctx, dir, c.args[0], err, "")
	}
	taken := read(bufio.NewReaderSize(out, 64<<10))
	early := taken != nil && !errors.Is(taken, io.ErrUnexpectedEOF)
	if early {
		stop()
	}
	ended := cmd.Wait()
	switch {
	case early && ctx.Err() == nil:
		return fmt.Errorf("git %s in %s: %w", c.args[0], quote(dir), taken)
	case ctx.Err() != nil, ended != nil:
		return failure(ctx, dir, c.args[0], errors.Join(ended, taken), errs.buf.String())
	}
	return taken
}
