package iac

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
)

// settle puts what stands below ${{ if … }}: or ${{ each … }}: as a key in the place of that
// key, as Azure does when it knows the condition. Every branch counts. Variables are left
// as they are: what condition they stand behind matters.
func settle(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			settle(c)
		}
		return
	}
	var out []*yaml.Node
	put := func(key, value *yaml.Node) {
		for i := 0; i < len(out); i += 2 {
			if was := out[i+1]; out[i].Value == key.Value && was.Kind == value.Kind && value.Kind != yaml.ScalarNode && !strings.HasPrefix(key.Value, "${{") {
				both := *was
				both.Content = slices.Concat(was.Content, value.Content)
				out[i+1] = &both
				return
			}
		}
		out = append(out, key, value)
	}
	for key, value := range plain.Members(n) {
		if key.Value == "variables" {
			put(key, value)
			continue
		}
		settle(value)
		if !strings.HasPrefix(key.Value, "${{") || value.Kind != yaml.MappingNode {
			put(key, value)
			continue
		}
		for k, v := range plain.Members(value) {
			put(k, v)
		}
	}
	n.Content = out
}

// every gives the values of a key: it can stand in each branch of a condition.
func every(n *yaml.Node, name string) (out []*yaml.Node) {
	for key, value := range plain.Members(n) {
		if key.Value == name {
			out = append(out, value)
		}
	}
	return out
}

// saysAny reports whether a key is true in any branch.
func saysAny(n *yaml.Node, name string) bool { return slices.ContainsFunc(every(n, name), says) }

// stepLike and jobLike tell a step or job of Azure wherever it stands.
func stepLike(n *yaml.Node) bool {
	for _, key := range append([]string{"checkout"}, shortcuts...) {
		if plain.Word(plain.Member(n, key)) != "" {
			return true
		}
	}
	return strings.Contains(plain.Word(plain.Member(n, "task")), "@")
}

func jobLike(n *yaml.Node) bool {
	return (plain.Member(n, "job") != nil || plain.Member(n, "deployment") != nil) && (plain.Member(n, "steps") != nil || plain.Member(n, "strategy") != nil)
}

// notRun are the keys of which the values hold no steps.
var notRun = strings.Fields("variables inputs env pool resources trigger pr schedules")

// handed takes the steps and jobs that stand elsewhere than in the lists of the file: what
// is handed to a template as a parameter runs there. The job of a list is made when it has
// a step.
func (a *azureFile) handed(n *yaml.Node, address string, job func() object) {
	switch n.Kind {
	case yaml.SequenceNode:
		of := once(func() object {
			j := a.jobObject(n, address)
			a.jobs = append(a.jobs, j)
			return j
		})
		for i, c := range n.Content {
			a.handed(c, address+"["+strconv.Itoa(i)+"]", of)
		}
	case yaml.MappingNode:
		switch {
		case a.taken[n] || len(a.steps) > maxSteps || len(a.jobs) > maxJobs:
		case jobLike(n):
			a.job(n, address)
		case stepLike(n):
			a.step(n, address, job())
		}
		for key, value := range plain.Members(n) {
			if slices.Contains(notRun, key.Value) {
				continue
			}
			below := address
			if !strings.HasPrefix(key.Value, "${{") {
				below = join(address, key.Value)
			}
			a.handed(value, below, once(func() object {
				j := a.jobObject(value, below)
				a.jobs = append(a.jobs, j)
				return j
			}))
		}
	}
}

// once makes an object the first time that it is asked for.
func once(make func() object) func() object {
	var made object
	return func() object {
		if made == nil {
			made = make()
		}
		return made
	}
}

var runtimeExpression = regexp.MustCompile(`(?s)^\s*\$\[(.*)\]\s*$`)

// namedIn are the contexts that a text of Azure takes in: before the run by ${{ … }}, at its
// start by $[ … ], and before each step by $(…).
func namedIn(text string) (out []string) {
	for _, e := range expressions(text) {
		out = append(out, e.flows...)
	}
	for _, m := range macro.FindAllStringSubmatch(text, -1) {
		out = append(out, "variables."+strings.ToLower(m[1]))
	}
	if m := runtimeExpression.FindStringSubmatch(text); m != nil {
		out = append(out, flowsOf(m[1])...)
	}
	return out
}

// values are the variables of a file and of the templates of variables that it names, by
// name in lower letters: every text that one of them can have.
func (d *definition) values(into map[string][]string, depth int) {
	var list func(n *yaml.Node)
	put := func(name string, value *yaml.Node) {
		name = strings.ToLower(name)
		if text := plain.Word(value); text != "" && !slices.Contains(into[name], text) {
			into[name] = append(into[name], text)
		}
	}
	list = func(n *yaml.Node) {
		for _, v := range entries(n) {
			put(plain.Word(plain.Member(v, "name")), plain.Member(v, "value"))
			if t := d.known[d.beside(plain.Word(plain.Member(v, "template")))]; t != nil && t != d && t.fault == nil && depth > 0 {
				t.values(into, depth-1)
			}
			for key, inner := range plain.Members(v) {
				if strings.HasPrefix(key.Value, "${{") {
					list(inner)
				}
			}
		}
		for name, value := range plain.Members(n) {
			if strings.HasPrefix(name.Value, "${{") {
				list(value)
			} else {
				put(name.Value, value)
			}
		}
	}
	eachMapping(d.source.root, "", func(m *yaml.Node, _ string) { list(plain.Member(m, "variables")) })
}

// maxChain is how many variables may stand for each other in a row.
const maxChain = 32

// madeOf is what a text is made of, through variables and parameters.
func (a *azureFile) madeOf(text string) []string {
	return a.follow(namedIn(text))
}

// follow gives contexts with all that they are made of, each once.
func (a *azureFile) follow(contexts []string) (out []string) {
	seen := map[string]bool{}
	next := contexts
	for range maxChain {
		var more []string
		for _, c := range next {
			if seen[c] {
				continue
			}
			if a.patience--; a.patience < 0 {
				a.gap = "its variables stand for each other too often to follow them all"
				return out
			}
			seen[c] = true
			out = append(out, c)
			more = append(more, a.standsFor(c)...)
		}
		if next = more; len(next) == 0 {
			return out
		}
	}
	a.gap = "its variables stand for each other more than 32 times in a row"
	return out
}

// standsFor are the contexts that one is put together from.
func (a *azureFile) standsFor(context string) (out []string) {
	kind, name, _ := strings.Cut(context, ".")
	texts := a.texts
	switch kind {
	case "parameters":
		name, _, _ = strings.Cut(name, ".")
		texts = a.defaults
	case "variables":
	default:
		return nil
	}
	for _, text := range texts[name] {
		out = append(out, namedIn(text)...)
	}
	return append(out, a.passed[kind+"."+name]...)
}

// resolve is what a context is made of, beside itself.
func (a *azureFile) resolve(context string) []string {
	first := a.standsFor(context)
	if len(first) == 0 {
		return nil
	}
	return a.follow(first)
}

// calls are what the file hands to templates of this tree: parameters, and its variables.
func (a *azureFile) calls() (out []call) {
	variables := map[string][]string{}
	for name := range a.texts {
		variables["variables."+name] = a.resolve("variables." + name)
	}
	for name, made := range a.passed {
		if strings.HasPrefix(name, "variables.") {
			variables[name] = slices.Concat(variables[name], made)
		}
	}
	eachMapping(a.source.root, "", func(m *yaml.Node, under string) {
		for _, t := range a.template(m, under) {
			c := call{from: a.definition, targets: t.paths, like: t.like, inputs: map[string][]string{}}
			for name, made := range variables {
				if len(made) > 0 {
					c.inputs[name] = made
				}
			}
			for name, value := range plain.Members(plain.Member(m, "parameters")) {
				for _, text := range leaves(value) {
					key := "parameters." + strings.ToLower(name.Value)
					c.inputs[key] = append(c.inputs[key], a.madeOf(text)...)
				}
			}
			out = append(out, c)
		}
	})
	return out
}

var azureParts = regexp.MustCompile(`(?m)^["']?(?:steps|jobs|stages|extends)["']?[ \t]*:`)

// looksAzure reports whether a file is a pipeline or template of Azure by what it holds:
// which file is a pipeline is a setting of Azure, and it may have any name.
func looksAzure(content []byte) bool {
	if len(content) > maxPipelineBytes || !azureParts.Match(content) {
		return false
	}
	root, fault := newSource(content).tree(false)
	if fault != nil {
		return false
	}
	for _, foreign := range []string{"kind", "apiVersion", "on", "version", "runs", "pipelines"} {
		if plain.Member(root, foreign) != nil {
			return false
		}
	}
	starts := false
	for _, key := range []string{"trigger", "pr", "pool", "schedules"} {
		starts = starts || plain.Member(root, key) != nil
	}
	is := map[string]func(n *yaml.Node) bool{
		"stages": func(n *yaml.Node) bool { return plain.Member(n, "stage") != nil && plain.Member(n, "jobs") != nil },
		"jobs":   jobLike,
		"steps":  func(n *yaml.Node) bool { return stepLike(n) && (starts || plain.Member(n, "script") == nil) },
	}
	for key, like := range is {
		if slices.ContainsFunc(entries(plain.Member(root, key)), like) {
			return true
		}
	}
	return starts && plain.Member(plain.Member(root, "extends"), "template") != nil
}
