package decide

import (
	"context"
	"slices"
	"sync"

	"verdict/ledger"
)

// heard keeps which entries a question to the ledger found. What lies before a position
// never changes, so the next decision asks for what came since, and does not go through
// everything that was ever decided about a digest again.
type heard struct {
	mu      sync.Mutex // guards what follows
	found   map[ledger.Query]answered
	entries map[int64]ledger.Entry // decisions, by index
	size    int                    // entries in found
}

// answered is what a question found below a position, newest first.
type answered struct {
	upTo    ledger.Position
	entries []ledger.Entry
	cut     bool // older ones were left out
}

// Bounds of what is kept, in entries.
const (
	maxHeard   = 16 << 10
	maxQueries = 1 << 10
)

// find is Ledger.Find for a question that is asked again and again. Of an entry that was kept
// it does not know whether it was pruned since: who reads it does.
func (e *Engine) find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) {
	at, limit := q.At, q.Limit
	key := q
	key.At = 0
	h := &e.recall.heard
	h.mu.Lock()
	was, known := h.found[key]
	h.mu.Unlock()
	if at < 0 || q.Before > 0 || limit == 0 || known && at < was.upTo && was.cut {
		return e.Ledger.Find(ctx, q)
	}
	if known && at <= was.upTo {
		older := slices.IndexFunc(was.entries, func(x ledger.Entry) bool { return x.Index < int64(at) })
		if older < 0 {
			return nil, nil
		}
		return first(was.entries[older:], limit), nil
	}
	q.From = int64(was.upTo)
	since, err := e.Ledger.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(since, was.entries)
	is := answered{upTo: at, entries: first(all, limit), cut: was.cut || len(all) >= limit}
	h.keep(key, is)
	return is.entries, nil
}

// first gives the newest entries of a list. The list is shared: to append copies it.
func first(list []ledger.Entry, limit int) []ledger.Entry {
	return slices.Clip(list[:min(len(list), limit)])
}

func (h *heard) keep(q ledger.Query, a answered) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was, known := h.found[q]
	if known && was.upTo >= a.upTo {
		return
	}
	h.size += len(a.entries) - len(was.entries)
	if h.found == nil || h.size > maxHeard || !known && len(h.found) >= maxQueries {
		h.found, h.size = map[ledger.Query]answered{}, len(a.entries)
	}
	h.found[q] = a
}

// decisionAt gives the entry of a decision at an index; false where there is none.
func (e *Engine) decisionAt(ctx context.Context, index int64, q ledger.Query) (ledger.Entry, bool, error) {
	h := &e.recall.heard
	h.mu.Lock()
	entry, known := h.entries[index]
	h.mu.Unlock()
	if known {
		return entry, true, nil
	}
	q.Before, q.Limit = index+1, 1
	found, err := e.Ledger.Find(ctx, q)
	if err != nil || len(found) == 0 || found[0].Index != index {
		return ledger.Entry{}, false, err
	}
	h.keepEntry(found[0])
	return found[0], true, nil
}

func (h *heard) keepEntry(entry ledger.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.entries == nil || len(h.entries) >= maxHeard {
		h.entries = map[int64]ledger.Entry{}
	}
	h.entries[entry.Index] = entry
}
