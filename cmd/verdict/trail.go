package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

func trailCommand() command {
	return command{
		use: "trail REF", short: "Show the chain of evidence and decisions that a commit, artifact or file belongs to",
		long: "REF is a commit, a digest, an image as NAME@sha256:…, a file, a decision's id, or a name that git knows here. The chain is told in both directions: " +
			"what led to the subject, what was said about it, and what came of it. A link that is expected and not recorded is said to be unknown.",
		example: "verdict trail HEAD\nverdict trail dist/app.tar\nverdict trail sha256:… -o json",
		args:    exactly(1), formats: []string{"text", "json"}, reads: true,
		setup: runs(trail),
	}
}

func trail(ctx context.Context, a *app, args []string) error {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	n, err := w.resolve(ctx, args[0])
	if err != nil {
		return err
	}
	if n.Decision != "" {
		_, d, err := w.ledger.Decision(ctx, n.Decision, at)
		if err != nil {
			return err
		}
		n.Digest = d.Subject.Digest
	}
	t := &trailer{w: w, at: at}
	if t.by, err = w.signers(ctx); err != nil {
		return err
	}
	nodes, err := t.tell(ctx, n.Digest)
	if err != nil {
		return err
	}
	if err := a.write(func(out io.Writer, format string, s report.Style) error { return report.Trail(out, format, nodes, s) }); err != nil {
		return err
	}
	if len(nodes) == 0 {
		return exit(verdict.CodeNotFound.Exit())
	}
	return nil
}

// trailer walks from one subject to those that it is joined with.
type trailer struct {
	w  *workspace
	at ledger.Position
	by func(producer string) string
}

// tell gives the chain of a subject. It is empty when the log holds nothing about it.
func (t *trailer) tell(ctx context.Context, d verdict.Digest) ([]report.TrailNode, error) {
	said, err := t.about(ctx, d, report.Asked)
	if err != nil {
		return nil, err
	}
	trusted, err := t.trusted(ctx, d)
	if err != nil || len(said)+len(trusted) == 0 {
		return nil, err
	}
	stated, err := t.builds(ctx)
	if err != nil {
		return nil, err
	}
	builds := joins(stated, trusted)
	about := verdict.Subject{Kind: kindOfSubject(d), Digest: d}
	if len(said) > 0 {
		about = said[0].Subject
	}
	var before, after []report.TrailNode
	for _, b := range builds {
		switch {
		case slices.Contains(b.artifacts, d):
			for _, source := range b.sources {
				more, err := t.joined(ctx, source, b, report.Before, "built from this change")
				if err != nil {
					return nil, err
				}
				before = append(before, more...)
			}
		case slices.Contains(b.sources, d):
			for _, artifact := range b.artifacts {
				more, err := t.joined(ctx, artifact, b, report.After, "built from it")
				if err != nil {
					return nil, err
				}
				after = append(after, more...)
			}
		}
	}
	nodes := append(before, said...)
	return append(nodes, append(after, gaps(about, said, before, after)...)...), nil
}

// joined is the link to another subject, and below it what was said about that one.
func (t *trailer) joined(ctx context.Context, d verdict.Digest, b provenance, side report.Side, how string) ([]report.TrailNode, error) {
	link := report.TrailNode{
		Side: side, Layer: verdict.LayerArtifact, Subject: verdict.Subject{Kind: kindOfSubject(d), Digest: d}, Recorded: b.entry.Ref(), Summary: how,
		Actor: b.entry.Context.Actor, By: t.by(b.entry.Producer),
	}
	if b.trusted {
		link.Summary += ", as artifact.trust took it"
	}
	nodes, err := t.about(ctx, d, side)
	for i := range nodes {
		nodes[i].Depth++
		link.Subject = nodes[i].Subject
	}
	return append([]report.TrailNode{link}, nodes...), err
}

func kindOfSubject(d verdict.Digest) verdict.SubjectKind {
	if d.Algorithm() == "gitCommit" {
		return verdict.SubjectChange
	}
	return verdict.SubjectArtifact
}

// about lists what was said of one subject, oldest first.
func (t *trailer) about(ctx context.Context, d verdict.Digest, side report.Side) ([]report.TrailNode, error) {
	entries, err := t.w.findAll(ctx, ledger.Query{Subject: d, At: t.at})
	if err != nil {
		return nil, err
	}
	var nodes []report.TrailNode
	for _, e := range slices.Backward(entries) {
		if e.Kind == verdict.KindDecision && !isAbout(e, d) { // of what was made from it: told as a link
			continue
		}
		n := report.TrailNode{Side: sideOf(e.Kind, side), Subject: subjectIn(e, d), Recorded: e.Ref(), Actor: e.Context.Actor, By: t.by(e.Producer), Point: e.Context.Point, Layer: layerOf(e.Kind)}
		if err := t.describe(ctx, e, &n); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func subjectIn(e ledger.Entry, d verdict.Digest) verdict.Subject {
	for _, s := range e.Subjects {
		if s.Digest == d || slices.Contains(s.Also, d) {
			return s
		}
	}
	return verdict.Subject{Kind: kindOfSubject(d), Digest: d}
}

// layerOf is the layer whose evidence a kind is; empty for kinds that stand outside.
func layerOf(k verdict.Kind) verdict.Layer {
	switch k {
	case verdict.KindOwnership, verdict.KindChangeReview:
		return verdict.LayerCode
	case verdict.KindTestResult, verdict.KindVulnerabilities, verdict.KindIgnore:
		return verdict.LayerCI
	case verdict.KindSBOM, verdict.KindImage, verdict.KindSignature, verdict.KindProvenance, verdict.KindVSA, verdict.KindVEX:
		return verdict.LayerArtifact
	case verdict.KindDeployment, verdict.KindApproval, verdict.KindException, verdict.KindBreakGlass, verdict.KindAdmission:
		return verdict.LayerDeploy
	case verdict.KindObservation, verdict.KindIntent, verdict.KindFinding, verdict.KindOutcome:
		return verdict.LayerRuntime
	}
	return ""
}

// describe says what an entry is in a few words.
func (t *trailer) describe(ctx context.Context, e ledger.Entry, n *report.TrailNode) error {
	n.Summary = string(e.Kind)
	if e.Foreign {
		n.Summary += ", stated by others"
		if e.Kind == verdict.KindDecision {
			n.Summary += ": a claim, not a decision of this log"
		}
	}
	if e.Pruned {
		n.Unknown = "the body was deleted at the end of its retention; its leaf stays"
		return nil
	}
	b, err := t.w.ledger.Bundle(ctx, e.Index)
	if err != nil {
		n.Unknown = "the body cannot be read: " + err.Error()
		return nil
	}
	s, err := b.Statement()
	if err != nil {
		n.Unknown = "the statement cannot be read: " + err.Error()
		return nil
	}
	if e.Kind == verdict.KindVSA && n.Subject.Kind == verdict.SubjectChange {
		n.Layer = verdict.LayerCode // the summary of a source
	}
	if words, state, ok := codeTold(s); ok {
		n.Layer, n.Summary = verdict.LayerCode, strings.Replace(n.Summary, string(verdict.KindTestResult), "change", 1)+": "+words
		if state != verdict.StateVerified {
			n.Unknown = words
		}
		return nil
	}
	if r, ok := evidence.ReportOf(s); ok {
		n.Summary = fmt.Sprintf("%s checked: %d found in %s", r.Check, len(r.Hits), plural(int(r.Scope.Files), "file", "files"))
		if !r.Complete {
			n.Summary += ", not complete"
		}
		return nil
	}
	switch e.Kind {
	case verdict.KindDeployment, verdict.KindOutcome:
		placedWords(s, n)
	case verdict.KindDecision:
		decidedWords(s, n)
	default:
		if told := toldOf(e.Kind, s); told != "" {
			n.Summary = strings.Replace(n.Summary, string(e.Kind), told, 1)
		}
		if n.Subject.Kind == verdict.SubjectChange && (e.Kind == verdict.KindSBOM || e.Kind == verdict.KindVEX) {
			n.Layer = verdict.LayerCI // of what a tree asks for, before anything is built
		}
	}
	return nil
}

// toldOf is what a statement says in the place of its kind; empty: nothing more than that.
func toldOf(k verdict.Kind, s *evidence.Statement) string {
	switch k {
	case verdict.KindSBOM:
		return billSummary(s)
	case verdict.KindProvenance:
		return provenanceSummary(s)
	case verdict.KindImage:
		return imageSummary(s)
	case verdict.KindVSA:
		return summaryTold(s)
	case verdict.KindFinding:
		return findingTold(s)
	case verdict.KindVEX:
		return vexSummary(s)
	case verdict.KindApproval, verdict.KindException, verdict.KindBreakGlass:
		return personTold(s)
	case verdict.KindAccess, verdict.KindRoleChange:
		return accessTold(s)
	}
	return ""
}

// decidedWords says what was decided.
func decidedWords(s *evidence.Statement, n *report.TrailNode) {
	var d verdict.Decision
	if err := s.Decode(&d); err != nil {
		n.Unknown = "the decision cannot be read: " + err.Error()
		return
	}
	n.Layer, n.Point, n.ID, n.Summary = d.Layer, d.Point, d.ID, d.Question
	if d.Environment != "" { // the question says "this environment"
		n.Summary += " (" + d.Environment + ")"
	}
	n.Outcome, n.Enforced = d.Outcome, d.Enforced
}

// provenance joins artifacts with the changes that they came from: a provenance statement,
// or the answer of artifact.trust that rests on one.
type provenance struct {
	entry     ledger.Entry
	artifacts []verdict.Digest
	sources   []verdict.Digest
	trusted   bool // artifact.trust took it for true
}

// builds reads the provenance statements of the log, which join changes and artifacts.
func (t *trailer) builds(ctx context.Context) ([]provenance, error) {
	entries, err := t.w.findAll(ctx, ledger.Query{Kind: verdict.KindProvenance, At: t.at})
	if err != nil {
		return nil, err
	}
	var out []provenance
	for _, e := range entries {
		b, err := t.w.ledger.Bundle(ctx, e.Index)
		if err != nil {
			continue // told where the statement itself is listed
		}
		s, err := b.Statement()
		if err != nil {
			continue
		}
		one := provenance{entry: e}
		for _, subject := range s.Subjects {
			one.artifacts = append(one.artifacts, subject.Digest)
		}
		one.sources = sourcesOf(s)
		out = append(out, one)
	}
	return out, nil
}

// sourcesOf reads the git commits that a SLSA provenance names: resolvedDependencies of
// v1, materials of v0.1 and v0.2.
func sourcesOf(s *evidence.Statement) []verdict.Digest {
	type resource struct {
		Digest map[string]string `json:"digest"`
	}
	var p struct {
		BuildDefinition struct {
			ResolvedDependencies []resource `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		Materials []resource `json:"materials"`
	}
	if s.Decode(&p) != nil {
		return nil
	}
	var out []verdict.Digest
	for _, r := range append(p.BuildDefinition.ResolvedDependencies, p.Materials...) {
		for _, name := range []string{"gitCommit", "sha1"} { // v0.2 writes commits as sha1
			if d, err := verdict.ParseDigest("gitCommit:" + r.Digest[name]); err == nil && !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// gaps are the links that a subject of its kind has when the chain is whole, and that
// this log does not hold.
func gaps(about verdict.Subject, said, before, after []report.TrailNode) []report.TrailNode {
	all := slices.Concat(before, said, after)
	has := func(layer verdict.Layer, decided bool) bool {
		return slices.ContainsFunc(all, func(n report.TrailNode) bool { return n.Layer == layer && (n.Outcome != "") == decided })
	}
	var out []report.TrailNode
	gap := func(side report.Side, layer verdict.Layer, what string) {
		out = append(out, report.TrailNode{
			Side: side, Layer: layer, Subject: about, Recorded: verdict.Ref{Index: -1}, Unknown: what,
		})
	}
	change := about.Kind == verdict.SubjectChange || about.Kind == verdict.SubjectTree
	side := report.Before
	if change {
		side = report.Asked
	}
	if !has(verdict.LayerCode, false) {
		gap(side, verdict.LayerCode, "who owns the change and who reviewed it is not recorded")
	}
	if !has(verdict.LayerCI, true) {
		gap(side, verdict.LayerCI, "no ci decision is recorded")
	}
	if change && len(after) == 0 {
		gap(report.After, verdict.LayerArtifact, "no artifact that names this change as its source is recorded")
	}
	if !has(verdict.LayerDeploy, true) {
		gap(report.After, verdict.LayerDeploy, "no promotion into any environment is recorded")
	} else if !slices.ContainsFunc(all, func(n report.TrailNode) bool { return slices.Contains(placed, n.Recorded.Kind) }) {
		gap(report.After, verdict.LayerDeploy, "whether what was let in was deployed is not stated")
	}
	return out
}
