package sigstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"verdict"
	"verdict/evidence"
)

// Older cosign keeps what the log said as a promise: the log's signature over the entry
// (SignedEntryTimestamp), and no proof that the entry is in its tree. Version 0.1 of the
// bundle has room for a promise, so that sigstore-go judges it as it judges that version.

// promise is what older cosign keeps of the log's entry.
type promise struct {
	SignedEntryTimestamp []byte
	Payload              struct {
		Body           []byte `json:"body"`
		IntegratedTime int64  `json:"integratedTime"`
		LogIndex       int64  `json:"logIndex"`
		LogID          string `json:"logID"`
	}
}

func promiseOf(o *evidence.Older) (p promise, logID []byte, err error) {
	if err = json.Unmarshal([]byte(o.LogEntry), &p); err != nil {
		return p, nil, fmt.Errorf("the log's entry beside the signature (%s): %w", evidence.CosignLogEntry, err)
	}
	if logID, err = hex.DecodeString(p.Payload.LogID); err != nil || len(logID) != sha256.Size || len(p.SignedEntryTimestamp) == 0 || p.Payload.IntegratedTime <= 0 {
		return p, nil, fmt.Errorf("the log's entry beside the signature (%s) has no log, no time or no signature of the log", evidence.CosignLogEntry)
	}
	return p, logID, nil
}

// readOlder gives sigstore-go what older cosign attached.
func readOlder(b *evidence.Bundle) (*bundle.Bundle, error) {
	material := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &common.PublicKeyIdentifier{Hint: b.Hint()}}}
	if b.Certificate() != nil {
		material.Content = &protobundle.VerificationMaterial_Certificate{Certificate: &common.X509Certificate{RawBytes: b.Certificate()}}
	}
	o := b.Older()
	if o.LogEntry != "" {
		e, err := promised(o)
		if err != nil {
			return nil, err
		}
		material.TlogEntries = []*rekor.TransparencyLogEntry{e}
	}
	if o.Timestamp != "" {
		var stamp struct{ SignedRFC3161Timestamp []byte }
		if err := json.Unmarshal([]byte(o.Timestamp), &stamp); err != nil {
			return nil, fmt.Errorf("the timestamp beside the signature: %w", err)
		}
		material.TimestampVerificationData = &protobundle.TimestampVerificationData{Rfc3161Timestamps: []*common.RFC3161SignedTimestamp{{SignedTimestamp: stamp.SignedRFC3161Timestamp}}}
	}
	p := &protobundle.Bundle{MediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1", VerificationMaterial: material}
	if o.Message {
		digest := sha256.Sum256(b.Payload())
		p.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &common.MessageSignature{
			MessageDigest: &common.HashOutput{Algorithm: common.HashAlgorithm_SHA2_256, Digest: digest[:]}, Signature: b.Signature(),
		}}
	} else {
		p.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &dsse.Envelope{
			Payload: b.Payload(), PayloadType: evidence.PayloadType, Signatures: []*dsse.Signature{{Sig: b.Signature()}},
		}}
	}
	return bundle.NewBundle(p)
}

func promised(o *evidence.Older) (*rekor.TransparencyLogEntry, error) {
	p, id, err := promiseOf(o)
	if err != nil {
		return nil, err
	}
	var body struct {
		Version string `json:"apiVersion"`
		Kind    string `json:"kind"`
	}
	if err := json.Unmarshal(p.Payload.Body, &body); err != nil {
		return nil, fmt.Errorf("the body of the log's entry beside the signature: %w", err)
	}
	e := &rekor.TransparencyLogEntry{
		LogIndex: p.Payload.LogIndex, LogId: &common.LogId{KeyId: id}, KindVersion: &rekor.KindVersion{Kind: body.Kind, Version: body.Version},
		IntegratedTime: p.Payload.IntegratedTime, CanonicalizedBody: p.Payload.Body,
		InclusionPromise: &rekor.InclusionPromise{SignedEntryTimestamp: p.SignedEntryTimestamp},
	}
	return e, consistent(e)
}

// lacks says what is missing beside a signature of older cosign to judge it by this root;
// nil when nothing is, and for bundles.
func lacks(b *evidence.Bundle, trusted *root.TrustedRoot) error {
	o := b.Older()
	const again = "sign the image again with cosign 3, which keeps the proof of the log; or with cosign 2 and without --tlog-upload=false"
	logs := trusted.RekorLogs()
	switch {
	case o == nil || len(logs) == 0 && o.Timestamp != "":
		return nil
	case len(logs) == 0:
		return failed(verdict.CodeRefused, "nothing tells when it was signed: the trusted root names no log, and there is no timestamp beside the signature (dev.sigstore.cosign/rfc3161timestamp)",
			"give a trusted root that names the log that the signer uses, as `cosign trusted-root create` writes it", nil)
	case o.LogEntry == "":
		return failed(verdict.CodeRefused, "no entry of a log lies beside the signature ("+evidence.CosignLogEntry+"), and the trusted root names a log: nothing tells when it was signed", again, nil)
	}
	_, id, err := promiseOf(o)
	if err != nil {
		return failed(verdict.CodeRefused, err.Error(), again, nil)
	}
	if logs[hex.EncodeToString(id)] == nil {
		return failed(verdict.CodeRefused, fmt.Sprintf("the trusted root does not name the log %x, whose word lies beside the signature", id),
			"give the trusted root of the log that the signer uses, as `cosign trusted-root create` writes it", nil)
	}
	return nil
}

// artifactOf is what the signature of a bundle is over, where that is no envelope.
func artifactOf(b *evidence.Bundle) verify.ArtifactPolicyOption {
	if o := b.Older(); o != nil && o.Message {
		return verify.WithArtifact(bytes.NewReader(b.Payload()))
	}
	return verify.WithoutArtifactUnsafe()
}
