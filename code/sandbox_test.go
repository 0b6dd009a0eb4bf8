package code

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"verdict/decisionmap"
	"verdict/git"
)

// sandbox is a repository in a folder of its own, with a home that configures nothing.
type sandbox struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T) sandbox {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, "gitconfig"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	s := sandbox{t: t, dir: filepath.Join(home, "repo")}
	must(t, os.Mkdir(s.dir, 0o755))
	s.git("config", "--global", "user.name", "Ada")
	s.git("config", "--global", "user.email", "ada@acme.example")
	s.git("init", "-q", "-b", "main")
	s.git("remote", "add", "origin", "https://github.com/acme/shop.git")
	return s
}

func (s sandbox) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files ("" takes one away) and gives the new commit.
func (s sandbox) commit(files map[string]string, args ...string) string {
	s.t.Helper()
	for name, content := range files {
		path := filepath.Join(s.dir, name)
		if content == "" {
			must(s.t, os.Remove(path))
			continue
		}
		must(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(s.t, os.WriteFile(path, []byte(content), 0o644))
	}
	s.git("add", "-A")
	s.git(append([]string{"commit", "-q", "--allow-empty", "-m", "change"}, args...)...)
	return s.git("rev-parse", "HEAD")
}

// asked is the change from base to head, judged by the map.
func (s sandbox) asked(base, head, mapText string) Question {
	s.t.Helper()
	repo, err := git.Open(s.t.Context(), s.dir)
	must(s.t, err)
	m := decisionmap.Builtin()
	if mapText != "" {
		m, err = decisionmap.Load("verdict.yaml at test", []byte(mapText))
		must(s.t, err)
	}
	people, err := NewPeople(m, "github")
	must(s.t, err)
	return Question{Repo: repo, Base: base, Head: head, Against: "main", Map: m, People: people}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// madeAt is when the sealed commits of the tests say that they were made.
var madeAt = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

var committedAt = regexp.MustCompile(`(?m)^(committer .*>) .*$`)

// sealed makes an empty commit on HEAD by alma that carries a signature over itself, in a
// header of that name.
func (s sandbox) sealed(header string, sign func(signed []byte) (armored string)) string {
	s.t.Helper()
	s.git("config", "user.email", "alma@acme.example")
	raw := s.git("cat-file", "commit", s.commit(nil)) + "\n"
	raw = committedAt.ReplaceAllString(raw, fmt.Sprintf("$1 %d +0000", madeAt.Unix()))
	return s.stored(sealedBy(raw, header, sign([]byte(raw))))
}

// sealedBy is a commit with one more header that holds a signature.
func sealedBy(raw, header, armored string) string {
	lines := strings.ReplaceAll(strings.TrimSuffix(armored, "\n"), "\n", "\n ")
	return strings.Replace(raw, "\n\n", "\n"+header+" "+lines+"\n\n", 1)
}

// stored writes a commit as it stands.
func (s sandbox) stored(raw string) string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "commit")
	must(s.t, os.WriteFile(file, []byte(raw), 0o644))
	return s.git("hash-object", "-w", "-t", "commit", file)
}

// raw is a commit as it is stored.
func (s sandbox) raw(id string) string { return s.git("cat-file", "commit", id) + "\n" }
