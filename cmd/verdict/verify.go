package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/report"
)

func verifyCommand() command {
	return command{
		use: "verify FILE|DIGEST", short: "Verify somebody's evidence about a file or digest, offline",
		long: "Checks that the bundle is signed by the expected key or identity, that what was signed is about exactly this file or digest, and, with --trusted-root, that a log which the root names holds it. " +
			"A file of any size is hashed; a digest (sha256:…, gitCommit:…, or an image as NAME@sha256:…) is taken as it is given. Nothing is recorded, no ledger is needed and the network is not used.\n\n" +
			"Ends with 0 when it holds, 3 when it was checked and does not hold, and 1 when it could not be checked. What was not checked is said.",
		example: `verdict verify dist/app.tar --bundle app.sigstore.json --key producer.pub
verdict verify dist/app.tar --bundle app.sigstore.json --key D/key.pub --trusted-root D/trusted_root.json --type sbom
verdict verify ghcr.io/acme/payments-api@sha256:… --bundle b.json --certificate-identity https://github.com/acme/payments-api/.github/workflows/release.yml@refs/heads/main --certificate-oidc-issuer https://token.actions.githubusercontent.com --trusted-root trusted_root.json`,
		args: exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			x := &verifying{}
			f.required(&x.bundle, "bundle", "FILE", "Sigstore bundle v0.3 with the evidence; - reads standard input")
			f.text(&x.kind, "type", "KIND|TYPE", "kind of evidence or predicate type that it must be")
			x.believed.declare(f)
			return x.run
		},
	}
}

// verifying is one run of the command.
type verifying struct {
	bundle, kind string
	believed     believed
}

// verified is the document verdict.verified/v1: written only when the evidence holds.
type verified struct {
	Schema        string            `json:"schema"`
	Holds         bool              `json:"holds"`
	Asked         string            `json:"asked"`
	Digest        verdict.Digest    `json:"digest"` // of what was asked
	Kind          verdict.Kind      `json:"kind"`
	PredicateType string            `json:"predicate_type"`
	Subjects      []verdict.Subject `json:"subjects"`
	Payload       verdict.Digest    `json:"payload"` // of the signed statement
	Producer      signedBy          `json:"producer"`
	// Log is "verified", "unchecked" (there is an entry, and no trusted root to judge it
	// by) or "absent".
	Log        string           `json:"log"`
	Context    *verdict.Context `json:"context"` // what the producer says of its origin; null when it says nothing
	NotChecked []string         `json:"not_checked"`
}

// signedBy is an evidence.Producer in a document.
type signedBy struct {
	Key      string `json:"key"`
	Identity string `json:"identity"`
	Issuer   string `json:"issuer"`
	Workload string `json:"workload,omitempty"`
}

// thing is what somebody holds in their hands: a file with its digests, or one digest.
type thing struct {
	digests []verdict.Digest
	file    bool
}

// thing reads FILE or DIGEST. Anything that is written like a digest is one.
func (a *app) thing(ctx context.Context, ref string) (thing, error) {
	if _, digest, ok := strings.Cut(ref, "@"); ok && typedDigest.MatchString(digest) {
		ref = digest
	}
	if typedDigest.MatchString(ref) {
		d, err := verdict.ParseDigest(ref)
		return thing{digests: []verdict.Digest{d}}, err
	}
	t := thing{file: true}
	err := a.consume(ctx, ref, func(r io.Reader) (err error) {
		t.digests, err = evidence.DigestsOf(r)
		return err
	})
	return t, err
}

func (x *verifying) run(ctx context.Context, a *app, args []string) error {
	const see = "verdict verify --help"
	kind, predicateType, err := x.wanted(see)
	if err != nil {
		return err
	}
	verifier, err := x.believed.verifier(a, see)
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
	t, err := a.thing(ctx, args[0])
	if err != nil {
		return err
	}
	if err := s.About(t.digests...); err != nil {
		return err
	}
	if predicateType != "" && s.PredicateType != predicateType || predicateType == "" && kind != "" && s.Kind() != kind {
		return &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("the statement is of type %s, not %s", s.PredicateType, x.kind),
			Remedy: "give the bundle of that kind, or the type that you expect with --type",
		}
	}
	v := verified{
		Schema: "verdict.verified/v1", Holds: true, Asked: args[0], Digest: t.digests[0], Kind: s.Kind(), PredicateType: s.PredicateType,
		Subjects: s.Subjects, Payload: b.PayloadDigest(), Producer: signedBy(producer), NotChecked: []string{},
	}
	if c, ok := s.Context(); ok {
		v.Context = &c
	}
	judge, ok := verifier.(interface{ JudgesLog() bool })
	v.unchecked(b, t, x.believed.root != "", ok && judge.JudgesLog())
	return a.emit(v, func(style report.Style) string { return v.text(style, t) })
}

// wanted reads --type. Every kind may be asked for, also those that only Verdict states.
func (x *verifying) wanted(see string) (verdict.Kind, string, error) {
	if x.kind == "" || strings.Contains(x.kind, ":") {
		return "", x.kind, nil
	}
	if k := verdict.Kind(x.kind); evidence.PredicateType(k) != "" {
		return k, "", nil
	}
	return "", "", usage(see, fmt.Sprintf("%q is no kind of evidence", x.kind), meant(x.kind, strings.Split(kindWords(), ", "), "", "give a kind, such as sbom, or a predicate type by its full URI"))
}

// unchecked says what the answer does not cover. judged: a log entry was demanded, by a log
// that the root names.
func (v *verified) unchecked(b *evidence.Bundle, t thing, root, judged bool) {
	switch {
	case judged && b.LogEntries() > 0:
		v.Log = "verified"
	case root && b.LogEntries() > 0:
		v.Log = "unchecked"
		v.NotChecked = append(v.NotChecked, "the log entry in the bundle: the trusted root names no log to judge it by")
	case b.LogEntries() > 0:
		v.Log = "unchecked"
		v.NotChecked = append(v.NotChecked, "the log entry in the bundle: give --trusted-root to judge it by")
	case root:
		v.Log = "absent"
		v.NotChecked = append(v.NotChecked, "that a log holds it: the trusted root names none, and the bundle has no entry")
	default:
		v.Log = "absent"
		v.NotChecked = append(v.NotChecked, "that a log holds it: the bundle has no log entry, so the producer could deny it or show others something else")
	}
	if !t.file {
		v.NotChecked = append(v.NotChecked, "any file: the digest was taken as it was given")
	}
	v.NotChecked = append(v.NotChecked, "whether what it says is true, and whether its producer may say it: that is for the trust of a decision map")
}

func (v *verified) text(s report.Style, t thing) string {
	what := "digest"
	if t.file {
		what = "file"
	}
	rows := [][]string{
		{what, report.Neutral(v.Asked)},
		{"", string(v.Digest)},
		{"kind", fmt.Sprintf("%s, %s", v.Kind, report.Neutral(v.PredicateType))},
		{"signed by", report.Neutral(producerText(evidence.Producer(v.Producer)))},
	}
	if v.Log == "verified" {
		rows = append(rows, []string{"log", "a log that the trusted root names holds this very statement"})
	}
	if v.Context != nil && !v.Context.At.IsZero() {
		rows = append(rows, []string{"said at", v.Context.At.Format("2006-01-02 15:04:05 MST") + ", by the producer's own clock"})
	}
	if !t.file && v.Asked == string(v.Digest) {
		rows = append(rows[:1], rows[2:]...)
	}
	out := s.Strong("It holds.") + "\n" + report.Table(rows, s.Width, "  ") + "not checked:\n"
	for _, n := range v.NotChecked {
		out += strings.Replace(report.Wrap(n, s.Width, "    "), "    ", "  - ", 1) + "\n"
	}
	return out
}
