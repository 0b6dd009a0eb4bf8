package ci

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
	"verdict/git"
)

// maxGoModules bounds the modules of a tree that a tool is run over, one after the other.
const maxGoModules = 50

// RunInGoModules runs a tool that looks at one Go module over each module of a tree, whose
// files git or the walk knows, and gives one report of all. The tool gets settings of the go
// command that a change cannot loosen: it fetches nothing, takes no other version of Go, runs
// no compiler of C, and reads no settings of the machine.
func (t Tool) RunInGoModules(ctx context.Context, repo *git.Repo, m *Manifest) (verdict.Report, error) {
	modules, left, err := goModules(ctx, repo, m)
	if err != nil {
		return verdict.Report{}, err
	}
	all := t.Unanswered("")
	all.NotChecked, all.Complete = left, complete(left)
	if len(modules) == 0 {
		all.NotChecked = append(all.NotChecked, wording.Aside("", "there is no Go module here: nothing to judge"))
		return all, nil
	}
	goCommand := Tool{Command: []string{"go"}, Tree: t.Tree}
	if _, err := goCommand.program(); err != nil {
		return t.Unanswered("it needs the go command, and " + err.Error()), nil
	}
	t.Env = slices.Concat(t.Env, []string{"GOENV=off", "GOFLAGS=-buildvcs=false", "GOTOOLCHAIN=local", "GOPROXY=off", "GONOPROXY=none", "GOVCS=*:off", "CGO_ENABLED=0"})
	top := t.Dir
	for i, dir := range modules {
		if t.Dir, t.Reads.Below = filepath.Join(top, filepath.FromSlash(dir)), dir; dir == "." {
			t.Reads.Below = ""
		}
		r, err := t.Run(ctx)
		if err != nil {
			return verdict.Report{}, err
		}
		if i == 0 {
			all.Tool = r.Tool
		}
		joined(&all, r, dir, len(modules) > 1)
	}
	all.NotChecked = bounded(all.NotChecked)
	all.Complete = complete(all.NotChecked)
	return all, nil
}

// joined adds what a tool says of one module to what it says of the tree. The data that all of
// it rests on is as old as the oldest of it.
func joined(all *verdict.Report, r verdict.Report, dir string, several bool) {
	for _, n := range r.NotChecked {
		if several {
			n.Path = cmp.Or(n.Path, wording.Shown(path.Join(dir, "go.mod")))
		}
		all.NotChecked = append(all.NotChecked, n)
	}
	for _, h := range r.Hits {
		if dir != "." {
			h.Key += ":" + wording.Shown(dir)
		}
		if len(all.Hits) == maxHits {
			all.NotChecked = append(all.NotChecked, wording.Open("", "more findings than a report holds are not listed"))
			break
		}
		all.Hits = append(all.Hits, h)
	}
	if d := r.Database; d != nil && (all.Database == nil || d.At.Before(all.Database.At)) {
		all.Database = d
	}
	all.Scope.Inputs++
	all.Scope.Files += r.Scope.Files
	all.Scope.Components += r.Scope.Components
}

// goModules are the folders with a go.mod, sorted, and what keeps further ones from being
// known. What lies in testdata, vendor and node_modules is built by nobody as a module.
func goModules(ctx context.Context, repo *git.Repo, m *Manifest) (dirs []string, left []verdict.NotChecked, err error) {
	wanted := func(p string) bool {
		return path.Base(p) == "go.mod" && !slices.ContainsFunc([]string{"testdata", "vendor", "node_modules"}, func(dir string) bool { return inventory.Within(p, dir) })
	}
	add := func(p, mode string) {
		switch {
		case !wanted(p):
		case mode == git.ModeLink:
			left = append(left, wording.Open(p, "it is a symbolic link, which is not followed"))
		default:
			dirs = append(dirs, path.Dir(p))
		}
	}
	if repo == nil {
		for _, e := range m.Entries {
			add(e.Path, e.Mode)
		}
	} else { // the manifest can be a part of the tree
		entries, err := repo.Files(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("list Go modules: %w", err)
		}
		for _, e := range entries {
			if !e.Skipped && e.Mode != git.ModeSubmodule {
				add(e.Path, e.Mode)
			}
		}
	}
	for _, s := range m.Skipped {
		if s.Blocks && (s.Folder || wanted(s.File.Path)) {
			left = append(left, wording.Open(s.File.Path, "%s", s.Reason))
		}
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	if more := len(dirs) - maxGoModules; more > 0 {
		left = append(left, wording.Open("", "%d more Go modules than %d were not looked at", more, maxGoModules))
		dirs = dirs[:maxGoModules]
	}
	return dirs, left, nil
}
