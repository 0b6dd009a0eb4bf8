package main

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"verdict"
	"verdict/blob"
	"verdict/blob/azblob"
	"verdict/blob/dir"
	"verdict/blob/gcs"
	"verdict/blob/s3"
	"verdict/outward"
)

// blobPlace is where the blobs of the ledger are. The zero value is the folder in the data
// directory.
type blobPlace struct {
	text     string
	scheme   string
	account  string // of Azure alone
	bucket   string
	prefix   string
	region   string // of S3 alone
	endpoint string
}

// blobForms are the addresses of object stores, and the parameters that each takes.
var blobForms = map[string]struct {
	form       string
	parameters []string
}{
	"s3":     {"s3://BUCKET/PREFIX?region=REGION", []string{"region", "endpoint"}},
	"azblob": {"azblob://ACCOUNT/CONTAINER/PREFIX", []string{"endpoint"}},
	"gs":     {"gs://BUCKET/PREFIX", []string{"endpoint"}},
}

// blobsValue reads the address of an object store.
func blobsValue(p *blobPlace) *value {
	return &value{kind: "URL", show: func() string { return p.text }, parse: func(s string) (err error) {
		*p, err = parseBlobPlace(s)
		return err
	}}
}

func parseBlobPlace(s string) (blobPlace, error) {
	schemes := slices.Sorted(maps.Keys(blobForms))
	scheme, _, _ := strings.Cut(s, "://")
	form, known := blobForms[scheme]
	if !known {
		return blobPlace{}, &badValue{fmt.Sprintf("begins with %q, which names no store for blobs", scheme),
			meant(scheme, schemes, "", "write s3://BUCKET, azblob://ACCOUNT/CONTAINER or gs://BUCKET, or leave it out for a folder in the data directory")}
	}
	bad := &badValue{"is no address of the form " + form.form, "write it in that form"}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Port() != "" || u.User != nil || u.Fragment != "" {
		return blobPlace{}, bad
	}
	at := blobPlace{text: s, scheme: scheme, bucket: u.Host, prefix: strings.Trim(u.Path, "/")}
	if scheme == "azblob" {
		at.account = u.Host
		if at.bucket, at.prefix, _ = strings.Cut(at.prefix, "/"); at.bucket == "" {
			return blobPlace{}, bad
		}
	}
	if slices.Contains(strings.Split(at.prefix, "/"), "..") {
		return blobPlace{}, bad
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return blobPlace{}, bad
	}
	for name := range q {
		if !slices.Contains(form.parameters, name) {
			return blobPlace{}, &badValue{fmt.Sprintf("has the unknown parameter %q", name), meant(name, form.parameters, "", "it takes "+strings.Join(form.parameters, " and "))}
		}
	}
	at.region, at.endpoint = q.Get("region"), strings.TrimRight(q.Get("endpoint"), "/")
	if at.endpoint != "" && !safeEndpoint(at.endpoint) {
		return blobPlace{}, &badValue{"has an endpoint that is not https", "write endpoint=https://HOST; http is for this machine alone"}
	}
	return at, nil
}

// safeEndpoint reports whether credentials may go to an address: https, or this machine.
func safeEndpoint(s string) bool {
	u, err := url.Parse(s)
	return err == nil && outward.Safe(u)
}

// openBlobs opens the blobs of the ledger in a data directory. Without --blobs they are a
// folder there.
func (a *app) openBlobs(ctx context.Context, data string) (blob.Store, error) {
	return a.openPlace(ctx, a.config.Blobs, data)
}

func (a *app) openPlace(ctx context.Context, at blobPlace, data string) (blob.Store, error) {
	switch at.scheme {
	case "":
		return dir.Open(filepath.Join(data, blobFolder), dir.Options{Now: a.now})
	case "s3":
		return s3.Open(ctx, s3.Options{Bucket: at.bucket, Prefix: at.prefix, Region: at.region, Endpoint: at.endpoint})
	case "azblob":
		return azblob.Open(azblob.Options{Account: at.account, Container: at.bucket, Prefix: at.prefix, Endpoint: at.endpoint})
	case "gs":
		return gcs.Open(ctx, gcs.Options{Bucket: at.bucket, Prefix: at.prefix, Endpoint: at.endpoint})
	}
	return nil, &verdict.Error{Code: verdict.CodeUsage, What: "--blobs names no store for blobs: " + at.text, Remedy: "write s3://BUCKET, azblob://ACCOUNT/CONTAINER or gs://BUCKET"}
}
