package decide

import (
	"context"
	"sync"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/sbom"
)

// recall keeps what an engine has read of entries: the points of one run ask about the same
// statements, and an entry never says anything else. Of a large one only its check is kept,
// which suffices to pass it over. What an entry no longer gives is not kept.
type recall struct {
	heard  heard
	latest latest
	ages   ages
	rows   rows

	mu     sync.Mutex // guards what follows
	known  map[int64]said
	checks map[int64]string                     // of entries that hold a report
	glass  map[verdict.Digest]bool              // of decisions: an emergency let in what they are about
	own    map[verdict.Digest]map[string]string // rules of one's own, by the blob of their bundle
	bytes  int

	once sync.Once // guards the making of here
	here verdict.Digest

	kept  sync.Once // guards the making of what follows
	rules []byte    // the engine's bundle and map, as every decision keeps them
	chart []byte
	err   error

	put      Blobs // that were put last, at putAt; guarded by mu
	putAt    time.Time
	findings map[verdict.Digest]time.Time // when findings were put; guarded by mu
}

// putAgain is how long a blob that was put is not put again. To put one that is there reads
// it and syncs the disk; nothing takes one away that was put so shortly before.
const putAgain = 30 * time.Second

// keepBlobs puts the bundle and the map beside the ledger.
func (e *Engine) keepBlobs(ctx context.Context) (Blobs, error) {
	r := &e.recall
	r.mu.Lock()
	blobs, at := r.put, r.putAt
	r.mu.Unlock()
	now := e.Now()
	if since := now.Sub(at); !at.IsZero() && since >= 0 && since < putAgain {
		return blobs, nil
	}
	rules, chart, err := e.blobs()
	if err != nil {
		return Blobs{}, err
	}
	if blobs.Policy, err = e.Ledger.PutBlob(ctx, rules); err != nil {
		return Blobs{}, err
	}
	if blobs.Map, err = e.Ledger.PutBlob(ctx, chart); err != nil {
		return Blobs{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put, r.putAt = blobs, now
	return blobs, nil
}

// putLately reports whether findings were put a moment ago.
func (r *recall) putLately(d verdict.Digest, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known := r.findings[d]
	since := now.Sub(at)
	return known && since >= 0 && since < putAgain
}

func (r *recall) putNow(d verdict.Digest, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.findings == nil || len(r.findings) >= maxPut {
		r.findings = map[verdict.Digest]time.Time{}
	}
	r.findings[d] = now
}

// blobs are the bundle and the map as a decision keeps them. To write them costs more than
// to decide, and they stay the same.
func (e *Engine) blobs() (rules, chart []byte, err error) {
	r := &e.recall
	r.kept.Do(func() {
		r.rules = encodeBundle(e.Policy)
		r.chart, r.err = e.Map.Canonical()
	})
	return r.rules, r.chart, r.err
}

// Bounds of what is kept: maxRecalled and largest in bytes of statements, the others in
// entries. The check of an entry that is not kept any more is read from it again.
const (
	maxRecalled = 16 << 20
	largest     = 1 << 20
	maxPut      = 1 << 10
	maxChecks   = 1 << 16
)

// here is the digest of the engine's map.
func (e *Engine) here() verdict.Digest {
	e.recall.once.Do(func() { e.recall.here = e.Map.Digest() })
	return e.recall.here
}

// said is what one entry says. It is read, and never changed.
type said struct {
	statement *evidence.Statement
	report    *verdict.Report // nil where the statement holds none
	failure   error           // why there is no statement
	bill      *sbom.Bill      // of a bill of materials
	licences  sbom.LicenceCounts
	found     *foundOnce // the findings of the report
	vex       *vexRead   // of a VEX document
	decided   *earlier   // of a decision; what could be read of it, where unread says so
	unread    error      // why there is none of what there should be
}

// ofAnother reports whether an entry is known to hold the report of another check than the
// one that a need is about; the check is empty for a need that no report answers.
func (e *Engine) ofAnother(index int64, check string) bool {
	e.recall.mu.Lock()
	defer e.recall.mu.Unlock()
	known, read := e.recall.checks[index]
	return read && check != "" && known != check
}

// said reads an entry, or gives what was read of it before.
func (e *Engine) said(ctx context.Context, index int64) (said, error) {
	e.recall.mu.Lock()
	s, known := e.recall.known[index]
	e.recall.mu.Unlock()
	if known {
		return s, nil
	}
	bundle, err := e.Ledger.Bundle(ctx, index)
	if err != nil {
		return said{}, err
	}
	if s.statement, s.failure = bundle.Statement(); s.failure == nil {
		if s.report, _ = evidence.ReportOf(s.statement); s.report != nil {
			s.found = &foundOnce{}
		}
		switch s.statement.Kind() {
		case verdict.KindSBOM:
			if s.bill, s.unread = ledger.ReadBill(ctx, e.Ledger, s.statement); s.unread == nil {
				s.licences = s.bill.Licences()
			}
		case verdict.KindVEX:
			s.vex, s.unread = readVEX(s.statement)
		case verdict.KindDecision:
			s.decided, s.unread = earlierOf(s.statement)
		}
	}
	if s.unread == nil || s.statement.PredicateType != evidence.StoredBill { // the store may give it the next time
		e.recall.keep(index, s, len(bundle.Payload()))
	}
	return s, nil
}

func (r *recall) keep(index int64, s said, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known, r.checks = map[int64]said{}, map[int64]string{}
	}
	if s.report != nil {
		if len(r.checks) >= maxChecks {
			clear(r.checks)
		}
		r.checks[index] = s.report.Check
	}
	if size <= largest && r.bytes+size <= maxRecalled {
		r.known[index], r.bytes = s, r.bytes+size
	}
}

// taking keeps what later decisions ask of one, before anybody can find it in the ledger.
// Everything is kept by the digest of its statement, so it holds for that record alone.
func (r *recall) taking(d verdict.Decision, statement verdict.Digest) {
	r.keepGlass(statement, d.BreakGlass != "")
	r.ages.taking(d.ID, statement)
	r.rows.taking(d, statement)
}
