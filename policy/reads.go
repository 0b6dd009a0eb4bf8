package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// reading is what can be told of a rule without running it, through every rule and
// function that it calls.
type reading struct {
	// reads lists the input that is read, as far as the names are written out; the
	// single word "input" stands for all of it, and for what cannot be told.
	reads     []string
	forbidden []string // builtins that rules may not call
	nowhere   []place  // references to data that no rule defines
	replaced  []place  // `with` that replaces input or data
}

type place struct{ at, what string }

// reader walks compiled rules. It errs to one side: what is not written out counts as a
// read of everything.
type reader struct {
	engine    *ast.Compiler
	seen      map[*ast.Rule]bool
	reads     map[string]bool
	forbidden map[string]bool
	out       reading
}

func (c *compilation) read(ref ast.Ref) reading {
	r := &reader{engine: c.engine, seen: map[*ast.Rule]bool{}, reads: map[string]bool{}, forbidden: map[string]bool{}}
	for _, x := range c.engine.GetRules(ref) {
		r.follow(x)
	}
	r.out.reads = outermost(slices.Sorted(maps.Keys(r.reads)))
	r.out.forbidden = slices.Sorted(maps.Keys(r.forbidden))
	return r.out
}

// outermost drops what a shorter name in the sorted list already covers.
func outermost(names []string) []string {
	out := []string{}
	for _, n := range names {
		if !slices.ContainsFunc(out, func(o string) bool { return within(n, o) }) {
			out = append(out, n)
		}
	}
	return out
}

func (r *reader) follow(rule *ast.Rule) {
	for ; rule != nil && !r.seen[rule]; rule = rule.Else {
		r.seen[rule] = true
		r.visit(rule)
		for dep := range r.engine.Graph.Dependencies(util.T(rule)) {
			if next, ok := dep.(*ast.Rule); ok {
				r.follow(next)
			}
		}
	}
}

func (r *reader) visit(rule *ast.Rule) {
	var v *ast.GenericVisitor
	v = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Rule:
			return x != rule // else branches are followed one by one
		case *ast.With:
			r.with(x, rule)
		case *ast.Expr:
			if x.IsCall() {
				r.call(x.Operator())
			}
		case ast.Call:
			if op, ok := x[0].Value.(ast.Ref); ok {
				r.call(op)
			}
		case ast.Ref:
			r.ref(x, rule)
			for _, t := range x[1:] {
				v.Walk(t)
			}
			return true
		case ast.Var:
			if x.Equal(ast.InputRootDocument.Value) {
				r.reads["input"] = true
			}
		}
		return false
	})
	v.Walk(rule)
}

func (r *reader) ref(ref ast.Ref, rule *ast.Rule) {
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		r.reads[inputName(ref)] = true
	case ref[0].Equal(ast.DefaultRootDocument):
		if len(r.engine.GetRulesDynamicWithOpts(ref, ast.RulesOptions{IncludeHiddenModules: true})) == 0 {
			at := ref[0].Location
			if at == nil {
				at = rule.Location
			}
			r.out.nowhere = append(r.out.nowhere, place{where(at), ref.String()})
		}
	}
}

// inputName is the part of a reference that is written out.
func inputName(ref ast.Ref) string {
	var b strings.Builder
	b.WriteString("input")
	for _, t := range ref[1:] {
		s, ok := t.Value.(ast.String)
		if !ok || s == "" || strings.Contains(string(s), ".") {
			break
		}
		b.WriteString("." + string(s))
	}
	return b.String()
}

func (r *reader) call(op ast.Ref) {
	if name := op.String(); knownBuiltin(name) {
		r.forbidden[name] = true
	}
}

func (r *reader) with(w *ast.With, rule *ast.Rule) {
	ref, ok := w.Target.Value.(ast.Ref)
	if !ok {
		return
	}
	at := w.Location
	if at == nil {
		at = rule.Location
	}
	if ref[0].Equal(ast.InputRootDocument) || ref[0].Equal(ast.DefaultRootDocument) {
		r.out.replaced = append(r.out.replaced, place{where(at), ref.String()})
	}
}
