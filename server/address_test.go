package server

import (
	"net/http"
	"net/netip"
	"testing"
)

// Behind a proxy everybody would be one address, and one of them could keep all others from
// signing in. What a client writes into the header himself must not make him another.
func TestAStrangerIsCountedByHisAddressAlsoBehindAProxy(t *testing.T) {
	s := made(t, Limits{})
	s.o.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct{ name, remote, forwarded, want string }{
		{"without a proxy", "192.0.2.1:5", "", "192.0.2.1"},
		{"a header without a proxy", "192.0.2.1:5", "198.51.100.9", "192.0.2.1"},
		{"behind one proxy", "10.1.1.1:5", "198.51.100.9", "198.51.100.9"},
		{"behind two", "10.1.1.1:5", "198.51.100.9, 10.2.2.2", "198.51.100.9"},
		{"what he wrote himself stands before", "10.1.1.1:5", "203.0.113.7, 198.51.100.9", "198.51.100.9"},
		{"a proxy's address that he wrote himself", "10.1.1.1:5", "10.9.9.9, 198.51.100.9", "198.51.100.9"},
		{"no address", "10.1.1.1:5", "unknown", "10.1.1.1"},
		{"no header", "10.1.1.1:5", "", "10.1.1.1"},
		{"of IPv6, by its network", "[fd00::1]:5", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{}}
			if tt.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tt.forwarded)
			}
			if got := s.address(r); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
