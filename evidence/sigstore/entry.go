package sigstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"golang.org/x/mod/sumdb/tlog"
)

// consistent checks what sigstore-go does not look at in an entry of a tiled log
// (version 0.0.2): it rebuilds the leaf from the bundle and takes index, size and root
// from elsewhere. Body, kind, and the proof's own index, size and root then could say
// anything, and people and other tools read them. Whether the checkpoint is signed and
// the leaf is the bundle's is checked by sigstore-go. An entry of the older log has a
// proof of another shape, which sigstore-go checks in full.
func consistent(e *rekor.TransparencyLogEntry) error {
	if e.GetLogIndex() < 0 || len(e.GetCanonicalizedBody()) == 0 || e.GetKindVersion() == nil {
		return errors.New("index, body or kind is missing")
	}
	var body struct {
		Version string `json:"apiVersion"`
		Kind    string `json:"kind"`
	}
	if err := json.Unmarshal(e.GetCanonicalizedBody(), &body); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if body.Kind != e.GetKindVersion().GetKind() || body.Version != e.GetKindVersion().GetVersion() {
		return fmt.Errorf("the body is %s %s, the entry says %s %s", body.Kind, body.Version, e.GetKindVersion().GetKind(), e.GetKindVersion().GetVersion())
	}
	if body.Version != "0.0.2" || body.Kind != "hashedrekord" && body.Kind != "dsse" {
		return nil
	}
	proof := e.GetInclusionProof()
	size, root, err := head(proof.GetCheckpoint().GetEnvelope())
	if err != nil {
		return err
	}
	if proof.GetLogIndex() != e.GetLogIndex() || proof.GetTreeSize() != size || !bytes.Equal(proof.GetRootHash(), root[:]) {
		return errors.New("the proof's index, tree size or root is not that of the entry and its checkpoint")
	}
	hashes := make([]tlog.Hash, len(proof.GetHashes()))
	for i, h := range proof.GetHashes() {
		if copy(hashes[i][:], h) != len(h) || len(h) != tlog.HashSize {
			return errors.New("a hash of the proof has the wrong size")
		}
	}
	return tlog.CheckRecord(hashes, size, root, e.GetLogIndex(), tlog.RecordHash(e.GetCanonicalizedBody()))
}

// head reads size and root of a checkpoint: its second and third line (C2SP
// tlog-checkpoint).
func head(checkpoint string) (size int64, root tlog.Hash, err error) {
	lines := strings.SplitN(checkpoint, "\n", 4)
	if len(lines) < 4 {
		return 0, root, errors.New("the checkpoint is missing or cut off")
	}
	if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return 0, root, errors.New("the checkpoint has no tree size")
	}
	sum, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || copy(root[:], sum) != tlog.HashSize || len(sum) != tlog.HashSize {
		return 0, root, errors.New("the checkpoint has no root")
	}
	return size, root, nil
}
