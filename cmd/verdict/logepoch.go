package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"verdict"
	"verdict/ledger"
	"verdict/report"
)

// nextLogKeyFile is the key of an epoch that is being opened. It takes the place of
// logKeyFile once the epoch is there; after a crash in between the command goes on.
const nextLogKeyFile = "log.next.key"

func logEpochCommand() command {
	return command{
		use: "epoch", short: "Continue the log under a new name after a backup was restored or its key was lost",
		long: "The old origin is closed and never forked: the new one's first leaf names the last checkpoint that anybody saw and what is missing since. " +
			"A log that can go on is left alone.",
		example: "verdict log epoch --from-backup --reason 'disk of 20 November, ticket OPS-12'",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var backup, lost bool
			reason := ""
			f.toggle(&backup, "from-backup", "the database was restored from a backup")
			f.toggle(&lost, "lost-key", "the key that signs checkpoints is lost")
			f.text(&reason, "reason", "TEXT", "what happened, for those who read the log later")
			return func(ctx context.Context, a *app, _ []string) error {
				if backup == lost {
					return usage("verdict log epoch --help", "a new epoch needs to know what happened", "give --from-backup or --lost-key, one of them")
				}
				if reason == "" {
					reason = map[bool]string{true: "restored from a backup", false: "the log key was lost"}[backup]
				}
				return a.newEpoch(ctx, reason)
			}
		},
	}
}

func (a *app) newEpoch(ctx context.Context, reason string) error {
	if err := a.mustExist(); err != nil {
		return err
	}
	if err := a.cannotGoOn(ctx); err != nil {
		return err
	}
	w, err := a.openWith(ctx, true, nextLogKeyFile)
	if err != nil {
		return err
	}
	epoch, err := w.ledger.NewEpoch(ctx, reason)
	if err = errors.Join(err, w.close()); err != nil {
		if epoch.Origin == "" { // nothing was opened: the key that was made for it goes
			err = errors.Join(err, os.Remove(filepath.Join(w.dir, keyFolder, nextLogKeyFile)))
		}
		return err
	}
	if err := w.takeLogKey(); err != nil {
		return err
	}
	return a.emit(epoch, func(s report.Style) string {
		rows := [][]string{
			{"origin", epoch.Origin}, {"continues", epoch.Previous}, {"survived", fmt.Sprintf("%d entries", epoch.Survived)},
			{"first of the old ones", epoch.Continues},
		}
		if epoch.LostTo > epoch.LostFrom {
			rows = append(rows, []string{"LOST", fmt.Sprintf("entries %d to %d stay empty", epoch.LostFrom, epoch.LostTo-1)})
		}
		return s.Strong("The log goes on under a new name.") + "\n" + report.Table(rows, s.Width, "  ") +
			"Give the new checkpoint to everybody who kept one: verdict log checkpoint\n"
	})
}

// cannotGoOn is nil for a log that its anchor refuses, or whose key is not there. The
// new epoch is opened with another key, so only the present one can tell.
func (a *app) cannotGoOn(ctx context.Context) error {
	folder, err := a.dataDir()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, keyFolder, logKeyFile)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	w, err := a.openAs(ctx, true)
	if err != nil {
		return err
	}
	_, refused := w.ledger.Checkpoint(ctx)
	if err := w.close(); err != nil || refused != nil {
		return err
	}
	return &verdict.Error{
		Code: verdict.CodeConflict, What: "the log agrees with its anchor and has its key: it needs no new epoch",
		Remedy: "go on with it; a new epoch is for a restored backup or a lost log key",
	}
}

// takeLogKey lets the new key take the old one's place, and keeps the old one beside it.
func (w *workspace) takeLogKey() error {
	current, next := filepath.Join(w.dir, keyFolder, logKeyFile), filepath.Join(w.dir, keyFolder, nextLogKeyFile)
	kept := filepath.Join(w.dir, keyFolder, "log."+w.now().Format("20060102T150405Z")+".key")
	if err := os.Link(current, kept); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("keep the old log key: %w", err)
	}
	if err := os.Rename(next, current); err != nil {
		return fmt.Errorf("take the new log key: %w", err)
	}
	return nil
}

func logWitnessCommand() command {
	return command{
		use: "witness", short: "Have the latest checkpoint signed by a witness",
		long: "Speaks C2SP tlog-witness: the witness signs only a log that continues what it has seen, so a log that was rewritten is refused. " +
			"The cosignature is kept and shown with the checkpoint.",
		example: "verdict log witness --url https://witness.example/ --key witness.example+12345678+Ab…",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var url, key string
			f.add(addressValue(&url), "url", "", "address of the witness; /add-checkpoint is added")
			f.must["url"] = true
			f.required(&key, "key", "VKEY", "the witness's verifier key, from a channel that is not the witness itself")
			return func(ctx context.Context, a *app, _ []string) error {
				if a.config.Offline {
					return usage("verdict log witness --help", "--offline forbids the connection to a witness", "leave --offline out")
				}
				w, err := a.openExisting(ctx)
				if err != nil {
					return err
				}
				defer w.close()
				c, err := w.ledger.Witness(ctx, ledger.Witness{URL: url, Key: key, Client: witnessClient()})
				if err != nil {
					return err
				}
				return a.emit(c, func(report.Style) string { return c.Note })
			}
		},
	}
}

// witnessClient follows no redirect: the request goes to the address that a person gave.
func witnessClient() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the witness sends us to another address", Remedy: "ask its operator for the right one, and give that with --url"}
	}}
}
