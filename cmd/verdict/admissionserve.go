package main

import (
	"context"
	"fmt"
	"net"
)

// admissionServing is one run of admission serve.
type admissionServing struct{ admissionListening }

func admissionServeCommand() command {
	return command{
		use: "serve", short: "Answer clusters from the local ledger, and nothing else",
		long: aboutAdmission + " This is the endpoint alone, for a process of its own beside the ledger; verdict serve has it too.\n\n" +
			"It makes a certificate authority of its own on its first use, and certificates that it renews before they end. What was answered is recorded once a minute; a process that is killed loses the last minute of these records, which the audit log of the cluster has as annotations. " +
			"Whoever reaches the address is answered: have a firewall see to it that only API servers do, or name with --client-ca the authority of the certificates that they show.",
		example: "verdict admission serve --listen 0.0.0.0:8443 --host verdict.acme.example\nverdict admission serve --listen 127.0.0.1:8443 --client-ca apiserver-ca.pem --as gate",
		args:    exactly(0),
		setup: func(f *flags) runner {
			x := &admissionServing{admissionListening{listen: "127.0.0.1:8443"}}
			f.text(&x.listen, "listen", "ADDRESS", "where to listen, as HOST:PORT")
			f.list(&x.hosts, "host", "NAME", "name or address under which clusters reach it; default: that of --listen")
			f.text(&x.ca, "ca", "FILE", "the authority of its certificates, with its key, in PEM, which replicas share; default: one that this machine makes")
			f.text(&x.clients, "client-ca", "FILE", "answer only clients with a certificate of this authority, in PEM")
			return x.run
		},
	}
}

func (x *admissionServing) run(ctx context.Context, a *app, _ []string) (err error) {
	hosts, err := x.names("verdict admission serve --help")
	if err != nil {
		return err
	}
	a.log = (&serving{}).logger(a) // as of verdict serve: what an operator would tell another
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	at, err := w.admits(w.judgedHere, true)
	if err != nil {
		return err
	}
	if err := at.CatchUp(ctx); err != nil {
		return err
	}
	e, err := a.openAdmissionEndpoint(x.admissionListening, hosts)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "listening https://%s/admission/CLUSTER\nconfigure verdict admission manifests --cluster CLUSTER --url https://%s\n", e.listener.Addr(), net.JoinHostPort(hosts[0], port(e.listener)))
	return accompanied(ctx, func(ctx context.Context) error { return e.serve(ctx, at.Handler()) }, at.Run, func(ctx context.Context) error { return e.certs.Watch(ctx, a.log) })
}

func port(l net.Listener) string {
	_, p, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "443"
	}
	return p
}
