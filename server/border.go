package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/identity"
	"verdict/server/wire"
)

// Handler is the API with its border, for Serve and for tests.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.o.Now()
		_, pattern := s.mux.Handler(r)
		o := s.ops[pattern]
		a := &answer{ResponseWriter: w, paced: !o.Streams, limits: &s.o.Limits}
		defer func() {
			if p := recover(); p != nil {
				s.o.Logger.Error("a defect in Verdict", "operation", o.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if a.status == 0 {
					writeProblem(a, errors.New("panic"))
				}
			}
			s.note(r, o, a, s.o.Now().Sub(began))
		}()
		s.enter(a, r, o)
	})
}

// enter lets a request in, or says why not.
func (s *Server) enter(w *answer, r *http.Request, o Operation) {
	head(w.Header())
	if p := ambiguous(w.Header(), r); p != nil {
		s.turnAway(w, r, p)
		return
	}
	if !o.Streams { // a stream has places of its own
		select {
		case s.busy <- struct{}{}:
			defer func() { <-s.busy }()
		default:
			s.turnAway(w, r, allBusy())
			return
		}
	}
	caller, err := s.admitted(r, o)
	if err != nil {
		s.turnAway(w, r, err)
		return
	}
	guest, from := caller.Actor == "", s.address(r)
	if guest {
		if !s.guests.enter(from) {
			s.turnAway(w, r, allBusy())
			return
		}
		defer s.guests.leave(from)
	}
	ctx, cancel := s.timed(context.WithValue(r.Context(), callerKey{}, caller), w, o)
	defer cancel()
	r = r.WithContext(ctx)
	if o.Body > 0 && r.ContentLength > o.Body {
		s.turnAway(w, r, bodyProblem(&http.MaxBytesError{Limit: o.Body}))
		return
	}
	if r.Body != nil && r.Body != http.NoBody && o.Body > 0 {
		body := s.arrive(w, r, o, guest)
		defer body.leave()
		r.Body = http.MaxBytesReader(w, body, o.Body)
	}
	w.caller = caller
	if caller.Actor != "" && !caller.Everywhere() {
		w.Header().Set(wire.HeaderReach, wire.ReachPart)
	}
	if o.writes() && !o.Once && r.Header.Get(IdempotencyKey) != "" && caller.Actor != "" {
		s.once(w, r, o, caller)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// ambiguous refuses a request that somebody in front may have read otherwise than it is read here;
// nil: it has one reading. Where the next request on the connection is in doubt too, its end is
// put into the answer's headers.
func ambiguous(answer http.Header, r *http.Request) *Problem {
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 { // it may have named a length too (RFC 9112, 6.1)
		answer.Set("Connection", "close")
	}
	if r.URL.Path != path.Clean(r.URL.Path) && r.URL.Path != path.Clean(r.URL.Path)+"/" || strings.ContainsAny(r.URL.Path, "\x00\\") {
		answer.Set("Connection", "close") // as of CONNECT: what comes behind it may not be meant as a request
		return problem(http.StatusBadRequest, verdict.CodeUsage, "the path is not in its plain form", "send it without ., .. and empty parts")
	}
	if len(r.Header["Content-Length"]) > 1 { // HTTP/2 lets it through, and who passes it on in HTTP/1 makes two requests of it
		return problem(http.StatusBadRequest, verdict.CodeUsage, "the request has two lengths", "send one Content-Length")
	}
	return nil
}

// timed ends a request after the time of its operation, and lets the connection live as long.
func (s *Server) timed(ctx context.Context, w http.ResponseWriter, o Operation) (context.Context, context.CancelFunc) {
	if o.Within > 0 { // beyond what the connection has for a request; tests may have no deadlines
		conn := http.NewResponseController(w)
		_ = conn.SetReadDeadline(machineTime().Add(o.Within))
		_ = conn.SetWriteDeadline(machineTime().Add(o.Within + 10*time.Second))
	}
	if t := s.requestTime(o); t > 0 {
		return context.WithTimeout(ctx, t)
	}
	return ctx, func() {}
}

// rowsOfRequest is how many rows that are looked at and left out weigh as a request: five take
// half as long as the least one.
const rowsOfRequest = 5

// Passed counts rows that are looked at for a caller and left out as requests of his: who sees
// little of a large log would else have a core look through it all the time.
func (s *Server) Passed(c identity.Caller) func(rows int) {
	return func(rows int) { s.callers.charge(c.Actor, float64(rows)/rowsOfRequest) }
}

func allBusy() *Problem {
	return problem(http.StatusServiceUnavailable, verdict.CodeUnavailable, "the server works on as many requests as it takes at once", "ask again in a second")
}

// admitted tells who asks and holds him to his rate, his origin and his roles.
func (s *Server) admitted(r *http.Request, o Operation) (identity.Caller, error) {
	c, over, err := s.counted(r)
	if over != nil {
		return c, over
	}
	if o.ID == "" { // no route: the mux says so
		return identity.Caller{}, nil
	}
	switch {
	case o.Public && err != nil:
		return identity.Caller{}, nil
	case o.Public:
		return c, nil
	case err != nil:
		p := problemOf(err)
		if p.Code == verdict.CodeForbidden {
			p.Status, p.Title = http.StatusUnauthorized, http.StatusText(http.StatusUnauthorized)
		}
		return c, p
	case c.Actor == "":
		return c, notSignedIn()
	case o.writes() && !o.Origins && r.Header.Get("Authorization") == "" && !s.sameOrigin(r):
		return c, &verdict.Error{Code: verdict.CodeForbidden, What: "a page of another origin sent this with your session", Remedy: "send it from " + s.o.PublicURL.String() + ", or with Authorization: Bearer"}
	}
	return c, c.Holds(o.Verb)
}

// counted tells who asks, and holds him to his rate: over is not nil where he asks too often. What
// was never found before is counted by its address before anybody looks for it, so that whoever
// sends made-up tokens does not have each of them looked up.
func (s *Server) counted(r *http.Request) (c identity.Caller, over, err error) {
	from, stranger := s.address(r), !s.o.Auth.Knows(r)
	strangers := tooMany("this address asks more often than somebody may who is not signed in")
	if stranger && !s.strange.take(from) {
		return c, strangers, nil
	}
	c, err = s.authenticate(r)
	away := err != nil && problemOf(err).Status >= 500 // the store does not answer: he may be anybody
	proved := err == nil && c.Actor != ""
	switch {
	case stranger && (away || proved):
		s.strange.giveBack(from)
	case !stranger && !away && !proved && !s.strange.take(from): // what he has holds no more
		return c, strangers, err
	}
	if proved && !s.callers.take(c.Actor) {
		return c, tooMany("you ask more often than one caller may"), nil
	}
	return c, nil, err
}

// authenticate tells who asks, within the time that a request has.
func (s *Server) authenticate(r *http.Request) (identity.Caller, error) {
	ctx, cancel := context.WithTimeout(r.Context(), s.o.Limits.Request)
	defer cancel()
	c, err := s.o.Auth.Authenticate(r.WithContext(ctx))
	if err != nil && ctx.Err() != nil {
		err = &verdict.Error{Code: verdict.CodeUnavailable, What: "it cannot be told who asks: the database does not answer", Remedy: "send it again", Err: err}
	}
	return c, err
}

// sameOrigin reports whether what a browser says of where a request comes from is this
// server. Who says nothing is no browser of the last years, and has no cookie's excuse.
func (s *Server) sameOrigin(r *http.Request) bool {
	own := s.o.PublicURL.Scheme + "://" + s.o.PublicURL.Host
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	return r.Header.Get("Origin") == own
}

// head are the headers that every answer has. There is nothing to frame, to sniff or to run.
func head(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set(wire.HeaderVersion, wire.Release)
}

// address is the client's, without the port, by which strangers are counted. Behind a proxy
// that the operator names it is the last one that no such proxy added to X-Forwarded-For: what
// stands before that is anybody's word. A proxy that nobody named is one address, and so is
// the network of 64 bits that everybody has who has one address of IPv6.
func (s *Server) address(r *http.Request) string {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := ap.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for s.proxied(ip) && len(hops) > 0 {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1]))
		if err != nil {
			break
		}
		ip, hops = next.Unmap().WithZone(""), hops[:len(hops)-1]
	}
	return network(ip)
}

// network is how one of the internet is counted: by his address, and by 64 bits of it where he
// has all the others of them too.
func network(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}

func (s *Server) proxied(ip netip.Addr) bool {
	return slices.ContainsFunc(s.o.Proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// note logs and counts a request. Neither has a body, a token or a query in it. One command
// reads dozens of times, so that what was read is told only where somebody looks for it.
func (s *Server) note(r *http.Request, o Operation, a *answer, took time.Duration) {
	id := o.ID
	if id == "" {
		id = "none"
	}
	s.figures.request(id, a.status, took)
	level := slog.LevelInfo
	if r.Method == http.MethodGet && a.status < http.StatusBadRequest {
		level = slog.LevelDebug
	}
	s.o.Logger.Log(r.Context(), level, "request", "operation", id, "method", fmt.Sprintf("%.16s", r.Method), "status", a.status, "actor", a.caller.Actor, "bytes", a.size, "took", took)
}
