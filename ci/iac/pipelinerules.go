package iac

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"

	"verdict"
)

//go:embed rules/*.rego
var builtinRules embed.FS

// callable are the functions that rules may call: what answers the same tomorrow, and
// reaches nothing outside.
var callable = strings.Fields(`
	abs and array.concat array.slice assign concat contains count endswith eq equal gt gte indexof internal.member_2 internal.member_3
	internal.template_string intersection is_array is_boolean is_null is_number is_object is_string json.marshal lower lt lte max min minus neq
	object.get object.keys object.union or plus regex.find_all_string_submatch_n regex.find_n regex.match regex.replace replace sort split sprintf startswith
	strings.any_prefix_match strings.any_suffix_match strings.count substring sum to_number trim trim_left trim_prefix trim_right trim_space
	trim_suffix type_name union upper walk`)

// patience is how long the rules may take for one file.
const patience = 5 * time.Second

// ruleSet is all rules, compiled once.
type ruleSet struct {
	compiler *ast.Compiler
	checks   []pipelineRule
}

// pipelineRule is one rule with its METADATA.
type pipelineRule struct {
	id, title, fix string
	severity       verdict.Severity
	formats        []string
	at             string
	query          ast.Body
	compiler       ast.QueryCompiler
}

const foundVar = "found"

// compileRules compiles the rules of Verdict and those beside them.
func compileRules(own map[string]string) (*ruleSet, error) {
	files := maps.Clone(own)
	if files == nil {
		files = map[string]string{}
	}
	names, err := fs.Glob(builtinRules, "rules/*.rego")
	if err != nil {
		return nil, fmt.Errorf("rules for pipelines: %w", err)
	}
	for _, name := range names {
		text, err := builtinRules.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("rules for pipelines: %w", err)
		}
		files["verdict/"+name] = string(text)
	}
	s, modules, err := compiled(files)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		if err := s.add(name, modules[name]); err != nil {
			return nil, err
		}
	}
	return s, s.order()
}

// compiled is a set of the rules in some files, of which none was added yet.
func compiled(files map[string]string) (*ruleSet, map[string]*ast.Module, error) {
	can := restricted()
	modules := map[string]*ast.Module{}
	for name, text := range files {
		m, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{Capabilities: can, ProcessAnnotation: true, RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, nil, badRule(name, err.Error())
		}
		if m != nil {
			modules[name] = m
		}
	}
	s := &ruleSet{compiler: ast.NewCompiler().WithCapabilities(can).WithDefaultRegoVersion(ast.RegoV1)}
	if s.compiler.Compile(modules); s.compiler.Failed() {
		return nil, nil, badRule("the rules", s.compiler.Errors.Error())
	}
	return s, modules, nil
}

// order puts the rules in the order of their ids, of which each is one rule's alone.
func (s *ruleSet) order() error {
	slices.SortFunc(s.checks, func(a, b pipelineRule) int { return cmp.Compare(a.id, b.id) })
	for i := 1; i < len(s.checks); i++ {
		if s.checks[i].id == s.checks[i-1].id {
			return badRule(s.checks[i].at, "the id "+s.checks[i].id+" is taken by "+s.checks[i-1].at)
		}
	}
	return nil
}

func badRule(name, what string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: "rule for pipelines " + name + ": " + what,
		Remedy: "correct the rule; docs/design/pipeline-checks.md says how one is written"}
}

// restricted is what the engine may do for rules: no network, no clock, no environment.
func restricted() *ast.Capabilities {
	full := ast.CapabilitiesForThisVersion()
	c := &ast.Capabilities{AllowNet: []string{}, FutureKeywords: []string{}, Features: full.Features}
	for _, b := range full.Builtins {
		if slices.Contains(callable, b.Name) {
			c.Builtins = append(c.Builtins, b)
		}
	}
	return c
}

var checkID = regexp.MustCompile(`^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$`)

// add takes the check of a module. One without a set found is for others to use.
func (s *ruleSet) add(name string, m *ast.Module) error {
	if !finds(m) {
		return nil
	}
	c, custom, err := s.rule(name, m)
	if err != nil {
		return err
	}
	for f := range strings.SplitSeq(wordOf(custom, "formats"), ",") {
		c.formats = append(c.formats, strings.TrimSpace(f))
	}
	if c.formats[0] == "" {
		return badRule(name, badMetadata)
	}
	s.checks = append(s.checks, c)
	return nil
}

const badMetadata = "its METADATA has not all of title, and under custom id (as ACME-001), severity, formats and fix"

func wordOf(custom map[string]any, key string) string {
	s, _ := custom[key].(string)
	return strings.TrimSpace(s)
}

func finds(m *ast.Module) bool {
	return slices.ContainsFunc(m.Rules, func(r *ast.Rule) bool { return r.Head.Ref()[0].Value.Compare(ast.Var(foundVar)) == 0 })
}

// rule prepares the rule of a module, and gives what its METADATA says under custom.
func (s *ruleSet) rule(name string, m *ast.Module) (c pipelineRule, custom map[string]any, err error) {
	c.at = name
	for _, a := range m.Annotations {
		if a.Scope != "package" {
			continue
		}
		custom = a.Custom
		c.title, c.id, c.fix, c.severity = a.Title, wordOf(custom, "id"), wordOf(custom, "fix"), verdict.Severity(wordOf(custom, "severity"))
	}
	known := slices.Contains([]verdict.Severity{verdict.SeverityCritical, verdict.SeverityHigh, verdict.SeverityMedium, verdict.SeverityLow, verdict.SeverityInfo}, c.severity)
	if c.title == "" || !checkID.MatchString(c.id) || c.fix == "" || !known {
		return c, nil, badRule(name, badMetadata)
	}
	ref := append(slices.Clone(m.Package.Path), ast.StringTerm(foundVar))
	c.compiler = s.compiler.QueryCompiler()
	if c.query, err = c.compiler.Compile(ast.NewBody(ast.Equality.Expr(ast.VarTerm(foundVar), ast.NewTerm(ref)))); err != nil {
		return c, nil, badRule(name, err.Error())
	}
	return c, custom, nil
}

// judge asks every check of the file's format. An error says that one of them did not
// answer; what others found is there nevertheless.
func (s *ruleSet) judge(ctx context.Context, d *definition) (found []Problem, err error) {
	value, err := ast.InterfaceToValue(d.input)
	if err != nil {
		return nil, fmt.Errorf("the document of %s: %w", d.path, err)
	}
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(patience, cancel.Cancel)
	defer timer.Stop()
	defer context.AfterFunc(ctx, cancel.Cancel)()
	input, cache := ast.NewTerm(value), topdown.NewVirtualCache()
	var faults []error
	for _, c := range s.checks {
		if !slices.Contains(c.formats, d.format) {
			continue
		}
		more, err := s.ask(ctx, c, d, input, cache, cancel)
		if err != nil {
			cache = topdown.NewVirtualCache() // an aborted query may have left frames on it
			faults = append(faults, fmt.Errorf("%s: %w", c.id, err))
		}
		found = append(found, more...)
	}
	slices.SortFunc(found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Check, b.Check), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(found), errors.Join(faults...)
}

func (s *ruleSet) ask(ctx context.Context, c pipelineRule, d *definition, input *ast.Term, cache topdown.VirtualCache, cancel topdown.Cancel) (found []Problem, err error) {
	err = s.each(ctx, c, input, cache, cancel, func(o ast.Object) { found = append(found, c.problem(d, o)) })
	return found, err
}

// each hands over what one rule finds.
func (s *ruleSet) each(ctx context.Context, c pipelineRule, input *ast.Term, cache topdown.VirtualCache, cancel topdown.Cancel, do func(ast.Object)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the engine stopped on it: %v", p)
		}
	}()
	q := topdown.NewQuery(c.query).WithCompiler(s.compiler).WithQueryCompiler(c.compiler).WithInput(input).WithVirtualCache(cache).
		WithCancel(cancel).WithStrictBuiltinErrors(true).WithStore(nothing{}).WithBaseCache(nothing{}).WithMetrics(metrics.NoOp()).WithIndexing(true)
	return q.Iter(ctx, func(r topdown.QueryResult) error {
		set, ok := r[ast.Var(foundVar)].Value.(ast.Set)
		if !ok {
			return errors.New("found is no set")
		}
		return set.Iter(func(t *ast.Term) error {
			o, ok := t.Value.(ast.Object)
			if !ok || textOf(o, "message") == "" {
				return errors.New("found holds something without a message")
			}
			do(o)
			return nil
		})
	})
}

// problem is what a check gave. It may be worse or less bad than the check is as a rule,
// and know a better remedy.
func (c pipelineRule) problem(d *definition, o ast.Object) Problem {
	p := Problem{
		Check: c.id, Title: c.title, Message: textOf(o, "message"), Fix: cmp.Or(textOf(o, "fix"), c.fix),
		Severity: cmp.Or(verdict.Severity(textOf(o, "severity")), c.severity), Path: d.path, Format: d.format,
		Type: textOf(o, "type"), Resource: textOf(o, "resource"), Cause: textOf(o, "cause"),
	}
	if where, ok := valueOf(o, "at").(ast.Object); ok {
		p.Line, p.Column = numberOf(where, "line"), numberOf(where, "column")
	}
	return p
}

func valueOf(o ast.Object, key string) ast.Value {
	if t := o.Get(ast.StringTerm(key)); t != nil {
		return t.Value
	}
	return nil
}

func textOf(o ast.Object, key string) string {
	s, _ := valueOf(o, key).(ast.String)
	return string(s)
}

func numberOf(o ast.Object, key string) int64 {
	n, _ := valueOf(o, key).(ast.Number)
	i, _ := n.Int64()
	return i
}

// nothing is the store beneath the rules, and the cache of it: there is no data beside the
// file.
type nothing struct{ storage.Store }

func (nothing) Read(_ context.Context, _ storage.Transaction, p storage.Path) (any, error) {
	return nil, &storage.Error{Code: storage.NotFoundErr, Message: p.String()}
}

// Get finds nothing.
func (nothing) Get(ast.Ref) ast.Value { return nil }

// Put forgets.
func (nothing) Put(ast.Ref, ast.Value) {}
