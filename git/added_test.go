package git

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict"
)

// added lists what a range brought, as "commit path: content".
func added(t *testing.T, r *Repo, text string) (all []string, g Range) {
	t.Helper()
	g, err := r.Range(t.Context(), text)
	must(t, err)
	var list []Addition
	must(t, r.Added(t.Context(), g, func(a Addition) error { list = append(list, a); return nil }))
	var ids []string
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	content := map[string]string{}
	must(t, r.Blobs(t.Context(), g, ids, 100, func(b Blob) error {
		content[b.ID] = string(b.Content)
		if b.Missing {
			content[b.ID] = "missing"
		} else if b.Content == nil {
			content[b.ID] = fmt.Sprint(b.Size, " bytes")
		}
		return nil
	}))
	for _, a := range list {
		all = append(all, fmt.Sprintf("%d %s %s: %s", slices.Index(g.Commits, a.Commit), a.Mode, a.Path, content[a.ID]))
	}
	return all, g
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// What a user loses when this fails: a secret that a commit of the range brought.
func TestWhatARangeAdded(t *testing.T) {
	s := newRepo(t)
	s.commit("a.txt", "one")
	s.git("checkout", "-q", "-b", "side")
	s.commit("b.txt", "side")
	s.git("checkout", "-q", "main")
	s.commit("a.txt", "two")
	s.git("merge", "-q", "--no-commit", "side")
	s.write("evil.txt", "in the merge")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "merge")
	s.git("rm", "-q", "b.txt")
	s.write("odd\n\tname\xff", strings.Repeat("x", 200))
	must(t, os.Symlink("a.txt", filepath.Join(s.dir, "link")))
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "odd")
	r := s.open(".")
	all, g := added(t, r, "HEAD")
	same(t, all, "0 100644 a.txt: one", "1 100644 a.txt: two", "2 100644 b.txt: side", "3 100644 evil.txt: in the merge",
		"4 100644 odd\n\tname\xff: 200 bytes", "4 120000 link: a.txt")
	if len(g.Commits) != 5 || g.From != "" || len(g.Cut) != 0 {
		t.Errorf("range: %+v", g)
	}
	all, _ = added(t, r, "HEAD~2..HEAD~1")
	same(t, all, "0 100644 b.txt: side", "1 100644 evil.txt: in the merge")
	all, g = added(t, r, "HEAD..")
	same(t, all)
	if len(g.Commits) != 0 {
		t.Errorf("range: %+v", g)
	}
}

func TestRangesThatAreNone(t *testing.T) {
	s := newRepo(t)
	s.commit("a.txt", "one")
	s.git("update-ref", "refs/heads/--output=x", "HEAD")
	r := s.open(".")
	for text, code := range map[string]verdict.Code{
		"": verdict.CodeInvalid, "HEAD...main": verdict.CodeInvalid, "HEAD~5..HEAD": verdict.CodeNotFound, "nowhere": verdict.CodeNotFound,
		"--output=x": verdict.CodeInvalid, "HEAD..--output=x": verdict.CodeInvalid, "HEAD --all": verdict.CodeInvalid, "^HEAD": verdict.CodeInvalid, "HEAD..a..b": verdict.CodeInvalid,
	} {
		_, err := r.Range(t.Context(), text)
		var e *verdict.Error
		if !errors.As(err, &e) || e.Code != code || e.Remedy == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "x")); err == nil {
		t.Error("a branch was taken for an option")
	}
}

func TestHistoryThatACloneDoesNotHold(t *testing.T) {
	s := newRepo(t)
	s.commit("a.txt", "one")
	s.commit("b.txt", "two")
	s.commit("c.txt", "three")
	s.git("config", "uploadpack.allowFilter", "true")
	clone := func(args ...string) *Repo {
		c := sandbox{t: t, dir: t.TempDir()}
		c.git(append(append([]string{"clone", "-q", "--no-checkout"}, args...), "file://"+s.dir, ".")...)
		return c.open(".")
	}
	all, g := added(t, clone("--depth=2"), "HEAD")
	same(t, all, "0 100644 a.txt: one", "0 100644 b.txt: two", "1 100644 c.txt: three")
	if len(g.Cut) != 1 || g.Cut[0] != g.Commits[0] {
		t.Errorf("where the clone was cut: %+v", g)
	}
	if _, g := added(t, clone("--depth=2"), "HEAD~1..HEAD"); len(g.Cut) != 0 {
		t.Errorf("a range that the clone holds: %+v", g)
	}
	all, _ = added(t, clone("--filter=blob:none"), "HEAD~1..HEAD")
	same(t, all, "0 100644 c.txt: missing")
	bare := clone("--filter=tree:0")
	g, err := bare.Range(t.Context(), "HEAD")
	must(t, err)
	err = bare.Added(t.Context(), g, func(Addition) error { return nil })
	remedied(t, err, "does not hold every folder")
}

func TestAHostileRepositoryRunsNothingInItsHistory(t *testing.T) {
	s := newRepo(t)
	s.write(".gitattributes", "* diff=evil filter=evil\n")
	s.commit("a.txt", "one")
	s.commit("a.txt", "two")
	mark := filepath.Join(t.TempDir(), "ran")
	for _, key := range []string{"diff.external", "diff.evil.textconv", "diff.evil.command", "filter.evil.smudge", "core.fsmonitor", "core.pager", "core.sshCommand", "log.showSignature"} {
		s.git("config", key, "touch "+mark)
	}
	all, _ := added(t, s.open("."), "HEAD")
	if len(all) != 3 {
		t.Errorf("got %q", all)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the repository ran a program")
	}
}

func TestAReaderThatStopsEndsGit(t *testing.T) {
	s := newRepo(t)
	s.commit("a.txt", "one")
	r := s.open(".")
	g, err := r.Range(t.Context(), "HEAD")
	must(t, err)
	enough := errors.New("enough")
	if err := r.Added(t.Context(), g, func(Addition) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	if err := r.Blobs(t.Context(), g, []string{"--batch"}, 1, nil); err == nil {
		t.Error("an option was taken for an id")
	}
	if err := r.Blobs(t.Context(), g, []string{g.Commits[0]}, 100, func(Blob) error { return nil }); err == nil {
		t.Error("a commit was taken for a blob")
	}
}

func FuzzAdded(f *testing.F) {
	id := strings.Repeat("ab", 20)
	f.Add([]byte(id + "\x00:000000 100644 " + id + " " + id + " A\x00a\x00"))
	f.Add([]byte(id + "\x00::100644 000000 100644 " + id + " " + id + " " + id + " MA\x00c\x00"))
	f.Add([]byte(id + " blob 3\nabc\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		err := parseAdded(bufio.NewReader(strings.NewReader(string(out))), func(a Addition) error {
			if a.Path == "" || !hexID(a.ID) || !hexID(a.Commit) {
				t.Errorf("accepted %+v", a)
			}
			return nil
		})
		_ = err
		if b, err := readBlob(bufio.NewReader(strings.NewReader(string(out))), id, 1000); err == nil && !b.Missing && b.Content != nil && int64(len(b.Content)) != b.Size {
			t.Errorf("accepted %+v", b)
		}
	})
}
