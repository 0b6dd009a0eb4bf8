package decide

import (
	"context"
	"slices"
	"sync"

	"verdict"
	"verdict/ledger"
)

// heard keeps which entries a question to the ledger found. What lies before a position
// never changes, so the next decision asks for what came since, and does not go through
// everything that was ever decided about a digest again.
type heard struct {
	mu      sync.Mutex // guards what follows
	found   map[ledger.Query]answered
	entries map[int64]*ledger.Entry // decisions, by index
	size    int                     // entries in found
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
	since, err := e.since(ctx, q, was.upTo, known)
	if err != nil {
		return nil, err
	}
	all := was.entries
	if len(since) > 0 {
		all = slices.Concat(since, all)
	}
	is := answered{upTo: at, entries: first(all, limit), cut: was.cut || len(all) >= limit}
	h.keep(key, is)
	return is.entries, nil
}

// since finds what a question chooses from a position on. Many questions ask from the same
// one, so the entries behind it are read once and looked through here.
func (e *Engine) since(ctx context.Context, q ledger.Query, from ledger.Position, known bool) ([]ledger.Entry, error) {
	if known {
		all, whole, err := e.recall.latest.between(ctx, e.Ledger, from, q.At)
		if err != nil {
			return nil, err
		}
		if found, certain := chosen(all, q); whole && certain {
			return found, nil
		}
	}
	q.From = int64(from)
	return e.Ledger.Find(ctx, q)
}

// chosen are the entries of a list that a question chooses. It is not certain where a
// decision may be about what its subject was made from, which its entry does not tell.
func chosen(all []ledger.Entry, q ledger.Query) (found []ledger.Entry, certain bool) {
	about := func(s verdict.Subject) bool { return s.Digest == q.Subject || slices.Contains(s.Also, q.Subject) }
	for _, x := range all {
		c := x.Context
		switch {
		case q.Kind != "" && x.Kind != q.Kind, q.Service != "" && c.Service != q.Service, q.Environment != "" && c.Environment != q.Environment, q.Point != "" && c.Point != q.Point:
		case q.Subject == "", slices.ContainsFunc(x.Subjects, about):
			found = append(found, x)
		case x.Kind == verdict.KindDecision:
			return nil, false
		}
	}
	return found, true
}

// latest are the newest entries of the ledger that somebody asked for.
type latest struct {
	mu       sync.Mutex // guards what follows, also while it is read
	from, to ledger.Position
	entries  []ledger.Entry // newest first
}

// maxLatest bounds them.
const maxLatest = 500

// between lists all entries from a position to another, newest first; false where there are
// too many.
func (l *latest) between(ctx context.Context, in Ledger, from, to ledger.Position) ([]ledger.Entry, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from < l.from || from > l.to || len(l.entries) > maxLatest {
		l.from, l.to, l.entries = from, from, nil
	}
	if to > l.to {
		more, err := in.Find(ctx, ledger.Query{From: int64(l.to), At: to, Limit: maxLatest})
		if err != nil {
			return nil, false, err
		}
		if len(more) == maxLatest {
			l.from, l.to, l.entries = to, to, nil
			return nil, false, nil
		}
		l.to, l.entries = to, slices.Concat(more, l.entries)
	}
	begin := slices.IndexFunc(l.entries, func(x ledger.Entry) bool { return x.Index < int64(to) })
	if begin < 0 {
		return nil, true, nil
	}
	list := l.entries[begin:]
	if end := slices.IndexFunc(list, func(x ledger.Entry) bool { return x.Index < int64(from) }); end >= 0 {
		list = list[:end]
	}
	return list, true, nil
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

// decisionAt gives the entry of a decision at an index, which nobody changes; nil where there
// is none.
func (e *Engine) decisionAt(ctx context.Context, index int64, q ledger.Query) (*ledger.Entry, error) {
	h := &e.recall.heard
	h.mu.Lock()
	entry, known := h.entries[index]
	h.mu.Unlock()
	if known {
		return entry, nil
	}
	q.Before, q.Limit = index+1, 1
	found, err := e.Ledger.Find(ctx, q)
	if err != nil || len(found) == 0 || found[0].Index != index {
		return nil, err
	}
	return h.keepEntry(found[0]), nil
}

func (h *heard) keepEntry(entry ledger.Entry) *ledger.Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.entries == nil || len(h.entries) >= maxHeard {
		h.entries = map[int64]*ledger.Entry{}
	}
	h.entries[entry.Index] = &entry
	return &entry
}
