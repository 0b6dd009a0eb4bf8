package main

import (
	"context"
	"fmt"

	"verdict"
	"verdict/artifact"
	"verdict/artifact/registry"
	"verdict/ledger"
	"verdict/report"
)

const seeArtifactPull = "verdict artifact pull --help"

func artifactPullCommand() command {
	return command{
		use: "pull REF", short: "Take the evidence beside an image in its registry into the ledger",
		long: "Reads the Sigstore bundles that refer to the digest and to the digests of its platforms, and what older cosign attached under the tags .sig, .att and .sbom. " +
			"What an enrolled key signed, or whom the flags name as for verdict verify, is recorded as a claim of its producer. What cannot be verified is listed as unknown and not recorded: anybody with write access to the repository may have put it there.\n\n" +
			"Ends with 1 when there is no evidence, or none of it can be verified.\n\n" + aboutRegistry,
		example: "verdict artifact pull ghcr.io/acme/payments-api:v1.2.3 --key producer.pub\n" +
			"verdict artifact pull ghcr.io/acme/payments-api@sha256:… --certificate-identity https://github.com/acme/payments-api/.github/workflows/release.yml@refs/heads/main --certificate-oidc-issuer https://token.actions.githubusercontent.com --trusted-root trusted_root.json",
		args: exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			x := &pulling{}
			f.text(&x.context.Service, "service", "NAME", "service that the image is of, as the map names it")
			x.believed.declare(f)
			return x.run
		},
	}
}

type pulling struct {
	context  verdict.Context
	believed believed
}

// pulledEvidence is the document verdict.pulled/v1.
type pulledEvidence struct {
	Schema string         `json:"schema"`
	Name   string         `json:"name"`
	Digest verdict.Digest `json:"digest"`
	Moved  *movedTag      `json:"moved"`
	// Recorded are verified and new, Known verified and recorded before, and Unknown are
	// those that were not recorded.
	Recorded []piece `json:"recorded"`
	Known    []piece `json:"known"`
	Unknown  []piece `json:"unknown"`
}

func (x *pulling) run(ctx context.Context, a *app, args []string) (err error) {
	r, err := artifact.ParseReference(args[0])
	if err != nil {
		return err
	}
	if report.Neutral(x.context.Service) != x.context.Service || len(x.context.Service) > 200 {
		return usage(seeArtifactPull, "--service is longer than 200 bytes or holds characters that do not show", "give it as the map names it")
	}
	c, err := a.remote(ctx, r, registry.Options{})
	if err != nil {
		return err
	}
	i, err := a.identified(ctx, c, r)
	if err != nil {
		return err
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	x.context.Run = pipelineRun(a.env)
	_, _, moved, err := w.recordImage(ctx, &i, x.context)
	if err != nil {
		return err
	}
	a.tellMoved(moved)
	out := pulledEvidence{Schema: "verdict.pulled/v1", Name: i.Name, Digest: i.Digest, Moved: (*movedTag)(moved), Recorded: []piece{}, Known: []piece{}, Unknown: []piece{}}
	for _, image := range append([]verdict.Image{i.Image}, i.Children...) {
		if err := x.about(ctx, w, c, image.Digest, &out); err != nil {
			return err
		}
	}
	if err := a.emit(out, out.text); err != nil {
		return err
	}
	if len(out.Recorded)+len(out.Known) == 0 {
		return exit(verdict.CodeNotFound.Exit())
	}
	return nil
}

// about takes what lies beside one manifest or index.
func (x *pulling) about(ctx context.Context, w *workspace, c *registry.Client, d verdict.Digest, out *pulledEvidence) error {
	j, err := w.app.judges(ctx, w, x.believed, d, seeArtifactPull)
	if err != nil {
		return err
	}
	w.app.progress.phase("Reading evidence about " + d.Short())
	found, err := j.registryPieces(ctx, c, d)
	if err != nil {
		return err
	}
	for _, p := range found {
		before, known := j.known(p)
		switch {
		case p.State != verdict.StateVerified:
			out.Unknown = append(out.Unknown, p)
		case p.Kind == verdict.KindIngestion:
			p.Note = "another ledger took in evidence of others here, for which that ledger vouches and its producer does not"
			out.Unknown = append(out.Unknown, p)
		case known:
			p.Entry = before.Entry
			out.Known = append(out.Known, p)
		default:
			e, err := x.ingest(ctx, w, p)
			if err != nil {
				return fmt.Errorf("record %s: %w", p.Where, err)
			}
			p.Entry = e.Index
			if _, err := w.exposed(ctx, e); err != nil {
				return err
			}
			j.record(p)
			out.Recorded = append(out.Recorded, p)
		}
	}
	return nil
}

func (x *pulling) ingest(ctx context.Context, w *workspace, p piece) (ledger.Entry, error) {
	c := x.context
	c.At, c.Actor, c.Retention = w.now(), w.actor(), retentionOf(p.Kind, p.statement.Subjects)
	return w.ingest(ctx, p.bundle, p.producer, x.believed, c)
}

func (p pulledEvidence) text(s report.Style) string {
	head := fmt.Sprintf("Recorded %d pieces of evidence; %d were known, and %d are unknown and were not recorded.", len(p.Recorded), len(p.Known), len(p.Unknown))
	if len(p.Recorded)+len(p.Known)+len(p.Unknown) == 0 {
		head = "There is no evidence beside this image."
	}
	rows := [][]string{{"image", report.Neutral(p.Name)}, {"digest", string(p.Digest)}}
	add := func(word string, list []piece) {
		for _, x := range list {
			t := x.text()
			where := t[4]
			if x.Entry >= 0 {
				where = fmt.Sprintf("entry %d, from %s", x.Entry, t[4])
			}
			rows = append(rows, []string{word, t[1] + " by " + t[2] + ", " + where})
			if x.Note != "" {
				rows = append(rows, []string{"", report.Neutral(x.Note)})
			}
		}
	}
	add("recorded", p.Recorded)
	add("known", p.Known)
	add("unknown", p.Unknown)
	return s.Strong(head) + "\n" + report.Table(rows, s.Width, "  ")
}
