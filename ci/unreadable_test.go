package ci

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"verdict"
	"verdict/git"
)

// asNobody runs the test again, in a process of a user who owns dir and is not root: to
// root nothing is unreadable. closed are the files and folders in it that nobody may open.
func asNobody(t *testing.T, variable, dir string, closed ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+dir, "HOME="+dir, "GIT_CONFIG_GLOBAL="+os.DevNull)
	if os.Getuid() == 0 {
		program, err := os.ReadFile(os.Args[0])
		must(t, err)
		cmd.Path = filepath.Join(dir, "test")
		must(t, os.WriteFile(cmd.Path, program, 0o755))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Dir = dir
		must(t, filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error { return errors.Join(err, os.Lchown(p, 65534, 65534)) }))
	}
	for _, p := range closed {
		p = filepath.Join(dir, p)
		must(t, os.Chmod(p, 0))
		defer os.Chmod(p, 0o755)
	}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// openFolder is a folder that every user may enter.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "verdict-unreadable")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	return dir
}

func TestUnreadableFileLeavesTheWalkIncomplete(t *testing.T) {
	const variable = "VERDICT_TEST_UNREADABLE"
	if dir := os.Getenv(variable); dir != "" {
		unreadable(t, filepath.Join(dir, "plain"), WalkOptions{})
		repo := filepath.Join(dir, "repo")
		unreadable(t, repo, WalkOptions{Repo: opened(t, repo)})
		return
	}
	dir := openFolder(t)
	must(t, os.Mkdir(filepath.Join(dir, "repo"), 0o755))
	gitIn(t, filepath.Join(dir, "repo"), "init", "-q")
	for _, sub := range []string{"plain", "repo"} {
		tree := filepath.Join(dir, sub)
		write(t, tree, "open", "open")
		write(t, tree, "locked", "locked")
		write(t, tree, "closed/x", "x")
	}
	asNobody(t, variable, dir, "plain/locked", "plain/closed", "repo/locked", "repo/closed")
}

func unreadable(t *testing.T, tree string, o WalkOptions) {
	t.Helper()
	m, err := Walk(t.Context(), tree, o, &witness{})
	must(t, err)
	if s := skipOf(t, m, "locked"); !s.Blocks || !strings.Contains(s.Reason, "permission denied") {
		t.Errorf("a file: %+v", s)
	}
	if s := skipOf(t, m, "closed"); !s.Blocks || !s.Folder {
		t.Errorf("a folder: %+v", s)
	}
	if len(m.Entries) != 1 {
		t.Errorf("entries: %+v", m.Entries)
	}
}

// In a large tree one file that nobody could read is easily lost. No check that would have
// read it may look finished, and each says which file it was.
func TestOneFileOf50000ThatCannotBeReadIsTold(t *testing.T) {
	const variable, files, locked = "VERDICT_TEST_UNREADABLE_ONE", 50_000, "d25/main.tf"
	if dir := os.Getenv(variable); dir != "" {
		for _, repo := range []*git.Repo{nil, opened(t, filepath.Join(dir, "tree"))} {
			r, err := Run(t.Context(), Options{Path: filepath.Join(dir, "tree"), Repo: repo})
			must(t, err)
			if n := len(r.Manifest.Entries); n != files-1 {
				t.Errorf("%d files were read", n)
			}
			for _, check := range []string{SecretsCheck, IaCCheck} {
				told := unfinished(t, r, check)
				if len(told) != 1 || told[0].Path != locked || !strings.Contains(told[0].Reason, "permission denied") {
					t.Errorf("%s: %+v", check, told)
				}
			}
		}
		return
	}
	dir := openFolder(t)
	for d := range 50 {
		for f := range files/50 - 1 {
			if f == 0 {
				write(t, dir, fmt.Sprintf("tree/d%d/main.tf", d), "locals {\n  a = 1\n}\n")
			}
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("tree/d%d/f%d.txt", d, f)), nil, 0o644))
		}
	}
	gitIn(t, filepath.Join(dir, "tree"), "init", "-q")
	asNobody(t, variable, dir, "tree/"+locked)
}

// unfinished gives what leaves a check open. A check that looks whole has nothing that does.
func unfinished(t *testing.T, r *Result, check string) (told []verdict.NotChecked) {
	t.Helper()
	i := slices.IndexFunc(r.Reports, func(p verdict.Report) bool { return p.Check == check })
	for _, n := range r.Reports[i].NotChecked {
		if n.Blocks {
			told = append(told, n)
		}
	}
	if r.Reports[i].Complete != (len(told) == 0) {
		t.Errorf("%s: complete %v, and open: %+v", check, r.Reports[i].Complete, told)
	}
	return told
}

// A file that is written while it is read is a file of which nobody knows what it says. It
// is judged as it was at one time, or told, and never in part.
func TestAFileThatIsWrittenWhileItIsReadIsWholeOrTold(t *testing.T) {
	const secret = "settlement_api_key = \"8f3Kq9ZtW2xLm5Vd7RbY4nCs6HpJ1gTe\"\n"
	filler := strings.Repeat("# nothing to see\n", 100_000)
	contents := map[string]string{
		"main.tf":   filler + "resource \"aws_s3_bucket\" \"a\" {\n  acl = \"public-read\"\n}\n",
		"go.mod":    "module m\n" + strings.ReplaceAll(filler, "#", "//") + "require example.com/a v1.0.0\n",
		"notes.txt": filler + secret,
	}
	found := map[string]func(*Result) bool{
		"main.tf":   func(r *Result) bool { return hasHit(r, IaCCheck, "main.tf") },
		"go.mod":    func(r *Result) bool { return len(r.Dependencies) == 1 },
		"notes.txt": func(r *Result) bool { return hasHit(r, SecretsCheck, "notes.txt") },
	}
	checks := map[string]string{"main.tf": IaCCheck, "go.mod": VulnerabilitiesCheck, "notes.txt": SecretsCheck}
	for how, disturb := range map[string]func(path, content string) error{
		"it grows":       grow,
		"it is cut":      cut,
		"it is replaced": replace,
	} {
		for file, content := range contents {
			t.Run(how+": "+file, func(t *testing.T) {
				dir := t.TempDir()
				path := write(t, dir, file, content)
				stop := busy(t, func() error { return disturb(path, content) })
				defer stop()
				for begun := time.Now(); ; {
					r, err := Run(t.Context(), Options{Path: dir})
					must(t, err)
					told := unfinished(t, r, checks[file])
					if slices.ContainsFunc(told, func(n verdict.NotChecked) bool { return n.Path == file && strings.Contains(n.Reason, "while") }) {
						return // and what was read is of no matter
					}
					if how != "it is cut" && !found[file](r) {
						t.Fatalf("a part of it was judged as if it were all: %+v", told)
					}
					if time.Since(begun) > 2*time.Second {
						return // each time it was read whole; that a change is seen is for TestChangeDuringTheReadIsSeen
					}
				}
			})
		}
	}
}

func hasHit(r *Result, check, path string) bool {
	return slices.ContainsFunc(r.Reports, func(p verdict.Report) bool {
		return p.Check == check && slices.ContainsFunc(p.Hits, func(h verdict.Hit) bool { return h.Path == path })
	})
}

// busy does something again and again until it is stopped.
func busy(t *testing.T, do func() error) (stop func()) {
	var over sync.WaitGroup
	ended := make(chan struct{})
	over.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				if err := do(); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	return func() { close(ended); over.Wait() }
}

func grow(path, _ string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n")
	return errors.Join(err, f.Close())
}

func cut(path, content string) error {
	if err := os.Truncate(path, int64(len(content)/2)); err != nil {
		return err
	}
	return os.Truncate(path, int64(len(content)/4))
}

func replace(path, content string) error {
	if err := os.WriteFile(path+".new", []byte(content+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
