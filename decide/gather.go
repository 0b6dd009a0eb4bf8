package decide

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
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
	x := weighed{lookup: q, all: all}
	x.counts, x.others, x.aside = choose(all)
	judged := func(f *Fact, s *Stated) { judge(f, s, x.aside, e.maxAge(need, s), m.now) }
	remedy := f.Remedy
	judged(&f, x.counts)
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
	switch {
	case e.Map.Sources[f.Producer].OnDemand:
		f.Remedy = fmt.Sprintf("%s runs on demand: `verdict ci --reach`", f.Producer)
	case f.Producer != "" && !f.Own && slices.Contains(e.Map.Checks(f.Producer), need.Kind):
		f.Remedy = fmt.Sprintf("have %s run and its report recorded: `verdict attest FORMAT FILE --tool %s --subject SUBJECT`", f.Producer, f.Producer)
	case r.Subject.Kind == verdict.SubjectArtifact && !ofCommit:
		kind, _, _ := e.Map.Evidence(need.Kind)
		f.Remedy = artifactRemedy(kind, r.Subject)
	}
	return f
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

// lookup is one search for statements, and what came of it beside them.
type lookup struct {
	need     string
	about    verdict.Subject
	ofCommit bool // decisions about the commit of an artifact, for the service that is decided on

	cut       bool     // there are more than were read
	elsewhere []string // services that were decided on instead
}

// lookupFor is the search for a need: about the subject, or for what an earlier layer decided
// about the commit that the subject was built from.
func (e *Engine) lookupFor(r Request, p decisionmap.Point, need string, commit verdict.Digest) *lookup {
	if e.early(r, p, need) {
		return &lookup{need: need, about: verdict.Subject{Kind: verdict.SubjectChange, Digest: commit}, ofCommit: true}
	}
	return &lookup{need: need, about: r.Subject}
}

// statements lists what was said about a subject for a need: a check's reports, the
// decisions of an earlier point, or statements of a kind.
func (e *Engine) statements(ctx context.Context, r Request, q *lookup, at ledger.Position) (out []Stated, err error) {
	if q.about.Digest == "" {
		return nil, nil
	}
	kind, check, point := e.Map.Evidence(q.need)
	entries, err := e.Ledger.Find(ctx, ledger.Query{Subject: q.about.Digest, Kind: kind, Point: point, At: at, Limit: perNeed})
	if err != nil {
		return nil, fmt.Errorf("find %s of %s: %w", q.need, q.about.Digest, err)
	}
	q.cut = len(entries) == perNeed
	for _, entry := range entries {
		if e.ofAnother(entry.Index, check) {
			continue
		}
		s := Stated{Ref: entry.Ref(), Rank: e.rank(entry.Producer, q.need, r, at)}
		if kind == verdict.KindDecision && entry.Foreign {
			s.Rank = Untrusted // a decision taken elsewhere is a claim; it is taken again here
		}
		told, err := e.said(ctx, entry.Index)
		if err != nil {
			s.Unreadable, s.Gone = err.Error(), true
			out = append(out, s)
			continue
		}
		if entry.Foreign && told.statement != nil && told.statement.PredicateType == evidence.StoredBill {
			told.bill, told.unread = nil, errors.New("the bill of materials lies beside its statement, in the ledger that it came from")
		}
		if !s.read(told, check, point, q.about) || !e.covers(s.Report, r.Service) || !joinedHere(s, e.here) {
			continue
		}
		if d := s.Decided; d != nil && q.ofCommit && d.Service != r.Service {
			q.elsewhere = append(q.elsewhere, cmp.Or(d.Service, "the repository as a whole"))
			continue
		}
		if s.Built != nil {
			e.knowBuilder(&s, r, at)
		}
		s.Primary = s.Report != nil && producer(e.Map, q.need) == cmp.Or(s.Report.Source, decisionmap.OwnSource)
		out = append(out, s)
	}
	return out, nil
}

// covers reports whether a report that read a part of a commit read all that belongs to
// the service that is decided on. One that read all of it covers every service.
func (e *Engine) covers(r *verdict.Report, service string) bool {
	if r == nil || len(r.Scope.Paths) == 0 {
		return true
	}
	s, known := e.Map.Services[service]
	return known && len(s.Folders()) > 0 && !slices.ContainsFunc(s.Folders(), func(p string) bool {
		return !slices.ContainsFunc(r.Scope.Paths, func(read string) bool { return read == "." || p == read || strings.HasPrefix(p, read+"/") })
	})
}

// read takes what the statement says of its subject. It is false for a statement of the
// kind that speaks about another check.
func (s *Stated) read(told said, check, point string, about verdict.Subject) bool {
	if told.failure != nil {
		s.Unreadable = told.failure.Error()
		return true
	}
	statement := told.statement
	if point != "" {
		var d recorded
		if err := statement.Decode(&d); err != nil {
			s.Unreadable = err.Error()
		}
		s.Fails = d.Outcome != verdict.Allow
		s.Decided = &earlier{d.ID, d.Point, d.Service, d.Outcome, d.From, d.Expires, d.Basis.Input}
		return true
	}
	report, ok := told.report, told.report != nil
	switch {
	case check != "" && (!ok || report.Check != check):
		return false
	case check == "" && ok && statement.Kind() == verdict.KindTestResult:
		return false // a check of ours answers the need of its own name, and no other
	case ok:
		s.Report, s.Fails = report, len(report.Hits) > 0 || !report.Complete
		s.Unreadable = incoherent(report)
		if report.Change != nil {
			s.Known, s.JoinedBy = &report.Change.Knowledge, report.Change.Map
		}
	case s.readCode(statement):
	case s.readArtifact(told, about):
	default:
		s.Fails = !passed(statement)
	}
	return true
}

// incoherent says why a report cannot be judged as it stands; "" when it can.
func incoherent(r *verdict.Report) string {
	if r.Check == needChange && r.Change == nil {
		return "it tells nothing of the change"
	}
	if r.Check == needPlan && r.Plan == nil {
		return "it tells nothing of the plan"
	}
	if r.Check != string(verdict.KindVulnerabilities) {
		return ""
	}
	for _, h := range r.Hits {
		if h.Vulnerability == nil {
			return fmt.Sprintf("its finding %.80q names no vulnerability", h.Key)
		}
	}
	return ""
}

// passed reads the result that predicates of others state: in-toto test results and
// verification summaries. A kind that states no result says nothing against its subject.
func passed(s *evidence.Statement) bool {
	var p struct {
		Result             string `json:"result"`
		VerificationResult string `json:"verificationResult"`
	}
	switch s.Kind() {
	case verdict.KindTestResult:
		return s.Decode(&p) == nil && p.Result == "PASSED"
	case verdict.KindVSA:
		return s.Decode(&p) == nil && p.VerificationResult == "PASSED"
	}
	return true
}

// rank is the place of the first trust entry that lets the producer state the need
// about the service that is decided on: what service the statement names for itself
// gives no right.
func (e *Engine) rank(producer, need string, r Request, at ledger.Position) int {
	s := e.signerOf(producer, at)
	if rank := e.Map.Rank(s, need, r.Service, r.Environment); rank >= 0 {
		return rank
	}
	return Untrusted
}

// judge says how well a fact is known, and what would make it known.
func judge(f *Fact, s *Stated, aside []Stated, maxAge time.Duration, now time.Time) {
	f.Remedy = cmp.Or(f.Remedy, remedyFor(*f))
	switch {
	case s == nil && len(aside) > 0:
		f.State = verdict.StateMissing
		f.Why = fmt.Sprintf("stated only by %s, which the map does not trust with it", aside[len(aside)-1].Ref.Producer)
		f.Remedy = "have a trusted producer state it, or add the signer to `trust:` in the map"
	case s == nil:
		f.State, f.Why = verdict.StateMissing, "nobody has stated it for this subject"
	case s.Unreadable != "":
		f.State, f.Why = verdict.StateUnknown, "the statement cannot be read: "+s.Unreadable
	case s.Known != nil && s.Known.State != verdict.StateVerified:
		f.State, f.Why, f.Remedy = worse(s.Known.State), s.Known.Why, cmp.Or(s.Known.Remedy, f.Remedy)
	case s.Report != nil && !s.Report.Complete:
		f.State, f.Why, f.Remedy = verdict.StateFailed, unchecked(s.Report), remedyIncomplete(s.Report)
	case s.Report == nil && s.Known == nil && s.Fails:
		f.State, f.Why = verdict.StateFailed, cmp.Or(s.Against, "what was stated speaks against the subject")
	case age(s, now) < -maxSkew || s.Ref.At.Sub(now) > maxSkew:
		f.State, f.Why = verdict.StateUnknown, fmt.Sprintf("it is from %s, which lies ahead of this machine's clock: its age cannot be told", later(dataTime(s), s.Ref.At).Format(time.RFC3339))
		f.Remedy = "set the clock of this machine, or of the one that stated it, right; then have it stated again"
	case maxAge > 0 && age(s, now) > maxAge:
		f.State = verdict.StateStale
		f.Why = fmt.Sprintf("its data is from %s, older than %s allows", dataTime(s).Format(time.DateOnly), days(maxAge))
		if s.Report != nil && s.Report.Source != "" {
			f.Remedy = "have " + s.Report.Source + " update its data and run again"
		} else if s.Report != nil && s.Report.Database != nil {
			f.Remedy = "run `verdict advisories update`, then `verdict ci` again"
		}
	default:
		f.State = verdict.StateVerified
	}
}

// dataTime is the moment that freshness rests on: that of the database behind a check,
// else that of the statement.
func dataTime(s *Stated) time.Time {
	if s.Report != nil && s.Report.Database != nil {
		return s.Report.Database.At
	}
	return s.Ref.At
}

// maxSkew is how far the clocks of two machines may be apart, and with them what happens
// at one time. Evidence that lies further ahead would look fresh for as long as it does,
// so it is unknown. A decision further from its record, or one that did not look at what
// was recorded longer before it, was kept back or chose its time: gathering and recording
// are moments apart.
const maxSkew = 5 * time.Minute

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func age(s *Stated, now time.Time) time.Duration { return now.Sub(dataTime(s)) }

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("max_age %dd", d/(24*time.Hour))
	}
	return "max_age " + d.String()
}

// unchecked names the first thing that kept a check from being complete.
func unchecked(r *verdict.Report) string {
	for i, n := range r.NotChecked {
		if !n.Blocks {
			continue
		}
		rest := 0
		for _, m := range r.NotChecked[i+1:] {
			if m.Blocks {
				rest++
			}
		}
		out := n.Reason
		if n.Path != "" && n.Path != "." {
			out = n.Path + ": " + n.Reason
		}
		if rest > 0 {
			out += fmt.Sprintf(" (and %d more)", rest)
		}
		return out
	}
	return "the check did not finish"
}

func remedyIncomplete(r *verdict.Report) string {
	if r.Source != "" {
		return "mend what " + r.Source + " could not check, have it run again and its report recorded: `verdict ci` where the map says how it runs, else `verdict attest`"
	}
	if r.Check == "vulnerabilities" && r.Database == nil {
		return "run `verdict advisories update`, or `verdict advisories import DIR` with OSV records, then `verdict ci` again"
	}
	return "mend what could not be checked (`verdict ci -o json` lists all of it under not_checked), or state what is never built as `verdict help false-positives` shows, then run `verdict ci` again"
}

func remedyFor(f Fact) string {
	switch f.Need {
	case needChange, string(verdict.KindOwnership):
		return "run `verdict ci` on this commit"
	case string(verdict.KindChangeReview):
		return "run `verdict ci` where the forge can be asked: in the pipeline of the pull or merge request, with its token, or with --request ID"
	}
	if f.Own {
		return "run `verdict ci` on this subject"
	}
	if f.Producer == "" {
		return fmt.Sprintf("record it: `verdict attest %s --subject SUBJECT FILE`", f.Need)
	}
	return fmt.Sprintf("have %s state it, or record it: `verdict attest %s --subject SUBJECT FILE`", f.Producer, f.Need)
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
	for _, h := range s.Report.Hits {
		if h.Vulnerability == nil {
			continue
		}
		x := h.Vulnerability
		reach := policy.Reach{Imported: verdict.ReachUnknown}
		if r := x.Reach; r != nil && (r.Imported == verdict.ReachYes || r.Imported == verdict.ReachNo || r.Imported == verdict.ReachUnknown) {
			reach = policy.Reach(*r)
		}
		v.Findings = append(v.Findings, policy.Finding{
			Key: h.Key, ID: x.ID, Aliases: append([]string{}, x.Aliases...), Ecosystem: x.Component.Ecosystem, Name: x.Component.Name,
			Version: x.Component.Version, PURL: x.Component.PURL, Fixed: x.Fixed, Fix: h.Fix, Severity: h.Severity, EPSS: x.EPSS,
			Exploited: x.Exploited, Malicious: x.Malicious, Direct: x.Direct, Path: append([]string{}, x.Path...),
			SourcePath: h.Path, Line: h.Line, Old: h.Old, Reach: reach, OpenSeconds: -1, Evidence: s.Ref.Digest,
		})
	}
	return v
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
