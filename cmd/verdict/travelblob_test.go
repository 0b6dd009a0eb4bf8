package main

import (
	"errors"
	"strings"
	"testing"

	"verdict"
	"verdict/blob"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/sbom"
)

const besideXML = `<bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1"><components><component type="library"><name>left</name><version>1</version><purl>pkg:npm/left@1</purl></component></components></bom>`

// statedBeside records a bill that lies beside its statement, and what that says of it.
func (w *workspace) statedBeside(t *testing.T, change func(*verdict.StoredBill)) {
	t.Helper()
	if _, err := w.ledger.PutBlob(t.Context(), []byte(besideXML)); err != nil {
		t.Fatal(err)
	}
	b := verdict.StoredBill{Form: "CycloneDX", Version: "1.5", Encoding: "xml", Digest: blob.DigestOf([]byte(besideXML)), Size: int64(len(besideXML)), Components: 1}
	if change != nil {
		change(&b)
	}
	s, err := evidence.NewTyped(evidence.StoredBill, []verdict.Subject{{Kind: verdict.SubjectArtifact, Name: "a", Digest: sha256Digest([]byte("a"))}}, b, verdict.Context{At: w.now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := evidence.Sign(t.Context(), s, w.signer)
	if err == nil {
		_, err = w.ledger.Append(t.Context(), signed)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What the sender gives as a bill must be the one that was stated; what stays away makes its
// artifact unknown and never empty, and what could not be asked for is asked for again.
func TestABillIsTakenByItsDigestAlone(t *testing.T) {
	gives := func(text string, err error) func(verdict.Digest) ([]byte, error) {
		return func(verdict.Digest) ([]byte, error) { return []byte(text), err }
	}
	for _, c := range []struct {
		name   string
		says   func(*verdict.StoredBill)
		blob   func(verdict.Digest) ([]byte, error)
		here   bool
		left   string // why its bytes stayed away
		refuse bool   // its statement is not taken by this run
	}{
		{"as it was stated", nil, nil, true, "", false},
		{"other bytes", nil, gives(strings.Replace(besideXML, "left", "right", 2), nil), false, "not the one that the statement names", false},
		{"lost by the sender", nil, gives("", blob.NotFound("sha256:x")), false, "has lost", false},
		{"damaged there", nil, gives("", blob.Corrupt("sha256:x", "y")), false, "has lost", false},
		{"of another size than is stated", func(b *verdict.StoredBill) { b.Size++ }, nil, false, "not the one that the statement names", false},
		{"larger than is taken", func(b *verdict.StoredBill) { b.Size = sbom.MaxBill + 1 }, nil, false, "256 MiB", false},
		{"of a store that does not answer", nil, gives("", errors.New("no answer")), false, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := ledgerHere(t, "from"), ledgerHere(t, "to")
			from.statedBeside(t, c.says)
			r, err := to.takes(t, liar{sender: from.ledger, blob: c.blob}, verifierKey(t, from))
			if err != nil {
				t.Fatal(err)
			}
			if (len(r.LeftOut) == 1) != (c.left != "") || c.left != "" && !strings.Contains(r.LeftOut[0].Reason, c.left) || (len(r.Refused) == 1) != c.refuse || (r.Blobs == 1) != c.here {
				t.Errorf("%+v", r)
			}
			if c.refuse {
				if r.Refused[0].Code != verdict.CodeUnavailable {
					t.Errorf("%+v", r.Refused)
				}
				if r, err = to.takes(t, from.ledger, ""); err != nil || r.Blobs != 1 || r.Sent != 1 {
					t.Errorf("the next run: %+v, %v", r, err)
				}
				c.here = true
			}
			found, err := to.ledger.Where(t.Context(), ledger.WhereQuery{At: ledger.Now, Limit: 1, Packages: []ledger.PackageQuery{{Ecosystem: "npm", Name: "left"}}})
			if err != nil || (found.Bills == 1) != c.here || found.Searched.Bills != 1 {
				t.Errorf("%+v, %v", found, err)
			}
			if v, err := to.own.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !v.Holds() {
				t.Errorf("%+v, %v", v.Problems, err)
			}
		})
	}
}
