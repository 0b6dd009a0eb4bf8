package main

import (
	"context"
	"fmt"
	"io"

	"verdict/report"
	"verdict/sbom"
)

func vexConvertCommand() command {
	return command{
		use: "convert FILE", short: "Write what a VEX document states as OpenVEX 0.2.0",
		long: "FILE is OpenVEX 0.2.0, CycloneDX with vulnerabilities, or CSAF 2.0 of the category csaf_vex; - reads standard input. Each statement keeps its own time, and names the document and form that it is from. " +
			"A product that FILE names by a range of versions alone cannot be named in OpenVEX: it is left out, and said on standard error, because without it the statement would speak of everything. " +
			"Nothing is recorded, and nobody vouches for the result before it is signed: verdict attest vex.",
		example: "verdict vex convert csaf.json > openvex.json\nverdict vex convert bom.json --author security@acme.example -o text=openvex.json",
		args:    exactly(1),
		setup: func(f *flags) runner {
			var o sbom.OpenVEXOptions
			f.text(&o.Author, "author", "NAME", "who states it; default: whom FILE names")
			f.text(&o.ID, "id", "IRI", "address of the new document; default: one that is made from what it says")
			return func(_ context.Context, a *app, args []string) error { return convertVEX(a, args[0], o) }
		},
	}
}

func convertVEX(a *app, file string, o sbom.OpenVEXOptions) error {
	raw, err := a.readInput(file, "the VEX document", sbom.MaxVEX)
	if err != nil {
		return err
	}
	doc, err := sbom.ReadVEX(raw)
	if err != nil {
		return err
	}
	if _, err := vexOf(doc, a.now()); err != nil { // what could never count is not written anew
		return err
	}
	o.Author, o.Tooling, o.At = first(o.Author, doc.Author), "verdict "+version(), a.now()
	out, left, err := doc.OpenVEX(o)
	if err != nil {
		return err
	}
	for _, l := range left {
		fmt.Fprintf(a.stderr, "verdict: left out: %s\n", report.Neutral(l))
	}
	return a.write(func(w io.Writer, _ string, _ report.Style) error {
		_, err := w.Write(out)
		return err
	})
}
