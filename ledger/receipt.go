package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// receiptEvery is how long an entry stays without a receipt at most, while a process
// has the ledger open.
const receiptEvery = time.Minute

// Receipt is the predicate by which the log signs order and time: the entries [From, To)
// were there at At, in the tree of this size and root. It bounds the times at which the
// entries before and after it were recorded.
type Receipt struct {
	Origin string    `json:"origin"`
	From   int64     `json:"from"`
	To     int64     `json:"to"`
	Size   int64     `json:"size"`
	Root   tlog.Hash `json:"root"`
	At     time.Time `json:"at"`
}

// Receipt signs, now, for all entries that have no receipt. It gives false when there
// are none, or when the log has no enrolled key to sign with.
func (l *Ledger) Receipt(ctx context.Context) (Entry, bool, error) {
	r := &request{receipt: true}
	entries, err := l.enqueue(ctx, r)
	if err != nil || len(entries) == 0 {
		return Entry{}, false, err
	}
	return entries[0], true, nil
}

func (l *Ledger) receiptDue(t *tail, now int64) bool {
	return t.oldest != 0 && l.o.Signer != nil && now-t.oldest >= receiptEvery.Microseconds()
}

// untilReceipt is how long the appender may sleep when it stands at t.
func (l *Ledger) untilReceipt(t *tail) time.Duration {
	if t == nil || t.oldest == 0 {
		return receiptEvery
	}
	left := time.Duration(t.oldest+receiptEvery.Microseconds()-micros(l.o.Now())) * time.Microsecond
	return min(max(left, time.Second), receiptEvery)
}

// addReceipt puts a receipt in front of the batch when one is due or wanted.
func (l *Ledger) addReceipt(ctx context.Context, p *plan, batch []*request) error {
	wanted := l.receiptDue(p.tail, p.at)
	for _, r := range batch {
		wanted = wanted || r.receipt
	}
	if !wanted || p.tail.oldest == 0 || l.o.Signer == nil {
		return nil
	}
	if _, err := p.tail.keys.valid(l.o.Signer.KeyID(), p.next()); err != nil {
		l.o.Logger.Warn("no receipt: the log's own key is not valid", "key", l.o.Signer.KeyID())
		return nil
	}
	h := p.tail.head
	x, err := l.own(ctx, verdict.KindReceipt, h.Origin, Receipt{
		Origin: h.Origin, From: max(p.tail.receipt, h.Base), To: p.next(), Size: h.Size, Root: tlog.Hash(h.Root), At: fromMicros(p.at),
	}, p.at)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	p.tail.receipt = p.next()
	p.put(x)
	p.tail.oldest = 0
	for _, r := range batch {
		if r.receipt {
			r.items, r.places, r.fresh = []*prepared{x}, []int64{p.tail.receipt}, []bool{true}
		}
	}
	return nil
}

// own makes a statement of the log about itself.
func (l *Ledger) own(ctx context.Context, k verdict.Kind, origin string, predicate any, at int64) (*prepared, error) {
	sum := sha256.Sum256([]byte(origin))
	about := []verdict.Subject{{Kind: verdict.SubjectLog, Name: origin, Digest: verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))}}
	s, err := evidence.New(k, about, predicate, verdict.Context{At: fromMicros(at), Retention: "log"}, l.o.Rand)
	if err != nil {
		return nil, err
	}
	b, err := evidence.Sign(ctx, s, l.o.Signer)
	if err != nil {
		return nil, err
	}
	if s, err = b.Statement(); err != nil { // rows come from what was signed
		return nil, err
	}
	return l.prepareStatement(ctx, b, s, l.o.Signer.Public(), nil)
}

// continuesNot: the head names a root that its own edge does not give.
func continuesNot(h store.Head) error {
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("the head of %s names another root than its tree has", h.Origin),
		Remedy: "somebody changed the database: keep it as it is and look with verdict log verify",
		Err:    ErrAnchor,
	}
}
