package main

import (
	"context"

	"verdict/evidence"
	"verdict/evidence/sigstore"
	"verdict/ledger"
)

// maxPublicKey bounds the file of a public key.
const maxPublicKey = 64 << 10

// believed are the flags that say whose bundle is expected.
type believed struct{ key, identity, issuer, root string }

func (b *believed) declare(f *flags) {
	f.text(&b.key, "key", "FILE", "public key in PEM that must have signed the bundle")
	f.text(&b.identity, "certificate-identity", "NAME", "identity that the signing certificate must name, exactly: an address, or the URI of a workflow")
	f.text(&b.issuer, "certificate-oidc-issuer", "URL", "issuer that must vouch for that identity, exactly")
	f.text(&b.root, "trusted-root", "FILE", "trusted_root.json of the authorities and logs to believe; with --key it makes a valid log entry a must")
}

// given reports whether any of the flags was.
func (b *believed) given() bool { return *b != believed{} }

// verifier reads the files and makes the verifier that the flags ask for.
func (b *believed) verifier(a *app, see string) (evidence.Verifier, error) {
	const either = "give --key FILE, or --certificate-identity NAME with --certificate-oidc-issuer URL and --trusted-root FILE"
	byCertificate := b.identity != "" || b.issuer != ""
	switch {
	case b.key == "" && !byCertificate:
		return nil, usage(see, "nothing says whose signature is expected, and anybody can sign", either)
	case b.key != "" && byCertificate:
		return nil, usage(see, "a bundle is signed with a key or with a certificate, and both are expected", either)
	case byCertificate && (b.identity == "" || b.issuer == ""):
		return nil, usage(see, "an identity means something only together with the issuer that vouches for it", either)
	case byCertificate && b.root == "":
		return nil, usage(see, "a certificate is judged by a trusted root, and none is given", "add --trusted-root FILE; `cosign trusted-root create` writes one")
	}
	var root []byte
	var err error
	if b.root != "" {
		if root, err = a.readInput(b.root, "the trusted root", sigstore.MaxTrustedRoot); err != nil {
			return nil, err
		}
	}
	if byCertificate {
		return sigstore.CertificateVerifier(b.identity, b.issuer, root)
	}
	key, err := a.readInput(b.key, "the public key", maxPublicKey)
	if err != nil {
		return nil, err
	}
	return sigstore.KeyVerifier(key, root)
}

// readBundle reads a bundle from a file or standard input.
func (a *app) readBundle(path string) (*evidence.Bundle, error) {
	raw, err := a.readInput(path, "the bundle", evidence.MaxBundle)
	if err != nil {
		return nil, err
	}
	return evidence.ParseBundle(raw)
}

// takenOut gives the bundle of an entry as others need it: evidence of ours with its
// proof of the log, evidence of others as it came. Without says why there is no proof.
func (w *workspace) takenOut(ctx context.Context, e ledger.Entry) (b *evidence.Bundle, without string, err error) {
	if b, err = w.ledger.Bundle(ctx, e.Index); err != nil {
		return nil, "", err
	}
	if e.Foreign {
		return b, "it is as its producer made it; the entry of this log is about its ingestion", nil
	}
	p, err := w.ledger.Inclusion(ctx, e.Index)
	if err != nil {
		return nil, "", err
	}
	if p.Checkpoint.Note == "" {
		return b, "the log began anew since, and its earlier part has no checkpoint to prove it by", nil
	}
	leaf, err := w.ledger.Leaf(ctx, e.Index)
	if err != nil {
		return nil, "", err
	}
	key, err := w.publicLogKey(ctx)
	if err != nil {
		return nil, "", err
	}
	b, err = b.WithLog(evidence.LogEntry{
		Index: p.Leaf, TreeSize: p.Checkpoint.Size, Root: p.Checkpoint.Root, Hashes: p.Hashes, Checkpoint: p.Checkpoint.Note,
		CanonicalBody: leaf, LogID: evidence.LogID(key),
	})
	return b, "", err
}
