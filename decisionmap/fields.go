package decisionmap

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"verdict"
)

// AccountSystems are the systems in which a person has accounts.
var AccountSystems = []string{"git", "github", "gitlab", "azure", "entra", "kubernetes", "key"}

// file reads the whole document over m.
func (r *reader) file(root *yaml.Node, m *Map) {
	var s shorthand
	r.object(root, "", "schema: "+Schema, map[string]field{
		"schema":         r.oneOf(&m.Schema, Schema),
		"organization":   r.text(&m.Organization, "acme"),
		"adopting":       r.flag(&m.Adopting),
		"adopting_until": r.day(&m.AdoptingUntil, time.UTC, "2027-02-01"),
		"policies":       r.policies(&m.Policies),
		"environments":   entries(r, &m.Environments, "{prod: {tier: prod}}", r.environment),
		"services":       entries(r, &m.Services, "{payments-api: {team: payments}}", r.service),
		"points":         r.points(m),
		"trust":          r.trust(&m.Trust),
		"builders":       r.builders(&m.Builders),
		"people":         entries(r, &m.People, "{jane: {name: Jane Doe}}", r.person),
		"exceptions":     r.exceptions(&m.Exceptions),
		"break_glass":    r.breakGlass(&m.BreakGlass),
		"retention":      r.retention(&m.Retention),
		"sources":        entries(r, &m.Sources, "{github: [change, change-review]}", r.source),
		"dependencies":   r.dependencies(&m.Dependencies),
		"modules":        r.modules(&m.Modules),
		"admission":      r.admission(&m.Admission),

		"service": r.text(&s.name, "payments-api"), "team": s.part(r, "team"), "owner": s.part(r, "owner"),
		"repo": s.part(r, "repo"), "tier": s.part(r, "tier"), "paths": s.part(r, "paths"), "iac": s.part(r, "iac"),
		"signed_commits": s.part(r, "signed_commits"),
	})
	if m.Schema == "" {
		r.fail(root, "the file does not say its schema", "begin it with `schema: "+Schema+"`")
	}
	s.declare(r, root, m)
}

// shorthand is the one service of a repository, declared at the top of its file.
type shorthand struct {
	name  string
	parts []*yaml.Node // key, value, key, value …
}

func (s *shorthand) part(_ *reader, key string) field {
	return func(n *yaml.Node, _ string) {
		s.parts = append(s.parts, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Line: n.Line}, n)
	}
}

func (s *shorthand) declare(r *reader, root *yaml.Node, m *Map) {
	if s.name == "" {
		if len(s.parts) > 0 {
			r.fail(s.parts[0], fmt.Sprintf("%s is said of no service", s.parts[0].Value), "name it: `service: payments-api`")
		}
		return
	}
	if !validID(s.name) {
		r.fail(root, fmt.Sprintf("service %q is not a name: lower-case letters, digits, dots, dashes and underscores", clip(s.name)), "rename it, for example payments-api")
		return
	}
	v, known := m.Services[s.name]
	at := "services." + s.name
	r.service(&yaml.Node{Kind: yaml.MappingNode, Line: root.Line, Content: s.parts}, at, s.name, &v)
	if _, said := r.origins[at+".environments"]; !said && !known && !r.over {
		v.Environments = promotionOrder(m.Environments)
	}
	if m.Services == nil {
		m.Services = map[string]Service{}
	}
	m.Services[s.name] = v
}

func (r *reader) policies(p *Policies) field {
	return func(n *yaml.Node, at string) {
		r.object(n, at, "{bundle: builtin}", map[string]field{
			"bundle": r.text(&p.Bundle, BuiltinBundle),
			"verify": func(n *yaml.Node, at string) {
				r.object(n, at, "{issuer: https://…, subject: …}", map[string]field{
					"issuer":  r.text(&p.Verify.Issuer, "https://token.actions.githubusercontent.com"),
					"subject": r.text(&p.Verify.Subject, "repo:acme/policy:environment:release"),
					"key":     r.text(&p.Verify.Key, "policy-release"),
				})
			},
		})
	}
}

func (r *reader) service(n *yaml.Node, at, _ string, s *Service) {
	r.object(n, at, "{team: payments, owner: lead@example.com}", map[string]field{
		"team":         r.text(&s.Team, "payments"),
		"owner":        r.text(&s.Owner, "lead@example.com"),
		"repo":         r.text(&s.Repo, "https://github.com/acme/payments-api"),
		"tier":         r.text(&s.Tier, "critical"),
		"paths":        r.paths(&s.Paths, "."),
		"iac":          r.paths(&s.IaC, "infra"),
		"environments": r.words(&s.Environments, "prod"),

		"signed_commits": r.flag(&s.SignedCommits),
	})
}

// paths reads folders of the repository; a path that leads out of it is refused.
func (r *reader) paths(into *[]string, example string) field {
	return func(n *yaml.Node, at string) {
		var list []string
		r.words(&list, example)(n, at)
		for _, p := range list {
			if p == "" || path.IsAbs(p) || strings.ContainsAny(p, `\:`) || p != path.Clean(p) || p == ".." || strings.HasPrefix(p, "../") {
				r.fail(n, fmt.Sprintf("%s names %q, which is no folder of the repository", at, clip(p)), "write it from the repository's root with slashes, like infra/payments, without . and .. in it")
				return
			}
		}
		*into = list
	}
}

// points reads the list over the points that are there already: an id that is known
// keeps what the file does not say, another id is a new point.
func (r *reader) points(m *Map) field {
	return func(n *yaml.Node, at string) {
		if n.Kind != yaml.SequenceNode || len(n.Content) > maxPoints {
			r.wrong(n, at, fmt.Sprintf("a list of at most %d points", maxPoints), "[{id: ci.secrets, mode: block}]")
			return
		}
		r.said(n, at)
		seen := map[string]int{}
		m.Points = slices.Clone(m.Points)
		for i, item := range n.Content {
			id := r.pointID(item, fmt.Sprintf("%s[%d]", at, i))
			if id == "" {
				continue
			}
			if line, dup := seen[id]; dup {
				r.fail(item, fmt.Sprintf("point %s is said twice, first on line %d", id, line), "keep one of the two")
				continue
			}
			seen[id] = item.Line
			k := slices.IndexFunc(m.Points, func(p Point) bool { return p.ID == id })
			if k < 0 {
				k = len(m.Points)
				m.Points = append(m.Points, newPoint(id))
			}
			r.point(item, join(at, id), &m.Points[k])
		}
	}
}

func (r *reader) pointID(item *yaml.Node, at string) string {
	var id string
	if item.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(item.Content); i += 2 {
			if item.Content[i].Value == "id" && item.Content[i+1].Kind == yaml.ScalarNode {
				id = item.Content[i+1].Value
			}
		}
	}
	if !validID(id) || !strings.Contains(id, ".") {
		r.fail(item, fmt.Sprintf("%s has no id of the form layer.name", at), "begin the point with its id, for example `id: ci.licences`")
		return ""
	}
	return id
}

// newPoint is a point of which the file has said the id only: ci points block, the
// others observe.
func newPoint(id string) Point {
	prefix, _, _ := strings.Cut(id, ".")
	p := Point{ID: id, Mode: verdict.ModeObserve}
	if l := verdict.Layer(prefix); l.Index() >= 0 {
		p.Layer = l
	}
	if p.Layer == verdict.LayerCI {
		p.Mode = verdict.ModeBlock
	}
	return p
}

func (r *reader) point(n *yaml.Node, at string, p *Point) {
	was := *p
	var id, layer, mode = "", string(p.Layer), string(p.Mode)
	r.object(n, at, "{id: ci.secrets, mode: block}", map[string]field{
		"id":            r.text(&id, "ci.secrets"),
		"layer":         r.text(&layer, "ci"), // a word that is no layer is for the linter: VD-L01
		"question":      r.text(&p.Question, "Does this commit contain a leaked secret?"),
		"mode":          r.oneOf(&mode, string(verdict.ModeBlock), string(verdict.ModeWarn), string(verdict.ModeObserve)),
		"enforce_from":  r.day(&p.EnforceFrom, time.UTC, "2027-02-01"),
		"old_from":      r.day(&p.OldFrom, time.UTC, "2027-02-01"),
		"since":         r.day(&p.Since, time.UTC, "2026-11-01"),
		"at":            r.text(&p.At, "github/workflow"),
		"needs":         r.needs(&p.Needs),
		"policy":        r.words(&p.Policy, "verdict.rules.ci.secrets"),
		"allow_partial": r.flag(&p.AllowPartial),
		"produces":      r.produces(&p.Produces),
		"owner":         r.text(&p.Owner, "platform"),
		"feeds":         r.words(&p.Feeds, Backlog),
		"review":        r.review(&p.Review),
	})
	p.Layer, p.Mode = verdict.Layer(layer), verdict.Mode(mode)
	if was.Question != "" && (p.Question != was.Question || p.Layer != was.Layer) {
		r.fail(n, fmt.Sprintf("%s has the layer %s and asks %q; both belong to the id", p.ID, was.Layer, was.Question), "take layer and question out, or give your point an id of its own")
	}
}

func (r *reader) needs(into *[]Need) field {
	return func(n *yaml.Node, at string) {
		list, ok := r.list(n, at, "secrets")
		if !ok {
			return
		}
		out := []Need{}
		for i, item := range list {
			need := Need{Accept: verdict.StateVerified}
			r.need(item, fmt.Sprintf("%s[%d]", at, i), &need)
			if slices.ContainsFunc(out, func(o Need) bool { return o.Kind == need.Kind }) {
				r.fail(item, fmt.Sprintf("%s needs %q twice", at, clip(need.Kind)), "keep one of the two")
				continue
			}
			out = append(out, need)
		}
		*into = out
	}
}

func (r *reader) need(n *yaml.Node, at string, need *Need) {
	if n.Kind == yaml.MappingNode {
		accept := string(need.Accept)
		r.object(n, at, "{kind: sbom, accept: present}", map[string]field{
			"kind":    r.word(&need.Kind, "sbom"),
			"accept":  r.oneOf(&accept, string(verdict.StateVerified), string(verdict.StatePresent)),
			"max_age": r.duration(&need.MaxAge, "7d"),
		})
		need.Accept = verdict.State(accept)
	} else {
		r.word(&need.Kind, "secrets")(n, at)
	}
	if need.Kind == "" {
		r.fail(n, at+" does not say which evidence is needed", "write it like `sbom` or `{kind: sbom, accept: present}`")
	}
}

// word reads the name of a kind of evidence.
func (r *reader) word(into *string, example string) field {
	return func(n *yaml.Node, at string) {
		s, ok := r.scalar(n, at, "the name of a check or a kind of evidence", example, "!!str")
		if !ok {
			return
		}
		if !validID(s) {
			r.fail(n, fmt.Sprintf("%s is %q, which is no name of evidence", at, clip(s)), "write it in lower case with dashes, like "+example)
			return
		}
		*into = s
	}
}

func (r *reader) produces(into *Produces) field {
	return func(n *yaml.Node, at string) {
		r.object(n, at, "{kind: secrets-check, retain: 3y}", map[string]field{
			"kind":   r.word(&into.Kind, "secrets-check"),
			"retain": r.duration(&into.Retain, "3y"),
		})
	}
}

func (r *reader) review(into **Review) field {
	return func(n *yaml.Node, at string) {
		v := Review{Count: 1, Not: []string{"author", "requester"}, Requires: []string{"scope", "rationale", "expiry"}, MaxValidity: Day}
		if *into != nil {
			v = **into
		}
		r.object(n, at, "{approvers: [security], count: 1}", map[string]field{
			"approvers":    r.words(&v.Approvers, "security"),
			"count":        r.number(&v.Count, 1, 10, "1"),
			"not":          r.words(&v.Not, "author"),
			"requires":     r.words(&v.Requires, "rationale"),
			"max_validity": r.duration(&v.MaxValidity, "24h"),
		})
		*into = &v
	}
}

func (r *reader) trust(into *[]Trust) field {
	return func(n *yaml.Node, at string) {
		const example = "{name: build, key: build-key, kinds: [provenance], services: [payments-api]}"
		if n.Kind != yaml.SequenceNode || len(n.Content) > maxList {
			r.wrong(n, at, fmt.Sprintf("a list of at most %d entries", maxList), "["+example+"]")
			return
		}
		r.said(n, at)
		out := []Trust{}
		for i, item := range n.Content {
			var t Trust
			at := fmt.Sprintf("%s[%d]", at, i)
			r.object(item, at, example, map[string]field{
				"name": r.text(&t.Name, "build"), "key": r.text(&t.Key, "build-key"),
				"identity": r.text(&t.Identity, "https://github.com/acme/*/.github/workflows/release.yml@refs/heads/main"),
				"workload": r.text(&t.Workload, "repo:acme/payments-api:environment:prod"),
				"issuer":   r.text(&t.Issuer, "https://token.actions.githubusercontent.com"),
				"for":      r.oneOf(&t.For, ForPeople),
				"kinds":    r.words(&t.Kinds, "provenance"), "services": r.words(&t.Services, All), "environments": r.words(&t.Environments, All),
			})
			r.signer(item, at, t)
			out = append(out, t)
		}
		*into = out
	}
}

func (r *reader) signer(n *yaml.Node, at string, t Trust) {
	named := 0
	for _, s := range []string{t.Key, t.Identity, t.Workload} {
		if s != "" {
			named++
		}
	}
	switch {
	case named != 1:
		r.fail(n, at+" names "+fmt.Sprint(named)+" signers; expected one", "say one of key, identity (with issuer), workload (with issuer)")
	case t.Key == "" && t.Issuer == "":
		r.fail(n, at+" names no issuer", "add `issuer:`: an identity means something only together with who vouches for it")
	case t.Key != "" && t.Issuer != "":
		r.fail(n, at+" names an issuer beside a key", "take the issuer out: a key has none")
	case strings.Trim(t.Identity+t.Workload, "*/:@#.") == "" && t.Key == "":
		r.fail(n, at+" trusts anybody at all", "name the identity; a * stands for one part of it")
	case len(t.Kinds) == 0 || len(t.Services) == 0:
		r.fail(n, at+" does not say what may be stated about which services", "add `kinds:` and `services:`; `\"*\"` stands for all")
	case t.For == ForPeople:
		r.forPeople(n, at, t)
	}
}

// forPeople refuses what would let a key speak for persons by less than its id, of more than
// they state about accepted risk, or where nobody said.
func (r *reader) forPeople(n *yaml.Node, at string, t Trust) {
	kinds := strings.Join(PeopleKinds, ", ")
	switch other := slices.IndexFunc(t.Kinds, func(k string) bool { return !slices.Contains(PeopleKinds, k) }); {
	case !keyID(t.Key):
		r.fail(n, at+" lets a server speak for people, and does not name it by the id of its key", "put the id in `key:`; verdict keys public -o json on the server prints it")
	case other >= 0:
		r.fail(n, fmt.Sprintf("%s lets a server state %s for people", at, clip(t.Kinds[other])), "name among `kinds:` what people state about accepted risk: "+kinds)
	case len(t.Environments) == 0:
		r.fail(n, at+" does not say in which environments a server speaks for people", "add `environments:`; `\"*\"` stands for all")
	}
}

func (r *reader) person(n *yaml.Node, at, _ string, p *Person) {
	r.object(n, at, "{name: Jane Doe, accounts: {github: jane}}", map[string]field{
		"name":  r.text(&p.Name, "Jane Doe"),
		"teams": r.words(&p.Teams, "payments"),
		"accounts": func(n *yaml.Node, at string) {
			keys := map[string]field{}
			accounts := map[string][]string{}
			for _, system := range AccountSystems {
				keys[system] = func(n *yaml.Node, at string) {
					var list []string
					r.words(&list, "jane")(n, at)
					accounts[system] = list
				}
			}
			r.object(n, at, "{github: jane}", keys)
			p.Accounts = accounts
		},
	})
}

func (r *reader) exceptions(x *Exceptions) field {
	return func(n *yaml.Node, at string) {
		r.object(n, at, "{max_validity: 30d}", map[string]field{
			"requires":     r.words(&x.Requires, "rationale"),
			"max_validity": r.duration(&x.MaxValidity, "30d"),
			"approver_not": r.words(&x.ApproverNot, "requester"),
			"approvers":    r.words(&x.Approvers, "security"),
		})
	}
}

func (r *reader) breakGlass(into **BreakGlass) field {
	return func(n *yaml.Node, at string) {
		b := BreakGlass{Requires: []string{"incident", "rationale"}, MaxValidity: Duration(4 * time.Hour), ReviewWithin: Day}
		if *into != nil {
			b = **into
		}
		r.object(n, at, "{who: [sre], notify: [security]}", map[string]field{
			"who":           r.words(&b.Who, "sre-oncall"),
			"requires":      r.words(&b.Requires, "incident"),
			"max_validity":  r.duration(&b.MaxValidity, "4h"),
			"review_within": r.duration(&b.ReviewWithin, "24h"),
			"notify":        r.words(&b.Notify, "security"),
		})
		*into = &b
	}
}

func (r *reader) retention(v *Retention) field {
	return func(n *yaml.Node, at string) {
		r.object(n, at, "{default: 3y}", map[string]field{
			"default":   r.duration(&v.Default, "3y"),
			"minimum":   r.duration(&v.Minimum, "1y"),
			"audit_log": r.duration(&v.AuditLog, "7y"),
		})
	}
}

func (r *reader) source(n *yaml.Node, at, name string, s *Source) {
	if n.Kind != yaml.MappingNode { // github: [change, change-review]
		r.words(&s.Kinds, "change")(n, at+".kinds")
		return
	}
	r.object(n, at, "{kinds: [sbom]}", map[string]field{
		"kinds":   r.words(&s.Kinds, "sbom"),
		"max_age": r.duration(&s.MaxAge, "7d"),
		"command": r.command(&s.Command),
		"format":  r.oneOf(&s.Format, append(slices.Clone(Formats), HelmFormat)...),
		"sha256":  r.programDigest(&s.SHA256),
		"timeout": r.duration(&s.Timeout, "10m"),
		"primary": r.flag(&s.Primary),

		"on_demand": r.flag(&s.OnDemand),
	})
	if name == OwnSource && len(s.Command) > 0 {
		r.fail(n, at+" stands for Verdict's own checks, which no command runs", "give the tool a source of its own, such as `semgrep: {kinds: [sast], command: […]}`")
	}
	if len(s.Command) == 0 && (s.Format != "" || s.SHA256 != "" || s.Timeout != 0) {
		r.fail(n, at+" says of a command how it is run, and there is none", "add `command: [program, argument]`, or take format, sha256 and timeout out")
	}
	if s.OnDemand && (s.Format != ReachFormat || len(s.Command) == 0) {
		r.fail(n, at+" runs on demand, and nothing asks for it: verdict ci --reach asks for tools of the form govulncheck", "take `on_demand:` out, or give it `format: govulncheck` and a command")
	}
	switch {
	case s.Format != HelmFormat:
	case len(s.Kinds) > 0:
		r.fail(n, at+" renders charts for the check iac, and answers no question itself", "take `kinds:` out: what the charts set up is judged by Verdict's own check")
	case len(s.Command) > 0 && (len(s.Command) < 2 || s.Command[1] != "template"):
		r.fail(n, at+" does not render charts by its command", "write helm and its subcommand first, and let options follow: `command: [helm, template]`")
	}
}

// command reads a program and its arguments, each a text of its own: no shell is there to
// divide a line. Unlike other lists, it may hold a word twice.
func (r *reader) command(into *[]string) field {
	return func(n *yaml.Node, path string) {
		list, ok := r.list(n, path, "semgrep, scan, --json")
		if !ok {
			return
		}
		out := make([]string, len(list))
		for i, item := range list {
			r.text(&out[i], "semgrep")(item, fmt.Sprintf("%s[%d]", path, i))
		}
		if len(out) == 1 && strings.ContainsAny(out[0], " \t") {
			r.fail(n, path+" is one line, and no shell divides it into words", "write program and arguments as a list: `command: ["+strings.Join(strings.Fields(clip(out[0])), ", ")+"]`")
			return
		}
		*into = out
	}
}

// programDigest reads 64 hex digits, with or without sha256: before them.
func (r *reader) programDigest(into *string) field {
	return func(n *yaml.Node, path string) {
		const expected = "the sha256 of the program's file: 64 lower-case hex digits"
		s, ok := r.scalar(n, path, expected, "sha256sum FILE prints it", "!!str")
		if !ok {
			return
		}
		s = strings.TrimPrefix(s, "sha256:")
		if len(s) != 64 || strings.Trim(s, "0123456789abcdef") != "" {
			r.wrong(n, path, expected, "sha256sum FILE prints it")
			return
		}
		*into = s
	}
}
