package iac

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/aquasecurity/trivy/pkg/iac/terraform"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// evaluated reads the evaluated blocks of Terraform, OpenTofu and plans as resources.
type evaluated struct {
	module  module
	modules terraform.Modules
	// byID are the blocks by what the evaluator takes for their id, ARN and JSON.
	byID  map[string]*terraform.Block
	depth int // of documents within documents
}

// resourcesOf are the resources of a root module about which there may be rules.
func resourcesOf(m module, modules terraform.Modules) (all []asset) {
	e := &evaluated{module: m, modules: modules}
	for _, b := range modules.GetBlocks() {
		path, line := e.place(b.GetMetadata().Range().GetFilename(), b.GetMetadata().Range().GetStartLine())
		if b.Type() != "resource" || path == "" {
			continue // no resource, or one of no file that was handed in
		}
		later, _ := m.later[b.FullName()].(map[string]any)
		top := func(name string) field { return e.setting(b, name).later(later[name]) }
		kind := b.TypeLabel()
		if kind == "azapi_resource" {
			kind, top = asTemplate(top)
		}
		if cloudOf(kind) != nil {
			all = append(all, asset{format: m.format, kind: kind, address: cmp.Or(m.addresses[b.FullName()], b.FullName()), path: path, line: line, top: top})
		}
	}
	return all
}

// asTemplate reads a resource that is written as Azure takes it, behind a type with the
// version of its interface.
func asTemplate(top func(string) field) (kind string, asked func(string) field) {
	text, _ := top("type").value.(string)
	kind, version, _ := strings.Cut(text, "@")
	return kind, func(name string) field {
		switch name {
		case "apiVersion":
			return valued(version, 0)
		case "name":
			return top(name)
		}
		return top("body").member(name)
	}
}

// place is where something stands. A plan has no lines.
func (e *evaluated) place(file string, line int) (string, int64) {
	if e.module.plan != "" {
		return e.module.plan, 0
	}
	return e.module.names[file], int64(line)
}

// setting is an attribute of a block, or all blocks of that name in it.
func (e *evaluated) setting(b *terraform.Block, name string) field {
	if a := b.GetAttribute(name); a != nil {
		return e.attribute(b, a)
	}
	path, line := e.place(b.GetMetadata().Range().GetFilename(), b.GetMetadata().Range().GetStartLine())
	var list []field
	for _, inner := range b.GetBlocks(name) {
		list = append(list, e.block(inner))
	}
	switch {
	case list != nil:
		return field{state: isValue, value: list, path: path, line: list[0].line}
	case pending(b, name):
		return field{state: isUnknown, value: "", path: path, line: line}
	}
	return field{state: isAbsent, path: path, line: line}
}

func (e *evaluated) block(b *terraform.Block) field {
	members := map[string]field{}
	for _, a := range b.GetAttributes() {
		members[a.Name()] = e.attribute(b, a)
	}
	for _, inner := range b.AllBlocks() {
		name := inner.Type()
		if name == "dynamic" {
			name = inner.TypeLabel()
		}
		members[name] = e.setting(b, name)
	}
	path, line := e.place(b.GetMetadata().Range().GetFilename(), b.GetMetadata().Range().GetStartLine())
	return field{state: isValue, value: members, path: path, line: line}
}

// pending reports whether there may be blocks of a name that nobody knows how often.
func pending(b *terraform.Block, name string) bool {
	for _, d := range b.GetBlocks("dynamic") {
		if each := d.GetAttribute("for_each"); d.TypeLabel() == name && each != nil && !each.Value().IsKnown() {
			return true
		}
	}
	return false
}

// in says of a setting and its parts which file they stand in, where that is not known yet.
func (s field) in(path string) field {
	s.path = cmp.Or(s.path, path)
	switch v := s.value.(type) {
	case []field:
		for i := range v {
			v[i] = v[i].in(path)
		}
	case map[string]field:
		for key := range v {
			v[key] = v[key].in(path)
		}
	}
	return s
}

// attribute evaluates an attribute. What the evaluator cannot cope with is unknown. Of a text
// and of what becomes JSON the parts are taken that are known.
func (e *evaluated) attribute(b *terraform.Block, a *terraform.Attribute) (s field) {
	path, line := e.place(a.GetMetadata().Range().GetFilename(), a.GetMetadata().Range().GetStartLine())
	defer func() {
		if p := recover(); p != nil {
			s = unknown("", line)
		}
		s = s.in(path)
	}()
	value := func() cty.Value {
		v, diags := a.HCLAttribute().Expr.Value(b.Context().Inner())
		if diags.HasErrors() {
			return cty.DynamicVal
		}
		v, _ = v.UnmarkDeep()
		return v
	}
	v := value()
	if v.IsKnown() {
		return e.value(v, line)
	}
	a.RewriteExpr(func(x hclsyntax.Expression) hclsyntax.Expression {
		if t, ok := x.(*hclsyntax.TemplateExpr); ok {
			return &terraform.PartialTemplateExpr{TemplateExpr: t}
		}
		return x
	})
	if v = value(); v.IsKnown() {
		return e.value(v, line)
	}
	if call, ok := a.HCLAttribute().Expr.(*hclsyntax.FunctionCallExpr); ok && call.Name == "jsonencode" && len(call.Args) == 1 {
		v, _ = call.Args[0].Value(b.Context().Inner())
		v, _ = v.UnmarkDeep()
	}
	return e.value(v, line)
}

func (e *evaluated) value(v cty.Value, line int64) field {
	switch t := v.Type(); {
	case !v.IsKnown():
		return unknown("", line)
	case v.IsNull():
		return unset(line)
	case t == cty.String:
		return documented(v.AsString(), line, e.text)
	case t == cty.Bool:
		return valued(v.True(), line)
	case t == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return number(f, line)
	case t.IsMapType() || t.IsObjectType():
		members := map[string]field{}
		for key, x := range v.AsValueMap() {
			members[key] = e.value(x, line)
		}
		return valued(members, line)
	case t.IsListType() || t.IsSetType() || t.IsTupleType():
		list := []field{}
		for _, x := range v.AsValueSlice() {
			list = append(list, e.value(x, line))
		}
		return valued(list, line)
	}
	return unknown("", line)
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// text is a text in which the evaluator's own ids of blocks are addresses. What a resource of
// the same code is called is a value, since it can be none of those that rules ask for; what
// is looked up elsewhere is unknown; a document of rights is what it says.
func (e *evaluated) text(text string, line int64) field {
	if strings.Contains(text, terraform.UnknownValuePrefix) {
		return unknown(strings.ReplaceAll(text, terraform.UnknownValuePrefix, "?"), line)
	}
	var lookedUp bool
	var document *terraform.Block
	out := uuid.ReplaceAllStringFunc(text, func(id string) string {
		b := e.known(id)
		if b == nil {
			return id
		}
		lookedUp = lookedUp || b.Type() == "data"
		if id == text && b.Type() == "data" && b.TypeLabel() == "aws_iam_policy_document" {
			document = b
		}
		return b.FullName()
	})
	switch {
	case document != nil:
		return e.document(document)
	case lookedUp:
		return unknown(out, line)
	}
	return valued(out, line)
}

func (e *evaluated) known(id string) *terraform.Block {
	if e.byID == nil {
		e.byID = map[string]*terraform.Block{}
		for _, b := range e.modules.GetBlocks() {
			e.byID[b.ID()] = b
		}
	}
	return e.byID[id]
}

// later marks what only the apply will tell, by what a plan says of it.
func (s field) later(marks any) field {
	switch marks := marks.(type) {
	case bool:
		if marks && s.state == isAbsent {
			s.state, s.value = isUnknown, ""
		}
	case map[string]any:
		if v, ok := s.value.(map[string]field); ok {
			for key := range marks {
				v[key] = s.member(key).later(marks[key])
			}
		}
	case []any:
		if v, ok := s.value.([]field); ok {
			for i := range min(len(v), len(marks)) {
				v[i] = v[i].later(marks[i])
			}
		}
	}
	return s
}
