package main

import (
	"context"
	"strings"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

// shownContents is what is known of what is in an artifact. Either part is absent where nobody
// whose signature holds has stated it: nothing known is not the same as nothing found.
type shownContents struct {
	Bill    *shownBill    `json:"bill,omitempty"`
	Matched *shownMatched `json:"matched,omitempty"`
}

// shownBill is the last bill of materials.
type shownBill struct {
	Says     string         `json:"says"`
	Licences *shownLicences `json:"licences,omitempty"` // none: its components cannot be read
	Trusted  bool           `json:"trusted"`
	From     verdict.Digest `json:"from"` // the statement
}

// shownLicences are the licences that a bill declares.
type shownLicences struct {
	Components int            `json:"components"`
	Unknown    int            `json:"unknown"` // components that declare none, or what SPDX does not know
	Declared   map[string]int `json:"declared"`
	says       string
}

// licencesOf reads the licences of a bill; nil for one that cannot be read here.
func licencesOf(ctx context.Context, w *workspace, s *evidence.Statement) *shownLicences {
	var blobs ledger.Blobs
	if w != nil {
		blobs = w.ledger
	} else if s.PredicateType == evidence.StoredBill {
		return nil
	}
	b, err := ledger.ReadBill(ctx, blobs, s)
	if err != nil {
		return nil
	}
	l := b.Licences()
	out := &shownLicences{Components: l.Components, Unknown: l.Unknown, Declared: map[string]int{}, says: l.String()}
	for _, u := range l.Uses {
		out.Declared[u.Expression] = u.Components
	}
	return out
}

// shownMatched is the last report of its vulnerabilities.
type shownMatched struct {
	Known      int            `json:"known"`
	Components int64          `json:"components"`
	Complete   bool           `json:"complete"`          // all of them could be judged
	Why        string         `json:"why"`               // they could not
	DataAt     *time.Time     `json:"data_at,omitempty"` // of the advisories; none where none are about it
	Trusted    bool           `json:"trusted"`
	From       verdict.Digest `json:"from"`
}

// fillContents reads the last bill and the last report among the evidence, which lies oldest
// first.
func fillContents(ctx context.Context, x *showing) error {
	for _, p := range x.doc.Evidence {
		if p.State != verdict.StateVerified || p.statement == nil {
			continue
		}
		switch p.Kind {
		case verdict.KindSBOM:
			x.doc.Contents.Bill = &shownBill{strings.TrimPrefix(billSummary(p.statement), "bill of materials: "), licencesOf(ctx, x.w, p.statement), p.Trusted, p.Digest}
		case verdict.KindVulnerabilities:
			if r, ok := evidence.ReportOf(p.statement); ok {
				x.doc.Contents.Matched = matchedOf(r, p)
			}
		}
	}
	return nil
}

func matchedOf(r *verdict.Report, p piece) *shownMatched {
	m := &shownMatched{Known: len(r.Hits), Components: r.Scope.Components, Complete: r.Complete, Trusted: p.Trusted, From: p.Digest}
	if r.Database != nil && !r.Database.At.IsZero() {
		m.DataAt = &r.Database.At
	}
	for _, n := range r.NotChecked {
		if n.Blocks && m.Why == "" {
			m.Why = n.Reason
		}
	}
	return m
}

func contentRows(d *shownArtifact) [][]string {
	claim := func(trusted bool) string {
		if trusted {
			return ""
		}
		return "; a claim: the map does not trust its producer with it"
	}
	rows := [][]string{{"sbom", "unknown", "no bill of materials about it is here"}, {"licences", "unknown", "no bill of materials declares them"}, {"vulnerabilities", "unknown", "nobody held it against advisories"}}
	if b := d.Contents.Bill; b != nil {
		rows[0] = []string{"sbom", "stated", report.Neutral(b.Says) + claim(b.Trusted)}
		rows[1][2] = "the components of its bill of materials cannot be read here"
		if l := b.Licences; l != nil {
			rows[1] = []string{"licences", "declared", report.Neutral(l.says) + claim(b.Trusted)}
			if l.Unknown > 0 || l.Components == 0 {
				rows[1][1] = "unknown"
			}
		}
	}
	m := d.Contents.Matched
	if m == nil {
		return rows
	}
	said := plural(m.Known, "known", "known") + " in " + plural(int(m.Components), "component", "components")
	if m.Known == 0 {
		said = "none known in " + plural(int(m.Components), "component", "components")
	}
	if m.DataAt != nil {
		said += ", by advisories of " + m.DataAt.UTC().Format("2006-01-02 15:04 MST")
	}
	state := "matched"
	if !m.Complete {
		state, said = "unknown", said+", and not all could be judged: "+report.Neutral(m.Why)
	}
	rows[2] = []string{"vulnerabilities", state, said + claim(m.Trusted)}
	return rows
}
