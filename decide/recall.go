package decide

import (
	"context"
	"sync"

	"verdict"
	"verdict/evidence"
)

// recall keeps what an engine has read of entries: the points of one run ask about the same
// statements, and an entry never says anything else. What an entry no longer gives is not
// kept.
type recall struct {
	mu    sync.Mutex // guards what follows
	known map[int64]said
	bytes int

	once sync.Once // guards the making of here
	here verdict.Digest
}

// here is the digest of the engine's map.
func (e *Engine) here() verdict.Digest {
	e.recall.once.Do(func() { e.recall.here = e.Map.Digest() })
	return e.recall.here
}

// maxRecalled bounds the bytes of the statements that are kept.
const maxRecalled = 16 << 20

// said is what one entry says. It is read, and never changed.
type said struct {
	statement *evidence.Statement
	report    *verdict.Report // nil where the statement holds none
	failure   error           // why there is no statement
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
		s.report, _ = evidence.ReportOf(s.statement)
	}
	e.recall.mu.Lock()
	defer e.recall.mu.Unlock()
	if e.recall.bytes += len(bundle.Payload()); e.recall.bytes <= maxRecalled {
		if e.recall.known == nil {
			e.recall.known = map[int64]said{}
		}
		e.recall.known[index] = s
	}
	return s, nil
}
