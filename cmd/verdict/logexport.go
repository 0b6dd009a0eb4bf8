package main

import (
	"context"
	"fmt"
	"path/filepath"

	"verdict/ledger"
	"verdict/report"
)

func logExportCommand() command {
	return command{
		use: "export", short: "Write the log and its evidence into a folder that public tools read",
		long: "The folder holds the log as C2SP tlog-tiles (checkpoint, tile/…), a Sigstore bundle with its proof for each entry (<n>.sigstore.json), trusted_root.json and key.pub for cosign, " +
			"the log's verifier key (log.vkey), and MANIFEST.sha256 for sha256sum -c. The same log gives the same bytes.",
		example: "verdict log export --out DIR\nverdict log export --out DIR --from 100 --to 200",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var out string
			var from, to int64
			f.required(&out, "out", "DIR", "folder to write; it must be new or empty")
			f.number(&from, "from", "INDEX", "first entry whose bundle is written", 0, 1<<53)
			f.number(&to, "to", "INDEX", "entry before which to end; default: all", 1, 1<<53)
			return func(ctx context.Context, a *app, _ []string) error {
				w, err := a.openExisting(ctx)
				if err != nil {
					return err
				}
				defer w.close()
				step := a.progress.phase("exporting the log")
				r, err := w.ledger.Export(ctx, out, ledger.ExportOptions{
					From: ledger.Position(from), To: ledger.Position(to), Progress: func(done, total int64) { step.say("%d of %d entries", done, total) },
				})
				a.progress.stop()
				if err != nil {
					return err
				}
				return a.emit(r, func(s report.Style) string { return exportText(r, out, s) })
			}
		},
	}
}

func exportText(r ledger.ExportReport, out string, s report.Style) string {
	rows := [][]string{
		{"log", fmt.Sprintf("%s, %d entries", r.Checkpoint.Origin, r.Checkpoint.Size)},
		{"bundles", fmt.Sprintf("%d", r.Bundles)}, {"files", fmt.Sprintf("%d in %s", r.Files, out)},
	}
	if r.Pruned > 0 {
		rows = append(rows, []string{"pruned", fmt.Sprintf("%d entries without a body: their leaf is in the tree, and they have no bundle", r.Pruned)})
	}
	if r.Unproved > 0 {
		rows = append(rows, []string{"unproved", fmt.Sprintf("%d bundles of earlier epochs, whose checkpoint nobody signed", r.Unproved)})
	}
	at := func(name string) string { return filepath.Join(out, name) }
	return s.Strong("The log is exported.") + "\n" + report.Table(rows, s.Width, "  ") +
		"\nWithout Verdict, N being an entry and FILE what it is about:\n" +
		"  cosign verify-blob-attestation --key " + at("key.pub") + " --bundle " + at("N.sigstore.json") + " \\\n" +
		"    --trusted-root " + at("trusted_root.json") + " --type PREDICATE-TYPE FILE\n"
}
