package identity

import (
	"slices"
	"strings"
	"testing"

	"verdict"
)

func TestACallerMayWhatARoleOfHisAllowsInItsScope(t *testing.T) {
	pay := Scope{Services: []string{"payments"}, Environments: []string{"staging"}}
	for _, tt := range []struct {
		name string
		c    Caller
		v    Verb
		o    Object
		may  bool
	}{
		{"nobody reads nothing", Caller{Grants: []Grant{{Viewer, Anywhere()}}}, Reading, Object{}, false},
		{"no role allows nothing", Caller{Actor: "a"}, Reading, Object{}, false},
		{"a role in its scope", Caller{Actor: "a", Grants: []Grant{{Developer, pay}}}, Stating, Object{Service: "payments", Environment: "staging"}, true},
		{"another service", Caller{Actor: "a", Grants: []Grant{{Developer, pay}}}, Stating, Object{Service: "ledger"}, false},
		{"another environment", Caller{Actor: "a", Grants: []Grant{{Developer, pay}}}, Stating, Object{Service: "payments", Environment: "production"}, false},
		{"of no environment", Caller{Actor: "a", Grants: []Grant{{Developer, pay}}}, Stating, Object{Service: "payments"}, true},
		{"the organisation is in no narrow scope", Caller{Actor: "a", Grants: []Grant{{Viewer, pay}}}, Reading, Object{}, false},
		{"a team's service", Caller{Actor: "a", Grants: []Grant{{Viewer, Scope{Teams: []string{"core"}, Environments: []string{Everything}}}}}, Reading, Object{Service: "x", Team: "core"}, true},
		{"an admin states no evidence", Caller{Actor: "a", Grants: []Grant{{Admin, Anywhere()}}}, Stating, Object{}, false},
		{"an admin changes no policy", Caller{Actor: "a", Grants: []Grant{{Admin, Anywhere()}}}, Governing, Object{}, false},
		{"who states evidence elsewhere changes no policy here", Caller{Actor: "a", Grants: []Grant{{Security, Anywhere()}, {Developer, pay}}}, Governing, Object{}, false},
		{"and waives nothing", Caller{Actor: "a", Grants: []Grant{{Security, Anywhere()}, {Developer, pay}}}, Waiving, Object{Service: "ledger"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.c.May(tt.v, tt.o); (err == nil) != tt.may {
				t.Errorf("May(%s, %s) = %v", tt.v, tt.o, err)
			}
		})
	}
}

// A role in dev alone that released rules, gave roles or enrolled keys would have its way in
// production, which is judged by them.
func TestAnActUponTheOrganisationTakesEachEnvironment(t *testing.T) {
	scope := func(services, environments string) Scope {
		return Scope{Services: strings.Fields(services), Environments: strings.Fields(environments)}
	}
	for _, tt := range []struct {
		name string
		in   Scope
		v    Verb
		o    Object
		want bool
	}{
		{"rules, by a role in dev", scope("*", "dev"), Governing, Object{}, false},
		{"keys, by a role in dev", scope("*", "dev"), Enrolling, Object{}, false},
		{"roles, by a role in dev", scope("*", "dev"), Appointing, Object{}, false},
		{"sessions of others, by a role in dev", scope("*", "dev"), Managing, Object{}, false},
		{"rules, by a role of no environment", scope("*", ""), Governing, Object{}, false},
		{"rules, by a role in each", scope("*", "*"), Governing, Object{}, true},
		{"rules, by a role of one service", scope("shop", "*"), Governing, Object{}, false},
		{"a risk in dev, by a role there", scope("*", "dev"), Waiving, Object{Service: "shop", Environment: "dev"}, true},
		{"a risk in production, by a role in dev", scope("*", "dev"), Waiving, Object{Service: "shop", Environment: "production"}, false},
		{"what is of no environment is read", scope("*", "dev"), Reading, Object{}, true},
		{"and stated", scope("*", ""), Stating, Object{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.Covers(tt.v, tt.o); got != tt.want {
				t.Errorf("Covers(%s, %s) = %v", tt.v, tt.o, got)
			}
		})
	}
	dev := Caller{Actor: "a", Grants: []Grant{{Security, scope("*", "dev")}}}
	if e := verdict.AsError(dev.May(Governing, Object{})); e == nil || !strings.Contains(e.Remedy, "--environment '*'") {
		t.Errorf("how to come by it is not told: %+v", e)
	}
	if err := dev.Holds(Governing); err == nil {
		t.Error("before anything is known of it, the act is held out as allowed")
	}
}

func TestNoRoleStatesEvidenceAndGoverns(t *testing.T) {
	for r, verbs := range allowed {
		if !slices.Contains(Roles, r) {
			t.Errorf("%s is not listed", r)
		}
		for _, v := range apart {
			if slices.Contains(verbs, Stating) && slices.Contains(verbs, v) {
				t.Errorf("%s may both state evidence and %s", r, v)
			}
		}
	}
}

// A pipeline whose role is of one service is told to name it, and not to ask for more.
func TestWhoLeftTheServiceOutIsToldToNameIt(t *testing.T) {
	c := Caller{Actor: "a", Grants: []Grant{{Role: Developer, Scope: Scope{Services: []string{"shop"}}}}}
	for v, told := range map[Verb]bool{Stating: true, Approving: false, Reading: false} {
		if e := verdict.AsError(c.May(v, Object{})); e == nil || strings.Contains(e.Remedy, "--service NAME") != told {
			t.Errorf("%s: %+v", v, e)
		}
	}
}

// Who has all services and no team is not shown everything: of what names a team and no service
// he would be.
func TestEverywhereIsEachServiceTeamAndEnvironment(t *testing.T) {
	all := []string{Everything}
	for _, tt := range []struct {
		name string
		c    Caller
		yes  bool
	}{
		{"anywhere", Caller{Actor: "a", Grants: []Grant{{Viewer, Anywhere()}}}, true},
		{"no team", Caller{Actor: "a", Grants: []Grant{{Viewer, Scope{Services: all, Environments: all}}}}, false},
		{"no environment", Caller{Actor: "a", Grants: []Grant{{Viewer, Scope{Services: all, Teams: all}}}}, false},
		{"one half each", Caller{Actor: "a", Grants: []Grant{{Viewer, Scope{Services: all, Environments: all}}, {Admin, Scope{Teams: all, Environments: all}}}}, false},
		{"nobody", Caller{Grants: []Grant{{Viewer, Anywhere()}}}, false},
		{"a role of no name", Caller{Actor: "a", Grants: []Grant{{"owner", Anywhere()}}}, false},
	} {
		if tt.c.Everywhere() != tt.yes {
			t.Errorf("%s: %v", tt.name, !tt.yes)
		}
		if o := (Object{Team: "web"}); tt.c.Reads(o) != (tt.c.May(Reading, o) == nil) {
			t.Errorf("%s reads %v: %v", tt.name, o, tt.c.Reads(o))
		}
	}
}
