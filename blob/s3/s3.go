// Package s3 keeps blobs in a bucket of Amazon S3, or of a store that speaks its protocol.
//
// Each object ends with 16 random bytes behind the content. S3 makes an object's tag of
// its bytes, so that two writes of the same bytes would have one tag, and a delete could
// not tell the blob that it means from one that was put again since.
package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"verdict"
	"verdict/blob"
)

// endBytes is how many random bytes end each object.
const endBytes = 16

// Options of Open.
type Options struct {
	Bucket   string
	Prefix   string
	Region   string                  // empty: what the environment of the process says
	Endpoint string                  // of another store than Amazon's, addressed by path; empty: Amazon's
	Keys     aws.CredentialsProvider // nil: the chain of the vendor's library
	MaxSize  int64                   // bytes of the largest blob; zero: blob.DefaultMaxSize
	Rand     io.Reader               // nil: crypto/rand.Reader
}

// bucket is a blob.Bucket.
type bucket struct {
	client *s3.Client
	name   string
	rand   io.Reader
	// compares: the store was seen to compare tags when it deletes.
	compares atomic.Bool
}

// Open makes a store in a bucket, which must be there. It does not speak with it yet. The
// result keeps the marks of sweeps too: blob.Marks.
func Open(ctx context.Context, o Options) (blob.Store, error) {
	var load []func(*config.LoadOptions) error
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.Keys != nil {
		load = append(load, config.WithCredentialsProvider(o.Keys))
	}
	c, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil || c.Region == "" {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: "it is not known in which region the bucket " + o.Bucket + " is",
			Remedy: "say it: --blobs 's3://" + o.Bucket + "?region=REGION', or set AWS_REGION", Err: err,
		}
	}
	client := s3.NewFromConfig(c, func(x *s3.Options) {
		x.HTTPClient = blob.HTTP(nil)
		x.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.MaxBackoff = blob.Attempts, 3*time.Second
			// The library goes by the store's word, and the answer to a HEAD has none.
			r.Retryables = append(r.Retryables, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}})
		})
		// The signature covers the sha256 of what is sent, and what comes is compared with
		// its name: the checksums that other stores do not know add nothing.
		x.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		x.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		if o.Endpoint != "" {
			x.BaseEndpoint, x.UsePathStyle = aws.String(o.Endpoint), true
		}
	})
	b := &bucket{client: client, name: o.Bucket, rand: o.Rand}
	if b.rand == nil {
		b.rand = rand.Reader
	}
	return blob.In(b, blob.InOptions{Prefix: o.Prefix, MaxSize: o.MaxSize}), nil
}

// Create implements blob.Bucket by a conditional put.
func (s *bucket) Create(ctx context.Context, name string, b []byte) error {
	return s.write(ctx, name, b, aws.String("*"))
}

// Replace implements blob.Bucket.
func (s *bucket) Replace(ctx context.Context, name string, b []byte) error {
	return s.write(ctx, name, b, nil)
}

func (s *bucket) write(ctx context.Context, name string, b []byte, unless *string) error {
	end := make([]byte, endBytes)
	if _, err := io.ReadFull(s.rand, end); err != nil {
		return fmt.Errorf("end of object: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, blob.Patience(len(b)))
	defer cancel()
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.name, Key: &name, Body: bytes.NewReader(slices.Concat(b, end)), IfNoneMatch: unless,
		ContentType: aws.String("application/octet-stream"),
	})
	status, code := answer(err)
	switch {
	case err == nil:
		return nil
	// 409: another writer of the same object was faster.
	case unless != nil && (status == http.StatusPreconditionFailed || status == http.StatusConflict):
		return blob.ErrExists
	case code == "InvalidRetentionPeriod", code == "ObjectLocked":
		return blob.ErrHeld
	}
	return s.refused(err, "write an object", "s3:PutObject")
}

// Read implements blob.Bucket.
func (s *bucket) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.name, Key: &name})
	if _, code := answer(err); code == "NoSuchKey" {
		return nil, blob.ErrNotFound
	}
	if err != nil {
		return nil, s.refused(err, "read an object", "s3:GetObject")
	}
	if out.ContentLength == nil || *out.ContentLength < 0 {
		return nil, errors.Join(fmt.Errorf("read object %s: the store does not say how long it is", name), out.Body.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(out.Body, size(out.ContentLength)), out.Body}, nil
}

// size is that of the content of an object with so many bytes.
func size(all *int64) int64 { return max(0, aws.ToInt64(all)-endBytes) }

// Look implements blob.Bucket.
func (s *bucket) Look(ctx context.Context, name string) (blob.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, blob.Patience(0))
	defer cancel()
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.name, Key: &name})
	if status, _ := answer(err); status == http.StatusNotFound {
		return blob.Object{}, blob.ErrNotFound
	}
	if err != nil { // without the right to list, S3 does not say either that an object is missing
		return blob.Object{}, s.refused(err, "look at an object", "s3:GetObject and, for the bucket, s3:ListBucket")
	}
	return blob.Object{
		Name: name, Size: size(out.ContentLength), Put: aws.ToTime(out.LastModified), Tag: aws.ToString(out.ETag),
	}, nil
}

// Remove implements blob.Bucket by a conditional delete.
func (s *bucket) Remove(ctx context.Context, name, tag string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, blob.Patience(0))
	defer cancel()
	if err := s.try(ctx, name); err != nil {
		return false, err
	}
	return s.remove(ctx, name, tag)
}

func (s *bucket) remove(ctx context.Context, name, tag string) (bool, error) {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.name, Key: &name, IfMatch: &tag})
	switch status, _ := answer(err); status {
	case http.StatusPreconditionFailed, http.StatusConflict, http.StatusNotFound:
		return false, nil
	}
	if err != nil {
		return false, s.refused(err, "delete an object", "s3:DeleteObject")
	}
	return true, nil
}

// try finds out, once, whether the store compares tags: one that does not would delete
// what was put a moment ago.
func (s *bucket) try(ctx context.Context, name string) error {
	if s.compares.Load() {
		return nil
	}
	var id [8]byte
	if _, err := io.ReadFull(s.rand, id[:]); err != nil {
		return err
	}
	trial := path.Dir(name) + "/trial-" + hex.EncodeToString(id[:])
	if err := s.Replace(ctx, trial, id[:]); err != nil {
		return err
	}
	gone, err := s.remove(ctx, trial, `"00000000000000000000000000000000"`)
	if err != nil {
		return err
	}
	if gone {
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: "s3://" + s.name + " deletes an object whatever tag it has, so that a sweep could remove what is put at that moment",
			Remedy: "do not sweep this store; nothing but disk space depends on it. Amazon S3 compares tags (If-Match on DeleteObject)",
		}
	}
	o, err := s.Look(ctx, trial)
	if err == nil {
		_, err = s.remove(ctx, trial, o.Tag)
	}
	if err == nil {
		s.compares.Store(true)
	}
	return err
}

// Page implements blob.Bucket.
func (s *bucket) Page(ctx context.Context, prefix, page string) ([]blob.Object, string, error) {
	ctx, cancel := context.WithTimeout(ctx, blob.Patience(0))
	defer cancel()
	in := &s3.ListObjectsV2Input{Bucket: &s.name, Prefix: &prefix}
	if page != "" {
		in.ContinuationToken = &page
	}
	out, err := s.client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, "", s.refused(err, "list objects", "s3:ListBucket for the bucket")
	}
	all := make([]blob.Object, len(out.Contents))
	for i, o := range out.Contents {
		all[i] = blob.Object{Name: aws.ToString(o.Key), Size: size(o.Size), Put: aws.ToTime(o.LastModified), Tag: aws.ToString(o.ETag)}
	}
	if !aws.ToBool(out.IsTruncated) {
		return all, "", nil
	}
	if aws.ToString(out.NextContinuationToken) == "" {
		return nil, "", errors.New("list objects: the store says that there are more and not where")
	}
	return all, *out.NextContinuationToken, nil
}

// answer is the status and the word that the store answered an error with.
func answer(err error) (status int, code string) {
	var r *awshttp.ResponseError
	if errors.As(err, &r) {
		status = r.HTTPStatusCode()
	}
	var a smithy.APIError
	if errors.As(err, &a) {
		code = a.ErrorCode()
	}
	return status, code
}

func (s *bucket) refused(err error, verb, right string) error {
	status, code := answer(err)
	return blob.Refusal{
		Store: "s3://" + s.name, Verb: verb, Status: status, Code: code, Right: right, Err: err,
		Missing: "create the bucket, or correct its name in --blobs",
	}.Explained()
}
