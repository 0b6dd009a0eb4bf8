package main

import (
	"context"
	"fmt"

	"verdict"
	"verdict/ledger"
	"verdict/report"
)

func logVerifyCommand() command {
	return command{
		use: "verify", short: "Compute the whole log again: leaves, tree, anchor, signatures and index",
		long: "Every leaf is computed from its body, the root from the leaves, and every index row from the statements; the root is compared with the anchor outside the database, and with each checkpoint that a witness signed. " +
			"The first thing that does not hold is named. Ends with 3 when something does not hold, and with 1 when something could not be checked. " +
			"With --against the log is held against a checkpoint too that somebody kept outside of this machine; when it covers what was there before the anchor was begun, " +
			"the anchor counts as whole from then on. Give the latest that was kept: one that was printed here only now says nothing about before.\n\n" +
			"With --server the bytes of its log are fetched, and everything is computed on this machine: nothing that the server says is believed. In the anchor's place stands what was seen of that log here before, in " +
			"$XDG_STATE_HOME/verdict/seen.json: a log that is shorter now, or another one, does not hold. Remove that file to begin anew. " +
			"What lies outside of your roles, and the tables in which the server looks things up, cannot be checked from here, and that is told.",
		example: "verdict log verify\nverdict log verify --signatures=false -o json\nverdict log verify --against checkpoint.txt\nverdict log verify --server https://verdict.acme.example --trust-log log.vkey",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			x := &logVerifying{signatures: true}
			f.toggle(&x.signatures, "signatures", "check the signature of each statement too")
			f.text(&x.against, "against", "FILE", "hold the log against this checkpoint too: what verdict log checkpoint printed, kept elsewhere since; - for standard input")
			f.list(&x.witnesses, "witness-key", "VKEY", "verifier key of a witness whose signatures are kept here; those of verdict log witness are known, and with --server one whose signature is not given is missed; repeatable")
			f.text(&x.trust, "trust-log", "VKEY", trustLogHelp)
			return x.run
		},
	}
}

const trustLogHelp = "the key that the server's log must have: what verdict log key prints where its data is, or a file with it; goes with --server"

// logVerifying is one run of the command.
type logVerifying struct {
	signatures     bool
	witnesses      []string
	against, trust string
}

func (x *logVerifying) run(ctx context.Context, a *app, _ []string) error {
	o := ledger.VerifyOptions{Signatures: x.signatures, WitnessKeys: x.witnesses}
	var err error
	if x.against != "" {
		if o.Against, err = a.readInput(x.against, "the checkpoint", maxCheckpoint); err != nil {
			return err
		}
	}
	if o.LogKeys, err = a.trustedLog(x.trust, "verdict log verify --help"); err != nil {
		return err
	}
	w, err := a.openToInspect(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	step := a.progress.phase("verifying the log")
	o.Progress = func(done, total int64) { step.say("%d of %d entries", done, total) }
	r, err := w.verify(ctx, o)
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

func (w *workspace) verify(ctx context.Context, o ledger.VerifyOptions) (ledger.VerifyReport, error) {
	if w.served == nil {
		return w.own.Verify(ctx, o)
	}
	server := w.app.config.Server
	seen, err := w.app.seen(server)
	if err != nil {
		return ledger.VerifyReport{}, err
	}
	r, now, err := ledger.VerifyAfar(ctx, w.served.Mirror(), seen, o)
	r.Server = server
	if err == nil {
		err = w.app.keepSeen(server, seen, now)
	}
	return r, err
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
	all := append(r.Problems, r.Unchecked...)
	for i, p := range all {
		where := "  "
		if p.Index >= 0 {
			where = fmt.Sprintf("  entry %d: ", p.Index)
		}
		out += report.Wrap(where+report.Neutral(p.What), s.Width, "  ") + "\n"
		if i+1 == len(all) || all[i+1].Remedy != p.Remedy { // once below all that it mends
			out += report.Wrap("  fix: "+p.Remedy, s.Width, "  ") + "\n"
		}
	}
	signatures := fmt.Sprintf("%d hold", r.Signatures)
	if r.Signatures == 0 {
		signatures = "not checked"
	}
	rows := [][]string{
		{"leaves", fmt.Sprintf("%d computed from their bodies", r.Verified)}, {"signatures", signatures},
		{"index rows", fmt.Sprintf("%d computed again and compared", r.Rows)}, {"anchor", r.Anchor},
	}
	if r.Server != "" {
		rows[2] = []string{"listed", fmt.Sprintf("%d entries as the server lists them, computed again and compared", r.Rows)}
		rows[3] = []string{"seen here", map[string]string{"agrees": "before; the log continues that", "absent": "for the first time"}[r.Anchor]}
		if rows[3][1] == "" {
			rows[3][1] = "ANOTHER LOG, BEFORE"
		}
		rows = append(rows, []string{"not here", "the tables in which the server looks things up: verdict log verify where its data is"})
	}
	if r.Unseen > 0 {
		rows = append(rows, []string{"no scope", fmt.Sprintf("%d entries outside of your roles: only their leaf was checked", r.Unseen)})
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
