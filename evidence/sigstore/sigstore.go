// Package sigstore verifies bundles of others, offline: signed with a certificate that
// a certificate authority issued to an identity, or with any key that Sigstore knows,
// and the entry in a transparency log that goes with it. What is trusted comes from a
// given trusted_root.json and from nowhere else; no network is touched. Signatures of bare
// messages, as gitsign makes them, are judged by the same (MessageVerifier).
//
// What the trusted root names is demanded. When it names transparency logs, a bundle
// without a valid entry in one of them is refused; when it names certificate
// transparency logs, so is a certificate without a valid timestamp of one of them
// (SCT). A certificate that lives for minutes needs a witness for the time of signing:
// a signed timestamp (RFC 3161) or the time in an entry that the log has signed. Our
// own clock is never one. A root that names no log at all, as GitHub's for private
// repositories, thus needs the signed timestamp. One that names a log never accepts a
// timestamp in its place.
//
// This package alone imports sigstore-go, because of the hundreds of packages behind it.
package sigstore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"

	"verdict"
	"verdict/evidence"
)

// MaxTrustedRoot is the most bytes that a trusted_root.json may have. Those in use have
// about ten thousand.
const MaxTrustedRoot = 1 << 20

const rootRemedy = "give a trusted_root.json, as `verdict log export` writes it for our log and `cosign trusted-root create` for others"

func failed(code verdict.Code, what, remedy string, cause error) error {
	return &verdict.Error{Code: code, What: what, Remedy: remedy, Err: cause}
}

// CertificateVerifier accepts a bundle whose certificate names exactly this identity
// (the subject alternative name: an address, or the URI of a workflow) vouched for by
// exactly this OIDC issuer. Its errors are *verdict.Error, as are those of the Verifier.
func CertificateVerifier(identity, issuer string, trustedRoot []byte) (evidence.Verifier, error) {
	if identity == "" || issuer == "" {
		return nil, failed(verdict.CodeUsage, "a certificate is judged by its identity and by its issuer",
			"give both --certificate-identity and --certificate-oidc-issuer", nil)
	}
	trusted, err := parseRoot(trustedRoot)
	if err != nil {
		return nil, err
	}
	if len(trusted.FulcioCertificateAuthorities()) == 0 {
		return nil, failed(verdict.CodeInvalid, "the trusted root names no certificate authority", rootRemedy, nil)
	}
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1)}
	if len(trusted.RekorLogs()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(trusted.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	v, err := verify.NewVerifier(trusted, options...)
	if err != nil {
		return nil, fmt.Errorf("verifier by certificate: %w", err)
	}
	want, err := verify.NewShortCertificateIdentity(issuer, "", identity, "")
	if err != nil {
		return nil, fmt.Errorf("verifier for %s by %s: %w", identity, issuer, err)
	}
	return &certificateVerifier{identity, issuer, trusted, v, verify.WithCertificateIdentity(want)}, nil
}

type certificateVerifier struct {
	identity, issuer string
	trusted          *root.TrustedRoot
	verifier         *verify.Verifier
	policy           verify.PolicyOption
}

// JudgesLog reports whether the root names a log, whose entry a bundle must then have.
func (v *certificateVerifier) JudgesLog() bool { return len(v.trusted.RekorLogs()) > 0 }

// Verify implements evidence.Verifier.
func (v *certificateVerifier) Verify(_ context.Context, b *evidence.Bundle) (evidence.Producer, error) {
	if b.Certificate() == nil {
		return evidence.Producer{}, failed(verdict.CodeRefused, "the bundle is signed with a key, not with a certificate",
			"give the producer's public key: --key", nil)
	}
	if err := lacks(b, v.trusted); err != nil {
		return evidence.Producer{}, err
	}
	entity, err := read(b)
	if err == nil {
		_, err = v.verifier.Verify(entity, verify.NewPolicy(artifactOf(b), v.policy))
	}
	if err != nil {
		var nobody *verify.ErrNoMatchingCertificateIdentity
		if errors.As(err, &nobody) {
			return evidence.Producer{}, failed(verdict.CodeRefused, "the bundle was not made by "+v.identity+" of "+v.issuer,
				"compare with what the certificate names, and only if that is whom you expect, give it as --certificate-identity and --certificate-oidc-issuer", err)
		}
		return evidence.Producer{}, doesNotHold(err)
	}
	return evidence.Producer{Identity: v.identity, Issuer: v.issuer}, nil
}

func doesNotHold(err error) error {
	return failed(verdict.CodeRefused, "the bundle does not hold",
		"get the bundle again from its producer, and check that the trusted root is of the authority and the log that it was made with", err)
}

// KeyVerifier accepts a bundle that this public key signed: any key in PEM that
// Sigstore signs with. With a trusted root it also demands a valid entry in a log that
// the root names: inclusion proof, checkpoint signature, and that the entry is of this
// very statement. Without one (nil) it says nothing about a log entry in the bundle.
func KeyVerifier(publicPEM, trustedRoot []byte) (evidence.Verifier, error) {
	v, err := loadKey(publicPEM)
	if err != nil {
		return nil, err
	}
	if trustedRoot == nil {
		return v, nil
	}
	trusted, err := parseRoot(trustedRoot)
	if err != nil {
		return nil, err
	}
	if len(trusted.RekorLogs()) == 0 {
		return nil, failed(verdict.CodeInvalid, "the trusted root names no transparency log", rootRemedy, nil)
	}
	// The hint has been judged before; whatever it is, this is the only key.
	key := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(v.key, time.Time{}, time.Time{}), nil
	})
	v.verifier, err = verify.NewVerifier(root.TrustedMaterialCollection{trusted, key},
		verify.WithTransparencyLog(1), verify.WithNoObserverTimestamps())
	if err != nil {
		return nil, fmt.Errorf("verifier by key: %w", err)
	}
	return v, nil
}

// loadKey reads a public key in PEM of any kind that Sigstore signs with.
func loadKey(publicPEM []byte) (*keyVerifier, error) {
	const remedy = "give the producer's public key in PEM"
	block, _ := pem.Decode(publicPEM)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, failed(verdict.CodeInvalid, "this is not a public key in PEM", remedy, nil)
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, failed(verdict.CodeInvalid, "the public key cannot be read", remedy, err)
	}
	v := &keyVerifier{}
	if v.key, err = signature.LoadDefaultVerifier(pub); err != nil {
		return nil, failed(verdict.CodeInvalid, "this kind of public key signs no bundles", remedy, err)
	}
	if v.id, err = keyID(pub); err != nil {
		return nil, failed(verdict.CodeInvalid, "the public key cannot be read", remedy, err)
	}
	return v, nil
}

func keyID(pub crypto.PublicKey) (string, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(spki)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

type keyVerifier struct {
	id       string
	key      signature.Verifier
	verifier *verify.Verifier // nil: the signature alone
}

// JudgesLog reports whether a trusted root was given, whose log a bundle must be in.
func (v *keyVerifier) JudgesLog() bool { return v.verifier != nil }

// Verify implements evidence.Verifier.
func (v *keyVerifier) Verify(_ context.Context, b *evidence.Bundle) (evidence.Producer, error) {
	if b.Hint() == "" {
		return evidence.Producer{}, failed(verdict.CodeRefused, "the bundle is signed with a certificate, not with a key",
			"give --certificate-identity and --certificate-oidc-issuer with --trusted-root", nil)
	}
	if b.Hint() != v.id && evidence.IsKeyID(b.Hint()) {
		return evidence.Producer{}, failed(verdict.CodeRefused, "the bundle is signed with key "+b.Hint()+", which is not the one given",
			"give the public key of the producer that you expect", nil)
	}
	if err := v.key.VerifySignature(bytes.NewReader(b.Signature()), bytes.NewReader(b.PAE())); err != nil {
		return evidence.Producer{}, failed(verdict.CodeRefused, "the signature of the bundle does not hold: the statement, the signature or the key was changed",
			"get the bundle again from its producer, and check which key the producer signs with", err)
	}
	if v.verifier == nil {
		return evidence.Producer{Key: v.id}, nil
	}
	if b.LogEntries() == 0 {
		return evidence.Producer{}, failed(verdict.CodeRefused, "the bundle has no log entry, and a trusted root was given to check one",
			"give the bundle as the log exports it, or leave --trusted-root out to check the signature alone", nil)
	}
	entity, err := read(b)
	if err == nil {
		_, err = v.verifier.Verify(entity, verify.NewPolicy(artifactOf(b), verify.WithKey()))
	}
	if err != nil {
		return evidence.Producer{}, doesNotHold(err)
	}
	return evidence.Producer{Key: v.id}, nil
}

func parseRoot(trustedRoot []byte) (*root.TrustedRoot, error) {
	if len(trustedRoot) > MaxTrustedRoot {
		return nil, failed(verdict.CodeLimit, fmt.Sprintf("the trusted root is larger than %d MiB", MaxTrustedRoot>>20), rootRemedy, nil)
	}
	if len(bytes.TrimSpace(trustedRoot)) == 0 {
		return nil, failed(verdict.CodeUsage, "there is nothing to judge by: no trusted root was given", rootRemedy, nil)
	}
	trusted, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		// protojson varies its spaces on purpose, so that nobody compares its texts.
		return nil, failed(verdict.CodeInvalid, "the trusted root cannot be read", rootRemedy, errors.New(strings.ReplaceAll(err.Error(), "\u00a0", " ")))
	}
	return trusted, nil
}

// read gives sigstore-go the bundle. It has a JSON reader of its own, so that what it
// judges is compared with what we read: a bundle that means different things to the two
// is refused. What older cosign attached is no bundle, and becomes one here.
func read(b *evidence.Bundle) (*bundle.Bundle, error) {
	if b.Older() != nil {
		return readOlder(b)
	}
	p := new(protobundle.Bundle)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b.JSON(), p); err != nil {
		return nil, err
	}
	env := p.GetDsseEnvelope()
	sigs := env.GetSignatures()
	if len(sigs) != 1 || !bytes.Equal(sigs[0].GetSig(), b.Signature()) || !bytes.Equal(env.GetPayload(), b.Payload()) ||
		env.GetPayloadType() != evidence.PayloadType || p.GetVerificationMaterial().GetPublicKey().GetHint() != b.Hint() ||
		!bytes.Equal(p.GetVerificationMaterial().GetCertificate().GetRawBytes(), b.Certificate()) ||
		len(p.GetVerificationMaterial().GetTlogEntries()) != b.LogEntries() {
		return nil, errors.New("the bundle can be read in two ways")
	}
	for i, e := range p.GetVerificationMaterial().GetTlogEntries() {
		if err := consistent(e); err != nil {
			return nil, fmt.Errorf("log entry %d: %w", i, err)
		}
	}
	return bundle.NewBundle(p)
}
