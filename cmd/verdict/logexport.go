package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"verdict"
	"verdict/ledger"
	"verdict/report"
)

func logExportCommand() command {
	return command{
		use: "export", short: "Write the log and its evidence into a folder that public tools read",
		long: "The folder holds the log as C2SP tlog-tiles (checkpoint, tile/…), a Sigstore bundle with its proof for each entry (<n>.sigstore.json), trusted_root.json and key.pub for cosign, " +
			"the log's verifier key (log.vkey), and MANIFEST.sha256 for sha256sum -c, which is written last. The same log gives the same bytes, also from a server: " +
			"with --server everything is computed on this machine from the bytes of its log, and held against its checkpoint and against what was seen of that log here before.",
		example: "verdict log export --out DIR\nverdict log export --out DIR --from 100 --to 200\nverdict log export --out DIR --server https://verdict.acme.example",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			x := &exporting{}
			f.required(&x.out, "out", "DIR", "folder to write; it must be new or empty")
			f.number(&x.from, "from", "INDEX", "first entry whose bundle is written", 0, 1<<53)
			f.number(&x.to, "to", "INDEX", "entry before which to end; default: all", 1, 1<<53)
			f.text(&x.trust, "trust-log", "VKEY", trustLogHelp)
			return x.run
		},
	}
}

// exporting is one run of the command.
type exporting struct {
	out      string
	trust    string
	from, to int64 // to is 0 for all
}

// exported is the document verdict.exported/v1.
type exported struct {
	Schema string `json:"schema"`
	Folder string `json:"folder"`
	ledger.ExportReport
	Check []checkLine `json:"check"`
}

// checkLine is a command that checks the export.
type checkLine struct {
	With    string `json:"with"`
	Command string `json:"command"`
}

func (x *exporting) run(ctx context.Context, a *app, _ []string) error {
	keys, err := a.trustedLog(x.trust, "verdict log export --help")
	if err != nil {
		return err
	}
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	size, err := w.size(ctx, ledger.Now)
	if err != nil {
		return err
	}
	if x.from >= size || x.to > 0 && x.to <= x.from {
		return usage("verdict log export --help", fmt.Sprintf("there is no entry from %d on and before %d in a log of %d entries", x.from, first64(x.to, size), size),
			fmt.Sprintf("give --from below %d and --to above --from, or leave them out to export everything", size))
	}
	step := a.progress.phase("exporting the log")
	r, err := w.export(ctx, x.out, ledger.ExportOptions{
		From: ledger.Position(x.from), To: ledger.Position(x.to), LogKeys: keys, Progress: func(done, total int64) { step.say("%d of %d entries", done, total) },
	})
	a.progress.stop()
	if err != nil {
		return x.unfinished(ctx, err)
	}
	doc := exported{Schema: "verdict.exported/v1", Folder: x.out, ExportReport: r}
	if doc.Check, err = w.checksOf(ctx, x, r.Checkpoint); err != nil {
		return err
	}
	if err := a.emit(doc, doc.text); err != nil || r.Unseen == 0 && (w.served == nil || r.Pruned == 0) { // that something was pruned is a server's word
		return err
	}
	return exit(verdict.CodeUnavailable.Exit())
}

func (w *workspace) export(ctx context.Context, out string, o ledger.ExportOptions) (ledger.ExportReport, error) {
	if w.served == nil {
		return w.own.Export(ctx, out, o)
	}
	server := w.app.config.Server
	seen, err := w.app.seen(server)
	if err != nil {
		return ledger.ExportReport{}, err
	}
	r, now, err := ledger.ExportAfar(ctx, w.served.Mirror(), seen, out, o)
	if err == nil {
		err = w.app.keepSeen(server, seen, now)
	}
	return r, err
}

func first64(a, b int64) int64 {
	if a != 0 {
		return a
	}
	return b
}

// unfinished tells what to do with a folder that holds a part of an export. What was
// refused before anything was written has a remedy of its own.
func (x *exporting) unfinished(ctx context.Context, err error) error {
	var e *verdict.Error
	if errors.As(err, &e) || ctx.Err() != nil {
		return err
	}
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "the export was not finished: what is in " + x.out + " is a part, without MANIFEST.sha256",
		Remedy: "make room there, delete " + x.out + " and run the command again; if the log itself cannot be read, verdict log verify says where", Err: err,
	}
}

// checksOf gives commands that check what was written, whole enough to be run: one of
// the entries is the example.
func (w *workspace) checksOf(ctx context.Context, x *exporting, c ledger.Checkpoint) ([]checkLine, error) {
	at := func(name string) string { return shellWord(filepath.Join(x.out, name)) }
	out := []checkLine{{"sha256sum", "(cd " + shellWord(x.out) + " && sha256sum --quiet -c MANIFEST.sha256)"}}
	e, found, err := w.exampleEntry(ctx, x, c)
	if err != nil || !found {
		return out, err
	}
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	key := "key.pub"
	if keys := h.Keys(); len(keys) > 0 && keys[0].ID != e.Signer {
		id, err := base64.StdEncoding.DecodeString(e.Signer)
		if err != nil {
			return nil, fmt.Errorf("signer of entry %d: %w", e.Index, err)
		}
		key = "keys/" + hex.EncodeToString(id) + ".pub"
	}
	d := e.Subjects[0].Digest
	bundle := fmt.Sprintf("%d.sigstore.json", e.Index)
	return append(out,
		checkLine{"cosign", fmt.Sprintf("cosign verify-blob-attestation --key %s --bundle %s --trusted-root %s --type %s --digest %s --digestAlg %s",
			at(key), at(bundle), at("trusted_root.json"), shellWord(e.PredicateType), d.Hex(), d.Algorithm())},
		checkLine{"verdict", fmt.Sprintf("verdict verify %s --bundle %s --key %s --trusted-root %s", d, at(bundle), at(key), at("trusted_root.json"))},
	), nil
}

// exampleEntry is the last entry whose bundle was written with a proof, one about an
// artifact before any other.
func (w *workspace) exampleEntry(ctx context.Context, x *exporting, c ledger.Checkpoint) (ledger.Entry, bool, error) {
	to := int64(c.Position)
	if x.to > 0 {
		to = min(to, x.to)
	}
	from := max(x.from, int64(c.Position)-c.Size, to-1000)
	if from >= to {
		return ledger.Entry{}, false, nil
	}
	entries, err := w.ledger.Range(ctx, ledger.Position(from), ledger.Position(to))
	var best ledger.Entry
	found := false
	for _, e := range entries {
		if e.Foreign || e.Pruned || len(e.Subjects) == 0 {
			continue
		}
		if !found || e.Subjects[0].Kind == verdict.SubjectArtifact || best.Subjects[0].Kind != verdict.SubjectArtifact {
			best, found = e, true
		}
	}
	return best, found, err
}

// shellWord writes a word so that a shell reads it as one and runs nothing of it.
func shellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-"
	if s != "" && strings.Trim(s, plain) == "" && s[0] != '-' {
		return s
	}
	if strings.HasPrefix(s, "-") {
		s = "./" + s
	}
	return shellText(s)
}

// shellText quotes what is no name of a file and may begin with anything.
func shellText(s string) string {
	return "'" + strings.ReplaceAll(report.Neutral(s), "'", `'\''`) + "'"
}

func (r exported) text(s report.Style) string {
	rows := [][]string{
		{"log", fmt.Sprintf("%s, %d entries", r.Checkpoint.Origin, r.Checkpoint.Size)},
		{"folder", fmt.Sprintf("%s, %d files", report.Neutral(r.Folder), r.Files)},
		{"bundles", fmt.Sprintf("%d, one for each entry: N.sigstore.json", r.Bundles)},
	}
	if r.Pruned > 0 {
		rows = append(rows, []string{"pruned", fmt.Sprintf("%d entries without a body: their leaf is in the tree, and they have no bundle", r.Pruned)})
	}
	if r.Unproved > 0 {
		rows = append(rows, []string{"unproved", fmt.Sprintf("%d bundles of earlier epochs, whose last checkpoint is lost: their signature can be checked, their place in the log cannot", r.Unproved)})
	}
	if r.FirstSeen {
		rows = append(rows, []string{"seen here", "for the first time: hold it against a checkpoint that you kept, verdict log verify --against FILE"})
	}
	if r.Unseen > 0 {
		rows = append(rows, []string{"no scope", fmt.Sprintf("%d entries outside of your roles: their leaf is in the tree, and they have no bundle here", r.Unseen)})
	}
	out := s.Strong("The log is exported.") + "\n" + report.Table(rows, s.Width, "  ") + "check it, without a network:\n"
	for _, c := range r.Check {
		out += "  " + c.Command + "\n"
	}
	if len(r.Check) > 1 {
		out += report.Wrap("For another entry change the number, the type and the digest; cosign takes a file in place of --digest and --digestAlg.", s.Width, "") + "\n"
	}
	return out
}
