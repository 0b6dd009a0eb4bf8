package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/ledger"
	"verdict/report"
)

// body tells the answer: what runs, what was built, what is not known, and what was
// searched.
func (d *whereFound) body(s report.Style) string {
	var b strings.Builder
	b.WriteString(s.Strong(d.head()) + "\n")
	if d.Totals.Elsewhere > 0 {
		fmt.Fprintf(&b, "It runs in %s of other environments: ask without --env.\n", plural(d.Totals.Elsewhere, "place", "places"))
	}
	for _, purl := range d.Near {
		b.WriteString(report.Wrap(fmt.Sprintf("Bills list %s, which is another package there: case counts. Did you mean it? verdict where '%s'", report.Neutral(purl), report.Neutral(purl)), s.Width, "  ") + "\n")
	}
	d.runs(&b, s)
	d.built(&b, s)
	d.open(&b, s)
	b.WriteString(report.Table([][]string{{fmt.Sprintf("Searched: %s of artifacts, and %s that %s stated to run%s.", plural(d.Searched.Bills, "bill of materials", "bills of materials"),
		plural(d.Searched.Running, "artifact", "artifacts"), map[bool]string{true: "is", false: "are"}[d.Searched.Running == 1], d.there())}}, s.Width, ""))
	if d.Database != nil {
		fmt.Fprintf(&b, "Advisories: as of %s.\n", d.Database.At.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	return b.String()
}

func (d *whereFound) head() string {
	what := report.Neutral(d.Asked)
	switch {
	case len(d.Components)+len(d.MayBe) == 0:
		return "No bill of materials lists " + what + "."
	case d.Totals.Running == 0 && d.Totals.Bills == 0:
		return what + ": no bill that counts lists it."
	case d.Totals.Running == 0:
		return what + " is not in what is stated to run" + d.there() + "."
	}
	var places []string
	for _, e := range slices.Sorted(maps.Keys(d.Totals.Environments)) {
		places = append(places, fmt.Sprintf("%d in %s", d.Totals.Environments[e], report.Neutral(e)))
	}
	return fmt.Sprintf("%s runs in %s: %s.", what, plural(d.Totals.Running, "place", "places"), strings.Join(places, ", "))
}

// there is the environment that was asked about, in a sentence.
func (d *whereFound) there() string {
	if d.Environment == "" {
		return ""
	}
	return " in " + report.Neutral(d.Environment)
}

func (d *whereFound) runs(b *strings.Builder, s report.Style) {
	if len(d.Running) == 0 {
		return
	}
	for _, r := range d.Running {
		fmt.Fprintf(b, "  %s\n", s.Strong(report.Neutral(r.Environment+"  "+r.Service)))
		rows := [][]string{
			{"has", d.maybe(r.Components, r.MayBe)}, {"artifact", shortArtifact(r.Name, string(r.Digest))}, {"platforms", throughText(r.Through)}, {"owner", owned(r.Team, r.Owner)},
			{"since", r.At.UTC().Format("2006-01-02 15:04 UTC")}, {"let in by", r.Promotion.text()},
		}
		if len(r.Through) == 0 {
			rows = slices.Delete(rows, 2, 3)
		}
		b.WriteString(report.Table(rows, s.Width, "    "))
	}
	if d.Totals.LeftOut > 0 {
		fmt.Fprintf(b, "  and %d more: --limit 0 tells all\n", d.Totals.LeftOut)
	}
}

func (p wherePromotion) text() string {
	switch {
	case p.Problem != "":
		return "no promotion: " + report.Neutral(p.Problem)
	case p.Named:
		return report.Neutral(p.ID)
	}
	return report.Neutral(p.ID) + ", which stood then; the deployment does not name it"
}

func (d *whereFound) maybe(list []whereComponent, may bool) string {
	text := d.shown(list)
	if may {
		text += " (it cannot be told whether it is meant)"
	}
	return text
}

func (d *whereFound) built(b *strings.Builder, s report.Style) {
	if len(d.Built) == 0 {
		return
	}
	all := len(d.Built) + d.Totals.BuiltLeftOut
	fmt.Fprintf(b, "Built with it, and not stated to run: artifacts of %s.\n", plural(all, "bill", "bills"))
	for _, x := range d.Built {
		var names []string
		for _, t := range x.Artifacts {
			names = append(names, shortArtifact(t.Name, string(t.Digest)))
		}
		fmt.Fprintf(b, "  %s\n", s.Strong(strings.Join(names, ", ")))
		of := owned(x.Team, x.Owner)
		if x.Service != "" {
			of = report.Neutral(x.Service) + ", " + of
		}
		b.WriteString(report.Table([][]string{{"has", d.maybe(x.Components, x.MayBe)}, {"of", of}, {"bill", fmt.Sprintf("entry %d", x.Bill)}}, s.Width, "    "))
	}
	if d.Totals.BuiltLeftOut > 0 {
		fmt.Fprintf(b, "  and %d more: --limit 0 tells all\n", d.Totals.BuiltLeftOut)
	}
}

// open says what the answer does not cover.
func (d *whereFound) open(b *strings.Builder, s report.Style) {
	var out []string
	say := func(n int, one, many string) {
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, map[bool]string{true: one, false: many}[n == 1]))
		}
	}
	f := d.Searched
	say(f.WithoutBill, "running artifact has no bill of materials: nothing is known of it"+firstOf(f.Unnamed), "running artifacts have no bill of materials: nothing is known of them"+firstOf(f.Unnamed))
	say(f.Unreadable, "running artifact has a bill that cannot be read or stayed elsewhere: nothing is known of it"+firstOf(f.Unread), "running artifacts have bills that cannot be read or stayed elsewhere: nothing is known of them"+firstOf(f.Unread))
	say(f.Partly, "running index has platforms without a bill that can be read: nothing is known of those", "running indexes have platforms without a bill that can be read: nothing is known of those")
	say(f.Incomplete, "running artifact has a bill that does not say that it is complete", "running artifacts have bills that do not say that they are complete")
	if d.Kind != "component" {
		say(f.Nameless, "running artifact has components whose package or ecosystem is not known", "running artifacts have components whose package or ecosystem is not known")
	}
	say(len(d.MayBe), "version cannot be compared, and its artifacts are listed", "versions cannot be compared, and their artifacts are listed")
	for i, c := range d.MayBe {
		if i == 3 {
			break
		}
		out[len(out)-1] += fmt.Sprintf("; %s %s: %s", report.Neutral(c.Name), report.Neutral(c.Version), report.Neutral(c.Why))
	}
	if d.Kind == "licence" {
		say(d.Undeclared, "component declares no licence", "components declare no licence")
		say(len(d.Unread), "declaration is no expression of SPDX and was not judged", "declarations are no expressions of SPDX and were not judged")
	}
	say(d.Totals.Unproved, "of these places is stated by somebody whom the map does not trust to say what runs", "of these places are stated by somebody whom the map does not trust to say what runs")
	say(d.Totals.Aside, "bill lists it whose producer the map does not trust with bills: left aside", "bills list it whose producers the map does not trust with bills: left aside")
	if d.Release != "" {
		out = append(out, d.Release)
	}
	if len(out) > 0 {
		b.WriteString("Not known:\n")
		for _, line := range out {
			b.WriteString(report.Table([][]string{{"-", line}}, s.Width, "  "))
		}
	}
}

func firstOf(rows []ledger.RunningRow) string {
	var names []string
	for i, r := range rows {
		if i == 3 {
			return fmt.Sprintf(" (%s and others)", strings.Join(names, ", "))
		}
		names = append(names, report.Neutral(r.Name+" in "+r.Environment))
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// throughText says which platforms of an index have it; "" of one image.
func throughText(list []verdict.Digest) string {
	var out []string
	for _, d := range list {
		out = append(out, d.Short())
	}
	if len(out) > 3 {
		out = append(out[:3], fmt.Sprintf("and %d more", len(list)-3))
	}
	return strings.Join(out, ", ")
}

func owned(team, owner string) string {
	switch {
	case team == "" && owner == "":
		return "owner unknown"
	case owner == "" || owner == team:
		return report.Neutral(team)
	case team == "":
		return report.Neutral(owner)
	}
	return report.Neutral(team + ", " + owner)
}

// shortArtifact is a name with as much of its digest as tells it from others.
func shortArtifact(name, digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return report.Neutral(fmt.Sprintf("%s@%s:%s", name, algorithm, hex[:min(len(hex), 12)]))
}
