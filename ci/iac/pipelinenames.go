package iac

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict"
	"verdict/ci/plain"
)

// mention is one place in which a definition names another file, that is taken in or run.
type mention struct {
	text  string // as it is written
	as    string // what it is there: the template, the action
	line  int
	kind  string         // of the other file
	paths []string       // where it can be in this tree: the first that is there counts
	like  *regexp.Regexp // or, where only the run knows its name, all of these
	// Why it may be no file of this tree, so that it is no gap when it is not here.
	elsewhere string
	// guess is true where it may be no name of a file at all.
	guess bool
}

// find gives the files of the tree that are named.
func (n mention) find(byPath map[string]File, sorted []string) (out []File) {
	for _, p := range n.paths {
		if f, there := byPath[p]; there {
			return []File{f}
		}
	}
	if n.like != nil {
		for _, p := range sorted {
			if n.like.MatchString(p) {
				out = append(out, byPath[p])
			}
		}
	}
	return out
}

// missing tells that what is named was not handed in. What is executed and was not read is
// a gap, but where it is known to lie elsewhere.
func (n mention) missing(d *definition, out *Result) {
	if n.guess {
		return
	}
	if n.elsewhere != "" {
		out.Open = append(out.Open, verdict.NotChecked{Path: d.path, Reason: fmt.Sprintf("line %d takes %s %s %s: what it does was not judged", n.line, n.as, brief(n.text), n.elsewhere)})
		return
	}
	out.Absent = append(out.Absent, verdict.NotChecked{Path: d.path, Blocks: true, Reason: fmt.Sprintf(
		"line %d takes %s %s, which is not here or is not judged: keep it in this tree in a file of YAML, outside of testdata and node_modules", n.line, n.as, brief(n.text))})
}

// names are the files that a definition names.
func (d *definition) names() []mention {
	switch {
	case d.fault != nil:
		return nil
	case d.format == formatAzure:
		return d.templates()
	case d.format == formatGitLab:
		return d.included()
	}
	return d.actions()
}

// rooted are the places of a path from the top of a repository. A project that lies whole
// in a folder of another one has its top there.
func rooted(from, p string) (out []string) {
	p = path.Clean("/" + p)[1:]
	out = []string{p}
	parts := strings.Split(path.Dir(from), "/")
	for i := range parts {
		if folder := path.Join(parts[:i+1]...); folder != "." {
			out = append(out, path.Join(folder, p))
		}
	}
	return out
}

// templates are the files that a pipeline of Azure is put together from.
func (d *definition) templates() (out []mention) {
	eachMapping(d.source.root, "", func(m *yaml.Node, under string) { out = append(out, d.template(m, under)...) })
	return out
}

// template is the file that a mapping takes in, if it does.
func (d *definition) template(m *yaml.Node, under string) (out []mention) {
	for _, n := range every(m, "template") {
		name := plain.Word(n)
		if name == "" || under == "inputs" || under == "env" {
			continue
		}
		t := mention{text: name, as: "the template", line: n.Line, kind: "template", guess: under == "parameters"}
		file, alias, _ := strings.Cut(name, "@")
		switch {
		case alias != "" && !strings.EqualFold(alias, "self"):
			t.elsewhere = "from another repository"
		case strings.Contains(file, "${{"):
			t.elsewhere = "whose name only the run knows"
			if rest := azureExpression.ReplaceAllString(file, ""); yamlEnding.MatchString(rest) {
				t.like = pattern(azureExpression, `[^/]*`, d.beside(file))
			}
		case strings.HasPrefix(file, "/"):
			t.paths = rooted(d.path, file)
		default:
			t.paths = []string{d.beside(file)}
		}
		out = append(out, t)
	}
	return out
}

var azureExpression = regexp.MustCompile(`\$\{\{.*?\}\}`)

// beside is where a path leads that begins at the definition, or at the top of the tree.
func (d *definition) beside(file string) string {
	if strings.HasPrefix(file, "/") {
		return path.Clean(file)[1:]
	}
	return path.Join(path.Dir(d.path), file)
}

// pattern is the expression for a path in which something stands for anything.
func pattern(some *regexp.Regexp, anything, file string) *regexp.Regexp {
	parts := some.Split(file, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`^` + strings.Join(parts, anything) + `$`)
}

// eachMapping calls each for all mappings, with the key that they are the value of; those
// in lists have none.
func eachMapping(n *yaml.Node, under string, each func(m *yaml.Node, under string)) {
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			eachMapping(c, "", each)
		}
		return
	}
	each(n, under)
	for key, value := range plain.Members(n) {
		eachMapping(value, key.Value, each)
	}
}

// actions are the actions and workflows of this tree that a file of GitHub runs.
func (d *definition) actions() (out []mention) {
	take := func(uses *yaml.Node, folders []string, elsewhere string) {
		targets := ownTargets(plain.Word(uses), folders)
		if targets == nil {
			return
		}
		n := mention{text: plain.Word(uses), as: "the action or workflow", line: uses.Line, kind: "action", elsewhere: elsewhere}
		for _, t := range targets {
			n.paths = append(n.paths, rooted(d.path, t)...)
		}
		if strings.HasPrefix(targets[0], ".github/workflows/") {
			n.kind = "workflow"
		}
		out = append(out, n)
	}
	all := func(steps *yaml.Node) {
		folders, foreign := checkouts(steps)
		elsewhere := ""
		if foreign {
			elsewhere = "which another checkout may have brought"
		}
		for _, step := range entries(steps) {
			take(plain.Member(step, "uses"), folders, elsewhere)
		}
	}
	all(plain.Member(plain.Member(d.source.root, "runs"), "steps"))
	for _, job := range plain.Members(plain.Member(d.source.root, "jobs")) {
		take(plain.Member(job, "uses"), nil, "")
		all(plain.Member(job, "steps"))
	}
	return out
}

// entries are those of a list; none of anything else.
func entries(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// checkouts are the folders into which steps put this repository, and whether they get
// another one as well.
func checkouts(steps *yaml.Node) (folders []string, foreign bool) {
	for _, step := range entries(steps) {
		with := plain.Member(step, "with")
		where := plain.Word(plain.Member(with, "path"))
		switch {
		case actionName(plain.Word(plain.Member(step, "uses"))) != "actions/checkout":
		case plain.Member(with, "repository") != nil || strings.Contains(where, "${{"):
			foreign = true
		case where != "":
			folders = append(folders, path.Clean(where))
		}
	}
	return folders, foreign
}

// ownTargets are the paths of which one is what uses: names, where it is of this tree.
// Folders are those into which the job put the tree.
func ownTargets(uses string, folders []string) (out []string) {
	uses = strings.ReplaceAll(strings.TrimSpace(uses), `\`, "/") // the runner takes both
	target, own := strings.CutPrefix(uses, "./")
	if !own {
		return nil
	}
	target = path.Clean(target)
	places := []string{target}
	for _, folder := range folders {
		if rest, in := strings.CutPrefix(target+"/", folder+"/"); in {
			places = append(places, path.Clean(rest))
		}
	}
	for _, p := range places {
		if yamlEnding.MatchString(p) {
			out = append(out, p)
		} else {
			out = append(out, path.Join(p, "action.yml"), path.Join(p, "action.yaml"))
		}
	}
	return out
}

var (
	gitlabVariable = regexp.MustCompile(`\$\[\[.*?\]\]|\$\{\w+\}|\$\w+|\*\*?`)
	yamlEnding     = regexp.MustCompile(`\.ya?ml$`)
)

// included are the files of this tree that a pipeline of GitLab takes in, or starts.
func (d *definition) included() (out []mention) {
	for _, e := range includeEntries(d.source.root) {
		at := orElse(plain.Member(e, "local"), e)
		name := plain.Word(at)
		switch {
		case name != "" && !strings.Contains(name, "://"):
			n := mention{text: name, as: "the file", line: at.Line, kind: "pipeline"}
			if gitlabVariable.MatchString(name) {
				n.elsewhere = "whose name only the run knows"
				if rest := gitlabVariable.ReplaceAllString(name, ""); yamlEnding.MatchString(rest) {
					n.like = pattern(gitlabVariable, `.*`, path.Clean("/" + name)[1:])
				}
			} else {
				n.paths = rooted(d.path, name)
			}
			out = append(out, n)
		case plain.Member(e, "artifact") != nil:
			out = append(out, mention{text: plain.Word(plain.Member(e, "artifact")), as: "the file", line: e.Line, elsewhere: "that a job writes"})
		case plain.Member(e, "project") != nil || plain.Member(e, "component") != nil || plain.Member(e, "remote") != nil || strings.Contains(name, "://"):
			out = append(out, mention{text: strings.Join(slices.Concat(texts(plain.Member(e, "project")), texts(plain.Member(e, "component")), texts(plain.Member(e, "remote")), texts(e)), " "),
				as: "the pipeline", line: e.Line, elsewhere: "from elsewhere"})
		}
	}
	return out
}

// includeEntries are what a pipeline of GitLab includes, and what its jobs start as
// pipelines of their own.
func includeEntries(root *yaml.Node) (out []*yaml.Node) {
	take := func(n *yaml.Node) {
		switch {
		case n == nil:
		case n.Kind == yaml.SequenceNode:
			out = append(out, n.Content...)
		default:
			out = append(out, n)
		}
	}
	take(plain.Member(root, "include"))
	for _, job := range plain.Members(root) {
		take(plain.Member(plain.Member(job, "trigger"), "include"))
	}
	return out
}
