package main

import (
	"context"
	"fmt"

	"verdict"
	"verdict/decide"
	"verdict/report"
)

// shownBuild is what one piece of provenance tells, and what the map makes of it.
type shownBuild struct {
	verdict.Provenance
	Producer string `json:"producer"`
	// Known is the builder's name in the map, and Level what it is worth; empty and 0 where
	// the map does not know it, or its signature is not known to hold.
	Known string         `json:"known"`
	Level int64          `json:"level"`
	Why   string         `json:"why"`  // the map does not know the builder, or the provenance cannot be read
	From  verdict.Digest `json:"from"` // the statement
}

// fillBuilds reads the provenance among the evidence.
func fillBuilds(_ context.Context, x *showing) error {
	for _, p := range x.doc.Evidence {
		if p.Kind != verdict.KindProvenance || p.statement == nil {
			continue
		}
		b := shownBuild{Producer: p.Producer, From: p.Digest}
		var err error
		if b.Provenance, err = p.statement.Provenance(); err != nil {
			b.Why = "it cannot be read: " + verdict.AsError(err).What
			b.Provenance = verdict.Provenance{Parameters: []verdict.Parameter{}, Materials: []verdict.Material{}}
		} else if p.State != verdict.StateVerified {
			b.Why = "its signature is not known to hold"
		} else {
			signer := decide.SignerOf(p.producer)
			signer.KeyName = p.Name
			known, why := x.m.Builder(signer, b.Builder, b.BuildType)
			b.Known, b.Level, b.Why = known.Name, known.Level, why
		}
		x.doc.Builds = append(x.doc.Builds, b)
	}
	return nil
}

func buildRows(d *shownArtifact) [][]string {
	var rows [][]string
	for _, b := range d.Builds {
		if b.Builder == "" {
			rows = append(rows, []string{"unknown", report.Neutral(b.Why)})
			continue
		}
		worth := fmt.Sprintf("%s, SLSA build level %d", b.Known, b.Level)
		if b.Known == "" {
			worth = "not known: " + b.Why
		}
		from := "a source that it does not name"
		if b.Source != "" {
			from = b.Source
		}
		if b.Commit != "" {
			from += " at " + b.Commit.Short()
		}
		rows = append(rows, []string{"builder", report.Neutral(b.Builder)}, []string{"", report.Neutral(worth)}, []string{"source", report.Neutral(from)})
	}
	if rows == nil {
		return [][]string{{"none", "no provenance is known here"}}
	}
	return rows
}
