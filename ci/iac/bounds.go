package iac

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"regexp"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"verdict"
)

// What evaluating one root module, one plan or one template may take.
var (
	perModule = time.Minute
	// perHeap is by how much the heap may grow, in bytes; for each byte that was read it may
	// be perByte more. An evaluation that cannot be stopped at its next step may have
	// untilEnd times as much.
	perHeap  int64 = 512 << 20
	untilEnd int64 = 4
)

const (
	perByte = 40
	looks   = 20 * time.Millisecond // how often the heap is looked at
)

// pulse is the logger of one evaluation. The library asks nobody whether it should go on,
// but it has something to log at each of its steps, and a logger that panics ends it there.
type pulse struct {
	before, most int64 // bytes of the heap: when it began, and by how much it may grow
	late         atomic.Bool
}

// givenUp is what the evaluation panics with.
type givenUp struct{ why string }

// Enabled is asked before anything is logged, by the goroutine that evaluates.
func (p *pulse) Enabled(context.Context, slog.Level) bool {
	if p.late.Load() {
		panic(givenUp{fmt.Sprintf("longer than %s", perModule)})
	}
	if p.over(1) {
		panic(givenUp{fmt.Sprintf("more than %d MB of memory: text, lists or copies in it multiply", p.most>>20)})
	}
	return false
}

// over reports whether the heap has grown by more than so many times what it may.
func (p *pulse) over(times int64) bool {
	if heap()-p.before <= times*p.most {
		return false
	}
	runtime.GC() // most of it may be garbage
	return heap()-p.before > times*p.most
}

func (p *pulse) Handle(context.Context, slog.Record) error { return nil }
func (p *pulse) WithAttrs([]slog.Attr) slog.Handler        { return p }
func (p *pulse) WithGroup(string) slog.Handler             { return p }

// within judges a part of size bytes by itself, and gives up on it where it takes too much
// time or memory. What takes much more than that, and does not come to its next step, ends
// the run: a machine without memory would end the program, and say nothing of why. late
// says that it takes too long, and may go on after it was given up.
func (r *run) within(ctx context.Context, name string, size int, do func(*run) error) (late bool) {
	if r.ended != nil {
		return false
	}
	bounds := &pulse{before: heap(), most: perHeap + perByte*int64(size)}
	part, done := &run{charts: r.charts, texts: r.texts, pulse: bounds}, make(chan struct{})
	go func() {
		defer close(done)
		part.guarded(name, func() error { return do(part) })
	}()
	limit, look := time.NewTimer(perModule), time.NewTicker(looks)
	defer limit.Stop()
	defer look.Stop()
	for {
		select {
		case <-done:
			r.take(part)
			return false
		case <-ctx.Done():
			bounds.late.Store(true)
			return true
		case <-limit.C:
			bounds.late.Store(true)
			r.open(name, true, "it was not judged: evaluating it takes longer than %s", perModule)
			return true
		case <-look.C:
			if bounds.over(untilEnd) {
				r.ended = &verdict.Error{
					Code: verdict.CodeLimit, What: fmt.Sprintf("evaluating %s takes more than %d MB of memory, so the run was ended before the machine does it", oneLine(name), untilEnd*bounds.most>>20),
					Remedy: "look in it for text, lists or copies that multiply (setproduct, for in for, count, format with a width), and write what is meant",
				}
				return true
			}
		}
	}
}

// apart judges a file by an evaluation that has bounds.
func (r *run) apart(ctx context.Context, f File, judge func(*run, context.Context, File) error) {
	own := &run{charts: r.charts, texts: map[string][]byte{f.Path: f.Content}} // where it is given up, it keeps them
	own.within(ctx, f.Path, len(f.Content), func(part *run) error { return judge(part, ctx, f) })
	r.take(own)
	r.ended = own.ended
}

// timely judges what its author cannot swell, but can write so much of that the checks take
// forever: they hold each container to each other one. What stops it is ctx.
func (r *run) timely(ctx context.Context, name string, judge func(context.Context) error) error {
	limited, stop := context.WithTimeout(ctx, perModule)
	defer stop()
	err := judge(limited)
	if limited.Err() != nil && ctx.Err() == nil {
		r.open(name, true, "it was not judged: evaluating it takes longer than %s", perModule)
		return nil
	}
	return err
}

// take takes over what a part found.
func (r *run) take(part *run) {
	r.result.Judged = append(r.result.Judged, part.result.Judged...)
	r.result.Problems = append(r.result.Problems, part.result.Problems...)
	r.result.Open = append(r.result.Open, part.result.Open...)
	r.result.Absent = append(r.result.Absent, part.result.Absent...)
	r.patches, r.added = append(r.patches, part.patches...), append(r.added, part.added...)
	r.overlaysDone = append(r.overlaysDone, part.overlaysDone...)
}

// heap is how many bytes the objects of the heap hold.
func heap() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// counted is a number of copies that is asked for.
type counted struct {
	file string
	line int64
	expr hcl.Expression
}

// numbers are those of a module's variables and locals that can be told beforehand.
type numbers struct {
	given, defaults, locals map[string]hcl.Expression
	known                   map[hcl.Expression]cty.Value // what was worked out
}

// read takes what one file of a module declares.
func (n *numbers) read(f *hcl.File) {
	content, _, _ := f.Body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "variable", LabelNames: []string{"name"}}, {Type: "locals"}}})
	for _, b := range content.Blocks {
		attributes, _ := b.Body.JustAttributes() // a variable has blocks too
		for name, a := range attributes {
			switch {
			case b.Type == "locals":
				put(&n.locals, name, a.Expr)
			case name == "default":
				put(&n.defaults, b.Labels[0], a.Expr)
			}
		}
	}
}

// values takes what a file of values gives, where Terraform reads it by itself.
func (n *numbers) values(name string, f *hcl.File) {
	base := strings.TrimSuffix(path.Base(name), ".json")
	if base != "terraform.tfvars" && !strings.HasSuffix(base, ".auto.tfvars") {
		return
	}
	attributes, _ := f.Body.JustAttributes()
	for name, a := range attributes {
		put(&n.given, name, a.Expr)
	}
}

func put(m *map[string]hcl.Expression, name string, e hcl.Expression) {
	if *m == nil {
		*m = map[string]hcl.Expression{}
	}
	(*m)[name] = e
}

// of is the number that an expression comes to, by the variables and locals of its module;
// false where that cannot be told before the evaluation.
func (n *numbers) of(e hcl.Expression, depth int) (cty.Value, bool) {
	v, asked := n.known[e]
	if !asked && depth <= 20 && arithmetic(e) {
		v = n.value(e, depth)
		if n.known == nil {
			n.known = map[hcl.Expression]cty.Value{}
		}
		n.known[e] = v
	}
	return v, v != cty.NilVal
}

// value works an expression out; NilVal where that cannot be done.
func (n *numbers) value(e hcl.Expression, depth int) cty.Value {
	roots := map[string]map[string]cty.Value{"var": {}, "local": {}}
	for _, t := range e.Variables() {
		name, from := n.behind(t)
		if from == nil {
			return cty.NilVal
		}
		v, ok := n.of(from, depth+1)
		if !ok {
			return cty.NilVal
		}
		roots[t.RootName()][name] = v
	}
	v, diags := e.Value(&hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(roots["var"]), "local": cty.ObjectVal(roots["local"])}})
	if diags.HasErrors() {
		return cty.NilVal
	}
	if v, err := convert.Convert(v, cty.Number); err == nil && v.IsKnown() && !v.IsNull() {
		return v
	}
	return cty.NilVal
}

// behind is the expression that a reference leads to; nil for one that is of no number.
func (n *numbers) behind(t hcl.Traversal) (name string, e hcl.Expression) {
	if len(t) != 2 {
		return "", nil
	}
	attr, _ := t[1].(hcl.TraverseAttr)
	switch name = attr.Name; t.RootName() {
	case "var":
		if given := n.given[name]; given != nil {
			return name, given
		}
		return name, n.defaults[name]
	case "local":
		return name, n.locals[name]
	}
	return name, nil
}

// arithmetic reports whether an expression is made of numbers alone, which cannot grow.
func arithmetic(e hcl.Expression) bool {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.ScopeTraversalExpr:
		return true
	case *hclsyntax.ParenthesesExpr:
		return arithmetic(e.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return arithmetic(e.Wrapped)
	case *hclsyntax.TemplateExpr:
		return e.IsStringLiteral()
	case *hclsyntax.UnaryOpExpr:
		return arithmetic(e.Val)
	case *hclsyntax.BinaryOpExpr:
		return arithmetic(e.LHS) && arithmetic(e.RHS)
	case *hclsyntax.ConditionalExpr:
		return arithmetic(e.Condition) && arithmetic(e.TrueResult) && arithmetic(e.FalseResult)
	}
	return false
}

// copies refuses modules that ask for more of a block, or in one expression for more
// memory, than anybody means, as far as that can be told before the evaluation: what one
// step asks of the machine at once ends the program. What a caller hands in is bounded by
// within.
func (r *run) copies(modules map[string]*configured) {
	for _, m := range modules {
		for _, c := range m.counts {
			if v, ok := m.numbers.of(c.expr, 0); ok && v.GreaterThan(cty.NumberIntVal(maxCopies)).True() {
				r.open(c.file, true, "line %d asks for more than %d copies, which are not judged one by one", c.line, maxCopies)
				m.wrong = true
			}
		}
		for _, c := range m.swelling {
			if what := m.numbers.swells(c.expr.(*hclsyntax.FunctionCallExpr)); what != "" {
				r.open(c.file, true, "it was not judged: line %d %s", c.line, what)
				m.wrong = true
			}
		}
	}
}

// swelling are the functions that make much of little at once.
var swelling = []string{"setproduct", "format", "formatlist", "indent"}

// swellingIn finds where a file calls them.
func swellingIn(p string, f *hcl.File, lines []int64) (found []counted) {
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		return nil
	}
	hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics { // it has none
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && slices.Contains(swelling, call.Name) && len(call.Args) > 0 {
			found = append(found, counted{p, lineIn(lines, int64(call.NameRange.Start.Line)), call})
		}
		return nil
	})
	return found
}

// Elements of a list and signs of a text that one call may make, as far as it is certain.
const (
	maxElements = 100_000
	maxPadding  = 100_000
)

var wide = regexp.MustCompile(`%[-+ #0]*(?:[0-9]{6,}|[0-9]*\.[0-9]{6,})`)

// swells says what a call certainly makes too much of; "" for one that may be in order.
func (n *numbers) swells(call *hclsyntax.FunctionCallExpr) string {
	switch first := call.Args[0]; call.Name {
	case "setproduct":
		if n.length(call, 0) > maxElements {
			return fmt.Sprintf("makes a product of more than %d elements", maxElements)
		}
	case "indent":
		if v, ok := n.of(first, 0); ok && v.GreaterThan(cty.NumberIntVal(maxPadding)).True() {
			return fmt.Sprintf("indents by more than %d spaces", maxPadding)
		}
	default:
		if t, ok := first.(*hclsyntax.TemplateExpr); ok && t.IsStringLiteral() {
			if v, _ := t.Value(nil); wide.MatchString(v.AsString()) {
				return fmt.Sprintf("writes a text of %d signs or more by a width", maxPadding)
			}
		}
	}
	return ""
}

// length is how many elements a list has at least; 0 where nothing is certain.
func (n *numbers) length(e hcl.Expression, depth int) int64 {
	if depth > 20 {
		return 0
	}
	switch e := e.(type) {
	case *hclsyntax.TupleConsExpr:
		return int64(len(e.Exprs))
	case *hclsyntax.ParenthesesExpr:
		return n.length(e.Expression, depth+1)
	case *hclsyntax.ScopeTraversalExpr:
		if _, from := n.behind(e.Traversal); from != nil {
			return n.length(from, depth+1)
		}
	case *hclsyntax.ForExpr:
		if e.KeyExpr == nil && e.CondExpr == nil {
			return n.length(e.CollExpr, depth+1)
		}
	case *hclsyntax.FunctionCallExpr:
		return n.lengthOfCall(e, depth+1)
	}
	return 0
}

func (n *numbers) lengthOfCall(call *hclsyntax.FunctionCallExpr, depth int) int64 {
	switch call.Name {
	case "range":
		if v, ok := n.of(call.Args[0], 0); len(call.Args) == 1 && ok {
			f, _ := v.AsBigFloat().Float64()
			return int64(max(0, min(f, 1024))) // of more it makes an error
		}
	case "tolist", "reverse":
		if len(call.Args) == 1 {
			return n.length(call.Args[0], depth)
		}
	case "setproduct":
		product := int64(1)
		for _, a := range call.Args {
			product = min(product*n.length(a, depth), maxElements+1)
		}
		return product
	}
	return 0
}
