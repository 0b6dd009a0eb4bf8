package ledger

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/store"
)

// Witness is somebody else who remembers our checkpoints and signs only those that
// continue what he has seen (C2SP tlog-witness).
type Witness struct {
	URL string // prefix; /add-checkpoint is added
	Key string // his verifier key, from a channel that is not the witness himself
	// Client makes the request. Whoever hands it in decides which addresses it may reach.
	Client *http.Client
}

// Cosigned is a checkpoint with a witness's signature under it.
type Cosigned struct {
	Checkpoint Checkpoint `json:"checkpoint"`
	Witness    string     `json:"witness"`
	Note       string     `json:"note"` // with both signatures
	At         int64      `json:"at"`   // when he signed, in seconds since 1970
}

const (
	maxWitnessAnswer = 16 << 10
	witnessTries     = 3
)

// Witness has the latest checkpoint signed by a witness and keeps his signature. A
// witness who has seen a larger tree than the database holds is an error with ErrAnchor.
func (l *Ledger) Witness(ctx context.Context, w Witness) (Cosigned, error) {
	verifier, err := witnessKey(w.Key)
	if err != nil {
		return Cosigned{}, err
	}
	c, err := l.Checkpoint(ctx)
	if err != nil {
		return Cosigned{}, err
	}
	old, err := l.witnessed(ctx, c, verifier.Name())
	if err != nil {
		return Cosigned{}, err
	}
	for range witnessTries {
		var proof tlog.TreeProof
		if old > 0 && old < c.Size {
			p, err := l.Consistency(ctx, old, c.Size)
			if err != nil {
				return Cosigned{}, err
			}
			proof = p.Hashes
		}
		lines, known, err := w.add(ctx, old, proof, c.Note)
		if err != nil {
			return Cosigned{}, err
		}
		if lines != "" {
			return l.keepCosignature(ctx, c, lines, verifier)
		}
		if known > c.Size {
			return Cosigned{}, &verdict.Error{
				Code: verdict.CodeConflict, What: fmt.Sprintf("the witness %s has seen %d entries of %s, and the database holds %d: it was set back", verifier.Name(), known, c.Origin, c.Size),
				Remedy: "if a backup was restored, begin a new origin with verdict log epoch --from-backup; if not, somebody changed the database",
				Err:    ErrAnchor,
			}
		}
		old = known
	}
	return Cosigned{}, &verdict.Error{
		Code: verdict.CodeUnavailable, What: fmt.Sprintf("the witness %s did not take the checkpoint in %d tries", verifier.Name(), witnessTries),
		Remedy: "run the command again later",
	}
}

// witnessed is the size of the last checkpoint that a witness signed, 0 if there is none.
func (l *Ledger) witnessed(ctx context.Context, c Checkpoint, name string) (size int64, err error) {
	err = l.view(ctx, func(v *store.View, _ store.Head) error {
		known, err := v.Cosignatures(ctx, c.Origin, c.Size, maxList)
		for _, k := range known {
			if k.Name == name {
				size = k.Size
				break
			}
		}
		return err
	})
	return size, err
}

// add asks the witness once. It gives his signature lines, or the size that he knows
// when that is another than old.
func (w Witness) add(ctx context.Context, old int64, proof tlog.TreeProof, signed string) (lines string, known int64, err error) {
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	for _, h := range proof {
		body.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	body.WriteString("\n" + signed)
	unavailable := func(what string, cause error) error {
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: what, Remedy: "check the witness's address and that he accepts this log by its key (verdict log key prints it)", Err: cause,
		}
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(w.URL, "/")+"/add-checkpoint", &body)
	if err != nil {
		return "", 0, unavailable("the address of the witness cannot be read", err)
	}
	a, err := w.Client.Do(q)
	if err != nil {
		return "", 0, unavailable("the witness cannot be reached", err)
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(a.Body, maxWitnessAnswer+1))
	if err != nil || len(answer) > maxWitnessAnswer {
		return "", 0, unavailable("the witness gave no answer that can be read", err)
	}
	switch mediaType, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type")); {
	case a.StatusCode == http.StatusOK && len(answer) > 0:
		return string(answer), 0, nil
	case a.StatusCode == http.StatusConflict && mediaType == "text/x.tlog.size":
		known, err := strconv.ParseInt(strings.TrimSuffix(string(answer), "\n"), 10, 64)
		if err != nil || known < 0 {
			return "", 0, unavailable("the witness named a size that is none", err)
		}
		return "", known, nil
	}
	return "", 0, unavailable(fmt.Sprintf("the witness refused the checkpoint with status %d", a.StatusCode), nil)
}

// keepCosignature checks and stores what a witness answered.
func (l *Ledger) keepCosignature(ctx context.Context, c Checkpoint, lines string, v *torchwood.CosignatureVerifier) (Cosigned, error) {
	signed := c.Note + strings.TrimSuffix(lines, "\n") + "\n"
	n, err := note.Open([]byte(signed), note.VerifierList(l.verify, v))
	var by *note.Signature
	if err == nil {
		for i, s := range n.Sigs {
			if s.Name == v.Name() && s.Hash == v.KeyHash() {
				by = &n.Sigs[i]
			}
		}
	}
	if by == nil {
		return Cosigned{}, &verdict.Error{
			Code: verdict.CodeRefused, What: "the answer of the witness holds no signature by the key " + v.String(),
			Remedy: "check his verifier key; if it is right, do not rely on this witness", Err: errors.Join(err),
		}
	}
	at, err := torchwood.CosignatureTimestamp(*by)
	if err != nil {
		return Cosigned{}, fmt.Errorf("cosignature of %s: %w", by.Name, err)
	}
	if err := keepWitness(l.o.AnchorDir, v); err != nil {
		return Cosigned{}, err
	}
	line := signatureLine(*by)
	err = l.store.PutCosignature(ctx, store.Cosignature{Origin: c.Origin, Size: c.Size, Name: by.Name, Line: line, At: at})
	return Cosigned{Checkpoint: c, Witness: by.Name, Note: c.Note + line, At: at}, err
}

// signatureLine is how a signature stands in a signed note.
func signatureLine(s note.Signature) string { return "— " + s.Name + " " + s.Base64 + "\n" }

// Cosigned gives the largest checkpoint that a witness signed, with all signatures that
// are kept under it. It is false when there is none.
func (l *Ledger) Cosigned(ctx context.Context) (Cosigned, bool, error) {
	var out Cosigned
	found := false
	err := l.view(ctx, func(v *store.View, head store.Head) error {
		known, err := v.Cosignatures(ctx, head.Origin, head.Size, 100)
		if err != nil || len(known) == 0 {
			return err
		}
		found = true
		root, err := rootAt(ctx, v, head, known[0].Size)
		if err != nil {
			return err
		}
		head.Size, head.Root = known[0].Size, root[:]
		if out.Checkpoint, err = l.checkpointOf(head); err != nil {
			return err
		}
		out.Witness, out.At, out.Note = known[0].Name, known[0].At, out.Checkpoint.Note
		for _, k := range known {
			if k.Size == known[0].Size {
				out.Note += k.Line
			}
		}
		return nil
	})
	return out, found, err
}
