package peers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// found is what a check says in the JSON of verdict ci.
type found struct {
	Complete bool
	Hits     []hit
	Open     []struct {
		Path, Reason string
		Blocks       bool
	} `json:"not_checked"`
}

type hit struct {
	Key, Detector, Path, Message string
	Line                         int64
	Old                          bool
}

func (f found) told(p, words string) (told, blocks bool) {
	for _, n := range f.Open {
		if n.Path == p && strings.Contains(n.Reason, words) {
			return true, n.Blocks
		}
	}
	return false, false
}

// releases puts a map with these sources in force, and makes a repository.
func (w *world) releases(t *testing.T, sources string) (repo string) {
	t.Helper()
	w.must(t, "map", "release", w.write(t, "acme.yaml", "schema: verdict/v1\norganization: acme\nadopting: true\nsources:\n"+sources))
	repo = w.path("app")
	w.in(t, repo, map[string]string{"verdict.yaml": "schema: verdict/v1\nservice: app\nteam: web\nowner: web@acme.example\n"})
	w.git(t, repo, "init", "-q", "-b", "main", ".")
	w.git(t, repo, "commit", "-q", "--allow-empty", "-m", "begin")
	return repo
}

// in writes files below a folder.
func (w *world) in(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) git(t *testing.T, repo string, args ...string) {
	t.Helper()
	args = append([]string{"-C", repo, "-c", "user.name=Ada", "-c", "user.email=ada@acme.example"}, args...)
	if exit, said := w.run(t, true, "git", args...); exit != 0 {
		t.Fatalf("git %v: %s", args, said)
	}
}

// checked commits what lies in the repository, judges it and reads the report of a check.
func (w *world) checked(t *testing.T, repo, check string, args ...string) found {
	t.Helper()
	w.git(t, repo, "add", "-A", "-f")
	w.git(t, repo, "commit", "-q", "--allow-empty", "-m", "change")
	return w.judged(t, repo, check, args...)
}

// judged judges the repository as it lies there.
func (w *world) judged(t *testing.T, repo, check string, args ...string) found {
	t.Helper()
	out := w.path("out.json")
	if exit, said := w.run(t, true, w.verdict, append([]string{"ci", repo, "-o", "json=" + out}, args...)...); exit != 0 && exit != 1 && exit != 3 {
		t.Fatalf("verdict ci: exit %d\n%s", exit, said)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Reports []struct {
			Check string
			found
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all.Reports {
		if r.Check == check {
			return r.found
		}
	}
	t.Fatalf("there is no report of the check %s", check)
	return found{}
}
