package ci

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"verdict"
	"verdict/ci/plain"
	"verdict/ci/wording"
	"verdict/git"
)

// witness wants everything and remembers what it was given.
type witness struct {
	mu   sync.Mutex
	seen map[string]string
	each func(f File, content []byte)
}

func (w *witness) Wants(File) bool { return true }

func (w *witness) Read(_ context.Context, f File, content []byte) {
	if w.each != nil {
		w.each(f, content)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = map[string]string{}
	}
	if _, twice := w.seen[f.Path]; twice {
		w.seen[f.Path] = "READ TWICE"
		return
	}
	w.seen[f.Path] = string(content)
}

func (w *witness) paths() []string {
	var out []string
	for p := range w.seen {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// repository makes an empty one with a home of its own.
func repository(t testing.TB) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, "gitconfig"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	dir := filepath.Join(home, "repo")
	must(t, os.Mkdir(dir, 0o755))
	gitIn(t, dir, "config", "--global", "user.name", "Ada Example")
	gitIn(t, dir, "config", "--global", "user.email", "ada@acme.example")
	gitIn(t, dir, "config", "--global", "init.defaultBranch", "main")
	gitIn(t, dir, "init", "-q")
	return dir
}

func gitIn(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func commitAll(t testing.TB, dir string) string {
	t.Helper()
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-q", "-m", "all")
	return gitIn(t, dir, "rev-parse", "HEAD")
}

func opened(t testing.TB, dir string) *git.Repo {
	t.Helper()
	r, err := git.Open(t.Context(), dir)
	must(t, err)
	return r
}

func skipOf(t *testing.T, m *Manifest, path string) Skip {
	t.Helper()
	for _, s := range m.Skipped {
		if s.File.Path == path {
			return s
		}
	}
	t.Fatalf("nothing is told about %q; told: %+v", path, m.Skipped)
	return Skip{}
}

// Names that could be read as two files, as a command to a terminal or a pipeline, or
// as no text at all.
var oddNames = []string{"new\nline", "::error::x", "##vso[task.complete]", "\x1b[31mred", "? free", "tab\there", "in\xffvalid", "-rf", `q"uote\`, "ünï", " ", "..."}

func TestWalkOffersEachFileOnceUnderItsTrueName(t *testing.T) {
	for _, inRepo := range []bool{false, true} {
		t.Run(fmt.Sprintf("in a repository: %v", inRepo), func(t *testing.T) {
			dir := t.TempDir()
			o := WalkOptions{}
			if inRepo {
				dir = repository(t)
				o.Repo = opened(t, dir)
			}
			want := []string{}
			for i, n := range oddNames {
				for _, sub := range []string{"", "a/", "a/b c/"} {
					write(t, dir, sub+n, fmt.Sprint(i, sub))
					want = append(want, sub+n)
				}
			}
			for i := range 3 * batch {
				name := fmt.Sprintf("many/f%03d", i)
				write(t, dir, name, name)
				want = append(want, name)
			}
			slices.Sort(want)
			one, two := &witness{}, &witness{}
			m, err := Walk(t.Context(), dir, o, one, two)
			must(t, err)
			for _, w := range []*witness{one, two} {
				if got := w.paths(); !slices.Equal(got, want) {
					t.Errorf("read %d files, want %d: %q", len(got), len(want), got)
				}
				for p, c := range w.seen {
					if c == "READ TWICE" {
						t.Errorf("%q was offered twice", p)
					}
				}
			}
			if int(m.Read) != len(want) || len(m.Entries) != len(want) || len(m.Skipped) != 0 {
				t.Errorf("manifest: %d read, %d entries, skipped %+v", m.Read, len(m.Entries), m.Skipped)
			}
		})
	}
}

// Who waits for a large tree wants to see that it goes on, and that it ends.
func TestTheWalkTellsHowFarItIs(t *testing.T) {
	dir := t.TempDir()
	for i := range 150 {
		write(t, dir, fmt.Sprintf("%d/%d", i%3, i), "x")
	}
	var mu sync.Mutex
	last, calls := 0, 0
	_, err := Walk(t.Context(), dir, WalkOptions{Progress: func(done, of int) {
		mu.Lock()
		defer mu.Unlock()
		last, calls = max(last, done), calls+1
		if of != 150 || done > of {
			t.Errorf("%d of %d", done, of)
		}
	}})
	must(t, err)
	if last != 150 || calls < 3 {
		t.Errorf("it said %d of 150 last, in %d calls", last, calls)
	}
}

func TestGitsIgnoresAreSkippedAsGitDoes(t *testing.T) {
	dir := repository(t)
	write(t, dir, ".gitignore", "build/\n*.log\n!kept.log\n")
	write(t, dir, "forced.log", "tracked although it is ignored")
	gitIn(t, dir, "add", "-f", "forced.log")
	for _, n := range []string{"a.txt", "build/out", "x.log", "kept.log", "sub/.gitignore", "sub/y.log"} {
		write(t, dir, n, n)
	}
	write(t, dir, "sub/.gitignore", "own\n")
	write(t, dir, "sub/own", "x")
	w := &witness{}
	_, err := Walk(t.Context(), dir, WalkOptions{Repo: opened(t, dir)}, w)
	must(t, err)
	want := []string{".gitignore", "a.txt", "forced.log", "kept.log", "sub/.gitignore"}
	if got := w.paths(); !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

// Nothing outside of the tree is read, and nothing is read under another's name.
func TestLinksAreNotFollowed(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, "canary", "CANARY")
	for _, inRepo := range []bool{false, true} {
		dir := t.TempDir()
		o := WalkOptions{}
		if inRepo {
			dir = repository(t)
		}
		write(t, dir, "in/side", "inside")
		for name, target := range map[string]string{
			"file": filepath.Join(outside, "canary"), "folder": outside, "dotdot": "../../canary", "inner": "in/side", "innerdir": "in", "self": "self", "none": "nowhere", "root": "/",
		} {
			must(t, os.Symlink(target, filepath.Join(dir, name)))
		}
		if inRepo {
			commitAll(t, dir)
			o.Repo = opened(t, dir)
		}
		w := &witness{}
		m, err := Walk(t.Context(), dir, o, w)
		must(t, err)
		if got := w.paths(); !slices.Equal(got, []string{"in/side"}) {
			t.Errorf("in a repository %v: read %q", inRepo, got)
		}
		i := slices.IndexFunc(m.Entries, func(e Entry) bool { return e.Path == "file" })
		if i < 0 || m.Entries[i].Mode != git.ModeLink || m.Entries[i].Size != int64(len(outside)+len("/canary")) {
			t.Errorf("the link is not listed by its own content: %+v", m.Entries)
		}
	}
}

// An attacker swaps a folder for a link out of the tree, and a file for a FIFO, while
// the walk is under way.
func TestSwapsDuringTheWalkReadNothingOutside(t *testing.T) {
	outside := t.TempDir()
	for i := range batch {
		write(t, outside, fmt.Sprintf("f%02d", i), "CANARY")
	}
	dir := t.TempDir()
	for i := range batch {
		write(t, dir, fmt.Sprintf("d/f%02d", i), "inside")
	}
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	var stop atomic.Bool
	var swaps int
	done := make(chan struct{})
	go func() {
		defer close(done)
		d, link, away := filepath.Join(dir, "d"), filepath.Join(dir, "link"), filepath.Join(dir, "away")
		f, pipe, aside := filepath.Join(away, "f00"), filepath.Join(dir, "pipe"), filepath.Join(dir, "aside")
		for ; !stop.Load(); swaps++ {
			os.Rename(d, away)
			os.Rename(link, d)
			os.Rename(f, aside)
			os.Rename(pipe, f)
			os.Rename(d, link)
			os.Rename(away, d)
			os.Rename(filepath.Join(d, "f00"), pipe)
			os.Rename(aside, filepath.Join(d, "f00"))
		}
	}()
	reads := 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		w := &witness{}
		_, err := Walk(t.Context(), dir, WalkOptions{}, w)
		must(t, err)
		for p, c := range w.seen {
			reads++
			if c == "CANARY" {
				t.Fatalf("%q was read from outside of the tree", p)
			}
		}
	}
	stop.Store(true)
	<-done
	if reads == 0 || swaps < 10 {
		t.Fatalf("the race did not take place: %d reads, %d swaps", reads, swaps)
	}
	t.Logf("%d reads during %d swaps", reads, swaps)
}

// The race above hits the moment between looking and opening by chance alone; here it is
// hit each time. Whoever walks a tree that is written to would wait for ever.
func TestAFIFOThatTookAFilesPlaceIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "f", "text")
	top, err := openTop(dir)
	must(t, err)
	defer top.close()
	seen, err := top.root.Lstat("f")
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "f")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "f"), 0o644))
	answered := make(chan error, 1)
	go func() {
		_, _, err := top.open("f", seen)
		answered <- err
	}()
	select {
	case err := <-answered:
		if !errors.Is(err, errSwapped) {
			t.Errorf("it was opened: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the walk waits for a writer")
	}
}

func TestSpecialFilesAreToldAndNeverOpened(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.txt", "text")
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	must(t, err)
	defer l.Close()
	want := map[string]string{"fifo": "FIFO", "socket": "socket"}
	if syscall.Mknod(filepath.Join(dir, "null"), syscall.S_IFCHR|0o666, 1<<8|3) == nil { // root only
		want["null"] = "device"
	}
	w := &witness{}
	m, err := Walk(t.Context(), dir, WalkOptions{}, w)
	must(t, err)
	if got := w.paths(); !slices.Equal(got, []string{"a.txt"}) {
		t.Errorf("read %q", got)
	}
	for name, word := range want {
		if s := skipOf(t, m, name); !strings.Contains(s.Reason, word) || s.Blocks {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestLargeFilesAreToldByTheLimit(t *testing.T) {
	dir := t.TempDir()
	big := write(t, dir, "disk.img", "")
	must(t, os.Truncate(big, 3<<30)) // sparse: it takes no space
	write(t, dir, "dump.sql", strings.Repeat("insert ", 1000))
	write(t, dir, "small.txt", "small")
	w := &witness{}
	start := time.Now()
	m, err := Walk(t.Context(), dir, WalkOptions{MaxFile: 1000}, w)
	must(t, err)
	if got := w.paths(); !slices.Equal(got, []string{"small.txt"}) {
		t.Errorf("read %q", got)
	}
	if s := skipOf(t, m, "disk.img"); !s.Binary || !strings.Contains(s.Reason, "3221225472") || s.File.Size != 3<<30 {
		t.Errorf("3 GB: %+v", s)
	}
	if s := skipOf(t, m, "dump.sql"); s.Binary || !s.Blocks {
		t.Errorf("a large text: %+v", s)
	}
	// A large file is hashed all the same, up to a limit of its own.
	if len(m.Entries) != 2 || m.Entries[0].Path != "dump.sql" || m.Entries[0].SHA256 == [32]byte{} {
		t.Errorf("entries: %+v", m.Entries)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v: the large file was read", d)
	}
}

func TestChangeDuringTheReadIsSeen(t *testing.T) {
	path := write(t, t.TempDir(), "f", "0123456789")
	for name, size := range map[string]int64{"the file grew": 9, "the file was cut": 11} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(path)
			must(t, err)
			defer f.Close()
			var r fileReader
			if got, err := r.fill(f, size); !errors.Is(err, errChanged) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	t.Run("the file was rewritten in place", func(t *testing.T) {
		f, err := os.Open(path)
		must(t, err)
		defer f.Close()
		before, err := f.Stat()
		must(t, err)
		must(t, os.Chtimes(path, time.Now(), time.Now().Add(time.Minute)))
		if err := unchanged(f, before); !errors.Is(err, errChanged) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("it blocks", func(t *testing.T) {
		if s := unopened(item{path: "f"}, errChanged); !s.Blocks {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhatVanishesIsNoPartOfTheTree(t *testing.T) {
	dir := repository(t)
	write(t, dir, "kept", "kept")
	write(t, dir, "lost", "lost")
	commitAll(t, dir)
	must(t, os.Remove(filepath.Join(dir, "lost")))
	m, err := Walk(t.Context(), dir, WalkOptions{Repo: opened(t, dir)}, &witness{})
	must(t, err)
	if s := skipOf(t, m, "lost"); s.Blocks || !strings.Contains(s.Reason, "deleted") || len(m.Entries) != 1 {
		t.Errorf("%+v, entries %+v", s, m.Entries)
	}
	if s := unopened(item{path: "free"}, os.ErrNotExist); s.Blocks || !strings.Contains(s.Reason, "gone") {
		t.Errorf("an untracked file that vanished: %+v", s)
	}
}

func TestWalkLimits(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/b/c/deep", "x")
	write(t, dir, "top", "x")
	t.Run("too many files are an error with a remedy", func(t *testing.T) {
		for i := range 5 {
			write(t, dir, fmt.Sprintf("n/%d", i), "x")
		}
		_, err := Walk(t.Context(), dir, WalkOptions{MaxFiles: 3})
		var e *verdict.Error
		if !errors.As(err, &e) || e.Code != verdict.CodeLimit || e.Remedy == "" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a folder too deep blocks", func(t *testing.T) {
		m, err := Walk(t.Context(), dir, WalkOptions{MaxDepth: 2})
		must(t, err)
		if s := skipOf(t, m, "a/b/c"); !s.Blocks {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a file that git lists too deep blocks", func(t *testing.T) {
		repo := repository(t)
		write(t, repo, "a/b/c/deep", "x")
		m, err := Walk(t.Context(), repo, WalkOptions{Repo: opened(t, repo), MaxDepth: 2})
		must(t, err)
		if s := skipOf(t, m, "a/b/c/deep"); !s.Blocks {
			t.Errorf("%+v", s)
		}
	})
	t.Run("contents in memory stay below the bound", func(t *testing.T) {
		dir := t.TempDir()
		for i := range 40 {
			write(t, dir, fmt.Sprintf("f%d", i), strings.Repeat("x", 1000))
		}
		var now, peak atomic.Int64
		w := &witness{each: func(f File, _ []byte) {
			n := now.Add(f.Size)
			for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
			}
			time.Sleep(time.Millisecond)
			now.Add(-f.Size)
		}}
		_, err := Walk(t.Context(), dir, WalkOptions{Workers: 16, Memory: 3000, MaxFile: 2000}, w)
		must(t, err)
		if peak.Load() > 3000 || len(w.seen) != 40 {
			t.Errorf("%d bytes at once, %d files", peak.Load(), len(w.seen))
		}
	})
	t.Run("a cancelled walk is an error and no manifest", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := &witness{each: func(File, []byte) { stop() }}
		if m, err := Walk(ctx, dir, WalkOptions{}, w); !errors.Is(err, context.Canceled) || m != nil {
			t.Errorf("got %v, %v", m, err)
		}
	})
	t.Run("a folder that is not there", func(t *testing.T) {
		_, err := Walk(t.Context(), filepath.Join(dir, "none"), WalkOptions{})
		if e := verdict.AsError(err); e.Code != verdict.CodeNotFound {
			t.Errorf("got %v", err)
		}
	})
}

func TestRepositoriesInsideAreToldAndNotEntered(t *testing.T) {
	lib := repository(t)
	write(t, lib, "lib.txt", "lib")
	commitAll(t, lib)
	dir := repository(t)
	write(t, dir, "a.txt", "a")
	gitIn(t, dir, "-c", "protocol.file.allow=always", "submodule", "add", "-q", lib, "dep")
	commitAll(t, dir)
	gitIn(t, dir, "clone", "-q", lib, "nested")
	w := &witness{}
	m, err := Walk(t.Context(), dir, WalkOptions{Repo: opened(t, dir)}, w)
	must(t, err)
	if got := w.paths(); !slices.Equal(got, []string{".gitmodules", "a.txt"}) {
		t.Errorf("read %q", got)
	}
	for name, word := range map[string]string{"dep": "submodule", "nested": "another repository"} {
		if s := skipOf(t, m, name); s.Blocks || !strings.Contains(s.Reason, word) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestManifestDigestCoversEveryFact(t *testing.T) {
	base := func() *Manifest {
		return &Manifest{Entries: []Entry{{Path: "a", Mode: git.ModeFile, Size: 1, SHA256: [32]byte{1}}, {Path: "b", Mode: git.ModeFile, Size: 1}}, Skipped: []Skip{{File: File{Path: "c", Size: 9}}}}
	}
	want := base().Digest()
	if want != base().Digest() || want.Algorithm() != "sha256" {
		t.Fatalf("digest %s is not stable", want)
	}
	for name, change := range map[string]func(*Manifest){
		"content": func(m *Manifest) { m.Entries[0].SHA256[5] = 7 }, "mode": func(m *Manifest) { m.Entries[0].Mode = git.ModeProgram },
		"size": func(m *Manifest) { m.Entries[0].Size = 2 }, "path": func(m *Manifest) { m.Entries[0].Path = "aa" }, "entry": func(m *Manifest) { m.Entries = m.Entries[:1] },
		"what was not read": func(m *Manifest) { m.Skipped = nil },
		"a name that mimics the next entry": func(m *Manifest) {
			m.Entries = []Entry{{Path: "a\n" + git.ModeFile + " 1 b", Mode: git.ModeFile, Size: 1, SHA256: [32]byte{1}}}
		},
	} {
		m := base()
		if change(m); m.Digest() == want {
			t.Errorf("another %s, and the same digest", name)
		}
	}
}

func TestShownPathsAreText(t *testing.T) {
	for in, want := range map[string]string{"a/b": "a/b", "in\xffv": `in\xffv`, "ü\n": "ü\n", "\xc3\x28": `\xc3(`, "\uFFFD": "\uFFFD"} {
		if got := wording.Shown(in); got != want {
			t.Errorf("%q shown as %q, want %q", in, got, want)
		}
	}
}

func TestUTF16IsText(t *testing.T) {
	little := []byte{0xff, 0xfe, 'a', 0, '\n', 0, 0x3d, 0xd8, 0x00, 0xde, 'b', 0}
	if isBinary("", little) || string(plain.UTF8(little)) != "a\n😀b" {
		t.Errorf("got %q", plain.UTF8(little))
	}
	big := []byte{0xfe, 0xff, 0, 'a', 0xd8, 0x3d, 0, 'x', 0}
	if got := string(plain.UTF8(big)); got != "a\uFFFDx" {
		t.Errorf("an unpaired surrogate gave %q", got)
	}
	if !isBinary("", []byte("PK\x03\x00")) || isBinary("", []byte("plain")) {
		t.Error("NUL tells binary from text")
	}
}

func goList(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Skipf("SKIP the program go: it is not on PATH, or does not know what is asked of it: go list %v: %v", args, err)
	}
	return string(out)
}

// gap reports whether a gap with these words is told, and fails when it blocks or not
// as it should not.
func gap(t *testing.T, gaps []verdict.NotChecked, words string, blocks bool) {
	t.Helper()
	for _, g := range gaps {
		if strings.Contains(g.Path+": "+g.Reason, words) {
			if g.Blocks != blocks {
				t.Errorf("%q blocks: %v, want %v", g.Reason, g.Blocks, blocks)
			}
			return
		}
	}
	t.Errorf("nothing is told about %q; told: %+v", words, gaps)
}

func blocking(gaps []verdict.NotChecked) int {
	n := 0
	for _, g := range gaps {
		if g.Blocks {
			n++
		}
	}
	return n
}

// hex32 is a SHA-256 as lockfiles write it.
var hex32 = strings.Repeat("ef", 32)
