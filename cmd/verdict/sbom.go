package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"verdict"
	"verdict/blob"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
	"verdict/sbom"
)

const billForms = "CycloneDX 1.2 to 1.7 as JSON or XML, SPDX 2.2 or 2.3 as JSON or tag-value, or SPDX 3.0.1 as JSON-LD; the form is told by what the file holds. - reads standard input. "

func sbomCommand() command {
	return command{
		use: "sbom", short: "Read bills of materials: check, list, convert",
		sub: []command{
			{
				use: "validate FILE", short: "Check a bill of materials as verdict attest sbom does",
				long: "FILE is " + billForms + "Ends with 1 where it does not hold the published schema of its version (CycloneDX JSON), " +
					"or what its specification demands (the other forms). Nothing is recorded.",
				example: "verdict sbom validate bom.cdx.json\nverdict sbom validate bom.spdx -o json",
				args:    exactly(1), formats: textOrJSON, setup: runs(validateBill),
			},
			{
				use: "show FILE|DIGEST", short: "List the components of a bill of materials, of a file or as recorded of a digest",
				long: "FILE is " + billForms + "A digest (sha256:… or IMAGE@sha256:…) takes the bill that was recorded last of it, by whomever. " +
					"Each component comes with its version, canonical package URL and licences. A package URL that is none is shown as it is written, and matched with nothing.",
				example: "verdict sbom show bom.cdx.json\nverdict sbom show ghcr.io/acme/payments-api@sha256:… -o json",
				args:    exactly(1), formats: textOrJSON, setup: runs(showBill),
			},
			{
				use: "convert FILE", short: "Write a bill of materials as CycloneDX 1.6",
				long: "FILE is " + billForms + "The same file gives the same bytes. What cannot be carried over is told; without -o cyclonedx nothing else is. " +
					"The result is another document: evidence is recorded as it came, not converted.",
				example: "verdict sbom convert bom.spdx -o cyclonedx\nverdict sbom convert bom.xml -o cyclonedx=bom.cdx.json",
				args:    exactly(1), formats: []string{"text", "cyclonedx"}, setup: runs(convertBill),
			},
		},
	}
}

// billShown is the document verdict.sbom/v1.
type billShown struct {
	Schema     string           `json:"schema"`
	Form       string           `json:"form"`
	Version    string           `json:"version"`
	Encoding   string           `json:"encoding"`
	Serial     string           `json:"serial"`
	Source     string           `json:"source"`          // sha256 of the file, or the identity of the evidence
	Entry      *int64           `json:"entry,omitempty"` // of the log; none for a file
	Validated  bool             `json:"validated"`       // held to its schema here and now
	Subject    billSubjectShown `json:"subject"`
	Inventory  string           `json:"inventory"`
	Components []billRow        `json:"components"`
	Remarks    []string         `json:"remarks"`
	Next       string           `json:"next,omitempty"` // the cursor of further components, where a page was asked for
	bill       *sbom.Bill
}

type billSubjectShown struct {
	Name    string           `json:"name"`
	Version string           `json:"version"`
	PURL    string           `json:"purl"`
	Digests []verdict.Digest `json:"digests"`
}

// billRow is one component.
type billRow struct {
	Name      string           `json:"name"`
	Version   string           `json:"version"`
	Type      string           `json:"type"`
	Ecosystem string           `json:"ecosystem"` // empty: none that has advisories, or no package URL
	PURL      string           `json:"purl"`      // canonical; empty where there is none that can be read
	Original  string           `json:"original"`  // as it is written
	Licenses  []string         `json:"licenses"`
	Digests   []verdict.Digest `json:"digests"`
}

func billOf(b *sbom.Bill) *billShown {
	v := &billShown{
		Schema: "verdict.sbom/v1", Form: b.Form, Version: b.Version, Encoding: b.Encoding, Serial: b.Serial, Inventory: string(b.Inventory),
		Subject:    billSubjectShown{b.Subject.Name, b.Subject.Version, b.Subject.PURL, append([]verdict.Digest{}, b.Subject.Digests...)},
		Components: make([]billRow, 0, len(b.Components)), Remarks: append([]string{}, b.Remarks...), bill: b,
	}
	for _, c := range b.Components {
		v.Components = append(v.Components, billRow{
			Name: first(c.Name, c.Component.Name), Version: first(c.Version, c.Component.Version), Type: c.Type, Ecosystem: c.Component.Ecosystem,
			PURL: c.Component.PURL, Original: c.Original, Licenses: append([]string{}, c.Licenses...), Digests: append([]verdict.Digest{}, c.Digests...),
		})
	}
	return v
}

// readBill reads a file and holds it to its schema.
func (a *app) readBill(file string) (*billShown, error) {
	raw, err := a.readInput(file, "the bill of materials", sbom.MaxBill)
	if err != nil {
		return nil, err
	}
	b, err := sbom.ReadValidBill(raw)
	if err != nil {
		return nil, err
	}
	v := billOf(b)
	v.Source, v.Validated = string(blob.DigestOf(raw)), true
	return v, nil
}

// billSays tells a bill in one line.
func billSays(b *sbom.Bill) string {
	known, licensed, odd, ecosystems := 0, 0, 0, map[string]bool{}
	for _, c := range b.Components {
		if c.Component.Ecosystem != "" {
			known++
			ecosystems[c.Component.Ecosystem] = true
		}
		if len(c.Licenses) > 0 {
			licensed++
		}
		if c.Component.PURL == "" {
			odd++
		}
	}
	text := fmt.Sprintf("%s %s, %s", b.Form, b.Version, plural(len(b.Components), "component", "components"))
	if n := len(b.Components); n > 0 {
		text += fmt.Sprintf(" (%d in %s with advisories, %d with a licence", known, plural(len(ecosystems), "ecosystem", "ecosystems"), licensed)
		if odd > 0 {
			text += fmt.Sprintf(", %d without a package URL", odd)
		}
		text += ")"
	}
	return text + ", " + inventoryText(b.Inventory)
}

func inventoryText(c sbom.Completeness) string {
	switch c {
	case sbom.Complete:
		return "complete by its own word"
	case sbom.Incomplete:
		return "not complete by its own word"
	}
	return "which does not say whether that is all"
}

func (v *billShown) remarks() (out string) {
	for _, r := range v.Remarks {
		out += "  " + report.Neutral(r) + "\n"
	}
	return out
}

func validateBill(_ context.Context, a *app, args []string) error {
	v, err := a.readBill(args[0])
	if err != nil {
		return err
	}
	return a.emit(v, func(s report.Style) string {
		return s.Strong("It can be used.") + " " + report.Neutral(billSays(v.bill)) + "\n" + v.remarks()
	})
}

func showBill(ctx context.Context, a *app, args []string) error {
	v, err := a.shownBill(ctx, args[0])
	if err != nil {
		return err
	}
	return a.emit(v, v.text)
}

// shownBill is that of a file, or the one that was recorded last of a digest.
func (a *app) shownBill(ctx context.Context, ref string) (*billShown, error) {
	digest := ref
	if _, d, ok := strings.Cut(ref, "@"); ok {
		digest = d
	}
	if !typedDigest.MatchString(digest) {
		return a.readBill(ref)
	}
	d, err := verdict.ParseDigest(digest)
	if err != nil {
		return nil, err
	}
	w, err := a.openExisting(ctx)
	if err != nil {
		return nil, err
	}
	defer w.close()
	return w.recordedBill(ctx, d)
}

// recordedBill is the bill that was recorded last of a digest, and whose body is still
// there.
func (w *workspace) recordedBill(ctx context.Context, d verdict.Digest) (*billShown, error) {
	at, err := w.position(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := w.ledger.Find(ctx, ledger.Query{Subject: d, Kind: verdict.KindSBOM, At: at})
	if err != nil {
		return nil, fmt.Errorf("find the bill of materials of %s: %w", d, err)
	}
	i := slices.IndexFunc(entries, func(e ledger.Entry) bool { return !e.Pruned })
	if i < 0 {
		return nil, &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("no bill of materials is recorded of %s", d),
			Remedy: fmt.Sprintf("record it: verdict attest sbom FILE --subject %s", d),
		}
	}
	e := entries[i]
	b, err := w.ledger.Bundle(ctx, e.Index)
	if err != nil {
		return nil, err
	}
	s, err := b.Statement()
	if err != nil {
		return nil, err
	}
	bill, err := w.ledger.BillOf(ctx, s)
	if err != nil {
		return nil, err
	}
	v := billOf(bill)
	v.Source, v.Entry = string(e.Identity), &e.Index
	by := "the key " + e.Producer
	if e.Foreign {
		by = producerText(evidence.ParseProducer(e.Producer)) + ", as a claim of others"
	}
	v.Remarks = append(v.Remarks, fmt.Sprintf("recorded as entry %d by %s", e.Index, by))
	if n := len(entries); n > 1 {
		v.Remarks = append(v.Remarks, fmt.Sprintf("%d bills of it are recorded: this is the last", n))
	}
	return v, nil
}

func (v *billShown) text(s report.Style) string {
	of := v.Subject.Name
	if v.Subject.Version != "" {
		of += " " + v.Subject.Version
	}
	out := s.Strong(report.Neutral(first(of, "a subject without a name"))) + ": " + report.Neutral(billSays(v.bill)) + "\n"
	for _, d := range v.Subject.Digests {
		out += "  " + string(d) + "\n"
	}
	rows := make([][]string, 0, len(v.Components)+1)
	if len(v.Components) > 0 {
		rows = append(rows, []string{"NAME", "VERSION", "PACKAGE URL", "LICENCE"})
	}
	for _, c := range v.Components {
		row := []string{c.Name, c.Version, first(c.PURL, c.Original, "-"), first(strings.Join(c.Licenses, "; "), "-")}
		for i := range row {
			row[i] = report.Neutral(row[i])
		}
		rows = append(rows, row)
	}
	return out + report.Table(rows, s.Width, "  ") + v.remarks()
}

func convertBill(_ context.Context, a *app, args []string) error {
	v, err := a.readBill(args[0])
	if err != nil {
		return err
	}
	tool := verdict.Tool{Name: "verdict", Version: thisBuild().Version}
	left, err := v.bill.WriteCycloneDX(io.Discard, verdict.Digest(v.Source), tool)
	if err != nil {
		return fmt.Errorf("write %s as CycloneDX: %w", args[0], err)
	}
	told := ""
	for _, x := range append(v.Remarks, left...) {
		told += "  " + report.Neutral(x) + "\n"
	}
	if a.outputs()[0].Format != "text" { // the document has standard output
		fmt.Fprint(a.stderr, told)
	}
	return a.write(func(out io.Writer, format string, s report.Style) error {
		if format == "cyclonedx" {
			_, err := v.bill.WriteCycloneDX(out, verdict.Digest(v.Source), tool)
			return err
		}
		_, err := io.WriteString(out, s.Strong("It can be written as CycloneDX 1.6.")+" "+report.Neutral(billSays(v.bill))+"\n"+told)
		return err
	})
}
