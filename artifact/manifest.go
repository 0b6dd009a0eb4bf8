package artifact

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"verdict"
)

// The media types of what an image consists of.
const (
	TypeIndex          = "application/vnd.oci.image.index.v1+json"
	TypeManifest       = "application/vnd.oci.image.manifest.v1+json"
	TypeConfig         = "application/vnd.oci.image.config.v1+json"
	TypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	TypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
)

// ManifestTypes are those that are asked for, the best first.
var ManifestTypes = []string{TypeIndex, TypeManifest, TypeDockerList, TypeDockerManifest}

// Manifest is a manifest or index as it was read.
type Manifest struct {
	MediaType string // as the registry calls it; empty where it does not
	Digest    verdict.Digest
	Raw       []byte
}

// Descriptor names content by its digest.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       verdict.Digest    `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Platform     *Platform         `json:"platform,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// Platform is what an index says that a manifest runs on.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
}

// Content is a manifest or an index, read.
type Content struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Config       Descriptor        `json:"config"`
	Layers       []Descriptor      `json:"layers"`
	Manifests    []Descriptor      `json:"manifests"` // of an index
	Subject      *Descriptor       `json:"subject"`
	Annotations  map[string]string `json:"annotations"`
}

// IsIndex reports whether it lists manifests.
func (c Content) IsIndex() bool { return c.MediaType == TypeIndex || c.MediaType == TypeDockerList }

// Parse reads a manifest. Its errors are *verdict.Error. One that could be read as two
// things is refused: two tools would see two images under one digest (CVE-2021-41190).
func (m Manifest) Parse() (Content, error) {
	var c Content
	var has struct {
		Layers    json.RawMessage `json:"layers"`
		Manifests json.RawMessage `json:"manifests"`
		FSLayers  json.RawMessage `json:"fsLayers"`
	}
	if len(m.Raw) > MaxManifest {
		return c, tooLarge(fmt.Sprintf("the manifest %s has %d bytes, and at most %d are read", m.Digest, len(m.Raw), MaxManifest))
	}
	if err := json.Unmarshal(m.Raw, &c); err != nil {
		return c, strange(fmt.Sprintf("the manifest %s cannot be read", m.Digest), err)
	}
	if err := json.Unmarshal(m.Raw, &has); err != nil {
		return c, strange(fmt.Sprintf("the manifest %s cannot be read", m.Digest), err)
	}
	header := plainType(m.MediaType)
	switch {
	case has.FSLayers != nil:
		return c, strange(fmt.Sprintf("the manifest %s has Docker's schema 1, whose digest does not cover its content", m.Digest), nil)
	case has.Layers != nil && has.Manifests != nil:
		return c, strange(fmt.Sprintf("the manifest %s is an image and an index at once", m.Digest), nil)
	case c.MediaType != "" && header != "" && c.MediaType != header && slices.Contains(ManifestTypes, header):
		return c, strange(fmt.Sprintf("the manifest %s calls itself %.100q, and the registry calls it %.100q", m.Digest, c.MediaType, header), nil)
	case c.MediaType == "":
		c.MediaType = header
	}
	if !slices.Contains(ManifestTypes, c.MediaType) {
		switch { // OCI lets a manifest leave its type out
		case c.MediaType != "" && c.MediaType != "application/json" && c.MediaType != "application/octet-stream":
			return c, strange(fmt.Sprintf("%s is of the type %.100q, which is no image", m.Digest, c.MediaType), nil)
		case has.Manifests != nil:
			c.MediaType = TypeIndex
		case has.Layers != nil:
			c.MediaType = TypeManifest
		}
	}
	if c.IsIndex() && has.Manifests == nil || !c.IsIndex() && (has.Layers == nil || c.Config.Digest == "") {
		return c, strange(fmt.Sprintf("the manifest %s lacks what one of the type %.100q has", m.Digest, c.MediaType), nil)
	}
	return c, c.check(m.Digest)
}

// check holds every descriptor to a digest that we accept, and to a size.
func (c *Content) check(of verdict.Digest) error {
	all := slices.Concat(c.Layers, c.Manifests)
	if !c.IsIndex() {
		all = append(all, c.Config)
	}
	if c.Subject != nil {
		all = append(all, *c.Subject)
	}
	if len(all) > maxDescriptors {
		return tooLarge(fmt.Sprintf("the manifest %s names %d things, and at most %d are read", of, len(all), maxDescriptors))
	}
	for _, d := range all {
		if _, err := verdict.ParseDigest(string(d.Digest)); err != nil || !strings.HasPrefix(d.Digest.Algorithm(), "sha") {
			return strange(fmt.Sprintf("the manifest %s names %.100q, which is no digest (lower-case hex of sha256, sha384 or sha512)", of, d.Digest), nil)
		}
		if d.Size < 0 {
			return strange(fmt.Sprintf("the manifest %s says that %s has %d bytes", of, d.Digest, d.Size), nil)
		}
	}
	return nil
}

// maxDescriptors bounds what one manifest names: layers of an image, or manifests.
const maxDescriptors = 2000

// plainType is a media type without its parameters.
func plainType(t string) string {
	t, _, _ = strings.Cut(t, ";")
	return strings.ToLower(strings.TrimSpace(t))
}
