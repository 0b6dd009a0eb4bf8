package report

import (
	"strings"
	"testing"
)

// A reader of any format sees each kind of answer as it was reviewed.
func TestFormatsRenderEachKindOfAnswer(t *testing.T) {
	for name, r := range cases() {
		for _, format := range Formats {
			t.Run(name+" as "+format, func(t *testing.T) {
				var b strings.Builder
				if err := Write(&b, format, r); err != nil {
					t.Fatal(err)
				}
				golden(t, name+"."+format, b.String())
			})
		}
	}
}
