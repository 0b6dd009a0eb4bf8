package iac

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
)

const maxJobs, maxSteps = 2000, 20_000

// githubShape says why GitHub would not take a file; nil where it would.
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
func githubShape(kind string, root *yaml.Node) *fault {
	if kind == "action" {
		runs := plain.Member(root, "runs")
		switch {
		case runs == nil || runs.Kind != yaml.MappingNode || plain.Word(plain.Member(runs, "using")) == "":
			return faultAt(root, "write runs: with using: composite and steps:", "the action does not say under runs: what it runs by")
		case plain.Word(plain.Member(runs, "using")) == "composite":
			return stepsShape(runs, plain.Member(runs, "steps"), "runs")
		}
		return nil
	}
	on, jobs := plain.Member(root, "on"), plain.Member(root, "jobs")
	switch {
	case on == nil || on.Tag == "!!null":
		return faultAt(root, "write on: with the events, such as on: pull_request", "the workflow does not say under on: when it runs")
	case jobs == nil || jobs.Kind != yaml.MappingNode || len(jobs.Content) == 0:
		return faultAt(orElse(jobs, root), "write jobs: with one key for each job", "jobs: is no mapping of names to jobs")
	case len(jobs.Content) > 2*maxJobs:
		return faultAt(jobs, "split the workflow", "it has more than %d jobs", maxJobs)
	}
	for name, job := range plain.Members(jobs) {
		switch {
		case job.Kind != yaml.MappingNode:
			return faultAt(job, "write runs-on: and steps: below the job's name", "the job %s is no mapping", brief(name.Value))
		case plain.Member(job, "uses") != nil:
		case plain.Member(job, "runs-on") == nil:
			return faultAt(name, "write runs-on: with the runner", "the job %s does not say runs-on: where it runs", brief(name.Value))
		default:
			if f := stepsShape(name, plain.Member(job, "steps"), "job "+brief(name.Value)); f != nil {
				return f
			}
		}
	}
	return nil
}

func stepsShape(parent, steps *yaml.Node, of string) *fault {
	if steps == nil || steps.Kind != yaml.SequenceNode || len(steps.Content) == 0 || len(steps.Content) > maxSteps {
		return faultAt(orElse(steps, parent), "write steps: as a list of steps", "the steps of %s are no list of steps", of)
	}
	for _, step := range steps.Content {
		if run, uses := plain.Member(step, "run") != nil, plain.Member(step, "uses") != nil; run == uses {
			return faultAt(step, "write either run: or uses: in the step", "a step of %s has not exactly one of run: and uses:", of)
		}
	}
	return nil
}

func orElse(n, other *yaml.Node) *yaml.Node {
	if n != nil {
		return n
	}
	return other
}

// workflow is a file of GitHub on its way into the document of the rules.
type workflow struct {
	*definition
	defaults map[string][]string // of inputs: contexts by name
	outputs  outputs             // of jobs
	calls    []call
}

// github makes the document of a workflow or action, and tells what it hands to others.
func (d *definition) github() []call {
	w := &workflow{definition: d, outputs: outputs{}, defaults: map[string][]string{}}
	root := d.source.root
	d.input = object{
		"format": d.format, "kind": d.kind, "path": d.path, "name": plain.Word(plain.Member(root, "name")), "at": at(root),
		"events": object{}, "called_by": called(d.events), "inputs": w.inputs(), "jobs": []any{}, "steps": []any{},
	}
	if d.kind == "action" {
		steps := plain.Member(plain.Member(root, "runs"), "steps")
		of := &scope{outputs: w.stepOutputs(steps, nil, &scope{})}
		d.input["steps"] = w.steps(steps, object{"address": "runs", "id": "", "if": ""}, nil, of)
		w.gives(plain.Member(root, "outputs"), of)
		return w.calls
	}
	d.input["events"] = events(plain.Member(root, "on"))
	permissions(d.input, plain.Member(root, "permissions"))
	env := w.env(plain.Member(root, "env"), nil, &scope{})
	d.input["env"] = env
	scopes := w.scopes(env)
	jobs, steps := []any{}, []any{}
	for name, job := range plain.Members(plain.Member(root, "jobs")) {
		of := scopes[name]
		j := w.job(name, job, env, of)
		jobs = append(jobs, j)
		own, _ := j["env"].([]any)
		steps = append(steps, w.steps(plain.Member(job, "steps"), j, slices.Concat(env, own), of)...)
	}
	d.input["jobs"], d.input["steps"] = jobs, steps
	w.gives(plain.Member(plain.Member(plain.Member(root, "on"), "workflow_call"), "outputs"), &scope{})
	return w.calls
}

// called are the events of the workflows of this tree that call a file.
func called(events map[string]bool) object {
	out := object{}
	for e := range events {
		out[e] = true
	}
	return out
}

func events(on *yaml.Node) object {
	out := object{}
	for _, name := range texts(on) {
		out[name] = object{"at": at(on)}
	}
	for name, filter := range plain.Members(on) {
		e := object{"at": at(name)}
		for key, value := range plain.Members(filter) {
			e[key.Value] = list(texts(value))
		}
		out[name.Value] = e
	}
	return out
}

// inputs are what others hand to a file: their kinds, and what files of this tree put in.
func (w *workflow) inputs() object {
	out := object{}
	root := w.source.root
	take := func(inputs *yaml.Node, kind string) {
		for name, in := range plain.Members(inputs) {
			t := plain.Word(plain.Member(in, "type"))
			if t == "" {
				t = kind
			}
			out[strings.ToLower(name.Value)] = t
			w.defaults[strings.ToLower(name.Value)] = flows(plain.Word(plain.Member(in, "default")), func(string) []string { return nil })
		}
	}
	take(plain.Member(root, "inputs"), "string")
	for _, event := range []string{"workflow_call", "workflow_dispatch"} {
		take(plain.Member(plain.Member(plain.Member(root, "on"), event), "inputs"), "string")
	}
	return out
}

// permissions puts in what the token may do. Where nothing is said nothing is put in: null
// would be something in the rules.
func permissions(of object, n *yaml.Node) {
	if n == nil {
		return
	}
	scopes := object{}
	for scope, access := range plain.Members(n) {
		scopes[scope.Value] = plain.Word(access)
	}
	of["permissions"] = object{"at": at(n), "all": plain.Word(n), "scopes": scopes}
}

// env are the variables of one place, each with the contexts that it is made of. What an
// expression gives for all of them, or for some, stands under *.
func (w *workflow) env(n *yaml.Node, outer []any, of *scope) []any {
	out := []any{}
	resolve := w.resolver(outer, of)
	put := func(name string, value, where *yaml.Node) {
		out = append(out, object{"name": name, "text": plain.Word(value), "at": at(where), "contexts": list(flows(plain.Word(value), resolve))})
	}
	if n != nil && n.Kind == yaml.ScalarNode {
		put("*", n, n)
	}
	for name, value := range plain.Members(n) {
		if strings.HasPrefix(name.Value, "${{") {
			put("*", value, name)
		} else {
			put(name.Value, value, name)
		}
	}
	return out
}

func textsOf(list any) (out []string) {
	all, _ := list.([]any)
	for _, x := range all {
		s, _ := x.(string)
		out = append(out, s)
	}
	return out
}

func (w *workflow) job(name, job *yaml.Node, env []any, of *scope) object {
	own := w.env(plain.Member(job, "env"), env, of)
	out := object{
		"id": name.Value, "address": "jobs." + name.Value, "at": at(name), "env": own,
		"runs_on": runners(plain.Member(job, "runs-on"), plain.Member(plain.Member(job, "strategy"), "matrix")),
		"if":      plain.Word(plain.Member(job, "if")), "environment": plain.Word(plain.Member(job, "environment")) + plain.Word(plain.Member(plain.Member(job, "environment"), "name")),
		"continue_on_error": saysAlways(plain.Member(job, "continue-on-error")), "never": never(plain.Word(plain.Member(job, "if"))),
	}
	permissions(out, plain.Member(job, "permissions"))
	if uses := plain.Member(job, "uses"); uses != nil {
		with := plain.Member(job, "with")
		out["uses"] = reference(uses)
		out["inherits_secrets"] = plain.Word(plain.Member(job, "secrets")) == "inherit"
		w.calling(uses, call{from: w.definition, never: out["never"].(object), inputs: w.handed(with, w.resolver(env, of))}, nil)
	}
	return out
}

// runners are the labels of the machines that a job may run on. Where the matrix of the job
// names them, each of its values counts.
func runners(n, matrix *yaml.Node) object {
	out := object{"labels": []any{}, "group": ""}
	if n == nil {
		return out
	}
	out["at"] = at(n)
	if n.Kind == yaml.MappingNode {
		out["group"] = plain.Word(plain.Member(n, "group"))
		n = plain.Member(n, "labels")
	}
	labels := texts(n)
	for _, m := range literal.FindAllStringSubmatch(plain.Word(n), -1) { // fromJSON('["self-hosted"]'), or one of two
		if strings.Contains(plain.Word(n), "${{") && strings.EqualFold(m[1], "self-hosted") {
			labels = append(labels, m[1])
		}
	}
	for _, f := range flows(plain.Word(n), func(string) []string { return nil }) {
		name, _ := strings.CutPrefix(f, "matrix.")
		name, _, _ = strings.Cut(name, ".")
		places := []*yaml.Node{matrix}
		if include := plain.Member(matrix, "include"); include != nil {
			places = append(places, include.Content...)
		}
		for _, p := range places {
			for key, value := range plain.Members(p) {
				if strings.EqualFold(key.Value, name) {
					labels = append(labels, leaves(value)...)
				}
			}
		}
	}
	out["labels"] = list(labels)
	return out
}

var literal = regexp.MustCompile(`['"]([\w.-]+)['"]`)

// leaves are all plain values below a node.
func leaves(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var out []string
	for i, c := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			out = append(out, leaves(c)...)
		}
	}
	return out
}

var commit = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`)

// reference is what uses: names.
func reference(n *yaml.Node) object {
	full := strings.TrimSpace(plain.Word(n))
	_, ref, _ := strings.Cut(full, "@")
	kind := "action"
	switch {
	case ownTargets(full, nil) != nil || strings.HasPrefix(full, "../"):
		kind = "local"
	case strings.HasPrefix(full, "docker://"):
		kind = "image"
	}
	return object{"text": full, "name": actionName(full), "ref": ref, "kind": kind, "pinned": commit.MatchString(ref), "at": at(n)}
}

// actionName is the action that uses: names. The runner takes it apart at / and \ alike, and
// passes over empty parts.
func actionName(uses string) string {
	name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(uses)), "@")
	if strings.HasPrefix(name, "docker://") || strings.HasPrefix(name, ".") {
		return name
	}
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' }), "/")
}

// calling remembers the use of a file of this tree.
func (w *workflow) calling(uses *yaml.Node, c call, folders []string) {
	if c.targets = ownTargets(plain.Word(uses), folders); c.targets != nil {
		w.calls = append(w.calls, c)
	}
}

// handed is what the inputs of a call are made of.
func (w *workflow) handed(with *yaml.Node, resolve resolver) map[string][]string {
	out := map[string][]string{}
	for name, value := range plain.Members(with) {
		out[strings.ToLower(name.Value)] = flows(plain.Word(value), resolve)
	}
	return out
}

func (w *workflow) steps(steps *yaml.Node, job object, outer []any, of *scope) []any {
	out := []any{}
	folders, _ := checkouts(steps)
	condition, _ := job["if"].(string)
	for i, step := range entries(steps) {
		own := w.env(plain.Member(step, "env"), outer, of)
		env := slices.Concat(outer, own)
		resolve := w.resolver(env, of)
		s := object{
			"address": job["address"].(string) + ".steps[" + strconv.Itoa(i) + "]", "job": job["id"], "index": i, "at": at(step),
			"name": plain.Word(plain.Member(step, "name")), "if": plain.Word(plain.Member(step, "if")), "env": own, "visible_env": visible(env),
			"continue_on_error": saysAlways(plain.Member(step, "continue-on-error")), "scripts": []any{}, "with": object{},
			"never": never(condition, plain.Word(plain.Member(step, "if"))),
		}
		if uses := plain.Member(step, "uses"); uses != nil {
			s["uses"] = reference(uses)
			s["with"], s["scripts"] = w.with(plain.Word(uses), plain.Member(step, "with"), resolve)
			c := call{from: w.definition, never: s["never"].(object), inputs: w.handed(plain.Member(step, "with"), resolve)}
			for _, v := range visible(env) { // an action sees the variables of the job
				v := v.(object)
				c.inputs["env."+strings.ToLower(v["name"].(string))] = textsOf(v["contexts"])
			}
			w.calling(uses, c, folders)
		}
		if run := plain.Member(step, "run"); run != nil {
			s["scripts"] = []any{w.source.script("run", run, resolve)}
		}
		out = append(out, s)
	}
	return out
}

// visible are the variables that a step sees and that are made of anything.
func visible(env []any) []any {
	out := []any{}
	for _, v := range env {
		if len(v.(object)["contexts"].([]any)) > 0 {
			out = append(out, v)
		}
	}
	return out
}

func (w *workflow) with(uses string, n *yaml.Node, resolve resolver) (with object, scripts []any) {
	with, scripts = object{}, []any{}
	name := actionName(uses)
	for key, value := range plain.Members(n) {
		k := strings.ToLower(key.Value)
		with[k] = object{"text": plain.Word(value), "at": at(value), "contexts": list(flows(plain.Word(value), resolve))}
		if slices.Contains(executed[name], k) {
			scripts = append(scripts, w.source.script("with."+k, value, resolve))
		}
	}
	return with, scripts
}

// executed are the inputs of well-known actions that these run as a program.
var executed = map[string][]string{
	"actions/github-script":                  {"script"},
	"addnab/docker-run-action":               {"run"},
	"amadevus/pwsh-script":                   {"script"},
	"appleboy/ssh-action":                    {"script"},
	"azure/cli":                              {"inlinescript"},
	"azure/powershell":                       {"inlinescript"},
	"cardinalby/js-eval-action":              {"expression"},
	"cross-platform-actions/action":          {"run"},
	"jannekem/run-python-script-action":      {"script"},
	"mikefarah/yq":                           {"cmd"},
	"nick-fields/retry":                      {"command", "on_retry_command"},
	"nick-invision/retry":                    {"command"},
	"reactivecircus/android-emulator-runner": {"script"},
	"uraimo/run-on-arch-action":              {"run", "install", "setup"},
	"vmactions/freebsd-vm":                   {"run", "prepare"},
	"vmactions/netbsd-vm":                    {"run", "prepare"},
	"vmactions/openbsd-vm":                   {"run", "prepare"},
	"vmactions/solaris-vm":                   {"run", "prepare"},
}
