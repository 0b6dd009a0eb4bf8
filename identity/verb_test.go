package identity_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"verdict"
	"verdict/identity"
)

// serverAlone is what nobody may send. A kind that somebody adds to the vocabulary and to
// no verb lands here by itself, and this test fails until he has decided.
var serverAlone = []verdict.Kind{verdict.KindAccess, verdict.KindIngestion, verdict.KindReceipt, verdict.KindEpoch, verdict.KindAdmission, verdict.KindTombstone}

func TestEveryKindOfEvidenceTakesAVerb(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../evidence.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := []verdict.Kind{}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(s.Names[0].Name, "Kind") && len(s.Values) == 1 {
			text, _ := strconv.Unquote(s.Values[0].(*ast.BasicLit).Value)
			kinds = append(kinds, verdict.Kind(text))
		}
		return true
	})
	if len(kinds) < 35 {
		t.Fatalf("only %d kinds were found", len(kinds))
	}
	for _, k := range kinds {
		alone := false
		for _, x := range serverAlone {
			alone = alone || x == k
		}
		if v := identity.VerbOf(k, ""); (v == "") != alone {
			t.Errorf("%s takes %q", k, v)
		}
	}
}

// Without this, asking for an exception and granting it are one right.
func TestWhoAsksForAnExceptionNeedNotBeAbleToAcceptIt(t *testing.T) {
	developer := identity.Caller{Actor: "a", Grants: []identity.Grant{{Role: identity.Developer, Scope: identity.Anywhere()}}}
	for step, want := range map[verdict.Step]identity.Verb{
		verdict.StepRequest: identity.Requesting, verdict.StepApprove: identity.Waiving, verdict.StepRevoke: identity.Waiving, "": identity.Waiving, "Request": identity.Waiving,
	} {
		v := identity.VerbOf(verdict.KindException, step)
		if v != want || (developer.May(v, identity.Object{Service: "shop"}) == nil) != (step == verdict.StepRequest) {
			t.Errorf("%s takes %s", step, v)
		}
	}
}

func TestRolesThatBelongToNobodyAtOnceAreRefusedWithAReason(t *testing.T) {
	grant := func(roles ...identity.Role) (out []identity.Grant) {
		for i, r := range roles {
			out = append(out, identity.Grant{Role: r, Scope: identity.Scope{Services: []string{strconv.Itoa(i)}}})
		}
		return out
	}
	for _, r := range identity.Roles {
		err := identity.Together(grant(identity.Developer, r))
		if (err != nil) != (r == identity.Security) {
			t.Errorf("developer and %s: %v", r, err)
		}
		if e := verdict.AsError(err); err != nil && (e.Code != verdict.CodeConflict || !strings.Contains(e.What, "developer, security") || e.Remedy == "") {
			t.Errorf("%+v", e)
		}
	}
	if err := identity.Together(grant(identity.Security, identity.Approver, identity.Admin)); err != nil {
		t.Error(err)
	}
}
