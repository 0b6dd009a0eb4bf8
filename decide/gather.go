package decide

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
)

// gathered is what is known of a subject before the rules see it.
type gathered struct {
	input  *policy.Input
	facts  []Fact
	refs   []verdict.Ref // statements that the input was built from, by index
	faults []verdict.Fault
	about  []verdict.Ref // every statement that was weighed
	gone   []gone        // needs of which the ledger no longer gives every statement
	origin origin        // of an artifact
	peopled
	trusted *earlier // the decision of an artifact point that counts, at a later one
	weighed []Stated // what was stated of vulnerabilities
	found   string   // which of it the findings are from
}

// gone is a need about which a statement can no longer be read, and why.
type gone struct{ need, group, why string }

// moment is when a decision is taken, by the clock and by the ledger.
type moment struct {
	id   string // of the decision
	now  time.Time
	seen ledger.Position
	// from is what a recorded decision says that its subject was made from, for a replay
	// after the provenance that said so is gone.
	from []verdict.Digest
}

// perNeed bounds how many statements of one kind about one subject are weighed.
const perNeed = 1000

// gather builds the closed input of one point: its needs and nothing else, so that a
// point cannot rest on evidence that the map does not show; at deployment points with what
// fillDeploy says of the place. It reads the ledger at the moment's position alone, so that
// replay gathers the same.
func (e *Engine) gather(ctx context.Context, r Request, p decisionmap.Point, m moment) (*gathered, error) {
	g := &gathered{input: &policy.Input{Checks: map[string]policy.Check{}}, refs: []verdict.Ref{}, faults: []verdict.Fault{}}
	g.input = g.input.ForLayer(p.Layer)
	g.input.Subject = policy.Subject{Kind: r.Subject.Kind, Name: r.Subject.Name, Digest: r.Subject.Digest}
	g.input.Service = e.service(r)
	g.origin = origin{why: "the point needs no provenance", judges: e.judgesEarly(p)}
	for _, need := range artifactFirst(p.Needs) {
		if err := e.gatherNeed(ctx, r, p, need, m, g); err != nil {
			return nil, err
		}
	}
	if err := e.finishArtifact(ctx, r, p, m, g); err != nil {
		return nil, err
	}
	if err := e.gatherPeople(ctx, r, p, m, g); err != nil {
		return nil, err
	}
	if p.Layer == verdict.LayerDeploy {
		if err := e.fillDeploy(ctx, r, p, m, g); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(g.refs, func(a, b verdict.Ref) int { return int(a.Index - b.Index) })
	for _, ref := range g.refs {
		g.input.Evidence = append(g.input.Evidence, policy.Evidence{
			Kind: ref.Kind, Digest: ref.Digest, Index: ref.Index, At: policy.TimeOf(ref.At), Producer: ref.Producer,
		})
	}
	g.input.Decision = policy.Decision{ID: m.id, Point: p.ID, Layer: p.Layer, At: policy.TimeOf(m.now), Trigger: r.Trigger, Actor: r.Actor}
	if v := &g.input.Vulnerabilities; len(v.Findings) > 0 && v.Prepared == nil {
		v.Prepared = policy.Prepare(slices.Clone(v.Findings))
		v.Findings = v.Prepared.Findings()
	}
	g.input.Normalize()
	return g, nil
}

func (e *Engine) service(r Request) policy.Service {
	s, ok := e.Map.Services[r.Service]
	if !ok {
		return policy.Service{State: verdict.StateMissing, Name: r.Service, Team: r.Team}
	}
	return policy.Service{State: verdict.StateVerified, Name: r.Service, Team: s.Team, Owner: s.Owner, Repo: s.Repo, Tier: s.Tier, SignedCommits: s.SignedCommits}
}

// gatherNeed finds the statement that counts for one need, judges how well the fact is
// known, and writes it into the input.
func (e *Engine) gatherNeed(ctx context.Context, r Request, p decisionmap.Point, need decisionmap.Need, m moment, g *gathered) error {
	if f, ok := e.ofTheRequest(r, p, need); ok {
		g.facts = append(g.facts, f)
		return nil
	}
	q := e.lookupFor(r, p, need.Kind, g.origin.commit)
	all, err := e.statements(ctx, r, q, m.seen)
	if err != nil {
		return err
	}
	if q.cut {
		g.faults = append(g.faults, verdict.Fault{
			Code: "evidence.too-many", What: fmt.Sprintf("%s was stated %d times or more about this subject, more than are weighed", need.Kind, perNeed),
			Remedy: "find out who states it over and over: verdict trail " + string(r.Subject.Digest),
		})
	}
	for _, s := range all {
		g.about = append(g.about, s.Ref)
	}
	f := e.factOf(r, p, need, q.ofCommit)
	if q.ofCommit && g.origin.commit == "" {
		e.withoutCommit(f, g)
		return nil
	}
	if i := slices.IndexFunc(all, func(s Stated) bool { return s.Gone }); i >= 0 {
		g.pruned(e.Map, need.Kind, all[i].Ref.Index, all[i].Unreadable)
	}
	if need.Kind == string(verdict.KindProvenance) {
		all = preferHolding(all)
	}
	x, why, mend, err := e.weigh(ctx, r, q, all, m, g)
	if err != nil {
		return err
	}
	judged := func(f *Fact, s *Stated) {
		judge(f, s, x.aside, e.maxAge(need, s), m.now)
		if s != nil && s.Report != nil && !s.Report.Complete && s.Report.Source == "" && matchedBill(r, need.Kind, q.ofCommit) {
			f.Remedy = artifactRemedy(verdict.KindVulnerabilities, r.Subject)
		}
	}
	remedy := f.Remedy
	judged(&f, x.counts)
	if why != "" && len(x.aside) == 0 {
		f.Why, f.Remedy = why, mend
	}
	f = leastKnown(f, x.others, func(of *Fact, s *Stated) { of.Remedy = remedy; judged(of, s) })
	e.settle(&f, &x, r, m, g)
	if x.counts != nil {
		f.Evidence = &x.counts.Ref
		g.rest(x.counts.Ref)
		for _, o := range x.others {
			g.rest(o.Ref)
		}
	}
	g.facts = append(g.facts, f)
	if need.Kind == string(verdict.KindVulnerabilities) {
		g.weighed = all
	}
	if err := e.fillGroup(ctx, r, p, f, x, m, g); err != nil {
		return err
	}
	if need.Kind == string(verdict.KindVulnerabilities) && x.counts != nil {
		return e.fillVEX(ctx, r, append([]Stated{*x.counts}, x.others...), m, g)
	}
	return nil
}

// weighed is what was stated for one need, and what of it counts.
type weighed struct {
	*lookup
	all    []Stated
	counts *Stated // nil: nothing does
	others []Stated
	aside  []Stated
}

// factOf is the fact of a need before anything is known of it: who should state it, and what
// would bring it.
func (e *Engine) factOf(r Request, p decisionmap.Point, need decisionmap.Need, ofCommit bool) Fact {
	f := Fact{
		Need: need.Kind, AcceptPresent: need.Accept == verdict.StatePresent, Producer: producer(e.Map, need.Kind), Owner: p.Owner,
	}
	f.Own = p.Layer == verdict.LayerCI && (f.Producer == decisionmap.OwnSource || len(e.Map.Sources[f.Producer].Command) > 0)
	_, _, decided := e.Map.Evidence(need.Kind)
	switch {
	case r.Subject.Kind == verdict.SubjectPlan:
		f.Remedy = "plan anew, and have that judged: `verdict plan check FILE`"
	case r.Subject.Kind == verdict.SubjectArtifact && !ofCommit && e.layerOf(decided) == verdict.LayerArtifact:
		f.Remedy = "have it decided first: `verdict artifact trust " + string(r.Subject.Digest) + "`"
	case e.Map.Sources[f.Producer].OnDemand:
		f.Remedy = fmt.Sprintf("%s runs on demand: `verdict ci --reach`", f.Producer)
	case matchedBill(r, need.Kind, ofCommit) && f.Producer == decisionmap.OwnSource:
		f.Remedy = artifactRemedy(verdict.KindVulnerabilities, r.Subject)
	case f.Producer != "" && !f.Own && slices.Contains(e.Map.Checks(f.Producer), need.Kind):
		f.Remedy = fmt.Sprintf("have %s run and its report recorded: `verdict attest FORMAT FILE --tool %s --subject SUBJECT`", f.Producer, f.Producer)
	case r.Subject.Kind == verdict.SubjectArtifact && !ofCommit:
		kind, _, _ := e.Map.Evidence(need.Kind)
		f.Remedy = artifactRemedy(kind, r.Subject)
	}
	return f
}

// matchedBill reports whether a need is answered by matching an artifact's bill of materials:
// no tree is read for it, so that no `verdict ci` mends it.
func matchedBill(r Request, need string, ofCommit bool) bool {
	return r.Subject.Kind == verdict.SubjectArtifact && !ofCommit && need == string(verdict.KindVulnerabilities)
}

// fillGroup writes what is known of a need into its group of the input.
func (e *Engine) fillGroup(ctx context.Context, r Request, p decisionmap.Point, f Fact, x weighed, m moment, g *gathered) error {
	kind, check, point := e.Map.Evidence(f.Need)
	switch {
	case x.ofCommit, kind == verdict.KindSignature: // settled already
	case kind == verdict.KindProvenance:
		g.fillProvenance(f, x.counts, x.all, m)
	case kind == verdict.KindSBOM:
		g.fillBill(f, x.counts)
	case point != "" && p.Layer != verdict.LayerArtifact && e.layerOf(point) == verdict.LayerArtifact:
		return e.fillTrusted(ctx, r, f, x.counts, m, g)
	case f.Need == needChange, kind == verdict.KindOwnership, kind == verdict.KindChangeReview:
		g.fillCode(f, x.counts)
	case f.Need == needPlan:
		g.input.Plan = planned(f, r.Subject.Digest, x.counts)
	case kind == verdict.KindTestResult || check != "":
		g.fillAll(f, x.counts, x.others)
	}
	return nil
}

// pruned notes a statement that the ledger no longer gives.
func (g *gathered) pruned(m *decisionmap.Map, need string, index int64, why string) {
	g.gone = append(g.gone, gone{need, groupOf(m, need), fmt.Sprintf("entry %d: %s", index, why)})
}

// rest notes a statement that the decision rests on, once.
func (g *gathered) rest(ref verdict.Ref) {
	if !slices.ContainsFunc(g.refs, func(x verdict.Ref) bool { return x.Index == ref.Index }) {
		g.refs = append(g.refs, ref)
	}
}

func (e *Engine) layerOf(point string) verdict.Layer {
	p, _ := e.Map.Point(point)
	return p.Layer
}

// groupOf is the group of the input that a need's facts are in.
func groupOf(m *decisionmap.Map, need string) string {
	switch need {
	case string(verdict.KindVulnerabilities), needChange, string(verdict.KindOwnership):
		return need
	case string(verdict.KindChangeReview):
		return "review"
	case string(verdict.KindProvenance), string(verdict.KindSignature), string(verdict.KindSBOM):
		return "artifact"
	case needPlan:
		return "plan"
	case needImage:
		return "artifact"
	case string(verdict.KindDeployment):
		return "rollback"
	case string(verdict.KindFinding):
		return "runtime"
	case string(verdict.KindBreakGlass):
		return "break_glass"
	}
	if kind, _, _ := m.Evidence(need); kind == verdict.KindDecision {
		return "artifact"
	}
	return "checks." + need
}

// advisorySource is the source in the map for the data that vulnerabilities are matched
// against.
const advisorySource = "advisories"

// producer names the source that should yield a need: the primary one, else the first
// by name; "" when the map knows none.
func producer(m *decisionmap.Map, need string) string {
	first := ""
	for _, name := range slices.Sorted(maps.Keys(m.Sources)) {
		s := m.Sources[name]
		if !slices.Contains(s.Kinds, need) {
			continue
		}
		if s.Primary {
			return name
		}
		if first == "" {
			first = name
		}
	}
	return first
}

// maxAge is the age beyond which a need is stale. A report that rests on a database is
// as old as the database.
func (e *Engine) maxAge(need decisionmap.Need, s *Stated) time.Duration {
	if s != nil && s.Report != nil && s.Report.Database != nil {
		return time.Duration(e.Map.MaxDataAge(need, advisorySource))
	}
	return time.Duration(e.Map.MaxAge(need))
}

// fill writes a check into the group of the input that it belongs to.
func (g *gathered) fill(f Fact, s *Stated) {
	if f.Need == string(verdict.KindVulnerabilities) {
		g.input.Vulnerabilities = vulnerabilities(f, s)
		return
	}
	g.input.Checks[f.Need] = check(f, s)
}

func check(f Fact, s *Stated) policy.Check {
	c := policy.Check{State: f.State, Failed: []policy.Hit{}}
	if s == nil || s.Report == nil {
		return c
	}
	c.At, c.By, c.Complete = policy.TimeOf(s.Ref.At), s.Ref.Producer, s.Report.Complete
	c.Inputs, c.Ignored = s.Report.Scope.Inputs, s.Report.Ignored
	for _, h := range s.Report.Hits {
		c.Failed = append(c.Failed, policy.Hit{
			Key: h.Key, Detector: h.Detector, Message: h.Message, Severity: h.Severity, Path: h.Path, Line: h.Line, Fix: h.Fix,
			Old: h.Old, Evidence: s.Ref.Digest,
		})
	}
	return c
}

func vulnerabilities(f Fact, s *Stated) policy.Vulnerabilities {
	v := policy.Vulnerabilities{State: f.State, Database: policy.Database{State: verdict.StateMissing}, Findings: []policy.Finding{}}
	if s == nil || s.Report == nil {
		return v
	}
	v.MatchedAt, v.By, v.Complete = policy.TimeOf(s.Ref.At), s.Ref.Producer, s.Report.Complete
	v.Inputs, v.Components = s.Report.Scope.Inputs, s.Report.Scope.Components
	if d := s.Report.Database; d != nil {
		v.Database = policy.Database{State: f.State, Name: d.Name, Digest: d.Digest, At: policy.TimeOf(d.At), Entries: d.Entries}
	}
	v.Findings = s.found.of(s)
	return v
}

// foundOnce are the findings of a report, written once for all decisions on it. Nobody
// changes them.
type foundOnce struct {
	once sync.Once // guards the making of list
	list []policy.Finding
}

func (f *foundOnce) of(s *Stated) []policy.Finding {
	f.once.Do(func() { f.list = findingsOf(s) })
	return f.list
}

// findingsOf are the findings of a report, in its order.
func findingsOf(s *Stated) []policy.Finding {
	out := make([]policy.Finding, 0, len(s.Report.Hits))
	for i := range s.Report.Hits {
		h := &s.Report.Hits[i]
		if h.Vulnerability == nil {
			continue
		}
		x := h.Vulnerability
		reach := policy.Reach{Imported: verdict.ReachUnknown}
		if r := x.Reach; r != nil && (r.Imported == verdict.ReachYes || r.Imported == verdict.ReachNo || r.Imported == verdict.ReachUnknown) {
			reach = policy.Reach(*r)
		}
		out = append(out, policy.Finding{
			Key: h.Key, ID: x.ID, Aliases: append([]string{}, x.Aliases...), Ecosystem: x.Component.Ecosystem, Name: x.Component.Name,
			Version: x.Component.Version, PURL: x.Component.PURL, Fixed: x.Fixed, Fix: h.Fix, Severity: h.Severity, EPSS: x.EPSS,
			Exploited: x.Exploited, Malicious: x.Malicious, Direct: x.Direct, Path: append([]string{}, x.Path...),
			SourcePath: h.Path, Line: h.Line, Old: h.Old, Reach: reach, Evidence: s.Ref.Digest,
		})
	}
	return out
}

// caseOf is what the conclusion depends on besides the rules' results.
func (e *Engine) caseOf(g *gathered, r Request, p decisionmap.Point, rules []verdict.Rule, now time.Time) Case {
	mode := p.ModeAt(now)
	c := Case{
		Point: p.ID, Layer: p.Layer, Mode: mode, Subject: r.Subject, Service: r.Service, Environment: r.Environment, At: now,
		Policy: e.Policy.Digest(), Rules: []string{}, Facts: g.facts, Faults: g.faults, Exceptions: []verdict.Exception{}, Approvals: []verdict.Approval{},
		BreakGlasses: []verdict.BreakGlass{}, Approvers: 1, NotApprovers: []verdict.Barred{}, Refs: map[string]verdict.Ref{},
	}
	c.ask(rules, p.AllowPartial)
	for _, ref := range g.refs {
		c.Refs[string(ref.Digest)] = ref
	}
	if p.Layer == verdict.LayerCI {
		c.OldFrom = p.OldFrom
	}
	if p.Layer == verdict.LayerDeploy {
		c.Exceptions, c.Approvals, c.BreakGlasses = append(c.Exceptions, g.exceptions...), append(c.Approvals, g.approvals...), append(c.BreakGlasses, g.glasses...)
		c.Approvers, c.NotApprovers, c.People = max(g.persons, 1), append(c.NotApprovers, g.barred...), g.people
	}
	if p.Layer == verdict.LayerDeploy {
		c.ValidFor = e.Map.Environments[r.Environment].PromotionValidity.Seconds()
		c.Rollback = g.input.Rollback != nil && g.input.Rollback.Requested
	}
	return c
}
