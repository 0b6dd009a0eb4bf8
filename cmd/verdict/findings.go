package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/report"
)

func findingsCommand() command {
	return command{
		use: "findings", short: "Look at what was found of what runs",
		sub: []command{findingsListCommand()},
	}
}

func findingsListCommand() command {
	return command{
		use: "list", short: "List the open findings of what runs, and whose they are",
		long: "A finding is opened when advisories that came after an artifact was let in say that it is vulnerable (verdict advisories update, verdict advisories import), and closed when no advisory says so any more, or when it is stated that another one was deployed in its place, or that it does not run there any more. " +
			"What was known when an artifact was let in is in its decision, and not here.",
		example: "verdict findings list\nverdict findings list --all -o json",
		args:    exactly(0), formats: textOrJSON, reads: true,
		setup: func(f *flags) runner {
			all := false
			f.toggle(&all, "all", "closed ones too")
			return func(ctx context.Context, a *app, _ []string) error { return a.listFindings(ctx, all) }
		},
	}
}

// foundFindings is the document verdict.findings/v1.
type foundFindings struct {
	Schema   string         `json:"schema"`
	Position int64          `json:"position"` // entries of the log that it is of
	Findings []foundFinding `json:"findings"`
	Open     int            `json:"open"`                // also of those that are not shown
	NotShown int            `json:"not_shown,omitempty"` // of a list that was too long for the answer of a server
}

type foundFinding struct {
	verdict.Finding
	Team  string `json:"team"`
	Owner string `json:"owner"`
	// Runs is false for an open finding of what was replaced since, by the word of somebody whom
	// the map does not trust with deployments: it stays open.
	Runs bool `json:"runs"`
}

func (a *app) listFindings(ctx context.Context, all bool) error {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	m, _, err := w.mapOfPeople(ctx, at)
	if err != nil {
		return err
	}
	size, err := w.size(ctx, at)
	if err != nil {
		return err
	}
	counts, err := w.counts(ctx, m)
	if err != nil {
		return err
	}
	known, err := w.findings(ctx, at, counts)
	if err != nil {
		return err
	}
	d := foundFindings{Schema: "verdict.findings/v1", Position: size, Findings: []foundFinding{}}
	for _, f := range known {
		if f.State != verdict.FindingOpen && !all {
			continue
		}
		x, err := w.attributed(ctx, f.Finding, m, at)
		if err != nil {
			return err
		}
		if f.State == verdict.FindingOpen {
			d.Open++
		}
		d.Findings = append(d.Findings, x)
	}
	slices.SortFunc(d.Findings, func(a, b foundFinding) int {
		return cmp.Or(strings.Compare(string(b.State), string(a.State)), cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), a.Opened.Compare(b.Opened), strings.Compare(string(a.Fingerprint), string(b.Fingerprint)))
	})
	d.Findings, d.NotShown = shown(a, d.Findings)
	return a.emit(d, d.text)
}

func (w *workspace) attributed(ctx context.Context, f verdict.Finding, m *decisionmap.Map, at ledger.Position) (foundFinding, error) {
	s := m.Services[f.Service]
	x := foundFinding{Finding: f, Team: s.Team, Owner: s.Owner}
	runs, err := w.ledger.Running(ctx, ledger.RunningQuery{Environment: f.Environment, Service: f.Service, Digest: f.Digest, At: at})
	x.Runs = slices.ContainsFunc(runs, func(r ledger.RunningRow) bool { return r.Name == f.Name })
	return x, err
}

// heldFinding is a finding with the entry that says how it stands.
type heldFinding struct {
	verdict.Finding
	entry int64
}

// findings are the findings of vulnerable artifacts, each as its last statement says: of who
// opened it, or of somebody whom the map trusts with findings. Anybody enrolled could else
// close what still is. What others state is a claim, and is not among them.
func (w *workspace) findings(ctx context.Context, at ledger.Position, counts func(verdict.Kind, string, string, string) bool) (map[verdict.Digest]heldFinding, error) {
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	name := namesOf(keys)
	entries, err := w.findAll(ctx, ledger.Query{Kind: verdict.KindFinding, At: at})
	if err != nil {
		return nil, err
	}
	type mouths struct {
		last   map[string]heldFinding // the last word of each; of "", those whom the map trusts
		opened string                 // who spoke first
	}
	all := map[verdict.Digest]*mouths{}
	for _, e := range entries { // the newest first
		var f verdict.Finding
		if e.Foreign || e.Pruned || w.decode(ctx, e.Index, &f) != nil || f.Kind != verdict.FindingVulnerable || f.Fingerprint == "" {
			continue
		}
		of := all[f.Fingerprint]
		if of == nil {
			of = &mouths{last: map[string]heldFinding{}}
			all[f.Fingerprint] = of
		}
		if of.opened = cmp.Or(name(e.Signer, ledger.Position(e.Index)), e.Signer); counts(verdict.KindFinding, e.Producer, f.Service, f.Environment) {
			of.opened = ""
		}
		if _, newer := of.last[of.opened]; !newer {
			of.last[of.opened] = heldFinding{f, e.Index}
		}
	}
	out := map[verdict.Digest]heldFinding{}
	for id, of := range all {
		out[id] = of.last[of.opened]
		if trusted, any := of.last[""]; any && trusted.entry > out[id].entry {
			out[id] = trusted
		}
	}
	return out, nil
}

func (d foundFindings) text(s report.Style) string {
	if len(d.Findings) == 0 {
		return "No finding of what runs is open. Findings come from advisories that are newer than what runs: verdict advisories update, with --at-server for those of a server\n"
	}
	out := s.Strong(plural(d.Open, "finding is open", "findings are open")+" of what runs.") + "\n"
	rows, known := [][]string{}, "ADVISORY"
	for _, f := range d.Findings {
		var in []string
		for _, c := range f.Components {
			in = append(in, c.Name+" "+c.Version)
		}
		state := "open since " + f.Opened.UTC().Format(time.DateOnly)
		switch {
		case f.State == verdict.FindingClosed:
			state = "opened " + f.Opened.UTC().Format(time.DateOnly) + ", closed: " + f.Why
		case !f.Runs:
			state += ", does not run there any more, says somebody whom the map does not trust with it"
		}
		severity := string(f.Severity)
		if f.Exploited {
			severity += ", exploited"
		}
		advisory := ""
		if len(f.Advisories) > 0 {
			advisory = f.Advisories[0]
			known = cmp.Or(map[bool]string{true: advisory}[len(d.Findings) == 1], known)
		}
		fixed := "no fix is known"
		if f.Fixed != "" {
			fixed = "fixed in " + f.Fixed
		}
		for i, told := range []string{
			strings.Join(in, ", ") + "; " + fixed, f.Environment + ", " + f.Service + ": " + shortArtifact(f.Name, string(f.Digest)),
			"owner " + owned(f.Team, f.Owner), state + "; let in by " + cmp.Or(f.Decision, "no promotion that counts"),
		} {
			row := []string{"", "", report.Neutral(told)}
			if i == 0 {
				row[0], row[1] = severity, report.Neutral(advisory)
			}
			rows = append(rows, row)
		}
	}
	return out + report.Table(rows, s.Width, "  ") + "Where else a component is: verdict where " + report.Neutral(known) + "\n"
}
