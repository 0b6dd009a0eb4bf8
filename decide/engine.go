// Package decide takes decisions: a point of the map, a subject and the evidence about
// it become an outcome with every reason, and the decision becomes evidence itself.
//
// The work has four parts. Gathering chooses, for each need of the point, the statement
// that counts, and builds the closed input document. The policy evaluates it. Conclude,
// which is pure, turns the results into an outcome. Recording signs the decision
// together with all that it rested on, so that Replay gives the same result digest
// years later. It gathers once more from the ledger as it was then.
package decide

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/policy"
)

// Ledger is what the engine needs of the ledger.
type Ledger interface {
	// Position is how many entries there are now.
	Position(ctx context.Context) (ledger.Position, error)
	// Find lists entries, newest first; an empty list means that there is none.
	Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	// Bundle gives the signed bytes of an entry; an error when they were pruned or are
	// damaged.
	Bundle(ctx context.Context, index int64) (*evidence.Bundle, error)
	// Append records a bundle durably, once, however often it is appended.
	Append(ctx context.Context, b *evidence.Bundle) (ledger.Entry, error)
	// DecisionStatement finds a decision by its id or a unique beginning of it.
	DecisionStatement(ctx context.Context, id string, at ledger.Position) (ledger.Entry, *evidence.Statement, error)
	// PutBlob keeps content under its digest; Blob gives it back, verified.
	PutBlob(ctx context.Context, content []byte) (verdict.Digest, error)
	// Blob gives content that PutBlob kept.
	Blob(ctx context.Context, d verdict.Digest) ([]byte, error)
}

// Engine decides by one map and one policy bundle, both fixed at its making. It is safe
// for concurrent use when its parts are.
type Engine struct {
	Ledger Ledger
	Map    *decisionmap.Map
	Policy *policy.Bundle
	Signer evidence.Signer
	// KeyName gives the name under which a key id was enrolled before a position, ""
	// when it was not: the map's trust may name keys by it.
	KeyName func(keyID string, at ledger.Position) string
	Now     func() time.Time
	Rand    io.Reader

	recall recall
}

// Request is one question to one point.
type Request struct {
	Point       string
	Subject     verdict.Subject
	Service     string
	Team        string
	Environment string // empty in code, ci and artifact
	Trigger     string // the command or event that asks
	Actor       string
	Requester   *verdict.Requester // who asks for a deployment; nil elsewhere
	Run         string
}

// Decide answers the request and appends the answer. A deny is a value; an error means
// that no decision could be taken or kept, and then nothing is allowed.
func (e *Engine) Decide(ctx context.Context, r Request) (verdict.Decision, ledger.Entry, error) {
	d, basis, point, err := e.take(ctx, r)
	for again := 0; err == nil; again++ {
		stands, whole := true, error(nil)
		if stands, whole = e.stands(ctx, r, point, d, basis); whole != nil {
			return verdict.Decision{}, ledger.Entry{}, whole
		}
		if stands {
			break
		}
		if again == retakes {
			return verdict.Decision{}, ledger.Entry{}, unsteady(point.ID)
		}
		d, basis, point, err = e.take(ctx, r)
	}
	if err != nil {
		return verdict.Decision{}, ledger.Entry{}, err
	}
	entry, err := e.record(ctx, r, point, &d, basis)
	if err == nil {
		e.recall.heard.keepEntry(entry)
	}
	return d, entry, err
}

// Preview answers the request as Decide would, and records nothing.
func (e *Engine) Preview(ctx context.Context, r Request) (verdict.Decision, error) {
	d, _, _, err := e.take(ctx, r)
	return d, err
}

// take takes the decision and records nothing.
func (e *Engine) take(ctx context.Context, r Request) (d verdict.Decision, basis Basis, point decisionmap.Point, err error) {
	point, rules, err := e.point(r.Point)
	if err != nil {
		return d, basis, point, err
	}
	now := e.Now().UTC().Truncate(time.Microsecond)
	id, err := newID(e.Rand)
	if err != nil {
		return d, basis, point, err
	}
	seen, err := e.Ledger.Position(ctx)
	if err != nil {
		return d, basis, point, fmt.Errorf("decide %s: %w", point.ID, err)
	}
	if point.Layer == verdict.LayerDeploy {
		if err := e.keepsTime(ctx, now, seen); err != nil {
			return d, basis, point, err
		}
	}
	g, err := e.gather(ctx, r, point, moment{id: id, now: now, seen: seen})
	if err != nil {
		return d, basis, point, err
	}
	if basis, err = e.basis(g, r, point, rules, now, seen); err != nil {
		return d, basis, point, err
	}
	o, err := e.conclude(ctx, basis.Case, g.input)
	if err != nil {
		return d, basis, point, err
	}
	d = e.decision(id, r, point, o, basis, g.refs, g.from())
	d.Digests.Map, d.Digests.Point = e.here(), point.Digest()
	return d, basis, point, nil
}

// keepsTime refuses to let anything in by a clock that is behind the log: a freeze would not
// have begun, and an exception that is over would still hold.
func (e *Engine) keepsTime(ctx context.Context, now time.Time, seen ledger.Position) error {
	last, err := e.find(ctx, ledger.Query{At: seen, Limit: 1})
	if err != nil {
		return fmt.Errorf("find the last entry of the log: %w", err)
	}
	if len(last) == 0 || last[0].At.Sub(now) <= maxSkew {
		return nil
	}
	first, err := e.firstAhead(ctx, last[0], now, seen)
	if err != nil {
		return err
	}
	until := last[0].At.Add(-maxSkew).Format(time.RFC3339)
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: fmt.Sprintf("this machine's clock says %s, and entry %d of the log was recorded at %s: what holds now cannot be told", now.Format(time.RFC3339), first.Index, first.At.Format(time.RFC3339)),
		Remedy: fmt.Sprintf("set the clock of this machine right, and ask again; where it is right, the clock of the machine that recorded the entry was ahead, and every entry since has a time no earlier: see whose key signed it (verdict log proof %d, verdict keys list), set that clock right, and ask again after %s; who cannot wait restores a backup of the data folder from before entry %d and goes on with verdict log epoch --from-backup --reason TEXT, which leaves out what was recorded since",
			first.Index, until, first.Index),
	}
}

// firstAhead finds the first of the entries at the log's end that lie ahead of a clock: no
// entry has an earlier time than the one before it, so whoever recorded that one pinned the rest.
func (e *Engine) firstAhead(ctx context.Context, last ledger.Entry, now time.Time, seen ledger.Position) (ledger.Entry, error) {
	for {
		page, err := e.Ledger.Find(ctx, ledger.Query{At: seen, Before: last.Index, Limit: perNeed})
		if err != nil {
			return last, fmt.Errorf("find the first entry that lies ahead: %w", err)
		}
		for _, x := range page {
			if x.At.Sub(now) <= maxSkew {
				return last, nil
			}
			last = x
		}
		if len(page) < perNeed || last.Index == 0 {
			return last, nil
		}
	}
}

// basis is what a decision rests on, apart from the blobs.
func (e *Engine) basis(g *gathered, r Request, p decisionmap.Point, rules []verdict.Rule, now time.Time, seen ledger.Position) (b Basis, err error) {
	b = Basis{Schema: BasisSchema, Seen: seen, Case: e.caseOf(g, r, p, rules, now), Partial: p.AllowPartial}
	if err := b.takeInput(g.input); err != nil {
		return b, fmt.Errorf("input of %s: %w", p.ID, err)
	}
	return b, nil
}

// conclude asks the rules of a case and draws the conclusion.
func (e *Engine) conclude(ctx context.Context, c Case, in *policy.Input) (Conclusion, error) {
	ev, err := e.Policy.Evaluate(ctx, policy.Query{Rules: c.Rules, Input: in, At: c.At})
	if err != nil {
		return Conclusion{}, fmt.Errorf("evaluate %s: %w", c.Point, err)
	}
	return Conclude(c, *ev), nil
}

// point finds the point and its rules; a point without rules cannot decide.
func (e *Engine) point(id string) (decisionmap.Point, []verdict.Rule, error) {
	point, ok := e.Map.Point(id)
	if !ok {
		return point, nil, &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("the map has no point %q", id),
			Remedy: "run `verdict map show` for the points that it has",
		}
	}
	rules := active(point, e.Policy)
	if len(rules) == 0 {
		return point, nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("point %s has no rules in this policy bundle: %s", id, strings.Join(point.Policy, ", ")),
			Remedy: "run `verdict map lint`: a point is decided once its rules exist",
		}
	}
	return point, rules, nil
}

// active lists the rules that a point's selectors name in a bundle, by id, each once.
func active(p decisionmap.Point, b *policy.Bundle) []verdict.Rule {
	var rules []verdict.Rule
	for _, selector := range p.Policy {
		found, _ := b.Select(selector)
		rules = append(rules, found...)
	}
	slices.SortFunc(rules, func(a, b verdict.Rule) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(rules, func(a, b verdict.Rule) bool { return a.ID == b.ID })
}

// decision puts the parts together. The digests of map and point are its caller's to fill
// in: to compute them costs as much as to decide.
func (e *Engine) decision(id string, r Request, p decisionmap.Point, o Conclusion, b Basis, refs []verdict.Ref, from []verdict.Digest) verdict.Decision {
	return verdict.Decision{
		ID: id, Point: p.ID, Layer: p.Layer, Question: p.Question, Mode: b.Case.Mode, Subject: r.Subject,
		Service: r.Service, Team: r.Team, Environment: r.Environment, At: b.Case.At, Trigger: r.Trigger, Actor: r.Actor, Requester: r.Requester, From: from,
		Rollback: b.Case.Rollback, Outcome: o.Outcome, Enforced: o.Enforced, Reasons: o.Reasons, Passed: o.Passed, Skipped: o.Skipped,
		Errors: o.Errors, BreakGlass: o.BreakGlass, Expires: o.Expires, Answer: o.Answer, Lifted: o.Lifted, Aside: o.Aside,
		Digests: verdict.Digests{
			Policy: e.Policy.Digest(), Input: b.digest, Facts: o.Facts,
			Capabilities: e.Policy.Capabilities(), Result: resultDigest(o),
		},
		Engine: e.Policy.Engine(), Evidence: joined(refs, b.Case.People.restsOn(o)),
	}
}

// record keeps the bundle and the map as blobs, signs the decision with its basis, and
// appends it.
func (e *Engine) record(ctx context.Context, r Request, p decisionmap.Point, d *verdict.Decision, b Basis) (ledger.Entry, error) {
	var err error
	if b.Blobs, err = e.keepBlobs(ctx); err != nil {
		return ledger.Entry{}, fmt.Errorf("keep policy and map of decision %s: %w", d.ID, err)
	}
	if err = e.keepFindings(ctx, b); err != nil {
		return ledger.Entry{}, fmt.Errorf("keep the findings of decision %s: %w", d.ID, err)
	}
	predicate, err := recorded{Decision: *d, Basis: b, Declared: declared(e.Map, *d)}.encode()
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("write decision %s: %w", d.ID, err)
	}
	s, err := evidence.New(verdict.KindDecision, []verdict.Subject{d.Subject}, predicate, verdict.Context{
		Service: d.Service, Team: d.Team, Environment: d.Environment, Point: d.Point, Run: r.Run, Actor: d.Actor, At: d.At,
		Retention: retention(p),
	}, e.Rand)
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("state decision %s: %w", d.ID, err)
	}
	bundle, err := evidence.Sign(ctx, s, e.Signer)
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("sign decision %s: %w", d.ID, err)
	}
	e.recall.taking(*d, bundle.PayloadDigest())
	entry, err := e.Ledger.Append(ctx, bundle)
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("record decision %s: %w", d.ID, err)
	}
	return entry, nil
}

func declared(m *decisionmap.Map, d verdict.Decision) []decisionmap.Declared {
	if d.Layer != verdict.LayerDeploy {
		return nil
	}
	return m.Context(d.Environment)
}

func retention(p decisionmap.Point) string {
	if p.Layer == verdict.LayerDeploy || p.Layer == verdict.LayerArtifact {
		return "release"
	}
	return "change"
}

// idAlphabet has no letters that are read as one another.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// newID makes a decision's id: "d-" and 80 random bits, of which any unique beginning
// is enough on the command line.
func newID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("draw a decision id: %w", err)
	}
	for i := range b {
		b[i] = idAlphabet[b[i]&31]
	}
	return "d-" + string(b[:]), nil
}

// recorded is the predicate of decision/v1: the decision's own fields, and the basis
// beside them.
type recorded struct {
	verdict.Decision
	Basis Basis `json:"basis"`
	// Declared is what the map declared of the environment and where it said so, for people:
	// no decision rests on the place of a value.
	Declared []decisionmap.Declared `json:"declared,omitempty"`
}
