package registry

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"verdict"
	"verdict/artifact"
)

// hashes are the digests that content may be named by.
var hashes = map[string]func() hash.Hash{"sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}

func digestOf(algorithm string, b []byte) verdict.Digest {
	f, ok := hashes[algorithm]
	if !ok {
		return ""
	}
	h := f()
	h.Write(b)
	return verdict.NewDigest(algorithm, hex.EncodeToString(h.Sum(nil)))
}

// verified is a blob on its way: its end is an error when it is not what was asked for.
type verified struct {
	c    *Client
	from io.ReadCloser
	want artifact.Descriptor
	hash hash.Hash
	size int64
	what string
}

func (v *verified) Read(b []byte) (int, error) {
	n, err := v.from.Read(b)
	v.hash.Write(b[:n])
	v.size += int64(n)
	if v.want.Size > 0 && v.size > v.want.Size {
		return 0, v.c.other(v.want.Digest)
	}
	switch {
	case err == io.EOF:
		if verdict.NewDigest(v.want.Digest.Algorithm(), hex.EncodeToString(v.hash.Sum(nil))) != v.want.Digest {
			return n, v.c.other(v.want.Digest)
		}
	case err != nil:
		return n, v.c.failed(fmt.Sprintf("%s, after %d bytes", v.what, v.size), err)
	}
	return n, err
}

func (v *verified) Close() error { return v.from.Close() }
