package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/report"
)

// mapDifference is the document verdict.mapdiff/v1.
type mapDifference struct {
	Schema        string      `json:"schema"`
	Old           seenMap     `json:"old"`
	New           seenMap     `json:"new"`
	NeedsApprover bool        `json:"needs_approver"`
	Changes       []mapChange `json:"changes"`
}

type mapChange struct {
	decisionmap.Change
	NeedsApprover bool `json:"needs_approver"`
}

func mapDiffCommand() command {
	return command{
		use: "diff OLD NEW", short: "Tell a replaced tool from a changed decision point",
		long: "OLD and NEW are map files; both are read over the built-in map, so the order and wording of the files are no difference. " +
			"A change is safe when the points ask, need and enforce what they did: another tool, another place, something declared. All others are a person's to approve.\n\n" +
			"Ends with 0 when every change is safe, and with 5 when one needs an approver.",
		example: "verdict map diff old.yaml new.yaml\ngit show main:verdict.yaml | verdict map diff - verdict.yaml",
		args:    exactly(2), formats: textOrJSON,
		setup: runs(func(_ context.Context, a *app, args []string) error {
			d, err := a.compareMaps(args[0], args[1])
			if err != nil {
				return err
			}
			if err := a.emit(d, func(s report.Style) string { return d.text(s) }); err != nil {
				return err
			}
			if d.NeedsApprover {
				return exit(verdict.CodeReview.Exit())
			}
			return nil
		}),
	}
}

func (a *app) compareMaps(oldFile, newFile string) (mapDifference, error) {
	d := mapDifference{Schema: "verdict.mapdiff/v1", Changes: []mapChange{}}
	if oldFile == standardInput && newFile == standardInput {
		return d, usage("verdict map diff --help", "both maps are to come from standard input, which holds one", "save one of them to a file")
	}
	var maps [2]*decisionmap.Map
	for i, file := range []string{oldFile, newFile} {
		t, err := a.readMap(file)
		if err != nil {
			return d, err
		}
		if maps[i], err = t.load(); err != nil {
			return d, err
		}
		*[]*seenMap{&d.Old, &d.New}[i] = seen(t, maps[i], nil)
	}
	d.between(maps[0], maps[1])
	return d, nil
}

// wouldChange compares a map, as it would take effect, with the one in force.
func (a *app) wouldChange(ctx context.Context, t mapText) (mapDifference, error) {
	d := mapDifference{Schema: "verdict.mapdiff/v1"}
	old, released, err := a.underRelease(ctx, mapText{}, decisionmap.Builtin())
	if err != nil {
		return d, err
	}
	d.Old = seen(mapText{}, old, released)
	m, err := t.load()
	if err != nil {
		return d, err
	}
	if m, released, err = a.underRelease(ctx, t, m); err != nil {
		return d, err
	}
	d.New = seen(t, m, released)
	d.between(old, m)
	return d, nil
}

func (d *mapDifference) between(old, new *decisionmap.Map) {
	d.Changes = changesBetween(old, new)
	d.NeedsApprover = slices.ContainsFunc(d.Changes, func(c mapChange) bool { return c.NeedsApprover })
}

func changesBetween(old, new *decisionmap.Map) []mapChange {
	out := []mapChange{}
	for _, c := range decisionmap.Diff(old, new) {
		out = append(out, mapChange{c, c.NeedsApprover()})
	}
	return out
}

func (d mapDifference) text(s report.Style) string {
	approve := len(d.Changes) - countChanges(d.Changes, decisionmap.Safe)
	head := fmt.Sprintf("NEEDS AN APPROVER: what is decided changes in %s.", plural(approve, "place", "places"))
	switch {
	case len(d.Changes) == 0:
		head = "The same map: nothing that is decided, and nothing that serves it, is different."
	case approve == 0:
		head = "Safe: tools or places were replaced, or something was declared; every point asks, needs and enforces what it did."
	}
	return report.Wrap(s.Strong(head), s.Width, "") + "\n" + changesTable(d.Changes, s, effectOrder...)
}

// effectOrder is in which order people need to hear of changes.
var effectOrder = []decisionmap.Effect{decisionmap.Loosens, decisionmap.Changes, decisionmap.Tightens, decisionmap.Safe}

// effectWords are the effects of changes in a table.
var effectWords = map[decisionmap.Effect]string{
	decisionmap.Loosens: "weaker", decisionmap.Changes: "other", decisionmap.Tightens: "stricter", decisionmap.Safe: "safe",
}

// changesTable lists the changes with one of the effects, in their order.
func changesTable(changes []mapChange, s report.Style, effects ...decisionmap.Effect) string {
	var rows [][]string
	for _, effect := range effects {
		for _, c := range changes {
			if c.Effect == effect {
				key := c.Path[strings.LastIndexByte(c.Path, '.')+1:]
				rows = append(rows, []string{effectWords[effect], report.Neutral(c.Path + ": " + strings.TrimPrefix(c.What, key+": "))})
			}
		}
	}
	return report.Table(rows, s.Width, "  ")
}

func countChanges(changes []mapChange, e decisionmap.Effect) int {
	n := 0
	for _, c := range changes {
		if c.Effect == e {
			n++
		}
	}
	return n
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
