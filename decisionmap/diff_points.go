package decisionmap

import (
	"fmt"
	"slices"
	"strings"

	"verdict"
)

func (d *differ) points(old, new *Map) {
	for _, a := range old.Points {
		path := "points." + a.ID
		b, ok := new.Point(a.ID)
		if !ok {
			d.add(path, Loosens, a.ID, "", a.ID+" is no longer asked")
			continue
		}
		d.point(path, old, new, a, b)
	}
	for _, b := range new.Points {
		if _, known := old.Point(b.ID); known {
			continue
		}
		e, what := Tightens, b.ID+" is asked as well"
		if i := slices.IndexFunc(old.Points, func(p Point) bool { return p.Produces.Kind == b.Produces.Kind }); i >= 0 {
			// It could stand in for the point that left this evidence before.
			e, what = Changes, fmt.Sprintf("%s is asked as well and leaves %s, as %s does", b.ID, quoted(b.Produces.Kind), old.Points[i].ID)
		}
		d.add("points."+b.ID, e, "", b.ID, what)
	}
}

func (d *differ) point(path string, old, new *Map, a, b Point) {
	d.text(path+".layer", string(a.Layer), string(b.Layer), Changes)
	d.text(path+".question", a.Question, b.Question, Changes)
	d.ranked(path+".mode", string(a.Mode), string(b.Mode), string(verdict.ModeObserve), string(verdict.ModeWarn), string(verdict.ModeBlock))
	d.later(path+".enforce_from", a.EnforceFrom, b.EnforceFrom, Loosens)
	d.delay(path+".old_from", a.OldFrom, b.OldFrom)
	if !a.Since.Equal(b.Since) {
		d.text(path+".since", dayText(a.Since), dayText(b.Since), Safe)
	}
	d.text(path+".at", a.At, b.At, Safe)
	d.needs(path+".needs", old, new, a, b)
	d.words(path+".policy", a.Policy, b.Policy, Tightens)
	d.flag(path+".allow_partial", a.AllowPartial, b.AllowPartial, Loosens)
	d.text(path+".produces.kind", a.Produces.Kind, b.Produces.Kind, Changes)
	d.longer(path+".produces.retain", a.Produces.Retain, b.Produces.Retain, Tightens)
	d.text(path+".owner", a.Owner, b.Owner, Changes)
	d.words(path+".feeds", a.Feeds, b.Feeds, Tightens)
	d.review(path+".review", a.Review, b.Review)
}

func (d *differ) needs(path string, old, new *Map, a, b Point) {
	kinds := func(p Point) []string {
		var out []string
		for _, n := range p.Needs {
			out = append(out, n.Kind)
		}
		return out
	}
	d.words(path, kinds(a), kinds(b), Tightens)
	for _, n := range b.Needs {
		if !a.needs(n.Kind) {
			continue
		}
		oldAge, oldAccept := old.evidenceAge(a, n.Kind)
		newAge, newAccept := new.evidenceAge(b, n.Kind)
		d.age(path+"."+n.Kind+".max_age", oldAge, newAge)
		d.ranked(path+"."+n.Kind+".accept", string(oldAccept), string(newAccept), string(verdict.StatePresent), string(verdict.StateVerified))
	}
}

// review: without one nobody can lift a review reason, which is the strictest.
func (d *differ) review(path string, a, b *Review) {
	switch {
	case a == nil && b == nil:
	case a == nil:
		d.add(path, Loosens, "", strings.Join(b.Approvers, ", "), "review: somebody may approve, instead of nobody")
	case b == nil:
		d.add(path, Tightens, strings.Join(a.Approvers, ", "), "", "review: nobody may approve any more")
	default:
		d.words(path+".approvers", a.Approvers, b.Approvers, Loosens)
		d.number(path+".count", a.Count, b.Count)
		d.words(path+".not", a.Not, b.Not, Tightens)
		d.words(path+".requires", a.Requires, b.Requires, Tightens)
		d.longer(path+".max_validity", a.MaxValidity, b.MaxValidity, Loosens)
	}
}
