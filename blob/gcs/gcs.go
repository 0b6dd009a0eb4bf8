// Package gcs keeps blobs in a bucket of Google Cloud Storage, by its JSON API. An object's
// tag is its generation, which changes with each write, so that a delete by tag spares
// what was put again since.
package gcs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"verdict"
	"verdict/blob"
	"verdict/outward"
)

// Options of Open.
type Options struct {
	Bucket    string
	Prefix    string
	Endpoint  string                                     // of an emulator; empty: Google's
	Tokens    oauth2.TokenSource                         // nil: the default credentials of the vendor's library
	MaxSize   int64                                      // bytes of the largest blob; zero: blob.DefaultMaxSize
	Transport http.RoundTripper                          // nil: one of its own
	Wait      func(context.Context, time.Duration) error // between attempts; nil: it waits
}

// bucket is a blob.Bucket.
type bucket struct {
	objects *storage.ObjectsService
	name    string
	wait    func(context.Context, time.Duration) error
}

// Open makes a store in a bucket, which must be there. It does not speak with it yet. The
// result keeps the marks of sweeps too: blob.Marks.
func Open(ctx context.Context, o Options) (blob.Store, error) {
	client := blob.HTTP(o.Transport)
	if o.Tokens == nil {
		// The context stays in the source of tokens, which outlives the call that opens it.
		ctx := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, &http.Client{Timeout: 15 * time.Second, Transport: client.Transport})
		found, err := google.FindDefaultCredentials(ctx, storage.DevstorageReadWriteScope)
		if err != nil {
			return nil, unusable(o.Bucket, err)
		}
		o.Tokens = found.TokenSource
	}
	client.Transport = &oauth2.Transport{Source: o.Tokens, Base: client.Transport}
	with := []option.ClientOption{option.WithHTTPClient(client)}
	if o.Endpoint != "" {
		with = append(with, option.WithEndpoint(strings.TrimRight(o.Endpoint, "/")+"/storage/v1/"))
	}
	service, err := storage.NewService(ctx, with...)
	if err != nil {
		return nil, unusable(o.Bucket, err)
	}
	b := &bucket{objects: service.Objects, name: o.Bucket, wait: o.Wait}
	if b.wait == nil {
		b.wait = outward.Pause
	}
	return blob.In(b, blob.InOptions{Prefix: o.Prefix, MaxSize: o.MaxSize}), nil
}

func unusable(bucket string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "gs://" + bucket + " cannot be used",
		Remedy: "give this machine an identity: an attached service account, workload identity federation (GOOGLE_APPLICATION_CREDENTIALS), or gcloud auth application-default login", Err: err,
	}
}

// again makes a request, and makes it again while it fails in passing. The library does
// that for uploads alone.
func (s *bucket) again(ctx context.Context, size int, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, blob.Patience(size))
	defer cancel()
	return s.repeat(ctx, func() error { return do(ctx) })
}

func (s *bucket) repeat(ctx context.Context, do func() error) error {
	pause := 200 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := do()
		status, _ := answer(err)
		passing := status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500 || status == 0
		if err == nil || !passing || attempt == blob.Attempts || ctx.Err() != nil {
			return err
		}
		if e := s.wait(ctx, pause); e != nil {
			return err
		}
		pause *= 3
	}
}

// Create implements blob.Bucket: generation 0 is that of an object which is not there.
func (s *bucket) Create(ctx context.Context, name string, b []byte) error {
	err := s.write(ctx, name, b, func(c *storage.ObjectsInsertCall) { c.IfGenerationMatch(0) })
	if status, _ := answer(err); status == http.StatusPreconditionFailed {
		return blob.ErrExists
	}
	return err
}

// Replace implements blob.Bucket.
func (s *bucket) Replace(ctx context.Context, name string, b []byte) error {
	return s.write(ctx, name, b, func(*storage.ObjectsInsertCall) {})
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *bucket) write(ctx context.Context, name string, b []byte, condition func(*storage.ObjectsInsertCall)) error {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli))
	err := s.again(ctx, len(b), func(ctx context.Context) error {
		call := s.objects.Insert(s.name, &storage.Object{Name: name, Crc32c: base64.StdEncoding.EncodeToString(sum)}).Context(ctx)
		condition(call)
		// One piece: the library would allocate 16 MiB for each upload, however small.
		call.Media(bytes.NewReader(b), googleapi.ChunkSize(len(b)+1), googleapi.ContentType("application/octet-stream"))
		call.WithRetry(nil, func(error) bool { return false })
		_, err := call.Do()
		return err
	})
	switch status, code := answer(err); {
	case err == nil:
		return nil
	case status == http.StatusPreconditionFailed:
		return err // Create knows what it means
	case code == "retentionPolicyNotMet", code == "objectUnderActiveHold":
		return blob.ErrHeld
	}
	return s.refused(err, "write an object", "storage.objects.create and storage.objects.delete")
}

// Read implements blob.Bucket.
func (s *bucket) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	var r *http.Response
	err := s.repeat(ctx, func() (err error) {
		r, err = s.objects.Get(s.name, name).Context(ctx).Download()
		return err
	})
	if err != nil {
		return nil, s.missing(err, "read an object")
	}
	return r.Body, nil
}

// Look implements blob.Bucket.
func (s *bucket) Look(ctx context.Context, name string) (blob.Object, error) {
	var o *storage.Object
	err := s.again(ctx, 0, func(ctx context.Context) (err error) {
		o, err = s.objects.Get(s.name, name).Context(ctx).Do()
		return err
	})
	if err != nil {
		return blob.Object{}, s.missing(err, "look at an object")
	}
	return object(o)
}

// missing tells an object that is not there from a bucket that is not: Google says either
// in words only, so the words must be those about an object.
func (s *bucket) missing(err error, verb string) error {
	var e *googleapi.Error
	if errors.As(err, &e) && e.Code == http.StatusNotFound && !strings.Contains(e.Message+e.Body, "bucket does not exist") {
		return blob.ErrNotFound
	}
	return s.refused(err, verb, "storage.objects.get")
}

func object(o *storage.Object) (blob.Object, error) {
	put, err := time.Parse(time.RFC3339, o.TimeCreated)
	if err != nil || o.Generation == 0 || o.Size > 1<<62 {
		return blob.Object{}, fmt.Errorf("object %q: the store's answer about it lacks time, generation or size", o.Name)
	}
	return blob.Object{Name: o.Name, Size: int64(o.Size), Put: put, Tag: strconv.FormatInt(o.Generation, 10)}, nil
}

// Remove implements blob.Bucket by a conditional delete.
func (s *bucket) Remove(ctx context.Context, name, tag string) (bool, error) {
	generation, err := strconv.ParseInt(tag, 10, 64)
	if err != nil || generation == 0 { // 0 would be no condition
		return false, fmt.Errorf("remove an object: %q is no generation", tag)
	}
	err = s.again(ctx, 0, func(ctx context.Context) error {
		return s.objects.Delete(s.name, name).IfGenerationMatch(generation).Context(ctx).Do()
	})
	switch status, code := answer(err); {
	case err == nil:
		return true, nil
	case status == http.StatusPreconditionFailed, status == http.StatusNotFound:
		return false, nil
	case code == "retentionPolicyNotMet", code == "objectUnderActiveHold":
		return false, nil
	}
	return false, s.refused(err, "delete an object", "storage.objects.delete")
}

// Page implements blob.Bucket.
func (s *bucket) Page(ctx context.Context, prefix, page string) ([]blob.Object, string, error) {
	var out *storage.Objects
	err := s.again(ctx, 0, func(ctx context.Context) (err error) {
		out, err = s.objects.List(s.name).Prefix(prefix).PageToken(page).Context(ctx).Do()
		return err
	})
	if err != nil {
		return nil, "", s.refused(err, "list objects", "storage.objects.list")
	}
	all := make([]blob.Object, len(out.Items))
	for i, o := range out.Items {
		if all[i], err = object(o); err != nil {
			return nil, "", err
		}
	}
	return all, out.NextPageToken, nil
}

// answer is the status and the word that the store answered an error with.
func answer(err error) (status int, code string) {
	var e *googleapi.Error
	if !errors.As(err, &e) {
		return 0, ""
	}
	if len(e.Errors) > 0 {
		code = e.Errors[0].Reason
	}
	return e.Code, code
}

func (s *bucket) refused(err error, verb, right string) error {
	status, code := answer(err)
	return blob.Refusal{
		Store: "gs://" + s.name, Verb: verb, Status: status, Code: code, Err: err,
		Right:   right + " (it is in the role Storage Object User)",
		Missing: "create the bucket, or correct its name in --blobs",
	}.Explained()
}
