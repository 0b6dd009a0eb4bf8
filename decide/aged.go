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
// has them, for as long as the last decision here knew them of the service, or since they became
// known of what runs here. So neither a new build nor another version with the same flaw begins
// their time anew.

// aged are the findings of a decision, each with since when it is known.
type aged struct {
	*policy.Prepared
	since map[flaw]time.Time
}

// flaw is a vulnerability of a component, in whichever version.
type flaw struct{ id, ecosystem, name string }

func flawOf(f *policy.Finding) flaw { return flaw{f.ID, f.Ecosystem, f.Name} }

// agedKey is what since when findings are known follows from: the reports that they are
// from, all that were weighed, the findings of the last decision here, and those of what runs.
type agedKey struct {
	found, weighed string
	before         verdict.Digest
	ran            string
}

// ages keeps aged findings. They are never changed.
type ages struct {
	mu    sync.Mutex // guards what follows
	known map[agedKey]*aged
	of    map[verdict.Digest]*aged // by the statement of the decision that knew them
	taken map[string]*aged         // of decisions that have no statement yet, by id
	size  int                      // findings in known
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
	last, err := d.before(ctx)
	if err != nil {
		return err
	}
	key, weighed := agedKey{found: d.g.found, ran: d.ran.key()}, []Stated{}
	for _, s := range d.g.weighed {
		if s.Report != nil && s.Rank != Untrusted {
			weighed, key.weighed = append(weighed, s), key.weighed+strconv.FormatInt(s.Ref.Index, 36)+" "
		}
	}
	if last != nil {
		key.before = last.Digest()
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

// agedBy tells since when findings are known, by the reports that were weighed, by the last
// decision here and by what is known of what runs. It is not steady where that depends on when it is asked.
func agedBy(findings []policy.Finding, weighed []Stated, last *aged, running *ran, now time.Time) (is *aged, steady bool) {
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
		if last != nil {
			if earlier, known := last.since[x]; known && earlier.Before(t) {
				t = earlier
			}
		}
		t = running.before(t, &findings[i]).Truncate(time.Second)
		findings[i].Since, is.since[x] = policy.TimeOf(t), t
	}
	is.Prepared = policy.Prepare(findings)
	return is, steady
}

// before are the findings that the last decision about the service here was taken on; nil
// where there is none.
func (d *deployment) before(ctx context.Context) (*aged, error) {
	var last *ledger.Entry
	err := d.decided(ctx, ledger.DecisionQuery{Environment: d.r.Environment}, func(_ *ledger.DecisionRow, entry *ledger.Entry) bool {
		d.use(*entry)
		last = entry
		return false
	})
	if err != nil || last == nil {
		return nil, err
	}
	return d.agedAt(ctx, *last)
}

// agedAt reads the findings of a decision. They are kept for the next decision: to read the
// last one whole each time would cost more than to decide.
func (e *Engine) agedAt(ctx context.Context, decision ledger.Entry) (*aged, error) {
	kept := &e.recall.ages
	if is := kept.knownBy(decision.Digest); is != nil {
		return is, nil
	}
	b, err := e.Ledger.Bundle(ctx, decision.Index)
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
	if err := last.Basis.complete(ctx, e.Ledger); err != nil {
		return nil, fmt.Errorf("the decision in entry %d: %w", decision.Index, err)
	}
	findings, err := last.Basis.findings()
	if err != nil {
		return nil, fmt.Errorf("input of the decision in entry %d: %w", decision.Index, err)
	}
	is := &aged{Prepared: policy.Prepare(findings), since: make(map[flaw]time.Time, len(findings))}
	for i := range findings {
		if t, err := time.Parse(time.RFC3339, string(findings[i].Since)); err == nil {
			is.since[flawOf(&findings[i])] = t
		}
	}
	kept.record(decision.Digest, is)
	return is, nil
}

func (a *ages) get(k agedKey) *aged {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[k]
}

func (a *ages) keep(k agedKey, is *aged) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.size += len(is.since); a.known == nil || a.size > maxAged {
		a.known, a.size = map[agedKey]*aged{}, len(is.since)
	}
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
	if a.of == nil || len(a.of) >= maxAgedAt {
		a.of = map[verdict.Digest]*aged{}
	}
	a.of[decision] = is
}

// gathering keeps the findings of a decision that has no statement yet, and taking gives it
// one.
func (a *ages) gathering(id string, is *aged) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.taken == nil || len(a.taken) >= maxAgedAt {
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
