package server

import (
	"net/http"
	"time"

	"verdict/identity"
)

// answer remembers what was answered, and does not wait for who does not take it.
type answer struct {
	http.ResponseWriter
	status int
	size   int64
	caller identity.Caller

	paced  bool // an answer with an end
	limits *Limits
	pace   *pace // of a large one
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write notes the size. What is larger than the buffers on the way goes out in parts: with each
// of them its reader has to keep up, or a connection would hold for as long as a request has what
// was read for it.
func (a *answer) Write(b []byte) (done int, err error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	for err == nil && a.paced && a.size+int64(len(b)) > slowest && len(b) > 0 {
		n := 0
		n, err = a.part(b[:min(len(b), slowest)])
		done, b = done+n, b[n:]
	}
	if err == nil && len(b) > 0 {
		var n int
		n, err = a.ResponseWriter.Write(b)
		a.size += int64(n)
		done += n
	}
	return done, err
}

func (a *answer) part(b []byte) (int, error) {
	conn, began := http.NewResponseController(a.ResponseWriter), machineTime()
	if a.pace == nil {
		a.pace = newPace(a.limits.Request, a.limits.Lag)
	}
	_ = conn.SetWriteDeadline(a.pace.deadline(began)) // tests may have none
	n, err := a.ResponseWriter.Write(b)
	a.size += int64(n)
	a.pace.went(n, machineTime().Sub(began))
	return n, err
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// pace is what the other end of a connection may take: 64 KiB each second, of which it may be
// behind by a lag, and for no longer than a request has.
type pace struct {
	until      time.Time
	lag, spare time.Duration // spare is what is left of lag
}

func newPace(lasts, lag time.Duration) *pace {
	return &pace{until: machineTime().Add(lasts), lag: lag, spare: lag}
}

// deadline is by when the next bytes have to go, or to come.
func (p *pace) deadline(now time.Time) time.Time { return sooner(p.until, now.Add(p.spare)) }

// went says that n bytes went in a time.
func (p *pace) went(n int, took time.Duration) {
	p.spare = min(p.lag, p.spare-took+time.Duration(n)*time.Second/slowest)
}
