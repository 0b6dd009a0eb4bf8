package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"verdict"
	"verdict/deploy"
	"verdict/deploy/admission"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server"
)

func admissionCommand() command {
	return command{
		use: "admission", short: "Let clusters run what was promoted to their environment, and nothing else",
		sub: []command{admissionTryCommand(), admissionManifestsCommand(), admissionServeCommand()},
	}
}

// aboutAdmission is what the commands of admission say about it.
const aboutAdmission = "A Kubernetes cluster asks at each rollout, and is answered from the decisions that the gate took before (verdict gate): each image is named by its digest, and was promoted to the environment that claims the namespace (kubernetes: in the map)."

// admits makes what answers clusters from the local ledger. By which map it counts is found
// out again whenever another one is released; without a released one the map judges that
// otherwise gives.
func (w *workspace) admits(otherwise func(ctx context.Context) (judgedBy, error), records bool) (*admission.Admission, error) {
	if w.own == nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "what clusters are answered is read from the ledger itself, and --server names a control plane that has it",
			Remedy: "leave --server and VERDICT_SERVER out, on the machine that has the ledger",
		}
	}
	return w.admitsFrom(w.own, otherwise, records)
}

// admitsFrom is admits by what a log tells.
func (w *workspace) admitsFrom(log admission.Log, otherwise func(ctx context.Context) (judgedBy, error), records bool) (*admission.Admission, error) {
	side := &workspace{app: w.app, dir: w.dir, ledger: w.ledger, own: w.own, signer: w.signer, ring: w.ring} // of the goroutine that follows the log
	o := admission.Options{Log: log, Now: w.app.now, Logger: w.app.log, Rand: w.app.rand}
	o.Basis = func(ctx context.Context, at ledger.Position) (b admission.Basis, err error) {
		judged, err := side.judgedAt(ctx, at, otherwise)
		if err != nil {
			return b, err
		}
		keys, err := side.ledger.Keys(ctx)
		if err != nil {
			return b, err
		}
		people, err := deploy.Directory(judged.Map)
		if err != nil {
			return b, err
		}
		return admission.Basis{Map: judged.Map, KeyName: namesOf(keys), Who: func(username string) *verdict.Requester {
			return deploy.Asker(people, identity.Account{System: identity.Kubernetes, Name: username})
		}}, nil
	}
	if records {
		o.Ledger, o.Signer, o.Actor = w.own, w.signer, w.actor()
	}
	return admission.New(o)
}

func (w *workspace) judgedAt(ctx context.Context, at ledger.Position, otherwise func(ctx context.Context) (judgedBy, error)) (judgedBy, error) {
	r, err := w.inForce(ctx, at)
	if err != nil {
		return judgedBy{}, err
	}
	if r == nil {
		return otherwise(ctx)
	}
	return judgedBy{Map: r.Map, From: "the released organisation map", Released: r}, nil
}

// judgedHere is the map that a gate in this folder would judge by.
func (w *workspace) judgedHere(ctx context.Context) (judgedBy, error) {
	if w.app.hosted != nil {
		return w.judgedWith(ctx, nil)
	}
	repo, err := repository(ctx, ".")
	if err != nil {
		return judgedBy{}, err
	}
	j, err := w.judgeBy(ctx, repo, pipelineGoal(w.app.env))
	if err == nil {
		err = j.Unknown
	}
	return j, err
}

// admissionEndpoint is where clusters ask: TLS with certificates of its own.
type admissionEndpoint struct {
	listener *server.Connections
	server   *http.Server
	certs    *admission.Certificates
}

const (
	admissionHeaders = 16 << 10 // bytes
	admissionReads   = 10 * time.Second
	admissionIdle    = 2 * time.Minute
	admissionGrace   = 10 * time.Second
)

// admissionFolder is below the state directory: its key is no part of a backup of the data.
const admissionFolder = "verdict/admission"

// openAdmissionEndpoint listens for clusters that reach it under some names.
func (a *app) openAdmissionEndpoint(x admissionListening, hosts []string) (e *admissionEndpoint, err error) {
	e = &admissionEndpoint{}
	if e.certs, err = a.admissionCertificates(x.ca, hosts); err != nil {
		return nil, err
	}
	pool, err := a.clientPool(x.clients)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", x.listen)
	if err != nil {
		return nil, &verdict.Error{Code: verdict.CodeUnavailable, What: "nobody can listen at " + x.listen, Remedy: "name another address, or end what listens there", Err: err}
	}
	e.listener = server.Bounded(l, server.Limits{}, nil)
	e.server = &http.Server{
		TLSConfig: e.certs.TLS(pool), MaxHeaderBytes: admissionHeaders, ReadHeaderTimeout: admissionReads, ReadTimeout: admissionReads, WriteTimeout: admissionReads, IdleTimeout: admissionIdle,
	}
	return e, nil
}

// admissionCertificates are those of the authority in a file, else of that which this machine
// makes for itself.
func (a *app) admissionCertificates(file string, hosts []string) (*admission.Certificates, error) {
	if file != "" {
		return admission.OpenCertificates(file, hosts, a.now)
	}
	state := a.env.stateDir()
	if state == "" {
		return nil, usage("", "there is no place for the certificates of the admission endpoint: neither HOME nor XDG_STATE_HOME is set", "set XDG_STATE_HOME to a folder outside the data directory")
	}
	folder := filepath.Join(state, admissionFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the admission endpoint: %w", err)
	}
	return admission.MakeCertificates(folder, hosts, a.now)
}

func (a *app) clientPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	content, err := a.readInput(file, "the certificates of clients", 1<<20)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: file + " holds no certificate in PEM", Remedy: "name the file with the authority that signed the certificate of the API server as a client"}
	}
	return pool, nil
}

// serve answers until ctx ends, and lets what is under way end.
func (e *admissionEndpoint) serve(ctx context.Context, h http.Handler) error {
	e.server.Handler = h
	ended := make(chan error, 1)
	go func() { ended <- e.server.ServeTLS(e.listener, "", "") }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), admissionGrace)
	defer stop()
	if err := e.server.Shutdown(grace); err != nil {
		return errors.Join(err, e.server.Close())
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
