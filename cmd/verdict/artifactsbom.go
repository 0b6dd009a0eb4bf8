package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"verdict"
	"verdict/artifact"
	"verdict/artifact/layers"
	"verdict/artifact/registry"
	"verdict/evidence"
	"verdict/report"
	"verdict/sbom"
)

const seeArtifactSBOM = "verdict artifact sbom --help"

func artifactSBOMCommand() command {
	return command{
		use: "sbom REF|FILE", short: "List the packages in the layers of an image as a bill of materials",
		long: "Reads the databases of apk, dpkg and rpm, and what npm, Python, RubyGems, Maven and Go leave beside their packages, in the layers as they lie over each other. FILE is what docker save wrote, or an OCI layout as a folder or in a tar archive. " +
			"Nothing of a layer is unpacked to disk.\n\n" +
			"What could not be read is told, and the bill says then that it is incomplete. It never says that it is complete: what no package manager brought in is in no list.\n\n" +
			"--attest records the bill as evidence about the digest of the manifest, and about an index that holds that image alone: the images of several platforms differ, so each has a bill of its own. Of what an older docker save wrote, it is about the file.\n\n" + aboutRegistry,
		example: "verdict artifact sbom ghcr.io/acme/payments-api:v1.2.3 --platform linux/amd64 -o cyclonedx=bom.cdx.json\n" +
			"verdict artifact sbom ghcr.io/acme/payments-api@sha256:… --attest --service payments-api\nverdict artifact sbom ./image.tar -o cyclonedx=bom.cdx.json",
		args: exactly(1), formats: []string{"text", "cyclonedx", "spdx"},
		setup: func(f *flags) runner {
			x := &billing{}
			f.text(&x.platform, "platform", "OS/ARCH", "which of the images of an index, as linux/arm64 or linux/arm/v7; needed where it has more than one")
			f.toggle(&x.attest, "attest", "sign the bill and record it")
			f.text(&x.context.Service, "service", "NAME", "service that the image is of, as the map names it")
			return x.run
		},
	}
}

// billing is one run of the command.
type billing struct {
	platform string
	attest   bool
	context  verdict.Context
}

func (x *billing) run(ctx context.Context, a *app, args []string) error {
	if x.context.Service != "" && !x.attest {
		return usage(seeArtifactSBOM, "--service is for the evidence, and nothing is recorded without --attest", "add --attest, or leave --service out")
	}
	var image layers.Image
	var found *artifact.Identity
	var err error
	if _, stat := os.Stat(args[0]); stat == nil || !errors.Is(stat, fs.ErrNotExist) || strings.HasPrefix(args[0], ".") || filepath.IsAbs(args[0]) {
		s, end, openErr := openSaved(args[0])
		if openErr != nil {
			return openErr
		}
		defer end()
		image, err = x.saved(ctx, a, args[0], s)
	} else {
		image, found, err = x.remote(ctx, a, args[0])
	}
	if err != nil {
		return err
	}
	a.progress.phase("Reading layers")
	doc, err := layers.Read(ctx, image, layers.Limits{})
	if err != nil {
		return err
	}
	doc.Tool.Version = version()
	recorded := ""
	if x.attest {
		if recorded, err = x.record(ctx, a, doc, found); err != nil {
			return err
		}
	}
	if err := a.write(func(out io.Writer, format string, s report.Style) error {
		return writeImageBill(out, format, s, doc, recorded)
	}); err != nil {
		return err
	}
	if len(doc.Components) == 0 {
		return exit(verdict.CodeNotFound.Exit())
	}
	return nil
}

// remote takes an image in a registry.
func (x *billing) remote(ctx context.Context, a *app, ref string) (layers.Image, *artifact.Identity, error) {
	r, err := artifact.ParseReference(ref)
	if err != nil {
		return layers.Image{}, nil, err
	}
	c, err := a.remote(ctx, r, registry.Options{})
	if err != nil {
		return layers.Image{}, nil, err
	}
	i, err := a.identified(ctx, c, r)
	if err != nil {
		return layers.Image{}, nil, err
	}
	image, err := x.choose(ctx, c, i)
	return image, &i, err
}

// saved takes an image in a file or folder.
func (x *billing) saved(ctx context.Context, a *app, file string, s *layers.Saved) (layers.Image, error) {
	if len(s.Manifests) == 0 {
		d, err := a.digestFile(ctx, file)
		return layers.Image{Subject: verdict.Subject{Kind: verdict.SubjectArtifact, Name: filepath.Base(file), Digest: d}, Layers: s.Layers, Store: s}, err
	}
	about, err := onlyImage(file, s)
	if err != nil {
		return layers.Image{}, err
	}
	m, err := s.Manifest(ctx, about.Digest)
	if err != nil {
		return layers.Image{}, err
	}
	i, err := artifact.Identify(ctx, s, artifact.Reference{Name: about.Name, Digest: m.Digest}, m, nil)
	if err != nil {
		return layers.Image{}, err
	}
	return x.choose(ctx, s, i)
}

// choose takes the image of the platform that was asked for.
func (x *billing) choose(ctx context.Context, s artifact.Store, i artifact.Identity) (layers.Image, error) {
	digest, names := i.Digest, []string{}
	if len(i.Children) > 0 {
		digest = ""
	}
	for _, p := range i.Platforms {
		name := platformText(p)
		names = append(names, name)
		if name == x.platform || x.platform == "" && len(i.Platforms) == 1 {
			digest = p.Digest
		}
	}
	if digest == "" {
		what := "the index has images for several platforms"
		if x.platform != "" {
			what = "the index has no image for " + x.platform
		}
		return layers.Image{}, usage(seeArtifactSBOM, what, "add --platform "+strings.Join(names, " or --platform "))
	}
	m, err := s.Manifest(ctx, digest)
	if err != nil {
		return layers.Image{}, err
	}
	c, err := m.Parse()
	if err != nil {
		return layers.Image{}, err
	}
	subject := verdict.Subject{Kind: verdict.SubjectArtifact, Name: i.Name, Digest: digest}
	if len(i.Platforms) == 1 { // an index of one image is that image under another digest
		subject.Also = []verdict.Digest{i.Digest}
	}
	return layers.Image{Subject: subject, Layers: c.Layers, Store: s}, nil
}

// record signs the bill and appends it, with the identity of the image that it is of.
func (x *billing) record(ctx context.Context, a *app, doc sbom.Document, i *artifact.Identity) (said string, err error) {
	own, note, err := ownBillOf(doc, maxBill)
	if err != nil {
		return "", err
	}
	if note != "" {
		return "", &verdict.Error{Code: verdict.CodeLimit, What: note, Remedy: "list fewer packages in one image; -o cyclonedx=FILE writes the bill, which no reader of bills here takes whole"}
	}
	w, err := a.open(ctx)
	if err != nil {
		return "", err
	}
	defer w.end(&err)
	x.context.Run = pipelineRun(a.env)
	if i != nil {
		_, _, moved, err := w.recordImage(ctx, i, x.context)
		if err != nil {
			return "", err
		}
		a.tellMoved(moved)
	}
	x.context.At, x.context.Actor, x.context.Retention = w.now(), w.actor(), "release"
	s, err := evidence.NewTyped(own.kind, subjectsOfBill(doc), own.text, x.context, a.rand)
	if err != nil {
		return "", err
	}
	if err := own.keep(ctx, w); err != nil {
		return "", err
	}
	b, err := evidence.Sign(ctx, s, w.signer)
	if err != nil {
		return "", err
	}
	e, err := w.ledger.Append(ctx, b)
	if err != nil {
		return "", err
	}
	if e.Digest != b.PayloadDigest() {
		return fmt.Sprintf("recorded before, as entry %d", e.Index), nil
	}
	said = fmt.Sprintf("as entry %d", e.Index)
	if known, err := w.exposed(ctx, e); err != nil {
		return "", err
	} else if known != "" {
		said += "; " + known
	}
	return said, nil
}

// subjectsOfBill are the manifest that the bill is of, and the index that holds it alone.
func subjectsOfBill(doc sbom.Document) []verdict.Subject {
	var out []verdict.Subject
	for _, d := range append([]verdict.Digest{doc.Subject.Digest}, doc.Subject.Also...) {
		out = append(out, verdict.Subject{Kind: verdict.SubjectArtifact, Name: doc.Subject.Name, Digest: d})
	}
	slices.SortFunc(out, func(a, b verdict.Subject) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	return out
}

func writeImageBill(out io.Writer, format string, s report.Style, doc sbom.Document, recorded string) error {
	switch format {
	case "cyclonedx":
		return doc.WriteCycloneDX(out)
	case "spdx":
		return doc.WriteSPDX(out)
	}
	kinds := map[string]int{}
	for _, c := range doc.Components {
		kind := c.Ecosystem
		if kind == "" {
			kind, _, _ = strings.Cut(strings.TrimPrefix(c.PURL, "pkg:"), "/")
		}
		kinds[kind]++
	}
	rows := [][]string{{"image", report.Neutral(doc.Subject.Name)}, {"digest", string(doc.Subject.Digest)}}
	names := []string{}
	for k := range kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		rows = append(rows, []string{report.Neutral(k), plural(kinds[k], "package", "packages")})
	}
	rows = append(rows, []string{"inventory", string(doc.Inventory)})
	if recorded != "" {
		rows = append(rows, []string{"recorded", recorded})
	}
	text := s.Strong(plural(len(doc.Components), "package", "packages")+".") + "\n" + report.Table(rows, s.Width, "  ") + "not known:\n"
	const most = 20
	for n, gap := range doc.Open {
		if n == most {
			text += fmt.Sprintf("  - and %d more\n", len(doc.Open)-n)
			break
		}
		line := gap.Reason
		if gap.Path != "" {
			line = gap.Path + ": " + line
		}
		text += strings.Replace(report.Wrap(report.Neutral(line), s.Width, "    "), "    ", "  - ", 1) + "\n"
	}
	_, err := io.WriteString(out, text)
	return err
}
