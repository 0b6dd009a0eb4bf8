package ledger

import (
	"context"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict/store"
)

// WitnessSeen says what a witness signed of the log as it is named now.
type WitnessSeen struct {
	Name string    `json:"name"`
	Key  string    `json:"key"`         // his verifier key
	Size int64     `json:"size"`        // entries in the largest checkpoint with his signature; 0: none is held
	At   time.Time `json:"at,omitzero"` // when he signed it
}

// KnowWitness keeps a witness's verifier key beside the anchor, as Witness does, so that what he
// signs for another replica can be checked here too.
func (l *Ledger) KnowWitness(vkey string) error {
	v, err := witnessKey(vkey)
	if err != nil {
		return err
	}
	return keepWitness(l.o.AnchorDir, v)
}

// Witnesses tells of each witness whose key is kept how much of the log he signed. Signatures are
// checked; one that does not hold is as if it were not there: Verify says why.
func (l *Ledger) Witnesses(ctx context.Context) ([]WitnessSeen, error) {
	known, err := readWitnesses(l.o.AnchorDir)
	if err != nil {
		return nil, err
	}
	out := []WitnessSeen{}
	err = l.view(ctx, func(v *store.View, head store.Head) error {
		rows, err := v.Cosignatures(ctx, head.Origin, head.Size, maxList)
		if err != nil {
			return err
		}
		for _, k := range known {
			seen, err := lastSigned(ctx, v, head, rows, k)
			if err != nil {
				return err
			}
			out = append(out, seen)
		}
		return nil
	})
	return out, err
}

// lastSigned finds the largest checkpoint under which a witness's signature holds.
func lastSigned(ctx context.Context, v *store.View, head store.Head, rows []store.Cosignature, k *torchwood.CosignatureVerifier) (WitnessSeen, error) {
	out := WitnessSeen{Name: k.Name(), Key: k.String()}
	for _, c := range rows {
		if c.Name != k.Name() || c.Size < 1 {
			continue
		}
		root, err := rootAt(ctx, v, head, c.Size)
		if err != nil {
			return out, err
		}
		n, err := note.Open([]byte(checkpointText(c.Origin, tlog.Tree{N: c.Size, Hash: root})+"\n"+c.Line), note.VerifierList(k))
		if err != nil {
			continue
		}
		at, err := torchwood.CosignatureTimestamp(n.Sigs[0])
		if err != nil {
			continue
		}
		out.Size, out.At = c.Size, time.Unix(at, 0).UTC()
		break
	}
	return out, nil
}
