package iac

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"verdict"
	"verdict/ci/plain"
)

// Limits of what is read of definitions of pipelines.
const (
	maxPipelineBytes = 1 << 20
	maxPipelineNodes = 100_000 // of a file, aliases written out
	maxFollowed      = 500_000 // contexts of a file that are followed to what they are made of
	maxPipelineDepth = 64
	maxPipelines     = 20_000 // files
	maxFoundInFile   = 500    // problems
)

// Pipelines is the Checker of the definitions of pipelines: workflows and actions of
// GitHub, pipelines of Azure with their templates, and GitLab's. What a pipeline uses that
// can move to other content is told by ci.dependencies, and not here as well.
//
// Nothing is compiled before the first file that is a pipeline. It is safe for concurrent
// use.
type Pipelines struct {
	rules func() (*ruleSet, error)
}

// NewPipelines makes the checker with the rules that come with Verdict.
func NewPipelines() *Pipelines { return PipelinesWith(nil) }

// PipelinesWith makes the checker with rules of one's own beside those that come with
// Verdict: Rego by file name. docs/design/pipeline-checks.md says what they read and give.
func PipelinesWith(own map[string]string) *Pipelines {
	return &Pipelines{rules: sync.OnceValues(func() (*ruleSet, error) { return compileRules(own) })}
}

// Wants takes every file in YAML: a template of Azure may lie anywhere and have any name,
// and only the pipeline that refers to it tells.
func (x *Pipelines) Wants(p string) bool {
	ext := path.Ext(p)
	return (ext == ".yml" || ext == ".yaml") && !below(p, "node_modules")
}

// Names reports whether a file is a definition by where it lies and how it is called.
func (x *Pipelines) Names(p string) bool {
	format, _ := formatOf(p)
	return x.Wants(p) && format != ""
}

// templateWords are the keys of which every template of Azure has one
// (https://learn.microsoft.com/azure/devops/pipelines/process/templates), and nearly every
// file that a pipeline of GitLab includes.
var templateWords = []string{"steps", "jobs", "stage", "extends", "variables", "parameters", "script", "trigger", "include", "rules", "tags"}

// Keeps takes what may be a template besides.
func (x *Pipelines) Keeps(f File) bool {
	return x.Names(f.Path) || strings.Contains(f.Path, "gitlab") || slices.ContainsFunc(templateWords, func(w string) bool { return bytes.Contains(f.Content, []byte(w)) })
}

// below reports whether a folder of that name is above the file.
func below(p, folder string) bool { return strings.Contains("/"+path.Dir(p)+"/", "/"+folder+"/") }

// Check judges the files that are definitions of pipelines, and the templates that these
// refer to.
func (x *Pipelines) Check(ctx context.Context, files []File) (Result, error) {
	var out Result
	all := gatherPipelines(files, &out)
	for _, d := range all {
		if d.fault != nil {
			out.Problems = append(out.Problems, d.fault.problem(d))
			continue
		}
		if err := ctx.Err(); err != nil {
			return Result{}, fmt.Errorf("judge pipelines: %w", err)
		}
		if d.gap != "" {
			out.Open = append(out.Open, verdict.NotChecked{Path: d.path, Reason: d.gap, Blocks: true})
		}
		rules, err := x.rules()
		if err != nil {
			return Result{}, err
		}
		found, err := rules.judge(ctx, d)
		if err != nil {
			out.Open = append(out.Open, verdict.NotChecked{Path: d.path, Reason: "the rules for pipelines did not finish: " + err.Error(), Blocks: true})
		}
		if len(found) > maxFoundInFile {
			out.Open = append(out.Open, verdict.NotChecked{Path: d.path, Blocks: true,
				Reason: fmt.Sprintf("%d more problems were found in it than the %d that are told", len(found)-maxFoundInFile, maxFoundInFile)})
			found = found[:maxFoundInFile]
		}
		out.Problems = append(out.Problems, found...)
	}
	for _, d := range all {
		out.Judged = append(out.Judged, d.path)
	}
	slices.Sort(out.Judged)
	return out, ctx.Err()
}

// definition is one file that defines a pipeline or a part of one.
type definition struct {
	path   string
	format string // as in Problem
	kind   string // workflow, action, pipeline or template
	source *source
	fault  *fault
	input  object // what the rules read
	gap    string // what of it was not followed to its end

	known map[string]*definition // all of the tree, by path
	peers []*definition          // the others of GitLab
	// How many commands its references to other jobs brought.
	referred int
	// What an action or workflow of GitHub gives on: contexts by the name of its output. more
	// is true where that has become known, and those that use it have to be read again.
	given   map[string][]string
	more    bool
	callers []*definition

	// What files of the same tree hand to its inputs: contexts by the name of the input,
	// and the events that these files start by.
	passed map[string][]string
	events map[string]bool
}

// object is a part of the document that the rules read.
type object = map[string]any

// The formats of definitions.
const (
	formatGitHub = "github-actions"
	formatAzure  = "azure-pipelines"
	formatGitLab = "gitlab-ci"
)

// formatOf tells a definition by where it lies and how it is called; "" for any other file.
func formatOf(p string) (format, kind string) {
	base, dir := path.Base(p), path.Dir(p)
	switch {
	case dir == ".github/workflows":
		return formatGitHub, "workflow"
	case base == "action.yml" || base == "action.yaml":
		return formatGitHub, "action"
	case base == ".gitlab-ci.yml" || below(p, ".gitlab-ci"):
		return formatGitLab, "pipeline"
	case strings.HasPrefix(base, "azure-pipelines") || strings.HasPrefix(base, "azure-pipeline."):
		return formatAzure, "pipeline"
	}
	for _, folder := range []string{".azure-pipelines", ".azuredevops", ".azure/pipelines", "azure-pipelines", ".pipelines"} {
		if below(p, folder) {
			return formatAzure, "pipeline"
		}
	}
	return "", ""
}

// gatherPipelines reads what is a definition by its path, and what those name as their
// templates. What cannot be read at all goes into the result as open.
func gatherPipelines(files []File, out *Result) []*definition {
	byPath := make(map[string]File, len(files))
	var all []*definition
	known := map[string]*definition{}
	add := func(f File, format, kind string) {
		switch {
		case known[f.Path] != nil:
			return
		case len(all) >= maxPipelines || len(f.Content) > maxPipelineBytes:
			out.Open = append(out.Open, verdict.NotChecked{Path: f.Path, Blocks: true,
				Reason: fmt.Sprintf("a definition of a pipeline is read up to %d KiB, and %d of them", maxPipelineBytes>>10, maxPipelines)})
			return
		}
		d := &definition{path: f.Path, format: format, kind: kind, known: known}
		d.read(f.Content)
		if d.kind != "" {
			all, known[f.Path] = append(all, d), d
		}
	}
	for _, f := range files {
		byPath[f.Path] = f
		if format, kind := formatOf(f.Path); format != "" {
			add(f, format, kind)
		} else if looksAzure(f.Content) {
			add(f, formatAzure, "pipeline")
		}
	}
	sorted := slices.Sorted(maps.Keys(byPath))
	for i := 0; i < len(all); i++ { // what is named names more
		for _, n := range all[i].names() {
			found := n.find(byPath, sorted)
			if len(found) == 0 {
				n.missing(all[i], out)
			}
			for _, f := range found {
				add(f, all[i].format, n.kind)
			}
		}
	}
	slices.SortFunc(all, func(a, b *definition) int { return cmp.Compare(a.path, b.path) })
	build(all, known)
	return all
}

// read takes the file apart. A file whose name stands for several things and that is
// another one loses its kind.
func (d *definition) read(content []byte) {
	d.source = newSource(content)
	root, fault := d.source.tree(d.format == formatGitLab)
	if d.kind == "action" && root != nil && root.Kind != yaml.MappingNode {
		d.kind = ""
		return
	}
	if d.fault = fault; fault != nil {
		return
	}
	switch {
	case d.kind == "action" && plain.Member(root, "runs") == nil && plain.Member(root, "branding") == nil:
		d.kind = ""
	case d.format == formatGitHub:
		d.fault = githubShape(d.kind, root)
	case d.format == formatAzure:
		if d.fault = azureShape(root); d.fault == nil {
			settle(root)
		}
	case d.format == formatGitLab:
		d.fault = gitlabShape(root)
	}
	d.source.root = root
}

// build makes the documents of all files. What one file hands to another of the same tree
// is known after the first round; a chain of files needs a round for each link.
func build(all []*definition, known map[string]*definition) {
	const rounds = 16 // more than GitHub takes, and Azure in practice
	next := all
	var gitlab []*definition
	for _, d := range all {
		if d.format == formatGitLab && d.fault == nil {
			gitlab = append(gitlab, d)
		}
	}
	for range rounds {
		var calls []call
		for _, d := range next {
			if d.fault != nil {
				continue
			}
			switch d.format {
			case formatGitHub:
				calls = append(calls, d.github()...)
			case formatAzure:
				calls = append(calls, d.azure()...)
			case formatGitLab:
				d.peers = gitlab
				d.gitlab()
			}
		}
		changed := hand(calls, known)
		for _, d := range next {
			for _, user := range d.callers {
				if d.more && !slices.Contains(changed, user) {
					changed = append(changed, user)
				}
			}
			d.more = false
		}
		if next = changed; len(next) == 0 {
			return
		}
	}
	for _, d := range next {
		d.gap = "files call each other through more than 16 of them, or give on more than was followed"
	}
}

// call is the use of a file of the same tree, with the contexts that its inputs are made
// of.
type call struct {
	from    *definition
	targets []string       // one of these paths
	like    *regexp.Regexp // or all of these
	inputs  map[string][]string
	never   object // events for which it is not called
}

// hand gives what calls pass to the files that they call, and says which of them know more
// than before.
func hand(calls []call, known map[string]*definition) (changed []*definition) {
	give := func(c call, d *definition) {
		if d == nil || d.fault != nil {
			return
		}
		if !slices.Contains(d.callers, c.from) {
			d.callers = append(d.callers, c.from)
		}
		if d.receive(c) && !slices.Contains(changed, d) {
			changed = append(changed, d)
		}
	}
	for _, c := range calls {
		for _, t := range c.targets {
			give(c, known[t])
		}
		if c.like == nil {
			continue
		}
		for p, d := range known {
			if c.like.MatchString(p) {
				give(c, d)
			}
		}
	}
	return changed
}

func (d *definition) receive(c call) (more bool) {
	if d.passed == nil {
		d.passed, d.events = map[string][]string{}, map[string]bool{}
	}
	for name, paths := range c.inputs {
		for _, p := range paths {
			if !slices.Contains(d.passed[name], p) {
				d.passed[name], more = append(d.passed[name], p), true
			}
		}
	}
	for event := range c.from.allEvents() {
		if c.never[event] == nil && !d.events[event] {
			d.events[event], more = true, true
		}
	}
	return more
}

// allEvents are the events that a file starts by, itself or through those that call it.
func (d *definition) allEvents() map[string]bool {
	out := map[string]bool{}
	for e := range d.events {
		out[e] = true
	}
	if own, ok := d.input["events"].(object); ok {
		for e := range own {
			out[e] = true
		}
	}
	return out
}
