package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"verdict"
	"verdict/artifact"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/evidence/sigstore"
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
}

// judges say whose signature holds: by what the flags give, by the enrolled keys of the
// ledger, and by what that holds already.
type judges struct {
	verifiers []evidence.Verifier
	key       []byte // that --key names, for signatures of older cosign
	name      func(key string) string
	// recorded are the statements of the ledger about the same digest, by their payload:
	// they were verified when they were recorded, by a key that may have ended since.
	recorded map[verdict.Digest]piece
}

// judges of a digest; w is nil where there is no ledger.
func (a *app) judges(ctx context.Context, w *workspace, b believed, d verdict.Digest, see string) (*judges, error) {
	j := &judges{name: func(string) string { return "" }, recorded: map[verdict.Digest]piece{}}
	if b.given() {
		v, err := b.verifier(a, see)
		if err != nil {
			return nil, err
		}
		j.verifiers = append(j.verifiers, v)
	}
	if b.key != "" {
		var err error
		if j.key, err = a.readInput(b.key, "the public key", maxPublicKey); err != nil {
			return nil, err
		}
	}
	if w == nil {
		return j, nil
	}
	own, err := w.ledgerPieces(ctx, d, ledger.Now)
	if err != nil {
		return nil, err
	}
	for _, p := range own {
		j.recorded[p.Digest] = p
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

// bundle judges one statement.
func (j *judges) bundle(ctx context.Context, p *piece) {
	if known, ok := j.recorded[p.Digest]; ok && known.bundle != nil && bytes.Equal(known.bundle.Signature(), p.bundle.Signature()) {
		p.State, p.producer, p.Producer, p.Name = known.State, known.producer, known.Producer, known.Name
		return
	}
	err := errors.New("there is no key to verify it by: give --key FILE, or --certificate-identity with --certificate-oidc-issuer and --trusted-root")
	for _, v := range j.verifiers {
		var by evidence.Producer
		if by, err = v.Verify(ctx, p.bundle); err == nil {
			p.signed(by, j.name)
			return
		}
	}
	p.Note = err.Error()
}

// read takes over what a statement says of itself.
func (p *piece) read(s *evidence.Statement) {
	p.statement, p.Kind, p.PredicateType = s, s.Kind(), s.PredicateType
	if c, ok := s.Context(); ok {
		p.Service, p.Point, p.Said = c.Service, c.Point, c.At
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
	s := decisionmap.Signer{Key: p.producer.Key, KeyName: p.Name, Identity: p.producer.Identity, Issuer: p.producer.Issuer}
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

// ledgerPieces lists what the ledger holds about a digest at a position, oldest first.
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
	return out, nil
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
		switch {
		case x.Bundle != nil:
			s, err := x.Bundle.Statement()
			if err != nil {
				return nil, err
			}
			p.read(s)
			p.Digest = x.Bundle.PayloadDigest()
			j.bundle(ctx, &p)
		case x.Signature != nil:
			p.signature(x.Signature, j)
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b piece) int { return a.Said.Compare(b.Said) })
	return out, nil
}

// signature judges a signature of older cosign by the public key that was given.
func (p *piece) signature(s *artifact.ImageSignature, j *judges) {
	if s.Certificate != nil {
		p.Note = "it is signed with a certificate whose proof of the log is of an older form: sign the image again with cosign 3"
		return
	}
	if j.key == nil {
		p.Note = "there is no key to verify it by: give --key FILE"
		return
	}
	by, err := sigstore.VerifyByKey(j.key, s.Payload, s.Signature)
	if err != nil {
		p.Note = err.Error()
		return
	}
	p.signed(by, j.name)
	p.Digest = sha256Digest(s.Payload)
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
