package token

// Seen is what rules read of a workload's token. It stays with the session, so that the rules
// are asked again at each request: as they are then, and without the token.
type Seen struct {
	Kind     string            `json:"kind"`
	Issuer   string            `json:"issuer"`
	Audience string            `json:"audience"`
	Claims   map[string]string `json:"claims"` // by the names that rules have for them
}

// Seen reads of a token what rules of this one's kind do.
func (r *Rule) Seen(t *Claims) Seen {
	s := Seen{Kind: r.Kind, Issuer: t.Issuer, Audience: t.Audience, Claims: map[string]string{}}
	for name, path := range kinds[r.Kind].claims {
		if v := t.Text(path...); v != "" {
			s.Claims[name] = v
		}
	}
	return s
}

// Again finds the rule that lets in now what was seen before, under the same name of the
// workload; nil: none does any more. self is the audience of rules that name none.
func (c *Config) Again(s Seen, workload, self string) *Rule {
	for i := range c.Workloads {
		r := &c.Workloads[i]
		if r.Kind != s.Kind || !r.meets(s, self) {
			continue
		}
		if called, err := r.called(s); err == nil && called == workload {
			return r
		}
		return nil
	}
	return nil
}

// In finds the people that somebody came in with, as the file has them now; nil: he is not
// known by that account any more.
func (c *Config) In(name, issuer, system, claim string) *People {
	for i := range c.People {
		if p := &c.People[i]; p.Name == name {
			if p.Issuer == issuer && p.System == system && p.Claim == claim {
				return p
			}
			return nil
		}
	}
	return nil
}
