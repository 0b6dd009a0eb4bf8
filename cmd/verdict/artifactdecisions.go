package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"verdict"
	"verdict/report"
)

// shownDecision is one decision about an artifact.
type shownDecision struct {
	ID          string          `json:"id"`
	Point       string          `json:"point"`
	Environment string          `json:"environment"`
	Outcome     verdict.Outcome `json:"outcome"`
	Enforced    verdict.Outcome `json:"enforced"`
	At          time.Time       `json:"at"`
	Producer    string          `json:"producer"`
	Trusted     bool            `json:"trusted"` // by the map, to decide at this point
	Older       int             `json:"older"`   // decisions of the same point and environment that this one replaced
}

// fillDecisions reads the decisions among the evidence, the newest of each point and
// environment. One whose signature is not known to hold decides nothing: it stays among
// the evidence.
func fillDecisions(_ context.Context, x *showing) error {
	type place struct{ point, environment string }
	at := map[place]int{}
	for _, p := range slices.Backward(x.doc.Evidence) { // newest first
		if p.Kind != verdict.KindDecision || p.State != verdict.StateVerified || p.statement == nil {
			continue
		}
		var d verdict.Decision
		if err := p.statement.Decode(&d); err != nil {
			x.doc.Unknown = append(x.doc.Unknown, fmt.Sprintf("what the decision in %s says: %v", p.Where, err))
			continue
		}
		key := place{d.Point, d.Environment}
		if i, ok := at[key]; ok {
			x.doc.Decisions[i].Older++
			continue
		}
		at[key] = len(x.doc.Decisions)
		x.doc.Decisions = append(x.doc.Decisions, shownDecision{
			ID: d.ID, Point: d.Point, Environment: d.Environment, Outcome: d.Outcome, Enforced: d.Enforced, At: d.At, Producer: p.Producer, Trusted: p.Trusted,
		})
	}
	return nil
}

func decisionRows(d *shownArtifact) [][]string {
	if len(d.Decisions) == 0 {
		return [][]string{{"none", "nothing was decided about this digest, as far as is known here"}}
	}
	var rows [][]string
	for _, x := range d.Decisions {
		what := string(x.Outcome)
		if x.Outcome != x.Enforced {
			what += ", enforced as " + string(x.Enforced)
		}
		where := x.Point
		if x.Environment != "" {
			where += " in " + x.Environment
		}
		note := ""
		if x.Older > 0 {
			note = fmt.Sprintf("%d older", x.Older)
		}
		rows = append(rows, []string{report.Neutral(what), report.Neutral(where), x.At.Format("2006-01-02 15:04"), "verdict why " + report.Neutral(x.ID), note})
	}
	return rows
}
