package decide

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
)

// What a deployment point sees beside its needs: the environment as the map declares it, who
// asks, and what the ledger says has happened there. All of it comes from the map, the
// request and the ledger at one position, so that replay sees the same.

// Decisions is what the engine asks of the ledger's index at deployment points: which
// decisions of a point there are, without their bodies.
type Decisions interface {
	Decisions(ctx context.Context, q ledger.DecisionQuery) ([]ledger.DecisionRow, error)
}

// TriggerRollback in Request.Trigger asks to go back to a digest that was promoted to the
// environment before.
const TriggerRollback = "verdict gate --rollback"

// The needs that the map and the request answer, and no statement.
const (
	needEnvironment = "environment"
	needRequest     = "request"
)

// perEnvironment bounds how many promotions of a service in one environment are looked at,
// newest first; perContext is how many statements of each kind about it are read at once.
const (
	perEnvironment = 50
	perContext     = 200
)

// ofTheRequest answers a need by the map and the request. It is false for every other need.
func (e *Engine) ofTheRequest(r Request, p decisionmap.Point, need decisionmap.Need) (Fact, bool) {
	f := Fact{Need: need.Kind, State: verdict.StateVerified, AcceptPresent: need.Accept == verdict.StatePresent, Producer: producer(e.Map, need.Kind), Owner: p.Owner}
	if p.Layer != verdict.LayerDeploy {
		return f, false
	}
	switch need.Kind {
	case needEnvironment:
		_, known := e.Map.Environments[r.Environment]
		_, whole := e.Map.Chain(r.Environment)
		switch {
		case !known:
			f.State, f.Why = verdict.StateMissing, fmt.Sprintf("the map has no environment %q", r.Environment)
			f.Remedy = "name one that `verdict map show` lists under environments, or declare it there"
		case !whole:
			f.State, f.Why = verdict.StateFailed, "the promotion chain of "+r.Environment+" is cut or comes back to itself"
			f.Remedy = "mend promote_from in the map: `verdict map lint` names the place"
		}
	case needRequest:
		if r.Requester == nil || r.Requester.Person == "" {
			f.State, f.Why, f.Remedy = verdict.StateMissing, "nobody is known to ask", "name who asks: `--requester SYSTEM:ACCOUNT`"
		}
	default:
		return f, false
	}
	return f, true
}

// deployment gathers what one decision of a deployment point sees.
type deployment struct {
	*Engine
	r     Request
	p     decisionmap.Point
	m     moment
	g     *gathered
	index Decisions
	ran   ran

	judged map[int64]*ledger.Entry // decisions, by index; nil for one that does not count
}

// fillDeploy writes the groups of a deployment into the input.
func (e *Engine) fillDeploy(ctx context.Context, r Request, p decisionmap.Point, m moment, g *gathered) error {
	index, ok := e.Ledger.(Decisions)
	if !ok {
		return errors.New("the ledger has no index of decisions, and a deployment point needs one")
	}
	d := &deployment{Engine: e, r: r, p: p, m: m, g: g, index: index}
	g.input.Environment = d.environment()
	g.input.Requester = asker(r.Requester)
	for _, fill := range []func(context.Context) error{d.promotions, d.deployments, d.findings, d.emergencies, d.behind, d.image, d.openSince} {
		if err := fill(ctx); err != nil {
			return fmt.Errorf("gather for %s in %s: %w", p.ID, r.Environment, err)
		}
	}
	return nil
}

func (d *deployment) environment() *policy.Environment {
	e, known := d.Map.Environments[d.r.Environment]
	_, whole := d.Map.Chain(d.r.Environment)
	out := &policy.Environment{
		State: verdict.StateVerified, Name: d.r.Environment, Declared: slices.Contains(d.Map.Services[d.r.Service].Environments, d.r.Environment),
		Tier: e.Tier, Cloud: e.Cloud, Exposure: e.Exposure, Data: e.Data, BlastRadius: e.BlastRadius, Rollback: e.Rollback, MinSLSA: e.MinSLSA,
		PromoteFrom: e.PromoteFrom, Chain: whole, SoakSeconds: e.Soak.Seconds(), Hours: "always", Open: e.Open(d.m.now),
		SLA: policy.SLA{
			Critical: limit(e.VulnerabilitySLA.Critical), High: limit(e.VulnerabilitySLA.High), Medium: limit(e.VulnerabilitySLA.Medium), Low: limit(e.VulnerabilitySLA.Low),
		},
		MaxBaseAgeSeconds: limit(e.MaxBaseAge), Providers: slices.Clone(e.Reach.Providers), Accounts: slices.Clone(e.Reach.Accounts),
		Regions: slices.Clone(e.Reach.Regions), Kinds: slices.Clone(e.Reach.Kinds), Protected: slices.Clone(e.Protected),
	}
	if !known {
		out.State = verdict.StateMissing
	}
	if e.Hours != nil {
		var windows []string
		for _, w := range e.Hours.Allow {
			windows = append(windows, w.String())
		}
		out.Hours = strings.Join(windows, ", ") + " " + e.Hours.Timezone
	}
	for _, f := range e.Freezes {
		out.Freezes = append(out.Freezes, policy.Freeze{From: policy.TimeOf(f.From), To: policy.TimeOf(f.To), Reason: f.Reason, Holds: f.Holds(d.m.now)})
	}
	return out
}

// limit is a length of time in seconds, -1 for none.
func limit(d decisionmap.Duration) int64 {
	if d == 0 {
		return -1
	}
	return d.Seconds()
}

func asker(r *verdict.Requester) *policy.Requester {
	switch {
	case r == nil || r.Person == "":
		return &policy.Requester{State: verdict.StateMissing}
	case !r.Known:
		return &policy.Requester{State: verdict.StateUnknown, Person: r.Person, Kind: r.Kind}
	case r.Claimed != "": // stated by who is trusted to ask, and proved by nobody
		return &policy.Requester{State: verdict.StatePresent, Person: r.Person, Kind: r.Kind}
	}
	return &policy.Requester{State: verdict.StateVerified, Person: r.Person, Kind: r.Kind, Teams: slices.Clone(r.Teams)}
}

// promoted is a promotion, and where it is recorded.
type promoted struct {
	*ledger.DecisionRow
	entry *ledger.Entry
}

// here lists what was let in here, newest first, up to one that is enough.
func (d *deployment) here(ctx context.Context, enough func(promoted) bool) (out []promoted, err error) {
	q := ledger.DecisionQuery{Environment: d.r.Environment, Outcome: verdict.Allow}
	err = d.decided(ctx, q, func(row *ledger.DecisionRow, entry *ledger.Entry) bool {
		out = append(out, promoted{row, entry})
		return len(out) < perEnvironment && (enough == nil || !enough(out[len(out)-1]))
	})
	return out, err
}

// promotion is the entry of a decision whose signer may take it there; nil where there is
// none. One decision asks about the same ones in several ways.
func (d *deployment) promotion(ctx context.Context, row *ledger.DecisionRow) (*ledger.Entry, error) {
	if entry, known := d.judged[row.Index]; known {
		return entry, nil
	}
	entry, err := d.decisionAt(ctx, row.Index, ledger.Query{Kind: verdict.KindDecision, At: d.m.seen})
	if err != nil {
		return nil, err
	}
	if entry != nil && (entry.Foreign || !d.Promotes(d.p, entry.Producer, d.r.Service, row.Environment, d.m.seen)) {
		entry = nil
	}
	if d.judged == nil {
		d.judged = map[int64]*ledger.Entry{}
	}
	d.judged[row.Index] = entry
	return entry, nil
}

// Promotes reports whether what a signer decided at a point of the layer deploy counts for a
// service in an environment: the map lets him leave there what the point leaves. The gate and
// the admission of clusters both ask this, so that none counts what the other does not. It
// takes Map and KeyName of an engine, and nothing else.
func (e *Engine) Promotes(p decisionmap.Point, producer, service, environment string, at ledger.Position) bool {
	return e.rank(producer, p.Produces.Kind, Request{Service: service, Environment: environment}, at) != Untrusted
}

// StatesImages reports whether what a signer says of an image counts for a service: which
// manifests its index names. It takes Map and KeyName of an engine, and nothing else.
func (e *Engine) StatesImages(producer, service string, at ledger.Position) bool {
	return e.rank(producer, needImage, Request{Service: service}, at) != Untrusted
}

// use says that the input rests on an entry.
func (d *deployment) use(entry ledger.Entry) { d.weigh(entry.Ref()) }

func (d *deployment) weigh(ref verdict.Ref) {
	d.g.rest(ref)
	if !slices.ContainsFunc(d.g.about, func(x verdict.Ref) bool { return x.Index == ref.Index }) {
		d.g.about = append(d.g.about, ref)
	}
}

func (d *deployment) listed(row *ledger.DecisionRow) policy.Promotion {
	return policy.Promotion{
		Decision: row.ID, Environment: row.Environment, Digest: row.Subject, At: policy.TimeOf(row.At), AgeSeconds: d.since(row.At),
		Expires: policy.TimeOf(row.Expires), Lapsed: d.lapsed(row),
	}
}

func (d *deployment) lapsed(row *ledger.DecisionRow) bool {
	return !row.Expires.IsZero() && !d.m.now.Before(row.Expires)
}

// since is for how many seconds something is so, never less than none.
func (d *deployment) since(t time.Time) int64 {
	return max(0, int64(d.m.now.Sub(t)/time.Second))
}

// promotions fills where the digest was let in, what was let in here before, and whether
// this goes back to it.
func (d *deployment) promotions(ctx context.Context) error {
	out := &policy.Promotions{State: verdict.StateVerified}
	back := &policy.Rollback{State: verdict.StateVerified}
	d.g.input.Promotions, d.g.input.Rollback = out, back
	before, err := d.chain(ctx, out)
	if err != nil {
		return err
	}
	other := func(x promoted) bool { return x.Subject != d.r.Subject.Digest }
	enough := other
	if before { // then it matters in which order they came first
		enough = nil
	}
	here, err := d.here(ctx, enough)
	if err != nil {
		return err
	}
	if len(here) > 0 {
		d.use(*here[0].entry)
	}
	if out.First, err = d.firstHere(ctx, here); err != nil {
		return err
	}
	if i := slices.IndexFunc(here, other); i >= 0 {
		d.use(*here[i].entry)
		back.PreviousDigest = here[i].Subject
	}
	if to := d.r.Subject.Digest; goesBack(here, to) {
		d.use(*here[firstIn(here, to)].entry)
		back.Requested = true
	}
	if d.r.Trigger == TriggerRollback && !back.Requested {
		d.g.faults = append(d.g.faults, verdict.Fault{
			Code: "rollback.target", What: fmt.Sprintf("nothing says that %s was promoted to %s before what was promoted there last, so it cannot be gone back to", d.r.Subject.Digest.Short(), d.r.Environment),
			Remedy: "leave --rollback out, or name a digest that `verdict trail` shows as promoted there earlier",
		})
	}
	return d.rebuilt(ctx, out)
}

// goesBack reports whether a digest came into an environment before the one that was let in
// last, by its promotions, newest first. To let in again what was gone back from is to go
// forward: what was wrong with it may still be.
func goesBack(here []promoted, to verdict.Digest) bool {
	return len(here) > 0 && here[0].Subject != to && firstIn(here, to) > firstIn(here, here[0].Subject)
}

// firstIn is the place of the promotion by which a digest came in; -1 where none did.
func firstIn(here []promoted, digest verdict.Digest) (place int) {
	place = -1
	for i, x := range here {
		if x.Subject == digest {
			place = i
		}
	}
	return place
}

// rebuilt fills the promotions, on the way here, of other builds of the same commit. What an
// emergency let in is none.
func (d *deployment) rebuilt(ctx context.Context, out *policy.Promotions) error {
	way, _ := d.Map.Chain(d.r.Environment)
	builds := d.g.input.Artifact.Rebuilds
	for _, x := range builds[:min(len(builds), perEnvironment)] {
		seen := 0
		err := d.decided(ctx, ledger.DecisionQuery{Subject: x.Digest, Outcome: verdict.Allow}, func(row *ledger.DecisionRow, entry *ledger.Entry) bool {
			if slices.Contains(way, row.Environment) && d.byRule(ctx, entry) {
				d.use(*entry)
				out.Rebuilt = append(out.Rebuilt, d.listed(row))
			}
			seen++
			return seen < perEnvironment
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trusted lists the statements of a kind about the service in the environment by signers
// who may state it there, newest first.
func (d *deployment) trusted(ctx context.Context, kind verdict.Kind, service string) ([]ledger.Entry, error) {
	q := ledger.Query{Kind: kind, Service: service, Environment: d.r.Environment, At: d.m.seen, Limit: perContext}
	out, cut, err := d.kept(ctx, q, func(x ledger.Entry) bool { return d.rank(x.Producer, string(kind), d.r, d.m.seen) != Untrusted })
	if cut {
		d.g.flooded("statements of the kind " + string(kind) + " about " + d.r.Environment)
	}
	return out, err
}

// told decodes an entry; what cannot be read is said to be gone, in the words of a need.
func (d *deployment) told(ctx context.Context, entry ledger.Entry, need string, into any) bool {
	s, err := d.said(ctx, entry.Index)
	if err == nil && s.failure == nil {
		err = s.statement.Decode(into)
	} else {
		err = cmp.Or(err, s.failure)
	}
	if err != nil {
		d.g.pruned(d.Map, need, entry.Index, err.Error())
	}
	return err == nil
}

// deployments fills when somebody last went back here.
func (d *deployment) deployments(ctx context.Context) error {
	entries, err := d.trusted(ctx, verdict.KindDeployment, d.r.Service)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		var x verdict.Deployment
		if !d.told(ctx, entry, string(verdict.KindDeployment), &x) {
			d.g.input.Rollback.State = verdict.StateUnknown
			continue
		}
		if x.Rollback && x.Environment == d.r.Environment && x.Service == d.r.Service {
			d.use(entry)
			d.g.input.Rollback.TestedAt = policy.TimeOf(entry.At)
			return nil
		}
	}
	return nil
}

// runtimeFinding is what is read of a finding of observation.
type runtimeFinding struct {
	ID    string `json:"id"`
	Class string `json:"class"` // drift, exposure, misuse
	State string `json:"state"` // open, closed
}

// findings fills what observation has open. Where nobody has observed anything the state is
// missing, and the counts say nothing.
func (d *deployment) findings(ctx context.Context) error {
	out := &policy.Runtime{State: verdict.StateMissing}
	d.g.input.Runtime = out
	for _, kind := range []verdict.Kind{verdict.KindFinding, verdict.KindObservation} {
		service := d.r.Service
		if kind == verdict.KindObservation { // of the whole environment
			service = ""
		}
		entries, err := d.trusted(ctx, kind, service)
		if err != nil {
			return err
		}
		if kind == verdict.KindFinding {
			entries = d.vulnerable(ctx, entries, out)
		}
		if len(entries) > 0 {
			out.State = observed(out.State, d.m.now.Sub(entries[0].At), time.Duration(d.Map.MaxAge(decisionmap.Need{Kind: string(kind)})))
			d.use(entries[0])
		}
		if kind == verdict.KindFinding {
			d.open(ctx, entries, out)
		}
	}
	return nil
}

// observed is how well it is known what is open, after one more kind of statement was found of
// which the last is of some age: who stopped looking does not go on seeing nothing. How old it
// may be the map says of its source.
func observed(before verdict.State, age, most time.Duration) verdict.State {
	switch {
	case before == verdict.StateUnknown: // a finding that cannot be read may be open
		return before
	case before == verdict.StateVerified || most == 0 || age <= most:
		return verdict.StateVerified
	}
	return verdict.StateStale
}

// open counts the findings that stand: of each the last word of the same mouth, or of one that
// the map trusts as much. Whoever may state a finding cannot close that of a stronger observer,
// nor make another class of it.
func (d *deployment) open(ctx context.Context, entries []ledger.Entry, out *policy.Runtime) {
	unread, said, counted := false, words{}, map[runtimeFinding]bool{}
	for _, entry := range entries {
		var x runtimeFinding
		if !d.told(ctx, entry, string(verdict.KindFinding), &x) {
			unread = true
			continue
		}
		if x.ID == "" || said.replaced(x.ID, d.wordOf(entry)) {
			continue
		}
		if x.State == "closed" || counted[runtimeFinding{ID: x.ID, Class: x.Class}] {
			continue
		}
		counted[runtimeFinding{ID: x.ID, Class: x.Class}] = true
		d.use(entry)
		switch x.Class {
		case "drift":
			out.OpenDrift++
		case "exposure":
			out.OpenExposure++
		case "misuse":
			out.OpenMisuse++
		}
	}
	if unread {
		out.State = verdict.StateUnknown
	}
}

// word is what one observer says of a finding.
type word struct {
	producer string
	rank     int // by the map: 0 is the strongest
}

func (d *deployment) wordOf(entry ledger.Entry) word {
	return word{entry.Producer, d.rank(entry.Producer, string(verdict.KindFinding), d.r, d.m.seen)}
}

// words are what was said of findings, by their ids, the newest first.
type words map[string][]word

// replaced reports whether a newer word stands in the place of this one: of who said this, or
// of somebody whom the map trusts as much. A weaker one takes nothing back.
func (w words) replaced(id string, this word) bool {
	if slices.ContainsFunc(w[id], func(newer word) bool { return newer.producer == this.producer || newer.rank <= this.rank }) {
		return true
	}
	w[id] = append(w[id], this)
	return false
}

// needPlan is the need that the check of a plan answers.
const needPlan = "iac-plan"

// planned is what a checked plan would do.
func planned(f Fact, digest verdict.Digest, s *Stated) policy.Plan {
	out := policy.Plan{State: f.State, Digest: digest}
	if s == nil || s.Report == nil || s.Report.Plan == nil {
		return out
	}
	p := s.Report.Plan
	out.Tool, out.Create, out.Update, out.Replace, out.Delete, out.Partial = p.Tool, p.Create, p.Update, p.Replace, p.Delete, p.Partial
	out.Providers, out.Accounts, out.Regions, out.Evidence = slices.Clone(p.Providers), slices.Clone(p.Accounts), slices.Clone(p.Regions), s.Ref.Digest
	for _, r := range p.Resources {
		out.Resources = append(out.Resources, policy.PlannedResource(r))
	}
	return out
}
