package forge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"verdict"
)

// ErrInternal is the cause of an error about an address that nobody outside may make us
// connect to.
var ErrInternal = errors.New("the address is an internal one")

// Guarded is a transport for addresses that a sender may have chosen. It connects to no
// address of this machine, of its network or of its cloud's metadata service. The address
// is looked at when the connection is made, behind every resolver and redirect, so that a
// name which changes its mind in between gains nothing. It uses no proxy: through one,
// nobody could tell where a connection ends.
//
// Hosts in inside, as HOST or HOST:PORT, may be on this machine or in its network, because
// whoever runs the server said so; link-local addresses, where metadata services are, stay
// closed to them too.
func Guarded(inside []string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			trusted := slices.ContainsFunc(inside, func(x string) bool { return strings.EqualFold(x, host) || strings.EqualFold(x, address) })
			d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, resolved string, _ syscall.RawConn) error {
				return permitted(resolved, trusted)
			}}
			return d.DialContext(ctx, network, address)
		},
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second, IdleConnTimeout: time.Minute, MaxIdleConns: 20, ForceAttemptHTTP2: true,
	}
}

// permitted refuses a resolved address (with port) that is internal.
func permitted(resolved string, trusted bool) error {
	a, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return fmt.Errorf("%w: %.100q cannot be read", ErrInternal, resolved)
	}
	ip := a.Addr().WithZone("").Unmap()
	if reached := behind(ip); reached.IsValid() {
		ip = reached
	}
	never := ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || slices.Contains(metadata, ip)
	if never || !trusted && slices.ContainsFunc(internal, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return fmt.Errorf("%w: %v", ErrInternal, ip)
	}
	return nil
}

// internal are the special purpose addresses that are not reached over the Internet (IANA's
// registries, RFC 6890).
var internal = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
	"::/127", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "64:ff9b:1::/48", "2001:db8::/32", "100::/64", "2001::/23")

// metadata are services of clouds that stand outside the link-local ranges: those of AWS over
// IPv6, of Azure's host and of Alibaba.
var metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("100.100.100.200")}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToIV = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

// behind is the IPv4 address that an IPv6 address leads to through a gateway; not valid
// for any other.
func behind(ip netip.Addr) netip.Addr {
	if !ip.Is6() {
		return netip.Addr{}
	}
	b := ip.As16()
	switch {
	case nat64.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToIV.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return netip.Addr{}
}

// inside is the error for an address that is not connected to.
func (c *Client) inside(err error) error {
	return &verdict.Error{
		Code: verdict.CodeForbidden, What: fmt.Sprintf("the address of %s (%s) leads into this network, and that is not followed", c.api.Forge, c.base.Host),
		Remedy: "if the forge is in this network, name its host under `internal:` of the forge's entry in the file that --forges names", Err: err,
	}
}
