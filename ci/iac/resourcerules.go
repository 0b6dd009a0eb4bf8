package iac

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"verdict/ci/wording"
)

//go:embed rules/cloud
var cloudFiles embed.FS

// Rules about the resources of clouds. Each asks a few settings of some types of resources
// by names of its own, so that it is written once for all languages:
//
//	settings:
//	  azurerm_key_vault: {roles: [rbac_authorization_enabled, enable_rbac_authorization]}
//	  Microsoft.KeyVault/vaults: {roles: properties.enableRbacAuthorization}

// themes are what the rules are about.
var themes = []string{"identity", "exposure", "encryption", "logging", "network"}

// cloud is the rules about one provider. They are compiled when its first resource is met,
// and serve the whole life of the process.
type cloud struct {
	name    string
	once    sync.Once
	failure error
	set     *ruleSet
	asks    map[string]asked // by the ids of rules
	byType  map[string][]int // type, in lower letters → rules
}

// asked is what a rule asks: by type of resource, in lower letters, and by its name for it the
// paths of a setting.
type asked map[string]map[string][]string

// clouds are shared by all checkers of the process, by the beginnings of types.
var clouds = func() map[string]*cloud {
	out := map[string]*cloud{}
	for name, prefixes := range map[string][]string{
		"azure": {"azurerm_", "azuread_", "microsoft."}, "aws": {"aws_", "aws::"}, "google": {"google_"}, "alibaba": {"alicloud_"}, "oracle": {"oci_"},
	} {
		c := &cloud{name: name}
		for _, p := range prefixes {
			out[p] = c
		}
	}
	return out
}()

// cloudOf is the rules about the provider of a type of resource; nil where there are none.
func cloudOf(kind string) *cloud {
	low := strings.ToLower(kind)
	if i := strings.IndexAny(low, "_.:"); i >= 0 {
		for _, end := range []int{i + 1, i + 2} {
			if c := clouds[low[:min(end, len(low))]]; c != nil {
				return c
			}
		}
	}
	return nil
}

func (c *cloud) load() error {
	c.once.Do(func() { c.failure = c.compile() })
	return c.failure
}

func (c *cloud) compile() error {
	files := map[string]string{}
	for _, pattern := range []string{"rules/cloud/*.rego", "rules/cloud/" + c.name + "/*.rego"} {
		names, err := fs.Glob(cloudFiles, pattern)
		if err != nil {
			return fmt.Errorf("rules about %s: %w", c.name, err)
		}
		for _, name := range names {
			text, err := cloudFiles.ReadFile(name)
			if err != nil {
				return fmt.Errorf("rules about %s: %w", c.name, err)
			}
			files[name] = string(text)
		}
	}
	set, modules, err := compiled(files)
	if err != nil {
		return err
	}
	c.set, c.asks, c.byType = set, map[string]asked{}, map[string][]int{}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		if err := c.add(name, modules[name]); err != nil {
			return err
		}
	}
	if err := set.order(); err != nil {
		return err
	}
	for i, rule := range set.checks {
		for kind := range c.asks[rule.id] {
			c.byType[kind] = append(c.byType[kind], i)
		}
	}
	return nil
}

// add takes the rule of a module with what it asks.
func (c *cloud) add(name string, m *ast.Module) error {
	if !finds(m) {
		return nil
	}
	rule, custom, err := c.set.rule(name, m)
	if err != nil {
		return err
	}
	reference, asks := wordOf(custom, "reference"), asksOf(custom["settings"])
	if !slices.Contains(themes, wordOf(custom, "theme")) || reference == "" || len(asks) == 0 {
		return badRule(name, "its METADATA has not all of theme, reference and settings")
	}
	rule.fix += " (" + reference + ")"
	c.set.checks = append(c.set.checks, rule)
	c.asks[rule.id] = asks
	return nil
}

// asksOf reads which settings a rule asks of which types.
func asksOf(v any) asked {
	out := asked{}
	kinds, _ := v.(map[string]any)
	for kind, names := range kinds {
		asks := map[string][]string{}
		given, _ := names.(map[string]any)
		for name, paths := range given {
			switch paths := paths.(type) {
			case string:
				asks[name] = []string{paths}
			case []any:
				for _, p := range paths {
					asks[name] = append(asks[name], fmt.Sprint(p))
				}
			}
		}
		out[strings.ToLower(kind)] = asks
	}
	for _, asks := range out { // a rule may ask for what only other types have
		for _, others := range out {
			for name := range others {
				if _, has := asks[name]; !has {
					asks[name] = nil
				}
			}
		}
	}
	return out
}

// ownRules asks the rules about each resource. What is unknown of what they ask is counted and
// said of where: nobody takes it for safe.
func (r *run) ownRules(ctx context.Context, where string, all []asset) error {
	notKnown, faults := 0, []error(nil)
	for i := range all {
		n, err := r.rulesAbout(ctx, &all[i])
		notKnown += n
		if err != nil {
			faults = append(faults, err)
		}
	}
	if notKnown > 0 {
		r.open(where, false, "%s not known from the files, and taken neither for safe nor for unsafe", wording.Count(notKnown, "setting of cloud resources that rules ask about is", "settings of cloud resources that rules ask about are"))
	}
	return errors.Join(faults...)
}

// rulesAbout asks the rules about one, and counts what is unknown of it.
func (r *run) rulesAbout(ctx context.Context, res *asset) (notKnown int, err error) {
	c := cloudOf(res.kind)
	if c == nil {
		return 0, nil
	}
	if err := c.load(); err != nil {
		return 0, err
	}
	kind := strings.ToLower(res.kind)
	if len(c.byType[kind]) == 0 {
		return 0, nil
	}
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(patience, cancel.Cancel)
	defer timer.Stop()
	defer context.AfterFunc(ctx, cancel.Cancel)()
	var faults []error
	seen := map[string]bool{}
	for _, i := range c.byType[kind] {
		rule := c.set.checks[i]
		input := ast.NewObject([2]*ast.Term{ast.StringTerm("type"), ast.StringTerm(res.kind)}, [2]*ast.Term{ast.StringTerm("address"), ast.StringTerm(res.address)})
		for key, paths := range c.asks[rule.id][kind] {
			name, s := res.at(paths)
			input.Insert(ast.StringTerm(key), s.term(name))
			if !seen[name] {
				notKnown += s.unknowns()
			}
			seen[name] = true
		}
		err := c.set.each(ctx, rule, ast.NewTerm(input), topdown.NewVirtualCache(), cancel, func(o ast.Object) {
			r.result.Problems = append(r.result.Problems, rule.about(res, o))
		})
		if err != nil {
			faults = append(faults, fmt.Errorf("%s about %s: %w", rule.id, res.address, err))
		}
	}
	return notKnown, errors.Join(faults...)
}

// about is what a rule found of a resource. A plan has no lines.
func (c pipelineRule) about(res *asset, o ast.Object) Problem {
	p := c.problem(&definition{path: res.path, format: res.format}, o)
	p.Message, p.Fix = oneLine(p.Message), oneLine(p.Fix)
	p.Type, p.Resource, p.Line, p.Column = res.kind, res.address, res.line, 0
	at, ok := valueOf(o, "at").(ast.Object)
	if !ok {
		return p
	}
	p.Line = numberOf(at, "line")
	if path := textOf(at, "path"); path != "" {
		p.Path = path
	}
	if textOf(at, "state") == string(isValue) {
		p.Cause = textOf(at, "name")
		if word := strings.Trim(fmt.Sprint(valueOf(at, "value")), `"`); ofLanguage(word) {
			p.Cause += " = " + word
		}
	}
	return p
}
