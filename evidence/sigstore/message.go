package sigstore

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/proto"

	"verdict"
	"verdict/evidence"
)

// MessageVerifier judges signatures of bare messages that were made with a certificate of
// a few minutes, and that a transparency log holds: what gitsign signs a commit with.
// It is safe for concurrent use.
type MessageVerifier struct {
	trusted  *root.TrustedRoot
	verifier *verify.Verifier
}

// NewMessageVerifier believes the authorities and the logs of a trusted root, and demands
// what that names: without a log there is no time of signing to judge a certificate at.
func NewMessageVerifier(trustedRoot []byte) (*MessageVerifier, error) {
	trusted, err := parseRoot(trustedRoot)
	if err != nil {
		return nil, err
	}
	if len(trusted.FulcioCertificateAuthorities()) == 0 || len(trusted.RekorLogs()) == 0 {
		return nil, failed(verdict.CodeInvalid, "the trusted root names no certificate authority, or no transparency log", rootRemedy, nil)
	}
	options := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1)}
	if len(trusted.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	v, err := verify.NewVerifier(trusted, options...)
	if err != nil {
		return nil, fmt.Errorf("verifier of messages: %w", err)
	}
	return &MessageVerifier{trusted, v}, nil
}

// VerifyMessage says whom a certificate (DER) names that signed the message, and who
// vouches for that identity. The log's entry is a TransparencyLogEntry as protobuf, of
// kind hashedrekord 0.0.1. Its errors are *verdict.Error; evidence.ErrStranger is behind
// that of a certificate which no authority of the trusted root issued.
func (v *MessageVerifier) VerifyMessage(message, signature, certificate, logEntry []byte) (evidence.Producer, error) {
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return evidence.Producer{}, messageFails("the certificate cannot be read", err)
	}
	if !v.issued(leaf) {
		return evidence.Producer{}, failed(verdict.CodeRefused, "no authority of the trusted root issued its certificate",
			"check that the trusted root is of the authority that the signer uses", evidence.ErrStranger)
	}
	entry, err := entryOf(message, signature, leaf, logEntry)
	if err != nil {
		return evidence.Producer{}, messageFails("the entry of the log is not that of the signature", err)
	}
	digest := sha256.Sum256(message)
	entity, err := bundle.NewBundle(&protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &common.MessageSignature{
			MessageDigest: &common.HashOutput{Algorithm: common.HashAlgorithm_SHA2_256, Digest: digest[:]}, Signature: signature,
		}},
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content:     &protobundle.VerificationMaterial_Certificate{Certificate: &common.X509Certificate{RawBytes: certificate}},
			TlogEntries: []*rekor.TransparencyLogEntry{entry},
		},
	})
	if err != nil {
		return evidence.Producer{}, messageFails("the entry of the log cannot be read", err)
	}
	// Whom the certificate names is the answer here, and the caller compares it.
	result, err := v.verifier.Verify(entity, verify.NewPolicy(verify.WithArtifact(bytes.NewReader(message)), verify.WithoutIdentitiesUnsafe()))
	if err != nil {
		return evidence.Producer{}, messageFails("certificate, entry of the log and signature do not belong together", err)
	}
	c := result.Signature.Certificate
	return evidence.Producer{Identity: c.SubjectAlternativeName, Issuer: c.Issuer}, nil
}

func messageFails(what string, err error) error {
	return failed(verdict.CodeRefused, what, "sign again, and check that the trusted root is of the authority and the log that the signer uses", err)
}

// issued reports whether the trusted root names the authority of a certificate, whatever
// became of it later: at its first moment the certificate was valid.
func (v *MessageVerifier) issued(leaf *x509.Certificate) bool {
	copied := *leaf // the library takes out what it does not know of the name
	copied.UnhandledCriticalExtensions = nil
	_, err := verify.VerifyLeafCertificate(leaf.NotBefore, &copied, v.trusted)
	return err == nil
}

// hashedrekord is the body of an entry of that kind, version 0.0.1, in the canonical order.
type hashedrekord struct {
	Version string `json:"apiVersion"`
	Kind    string `json:"kind"`
	Spec    struct {
		Data struct {
			Hash struct {
				Algorithm string `json:"algorithm"`
				Value     string `json:"value"`
			} `json:"hash"`
		} `json:"data"`
		Signature struct {
			Content   []byte `json:"content"`
			PublicKey struct {
				Content []byte `json:"content"`
			} `json:"publicKey"`
		} `json:"signature"`
	} `json:"spec"`
}

// entryOf reads an entry of the log and fills in its body, which gitsign leaves out because
// it follows from what was signed. A body that is there must be the same.
func entryOf(message, signature []byte, leaf *x509.Certificate, logEntry []byte) (*rekor.TransparencyLogEntry, error) {
	entry := new(rekor.TransparencyLogEntry)
	if err := proto.Unmarshal(logEntry, entry); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(message)
	b := hashedrekord{Version: "0.0.1", Kind: "hashedrekord"}
	b.Spec.Data.Hash.Algorithm, b.Spec.Data.Hash.Value = "sha256", hex.EncodeToString(sum[:])
	b.Spec.Signature.Content = signature
	b.Spec.Signature.PublicKey.Content = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	body, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	if held := entry.GetCanonicalizedBody(); len(held) > 0 && !bytes.Equal(held, body) {
		return nil, errors.New("it is about something else")
	}
	entry.CanonicalizedBody = body
	return entry, consistent(entry)
}
