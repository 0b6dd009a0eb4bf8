package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"verdict"
)

// What a body may cost before anybody knows what is in it.
const (
	smallBody    = 1 << 20  // bytes that each request may hold in memory
	largeBodies  = 8        // larger ones that are in memory at once
	largeOfGuest = 4        // the same, of those who are not signed in
	slowest      = 64 << 10 // bytes that come in a second; see Limits.Lag
)

// arriving is a body on its way in. Its sender may not take all the time that the request
// has: who sends a byte now and then would hold a place for a minute with every connection.
// Beyond smallBody it waits for one of few places.
type arriving struct {
	io.ReadCloser
	conn   *http.ResponseController
	pace   *pace
	places chan struct{}   // one for each large body at work
	gone   <-chan struct{} // closed when nobody waits for the answer
	read   int64
	large  bool // a place is taken
}

func (s *Server) arrive(w *answer, r *http.Request, o Operation, guest bool) *arriving {
	a := &arriving{ReadCloser: r.Body, conn: http.NewResponseController(w), pace: newPace(s.requestTime(o), s.o.Limits.Lag), places: s.large, gone: r.Context().Done()}
	if guest {
		a.places = s.largeOfGuest
	}
	return a
}

// Read reads on, while the sender keeps up.
func (a *arriving) Read(p []byte) (int, error) {
	if a.read >= smallBody && !a.large {
		select {
		case a.places <- struct{}{}:
			a.large = true
		case <-a.gone:
			return 0, problem(http.StatusServiceUnavailable, verdict.CodeUnavailable, "the server works on as many large bodies as it takes at once", "send it again in a minute")
		}
	}
	began := machineTime()
	_ = a.conn.SetReadDeadline(a.pace.deadline(began)) // HTTP/2 and tests may have none
	n, err := a.ReadCloser.Read(p)
	a.read += int64(n)
	a.pace.went(n, machineTime().Sub(began))
	switch {
	case errors.Is(err, io.EOF): // the answer has the request's time
		_ = a.conn.SetReadDeadline(a.pace.until)
	case err != nil:
		err = bodyProblem(err)
	}
	return n, err
}

// turnAway answers a request whose body nobody has read. What comes of it is thrown away before
// the answer goes out, for which its sender has no more time than another one may lag.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(machineTime().Add(s.o.Limits.Lag))
	}
	writeProblem(w, err)
}

// leave gives back what the body took.
func (a *arriving) leave() {
	if a.large {
		<-a.places
	}
}

// machineTime is now by the machine's own clock, which nobody sets: the deadlines of connections
// are of it, and go on through a change of the time of day.
func machineTime() time.Time {
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	at, _ := ctx.Deadline()
	return at
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// guests are the requests at work of those who are not signed in: a part of all places, of
// which one address has a part. Whoever fills them keeps out others like him, and no caller.
type guests struct {
	most, each int

	mu sync.Mutex // guards what follows
	n  int
	of map[string]int
}

// newGuests divides the places that all requests have.
func newGuests(places int) *guests {
	return &guests{most: max(places/2, 1), each: max(places/8, 1), of: map[string]int{}}
}

// enter reports whether there is a place for an address, which leave gives back.
func (g *guests) enter(address string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n >= g.most || g.of[address] >= g.each {
		return false
	}
	g.n++
	g.of[address]++
	return true
}

func (g *guests) leave(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
	if g.of[address]--; g.of[address] == 0 {
		delete(g.of, address)
	}
}
