package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/policy"
	"verdict/report"
	"verdict/sbom"
)

const seeTrust = "verdict artifact trust --help"

func artifactTrustCommand() command {
	return command{
		use: "trust REF", short: "Decide once whether a digest is what a trusted builder made from checked source",
		long: "REF is an image as NAME@sha256:…, a digest, or a file, which is hashed. The answer rests on what was recorded of the digest (signature, provenance, bill of materials) and on what was decided about the commit that it was built from. " +
			"That commit is taken from provenance that holds: signed by whom the map names under builders:, built from the service's repository, without parameters that the map does not know. Nothing is scanned and no risk is weighed again.\n\n" +
			"Where the answer is yes, a SLSA verification summary (VSA) with the verified levels is recorded beside the decision, and where it is no, one that says FAILED. -o bundle=FILE writes it as a Sigstore bundle with its proof of the log, for cosign; -o envelope=FILE as the bare DSSE envelope, for slsa-verifier.",
		example: "verdict artifact trust ghcr.io/acme/payments-api@sha256:…\nverdict artifact trust dist/app.tar --service payments-api\nverdict artifact trust ghcr.io/acme/payments-api@sha256:… -o bundle=app.vsa.sigstore.json",
		args:    exactly(1), formats: append(slices.Clone(report.Formats), summaryFormats...), judges: true,
		setup: func(f *flags) runner {
			x := &trusting{}
			f.text(&x.service, "service", "NAME", "service of the map that the artifact is of; default: the one whose repository this folder is")
			return x.run
		},
	}
}

// summaryFormats are the forms in which the verification summary is written.
var summaryFormats = []string{"bundle", "envelope"}

// trusting is one run of the command.
type trusting struct{ service string }

func (x *trusting) run(ctx context.Context, a *app, args []string) (err error) {
	subject, err := a.artifactOf(ctx, args[0])
	if err != nil {
		return err
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	if subject, err = w.named(ctx, subject); err != nil {
		return err
	}
	repo, err := repository(ctx, ".")
	if err != nil {
		return err
	}
	judged, own, service, err := w.judges(ctx, repo, pipelineGoal(a.env), x.service)
	if err != nil {
		return err
	}
	run, err := w.decideAt(ctx, onlyPoint(trustPoint), judged, own, decide.Request{
		Subject: subject, Service: service, Team: judged.Map.Services[service].Team, Trigger: "verdict artifact trust", Actor: w.actor(), Run: pipelineRun(a.env),
	})
	if err != nil {
		return err
	}
	run.Command = "verdict artifact trust " + args[0]
	written := map[string][]byte{"bundle": nil, "envelope": nil}
	for _, d := range run.Decisions {
		s, err := w.summarize(ctx, d)
		if err != nil {
			return err
		}
		if w.remote == nil { // a server told it with its answer
			run.Notes = append(run.Notes, s.told()...)
		}
		if s.bundle != nil {
			written["bundle"], written["envelope"] = append(bytes.TrimSpace(s.bundle.JSON()), '\n'), append(s.bundle.Envelope(), '\n')
		}
	}
	run.Next = firstGate(judged.Map, service, subject, run.Exit())
	return a.concludeWith(run, written)
}

// firstGate is where an artifact that is trusted now goes next: an environment that comes
// after no other.
func firstGate(m *decisionmap.Map, service string, subject verdict.Subject, exit int) []report.Further {
	if exit != 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.Environments)) {
		if m.Environments[name].PromoteFrom == "" {
			return []report.Further{{Command: fmt.Sprintf("verdict gate --env %s --service %s %s", name, service, reference(subject)), Why: "may it go into " + name + "?"}}
		}
	}
	return nil
}

// artifactOf finds out which artifact a reference means.
func (a *app) artifactOf(ctx context.Context, ref string) (verdict.Subject, error) {
	s, err := a.subject(ctx, ref)
	if err != nil {
		return s, err
	}
	if s.Kind == "" {
		s.Kind = verdict.SubjectArtifact
	}
	if s.Kind != verdict.SubjectArtifact || !strings.HasPrefix(s.Digest.Algorithm(), "sha") {
		return s, usage(seeTrust, fmt.Sprintf("%s is a commit, and an artifact is what was built from one", ref), "give the image as NAME@sha256:…, its digest, or the file; verdict ci decides on commits")
	}
	return s, nil
}

// named gives a bare digest the name under which evidence about it was recorded last.
func (w *workspace) named(ctx context.Context, s verdict.Subject) (verdict.Subject, error) {
	if s.Name != "" {
		return s, nil
	}
	entries, err := w.ledger.Find(ctx, ledger.Query{Subject: s.Digest, At: ledger.Now, Limit: 100})
	if err != nil {
		return s, err
	}
	for _, e := range entries {
		for _, about := range e.Subjects {
			if about.Digest == s.Digest && about.Name != "" && !e.Foreign {
				s.Name = about.Name
				return s, nil
			}
		}
	}
	return s, nil
}

// summary is what was stated of an artifact beside the decision about it.
type summary struct {
	decision verdict.Decision
	artifact policy.Artifact
	stated   evidence.Summary // without a result where nothing was stated
	entry    ledger.Entry
	bundle   *evidence.Bundle
}

// summarize states what a decision verified, in the words that others verify by. Only an
// outcome that allows passes, whatever the mode let through; what could not be decided says
// nothing.
func (w *workspace) summarize(ctx context.Context, d verdict.Decision) (s summary, err error) {
	s.decision = d
	entry, statement, err := w.ledger.DecisionStatement(ctx, d.ID, ledger.Now)
	if err != nil {
		return s, err
	}
	var rec struct {
		Basis decide.Basis `json:"basis"`
	}
	if err := statement.Decode(&rec); err != nil {
		return s, err
	}
	in, err := policy.ParseInput(rec.Basis.Input)
	if err != nil {
		return s, err
	}
	s.artifact = in.Artifact
	switch {
	case d.Outcome == verdict.Allow && d.Enforced == verdict.Allow:
		s.stated.Result, s.stated.Levels = evidence.SummaryPassed, verifiedLevels(in.Artifact)
	case d.Outcome == verdict.Deny:
		s.stated.Result, s.stated.Levels = evidence.SummaryFailed, []string{evidence.SummaryFailed}
	default:
		return s, nil
	}
	s.stated.Verifier = evidence.SummaryVerifier{ID: evidence.ArtifactVerifier, Version: map[string]string{"verdict": version()}}
	s.stated.At, s.stated.SLSA, s.stated.Resource = d.At, evidence.SLSAVersion, resourceOf(d.Subject)
	s.stated.Policy = evidence.Resource(evidence.DefaultBase+"/points/"+d.Point, d.Digests.Policy)
	s.stated.Inputs = []evidence.SummaryInput{evidence.Resource(evidence.DefaultBase+"/decisions/"+d.ID, entry.Digest)}
	for _, ref := range d.Evidence {
		s.stated.Inputs = append(s.stated.Inputs, evidence.Resource(evidence.DefaultBase+"/evidence/"+string(ref.Kind), ref.Digest))
	}
	if w.remote != nil {
		return w.summarizedThere(ctx, s, entry)
	}
	if s.entry, err = w.state(ctx, verdict.KindVSA, d.Subject, s.stated, verdict.Context{Service: d.Service, Team: d.Team, Point: d.Point, Run: pipelineRun(w.app.env), Retention: "release"}); err != nil {
		return s, fmt.Errorf("state the verification summary: %w", err)
	}
	s.bundle, _, err = w.takenOut(ctx, s.entry)
	return s, err
}

// summarizedThere finds the summary that the server stated with its decision.
func (w *workspace) summarizedThere(ctx context.Context, s summary, decided ledger.Entry) (summary, error) {
	found, err := w.ledger.Find(ctx, ledger.Query{Kind: verdict.KindVSA, Subject: s.decision.Subject.Digest, From: decided.Index, At: ledger.Now})
	if err != nil {
		return s, err
	}
	if len(found) == 0 {
		return s, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the server decided, and states no verification summary of " + string(s.decision.Subject.Digest), Remedy: "ask again: verdict artifact trust " + reference(s.decision.Subject),
		}
	}
	s.entry = found[len(found)-1] // the first after the decision
	s.bundle, _, err = w.takenOut(ctx, s.entry)
	return s, err
}

// verifiedLevels are those that the decision rested on, and no others.
func verifiedLevels(a policy.Artifact) []string {
	p, levels := a.Provenance, []string{}
	if p.State == verdict.StateVerified && p.Known != "" && p.Own && p.Commit != "" && len(p.Unknown) == 0 {
		levels = append(levels, evidence.BuildLevel(p.SLSA))
	} else {
		levels = append(levels, evidence.BuildLevel(0))
	}
	if a.Source.State == verdict.StateVerified && a.Source.SLSA > 0 {
		levels = append(levels, evidence.SourceLevel(a.Source.SLSA))
		if a.Source.Reviewed {
			levels = append(levels, evidence.SourceReviewed)
		}
	}
	return levels
}

// resourceOf names an artifact as a resource: an image and a file by their package URLs
// without version, which the digest is. A digest that nobody named is its own name.
func resourceOf(s verdict.Subject) string {
	switch {
	case s.Name == "":
		return string(s.Digest)
	case strings.Contains(s.Name, "/"):
		name := s.Name[strings.LastIndexByte(s.Name, '/')+1:]
		return sbom.PackageURL{Type: "oci", Name: name, Qualifiers: map[string]string{"repository_url": s.Name}}.String()
	}
	return sbom.PackageURL{Type: "generic", Name: s.Name}.String()
}

// told says for people what counts, by whom, and what was stated of it.
func (s *summary) told() []string {
	a, out := s.artifact, []string{}
	if p := a.Provenance; p.Known != "" {
		built := fmt.Sprintf("built by %s (%s), SLSA build level %d, from %s", p.Known, p.Builder, p.SLSA, p.Source)
		if p.Commit != "" {
			built += " at " + p.Commit.Short()
		}
		out = append(out, built)
	} else if p.Builder != "" {
		out = append(out, fmt.Sprintf("built by %s, whom the map does not know: %s", p.Builder, p.Why))
	}
	if a.Signature.State == verdict.StateVerified {
		out = append(out, "signed by "+a.Signature.By)
	}
	if a.SBOM.Evidence != "" {
		out = append(out, fmt.Sprintf("bill of materials: %s, %s", a.SBOM.Format, plural(int(a.SBOM.Components), "component", "components")))
	}
	if a.Source.State == verdict.StateVerified {
		out = append(out, fmt.Sprintf("SLSA source level %d of the commit", a.Source.SLSA))
	}
	switch s.stated.Result {
	case "":
		out = append(out, "no verification summary was stated: the answer is neither yes nor no")
	case evidence.SummaryFailed:
		out = append(out, fmt.Sprintf("verification summary FAILED for %s, entry %d", s.stated.Resource, s.entry.Index))
	default:
		out = append(out, fmt.Sprintf("verification summary %s for %s with %s, entry %d", s.stated.Result, s.stated.Resource, strings.Join(s.stated.Levels, ", "), s.entry.Index))
	}
	if s.decision.Outcome != verdict.Allow && s.decision.Enforced == verdict.Allow {
		out = append(out, fmt.Sprintf("%s does not block yet: no summary says PASSED, and a gate that needs it stays shut", s.decision.Point))
	}
	return out
}
