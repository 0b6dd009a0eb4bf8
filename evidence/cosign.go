package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"verdict"
)

// What cosign attached to an image before it wrote bundles is the layer of a manifest, and
// what belongs to it stands in the layer's annotations. CosignType is the document in which
// both are kept together as they came: no bundle holds them, because a signature of this
// form is over a payload that no bundle has room for, and the promise of a log is no proof.
const (
	CosignType    = DefaultBase + "/cosign-layer/v1"
	SimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json" // the layer of a signature
	DSSEType      = "application/vnd.dsse.envelope.v1+json"            // the layer of an attestation
)

// Annotations of such a layer.
const (
	CosignSignature   = "dev.cosignproject.cosign/signature"
	CosignCertificate = "dev.sigstore.cosign/certificate"
	CosignLogEntry    = "dev.sigstore.cosign/bundle"
	cosignTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"
)

// cosignPayload is the type that a payload of simple signing names when cosign signed it. A
// key may sign such payloads of other tools, which mean something else.
const cosignPayload = "cosign container image signature"

// Older is what a bundle of older cosign holds beside statement and signature.
type Older struct {
	// Message: the signature is over the payload itself and not over an envelope.
	Message bool
	// LogEntry and Timestamp are the annotations with what a log and a timestamp authority
	// said of the signature, in cosign's words. Empty: they said nothing.
	LogEntry, Timestamp string
}

// Older tells a bundle of older cosign, and is nil for a Sigstore bundle.
func (b *Bundle) Older() *Older { return b.older }

// CosignBundle makes a bundle of a layer that cosign attached to an image before it wrote
// bundles, with everything that cosign put beside it. The same layer gives the same bytes.
// Its errors are *verdict.Error, as those of ParseBundle.
func CosignBundle(mediaType string, layer []byte, annotations map[string]string) (*Bundle, error) {
	kept := map[string]string{}
	for name, value := range annotations {
		if strings.HasPrefix(name, "dev.cosignproject.cosign/") || strings.HasPrefix(name, "dev.sigstore.cosign/") {
			kept[name] = value
		}
	}
	raw, err := json.Marshal(struct {
		MediaType   string            `json:"mediaType"`
		LayerType   string            `json:"layerType"`
		Layer       []byte            `json:"layer"`
		Annotations map[string]string `json:"annotations"`
	}{CosignType, mediaType, layer, kept})
	if err != nil {
		return nil, fmt.Errorf("layer of cosign: %w", err)
	}
	return ParseBundle(raw)
}

// readOlder reads the members of a document of CosignType.
func (b *Bundle) readOlder(document []byte) error {
	var kind, sig, cert string
	var layer []byte
	b.older = &Older{}
	err := members(document, func(name, v []byte) (err error) {
		switch string(name) {
		case "layerType":
			kind, _ = asText(v)
		case "layer":
			layer, err = decoded(name, v)
		case "annotations":
			err = members(v, func(name, v []byte) error {
				text, ok := asText(v)
				if !ok {
					return fmt.Errorf("the annotation %s is no string", name)
				}
				switch string(name) {
				case CosignSignature:
					sig = text
				case CosignCertificate:
					cert = text
				case CosignLogEntry:
					b.older.LogEntry = text
				case cosignTimestamp:
					b.older.Timestamp = text
				}
				return nil
			})
		}
		return err
	})
	if err != nil {
		return err
	}
	if b.older.LogEntry != "" {
		b.entries = 1
	}
	if err := b.olderSigner(cert); err != nil {
		return err
	}
	switch kind {
	case DSSEType:
		return b.readEnvelope(layer)
	case SimpleSigning:
		b.older.Message, b.payload = true, layer
		return b.olderSignature(sig)
	}
	return fmt.Errorf("%q is no layer that cosign signs", cut(kind))
}

func (b *Bundle) olderSigner(certificate string) error {
	if certificate == "" {
		b.hint = "unknown" // it names no key
		return nil
	}
	block, _ := pem.Decode([]byte(certificate))
	if block == nil || block.Type != "CERTIFICATE" || len(block.Bytes) == 0 {
		return errors.New("its certificate is none in PEM")
	}
	b.cert = block.Bytes
	return nil
}

func (b *Bundle) olderSignature(sig string) error {
	var err error
	if b.signature, err = base64.StdEncoding.DecodeString(sig); err != nil || len(b.signature) == 0 {
		return errors.New("its signature is missing or is no base64")
	}
	if len(b.payload) == 0 {
		return errors.New("it signs nothing")
	}
	if len(b.payload) > MaxStatement {
		return tooLarge(len(b.payload))
	}
	_, err = signedImage(b.payload)
	return err
}

// signedImage reads a payload of simple signing as the statement that it makes: this image
// is signed. Its predicate is the payload.
func signedImage(payload []byte) (*Statement, error) {
	const remedy = "sign the image again with a current cosign"
	if err := valid(payload); err != nil {
		return nil, jsonProblem("signed payload", remedy, err)
	}
	if kind := textAt(payload, "critical", "type"); kind != cosignPayload {
		return nil, invalid(fmt.Sprintf("the signed payload is of the type %q, and not of %q", cut(kind), cosignPayload), remedy, nil)
	}
	d, err := verdict.ParseDigest(textAt(payload, "critical", "image", "docker-manifest-digest"))
	if err != nil {
		return nil, invalid("the signed payload names no digest of an image", remedy, err)
	}
	s := &Statement{
		Subjects:      []verdict.Subject{inOrder(verdict.Subject{Kind: verdict.SubjectArtifact, Name: textAt(payload, "critical", "identity", "docker-reference"), Digest: d})},
		PredicateType: SimpleSigning, Predicate: bytes.TrimSpace(payload), Version: StatementV1, sound: true,
	}
	return s, s.check()
}

// textAt gives the string under these names, and "" where there is none.
func textAt(object []byte, path ...string) (text string) {
	_ = members(object, func(name, v []byte) error {
		switch {
		case string(name) != path[0]:
		case len(path) == 1:
			text, _ = asText(v)
		default:
			text = textAt(v, path[1:]...)
		}
		return nil
	})
	return text
}
