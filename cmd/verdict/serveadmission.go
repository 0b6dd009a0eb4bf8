package main

import (
	"context"
	"net"
	"net/url"
	"slices"

	"verdict/report"
	"verdict/server"
)

// admissionListening is what a command that answers clusters is told.
type admissionListening struct {
	listen  string // empty: nowhere
	hosts   []string
	clients string // a file with the authority of those who may ask; empty: whoever reaches the address
	ca      string // a file with the authority of the endpoint; empty: one that this machine makes
	at      string // where it listens, once it does
}

// names are those under which clusters reach the endpoint: those that were given, others that
// are known, and that of the address that it listens on.
func (x *admissionListening) names(see string, others ...string) ([]string, error) {
	host, _, err := net.SplitHostPort(x.listen)
	if err != nil {
		return nil, usage(see, report.Neutral(x.listen)+" is no address that clusters could be listened to at", "write it as HOST:PORT, such as 0.0.0.0:8443")
	}
	all := slices.Concat(x.hosts, others)
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		all = append(all, host)
	}
	if len(all) == 0 {
		return nil, usage(see, "nothing says under which name clusters reach "+x.listen, "name it with --host")
	}
	return unrepeated(all), nil
}

func unrepeated(list []string) (out []string) {
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			out = append(out, s)
		}
		seen[s] = true
	}
	return out
}

// admits is what answers clusters beside the API: nothing without --admission-listen.
func (x *serving) admits(ctx context.Context, h *host, s *server.Server, public *url.URL) ([]func(context.Context) error, error) {
	if x.admission.listen == "" {
		return nil, nil
	}
	hosts, err := x.admission.names(seeServe, public.Hostname())
	if err != nil {
		return nil, err
	}
	w, err := h.workspaceFor(ctx, h.appFor(everything, nil))
	if err != nil {
		return nil, err
	}
	w.app.env = h.app.env // the endpoint keeps its certificates in the state directory
	answers, err := w.admits(func(ctx context.Context) (judgedBy, error) { return w.judgedWith(ctx, nil) }, true)
	if err != nil {
		return nil, err
	}
	e, err := w.app.openAdmissionEndpoint(x.admission, hosts)
	if err != nil {
		return nil, err
	}
	if err := s.Metrics().Register(admissionFigures{answers, e.certs}); err != nil {
		return nil, err
	}
	s.Watch("admission", e.listener)
	s.Ready("admission", func(context.Context) error { return answers.Ready() })
	x.admission.at = e.listener.Addr().String()
	return []func(context.Context) error{
		answers.Run, func(ctx context.Context) error { return e.serve(ctx, answers.Handler()) },
		func(ctx context.Context) error { return e.certs.Watch(ctx, w.app.log) },
	}, nil
}
