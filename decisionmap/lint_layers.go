package decisionmap

import (
	"fmt"
	"slices"
	"strings"

	"verdict"
)

func layerExists(l *linter) { // VD-L01
	for _, p := range l.Points {
		fits, known := places[p.Layer]
		if !known {
			l.found(at(p, "layer"), fmt.Sprintf("%s is in the layer %q, which does not exist", p.ID, clip(string(p.Layer))), "use one of code, ci, artifact, deploy, runtime, governance")
			continue
		}
		system, place, ok := strings.Cut(p.At, "/")
		if !ok || system == "" || !slices.Contains(fits, place) {
			l.found(at(p, "at"), fmt.Sprintf("%s is asked at %q, which is no place of the layer %s", p.ID, clip(p.At), p.Layer),
				fmt.Sprintf("write system/place, where the place is one of %s", strings.Join(fits, ", ")))
		}
	}
}

// early lists the layers whose answers must hold wherever the artifact runs later.
func early(p Point) bool {
	return p.Layer.Index() >= 0 && !p.Layer.SeesEnvironment()
}

func noPlaceEarly(l *linter) { // VD-L02
	for _, p := range l.Points {
		if !early(p) {
			continue
		}
		for _, n := range p.Needs {
			if boundToPlace(n.Kind) {
				l.found(at(p, "needs"), fmt.Sprintf("%s needs %s, which a %s point may not see", p.ID, n.Kind, p.Layer), "ask this at a deploy or runtime point, or take the need out")
			}
		}
		for _, r := range l.rules[p.ID] {
			if read := hiddenRead(r); read != "" {
				l.found(at(p, "policy"), fmt.Sprintf("the rule %s of %s reads %s, which a %s point may not see", r.ID, p.ID, read, p.Layer), "take the read out of the rule, or select it at a deploy or runtime point")
			}
		}
	}
}

// hiddenRead is the first reference of the rule that is bound to a place. A rule that
// reads the whole input may read everything.
func hiddenRead(r verdict.Rule) string {
	for _, read := range r.Reads {
		if read == "input" {
			return "the whole input"
		}
		if boundToPlace(group(read)) {
			return read
		}
	}
	return ""
}

// group is the first name under input of a reference: of input.environment.tier it is
// environment, in the spelling of the map.
func group(read string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(read, "input."), ".")
	return strings.ReplaceAll(name, "_", "-")
}

func ciPassOrFail(l *linter) { // VD-L03
	for _, p := range l.Points {
		if p.Layer != verdict.LayerCI {
			if !p.OldFrom.IsZero() {
				l.found(at(p, "old_from"), p.ID+" lets what is old wait; only a ci point compares a change with what was there before", "take `old_from:` out, or say `enforce_from:`")
			}
			continue
		}
		if p.Mode == verdict.ModeWarn {
			l.found(at(p, "mode"), p.ID+" warns; a ci point blocks or observes", "set `mode: block`, or `mode: observe` with `enforce_from:`")
		}
		if p.Review != nil {
			l.found(at(p, "review"), p.ID+" asks for an approval; a ci point passes or fails", "take `review:` out; risk is accepted at a deploy point")
		}
		for _, r := range l.rules[p.ID] {
			if r.Effect == verdict.EffectReview {
				l.found(at(p, "policy"), fmt.Sprintf("the rule %s of %s asks for a review; a ci point passes or fails", r.ID, p.ID), "give the rule the effect deny or note, or select it at a deploy point")
			}
		}
	}
}

func deployOnlyDecides(l *linter) { // VD-L04
	for _, p := range l.Points {
		if p.Layer != verdict.LayerDeploy {
			continue
		}
		if slices.Contains(madeByScanOrBuild, p.Produces.Kind) {
			l.found(at(p, "produces"), fmt.Sprintf("%s produces %s, which only a scan or a build can leave", p.ID, p.Produces.Kind), "let a ci point leave it, and need it here")
		}
		for _, n := range p.Needs {
			if slices.Contains(rawMaterial, n.Kind) {
				l.found(at(p, "needs"), fmt.Sprintf("%s needs %s, which is there to be scanned or built", p.ID, n.Kind), "need what a check or a build said of it")
			}
		}
	}
}

func runtimeNeverBlocks(l *linter) { // VD-L05
	for _, p := range l.Points {
		if p.Layer == verdict.LayerRuntime && (p.Mode == verdict.ModeBlock || !p.EnforceFrom.IsZero()) {
			l.found(at(p, "mode"), p.ID+" blocks; a runtime point observes or warns", "set `mode: warn` without `enforce_from:`, and let it feed deploy.gate, which can stop the next promotion")
		}
	}
}

func runtimeFeeds(l *linter) { // VD-L06
	for _, p := range l.Points {
		if p.Layer != verdict.LayerRuntime {
			continue
		}
		feeds := slices.ContainsFunc(p.Feeds, func(f string) bool {
			to, ok := l.Point(f)
			return f == Backlog || ok && to.Layer.Index() < p.Layer.Index()
		})
		if !feeds {
			l.found("points."+p.ID, "what "+p.ID+" finds leads nowhere", "add `feeds: [backlog]`, or an earlier point")
		}
	}
}

func flowsForward(l *linter) { // VD-L07
	for i, p := range l.Points {
		for _, n := range p.Needs {
			from := l.laterProducer(i, n.Kind)
			if from == nil || early(p) && boundToPlace(n.Kind) { // the latter is VD-L02
				continue
			}
			l.found(at(p, "needs"), fmt.Sprintf("%s needs %s, which %s leaves after it", p.ID, n.Kind, from.ID),
				fmt.Sprintf("let evidence flow forward, or add `feeds: [%s]` to %s", p.ID, from.ID))
		}
	}
}

// laterProducer is the point that leaves the kind, when only points that are not before
// points[i] do, and none of them feeds it back.
func (l *linter) laterProducer(i int, kind string) *Point {
	p := l.Points[i]
	for _, s := range l.Sources {
		if slices.Contains(s.Kinds, kind) {
			return nil
		}
	}
	var later *Point
	for k := range l.Points {
		o := &l.Points[k]
		if o.Produces.Kind != kind {
			continue
		}
		a, b := o.Layer.Index(), p.Layer.Index()
		if a < b || a == b && k < i || slices.Contains(o.Feeds, p.ID) {
			return nil
		}
		later = o
	}
	return later
}
