package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
)

// sender is a log that evidence is taken from. Nothing that it says is believed: what
// is taken is verified against the one key that the taker trusts it by.
type sender interface {
	Checkpoint(ctx context.Context) (ledger.Checkpoint, error)
	Consistency(ctx context.Context, from, to int64) (ledger.ConsistencyProof, error)
	InclusionAt(ctx context.Context, index int64, at ledger.Position) (ledger.InclusionProof, error)
	Range(ctx context.Context, from, to ledger.Position) ([]ledger.Entry, error)
	Logged(ctx context.Context, index int64) (*evidence.Bundle, error)
	Keys(ctx context.Context) (*identity.History, error)
	Blob(ctx context.Context, d verdict.Digest) ([]byte, error)
}

// taking is one run that takes into a workspace what another log has and it has not.
type taking struct {
	from sender
	to   *workspace
	// head is the sender's checkpoint, verified with logKey; every proof leads to it.
	head   ledger.Checkpoint
	logKey string
	spans  []span // of the sender, oldest first
	keys   senderKeys
	lookup *identity.History // public keys by id, as the sender says; each is checked against its id
	result *synced
	wait   []ledger.Arrival // verified, not recorded yet
	at     []place          // of wait
	bills  []ledger.Entry   // recorded by this run, to be matched with the advisories
	step   *phase
	may    func(verdict.Context) error // whether who sends may state evidence of a context; nil: he may
}

// span is one epoch of the sender: entries [base, base+size), the leaves of this root.
type span struct {
	origin     string
	base, size int64
	root       tlog.Hash
	// unnamed: nothing that was verified says which origin it had. What is in it counts,
	// but has no place under which it could be recorded.
	unnamed bool
}

type place struct {
	index int64
	kind  verdict.Kind
}

const (
	travelPage  = 1000 // positions that are looked at together
	travelBatch = 256  // entries that are recorded together
	maxSpans    = 1000
)

// run takes everything. What does not hold, or cannot be read, is in the result and
// keeps nothing else from being taken; an error ends it, and what was recorded stays.
func (t *taking) run(ctx context.Context, trust string) error {
	return t.take(ctx, trust, 0, math.MaxInt64)
}

// take is run for the positions [from, to) of the sender.
func (t *taking) take(ctx context.Context, trust string, first, end int64) error {
	if err := t.believe(ctx, trust); err != nil {
		return err
	}
	if t.head.Size == 0 {
		return nil
	}
	var err error
	if t.lookup, err = t.from.Keys(ctx); err != nil {
		return err
	}
	if err := t.epochs(ctx); err != nil {
		return err
	}
	for _, s := range t.spans {
		if err := t.learnBefore(ctx, s, first); err != nil {
			return err
		}
		last := min(s.base+s.size, end)
		for from := max(s.base, first); from < last; from += travelPage {
			if err := t.page(ctx, s, from, min(from+travelPage, last)); err != nil {
				return err
			}
		}
	}
	if err := t.record(ctx); err != nil {
		return err
	}
	return t.match(ctx)
}

// believe fixes the sender's checkpoint: signed by the key that the taker knows the log
// by, and a continuation of what it has shown before.
func (t *taking) believe(ctx context.Context, trust string) error {
	var err error
	if t.head, err = t.from.Checkpoint(ctx); err != nil {
		return err
	}
	known, err := t.lastTaken(ctx)
	if err != nil {
		return err
	}
	switch {
	case known.LogKey == "" && trust == "":
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("the ledger in %s does not know the log %s and takes nothing from it", t.to.dir, t.head.Origin),
			Remedy: "on the machine of that log run verdict log key, and give what it prints with --trust-log VKEY, this once",
		}
	case known.LogKey == "" && t.may != nil && t.may(verdict.Context{}) != nil:
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("the log %s was never sent here, and by which key it is known from now on is the organisation's to say: your roles are for a part of it", t.head.Origin),
			Remedy: "let somebody send the first part who states evidence for all services: verdict roles grant SUBJECT developer --service '*' --reason TEXT",
		}
	case known.LogKey != "" && trust != "" && known.LogKey != trust:
		return refused("the log %s was known by another key until now: %s. A log never changes its key", nil, "leave --trust-log out, and find out who signs with the other key", t.head.Origin, known.LogKey)
	}
	t.result.Trusted = "recorded before"
	if t.logKey = known.LogKey; t.logKey == "" {
		t.logKey, t.result.Trusted = trust, "by --trust-log"
	}
	verifier, err := note.NewVerifier(t.logKey)
	if err != nil {
		return usage("verdict sync --help", "--trust-log is not the key of a log", "give the line that verdict log key prints on the machine of that log: name+hash+base64")
	}
	signed, err := readNote(t.head.Note, verifier)
	if err != nil || signed.Origin != t.head.Origin {
		return refused("the checkpoint of %s is not signed with the key %s", err, "compare with what verdict log key prints on the machine of that log", t.head.Origin, t.logKey)
	}
	t.head.Size, t.head.Root = signed.N, signed.Hash
	if known.Checkpoint == "" {
		return nil
	}
	return t.continues(ctx, known.Checkpoint, verifier)
}

// lastTaken is what the taker recorded with the last entry that it has of the sender's
// open epoch; empty when it has none.
func (t *taking) lastTaken(ctx context.Context) (in ledger.Ingestion, err error) {
	came, err := t.to.ledger.Arrived(ctx, t.head.Origin, 0, ledger.Now)
	if err != nil || len(came) == 0 {
		return in, err
	}
	b, err := t.to.ledger.Logged(ctx, came[0].Index)
	if err != nil {
		return in, err
	}
	s, err := b.Statement()
	if err != nil {
		return in, err
	}
	return in, s.Decode(&in)
}

// continues holds the sender's checkpoint against the one that it showed before.
func (t *taking) continues(ctx context.Context, before string, v note.Verifier) error {
	seen, err := readNote(before, v)
	if err != nil {
		return fmt.Errorf("the checkpoint that was recorded with the last entry of %s: %w", t.head.Origin, err)
	}
	if seen.N == 0 {
		return nil
	}
	const remedy = "take nothing from it before verdict log verify on its machine says what happened; if it was restored from a backup, verdict log epoch lets it go on under a new name"
	if seen.N > t.head.Size {
		return refused("the log %s was set back: it shows %d entries now and has shown %d", nil, remedy, t.head.Origin, t.head.Size, seen.N)
	}
	p, err := t.from.Consistency(ctx, seen.N, t.head.Size)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(p.Hashes, t.head.Size, t.head.Root, seen.N, seen.Hash); err != nil {
		return refused("the log %s does not continue what it has shown before: its first %d entries are others now", err, remedy, t.head.Origin, seen.N)
	}
	return nil
}

func readNote(signed string, v note.Verifier) (torchwood.Checkpoint, error) {
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	return torchwood.ParseCheckpoint(n.Text)
}

func refused(what string, cause error, remedy string, a ...any) error {
	return &verdict.Error{Code: verdict.CodeRefused, What: fmt.Sprintf(what, a...), Remedy: remedy, Err: cause}
}

// epochs finds what came before the open epoch. The first leaf of each says it, and the
// tree of the one before is proved by that leaf: its own key may be lost.
func (t *taking) epochs(ctx context.Context) error {
	s := span{origin: t.head.Origin, base: int64(t.head.Position) - t.head.Size, size: t.head.Size, root: t.head.Root}
	for {
		if s.base < 0 || s.size < 0 || len(t.spans) == maxSpans {
			return refused("the log %s does not say which entries it begins with", nil, remedySender, s.origin)
		}
		t.spans = append(t.spans, s)
		if s.base == 0 {
			slices.Reverse(t.spans)
			return nil
		}
		e, err := t.began(ctx, s)
		if err != nil {
			return refused("the log %s does not say what it continues", err, remedySender, s.origin)
		}
		s = span{origin: e.Previous, base: e.LostFrom - e.Survived, size: e.Survived, root: e.Root}
		if s.size > 0 {
			p, err := t.from.InclusionAt(ctx, s.base, t.head.Position)
			if err != nil {
				return err
			}
			s.unnamed = p.Checkpoint.Origin != s.origin
		}
	}
}

// began reads the leaf that an epoch began with.
func (t *taking) began(ctx context.Context, s span) (ledger.Epoch, error) {
	var e ledger.Epoch
	b, err := t.from.Logged(ctx, s.base)
	if err != nil {
		return e, err
	}
	k, ok := t.lookup.Key(b.Hint())
	if !ok {
		return e, errors.New("its first leaf is signed with an unknown key")
	}
	if err := t.holds(ctx, s, s.base, b, k); err != nil {
		return e, err
	}
	st, err := b.Statement()
	if err != nil {
		return e, err
	}
	if st.Kind() != verdict.KindEpoch {
		return e, errors.New("its first leaf says nothing about it")
	}
	if err := st.Decode(&e); err != nil {
		return e, err
	}
	if e.Origin != s.origin || e.LostTo != s.base || e.LostFrom > e.LostTo || e.Survived < 0 || e.Survived > e.LostFrom {
		return e, errors.New("its first leaf is about another one")
	}
	return e, nil
}

const remedySender = "run verdict log verify on the machine of the log that sends"

// holds verifies a bundle: its signature by this key, and that it is the leaf at the
// index of the tree.
func (t *taking) holds(ctx context.Context, s span, index int64, b *evidence.Bundle, k identity.EnrolledKey) error {
	public, err := evidence.ParsePublicPEM([]byte(k.PublicPEM))
	if err != nil {
		return err
	}
	if _, err := evidence.KeyVerifier(public).Verify(ctx, b); err != nil {
		return err
	}
	leaf, err := evidence.Hashedrekord(b, public)
	if err != nil {
		return err
	}
	p, err := t.from.InclusionAt(ctx, index, t.head.Position)
	if err != nil {
		return err
	}
	if p.Checkpoint.Origin != s.origin && !s.unnamed {
		return fmt.Errorf("it is in the log %s, not in %s", p.Checkpoint.Origin, s.origin)
	}
	if err := tlog.CheckRecord(p.Hashes, s.size, s.root, index-s.base, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("it is not what the log holds there: %w", err)
	}
	return nil
}

// page looks at the positions [from, to) of an epoch.
func (t *taking) page(ctx context.Context, s span, from, to int64) error {
	came, err := t.to.ledger.Arrived(ctx, s.origin, ledger.Position(from), ledger.Position(to))
	if err != nil {
		return err
	}
	here := make(map[int64]bool, len(came))
	for _, e := range slices.Backward(came) { // key events in the order of their log
		here[e.Source] = true
		if e.Kind == verdict.KindKey {
			if err := t.learned(ctx, e); err != nil {
				return err
			}
		}
	}
	list, err := t.from.Range(ctx, ledger.Position(from), ledger.Position(to))
	if err != nil {
		return err
	}
	there := make(map[int64]ledger.Entry, len(list))
	for _, e := range list {
		there[e.Index] = e
	}
	for index := from; index < to; index++ {
		e, ok := there[index]
		switch {
		case here[index]:
			t.result.Known++
		case !ok:
			t.result.refuse(index, verdict.CodeUnavailable, errors.New("the log that sends does not show it"))
		case e.Pruned:
			t.result.leave(index, "its body was deleted at the end of its retention")
		default:
			if err := t.entry(ctx, s, index); err != nil {
				return err
			}
		}
	}
	if t.step != nil {
		t.step.say("%d of %d entries", to, int64(t.head.Position))
	}
	return nil
}

// entry verifies one entry and puts it among those to record.
func (t *taking) entry(ctx context.Context, s span, index int64) error {
	b, err := t.from.Logged(ctx, index)
	if err != nil {
		return t.unreadable(ctx, index, err)
	}
	st, err := b.Statement()
	if err != nil {
		t.result.refuse(index, verdict.CodeRefused, err)
		return nil
	}
	if st.Kind() == verdict.KindIngestion {
		t.result.leave(index, "evidence of others, for which that log vouches and its producer does not: record it with verdict attest --bundle, or take it from its own log")
		return nil
	}
	var event *identity.KeyEvent
	if st.Kind() == verdict.KindKey {
		event = &identity.KeyEvent{}
		err = st.Decode(event)
	}
	var k identity.EnrolledKey
	if err == nil {
		k, err = t.keys.signer(b.Hint(), index, event)
	}
	if err == nil {
		err = t.holds(ctx, s, index, b, k)
	}
	if err == nil && event != nil {
		err = t.keys.add(index, signedEvent{k.ID, *event})
	}
	if err != nil {
		return t.unreadable(ctx, index, err)
	}
	if s.unnamed {
		t.result.leave(index, "it is older than a log that was lost too, and nothing names the log that it was in")
		return nil
	}
	beside, err := t.beside(ctx, index, st)
	if errors.Is(err, errLater) {
		return nil
	}
	if err != nil {
		return err
	}
	c, _ := st.Context()
	if t.may != nil {
		if err := t.may(c); err != nil {
			t.result.refuse(index, verdict.CodeForbidden, err)
			return nil
		}
	}
	c = verdict.Context{
		Service: c.Service, Team: c.Team, Environment: c.Environment, Point: c.Point, Run: c.Run,
		Actor: t.to.actor(), At: t.to.now(), Retention: first(c.Retention, retentionOf(st.Kind(), st.Subjects)),
	}
	t.wait = append(t.wait, ledger.Arrival{
		Bundle: b, Producer: evidence.Producer{Key: k.ID}, Origin: s.origin, Index: index, LogKey: t.logKey, Checkpoint: t.head.Note, Beside: beside, Context: c,
	})
	t.at = append(t.at, place{index, st.Kind()})
	if len(t.wait) < travelBatch {
		return nil
	}
	return t.record(ctx)
}

// unreadable notes why an entry is not taken. What would keep every other from being
// looked at too is an error.
func (t *taking) unreadable(ctx context.Context, index int64, err error) error {
	if ctx.Err() != nil || errors.Is(err, ledger.ErrAnchor) {
		return err
	}
	code := verdict.CodeRefused
	var e *verdict.Error
	if errors.As(err, &e) && e.Code == verdict.CodeUnavailable {
		code = e.Code
	}
	t.result.refuse(index, code, err)
	return nil
}

// record records what waits. When one of them is refused the others are tried alone, so
// that it is named.
func (t *taking) record(ctx context.Context) error {
	arrivals, at := t.wait, t.at
	t.wait, t.at = nil, nil
	if len(arrivals) == 0 {
		return nil
	}
	before, err := t.to.ledger.Checkpoint(ctx)
	if err != nil {
		return err
	}
	entries, err := t.to.own.IngestAll(ctx, t.to.signer, arrivals)
	if err == nil {
		for i, e := range entries {
			fresh := e.Index >= int64(before.Position)
			t.result.took(at[i].kind, fresh)
			if fresh && e.Kind == verdict.KindSBOM {
				t.bills = append(t.bills, e)
			}
		}
		return nil
	}
	if code := verdict.AsError(err).Code; errors.Is(err, ledger.ErrAnchor) || code != verdict.CodeConflict && code != verdict.CodeInvalid && code != verdict.CodeLimit {
		return err
	}
	if len(arrivals) == 1 {
		t.result.refuse(at[0].index, verdict.CodeRefused, err)
		return nil
	}
	for i := range arrivals {
		t.wait, t.at = arrivals[i:i+1:i+1], at[i:i+1:i+1]
		if err := t.record(ctx); err != nil {
			return err
		}
	}
	return nil
}
