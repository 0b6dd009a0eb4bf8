package admission

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
)

// What one address has at work and waiting. An API server has a few requests at once, of a
// millisecond each; the others are whoever else reaches the endpoint.
const (
	atWork  = 64
	waiting = 512 // more are refused at once
)

// turns gives each address a part of the work, so that whoever sends many reviews, or sends them
// slowly, waits for himself and no API server for him. All methods may be called at the same time.
type turns struct {
	mu sync.Mutex // guards what follows
	of map[string]*turn
}

type turn struct {
	places chan struct{}
	n      int // at work or waiting
}

// take waits until the address of a request has a place. leave gives it back; it is nil where
// none came free before ctx ended, or too many wait already.
func (t *turns) take(ctx context.Context, from string) (leave func()) {
	t.mu.Lock()
	x := t.of[from]
	if x == nil {
		x = &turn{places: make(chan struct{}, atWork)}
		t.of[from] = x
	}
	if x.n >= atWork+waiting {
		t.mu.Unlock()
		return nil
	}
	x.n++
	t.mu.Unlock()
	gone := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if x.n--; x.n == 0 {
			delete(t.of, from)
		}
	}
	select {
	case x.places <- struct{}{}:
		return func() { <-x.places; gone() }
	case <-ctx.Done():
		gone()
		return nil
	}
}

// addressOf is what a request is counted by: its address, and 64 bits of it where whoever has one
// has all the others of them too.
func addressOf(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}
