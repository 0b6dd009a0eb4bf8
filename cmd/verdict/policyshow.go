package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/report"
)

// policyList is the document verdict.policies/v1: the releases of rules, as of a time.
type policyList struct {
	Schema   string      `json:"schema"`
	At       time.Time   `json:"at"`
	Position int64       `json:"position"`
	InForce  int64       `json:"in_force"`            // entry of the release that decides; -1: none, and a map decides by what it names
	Policies []policyRow `json:"policies"`            // the latest to be recorded first
	NotShown int         `json:"not_shown,omitempty"` // of a list that was too long for the answer of a server
}

// policyRow is one release.
type policyRow struct {
	Entry        int64          `json:"entry"`
	State        string         `json:"state"` // in-force, announced, replaced, not-good, void
	Why          string         `json:"why"`   // it is not good or void
	Bundle       verdict.Digest `json:"bundle"`
	Effective    time.Time      `json:"effective"`
	Recorded     time.Time      `json:"recorded"`
	Organization string         `json:"organization"`
	Reviewers    []string       `json:"reviewers"` // as their keys tell; empty where it is void
	Rollback     int64          `json:"rollback"`
	Backtest     verdict.Digest `json:"backtest"`
}

// The states of a policyRow beside those of releases.
const (
	stateReplaced = "replaced"
	stateNotGood  = "not-good"
	stateVoid     = "void"
)

func policyShowCommand() command {
	return command{
		use: "show", short: "Say which released rules decide, and which are announced",
		long: "Rules that are in force but cannot be loaded or compiled are told, and what decides instead. Their tests are run before their first decision. " +
			"Ends with 1 where rules were released and none of them is good: then nothing is decided.",
		example: "verdict policy show\nverdict policy show --at 2026-11-20T09:00:00Z -o json",
		formats: textOrJSON, reads: true,
		setup: reading(showPolicy),
	}
}

func showPolicy(ctx context.Context, w *workspace, _ []string) error {
	all, err := w.policies(ctx)
	if err != nil {
		return err
	}
	all.Policies = slices.DeleteFunc(all.Policies, func(r policyRow) bool { return r.State == stateReplaced || r.State == stateVoid })
	if err := w.app.emit(all, func(s report.Style) string { return all.shown(s) }); err != nil {
		return err
	}
	if all.InForce < 0 && slices.ContainsFunc(all.Policies, func(r policyRow) bool { return r.State == stateNotGood }) {
		return exit(verdict.CodeUnavailable.Exit())
	}
	return nil
}

func policyListCommand() command {
	return command{
		use: "list", short: "List every release of rules, with what became of it",
		long:    "A release that does not count is listed with the reason.",
		example: "verdict policy list\nverdict policy list -o json",
		formats: textOrJSON, reads: true,
		setup: reading(listPolicies),
	}
}

func listPolicies(ctx context.Context, w *workspace, _ []string) error {
	all, err := w.policies(ctx)
	if err != nil {
		return err
	}
	all.Policies, all.NotShown = shown(w.app, all.Policies)
	return w.app.emit(all, func(s report.Style) string { return all.listed(s) })
}

// policies judges every release as of --at.
func (w *workspace) policies(ctx context.Context) (policyList, error) {
	out := policyList{Schema: "verdict.policies/v1", InForce: -1, Policies: []policyRow{}}
	at, err := w.position(ctx)
	if err != nil {
		return out, err
	}
	if out.Position, err = w.size(ctx, at); err != nil {
		return out, err
	}
	if out.At, err = w.momentOf(ctx, at); err != nil {
		return out, err
	}
	in, err := w.inForce(ctx, at)
	if err != nil {
		return out, err
	}
	all, err := w.policyReleases(ctx, at)
	if err != nil {
		return out, err
	}
	deciding := decidingAt(all, out.At, organizationOf(in))
	for _, r := range slices.Backward(all) {
		row := policyRow{
			Entry: r.index(), Why: r.Void, Bundle: r.Said.Bundle, Effective: r.from(), Recorded: r.Entry.At, Organization: r.Said.Organization,
			Reviewers: append([]string{}, r.By...), Rollback: r.Said.Rollback, Backtest: r.Said.Backtest,
		}
		switch {
		case r.Void != "":
			row.State = stateVoid
		case !r.begun(out.At):
			row.State = stateAnnounced
		case !slices.Contains(deciding, r):
			row.State, row.Why = stateVoid, fmt.Sprintf("it is for the organisation %q, and the map in force is of %q", r.Said.Organization, organizationOf(in))
		default:
			row.State = stateReplaced
		}
		out.Policies = append(out.Policies, row)
	}
	for _, r := range deciding {
		row := &out.Policies[slices.IndexFunc(out.Policies, func(p policyRow) bool { return p.Entry == r.index() })]
		if _, _, bad := w.rulesIn(ctx, r.Said); bad != nil {
			row.State, row.Why = stateNotGood, bad.Error()
			continue
		}
		row.State, out.InForce = stateInForce, r.index()
		break
	}
	return out, ctx.Err()
}

// shown is what decides and what will, for people.
func (l policyList) shown(s report.Style) string {
	var b strings.Builder
	para := func(text string) { b.WriteString(report.Wrap(report.Neutral(text), s.Width, "") + "\n") }
	if l.InForce < 0 {
		para("NO RELEASED POLICY IS IN FORCE at " + l.At.Format(time.RFC3339) + ".")
		if !slices.ContainsFunc(l.Policies, func(r policyRow) bool { return r.State == stateNotGood }) {
			para("A map decides by the rules that it names; one that says `policies: {bundle: released}` decides nothing.")
		}
	}
	for _, r := range l.Policies {
		by := fmt.Sprintf("policy %s of entry %d, by %s%s", r.Bundle.Short(), r.Entry, personsText(r.Reviewers), r.remarks())
		switch r.State {
		case stateInForce:
			para(fmt.Sprintf("IN FORCE since %s: %s", r.Effective.Format(time.RFC3339), by))
		case stateAnnounced:
			para(fmt.Sprintf("ANNOUNCED for %s: %s", r.Effective.Format(time.RFC3339), by))
		case stateNotGood:
			para(fmt.Sprintf("DOES NOT DECIDE, though its time came at %s: %s: %s", r.Effective.Format(time.RFC3339), by, r.Why))
			b.WriteString(report.Wrap("fix: restore the blob store, or release the rules again: verdict policy release DIR", s.Width, "  ") + "\n")
		}
		b.WriteString("  " + report.Neutral(string(r.Bundle)) + "\n")
	}
	return b.String()
}

func (r policyRow) remarks() string {
	out := ""
	if r.Rollback >= 0 {
		out += fmt.Sprintf("; it puts entry %d in force again", r.Rollback)
	}
	if r.Backtest != "" {
		out += "; with a backtest, blob " + r.Backtest.Short()
	}
	return out
}

// listed is every release, for people.
func (l policyList) listed(s report.Style) string {
	if len(l.Policies) == 0 {
		return "No policy was released: each map decides by the rules that it names.\n"
	}
	rows := [][]string{{"entry", "state", "effective", "digest", "by", ""}}
	for _, r := range l.Policies {
		rows = append(rows, []string{
			fmt.Sprint(r.Entry), r.State, r.Effective.Format(time.RFC3339), report.Neutral(r.Bundle.Short()), report.Neutral(dash(strings.Join(r.Reviewers, ", "))), report.Neutral(r.Why + strings.TrimPrefix(r.remarks(), "; ")),
		})
	}
	return report.Table(rows, s.Width, "")
}
