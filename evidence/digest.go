package evidence

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io"

	"verdict"
)

// DigestsOf computes the digests of a file in one pass, in every algorithm in which a
// statement may name it: sha256 first, then sha384 and sha512.
func DigestsOf(r io.Reader) ([]verdict.Digest, error) {
	a, b, c := sha256.New(), sha512.New384(), sha512.New()
	if _, err := io.Copy(io.MultiWriter(a, b, c), r); err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	return []verdict.Digest{hexDigest("sha256", a.Sum(nil)), hexDigest("sha384", b.Sum(nil)), hexDigest("sha512", c.Sum(nil))}, nil
}
