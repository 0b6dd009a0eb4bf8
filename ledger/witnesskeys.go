package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/torchwood"

	"verdict"
)

// witnessFile keeps, beside the anchors and not in the database, the verifier keys of the
// witnesses who signed for a log: whoever changes a signature there cannot put a key of
// his own beside it. No origin has an underscore in it, so no anchor has this name.
const (
	witnessFile    = "witness_keys"
	maxWitnessFile = 1 << 20
)

// witnessKey reads a verifier key.
func witnessKey(vkey string) (*torchwood.CosignatureVerifier, error) {
	v, err := torchwood.NewCosignatureVerifier(vkey)
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeInvalid, What: "the key of the witness cannot be read",
			Remedy: "give his verifier key as he publishes it: name+hash+base64", Err: err,
		}
	}
	return v, nil
}

// readWitnesses gives the keys that are kept in dir. A line that a crash tore is no key:
// what it would have verified is told as something that could not be checked.
func readWitnesses(dir string) ([]*torchwood.CosignatureVerifier, error) {
	path := filepath.Join(dir, witnessFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil && len(b) > maxWitnessFile {
		err = errors.New("it is too long")
	}
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the keys of witnesses in " + path + " cannot be read",
			Remedy: "make the file readable, or put it back from a backup", Err: err,
		}
	}
	var out []*torchwood.CosignatureVerifier
	for line := range strings.Lines(string(b)) {
		if v, err := torchwood.NewCosignatureVerifier(strings.TrimSpace(line)); err == nil {
			out = append(out, v)
		}
	}
	return out, nil
}

// keepWitness keeps a key, unless it is kept already. It is added in one write, so that
// of two processes neither takes away what the other one adds.
func keepWitness(dir string, v *torchwood.CosignatureVerifier) error {
	known, err := readWitnesses(dir)
	if err != nil || slices.ContainsFunc(known, func(k *torchwood.CosignatureVerifier) bool { return k.String() == v.String() }) {
		return err
	}
	path := filepath.Join(dir, witnessFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		// The line feed in front ends a line that a crash tore.
		_, err = f.WriteString("\n" + v.String() + "\n")
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err == nil {
			err = syncFolder(dir)
		}
	}
	if err != nil {
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the key of the witness cannot be kept in " + path + ", so nobody could check his signature later",
			Remedy: "make the file writable and free space there, and run the command again", Err: err,
		}
	}
	return nil
}
