package sbom

import (
	"bytes"
	"strings"
	"testing"

	"verdict"
)

// A bill in another form is the same bill: what is matched by must not be lost on the way,
// and what is lost is told.
func TestABillIsConverted(t *testing.T) {
	for what, text := range map[string]string{"XML": xmlText, "tags": tagText, "SPDX 3": spdx3Text, "JSON": cdxText("1.5"), "our own SPDX": string(written(t, sample(t).WriteSPDX))} {
		b, err := ReadValidBill([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var first, again bytes.Buffer
		left, err := b.WriteCycloneDX(&first, image, verdict.Tool{Name: "verdict", Version: "1"})
		if err != nil || len(left) == 0 || left[len(left)-1] != NotConverted {
			t.Errorf("%s: %q, %v", what, left, err)
		}
		if _, err := b.WriteCycloneDX(&again, image, verdict.Tool{Name: "verdict", Version: "1"}); err != nil || first.String() != again.String() {
			t.Errorf("%s: it is written otherwise the second time: %v", what, err)
		}
		out, err := ReadValidBill(first.Bytes())
		if err != nil {
			t.Errorf("%s: what is written does not hold: %v\n%s", what, err, first.String())
			continue
		}
		if out.Inventory != b.Inventory || out.Subject.Name != b.Subject.Name || len(out.Subject.Digests) != len(b.Subject.Digests) || len(out.Components) != len(b.Components) {
			t.Errorf("%s: %+v became %+v", what, b, out)
		}
		for i, c := range out.Components {
			if want := b.Components[i]; c.Component != want.Component || strings.Join(c.Licenses, ";") != strings.Join(want.Licenses, ";") || len(c.Digests) != len(want.Digests) {
				t.Errorf("%s: %+v became %+v", what, want, c)
			}
		}
	}
}
