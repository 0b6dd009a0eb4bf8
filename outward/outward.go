// Package outward has what all rooms hold alike that call others over the network: where
// credentials may go, and how they wait before they ask again.
package outward

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Safe reports whether an address may be the base of calls with credentials: https, or http on
// this machine, without user, query or fragment.
func Safe(u *url.URL) bool {
	if u.User != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && Loopback(u.Hostname())
}

// Loopback reports whether a host is this machine by its very name. A name that only resolves
// to this machine is not: who answers for it may change his mind.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// Pause waits, or gives the error of ctx where that ends before.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
