package decide

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/git"
	"verdict/ledger"
	"verdict/policy"
	"verdict/sbom"
)

// An artifact is decided on by what is stated of its digest, and by what was decided about
// the commit that it was built from. Nobody but the builder can tell which commit that is, so
// the second part is looked up through provenance that holds in every way, and without one it
// is unknown.

// origin is what a point knows of the commit of an artifact.
type origin struct {
	commit verdict.Digest // empty: not known
	why    string         // it is not known
	signed *Stated        // the provenance that counts, where its signer may state it
	gone   bool           // a provenance that may have counted is no longer there
	judges bool           // a rule of the point judges what was decided about the commit
}

// built is provenance as the map's table of builders reads it.
type built struct {
	verdict.Provenance
	builder decisionmap.Builder // without a name where the map knows none
	own     bool                // the source is one that the builder may build this service from
	unknown []string            // external parameters that the map does not let it have
	why     string              // the builder or the source is not known
}

// holds reports whether the commit that the provenance names is the artifact's for certain.
func (b *built) holds() bool {
	return b.builder.Name != "" && b.own && b.Commit != "" && len(b.unknown) == 0
}

// fault says in a few words why it does not hold.
func (b *built) fault() string {
	switch {
	case b.why != "":
		return b.why
	case b.Commit == "":
		return "the provenance does not tell the commit"
	}
	return "the build had parameters that the map does not know: " + strings.Join(b.unknown, ", ")
}

// artifactFirst gives the needs of a point in the order in which they can be answered: the
// provenance tells what the others are asked about.
func artifactFirst(needs []decisionmap.Need) []decisionmap.Need {
	out := slices.Clone(needs)
	slices.SortStableFunc(out, func(a, b decisionmap.Need) int {
		place := func(n decisionmap.Need) int {
			if n.Kind == string(verdict.KindProvenance) {
				return 0
			}
			return 1
		}
		return cmp.Compare(place(a), place(b))
	})
	return out
}

// early reports whether a need is what a point of an earlier layer leaves about a commit,
// while the question is about an artifact.
func (e *Engine) early(r Request, p decisionmap.Point, need string) bool {
	if r.Subject.Kind != verdict.SubjectArtifact || p.Layer != verdict.LayerArtifact {
		return false
	}
	_, _, point := e.Map.Evidence(need)
	of, _ := e.Map.Point(point)
	return of.Layer == verdict.LayerCode || of.Layer == verdict.LayerCI
}

// judgesEarly reports whether the point's own rules say what follows from a decision about the
// commit. Then such a decision is a fact that is known, whatever it says.
func (e *Engine) judgesEarly(p decisionmap.Point) bool {
	return slices.ContainsFunc(active(p, e.Policy), func(x verdict.Rule) bool {
		return slices.ContainsFunc(x.Reads, func(read string) bool {
			return strings.HasPrefix(read, "input.artifact.checked") || strings.HasPrefix(read, "input.artifact.reviewed")
		})
	})
}

// signerOf is a producer as the map's entries name it.
func (e *Engine) signerOf(producer string, at ledger.Position) decisionmap.Signer {
	s := SignerOf(evidence.ParseProducer(producer))
	if e.KeyName != nil && s.Key != "" {
		s.KeyName = e.KeyName(s.Key, at)
	}
	return s
}

// SignerOf is a producer as the map's entries name it, without the name of his key.
func SignerOf(p evidence.Producer) decisionmap.Signer {
	return decisionmap.Signer{Key: p.Key, Identity: p.Identity, Workload: p.Workload, Issuer: p.Issuer}
}

// artifactRemedy is the command that brings what is missing of a digest; "" for what no command
// of its own brings.
func artifactRemedy(k verdict.Kind, s verdict.Subject) string {
	ref := string(s.Digest)
	if strings.Contains(s.Name, "/") { // an image
		ref = s.Name + "@" + ref
	}
	switch k {
	case verdict.KindProvenance:
		return fmt.Sprintf("in the pipeline that builds it: `verdict attest provenance --from-pipeline --subject %s`; or record what the builder wrote with FILE instead", ref)
	case verdict.KindSignature:
		return "have the builder state provenance, which is signed; or record what cosign signed: `verdict attest --bundle FILE --key KEY`"
	case verdict.KindSBOM:
		return fmt.Sprintf("make it from what was built, and record it: `verdict attest sbom FILE --subject %s`", ref)
	case verdict.KindVulnerabilities: // a bill is matched when it is recorded, and again when advisories change
		return fmt.Sprintf("record its bill of materials, which is matched then: `verdict attest sbom FILE --subject %s`; where not all of it could be matched, `verdict advisories update` brings what is missing and matches it again", ref)
	}
	return ""
}

// readArtifact takes the statements about a digest. It is false for any other kind.
func (s *Stated) readArtifact(told said, about verdict.Subject) bool {
	switch told.statement.Kind() {
	case verdict.KindProvenance:
		p, err := told.statement.Provenance()
		if s.Built = (&built{Provenance: p}); err != nil {
			s.Built, s.Unreadable = nil, verdict.AsError(err).What
		}
	case verdict.KindSBOM:
		if s.Bill, s.Licences = told.bill, told.licences; told.unread != nil {
			s.Unreadable = verdict.AsError(told.unread).What
			break
		}
		if other := anotherDigest(told.bill.Subject.Digests, about); other != "" {
			s.Fails, s.Against = true, fmt.Sprintf("it says itself that it is the bill of %s, and not of this", other)
		}
	default:
		return false
	}
	return true
}

// knowBuilder holds provenance against the map: whose it is, what it may build from, and with
// which parameters.
func (e *Engine) knowBuilder(s *Stated, r Request, at ledger.Position) {
	b := s.Built
	if b.builder, b.why = e.Map.Builder(e.signerOf(s.Ref.Producer, at), b.Builder, b.BuildType); b.why != "" {
		return
	}
	repo := e.Map.Services[r.Service].Repo
	switch {
	case !b.ParametersTold:
		b.why = "the provenance does not tell the parameters of the build"
	case b.Source == "":
		b.why = "the provenance does not name the repository that was built"
	case len(b.builder.Sources) > 0:
		if b.own = b.builder.Allows(b.Source); !b.own {
			b.why = fmt.Sprintf("the builder %s may not build from there", b.builder.Name)
		}
	case repo == "":
		b.why = "the map names no repository for the service, nor sources for the builder"
	default:
		if b.own = git.SameRepository(repo, b.Source); !b.own {
			b.why = fmt.Sprintf("the service is built from %s", repo)
		}
	}
	for _, p := range b.Parameters {
		if !slices.Contains(b.builder.Parameters, p.Name) {
			b.unknown = append(b.unknown, p.Name)
		}
	}
}

// preferHolding leaves out provenance that does not hold beside one that does: a build that
// somebody repeated elsewhere takes nothing from the one that counts.
func preferHolding(all []Stated) []Stated {
	holds := func(s Stated) bool { return s.Rank != Untrusted && s.Built != nil && s.Built.holds() }
	if !slices.ContainsFunc(all, holds) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(s Stated) bool { return s.Built != nil && !holds(s) })
}

// fillProvenance writes who built the artifact into the input, and takes the commit from what
// holds.
func (g *gathered) fillProvenance(f Fact, s *Stated, all []Stated, m moment) {
	out := policy.Provenance{State: f.State}
	g.origin.gone = slices.ContainsFunc(all, func(s Stated) bool { return s.Gone })
	g.origin.why = "provenance is " + string(f.State)
	if s != nil && s.Built != nil {
		b := s.Built
		out = policy.Provenance{
			State: f.State, Builder: b.Builder, BuildType: b.BuildType, Known: b.builder.Name, Source: b.Source, Own: b.own, Ref: b.Ref, Commit: b.Commit,
			SLSA: b.builder.Level, Unknown: append([]string{}, b.unknown...), Why: b.why, Evidence: s.Ref.Digest,
		}
		g.input.Artifact.BuiltAt = policy.TimeOf(later(b.Finished, b.Started))
		if f.State == verdict.StateVerified {
			g.origin.signed = s
			if b.holds() {
				g.origin.commit = b.Commit
			} else {
				g.origin.why = b.fault()
			}
		}
	}
	if g.origin.commit == "" && g.origin.gone && len(m.from) > 0 {
		g.origin.commit = m.from[0]
	}
	g.input.Artifact.Provenance = out
}

// from is what the subject was made from, as a decision about it records it.
func (g *gathered) from() []verdict.Digest {
	if g.origin.commit == "" {
		return nil
	}
	return []verdict.Digest{g.origin.commit}
}

func (g *gathered) fillBill(f Fact, s *Stated) {
	out := policy.SBOM{State: f.State, Inventory: string(sbom.Unknown)}
	licences := policy.Licences{State: f.State}
	if f.State == verdict.StateVerified {
		licences.State = verdict.StateUnknown // until it was read
	}
	if s != nil && s.Bill != nil {
		b := s.Bill
		out.Digest, out.Evidence, out.Format = s.Ref.Digest, s.Ref.Digest, strings.TrimSpace(b.Form+" "+b.Version)
		out.Components = int64(len(b.Components))
		if b.Inventory == sbom.Complete || b.Inventory == sbom.Incomplete {
			out.Inventory = string(b.Inventory)
		}
		if licences.Evidence = s.Ref.Digest; len(s.Licences.Uses) > 0 || s.Licences.Unknown > 0 || b.Inventory == sbom.Complete {
			licences.State = f.State // a bill that names nothing says nothing of licences
		}
		licences.Components, licences.Unknown = int64(s.Licences.Components), int64(s.Licences.Unknown)
		for _, u := range s.Licences.Uses {
			licences.Declared = append(licences.Declared, policy.Licence{Expression: u.Expression, IDs: slices.Clone(u.IDs), Components: int64(u.Components)})
		}
	}
	g.input.Artifact.SBOM, g.input.Artifact.Licences = out, licences
}

// settle says what follows for a fact about an artifact from what was weighed.
func (e *Engine) settle(f *Fact, x *weighed, r Request, m moment, g *gathered) {
	if x.ofCommit {
		earlyMissing(f, g, r, x.elsewhere)
		e.fillEarly(f, f.Need, x.counts, g)
		return
	}
	elsewhereMissing(f, x.elsewhere, r)
	if kind, _, _ := e.Map.Evidence(f.Need); kind == verdict.KindSignature {
		x.counts = e.signedBy(f, x.counts, x.aside, m, g)
	}
	if f.Need == string(verdict.KindVulnerabilities) && f.Producer == decisionmap.OwnSource && r.Subject.Kind == verdict.SubjectArtifact {
		f.Remedy = cmp.Or(matchedRemedies[f.State], f.Remedy)
	}
}

// signedBy answers who signed a digest: whoever made a signature and nothing else, or the
// builder, whose provenance is a signature over the digest and says more. Somebody whom the
// map does not trust with it is told.
func (e *Engine) signedBy(f *Fact, counts *Stated, aside []Stated, m moment, g *gathered) *Stated {
	out := policy.Signature{}
	if counts == nil && g.origin.signed != nil {
		counts = g.origin.signed
		f.State, f.Why, f.Remedy = verdict.StateVerified, "", ""
	}
	told := counts
	if told == nil && len(aside) > 0 {
		told = &aside[len(aside)-1]
	}
	if out.State = f.State; told != nil {
		s := e.signerOf(told.Ref.Producer, m.seen)
		out.By, out.Issuer, out.Evidence = cmp.Or(s.KeyName, s.Key, s.Identity), s.Issuer, told.Ref.Digest
		if counts == nil {
			out.State = verdict.StatePresent
		}
	}
	if counts == nil && g.origin.gone {
		g.gone = append(g.gone, gone{f.Need, "artifact", "the provenance that may have counted as a signature is no longer there"})
	}
	g.input.Artifact.Signature = out
	return counts
}

// fillEarly writes what was decided about the commit into the input. A decision that counts
// is known whatever it says, where the point's rules judge it.
func (e *Engine) fillEarly(f *Fact, need string, s *Stated, g *gathered) {
	_, _, point := e.Map.Evidence(need)
	of, _ := e.Map.Point(point)
	d := policy.Decided{Need: need, Point: point, State: f.State, Outcome: verdict.Undecided}
	if s != nil && s.Decided != nil {
		d.Decision, d.Evidence, d.Outcome = s.Decided.ID, s.Ref.Digest, s.Decided.Outcome
		if f.State == verdict.StateFailed && s.Unreadable == "" {
			d.State = verdict.StateVerified
			f.Why = fmt.Sprintf("%s decided %s about %s", point, d.Outcome, g.origin.commit.Short())
			f.Remedy = "verdict why " + d.Decision
			if g.origin.judges {
				f.State, f.Why, f.Remedy = verdict.StateVerified, "", ""
			}
		}
	}
	if of.Layer == verdict.LayerCode {
		g.input.Artifact.Reviewed = append(g.input.Artifact.Reviewed, d)
	} else {
		g.input.Artifact.Checked = append(g.input.Artifact.Checked, d)
	}
}

// withoutCommit answers a need about a commit that nobody knows.
func (e *Engine) withoutCommit(f Fact, g *gathered) {
	f.State, f.Why = verdict.StateUnknown, "the commit that it was built from is not known for certain: "+g.origin.why
	f.Remedy = "mend what the provenance lacks: this is answered of the commit that it names"
	e.fillEarly(&f, f.Need, nil, g)
	g.facts = append(g.facts, f)
}

// earlyMissing says of a decision about the commit that is not there what would bring it.
func earlyMissing(f *Fact, g *gathered, r Request, elsewhere []string) {
	if f.State != verdict.StateMissing {
		return
	}
	commit := g.origin.commit
	f.Remedy = fmt.Sprintf("run `verdict ci` on the commit %s", commit.Hex())
	if r.Service != "" {
		f.Remedy += ", with `--service " + r.Service + "` where the repository holds several"
	}
	if len(elsewhere) > 0 {
		f.Why = fmt.Sprintf("it was decided about %s for %s, and not for %s", commit.Short(), services(elsewhere), cmp.Or(r.Service, "the repository as a whole"))
	} else if strings.HasPrefix(f.Why, "nobody") {
		f.Why = "nobody has decided it about the commit " + commit.Short()
	}
}

// finishArtifact adds what follows from the commit: how it came to be, and what else was built
// from it.
func (e *Engine) finishArtifact(ctx context.Context, r Request, p decisionmap.Point, m moment, g *gathered) error {
	if r.Subject.Kind != verdict.SubjectArtifact || p.Layer != verdict.LayerArtifact {
		return nil
	}
	a := &g.input.Artifact
	a.State = verdict.StateVerified
	if a.BuiltAt == "" && g.origin.signed != nil {
		a.BuiltAt = policy.TimeOf(g.origin.signed.Ref.At)
	}
	if g.origin.commit == "" {
		return nil
	}
	if err := e.sourceLevel(ctx, r, m, g); err != nil {
		return err
	}
	var err error
	a.Rebuilds, err = e.rebuilds(ctx, r, p.ID, g.origin.commit, m.seen, g)
	return err
}

// sourceLevel takes the level of the source track from what was summed up about the commit
// when its change was read, by whoever may state the review that it rests on.
func (e *Engine) sourceLevel(ctx context.Context, r Request, m moment, g *gathered) error {
	entries, err := e.find(ctx, ledger.Query{Subject: g.origin.commit, Kind: verdict.KindVSA, At: m.seen, Limit: perNeed})
	if err != nil {
		return fmt.Errorf("find the source level of %s: %w", g.origin.commit, err)
	}
	out := &g.input.Artifact.Source
	out.State = verdict.StateMissing
	for _, entry := range entries { // newest first
		if e.rank(entry.Producer, string(verdict.KindChangeReview), r, m.seen) == Untrusted {
			continue
		}
		g.about = append(g.about, entry.Ref())
		told, err := e.said(ctx, entry.Index)
		if err != nil {
			g.pruned(e.Map, string(verdict.KindProvenance), entry.Index, err.Error())
			continue
		}
		if told.failure != nil {
			continue
		}
		if level, reviewed, ok := evidence.SourceLevelOf(told.statement); ok {
			*out = policy.SourceLevel{State: verdict.StateVerified, SLSA: level, Reviewed: reviewed, Evidence: entry.Digest}
			g.rest(entry.Ref())
			return nil
		}
	}
	return nil
}

// rebuilds lists other digests of the artifact's names that the point decided on and that come
// from the same commit, by digest. The manifests of one image are one build.
func (e *Engine) rebuilds(ctx context.Context, r Request, point string, commit verdict.Digest, at ledger.Position, g *gathered) ([]policy.Rebuild, error) {
	of, _ := e.Map.Point(point)
	entries, cut, err := e.kept(ctx, ledger.Query{Subject: commit, Kind: verdict.KindDecision, Point: point, At: at, Limit: perNeed}, func(x ledger.Entry) bool {
		return !x.Foreign && e.rank(x.Producer, of.Produces.Kind, r, at) != Untrusted
	})
	if err != nil {
		return nil, fmt.Errorf("find what else was built from %s: %w", commit, err)
	}
	if cut {
		g.flooded("decisions about what was built from " + commit.Short())
	}
	images, err := e.find(ctx, ledger.Query{Subject: r.Subject.Digest, Kind: verdict.KindImage, At: at, Limit: perNeed})
	if err != nil {
		return nil, fmt.Errorf("find the image of %s: %w", r.Subject.Digest, err)
	}
	images = slices.DeleteFunc(slices.Clone(images), func(i ledger.Entry) bool { return e.rank(i.Producer, string(verdict.KindImage), r, at) == Untrusted })
	sameImage := func(d verdict.Digest) bool {
		return slices.ContainsFunc(images, func(i ledger.Entry) bool {
			return slices.ContainsFunc(i.Subjects, func(s verdict.Subject) bool { return s.Digest == d })
		})
	}
	// Whoever asks says the name, or none: those under which it was decided on count as well.
	names := map[string]bool{r.Subject.Name: true}
	for _, entry := range entries {
		for _, s := range entry.Subjects {
			if s.Digest == r.Subject.Digest {
				names[s.Name] = true
			}
		}
	}
	delete(names, "")
	out := map[verdict.Digest]policy.Rebuild{}
	for _, entry := range entries { // newest first, so that the first decision about a digest stays
		for _, s := range entry.Subjects {
			if s.Kind == verdict.SubjectArtifact && names[s.Name] && s.Digest != r.Subject.Digest && !sameImage(s.Digest) {
				out[s.Digest] = policy.Rebuild{Digest: s.Digest, At: policy.TimeOf(entry.At), Evidence: entry.Digest}
			}
		}
	}
	return slices.Collect(maps.Values(out)), nil // in order once the input is normalized
}

// fillTrusted takes what the decision that trusts an artifact rested on into the input of a
// later point, which does not weigh it anew.
func (e *Engine) fillTrusted(ctx context.Context, r Request, f Fact, s *Stated, m moment, g *gathered) error {
	if s == nil || s.Decided == nil {
		g.input.Artifact.State = f.State
		return nil
	}
	g.trusted = s.Decided
	was, err := s.Decided.facts()
	if err != nil {
		g.input.Artifact.State = verdict.StateUnknown
		return nil
	}
	bill, licences := g.input.Artifact.SBOM, g.input.Artifact.Licences
	g.input.Artifact = was.Artifact
	if bill.State != "" { // gathered already, for a need of its own
		g.input.Artifact.SBOM, g.input.Artifact.Licences = bill, licences
	}
	g.input.Artifact.State = f.State
	g.input.Artifact.Provenance.Own = e.ownSource(r, s.Decided, was.Artifact.Provenance)
	if len(s.Decided.From) == 0 {
		return nil
	}
	g.input.Artifact.Rebuilds, err = e.rebuilds(ctx, r, s.Decided.Point, s.Decided.From[0], m.seen, g)
	return err
}
