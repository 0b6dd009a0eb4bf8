package policy

import (
	"runtime"
	"time"
)

// Limits bound one evaluation. A zero member means the default.
type Limits struct {
	Deadline   time.Duration // of all rules together; 250 ms
	InputBytes int           // 4 MiB
	Items      int           // kept per rule, the rest is folded into one; 5,000
}

// inputBytes bounds every document that is decided on, whoever built it.
const inputBytes = 4 << 20

func (l Limits) orDefault() Limits {
	if l.Deadline <= 0 {
		l.Deadline = 250 * time.Millisecond
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
// miss its deadline.
var slots = make(chan struct{}, runtime.GOMAXPROCS(0))
