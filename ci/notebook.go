package ci

import (
	"context"
	"fmt"
	"strings"

	"verdict/ci/plain"
)

func isNotebook(name string, _ []byte) bool { return hasEnding(name, ".ipynb") }

// passage is a text that stands in a notebook line by line, each in a string of its own.
type passage struct {
	cell int
	what string
	text strings.Builder
	at   []int64 // by line of the text, the line of the file
}

// add takes one string of the file.
func (p *passage) add(s string, line int64) {
	if p.text.Len() == 0 {
		p.at = append(p.at, line)
	} else if n := len(p.at) - 1; strings.HasSuffix(p.text.String()[max(0, p.text.Len()-1):], "\n") {
		p.at[n] = line
	}
	p.text.WriteString(s)
	for range strings.Count(s, "\n") {
		p.at = append(p.at, line)
	}
}

// readNotebook searches the sources and outputs of a Jupyter notebook as a person sees
// them. In the file they are strings of JSON, whose quotes are escaped.
func readNotebook(ctx context.Context, s *ruleSet, name string, content []byte) ([]finding, error) {
	var all []finding
	var failed error
	err := eachPassage(content, func(p *passage) error {
		text := []byte(p.text.String())
		var found []finding
		found, failed = s.passes(ctx, name, text, false)
		identifyAll(found, text)
		for _, f := range found {
			f.note += fmt.Sprintf("; it is in line %d of the %s of cell %d", f.line, p.what, p.cell)
			f.line = p.at[min(max(int(f.line)-1, 0), len(p.at)-1)]
			all = append(all, f)
		}
		return failed
	})
	if failed != nil {
		return all, failed
	}
	if err != nil {
		err = asideError("it is no notebook that can be read, and was searched as text alone: " + err.Error())
	}
	return all, err
}

// eachPassage calls use for the source and every output of each cell.
func eachPassage(content []byte, use func(*passage) error) error {
	j, n := plain.NewJSON(content), 0
	cells := func() error {
		return j.List('[', ']', func() error {
			n++
			return j.Members(func(key string, _ int64) error { return cellPart(j, key, n, use) })
		})
	}
	return j.Members(func(key string, _ int64) error {
		switch {
		case key == "cells" && j.Peek() == '[':
			return cells()
		case key == "worksheets" && j.Peek() == '[': // the format before version 4
			return j.List('[', ']', func() error {
				return j.Members(func(key string, _ int64) error {
					if key == "cells" && j.Peek() == '[' {
						return cells()
					}
					return j.Skip()
				})
			})
		}
		return j.Skip()
	})
}

func cellPart(j *plain.JSON, key string, cell int, use func(*passage) error) error {
	switch {
	case key == "source", key == "input":
		return textOf(j, &passage{cell: cell, what: "source"}, use)
	case key != "outputs" || j.Peek() != '[':
		return j.Skip()
	}
	return j.List('[', ']', func() error {
		return j.Members(func(key string, _ int64) error {
			switch {
			case key == "text" || key == "traceback" || key == "evalue":
				return textOf(j, &passage{cell: cell, what: "output"}, use)
			case key != "data":
				return j.Skip()
			}
			return j.Members(func(key string, _ int64) error {
				if !strings.HasPrefix(key, "text/") {
					return j.Skip()
				}
				return textOf(j, &passage{cell: cell, what: "output"}, use)
			})
		})
	})
}

// textOf takes a string or a list of strings.
func textOf(j *plain.JSON, p *passage, use func(*passage) error) error {
	one := func() error {
		j.Peek()
		line := j.Line()
		s, err := j.Text()
		if err == nil && s != "" {
			p.add(s, line)
		}
		return err
	}
	var err error
	if j.Peek() == '[' {
		err = j.List('[', ']', one)
	} else {
		err = one()
	}
	if err == nil && p.text.Len() > 0 {
		err = use(p)
	}
	return err
}
