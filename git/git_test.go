package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"verdict"
)

// sandbox makes a repository in a folder of its own with one commit of a.txt.
type sandbox struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T, args ...string) sandbox {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, "gitconfig"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	s := sandbox{t: t, dir: filepath.Join(home, "repo")}
	must(t, os.Mkdir(s.dir, 0o755))
	s.git("config", "--global", "user.name", "Ada Example")
	s.git("config", "--global", "user.email", "ada@acme.example")
	s.git(append([]string{"init", "-q", "-b", "main"}, args...)...)
	return s
}

func (s sandbox) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2026-03-01T10:00:00+02:00", "GIT_COMMITTER_DATE=2026-03-01T09:00:00Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s sandbox) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	must(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(s.t, os.WriteFile(path, []byte(content), 0o644))
}

func (s sandbox) commit(name, content string) string {
	s.t.Helper()
	s.write(name, content)
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "change "+name)
	return s.git("rev-parse", "HEAD")
}

func (s sandbox) open(sub string) *Repo {
	s.t.Helper()
	r, err := Open(s.t.Context(), filepath.Join(s.dir, sub))
	must(s.t, err)
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// remedied fails unless err is one that a person can act on and that holds want.
func remedied(t *testing.T, err error, want string) {
	t.Helper()
	var e *verdict.Error
	if !errors.As(err, &e) || e.Remedy == "" {
		t.Fatalf("error without a remedy: %v", err)
	}
	if !strings.Contains(e.What+" "+e.Remedy, want) {
		t.Errorf("error does not speak of %q: %s / %s", want, e.What, e.Remedy)
	}
}

func TestHeadTellsWhoCommittedWhat(t *testing.T) {
	s := newRepo(t)
	first := s.commit("a.txt", "one")
	second := s.commit("sub/b.txt", "two")
	r := s.open("sub")
	if r.Prefix != "sub" || filepath.Base(r.Root) != "repo" || r.Bare || r.Shallow || r.Submodule {
		t.Errorf("repository read wrongly: %+v", r)
	}
	c, err := r.Head(t.Context())
	must(t, err)
	if c.ID != verdict.NewDigest("gitCommit", second) || len(c.Parents) != 1 || c.Parents[0].Hex() != first {
		t.Errorf("commit %s with parents %v, want %s after %s", c.ID, c.Parents, second, first)
	}
	if c.Tree.Hex() != s.git("rev-parse", "HEAD^{tree}") || c.Tree.Algorithm() != "gitTree" {
		t.Errorf("tree %s", c.Tree)
	}
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	if c.Author != (Signature{"Ada Example", "ada@acme.example", at}) || !c.Committer.At.Equal(at.Add(time.Hour)) {
		t.Errorf("author %+v, committer %+v", c.Author, c.Committer)
	}
	if c.Message != "change sub/b.txt\n" {
		t.Errorf("message %q", c.Message)
	}
	older, err := r.Commit(t.Context(), "HEAD~1")
	if must(t, err); older.ID.Hex() != first {
		t.Errorf("HEAD~1 is %s, want %s", older.ID, first)
	}
}

func TestSHA256Repository(t *testing.T) {
	s := newRepo(t, "--object-format=sha256")
	id := s.commit("a.txt", "one")
	r := s.open(".")
	c, err := r.Head(t.Context())
	if must(t, err); c.ID.Hex() != id || len(id) != 64 || !r.SHA256 {
		t.Errorf("commit %s, want %s", c.ID, id)
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	s := newRepo(t)
	s.write("a.txt", "x")
	plain := t.TempDir()
	t.Run("a plain folder is no repository", func(t *testing.T) {
		_, err := Open(t.Context(), plain)
		if !errors.Is(err, ErrNotRepository) {
			t.Fatalf("got %v", err)
		}
		remedied(t, err, "git init")
	})
	t.Run("a file is no folder", func(t *testing.T) {
		_, err := Open(t.Context(), filepath.Join(s.dir, "a.txt"))
		remedied(t, err, "not a folder")
	})
	t.Run("a path that is not there", func(t *testing.T) {
		_, err := Open(t.Context(), filepath.Join(s.dir, "none"))
		remedied(t, err, "no folder")
	})
	t.Run("the inside of .git", func(t *testing.T) {
		_, err := Open(t.Context(), filepath.Join(s.dir, ".git"))
		remedied(t, err, "working tree")
	})
	t.Run("before the first commit there is no HEAD", func(t *testing.T) {
		_, err := s.open(".").Head(t.Context())
		if !errors.Is(err, ErrUnborn) {
			t.Fatalf("got %v", err)
		}
		remedied(t, err, "git commit")
	})
	t.Run("git is not installed", func(t *testing.T) {
		t.Setenv("PATH", plain)
		_, err := Open(t.Context(), s.dir)
		remedied(t, err, "install git")
	})
	t.Run("a cancelled context ends it", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if _, err := Open(ctx, s.dir); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	})
}

// Any change can commit a folder that looks like a git directory.
func TestACommittedGitDirectoryIsNoRepository(t *testing.T) {
	s := newRepo(t)
	s.commit("service/leak.env", "x")
	inner := filepath.Join(s.dir, "service")
	s.git("init", "-q", "--bare", inner)
	s.write("service/info/exclude", "*\n")
	s.write("service/deep/b.txt", "b")
	for name, config := range map[string]string{
		"bare":                        "[core]\n\tbare = true\n",
		"with a working tree":         "[core]\n\tbare = false\n\tworktree = " + inner + "\n",
		"with a working tree outside": "[core]\n\tworktree = " + s.dir + "\n",
	} {
		s.write("service/config", config)
		for _, dir := range []string{"service", "service/deep"} {
			r, err := Open(t.Context(), filepath.Join(s.dir, dir))
			if err == nil || errors.Is(err, ErrNotRepository) {
				t.Fatalf("%s: %s opened as %+v, %v", name, dir, r, err)
			}
			remedied(t, err, "git directory")
		}
	}
	// A git before 2.38 knows no safe.bareRepository.
	old := overrides
	overrides = slices.DeleteFunc(slices.Clone(old), func(kv string) bool { return strings.HasPrefix(kv, "safe.") })
	defer func() { overrides = old }()
	_, err := Open(t.Context(), inner)
	remedied(t, err, "git directory")
	if files, err := s.open(".").Files(t.Context()); err != nil || !slices.ContainsFunc(files, func(e Entry) bool { return e.Path == "service/leak.env" }) {
		t.Errorf("the outer repository: %+v, %v", files, err)
	}
}

func TestForeignOwnerNamesTheRemedy(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give a folder to another user")
	}
	s := newRepo(t)
	s.commit("a.txt", "one")
	must(t, os.Chown(s.dir, 65534, 65534))
	must(t, os.Chown(filepath.Join(s.dir, ".git"), 65534, 65534))
	_, err := Open(t.Context(), s.dir)
	remedied(t, err, "safe.directory")
	remedied(t, err, s.dir)
	s.git("config", "--global", "--add", "safe.directory", s.dir)
	if _, err := s.open(".").Head(t.Context()); err != nil {
		t.Errorf("trusted by the user, and still refused: %v", err)
	}
}

func TestReadFileGivesTheBaseVersion(t *testing.T) {
	s := newRepo(t)
	s.commit("sub/verdict.yaml", "schema: one\n")
	s.commit("sub/verdict.yaml", "schema: two\n")
	r := s.open("sub")
	got, err := r.ReadFile(t.Context(), "HEAD~1", "sub/verdict.yaml")
	if must(t, err); string(got) != "schema: one\n" {
		t.Errorf("got %q", got)
	}
	for name, want := range map[string]string{
		"sub/none": "no file", "sub": "a folder", "../x": "not a path", "/etc/passwd": "not a path", "a\nHEAD": "not a path", "": "not a path", "./sub/verdict.yaml": "not a path",
	} {
		_, err := r.ReadFile(t.Context(), "HEAD", name)
		remedied(t, err, want)
		if (want == "no file") != errors.Is(err, ErrNotFound) {
			t.Errorf("%q: ErrNotFound is wrong: %v", name, err)
		}
	}
	for _, rev := range []string{"-p", "--output=x", "HEAD..main", ":/one", "HEAD:sub", "a b", "", "HEAD\nmain", "^main", "main@{1}", "HEAD^{/x}"} {
		_, err := r.ReadFile(t.Context(), rev, "sub/verdict.yaml")
		remedied(t, err, "does not name one revision")
	}
	s.write("big", strings.Repeat("x", MaxFile+1024))
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "big")
	_, err = r.ReadFile(t.Context(), "HEAD", "big")
	var e *verdict.Error
	if !errors.As(err, &e) || e.Code != verdict.CodeLimit {
		t.Errorf("a file above the limit gave %v", err)
	}
}

// Whoever reads ErrNotFound as "was not there" is told it only then.
func TestWhatACloneDoesNotHoldIsNotAbsent(t *testing.T) {
	s := newRepo(t)
	s.write("sub/x.yaml", "x")
	must(t, os.Symlink("sub/x.yaml", filepath.Join(s.dir, "link")))
	s.commit("a.yaml", "a")
	s.git("config", "uploadpack.allowFilter", "true")
	clone := func(filter string) *Repo {
		c := sandbox{t: t, dir: t.TempDir()}
		c.git("clone", "-q", "--no-checkout", "--filter="+filter, "file://"+s.dir, ".")
		return c.open(".")
	}
	damaged := sandbox{t: t, dir: t.TempDir()}
	damaged.git("clone", "-q", "--no-checkout", "--no-local", s.dir, ".")
	pack, err := filepath.Glob(filepath.Join(damaged.dir, ".git/objects/pack/*.pack"))
	if err != nil || len(pack) != 1 {
		t.Fatal(pack, err)
	}
	in, err := os.Open(pack[0])
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(damaged.dir, ".git/objects/pack")))
	unpack := exec.Command("git", "unpack-objects", "-q")
	unpack.Dir, unpack.Stdin = damaged.dir, in
	must(t, unpack.Run())
	lose := func(id string) { must(t, os.Remove(filepath.Join(damaged.dir, ".git/objects", id[:2], id[2:]))) }
	lose(s.git("rev-parse", "HEAD:sub"))
	here := s.open(".")
	for _, c := range []struct {
		name string
		r    *Repo
		rev  string
		path string
		code verdict.Code
		none bool
	}{
		{"a clone without contents", clone("blob:none"), "HEAD", "sub/x.yaml", verdict.CodeUnavailable, false},
		{"a clone without trees", clone("tree:0"), "HEAD", "a.yaml", verdict.CodeUnavailable, false},
		{"a tree that was lost", damaged.open("."), "HEAD", "sub/x.yaml", verdict.CodeUnavailable, false},
		{"a revision that is not there", here, "nowhere", "a.yaml", verdict.CodeUnavailable, false},
		{"a commit that is not there", here, strings.Repeat("1", 40), "a.yaml", verdict.CodeUnavailable, false},
		{"a link", here, "HEAD", "link", verdict.CodeInvalid, false},
		{"a folder", here, "HEAD", "sub", verdict.CodeInvalid, false},
		{"a path that is not listed", here, "HEAD", "sub/y.yaml", verdict.CodeNotFound, true},
		{"a path below a file", here, "HEAD", "a.yaml/b", verdict.CodeNotFound, true},
	} {
		_, err := c.r.ReadFile(t.Context(), c.rev, c.path)
		var e *verdict.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Remedy == "" || errors.Is(err, ErrNotFound) != c.none {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	lose(s.git("rev-parse", "HEAD"))
	if _, err := damaged.open(".").Head(t.Context()); err == nil || errors.Is(err, ErrUnborn) {
		t.Errorf("a lost commit reads as none: %v", err)
	}
}

func TestMergeBase(t *testing.T) {
	s := newRepo(t)
	fork := s.commit("a.txt", "one")
	s.git("checkout", "-q", "-b", "topic")
	s.commit("b.txt", "two")
	t.Run("of a local branch", func(t *testing.T) {
		b, err := s.open(".").MergeBase(t.Context(), "main")
		if must(t, err); b.ID.Hex() != fork || !b.Known {
			t.Errorf("got %+v, want %s", b, fork)
		}
	})
	t.Run("of the default branch when none is given", func(t *testing.T) {
		b, err := s.open(".").MergeBase(t.Context(), "")
		if must(t, err); b.ID.Hex() != fork {
			t.Errorf("got %+v, want %s", b, fork)
		}
	})
	t.Run("the remote's branch counts before a local one of that name", func(t *testing.T) {
		s.git("update-ref", "refs/remotes/origin/main", fork)
		s.git("update-ref", "refs/heads/main", "HEAD") // the author moves the local one
		defer s.git("update-ref", "refs/heads/main", fork)
		b, err := s.open(".").MergeBase(t.Context(), "main")
		if must(t, err); b.ID.Hex() != fork || b.Against != "refs/remotes/origin/main" {
			t.Errorf("got %+v, want %s", b, fork)
		}
	})
	t.Run("a tag is no branch, however it is called", func(t *testing.T) {
		for _, tag := range []string{"trunk", "refs/remotes/origin/trunk", "refs/heads/trunk"} {
			s.git("update-ref", "refs/tags/"+tag, "HEAD")
		}
		b, err := s.open(".").MergeBase(t.Context(), "refs/heads/trunk")
		remedied(t, err, "git fetch origin '+refs/heads/trunk:refs/remotes/origin/trunk'")
		if b.ID != "" {
			t.Errorf("got %+v", b)
		}
		s.git("update-ref", "refs/tags/main", "HEAD")
		defer s.git("update-ref", "-d", "refs/tags/main")
		if b, err = s.open(".").MergeBase(t.Context(), "refs/heads/main"); err != nil || b.ID.Hex() != fork {
			t.Errorf("got %+v, %v, want %s", b, err, fork)
		}
	})
	t.Run("unrelated histories have none, and that is known", func(t *testing.T) {
		s.git("checkout", "-q", "--orphan", "alone")
		s.commit("c.txt", "three")
		defer s.git("checkout", "-q", "topic")
		b, err := s.open(".").MergeBase(t.Context(), "main")
		if must(t, err); b.ID != "" || !b.Known || b.Tip.Hex() != fork {
			t.Errorf("got %+v", b)
		}
	})
	t.Run("a branch that is not there is an error", func(t *testing.T) {
		_, err := s.open(".").MergeBase(t.Context(), "nowhere")
		remedied(t, err, "git branch")
	})
	t.Run("a branch named like an option is refused", func(t *testing.T) {
		s.git("update-ref", "refs/heads/--all", fork)
		_, err := s.open(".").MergeBase(t.Context(), "--all")
		remedied(t, err, "does not name one revision")
	})
	t.Run("a shallow clone does not know", func(t *testing.T) {
		s.git("checkout", "-q", "main")
		s.commit("d.txt", "four")
		s.git("checkout", "-q", "topic")
		shallow := sandbox{t: t, dir: t.TempDir()}
		shallow.git("clone", "-q", "--depth=1", "--branch", "topic", "--no-single-branch", "file://"+s.dir, ".")
		r := shallow.open(".")
		b, err := r.MergeBase(t.Context(), "main")
		if must(t, err); b.Known || b.ID != "" || !r.Shallow {
			t.Errorf("got %+v from a shallow clone", b)
		}
		b, err = r.MergeBase(t.Context(), "never-fetched")
		if must(t, err); b.Known {
			t.Errorf("got %+v for a branch that was not fetched", b)
		}
	})
}

func TestDefaultBranchAsTheRemoteSays(t *testing.T) {
	s := newRepo(t)
	s.commit("a.txt", "one")
	s.git("update-ref", "refs/remotes/origin/trunk", "HEAD")
	s.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
	got, err := s.open(".").DefaultBranch(t.Context())
	if must(t, err); got != "trunk" {
		t.Errorf("got %q", got)
	}
	s.git("symbolic-ref", "--delete", "refs/remotes/origin/HEAD")
	s.git("branch", "-m", "other")
	_, err = s.open(".").DefaultBranch(t.Context())
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("no default branch gave %v", err)
	}
	if b, err := s.open(".").Branch(t.Context()); err != nil || b != "other" {
		t.Errorf("branch %q, %v", b, err)
	}
	s.git("checkout", "-q", "--detach")
	if b, err := s.open(".").Branch(t.Context()); err != nil || b != "" {
		t.Errorf("detached: branch %q, %v", b, err)
	}
}

func TestADefaultBranchThatCannotBeToldIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		refs []string // beside the branch topic that is checked out
		do   []string
		want string
		none bool
	}{
		"main alone":                             {refs: []string{"refs/heads/main"}, want: "main"},
		"the remote's main alone":                {refs: []string{"refs/remotes/origin/main"}, want: "main"},
		"main here and there":                    {refs: []string{"refs/heads/main", "refs/remotes/origin/main"}, want: "main"},
		"main and master":                        {refs: []string{"refs/heads/main", "refs/heads/master"}},
		"the remote's main and master":           {refs: []string{"refs/remotes/origin/main", "refs/remotes/origin/master"}},
		"the remote's master and a main of ours": {refs: []string{"refs/heads/main", "refs/remotes/origin/master"}},
		"a remote that was not fetched":          {do: []string{"remote", "add", "origin", "https://git.example/a"}},
		"a remote of another name":               {do: []string{"remote", "add", "upstream", "https://git.example/a"}},
		"a default branch that was not fetched":  {do: []string{"symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"}, want: "trunk"},
		"no remote and neither of them":          {none: true},
	} {
		s := newRepo(t)
		s.commit("a.txt", "one")
		s.git("branch", "-m", "topic")
		for _, ref := range c.refs {
			s.git("update-ref", ref, "HEAD")
		}
		if c.do != nil {
			s.git(c.do...)
		}
		r := s.open(".")
		got, err := r.DefaultBranch(t.Context())
		if got != c.want || (err == nil) != (c.want != "") || errors.Is(err, ErrNotFound) != c.none {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if len(c.refs) > 0 && c.want != "" {
			continue
		}
		_, err = r.MergeBase(t.Context(), "")
		remedied(t, err, "--base BRANCH")
		var e *verdict.Error
		if errors.As(err, &e); errors.Is(err, ErrNotFound) != c.none || !c.none && e.Code != verdict.CodeUnavailable {
			t.Errorf("%s: the base: %v", name, err)
		}
	}
}

// A name that could be read as two, or as a command to a terminal or pipeline, comes
// through byte for byte.
var oddNames = []string{"new\nline", "::error::x", "\x1b[31mred", "? looks untracked", "tab\there", "in\xffvalid", "-rf", "H 100644 0123 0\tx", "ünï", `back\slash"quote`}

func TestFilesAreListedByteForByte(t *testing.T) {
	s := newRepo(t)
	s.commit(".gitignore", "ignored\n")
	for _, n := range oddNames {
		s.write("tracked/"+n, n)
	}
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "odd")
	for _, n := range oddNames {
		s.write("free/"+n, n)
	}
	s.write("ignored", "no")
	files, err := s.open(".").Files(t.Context())
	must(t, err)
	var tracked, free []string
	for _, f := range files {
		if f.Tracked() {
			tracked = append(tracked, f.Path)
		} else {
			free = append(free, f.Path)
		}
	}
	want := func(dir string, more ...string) []string {
		for _, n := range oddNames {
			more = append(more, dir+"/"+n)
		}
		slices.Sort(more)
		return more
	}
	if slices.Sort(tracked); !slices.Equal(tracked, want("tracked", ".gitignore")) {
		t.Errorf("tracked: %q", tracked)
	}
	if slices.Sort(free); !slices.Equal(free, want("free")) {
		t.Errorf("untracked: %q", free)
	}
	entries, err := s.open("tracked").Entries(t.Context(), "HEAD")
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, "tracked/"+e.Path)
	}
	if slices.Sort(names); !slices.Equal(names, want("tracked")) {
		t.Errorf("tree below a folder: %q", names)
	}
	st, err := s.open(".").Dirty(t.Context())
	if must(t, err); !slices.Equal(st.Untracked, []string{"free/"}) || len(st.Changed) != 0 {
		t.Errorf("status: %+v", st)
	}
	changes, err := s.open(".").Changed(t.Context(), "HEAD~1", "HEAD")
	if must(t, err); len(changes) != len(oddNames) || changes[0].Status != "A" {
		t.Errorf("changes: %+v", changes)
	}
}

func TestStatusSeesEachKindOfDifference(t *testing.T) {
	s := newRepo(t)
	for _, n := range []string{"kept", "edited", "staged", "deleted"} {
		s.write(n, n)
	}
	s.commit("fight", "base")
	s.git("checkout", "-q", "-b", "side")
	s.commit("fight", "theirs")
	s.git("checkout", "-q", "main")
	s.commit("fight", "ours")
	if st, err := s.open(".").Dirty(t.Context()); err != nil || !st.Clean() {
		t.Fatalf("a clean tree: %+v, %v", st, err)
	}
	s.write("edited", "other")
	s.write("staged", "other")
	s.git("add", "staged")
	must(t, os.Remove(filepath.Join(s.dir, "deleted")))
	merge := exec.Command("git", "-C", s.dir, "merge", "side")
	if out, err := merge.CombinedOutput(); err == nil {
		s.t.Fatalf("the merge was to conflict: %s", out)
	}
	s.write("free", "x")
	st, err := s.open(".").Dirty(t.Context())
	must(t, err)
	if slices.Sort(st.Changed); !slices.Contains(st.Changed, "edited") || !slices.Contains(st.Changed, "staged") || !slices.Contains(st.Changed, "deleted") || slices.Contains(st.Changed, "kept") {
		t.Errorf("changed: %q", st.Changed)
	}
	if !slices.Equal(st.Untracked, []string{"free"}) {
		t.Errorf("untracked: %q", st.Untracked)
	}
}

func TestConflictIsListedOnce(t *testing.T) {
	s := newRepo(t)
	s.commit("fight", "base")
	s.git("checkout", "-q", "-b", "side")
	s.commit("fight", "theirs")
	s.git("checkout", "-q", "main")
	s.commit("fight", "ours")
	if out, err := exec.Command("git", "-C", s.dir, "merge", "side").CombinedOutput(); err == nil {
		t.Fatalf("the merge was to conflict: %s", out)
	}
	files, err := s.open(".").Files(t.Context())
	if must(t, err); len(files) != 1 || !files[0].Unmerged || files[0].Path != "fight" {
		t.Errorf("got %+v", files)
	}
	st, err := s.open(".").Dirty(t.Context())
	if must(t, err); !slices.Equal(st.Changed, []string{"fight"}) {
		t.Errorf("status %+v", st)
	}
}

// A hostile repository names programs wherever git would run one. None may run.
func TestHostileConfigurationRunsNothing(t *testing.T) {
	s := newRepo(t)
	canary := filepath.Join(t.TempDir(), "ran")
	script := filepath.Join(t.TempDir(), "evil.sh")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho \"$0 $*\" >> "+canary+"\ncat\n"), 0o755))
	first := s.commit("a.txt", "one")
	s.commit(".gitattributes", "*.txt filter=evil diff=evil\n")
	for key, value := range map[string]string{
		"core.fsmonitor": script, "core.pager": script, "core.editor": script, "core.sshCommand": script, "core.askPass": script,
		"filter.evil.clean": script, "filter.evil.smudge": script, "filter.evil.required": "true", "diff.evil.textconv": script, "diff.evil.command": script,
		"diff.external": script, "gpg.program": script, "log.showSignature": "true", "credential.helper": "!" + script,
		"alias.ls-files": "!" + script, "alias.cat-file": "!" + script, "core.hooksPath": filepath.Dir(script), "pager.ls-files": script,
		"uploadpack.packObjectsHook": script, "remote.origin.url": "ext::" + script, "extensions.partialClone": "origin", "remote.origin.promisor": "true",
	} {
		s.git("config", key, value)
	}
	for _, h := range []string{"post-index-change", "fsmonitor-watchman", "post-checkout", "reference-transaction", "query-watchman"} {
		must(t, os.WriteFile(filepath.Join(s.dir, ".git/hooks", h), []byte("#!/bin/sh\necho hook >> "+canary+"\n"), 0o755))
	}
	s.write("a.txt", "two")
	must(t, os.Chtimes(filepath.Join(s.dir, "a.txt"), time.Unix(1, 0), time.Unix(1, 0)))
	_ = os.Remove(canary)
	r := s.open(".")
	for name, ask := range map[string]func() error{
		"head":       func() error { _, err := r.Head(t.Context()); return err },
		"files":      func() error { _, err := r.Files(t.Context()); return err },
		"entries":    func() error { _, err := r.Entries(t.Context(), "HEAD"); return err },
		"dirty":      func() error { _, err := r.Dirty(t.Context()); return err },
		"changed":    func() error { _, err := r.Changed(t.Context(), first, "HEAD"); return err },
		"merge base": func() error { _, err := r.MergeBase(t.Context(), "main"); return err },
		"file":       func() error { _, err := r.ReadFile(t.Context(), "HEAD", "a.txt"); return err },
		"remote":     func() error { _, err := r.Remote(t.Context()); return err },
		"default":    func() error { _, err := r.DefaultBranch(t.Context()); return err },
		"missing": func() error {
			_, err := r.Commit(t.Context(), strings.Repeat("ab", 20))
			return ignore(err, ErrNotFound)
		},
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if ran, err := os.ReadFile(canary); err == nil {
			t.Fatalf("%s ran a program of the repository: %s", name, ran)
		}
	}
	st, err := r.Dirty(t.Context())
	if must(t, err); !slices.Equal(st.Changed, []string{"a.txt"}) {
		t.Errorf("status without its filters: %+v", st)
	}
}

func ignore(err, this error) error {
	if errors.Is(err, this) {
		return nil
	}
	return err
}

func TestReplacedAndGraftedHistoryDoesNotCount(t *testing.T) {
	s := newRepo(t)
	first := s.commit("a.txt", "one")
	real := s.commit("a.txt", "two")
	s.git("replace", real, first)
	must(t, os.WriteFile(filepath.Join(s.dir, ".git/info/grafts"), []byte(real+"\n"), 0o644))
	c, err := s.open(".").Head(t.Context())
	if must(t, err); len(c.Parents) != 1 || c.Parents[0].Hex() != first {
		t.Errorf("parents %v of %s, want %s", c.Parents, c.ID, first)
	}
}

func TestCallersVariablesDoNotRedirect(t *testing.T) {
	other := newRepo(t)
	other.commit("o.txt", "other")
	dir := filepath.Join(other.dir, ".git")
	s := newRepo(t)
	id := s.commit("a.txt", "one")
	t.Setenv("GIT_DIR", dir)
	t.Setenv("GIT_WORK_TREE", other.dir)
	t.Setenv("GIT_INDEX_FILE", filepath.Join(dir, "index"))
	t.Setenv("GIT_CONFIG_PARAMETERS", "'core.worktree=/'")
	c, err := s.open(".").Head(t.Context())
	if must(t, err); c.ID.Hex() != id {
		t.Errorf("the caller's GIT_DIR was followed: %s", c.ID)
	}
}

func TestWorkingTreeElsewhereIsRefused(t *testing.T) {
	s := newRepo(t)
	s.commit("a.txt", "one")
	s.git("config", "core.worktree", "/etc")
	_, err := Open(t.Context(), s.dir)
	remedied(t, err, "core.worktree")
}

func TestSubmodulesWorktreesAndBareRepositories(t *testing.T) {
	lib := newRepo(t)
	lib.commit("lib.txt", "lib")
	s := newRepo(t)
	s.commit("a.txt", "one")
	s.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", lib.dir, "dep")
	s.git("commit", "-q", "-m", "submodule")
	files, err := s.open(".").Files(t.Context())
	must(t, err)
	if i := slices.IndexFunc(files, func(e Entry) bool { return e.Path == "dep" }); i < 0 || files[i].Mode != ModeSubmodule {
		t.Errorf("submodule not told: %+v", files)
	}
	if r := s.open("dep"); !r.Submodule || filepath.Base(r.Root) != "dep" {
		t.Errorf("inside the submodule: %+v", r)
	}
	s.git("worktree", "add", "-q", "../tree")
	w := sandbox{t: t, dir: filepath.Join(filepath.Dir(s.dir), "tree")}
	c, err := w.open(".").Head(t.Context())
	if must(t, err); c.ID.Hex() != s.git("rev-parse", "HEAD") {
		t.Errorf("worktree at %s", c.ID)
	}
	bare := sandbox{t: t, dir: t.TempDir()}
	bare.git("clone", "-q", "--bare", lib.dir, ".")
	_, err = Open(t.Context(), bare.dir)
	remedied(t, err, "worktree add")
	w.git("config", "core.bare", "true")
	r := s.open(".")
	if _, err := r.Head(t.Context()); err != nil || !r.Bare {
		t.Errorf("bare: %+v, %v", r, err)
	}
	_, err = r.Files(t.Context())
	remedied(t, err, "git worktree add")
	if e, err := r.Entries(t.Context(), "HEAD"); err != nil || len(e) != 3 {
		t.Errorf("bare entries: %+v, %v", e, err)
	}
}

func TestAddressCarriesNoCredentials(t *testing.T) {
	for url, want := range map[string]string{
		"https://user:secret@host.example/a/b.git":       "https://host.example/a/b.git",
		"https://secret@host.example/a":                  "https://host.example/a",
		"https://host.example/a?token=secret#secret":     "https://host.example/a",
		"https://user:se@cret@host.example:8443/a":       "https://host.example:8443/a",
		"ssh://git@host.example:22/a.git":                "ssh://git@host.example:22/a.git",
		"ssh://secret@host.example/a.git":                "ssh://host.example/a.git",
		"git@host.example:a/b.git":                       "git@host.example:a/b.git",
		"secret@host.example:a/b.git":                    "host.example:a/b.git",
		"user:secret@host.example:a/b.git":               "host.example:a/b.git",
		"ext::sh -c 'curl -H secret'":                    "ext::",
		"/srv/git/a.git":                                 "/srv/git/a.git",
		"../a":                                           "../a",
		"https://x:secret@host.example":                  "https://host.example",
		"https://host.example/a\n::error::secretless":    "https://host.example/a::error::secretless",
		"git+ssh://user:secret@[2001:db8::1]:22/a/b.git": "git+ssh://[2001:db8::1]:22/a/b.git",
	} {
		if got := Address(url); got != want {
			t.Errorf("%q became %q, want %q", url, got, want)
		}
	}
	s := newRepo(t)
	if got, err := s.open(".").Remote(t.Context()); err != nil || got != "" {
		t.Errorf("no remote gave %q, %v", got, err)
	}
	s.git("remote", "add", "backup", "https://b:secret@backup.example/r")
	s.git("remote", "add", "origin", "https://o:secret@origin.example/r")
	if got, err := s.open(".").Remote(t.Context()); err != nil || got != "https://origin.example/r" {
		t.Errorf("remote %q, %v", got, err)
	}
}

func TestTooMuchOutputIsAnErrorAndNoPart(t *testing.T) {
	s := newRepo(t)
	for i := range 50 {
		s.write(fmt.Sprintf("f%02d", i), "x")
	}
	r := s.open(".")
	_, err := r.git.run(t.Context(), r.Dir, call{args: []string{"ls-files", "--others"}, limit: 40})
	var e *verdict.Error
	if !errors.As(err, &e) || e.Code != verdict.CodeLimit {
		t.Errorf("got %v", err)
	}
}

// A git that hangs must not outlive the context.
func TestHangingGitIsEnded(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\nexec sleep 60\n"), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	start := time.Now()
	_, err := Open(ctx, dir)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

func TestRunLeavesNoTrace(t *testing.T) {
	s := newRepo(t)
	s.commit("a.txt", "one")
	index := filepath.Join(s.dir, ".git/index")
	must(t, os.Chtimes(filepath.Join(s.dir, "a.txt"), time.Now(), time.Now().Add(time.Hour)))
	before, err := os.Stat(index)
	must(t, err)
	_, err = s.open(".").Dirty(t.Context())
	must(t, err)
	after, err := os.Stat(index)
	must(t, err)
	if before.Sys().(*syscall.Stat_t).Ino != after.Sys().(*syscall.Stat_t).Ino || !before.ModTime().Equal(after.ModTime()) {
		t.Error("reading the state rewrote the index")
	}
}
