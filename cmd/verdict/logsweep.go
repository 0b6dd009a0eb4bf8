package main

import (
	"context"
	"fmt"

	"verdict/ledger"
	"verdict/report"
)

// sweptLog is the document verdict.sweep/v1.
type sweptLog struct {
	Schema string `json:"schema"`
	ledger.SweepReport
}

func logSweepCommand() command {
	return command{
		use: "sweep", short: "Remove large files of the ledger on which no entry rests",
		long: "Rules, maps and large evidence lie beside the log under their digests. A command that was killed may leave one there to which no entry leads. A sweep marks these and removes nothing at first; " +
			"one that runs a day later looks again, and removes what is marked still. What an entry names is never removed, nor what was put again since. " +
			"Run it daily or never: nothing depends on it but disk space. With --server the server does it, for who may manage it (admins); it does so daily by itself, and one at a time.",
		formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, _ []string) error {
			doc, err := a.sweep(ctx)
			if err != nil {
				return err
			}
			return a.emit(doc, doc.text)
		}),
	}
}

const sweepSchema = "verdict.sweep/v1"

func (a *app) sweep(ctx context.Context) (doc sweptLog, err error) {
	if a.config.Server != "" {
		return doc, a.atServer(ctx, "verdict log sweep --help", "/log/sweeps", nil, &doc)
	}
	w, err := a.openExisting(ctx)
	if err != nil {
		return doc, err
	}
	defer w.end(&err)
	a.progress.phase("sweeping")
	defer a.progress.stop()
	doc.Schema = sweepSchema
	doc.SweepReport, err = w.own.Sweep(ctx)
	return doc, err
}

// shownBlobs bounds how many blobs are listed for a person.
const shownBlobs = 20

func (d sweptLog) text(s report.Style) string {
	head := "Nothing was removed."
	if n := len(d.Removed); n > 0 {
		head = fmt.Sprintf("Removed %s, %s.", plural(n, "file", "files"), bytesText(d.Freed))
	}
	out := s.Strong(head) + "\n"
	rows := [][]string{{"looked at", plural(int(d.Seen), "file", "files")}}
	if d.Named > 0 {
		rows = append(rows, []string{"read first", plural(int(d.Named), "entry", "entries") + " of an earlier version, to know which files they name"})
	}
	rows = append(rows, sweptRows("removed", d.Removed)...)
	rows = append(rows, sweptRows("marked", d.Marked)...)
	if d.Waiting > 0 {
		rows = append(rows, []string{"waiting", plural(int(d.Waiting), "file", "files") + " that an earlier sweep marked"})
	}
	if d.Kept > 0 {
		rows = append(rows, []string{"kept", plural(int(d.Kept), "file that was marked is needed again", "files that were marked are needed again")})
	}
	out += report.Table(rows, s.Width, "  ")
	if !d.Due.IsZero() {
		out += report.Wrap("What is marked may be removed from "+d.Due.Format("2006-01-02 15:04:05 MST")+" on, by the next verdict log sweep after that.", s.Width, "") + "\n"
	}
	return out
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return plural(int(n), "byte", "bytes")
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", (n+1<<10-1)>>10)
	}
	return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20)
}

// sweptRows lists blobs, the first ones by name.
func sweptRows(what string, blobs []ledger.SweptBlob) [][]string {
	var rows [][]string
	for i, b := range blobs {
		if i == shownBlobs {
			rows = append(rows, []string{what, fmt.Sprintf("and %d more (-o json lists all)", len(blobs)-i)})
			break
		}
		rows = append(rows, []string{what, fmt.Sprintf("%s, %s", b.Digest, bytesText(b.Size))})
	}
	return rows
}
