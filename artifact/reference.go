package artifact

import (
	"fmt"
	"regexp"
	"strings"

	"verdict"
)

// Reference is an image as a person names it: a repository with a tag or a digest, or
// with both, where the digest counts.
type Reference struct {
	Name   string // host and path, as in ghcr.io/acme/payments-api
	Tag    string
	Digest verdict.Digest
}

// maxName bounds a name with its tag, so that it can be looked up wherever it is recorded.
const maxName = 450

// dockerHub is the host of names that have none.
const dockerHub = "docker.io"

var (
	hostForm = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$`)
	pathForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm  = regexp.MustCompile(`^\w[\w.-]{0,127}$`)
)

// ParseReference reads NAME, NAME:TAG, NAME@DIGEST or NAME:TAG@DIGEST. A name without a
// host is one of Docker Hub; a name without tag and digest has the tag latest. What is
// none of them is an *verdict.Error with CodeUsage.
func ParseReference(s string) (Reference, error) {
	rest, digest, pinned := strings.Cut(s, "@")
	if len(rest) > maxName || len(digest) > 256 {
		return Reference{}, notReference(strings.ToValidUTF8(s[:64], "")+"…", fmt.Sprintf("its name is longer than %d bytes", maxName))
	}
	var r Reference
	if pinned {
		if strings.ToLower(digest) != digest {
			return Reference{}, notReference(s, "a digest is written in lower case, and this one would be another name for the same bytes")
		}
		d, err := verdict.ParseDigest(digest)
		if err != nil || !strings.HasPrefix(d.Algorithm(), "sha") {
			return Reference{}, notReference(s, fmt.Sprintf("%.80q is no digest of an image", digest))
		}
		r.Digest = d
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		if r.Tag = rest[i+1:]; !tagForm.MatchString(r.Tag) {
			return Reference{}, notReference(s, fmt.Sprintf("%.80q is no tag", r.Tag))
		}
		rest = rest[:i]
	}
	if r.Tag == "" && !pinned {
		r.Tag = "latest"
	}
	host, path, more := strings.Cut(rest, "/")
	if !more || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, path = dockerHub, rest
	}
	if host == dockerHub && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	if !hostForm.MatchString(host) || !pathForm.MatchString(path) || len(path) > 255 {
		return Reference{}, notReference(s, "a name is a host and a path in lower case")
	}
	r.Name = strings.ToLower(host) + "/" + path
	return r, nil
}

func notReference(s, why string) error {
	return &verdict.Error{
		Code: verdict.CodeUsage, What: fmt.Sprintf("%q names no image: %s", s, why),
		Remedy: "write it like ghcr.io/acme/payments-api:v1.2.3, or with its digest: ghcr.io/acme/payments-api@sha256:…",
	}
}

// Host is the registry, with its port where the name has one.
func (r Reference) Host() string { host, _, _ := strings.Cut(r.Name, "/"); return host }

// Path is the repository within the registry.
func (r Reference) Path() string { _, path, _ := strings.Cut(r.Name, "/"); return path }

// At is the same repository at a digest.
func (r Reference) At(d verdict.Digest) Reference { return Reference{Name: r.Name, Digest: d} }

// String is the reference as it would be typed.
func (r Reference) String() string {
	out := r.Name
	if r.Tag != "" {
		out += ":" + r.Tag
	}
	if r.Digest != "" {
		out += "@" + string(r.Digest)
	}
	return out
}
