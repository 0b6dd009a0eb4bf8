package inventory

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"verdict/ci/wording"
)

// xmlItem is one element with its attributes and the texts of its children, by names in
// lower case.
type xmlItem struct {
	name   string
	values map[string]string
	depth  int // 1 for the root
	line   int64
}

// maxXMLItem bounds the text of one value, in bytes.
const maxXMLItem = 4096

// xmlItems calls each for every element, at its end. Entities that a file defines itself
// are refused, so that it cannot grow while it is read.
func xmlItems(content []byte, each func(e xmlItem) error) error {
	d := xml.NewDecoder(bytes.NewReader(withoutBOM(content)))
	d.CharsetReader = charset
	lines := lineCounter{text: content, line: 1}
	var open []xmlItem
	text := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", lines.at(d.InputOffset()), err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) == maxPOMDepth {
				return fmt.Errorf("line %d: nested deeper than %d", lines.at(d.InputOffset()), maxPOMDepth)
			}
			e := xmlItem{name: strings.ToLower(t.Name.Local), values: map[string]string{}, depth: len(open) + 1, line: lines.at(d.InputOffset())}
			if e.depth == 1 { // its case tells what the file is
				e.name = t.Name.Local
			}
			for _, a := range t.Attr {
				e.values[strings.ToLower(a.Name.Local)] = wording.Cut(a.Value, maxXMLItem)
			}
			open, text = append(open, e), ""
		case xml.CharData:
			if len(text) < maxXMLItem {
				text += string(t[:min(len(t), maxXMLItem)])
			}
		case xml.EndElement:
			e := open[len(open)-1]
			open = open[:len(open)-1]
			if n := len(open); n > 0 && strings.TrimSpace(text) != "" {
				if _, said := open[n-1].values[e.name]; !said {
					open[n-1].values[e.name] = strings.TrimSpace(text)
				}
			}
			text = ""
			if err := each(e); err != nil {
				return err
			}
		}
	}
}
