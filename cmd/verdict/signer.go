package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"verdict/evidence"
	"verdict/evidence/remote"
	"verdict/evidence/remote/awskms"
	"verdict/evidence/remote/azurekv"
	"verdict/evidence/remote/gcpkms"
	"verdict/evidence/remote/vault"
	"verdict/ledger"
	"verdict/report"
)

// keyRef refers to a key that lives somewhere else than in the ring: "file:PATH", or one
// version of a key at a key service. The zero value refers to none.
type keyRef struct {
	text       string
	scheme     string
	key        string // in the words of its service
	parameters url.Values
}

// keyForms are the references to keys, and the parameters that each takes.
var keyForms = map[string]struct {
	form       string
	parameters []string
}{
	"file":    {"file:PATH", nil},
	"azurekv": {"azurekv:https://VAULT.vault.azure.net/keys/NAME/VERSION", nil},
	"awskms":  {"awskms:arn:aws:kms:REGION:ACCOUNT:key/ID", []string{"endpoint"}},
	"gcpkms":  {"gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N", nil},
	"vault":   {"vault:https://HOST/transit/NAME#VERSION", []string{"token", "namespace", "role", "login", "account"}},
}

// keySchemes are those of keyForms, in the order in which help names them.
var keySchemes = []string{"file", "azurekv", "awskms", "gcpkms", "vault"}

// keyValue reads a reference to a key.
func keyValue(p *keyRef) *value {
	return &value{kind: "KEY", show: func() string { return p.text }, parse: func(s string) (err error) {
		*p, err = parseKeyRef(s)
		return err
	}}
}

func parseKeyRef(s string) (keyRef, error) {
	scheme, rest, ok := strings.Cut(s, ":")
	form, known := keyForms[scheme]
	if !ok || !known {
		return keyRef{}, &badValue{fmt.Sprintf("begins with %.20q, which names no place for keys", scheme),
			meant(scheme, keySchemes, "", "write file:PATH, or azurekv:, awskms:, gcpkms: or vault: with the key's name there; docs/keys.md has an example of each")}
	}
	r := keyRef{text: s, scheme: scheme, key: rest}
	if scheme != "file" {
		before, query, asked := strings.Cut(rest, "?")
		query, version, numbered := strings.Cut(query, "#")
		if r.key = before; numbered {
			r.key += "#" + version
		}
		q, err := url.ParseQuery(query)
		if err != nil || asked && len(q) == 0 {
			return keyRef{}, &badValue{"has parameters that cannot be read", "write " + form.form}
		}
		for name := range q {
			if !slices.Contains(form.parameters, name) {
				return keyRef{}, &badValue{fmt.Sprintf("has the unknown parameter %.40q", name), meant(name, form.parameters, "", "write "+form.form)}
			}
		}
		r.parameters = q
	}
	if strings.Trim(r.key, "/#") == "" {
		return keyRef{}, &badValue{"names no key", "write " + form.form}
	}
	return r, nil
}

// openSigner opens the key that signs what this command records: the one that --as names,
// else the machine's own, which is in the ring unless --signer says where it is.
func (w *workspace) openSigner(ctx context.Context) (evidence.Signer, error) {
	ref := w.app.config.Signer
	if w.app.config.As != "" || ref.scheme == "" {
		return w.signingKey()
	}
	if ref.scheme == "file" {
		return evidence.OpenKey(ref.key)
	}
	s, err := w.app.keyService(ctx, ref)
	if err != nil {
		return nil, err
	}
	return remote.Open(ctx, s)
}

// openCheckpointKey opens the key that signs checkpoints: the one of --log-key, else the
// file of that name in the ring, made when there is none.
func (w *workspace) openCheckpointKey(ctx context.Context, file string) (ledger.LogKey, error) {
	switch ref := w.app.config.LogKey; ref.scheme {
	case "":
		return openLogKey(filepath.Join(w.dir, keyFolder, file))
	case "file":
		return evidence.OpenLogKey(ref.key)
	default:
		s, err := w.app.keyService(ctx, ref)
		if err != nil {
			return nil, err
		}
		return remote.OpenLog(ctx, s)
	}
}

// keyService names the key at the service that a reference means.
func (a *app) keyService(ctx context.Context, r keyRef) (remote.Service, error) {
	switch r.scheme {
	case "azurekv":
		return azurekv.New(azurekv.Options{ID: r.key})
	case "awskms":
		return awskms.New(ctx, awskms.Options{ARN: r.key, Endpoint: r.parameters.Get("endpoint")})
	case "gcpkms":
		return gcpkms.New(ctx, gcpkms.Options{Version: r.key})
	case "vault":
		return a.vaultKey(r)
	}
	return nil, errors.New("no key service is named " + r.scheme)
}

// serviceAccount is where Kubernetes puts the token of a pod's service account.
const serviceAccount = "file:/var/run/secrets/kubernetes.io/serviceaccount/token"

// vaultKey signs in to Vault by a role for a pod, where one is given, else by a token.
func (a *app) vaultKey(r keyRef) (remote.Service, error) {
	reveal := func(parameter, usual string) (func() (string, error), error) {
		s := secret(usual)
		if given := r.parameters.Get(parameter); given != "" {
			if err := secretValue(&s).parse(given); err != nil {
				return nil, named(parameter+" in "+r.scheme+":"+r.key, "docs/keys.md", err)
			}
		}
		return func() (string, error) { return s.reveal(a.env) }, nil
	}
	o := vault.Options{Key: r.key, Namespace: r.parameters.Get("namespace"), Role: r.parameters.Get("role"), Login: r.parameters.Get("login")}
	var err error
	if o.Role == "" {
		o.Token, err = reveal("token", "env:VAULT_TOKEN")
	} else {
		o.Account, err = reveal("account", serviceAccount)
	}
	if err != nil {
		return nil, err
	}
	return vault.New(o)
}

// signerName is the signing key as a person knows it: its file or its reference.
func (w *workspace) signerName() string {
	if k, ok := w.signer.(*evidence.KeyFile); ok {
		return k.Path()
	}
	return w.app.config.Signer.text
}

// publicKey is the document verdict.public-key/v1.
type publicKey struct {
	Schema    string `json:"schema"`
	ID        string `json:"id"`
	Key       string `json:"key"` // file or reference
	PublicPEM string `json:"public_pem"`
}

func keysPublicCommand() command {
	return command{
		use: "public", short: "Print the public half of the key that signs here",
		long: "It is the key that --as names, else the one of --signer, else this machine's own. What is printed is what others verify by, and what a person whose key counts enrolls: " +
			"verdict people enroll PERSON --public-key FILE --as KEY.",
		example: "verdict keys public > local.pem\nverdict keys public --signer awskms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, _ []string) error {
			folder, err := a.dataDir()
			if err != nil {
				return err
			}
			w := a.workspaceIn(folder)
			if w.signer, err = w.openSigner(ctx); err != nil {
				return err
			}
			doc := publicKey{"verdict.public-key/v1", w.signer.KeyID(), w.signerName(), evidence.PublicPEM(w.signer.Public())}
			return a.emit(doc, func(report.Style) string { return doc.PublicPEM })
		}),
	}
}
