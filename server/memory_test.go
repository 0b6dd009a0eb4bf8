package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// liveInMemory is a server of a synctest bubble, for tests of what takes too long: there time
// passes while everybody waits, so that no machine is too slow for it. Its connections keep
// nothing of what is not read.
func liveInMemory(t *testing.T, s *Server, c *tls.Config) *live {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &inMemory{made: make(chan net.Conn), closed: make(chan struct{})}
	x := &live{Server: s, t: t, memory: l, stop: stop, ended: make(chan error, 1)}
	go func() { x.ended <- s.Serve(ctx, Listeners{API: l, TLS: c}) }()
	t.Cleanup(func() {
		stop()
		if err := <-x.ended; err != nil {
			t.Error(err)
		}
	})
	return x
}

// inMemory is a listener of connections that the same process opens.
type inMemory struct {
	made   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *inMemory) Accept() (net.Conn, error) {
	select {
	case c := <-l.made:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *inMemory) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *inMemory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (l *inMemory) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	select {
	case l.made <- &comesFrom{there, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 1024))}:
	case <-l.closed:
		t.Fatal("nobody listens")
	}
	return here
}

// comesFrom is a connection with the address of who opened it.
type comesFrom struct {
	net.Conn
	from net.Addr
}

func (c *comesFrom) RemoteAddr() net.Addr { return c.from }
