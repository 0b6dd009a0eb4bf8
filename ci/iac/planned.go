package iac

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// What a plan would set up is written as one module of blocks and judged as code is. The
// library has a way of its own, which takes of every list the first element alone.

// planned is what is read of a plan for that.
type planned struct {
	Values struct {
		Root plannedModule `json:"root_module"`
	} `json:"planned_values"`
	Changes []struct {
		Address string `json:"address"`
		Change  struct {
			After   map[string]any `json:"after"`
			Unknown any            `json:"after_unknown"`
		} `json:"change"`
	} `json:"resource_changes"`
	Configuration struct {
		Root configuredModule `json:"root_module"`
	} `json:"configuration"`
}

type plannedModule struct {
	Address   string `json:"address"`
	Resources []struct {
		Address string         `json:"address"`
		Mode    string         `json:"mode"`
		Type    string         `json:"type"`
		Values  map[string]any `json:"values"`
	} `json:"resources"`
	Children []plannedModule `json:"child_modules"`
}

type configuredModule struct {
	Resources []struct {
		Address     string         `json:"address"`
		Expressions map[string]any `json:"expressions"`
	} `json:"resources"`
	Calls map[string]struct {
		Module configuredModule `json:"module"`
	} `json:"module_calls"`
}

// blocksOf writes a plan as code. The module has the address of each block in the plan and
// what only the apply will tell of it; unknown counts such values.
func blocksOf(content []byte) (m module, unknown int, err error) {
	var p planned
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	if err := d.Decode(&p); err != nil {
		return module{}, 0, err
	}
	w := &planWriter{plan: &p, file: hclwrite.NewEmptyFile(), after: map[string]map[string]any{}, addresses: map[string]string{}, blocks: map[string]string{}}
	for _, c := range p.Changes {
		w.after[c.Address] = c.Change.After
		unknown += trues(c.Change.Unknown)
	}
	w.name(p.Values.Root)
	w.module(p.Values.Root)
	later := map[string]any{}
	for _, c := range p.Changes {
		later[w.blocks[c.Address]] = c.Change.Unknown
	}
	code := newTree(map[string][]byte{"main.tf": w.file.Bytes()})
	return module{fsys: code, dir: ".", format: formatPlan, addresses: w.addresses, later: later}, unknown, w.err
}

// trues counts the values that are true, however deep.
func trues(v any) (n int) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
	case map[string]any:
		for _, x := range v {
			n += trues(x)
		}
	case []any:
		for _, x := range v {
			n += trues(x)
		}
	}
	return n
}

type planWriter struct {
	plan      *planned
	file      *hclwrite.File
	after     map[string]map[string]any
	addresses map[string]string // of the plan, by "type.block"
	blocks    map[string]string // "type.block" (data. in front of data), by address of the plan
	err       error
}

// name gives every resource a name of its own, since instances and modules share theirs.
func (w *planWriter) name(m plannedModule) {
	for _, r := range m.Resources {
		block := fmt.Sprintf("%s.b%d", r.Type, len(w.blocks))
		if r.Mode == "data" {
			block = "data." + block
		}
		w.blocks[r.Address], w.addresses[block] = block, r.Address
	}
	for _, c := range m.Children {
		w.name(c)
	}
}

func (w *planWriter) module(m plannedModule) {
	for _, r := range m.Resources {
		kind := "resource"
		if r.Mode == "data" {
			kind = "data"
		}
		block := w.blocks[r.Address]
		body := w.file.Body().AppendNewBlock(kind, []string{r.Type, block[strings.LastIndex(block, ".")+1:]}).Body()
		values := w.after[r.Address]
		if values == nil {
			values = r.Values
		}
		w.body(body, values)
		w.references(body, m.Address, r.Address, values)
	}
	for _, c := range m.Children {
		w.module(c)
	}
}

// body writes the values of a block. A list of objects is as many blocks; everything else
// is a value.
func (w *planWriter) body(b *hclwrite.Body, values map[string]any) {
	for _, key := range sortedKeys(values) {
		v := values[key]
		switch {
		case v == nil:
		case !hclsyntax.ValidIdentifier(key):
			w.err = fmt.Errorf("it sets %q, which is no name of a setting", key)
		case ofObjects(v):
			for _, x := range v.([]any) {
				w.body(b.AppendNewBlock(key, nil).Body(), x.(map[string]any))
			}
		default:
			b.SetAttributeValue(key, ctyOf(v))
		}
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func ofObjects(v any) bool {
	list, ok := v.([]any)
	return ok && len(list) > 0 && !slices.ContainsFunc(list, func(x any) bool { _, ok := x.(map[string]any); return !ok })
}

func ctyOf(v any) cty.Value {
	switch v := v.(type) {
	case bool:
		return cty.BoolVal(v)
	case string:
		return cty.StringVal(v)
	case json.Number:
		if n, err := cty.ParseNumberVal(v.String()); err == nil {
			return n
		}
		return cty.StringVal(v.String())
	case []any:
		var all []cty.Value
		for _, x := range v {
			all = append(all, ctyOf(x))
		}
		return cty.TupleVal(all)
	case map[string]any:
		all := map[string]cty.Value{}
		for k, x := range v {
			all[k] = ctyOf(x)
		}
		return cty.ObjectVal(all)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

// references writes what the configuration takes from another resource where the plan has
// no value yet, so that what belongs together is found together.
func (w *planWriter) references(b *hclwrite.Body, module, address string, values map[string]any) {
	for key, e := range w.expressions(module, address) {
		x, ok := e.(map[string]any)
		if !ok || values[key] != nil || !hclsyntax.ValidIdentifier(key) {
			continue
		}
		list, _ := x["references"].([]any)
		for _, ref := range list {
			text, _ := ref.(string)
			if to := w.target(module, address, text); to != nil {
				b.SetAttributeTraversal(key, to)
				break
			}
		}
	}
}

// expressions are those of the configuration of a resource.
func (w *planWriter) expressions(module, address string) map[string]any {
	m := w.plan.Configuration.Root
	local := strings.TrimPrefix(address, module+".")
	parts := strings.Split(index.ReplaceAllString(module, ""), ".")
	for i := 1; i < len(parts); i += 2 {
		m = m.Calls[parts[i]].Module
	}
	local = index.ReplaceAllString(local, "")
	for _, r := range m.Resources {
		if r.Address == local {
			return r.Expressions
		}
	}
	return nil
}

// target is the block that a reference leads to, with what is asked of it: the instance
// with the same index where there are several, or the only one.
func (w *planWriter) target(module, address, ref string) hcl.Traversal {
	parts := strings.Split(index.ReplaceAllString(ref, ""), ".")
	n := 2
	if parts[0] == "data" {
		n = 3
	}
	if len(parts) < n || slices.Contains([]string{"var", "local", "each", "count", "path", "self", "module"}, parts[0]) {
		return nil
	}
	to := strings.Join(parts[:n], ".")
	if module != "" {
		to = module + "." + to
	}
	own := index.FindString(address[strings.LastIndex(address, ".")+1:])
	block := w.blocks[to+own]
	if block == "" {
		block = w.blocks[to]
	}
	if block == "" {
		block = w.blocks[to+"[0]"]
	}
	if block == "" {
		return nil
	}
	var out hcl.Traversal
	for i, p := range append(strings.Split(block, "."), parts[n:]...) {
		if !hclsyntax.ValidIdentifier(p) {
			break
		}
		if i == 0 {
			out = append(out, hcl.TraverseRoot{Name: p})
		} else {
			out = append(out, hcl.TraverseAttr{Name: p})
		}
	}
	return out
}
