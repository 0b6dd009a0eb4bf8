package main

import (
	"fmt"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/report"
)

// accessTold tells in a few words what was done about who may come in, with which roles; "" for
// every other kind. People are ids: whose they are is in the directory of actors alone.
func accessTold(s *evidence.Statement) string {
	var words string
	switch s.Kind() {
	case verdict.KindAccess:
		var x identity.Access
		if s.Decode(&x) != nil {
			return ""
		}
		words = accessWords(x)
	case verdict.KindRoleChange:
		var c identity.RoleChange
		if s.Decode(&c) != nil {
			return ""
		}
		words = fmt.Sprintf("%s took the role %s from %s: %s", c.By, c.Role, c.Subject, c.Reason)
		if c.Given {
			words = fmt.Sprintf("%s gave %s the role %s for %s: %s", c.By, c.Subject, c.Role, scopeText(c.Scope), c.Reason)
		}
	}
	return report.Neutral(strings.TrimSuffix(words, ": "))
}

func accessWords(x identity.Access) string {
	switch x.Act {
	case identity.TokenMade:
		return fmt.Sprintf("%s made the API token %s for %s", x.By, x.Credential, x.Subject)
	case identity.TokenRevoked:
		return fmt.Sprintf("%s revoked the API token %s of %s", x.By, x.Credential, x.Subject)
	case identity.SessionRevoked:
		return fmt.Sprintf("%s ended the session %s of %s", x.By, x.Credential, x.Subject)
	case identity.ActorErased:
		return fmt.Sprintf("%s erased who %s is", x.By, x.Subject)
	case identity.SignInChanged:
		return fmt.Sprintf("a server with %s began with another sign-in file: %s", x.By, first(string(x.Config), "none"))
	}
	return fmt.Sprintf("%s did %q about %s, which this version does not know", x.By, x.Act, x.Subject)
}
