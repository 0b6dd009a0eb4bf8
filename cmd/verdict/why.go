package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

func whyCommand() command {
	return command{
		use: "why REF", short: "Explain a decision, or what was decided about a commit, artifact or file",
		long: "REF is a decision's id (any beginning that is unique), a digest, an image as NAME@sha256:…, a file, a commit, or a name that git knows here, such as HEAD. " +
			"The answer comes from what was recorded; nothing is scanned again. Of a digest or commit it is told what it was made from, what was made from it, and where that runs; of a promotion, what came of it. Of several decisions those that are a plain yes, or were replaced, are told in a line each; with --verbose each of them whole.",
		example: "verdict why HEAD\nverdict why HEAD --verbose\nverdict why d-4k7m\nverdict why d-4k7m -o json",
		args:    exactly(1), formats: []string{"text", "json"}, reads: true,
		setup: runs(why),
	}
}

func why(ctx context.Context, a *app, args []string) error {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	x, err := w.explanation(ctx, args[0])
	if err != nil {
		return err
	}
	if err := a.write(func(out io.Writer, format string, s report.Style) error {
		s.All = a.config.Verbose
		return report.Why(out, format, x, s)
	}); err != nil {
		return err
	}
	if len(x.Cases) == 0 {
		return exit(verdict.CodeNotFound.Exit())
	}
	return nil
}

// explanation gathers what was decided about a REF and what it rests on.
func (w *workspace) explanation(ctx context.Context, ref string) (report.Explanation, error) {
	x := report.Explanation{Asked: ref, At: w.now()}
	at, err := w.position(ctx)
	if err != nil {
		return x, err
	}
	if x.Position, err = w.size(ctx, at); err != nil {
		return x, err
	}
	n, err := w.resolve(ctx, ref)
	if err != nil {
		return x, err
	}
	rows, older, err := w.decisionsOf(ctx, n, at)
	if err != nil {
		return x, err
	}
	for _, r := range rows {
		c, err := w.explain(ctx, r, at)
		if err != nil {
			return x, err
		}
		x.Cases = append(x.Cases, c)
	}
	if n.Decision == "" {
		if x.Chain, err = w.chain(ctx, n.Digest, at); err != nil {
			return x, err
		}
	}
	if older > 0 {
		x.Notes = append(x.Notes, fmt.Sprintf("%s replaced by these; `verdict trail %s` lists them", plural(older, "older decision was", "older decisions were"), ref))
	}
	return x, nil
}

// size is the number of entries that a position sees.
func (w *workspace) size(ctx context.Context, at ledger.Position) (int64, error) {
	if at != ledger.Now {
		return int64(at), nil
	}
	c, err := w.ledger.Checkpoint(ctx)
	return int64(c.Position), err
}

// explain gathers one decision's evidence.
func (w *workspace) explain(ctx context.Context, r ledger.DecisionRow, at ledger.Position) (report.Case, error) {
	entry, d, err := w.ledger.Decision(ctx, r.ID, at)
	if err != nil {
		return report.Case{}, err
	}
	by, err := w.signers(ctx)
	if err != nil {
		return report.Case{}, err
	}
	c := report.Case{Decision: *d, Recorded: entry.Ref(), By: by(entry.Producer)}
	if r.Replaced >= 0 {
		newer, err := w.ledger.Entry(ctx, r.Replaced)
		if err != nil {
			return c, err
		}
		if c.Replaced, err = w.decisionIn(ctx, newer.Index); err != nil {
			return c, err
		}
	}
	for _, ref := range d.Evidence {
		e, read, err := w.evidenceOf(ctx, ref)
		if err != nil {
			return c, err
		}
		need := ""
		if read != nil {
			need = read.Check
		}
		e.State, e.By = stateOf(*d, e, need), by(e.Producer)
		c.Evidence = append(c.Evidence, e)
		if read != nil {
			c.Reports = append(c.Reports, *read)
		}
	}
	return c, w.cameOf(ctx, &c, at)
}

// signers names who signed: the person or machine that a key is enrolled for. Another key is
// told by its beginning, and a certificate by its identity.
func (w *workspace) signers(ctx context.Context) (func(producer string) string, error) {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return func(producer string) string {
		k, enrolled := h.Key(producer)
		switch raw, err := base64.StdEncoding.DecodeString(producer); {
		case enrolled:
			return k.Person
		case err == nil && len(raw) == sha256.Size: // the form of a key's id
			return "key " + producer[:12]
		}
		return producer
	}, nil
}

// decisionIn is the id of the decision that an entry records.
func (w *workspace) decisionIn(ctx context.Context, index int64) (string, error) {
	var d verdict.Decision
	err := w.decode(ctx, index, &d)
	return d.ID, err
}

// evidenceOf describes one statement that a decision rests on. A body that is gone or
// unreadable is said, and never left out.
func (w *workspace) evidenceOf(ctx context.Context, ref verdict.Ref) (report.Evidence, *verdict.Report, error) {
	e := report.Evidence{Ref: ref, State: verdict.StateUnknown}
	entry, err := w.ledger.Entry(ctx, ref.Index)
	if err != nil {
		return e, nil, err
	}
	e.Context, e.Foreign, e.Pruned = entry.Context, entry.Foreign, entry.Pruned
	if entry.Pruned {
		e.Summary = "its body was deleted at the end of its retention"
		return e, nil, nil
	}
	b, err := w.ledger.Bundle(ctx, ref.Index)
	if err != nil {
		e.Summary = "its body cannot be read: " + err.Error()
		return e, nil, nil
	}
	s, err := b.Statement()
	if err != nil {
		e.Summary = "its statement cannot be read: " + err.Error()
		return e, nil, nil
	}
	if words, state, ok := codeTold(s); ok {
		e.Summary, e.State = words, state
		return e, nil, nil
	}
	r, ok := evidence.ReportOf(s)
	if !ok {
		e.State, e.Summary = verdict.StateVerified, personTold(s)
		switch s.Kind() {
		case verdict.KindVEX:
			e.Summary = vexSummary(s)
		case verdict.KindProvenance:
			e.Summary = provenanceSummary(s)
		case verdict.KindSBOM:
			e.Summary = billSummary(s)
			if l := licencesOf(ctx, w, s); l != nil {
				e.Summary += "; licences: " + l.says
			}
		case verdict.KindImage:
			e.Summary = imageSummary(s)
		case verdict.KindDecision:
			e.Summary = decisionTold(s)
		case verdict.KindVSA:
			e.Summary = summaryTold(s)
		case verdict.KindFinding:
			e.Summary = findingTold(s)
		case verdict.KindDeployment, verdict.KindOutcome:
			e.Summary = placedTold(s)
		case verdict.KindAccess, verdict.KindRoleChange:
			e.Summary = accessTold(s)
		}
		return e, nil, nil
	}
	e.State = verdict.StateVerified
	e.Summary = fmt.Sprintf("%s %s checked %s: %s, %d found", r.Tool.Name, r.Tool.Version, r.Check, plural(int(r.Scope.Files), "file", "files"), len(r.Hits))
	return e, r, nil
}

// decisionTold is the answer of another point that a decision rests on: which point, what it
// answered, and about what.
func decisionTold(s *evidence.Statement) string {
	var d verdict.Decision
	if s.Decode(&d) != nil || d.Point == "" {
		return "a decision that cannot be read"
	}
	did := map[verdict.Outcome]string{verdict.Allow: "allowed", verdict.Deny: "denied", verdict.Review: "wants a person to approve"}[d.Outcome]
	words := fmt.Sprintf("%s %s %s %s", d.Point, first(did, "could not decide on"), first(string(d.Subject.Kind), "subject"), d.Subject.Digest.Short())
	if d.Environment != "" {
		words += " in " + d.Environment
	}
	if d.Outcome != verdict.Allow && d.Enforced == verdict.Allow {
		words += fmt.Sprintf(", and its mode (%s) let it through", d.Mode)
	}
	return words + " (" + d.ID + ")"
}

// stateOf says how a statement counted: a fault of the decision about its check is
// stronger than that the statement itself is sound.
func stateOf(d verdict.Decision, e report.Evidence, need string) verdict.State {
	if e.State != verdict.StateVerified || need == "" {
		return e.State
	}
	for _, s := range []verdict.State{verdict.StateFailed, verdict.StateStale, verdict.StateUnknown} {
		about := func(f verdict.Fault) bool {
			return f.Code == "check."+string(s) && strings.HasPrefix(f.What, need+": ")
		}
		if slices.ContainsFunc(d.Errors, about) {
			return s
		}
	}
	return e.State
}
