package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"verdict/ledger"
	"verdict/report"
	"verdict/store"
	"verdict/store/postgres"
)

const seeStoreMigrate = "verdict store migrate --help"

func storeMigrateCommand() command {
	return command{
		use: "migrate", short: "Move the ledger from its file to PostgreSQL, with everything that belongs to it",
		long: "Every row is copied in one transaction: tables, tree, signatures of witnesses, work that waits. Then the log is verified there, from its bodies to its tree and against the checkpoint and the anchor that it had here. " +
			"Only then is it closed here: nothing is recorded or answered from the file any more, and it says where the log goes on. Whatever goes wrong before leaves the file as it is; run the command again then. " +
			"The database must be empty, and nobody can record anything while the command runs. Keys stay in the data directory, and blobs where they are unless --to-blobs names a store for them too. There is no way back.",
		example: "verdict store migrate --to env:DATABASE_URL\nverdict store migrate --to file:/etc/verdict/database --to-blobs 's3://evidence?region=eu-central-1'",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var to secret
			var blobs blobPlace
			f.secret(&to, "to", "reference (file:PATH or env:NAME) to the URL of an empty PostgreSQL database")
			f.must("to")
			f.add(blobsValue(&blobs), "to-blobs", "", "copy the blobs into this object store too, in the form of --blobs; several replicas need one")
			return func(ctx context.Context, a *app, _ []string) (err error) {
				return a.migrateStore(ctx, to, blobs)
			}
		},
	}
}

// movedStore is the document verdict.moved/v1.
type movedStore struct {
	Schema string `json:"schema"`
	From   string `json:"from"`
	To     string `json:"to"` // without user and password
	Use    string `json:"use"`
	ledger.Moved
}

func (a *app) migrateStore(ctx context.Context, to secret, blobs blobPlace) (err error) {
	if err := a.whereDataIs("a move of the ledger", "verdict store migrate --to "+shellWord(string(to))); err != nil {
		return err
	}
	if a.config.Database != "" {
		return usage(seeStoreMigrate, "the ledger is on PostgreSQL already, and --database names it",
			"leave --database out to move the ledger of the data directory; a log does not move back into a file, which several replicas could not share: use pg_dump and pg_restore between databases")
	}
	url, err := to.reveal(a.env)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") && !strings.Contains(url, "host=") {
		return usage(seeStoreMigrate, "what "+string(to)+" refers to is no address of PostgreSQL",
			"put postgres://user:password@host:5432/database?sslmode=verify-full there; a ledger in a file moves to PostgreSQL alone, and is copied with verdict store backup")
	}
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	engine, err := postgres.Open(ctx, url)
	if err != nil {
		return err
	}
	target, err := store.New(ctx, engine)
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	defer target.Close()
	move := ledger.Move{To: target, Place: engine.Place(), Progress: a.moving()}
	use := "verdict --database " + shellWord(string(to))
	if blobs.text != "" {
		if move.Blobs, err = a.openPlace(ctx, blobs, w.dir); err != nil {
			return err
		}
		use += " --blobs " + shellWord(blobs.text)
	}
	m, err := w.own.Move(ctx, move)
	a.progress.stop()
	if err != nil {
		return err
	}
	doc := movedStore{"verdict.moved/v1", filepath.Join(w.dir, ledgerFile), engine.Place(), use + " log verify", m}
	return a.emit(doc, doc.text)
}

// moving tells how far a move is: one step for the copy, one for the blobs, one for the check.
func (a *app) moving() func(what string, n int64) {
	var step *phase
	now := ""
	return func(what string, n int64) {
		name := "copying the ledger"
		switch what {
		case "blobs":
			name = "copying blobs"
		case "verified":
			name = "verifying the ledger there"
		}
		if name != now {
			step, now = a.progress.phase(name), name
		}
		step.say("%d of %s", n, what)
	}
}

func (d movedStore) text(s report.Style) string {
	out := s.Strong(fmt.Sprintf("The ledger was moved to %s.", d.To)) + "\n"
	rows := [][]string{
		{"log", fmt.Sprintf("%s, %s", d.Checkpoint.Origin, plural(int(d.Verified.Position), "entry", "entries"))},
		{"verified there", fmt.Sprintf("%s from their bodies, %s, %s; against the checkpoint of before and the anchor", plural(int(d.Verified.Verified), "entry", "entries"),
			plural(int(d.Verified.Signatures), "signature", "signatures"), plural(int(d.Verified.Rows), "row", "rows"))},
	}
	if d.Blobs > 0 {
		rows = append(rows, []string{"blobs", fmt.Sprintf("%d copied", d.Blobs)})
	}
	for _, u := range d.Verified.Unchecked {
		rows = append(rows, []string{"not checked", u.What})
	}
	rows = append(rows, []string{"left", d.From + " takes no entry any more"}, []string{"go on with", d.Use})
	return out + report.Table(rows, s.Width, "  ")
}
