package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/evidence/sigstore"
	"verdict/identity"
	"verdict/ledger"
	"verdict/outward"
	"verdict/report"
	"verdict/server"
	"verdict/server/wire"
)

const seeServe = "verdict serve --help"

// serving is what one run of `verdict serve` is asked for.
type serving struct {
	listen, ops    string
	public         string
	cert, key      string
	logFormat      string
	signIn, forges string
	trustedRoot    string
	proxies        []string
	witnesses      []string
	publisher      string
	renewEvery     string
	renewing       []string
	admission      admissionListening
}

func serveCommand() command {
	return command{
		use: "serve", short: "Run the control plane: the API, sign-in, admission and background work",
		long: "Serves the ledger of --data, or of --database: one process on SQLite, or any number of replicas on one PostgreSQL. Evidence is verified before it is recorded, and points are decided here: whoever is judged does not judge.\n\n" +
			"On a loopback address plain HTTP is served, and who starts it may use it: commands of the same user find its token by themselves (--server URL), and a link that works once signs an administrator in. Any other address needs --tls-cert and --tls-key, or a proxy in front that ends TLS and --public-url with its address.\n\n" +
			"Health (/healthz, /readyz) and metrics (/metrics) have a listener of their own. SIGTERM stops gracefully: readiness fails first, and requests under way come to their end.",
		example: "verdict serve\nverdict serve --listen 127.0.0.1:8080 --data D\nverdict serve --database env:VERDICT_DB --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key --public-url https://verdict.acme.example",
		args:    exactly(0),
		setup: func(f *flags) runner {
			x := &serving{listen: "127.0.0.1:8080", ops: "127.0.0.1:0", logFormat: "text"}
			f.text(&x.listen, "listen", "ADDRESS", "host and port of the API")
			f.text(&x.ops, "ops-listen", "ADDRESS", "host and port of health and metrics; off: nowhere")
			f.text(&x.public, "public-url", "URL", "where callers reach the API; default: the address that it listens on")
			f.list(&x.proxies, "trusted-proxy", "NETWORK", "network of proxies in front whose X-Forwarded-For is believed, such as 10.0.0.0/8: who is not signed in is counted by his address; repeatable")
			f.text(&x.cert, "tls-cert", "FILE", "certificate chain in PEM; it is read again when the file changes")
			f.text(&x.key, "tls-key", "FILE", "private key of --tls-cert")
			f.text(&x.signIn, "sign-in", "FILE", "whose tokens sign in, with which roles: docs/sign-in.md")
			f.text(&x.trustedRoot, "trusted-root", "FILE", "trusted_root.json of the authorities whose certificates may sign evidence of others; default: none may")
			f.text(&x.forges, "forges", "FILE", "forges that deliver events and are told: docs/forges.md")
			f.list(&x.witnesses, "witness", "URL=KEY", "witness who is asked each hour to sign the latest checkpoint, at this address and with this verifier key; repeatable")
			f.text(&x.renewEvery, "advisories-every", "LENGTH", "how old the server's vulnerability data become before it renews them by itself; default: never")
			f.list(&x.renewing, "advisories-ecosystem", "NAME", "ecosystem that --advisories-every fetches; default: those that were fetched before; repeatable")
			f.add(addressValue(&x.publisher), "advisories-url", "", "where <ecosystem>/all.zip lies that the server fetches; default: OSV's storage")
			f.text(&x.admission.listen, "admission-listen", "ADDRESS", "host and port at which Kubernetes clusters ask, over TLS with certificates of its own; default: nowhere")
			f.list(&x.admission.hosts, "admission-host", "NAME", "name or address under which clusters reach --admission-listen, beside its own and that of --public-url")
			f.text(&x.admission.ca, "admission-ca", "FILE", "the authority of the certificates at --admission-listen, with its key, in PEM, which replicas share; default: one that this machine makes")
			f.text(&x.admission.clients, "admission-client-ca", "FILE", "answer only clusters that show a certificate of this authority, in PEM")
			f.choice(&x.logFormat, "log-format", "form of the log on standard error", "text", "json")
			return x.run
		},
	}
}

func (x *serving) run(ctx context.Context, a *app, _ []string) (err error) {
	if a.config.Server != "" {
		return usage(seeServe, "--server names a control plane, and serve is one", "leave --server and VERDICT_SERVER out")
	}
	l, err := x.listeners()
	if err != nil {
		return err
	}
	defer l.close()
	public, err := x.publicURL(l.API)
	if err != nil {
		return err
	}
	a.log = x.logger(a)
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	release, err := w.alone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	h := newHost(w)
	in, err := h.signIn(x.signIn, public)
	if err != nil {
		return err
	}
	if h.trusted, err = x.trusted(a); err != nil {
		return err
	}
	if h.proxies, err = networks(x.proxies); err != nil {
		return err
	}
	if err := h.witnessesOf(x.witnesses); err != nil {
		return err
	}
	h.publisher = x.publisher
	s, err := h.server(ctx, public, in)
	if err != nil {
		return err
	}
	in.Routes(s)
	if err := in.RecordConfig(ctx); err != nil {
		return err
	}
	beside, err := x.beside(ctx, h, s, in, public)
	if err != nil {
		return err
	}
	if err := h.leaveToken(ctx, in, public); err != nil {
		return err
	}
	if err := x.announce(ctx, h, l, public, in); err != nil {
		return err
	}
	settle()
	return accompanied(ctx, func(ctx context.Context) error { return s.Serve(ctx, l.Listeners) }, beside...)
}

// beside is what goes on while the server answers: chores, admission, and forges.
func (x *serving) beside(ctx context.Context, h *host, s *server.Server, in *server.SignIn, public *url.URL) ([]func(context.Context) error, error) {
	renewal, err := x.renewal(h.app.config.Offline)
	if err != nil {
		return nil, err
	}
	chores := h.chores(in)
	out := []func(context.Context) error{chores.Run}
	if renewal.every > 0 || h.sharing {
		out = append(out, h.renewing(renewal))
	}
	admits, err := x.admits(ctx, h, s, public)
	if err != nil {
		return nil, err
	}
	out = append(out, admits...)
	if x.forges == "" {
		return out, nil
	}
	hooks, err := h.webhooks(s, x.forges, public)
	if err != nil {
		return nil, err
	}
	chores.List = append(chores.List, hooks.Chore())
	return append(out, func(ctx context.Context) error { return hooks.Run(ctx, chores.Owner) }), nil
}

// logger is where the server logs: what an operator would tell another.
func (x *serving) logger(a *app) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if a.config.Verbose {
		o.Level = slog.LevelDebug
	}
	if x.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.stderr, o))
	}
	return slog.New(slog.NewTextHandler(report.Lines(a.stderr), o))
}

// server makes the server with the routes of the ledger and of what is decided.
func (h *host) server(ctx context.Context, public *url.URL, auth server.Authenticator) (*server.Server, error) {
	key, err := h.base.own.VerifierKey(ctx)
	if err != nil {
		return nil, err
	}
	origin, _, _ := strings.Cut(key, "+") // C2SP signed-note: name+hash+key
	s, err := server.New(server.Options{
		Ledger: h.base.own, Origin: origin, Store: h.base.store, Auth: auth, Now: h.app.now, Rand: h.app.rand, Logger: h.app.log, Version: version(), PublicURL: public, Proxies: h.proxies, Whose: h.teams,
	})
	if err != nil {
		return nil, err
	}
	h.passed = s.Passed
	var bound func(context.Context, identity.Caller) (*ledger.Bound, error)
	if in, ok := auth.(*server.SignIn); ok {
		bound = in.Bound
	}
	h.decisionRoute(s)
	h.questions(s)
	h.operations(s)
	h.peopleRoutes(s)
	if err := errors.Join(s.Metrics().Register(h.unwitnessed), s.Metrics().Register(witnessFigures{h}), s.Metrics().Register(h.unadvised), s.Metrics().Register(advisoryFigures{h})); err != nil {
		return nil, err
	}
	s.LedgerRoutes(server.LedgerOptions{VerifierKey: key})
	syncRoute(s, h.teams, h.recording)
	s.EvidenceRoute(server.EvidenceOptions{Verb: identity.VerbOf, Signer: h.base.signer, Bound: bound, Foreign: h.trusted})
	return s, nil
}

// trusted verifies evidence that a certificate of an authority in --trusted-root signed; nil
// without one.
func (x *serving) trusted(a *app) (func(context.Context, *evidence.Bundle, wire.Foreign) (evidence.Producer, error), error) {
	if x.trustedRoot == "" {
		return nil, nil
	}
	root, err := a.readInput(x.trustedRoot, "the trusted root", sigstore.MaxTrustedRoot)
	if err != nil {
		return nil, err
	}
	if _, err := sigstore.CertificateVerifier("nobody", "https://nowhere.example", root); err != nil { // it is read now, and not with the first evidence
		return nil, err
	}
	return func(ctx context.Context, b *evidence.Bundle, f wire.Foreign) (evidence.Producer, error) {
		v, err := sigstore.CertificateVerifier(f.Identity, f.Issuer, root)
		if err != nil {
			return evidence.Producer{}, err
		}
		return v.Verify(ctx, b)
	}, nil
}

// networks reads those of --trusted-proxy.
func networks(list []string) (out []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Bits() == 0 {
			return nil, usage(seeServe, fmt.Sprintf("--trusted-proxy %.60q is no network of proxies", text), "write it as ADDRESS/BITS, such as 10.0.0.0/8 or 192.0.2.7/32")
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// listening are the open listeners.
type listening struct{ server.Listeners }

func (l *listening) close() {
	for _, x := range []net.Listener{l.API, l.Ops} {
		if x != nil {
			_ = x.Close() // the server did, where it ran
		}
	}
}

func (x *serving) listeners() (l *listening, err error) {
	l = &listening{}
	if l.TLS, err = x.tls(); err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(x.listen)
	if err != nil {
		return nil, usage(seeServe, fmt.Sprintf("--listen %q is no host with a port", x.listen), "write --listen 127.0.0.1:8080")
	}
	if l.TLS == nil && !outward.Loopback(host) && !strings.HasPrefix(x.public, "https://") {
		return nil, usage(seeServe, "--listen "+x.listen+" would take tokens in the clear from the network", "give --tls-cert and --tls-key; or, behind a proxy that ends TLS, --public-url https://…; or listen on 127.0.0.1")
	}
	if l.API, err = listenOn("--listen", x.listen); err != nil {
		return nil, err
	}
	if x.ops == "off" {
		return l, nil
	}
	if l.Ops, err = listenOn("--ops-listen", x.ops); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func listenOn(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &verdict.Error{Code: verdict.CodeUnavailable, What: flag + " " + address + " cannot be listened on", Remedy: "name a port that nobody listens on; port 0 takes a free one", Err: err}
	}
	return l, nil
}

// tls is the configuration of --tls-cert and --tls-key; nil without them.
func (x *serving) tls() (*tls.Config, error) {
	if x.cert == "" && x.key == "" {
		return nil, nil
	}
	if x.cert == "" || x.key == "" {
		return nil, usage(seeServe, "--tls-cert and --tls-key go together", "give both")
	}
	c := &certificate{cert: x.cert, key: x.key}
	if err := c.read(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.current, NextProtos: []string{"h2", "http/1.1"}}, nil
}

func (x *serving) publicURL(api net.Listener) (*url.URL, error) {
	if x.public == "" {
		scheme := "http"
		if x.cert != "" {
			scheme = "https"
		}
		return &url.URL{Scheme: scheme, Host: api.Addr().String()}, nil
	}
	u, err := url.Parse(x.public)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, usage(seeServe, fmt.Sprintf("--public-url %q is no address of a server", x.public), "write --public-url https://verdict.acme.example")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// announce says where it listens, and what whoever keeps the log's checkpoints has to know.
func (x *serving) announce(ctx context.Context, h *host, l *listening, public *url.URL, in *server.SignIn) error {
	w := h.base
	c, err := w.own.Checkpoint(ctx)
	if err != nil {
		return err
	}
	link, err := h.adminLink(ctx, in, public) // before anything is said: who hears that it serves may stop it
	if err != nil {
		return err
	}
	api := public.String()
	if at := l.API.Addr().String(); at != public.Host {
		api += ", listening on " + at
	}
	rows := [][]string{{"api", api}}
	if l.Ops != nil {
		rows = append(rows, []string{"health", "http://" + l.Ops.Addr().String() + "/readyz, /healthz, /metrics"})
	}
	rows = append(rows,
		[]string{"ledger", w.place() + ", " + plural(int(c.Position), "entry", "entries")},
		[]string{"log", c.Origin},
		[]string{"anchor", w.own.AnchorDir()},
	)
	if x.admission.at != "" {
		rows = append(rows, []string{"admission", "https://" + x.admission.at + "/admission/CLUSTER (verdict admission manifests)"})
	}
	fmt.Fprint(w.app.stdout, "Verdict serves.\n"+report.Table(rows, 100, "  "))
	if link != "" {
		_, code, _ := strings.Cut(link, "code=")
		fmt.Fprintf(w.app.stdout, "On this machine, whoever started it states evidence and asks points with:\n  export VERDICT_SERVER=%s\nAdministrators sign in once, within ten minutes, on this machine:\n  %s\nor in a shell:\n  CODE=%s verdict login --server %s --once env:CODE\n", public, link, code, public)
	}
	return nil
}

// place names the database for people, without what its address holds that is secret.
func (w *workspace) place() string {
	if w.app.config.Database != "" {
		return "PostgreSQL"
	}
	return w.dir + string(os.PathSeparator) + ledgerFile
}
