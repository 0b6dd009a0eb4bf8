package main

import (
	"crypto/sha256"
	"encoding/hex"

	"verdict"
)

func sha256Digest(b []byte) verdict.Digest {
	sum := sha256.Sum256(b)
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}
