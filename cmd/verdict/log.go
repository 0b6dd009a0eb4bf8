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
					return signed.Note
				}
				return c.Note
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
	return w.app.emit(p, func(report.Style) string { return p.Text() })
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
		out := fmt.Sprintf("The log of %d entries continues the log of %d entries.\n\n%s\n", p.To.Size, p.From.Size, p.To.Note)
		for _, h := range p.Hashes {
			out += h.String() + "\n"
		}
		return out
	})
}

func logVerifyCommand() command {
	return command{
		use: "verify", short: "Compute the whole log again: leaves, tree, anchor, signatures and index",
		long: "Every leaf is computed from its body, the root from the leaves, and every index row from the statements; the root is compared with the anchor outside the database, and with each checkpoint that a witness signed. " +
			"The first thing that does not hold is named. Ends with 3 when something does not hold, and with 1 when something could not be checked. " +
			"With --against the log is held against a checkpoint too that somebody kept outside of this machine; when it covers what was there before the anchor was begun, " +
			"the anchor counts as whole from then on. Give the latest that was kept: one that was printed here only now says nothing about before.",
		example: "verdict log verify\nverdict log verify --signatures=false -o json\nverdict log verify --against checkpoint.txt",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			signatures := true
			f.toggle(&signatures, "signatures", "check the signature of each statement too")
			var witnesses []string
			against := ""
			f.text(&against, "against", "FILE", "hold the log against this checkpoint too: what verdict log checkpoint printed, kept elsewhere since; - for standard input")
			f.list(&witnesses, "witness-key", "VKEY", "verifier key of a witness whose signatures are kept here; those of verdict log witness are known; repeatable")
			return func(ctx context.Context, a *app, _ []string) error {
				var kept []byte
				if against != "" {
					var err error
					if kept, err = a.readInput(against, "the checkpoint", maxCheckpoint); err != nil {
						return err
					}
				}
				w, err := a.openToInspect(ctx)
				if err != nil {
					return err
				}
				defer w.close()
				own, err := w.local("a verification from the bodies", "verdict log verify")
				if err != nil {
					return err
				}
				step := a.progress.phase("verifying the log")
				r, err := own.Verify(ctx, ledger.VerifyOptions{Signatures: signatures, Against: kept, WitnessKeys: witnesses, Progress: func(done, total int64) {
					step.say("%d of %d entries", done, total)
				}})
				a.progress.stop()
				if err != nil {
					return err
				}
				if err := a.emit(r, func(s report.Style) string { return verifyText(r, s) }); err != nil {
					return err
				}
				if e := r.Err(); e != nil {
					return exit(verdict.AsError(e).Code.Exit())
				}
				return nil
			}
		},
	}
}

// maxCheckpoint bounds a checkpoint with the signatures under it, in bytes.
const maxCheckpoint = 64 << 10

// openToInspect opens a workspace that its anchor may refuse: to look is how one finds
// out why.
func (a *app) openToInspect(ctx context.Context) (*workspace, error) {
	if err := a.mustExist(); err != nil {
		return nil, err
	}
	return a.openAs(ctx, true)
}

func verifyText(r ledger.VerifyReport, s report.Style) string {
	head := "The log holds."
	switch {
	case r.Signatures == 0 && r.Verified > 0 && r.Holds():
		head = "The log holds; its signatures were not checked."
	case len(r.Problems) > 0:
		head = "THE LOG DOES NOT HOLD."
	case len(r.Unchecked) > 0:
		head = "NOT EVERYTHING COULD BE CHECKED."
	}
	out := s.Strong(head) + "\n"
	for _, p := range append(r.Problems, r.Unchecked...) {
		where := "  "
		if p.Index >= 0 {
			where = fmt.Sprintf("  entry %d: ", p.Index)
		}
		out += report.Wrap(where+report.Neutral(p.What), s.Width, "  ") + "\n" + report.Wrap("  fix: "+p.Remedy, s.Width, "  ") + "\n"
	}
	signatures := fmt.Sprintf("%d hold", r.Signatures)
	if r.Signatures == 0 {
		signatures = "not checked"
	}
	rows := [][]string{
		{"leaves", fmt.Sprintf("%d computed from their bodies", r.Verified)}, {"signatures", signatures},
		{"index rows", fmt.Sprintf("%d computed again and compared", r.Rows)}, {"anchor", r.Anchor},
	}
	if r.Blobs > 0 {
		rows = append(rows, []string{"rest on", plural(int(r.Blobs), "file (rules, maps, bills) that is", "files (rules, maps, bills) that are") + " there and whole"})
	}
	if a := r.Against; a != nil {
		rows = append(rows, []string{"checkpoint", againstText(a)})
	}
	if r.Cosignatures > 0 {
		rows = append(rows, []string{"witnesses", plural(int(r.Cosignatures), "signature holds", "signatures hold")})
	}
	for _, w := range r.Witnesses {
		rows = append(rows, []string{"witness", report.Neutral(witnessText(w))})
	}
	if r.Pruned > 0 {
		rows = append(rows, []string{"pruned", fmt.Sprintf("%d entries without a body: only their leaf was checked", r.Pruned)})
	}
	for _, e := range r.Epochs {
		rows = append(rows, []string{"log", fmt.Sprintf("%s, %s, root %s", e.Origin, plural(int(e.Size), "entry", "entries"), e.Root)})
		if e.Lost > 0 {
			rows = append(rows, []string{"lost", plural(int(e.Lost), "position before it stays", "positions before it stay") + " empty since a restored backup"})
		}
	}
	return out + report.Table(rows, s.Width, "  ")
}

// witnessText says what a witness has signed, as far as it is held here.
func witnessText(w ledger.WitnessReport) string {
	if w.Origin == "" {
		return w.Name + ": NONE of his signatures is held here. If he signed for this log, they were taken out: ask him which checkpoints he has seen"
	}
	return fmt.Sprintf("%s signed up to %s of %s", w.Name, plural(int(w.Size), "entry", "entries"), w.Origin)
}

// againstText says what came of the checkpoint that was given.
func againstText(a *ledger.AgainstReport) string {
	given := fmt.Sprintf("of %s, %s", a.Origin, plural(int(a.Size), "entry", "entries"))
	switch {
	case !a.Continues:
		return given + ": THE LOG DOES NOT CONTINUE IT"
	case a.Cleared:
		return fmt.Sprintf("%s: the log continues it. The anchor, which was begun at entry %d, is whole with it", given, a.Since)
	}
	return given + ": the log continues it"
}
