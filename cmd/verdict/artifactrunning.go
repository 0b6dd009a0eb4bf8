package main

import (
	"context"
	"fmt"

	"verdict"
	"verdict/ledger"
	"verdict/report"
)

// shownPlace is one place where an artifact is stated to run, or to have run.
type shownPlace struct {
	ledger.RunningRow
	// Trusted: the map lets whoever stated it speak of deployments of the service there.
	Trusted bool `json:"trusted"`
}

// fillPlaces asks the ledger where the digest runs. A registry knows nothing of that.
func fillPlaces(ctx context.Context, x *showing) error {
	if x.w == nil {
		x.doc.Unknown = append(x.doc.Unknown, "where it runs: there is no ledger here")
		return nil
	}
	rows, err := x.w.ledger.Running(ctx, ledger.RunningQuery{Digest: x.doc.Digest, At: x.at, Ended: true})
	if err != nil {
		return err
	}
	counts, err := x.w.counts(ctx, x.m)
	if err != nil {
		return err
	}
	for _, r := range rows {
		e, err := x.w.ledger.Entry(ctx, r.Index)
		if err != nil {
			return err
		}
		x.doc.Deployments = append(x.doc.Deployments, shownPlace{r, counts(verdict.KindDeployment, e.Producer, r.Service, r.Environment)})
	}
	return nil
}

func placeRows(d *shownArtifact) [][]string {
	if len(d.Deployments) == 0 {
		return [][]string{{"none", "nobody stated here that it was deployed, which does not say that it does not run"}}
	}
	var rows [][]string
	for _, p := range d.Deployments {
		state := "runs"
		if p.Ended >= 0 {
			state = "ran"
		}
		let := "no promotion is named"
		if p.Decision != "" {
			let = "let in by " + p.Decision
		}
		if !p.Trusted {
			let += "; a claim of somebody whom the map does not trust with it"
		}
		rows = append(rows, []string{state, report.Neutral(fmt.Sprintf("%s in %s", p.Service, p.Environment)), "since " + p.At.Format("2006-01-02 15:04"), report.Neutral(let)})
	}
	return rows
}
