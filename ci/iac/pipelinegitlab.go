package iac

import (
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
		for _, key := range []string{"before_script", "script", "after_script"} {
			body := plain.Member(n, key)
			if body == nil {
				continue
			}
			s := object{
				"address": strings.TrimPrefix(name+"."+key, "."), "job": name, "index": len(steps), "at": at, "name": name, "if": "",
				"continue_on_error": says(plain.Member(n, "allow_failure")), "env": []any{}, "visible_env": []any{}, "with": object{},
			}
			s["scripts"] = d.bodies(key, body)
			steps = append(steps, s)
		}
	}
	take("", root, at(root))
	take("default", plain.Member(root, "default"), at(root))
	for name, job := range plain.Members(root) {
		if slices.Contains(notJobs, name.Value) || job.Kind != yaml.MappingNode || len(jobs) > maxJobs {
			continue
		}
		jobs = append(jobs, object{
			"id": name.Value, "address": name.Value, "at": at(name), "continue_on_error": says(plain.Member(job, "allow_failure")), "variables": gitlabVariables(plain.Member(job, "variables")),
		})
		take(name.Value, job, at(name))
	}
	d.input = object{
		"format": d.format, "kind": d.kind, "path": d.path, "at": at(root), "jobs": jobs, "steps": steps,
		"variables": gitlabVariables(plain.Member(root, "variables")), "includes": includes(root),
	}
}

// bodies are the commands of a list, each a text of its own, or nested lists of them.
func (d *definition) bodies(key string, n *yaml.Node) []any {
	if n.Kind != yaml.SequenceNode {
		return []any{d.source.script(key, n, func(string) []string { return nil })}
	}
	out := []any{}
	for _, c := range n.Content {
		out = append(out, d.bodies(key, c)...)
	}
	return out
}

func gitlabVariables(n *yaml.Node) []any {
	out := []any{}
	for name, value := range plain.Members(n) {
		v := plain.Word(value)
		if value.Kind == yaml.MappingNode {
			v = plain.Word(plain.Member(value, "value"))
		}
		out = append(out, object{"name": name.Value, "text": v, "at": at(name)})
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
