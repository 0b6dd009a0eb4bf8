package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
)

// bundlePrefix begins the media types of Sigstore bundles.
const bundlePrefix = "application/vnd.dev.sigstore.bundle"

// Bounds of what is read beside one image: of its manifests and documents together, in bytes,
// and how many documents those name. Each is asked for, also where nothing comes of it.
const (
	maxBeside    = 256 << 20
	maxDocuments = 4 * maxReferrers
)

// Attached is one thing that lies beside an image and says something of it.
type Attached struct {
	// Where it is: the digest of the manifest that refers to the image, or a tag.
	Where         string
	Kind          verdict.Kind
	PredicateType string
	Bundle        *evidence.Bundle // nil for what is no statement
	// Note says why it is not evidence that can be verified; empty where it may be.
	Note string
}

// Beside lists what lies beside an image in its registry: Sigstore bundles that refer to
// it (cosign 3 and Verdict write them), and what cosign 2 attached under the tags .sig,
// .att and .sbom. Nothing of it is verified. What cannot be read is listed with its
// reason: an answer that left it out would look like an image without it.
func Beside(ctx context.Context, r Remote, about verdict.Digest) ([]Attached, error) {
	x := &besides{remote: r, about: about}
	referrers, err := r.Referrers(ctx, about)
	if err != nil {
		return nil, err
	}
	if len(referrers) > maxReferrers {
		return nil, tooLarge(fmt.Sprintf("more than %d manifests refer to %s", maxReferrers, about))
	}
	slices.SortFunc(referrers, func(a, b Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	for _, d := range referrers {
		if err := x.manifest(ctx, string(d.Digest), func() (Manifest, error) { return r.Manifest(ctx, d.Digest) }); err != nil {
			return nil, err
		}
	}
	for _, ending := range []string{".sig", ".att", ".sbom"} {
		tag := strings.Replace(string(about), ":", "-", 1) + ending
		m, err := x.tagged(ctx, tag)
		if err != nil {
			return nil, err
		}
		if m != nil {
			if err := x.manifest(ctx, tag, func() (Manifest, error) { return *m, nil }); err != nil {
				return nil, err
			}
		}
	}
	return x.found, nil
}

type besides struct {
	remote Remote
	about  verdict.Digest
	found  []Attached
	read   int64 // bytes
	asked  int   // documents
}

// over says that more lies beside the image than is read; nil where it does not.
func (x *besides) over() error {
	switch {
	case x.read > maxBeside:
		return tooLarge(fmt.Sprintf("more than %d bytes lie beside %s", int64(maxBeside), x.about))
	case x.asked > maxDocuments:
		return tooLarge(fmt.Sprintf("more than %d documents lie beside %s", maxDocuments, x.about))
	}
	return nil
}

// tagged gives what a tag of older cosign names; nil where there is none.
func (x *besides) tagged(ctx context.Context, tag string) (*Manifest, error) {
	m, err := x.remote.Tagged(ctx, tag)
	var e *verdict.Error
	if errors.As(err, &e) && e.Code == verdict.CodeNotFound {
		return nil, nil
	}
	return &m, err
}

// manifest reads what one manifest holds. Only the context's end and the limit are errors.
func (x *besides) manifest(ctx context.Context, where string, get func() (Manifest, error)) error {
	m, err := get()
	var c Content
	if err == nil {
		c, err = m.Parse()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		x.found = append(x.found, Attached{Where: where, Kind: verdict.KindOther, Note: err.Error()})
		return nil
	}
	if x.read += int64(len(m.Raw)); x.over() != nil {
		return x.over()
	}
	if c.Subject != nil && c.Subject.Digest != x.about {
		x.found = append(x.found, Attached{Where: where, Kind: verdict.KindOther, Note: fmt.Sprintf("it refers to %s, not to this digest", c.Subject.Digest)})
		return nil
	}
	for _, layer := range c.Layers {
		if x.asked++; x.over() != nil {
			return x.over()
		}
		a := Attached{Where: where, Kind: verdict.KindOther, PredicateType: first(plainType(c.ArtifactType), plainType(layer.MediaType))}
		if err := x.layer(ctx, layer, &a); err != nil {
			if ctx.Err() != nil || x.over() != nil {
				return err
			}
			a.Note = err.Error()
		}
		x.found = append(x.found, a)
	}
	return nil
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// layer reads one document.
func (x *besides) layer(ctx context.Context, d Descriptor, a *Attached) error {
	kind := plainType(d.MediaType)
	switch {
	case strings.HasPrefix(kind, bundlePrefix), kind == evidence.DSSEType, kind == evidence.SimpleSigning:
	case strings.HasSuffix(a.Where, ".sbom"):
		a.Kind, a.PredicateType = verdict.KindSBOM, kind
		return errors.New("it is attached without a signature, so anybody with write access to the repository may have put it there")
	default:
		return fmt.Errorf("nothing here reads documents of the type %.100q", kind)
	}
	raw, err := blob(ctx, x.remote, d, evidence.MaxBundle)
	if x.read += int64(len(raw)); x.over() != nil {
		return x.over()
	}
	if err != nil {
		return err
	}
	if k := evidence.KindOf(kind); k != verdict.KindOther {
		a.Kind, a.PredicateType = k, kind
	}
	b, err := bundleOf(kind, raw, d.Annotations)
	if err != nil {
		return err
	}
	s, err := b.Statement()
	if err != nil {
		return err
	}
	a.Kind, a.PredicateType = s.Kind(), s.PredicateType
	if err := s.About(x.about); err != nil {
		return err
	}
	a.Bundle = b
	return nil
}

// bundleOf reads a document as a bundle. An envelope of older cosign under a key is put into
// the form of a bundle, which others then read too; what it said of a log is left out, for a
// key needs none. What else older cosign attached is kept as it came: a certificate of
// minutes is nothing without what the log said.
func bundleOf(kind string, raw []byte, annotations map[string]string) (*evidence.Bundle, error) {
	switch {
	case kind == evidence.SimpleSigning, kind == evidence.DSSEType && annotations[evidence.CosignCertificate] != "":
		return evidence.CosignBundle(kind, raw, annotations)
	case kind == evidence.DSSEType:
		if !json.Valid(raw) {
			return nil, errors.New("the envelope is no JSON")
		}
		var err error
		raw, err = json.Marshal(map[string]any{
			"mediaType": evidence.BundleType, "verificationMaterial": map[string]any{"publicKey": map[string]string{"hint": "unknown"}}, "dsseEnvelope": json.RawMessage(raw),
		})
		if err != nil {
			return nil, err
		}
	}
	return evidence.ParseBundle(raw)
}

// Annotations of a bundle beside an image, as cosign 3 writes and reads them.
const (
	annotationContent   = "dev.sigstore.bundle.content"
	annotationPredicate = "dev.sigstore.bundle.predicateType"
)

// BundleAnnotations are what is written beside a bundle. They hold no time of pushing:
// the same bundle is then the same manifest, and pushing it twice changes nothing.
func BundleAnnotations(s *evidence.Statement, created string) map[string]string {
	out := map[string]string{annotationContent: "dsse-envelope", annotationPredicate: s.PredicateType}
	if created != "" {
		out[annotationCreated] = created
	}
	return out
}

// Holds reports whether a bundle with the same statement and signature is among them.
func Holds(list []Attached, b *evidence.Bundle) bool {
	return slices.ContainsFunc(list, func(a Attached) bool {
		return a.Bundle != nil && a.Bundle.PayloadDigest() == b.PayloadDigest() && string(a.Bundle.Signature()) == string(b.Signature())
	})
}
