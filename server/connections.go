package server

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Connections is a listener with a bound on how many of its connections are open, in all and
// from one address: whoever opens them and sends nothing takes neither the descriptors nor the
// memory of the process. All methods may be called at the same time.
type Connections struct {
	net.Listener
	// Tell is written to a connection that is too many, before it is closed; nil: nothing is, as
	// where TLS is spoken. It is set before the first Accept.
	Tell []byte

	most, each int
	exempt     func(netip.Addr) bool

	mu                        sync.Mutex // guards what follows
	open                      int
	of                        map[string]int
	tooMany, tooManyOfAddress int64
}

// crowded is what a connection that is too many is told where it can be.
var crowded = []byte("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\nConnection: close\r\n\r\n" +
	`{"title":"Service Unavailable","status":503,"code":"unavailable","what":"as many connections are open as the server takes, in all or from this address","remedy":"close those that are not used, and ask again"}` + "\n")

// Bounded gives a listener the bounds of l on connections. Of addresses that are exempt, as of
// proxies that stand for many others, only the bound of all counts; nil: none is.
func Bounded(in net.Listener, l Limits, exempt func(netip.Addr) bool) *Connections {
	l = l.filled()
	return &Connections{Listener: in, most: l.Connections, each: l.PerAddress, exempt: exempt, of: map[string]int{}}
}

// Accept gives the next connection that is not too many.
func (c *Connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := c.countedAs(conn.RemoteAddr())
		if c.enter(from) {
			return &placed{Conn: conn, leave: sync.OnceFunc(func() { c.leave(from) })}, nil
		}
		_ = conn.SetDeadline(machineTime().Add(time.Second)) // it lies in the kernel's buffer at once
		_, _ = conn.Write(c.Tell)                            // who does not hear it is too many all the same
		_ = conn.Close()
	}
}

// countedAs is the address that a connection is counted by; empty: by none.
func (c *Connections) countedAs(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return a.String()
	}
	ip := ap.Addr().Unmap().WithZone("")
	if c.exempt != nil && c.exempt(ip) {
		return ""
	}
	return network(ip)
}

func (c *Connections) enter(from string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.open >= c.most:
		c.tooMany++
		return false
	case from != "" && c.of[from] >= c.each:
		c.tooManyOfAddress++
		return false
	}
	c.open++
	if from != "" {
		c.of[from]++
	}
	return true
}

func (c *Connections) leave(from string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if from == "" {
		return
	}
	if c.of[from]--; c.of[from] == 0 {
		delete(c.of, from)
	}
}

// counts gives how many are open, and how many were too many.
func (c *Connections) counts() (open int, tooMany, tooManyOfAddress int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.tooMany, c.tooManyOfAddress
}

// placed is a connection that gives its place back.
type placed struct {
	net.Conn
	leave func()
}

// Close closes it.
func (p *placed) Close() error {
	p.leave()
	return p.Conn.Close()
}

// Watch has the figures tell of a listener, by a name of its own.
func (s *Server) Watch(name string, c *Connections) { s.listening.Store(name, c) }
