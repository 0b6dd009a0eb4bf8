package admission

import (
	"encoding/json"
	"fmt"

	"verdict"
)

// The bounds of what a cluster sends. An API server takes objects of 1.5 MiB, and an update
// comes with the object as it was.
const (
	MaxReview = 3 << 20 // bytes
	maxDepth  = 100     // nested objects and lists
	maxImages = 1000    // of one object
	maxText   = 1024    // bytes of a name, user or image that is told or recorded
)

const (
	reviewVersion = "admission.k8s.io/v1"
	reviewKind    = "AdmissionReview"
)

// Request is what an API server asks, as admission.k8s.io/v1 has it: the fields that are read.
type Request struct {
	UID         string          `json:"uid"`
	Kind        GroupKind       `json:"kind"`
	SubResource string          `json:"subResource"`
	Name        string          `json:"name"`
	Namespace   string          `json:"namespace"`
	Operation   string          `json:"operation"` // CREATE, UPDATE, DELETE, CONNECT
	UserInfo    UserInfo        `json:"userInfo"`
	Object      json.RawMessage `json:"object"`
	OldObject   json.RawMessage `json:"oldObject"`
	DryRun      bool            `json:"dryRun"`
}

// GroupKind names the kind of an object.
type GroupKind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

// String is the form in which people name a kind: "Deployment", "Rollout.argoproj.io".
func (k GroupKind) String() string {
	if k.Group == "" || builtIn(k.Group) {
		return k.Kind
	}
	return k.Kind + "." + k.Group
}

// builtIn reports whether a group is one of those whose pod templates the API server checks.
func builtIn(group string) bool { return group == "" || group == "apps" || group == "batch" }

// UserInfo is who asks.
type UserInfo struct {
	Username string   `json:"username"`
	UID      string   `json:"uid"`
	Groups   []string `json:"groups"`
}

// response is the answer to one request.
type response struct {
	UID              string            `json:"uid"`
	Allowed          bool              `json:"allowed"`
	Status           *status           `json:"status,omitempty"`
	Warnings         []string          `json:"warnings,omitempty"`
	AuditAnnotations map[string]string `json:"auditAnnotations,omitempty"`
}

type status struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type reviewed struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Response   response `json:"response"`
}

const reviewRemedy = "send what an API server sends: an AdmissionReview of admission.k8s.io/v1; verdict admission manifests prints the configuration that makes it do so"

func invalid(what string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: what, Remedy: reviewRemedy}
}

// ReadReview reads an AdmissionReview within the bounds. Its errors are *verdict.Error with
// CodeInvalid or CodeLimit.
func ReadReview(body []byte) (*Request, error) {
	if len(body) > MaxReview {
		return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("the review is %d bytes, more than the %d MiB that are read", len(body), MaxReview>>20), Remedy: "make the object smaller: an API server takes none that is larger than that"}
	}
	if deeper(body, maxDepth) {
		return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("the review is nested more than %d levels deep", maxDepth), Remedy: "flatten the object"}
	}
	var r struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Request    *Request `json:"request"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, invalid(fmt.Sprintf("the body is no review: %.200v", err))
	}
	switch {
	case r.APIVersion != reviewVersion || r.Kind != reviewKind:
		return nil, invalid(fmt.Sprintf("the body is a %.60q of %.60q, and no AdmissionReview of %s", r.Kind, r.APIVersion, reviewVersion))
	case r.Request == nil || r.Request.UID == "" || len(r.Request.UID) > maxText:
		return nil, invalid("the review has no request with a uid that could be answered")
	case len(r.Request.Name) > maxText || len(r.Request.Namespace) > maxText || len(r.Request.UserInfo.Username) > maxText || len(r.Request.Kind.Kind)+len(r.Request.Kind.Group) > maxText:
		return nil, invalid("the review has a name, namespace, kind or user of more than 1,024 bytes")
	}
	return r.Request, nil
}

// deeper reports whether JSON is nested deeper than so many levels. It looks at brackets
// outside of texts alone: what is no JSON is told by who reads it.
func deeper(b []byte, most int) bool {
	depth, inText := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
