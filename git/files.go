package git

import (
	"context"
	"strings"

	"verdict"
)

// Modes of an entry, as git writes them.
const (
	ModeFile      = "100644"
	ModeProgram   = "100755"
	ModeLink      = "120000"
	ModeSubmodule = "160000"
)

// Entry is one path of a tree or of the index, or an untracked file.
type Entry struct {
	Path string // relative to Dir, raw bytes; an untracked repository ends with a slash
	Mode string // empty for an untracked file
	ID   string // hex id of the object; empty for an untracked file
	// Skipped is true for a tracked file that a sparse checkout leaves out.
	Skipped bool
	// Unmerged is true for a path with an open conflict.
	Unmerged bool
	// Unlisted is true for a folder that git could not look into.
	Unlisted bool
}

// Tracked reports whether the index holds the path.
func (e Entry) Tracked() bool { return e.Mode != "" }

// Files lists what git sees under Dir: every path of the index once, and every
// untracked one that is not ignored. The order is git's, with the folders that it could
// not look into at the end.
func (r *Repo) Files(ctx context.Context) ([]Entry, error) {
	if r.Bare {
		return nil, r.bare()
	}
	warned := ""
	out, err := r.git.run(ctx, r.Dir, call{args: []string{"ls-files", "-z", "-t", "--stage", "--others", "--exclude-standard", "--", "."}, warned: &warned})
	if err != nil {
		return nil, err
	}
	entries, err := parseFiles(out)
	return append(entries, unlisted(warned)...), err
}

// unlisted reads git's warnings: it passes over a folder that it may not open and counts
// that as no failure.
func unlisted(warnings string) []Entry {
	var out []Entry
	for line := range strings.SplitSeq(warnings, "\n") {
		if _, rest, found := strings.Cut(line, "could not open directory '"); found {
			path, _, _ := strings.Cut(rest, "': ")
			out = append(out, Entry{Path: strings.TrimSuffix(path, "/"), Unlisted: true})
		}
	}
	return out
}

func (r *Repo) bare() error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: quote(r.Root) + " is a bare repository: it has no files",
		Remedy: "check them out first: git worktree add ../tree HEAD",
	}
}

// parseFiles reads "? path" for an untracked path and "TAG mode id stage\tpath" for a
// tracked one. The tag keeps an untracked file whose name looks like the second form
// apart.
func parseFiles(out []byte) ([]Entry, error) {
	lines := fields(out)
	entries := make([]Entry, 0, len(lines))
	for _, line := range lines {
		tag, rest, _ := strings.Cut(line, " ")
		if tag == "?" && rest != "" {
			entries = append(entries, Entry{Path: rest})
			continue
		}
		facts, name, found := strings.Cut(rest, "\t")
		f := strings.Split(facts, " ")
		if !found || name == "" || len(f) != 3 || len(f[0]) != len(ModeFile) {
			return nil, unreadable("the index", quote(line))
		}
		e := Entry{Path: name, Mode: f[0], ID: f[1], Skipped: tag == "S" || tag == "s", Unmerged: f[2] != "0"}
		if n := len(entries); n > 0 && entries[n-1].Path == name { // the stages of a conflict
			entries[n-1].Unmerged = true
			continue
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Entries lists the tree of rev under Dir, without folders. Before the first commit,
// and in a folder that rev does not have, it is empty.
func (r *Repo) Entries(ctx context.Context, rev string) ([]Entry, error) {
	if err := checkRevision(rev); err != nil {
		return nil, err
	}
	dir := r.Dir
	if r.Bare {
		dir = r.Root
	}
	out, err := r.ask(ctx, dir, call{args: []string{"ls-tree", "-r", "-z", rev}}, rev)
	if err != nil {
		return nil, err
	}
	return parseTree(out)
}

// parseTree reads "mode kind id\tpath".
func parseTree(out []byte) ([]Entry, error) {
	lines := fields(out)
	entries := make([]Entry, 0, len(lines))
	for _, line := range lines {
		facts, name, found := strings.Cut(line, "\t")
		f := strings.Fields(facts)
		if !found || name == "" || len(f) != 3 || len(f[0]) != len(ModeFile) {
			return nil, unreadable("the tree", quote(line))
		}
		entries = append(entries, Entry{Path: name, Mode: f[0], ID: f[2]})
	}
	return entries, nil
}

// Status is how the working tree differs from HEAD, in paths relative to Root.
type Status struct {
	Changed   []string // tracked: changed, staged, deleted or in conflict
	Untracked []string // neither tracked nor ignored; a folder ends with a slash
}

// Clean reports whether there is no difference.
func (s Status) Clean() bool { return len(s.Changed) == 0 && len(s.Untracked) == 0 }

// Dirty compares the working tree with HEAD as git status does. Filters that the
// repository configures are programs of its own choice and are not run: a file that
// only its filter makes equal counts as changed once git looks at its content.
//
// Git trusts file times and its own assume-unchanged marks here. Where a forged answer
// matters, compare contents: see package ci.
func (r *Repo) Dirty(ctx context.Context) (Status, error) { return r.status(ctx, "normal") }

// status is Dirty with every untracked file by its own name (all), or folders of nothing
// else as one (normal).
func (r *Repo) status(ctx context.Context, untracked string) (Status, error) {
	if r.Bare {
		return Status{}, r.bare()
	}
	filters, err := r.filters(ctx)
	if err != nil {
		return Status{}, err
	}
	out, err := r.git.run(ctx, r.Root, call{config: filters, args: []string{
		"status", "--porcelain=v2", "-z", "--untracked-files=" + untracked, "--ignore-submodules=dirty", "--no-renames",
	}})
	if err != nil {
		return Status{}, err
	}
	return parseStatus(out)
}

// filters gives overrides that switch every configured filter off.
func (r *Repo) filters(ctx context.Context) ([]string, error) {
	ended := 0
	out, err := r.git.run(ctx, r.Root, call{
		args: []string{"config", "-z", "--name-only", "--get-regexp", `^filter\..*\.(clean|smudge|process|required)$`}, ok1: true, ended: &ended,
	})
	if err != nil {
		return nil, err
	}
	var off []string
	for _, key := range fields(out) {
		if strings.ContainsAny(key, "=\n") {
			return nil, &verdict.Error{
				Code: verdict.CodeInvalid, What: "the repository configures a filter with the name " + quote(key),
				Remedy: "remove that filter from .git/config: a name with = or a newline cannot be switched off",
			}
		}
		value := ""
		if strings.HasSuffix(key, ".required") {
			value = "false"
		}
		off = append(off, key+"="+value)
	}
	return off, nil
}

// parseStatus reads porcelain v2: "1 …8 fields… path", "u …10 fields… path", "? path".
func parseStatus(out []byte) (Status, error) {
	var s Status
	for _, line := range fields(out) {
		kind, rest, _ := strings.Cut(line, " ")
		before := map[string]int{"1": 7, "u": 9, "?": 0}
		n, known := before[kind]
		f := strings.SplitN(rest, " ", n+1)
		if !known || len(f) != n+1 || f[n] == "" {
			return Status{}, unreadable("the working tree", quote(line))
		}
		if kind == "?" {
			s.Untracked = append(s.Untracked, f[n])
		} else {
			s.Changed = append(s.Changed, f[n])
		}
	}
	return s, nil
}
