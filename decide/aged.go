package decide

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"verdict"
	"verdict/ledger"
	"verdict/policy"
)

// For how long findings are known is counted from the first statement about this digest that
// has them, for as long as the decisions here knew them of the service, or since they became
// known of what runs here. So neither a new build nor another version with the same flaw begins
// their time anew.
//
// The decisions are those since the service was last let in here, and that which let it in: to
// ask about something else in between, which is let in by nobody, makes nothing younger. An
// artifact of the same name counts back to when it was let in itself, since a service may have
// several.

// aged are the findings of a decision, each with since when it is known.
type aged struct {
	*policy.Prepared
	since map[flaw]time.Time // zero: nobody knows any more
	lost  bool               // the findings are gone, and each may have been among them
}

// flaw is a vulnerability of a component, in whichever version.
type flaw struct{ id, ecosystem, name string }

func flawOf(f *policy.Finding) flaw { return flaw{f.ID, f.Ecosystem, f.Name} }

// agedKey is what since when findings are known follows from: the reports that they are
// from, all that were weighed, the findings of the decisions before, and those of what runs.
type agedKey struct{ found, weighed, before, ran string }

// ages keeps aged findings. They are never changed.
type ages struct {
	mu    sync.Mutex // guards what follows
	known map[agedKey]*aged
	of    map[verdict.Digest]*aged // by the statement of the decision that knew them
	taken map[string]*aged         // of decisions that have no statement yet, by id
	held  map[*aged]bool           // all that is in these, each once
	size  int                      // findings in held
}

// Bounds of what is kept.
const (
	maxAged   = 64 << 10 // findings
	maxAgedAt = 256      // decisions
)

// openSince fills since when each finding is known.
func (d *deployment) openSince(ctx context.Context) error {
	v := &d.g.input.Vulnerabilities
	if len(v.Findings) == 0 {
		return nil
	}
	last, before, err := d.before(ctx)
	if err != nil {
		return err
	}
	key, weighed := agedKey{found: d.g.found, before: before, ran: d.ran.key()}, []Stated{}
	for _, s := range d.g.weighed {
		if s.Report != nil && s.Rank != Untrusted {
			weighed, key.weighed = append(weighed, s), key.weighed+strconv.FormatInt(s.Ref.Index, 36)+" "
		}
	}
	kept := &d.recall.ages
	is := kept.get(key)
	if is == nil {
		steady := false
		if is, steady = agedBy(v.Findings, weighed, last, &d.ran, d.m.now); steady {
			kept.keep(key, is)
		}
	}
	v.Prepared, v.Findings = is.Prepared, is.Findings()
	kept.gathering(d.m.id, is)
	return nil
}

// agedBy tells since when findings are known, by the reports that were weighed, by the decisions
// before and by what is known of what runs. It is not steady where that depends on when it is asked.
func agedBy(findings []policy.Finding, weighed []Stated, before []*aged, running *ran, now time.Time) (is *aged, steady bool) {
	first := make(map[flaw]time.Time, len(findings))
	for _, s := range weighed {
		for i := range s.Report.Hits {
			if v := s.Report.Hits[i].Vulnerability; v != nil {
				x := flaw{v.ID, v.Component.Ecosystem, v.Component.Name}
				if t, known := first[x]; !known || s.Ref.At.Before(t) {
					first[x] = s.Ref.At
				}
			}
		}
	}
	steady = true
	findings = append([]policy.Finding{}, findings...)
	is = &aged{since: make(map[flaw]time.Time, len(findings))}
	for i := range findings {
		x := flawOf(&findings[i])
		t, known := first[x]
		if !known {
			t, steady = now, false
		}
		for _, b := range before {
			if earlier, known := b.since[x]; b.lost || known && earlier.Before(t) {
				t = earlier
			}
			steady = steady && !b.lost
		}
		t = running.before(t, &findings[i]).Truncate(time.Second)
		findings[i].Since = policy.TimeOf(t)
		is.knew(x, t)
	}
	is.Prepared = policy.Prepare(findings)
	return is, steady
}

// knew says that a flaw is known since a time. Several versions of a component may have it.
func (a *aged) knew(x flaw, t time.Time) {
	if earlier, known := a.since[x]; !known || t.Before(earlier) {
		a.since[x] = t
	}
}

// lookedBack is how many decisions of a service here are gone through for those that say since
// when its flaws are known.
const lookedBack = 1000

// before are the findings that the decisions before were taken on, and a key of them.
func (d *deployment) before(ctx context.Context) (out []*aged, key string, err error) {
	var took []*ledger.Entry
	walk := lastWord{name: d.name(), seen: map[verdict.Digest]bool{}}
	err = d.decidedOf(ctx, ledger.DecisionQuery{Environment: d.r.Environment}, walk.wants, func(row *ledger.DecisionRow, entry *ledger.Entry) bool {
		if walk.take(row) {
			took = append(took, entry)
		}
		return !walk.own && walk.rows < lookedBack
	})
	if err != nil {
		return nil, "", err
	}
	for _, entry := range took {
		d.use(*entry)
		is, err := d.agedAt(ctx, *entry)
		if err != nil {
			return nil, "", err
		}
		if is.lost {
			d.g.pruned(d.Map, string(verdict.KindVulnerabilities), entry.Index, "since when its vulnerabilities are known is no longer there")
			key += "lost "
			out = append(out, is)
			continue
		}
		out, key = append(out, is), key+string(is.Digest())+" "
	}
	return out, key, nil
}

// lastWord chooses, of decisions that come newest first, those after what was last let in, and
// that one; of one digest the last.
type lastWord struct {
	name     string // of the artifact that is asked about
	any, own bool   // something was let in, and something of this name
	seen     map[verdict.Digest]bool
	rows     int // of signers who may decide here, or passed over
}

// wants reports whether it matters who signed a decision; more is false where no older one is
// looked at. Until something was let in it matters of each, or whoever holds any key could put
// as many in between as are gone through.
func (w *lastWord) wants(row *ledger.DecisionRow) (want, more bool) {
	if want = !w.any || row.Name == w.name; !want {
		w.rows++
	}
	return want, w.rows < lookedBack
}

// take reports whether the findings of a decision are looked at, whose signer may take it.
func (w *lastWord) take(row *ledger.DecisionRow) bool {
	w.rows++
	let, known := row.Outcome == verdict.Allow, w.seen[row.Subject]
	if let {
		w.any, w.own = true, w.own || row.Name == w.name
	}
	if known || !let && len(w.seen) >= perEnvironment {
		return false
	}
	w.seen[row.Subject] = true
	return true
}

// isGone reports whether what was asked for is no longer there, or is no longer what it was.
func isGone(err error) bool {
	return err != nil && (verdict.AsError(err).Code == verdict.CodeNotFound || verdict.AsError(err).Code == verdict.CodeInvalid)
}

// agedAt reads the findings of a decision. They are kept for the next decision: to read the
// last one whole each time would cost more than to decide.
func (e *Engine) agedAt(ctx context.Context, decision ledger.Entry) (*aged, error) {
	kept := &e.recall.ages
	if is := kept.knownBy(decision.Digest); is != nil {
		return is, nil
	}
	b, err := e.Ledger.Bundle(ctx, decision.Index)
	if isGone(err) {
		return &aged{lost: true}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last decision here, entry %d: %w", decision.Index, err)
	}
	s, err := b.Statement()
	if err != nil {
		return nil, err
	}
	var last struct {
		Basis Basis `json:"basis"`
	}
	if err := s.Decode(&last); err != nil {
		return nil, err
	}
	if err := last.Basis.complete(ctx, e.Ledger); isGone(err) {
		return &aged{lost: true}, nil
	} else if err != nil {
		return nil, fmt.Errorf("the decision in entry %d: %w", decision.Index, err)
	}
	findings, err := last.Basis.findings()
	if err != nil {
		return nil, fmt.Errorf("input of the decision in entry %d: %w", decision.Index, err)
	}
	is := &aged{Prepared: policy.Prepare(findings), since: make(map[flaw]time.Time, len(findings))}
	for i := range findings {
		t, _ := time.Parse(time.RFC3339, string(findings[i].Since)) // what is not known stays so
		is.knew(flawOf(&findings[i]), t)
	}
	kept.record(decision.Digest, is)
	return is, nil
}

func (a *ages) get(k agedKey) *aged {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[k]
}

// hold makes room for findings, which are large: where they are too many, all are forgotten.
func (a *ages) hold(is *aged) {
	if a.held[is] {
		return
	}
	if a.size += 1 + len(is.since); a.held == nil || a.size > maxAged {
		a.known, a.of, a.taken, a.held = map[agedKey]*aged{}, map[verdict.Digest]*aged{}, map[string]*aged{}, map[*aged]bool{}
		a.size = 1 + len(is.since)
	}
	a.held[is] = true
}

func (a *ages) keep(k agedKey, is *aged) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hold(is)
	a.known[k] = is
}

func (a *ages) knownBy(decision verdict.Digest) *aged {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of[decision]
}

func (a *ages) record(decision verdict.Digest, is *aged) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hold(is); len(a.of) >= maxAgedAt {
		a.of = map[verdict.Digest]*aged{}
	}
	a.of[decision] = is
}

// gathering keeps the findings of a decision that has no statement yet, and taking gives it
// one.
func (a *ages) gathering(id string, is *aged) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hold(is); len(a.taken) >= maxAgedAt {
		a.taken = map[string]*aged{}
	}
	a.taken[id] = is
}

func (a *ages) taking(id string, statement verdict.Digest) {
	a.mu.Lock()
	is, ok := a.taken[id]
	delete(a.taken, id)
	a.mu.Unlock()
	if ok {
		a.record(statement, is)
	}
}
