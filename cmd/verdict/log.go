package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

func logCommand() command {
	return command{
		use: "log", short: "Look at, prove and export the transparency log that the evidence is kept in",
		sub: []command{
			logCheckpointCommand(), logKeyCommand(), logProofCommand(), logVerifyCommand(), logReceiptCommand(),
			logExportCommand(), logWitnessCommand(), logEpochCommand(), logSweepCommand(),
		},
	}
}

var textOrJSON = []string{"text", "json"}

// emit writes v as JSON, or as the text that a person reads.
func (a *app) emit(v any, text func(s report.Style) string) error {
	return a.write(func(w io.Writer, format string, s report.Style) error {
		if format == "json" {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(v)
		}
		_, err := io.WriteString(w, text(s))
		return err
	})
}

// reading opens an existing workspace for one command.
func reading(r func(ctx context.Context, w *workspace, args []string) error) func(*flags) runner {
	return runs(func(ctx context.Context, a *app, args []string) error {
		w, err := a.openExisting(ctx)
		if err != nil {
			return err
		}
		defer w.close()
		return r(ctx, w, args)
	})
}

// checkpointed is a checkpoint with the signatures of witnesses that are under it.
type checkpointed struct {
	ledger.Checkpoint
	Cosigned *ledger.Cosigned `json:"cosigned"` // the largest that a witness signed, null if none did
}

func logCheckpointCommand() command {
	return command{
		use: "checkpoint", short: "Print the signed size and root of the log",
		long: "The text is a C2SP tlog-checkpoint: keep it outside of this machine, and nobody can take an entry away unseen. " +
			"Signatures of witnesses stand under it while it is the latest.",
		formats: textOrJSON,
		setup: reading(func(ctx context.Context, w *workspace, _ []string) error {
			c, err := w.ledger.Checkpoint(ctx)
			if err != nil {
				return err
			}
			doc := checkpointed{Checkpoint: c}
			signed, found, err := w.ledger.Cosigned(ctx)
			if err != nil {
				return err
			}
			if found {
				doc.Cosigned = &signed
			}
			return w.app.emit(doc, func(report.Style) string {
				if found && signed.Checkpoint.Origin == c.Origin && signed.Checkpoint.Size == c.Size {
					return neutralLines(signed.Note)
				}
				return neutralLines(c.Note) // the same bytes, where it is what a log signs
			})
		}),
	}
}

// logKey is the document verdict.log-key/v1.
type logKey struct {
	Schema      string `json:"schema"`
	Origin      string `json:"origin"`
	VerifierKey string `json:"verifier_key"`
	PublicPEM   string `json:"public_pem"`
}

func logKeyCommand() command {
	return command{
		use: "key", short: "Print the key by which others check this log",
		long: "One line, as C2SP signed-note has it: the log's name, a hash and its public key. Whoever checks checkpoints of this log needs it from you, on a way of its own: " +
			"another ledger for verdict sync --trust-log, a witness, an auditor.",
		formats: textOrJSON,
		setup:   reading(showLogKey),
	}
}

func showLogKey(ctx context.Context, w *workspace, _ []string) error {
	c, err := w.ledger.Checkpoint(ctx)
	if err != nil {
		return err
	}
	key, err := w.publicLogKey(ctx)
	if err != nil {
		return err
	}
	line, err := evidence.VerifierKey(c.Origin, key)
	if err != nil {
		return err
	}
	doc := logKey{"verdict.log-key/v1", c.Origin, line, evidence.LogPublicPEM(key)}
	return w.app.emit(doc, func(report.Style) string { return line + "\n" })
}

func logProofCommand() command {
	return command{
		use: "proof INDEX", short: "Prove that an entry is in the log",
		long: "INDEX is an entry's position, as every command prints it. The text is a C2SP tlog-proof, which other tools check offline. " +
			"With --from SIZE the answer is a consistency proof instead: the log still holds everything that it held at that size.",
		example: "verdict log proof 12\nverdict log proof --from 10 20",
		args:    exactly(1), formats: textOrJSON, reads: true,
		setup: func(f *flags) runner {
			var from int64
			f.number(&from, "from", "SIZE", "prove that the log of size INDEX continues the log of this size", 1, 1<<53)
			return func(ctx context.Context, a *app, args []string) error {
				index, err := strconv.ParseInt(args[0], 10, 64)
				if err != nil || index < 0 {
					return usage("verdict log proof --help", fmt.Sprintf("%q is no entry of the log", args[0]), "give a whole number from 0, as `verdict why` prints it")
				}
				w, err := a.openExisting(ctx)
				if err != nil {
					return err
				}
				defer w.close()
				if from > 0 {
					return w.consistency(ctx, from, index)
				}
				return w.inclusion(ctx, index)
			}
		},
	}
}

func (w *workspace) inclusion(ctx context.Context, index int64) error {
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	p, err := w.ledger.InclusionAt(ctx, index, at)
	if err != nil {
		return err
	}
	if err := p.Check(); err != nil {
		return &verdict.Error{Code: verdict.CodeRefused, What: fmt.Sprintf("the proof of entry %d does not hold", index), Remedy: "run verdict log verify to find what was changed", Err: err}
	}
	return w.app.emit(p, func(report.Style) string { return neutralLines(p.Text()) })
}

func (w *workspace) consistency(ctx context.Context, from, to int64) error {
	p, err := w.ledger.Consistency(ctx, from, to)
	if err != nil {
		return err
	}
	if err := p.Check(); err != nil {
		return &verdict.Error{Code: verdict.CodeRefused, What: fmt.Sprintf("the log of size %d does not continue that of size %d", to, from), Remedy: "run verdict log verify to find what was changed", Err: err}
	}
	return w.app.emit(p, func(report.Style) string {
		out := fmt.Sprintf("The log of %d entries continues the log of %d entries.\n\n%s\n", p.To.Size, p.From.Size, neutralLines(p.To.Note))
		for _, h := range p.Hashes {
			out += h.String() + "\n"
		}
		return out
	})
}
