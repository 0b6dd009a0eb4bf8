package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"verdict"
	"verdict/deploy/admission"
	"verdict/report"
)

// admissionManifests is one run of admission manifests.
type admissionManifests struct {
	cluster, url, ca string
	also, exempt     []string
}

func admissionManifestsCommand() command {
	return command{
		use: "manifests", short: "Print what configures a cluster to ask before it runs something",
		long: aboutAdmission + "\n\nWhat is printed is for kubectl apply -f -: a webhook for each way in which the environments of the cluster fail (admission_fail: closed or open; a point that does not block stops nothing), and a policy that the API server holds by itself, also while the endpoint is down: images are named by their digest. " +
			"The namespaces of the cluster itself are left out. Print it again when the map changes what it says of the cluster, when the mode of deploy.admission changes, and when the certificate authority is another one.",
		example: "verdict admission manifests --cluster aks-prod --url https://verdict.acme.example:8443 | kubectl apply -f -\nverdict admission manifests --cluster aks-prod --url https://verdict.acme.example:8443 --ca ca.pem --also rollouts.argoproj.io --exempt verdict",
		args:    exactly(0),
		setup: func(f *flags) runner {
			x := &admissionManifests{}
			f.required(&x.cluster, "cluster", "NAME", "the cluster, by its name in the map")
			f.required(&x.url, "url", "URL", "where clusters reach the endpoint: https, host and port")
			f.text(&x.ca, "ca", "FILE", "certificates in PEM that the cluster trusts with it; default: those of the authority on this machine")
			f.list(&x.also, "also", "RESOURCE", "a further resource whose objects hold pod templates, as RESOURCE.GROUP")
			f.list(&x.exempt, "exempt", "NAMESPACE", "a namespace beside those of the cluster itself that is not asked about")
			return x.run
		},
	}
}

func (x *admissionManifests) run(ctx context.Context, a *app, _ []string) error {
	const see = "verdict admission manifests --help"
	if u, err := url.Parse(x.url); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return usage(see, fmt.Sprintf("--url %s is not where a cluster asks: an API server takes https alone, and the path is added", report.Neutral(x.url)), "write it as https://HOST:PORT")
	}
	ca, err := x.authority(a)
	if err != nil {
		return err
	}
	t, err := a.findMap()
	if err != nil {
		return err
	}
	m, err := t.load()
	if err != nil {
		return err
	}
	if m, _, err = a.underRelease(ctx, t, m); err != nil {
		return err
	}
	var out bytes.Buffer
	manifests := admission.Manifests{Map: m, Cluster: x.cluster, URL: x.url, CA: ca, Also: x.also, Exempt: x.exempt, At: a.now()}
	if err := manifests.Write(&out); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "verdict: a webhook configuration and a policy with its bindings for the cluster %s; look first (| kubectl diff -f -), then | kubectl apply -f -\n", report.Neutral(x.cluster))
	for _, line := range manifests.Summary() {
		fmt.Fprintln(a.stderr, "  "+report.Neutral(line))
	}
	return a.write(func(w io.Writer, _ string, _ report.Style) error {
		_, err := w.Write(out.Bytes())
		return err
	})
}

// authority gives the certificates that the cluster is to trust.
func (x *admissionManifests) authority(a *app) ([]byte, error) {
	if x.ca == "" {
		path := filepath.Join(a.env.stateDir(), admissionFolder, admission.CAFile)
		if _, err := os.Stat(path); err != nil {
			return nil, &verdict.Error{
				Code: verdict.CodeNotFound, What: "this machine has no certificate authority of an admission endpoint",
				Remedy: "run this where the endpoint runs, after it was started once; or name the certificates with --ca FILE",
			}
		}
		x.ca = path
	}
	content, err := a.readInput(x.ca, "the certificate authority", 1<<20)
	if err != nil {
		return nil, err
	}
	if content = admission.OnlyCertificates(content); len(content) == 0 {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: report.Neutral(x.ca) + " holds no certificate in PEM", Remedy: "name the file of the authority that signed the certificate of the endpoint"}
	}
	return content, nil
}
