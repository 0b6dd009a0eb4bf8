//go:build unix

package ci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fake writes a tool as a small script outside of the tree, and gives its path.
func fake(t *testing.T, body string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func fakeTool(t *testing.T, format, body string) Tool {
	tree := t.TempDir()
	return Tool{
		Reads: ResultOptions{Format: format, Source: "acme", Check: "sast"}, Command: []string{fake(t, body)}, Timeout: time.Minute,
		Dir: tree, Tree: tree, Env: []string{"PATH=/usr/bin:/bin", "A=1"},
	}
}

const found = `cat <<'END'
{"version": "1", "results": [{"check_id": "a", "path": "a.py", "start": {"line": 1}, "extra": {"message": "m", "severity": "ERROR"}}], "errors": [], "paths": {"scanned": ["a.py"]}}
END`

const nothingFound = `echo '{"version": "1", "results": [], "errors": [], "paths": {"scanned": ["a.py"]}}'`

// A tool that does not answer, or answers something else, must not look like one that
// found nothing.
func TestAToolIsBelievedOnlyWhereItDidItsWork(t *testing.T) {
	for name, c := range map[string]struct {
		format, body string
		change       func(*Tool)
		complete     bool
		hits         int
		told         string
	}{
		"it finds something and says so by its exit code":  {"semgrep", found + "\nexit 1", nil, true, 1, ""},
		"it finds something and ends well":                 {"semgrep", found, nil, true, 1, ""},
		"it finds nothing":                                 {"semgrep", nothingFound, nil, true, 0, ""},
		"it fails with a report that has nothing":          {"semgrep", nothingFound + "; echo 'rules not found' >&2; exit 1", nil, false, 0, "exit code 1, which is not that of a whole run with what it reports: rules not found"},
		"it fails with a report that has something":        {"semgrep", found + "\nexit 2", nil, false, 1, "exit code 2"},
		"its own exit codes are known":                     {"kics", `echo '{"kics_version":"2","files_parsed":1,"queries":[{"query_name":"q","query_id":"i","severity":"HIGH","files":[{"file_name":"a.tf","line":1}]}]}'; exit 50`, nil, true, 1, ""},
		"it prints nothing":                                {"semgrep", "echo 'no network' >&2; exit 2", nil, false, 0, "exit code 2: no network): this is no report of the form semgrep: it is empty"},
		"it prints another tool's form":                    {"semgrep", `echo '{"matches": [], "descriptor": {}}'`, nil, false, 0, "this is a report of the form grype and not of semgrep"},
		"it prints talk before its report":                 {"semgrep", "echo hello; " + nothingFound, nil, false, 0, "cannot be read"},
		"it hangs":                                         {"semgrep", "sleep 300", func(t *Tool) { t.Timeout = 300 * time.Millisecond }, false, 0, "did not end within 300ms and was stopped: give it a longer `timeout:`"},
		"it hangs in a child":                              {"semgrep", "sleep 300 & wait", func(t *Tool) { t.Timeout = 300 * time.Millisecond }, false, 0, "did not end within"},
		"it floods":                                        {"semgrep", "while :; do echo 0123456789012345678901234567890123456789012345678901234567890123456789; done | cat", nil, false, 0, "printed more than 32 MiB and was stopped"},
		"it complains without end and answers":             {"semgrep", "head -c 300000 /dev/zero >&2; " + nothingFound, nil, true, 0, ""},
		"it reads standard input":                          {"semgrep", "cat; " + nothingFound, nil, true, 0, ""},
		"it leaves a child behind that holds its output":   {"semgrep", nothingFound + "\nsleep 300 &", nil, false, 0, "left a process behind"},
		"it is ended by a signal":                          {"semgrep", "kill -9 $$", nil, false, 0, "ended by a signal"},
		"it is not there":                                  {"semgrep", "", func(t *Tool) { t.Command = []string{"/nowhere/acme-scan"} }, false, 0, "is not on this machine"},
		"it is named by a path of the tree":                {"semgrep", "", func(t *Tool) { t.Command = []string{"bin/scan"} }, false, 0, "named by a path of the tree"},
		"it has another digest":                            {"semgrep", nothingFound, func(t *Tool) { t.SHA256 = strings.Repeat("0", 64) }, false, 0, "the released map pins 0000"},
		"it has its digest":                                {"semgrep", nothingFound, pinIt, true, 0, ""},
		"it sees what it is given of the environment":      {"semgrep", `[ "$(env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort | tr '\n' ' ')" = "A=1 PATH=/usr/bin:/bin " ] && ` + nothingFound, nil, true, 0, ""},
		"no shell reads its arguments":                     {"semgrep", `[ "$1" = '$(touch /tmp/x); a b' ] && ` + nothingFound, func(t *Tool) { t.Command = append(t.Command, "$(touch /tmp/x); a b") }, true, 0, ""},
		"it runs in the tree's folder and names its files": {"semgrep", `echo "{\"version\": \"1\", \"results\": [{\"check_id\": \"a\", \"path\": \"$PWD/a.py\", \"extra\": {}}], \"errors\": [], \"paths\": {\"scanned\": [\"a.py\"]}}"`, nil, true, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tool := fakeTool(t, c.format, c.body)
			if c.change != nil {
				c.change(&tool)
			}
			begun := time.Now()
			r, err := tool.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r.Complete != c.complete || len(r.Hits) != c.hits || r.Check != "sast" || r.Source != "acme" {
				t.Errorf("complete %v with %d hits: %+v", r.Complete, len(r.Hits), r.NotChecked)
			}
			if ok, blocks := toldOf(r, c.told); c.told != "" && (!ok || !blocks) {
				t.Errorf("%q is not told: %+v", c.told, r.NotChecked)
			}
			for _, h := range r.Hits {
				if !strings.HasPrefix(h.Path, "a.") {
					t.Errorf("%q is no path of the tree", h.Path)
				}
			}
			if time.Since(begun) > 60*time.Second {
				t.Error("it was waited for too long")
			}
		})
	}
}

func pinIt(t *Tool) {
	b, err := os.ReadFile(t.Command[0])
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(b)
	t.SHA256 = hex.EncodeToString(sum[:])
}

// A program that lies in the tree is one that a change can bring, also where a link or
// PATH leads to it.
func TestNoProgramOfTheTreeRuns(t *testing.T) {
	tool := fakeTool(t, "semgrep", nothingFound)
	own := filepath.Join(tool.Dir, "scan")
	if err := os.Rename(tool.Command[0], own); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "scan")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", tool.Dir+":/usr/bin:/bin")
	seen := filepath.Join(t.TempDir(), "tree")
	if err := os.Symlink(tool.Dir, seen); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{own, link, "scan", filepath.Join(seen, "scan")} {
		if tool.Command = []string{name}; name == link {
			tool.Tree = seen
		}
		r, err := tool.Run(t.Context())
		if ok, _ := toldOf(r, "lies in the tree"); err != nil || !ok || r.Complete {
			t.Errorf("%s: %+v, %v", name, r.NotChecked, err)
		}
	}
}

func TestAPersonWhoInterruptsIsNotToldOfTheTool(t *testing.T) {
	tool := fakeTool(t, "semgrep", "sleep 300")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	if r, err := tool.Run(ctx); !errors.Is(err, context.Canceled) || r.Check != "" {
		t.Errorf("%+v, %v", r, err)
	}
}
