package decisionmap

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"verdict"
)

// Effect says what a change of the map does to the decisions.
type Effect string

// The effects.
const (
	// Safe: a tool or a place was replaced, or something was declared; the decision
	// points ask, need and enforce what they did.
	Safe     Effect = "safe"
	Tightens Effect = "tightens"
	Loosens  Effect = "loosens"
	Changes  Effect = "changes" // neither stricter nor weaker: something else
)

// Change is one difference between two maps.
type Change struct {
	Path   string `json:"path"` // such as points.ci.secrets.mode
	Effect Effect `json:"effect"`
	Old    string `json:"old"` // empty: was not there
	New    string `json:"new"` // empty: is gone
	What   string `json:"what"`
}

// NeedsApprover reports whether somebody has to approve the change.
func (c Change) NeedsApprover() bool { return c.Effect != Safe }

// Diff lists what is different in new, in the order of the map's sections; none is an
// empty list. Order and wording of the file are no difference.
func Diff(old, new *Map) []Change {
	d := &differ{out: []Change{}}
	d.text("schema", old.Schema, new.Schema, Changes)
	d.text("organization", old.Organization, new.Organization, Changes)
	d.flag("adopting", old.Adopting, new.Adopting, Loosens)
	d.later("adopting_until", old.AdoptingUntil, new.AdoptingUntil, Loosens)
	d.text("policies.bundle", old.Policies.Bundle, new.Policies.Bundle, Changes)
	d.text("policies.verify.issuer", old.Policies.Verify.Issuer, new.Policies.Verify.Issuer, Changes)
	d.text("policies.verify.subject", old.Policies.Verify.Subject, new.Policies.Verify.Subject, Changes)
	d.text("policies.verify.key", old.Policies.Verify.Key, new.Policies.Verify.Key, Changes)
	both(d, "environments", old.Environments, new.Environments, Changes, Changes, d.environment)
	both(d, "services", old.Services, new.Services, Safe, Changes, d.service)
	for _, name := range slices.Sorted(maps.Keys(new.Services)) { // to be known gives nothing; to run somewhere does
		if _, was := old.Services[name]; !was {
			d.mayRun("services."+name, Service{}, new.Services[name])
		}
	}
	d.points(old, new)
	d.trust(old.Trust, new.Trust)
	d.builders(old.Builders, new.Builders)
	both(d, "people", old.People, new.People, Changes, Changes, d.person)
	d.exceptions(old.Exceptions, new.Exceptions)
	d.breakGlass(old.BreakGlass, new.BreakGlass)
	d.longer("retention.default", old.Retention.Default, new.Retention.Default, Tightens)
	d.longer("retention.minimum", old.Retention.Minimum, new.Retention.Minimum, Tightens)
	d.longer("retention.audit_log", old.Retention.AuditLog, new.Retention.AuditLog, Tightens)
	both(d, "sources", old.Sources, new.Sources, Safe, Safe, d.source)
	for _, name := range slices.Sorted(maps.Keys(new.Sources)) { // a tool that is run is more than one that is named
		if _, was := old.Sources[name]; !was {
			d.text("sources."+name+".command", "", strings.Join(new.Sources[name].Command, " "), Changes)
		}
	}
	d.dependencies(old.Dependencies, new.Dependencies)
	d.modules(old.Modules, new.Modules)
	d.admission(old.Admission, new.Admission)
	return d.out
}

// differ collects changes. Its methods compare one field each and take the effect of the
// change in the direction that their name says.
type differ struct{ out []Change }

func (d *differ) add(path string, e Effect, old, new, what string) {
	d.out = append(d.out, Change{Path: path, Effect: e, Old: old, New: new, What: what})
}

func opposite(e Effect) Effect {
	switch e {
	case Tightens:
		return Loosens
	case Loosens:
		return Tightens
	}
	return e
}

// both compares two mappings entry by entry.
func both[T any](d *differ, path string, old, new map[string]T, added, removed Effect, each func(path string, old, new T)) {
	names := slices.Sorted(maps.Keys(old))
	for name := range maps.Keys(new) {
		if _, known := old[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		at := path + "." + name
		a, was := old[name]
		b, is := new[name]
		switch {
		case !was:
			d.add(at, added, "", name, name+" was added to "+path)
		case !is:
			d.add(at, removed, name, "", name+" was taken out of "+path)
		default:
			each(at, a, b)
		}
	}
}

func (d *differ) text(path, old, new string, e Effect) {
	if old == new {
		return
	}
	d.add(path, e, old, new, fmt.Sprintf("%s: %s instead of %s", lastKey(path), quoted(new), quoted(old)))
}

// declared compares a text that may be said where nothing was said.
func (d *differ) declared(path, old, new string) {
	e := Changes
	if old == "" {
		e = Safe
	}
	d.text(path, old, new, e)
}

func quoted(s string) string {
	if s == "" {
		return "nothing"
	}
	return strconv.Quote(clip(s))
}

func (d *differ) flag(path string, old, new bool, on Effect) {
	if old != new {
		e := on
		if old {
			e = opposite(on)
		}
		d.add(path, e, strconv.FormatBool(old), strconv.FormatBool(new), fmt.Sprintf("%s: %t instead of %t", lastKey(path), new, old))
	}
}

// ranked compares words of a scale, whose upper end is the stricter one. A word that is
// missing, or not on the scale, is below it.
func (d *differ) ranked(path, old, new string, scale ...string) {
	if old == new {
		return
	}
	e := Loosens
	if slices.Index(scale, new) > slices.Index(scale, old) {
		e = Tightens
	}
	d.text(path, old, new, e)
}

// longer compares lengths of time; e is the effect of a longer one.
func (d *differ) longer(path string, old, new Duration, e Effect) {
	if old == new {
		return
	}
	if new < old {
		e = opposite(e)
	}
	d.add(path, e, old.String(), new.String(), fmt.Sprintf("%s: %s instead of %s", lastKey(path), new, old))
}

// age compares ages beyond which evidence is stale; none is longer than any.
func (d *differ) age(path string, old, new Duration) {
	if old == new {
		return
	}
	e := Tightens
	if new == 0 || old != 0 && new > old {
		e = Loosens
	}
	d.add(path, e, old.String(), new.String(), fmt.Sprintf("%s: %s instead of %s (0: never stale)", lastKey(path), new, old))
}

// later compares days; e is the effect of a later one. No day is later than any.
func (d *differ) later(path string, old, new time.Time, e Effect) {
	if old.Equal(new) {
		return
	}
	if old.IsZero() || !new.IsZero() && new.Before(old) {
		e = opposite(e)
	}
	d.add(path, e, dayText(old), dayText(new), fmt.Sprintf("%s: %s instead of %s", lastKey(path), quoted(dayText(new)), quoted(dayText(old))))
}

// delay is later for a day on which something begins that holds at once without one.
func (d *differ) delay(path string, old, new time.Time) {
	if old.Equal(new) {
		return
	}
	e := Tightens
	if new.After(old) {
		e = Loosens
	}
	d.add(path, e, dayText(old), dayText(new), fmt.Sprintf("%s: %s instead of %s", lastKey(path), quoted(dayText(new)), quoted(dayText(old))))
}

func dayText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func (d *differ) number(path string, old, new int64) {
	if old == new {
		return
	}
	e := Tightens
	if new < old {
		e = Loosens
	}
	d.add(path, e, strconv.FormatInt(old, 10), strconv.FormatInt(new, 10), fmt.Sprintf("%s: %d instead of %d", lastKey(path), new, old))
}

// words compares sets; e is the effect of a further word.
func (d *differ) words(path string, old, new []string, e Effect) {
	for _, w := range old {
		if !slices.Contains(new, w) {
			d.add(path, opposite(e), w, "", fmt.Sprintf("%s: %s was taken out", lastKey(path), quoted(w)))
		}
	}
	for _, w := range new {
		if !slices.Contains(old, w) {
			d.add(path, e, "", w, fmt.Sprintf("%s: %s was added", lastKey(path), quoted(w)))
		}
	}
}

func (d *differ) hours(path string, a, b *Hours) {
	old, new := hoursText(a), hoursText(b)
	if old == new {
		return
	}
	e := Changes
	switch {
	case a == nil:
		e = Tightens
	case b == nil:
		e = Loosens
	case a.Timezone == b.Timezone && b.within(a):
		e = Tightens
	case a.Timezone == b.Timezone && a.within(b):
		e = Loosens
	}
	d.add(path, e, old, new, fmt.Sprintf("hours: %s instead of %s", quoted(new), quoted(old)))
}

func hoursText(h *Hours) string {
	if h == nil {
		return ""
	}
	var out []string
	for _, w := range h.Allow {
		out = append(out, w.String())
	}
	return strings.Join(out, ", ") + " " + h.Timezone
}

// within reports whether every minute of the week that h allows is allowed by o too.
func (h *Hours) within(o *Hours) bool {
	for day := range 7 {
		for minute := range 24 * 60 {
			if h.allows(day, minute) && !o.allows(day, minute) {
				return false
			}
		}
	}
	return true
}

func (h *Hours) allows(day, minute int) bool {
	return slices.ContainsFunc(h.Allow, func(w Window) bool { return w.days[day] && minute >= w.from && minute < w.to })
}

// freezes: an old freeze that a new one covers is kept.
func (d *differ) freezes(path string, old, new []Freeze) {
	for _, f := range old {
		covered := slices.ContainsFunc(new, func(n Freeze) bool { return !n.From.After(f.From) && !n.To.Before(f.To) })
		if !covered {
			d.add(path, Loosens, freezeText(f), "", "freezes: "+freezeText(f)+" is no longer covered")
		}
	}
	for _, f := range new {
		same := func(o Freeze) bool { return o.From.Equal(f.From) && o.To.Equal(f.To) }
		i := slices.IndexFunc(old, same)
		switch {
		case i < 0:
			d.add(path, Tightens, "", freezeText(f), "freezes: "+freezeText(f)+" was added")
		case old[i].Reason != f.Reason:
			d.add(path, Changes, old[i].Reason, f.Reason, "freezes: the reason for "+freezeText(f)+" is another")
		}
	}
}

func freezeText(f Freeze) string { return dayText(f.From) + " to " + dayText(f.To) }

func (d *differ) service(path string, a, b Service) {
	said := d.declared
	if len(a.Environments) > 0 { // its team approves there, and what is built from its repository may run there
		said = func(path, old, new string) { d.text(path, old, new, Changes) }
	}
	said(path+".team", a.Team, b.Team)
	d.declared(path+".owner", a.Owner, b.Owner)
	said(path+".repo", a.Repo, b.Repo)
	d.declared(path+".tier", a.Tier, b.Tier)
	d.folders(path+".paths", a.Paths, b.Paths)
	d.folders(path+".iac", a.IaC, b.IaC)
	d.flag(path+".signed_commits", a.SignedCommits, b.SignedCommits, Tightens)
	d.mayRun(path, a, b)
}

// mayRun compares where a service may run. Whoever gives it a place gives it the approvers,
// the tier and the rights of signers for all services there.
func (d *differ) mayRun(path string, a, b Service) {
	for _, e := range b.Environments {
		if !slices.Contains(a.Environments, e) {
			d.add(path+".environments", Changes, "", e, "environments: the service may run in "+quoted(e)+" too")
		}
	}
	for _, e := range a.Environments {
		if !slices.Contains(b.Environments, e) {
			d.add(path+".environments", Tightens, e, "", "environments: the service no longer runs in "+quoted(e))
		}
	}
}

// folders compares sets of folders, of which one covers those below it.
func (d *differ) folders(path string, old, new []string) {
	covers := func(list []string, f string) bool {
		return slices.ContainsFunc(list, func(c string) bool { return c == "." || c == f || strings.HasPrefix(f, c+"/") })
	}
	for _, f := range old {
		if !covers(new, f) {
			d.add(path, Loosens, f, "", fmt.Sprintf("%s: %s is no longer covered", lastKey(path), quoted(f)))
		}
	}
	for _, f := range new {
		if !slices.Contains(old, f) {
			e := Tightens
			if covers(old, f) {
				e = Safe
			}
			d.add(path, e, "", f, fmt.Sprintf("%s: %s was added", lastKey(path), quoted(f)))
		}
	}
}

func (d *differ) trust(old, new []Trust) {
	came := slices.Clone(new)
	for _, t := range old {
		if i := slices.IndexFunc(came, func(o Trust) bool { return digestOf(o) == digestOf(t) }); i >= 0 {
			came = slices.Delete(came, i, i+1)
			continue
		}
		d.add("trust", Tightens, trustText(t), "", "trust: what "+trustText(t)+" was trusted with was taken out")
	}
	for _, t := range came {
		d.add("trust", Loosens, "", trustText(t), "trust: "+trustText(t)+" is trusted with more than before")
	}
	if len(came) == 0 && !inOrder(old, new) {
		d.add("trust", Changes, "", "", "trust: the order of strength is another")
	}
}

// inOrder reports whether new has its entries in the order of old.
func inOrder(old, new []Trust) bool {
	next := 0
	for _, t := range new {
		i := slices.IndexFunc(old[next:], func(o Trust) bool { return digestOf(o) == digestOf(t) })
		if i < 0 {
			return false
		}
		next += i + 1
	}
	return true
}

func trustText(t Trust) string {
	whose := ""
	if t.For != "" {
		whose = " for " + t.For
	}
	return strings.TrimSpace(t.Name+" "+t.Key+t.Identity+t.Workload) + whose + " (" + strings.Join(t.Kinds, ", ") + ")"
}

func (d *differ) person(path string, a, b Person) {
	d.text(path+".name", a.Name, b.Name, Changes)
	d.words(path+".teams", a.Teams, b.Teams, Changes)
	for _, system := range AccountSystems {
		d.words(path+".accounts."+system, a.Accounts[system], b.Accounts[system], Changes)
	}
}

func (d *differ) exceptions(a, b Exceptions) {
	d.words("exceptions.requires", a.Requires, b.Requires, Tightens)
	d.longer("exceptions.max_validity", a.MaxValidity, b.MaxValidity, Loosens)
	d.words("exceptions.approver_not", a.ApproverNot, b.ApproverNot, Tightens)
	switch {
	case len(a.Approvers) == 0 && len(b.Approvers) > 0:
		d.add("exceptions.approvers", Tightens, "", strings.Join(b.Approvers, ", "), "approvers: only these may approve, instead of anybody")
	case len(a.Approvers) > 0 && len(b.Approvers) == 0:
		d.add("exceptions.approvers", Loosens, strings.Join(a.Approvers, ", "), "", "approvers: anybody may approve, instead of these")
	default:
		d.words("exceptions.approvers", a.Approvers, b.Approvers, Loosens)
	}
}

func (d *differ) breakGlass(a, b *BreakGlass) {
	switch {
	case a == nil && b == nil:
	case a == nil:
		d.add("break_glass", Loosens, "", strings.Join(b.Who, ", "), "break_glass: somebody may break the glass, instead of nobody")
	case b == nil:
		d.add("break_glass", Tightens, strings.Join(a.Who, ", "), "", "break_glass: nobody may break the glass any more")
	default:
		d.words("break_glass.who", a.Who, b.Who, Loosens)
		d.words("break_glass.requires", a.Requires, b.Requires, Tightens)
		d.longer("break_glass.max_validity", a.MaxValidity, b.MaxValidity, Loosens)
		d.longer("break_glass.review_within", a.ReviewWithin, b.ReviewWithin, Loosens)
		d.words("break_glass.notify", a.Notify, b.Notify, Tightens)
	}
}

func (d *differ) source(path string, a, b Source) {
	for _, k := range a.Kinds {
		if !slices.Contains(b.Kinds, k) {
			d.add(path+".kinds", Safe, k, "", "kinds: no longer yields "+quoted(k))
		}
	}
	for _, k := range b.Kinds {
		if !slices.Contains(a.Kinds, k) {
			d.add(path+".kinds", Safe, "", k, "kinds: yields "+quoted(k))
		}
	}
	d.age(path+".max_age", a.MaxAge, b.MaxAge)
	if !slices.Equal(a.Command, b.Command) {
		d.text(path+".command", strings.Join(a.Command, " "), strings.Join(b.Command, " "), Changes)
	}
	d.text(path+".format", a.Format, b.Format, Changes)
	d.text(path+".sha256", a.SHA256, b.SHA256, Changes)
	d.longer(path+".timeout", a.Timeout, b.Timeout, Changes)
	d.flag(path+".primary", a.Primary, b.Primary, Safe)
	d.flag(path+".on_demand", a.OnDemand, b.OnDemand, Loosens)
}

// evidenceAge is how old the evidence for a need may be in this map; 0 for any age.
func (m *Map) evidenceAge(p Point, kind string) (Duration, verdict.State) {
	i := slices.IndexFunc(p.Needs, func(n Need) bool { return n.Kind == kind })
	return m.MaxAge(p.Needs[i]), p.Needs[i].Accept
}
