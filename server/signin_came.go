package server

import (
	"slices"
	"strings"
	"time"

	"verdict/identity"
	"verdict/identity/token"
)

// groupsFor is how long somebody's groups count after his issuer listed them: it is not asked
// again before he signs in again.
const groupsFor = 4 * time.Hour

// came is by what somebody came in. What it gives is found anew at each request, by the
// sign-in file as it is then: a rule that was taken out of it gives nothing to who came in before.
type came struct {
	// Given are the roles of who started the server, by its link or the token beside it.
	Given []identity.Grant `json:"given,omitempty"`
	// Key is the enrolled key that signed in.
	Key string `json:"key,omitempty"`
	// Seen is what rules read of a workload's token.
	Seen *token.Seen `json:"seen,omitempty"`
	// People, Issuer and Claim say where a person signed in and by which claim he is known, and
	// Groups what his token listed at At, in microseconds.
	People string   `json:"people,omitempty"`
	Issuer string   `json:"issuer,omitempty"`
	Claim  string   `json:"claim,omitempty"`
	Groups []string `json:"groups,omitempty"`
	At     int64    `json:"at,omitempty"`
}

// ungrouped is the same without groups: what is to hold for longer than they count.
func (c came) ungrouped() came {
	c.Groups = nil
	return c
}

// gives are the roles that come with a sign-in, as the file is now.
func (s *SignIn) gives(c identity.Caller, by came) ([]identity.Grant, error) {
	gone := forbidden("the sign-in file of the server does not let in any more who came in this way", signInAgain)
	switch {
	case by.Seen != nil:
		rule := s.o.Config.Again(*by.Seen, c.Workload, s.self)
		if rule == nil {
			return nil, gone
		}
		return token.GrantsOf(rule.Grants), nil
	case by.People != "":
		system, _, _ := strings.Cut(c.Account, ":")
		p := s.o.Config.In(by.People, by.Issuer, system, by.Claim)
		if p == nil {
			return nil, gone
		}
		return append(token.GrantsOf(p.Grants), s.grouped(p, by)...), nil
	case by.Key != "" && by.Key == s.o.Signer.KeyID():
		return slices.Clone(s.o.Own), nil
	}
	return slices.Clone(by.Given), nil
}

// grouped are the roles by groups, as long as those count.
func (s *SignIn) grouped(p *token.People, by came) []identity.Grant {
	var out []identity.Grant
	now := s.o.Now()
	if since := now.Sub(time.UnixMicro(by.At)); since < 0 || since >= groupsFor {
		return nil
	}
	for _, g := range p.Groups {
		if slices.Contains(by.Groups, g.ID) {
			out = append(out, token.GrantsOf(g.Grants)...)
		}
	}
	return out
}
