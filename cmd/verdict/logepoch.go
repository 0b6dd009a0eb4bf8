package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
)

// nextLogKeyFile is the key of an epoch that is being opened. It takes the place of
// logKeyFile once the epoch is there; after a crash in between the command goes on.
const nextLogKeyFile = "log.next.key"

func logEpochCommand() command {
	return command{
		use: "epoch", short: "Continue the log under a new name after a backup was restored or its key was lost",
		long: "The old origin is closed and never forked: the first leaf of the new one names the last checkpoint that anybody saw and what is missing since. What was lost keeps its places, which stay empty. " +
			"A log that can go on is left alone. An epoch that was interrupted is taken up again. With --log-key, the new part is signed by the key that it names, which must be another one than before.",
		example: "verdict log epoch --from-backup --reason 'disk of 20 November, ticket OPS-12'\nverdict log epoch --lost-key",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var backup, lost bool
			reason := ""
			f.toggle(&backup, "from-backup", "the database was restored from a backup")
			f.toggle(&lost, "lost-key", "the key that signs checkpoints is lost")
			f.text(&reason, "reason", "TEXT", "what happened, for those who read the log later; no names or addresses")
			return func(ctx context.Context, a *app, _ []string) error {
				if backup == lost {
					return usage("verdict log epoch --help", "a new epoch needs to know what happened", "give --from-backup or --lost-key, one of them")
				}
				if err := checkReason(reason); err != nil {
					return err
				}
				if reason == "" {
					reason = map[bool]string{true: "restored from a backup", false: "the log key was lost"}[backup]
				}
				return a.newEpoch(ctx, backup, reason)
			}
		},
	}
}

// begunEpoch is the document verdict.epoch/v1.
type begunEpoch struct {
	Schema string `json:"schema"`
	ledger.Epoch
	KeptKey string `json:"kept_key"` // file of the old log key; empty: there was none
}

func (a *app) newEpoch(ctx context.Context, backup bool, reason string) error {
	if err := a.whereDataIs("a new epoch", "verdict log epoch"); err != nil {
		return err
	}
	if err := a.mustExist(); err != nil {
		return err
	}
	folder, err := a.dataDir()
	if err != nil {
		return err
	}
	next := filepath.Join(folder, keyFolder, nextLogKeyFile)
	if _, err := os.Stat(next); err == nil && a.config.LogKey.scheme == "" {
		if done, err := a.interruptedEpoch(ctx); done || err != nil {
			return err
		}
	}
	if err := a.cannotGoOn(ctx, folder, backup); err != nil {
		return err
	}
	w, err := a.openWith(ctx, true, nextLogKeyFile)
	if err != nil {
		return err
	}
	if err := w.maySignEpoch(ctx); err != nil {
		return errors.Join(err, w.close())
	}
	epoch, err := w.own.NewEpoch(ctx, reason)
	if err = errors.Join(err, w.close()); err != nil {
		return err
	}
	return w.tellEpoch(epoch)
}

// interruptedEpoch ends what an earlier run began: the epoch is in the database, and its
// key is not yet in its place. It is false when there is no such epoch.
func (a *app) interruptedEpoch(ctx context.Context) (done bool, err error) {
	w, err := a.openWith(ctx, true, nextLogKeyFile)
	if err != nil {
		return false, err
	}
	_, refused := w.ledger.Checkpoint(ctx)
	if refused != nil {
		return false, w.close()
	}
	var epoch ledger.Epoch
	begun, err := w.ledger.Standing(ctx, verdict.KindEpoch, "", ledger.Now)
	if err == nil && len(begun) > 0 {
		err = w.decode(ctx, begun[0].Index, &epoch)
	}
	if err = errors.Join(err, w.close()); err != nil || len(begun) == 0 {
		return false, err
	}
	return true, w.tellEpoch(epoch)
}

// cannotGoOn is nil for a log that its anchor refuses, or whose key is not there. The
// new epoch is opened with another key, so only the present one can tell.
func (a *app) cannotGoOn(ctx context.Context, folder string, backup bool) error {
	if _, err := os.Stat(filepath.Join(folder, keyFolder, logKeyFile)); errors.Is(err, fs.ErrNotExist) && a.config.LogKey.scheme == "" {
		return nil
	}
	w, err := a.openAs(ctx, true)
	if err != nil {
		return err
	}
	_, refused := w.ledger.Checkpoint(ctx)
	if err := w.close(); err != nil {
		return err
	}
	switch {
	case refused == nil:
		return &verdict.Error{
			Code: verdict.CodeConflict, What: "the log agrees with its anchor and has its key: it needs no new epoch",
			Remedy: "go on with it; a new epoch is for a restored backup or a lost log key",
		}
	case !backup && errors.Is(refused, ledger.ErrAnchor):
		return usage("verdict log epoch --help", "the key of the log is not lost; "+refused.Error(), "if a backup was restored, say so: verdict log epoch --from-backup")
	}
	return nil
}

// maySignEpoch refuses a key that the database, as it is now, does not know: it may have
// been enrolled after the backup was made.
func (w *workspace) maySignEpoch(ctx context.Context) error {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	if k, ok := h.Key(w.signer.KeyID()); ok && k.To == identity.Open {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeForbidden, What: "the key " + w.signerName() + " does not count in the database as it is now: it was enrolled after the backup was made, or ended before",
		Remedy: "sign with a key that counts there: --as KEY; an earlier one, such as local.1a2b3c4d.pem, can be named after it is copied to a name of its own, such as old.pem, in " + w.ring.Dir,
	}
}

// tellEpoch puts the new log key in its place and says what is lost.
func (w *workspace) tellEpoch(e ledger.Epoch) error {
	kept, err := w.takeLogKey()
	if err != nil {
		return err
	}
	doc := begunEpoch{"verdict.epoch/v1", e, kept}
	return w.app.emit(doc, doc.text)
}

// takeLogKey lets the new key take the old one's place, and keeps the old one beside it
// under the beginning of its log's default name.
func (w *workspace) takeLogKey() (kept string, err error) {
	if w.app.config.LogKey.scheme != "" {
		return "", nil // it is where --log-key says, and so is the old one
	}
	folder := filepath.Join(w.dir, keyFolder)
	current, next := filepath.Join(folder, logKeyFile), filepath.Join(folder, nextLogKeyFile)
	old, err := evidence.OpenLogKey(current)
	switch {
	case err == nil:
		kept = filepath.Join(folder, "log."+ledger.DefaultOrigin(old.Public())[:10]+".key")
	case errors.Is(err, fs.ErrNotExist):
	default: // it is no key; it is kept all the same
		kept = filepath.Join(folder, "log.unreadable.key")
	}
	if kept != "" {
		if err := os.Link(current, kept); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("keep the old log key: %w", err)
		}
	}
	if err := os.Rename(next, current); err != nil {
		return "", fmt.Errorf("take the new log key: %w", err)
	}
	return kept, nil
}

func (e begunEpoch) text(s report.Style) string {
	kept := plural(int(e.Survived), "entry", "entries") + " of it"
	switch e.Continues {
	case "yes":
		kept += ", the first ones of the last checkpoint that was seen"
	case "no":
		kept += ", WHICH ARE NOT those of the last checkpoint that was seen: somebody changed them"
	default:
		kept += "; whether they are those that were seen before, nobody can tell from them alone"
	}
	rows := [][]string{
		{"now", e.Origin},
		{"before", e.Previous + ", which takes no entry any more"},
		{"kept", kept},
	}
	if e.LostTo > e.LostFrom {
		rows = append(rows, []string{"LOST", entriesText(e.LostFrom, e.LostTo) + ": recorded before, and not there now; the place stays empty"})
	} else {
		rows = append(rows, []string{"lost", "nothing that anybody has seen"})
	}
	rows = append(rows, []string{"reason", report.Neutral(e.Reason)})
	if e.KeptKey != "" {
		rows = append(rows, []string{"old key", report.Neutral(e.KeptKey)})
	}
	out := s.Strong("The log goes on under a new name.") + "\n" + report.Table(rows, s.Width, "  ") + "next:\n"
	if e.LostTo > e.LostFrom {
		out += "  record again what was lost: verdict ci on what was judged since the backup\n"
	}
	return out + "  verdict log verify\n  verdict log checkpoint    for everybody who kept one of the old log\n  verdict log key           for everybody who checks it\n"
}

// entriesText names the entries [from, to).
func entriesText(from, to int64) string {
	if to-from == 1 {
		return fmt.Sprintf("entry %d", from)
	}
	return fmt.Sprintf("%d entries, %d to %d", to-from, from, to-1)
}
