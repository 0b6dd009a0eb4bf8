package policy

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// customKeys are the words under custom: in a rule's METADATA.
var customKeys = []string{"id", "layer", "effect", "severity", "evidence", "remediation", "link", "owner", "effective_on"}

var (
	ruleID      = regexp.MustCompile(`^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+$`)
	kindWord    = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	partialName = regexp.MustCompile(`^(deny|violation|warn)(_[a-zA-Z0-9_]+)?$`)
)

// rules finds the rules in the compiled modules: one `check` per package, or sets named
// deny, violation and warn, as conftest has them.
func (c *compilation) rules() []*rule {
	packages := map[string][]*ast.Module{}
	for _, name := range slices.Sorted(maps.Keys(c.engine.Modules)) {
		m := c.engine.Modules[name]
		packages[packageName(m.Package.Path)] = append(packages[packageName(m.Package.Path)], m)
	}
	var out []*rule
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		out = append(out, c.rulesOf(pkg, packages[pkg])...)
	}
	return out
}

func (c *compilation) rulesOf(pkg string, modules []*ast.Module) []*rule {
	heads := map[string]*ast.Rule{}
	for _, m := range modules {
		for _, r := range m.Rules {
			name := r.Head.Ref()[0].Value.String()
			if len(r.Head.Args) == 0 && heads[name] == nil {
				heads[name] = r
			}
		}
	}
	var partial []string
	for name := range heads {
		if partialName.MatchString(name) {
			partial = append(partial, name)
		}
	}
	slices.Sort(partial)
	check := heads["check"]
	if check != nil && len(partial) > 0 {
		c.problem(where(heads[partial[0]].Location), "package "+pkg+" has a check and a "+partial[0]+", of which one would never run", "rename the helper, or move it to a package of its own")
		return nil
	}
	meta := c.metadata(modules)
	var out []*rule
	if check != nil {
		out = append(out, c.ruleOf(pkg, check, meta))
	}
	for _, name := range partial {
		if r := c.partialOf(pkg, name, heads[name], meta); r != nil {
			out = append(out, r)
		}
	}
	return out
}

// annotation is a package's METADATA and where it stands.
type annotation struct {
	at     string
	title  string
	custom map[string]any
}

func (c *compilation) metadata(modules []*ast.Module) annotation {
	out := annotation{at: where(modules[0].Package.Location)}
	for _, m := range modules {
		for _, a := range m.Annotations {
			if a.Scope == "package" {
				return annotation{where(a.Location), a.Title, a.Custom}
			}
		}
	}
	return out
}

func (c *compilation) ruleOf(pkg string, head *ast.Rule, a annotation) *rule {
	r := c.describe(pkg, head, a)
	if head.Head.RuleKind() != ast.SingleValue || len(head.Head.Ref()) != 1 {
		c.problem(r.at, "check is not one value", "write `check := {\"status\": …, \"message\": …} if …`")
	}
	r.ID, _ = a.custom["id"].(string)
	own := within(pkg, "verdict")
	first, _, _ := strings.Cut(r.ID, ".")
	switch {
	case !ruleID.MatchString(r.ID):
		c.problem(a.at, fmt.Sprintf("METADATA of %s has no valid id", pkg), "add `# custom:` with `#   id: acme.naming.short`: lower-case words with dots between them")
	case !own && (verdict.Layer(first).Index() >= 0 || first == "verdict" || first == "evidence"):
		c.problem(a.at, fmt.Sprintf("the id %s starts with a word that belongs to Verdict", r.ID), "start the id with your own prefix, such as acme."+r.ID)
	}
	if r.Title == "" {
		c.problem(a.at, fmt.Sprintf("METADATA of %s has no title", pkg), "add `# title:` with what the rule demands, in one short sentence")
	}
	if r.Effect == "" {
		c.problem(a.at, fmt.Sprintf("METADATA of %s has no effect", pkg), "add `#   effect: deny`, review or note")
	}
	if r.Severity == "" {
		c.problem(a.at, fmt.Sprintf("METADATA of %s has no severity", pkg), "add `#   severity: high`, or critical, medium, low, info")
	}
	if r.Remediation == "" {
		c.problem(a.at, fmt.Sprintf("METADATA of %s has no remediation", pkg), "add `#   remediation:` with what a person does when the rule fails")
	}
	c.finish(r, "check")
	return r
}

// partialOf describes a conftest-style set. Its effect is in its name; METADATA is
// welcome and not needed, and what it lacks stays empty for the lint to tell.
func (c *compilation) partialOf(pkg, name string, head *ast.Rule, a annotation) *rule {
	if head.Head.RuleKind() != ast.MultiValue || len(head.Head.Ref()) != 1 {
		c.problem(where(head.Location), name+" in package "+pkg+" is not a set of messages", "write `"+name+" contains msg if …`")
		return nil
	}
	r := c.describe(pkg, head, a)
	r.ID, r.Partial = pkg+"."+name, true
	if verdict.Layer(strings.Split(pkg, ".")[0]).Index() >= 0 {
		c.problem(r.at, "package "+pkg+" starts with a word that belongs to Verdict", "start the package with your own prefix, such as acme."+pkg)
	}
	r.Effect = verdict.EffectDeny
	if strings.HasPrefix(name, "warn") {
		r.Effect = verdict.EffectNote
	}
	r.Title = cmp.Or(r.Title, name+" in "+pkg)
	r.Severity = cmp.Or(r.Severity, verdict.SeverityUnknown)
	c.finish(r, name)
	return r
}

// describe reads what METADATA says, and nothing that it does not.
func (c *compilation) describe(pkg string, head *ast.Rule, a annotation) *rule {
	r := &rule{Rule: verdict.Rule{Package: pkg, Title: a.title, Evidence: []verdict.Kind{}}, at: where(head.Location)}
	text := func(key string, legal ...string) string {
		v, there := a.custom[key]
		s, ok := v.(string)
		if there && (!ok || s == "" || len(legal) > 0 && !slices.Contains(legal, s)) {
			remedy := "write it as text"
			if len(legal) > 0 {
				remedy = "use one of " + strings.Join(legal, ", ")
			}
			c.problem(a.at, fmt.Sprintf("METADATA %s: %v is not a valid value", key, v), remedy)
			return ""
		}
		return s
	}
	for _, key := range slices.Sorted(maps.Keys(a.custom)) {
		if !slices.Contains(customKeys, key) {
			c.problem(a.at, "METADATA has no word "+key, "the nearest is "+nearest(key, slices.Clone(customKeys)))
		}
	}
	r.Effect = verdict.Effect(text("effect", "deny", "review", "note"))
	r.Severity = verdict.Severity(text("severity", "critical", "high", "medium", "low", "info", "unknown"))
	r.Remediation, r.Owner, r.Link = text("remediation"), text("owner"), text("link")
	if r.Link != "" && !strings.HasPrefix(r.Link, "https://") {
		c.problem(a.at, "METADATA link is no https address", "link to a page that explains the rule, or leave link out")
	}
	r.EffectiveOn = c.effectiveOn(a)
	c.evidence(r, a)
	r.layer = c.layerOf(pkg, verdict.Layer(text("layer")), a)
	return r
}

func (c *compilation) effectiveOn(a annotation) time.Time {
	v, there := a.custom["effective_on"]
	if !there {
		return time.Time{}
	}
	if s, ok := v.(string); ok {
		for _, form := range []string{time.DateOnly, time.RFC3339} {
			if t, err := time.Parse(form, s); err == nil {
				return t.UTC()
			}
		}
	}
	c.problem(a.at, fmt.Sprintf("METADATA effective_on: %v is no date", v), "write it in quotes as \"2027-01-31\"")
	return time.Time{}
}

func (c *compilation) evidence(r *rule, a annotation) {
	v, there := a.custom["evidence"]
	list, ok := v.([]any)
	for _, x := range list {
		kind, isText := x.(string)
		ok = ok && isText && kindWord.MatchString(kind)
		r.Evidence = append(r.Evidence, verdict.Kind(kind))
	}
	if there && !ok {
		c.problem(a.at, "METADATA evidence is not a list of kinds", "write `#   evidence: [secrets]`")
	}
}

// layerOf is the layer that METADATA names, or else the first word of the package that
// is a layer.
func (c *compilation) layerOf(pkg string, named verdict.Layer, a annotation) verdict.Layer {
	if named != "" {
		if named.Index() < 0 {
			c.problem(a.at, "METADATA layer: "+string(named)+" is no layer", "use one of code, ci, artifact, deploy, runtime, governance")
		}
		return named
	}
	for word := range strings.SplitSeq(pkg, ".") {
		if verdict.Layer(word).Index() >= 0 {
			return verdict.Layer(word)
		}
	}
	return ""
}

// finish reads what the rule reads, refuses what its layer may not, and prepares its
// query.
func (c *compilation) finish(r *rule, name string) {
	ref := make(ast.Ref, 0, 8)
	ref = append(ref, ast.DefaultRootDocument)
	for word := range strings.SplitSeq(r.Package, ".") {
		ref = append(ref, ast.StringTerm(word))
	}
	ref = append(ref, ast.StringTerm(name))

	found := c.read(ref)
	r.Reads, r.forbidden = found.reads, found.forbidden
	for _, read := range r.Reads {
		if group, _, _ := strings.Cut(strings.TrimPrefix(read, "input."), "."); read == "input" || slices.Contains(deployOnly, group) {
			r.hidden = append(r.hidden, read)
		}
	}
	if !c.Inspect {
		c.refuse(r, found)
	}
	query := ast.NewBody(ast.Equality.Expr(ast.VarTerm(resultVar), ast.NewTerm(ref)))
	r.compiler = c.engine.QueryCompiler()
	body, err := r.compiler.Compile(query)
	if err != nil {
		c.problem(r.at, "cannot be queried: "+err.Error(), "correct the rule")
		return
	}
	r.query = body
}

func (c *compilation) refuse(r *rule, found reading) {
	for _, at := range found.nowhere {
		c.problem(at.at, "nothing is defined at "+at.what, "correct the name: what is not there makes the rule say nothing")
	}
	if r.layer == "" || r.layer.SeesEnvironment() {
		return
	}
	if len(r.hidden) > 0 {
		c.problems = append(c.problems, hiddenRead(r, r.layer))
	}
	for _, at := range found.replaced {
		c.problem(at.at, "`with` replaces "+at.what+" in a rule of layer "+string(r.layer), "call a function with the value instead, so that it is plain what the rule reads")
	}
}
