// Package azblob keeps blobs in a container of Azure Blob Storage. An object's tag (ETag)
// changes with each write, so that a delete by tag spares what was put again since.
package azblob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"verdict"
	"verdict/blob"
)

// Options of Open.
type Options struct {
	Account    string
	Container  string
	Prefix     string
	Endpoint   string                 // of the account; empty: https://ACCOUNT.blob.core.windows.net
	Credential azcore.TokenCredential // nil: the chain of the vendor's library
	MaxSize    int64                  // bytes of the largest blob; zero: blob.DefaultMaxSize
	Transport  http.RoundTripper      // nil: one of its own
}

// bucket is a blob.Bucket.
type bucket struct {
	client *container.Client
	name   string
}

// Open makes a store in a container, which must be there. It does not speak with it yet.
// The result keeps the marks of sweeps too: blob.Marks.
func Open(o Options) (blob.Store, error) {
	if o.Endpoint == "" {
		o.Endpoint = "https://" + o.Account + ".blob.core.windows.net"
	}
	client := policy.ClientOptions{
		Transport: blob.HTTP(o.Transport),
		Retry:     policy.RetryOptions{MaxRetries: blob.Attempts - 1, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 3 * time.Second},
	}
	if o.Credential == nil {
		chain, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: client})
		if err != nil {
			return nil, noCredential(o, err)
		}
		o.Credential = chain
	}
	address, err := url.JoinPath(o.Endpoint, url.PathEscape(o.Container))
	if err != nil {
		return nil, noCredential(o, err)
	}
	c, err := container.NewClient(address, o.Credential, &container.ClientOptions{ClientOptions: client})
	if err != nil {
		return nil, noCredential(o, err)
	}
	return blob.In(&bucket{c, o.Account + "/" + o.Container}, blob.InOptions{Prefix: o.Prefix, MaxSize: o.MaxSize}), nil
}

func noCredential(o Options, err error) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "azblob://" + o.Account + "/" + o.Container + " cannot be used",
		Remedy: "give this machine an identity (managed identity, workload identity, AZURE_CLIENT_ID and its variables, or az login), and correct the address in --blobs", Err: err,
	}
}

// Create implements blob.Bucket by a conditional put.
func (s *bucket) Create(ctx context.Context, name string, b []byte) error {
	any := azcore.ETagAny
	return s.write(ctx, name, b, &azblob.AccessConditions{ModifiedAccessConditions: &azblob.ModifiedAccessConditions{IfNoneMatch: &any}})
}

// Replace implements blob.Bucket.
func (s *bucket) Replace(ctx context.Context, name string, b []byte) error {
	return s.write(ctx, name, b, nil)
}

func (s *bucket) write(ctx context.Context, name string, b []byte, unless *azblob.AccessConditions) error {
	ctx, cancel := context.WithTimeout(ctx, blob.Patience(len(b)))
	defer cancel()
	_, err := s.client.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(bytes.NewReader(b)), &blockblob.UploadOptions{AccessConditions: unless})
	status, code := answer(err)
	switch {
	case err == nil:
		return nil
	case unless != nil && (status == http.StatusPreconditionFailed || code == "BlobAlreadyExists"):
		return blob.ErrExists
	case code == "BlobImmutableDueToPolicy":
		return blob.ErrHeld
	}
	return s.refused(err, "write an object", "write")
}

// Read implements blob.Bucket.
func (s *bucket) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	out, err := s.client.NewBlobClient(name).DownloadStream(ctx, nil)
	if _, code := answer(err); code == "BlobNotFound" {
		return nil, blob.ErrNotFound
	}
	if err != nil {
		return nil, s.refused(err, "read an object", "read")
	}
	return out.Body, nil
}

// Look implements blob.Bucket.
func (s *bucket) Look(ctx context.Context, name string) (blob.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, blob.Patience(0))
	defer cancel()
	p, err := s.client.NewBlobClient(name).GetProperties(ctx, nil)
	if _, code := answer(err); code == "BlobNotFound" {
		return blob.Object{}, blob.ErrNotFound
	}
	if err != nil {
		return blob.Object{}, s.refused(err, "look at an object", "read")
	}
	return object(name, p.ContentLength, p.LastModified, p.ETag), nil
}

// object is what the store says of one, none of which it has to say.
func object(name string, size *int64, put *time.Time, tag *azcore.ETag) blob.Object {
	o := blob.Object{Name: name}
	if size != nil {
		o.Size = *size
	}
	if put != nil {
		o.Put = *put
	}
	if tag != nil {
		o.Tag = string(*tag)
	}
	return o
}

// Remove implements blob.Bucket by a conditional delete.
func (s *bucket) Remove(ctx context.Context, name, tag string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, blob.Patience(0))
	defer cancel()
	if tag == "" || tag == string(azcore.ETagAny) {
		return false, errors.New("remove an object: the store gave it no tag")
	}
	is := azcore.ETag(tag)
	_, err := s.client.NewBlobClient(name).Delete(ctx, &azblob.DeleteOptions{
		AccessConditions: &azblob.AccessConditions{ModifiedAccessConditions: &azblob.ModifiedAccessConditions{IfMatch: &is}},
	})
	status, code := answer(err)
	if status == http.StatusPreconditionFailed || code == "BlobNotFound" || code == "BlobImmutableDueToPolicy" {
		return false, nil
	}
	if err != nil {
		return false, s.refused(err, "delete an object", "delete")
	}
	return true, nil
}

// Page implements blob.Bucket.
func (s *bucket) Page(ctx context.Context, prefix, page string) ([]blob.Object, string, error) {
	ctx, cancel := context.WithTimeout(ctx, blob.Patience(0))
	defer cancel()
	o := &container.ListBlobsFlatOptions{Prefix: &prefix}
	if page != "" {
		o.Marker = &page
	}
	out, err := s.client.NewListBlobsFlatPager(o).NextPage(ctx)
	if err != nil {
		return nil, "", s.refused(err, "list objects", "read")
	}
	if out.Segment == nil {
		return nil, "", errors.New("list objects: the store's answer is no list")
	}
	var all []blob.Object
	for _, b := range out.Segment.BlobItems {
		if b != nil && b.Name != nil && b.Properties != nil {
			all = append(all, object(*b.Name, b.Properties.ContentLength, b.Properties.LastModified, b.Properties.ETag))
		}
	}
	next := ""
	if out.NextMarker != nil {
		next = *out.NextMarker
	}
	return all, next, nil
}

// answer is the status and the word that the store answered an error with.
func answer(err error) (status int, code string) {
	var r *azcore.ResponseError
	if errors.As(err, &r) {
		return r.StatusCode, r.ErrorCode
	}
	return 0, ""
}

func (s *bucket) refused(err error, verb, action string) error {
	status, code := answer(err)
	return blob.Refusal{
		Store: "azblob://" + s.name, Verb: verb, Status: status, Code: code, Err: err,
		Right:   "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/" + action + " (it is in the role Storage Blob Data Contributor)",
		Missing: "create the container, or correct its name in --blobs",
	}.Explained()
}
