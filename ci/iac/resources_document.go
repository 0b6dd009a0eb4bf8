package iac

import (
	"slices"

	"github.com/aquasecurity/trivy/pkg/iac/terraform"
)

// maxDocuments is how deep documents of rights may be made of others.
const maxDocuments = 10

// document is what a block aws_iam_policy_document says, in the form in which AWS takes
// documents of rights.
func (e *evaluated) document(b *terraform.Block) field {
	if e.depth++; e.depth > maxDocuments {
		e.depth--
		return unknown("", 0)
	}
	all := e.block(b)
	e.depth--
	var statements []field
	for _, from := range []string{"source_json", "source_policy_documents", "statement", "override_policy_documents", "override_json"} {
		for _, other := range items(all.member(from)) {
			switch inner := other.member("Statement"); {
			case from == "statement":
				statements = replace(statements, statement(other))
			case inner.state == isValue:
				statements = replace(statements, items(inner)...)
			case other.state == isUnknown:
				statements = append(statements, unknown("", other.line).in(other.path)) // what it allows is not known
			}
		}
	}
	all.value = map[string]field{"Statement": {state: isValue, value: statements, path: all.path, line: all.line}}
	return all
}

// replace adds statements. One takes the place of those before it that have its sid
// (https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document).
func replace(statements []field, more ...field) []field {
	for _, s := range more {
		if sid, _ := s.member("Sid").value.(string); sid != "" {
			statements = slices.DeleteFunc(statements, func(old field) bool { return old.member("Sid").value == sid })
		}
		statements = append(statements, s)
	}
	return statements
}

// items are the members of a list; a single one where it is none.
func items(s field) []field {
	if list, ok := s.value.([]field); ok {
		return list
	}
	if s.state == isAbsent {
		return nil
	}
	return []field{s}
}

// statement writes one block in the letters of AWS.
func statement(s field) field {
	if s.state == isUnknown {
		return s
	}
	out := map[string]field{"Effect": s.member("effect")}
	if out["Effect"].state == isAbsent {
		out["Effect"] = field{state: isValue, value: "Allow", path: s.path, line: s.line}
	}
	for from, to := range map[string]string{"sid": "Sid", "actions": "Action", "not_actions": "NotAction", "resources": "Resource", "not_resources": "NotResource"} {
		if m := s.member(from); m.state != isAbsent {
			out[to] = m
		}
	}
	for from, to := range map[string]string{"principals": "Principal", "not_principals": "NotPrincipal"} {
		if who := s.member(from); who.state != isAbsent {
			out[to] = pairs(who, "type", "identifiers")
		}
	}
	if c := s.member("condition"); c.state != isAbsent {
		tests := map[string]field{}
		for _, one := range items(c) {
			test, _ := one.member("test").value.(string)
			inner, _ := tests[test].value.(map[string]field)
			if inner == nil {
				inner = map[string]field{}
			}
			variable, _ := one.member("variable").value.(string)
			inner[variable] = one.member("values")
			tests[test] = field{state: isValue, value: inner, path: one.path, line: one.line}
		}
		out["Condition"] = field{state: isValue, value: tests, path: c.path, line: c.line}
	}
	return field{state: isValue, value: out, path: s.path, line: s.line}
}

// pairs makes a mapping of blocks that hold a key and values each.
func pairs(blocks field, key, value string) field {
	if blocks.state == isUnknown {
		return blocks
	}
	out := map[string]field{}
	for _, b := range items(blocks) {
		name, _ := b.member(key).value.(string)
		more, _ := out[name].value.([]field)
		out[name] = field{state: isValue, value: append(slices.Clip(more), items(b.member(value))...), path: b.path, line: b.line}
	}
	return field{state: isValue, value: out, path: blocks.path, line: blocks.line}
}
