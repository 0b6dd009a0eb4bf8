package within_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/within"
)

// whose is the map of the tests: shop is web's and bank is core's; nobody knows till and lone.
func whose(context.Context) (within.Teams, error) {
	return func(service string) string { return map[string]string{"shop": "web", "bank": "core"}[service] }, nil
}

// some are the scopes of the tests, by a name that says what is in them.
var some = map[string]identity.Scope{
	"everything":                  identity.Anywhere(),
	"services":                    scope("*", "", "*"), // of no team
	"production of all":           scope("*", "*", "prod"),
	"all teams":                   scope("", "*", "*"),
	"shop":                        scope("shop", "", "*"),
	"shop in production":          scope("shop", "", "prod"),
	"web":                         scope("", "web", "*"),
	"web in production":           scope("", "web", "prod"),
	"core":                        scope("", "core", "*"),
	"till":                        scope("till", "", "*"),
	"nothing of that":             scope("elsewhere", "others", "*"),
	"no place":                    scope("", "", "*"),
	"services and teams nowhere":  scope("*", "*", ""),
	"a service of an empty name":  {Services: []string{""}, Teams: []string{""}, Environments: []string{"*"}},
	"a star in the place of none": {Services: []string{"**"}, Teams: []string{"***"}, Environments: []string{"*"}},
}

func scope(service, team, environment string) identity.Scope {
	list := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{s}
	}
	return identity.Scope{Services: list(service), Teams: list(team), Environments: list(environment)}
}

// row is an entry and in which of some it lies; everything aside, in which all do.
type row struct {
	ledger.Entry
	in []string
}

// house is a log with what two teams state, and who sees it.
func house(t *testing.T) (*log, map[string]row) {
	b := newLog(t)
	rows := map[string]row{}
	add := func(name string, e ledger.Entry, in ...string) { rows[name] = row{e, in} }
	everybody := slices.DeleteFunc(names(), func(s string) bool { return s == "no place" || s == "a service of an empty name" })
	key, err := b.Entry(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	add("a key", key, everybody...)
	add("a map, said with a service", b.states(verdict.KindMapRelease, map[string]int{"n": 1}, verdict.Context{Service: "bank", Environment: "prod"}, "map"), everybody...)
	add("a proposal, said with a team", b.states(verdict.KindProposal, map[string]int{"n": 1}, verdict.Context{Service: "bank", Team: "core"}, "map"), everybody...)
	add("a role", b.states(verdict.KindRoleChange, map[string]string{"id": "1"}, verdict.Context{}, "role"), "services", "production of all", "services and teams nowhere")

	add("shop in production", b.tested("shop", "", "prod"), "services", "production of all", "all teams", "shop", "shop in production", "web", "web in production")
	add("shop", b.tested("shop", "", ""), "services", "production of all", "all teams", "shop", "shop in production", "web", "web in production", "services and teams nowhere")
	add("shop in staging", b.tested("shop", "", "staging"), "services", "all teams", "shop", "web")
	add("bank in production", b.tested("bank", "", "prod"), "services", "production of all", "all teams", "core")
	add("the organisation", b.tested("", "", ""), "services", "production of all", "services and teams nowhere")
	add("production", b.tested("", "", "prod"), "services", "production of all")
	add("a team", b.tested("", "web", ""), "production of all", "all teams", "web", "web in production", "services and teams nowhere")
	add("another team", b.tested("", "core", ""), "production of all", "all teams", "core", "services and teams nowhere")
	// The map says whose shop is, whatever who states something writes beside it.
	add("shop that calls itself core's", b.tested("shop", "core", ""), "services", "production of all", "all teams", "shop", "shop in production", "web", "web in production", "services and teams nowhere")
	// Of a service that no map knows, the statement's own word is all there is.
	add("till that calls itself web's", b.tested("till", "web", "prod"), "services", "production of all", "all teams", "till", "web", "web in production")
	add("a service of nobody", b.tested("lone", "", ""), "services", "production of all", "services and teams nowhere")

	add("of others about shop", b.came("shop", "core", 1), rows["shop"].in...)
	add("of others about bank", b.came("bank", "web", 2), "services", "production of all", "all teams", "core", "services and teams nowhere")
	add("decision of shop", b.decided("d-aaaa1", "shop", "core", "prod"), rows["shop in production"].in...)
	add("decision of bank", b.decided("d-aaaa2", "bank", "core", "prod"), rows["bank in production"].in...)
	add("decision of till", b.decided("d-bbbb1", "till", "", "prod"), "services", "production of all", "till")
	add("deployment of shop", b.deployed("shop", "core", "prod"), rows["shop in production"].in...)
	add("deployment of bank", b.deployed("bank", "core", "prod"), rows["bank in production"].in...)
	add("exception of shop", b.states(verdict.KindException, verdict.Exception{ID: "x-1", Service: "shop"}, verdict.Context{Service: "shop"}, "x"), rows["shop"].in...)
	add("exception of bank", b.states(verdict.KindException, verdict.Exception{ID: "x-2", Service: "bank"}, verdict.Context{Service: "bank"}, "x"), rows["of others about bank"].in...)
	add("bill of shop", b.billed("shop", "core", "lodash"), rows["shop"].in...)
	add("bill of bank", b.billed("bank", "", "left-pad"), rows["of others about bank"].in...)
	return b, rows
}

func names() (out []string) {
	for name := range some {
		if name != "everything" {
			out = append(out, name)
		}
	}
	return out
}

// Whoever is told of one thing that is not his, by whichever way of asking, is told of others.
func TestEachWayOfAskingTellsWhatLiesInTheScope(t *testing.T) {
	b, rows := house(t)
	for name, s := range some {
		for _, role := range identity.Roles {
			ask(t, b, rows, string(role)+" of "+name, name, identity.Caller{Actor: "a", Grants: []identity.Grant{{Role: role, Scope: s}}})
		}
	}
	ask(t, b, rows, "nobody", "nothing", identity.Caller{Grants: []identity.Grant{{Role: identity.Viewer, Scope: identity.Anywhere()}}})
	ask(t, b, rows, "somebody of no role", "nothing", identity.Caller{Actor: "a"})
	ask(t, b, rows, "a role of no name", "nothing", identity.Caller{Actor: "a", Grants: []identity.Grant{{Role: "owner", Scope: identity.Anywhere()}}})
}

// ask asks in each way for a caller of a scope.
func ask(t *testing.T, b *log, rows map[string]row, who, scope string, c identity.Caller) {
	t.Helper()
	x, err := within.Whose(whose).Ledger(t.Context(), b.Ledger, c)
	if err != nil {
		t.Fatal(err)
	}
	q := &asked{t: t, b: b, x: x, who: who, sees: func(e ledger.Entry) bool {
		for _, r := range rows {
			if r.Index == e.Index {
				return scope == "everything" || slices.Contains(r.in, scope)
			}
		}
		return false
	}}
	q.entries(rows)
	q.lists()
	q.decisions(rows)
	q.components(c)
}

// asked asks for somebody, and compares with what he sees.
type asked struct {
	t    *testing.T
	b    *log
	x    *within.Ledger
	who  string
	sees func(ledger.Entry) bool
}

func (q *asked) entries(rows map[string]row) {
	q.t.Helper()
	ctx := q.t.Context()
	_, absent := q.x.Entry(ctx, 999)
	for name, r := range rows {
		for way, ask := range map[string]func() error{
			"entry":  func() error { _, err := q.x.Entry(ctx, r.Index); return err },
			"bundle": func() error { _, err := q.x.Bundle(ctx, r.Index); return err },
			"logged": func() error { _, err := q.x.Logged(ctx, r.Index); return err },
		} {
			err := ask()
			if (err == nil) != q.sees(r.Entry) {
				q.t.Errorf("%s: %s of %s: %v", q.who, way, name, err)
			}
			if err != nil && strings.ReplaceAll(err.Error(), fmt.Sprint("entry ", r.Index, " "), "entry 999 ") != absent.Error() {
				q.t.Errorf("%s: what is hidden reads %v, what is absent %v", q.who, err, absent)
			}
		}
	}
}

// lists compares each list with the ledger's own, without what is not to be seen.
func (q *asked) lists() {
	q.t.Helper()
	ctx := q.t.Context()
	for way, ask := range map[string]func(l lists) ([]ledger.Entry, error){
		"find": func(l lists) ([]ledger.Entry, error) { return l.Find(ctx, ledger.Query{At: ledger.Now}) },
		"find of shop": func(l lists) ([]ledger.Entry, error) {
			return l.Find(ctx, ledger.Query{At: ledger.Now, Service: "shop"})
		},
		"find at":    func(l lists) ([]ledger.Entry, error) { return l.Find(ctx, ledger.Query{At: 9, From: 2, Before: 8}) },
		"range":      func(l lists) ([]ledger.Entry, error) { return l.Range(ctx, 0, ledger.Now) },
		"a part":     func(l lists) ([]ledger.Entry, error) { return l.Range(ctx, 3, 7) },
		"beyond":     func(l lists) ([]ledger.Entry, error) { return l.Range(ctx, 3, 1<<60) },
		"nothing":    func(l lists) ([]ledger.Entry, error) { return l.Range(ctx, 1<<60, ledger.Now) },
		"arrived":    func(l lists) ([]ledger.Entry, error) { return l.Arrived(ctx, "other.example", 0, ledger.Now) },
		"exceptions": func(l lists) ([]ledger.Entry, error) { return l.Standing(ctx, verdict.KindException, "", ledger.Now) },
		"keys":       func(l lists) ([]ledger.Entry, error) { return l.Standing(ctx, verdict.KindKey, "", ledger.Now) },
	} {
		all, err := ask(q.b.Ledger)
		if err != nil {
			q.t.Fatal(err)
		}
		want := slices.DeleteFunc(all, func(e ledger.Entry) bool { return !q.sees(e) })
		got, err := ask(q.x)
		if err != nil || !slices.EqualFunc(got, want, func(a, b ledger.Entry) bool { return a.Index == b.Index }) {
			q.t.Errorf("%s: %s gives %v, %v, and not %v", q.who, way, indexes(got), err, indexes(want))
		}
	}
}

// lists are those that a ledger and a part of one both give.
type lists interface {
	Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	Range(ctx context.Context, from, to ledger.Position) ([]ledger.Entry, error)
	Arrived(ctx context.Context, origin string, from, to ledger.Position) ([]ledger.Entry, error)
	Standing(ctx context.Context, kind verdict.Kind, about string, at ledger.Position) ([]ledger.Entry, error)
}

func indexes(all []ledger.Entry) (out []int64) {
	for _, e := range all {
		out = append(out, e.Index)
	}
	return out
}

// decisions are by their rows and by their ids what they are as entries.
func (q *asked) decisions(rows map[string]row) {
	q.t.Helper()
	ctx := q.t.Context()
	listed, err := q.x.Decisions(ctx, ledger.DecisionQuery{At: ledger.Now})
	runs, runErr := q.x.Running(ctx, ledger.RunningQuery{At: ledger.Now})
	if err != nil || runErr != nil {
		q.t.Fatal(err, runErr)
	}
	for name, id := range map[string]string{"decision of shop": "d-aaaa1", "decision of bank": "d-aaaa2", "decision of till": "d-bbbb1"} {
		sees := q.sees(rows[name].Entry)
		if in := slices.ContainsFunc(listed, func(d ledger.DecisionRow) bool { return d.ID == id }); in != sees {
			q.t.Errorf("%s: the list has the %s: %v", q.who, name, in)
		}
		for _, prefix := range []string{id, id[:6]} {
			if _, d, err := q.x.Decision(ctx, prefix, ledger.Now); prefix == id && (err == nil) != sees || err == nil && d.ID != id && prefix == id {
				q.t.Errorf("%s: the %s as %s: %v", q.who, name, prefix, err)
			}
			if _, _, err := q.x.DecisionStatement(ctx, prefix, ledger.Now); err != nil && !sees && strings.Contains(err.Error(), id) && prefix != id {
				q.t.Errorf("%s: %s, asked for %s, tells %s", q.who, name, prefix, id)
			}
		}
	}
	for name, service := range map[string]string{"deployment of shop": "shop", "deployment of bank": "bank"} {
		if in := slices.ContainsFunc(runs, func(r ledger.RunningRow) bool { return r.Service == service }); in != q.sees(rows[name].Entry) {
			q.t.Errorf("%s: what runs has the %s: %v", q.who, name, in)
		}
	}
}

// components are told of by who sees all services, and what a bill lists by who sees the bill.
func (q *asked) components(c identity.Caller) {
	q.t.Helper()
	ctx := q.t.Context()
	w, err := q.x.Where(ctx, ledger.WhereQuery{At: ledger.Now, Named: "a", Limit: 100})
	if (err == nil) != (c.May(identity.Reading, identity.Object{}) == nil) {
		q.t.Errorf("%s: where: %v", q.who, err)
	}
	if err == nil {
		for _, r := range w.Running {
			if c.May(identity.Reading, identity.Object{Service: r.Service, Environment: r.Environment}) != nil {
				q.t.Errorf("%s: where tells of %s in %s", q.who, r.Service, r.Environment)
			}
		}
	}
	for _, service := range []string{"shop", "bank"} {
		l, err := q.x.Listed(ctx, subject("image of "+service).Digest, ledger.Now, nil)
		if err != nil {
			q.t.Fatal(err)
		}
		if sees := c.May(identity.Reading, mustTeams().Object(service, "", "")) == nil; (len(l.Bills) == 1 && len(l.Components) == 1) != sees || !sees && len(l.Bills)+len(l.Components) > 0 {
			q.t.Errorf("%s: the bills of %s list %+v", q.who, service, l)
		}
	}
}

func mustTeams() within.Teams {
	t, _ := whose(context.Background())
	return t
}

// A decision of others makes no beginning of an id ambiguous, and is not told by an error.
func TestABeginningIsUniqueAmongWhatIsSeen(t *testing.T) {
	b, _ := house(t)
	for service, want := range map[string]string{"shop": "d-aaaa1", "bank": "d-aaaa2"} {
		x, err := within.Whose(whose).Ledger(t.Context(), b.Ledger, identity.Caller{Actor: "a", Grants: []identity.Grant{{Role: identity.Viewer, Scope: scope(service, "", "*")}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, d, err := x.Decision(t.Context(), "d-aaaa", ledger.Now); err != nil || d.ID != want {
			t.Errorf("%s: %+v, %v", service, d, err)
		}
		hidden := "d-aaaa1d-aaaa2"
		hidden = strings.Replace(hidden, want, "", 1)
		_, _, err = x.Decision(t.Context(), hidden, ledger.Now)
		_, _, absent := x.Decision(t.Context(), "d-zzzz9", ledger.Now)
		if err == nil || strings.ReplaceAll(err.Error(), hidden, "d-zzzz9") != absent.Error() {
			t.Errorf("%s: what is hidden reads %v, what is absent %v", service, err, absent)
		}
	}
}

// Who writes asks the same table as who reads, and a map that cannot be read lets nobody in.
func TestWhoseAServiceIsTheMapSays(t *testing.T) {
	web := identity.Caller{Actor: "a", Grants: []identity.Grant{{Role: identity.Developer, Scope: scope("", "web", "*")}}}
	for _, tt := range []struct {
		about identity.Object
		may   bool
	}{
		{identity.Object{Service: "shop"}, true},
		{identity.Object{Service: "shop", Team: "core"}, true},
		{identity.Object{Service: "bank", Team: "web"}, false},
		{identity.Object{Service: "till", Team: "web"}, true},
		{identity.Object{Service: "till"}, false},
		{identity.Object{Team: "web"}, true},
		{identity.Object{}, false},
	} {
		if err := within.Whose(whose).May(t.Context(), web, identity.Stating, tt.about); (err == nil) != tt.may {
			t.Errorf("%v: %v", tt.about, err)
		}
	}
	if err := within.Whose(whose).May(t.Context(), web, identity.Stating, identity.Object{Service: "shop"}, identity.Object{Service: "bank"}); err == nil {
		t.Error("one of two suffices")
	}
	broken := within.Whose(func(context.Context) (within.Teams, error) { return nil, fmt.Errorf("no map") })
	if err := broken.May(t.Context(), web, identity.Stating, identity.Object{Service: "till", Team: "web"}); err == nil {
		t.Error("without a map he may")
	}
	if _, err := broken.Ledger(t.Context(), nil, web); err == nil {
		t.Error("without a map he sees")
	}
	if err := within.Whose(nil).May(t.Context(), web, identity.Stating, identity.Object{Service: "shop"}); err == nil {
		t.Error("nobody's service is his")
	}
}
