package report

import (
	"fmt"
	"strings"
)

// Declared is one value by which an environment was judged, and where it was said.
type Declared struct {
	Key   string `json:"key"`
	Value string `json:"value"` // empty: nobody declared it, which is not harmless
	From  string `json:"from"`  // the file or release that says it; "default" where nobody did
	Line  int    `json:"line"`  // from 1; 0 where From has no lines
}

// DeclaredText tells values in few words: what was said, once for each place that said it,
// and at the end what nobody declared. The place that the reader was told as judged is told
// by its lines alone.
func DeclaredText(list []Declared, judged string) string {
	type place struct {
		from        string
		values      []string
		first, last int
	}
	var places []*place
	var undeclared []string
	for _, d := range list {
		if d.Value == "" {
			undeclared = append(undeclared, d.Key)
			continue
		}
		var at *place
		for _, p := range places {
			if p.from == d.From {
				at = p
			}
		}
		if at == nil {
			at = &place{from: d.From, first: d.Line}
			places = append(places, at)
		}
		at.values = append(at.values, d.Key+" "+d.Value)
		at.first, at.last = min(at.first, d.Line), max(at.last, d.Line)
	}
	var parts []string
	for _, p := range places {
		var where []string
		if p.from != judged {
			where = append(where, p.from)
		}
		switch {
		case p.first > 0 && p.first == p.last:
			where = append(where, fmt.Sprintf("line %d", p.first))
		case p.first > 0:
			where = append(where, fmt.Sprintf("lines %d-%d", p.first, p.last))
		}
		parts = append(parts, join(strings.Join(p.values, ", "), parens(strings.Join(where, ", "))))
	}
	if len(undeclared) > 0 {
		parts = append(parts, "not declared: "+strings.Join(undeclared, ", "))
	}
	return strings.Join(parts, "; ")
}
