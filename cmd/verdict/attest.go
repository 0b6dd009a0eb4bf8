package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"verdict"
	"verdict/ci"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

func attestCommand() command {
	return command{
		use: "attest [KIND|TYPE|FORMAT FILE]", short: "Record evidence about a file, image or commit: sign a statement and log it",
		long: "KIND is one of " + kindWords() + ", and TYPE the full URI of any other predicate type. FILE holds the predicate as JSON; - reads standard input. " +
			"--subject is what the evidence is about: a file (its sha256 is computed), a digest such as sha256:…, an image as NAME@sha256:…, or a commit by full id or by what git calls it here. " +
			"Kinds that Verdict itself states (decision, key, map-release and so on) are refused.\n\n" +
			"FORMAT is the form of another tool's report: " + strings.Join(ci.ResultFormats(), ", ") + ". The report becomes evidence of the check that the map gives the tool (verdict help tools).\n\n" +
			aboutDeployed + "\n\n" +
			"With --bundle the evidence is somebody else's: its signature is verified as verdict verify does it, and it is recorded as it came, as a claim of its producer. " +
			"Whether evidence counts in a decision is for the map's trust to say.\n\n" +
			"The same evidence twice is recorded once; a report of another tool is evidence of its own each time. -o bundle=FILE writes it as a Sigstore bundle with its entry in the log, for verdict verify and cosign.",
		example: `verdict attest sbom bom.cdx.json --subject dist/app.tar
verdict attest provenance --subject ghcr.io/acme/payments-api@sha256:… - < provenance.json
verdict attest provenance --from-pipeline --subject ghcr.io/acme/payments-api@sha256:… --as pipeline
verdict attest change-review review.json --subject HEAD --service payments-api --as alma
verdict attest sbom bom.cdx.json --subject dist/app.tar -o bundle=app.sigstore.json
verdict attest deployment --env production --decision d-4k7m ghcr.io/acme/payments-api@sha256:… --as pipeline
verdict attest outcome --env production --result rolled-back ghcr.io/acme/payments-api@sha256:…
verdict attest sarif semgrep.sarif --tool semgrep --subject HEAD --as pipeline
verdict attest --bundle release.sigstore.json --key producer.pub`,
		args: atMost(2), formats: []string{"text", "json", "bundle"},
		complete: func(_ *app, args []string) []string {
			if len(args) > 0 {
				return nil
			}
			return append(strings.Split(kindWords(), ", "), ci.ResultFormats()...)
		},
		setup: func(f *flags) runner {
			x := &attesting{}
			f.list(&x.about, "subject", "FILE|DIGEST|IMAGE|COMMIT", "what the evidence is about; repeatable")
			f.text(&x.context.Service, "service", "NAME", "service that it concerns, as the map names it; default, but for vex: that of the repository of this folder, where the map tells it")
			f.text(&x.context.Environment, "environment", "NAME", "environment that it concerns; none for what is the same everywhere")
			f.text(&x.context.Run, "run", "ID", "pipeline run that produced it; default: the run that this command is part of")
			f.text(&x.bundle, "bundle", "FILE", "Sigstore bundle of somebody else, to be verified and recorded as it is")
			f.toggle(&x.pipeline, "from-pipeline", "state provenance (SLSA v1) of the build that this pipeline runs, from what GitHub Actions, Azure Pipelines or GitLab CI tell of it")
			x.tool.declare(f)
			x.placed.declare(f)
			x.believed.declare(f)
			return x.run
		},
	}
}

func kindWords() string {
	words := make([]string, len(statable))
	for i, k := range statable {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

// attesting is one run of the command.
type attesting struct {
	about    []string
	context  verdict.Context
	bundle   string // of somebody else
	pipeline bool   // the build that this pipeline runs is stated, and no file
	tool     toolResult
	placed   stating // what deployments and outcomes say
	believed believed
	bill     *attestedBill // nil for what is no bill of materials
}

// attested is the document verdict.attested/v1.
type attested struct {
	Schema string `json:"schema"`
	ledger.Entry
	// Known says that the ledger held this evidence before, and nothing was added.
	Known bool `json:"recorded_before"`
	// Name is under what the signing key is enrolled; empty for evidence of others.
	Name string `json:"enrolled_as"`
	// Found says of another tool's report, and of VEX, what it says.
	Found string `json:"found,omitempty"`
	// Promotion says of a deployment or outcome what let the artifact in.
	Promotion *report.Promotion `json:"promotion,omitempty"`
	// Closed is how many findings of what ran there before it closed.
	Closed int    `json:"findings_closed,omitempty"`
	handle string // what to verify it by: a file as it was typed, else a digest
}

func (x *attesting) run(ctx context.Context, a *app, args []string) (err error) {
	if err := x.check(args); err != nil {
		return err
	}
	if x.context.Run == "" {
		x.context.Run = pipelineRun(a.env)
	}
	switch {
	case x.bundle != "":
		return x.ingest(ctx, a)
	case isPlaced(args[0]):
		return x.placed.state(ctx, a, x, args)
	case isResult(args[0]):
		return x.result(ctx, a, args)
	}
	kind, predicateType, raw, found, err := x.predicate(a, args)
	if err != nil {
		return err
	}
	subjects, err := a.subjects(ctx, x.about)
	if err != nil {
		return err
	}
	if x.bill != nil {
		if err := x.billIsOf(ctx, a, subjects); err != nil {
			return err
		}
		found = x.bill.says()
	}
	// What is wrong with the statement is told before a ledger is made for it.
	x.context.At, x.context.Retention = a.now(), retentionOf(kind, subjects)
	if _, err := evidence.NewTyped(predicateType, subjects, json.RawMessage(raw), x.context, a.rand); err != nil {
		return err
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	x.context.Actor = w.actor()
	if err := x.ofTree(ctx, w, kind); err != nil {
		return err
	}
	s, err := evidence.NewTyped(predicateType, subjects, json.RawMessage(raw), x.context, a.rand)
	if err != nil {
		return err
	}
	r, err := x.record(ctx, w, s)
	if err != nil {
		return err
	}
	if r.Found = found; x.bill != nil {
		told, err := w.exposed(ctx, r.Entry)
		if err != nil {
			return fmt.Errorf("after entry %d, the bill of materials, was recorded: %w", r.Index, err)
		}
		if told != "" {
			r.Found += "; " + told
		}
	}
	return x.tell(ctx, w, r)
}

// record signs a statement and puts it into the log, with what it names.
func (x *attesting) record(ctx context.Context, w *workspace, s *evidence.Statement) (r attested, err error) {
	b, err := evidence.Sign(ctx, s, w.signer)
	if err != nil {
		return r, err
	}
	if r.Name, err = w.nameOfSigner(ctx); err != nil {
		return r, err
	}
	if _, report := evidence.ReportOf(s); report && r.Name == decisionmap.LocalKey {
		return r, &verdict.Error{
			Code: verdict.CodeForbidden, What: "the predicate holds a report as verdict ci writes it, and this machine's own key states only what verdict ci itself read",
			Remedy: "run verdict ci, or sign with the enrolled key of whoever ran the check: --as KEY",
		}
	}
	if x.bill != nil {
		if err := x.bill.keep(ctx, w); err != nil {
			return r, err
		}
	}
	if r.Entry, err = w.ledger.Append(ctx, b); err != nil {
		return r, err
	}
	if r.Known = r.Entry.Digest != b.PayloadDigest(); r.Known { // the nonce differs each time: another payload is the one of then
		err = w.stands(ctx, r.Entry)
	}
	return r, err
}

// predicate reads what is to be stated, under which type, and for some kinds what it says.
func (x *attesting) predicate(a *app, args []string) (kind verdict.Kind, predicateType string, raw []byte, found string, err error) {
	if kind, predicateType, err = readKind(args[0]); err != nil {
		return
	}
	if kind == verdict.KindSBOM {
		predicateType, raw, err = x.takeBill(a, args[1], predicateType)
		return
	}
	if raw, err = x.read(a, args); err != nil {
		return
	}
	if predicateType, err = predicateOf(kind, predicateType, raw); err != nil {
		return
	}
	switch kind {
	case verdict.KindVEX:
		found, err = checkVEX(raw, x.context.Service, a.now())
	case verdict.KindProvenance:
		found, err = provenanceFound(predicateType, raw)
	}
	return
}

// read gives the predicate: that of a file, or what the pipeline tells of its build.
func (x *attesting) read(a *app, args []string) ([]byte, error) {
	if !x.pipeline {
		return a.readInput(args[1], "the predicate", evidence.MaxStatement)
	}
	b, err := buildOf(a.env)
	if err != nil {
		return nil, err
	}
	return b.predicate()
}

// stands refuses a result that was stated before and is not what counts any more. The
// same bytes are the same evidence, with its place of then: a fail that comes back after
// a pass would be taken for recorded, and the pass would count.
func (w *workspace) stands(ctx context.Context, e ledger.Entry) error {
	if e.Kind != verdict.KindTestResult && e.Kind != verdict.KindVSA {
		return nil
	}
	check := w.checkOf(ctx, e)
	for _, about := range e.Subjects {
		later, err := w.ledger.Find(ctx, ledger.Query{Subject: about.Digest, Kind: e.Kind, At: ledger.Now, Limit: maxLater})
		if err != nil {
			return fmt.Errorf("find what was stated since entry %d: %w", e.Index, err)
		}
		for _, l := range later {
			if l.Index > e.Index && w.checkOf(ctx, l) == check {
				return &verdict.Error{
					Code: verdict.CodeConflict, What: fmt.Sprintf("this very result was recorded before, as entry %d, and entry %d came after it: nothing was added, and the later one counts", e.Index, l.Index),
					Remedy: "put into the predicate what tells this run from that one, such as its time or number, and attest it again",
				}
			}
		}
	}
	return nil
}

// checkOf is the check whose report a statement holds; empty when it holds none that can
// be read.
func (w *workspace) checkOf(ctx context.Context, e ledger.Entry) string {
	b, err := w.ledger.Bundle(ctx, e.Index)
	if err != nil {
		return ""
	}
	s, err := b.Statement()
	if err != nil {
		return ""
	}
	r, ok := evidence.ReportOf(s)
	if !ok {
		return ""
	}
	return r.Check
}

// maxLater is how many statements are looked at for one that came later.
const maxLater = 1000

// check holds what was typed together.
func (x *attesting) check(args []string) error {
	switch {
	case x.bundle != "" && len(args) > 0:
		return usage(seeAttest, "with --bundle the evidence is in the bundle, and no kind or predicate is given", "leave out "+strings.Join(args, " "))
	case x.pipeline && (x.bundle != "" || len(args) != 1 || args[0] != string(verdict.KindProvenance)):
		return usage(seeAttest, "--from-pipeline states provenance, and takes it from no file", "write verdict attest provenance --from-pipeline --subject FILE|DIGEST|IMAGE")
	case x.bundle == "" && len(args) == 1 && isPlaced(args[0]) && len(x.about) == 0:
		return x.placed.lacks(kindOfWord(args[0]), x.context.Environment)
	case x.bundle == "" && len(args) < 2 && !x.pipeline:
		return usage(seeAttest, "a statement needs its kind and its predicate", "write verdict attest KIND FILE --subject FILE|DIGEST|IMAGE|COMMIT, or --bundle FILE for evidence of others")
	case x.bundle == "" && len(x.about) == 0 && !isPlaced(args[0]):
		return usage(seeAttest, "the evidence is about nothing: there is no --subject", "add --subject FILE|DIGEST|IMAGE|COMMIT")
	case x.bundle == "" && x.believed.given():
		return usage(seeAttest, "--key, --certificate-identity and --trusted-root judge a bundle of somebody else, and there is no --bundle", "choose your own signing key with --as, or add --bundle FILE")
	}
	if x.bundle == "" {
		if err := x.placed.check(kindOfWord(args[0])); err != nil {
			return err
		}
	}
	if err := x.checkForm(args); err != nil {
		return err
	}
	for flag, text := range map[string]string{"--service": x.context.Service, "--environment": x.context.Environment, "--run": x.context.Run} {
		if len(text) > 200 || report.Neutral(text) != text {
			return usage(seeAttest, flag+" is longer than 200 bytes or holds characters that do not show", "give it as the map or the pipeline names it")
		}
	}
	return nil
}

// ingest verifies and records a bundle of somebody else.
func (x *attesting) ingest(ctx context.Context, a *app) (err error) {
	verifier, err := x.believed.verifier(a, seeAttest)
	if err != nil {
		return err
	}
	b, err := a.readBundle(x.bundle)
	if err != nil {
		return err
	}
	s, err := b.Statement()
	if err != nil {
		return err
	}
	producer, err := verifier.Verify(ctx, b)
	if err != nil {
		return err
	}
	for _, ref := range x.about {
		t, err := a.thing(ctx, ref)
		if err != nil {
			return err
		}
		if err := s.About(t.digests...); err != nil {
			return err
		}
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	before, err := w.ledger.Checkpoint(ctx)
	if err != nil {
		return err
	}
	x.context.At, x.context.Actor, x.context.Retention = w.now(), w.actor(), retentionOf(s.Kind(), s.Subjects)
	entry, err := w.ingest(ctx, b, producer, x.believed, x.context)
	if err != nil {
		return err
	}
	r := attested{Entry: entry, Known: entry.Index < int64(before.Position)}
	if !r.Known {
		if r.Found, err = w.exposed(ctx, entry); err != nil {
			return err
		}
	}
	return x.tell(ctx, w, r)
}

// retentionOf is the class under which a statement is kept.
func retentionOf(kind verdict.Kind, subjects []verdict.Subject) string {
	switch kind {
	case verdict.KindObservation, verdict.KindIntent, verdict.KindFinding, verdict.KindOutcome, verdict.KindProposal:
		return "ops"
	}
	for _, s := range subjects {
		if s.Kind != verdict.SubjectChange && s.Digest.Algorithm() != "gitCommit" {
			return "release"
		}
	}
	return "change"
}

// tell writes what was recorded, and the bundle where it was asked for.
func (x *attesting) tell(ctx context.Context, w *workspace, r attested) error {
	r.Schema, r.handle = "verdict.attested/v1", string(r.Subjects[0].Digest)
	if info, err := os.Stat(x.handle()); err == nil && info.Mode().IsRegular() {
		r.handle = report.Neutral(x.handle())
	}
	var files []string
	var bundle *evidence.Bundle
	without := ""
	for _, o := range w.app.config.Output {
		if o.Format != "bundle" {
			continue
		}
		if o.File != "" {
			files = append(files, o.File)
		}
		if bundle == nil {
			var err error
			if bundle, without, err = w.takenOut(ctx, r.Entry); err != nil {
				return err
			}
		}
	}
	return w.app.write(func(out io.Writer, format string, s report.Style) error {
		switch format {
		case "bundle":
			_, err := fmt.Fprintf(out, "%s\n", bytes.TrimSuffix(bundle.JSON(), []byte("\n")))
			return err
		case "json":
			enc := json.NewEncoder(out)
			enc.SetIndent("", "  ")
			return enc.Encode(r)
		}
		_, err := io.WriteString(out, r.text(s, files, without))
		return err
	})
}

func (x *attesting) handle() string {
	if len(x.about) == 0 {
		return ""
	}
	return x.about[0]
}

func (r attested) text(s report.Style, files []string, without string) string {
	head := fmt.Sprintf("Recorded as entry %d.", r.Index)
	if r.Known {
		head = fmt.Sprintf("Recorded before, as entry %d: nothing was added.", r.Index)
	}
	by := "key " + r.Producer + ", enrolled as " + r.Name
	if r.Foreign {
		by = producerText(evidence.ParseProducer(r.Producer))
	}
	rows := [][]string{{"kind", fmt.Sprintf("%s, %s", r.Kind, report.Neutral(r.PredicateType))}}
	if r.Found != "" {
		rows = append(rows, []string{"says", report.Neutral(r.Found)})
	}
	for _, x := range r.Subjects {
		rows = append(rows, []string{"about", subjectText(x)})
	}
	rows = append(rows, []string{"signed by", report.Neutral(by)})
	if r.Foreign {
		rows = append(rows, []string{"counts as", "a claim of its producer, verified and kept as it came"})
	}
	rows = append(rows, []string{"recorded", r.At.Format("2006-01-02 15:04:05 MST")},
		[]string{"digest", string(r.Digest)}, []string{"identity", string(r.Identity)})
	check := []string{fmt.Sprintf("verdict log proof %d", r.Index)}
	for _, f := range files {
		with := "with its proof of the log"
		if without != "" {
			with = without
		}
		rows = append(rows, []string{"bundle", report.Neutral(f) + ", " + with})
	}
	if len(files) > 0 && !r.Foreign {
		check = append(check, fmt.Sprintf("verdict keys show %s > %s.pub", r.Name, r.Name),
			fmt.Sprintf("verdict verify %s --bundle %s --key %s.pub", r.handle, report.Neutral(files[0]), r.Name))
	}
	out := s.Strong(head) + "\n" + report.Table(rows, s.Width, "  ") + "check it:\n"
	for _, c := range check {
		out += "  " + c + "\n"
	}
	return out
}

func subjectText(x verdict.Subject) string {
	text := string(x.Kind) + " " + string(x.Digest)
	if x.Name != "" {
		text = report.Neutral(x.Name) + ", " + text
	}
	return text
}

func producerText(p evidence.Producer) string {
	if p.Key != "" {
		return "key " + p.Key
	}
	return cmp.Or(p.Identity, p.Workload) + " by " + p.Issuer
}
