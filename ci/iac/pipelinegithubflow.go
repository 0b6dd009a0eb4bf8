package iac

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
)

// outputs are what jobs or steps give on: contexts by the one that gives and the name, in
// lower letters. The name * stands for any.
type outputs map[string]map[string][]string

func (o outputs) put(of, name string, contexts []string) {
	if len(contexts) == 0 {
		return
	}
	if o[of] == nil {
		o[of] = map[string][]string{}
	}
	for _, c := range contexts {
		if !slices.Contains(o[of][name], c) {
			o[of][name] = append(o[of][name], c)
		}
	}
}

// size is how much is known; it only grows.
func (o outputs) size() (n int) {
	for _, all := range o {
		for _, contexts := range all {
			n += len(contexts)
		}
	}
	return n
}

// get gives what a context takes out: of.outputs.name, or a part of that.
func (o outputs) get(parts []string) (out []string) {
	for of, all := range o {
		for name, contexts := range all {
			if fits(parts, 0, of) && fits(parts, 2, name) {
				out = append(out, contexts...)
			}
		}
	}
	slices.Sort(out) // of a map, in any order
	return slices.Compact(out)
}

// fits reports whether a part of a context can be a name. What is not said is anything.
func fits(parts []string, i int, name string) bool {
	return i >= len(parts) || parts[i] == "*" || name == "*" || parts[i] == name
}

// scope is what the expressions of one job can take in beside its variables.
type scope struct {
	outputs outputs // of its steps
	matrix  *yaml.Node
}

// scopes are those of all jobs. The outputs of jobs are followed through each other.
func (w *workflow) scopes(env []any) map[*yaml.Node]*scope {
	out := map[*yaml.Node]*scope{}
	const rounds = 8
	for before, round := -1, 0; round < rounds && w.outputs.size() > before; round++ {
		before = w.outputs.size()
		for name, job := range plain.Members(plain.Member(w.source.root, "jobs")) {
			of := &scope{matrix: plain.Member(plain.Member(job, "strategy"), "matrix")}
			all := slices.Concat(env, w.env(plain.Member(job, "env"), env, of))
			of.outputs = w.stepOutputs(plain.Member(job, "steps"), all, of)
			out[name] = of
			id := strings.ToLower(name.Value)
			for key, value := range plain.Members(plain.Member(job, "outputs")) {
				w.outputs.put(id, strings.ToLower(key.Value), flows(plain.Word(value), w.resolver(all, of)))
			}
			w.given(plain.Member(job, "uses"), nil, func(key string, contexts []string) { w.outputs.put(id, key, contexts) })
		}
	}
	return out
}

// given calls each for the outputs of a file of this tree that is used.
func (w *workflow) given(uses *yaml.Node, folders []string, each func(name string, contexts []string)) {
	for _, t := range ownTargets(plain.Word(uses), folders) {
		if d := w.known[t]; d != nil {
			for name, contexts := range d.given {
				each(name, contexts)
			}
		}
	}
}

// gives remembers what the outputs of an action or workflow are made of.
func (w *workflow) gives(n *yaml.Node, of *scope) {
	given := map[string][]string{}
	for name, value := range plain.Members(n) {
		if made := flows(plain.Word(plain.Member(value, "value")), w.resolver(nil, of)); len(made) > 0 {
			given[strings.ToLower(name.Value)] = made
		}
	}
	w.more = len(given) > 0 && len(w.definition.given) == 0
	w.definition.given = given
}

// fromStrangers are outputs of well-known actions that strangers write.
var fromStrangers = map[string]map[string]string{
	"tj-actions/branch-names":                    {"head_ref_branch": "github.head_ref", "current_branch": "github.head_ref"},
	"xt0rted/pull-request-comment-branch":        {"head_ref": "github.event.pull_request.head.ref"},
	"gotson/pull-request-comment-branch":         {"head_ref": "github.event.pull_request.head.ref"},
	"alessbell/pull-request-comment-branch":      {"head_ref": "github.event.pull_request.head.ref"},
	"peter-evans/find-comment":                   {"comment-body": "github.event.comment.body"},
	"potiuk/get-workflow-origin":                 {"sourceheadbranch": "github.event.workflow_run.head_branch"},
	"8bitjonny/gh-get-current-pr":                {"pr_title": "github.event.pull_request.title", "pr_body": "github.event.pull_request.body"},
	"jwalton/gh-find-current-pr":                 {"title": "github.event.pull_request.title", "body": "github.event.pull_request.body"},
	"eficode/resolve-pr-refs":                    {"head_ref": "github.event.pull_request.head.ref"},
	"khan/pull-request-comment-trigger":          {"comment_body": "github.event.comment.body"},
	"shanegenschaw/pull-request-comment-trigger": {"comment_body": "github.event.comment.body"},
}

// stepOutputs are what steps with an id give on, as far as it can be read: of what a script
// writes into $GITHUB_OUTPUT, the expressions and variables in it.
func (w *workflow) stepOutputs(steps *yaml.Node, outer []any, of *scope) outputs {
	out := outputs{}
	folders, _ := checkouts(steps)
	seen := &scope{outputs: out, matrix: of.matrix}
	for _, step := range entries(steps) {
		id := strings.ToLower(plain.Word(plain.Member(step, "id")))
		if id == "" {
			continue
		}
		uses := plain.Member(step, "uses")
		w.given(uses, folders, func(name string, contexts []string) { out.put(id, name, contexts) })
		for name, context := range fromStrangers[actionName(plain.Word(uses))] {
			out.put(id, name, []string{context})
		}
		if run := plain.Member(step, "run"); run != nil && written.MatchString(run.Value) {
			env := slices.Concat(outer, w.env(plain.Member(step, "env"), outer, seen))
			w.writes(run, visible(env), w.resolver(env, seen), func(name string, contexts []string) { out.put(id, name, contexts) })
		}
	}
	return out
}

var (
	written    = regexp.MustCompile(`GITHUB_OUTPUT|::set-output`)
	grouped    = regexp.MustCompile(`(?m)^\s*\}\s*(?:>|\|).*GITHUB_OUTPUT`)
	outputName = regexp.MustCompile(`::set-output\s+name=([\w-]+)|(?:^|["'\s])([A-Za-z_][\w-]*)(?:=|<<)`)
)

// writes calls each for what a script writes into its outputs.
func (w *workflow) writes(run *yaml.Node, env []any, resolve resolver, each func(name string, contexts []string)) {
	all := grouped.MatchString(run.Value)
	for _, c := range w.source.commands(run) {
		text := c.(object)["text"].(string)
		if !all && !written.MatchString(text) {
			continue
		}
		contexts := flows(text, resolve)
		for _, v := range env {
			v := v.(object)
			if printedAsIs(text, v["name"].(string)) {
				contexts = append(contexts, textsOf(v["contexts"])...)
			}
		}
		name := "*"
		if m := outputName.FindStringSubmatch(text); m != nil {
			name = strings.ToLower(m[1] + m[2])
		}
		each(name, contexts)
	}
}

// printedAsIs reports whether a command prints a variable and nothing behind it makes
// something else of the text: what gh pr view "$BRANCH" prints is not the branch.
func printedAsIs(command, name string) bool {
	if !strings.Contains(command, name) {
		return false
	}
	return regexp.MustCompile(`(?i)\b(?:echo|printf|write-output|write-host)\b[^|;&]*\$(?:\{|env:)?` + regexp.QuoteMeta(name) + `(?:\W[^|]*)?(?:\|\s*(?:tee|out-file)\b.*)?$`).MatchString(command)
}

// resolver follows env, the matrix, the outputs of steps and jobs, and inputs that a file of
// the same tree hands over. Where only a part of a context is named, or the rest is computed,
// all of it counts.
func (w *workflow) resolver(env []any, of *scope) resolver {
	return func(context string) (out []string) {
		parts := strings.Split(context, ".")
		switch parts[0] {
		case "env":
			return w.variable(env, parts)
		case "needs", "jobs":
			return w.outputs.get(parts[1:])
		case "steps":
			return of.outputs.get(parts[1:])
		case "matrix":
			return w.combination(of.matrix, parts, env)
		case "inputs":
			for _, values := range []map[string][]string{w.passed, w.defaults} {
				for name, contexts := range values {
					if !strings.HasPrefix(name, "env.") && fits(parts, 1, name) {
						out = append(out, contexts...)
					}
				}
			}
			slices.Sort(out)
		}
		return out
	}
}

// variable is what a variable is made of; the inner one of a name counts.
func (w *workflow) variable(env []any, parts []string) (out []string) {
	for _, v := range slices.Backward(env) {
		v := v.(object)
		if name := strings.ToLower(v["name"].(string)); fits(parts, 1, name) {
			out = append(out, textsOf(v["contexts"])...)
			if len(parts) > 1 && parts[1] == name {
				return out
			}
		}
	}
	for name, contexts := range w.passed {
		if own, is := strings.CutPrefix(name, "env."); is && fits(parts, 1, own) {
			out = append(out, contexts...)
		}
	}
	return out
}

// combination is what a value of the matrix is made of.
func (w *workflow) combination(matrix *yaml.Node, parts []string, env []any) (out []string) {
	resolve := w.resolver(env, &scope{}) // a matrix holds no matrix
	take := func(n *yaml.Node) {
		if n == nil {
			return
		}
		for _, text := range leaves(n) {
			out = append(out, flows(text, resolve)...)
		}
	}
	places := append([]*yaml.Node{matrix}, entries(plain.Member(matrix, "include"))...)
	for _, p := range places {
		if p != nil && p.Kind == yaml.ScalarNode {
			take(p)
		}
		for key, value := range plain.Members(p) {
			if key.Value != "exclude" && (fits(parts, 1, strings.ToLower(key.Value)) || key.Value == "include" && value.Kind == yaml.ScalarNode) {
				take(value)
			}
		}
	}
	return out
}

// saysAlways reports whether a value is true, or an expression that is true whatever the
// run is like.
func saysAlways(n *yaml.Node) bool {
	text := strings.TrimSpace(plain.Word(n))
	if !strings.HasPrefix(text, "${{") || !canHold(text, "") {
		return says(n)
	}
	for _, e := range expressions(text) {
		if len(e.flows) > 0 || contextName.MatchString(strings.TrimLeft(constant.ReplaceAllString(e.raw, ""), " !()")) {
			return false
		}
	}
	return true
}

// constant is what the words of an expression are that knows nothing of the run.
var constant = regexp.MustCompile(`(?i)\b(?:true|false)\b|\balways\(\s*\)|'[^']*'`)
