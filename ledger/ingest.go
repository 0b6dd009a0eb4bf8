package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// Ingestion is the predicate by which an enrolled key of ours vouches for evidence of
// somebody else: what it is, who made it, and that this was verified when it came. The
// leaf is that of this statement, because a foreign signature may not fit the entry type
// of the log, a certificate may hold a person's address, and a leaf is for ever.
type Ingestion struct {
	Bundle        verdict.Digest `json:"bundle"` // sha256 of the bundle as it came
	Size          int64          `json:"size"`
	Payload       verdict.Digest `json:"payload"` // sha256 of the foreign statement
	PredicateType string         `json:"predicate_type"`
	Identity      verdict.Digest `json:"identity"` // of the foreign statement, by its producer
	Producer      IngestedFrom   `json:"producer"` // whose signature was verified
	Origin        string         `json:"origin"`   // the log that it came from; empty: from no log
	Index         int64          `json:"index"`    // its index there
	// LogKey and Checkpoint say what it was verified against besides its signature: it is
	// in the tree of this checkpoint (a signed note), which this verifier key signed, and
	// its key counted there. Both are empty when it came from no log.
	LogKey     string `json:"log_key,omitempty"`
	Checkpoint string `json:"checkpoint,omitempty"`
	// Beside is the blob that the foreign statement names and that came with it: its bill of
	// materials. Empty: it names none, or what it names stayed where it was.
	Beside verdict.Digest `json:"beside,omitempty"`
	// Bound is what ties the key of the signature to a producer that is a workload; nil for
	// any other.
	Bound *Bound `json:"bound,omitempty"`
}

// IngestedFrom is an evidence.Producer in an ingestion.
type IngestedFrom struct {
	Key      string `json:"key"`
	Identity string `json:"identity"`
	Issuer   string `json:"issuer"`
	Workload string `json:"workload,omitempty"`
}

// Bound is a key that a workload proved to hold when it signed in with a token of its
// issuer. The key is of that session and enrolled nowhere, so it is written here: whoever
// holds the ingestion verifies the foreign signature again. The token was a secret and is
// named by its digest, so that the issuer's own records can be asked about it.
type Bound struct {
	Key   string         `json:"key"`   // the public key, PEM
	Token verdict.Digest `json:"token"` // sha256 of the token as it was sent
}

// Verify checks that the key signed the bundle.
func (b *Bound) Verify(ctx context.Context, raw []byte) error {
	key, err := evidence.ParsePublicPEM([]byte(b.Key))
	if err != nil {
		return err
	}
	foreign, err := evidence.ParseBundle(raw)
	if err != nil {
		return err
	}
	_, err = evidence.KeyVerifier(key).Verify(ctx, foreign)
	return err
}

// String is the form of evidence.Producer.String.
func (p IngestedFrom) String() string { return evidence.Producer(p).String() }

func (i Ingestion) check() error {
	for _, d := range []verdict.Digest{i.Bundle, i.Payload, i.Identity} {
		if _, err := hexOf(d); err != nil {
			return fmt.Errorf("ingestion: %w", err)
		}
	}
	if i.PredicateType == "" || i.Size <= 0 || i.Index < 0 || i.Producer == (IngestedFrom{}) {
		return errors.New("ingestion: predicate type, size, index or producer is missing")
	}
	if _, err := hexOf(i.Beside); i.Beside != "" && err != nil {
		return fmt.Errorf("ingestion: %w", err)
	}
	if err := i.checkBound(); err != nil {
		return fmt.Errorf("ingestion: %w", err)
	}
	if i.Origin != "" && !plainHost(i.Origin) {
		return fmt.Errorf("ingestion: %.80q is no origin", i.Origin)
	}
	return nil
}

// checkBound demands the key of a producer that is a workload, and of nobody else.
func (i Ingestion) checkBound() error {
	p := i.Producer
	if (p.Workload != "") != (i.Bound != nil) || p.Workload != "" && (p.Issuer == "" || p.Key+p.Identity != "") {
		return errors.New("a workload comes with its issuer and the key that it proved to hold, and with nothing else")
	}
	if i.Bound == nil {
		return nil
	}
	if _, err := evidence.ParsePublicPEM([]byte(i.Bound.Key)); err != nil {
		return err
	}
	_, err := hexOf(i.Bound.Token)
	return err
}

// hexOf gives the bytes of a sha256 digest.
func hexOf(d verdict.Digest) ([]byte, error) {
	b, err := hex.DecodeString(d.Hex())
	if err != nil || d.Algorithm() != "sha256" || len(b) != 32 {
		return nil, fmt.Errorf("%.80q is not a sha256 digest", d)
	}
	return b, nil
}

// Arrival is evidence of somebody else that is to be ingested.
type Arrival struct {
	Bundle *evidence.Bundle
	// Producer is who signed it, as an evidence.Verifier found.
	Producer evidence.Producer
	// Origin and Index say where it stood in another log; an empty Origin: in none. One
	// place in another log is taken once: another statement for it is a CodeConflict.
	Origin string
	Index  int64
	// LogKey and Checkpoint are what the caller verified its place against.
	LogKey, Checkpoint string
	// Beside: the blob with the bill of materials that the statement names came with it, and
	// was put here (PutBlob).
	Beside bool
	// Bound goes with a Producer that is a workload: the key that signed, and how it is his.
	Bound *Bound
	// Context is that of the ingestion; its time is the caller's clock.
	Context verdict.Context
}

// Ingest records evidence of somebody else, which the caller has verified: a statement
// of ours that names it, signed by signer, is logged, and the bundle is kept as it came.
// A decision, approval or release that comes this way is a claim and takes no effect.
func (l *Ledger) Ingest(ctx context.Context, foreign *evidence.Bundle, by evidence.Producer, signer evidence.Signer, c verdict.Context) (Entry, error) {
	e, err := l.IngestAll(ctx, signer, []Arrival{{Bundle: foreign, Producer: by, Context: c}})
	if err != nil {
		return Entry{}, err
	}
	return e[0], nil
}

// IngestAll records arrivals in their order. What was recorded before gives the entry of
// then. Up to 256 are recorded together or not at all.
func (l *Ledger) IngestAll(ctx context.Context, signer evidence.Signer, arrivals []Arrival) ([]Entry, error) {
	out := make([]Entry, 0, len(arrivals))
	for len(arrivals) > 0 {
		n := min(len(arrivals), maxTogether)
		items := make([]*prepared, n)
		for i, a := range arrivals[:n] {
			var err error
			if items[i], err = l.arrive(ctx, signer, a); err != nil {
				return nil, fmt.Errorf("evidence %d of %d: %w", i+1, len(arrivals), err)
			}
		}
		entries, err := l.enqueue(ctx, &request{items: items})
		if err != nil {
			return nil, err
		}
		out = append(out, entries...)
		arrivals = arrivals[n:]
	}
	return out, nil
}

// arrive writes and prepares the ingestion of one arrival.
func (l *Ledger) arrive(ctx context.Context, signer evidence.Signer, a Arrival) (*prepared, error) {
	foreign, err := a.Bundle.Statement()
	if err != nil {
		return nil, err
	}
	beside, err := l.besideOf(ctx, a, foreign)
	if err != nil {
		return nil, err
	}
	raw := a.Bundle.JSON()
	if a.Bound != nil {
		if err := a.Bound.Verify(ctx, raw); err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256(raw)
	s, err := evidence.New(verdict.KindIngestion, foreign.Subjects, Ingestion{
		Bundle: verdict.NewDigest("sha256", hex.EncodeToString(sum[:])), Size: int64(len(raw)), Payload: a.Bundle.PayloadDigest(),
		PredicateType: foreign.PredicateType, Identity: foreign.Identity(a.Producer.String()), Producer: IngestedFrom(a.Producer), Origin: a.Origin, Index: a.Index,
		LogKey: a.LogKey, Checkpoint: a.Checkpoint, Beside: beside, Bound: a.Bound,
	}, a.Context, l.o.Rand)
	if err != nil {
		return nil, err
	}
	b, err := evidence.Sign(ctx, s, signer)
	if err != nil {
		return nil, err
	}
	if s, err = b.Statement(); err != nil { // rows come from what was signed
		return nil, err
	}
	key, err := l.signerOf(ctx, b, nil)
	if err != nil {
		return nil, err
	}
	x, err := l.prepareStatement(ctx, b, s, key, nil)
	if err != nil {
		return nil, err
	}
	if x.entry.Payload == nil { // the digest of its row is that of the foreign payload
		return nil, fmt.Errorf("an ingestion of %d bytes", x.entry.Size)
	}
	x.bundle = &store.ForeignBundle{To: store.Open, Size: int64(len(raw))}
	x.bill = l.listBill(ctx, foreign, beside == "", x.entry.Producer, verdict.Context{Service: x.entry.Service, Environment: x.entry.Environment})
	x.bundle.Data, err = l.keep(ctx, raw)
	return x, err
}

// besideOf is the blob that came with an arrival; empty where none did.
func (l *Ledger) besideOf(ctx context.Context, a Arrival, foreign *evidence.Statement) (verdict.Digest, error) {
	if !a.Beside {
		return "", nil
	}
	stored, ok := storedBill(foreign)
	if !ok {
		return "", fmt.Errorf("a statement of type %s names no blob that came with it", foreign.PredicateType)
	}
	return stored.Digest, l.billPresent(ctx, foreign)
}

// Range lists the entries [from, to) in their order, at most 10,000 of them: what sync
// sends, from the position that it reached.
func (l *Ledger) Range(ctx context.Context, from, to Position) ([]Entry, error) {
	var rows []store.Entry
	err := l.view(ctx, func(v *store.View, _ store.Head) (err error) {
		rows, err = v.EntriesBetween(ctx, int64(from), to.upTo(), maxList)
		return err
	})
	if err != nil {
		return nil, err
	}
	return entriesOf(rows)
}

// Arrived lists the entries that came from the positions [from, to) of another log, the
// last of them first, at most 10,000 of them.
func (l *Ledger) Arrived(ctx context.Context, origin string, from, to Position) ([]Entry, error) {
	var rows []store.Entry
	err := l.view(ctx, func(v *store.View, _ store.Head) (err error) {
		rows, err = v.Arrived(ctx, origin, int64(from), to.upTo(), maxList)
		return err
	})
	if err != nil {
		return nil, err
	}
	return entriesOf(rows)
}
