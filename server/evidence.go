package server

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"sync"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
	"verdict/server/within"
)

// EvidenceOptions are what the route needs by which evidence is recorded.
type EvidenceOptions struct {
	// Verb is what a caller needs a role for to state evidence of a kind; an empty one: nobody
	// states it from the outside.
	Verb func(k verdict.Kind, step verdict.Step) identity.Verb
	// Bound gives the key that a caller proved to hold when he signed in, and the token that
	// said who he is; nil where he proved none.
	Bound func(ctx context.Context, c identity.Caller) (*ledger.Bound, error)
	// Foreign verifies evidence of somebody else whose certificate names an identity. nil:
	// none is trusted here.
	Foreign func(ctx context.Context, b *evidence.Bundle, f wire.Foreign) (evidence.Producer, error)
	// Signer signs that evidence came which an enrolled key did not sign.
	Signer evidence.Signer
}

// EvidenceRoute adds the route by which evidence is recorded.
func (s *Server) EvidenceRoute(o EvidenceOptions) {
	type (
		in  struct{ Body wire.Record }
		out struct{ Body wire.Recorded }
	)
	op := Operation{
		Method: http.MethodPost, Path: "/evidence", ID: "record-evidence", Summary: "Record signed statements", Tag: tagLedger, Verb: identity.Reading, Body: wire.MaxBody, Once: true,
		About: fmt.Sprintf("At most %d, recorded together or not at all, in their order. What was recorded before gives the entry of then, so that sending it again adds nothing. "+
			"A statement is signed by an enrolled key, or by the one that the session is bound to. Which verb it needs depends on its kind. "+
			"A body of type `%s` is one bundle and nothing around it.", wire.MaxEvidence, wire.BundleType),
	}
	r := &recorder{o: o, ledger: s.o.Ledger, whose: s.o.Whose, now: s.o.Now, large: make(chan struct{}, largeBlobs)}
	r.told = func(ctx context.Context, err error) *Problem {
		if p := problemOf(err); p.Status != http.StatusInternalServerError { // a database that is away is told once, and not by each request
			return p
		}
		return s.told(ctx, op, err)
	}
	s.Handle("POST "+Prefix+"/evidence", op, http.HandlerFunc(r.serve))
	Document[in, out](s, op)
}

// recorder records evidence. It is on the path of every pipeline, so a statement is read once
// here and once by the ledger, and a checkpoint is signed once for all who wait for it.
type recorder struct {
	o      EvidenceOptions
	ledger *ledger.Ledger
	whose  within.Whose
	now    func() time.Time
	large  chan struct{}
	told   func(context.Context, error) *Problem // logs what the caller is not told

	mu     sync.Mutex // guards latest and keys
	latest ledger.Checkpoint
	keys   *identity.History // nil until somebody recorded
}

func (x *recorder) serve(w http.ResponseWriter, r *http.Request) {
	content, free, err := readLarge(r, x.large)
	defer free()
	var pieces []wire.Evidence
	if err == nil {
		pieces, err = piecesOf(r.Header.Get("Content-Type"), content)
	}
	var entries []ledger.Entry
	if err == nil {
		entries, err = x.record(r.Context(), CallerOf(r.Context()), pieces)
	}
	var a wire.Recorded
	if err == nil {
		a, err = x.acknowledge(r.Context(), entries)
	}
	if err != nil {
		writeProblem(w, x.told(r.Context(), err))
		return
	}
	writeJSON(w, a)
}

// piecesOf reads a body. The bundles in it are not read yet.
func piecesOf(kind string, content []byte) ([]wire.Evidence, error) {
	media, _, err := mime.ParseMediaType(kind)
	switch {
	case err == nil && media == wire.BundleType:
		return []wire.Evidence{{Bundle: content}}, nil
	case err != nil || media != "application/json":
		return nil, problem(http.StatusUnsupportedMediaType, verdict.CodeUsage, fmt.Sprintf("a body of type %.80q is no evidence", kind), "send application/json or "+wire.BundleType)
	}
	var q wire.Record
	if err := strict(content, &q); err != nil {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: "the body cannot be read: " + err.Error(), Remedy: "compare it with POST " + Prefix + "/evidence in /openapi.json"}
	}
	if n := len(q.Evidence); n == 0 || n > wire.MaxEvidence {
		return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("the request has %d statements", n), Remedy: fmt.Sprintf("send from 1 to %d at once", wire.MaxEvidence)}
	}
	return q.Evidence, nil
}

// record verifies all of it, and then records it.
func (x *recorder) record(ctx context.Context, c identity.Caller, pieces []wire.Evidence) ([]ledger.Entry, error) {
	var own []*evidence.Bundle
	var came []ledger.Arrival
	for i, p := range pieces {
		b, a, err := x.verify(ctx, c, p)
		if err != nil && len(pieces) > 1 {
			err = numbered(i, len(pieces), err)
		}
		switch {
		case err != nil:
			return nil, err
		case a != nil:
			came = append(came, *a)
		default:
			own = append(own, b)
		}
	}
	switch {
	case len(came) == 0:
		return x.ledger.AppendAll(ctx, own)
	case len(own) == 0:
		return x.ledger.IngestAll(ctx, x.o.Signer, came)
	}
	return nil, &verdict.Error{
		Code: verdict.CodeInvalid, What: "the request mixes statements of enrolled keys with such of others, which are not recorded together", Remedy: "send them in two requests",
	}
}

// numbered says which of several statements an error is about.
func numbered(i, of int, err error) error {
	e := verdict.AsError(err)
	return &verdict.Error{Code: e.Code, What: fmt.Sprintf("statement %d of %d: %s", i+1, of, e.What), Remedy: e.Remedy, Err: e.Err}
}

// verify holds a piece of evidence against what the caller may state, and says how it is
// recorded: a is nil for what an enrolled key signed, whose signature the ledger verifies.
func (x *recorder) verify(ctx context.Context, c identity.Caller, p wire.Evidence) (b *evidence.Bundle, a *ledger.Arrival, err error) {
	if b, err = evidence.ParseBundle(p.Bundle); err != nil {
		return nil, nil, err
	}
	s, err := b.Statement()
	if err != nil {
		return nil, nil, err
	}
	said, _ := s.Context()
	if p.Foreign != nil {
		said = p.Foreign.Context
	}
	if err := x.may(ctx, c, s, said, p.Foreign != nil); err != nil {
		return nil, nil, err
	}
	if p.Foreign != nil {
		a, err = x.foreign(ctx, c, b, *p.Foreign)
		return b, a, err
	}
	if enrolled, err := x.enrolled(ctx, b.Hint()); enrolled || err != nil {
		return b, nil, err
	}
	a, err = x.bound(ctx, c, b, said)
	return b, a, err
}

// enrolled reports whether a key was enrolled, whether or not it still counts, which the
// ledger looks at. Nobody takes an enrolment back, so who was found once is not looked for.
func (x *recorder) enrolled(ctx context.Context, id string) (bool, error) {
	x.mu.Lock()
	known := x.keys
	x.mu.Unlock()
	if known != nil {
		if _, ok := known.Key(id); ok {
			return true, nil
		}
	}
	known, err := x.ledger.Keys(ctx)
	if err != nil {
		return false, err
	}
	x.mu.Lock()
	x.keys = known
	x.mu.Unlock()
	_, ok := known.Key(id)
	return ok, nil
}

// may asks whether the caller's roles allow a statement. What comes from others takes no
// effect of its own, whatever it says, and is stated as evidence.
func (x *recorder) may(ctx context.Context, c identity.Caller, s *evidence.Statement, said verdict.Context, foreign bool) error {
	about := identity.Object{Service: said.Service, Team: said.Team, Environment: said.Environment}
	if foreign {
		return x.whose.May(ctx, c, identity.Stating, about)
	}
	var of stated
	kind := s.Kind()
	switch kind {
	case verdict.KindException, verdict.KindApproval, verdict.KindBreakGlass, verdict.KindDeployment, verdict.KindProposal:
		_ = s.Decode(&of) // an exception that says no step asks for nothing, and takes the verb of an acceptance
	}
	if kind == verdict.KindProposal && (of.Action == verdict.KindMapRelease || of.Action == verdict.KindPolicyRelease) {
		kind = of.Action // released by two, of whom the first proposes it: the same is asked of both
	}
	if of.SignedIn || of.ReviewSignedIn {
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("a statement of kind %s for who is signed in is the server's to make, and this one was brought", kind),
			Remedy: "sign in and state it here (verdict login --server URL), or sign it in your own name: --as KEY",
		}
	}
	verb := x.o.Verb(kind, of.Step)
	if verb == "" || s.Kind() == verdict.KindDecision { // with a server the server decides
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("statements of kind %s are the server's to make", s.Kind()), Remedy: "ask the server for what they say: a decision with POST " + Prefix + "/decisions",
		}
	}
	if kind == verdict.KindKey && endsAnothers(s, c) {
		verb = identity.Managing
		if c.Holds(identity.Governing) == nil {
			verb = identity.Governing
		}
	}
	if everybodys[kind] {
		return c.May(verb, identity.Object{})
	}
	return x.whose.May(ctx, c, verb, append(of.about(), about)...)
}

// endsAnothers reports whether a statement revokes a key that is not the caller's own: with
// it ends what that key may sign, the server's included, and what it signed may be doubted.
func endsAnothers(s *evidence.Statement, c identity.Caller) bool {
	var e identity.KeyEvent
	return s.Decode(&e) != nil || e.Action == identity.Revoke && (c.Key == "" || e.Key != c.Key)
}

// everybodys are the kinds by which everybody is judged: they are of the organisation,
// whatever service their signer writes beside them.
var everybodys = map[verdict.Kind]bool{
	verdict.KindMapRelease: true, verdict.KindPolicyRelease: true, verdict.KindModeChange: true, verdict.KindRoleChange: true, verdict.KindKey: true,
}

// stated is what a statement says itself of what it asks for, and about what: an exception,
// an approval, an emergency and a deployment take effect there, whatever their context says.
type stated struct {
	Step         verdict.Step `json:"step"`
	Action       verdict.Kind `json:"action"`
	Service      string       `json:"service"`
	Environment  string       `json:"environment"`
	Environments []string     `json:"environments"`
	// SignedIn and ReviewSignedIn: a server signs it for who is signed in there. What the server
	// states so it states itself: not even its own key has it taken from somebody who brings it.
	SignedIn       bool `json:"signed_in"`
	ReviewSignedIn bool `json:"review_signed_in"`
}

func (s stated) about() (all []identity.Object) {
	if s.Service != "" || s.Environment != "" {
		all = append(all, identity.Object{Service: s.Service, Environment: s.Environment})
	}
	for _, e := range s.Environments {
		all = append(all, identity.Object{Service: s.Service, Environment: e})
	}
	return all
}

// bound is evidence under the key that the caller's session is bound to.
func (x *recorder) bound(ctx context.Context, c identity.Caller, b *evidence.Bundle, said verdict.Context) (*ledger.Arrival, error) {
	if c.Key == "" || c.Key != b.Hint() || c.Workload == "" || x.o.Bound == nil {
		why := "which is not enrolled here"
		if c.Workload != "" {
			why = "which is neither enrolled here nor the one that your session is bound to"
		}
		return nil, &verdict.Error{
			Code: verdict.CodeForbidden, What: "the statement is signed with key " + b.Hint() + ", " + why,
			Remedy: "sign with an enrolled key (--as KEY); or have this one enrolled: verdict keys public > key.pub here, and verdict people enroll NAME --public-key key.pub where a key is that counts; " +
				"what somebody else signed is recorded with verdict attest --bundle FILE --key FILE",
		}
	}
	key, err := x.o.Bound(ctx, c)
	if err == nil && key == nil {
		err = &verdict.Error{Code: verdict.CodeForbidden, What: "your session is bound to no key any more", Remedy: "sign in again: run the command again"}
	}
	if err != nil {
		return nil, err
	}
	if err := key.Verify(ctx, b.JSON()); err != nil {
		return nil, err
	}
	return &ledger.Arrival{
		Bundle: b, Producer: evidence.Producer{Workload: c.Workload, Issuer: c.Issuer}, Bound: key, Context: x.context(c, said),
	}, nil
}

// foreign verifies evidence of somebody else as its sender says that it can be.
func (x *recorder) foreign(ctx context.Context, c identity.Caller, b *evidence.Bundle, f wire.Foreign) (*ledger.Arrival, error) {
	var by evidence.Producer
	switch {
	case f.PublicPEM != "" && f.Identity == "":
		public, err := evidence.ParsePublicPEM([]byte(f.PublicPEM))
		if err != nil {
			return nil, err
		}
		if by, err = evidence.KeyVerifier(public).Verify(ctx, b); err != nil {
			return nil, err
		}
	case f.PublicPEM == "" && f.Identity != "" && x.o.Foreign != nil:
		var err error
		if by, err = x.o.Foreign(ctx, b, f); err != nil {
			return nil, err
		}
	default:
		return nil, &verdict.Error{
			Code: verdict.CodeInvalid, What: "this server verifies no certificates, and the evidence names no key", Remedy: "give the public key (public_pem; verdict attest --key FILE), or have the operator name a trusted root",
		}
	}
	return &ledger.Arrival{Bundle: b, Producer: by, Context: x.context(c, f.Context)}, nil
}

// context is that of an arrival: who brought it, and when by the server's clock.
func (x *recorder) context(c identity.Caller, said verdict.Context) verdict.Context {
	retention := said.Retention
	if retention == "" {
		retention = "change"
	}
	return verdict.Context{
		Service: said.Service, Team: said.Team, Environment: said.Environment, Point: said.Point, Run: said.Run, Actor: c.Actor,
		At: x.now().UTC().Truncate(time.Microsecond), Retention: retention,
	}
}

// acknowledge answers with the entries and a checkpoint that covers them.
func (x *recorder) acknowledge(ctx context.Context, entries []ledger.Entry) (a wire.Recorded, err error) {
	a.Entries = make([]wire.Entry, len(entries))
	last := int64(-1)
	for i, e := range entries {
		a.Entries[i], last = wire.EntryOf(e), max(last, e.Index)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if int64(x.latest.Position) <= last {
		if x.latest, err = x.ledger.Checkpoint(ctx); err != nil {
			return a, err
		}
	}
	a.Checkpoint = x.latest
	return a, nil
}
