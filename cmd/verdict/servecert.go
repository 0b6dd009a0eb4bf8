package main

import (
	"crypto/tls"
	"os"
	"sync"
	"time"

	"verdict"
)

// certificate is the server's, read again when its file changes, so that whoever renews it
// has nothing to restart. It is safe for concurrent use.
type certificate struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate // guarded by mu, as all below
	of     time.Time        // the file's time
	looked time.Time
}

// lookEvery is how often the file is looked at.
const lookEvery = 10 * time.Second

func (c *certificate) read() error {
	info, err := os.Stat(c.cert)
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.cert, c.key); err == nil {
			c.loaded, c.of = &pair, info.ModTime()
			return nil
		}
	}
	return &verdict.Error{Code: verdict.CodeUnavailable, What: "the certificate " + c.cert + " with the key " + c.key + " cannot be used", Remedy: "give the chain and its private key in PEM, readable for this user", Err: err}
}

// current gives the certificate for a connection. While a new file is half written, the last
// one that was whole goes on.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if info, err := os.Stat(c.cert); err == nil && !info.ModTime().Equal(c.of) {
			_ = c.read() // it is tried again at the next look
		}
	}
	return c.loaded, nil
}
