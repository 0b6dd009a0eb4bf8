package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"fmt"
	"slices"
	"time"

	"verdict"
	"verdict/artifact"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

// piece is one piece of evidence about an artifact, wherever it was found. The same
// evidence from the ledger and from a registry differs in Where and Entry alone.
type piece struct {
	Kind          verdict.Kind   `json:"kind"`
	PredicateType string         `json:"predicate_type"`
	Digest        verdict.Digest `json:"digest"` // of the signed payload; empty for what is no statement
	// State is verified (the signature holds, by an enrolled key or by one that was given)
	// or unknown. Trust is another question.
	State    verdict.State `json:"state"`
	Producer string        `json:"producer"` // as evidence.Producer.String; empty: not known
	Name     string        `json:"name"`     // under which its key is enrolled; empty: it is not
	// Trusted: the map lets its producer state this kind about its service.
	Trusted bool      `json:"trusted"`
	Service string    `json:"service"`
	Point   string    `json:"point"`
	Said    time.Time `json:"said,omitzero"` // when its producer says that it happened
	Where   string    `json:"where"`         // "entry 7", or a manifest or tag of the registry
	Entry   int64     `json:"entry"`         // of the ledger; -1: it is not from there
	Note    string    `json:"note"`          // why it is unknown

	bundle    *evidence.Bundle
	statement *evidence.Statement
	producer  evidence.Producer
	seen      ledger.Position // of a decision: how much of its ledger it saw
}

// judges say whose signature holds: by what the flags give, by the enrolled keys of the
// ledger, and by what that holds already.
type judges struct {
	verifiers []evidence.Verifier
	name      func(key string) string
	// recorded are the statements of the ledger about the same digest, by their payload:
	// they were verified when they were recorded, by a key that may have ended since. Of one
	// payload there are several where several producers signed it.
	recorded map[verdict.Digest][]piece
}

// judges of a digest; w is nil where there is no ledger.
func (a *app) judges(ctx context.Context, w *workspace, b believed, d verdict.Digest, see string) (*judges, error) {
	j := &judges{name: func(string) string { return "" }, recorded: map[verdict.Digest][]piece{}}
	if b.given() {
		v, err := b.verifier(a, see)
		if err != nil {
			return nil, err
		}
		j.verifiers = append(j.verifiers, v)
	}
	if w == nil {
		return j, nil
	}
	own, err := w.ledgerPieces(ctx, d, ledger.Now)
	if err != nil {
		return nil, err
	}
	for _, p := range own {
		j.record(p)
	}
	return j, j.enrolled(ctx, w)
}

// enrolled adds the keys that may sign now. One that ended may not: a registry proves no
// time at which it signed.
func (j *judges) enrolled(ctx context.Context, w *workspace) error {
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	size, err := w.size(ctx, ledger.Now)
	if err != nil {
		return err
	}
	var public []*ecdsa.PublicKey
	for _, k := range keys.Keys() {
		if !k.ValidAt(size) {
			continue
		}
		pub, err := evidence.ParsePublicPEM([]byte(k.PublicPEM))
		if err != nil {
			return fmt.Errorf("enrolled key %s: %w", k.ID, err)
		}
		public = append(public, pub)
	}
	name := namesOf(keys)
	j.name = func(key string) string { return name(key, ledger.Position(size)) }
	j.verifiers = append(j.verifiers, evidence.KeyVerifier(public...))
	return nil
}

func (j *judges) record(p piece) { j.recorded[p.Digest] = append(j.recorded[p.Digest], p) }

// known gives the record of the same statement by the same producer.
func (j *judges) known(p piece) (piece, bool) {
	i := slices.IndexFunc(j.recorded[p.Digest], func(r piece) bool { return r.Producer == p.Producer })
	if i < 0 {
		return piece{}, false
	}
	return j.recorded[p.Digest][i], true
}

// bundle judges one statement.
func (j *judges) bundle(ctx context.Context, p *piece) {
	for _, known := range j.recorded[p.Digest] {
		if known.bundle != nil && bytes.Equal(known.bundle.Signature(), p.bundle.Signature()) {
			p.State, p.producer, p.Producer, p.Name = known.State, known.producer, known.Producer, known.Name
			return
		}
	}
	for _, v := range j.verifiers {
		by, err := v.Verify(ctx, p.bundle)
		if err == nil {
			p.signed(by, j.name)
			p.Note = ""
			return
		}
		if e := verdict.AsError(err); p.Note == "" { // of whom the flags name, if they do
			p.Note = e.Error() + ": " + e.Remedy
		}
	}
	if len(j.verifiers) == 0 {
		p.Note = "there is no key to verify it by: give --key FILE, or --certificate-identity with --certificate-oidc-issuer and --trusted-root"
	}
}

// read takes over what a statement says of itself.
func (p *piece) read(s *evidence.Statement) {
	p.statement, p.Kind, p.PredicateType = s, s.Kind(), s.PredicateType
	if c, ok := s.Context(); ok {
		p.Service, p.Point, p.Said = c.Service, c.Point, c.At
	}
	if p.Kind != verdict.KindDecision {
		return
	}
	var of struct {
		Basis struct{ Seen ledger.Position }
	}
	if s.DecodeFields(&of, "basis.seen") == nil {
		p.seen = of.Basis.Seen
	}
}

// signed takes over who signed it.
func (p *piece) signed(by evidence.Producer, name func(string) string) {
	p.State, p.producer, p.Producer = verdict.StateVerified, by, by.String()
	if by.Key != "" {
		p.Name = name(by.Key)
	}
}

// judge asks the map whether the producer may state this.
func (p *piece) judge(m *decisionmap.Map) {
	if p.State != verdict.StateVerified {
		return
	}
	s := decide.SignerOf(p.producer)
	s.KeyName = p.Name
	if p.Kind == verdict.KindDecision { // counts by the point that it is of, and not by its kind
		p.Trusted = m.TrustsDecisionsOf(s)
		return
	}
	need := string(p.Kind)
	if p.statement != nil {
		if r, ok := evidence.ReportOf(p.statement); ok {
			need = r.Check
		}
	}
	p.Trusted = m.Trusts(s, need, p.Service, "")
}

// ledgerPieces lists what the ledger holds about a digest at a position, in order.
func (w *workspace) ledgerPieces(ctx context.Context, d verdict.Digest, at ledger.Position) ([]piece, error) {
	entries, err := w.findAll(ctx, ledger.Query{Subject: d, At: at})
	if err != nil {
		return nil, err
	}
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	name := namesOf(keys)
	out := []piece{}
	for _, e := range slices.Backward(entries) {
		p := piece{Kind: e.Kind, PredicateType: e.PredicateType, Digest: e.Digest, Where: fmt.Sprintf("entry %d", e.Index), Entry: e.Index, State: verdict.StateUnknown}
		if e.Pruned {
			p.Producer, p.Note = e.Producer, "its body was deleted at the end of its retention"
			if !e.Foreign {
				p.Said = e.Context.At
			}
			out = append(out, p)
			continue
		}
		if p.bundle, err = w.ledger.Bundle(ctx, e.Index); err != nil {
			return nil, err
		}
		s, err := p.bundle.Statement()
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Index, err)
		}
		p.read(s)
		// Its signature was verified when it was recorded: by the key's place in the log,
		// or by whoever ingested it.
		p.signed(evidence.ParseProducer(e.Producer), func(key string) string { return name(key, ledger.Position(e.Index)+1) })
		out = append(out, p)
	}
	slices.SortStableFunc(out, inTime)
	return out, nil
}

// inTime orders evidence by when its producers say that it happened, the oldest first. What
// is of one instant is ordered by what was signed, which ledger and registry know alike: of
// two decisions that one first which had seen less of its ledger.
func inTime(a, b piece) int {
	return cmp.Or(a.Said.Compare(b.Said), cmp.Compare(a.seen, b.seen), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Producer, b.Producer))
}

// registryPieces lists what lies beside a digest in its registry.
func (j *judges) registryPieces(ctx context.Context, r artifact.Remote, d verdict.Digest) ([]piece, error) {
	beside, err := artifact.Beside(ctx, r, d)
	if err != nil {
		return nil, err
	}
	out := []piece{}
	for _, x := range beside {
		p := piece{Kind: x.Kind, PredicateType: x.PredicateType, Where: x.Where, Entry: -1, State: verdict.StateUnknown, Note: x.Note, bundle: x.Bundle}
		if x.Bundle != nil {
			s, err := x.Bundle.Statement()
			if err != nil {
				return nil, err
			}
			p.read(s)
			p.Digest = x.Bundle.PayloadDigest()
			j.bundle(ctx, &p)
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, inTime)
	return eachOnce(out), nil
}

// eachOnce leaves out what the same producer stated in an earlier one: whoever signs an image
// at each run of a pipeline says one thing, and the ledger holds it once.
func eachOnce(all []piece) []piece {
	said := map[verdict.Digest]bool{}
	return slices.DeleteFunc(all, func(p piece) bool {
		if p.State != verdict.StateVerified || p.statement == nil {
			return false
		}
		id := p.statement.Identity(p.Producer)
		defer func() { said[id] = true }()
		return said[id]
	})
}

// text is one row for people.
func (p piece) text() []string {
	state := "verified"
	switch {
	case p.State != verdict.StateVerified:
		state = "unknown"
	case p.Trusted:
		state = "trusted"
	}
	by := cmp.Or(p.Name, p.Producer, "nobody that is known")
	if p.Producer != "" && p.Name == "" {
		by = producerText(evidence.ParseProducer(p.Producer))
	}
	said := ""
	if !p.Said.IsZero() {
		said = p.Said.Format("2006-01-02 15:04")
	}
	what := string(p.Kind)
	if p.Kind == verdict.KindOther {
		what = p.PredicateType
	}
	return []string{state, report.Neutral(what), report.Neutral(by), said, report.Neutral(p.Where)}
}
