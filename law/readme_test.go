package law

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// walks are the documents whose commands a reader types one after the other.
var walks = []string{"README.md", "docs/releasing.md", "docs/operations.md"}

// readmeLimit bounds a run of one of them.
const readmeLimit = 5 * time.Minute

// block is one fenced block of shell commands.
type block struct {
	line   int
	script string
	notRun string // why it is not run; empty for one that is
}

var fence = regexp.MustCompile("(?m)^```(\\w+)?(.*)$")

// shellBlocks reads the fenced blocks of a document that hold shell commands. A block
// is run unless its fence says "sh not run: why".
func shellBlocks(path, text string) (blocks []block, bad []breach) {
	marks := fence.FindAllStringSubmatchIndex(text, -1)
	for i := 0; i+1 < len(marks); i += 2 {
		open, end := marks[i], marks[i+1]
		language, rest := "", strings.TrimSpace(text[open[4]:open[5]])
		if open[2] >= 0 {
			language = text[open[2]:open[3]]
		}
		b := block{line: 1 + strings.Count(text[:open[0]], "\n"), script: text[open[1]+1 : end[0]]}
		why, marked := strings.CutPrefix(rest, "not run:")
		switch language {
		case "bash", "shell", "console", "zsh":
			bad = append(bad, breach{path, b.line, "a block of " + language, "commands for readers are blocks of sh, which are run"})
			continue
		case "sh":
		default:
			continue
		}
		switch {
		case marked && len(strings.Fields(why)) < 3:
			bad = append(bad, breach{path, b.line, "a block is not run and does not say why", "write ```sh not run: and the reason"})
		case marked:
			b.notRun = strings.TrimSpace(why)
		case rest != "":
			bad = append(bad, breach{path, b.line, "a fence says " + rest, "write ```sh, or ```sh not run: and the reason"})
		}
		blocks = append(blocks, b)
	}
	return blocks, bad
}

var readmeBlocksLaw = law{
	name: "each block of commands in the README and the walks is run or says why not",
	check: func(tr *tree) []breach {
		var bad []breach
		for _, path := range walks {
			_, more := shellBlocks(path, tr.texts[path])
			bad = append(bad, more...)
		}
		return bad
	},
	broken: []example{
		{"no reason", "-- README.md --\n```sh not run:\nmake demo\n```\n", "does not say why"},
		{"another shell", "-- README.md --\n```console\n$ make demo\n```\n", "a block of console"},
		{"in a walk", "-- docs/releasing.md --\n```console\n$ make demo\n```\n", "a block of console"},
		{"a word that means nothing", "-- README.md --\n```sh skip\nmake demo\n```\n", "a fence says skip"},
	},
	fine: []example{{"one of each", "-- README.md --\n```sh\nverdict version\n```\n```sh not run: it runs for a minute\nmake demo\n```\n```yaml\na: b\n```\n", ""}},
}

func TestTheReadmesCommandsWork(t *testing.T) {
	built := verdictBinary(t)
	for _, path := range walks {
		t.Run(strings.ReplaceAll(path, "/", " "), func(t *testing.T) {
			blocks, _ := shellBlocks(path, projectTree(t).texts[path])
			if len(blocks) == 0 {
				t.Fatal(path + " shows no command")
			}
			scratch := t.TempDir()
			err := errors.Join(os.Mkdir(filepath.Join(scratch, "bin"), 0o755), os.Symlink(built, filepath.Join(scratch, "bin", "verdict")))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(filepath.Join(scratch, "examples"), os.DirFS(filepath.Join(checkout(t), "examples"))); err != nil {
				t.Fatal(err)
			}
			if out, err := runBlocks(scratch, blocks); err != nil {
				t.Errorf("%s, %v\n%s", path, err, out)
			}
		})
	}
}

func TestACommandThatFailsIsReported(t *testing.T) {
	blocks, _ := shellBlocks("a.md", "# A\n\n```sh\necho one\n```\n\n```sh\nfalse\necho two\n```\n")
	out, err := runBlocks(t.TempDir(), blocks)
	if err == nil || !strings.Contains(err.Error(), "line 7") {
		t.Errorf("the block at line 7 fails, and the run says %v\n%s", err, out)
	}
	if strings.Contains(out, "two") {
		t.Errorf("the run went on after a command that failed:\n%s", out)
	}
}

// verdictBinary is the path of the binary: of the one that VERDICT_BIN names, which make
// test has just built, or of a fresh one.
func verdictBinary(t *testing.T) string {
	t.Helper()
	if built := os.Getenv("VERDICT_BIN"); built != "" {
		if _, err := os.Stat(built); err != nil { // a cached test result is for this binary alone
			t.Fatal(err)
		}
		return built
	}
	to := filepath.Join(t.TempDir(), "verdict")
	build := exec.Command("go", "build", "-o", to, "./cmd/verdict")
	build.Dir = checkout(t)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/verdict: %v\n%s", err, out)
	}
	return to
}

// runBlocks runs the blocks as one script, as a reader would who types one after the
// other, in a folder that has bin/verdict and examples and with a home of its own.
func runBlocks(dir string, blocks []block) (output string, err error) {
	// A server that a block began ends with the script, also when a command after it fails.
	script := "set -eu\ntrap '[ -z \"${server-}\" ] || kill \"$server\" 2>/dev/null || :' EXIT\n"
	for _, b := range blocks {
		if b.notRun == "" {
			script += fmt.Sprintf("echo '== line %d'\n%s\n", b.line, b.script)
		}
	}
	free, err := freeAddress()
	if err != nil {
		return "", err
	}
	script = strings.ReplaceAll(script, "127.0.0.1:8080", free) // on which a developer may have something else
	home := filepath.Join(dir, ".home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readmeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(withoutSettings(os.Environ()), "HOME="+home, "XDG_DATA_HOME="+home+"/data", "XDG_STATE_HOME="+home+"/state",
		"XDG_CONFIG_HOME="+home+"/config", "XDG_CACHE_HOME="+home+"/cache", "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Reader", "GIT_AUTHOR_EMAIL=reader@example.org",
		"GIT_COMMITTER_NAME=Reader", "GIT_COMMITTER_EMAIL=reader@example.org", "CI=", "GITHUB_ACTIONS=", "TF_BUILD=", "GITLAB_CI=")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return string(out), nil
	}
	at := "before the first block"
	if marks := regexp.MustCompile(`(?m)^== (line \d+)$`).FindAllStringSubmatch(string(out), -1); len(marks) > 0 {
		at = marks[len(marks)-1][1]
	}
	return string(out), fmt.Errorf("block at %s: %w", at, err)
}

// freeAddress is one on which nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// withoutSettings leaves out what configures Verdict: a reader starts without.
func withoutSettings(env []string) []string {
	return slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "VERDICT_") })
}
