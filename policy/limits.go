package policy

import (
	"runtime"
	"time"
)

// Limits bound one evaluation. A zero member means the default.
type Limits struct {
	// Steps are what all rules together may take; a million. A rule that walks a list takes
	// one to a few for each entry. They are counted alike everywhere, so that an answer does
	// not depend on the machine.
	Steps int64
	// Time is that of all rules together; 3 s. It ends what takes long in few steps, as some
	// builtins do over very long text. It has passed when it has on the wall and the process
	// has used as much of the processors: a busy machine alone ends nothing.
	Time       time.Duration
	InputBytes int // 4 MiB
	Items      int // kept per rule, the rest is folded into one; 5,000
}

// inputBytes bounds every document that is decided on, whoever built it.
const inputBytes = 4 << 20

func (l Limits) orDefault() Limits {
	if l.Steps <= 0 {
		l.Steps = 1_000_000
	}
	if l.Time <= 0 {
		l.Time = 3 * time.Second
	}
	if l.InputBytes <= 0 {
		l.InputBytes = inputBytes
	}
	if l.Items <= 0 {
		l.Items = 5000
	}
	return l
}

// What one bundle may hold, and one result may say.
const (
	maxEntries   = 50_000 // files and directories looked at
	maxFiles     = 2000
	maxFileBytes = 1 << 20
	maxBytes     = 32 << 20
	maxBranches  = 200
	maxText      = 8 << 10 // bytes of one message, observed, expected
	maxKey       = 1 << 10 // bytes of one item's key
)

// slots lets at most one evaluation run per core: more would only make each of them
// wait for the others.
var slots = make(chan struct{}, runtime.GOMAXPROCS(0))
