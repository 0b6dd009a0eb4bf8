package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/artifact"
	"verdict/artifact/registry"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

func artifactPushCommand() command {
	return command{
		use: "push REF", short: "Put the evidence about an image beside it in its registry",
		long: "Every statement that the ledger holds about the digest, and about the digests of its platforms, is pushed as a Sigstore bundle that refers to it (OCI 1.1 referrers; the fallback tag where the registry has none), as cosign 3 attaches and reads them. " +
			"With it travels its proof of the log. What is there already is left alone, and nothing is ever taken away.\n\n" +
			"Who may read the repository reads the evidence: --kind leaves out what is not for them.\n\n" + aboutRegistry,
		example: "verdict artifact push ghcr.io/acme/payments-api:v1.2.3\nverdict artifact push ghcr.io/acme/payments-api@sha256:… --kind sbom --kind provenance --kind vsa",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			x := &pushing{}
			f.list(&x.kinds, "kind", "KIND", "push evidence of this kind alone; repeatable")
			return x.run
		},
	}
}

type pushing struct{ kinds []string }

// pushedEvidence is the document verdict.pushed/v1.
type pushedEvidence struct {
	Schema string         `json:"schema"`
	Name   string         `json:"name"`
	Digest verdict.Digest `json:"digest"`
	Moved  *movedTag      `json:"moved"`
	Pushed []pushedBundle `json:"pushed"`
	Known  int            `json:"known"` // that were there before
	Left   []string       `json:"left"`  // what was not pushed, and why
}

type pushedBundle struct {
	Entry    int64          `json:"entry"`
	Kind     verdict.Kind   `json:"kind"`
	About    verdict.Digest `json:"about"`
	Manifest verdict.Digest `json:"manifest"` // that refers to it
}

func (x *pushing) run(ctx context.Context, a *app, args []string) (err error) {
	r, err := artifact.ParseReference(args[0])
	if err != nil {
		return err
	}
	for _, k := range x.kinds {
		if evidence.PredicateType(verdict.Kind(k)) == "" && k != string(verdict.KindOther) {
			return usage("verdict artifact push --help", fmt.Sprintf("%q is no kind of evidence", k), meant(k, strings.Split(kindWords(), ", "), "--kind ", "the kinds are "+kindWords()+", decision, image …"))
		}
	}
	if err := a.mustExist(); err != nil {
		return err
	}
	c, err := a.remote(ctx, r, registry.Options{Write: true})
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
	_, _, moved, err := w.recordImage(ctx, &i, verdict.Context{Run: pipelineRun(a.env)})
	if err != nil {
		return err
	}
	a.tellMoved(moved)
	out := pushedEvidence{Schema: "verdict.pushed/v1", Name: i.Name, Digest: i.Digest, Moved: (*movedTag)(moved), Pushed: []pushedBundle{}, Left: []string{}}
	for _, image := range append([]verdict.Image{i.Image}, i.Children...) {
		if err := x.about(ctx, w, c, image, &out); err != nil {
			return err
		}
	}
	return a.emit(out, out.text)
}

// about pushes what the ledger holds about one manifest or index.
func (x *pushing) about(ctx context.Context, w *workspace, c *registry.Client, image verdict.Image, out *pushedEvidence) error {
	beside, err := artifact.Beside(ctx, c, image.Digest)
	if err != nil {
		return err
	}
	entries, err := w.findAll(ctx, ledger.Query{Subject: image.Digest, At: ledger.Now})
	if err != nil {
		return err
	}
	subject := artifact.Descriptor{MediaType: image.MediaType, Digest: image.Digest, Size: image.Size}
	w.app.progress.phase("Pushing evidence about " + image.Digest.Short())
	for _, e := range slices.Backward(entries) { // oldest first
		switch {
		case len(x.kinds) > 0 && !slices.Contains(x.kinds, string(e.Kind)):
			continue
		case e.Pruned:
			out.Left = append(out.Left, fmt.Sprintf("entry %d: its body was deleted at the end of its retention", e.Index))
			continue
		}
		b, _, err := w.takenOut(ctx, e)
		if err != nil {
			return err
		}
		if artifact.Holds(beside, b) {
			out.Known++
			continue
		}
		if b.Older() != nil {
			out.Left = append(out.Left, fmt.Sprintf("entry %d: it has the form of older cosign, which is no bundle: `cosign copy` carries it from registry to registry", e.Index))
			continue
		}
		s, err := b.Statement()
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Index, err)
		}
		d, err := c.Attach(ctx, subject, registry.Attachment{
			ArtifactType: evidence.BundleType, Body: b.JSON(), Annotations: artifact.BundleAnnotations(s, e.At.Format(time.RFC3339)),
		})
		if err != nil {
			return fmt.Errorf("push entry %d: %w", e.Index, err)
		}
		out.Pushed = append(out.Pushed, pushedBundle{Entry: e.Index, Kind: e.Kind, About: image.Digest, Manifest: d})
	}
	return nil
}

func (p pushedEvidence) text(s report.Style) string {
	head := fmt.Sprintf("Pushed %d pieces of evidence; %d were there before.", len(p.Pushed), p.Known)
	rows := [][]string{{"image", report.Neutral(p.Name)}, {"digest", string(p.Digest)}}
	for _, b := range p.Pushed {
		rows = append(rows, []string{string(b.Kind), fmt.Sprintf("entry %d, as %s", b.Entry, b.Manifest)})
	}
	for _, l := range p.Left {
		rows = append(rows, []string{"left out", report.Neutral(l)})
	}
	return s.Strong(head) + "\n" + report.Table(rows, s.Width, "  ") + "look at it:\n  verdict artifact show " + report.Neutral(p.Name) + "@" + string(p.Digest) + " --from registry\n"
}
