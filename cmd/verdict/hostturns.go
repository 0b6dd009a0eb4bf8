package main

import (
	"context"
	"sync"
)

// turns bound what one caller has at work at once. What he asks for beyond that waits for his own,
// and stands before nobody else in the places that all share. The zero value is ready, and all
// methods may be called at the same time.
type turns struct {
	mu sync.Mutex // guards of
	of map[string]*turn
}

// turn is what one caller has.
type turn struct {
	places chan struct{}
	users  int // who has a place or waits for one; turns.mu guards it
}

// enter waits for one of each places that who has, as long as ctx lasts.
func (t *turns) enter(ctx context.Context, who string, each int) (leave func(), err error) {
	t.mu.Lock()
	x := t.of[who]
	if x == nil {
		if t.of == nil {
			t.of = map[string]*turn{}
		}
		x = &turn{places: make(chan struct{}, each)}
		t.of[who] = x
	}
	x.users++
	t.mu.Unlock()
	gone := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if x.users--; x.users == 0 {
			delete(t.of, who)
		}
	}
	select {
	case x.places <- struct{}{}:
		return func() { <-x.places; gone() }, nil
	case <-ctx.Done():
		gone()
		return nil, ctx.Err()
	}
}
