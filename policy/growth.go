package policy

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// A builtin that joins texts takes one step for each, however long they are: thirty of them,
// each of which doubles the last one's text, are more than a machine's memory. So these pay for
// what they write too, and before they write it where that can be told.

// perStep is how many bytes are written for one step; an element of a list counts as 16.
const perStep = 64

// grows are the builtins that may give more than they are given, with what is known of the
// size beforehand.
var grows = map[string]func(operands []*ast.Term) int{
	ast.Concat.Name: func(o []*ast.Term) int {
		if len(o) != 2 {
			return 0
		}
		return joinedSize(o[1], len(textOf(o[0])))
	},
	ast.Sprintf.Name: func(o []*ast.Term) int {
		list, ok := o[1].Value.(*ast.Array)
		if !ok {
			return 0
		}
		longest := 0
		list.Foreach(func(t *ast.Term) { longest = max(longest, len(textOf(t))) })
		return strings.Count(textOf(o[0]), "%") * longest
	},
	ast.Replace.Name: func(o []*ast.Term) int {
		return strings.Count(textOf(o[0]), textOf(o[1])) * len(textOf(o[2]))
	},
	ast.InternalTemplateString.Name: nil, ast.StringReverse.Name: nil, ast.ReplaceN.Name: nil, ast.RegexReplace.Name: nil, ast.ArrayConcat.Name: nil, ast.ArrayFlatten.Name: nil,
	ast.JSONMarshal.Name: func(o []*ast.Term) int { return joinedSize(o[0], 0) + len(textOf(o[0])) }, ast.JSONMarshalWithOptions.Name: nil, ast.YAMLMarshal.Name: nil, ast.HexEncode.Name: nil, ast.Base64Encode.Name: nil,
	ast.Base64UrlEncode.Name: nil, ast.Base64UrlEncodeNoPad.Name: nil, ast.URLQueryEncode.Name: nil, ast.URLQueryEncodeObject.Name: nil, ast.Multiply.Name: nil,
}

func init() {
	for name, before := range grows {
		call := topdown.GetBuiltin(name)
		if call == nil {
			panic("policy: the engine has no builtin " + name)
		}
		topdown.RegisterBuiltinFunc(name, paying(call, before))
	}
	for _, b := range ast.Builtins { // else the engine hands them no budget
		if _, pays := grows[b.Name]; pays {
			b.CanSkipBctx = false
		}
	}
}

// paying is a builtin that pays for what it writes, where a budget is asked.
func paying(call topdown.BuiltinFunc, before func([]*ast.Term) int) topdown.BuiltinFunc {
	return func(c topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		b, counted := c.Cancel.(*budget)
		if !counted {
			return call(c, operands, iter)
		}
		if before != nil && !b.pay(before(operands)) {
			return topdown.Halt{Err: &topdown.Error{Code: topdown.CancelErr, Message: "the budget of the rules is used up"}}
		}
		return call(c, operands, func(t *ast.Term) error {
			b.pay(sizeOf(t)) // the next step ends it
			return iter(t)
		})
	}
}

// pay counts the steps for a size, and reports whether there were as many.
func (b *budget) pay(size int) bool {
	if b.left -= int64(size / perStep); b.left < 0 {
		b.end(bySteps)
	}
	return b.left >= 0
}

func textOf(t *ast.Term) string {
	s, _ := t.Value.(ast.String)
	return string(s)
}

// joinedSize is the size of a list of texts with something between them.
func joinedSize(list *ast.Term, between int) (size int) {
	add := func(t *ast.Term) { size += len(textOf(t)) + between }
	switch x := list.Value.(type) {
	case *ast.Array:
		x.Foreach(add)
	case ast.Set:
		x.Foreach(add)
	}
	return size
}

func sizeOf(t *ast.Term) int {
	switch x := t.Value.(type) {
	case ast.String:
		return len(x)
	case ast.Number:
		return len(x)
	case *ast.Array:
		return 16 * x.Len()
	}
	return 0
}
