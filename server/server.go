// Package server is the control plane's HTTP face: the API under /api/v1 with its OpenAPI
// document, the log's own routes, live events, and what operators watch. It takes no
// decision and knows no command: cmd/verdict hands in what answers.
//
// Every route passes the same border: limits of size, depth, time and number, who asks and
// what his roles allow, one form of error (RFC 9457) with a remedy, a log line and figures.
// What a route needs beyond that stands in its Operation.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
	"verdict/server/within"
	"verdict/store"
)

// Prefix is where the API is.
const Prefix = wire.Prefix

// Authenticator tells who a request comes from.
type Authenticator interface {
	// Authenticate reads the credential of a request: Authorization: Bearer, or the cookie
	// of a session. It gives the zero Caller when there is none, and an *verdict.Error with
	// CodeForbidden when there is one that does not hold. It never reads the body.
	Authenticate(r *http.Request) (identity.Caller, error)
	// Knows reports, without asking anybody, whether the credential of a request was found by
	// Authenticate before; whether it still holds is not said. Who sends another one is counted
	// as a stranger before Authenticate looks for it.
	Knows(r *http.Request) bool
}

// Options are what a server is made of. Ledger, Store, Auth, Now and Rand are needed.
type Options struct {
	Ledger  *ledger.Ledger
	Store   *store.Store
	Auth    Authenticator
	Now     func() time.Time
	Rand    io.Reader
	Logger  *slog.Logger // nil: nothing is logged
	Version string
	Origin  string // the log's name; empty: the first page does not say it
	// PublicURL is where callers reach the server: scheme, host and port. Cookies, sign-in
	// and the audience of tokens go by it, never by a request's Host.
	PublicURL *url.URL
	// Whose gives the teams of services by the map in force; nil: nobody knows any.
	Whose within.Whose
	// Proxies are networks of proxies in front, whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	Limits  Limits
}

// Server answers requests. Routes are added before Serve and not afterwards.
type Server struct {
	o                   Options
	mux                 *http.ServeMux
	api                 huma.API
	ops                 map[string]Operation // by the pattern of the mux
	figures             *figures
	busy                chan struct{} // one place per request at work
	callers             *buckets      // by actor
	strange             *buckets      // by address, of who is not signed in
	streams             chan struct{} // one place per live stream
	guests              *guests       // places of requests by nobody who is signed in
	large, largeOfGuest chan struct{} // one place per large body
	stopping            chan struct{} // closed when no more is begun
	listening           sync.Map      // name → *Connections, for the figures
	ready               sync.Map      // name → func(context.Context) error
	ending              atomic.Bool
}

// New makes a server without routes but its own: the first page and the OpenAPI document.
func New(o Options) (*Server, error) {
	if o.Ledger == nil || o.Store == nil || o.Auth == nil || o.Now == nil || o.Rand == nil || o.PublicURL == nil {
		return nil, errors.New("a server needs ledger, store, authenticator, clock, chance and its public URL")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Limits = o.Limits.filled()
	s := &Server{
		o: o, mux: http.NewServeMux(), ops: map[string]Operation{}, figures: newFigures(),
		busy: make(chan struct{}, o.Limits.InFlight), streams: make(chan struct{}, o.Limits.Streams), guests: newGuests(o.Limits.InFlight),
		large: make(chan struct{}, largeBodies), largeOfGuest: make(chan struct{}, largeOfGuest), stopping: make(chan struct{}),
		callers: newBuckets(o.Limits.Rate, o.Now), strange: newBuckets(o.Limits.Anonymous, o.Now),
	}
	s.api = humago.New(s.mux, document(o))
	s.ops["GET /openapi.json"] = Operation{ID: "openapi", Public: true}
	s.Handle("GET /{$}", Operation{ID: "home", Public: true}, http.HandlerFunc(s.atHome))
	s.mux.HandleFunc("/", nothingHere)
	s.figures.registry.MustRegister(&gauges{s})
	return s, nil
}

// Listeners are where a server listens. TLS is nil for plain HTTP.
type Listeners struct {
	API net.Listener
	Ops net.Listener // nil: health and metrics are served nowhere
	TLS *tls.Config
}

// Serve answers until ctx ends, then lets what is under way come to its end for
// Limits.Drain. It gives nil after a stop that was asked for.
func (s *Server) Serve(ctx context.Context, l Listeners) error {
	api := s.http(s.Handler())
	api.TLSConfig = l.TLS
	bounded := Bounded(l.API, s.o.Limits, s.proxied)
	if l.TLS == nil {
		bounded.Tell = crowded
	}
	s.Watch("api", bounded)
	l.API = bounded
	servers := []*http.Server{api}
	failed := make(chan error, 2)
	go func() { failed <- serveOn(api, l.API, l.TLS) }()
	if l.Ops != nil {
		ops := s.http(s.OpsHandler())
		servers = append(servers, ops)
		go func() { failed <- serveOn(ops, l.Ops, nil) }()
	}
	var err error
	running := len(servers)
	select {
	case <-ctx.Done():
	case err = <-failed:
		running--
	}
	if !s.ending.Swap(true) { // readiness fails from here on, so that nobody sends more
		close(s.stopping) // and who only listens goes
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Limits.Drain)
	defer cancel()
	for _, h := range servers {
		if e := h.Shutdown(drain); e != nil {
			s.o.Logger.Warn("requests were cut off at the end of the time that a stop has", "seconds", s.o.Limits.Drain.Seconds())
			_ = h.Close() // what it says was said by Shutdown
		}
	}
	for range running {
		err = errors.Join(err, <-failed)
	}
	return err
}

func serveOn(h *http.Server, l net.Listener, t *tls.Config) error {
	var err error
	if t != nil {
		err = h.ServeTLS(l, "", "")
	} else {
		err = h.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), err)
}

// http is a server with the limits that hold before a request is one: header size and time.
func (s *Server) http(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: s.o.Limits.Headers, ReadTimeout: s.o.Limits.Request, WriteTimeout: s.o.Limits.Request + s.o.Limits.Lag,
		IdleTimeout: s.o.Limits.Idle, MaxHeaderBytes: maxHeaders,
		ErrorLog: slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelDebug),
	}
}

// Ready adds a condition of /readyz. Its error says what is missing.
func (s *Server) Ready(name string, check func(context.Context) error) { s.ready.Store(name, check) }

// OpenAPI is the document of the API's routes, OpenAPI 3.1 as JSON.
func (s *Server) OpenAPI() ([]byte, error) { return s.api.OpenAPI().MarshalJSON() }

// nothingHere answers what no route matches.
func nothingHere(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, &verdict.Error{Code: verdict.CodeNotFound, What: "there is nothing at this path", Remedy: "compare the address with the one that verdict serve printed; GET /openapi.json lists the routes"})
}
