package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"verdict"
	"verdict/store"
)

// VerifyOptions choose how much is checked.
type VerifyOptions struct {
	Signatures bool // check the signature of each statement too
	// Against is a signed checkpoint of this log that was kept elsewhere, nil for none.
	// When the log continues it and everything holds, an anchor that was begun late counts
	// for what that checkpoint covers: its mark is removed.
	Against     []byte
	WitnessKeys []string                // verifier keys of witnesses, beside those that Ledger.Witness kept
	LogKeys     []string                // of VerifyAfar: verifier keys of which the open epoch must have one; empty: any
	Workers     int                     // 0: one per core
	Progress    func(done, total int64) // called now and then, from one goroutine; may be nil
}

// VerifyReport says what was checked and what was found. A problem is something that
// does not hold; what could not be checked is told apart and is never taken for good.
type VerifyReport struct {
	Server       string   `json:"server,omitempty"` // whose log it is; empty: the one here
	Position     Position `json:"position"`         // everything before it was looked at
	Verified     int64    `json:"verified"`         // entries whose leaf was computed from their body
	Pruned       int64    `json:"pruned"`           // entries without a body: only their leaf was checked
	Blobs        int64    `json:"blobs"`            // blobs that statements name, all there and whole
	Signatures   int64    `json:"signatures"`       // signatures that hold
	Cosignatures int64    `json:"cosignatures"`     // signatures of witnesses that hold
	Rows         int64    `json:"rows"`             // index rows that were computed again
	Unseen       int64    `json:"unseen"`           // entries that a server does not show to who asks: only their leaf was checked
	// Witnesses are those whose key is known here, by name. Nothing outside the database
	// says how many signatures there were: who looks here misses those that were taken out.
	Witnesses []WitnessReport `json:"witnesses"`
	Epochs    []EpochReport   `json:"epochs"`
	Against   *AgainstReport  `json:"against"`   // null: no checkpoint was given
	Anchor    string          `json:"anchor"`    // "agrees", "absent" or "refuses"; "moved": the log goes on elsewhere
	Problems  []Problem       `json:"problems"`  // by index, the first first; at most 100
	Unchecked []Problem       `json:"unchecked"` // could not be checked; at most 100
}

// EpochReport is one epoch of the log.
type EpochReport struct {
	Origin string    `json:"origin"`
	Base   int64     `json:"base"`
	Size   int64     `json:"size"`
	Root   tlog.Hash `json:"root"` // computed
	Lost   int64     `json:"lost"` // positions before it that a restored backup left empty
}

// WitnessReport is a witness and the last of his signatures that is held here and holds.
type WitnessReport struct {
	Name   string `json:"name"`
	Key    string `json:"key"`    // his verifier key
	Origin string `json:"origin"` // of the latest epoch of which he signed a checkpoint; empty: none is held
	Size   int64  `json:"size"`   // entries in the largest of these
}

// Problem is one thing that does not hold or could not be checked.
type Problem struct {
	Index  int64  `json:"index"` // of the entry; -1 when it is about no single entry
	What   string `json:"what"`
	Remedy string `json:"remedy"`
}

// Holds reports that everything was checked and holds.
func (r VerifyReport) Holds() bool { return len(r.Problems) == 0 && len(r.Unchecked) == 0 }

// Err is nil when everything holds, has CodeRefused when something does not, and
// CodeUnavailable when something could not be checked.
func (r VerifyReport) Err() error {
	list, code := r.Problems, verdict.CodeRefused
	if len(list) == 0 {
		list, code = r.Unchecked, verdict.CodeUnavailable
	}
	if len(list) == 0 {
		return nil
	}
	return &verdict.Error{Code: code, What: list[0].What, Remedy: list[0].Remedy}
}

// broken is the error of what does not hold.
func (r VerifyReport) broken() error {
	if len(r.Problems) == 0 {
		return nil
	}
	return r.Err()
}

const (
	maxProblems  = 100
	verifyChunk  = 4096 // entries that one worker takes: 16 tiles, and one bucket of row sums
	remedyTamper = "somebody changed the database: keep a copy of it as it is, put a backup in its place, and go on from that with verdict log epoch --from-backup"
	remedyBehind = "if a backup was restored, go on from it with verdict log epoch --from-backup; if not, somebody changed the database: keep a copy of it as it is, and put a backup in its place"
	remedyBlobs  = "restore the blob store from the same backup as the ledger, then run verdict log verify again"
)

// Verify computes everything again: each leaf from its body, the tree, the root that the
// anchor holds, receipts, and every index row. It reads the log once, in pieces, and
// needs little memory whatever its length.
func (l *Ledger) Verify(ctx context.Context, o VerifyOptions) (VerifyReport, error) {
	x := newVerification(here{l}, o)
	x.own = l
	if err := x.begin(ctx); err != nil {
		return x.report, fmt.Errorf("verify: %w", err)
	}
	return x.run(ctx)
}

func newVerification(from source, o VerifyOptions) *verification {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return &verification{from: from, o: o, looked: map[string]bool{}, unlisted: map[int64]bool{}, rows: newRowSums(nil), report: VerifyReport{Witnesses: []WitnessReport{}, Epochs: []EpochReport{}, Problems: []Problem{}, Unchecked: []Problem{}}}
}

// run verifies what begin fixed.
func (x *verification) run(ctx context.Context) (VerifyReport, error) {
	for i := range x.epochs {
		if err := x.epoch(ctx, i); errors.Is(err, errEnough) {
			break
		} else if err != nil {
			return x.report, fmt.Errorf("verify %s: %w", x.epochs[i].Origin, err)
		}
	}
	if x.own == nil {
		x.untold()
	} else if err := x.projections(ctx); err != nil {
		return x.report, fmt.Errorf("verify the index: %w", err)
	} else if err := x.uncovered(); err != nil {
		return x.report, fmt.Errorf("verify: %w", err)
	}
	byIndex := func(a, b Problem) int { return int(max(min(order(a)-order(b), 1), -1)) }
	slices.SortStableFunc(x.report.Problems, byIndex)
	slices.SortStableFunc(x.report.Unchecked, byIndex)
	return x.report, nil
}

// order puts what is about no single entry last.
func order(p Problem) int64 {
	if p.Index < 0 {
		return store.Open
	}
	return p.Index
}

// verification is one run. Only the goroutine of Verify touches it; workers hand in
// pieces.
type verification struct {
	from     source
	own      *Ledger // whose database it is; nil: it is somebody else's
	o        VerifyOptions
	report   VerifyReport
	epochs   []store.Head
	met      map[string][]met // trees that somebody has seen, by origin
	seen     seen             // before the run
	end      int64            // position that bounds everything
	later    int64            // entries from end to here were recorded meanwhile
	keys     *keyring
	witness  note.Verifiers                 // keys of witnesses
	signer   []note.Verifier                // the same, in the order of report.Witnesses
	cosigned map[string][]store.Cosignature // by origin, the smallest tree first
	rows     *rowSums
	looked   map[string]bool // blobs that were looked at
	skip     []int64         // positions whose rows cannot be computed, in order
	unlisted map[int64]bool  // positions whose bill alone cannot be computed
	last     int64           // recorded time of the entry before
	done     int64

	firstUnseen int64 // of report.Unseen
	keyEvents   int64 // that entries state
}

func (x *verification) problem(index int64, remedy, format string, a ...any) {
	if len(x.report.Problems) < maxProblems {
		x.report.Problems = append(x.report.Problems, Problem{Index: index, What: fmt.Sprintf(format, a...), Remedy: x.remedy(remedy)})
	}
}

func (x *verification) unchecked(index int64, remedy, format string, a ...any) {
	if len(x.report.Unchecked) < maxProblems {
		x.report.Unchecked = append(x.report.Unchecked, Problem{Index: index, What: fmt.Sprintf(format, a...), Remedy: x.remedy(remedy)})
	}
}

// begin fixes what is verified: entries that come later are left alone.
func (x *verification) begin(ctx context.Context) error {
	l := x.own
	x.seen = l.seen()
	err := l.store.View(ctx, func(v *store.View) (err error) {
		if x.epochs, err = v.Epochs(ctx); err != nil {
			return err
		}
		if len(x.epochs) == 0 {
			x.problem(-1, remedyTamper, "the database holds no log")
			return nil
		}
		head := x.epochs[len(x.epochs)-1]
		x.end = head.Base + head.Size
		x.met = map[string][]met{head.Origin: {{x.seen.anchor, "the checkpoint in the anchor"}}}
		switch known := x.seen.known; {
		case errors.Is(l.refusal, errLogKey) && known: // the key is missing, not the entries
			x.report.Anchor = "agrees"
		case errors.Is(l.refusal, errMoved): // what is recorded where it goes on is not here
			x.report.Anchor = "moved"
			x.unchecked(-1, refusalRemedy(l.refusal), "%s: what was recorded there is not checked here", verdict.AsError(l.refusal).What)
		case l.refusal != nil:
			x.report.Anchor = "refuses"
			x.problem(-1, refusalRemedy(l.refusal), "%v", l.refusal)
		case !known || l.since > 0:
			x.report.Anchor = "absent" // uncovered says what follows from it
		default:
			x.report.Anchor = "agrees"
			if err := l.trust(ctx, v, head, x.seen); errors.Is(err, ErrAnchor) {
				x.report.Anchor = "refuses"
				x.problem(-1, refusalRemedy(err), "%v", err)
			} else if err != nil {
				return err
			}
		}
		if err := x.hold(); err != nil {
			return err
		}
		var signed []store.Cosignature
		if err := v.EachCosignature(ctx, func(c store.Cosignature) error { signed = append(signed, c); return nil }); err != nil {
			return err
		}
		known, err := readWitnesses(l.o.AnchorDir)
		if err != nil {
			x.unchecked(-1, refusalRemedy(err), "%v", err)
		}
		if err := x.witnesses(known, signed); err != nil {
			return err
		}
		x.keys, err = l.keysSince(ctx, v, newKeyring())
		if err != nil && ctx.Err() == nil {
			x.problem(-1, remedyTamper, "the key events do not make a history: %v", err)
			x.keys, err = l.keysNow(), nil
		}
		return err
	})
	x.report.Position = Position(x.end)
	x.rows = newRowSums(x.epochs)
	return err
}

// refusalRemedy is that of an anchor's refusal for somebody who is verifying already.
func refusalRemedy(err error) string {
	remedy := verdict.AsError(err).Remedy
	if strings.Contains(remedy, "verdict log verify") {
		return remedyBehind
	}
	return remedy
}

// epoch verifies the tree of one epoch: workers compute leaves, this goroutine puts them
// in order and builds the tree.
func (x *verification) epoch(ctx context.Context, i int) error {
	h := x.epochs[i]
	x.follows(i)
	chunks := int((h.Size + verifyChunk - 1) / verifyChunk)
	ready := make([]chan *piece, 2*x.o.Workers) // pieces that exist at a time, each in its turn
	for n := range ready {
		ready[n] = make(chan *piece, 1)
	}
	g, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, len(ready))
	next := make(chan int)
	g.Go(func() error {
		defer close(next)
		for n := range chunks {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case next <- n:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range x.o.Workers {
		g.Go(func() error {
			for n := range next {
				p, err := x.read(ctx, h, int64(n)*verifyChunk)
				if err != nil {
					return err
				}
				ready[n%len(ready)] <- p
			}
			return nil
		})
	}
	t := &treeCheck{x: x, head: h, edge: &edge{}, cosigned: x.cosigned[h.Origin], met: x.met[h.Origin]}
	g.Go(func() error {
		if err := t.meet(); err != nil {
			return err
		}
		for n := range chunks {
			select {
			case p := <-ready[n%len(ready)]:
				if err := t.take(ctx, p); err != nil {
					return err
				}
				<-slots
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return t.finish()
	})
	return g.Wait()
}

// follows checks that positions and times of an epoch come after those of the one before.
func (x *verification) follows(i int) {
	h := x.epochs[i]
	r := EpochReport{Origin: h.Origin, Base: h.Base, Size: h.Size}
	x.last = 0
	switch {
	case i == 0 && (h.Base != 0 || h.Epoch != 1):
		x.problem(-1, remedyTamper, "the first epoch of the log is gone")
	case i > 0:
		before := x.epochs[i-1]
		r.Lost = h.Base - before.Base - before.Size
		x.last = before.Latest
		if r.Lost < 0 || h.Epoch != before.Epoch+1 {
			x.problem(-1, remedyTamper, "the epoch %s does not follow the epoch %s", h.Origin, before.Origin)
		}
	}
	x.report.Epochs = append(x.report.Epochs, r)
}
