package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"verdict"
	"verdict/blob"
	"verdict/evidence"
	"verdict/sbom"
)

// attestedBill is a bill of materials on its way into the ledger.
type attestedBill struct {
	raw  []byte
	bill *sbom.Bill
	// beside: it cannot be a predicate, and lies as a blob beside its statement.
	beside bool
	note   string // what is to be told of its digests
}

// takeBill reads the document, holds it to its schema, and gives the predicate to state it
// with: the document itself, or for what is no JSON or too large what stands for it.
func (x *attesting) takeBill(a *app, file, predicateType string) (string, []byte, error) {
	raw, err := a.readInput(file, "the bill of materials", sbom.MaxBill)
	if err != nil {
		return "", nil, err
	}
	if err := noPredicate(raw); err != nil {
		return "", nil, err
	}
	b, err := sbom.ReadValidBill(raw)
	if err != nil {
		return "", nil, err
	}
	x.bill = &attestedBill{raw: raw, bill: b, beside: b.Encoding != sbom.EncodingJSON || len(raw) > maxBill || raw[0] == 0xEF} // a byte order mark is no JSON
	if x.bill.beside {
		if predicateType != "" && predicateType != evidence.StoredBill {
			return "", nil, wrongPredicate(fmt.Sprintf("this bill of materials cannot be a predicate of the type %s: it is no JSON, or larger than a statement", predicateType),
				"leave the type to Verdict: verdict attest sbom FILE")
		}
		text, err := x.bill.standIn()
		return evidence.StoredBill, text, err
	}
	fits := map[string]string{"CycloneDX": "https://cyclonedx.org/bom", "SPDX": "https://spdx.dev/Document"}[b.Form]
	if b.Version == "3.0.1" {
		fits = evidence.SPDX3
	}
	if predicateType != "" && (!strings.HasPrefix(predicateType, fits) || predicateType == evidence.SPDX3 && fits != evidence.SPDX3) {
		return "", nil, wrongPredicate(fmt.Sprintf("the predicate is %s %s, and %s is the type of another form", b.Form, b.Version, predicateType), "leave the type to Verdict: verdict attest sbom FILE")
	}
	return first(predicateType, fits), raw, nil
}

// standIn is the predicate of a bill that lies beside its statement.
func (b *attestedBill) standIn() (json.RawMessage, error) {
	return json.Marshal(verdict.StoredBill{
		Form: b.bill.Form, Version: b.bill.Version, Encoding: b.bill.Encoding, Digest: blob.DigestOf(b.raw), Size: int64(len(b.raw)),
		Components: int64(len(b.bill.Components)), Inventory: string(b.bill.Inventory),
	})
}

// noPredicate tells evidence that was handed in instead of a predicate.
func noPredicate(raw []byte) error {
	var top struct {
		Statement json.RawMessage `json:"predicateType"`
		Envelope  json.RawMessage `json:"dsseEnvelope"`
		Payload   json.RawMessage `json:"payloadType"`
	}
	if len(raw) > evidence.MaxBundle || json.Unmarshal(raw, &top) != nil || top.Statement == nil && top.Envelope == nil && top.Payload == nil {
		return nil
	}
	_, err := predicateOf(verdict.KindSBOM, "", raw)
	return err
}

// isOf refuses a bill that names digests of its subject of which none is a subject's: it is
// the bill of something else. Digests of other algorithms than the subject's say nothing
// of it, which is told.
func (b *attestedBill) isOf(digests []verdict.Digest) error {
	named := b.bill.Subject.Digests
	if slices.ContainsFunc(digests, func(d verdict.Digest) bool { return slices.Contains(named, d) }) {
		b.note = "it names this digest as its subject"
		return nil
	}
	switch {
	case b.compares(digests):
		remedy := "give the bill of what --subject names"
		if len(named) == 1 {
			remedy += fmt.Sprintf(", or state this one of what it is of: --subject %s", named[0])
		}
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("the bill of materials is of another digest: it names %s (%s)", joined(named), first(b.bill.Subject.Name, "without a name")),
			Remedy: remedy,
		}
	case len(named) > 0:
		b.note = fmt.Sprintf("it names its subject by %s, which cannot be compared with --subject", joined(named))
	default:
		b.note = "it names no digest of its subject: that it is of --subject is the word of who signs"
	}
	return nil
}

// compares reports whether the bill names its subject by an algorithm of one of the digests.
func (b *attestedBill) compares(digests []verdict.Digest) bool {
	return slices.ContainsFunc(b.bill.Subject.Digests, func(n verdict.Digest) bool {
		return slices.ContainsFunc(digests, func(d verdict.Digest) bool { return n.Algorithm() == d.Algorithm() })
	})
}

// billIsOf holds the bill against the digests of its subjects: of a file also those that no
// statement names, where the bill has no other.
func (x *attesting) billIsOf(ctx context.Context, a *app, subjects []verdict.Subject) error {
	var digests []verdict.Digest
	for _, s := range subjects {
		digests = append(append(digests, s.Digest), s.Also...)
	}
	if len(x.bill.bill.Subject.Digests) > 0 && !x.bill.compares(digests) {
		for _, ref := range x.about {
			if info, err := os.Stat(ref); err != nil || !info.Mode().IsRegular() {
				continue
			}
			t, err := a.thing(ctx, ref)
			if err != nil {
				return err
			}
			digests = append(digests, t.digests...)
		}
	}
	return x.bill.isOf(digests)
}

// joined lists a few digests.
func joined(list []verdict.Digest) string {
	var words []string
	for i, d := range list {
		if i == 3 {
			words = append(words, fmt.Sprintf("%d more", len(list)-i))
			break
		}
		words = append(words, string(d))
	}
	return strings.Join(words, ", ")
}

// says tells what is recorded.
func (b *attestedBill) says() string {
	text := billSays(b.bill) + "; " + b.note
	if b.beside {
		text += "; its bytes lie beside the statement, as a blob"
	}
	for _, r := range b.bill.Remarks {
		text += "; " + r
	}
	return text
}

// keep puts the bytes of a bill where its statement will name them.
func (b *attestedBill) keep(ctx context.Context, w *workspace) error {
	if !b.beside {
		return nil
	}
	if _, err := w.ledger.PutBlob(ctx, b.raw); err != nil {
		return fmt.Errorf("keep the bill of materials: %w", err)
	}
	return nil
}
