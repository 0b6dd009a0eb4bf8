package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"verdict"
	"verdict/report"
)

// verifiedTime is what a key history of another log has for its times: validity goes by
// position, and the times of another log are its own word.
var verifiedTime time.Time

func syncCommand() command {
	return command{
		use: "sync", short: "Send what this ledger recorded to another one",
		long: "Each entry of this ledger that the other one does not have is recorded there as evidence of others, keyed by the name of this log and its index, so that sending again adds nothing and an interrupted run goes on where it stopped. " +
			"The other side believes nothing unseen: it verifies the checkpoint of this log with the key that it knows the log by (--trust-log, the first time), that the log continues what it showed before, the proof of each entry, and its signature by a key that counted there, and signs what it verified.\n\n" +
			"What arrives is a claim: a decision decides nothing on the other side, an exception exempts from nothing, a key signs nothing. Whether evidence counts is for the trust of the other side's map. " +
			"Evidence of others in this ledger, and the input documents of decisions, stay where they are. A bill of materials that lies as a blob beside its statement goes with it, and bills of artifacts are matched with the advisories of the other side.\n\n" +
			"With --server the other ledger is that of a control plane, which verifies in the same way; the caller needs a role that states evidence. " +
			"Otherwise --to is the data directory of the other ledger, opened with its own keys and anchor; its machine key signs what is recorded, or the key of it that --as names. " +
			"Ends with 3 when something was verified and does not hold, and with 1 when something could not be verified.",
		example: "verdict sync --server https://verdict.acme.example --trust-log \"$(verdict log key)\"\nverdict sync --to /srv/verdict --trust-log \"$(verdict log key)\"\nverdict sync --to /srv/verdict -o json\nverdict sync --to /srv/verdict --to-database file:/etc/verdict/database",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			x := &syncing{}
			f.text(&x.to, "to", "DIR", "data directory of the other ledger; with --server it is the server's")
			f.secret(&x.database, "to-database", "reference (file:PATH or env:NAME) to the URL of the PostgreSQL database that holds the other ledger; its keys are in --to")
			f.add(blobsValue(&x.blobs), "to-blobs", "", "object store that holds the large files of the other ledger, as --blobs has it")
			f.text(&x.trust, "trust-log", "VKEY", "key of this log, as verdict log key prints it: needed the first time, kept with what is recorded")
			return x.run
		},
	}
}

// syncing is one run of the command.
type syncing struct {
	to       string
	database secret
	blobs    blobPlace
	trust    string
}

// synced is the document verdict.synced/v1.
type synced struct {
	Schema  string    `json:"schema"`
	From    syncedLog `json:"from"`
	To      syncedLog `json:"to"`
	Trusted string    `json:"trusted"` // how the other side knows this log
	Sent    int64     `json:"sent"`
	Claims  int64     `json:"claims"` // decisions among them: claims on the other side
	Known   int64     `json:"known"`  // were there before
	Blobs   int64     `json:"blobs"`  // bills of materials that lie beside their statements
	// Matched counts bills among them that were held against the advisories of the other side,
	// and NotMatched those that were not, by reason.
	Matched    int64     `json:"matched"`
	NotMatched []notSent `json:"not_matched"`
	// LeftOut is what cannot travel, by reason.
	LeftOut []notSent `json:"left_out"`
	// Refused is what does not hold or could not be read, at most 100 entries.
	Refused []refusedEntry `json:"refused"`
	// MoreRefused counts those that are not listed.
	MoreRefused int64 `json:"more_refused"`
}

type syncedLog struct {
	Origin  string `json:"origin"`
	Data    string `json:"data"`
	Entries int64  `json:"entries"`
}

type notSent struct {
	Reason string `json:"reason"`
	First  int64  `json:"first"` // index of the first of them
	Count  int64  `json:"count"`
}

type refusedEntry struct {
	Index  int64        `json:"index"`
	Code   verdict.Code `json:"code"` // refused, or unavailable when it could not be checked
	Reason string       `json:"reason"`
}

const maxRefused = 100

func newSynced() *synced {
	return &synced{Schema: "verdict.synced/v1", LeftOut: []notSent{}, NotMatched: []notSent{}, Refused: []refusedEntry{}}
}

func (r *synced) took(k verdict.Kind, fresh bool) {
	if !fresh {
		r.Known++
		return
	}
	r.Sent++
	if k == verdict.KindDecision {
		r.Claims++
	}
}

func (r *synced) leave(index int64, reason string) { r.LeftOut = byReason(r.LeftOut, index, reason) }

func byReason(list []notSent, index int64, reason string) []notSent {
	for i := range list {
		if list[i].Reason == reason {
			list[i].Count++
			return list
		}
	}
	return append(list, notSent{reason, index, 1})
}

func (r *synced) refuse(index int64, code verdict.Code, why error) {
	if len(r.Refused) == maxRefused {
		r.MoreRefused++
		return
	}
	r.Refused = append(r.Refused, refusedEntry{index, code, report.Neutral(why.Error())})
}

func (r *synced) exit() int {
	code := 0
	for _, x := range r.Refused {
		if x.Code == verdict.CodeRefused {
			return x.Code.Exit()
		}
		code = x.Code.Exit()
	}
	return code
}

func (x *syncing) run(ctx context.Context, a *app, _ []string) (err error) {
	switch {
	case a.config.Server != "" && x.to != "":
		return usage("verdict sync --help", "the ledger in "+x.to+" and the server "+a.config.Server+" are both named", "give one of --to and --server")
	case a.config.Server != "":
		return x.toServer(ctx, a)
	case x.to == "":
		return usage("verdict sync --help", "nothing says where to send", "name the control plane with --server URL, or the data directory of another ledger with --to DIR")
	}
	here, there := *a, *a
	here.config.As = "" // whoever takes signs
	there.config.Data, there.config.Database, there.config.Blobs = x.to, x.database, x.blobs
	there.config.LogKey = keyRef{} // a log key is of one log: the other one has its file
	from, err := here.openExisting(ctx)
	if err != nil {
		return err
	}
	defer from.close()
	// A wrong --to must not begin a ledger there. Every ledger has its log key in its
	// directory, also one whose database is elsewhere.
	if _, err := os.Stat(filepath.Join(x.to, keyFolder, logKeyFile)); err != nil {
		return &verdict.Error{
			Code: verdict.CodeNotFound, What: "there is no ledger in " + x.to,
			Remedy: "compare --to with the data directory of the other ledger; a new one begins with the first thing that is recorded in it, such as verdict ci --data " + x.to,
		}
	}
	to, err := there.open(ctx)
	if err != nil {
		return x.otherSide(err)
	}
	defer to.end(&err)
	if err := different(ctx, from, to); err != nil {
		return err
	}
	r := newSynced()
	t := &taking{from: from.ledger, to: to, result: r, step: a.progress.phase("sending evidence")}
	err = t.run(ctx, x.trust)
	a.progress.stop()
	if err != nil {
		return r.interrupted(err)
	}
	end, err := to.ledger.Checkpoint(ctx)
	if err != nil {
		return err
	}
	r.From = syncedLog{t.head.Origin, from.dir, int64(t.head.Position)}
	r.To = syncedLog{end.Origin, to.dir, int64(end.Position)}
	if err := a.emit(r, r.text); err != nil {
		return err
	}
	return exit(r.exit())
}

// interrupted says what was recorded before an error ended the run.
func (r *synced) interrupted(err error) error {
	if r.Sent == 0 {
		return err
	}
	e := verdict.AsError(err)
	return &verdict.Error{Code: e.Code, What: fmt.Sprintf("sending stopped after %d entries, which are recorded on the other side", r.Sent), Remedy: e.Remedy + "; then run the command again: it goes on from there", Err: err}
}

// otherSide says of which ledger an error is, and where its remedy is to be applied.
func (x *syncing) otherSide(err error) error {
	e := verdict.AsError(err)
	return &verdict.Error{Code: e.Code, What: "the other ledger, in " + x.to + ", cannot take anything: " + e.Error(), Remedy: e.Remedy + " (for that ledger: --data " + x.to + ")"}
}

// different refuses to send a log to itself or to a copy of it.
func different(ctx context.Context, from, to *workspace) error {
	a, err := from.ledger.Checkpoint(ctx)
	if err != nil {
		return err
	}
	b, err := to.ledger.Checkpoint(ctx)
	if err != nil || a.Origin != b.Origin {
		return err
	}
	return usage("verdict sync --help", "both sides are the same log, "+a.Origin, "name the data directory of another ledger with --to")
}

func (r *synced) text(s report.Style) string {
	head := "Everything that can travel is there."
	switch {
	case r.exit() == verdict.CodeRefused.Exit():
		head = "SOMETHING DOES NOT HOLD AND WAS NOT TAKEN."
	case len(r.Refused) > 0:
		head = "NOT EVERYTHING COULD BE SENT."
	}
	out := s.Strong(head) + "\n"
	for _, x := range r.Refused {
		out += report.Wrap(fmt.Sprintf("entry %d: %s", x.Index, x.Reason), s.Width, "  ") + "\n"
	}
	if r.MoreRefused > 0 {
		out += fmt.Sprintf("  and %d more\n", r.MoreRefused)
	}
	if len(r.Refused) > 0 {
		out += report.Wrap("fix: "+remedySender, s.Width, "  ") + "\n"
	}
	sent := plural(int(r.Sent), "entry", "entries")
	if r.Claims > 0 {
		sent += "; " + plural(int(r.Claims), "decision", "decisions") + " among them: a claim there, the other side decides again"
	}
	rows := [][]string{
		{"from", fmt.Sprintf("%s, %d entries, in %s", r.From.Origin, r.From.Entries, report.Neutral(r.From.Data))},
		{"to", fmt.Sprintf("%s, now %d entries, in %s", r.To.Origin, r.To.Entries, report.Neutral(r.To.Data))},
		{"trusted", "the other side knows this log's key, " + r.Trusted},
		{"sent", sent}, {"known", fmt.Sprintf("%d were there before", r.Known)},
	}
	if r.Blobs > 0 {
		rows = append(rows, []string{"with them", plural(int(r.Blobs), "bill of materials that lies beside its statement", "bills of materials that lie beside their statements")})
	}
	if r.Matched > 0 {
		rows = append(rows, []string{"matched", plural(int(r.Matched), "bill", "bills") + " of artifacts, with the advisories of the other side"})
	}
	for _, x := range r.NotMatched {
		rows = append(rows, []string{"bills", fmt.Sprintf("%d of artifacts %s", x.Count, x.Reason)})
	}
	for _, x := range r.LeftOut {
		rows = append(rows, []string{"left out", fmt.Sprintf("%d, the first is entry %d: %s", x.Count, x.First, x.Reason)})
	}
	return out + report.Table(rows, s.Width, "  ")
}
