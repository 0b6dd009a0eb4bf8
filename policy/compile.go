package policy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// CompileOptions say how a bundle is made. The zero value adds the files to the
// built-in rules, for decisions.
type CompileOptions struct {
	Limits Limits
	// Alone leaves the built-in rules out.
	Alone bool
	// Inspect compiles for the map's lint: rules that no point may use are read and
	// described instead of refused, and the bundle evaluates nothing.
	Inspect bool
	// recorded lets files stand where the built-in rules stood: see Restore.
	recorded bool
}

// compilation is one bundle on its way. Problems are collected, so that the author sees
// all of them at once.
type compilation struct {
	CompileOptions
	files    map[string]string
	modules  map[string]*ast.Module
	engine   *ast.Compiler
	problems []*verdict.Error
}

// Compile makes a bundle of files by path: Rego rules, and tests and cases that are
// kept for Test. Whatever could make a rule say nothing or something else tomorrow is
// refused, with file, line and remedy, as one *verdict.Error.
func Compile(files map[string]string, o CompileOptions) (*Bundle, error) {
	c := &compilation{CompileOptions: o, files: map[string]string{}, modules: map[string]*ast.Module{}}
	for _, step := range []func(*compilation, map[string]string) error{(*compilation).collect, (*compilation).parse, (*compilation).build} {
		if err := step(c, files); err != nil {
			return nil, err
		}
		if err := join(c.problems); err != nil {
			return nil, err
		}
	}
	b := &Bundle{
		digest: digestOf(c.files), files: c.files, byID: map[string]*rule{},
		compiler: c.engine, limits: o.Limits.orDefault(), inspect: o.Inspect,
	}
	for _, r := range c.rules() {
		if twin := b.byID[r.ID]; twin != nil {
			c.problem(r.at, fmt.Sprintf("the id %s is taken by the rule at %s", r.ID, twin.at), "give each rule an id of its own")
			continue
		}
		b.byID[r.ID] = r
		b.rules = append(b.rules, r)
	}
	slices.SortFunc(b.rules, func(x, y *rule) int { return cmp.Compare(x.ID, y.ID) })
	if len(b.rules) == 0 && len(c.problems) == 0 {
		c.problem("bundle", "holds no rule", "write a package with METADATA and a rule `check`; docs/design/policy.md shows one")
	}
	if err := join(c.problems); err != nil {
		return nil, err
	}
	return b, nil
}

func (c *compilation) problem(at, what, remedy string) {
	c.problems = append(c.problems, &verdict.Error{Code: verdict.CodeInvalid, What: at + ": " + what, Remedy: remedy})
}

// join makes one error of all problems, each on a line of its own.
func join(problems []*verdict.Error) error {
	if len(problems) == 0 {
		return nil
	}
	var whats, remedies []string
	for _, p := range problems {
		whats = append(whats, p.What)
		if !slices.Contains(remedies, p.Remedy) {
			remedies = append(remedies, p.Remedy)
		}
	}
	return &verdict.Error{Code: problems[0].Code, What: strings.Join(whats, "\n"), Remedy: strings.Join(remedies, "\n")}
}

func (c *compilation) collect(files map[string]string) error {
	if !c.Alone {
		own, err := embeddedFiles()
		if err != nil {
			return err
		}
		maps.Copy(c.files, own)
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		total += len(text)
		switch {
		case len(files) > maxFiles || len(text) > maxFileBytes || total > maxBytes:
			return tooMuch(name)
		case !cleanPath(name) || strings.HasPrefix(name, BuiltinPrefix) && !c.recorded:
			c.problem(fmt.Sprintf("%q", name), "is no path for a rule", "use a plain relative path that does not start with "+BuiltinPrefix)
		case !isRule(name) && !isTest(name) && !isCases(name):
			c.problem(name, "is neither rules, tests nor cases", "rules end in .rego, their tests in _test.rego, cases in .cases.yaml")
		default:
			c.files[name] = text
		}
	}
	return nil
}

func (c *compilation) capabilities() *ast.Capabilities {
	if c.Inspect {
		return ast.CapabilitiesForThisVersion()
	}
	return reduced()
}

func (c *compilation) parse(map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		if !isRule(name) {
			continue
		}
		m, err := ast.ParseModuleWithOpts(name, c.files[name], ast.ParserOptions{
			Capabilities: c.capabilities(), ProcessAnnotation: true, RegoVersion: ast.RegoV1,
		})
		if err != nil {
			c.engineProblems(name, err)
			continue
		}
		if m == nil {
			c.problem(name, "is empty", "write rules into it or remove it")
			continue
		}
		c.modules[name] = m
		c.screen(name, m)
	}
	return nil
}

// screen refuses what can be told from the text alone.
func (c *compilation) screen(name string, m *ast.Module) {
	pkg := packageName(m.Package.Path)
	if within(pkg, "verdict") && !strings.HasPrefix(name, BuiltinPrefix) {
		c.problem(where(m.Package.Location), "package "+pkg+" belongs to Verdict", "give your rules a prefix of their own, such as package acme.ci.naming")
	}
	if !plainPackage.MatchString(pkg) {
		c.problem(where(m.Package.Location), "package "+pkg+" has a name that needs quotes", "use letters, digits and _ between the dots")
	}
	c.formats(m)
	for _, r := range m.Rules {
		at := where(r.Location)
		if branches(r) > maxBranches {
			c.problem(at, fmt.Sprintf("has more than %d else branches, whose compilation takes the square of their number", maxBranches), "look the value up in an object instead")
		}
		switch r.Head.Ref()[0].Value.String() {
		case "check":
			if r.Default && statusOf(r.Head.Value) != string(verdict.RuleFail) {
				c.problem(at, "a default that does not fail makes every missing fact a pass",
					"say pass and skip in rules with conditions of their own, and leave the default out: a rule that says nothing is an error")
			}
		case "exception":
			c.problem(at, "a rule cannot make exceptions", "record an exception with scope, owner and expiry instead; decisions apply it after the rules")
		}
	}
}

func branches(r *ast.Rule) int {
	n := 0
	for ; r != nil; r = r.Else {
		n++
	}
	return n
}

// wideFormat finds a width or precision in a format that comes from an argument or has
// four digits: one such verb fills a megabyte, and sprintf does not look at a limit.
var wideFormat = regexp.MustCompile(`%[^a-zA-Z%]*(\*|[0-9]{4})`)

// formats demands that formats are written out.
func (c *compilation) formats(m *ast.Module) {
	check := func(op *ast.Term, args []*ast.Term) {
		if op.String() != ast.Sprintf.Name || len(args) == 0 {
			return
		}
		f, ok := args[0].Value.(ast.String)
		if !ok || wideFormat.MatchString(string(f)) {
			c.problem(where(op.Location), "the format of sprintf is not written out, or as wide as an argument says",
				"write the format as text with widths below 1000, or use concat or a template string")
		}
	}
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.IsCall() {
			check(e.OperatorTerm(), e.Operands())
		}
		return false
	})
	ast.WalkTerms(m, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok {
			check(call[0], call[1:])
		}
		return false
	})
}

// statusOf reads "status" of an object that is written out; "" when it is not.
func statusOf(t *ast.Term) string {
	if t == nil {
		return ""
	}
	o, ok := t.Value.(ast.Object)
	if !ok {
		return ""
	}
	s, _ := stringAt(o, "status")
	return s
}

func (c *compilation) build(map[string]string) error {
	schemas, err := engineSchema(c.modules)
	if err != nil {
		return err
	}
	c.engine = ast.NewCompiler().WithCapabilities(c.capabilities()).WithDefaultRegoVersion(ast.RegoV1)
	if !c.Inspect {
		c.engine = c.engine.WithSchemas(schemas)
	}
	c.engine.Compile(c.modules)
	if c.engine.Failed() {
		c.engineProblems("rules", c.engine.Errors)
	}
	return nil
}

var plainPackage = regexp.MustCompile(`^[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)*$`)
var undefinedFunction = regexp.MustCompile(`undefined function ([\w.]+)`)
var undefinedInput = regexp.MustCompile(`undefined ref: (input\.[\w.\[\]"-]*)`)

// engineProblems gives each message of the engine a remedy.
func (c *compilation) engineProblems(name string, err error) {
	var list ast.Errors
	if !errors.As(err, &list) {
		c.problem(name, err.Error(), "correct the Rego")
		return
	}
	for _, e := range list {
		at := name
		if e.Location != nil {
			at = where(e.Location)
		}
		what, remedy := e.Message, "correct the Rego; rules are written in Rego v1"
		if e.Details != nil && len(e.Details.Lines()) > 0 {
			what += " (" + strings.Join(strings.Fields(strings.Join(e.Details.Lines(), " ")), " ") + ")"
		}
		if f := undefinedFunction.FindStringSubmatch(what); f != nil && knownBuiltin(f[1]) {
			what, remedy = "rules may not call "+f[1]+": "+refusal(f[1]), "state it as evidence and read it from the input, or write the rule without it"
		} else if f := undefinedInput.FindStringSubmatch(what); f != nil {
			what, remedy = "the input has no "+f[1], "read a member that policy/input.schema.json lists"
			if strings.HasPrefix(f[1], "input.exception") || strings.HasPrefix(f[1], "input.approval") {
				remedy = "leave exceptions and approvals to the decision, which applies them after the rules"
			}
		} else if e.Code == ast.ParseErr {
			remedy = "correct the syntax: rules are Rego v1 (`if`, `contains`, `:=`); `opa fmt --v0-v1` rewrites older files"
		}
		c.problem(at, clip(what, 600), remedy)
	}
}

func knownBuiltin(name string) bool {
	_, ok := ast.BuiltinMap[name]
	return ok && !slices.Contains(allowed, name)
}

func packageName(ref ast.Ref) string { return strings.TrimPrefix(ref.String(), "data.") }

func where(l *ast.Location) string {
	if l == nil {
		return "rules"
	}
	return fmt.Sprintf("%s:%d", l.File, l.Row)
}
