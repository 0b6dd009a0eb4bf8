package main

import (
	"context"
	"fmt"
	"strings"

	"verdict"
	"verdict/artifact"
	"verdict/artifact/registry"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

func artifactRecordCommand() command {
	return command{
		use: "record REF", short: "Resolve an image once and record what its registry says of the digest",
		long: "REF is an image by tag or digest. Recorded are the digest, its platforms, when it was built and what it was built on, as the registry and the image say it. " +
			"The same answer is recorded once. When the tag named another digest the last time, that is said, and recorded with it.\n\n" + aboutRegistry,
		example: "verdict artifact record ghcr.io/acme/payments-api:v1.2.3 --service payments-api\nverdict artifact record ghcr.io/acme/payments-api@sha256:… -o json",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			x := &recording{}
			f.text(&x.context.Service, "service", "NAME", "service that the image is of, as the map names it")
			return x.run
		},
	}
}

type recording struct{ context verdict.Context }

// recordedImage is the document verdict.image/v1.
type recordedImage struct {
	Schema  string        `json:"schema"`
	Image   verdict.Image `json:"image"`
	Entry   int64         `json:"entry"`
	Known   bool          `json:"recorded_before"`
	Moved   *movedTag     `json:"moved"` // null: the tag names what it was recorded to name, or was not recorded
	Remarks []string      `json:"remarks"`
}

// movedTag is an artifact.Move in a document.
type movedTag artifact.Move

func (x *recording) run(ctx context.Context, a *app, args []string) (err error) {
	r, err := artifact.ParseReference(args[0])
	if err != nil {
		return err
	}
	if report.Neutral(x.context.Service) != x.context.Service || len(x.context.Service) > 200 {
		return usage("verdict artifact record --help", "--service is longer than 200 bytes or holds characters that do not show", "give it as the map names it")
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
	entry, known, moved, err := w.recordImage(ctx, &i, x.context)
	if err != nil {
		return err
	}
	out := recordedImage{Schema: "verdict.image/v1", Image: i.Image, Entry: entry.Index, Known: known, Moved: (*movedTag)(moved), Remarks: append([]string{}, i.Remarks...)}
	a.tellMoved(moved)
	return a.emit(out, func(s report.Style) string { return out.text(s) })
}

// tellMoved says aloud that a tag names another digest than it was recorded to name.
func (a *app) tellMoved(m *artifact.Move) {
	if m != nil {
		fmt.Fprintf(a.stderr, "verdict: the tag %s of %s moved: entry %d of %s recorded %s, and it now names %s\n",
			report.Neutral(m.Tag), report.Neutral(m.Name), m.Entry, m.At.Format("2006-01-02 15:04 MST"), m.From, m.To)
	}
}

func (r recordedImage) text(s report.Style) string {
	head := fmt.Sprintf("Recorded as entry %d.", r.Entry)
	if r.Known {
		head = fmt.Sprintf("Recorded before, as entry %d: nothing was added.", r.Entry)
	}
	rows := imageRows(r.Image)
	if r.Moved != nil {
		rows = append(rows, []string{"moved", fmt.Sprintf("the tag named %s in entry %d", r.Moved.From, r.Moved.Entry)})
	}
	for _, x := range r.Remarks {
		rows = append(rows, []string{"note", report.Neutral(x)})
	}
	return s.Strong(head) + "\n" + report.Table(rows, s.Width, "  ") + "use it by its digest:\n  " + report.Neutral(r.Image.Name) + "@" + string(r.Image.Digest) + "\n"
}

// imageRows tell an image to people.
func imageRows(i verdict.Image) [][]string {
	rows := [][]string{{"image", report.Neutral(i.Name)}, {"digest", string(i.Digest)}}
	if i.Tag != "" {
		rows = append(rows, []string{"tag", report.Neutral(i.Tag) + ", when it was asked"})
	}
	rows = append(rows, []string{"is", kindOfImage(i)})
	if i.Index != "" {
		rows = append(rows, []string{"of index", string(i.Index)})
	}
	for n, p := range i.Platforms {
		label := ""
		if n == 0 {
			label = "platforms"
		}
		rows = append(rows, []string{label, platformText(p) + "  " + string(p.Digest)})
	}
	built := "its configuration does not say"
	if !i.Created.IsZero() {
		built = i.Created.Format("2006-01-02 15:04:05 MST") + ", as it says itself"
	} else if len(i.Platforms) > 0 {
		built = "each platform for itself"
	}
	return append(rows, []string{"built", built}, []string{"built on", baseText(i.Base)})
}

func kindOfImage(i verdict.Image) string {
	switch {
	case strings.Contains(i.MediaType, "index"), strings.Contains(i.MediaType, "manifest.list"):
		return fmt.Sprintf("an index of %d platforms", len(i.Platforms))
	}
	return "one image"
}

func platformText(p verdict.Platform) string {
	text := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		text += "/" + p.Variant
	}
	if text == "/" {
		text = "platform not said"
	}
	return report.Neutral(text)
}

func baseText(b verdict.BaseImage) string {
	if b.State != verdict.StatePresent {
		return "it does not say"
	}
	text := b.Name
	if b.Digest != "" {
		text += "@" + string(b.Digest)
	}
	switch {
	case !b.Created.IsZero():
		text += ", built " + b.Created.Format("2006-01-02")
	default:
		text += ", whose age is not known"
	}
	return report.Neutral(text)
}

// imageSummary tells what a registry said in a few words.
func imageSummary(s *evidence.Statement) string {
	var i verdict.Image
	if s.Decode(&i) != nil {
		return string(verdict.KindImage)
	}
	words := "image: " + kindOfImage(i)
	if i.Tag != "" {
		words += ", then named by the tag " + i.Tag
	}
	if i.Moved != nil {
		words += ", which named another digest before"
	}
	return words
}

// lastImage is the newest record of a digest, of those that our own keys made; nil for none.
func (w *workspace) lastImage(ctx context.Context, d verdict.Digest, at ledger.Position) (*verdict.Image, ledger.Entry, error) {
	entries, err := w.findAll(ctx, ledger.Query{Subject: d, Kind: verdict.KindImage, At: at})
	if err != nil {
		return nil, ledger.Entry{}, err
	}
	for _, e := range entries {
		if e.Foreign || e.Pruned {
			continue
		}
		var x verdict.Image
		if err := w.decode(ctx, e.Index, &x); err != nil {
			return nil, e, fmt.Errorf("image in entry %d: %w", e.Index, err)
		}
		if x.Digest == d {
			return &x, e, nil
		}
	}
	return nil, ledger.Entry{}, nil
}
