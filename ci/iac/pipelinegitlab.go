package iac

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
)

// notJobs are the keys of a pipeline of GitLab that are no jobs.
// https://docs.gitlab.com/ci/yaml/#global-keywords
var notJobs = strings.Fields("default include stages variables workflow image services cache before_script after_script spec")

// gitlabShape says why GitLab would not take a file; nil where it would.
func gitlabShape(root *yaml.Node) *fault {
	for name, job := range plain.Members(root) {
		if slices.Contains(notJobs, name.Value) || strings.HasPrefix(name.Value, ".") {
			continue
		}
		if job.Kind != yaml.MappingNode {
			return faultAt(name, "write script: below the job's name, or begin the name with a dot", "the job %s is no mapping", brief(name.Value))
		}
	}
	return nil
}

// gitlab makes the document of a pipeline of GitLab. Each list of commands of a job is a
// step of it.
func (d *definition) gitlab() {
	root := d.source.root
	jobs, steps := []any{}, []any{}
	take := func(name string, n *yaml.Node, at object) {
		goesOn := lenient(d.line(n))
		for key, body := range commandLists(n) {
			s := object{
				"address": join(name, key), "job": name, "index": len(steps), "at": at, "name": name, "if": "",
				"continue_on_error": goesOn, "env": []any{}, "visible_env": []any{}, "with": object{},
			}
			s["scripts"] = d.bodies(key, body, map[*yaml.Node]bool{})
			steps = append(steps, s)
		}
	}
	take("", root, at(root))
	take("default", plain.Member(root, "default"), at(root))
	for name, job := range plain.Members(root) {
		if slices.Contains(notJobs, name.Value) || job.Kind != yaml.MappingNode || len(jobs) > maxJobs {
			continue
		}
		line := d.line(job)
		jobs = append(jobs, object{
			"id": name.Value, "address": name.Value, "at": at(name), "continue_on_error": lenient(line), "variables": d.variables(job), "inherited": list(inherited(line)),
		})
		take(name.Value, job, at(name))
	}
	d.input = object{
		"format": d.format, "kind": d.kind, "path": d.path, "at": at(root), "jobs": jobs, "steps": steps,
		"variables": slices.Concat(d.variables(root), d.variables(plain.Member(root, "workflow"))), "includes": includes(root),
	}
}

// listKeys are the lists of commands of a job.
var listKeys = []string{"before_script", "script", "after_script"}

// maxExtends bounds how many jobs extend each other, as GitLab does.
const maxExtends = 11

// commandLists are the lists of commands of a job, by their keys.
func commandLists(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		for _, key := range listKeys {
			if body := plain.Member(n, key); body != nil && !yield(key, body) {
				return
			}
		}
		if body := plain.Member(plain.Member(n, "hooks"), "pre_get_sources_script"); body != nil && !yield("hooks", body) {
			return
		}
		for _, step := range entries(plain.Member(n, "run")) {
			if body := plain.Member(step, "script"); body != nil && !yield("run", body) {
				return
			}
		}
	}
}

// bodies are the commands of a list, each a text of its own, or nested lists of them. What
// !reference takes from the lists of another job is judged there.
func (d *definition) bodies(key string, n *yaml.Node, seen map[*yaml.Node]bool) []any {
	if n.Tag == "!reference" {
		words := texts(n)
		of, found := d.lookup(words)
		if found == nil || seen[found] || d.tooManyReferences(len(found.Content)) || len(words) == 2 && slices.Contains(listKeys, words[1]) {
			return []any{}
		}
		seen[found] = true
		return of.bodies(key, found, seen)
	}
	if n.Kind != yaml.SequenceNode {
		return []any{d.source.script(key, n, func(string) []string { return nil })}
	}
	out := []any{}
	for _, c := range n.Content {
		out = append(out, d.bodies(key, c, seen)...)
	}
	return out
}

// tooManyReferences counts the commands that references brought. Beyond a bound they are no
// longer judged.
func (d *definition) tooManyReferences(more int) bool {
	if d.referred += max(more, 1); d.referred > maxSteps {
		d.gap = fmt.Sprintf("its references bring more than %d commands", maxSteps)
	}
	return d.gap != ""
}

// lookup is what stands under keys below each other: in this file, or in another of GitLab
// in the tree, which it may be included with.
func (d *definition) lookup(words []string) (*definition, *yaml.Node) {
	if len(words) == 0 {
		return d, nil
	}
	for _, of := range append([]*definition{d}, d.peers...) {
		n := of.source.root
		for _, w := range words {
			n = plain.Member(n, w)
		}
		if n != nil {
			return of, n
		}
	}
	return d, nil
}

// line is a job with those that it extends, itself or through others, the one that counts
// first in front.
func (d *definition) line(job *yaml.Node) (out []*yaml.Node) {
	seen := map[*yaml.Node]bool{}
	var follow func(of *definition, n *yaml.Node, depth int)
	follow = func(of *definition, n *yaml.Node, depth int) {
		if n == nil || seen[n] || depth > maxExtends {
			return
		}
		seen[n] = true
		out = append(out, n)
		for _, name := range slices.Backward(texts(plain.Member(n, "extends"))) {
			from, next := of.lookup([]string{name})
			follow(from, next, depth+1)
		}
	}
	follow(d, job, 0)
	return out
}

// first is the value of a key for a job: its own, or that of a job that it extends.
func first(line []*yaml.Node, key string) *yaml.Node {
	for _, n := range line {
		if value := plain.Member(n, key); value != nil {
			return value
		}
	}
	return nil
}

// lenient reports whether the pipeline goes on where the job fails, always or by a rule.
func lenient(line []*yaml.Node) bool {
	for _, rule := range entries(first(line, "rules")) {
		when := plain.Word(plain.Member(rule, "when"))
		if says(plain.Member(rule, "allow_failure")) && when != "manual" && when != "never" {
			return true
		}
	}
	allowed := first(line, "allow_failure")
	codes := texts(plain.Member(allowed, "exit_codes"))
	return says(allowed) || slices.ContainsFunc(codes, func(c string) bool { return len(c) == 1 }) // higher ones are no findings
}

// inherited are the commands that a job has from those that it extends.
func inherited(line []*yaml.Node) (out []string) {
	for _, key := range listKeys {
		if plain.Member(line[0], key) == nil {
			if body := first(line, key); body != nil {
				out = append(out, leaves(body)...)
			}
		}
	}
	return out
}

// variables are those of a job or of the pipeline, with those that its rules set.
func (d *definition) variables(of *yaml.Node) []any {
	out := []any{}
	take := func(n *yaml.Node) {
		if n != nil && n.Tag == "!reference" {
			_, n = d.lookup(texts(n))
		}
		for name, value := range plain.Members(n) {
			v := plain.Word(value)
			if value.Kind == yaml.MappingNode {
				v = plain.Word(plain.Member(value, "value"))
			}
			out = append(out, object{"name": name.Value, "text": v, "at": at(name)})
		}
	}
	take(plain.Member(of, "variables"))
	for _, rule := range entries(plain.Member(of, "rules")) {
		take(plain.Member(rule, "variables"))
	}
	return out
}

func includes(root *yaml.Node) []any {
	out := []any{}
	for _, e := range includeEntries(root) {
		remote := plain.Word(plain.Member(e, "remote"))
		if t := plain.Word(e); strings.Contains(t, "://") {
			remote = t
		}
		component, version, _ := strings.Cut(plain.Word(plain.Member(e, "component")), "@")
		out = append(out, object{
			"remote": remote, "project": plain.Word(plain.Member(e, "project")), "ref": plain.Word(plain.Member(e, "ref")), "integrity": plain.Word(plain.Member(e, "integrity")) != "", "at": at(e),
			"component": component, "version": version,
		})
	}
	return out
}
