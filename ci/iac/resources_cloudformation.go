package iac

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	cfn "github.com/aquasecurity/trivy/pkg/iac/scanners/cloudformation/parser"
)

// stackResources are the resources of a template of CloudFormation.
func stackResources(path string, stack *cfn.FileContext) (all []asset) {
	for _, id := range slices.Sorted(maps.Keys(stack.Resources)) {
		res := stack.Resources[id]
		if res == nil || cloudOf(res.Type()) == nil {
			continue
		}
		all = append(all, asset{
			format: formatCFN, kind: res.Type(), address: id, path: path, line: int64(res.Range().GetStartLine()),
			top: func(name string) field { return property(func() *cfn.Property { return res.GetProperty(name) }, 0) },
		})
	}
	return all
}

// property is a property as a setting. What the library cannot resolve, and what it breaks
// off over, is unknown.
func property(of func() *cfn.Property, depth int) (s field) {
	var line int64
	defer func() {
		if p := recover(); p != nil {
			s = unknown("", line)
		}
	}()
	p := of()
	if p == nil {
		return unset(0)
	}
	line = int64(p.StartLine)
	switch {
	case depth > maxDepth || p.IsUnresolved():
		return unknown("", line)
	case p.Value == nil && line == 0:
		return unset(0)
	}
	switch v := p.Value.(type) {
	case string:
		return substituted(v, line)
	case bool:
		return valued(v, line)
	case int:
		return number(float64(v), line)
	case float64:
		return number(v, line)
	case []*cfn.Property:
		list := []field{}
		for _, x := range v {
			list = append(list, property(func() *cfn.Property { return x }, depth+1))
		}
		return valued(list, line)
	case map[string]*cfn.Property:
		if name := function(v); name != "" {
			return resolved(name, p, v[name], depth)
		}
		members := map[string]field{}
		for key, x := range v {
			members[key] = property(func() *cfn.Property { return x }, depth+1)
		}
		return valued(members, line)
	}
	return unknown("", line) // a parameter without a value
}

// substituted is a text, of which the library leaves what it cannot put in as it stands. A
// property that stands for no value is an empty one.
func substituted(text string, line int64) field {
	if text == "" {
		return unset(line)
	}
	return documented(text, line, func(text string, line int64) field {
		if strings.Contains(text, "${") {
			return unknown(text, line)
		}
		return valued(text, line)
	})
}

// function is the function that a mapping calls; "" where it is data. A condition of a
// document of rights has the name of one.
func function(v map[string]*cfn.Property) string {
	for name, of := range v {
		if len(v) == 1 && cfn.IsIntrinsic(name) && (name != "Condition" || of.IsString()) {
			return name
		}
	}
	return ""
}

func resolved(name string, p, of *cfn.Property, depth int) field {
	line := int64(p.StartLine)
	if name == "Fn::Join" { // the library leaves out what it does not know
		return joined(of, line, depth)
	}
	got, ok := cfn.ResolveIntrinsicFunc(p)
	if !ok || got == nil || got == p {
		return unknown("", line)
	}
	s := property(func() *cfn.Property { return got }, depth+1)
	if s.line == 0 {
		s.line = line
	}
	return s
}

func joined(of *cfn.Property, line int64, depth int) field {
	parts := of.AsList()
	if len(parts) != 2 {
		return unknown("", line)
	}
	var texts []string
	known := true
	for _, part := range parts[1].AsList() {
		s := property(func() *cfn.Property { return part }, depth+1)
		text, ok := s.value.(string)
		if s.state != isValue || !ok {
			known = known && s.state == isValue
			text = fmt.Sprint(s.value)
		}
		if s.state == isUnknown {
			text = "?"
		}
		texts = append(texts, text)
	}
	text := strings.Join(texts, parts[0].AsString())
	if !known {
		return unknown(text, line)
	}
	return substituted(text, line)
}
