package token

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"verdict"
	"verdict/identity"
)

// Schema is what a sign-in file begins with.
const Schema = "verdict.sign-in/v1"

// Config is the file of --sign-in: whose tokens are believed, for what.
type Config struct {
	Schema    string         `yaml:"schema"`
	Issuers   []IssuerConfig `yaml:"issuers"`
	Workloads []Rule         `yaml:"workloads"`
	People    []People       `yaml:"people"`
}

// IssuerConfig says of an issuer what its URL does not: only those that need it stand here.
type IssuerConfig struct {
	URL string `yaml:"url"`
	// Keys is where its keys are when it publishes no discovery document that this server
	// reaches: an address, or file:PATH.
	Keys string `yaml:"keys"`
	// CA is the file with the certificates of the authority that its own is of; empty: the
	// system knows it.
	CA       string   `yaml:"ca"`
	Lifetime Duration `yaml:"lifetime"` // the longest that a token of it may hold
}

// Rule lets the workloads sign in whose tokens it matches. The first rule that matches counts.
type Rule struct {
	Name string `yaml:"name"`
	Kind string `yaml:"kind"` // github, azure-pipelines, entra, gitlab, kubernetes, spiffe
	// Issuer is that of the tokens; github and gitlab have one of their own.
	Issuer string `yaml:"issuer"`
	// Audience is what the tokens are for, and nothing else; empty: the server's public URL.
	Audience string `yaml:"audience"`
	// Match has the claims that the token must have, each to the letter as one of a list.
	Match map[string]Words `yaml:"match"`
	// Workload is what the map's trust: calls what signs in. {claim} stands for a claim.
	Workload string  `yaml:"workload"`
	Grants   []Grant `yaml:"grants"`
}

// People lets persons sign in at an issuer, through a client that is registered there.
type People struct {
	Name     string `yaml:"name"`
	Issuer   string `yaml:"issuer"`
	ClientID string `yaml:"client_id"`
	// Secret is a reference (env:NAME, file:PATH); empty: a public client, held by PKCE alone.
	Secret string   `yaml:"client_secret"`
	Scopes []string `yaml:"scopes"` // besides openid and profile
	// System and Claim say which account of the map's people the token names: entra and oid.
	System string  `yaml:"system"`
	Claim  string  `yaml:"claim"`
	Grants []Grant `yaml:"grants"` // of everybody who signs in here
	Groups []Group `yaml:"groups"`
}

// Group gives roles to who is in a group, by the object id that the token lists.
type Group struct {
	ID     string  `yaml:"id"`
	Grants []Grant `yaml:"grants"`
}

// Grant is an identity.Grant in the file. A list that is left out holds nothing.
type Grant struct {
	Role         string `yaml:"role"`
	Services     Words  `yaml:"services"`
	Teams        Words  `yaml:"teams"`
	Environments Words  `yaml:"environments"`
}

// Words are one text or a list of them.
type Words []string

// UnmarshalYAML takes a scalar as it is written: an id is the same with and without quotes.
func (w *Words) UnmarshalYAML(n *yaml.Node) error {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	for _, x := range list {
		if x.Kind != yaml.ScalarNode || x.Value == "" {
			return fmt.Errorf("line %d: expected a text or a list of texts, none of them empty", x.Line)
		}
		*w = append(*w, x.Value)
	}
	return nil
}

// Duration is written as 90s, 10m or 24h.
type Duration time.Duration

// UnmarshalYAML reads what time.ParseDuration does.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	x, err := time.ParseDuration(n.Value)
	if err != nil || x <= 0 {
		return fmt.Errorf("line %d: %q is no time such as 90s, 10m or 24h", n.Line, n.Value)
	}
	*d = Duration(x)
	return nil
}

// GrantsOf are the grants of a list.
func GrantsOf(list []Grant) []identity.Grant {
	out := make([]identity.Grant, 0, len(list))
	for _, g := range list {
		scope := identity.Scope{Services: append([]string{}, g.Services...), Teams: append([]string{}, g.Teams...), Environments: append([]string{}, g.Environments...)}
		out = append(out, identity.Grant{Role: identity.Role(g.Role), Scope: scope.Filled()})
	}
	return out
}

// Reused reports whether the rule's tokens may be exchanged more than once.
func (r Rule) Reused() bool { return kinds[r.Kind].reused }

// AllIssuers are the issuers that the file names anywhere, once each.
func (c *Config) AllIssuers() ([]Issuer, error) {
	out := []Issuer{}
	for _, i := range c.Issuers {
		x := Issuer{URL: i.URL, Keys: i.Keys, Lifetime: time.Duration(i.Lifetime)}
		if i.CA != "" {
			pem, err := os.ReadFile(i.CA)
			if err != nil {
				return nil, fault("ca of "+i.URL, "cannot be read: "+err.Error(), "name the file with the certificate of the authority, as PEM")
			}
			if x.Roots = x509.NewCertPool(); !x.Roots.AppendCertsFromPEM(pem) {
				return nil, fault("ca of "+i.URL, "has no certificate", "name the file with the certificate of the authority, as PEM")
			}
		}
		out = append(out, x)
	}
	add := func(u string) {
		if !slices.ContainsFunc(out, func(i Issuer) bool { return i.URL == u }) {
			out = append(out, Issuer{URL: u})
		}
	}
	for _, r := range c.Workloads {
		add(r.Issuer)
	}
	for _, p := range c.People {
		add(p.Issuer)
	}
	return out, nil
}

// Audiences are those that tokens of workloads may be for, besides the server itself.
func (c *Config) Audiences() []string {
	out := []string{}
	for _, r := range c.Workloads {
		if r.Audience != "" && !slices.Contains(out, r.Audience) {
			out = append(out, r.Audience)
		}
	}
	return out
}

// Workload finds the rule that a token meets, what the workload is called, and who started
// it as SYSTEM:NAME where the token tells. self is the audience of rules that name none.
func (c *Config) Workload(t *Claims, self string) (r *Rule, workload, account string, err error) {
	for i := range c.Workloads {
		r := &c.Workloads[i]
		s := r.Seen(t)
		if !r.meets(s, self) {
			continue
		}
		k := kinds[r.Kind]
		if k.holds != nil {
			if err := k.holds(t); err != nil {
				return nil, "", "", refused("the token contradicts itself", askAgain, err)
			}
		}
		if workload, err = r.called(s); err != nil {
			return nil, "", "", err
		}
		if k.account != nil {
			account = k.account(t)
		}
		return r, workload, account, nil
	}
	return nil, "", "", refused("no rule of the sign-in file matches the token of "+t.Issuer, "compare the claims of the token with match: of the rules; each has to be equal to the letter", nil)
}

func (r *Rule) meets(s Seen, self string) bool {
	want := r.Audience
	if want == "" {
		want = self
	}
	if s.Issuer != r.Issuer || s.Audience != want {
		return false
	}
	for name, values := range r.Match {
		if got := s.Claims[name]; got == "" || !slices.Contains(values, got) {
			return false
		}
	}
	return true
}

// called is the workload's name with its claims filled in. What stands for a claim is one
// part of the name, or else a branch could be named so that it reads as another workload.
func (r *Rule) called(s Seen) (string, error) {
	parts := strings.Split(r.Workload, "{")
	out := parts[0]
	for _, p := range parts[1:] {
		name, rest, _ := strings.Cut(p, "}")
		v := s.Claims[name]
		if v == "" || len(v) > 200 || strings.ContainsFunc(v, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-/@", c)
		}) {
			return "", refused(fmt.Sprintf("the claim %s of the token, %.100q, cannot be part of a workload's name", name, v), "match it in a rule of its own, whose workload: does not name it", nil)
		}
		out += v + rest
	}
	return out, nil
}

// check reports the first thing of the file that cannot be meant, with its place.
func (c *Config) check() error {
	if c.Schema != Schema {
		return fault("schema", fmt.Sprintf("is %.40q", c.Schema), "begin the file with `schema: "+Schema+"`")
	}
	for i, x := range c.Issuers {
		if at := fmt.Sprintf("issuers[%d]", i); !address(x.URL) || x.Keys != "" && !address(x.Keys) && !strings.HasPrefix(x.Keys, inFile) {
			return fault(at, "names no https address", "write `url: https://…` as tokens have it in iss, and `keys:` where its key set is")
		}
	}
	for i := range c.Workloads {
		r := &c.Workloads[i]
		if r.Issuer == "" {
			r.Issuer = kinds[r.Kind].issuer
		}
		if err := r.check(fmt.Sprintf("workloads[%d]", i)); err != nil {
			return err
		}
	}
	for i, p := range c.People {
		if err := p.check(fmt.Sprintf("people[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func fault(at, what, remedy string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: at + " " + what, Remedy: remedy}
}

func address(s string) bool {
	u, err := url.Parse(s)
	return err == nil && plain(u, u)
}

func (r *Rule) check(at string) error {
	k, known := kinds[r.Kind]
	words := strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")
	switch {
	case r.Name == "":
		return fault(at, "has no name", "add `name: release`: errors and the log name the rule by it")
	case !known:
		return fault(at, fmt.Sprintf("is of the kind %.40q", r.Kind), meant(r.Kind, slices.Sorted(maps.Keys(kinds)), "write one of "+words))
	case !address(r.Issuer):
		return fault(at, fmt.Sprintf("has no https issuer (%.100q)", r.Issuer), "add `issuer:` as the tokens have it in iss")
	case len(k.prefix) > 0 && !slices.ContainsFunc(k.prefix, func(p string) bool { return strings.HasPrefix(r.Issuer, p) && len(r.Issuer) > len(p) }):
		return fault(at, fmt.Sprintf("is of the kind %s and of the issuer %.100q", r.Kind, r.Issuer), "name the issuer of one organisation or tenant: "+strings.Join(k.prefix, "…, ")+"…")
	}
	if err := r.checkMatch(at, k); err != nil {
		return err
	}
	if err := r.checkName(at, k); err != nil {
		return err
	}
	return checkGrants(at, r.Grants)
}

func (r *Rule) checkMatch(at string, k kind) error {
	for _, name := range slices.Sorted(maps.Keys(r.Match)) {
		if why := k.never[name]; why != "" {
			return fault(at+".match."+name, "is nothing to know a workload by", why)
		}
		if k.claims[name] == nil {
			all := slices.Sorted(maps.Keys(k.claims))
			return fault(at+".match."+name, "is no claim that a rule of the kind "+r.Kind+" matches", meant(name, all, "write one of "+strings.Join(all, ", ")))
		}
		if len(r.Match[name]) == 0 {
			return fault(at+".match."+name, "is empty", "write the value to the letter, or a list of values, or leave the claim out")
		}
	}
	matched := func(set []string) bool {
		return !slices.ContainsFunc(set, func(name string) bool { return len(r.Match[name]) == 0 })
	}
	if !slices.ContainsFunc(k.firm, matched) {
		ways := []string{}
		for _, set := range k.firm {
			ways = append(ways, strings.Join(set, " and "))
		}
		return fault(at, "matches no claim that stays with what it names", "add to match: "+strings.Join(ways, ", or "))
	}
	return nil
}

func (r *Rule) checkName(at string, k kind) error {
	if r.Workload == "" || strings.ContainsAny(r.Workload, " *\t\n") || len(r.Workload) > 250 {
		return fault(at+".workload", "is missing, long, or has a space or *", "name what signs in as trust: of the map is to have it, such as repo:acme/shop:environment:prod")
	}
	for _, p := range strings.Split(r.Workload, "{")[1:] {
		name, _, closed := strings.Cut(p, "}")
		if !closed || k.claims[name] == nil {
			return fault(at+".workload", fmt.Sprintf("names the claim %.40q, which the kind %s has not", name, r.Kind), "write {claim} with one of "+strings.Join(slices.Sorted(maps.Keys(k.claims)), ", "))
		}
	}
	return nil
}

func (p People) check(at string) error {
	systems := []identity.System{identity.GitHub, identity.GitLab, identity.Azure, identity.Entra}
	switch {
	case p.Name == "" || p.ClientID == "":
		return fault(at, "has no name or client_id", "register the server as a client with the issuer, and write name: and client_id:")
	case !address(p.Issuer):
		return fault(at, fmt.Sprintf("has no https issuer (%.100q)", p.Issuer), "add `issuer:`, such as https://login.microsoftonline.com/TENANT/v2.0")
	case strings.Contains(p.Issuer, "login.microsoftonline.com/common") || strings.Contains(p.Issuer, "login.microsoftonline.com/organizations"):
		return fault(at, "lets in every tenant that there is", "name the issuer of your own: https://login.microsoftonline.com/TENANT/v2.0")
	case p.Secret != "" && !strings.HasPrefix(p.Secret, "env:") && !strings.HasPrefix(p.Secret, "file:"):
		return fault(at+".client_secret", "is no reference", "write env:NAME or file:PATH; the secret itself has no place in this file")
	case !slices.Contains(systems, identity.System(p.System)):
		return fault(at+".system", fmt.Sprintf("is %.40q", p.System), "write entra, github, gitlab or azure: the account of the map's people that the token names")
	case p.Claim == "" || slices.Contains([]string{"email", "preferred_username", "upn", "unique_name", "name"}, p.Claim):
		return fault(at+".claim", fmt.Sprintf("is %.40q, which can change hands", p.Claim), "write the claim with the id of the account: oid at Entra ID, sub elsewhere")
	}
	if err := checkGrants(at, p.Grants); err != nil {
		return err
	}
	for i, g := range p.Groups {
		at := fmt.Sprintf("%s.groups[%d]", at, i)
		if g.ID == "" || len(g.Grants) == 0 {
			return fault(at, "has no id or no grants", "write `id:` with the object id of the group, and `grants:`")
		}
		if err := checkGrants(at, g.Grants); err != nil {
			return err
		}
	}
	return nil
}

func checkGrants(at string, list []Grant) error {
	words := []string{}
	for _, r := range identity.Roles {
		words = append(words, string(r))
	}
	for i, g := range list {
		if !slices.Contains(words, g.Role) {
			return fault(fmt.Sprintf("%s.grants[%d]", at, i), fmt.Sprintf("gives the role %.40q", g.Role), meant(g.Role, words, "write one of "+strings.Join(words, ", ")))
		}
		if len(g.Services)+len(g.Teams) == 0 {
			return fault(fmt.Sprintf("%s.grants[%d]", at, i), "holds nowhere", "add services: or teams:, and environments: where it is about one; \"*\" stands for all")
		}
	}
	if err := identity.Together(GrantsOf(list)); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}
