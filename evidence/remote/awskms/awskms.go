// Package awskms signs with a key in AWS KMS, by its JSON protocol. A key of KMS has one
// version: rotation makes a new key.
package awskms

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"verdict"
	"verdict/evidence/remote"
)

var keyARN = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):kms:([a-z0-9-]{1,40}):[0-9]{12}:key/[0-9A-Za-z-]{1,64}$`)

// Options of New.
type Options struct {
	ARN       string                                     // of a key, not of an alias: that may name another one tomorrow
	Endpoint  string                                     // of a private endpoint; empty: that of the region
	Keys      aws.CredentialsProvider                    // nil: the chain of the vendor's library
	Now       func() time.Time                           // in signatures of requests; nil: time.Now
	Transport http.RoundTripper                          // nil: one of its own
	Wait      func(context.Context, time.Duration) error // between attempts; nil: it waits
}

// key is a remote.Service.
type key struct {
	arn    string
	client *remote.Client
}

// New names a key. It does not speak with KMS yet.
func New(ctx context.Context, o Options) (remote.Service, error) {
	parts := keyARN.FindStringSubmatch(o.ARN)
	if parts == nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q is not the ARN of a key of AWS KMS", o.ARN),
			Remedy: "write arn:aws:kms:REGION:ACCOUNT:key/ID, as this prints it, also for an alias: aws kms describe-key --key-id KEY --query KeyMetadata.Arn",
		}
	}
	region := parts[2]
	if o.Endpoint == "" {
		o.Endpoint = "https://kms." + region + ".amazonaws.com"
		if parts[1] == "aws-cn" {
			o.Endpoint += ".cn"
		}
	}
	if o.Keys == nil {
		c, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
		if err != nil {
			return nil, remote.Explain("awskms:"+o.ARN, "sign", "kms:Sign", err)
		}
		o.Keys = c.Credentials
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	signer := v4.NewSigner()
	c, err := remote.NewClient(remote.Client{Base: o.Endpoint, Transport: o.Transport, Wait: o.Wait, Authorize: func(ctx context.Context, r *http.Request, body []byte) error {
		keys, err := o.Keys.Retrieve(ctx)
		if err != nil {
			return fmt.Errorf("sign in to AWS: %w", err)
		}
		sum := sha256.Sum256(body)
		return signer.SignHTTP(ctx, keys, r, hex.EncodeToString(sum[:]), "kms", region, o.Now())
	}})
	if err != nil {
		return nil, err
	}
	return &key{o.ARN, c}, nil
}

// Name implements remote.Service.
func (k *key) Name() string { return "awskms:" + k.arn }

// algorithm is what KMS calls an algorithm, and the form of what it is given.
func algorithm(a remote.Algorithm) (name, message string) {
	if a == remote.Ed25519 {
		return "ED25519_SHA_512", "RAW"
	}
	return "ECDSA_SHA_256", "DIGEST"
}

// PublicKey implements remote.Service.
func (k *key) PublicKey(ctx context.Context) (crypto.PublicKey, error) {
	var out struct {
		KeyID             string `json:"KeyId"`
		KeySpec, KeyUsage string
		PublicKey         []byte
		SigningAlgorithms []string
	}
	if err := k.call(ctx, "GetPublicKey", map[string]any{"KeyId": k.arn}, &out); err != nil {
		return nil, k.explain("give its public key", "kms:GetPublicKey", err)
	}
	if err := k.same(out.KeyID); err != nil {
		return nil, err
	}
	want := map[string]remote.Algorithm{"ECC_NIST_P256": remote.ECDSA, "ECC_NIST_EDWARDS25519": remote.Ed25519}[out.KeySpec]
	if want == 0 || out.KeyUsage != "SIGN_VERIFY" {
		return nil, remote.WrongKey(k.Name(), fmt.Sprintf("it is a key of the kind %.40s for %.40s", out.KeySpec, out.KeyUsage), remote.ECDSA)
	}
	if name, _ := algorithm(want); !slices.Contains(out.SigningAlgorithms, name) {
		return nil, remote.WrongKey(k.Name(), "it does not sign by "+name, want)
	}
	public, err := remote.ParsePublic(out.PublicKey)
	if err != nil {
		return nil, remote.WrongKey(k.Name(), err.Error(), want)
	}
	return public, nil
}

// Sign implements remote.Service.
func (k *key) Sign(ctx context.Context, a remote.Algorithm, b []byte) ([]byte, error) {
	name, form := algorithm(a)
	var out struct {
		KeyID     string `json:"KeyId"`
		Signature []byte
	}
	in := map[string]any{"KeyId": k.arn, "Message": b, "MessageType": form, "SigningAlgorithm": name}
	if err := k.call(ctx, "Sign", in, &out); err != nil {
		return nil, k.explain("sign", "kms:Sign", err)
	}
	if err := k.same(out.KeyID); err != nil {
		return nil, err
	}
	return out.Signature, nil
}

func (k *key) call(ctx context.Context, action string, in, out any) error {
	return k.client.Call(ctx, http.MethodPost, "/", map[string]string{
		"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService." + action,
	}, in, out)
}

// same refuses an answer about another key.
func (k *key) same(arn string) error {
	if arn == k.arn {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeRefused, What: fmt.Sprintf("%s answered about another key: %.200q", k.Name(), arn),
		Remedy: "find out who answers in the place of KMS; nothing was recorded",
	}
}

func (k *key) explain(verb, right string, err error) error {
	var r *remote.Refusal
	if errors.As(err, &r) {
		switch {
		case r.Code == "DisabledException", r.Code == "KMSInvalidStateException":
			return remote.Disabled(k.Name(), err)
		case r.Code == "NotFoundException":
			r.Status = http.StatusNotFound
		case r.Code == "InvalidKeyUsageException":
			return remote.WrongKey(k.Name(), "KMS says that it is not for this", remote.ECDSA)
		case strings.HasSuffix(r.Code, "SignatureException"), r.Code == "UnrecognizedClientException", r.Code == "ExpiredTokenException":
			r.Status = http.StatusForbidden
		}
	}
	return remote.Explain(k.Name(), verb, "the permission "+right+" for this key", err)
}
