//go:build unix

package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

const (
	streamHead = `{"config": {"protocol_version": "v1.0.0", "scanner_name": "govulncheck", "scanner_version": "v1.9.0", "db": "file:///db", "db_last_modified": "2026-05-01T10:00:00Z"}}
{"SBOM": {"modules": [{"path": "acme.example/shop"}], "roots": ["acme.example/shop"]}}
{"osv": {"id": "GO-2099-0001", "summary": "a breaks", "affected": []}}
`
	streamCalled = `{"finding": {"osv": "GO-2099-0001", "fixed_version": "v1.0.1", "trace": [{"module": "acme.example/a", "version": "v1.0.0", "package": "acme.example/a", "function": "Break"}, {"module": "acme.example/shop", "function": "main", "position": {"filename": "main.go", "line": 9}}]}}
`
)

// vulncheck is a tool that says of each module what its file says holds, and of one without
// a file nothing at all. The go command beside it is an empty one.
func vulncheck(t *testing.T, dir string) Tool {
	t.Helper()
	beside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(beside, "go"), []byte("#!/bin/sh\n"), 0o755))
	t.Setenv("PATH", beside+":/usr/bin:/bin")
	return Tool{
		Reads: ResultOptions{Format: "govulncheck", Source: "govulncheck", Check: "go-symbols"}, Command: []string{fake(t, "env > env.txt; cat says || { echo 'govulncheck: loading packages:' >&2; echo 'For details on package patterns, see x' >&2; exit 1; }")},
		Timeout: time.Minute, Dir: dir, Tree: dir, Env: []string{"PATH=/usr/bin:/bin"},
	}
}

// onlyGit leaves git as the one program that is found, in a folder.
func onlyGit(t *testing.T, dir string) {
	t.Helper()
	git, err := exec.LookPath("git")
	must(t, err)
	must(t, os.Symlink(git, filepath.Join(dir, "git")))
	t.Setenv("PATH", dir)
}

func overModules(t *testing.T, files map[string]string, change func(dir string, tool *Tool)) verdict.Report {
	t.Helper()
	dir, _ := committed(t, files)
	tool := vulncheck(t, dir)
	if change != nil {
		change(dir, &tool)
	}
	r, err := tool.RunInGoModules(t.Context(), opened(t, dir), &Manifest{})
	must(t, err)
	return r
}

// Each module of a repository is looked at by itself: what one run says of one of them would
// leave the others out in silence.
func TestEachGoModuleIsLookedAt(t *testing.T) {
	r := overModules(t, map[string]string{
		"go.mod": "module a\n", "says": streamHead + streamCalled, "api/go.mod": "module b\n", "api/says": strings.Replace(streamHead, "2026-05-01", "2026-04-01", 1) + streamCalled,
		"lib/go.mod": "module c\n", "lib/says": streamHead, "vendor/x/go.mod": "module x\n", "lib/testdata/go.mod": "module y\n",
	}, nil)
	var places, keys []string
	for _, h := range r.Hits {
		places, keys = append(places, h.Path), append(keys, h.Key)
		if called, imported := Called(h); !called || !imported {
			t.Errorf("it does not say that it is called: %q", h.Message)
		}
	}
	slices.Sort(places)
	slices.Sort(keys)
	if !slices.Equal(places, []string{"api/main.go", "main.go"}) || len(slices.Compact(keys)) != 2 || r.Scope.Inputs != 3 || !r.Complete || r.Check != "go-symbols" {
		t.Errorf("complete %v, %d modules, %v, %v, %+v", r.Complete, r.Scope.Inputs, places, keys, r.NotChecked)
	}
	if r.Database == nil || r.Database.At.Format(time.DateOnly) != "2026-04-01" {
		t.Errorf("the data is not as old as the oldest: %+v", r.Database)
	}
}

// Where a module was not looked at, or against nothing, nobody knows what is called in it.
func TestAGoModuleThatWasNotLookedAtLeavesTheCheckIncomplete(t *testing.T) {
	whole := map[string]string{"go.mod": "module a\n", "says": streamHead}
	for name, c := range map[string]struct {
		files  map[string]string
		change func(dir string, tool *Tool)
		path   string
		told   string
	}{
		"one of two fails": {map[string]string{"go.mod": "module a\n", "says": streamHead, "api/go.mod": "module b\n"}, nil, "api/go.mod", "loading packages:"},
		"an empty database": {map[string]string{"go.mod": "module a\n", "says": strings.Replace(streamHead, `, "db_last_modified": "2026-05-01T10:00:00Z"`, "", 1)}, nil, "",
			"does not say from when it is: one that is empty finds nothing"},
		"no go command": {whole, func(string, *Tool) { onlyGit(t, t.TempDir()) }, "", "it needs the go command, and its program go is not on this machine"},
		"a go command of the tree": {whole, func(dir string, _ *Tool) {
			onlyGit(t, dir)
			write(t, dir, "go", "")
			must(t, os.Chmod(filepath.Join(dir, "go"), 0o755))
		}, "", "its program go lies in the tree"},
		"a go.mod that is a link": {whole, func(dir string, _ *Tool) {
			must(t, os.MkdirAll(filepath.Join(dir, "x"), 0o755))
			must(t, os.Symlink("../go.mod", filepath.Join(dir, "x/go.mod")))
			commitAll(t, dir)
		}, "x/go.mod", "symbolic link"},
		"it does not end":      {whole, func(_ string, tool *Tool) { tool.Command[0], tool.Timeout = fake(t, "sleep 300"), 200*time.Millisecond }, "", "did not end within"},
		"it prints for people": {map[string]string{"go.mod": "module a\n", "says": "No vulnerabilities found.\n"}, nil, "", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			r := overModules(t, c.files, c.change)
			found := slices.ContainsFunc(r.NotChecked, func(n verdict.NotChecked) bool {
				return strings.Contains(n.Reason, c.told) && n.Blocks && n.Path == c.path
			})
			if !found || r.Complete {
				t.Errorf("complete %v: %+v", r.Complete, r.NotChecked)
			}
		})
	}
}

// The go command reads settings of the machine and of the change, which could have it fetch,
// run a compiler or leave something out.
func TestTheGoCommandGetsItsSettingsFromVerdict(t *testing.T) {
	seen := ""
	r := overModules(t, map[string]string{"go.mod": "module a\n", "says": streamHead}, func(dir string, tool *Tool) {
		tool.Env, seen = append(tool.Env, "GOFLAGS=-mod=mod", "GOPROXY=https://evil.example"), filepath.Join(dir, "env.txt")
	})
	env, err := os.ReadFile(seen)
	must(t, err)
	for _, want := range []string{"GOENV=off", "GOFLAGS=-buildvcs=false", "GOTOOLCHAIN=local", "GOPROXY=off", "GOVCS=*:off", "CGO_ENABLED=0"} {
		if !slices.Contains(strings.Split(string(env), "\n"), want) {
			t.Errorf("%s is not set:\n%s", want, env)
		}
	}
	if !r.Complete {
		t.Errorf("%+v", r.NotChecked)
	}
	if r := overModules(t, map[string]string{"main.go": "package main\n"}, nil); !r.Complete || !told(r, "there is no Go module here") {
		t.Errorf("without a module: %+v", r)
	}
}
