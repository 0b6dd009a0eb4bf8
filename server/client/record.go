package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/server/wire"
)

// together is how many bytes of bundles one request carries, if it carries several.
const together = 8 << 20

// Append records a statement that an enrolled key signed, or the one of the session.
func (l *Ledger) Append(ctx context.Context, b *evidence.Bundle) (ledger.Entry, error) {
	e, err := l.AppendAll(ctx, []*evidence.Bundle{b})
	if err != nil {
		return ledger.Entry{}, err
	}
	return e[0], nil
}

// AppendAll records statements in their order. Those of one request are recorded together or
// not at all; with more, an error may leave the first of them recorded.
func (l *Ledger) AppendAll(ctx context.Context, bundles []*evidence.Bundle) ([]ledger.Entry, error) {
	var out []ledger.Entry
	for len(bundles) > 0 {
		var r wire.Record
		for size := 0; len(r.Evidence) < min(len(bundles), wire.MaxEvidence); {
			raw := bundles[len(r.Evidence)].JSON()
			if size += len(raw); size > together && len(r.Evidence) > 0 {
				break
			}
			r.Evidence = append(r.Evidence, wire.Evidence{Bundle: raw})
		}
		bundles = bundles[len(r.Evidence):]
		entries, err := l.record(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, entries...)
	}
	return out, nil
}

func (l *Ledger) record(ctx context.Context, r wire.Record) ([]ledger.Entry, error) {
	var a wire.Recorded
	if err := l.c.post(ctx, wire.Prefix+"/evidence", r, &a); err != nil {
		return nil, err
	}
	if len(a.Entries) != len(r.Evidence) {
		return nil, l.c.strange(fmt.Sprintf("it acknowledges %d of %d statements", len(a.Entries), len(r.Evidence)), nil)
	}
	out := make([]ledger.Entry, len(a.Entries))
	for i, e := range a.Entries {
		if int64(a.Checkpoint.Position) <= e.Index {
			return nil, l.c.strange(fmt.Sprintf("its checkpoint does not cover entry %d, which it acknowledges", e.Index), nil)
		}
		out[i] = e.Ledger()
	}
	return out, nil
}

// Ingest records evidence of somebody else. The server verifies it, and signs that it came:
// signer does not. A producer's certificate counts only under an authority that the server
// trusts.
func (l *Ledger) Ingest(ctx context.Context, foreign *evidence.Bundle, by evidence.Producer, _ evidence.Signer, c verdict.Context) (ledger.Entry, error) {
	how := &wire.Foreign{Identity: by.Identity, Issuer: by.Issuer, Context: c}
	if by.Key != "" {
		return ledger.Entry{}, &verdict.Error{
			Code: verdict.CodeUsage, What: "the server is to verify the signature, and was not given the public key", Remedy: "give it with --key FILE",
		}
	}
	return l.ingest(ctx, foreign, how)
}

// IngestByKey is Ingest of what a key signed whose public half in PEM the caller has.
func (l *Ledger) IngestByKey(ctx context.Context, foreign *evidence.Bundle, publicPEM string, c verdict.Context) (ledger.Entry, error) {
	return l.ingest(ctx, foreign, &wire.Foreign{PublicPEM: publicPEM, Context: c})
}

func (l *Ledger) ingest(ctx context.Context, foreign *evidence.Bundle, how *wire.Foreign) (ledger.Entry, error) {
	e, err := l.record(ctx, wire.Record{Evidence: []wire.Evidence{{Bundle: foreign.JSON(), Foreign: how}}})
	if err != nil {
		return ledger.Entry{}, err
	}
	return e[0], nil
}

// PutBlob keeps bytes that evidence names by digest.
func (l *Ledger) PutBlob(ctx context.Context, b []byte) (verdict.Digest, error) {
	d := digestOf(b)
	raw, err := l.c.send(ctx, call{method: http.MethodPut, path: wire.Prefix + "/blobs/" + string(d), kind: "application/octet-stream", body: b})
	if err != nil {
		return "", err
	}
	var s wire.Stored
	if err := json.Unmarshal(raw, &s); err != nil || s.Digest != d {
		return "", l.c.strange("it keeps other bytes than those it was given", err)
	}
	return d, nil
}

// Blob gives bytes that PutBlob kept, held against their digest.
func (l *Ledger) Blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	b, err := l.c.send(ctx, call{method: http.MethodGet, path: wire.Prefix + "/blobs/" + string(d), bytes: true, limit: maxBlob})
	if err != nil {
		return nil, err
	}
	if digestOf(b) != d {
		return nil, refused(fmt.Sprintf("the server gives other bytes for %s", d), nil)
	}
	return b, nil
}

// maxBlob is in bytes: the largest bill of materials or bundle, and more than rules take.
const maxBlob = 256 << 20

func digestOf(b []byte) verdict.Digest {
	sum := sha256.Sum256(b)
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}

// Decide asks a point.
func (c *Client) Decide(ctx context.Context, q wire.Ask) (wire.Answer, error) {
	var a wire.Answer
	err := c.post(ctx, wire.Prefix+"/decisions", q, &a)
	return a, err
}

// Sync sends a part of another log; into is what the server says of it.
func (c *Client) Sync(ctx context.Context, part wire.Travel, into any) error {
	return c.question(ctx, wire.Prefix+"/sync", part, into)
}
