package iac

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strings"

	adapter "github.com/aquasecurity/trivy/pkg/iac/adapters/terraform"
	"github.com/aquasecurity/trivy/pkg/iac/scanners/terraform/parser"
	"github.com/aquasecurity/trivy/pkg/iac/terraform"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"

	"verdict"
)

const formatTerraform = "terraform"

const (
	maxCopies = 1_000 // of one resource, by count or for_each
	// maxInstances bounds the modules of one root: each call evaluates its module again.
	maxInstances = 5_000
	// maxOperators bounds the signs of one expression.
	maxOperators = 2_000
	maxNesting   = 1_000 // brackets and signs within each other, as the bytes stand
)

// endings are those of files of a module, OpenTofu's first: where both are there, OpenTofu
// reads its own.
var endings = []string{".tofu.json", ".tofu", ".tf.json", ".tf"}

func isTerraform(p string) bool {
	return slices.ContainsFunc(append(endings, ".tfvars", ".tfvars.json"), func(end string) bool { return strings.HasSuffix(p, end) })
}

// ours is the name by which the library knows a file of a module.
func ours(p string) string {
	for _, end := range []string{".json", ""} {
		if stem, ok := strings.CutSuffix(p, ".tofu"+end); ok {
			return stem + ".tf" + end
		}
	}
	return p
}

// configured is a folder with configuration.
type configured struct {
	calls []string // folders of modules that it calls by a path
	by    []caller // which of them are called where
	wrong bool     // it cannot be evaluated

	counts, swelling []counted
	numbers          numbers
}

// caller is a block that calls a module of the tree.
type caller struct{ name, file, dir string }

// terraform judges all modules of the tree together.
func (r *run) terraform(ctx context.Context, files []File) {
	texts, names, lines, modules, total := map[string][]byte{}, map[string]string{}, map[string][]int64{}, map[string]*configured{}, 0
	slices.SortStableFunc(files, func(a, b File) int { return rank(a.Path) - rank(b.Path) })
	for _, f := range files {
		name, content := ours(f.Path), f.Content
		parsed, ok := r.parse(f)
		if ok && strings.HasSuffix(name, ".tf.json") {
			if code, of, native, can := r.native(f); can {
				name += ".tf"
				content, lines[name], parsed = code, of, native
			}
		}
		if other, taken := texts[name]; taken {
			if !bytes.Equal(other, content) {
				r.open(f.Path, true, "it was not judged: OpenTofu reads %s in its place, and Terraform reads this one; keep one of them", names[name])
			}
			continue
		}
		if !ok {
			continue
		}
		texts[name], names[name] = content, f.Path
		total += len(content)
		r.texts[f.Path] = f.Content
		r.result.Judged = append(r.result.Judged, f.Path)
		dir := path.Dir(name)
		if modules[dir] == nil {
			modules[dir] = &configured{}
		}
		if strings.Contains(path.Base(name), ".tfvars") {
			modules[dir].numbers.values(name, parsed)
			continue
		}
		if stem, _, _ := strings.Cut(path.Base(name), "."); stem == "override" || strings.HasSuffix(stem, "_override") {
			r.open(f.Path, true, "it was not judged: what it writes over other files is not merged here; write it into them, or judge the plan (verdict plan check)")
		}
		r.calls(f.Path, dir, parsed, lines[name], modules[dir])
	}
	r.unread(modules)
	r.copies(modules)
	fsys := newTree(texts)
	for _, dir := range roots(modules) {
		if looped(dir, modules) {
			r.invalid(firstOf(dir, names), formatTerraform, 0, 0, "a module calls itself, by way of the modules that it calls")
			continue
		}
		if reaches(dir, modules, map[string]bool{}) {
			continue // told where it was found
		}
		if instances(dir, modules, map[string]int{}) > maxInstances {
			r.open(firstOf(dir, names), true, "its modules call each other more than %d times, which is not judged", maxInstances)
			continue
		}
		r.within(ctx, dir, total, func(part *run) error {
			return part.module(ctx, module{fsys: fsys, dir: dir, names: names, lines: lines, format: formatTerraform})
		})
	}
}

// unread tells modules that lie at a path of which no file was handed in: what they set up
// was not judged.
func (r *run) unread(modules map[string]*configured) {
	for _, m := range modules {
		for _, c := range m.by {
			if modules[c.dir] == nil {
				n := verdict.NotChecked{Path: c.file, Reason: fmt.Sprintf("module %s was not judged: no file of %s was read", c.name, c.dir), Blocks: true}
				if !slices.Contains(r.result.Absent, n) {
					r.result.Absent = append(r.result.Absent, n)
				}
			}
		}
	}
}

func rank(p string) int {
	return slices.IndexFunc(append(slices.Clone(endings), ""), func(end string) bool { return strings.HasSuffix(p, end) })
}

func firstOf(dir string, names map[string]string) string {
	best := ""
	for name, p := range names {
		if path.Dir(name) == dir && (best == "" || p < best) {
			best = p
		}
	}
	return best
}

// parse reads the syntax of one file.
func (r *run) parse(f File) (*hcl.File, bool) {
	if n, at := operators(f.Content); n > maxOperators {
		line, column := place(f.Content, int64(at))
		r.invalid(f.Path, formatTerraform, line, column, fmt.Sprintf("an expression has more than %d signs", maxOperators))
		return nil, false
	}
	if n, at := nesting(f.Content); n > maxNesting {
		line, column := place(f.Content, int64(at))
		r.invalid(f.Path, formatTerraform, line, column, fmt.Sprintf("its expressions nest deeper than %d", maxNesting))
		return nil, false
	}
	p := hclparse.NewParser()
	read := p.ParseHCL
	if strings.HasSuffix(f.Path, ".json") {
		read = p.ParseJSON
	}
	parsed, diags := read(f.Content, f.Path)
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		var line, column int64
		if d.Subject != nil {
			line, column = int64(d.Subject.Start.Line), int64(d.Subject.Start.Column)
		}
		r.invalid(f.Path, formatTerraform, line, column, d.Summary+": "+d.Detail)
		return nil, false
	}
	return parsed, true
}

// nesting is the deepest that brackets and the signs in front of a value nest, and where.
func nesting(text []byte) (deepest, at int) {
	depth, signs := 0, 0
	for i, c := range text {
		switch c {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth = max(0, depth-1)
		}
		if c == '!' || c == '-' {
			signs++
		} else if c != ' ' && c != '\t' {
			signs = 0
		}
		if n := max(depth, signs); n > deepest {
			deepest, at = n, i
		}
	}
	return deepest, at
}

// operators is how many signs join values in one expression, at most, and where: each is a
// step deeper for whoever parses it. Text in quotes joins nothing but where it is a template.
func operators(text []byte) (most, at int) {
	n, open := 0, 0  // open: round and square brackets, in which lines go on
	var quotes []int // of each text that is open, the braces of templates in it; -1 outside of one
	for i := 0; i < len(text); i++ {
		c := text[i]
		inText := len(quotes) > 0 && quotes[len(quotes)-1] < 0
		switch {
		case inText && c == '\\':
			i++
		case inText && (c == '$' || c == '%') && i+1 < len(text) && text[i+1] == '{':
			quotes[len(quotes)-1] = 0
			i++
		case inText && (c == '"' || c == '\n'):
			quotes = quotes[:len(quotes)-1]
		case inText:
		case c == '"':
			quotes = append(quotes, -1)
		case c == '{' && len(quotes) > 0:
			quotes[len(quotes)-1]++
		case c == '}' && len(quotes) > 0:
			quotes[len(quotes)-1]--
		case c == '(' || c == '[':
			open++
		case c == ')' || c == ']':
			open = max(0, open-1)
		case c == '\n' && open == 0:
			n = 0
		case c == '#' || c == '/' && i+1 < len(text) && text[i+1] == '/':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case bytes.IndexByte([]byte("+-*/%?:&|=<>!"), c) >= 0:
			if n++; n > most {
				most, at = n, i
			}
		}
	}
	return most, at
}

var blocks = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "module", LabelNames: []string{"name"}}, {Type: "resource", LabelNames: []string{"type", "name"}}, {Type: "data", LabelNames: []string{"type", "name"}},
}}

// calls finds what a file calls, and how many copies of a block it asks for.
func (r *run) calls(p, dir string, f *hcl.File, lines []int64, m *configured) {
	m.numbers.read(f)
	m.swelling = append(m.swelling, swellingIn(p, f, lines)...)
	content, _, _ := f.Body.PartialContent(blocks)
	for _, b := range content.Blocks {
		inner, _, _ := b.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "source"}, {Name: "count"}}})
		if a := inner.Attributes["count"]; a != nil {
			m.counts = append(m.counts, counted{p, lineIn(lines, int64(a.Range.Start.Line)), a.Expr})
		}
		a := inner.Attributes["source"]
		if b.Type != "module" || a == nil {
			continue
		}
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() || !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
			r.open(p, false, "module %s was not judged: its source is no plain text", b.Labels[0])
			continue
		}
		source := v.AsString()
		if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") && source != "." && source != ".." {
			r.open(p, false, "module %s was not judged: it comes from elsewhere (%s)", b.Labels[0], oneLine(withoutSecrets(source)))
			continue
		}
		m.calls = append(m.calls, path.Join(dir, source))
		m.by = append(m.by, caller{b.Labels[0], p, path.Join(dir, source)})
	}
}

// roots are the modules that no other calls, and one of each circle that nobody else does.
func roots(modules map[string]*configured) []string {
	called := map[string]bool{}
	for _, m := range modules {
		for _, c := range m.calls {
			called[c] = true
		}
	}
	var out, dirs []string
	seen := map[string]bool{}
	for dir := range modules {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	for _, free := range []bool{true, false} {
		for _, dir := range dirs {
			if seen[dir] || free && called[dir] {
				continue
			}
			out = append(out, dir)
			reach(dir, modules, seen)
		}
	}
	return out
}

func reach(dir string, modules map[string]*configured, seen map[string]bool) {
	if m := modules[dir]; m != nil && !seen[dir] {
		seen[dir] = true
		for _, c := range m.calls {
			reach(c, modules, seen)
		}
	}
}

// looped reports whether a module comes to call one that it was called by.
func looped(dir string, modules map[string]*configured) bool {
	const under, done = 1, 2
	state := map[string]int{}
	var visit func(dir string) bool
	visit = func(dir string) bool {
		m := modules[dir]
		if m == nil || state[dir] == done {
			return false
		}
		if state[dir] == under {
			return true
		}
		state[dir] = under
		found := slices.ContainsFunc(m.calls, visit)
		state[dir] = done
		return found
	}
	return visit(dir)
}

// instances counts how often modules are evaluated below a root: each call makes one, and
// a module that two call is two. It is for modules that are not looped.
func instances(dir string, modules map[string]*configured, known map[string]int) int {
	if n, ok := known[dir]; ok {
		return n
	}
	n := 1
	if m := modules[dir]; m != nil {
		for _, c := range m.calls {
			n = min(n+instances(c, modules, known), maxInstances+1)
		}
	}
	known[dir] = n
	return n
}

// reaches reports whether a module that cannot be evaluated is called.
func reaches(dir string, modules map[string]*configured, seen map[string]bool) bool {
	m := modules[dir]
	if m == nil || seen[dir] {
		return false
	}
	seen[dir] = true
	return m.wrong || slices.ContainsFunc(m.calls, func(c string) bool { return reaches(c, modules, seen) })
}

// module is one root module to judge.
type module struct {
	fsys   fs.FS
	dir    string
	names  map[string]string  // of the files, by the library's names
	lines  map[string][]int64 // of the files as they stand, by those of what was written of them
	format string
	// plan is the file that the configuration was made from, where it is no file of the
	// tree, and addresses are those of the plan by those of its blocks.
	plan      string
	addresses map[string]string
	later     map[string]any // what only the apply of a plan tells, by the addresses of blocks
}

// module evaluates one root module and judges what it would set up.
func (r *run) module(ctx context.Context, m module) error {
	options := []parser.Option{parser.OptionWithDownloads(false), parser.OptionWithSkipCachedModules(true), parser.OptionWithWorkingDirectoryPath("/"), parser.OptionWithLogger(slog.New(r.pulse))}
	if values := valuesOf(m.fsys, m.dir); len(values) > 0 {
		options = append(options, parser.OptionWithTFVarsPaths(values...))
	}
	p := parser.New(m.fsys, "", options...)
	if err := p.ParseFS(ctx, m.dir); err != nil {
		return err
	}
	modules, err := p.EvaluateAll(ctx)
	if err != nil || len(modules) == 0 {
		return err
	}
	r.unchecked(m, modules)
	state := adapter.Adapt(modules).ToRego()
	for _, provider := range providersOf(modules) {
		found, err := groups["cloud/"+provider].judge(ctx, state, "")
		if err != nil {
			return err
		}
		for _, x := range found {
			known := m.names[x.path]
			if m.plan != "" {
				known, x.line, x.end = m.plan, 0, 0
				x.resource = cmp.Or(m.addresses[x.resource], x.resource)
			}
			if known == "" { // a default of the library has no place
				if known, x.line, x.end = firstOf(m.dir, m.names), 0, 0; known == "" {
					continue
				}
			}
			x.line, x.end = lineIn(m.lines[x.path], x.line), lineIn(m.lines[x.path], x.end)
			x.path = known
			r.found(x, m.format, typeOf(x.resource))
		}
	}
	return r.ownRules(ctx, cmp.Or(m.plan, m.dir), resourcesOf(m, modules))
}

// lineIn is the line of a file as it stands; lines is nil where it was not written anew.
func lineIn(lines []int64, n int64) int64 {
	if n < 1 || n > int64(len(lines)) {
		return n
	}
	return lines[n-1]
}

// valuesOf are the files of values that Terraform takes by itself, in its order
// (https://developer.hashicorp.com/terraform/language/values/variables).
func valuesOf(fsys fs.FS, dir string) (list []string) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil
	}
	for _, end := range []string{"terraform.tfvars", "terraform.tfvars.json", ".auto.tfvars", ".auto.tfvars.json"} {
		for _, e := range entries {
			if name := e.Name(); name == end || end[0] == '.' && strings.HasSuffix(name, end) {
				list = append(list, path.Join(dir, name))
			}
		}
	}
	return list
}

// prefixes lead from the types of resources to the checks about their provider.
var prefixes = map[string]string{
	"aws": "aws", "azurerm": "azure", "azuread": "azure", "google": "google", "github": "github", "digitalocean": "digitalocean",
	"cloudstack": "cloudstack", "nifcloud": "nifcloud", "openstack": "openstack", "opc": "oracle", "oci": "oracle", "kubernetes": "kubernetes",
}

// unchecked tells resources of providers about which there is no check.
func (r *run) unchecked(m module, modules terraform.Modules) {
	n := map[string]int{}
	for _, b := range modules.GetBlocks() {
		if prefix, _, _ := strings.Cut(b.TypeLabel(), "_"); b.Type() == "resource" && prefixes[prefix] == "" && cloudOf(b.TypeLabel()) == nil && !slices.Contains(harmless, prefix) {
			n[prefix]++
		}
	}
	for prefix, count := range n {
		r.open(cmp.Or(m.plan, m.dir), false, "no check is about the provider %s, of which it declares %d resources", oneLine(prefix), count)
	}
}

// harmless are providers that set nothing up.
var harmless = []string{"random", "null", "local", "time", "terraform", "tls", "template", "external", "archive", "http"}

func providersOf(modules terraform.Modules) []string {
	var out []string
	for _, b := range modules.GetBlocks() {
		prefix, _, _ := strings.Cut(b.TypeLabel(), "_")
		if provider := prefixes[prefix]; provider != "" && b.Type() != "variable" && !slices.Contains(out, provider) {
			out = append(out, provider)
		}
	}
	slices.Sort(out)
	return out
}

var resourceType = regexp.MustCompile(`(?:^|\.)((?:data\.)?[a-z0-9]+_[a-z0-9_]+)\.`)

// typeOf is the type of a resource in an address.
func typeOf(address string) string {
	if m := resourceType.FindStringSubmatch(address); m != nil {
		return m[1]
	}
	return ""
}

// plan judges what a plan would set up.
func (r *run) plan(ctx context.Context, f File) error {
	m, unknown, err := blocksOf(f.Content)
	if err != nil {
		r.invalid(f.Path, formatPlan, 0, 0, "it cannot be read as a plan: "+err.Error())
		return nil
	}
	if unknown > 0 {
		r.open(f.Path, false, "%d values are known only after the apply, and were judged as if they were not set", unknown)
	}
	m.plan = f.Path
	return r.module(ctx, m)
}

// CheckPlan judges one plan as JSON, of whatever size; problems have the address of what
// is planned and no line.
func (l *Library) CheckPlan(ctx context.Context, f File) (Result, error) {
	all := &run{charts: map[string]bool{}, texts: map[string][]byte{}}
	if deepest, _ := nesting(f.Content); deepest > maxNesting {
		all.open(f.Path, true, "it is nested deeper than %d", maxNesting)
		return all.finish(), nil
	}
	all.result.Judged = append(all.result.Judged, f.Path)
	all.within(ctx, f.Path, len(f.Content), func(part *run) error { return part.plan(ctx, f) })
	return all.finish(), cmp.Or(ctx.Err(), all.ended)
}
