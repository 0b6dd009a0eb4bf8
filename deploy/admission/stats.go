package admission

import (
	"sync/atomic"
	"time"

	"verdict"
)

// Stats is what operators watch.
type Stats struct {
	LetIn     int64         // allowed by the facts
	LetBy     int64         // denied by the facts, and let in by the mode
	Denied    int64         // held back
	NotAsked  int64         // nothing new would have run
	Unread    int64         // requests that got no review for an answer
	Lost      int64         // answers that were not recorded, and never will be
	Lag       time.Duration // for how long nobody knows what was decided
	Decisions int64         // places of digests that are in memory
}

// counters are counted by whoever answers.
type counters struct{ letIn, letBy, denied, notAsked, unread atomic.Int64 }

func (c *counters) count(a *Answer) {
	switch {
	case a.Answer != imagesJudged:
		c.notAsked.Add(1)
	case !a.Allowed:
		c.denied.Add(1)
	case a.Outcome != verdict.Allow:
		c.letBy.Add(1)
	default:
		c.letIn.Add(1)
	}
}

// Stats gives the figures of now.
func (a *Admission) Stats() Stats {
	c := &a.counted
	out := Stats{
		LetIn: c.letIn.Load(), LetBy: c.letBy.Load(), Denied: c.denied.Load(), NotAsked: c.notAsked.Load(), Unread: c.unread.Load(),
		Lost: a.records.gone.Load(), Lag: a.lag(),
	}
	if s := a.set.Load(); s != nil {
		for i := range s.places {
			s.places[i].mu.RLock()
			out.Decisions += int64(len(s.places[i].of))
			s.places[i].mu.RUnlock()
		}
	}
	return out
}
