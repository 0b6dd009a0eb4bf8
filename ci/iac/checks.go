package iac

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	checks "github.com/aquasecurity/trivy-checks"
	"github.com/aquasecurity/trivy/pkg/iac/framework"
	library "github.com/aquasecurity/trivy/pkg/iac/rego"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"verdict"
)

// group is the checks about one provider or format. It is compiled when the first file
// asks for it.
type group struct {
	dir      string // below the library's checks
	libs     []string
	once     sync.Once
	failure  error
	checks   []check
	compiler *ast.Compiler

	mu    sync.Mutex // guards what follows
	asked map[string]*question
}

// check is one rule that says what is wrong, and what the library says of it.
type check struct {
	meta  *library.StaticMetadata
	rule  string
	kinds []string // of Kubernetes that it is about, in small letters; empty for all
}

// question is some checks of a group as one query, prepared once: asked together they
// share what they find out about the input.
type question struct {
	checks []check
	query  rego.PreparedEvalQuery
}

// groups are shared by all checkers of the process: compiling them is what costs.
var groups = func() map[string]*group {
	out := map[string]*group{
		"docker":     {dir: "checks/docker", libs: []string{"lib/docker", "lib/sh", "lib/cloud"}},
		"kubernetes": {dir: "checks/kubernetes", libs: []string{"lib/kubernetes", "lib/cloud"}},
	}
	for _, provider := range []string{"aws", "azure", "cloudstack", "digitalocean", "github", "google", "kubernetes", "nifcloud", "openstack", "oracle"} {
		out["cloud/"+provider] = &group{dir: "checks/cloud/" + provider, libs: []string{"lib/cloud", "lib/kubernetes"}}
	}
	return out
}()

// load compiles the group, once.
func (g *group) load(ctx context.Context) error {
	g.once.Do(func() { g.failure = g.compile(ctx) })
	return g.failure
}

func (g *group) compile(ctx context.Context) error {
	modules := map[string]*ast.Module{}
	for _, lib := range g.libs {
		if err := parseModules(checks.EmbeddedLibraryFileSystem, lib, modules); err != nil {
			return err
		}
	}
	own := map[string]*ast.Module{}
	if err := parseModules(checks.EmbeddedPolicyFileSystem, g.dir, own); err != nil {
		return err
	}
	names := []string{}
	for name, m := range own {
		modules[name] = m
		names = append(names, name)
	}
	slices.Sort(names)
	g.compiler = ast.NewCompiler()
	if g.compiler.Compile(modules); g.compiler.Failed() {
		return fmt.Errorf("checks of %s: %w", g.dir, g.compiler.Errors)
	}
	for _, name := range names {
		meta, err := library.MetadataFromAnnotations(own[name])
		if err != nil || meta == nil {
			return fmt.Errorf("check %s says nothing of itself: %w", name, err)
		}
		if _, usual := meta.Frameworks[framework.Default]; !usual || meta.Library || meta.Deprecated || meta.AVDID == "" {
			continue // those of a benchmark alone are for who audits by it
		}
		for _, rule := range denials(own[name]) {
			g.checks = append(g.checks, check{meta: meta, rule: own[name].Package.Path.String() + "." + rule, kinds: kindsOf(meta)})
		}
	}
	return nil
}

// question gives the checks about a kind as one query. Kinds are what authors write, so a
// query is kept by its checks: there are few sets of them.
func (g *group) question(ctx context.Context, kind string) (*question, error) {
	q, key := &question{}, ""
	for i, c := range g.checks {
		if kind == "" || len(c.kinds) == 0 || slices.Contains(c.kinds, strings.ToLower(kind)) {
			q.checks, key = append(q.checks, c), key+fmt.Sprintf(" %d", i)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if known := g.asked[key]; known != nil {
		return known, nil
	}
	var text strings.Builder
	for i, c := range q.checks {
		fmt.Fprintf(&text, "x%d := [v | v := %s]\n", i, c.rule)
	}
	if len(q.checks) > 0 {
		var err error
		if q.query, err = rego.New(rego.Query(text.String()), rego.Compiler(g.compiler)).PrepareForEval(ctx); err != nil {
			return nil, fmt.Errorf("checks of %s: %w", g.dir, err)
		}
	}
	if g.asked == nil {
		g.asked = map[string]*question{}
	}
	g.asked[key] = q
	return q, nil
}

// kindsOf are the kinds of Kubernetes that a check says it is about.
func kindsOf(meta *library.StaticMetadata) (kinds []string) {
	for _, s := range meta.InputOptions.Selectors {
		for _, t := range s.Subtypes {
			if t.Kind != "" {
				kinds = append(kinds, strings.ToLower(t.Kind))
			}
		}
	}
	return kinds
}

// denials are the rules of a module that say what is wrong.
func denials(m *ast.Module) []string {
	var out []string
	for _, r := range m.Rules {
		name := r.Head.Ref()[0].Value.String()
		name = strings.Trim(name, `"`)
		if (name == "deny" || strings.HasPrefix(name, "deny_")) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func parseModules(from fs.FS, dir string, into map[string]*ast.Module) error {
	return fs.WalkDir(from, dir, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && strings.HasSuffix(p, "advanced/optional"):
			return fs.SkipDir // these ask for data of the operator
		case e.IsDir() || !library.IsRegoFile(path.Base(p)):
			return nil
		}
		text, err := fs.ReadFile(from, p)
		if err != nil {
			return err
		}
		into[p], err = library.ParseRegoModule(p, string(text))
		return err
	})
}

// finding is what a check says of one place.
type finding struct {
	meta           *library.StaticMetadata
	message        string
	path, resource string
	line, end      int64
}

// judge runs the group's checks over one input. kind is that of a manifest of Kubernetes,
// which the checks about other kinds are not asked about; empty for all else.
func (g *group) judge(ctx context.Context, input any, kind string) ([]finding, error) {
	if err := g.load(ctx); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	value, err := ast.ValueFromReader(strings.NewReader(string(raw)))
	if err != nil {
		return nil, err
	}
	q, err := g.question(ctx, kind)
	if err != nil || len(q.checks) == 0 {
		return nil, err
	}
	results, err := q.query.Eval(ctx, rego.EvalParsedInput(value))
	if err != nil {
		return nil, fmt.Errorf("checks of %s: %w", g.dir, err)
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("checks of %s gave %d answers", g.dir, len(results))
	}
	var out []finding
	for i, c := range q.checks {
		answers, _ := results[0].Bindings[fmt.Sprintf("x%d", i)].([]any)
		for _, said := range answers {
			list, several := said.([]any)
			if !several {
				list = []any{said}
			}
			for _, v := range list {
				f := finding{meta: c.meta}
				f.read(v)
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// read takes what a check returned: a text, or what result.new makes.
func (f *finding) read(v any) {
	o, ok := v.(map[string]any)
	if !ok {
		f.message, _ = v.(string)
		return
	}
	text := func(key string) string { s, _ := o[key].(string); return s }
	number := func(key string) int64 { n, _ := strconv.ParseInt(fmt.Sprint(o[key]), 10, 64); return n }
	f.message, f.path, f.resource = text("msg"), text("filepath"), text("resource")
	f.line, f.end = number("startline"), number("endline")
	// A setting's own reference leads to its resource, the outermost that is no module.
	modules := ""
	for at := o; ; {
		if name, _ := at["resource"].(string); strings.HasPrefix(name, "module.") && !strings.Contains(strings.TrimPrefix(name, "module."), ".") {
			modules = name + "." + modules
		} else if name != "" {
			f.resource = name
		}
		parent, ok := at["parent"].(map[string]any)
		if !ok {
			break
		}
		at = parent
	}
	f.resource = modules + shortened(f.resource)
}

// shortened is the address of a resource without what is inside of it.
func shortened(address string) string {
	parts := strings.Split(address, ".")
	keep := 2
	for len(parts) > keep && parts[keep-2] == "module" {
		keep += 2
	}
	if len(parts) > keep && parts[keep-2] == "data" {
		keep++
	}
	return strings.Join(parts[:min(keep, len(parts))], ".")
}

// severityOf turns the library's word into ours.
func severityOf(word string) verdict.Severity {
	switch strings.ToUpper(word) {
	case "CRITICAL":
		return verdict.SeverityCritical
	case "HIGH":
		return verdict.SeverityHigh
	case "MEDIUM":
		return verdict.SeverityMedium
	case "LOW":
		return verdict.SeverityLow
	}
	return verdict.SeverityUnknown
}
