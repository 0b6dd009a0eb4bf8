package iac

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
)

// azureShape says why Azure would not take a file; nil where it would. What an expression
// stands for is not known before the run, and so is of any shape.
// https://learn.microsoft.com/azure/devops/pipelines/yaml-schema
func azureShape(root *yaml.Node) *fault {
	parts := strings.Fields("stages jobs steps extends variables parameters resources trigger pr schedules pool name")
	known := false
	for key, value := range plain.Members(root) {
		known = known || slices.Contains(parts, key.Value) || strings.HasPrefix(key.Value, "${{")
		switch key.Value {
		case "stages", "jobs", "steps":
			if value.Kind != yaml.SequenceNode && !strings.Contains(plain.Word(value), "${{") && plain.Member(value, "template") == nil && !conditional(value) {
				return faultAt(key, "write it as a list", "%s: is no list", key.Value)
			}
		}
	}
	if !known {
		return faultAt(root, "write steps:, jobs:, stages: or extends:, or move the file elsewhere", "it has none of the parts of a pipeline")
	}
	return nil
}

// conditional reports whether every key of a mapping is an expression: ${{ if … }}.
func conditional(n *yaml.Node) bool {
	if n == nil || n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return false
	}
	for key := range plain.Members(n) {
		if !strings.HasPrefix(key.Value, "${{") {
			return false
		}
	}
	return true
}

// azureFile is a pipeline of Azure on its way into the document of the rules.
type azureFile struct {
	*definition
	parameters map[string]object
	texts      map[string][]string // of variables, by name in lower letters
	defaults   map[string][]string // of parameters
	patience   int                 // how many contexts may still be followed
	taken      map[*yaml.Node]bool // the jobs and steps that are in the document
	jobs       []any
	steps      []any
	variables  []any
	templates  []any
}

// azure makes the document of a pipeline or template.
func (d *definition) azure() []call {
	a := &azureFile{
		definition: d, texts: map[string][]string{}, defaults: defaultsOf(plain.Member(d.source.root, "parameters")), taken: map[*yaml.Node]bool{},
		patience: maxFollowed, jobs: []any{}, steps: []any{}, variables: []any{}, templates: []any{},
	}
	d.values(a.texts, 8)
	root := d.source.root
	pr := plain.Member(root, "pr")
	if d.kind == "pipeline" && onlyParts(root) {
		d.kind = "template"
	}
	a.parameters = parametersOf(plain.Member(root, "parameters"))
	parameters := object{}
	for name, p := range a.parameters {
		parameters[name] = p
	}
	// An alias of a repository is refused on pull requests only where pr is none.
	requests := "default"
	switch {
	case strings.EqualFold(plain.Word(pr), "none"):
		requests = "none"
	case pr != nil && pr.Tag != "!!null":
		requests = "on"
	}
	eachMapping(root, "", func(m *yaml.Node, _ string) {
		for _, n := range every(m, "template") {
			a.templates = append(a.templates, object{"text": plain.Word(n), "at": at(n)})
		}
	})
	a.takeVariables(plain.Member(root, "variables"), "pipeline", "variables", false)
	a.below(root, "", "pipeline", nil)
	a.handed(root, "", nil)
	d.input = object{
		"format": d.format, "kind": d.kind, "path": d.path, "at": at(root), "requests": requests, "parameters": parameters,
		"jobs": a.jobs, "steps": a.steps, "variables": a.variables, "repositories": repositories(plain.Member(root, "resources")), "templates": a.templates,
	}
	return a.calls()
}

// onlyParts reports whether a file in a folder of pipelines starts nothing by itself.
func onlyParts(root *yaml.Node) bool {
	for _, key := range []string{"trigger", "pr", "schedules", "resources", "extends", "name", "pool"} {
		if plain.Member(root, key) != nil {
			return false
		}
	}
	return plain.Member(root, "parameters") != nil
}

// parametersOf are the parameters of a file. The short form for templates gives names and
// values alone, of which none says what may be in it.
func parametersOf(n *yaml.Node) map[string]object {
	out := map[string]object{}
	for name := range plain.Members(n) {
		out[strings.ToLower(name.Value)] = object{"type": "", "bounded": false}
	}
	if n != nil && n.Kind == yaml.SequenceNode {
		for _, p := range n.Content {
			kind := plain.Word(plain.Member(p, "type"))
			if kind == "" {
				kind = "string"
			}
			out[strings.ToLower(plain.Word(plain.Member(p, "name")))] = object{"type": kind, "bounded": plain.Member(p, "values") != nil}
		}
	}
	return out
}

// defaultsOf are the texts in what parameters are when nobody hands them over.
func defaultsOf(n *yaml.Node) map[string][]string {
	out := map[string][]string{}
	for _, p := range entries(n) {
		if value := plain.Member(p, "default"); value != nil {
			out[strings.ToLower(plain.Word(plain.Member(p, "name")))] = leaves(value)
		}
	}
	for name, value := range plain.Members(n) {
		out[strings.ToLower(name.Value)] = leaves(value)
	}
	return out
}

func repositories(resources *yaml.Node) []any {
	out := []any{}
	if list := plain.Member(resources, "repositories"); list != nil {
		for _, r := range list.Content {
			if alias := plain.Member(r, "repository"); alias != nil {
				out = append(out, object{"alias": plain.Word(alias), "name": plain.Word(plain.Member(r, "name")), "type": plain.Word(plain.Member(r, "type")), "ref": plain.Word(plain.Member(r, "ref")), "at": at(r)})
			}
		}
	}
	return out
}

// takeVariables takes the variables of a level in both forms. Guarded are those behind an
// expression that looks at why the run was started.
func (a *azureFile) takeVariables(n *yaml.Node, level, address string, guarded bool) {
	put := func(name, value, group string, where *yaml.Node) {
		a.variables = append(a.variables, object{"name": name, "text": value, "group": group, "level": level, "address": address, "guarded": guarded, "at": at(where)})
	}
	if n != nil && n.Kind == yaml.SequenceNode {
		for _, v := range n.Content {
			if conditional(v) {
				for key, inner := range plain.Members(v) {
					a.takeVariables(inner, level, address, guarded || aboutReason(key.Value))
				}
				continue
			}
			put(plain.Word(plain.Member(v, "name")), plain.Word(plain.Member(v, "value")), plain.Word(plain.Member(v, "group")), v)
		}
		return
	}
	for name, value := range plain.Members(n) {
		if strings.HasPrefix(name.Value, "${{") {
			a.takeVariables(value, level, address, guarded || aboutReason(name.Value))
			continue
		}
		put(name.Value, plain.Word(value), "", name)
	}
}

func aboutReason(expression string) bool {
	e := strings.ToLower(expression)
	return strings.Contains(e, "build.reason") || strings.Contains(e, "system.pullrequest") || strings.Contains(e, "build.sourcebranch")
}

// below walks stages, jobs and steps, through expressions that stand between them.
func (a *azureFile) below(n *yaml.Node, address, level string, job object) {
	for _, stages := range every(n, "stages") {
		a.each(stages, address, "stages", "stage", func(s *yaml.Node, address string) {
			a.takeVariables(plain.Member(s, "variables"), "stage", address+".variables", aboutReason(plain.Word(plain.Member(s, "condition"))))
			a.below(s, address, "stage", nil)
		})
	}
	for _, jobs := range every(n, "jobs") {
		a.each(jobs, address, "jobs", "job", func(j *yaml.Node, address string) { a.job(j, address) })
	}
	for _, steps := range every(n, "steps") {
		if job == nil {
			job = a.jobObject(n, strings.TrimSuffix(address, "."))
			a.jobs = append(a.jobs, job)
		}
		a.each(steps, address, "steps", "", func(s *yaml.Node, address string) { a.step(s, address, job) })
	}
}

// each calls take for the entries of a list, those behind expressions too, with the
// address that each of them has by its name or its number.
func (a *azureFile) each(n *yaml.Node, address, key, name string, take func(n *yaml.Node, address string)) {
	number := 0
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for _, c := range n.Content {
			switch {
			case len(a.steps) > maxSteps || len(a.jobs) > maxJobs:
				return
			case conditional(c):
				for _, inner := range plain.Members(c) {
					walk(inner)
				}
			case c.Kind == yaml.MappingNode:
				full := join(address, key)
				switch id := plain.Word(plain.Member(c, name)); {
				case name != "" && id != "":
					full += "." + id
				case name == "job" && plain.Word(plain.Member(c, "deployment")) != "":
					full += "." + plain.Word(plain.Member(c, "deployment"))
				default:
					full += "[" + strconv.Itoa(number) + "]"
				}
				number++
				take(c, full)
			}
		}
	}
	if n != nil && n.Kind == yaml.SequenceNode {
		walk(n)
	} else if conditional(n) {
		for _, inner := range plain.Members(n) {
			walk(inner)
		}
	}
}

func join(address, key string) string {
	if address == "" {
		return key
	}
	return address + "." + key
}

func (a *azureFile) jobObject(j *yaml.Node, address string) object {
	id := address
	if id == "" {
		id = "pipeline"
	}
	return object{"id": id, "address": address, "at": at(j), "continue_on_error": saysAny(j, "continueOnError"), "condition": plain.Word(plain.Member(j, "condition"))}
}

func (a *azureFile) job(j *yaml.Node, address string) {
	job := a.jobObject(j, address)
	a.jobs, a.taken[j] = append(a.jobs, job), true
	a.takeVariables(plain.Member(j, "variables"), "job", address+".variables", aboutReason(plain.Word(plain.Member(j, "condition"))))
	a.below(j, address, "job", job)
	for _, strategy := range every(j, "strategy") { // the steps of a deployment stand below its hooks
		var hooks func(n *yaml.Node, address string)
		hooks = func(n *yaml.Node, address string) {
			for key, value := range plain.Members(n) {
				if plain.Member(value, "steps") != nil {
					a.below(value, join(address, key.Value), "job", job)
				} else {
					hooks(value, join(address, key.Value))
				}
			}
		}
		hooks(strategy, address+".strategy")
	}
}

// shortcuts are the keys of steps that run a text.
var shortcuts = []string{"script", "bash", "pwsh", "powershell"}

// executedByTask are the inputs of tasks that run as a program. Arguments do in those that
// hand them to a shell.
var (
	executedByTask = []string{"script", "inlinescript", "inline", "scriptinline", "runinline", "commands", "code"}
	argumentsOf    = []string{"arguments", "scriptarguments", "args"}
	shellTasks     = []string{"bash", "powershell", "azurecli", "azurepowershell", "shellscript", "batchscript"}
)

func (a *azureFile) step(n *yaml.Node, address string, job object) {
	a.taken[n] = true
	env := []any{}
	for _, e := range every(n, "env") {
		for name, value := range plain.Members(e) {
			env = append(env, object{"name": name.Value, "text": plain.Word(value), "at": at(name), "contexts": list(flows(plain.Word(value), a.resolve))})
		}
	}
	s := object{
		"address": address, "job": job["id"], "index": len(a.steps), "at": at(n), "name": plain.Word(plain.Member(n, "displayName")), "condition": plain.Word(plain.Member(n, "condition")),
		"continue_on_error": saysAny(n, "continueOnError"), "env": env, "visible_env": visible(env), "with": object{}, "task": "", "checkout": plain.Word(plain.Member(n, "checkout")),
		"persists_credentials": saysAny(n, "persistCredentials"),
	}
	scripts := []any{}
	for key, body := range plain.Members(n) {
		if slices.Contains(shortcuts, key.Value) && plain.Word(body) != "" {
			scripts = append(scripts, a.source.script(key.Value, body, a.resolve))
		}
	}
	for _, task := range every(n, "task") {
		name, _, _ := strings.Cut(plain.Word(task), "@")
		s["task"] = strings.ToLower(name)
		with, more := a.inputs(s["task"].(string), n)
		s["with"], scripts = with, append(scripts, more...)
	}
	s["scripts"] = scripts
	a.steps = append(a.steps, s)
}

// inputs are those of a task, and the ones of them that it runs.
func (a *azureFile) inputs(task string, step *yaml.Node) (with object, scripts []any) {
	with = object{}
	for _, inputs := range every(step, "inputs") {
		for key, value := range plain.Members(inputs) {
			k := strings.ToLower(key.Value)
			with[k] = object{"text": plain.Word(value), "at": at(value), "contexts": list(flows(plain.Word(value), a.resolve))}
			if slices.Contains(executedByTask, k) || slices.Contains(argumentsOf, k) && slices.Contains(shellTasks, task) {
				scripts = append(scripts, a.source.script("inputs."+k, value, a.resolve))
			}
		}
	}
	return with, scripts
}
