package iac

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aquasecurity/trivy/pkg/iac/scanners/azure"
)

// armScope is what one template of Azure Resource Manager can refer to.
type armScope struct {
	path       string
	parameters map[string]azure.Value // in lower letters, by what they are given or have by themselves
	variables  map[string]azure.Value
	level      string    // what it is deployed to, where that is more than a group of resources
	outer      *armScope // of the template that this one is nested in, for what it was given
	given      map[string]bool
}

const deployments = "microsoft.resources/deployments"

var armLevel = regexp.MustCompile(`(?i)"\$schema"\s*:\s*"[^"]*/(subscription|managementGroup|tenant)DeploymentTemplate\.json`)

// armNames are the names of which templates are made, as the library knows them.
var armNames = []string{
	"$schema", "parameters", "variables", "resources", "type", "apiVersion", "name", "kind", "properties", "template", "defaultValue", "value",
	"expressionEvaluationOptions", "scope", "existing",
}

var armName = regexp.MustCompile(`"(?i:` + strings.ReplaceAll(strings.Join(armNames, "|"), "$", `\$`) + `)"\s*:`)

// inLetters writes those names in the letters that the library knows: Azure takes any. No
// place in the text moves.
func inLetters(template []byte) []byte {
	return armName.ReplaceAllFunc(template, func(found []byte) []byte {
		name := string(found[1 : 1+bytes.IndexByte(found[1:], '"')])
		i := slices.IndexFunc(armNames, func(known string) bool { return strings.EqualFold(known, name) })
		return slices.Concat([]byte(`"`+armNames[i]), found[1+len(name):])
	})
}

// deployed are the resources of a template, with those in others and of templates in it: a
// module of Bicep becomes one.
func deployed(f File, d *azure.Deployment) (all []asset) {
	s := &armScope{path: f.Path, parameters: map[string]azure.Value{}, variables: map[string]azure.Value{}}
	if m := armLevel.FindSubmatch(f.Content); m != nil {
		s.level = string(m[1])
	}
	for _, p := range d.Parameters {
		s.parameters[strings.ToLower(p.Name)] = p.Value
	}
	for _, v := range d.Variables {
		s.variables[strings.ToLower(v.Name)] = v.Value
	}
	for _, r := range d.Resources {
		all = append(all, s.resource(r, "", "", 1, 0)...)
	}
	return all
}

// resource is one resource and those within it, whose types and names leave out its own.
func (s *armScope) resource(r azure.Resource, kind, name string, line int64, depth int) (all []asset) {
	if depth > maxDepth {
		return nil
	}
	k, n := s.text(r.Type), s.text(r.Name)
	if kind != "" {
		k, n = kind+"/"+k, name+"/"+n
	}
	line = cmp.Or(int64(r.Metadata.Range().GetStartLine()), line)
	fields := map[string]azure.Value{"properties": r.Properties, "apiVersion": r.APIVersion, "name": r.Name, "kind": r.Kind}
	if s.level != "" && kind == "" {
		fields["level"] = azure.NewValue(s.level, r.Metadata)
	}
	all = s.one(k, n, line, fields, depth)
	for _, inner := range r.Resources {
		all = append(all, s.resource(inner, k, n, line, depth+1)...)
	}
	return all
}

// one is a resource by its members, or what it deploys.
func (s *armScope) one(kind, name string, line int64, fields map[string]azure.Value, depth int) (all []asset) {
	if strings.ToLower(kind) == deployments {
		return s.nested(fields["properties"], line, depth+1)
	}
	if cloudOf(kind) == nil {
		return nil
	}
	return []asset{{
		format: formatARM, kind: kind, address: kind + "/" + name, path: s.path, line: line,
		top: func(name string) field { return s.setting(fields[name], line, 0) },
	}}
}

// nested are the resources of a template in another.
func (s *armScope) nested(properties azure.Value, line int64, depth int) (all []asset) {
	members := properties.AsMap()
	template := members["template"]
	if depth > maxDepth || len(template.AsMap()) == 0 {
		return nil
	}
	same := *s
	same.level = ""
	inner := &same
	options := members["expressionEvaluationOptions"]
	if scope := options.GetMapValue("scope"); strings.EqualFold(s.text(scope), "inner") {
		inner = &armScope{path: s.path, parameters: map[string]azure.Value{}, variables: map[string]azure.Value{}, outer: s, given: map[string]bool{}}
		for key, p := range template.AsMap()["parameters"].AsMap() {
			inner.parameters[strings.ToLower(key)] = p.AsMap()["defaultValue"]
		}
		for key, v := range template.AsMap()["variables"].AsMap() {
			inner.variables[strings.ToLower(key)] = v
		}
		for key, p := range members["parameters"].AsMap() {
			inner.parameters[strings.ToLower(key)], inner.given[strings.ToLower(key)] = p.AsMap()["value"], true
		}
	}
	resources := template.AsMap()["resources"]
	list := resources.AsList()
	for _, key := range sortedKeys(anyMap(resources.AsMap())) { // by names of their own
		list = append(list, resources.AsMap()[key])
	}
	for _, r := range list {
		all = append(all, inner.value(r, "", "", line, depth+1)...)
	}
	return all
}

func anyMap(m map[string]azure.Value) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// value is a resource that the library read as a plain value.
func (s *armScope) value(v azure.Value, kind, name string, line int64, depth int) (all []asset) {
	fields := v.AsMap()
	if depth > maxDepth || fields == nil || fields["existing"].AsBool() {
		return nil
	}
	k, n := s.text(fields["type"]), s.text(fields["name"])
	if kind != "" {
		k, n = kind+"/"+k, name+"/"+n
	}
	line = cmp.Or(lineOf(v), lineOf(fields["properties"]), line)
	all = s.one(k, n, line, fields, depth)
	for _, inner := range fields["resources"].AsList() {
		all = append(all, s.value(inner, k, n, line, depth+1)...)
	}
	return all
}

func lineOf(v azure.Value) int64 {
	m := v.GetMetadata()
	return int64(m.Range().GetStartLine())
}

// text is a text, or the expression that makes it.
func (s *armScope) text(v azure.Value) string {
	text, _ := s.setting(v, 0, 0).value.(string)
	return text
}

var armReference = regexp.MustCompile(`(?i)^\s*(parameters|variables)\('([^']+)'\)\s*$`)

// setting is a value as a setting. Of expressions only those are followed that name a
// parameter or a variable; the others are unknown. The library knows one place in a line,
// so that what has none is where it is a part of.
func (s *armScope) setting(v azure.Value, line int64, depth int) field {
	line = cmp.Or(lineOf(v), line)
	if depth > maxDepth {
		return unknown("", line)
	}
	switch v.Kind {
	case azure.KindString:
		return documented(v.AsString(), line, plainText)
	case azure.KindBoolean:
		return valued(v.AsBool(), line)
	case azure.KindNumber:
		switch n := v.Raw().(type) {
		case int64:
			return number(float64(n), line)
		case float64:
			return number(n, line)
		}
	case azure.KindObject:
		members := map[string]field{}
		for key, x := range v.AsMap() {
			members[key] = s.setting(x, line, depth+1)
		}
		return valued(members, line)
	case azure.KindArray:
		list := []field{}
		for _, x := range v.AsList() {
			list = append(list, s.setting(x, line, depth+1))
		}
		return valued(list, line)
	case azure.KindExpression:
		code := fmt.Sprint(v.Raw())
		if m := armReference.FindStringSubmatch(code); m != nil {
			if got := s.referred(strings.ToLower(m[1]), strings.ToLower(m[2]), line, depth); got.state == isValue {
				return got
			}
		}
		return unknown(code, line)
	case azure.KindNull, "":
		return unset(line)
	}
	return unknown("", line)
}

// referred is what a parameter or a variable stands for.
func (s *armScope) referred(what, name string, line int64, depth int) (got field) {
	defer func() { got.line = line }()
	if what == "variables" {
		return s.setting(s.variables[name], 0, depth+1)
	}
	from := s
	if s.given[name] {
		from = s.outer
	}
	return from.setting(s.parameters[name], 0, depth+1)
}
