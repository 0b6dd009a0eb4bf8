package report

import (
	"io"

	"verdict"
)

// BillFormats lists the formats of bills of materials, which Write writes for a run that
// has one.
var BillFormats = []string{"cyclonedx", "spdx"}

// writeBill writes what was found, whatever was decided about it.
func writeBill(w io.Writer, format string, r Run) error {
	switch {
	case r.Bill == nil:
		return &verdict.Error{
			Code: verdict.CodeUsage, What: "this run gathered no components, so there is no bill of materials to write as " + format,
			Remedy: "ask verdict ci for it: verdict ci -o " + format,
		}
	case format == "spdx":
		return r.Bill.WriteSPDX(w)
	}
	return r.Bill.WriteCycloneDX(w)
}
