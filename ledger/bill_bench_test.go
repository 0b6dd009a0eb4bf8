package ledger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/sbom"
)

// billOf is a bill as tools write them for n packages, some 720 bytes each: with
// reference, licence, digest, place, properties, and what needs what.
func billOf(n int, serial int64) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-%012x","version":1,`+
		`"metadata":{"timestamp":"2026-11-20T09:00:00Z","component":{"type":"container","bom-ref":"root","name":"payments","version":"1.0"}},"components":[`, serial)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		purl := fmt.Sprintf("pkg:npm/%%40acme/left%d@1.2.%d", i, i)
		fmt.Fprintf(&b, `{"type":"library","bom-ref":%q,"group":"@acme","name":"left%d","version":"1.2.%d","scope":"required","purl":%[1]q,`+
			`"licenses":[{"license":{"id":"MIT"}}],"hashes":[{"alg":"SHA-512","content":%[4]q}],`+
			`"externalReferences":[{"type":"distribution","url":"https://npm.acme.example/@acme/left%[2]d"}],`+
			`"properties":[{"name":"a:b","value":"c"},{"name":"a:c","value":"false"}],"evidence":{"occurrences":[{"location":"package-lock.json","line":%[2]d}]}}`,
			purl, i, i, strings.Repeat("ab", 64))
	}
	b.WriteString(`],"dependencies":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		next := (i + 1) % n
		fmt.Fprintf(&b, `{"ref":"pkg:npm/%%40acme/left%d@1.2.%d","dependsOn":["pkg:npm/%%40acme/left%d@1.2.%d"]}`, i, i, next, next)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// BenchmarkBill is what verdict attest sbom does with a bill of an artifact, one after the
// other: read, held to its schema, stated, signed, and appended to the log with the rows that
// follow from it.
func BenchmarkBill(b *testing.B) {
	for _, n := range []int{500, 5000} {
		b.Run(fmt.Sprintf("%d_components", n), func(b *testing.B) {
			d := newBed(b)
			l := d.begun()
			if _, err := sbom.ReadValidBill(billOf(1, 0)); err != nil { // the schema is compiled once in a process
				b.Fatal(err)
			}
			var busy time.Duration
			for b.Loop() {
				b.StopTimer()
				serial := d.serial.Add(1)
				raw := billOf(n, serial)
				began := cpu(b)
				b.StartTimer()
				bill, err := sbom.ReadValidBill(raw)
				if err != nil || len(bill.Components) != n {
					b.Fatal(err)
				}
				s, err := evidence.New(verdict.KindSBOM, []verdict.Subject{subject(fmt.Sprint("image ", serial))}, json.RawMessage(raw),
					verdict.Context{Service: "shop", Actor: "p1", Retention: "release", At: d.now()}, nil)
				if err != nil {
					b.Fatal(err)
				}
				x, err := evidence.Sign(b.Context(), s, d.key)
				if err != nil {
					b.Fatal(err)
				}
				d.append(l, x)
				busy += cpu(b) - began
			}
			b.ReportMetric(float64(busy.Microseconds())/1e3/float64(b.N), "cpu-ms/bill")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bills/s")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/bill")
		})
	}
}
