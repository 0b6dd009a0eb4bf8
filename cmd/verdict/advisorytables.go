package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"verdict"
	"verdict/ci"
	"verdict/report"
)

// The operator's tables lie beside the index, as they were given.
const (
	popularFile   = "popular-names.txt"
	endOfLifeFile = "end-of-life.csv"
	pinsFile      = "pins.txt"
	maxTable      = 8 << 20 // bytes
)

// tableList is the document verdict.advisory-tables/v1; 0 is a table that is not here.
type tableList struct {
	Schema    string `json:"schema"`
	Popular   int    `json:"popular"`     // names
	EndOfLife int    `json:"end_of_life"` // releases that have an end
	Pins      int    `json:"pins"`        // tags whose commit or digest is known
}

func advisoriesTablesCommand() command {
	return command{
		use: "tables", short: "Take the lists of popular names, of ends of life and of pins, or tell which are here",
		long: "Three tables of the operator's, which verdict ci uses beside the advisories when they are here. --popular has in each line an ecosystem and a name that is imitated, as in \"npm lodash\"; " +
			"a dependency whose name is one edit away, or differs in separators and letters that look alike only, is told. --end-of-life has product, cycle and last day of support in each row of CSV, as in \"python,3.8,2024-10-07\", or the same as a JSON list of objects; " +
			"products are go, nodejs, python and ruby. --pins has in each line the name of an action or image, a tag and the commit or sha256 digest that it stood for, as in \"actions/checkout v4.2.2 11bd71901bbe5b1630ceea73d27597364c9af683\"; verdict ci --fix writes it in the place of the tag. A table that cannot be read is refused, and the one that is here stays. Without them verdict ci says what it did not compare.",
		example: "verdict advisories tables\nverdict advisories tables --popular names.txt --end-of-life eol.csv\nverdict advisories tables --pins pins.txt",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var from tableFiles
			f.text(&from.popular, "popular", "FILE", "names that are imitated, one ecosystem and name in each line")
			f.text(&from.eol, "end-of-life", "FILE", "last days of support (CSV or JSON)")
			f.text(&from.pins, "pins", "FILE", "what tags of actions and images stood for, one name, tag and commit or digest in each line")
			return func(_ context.Context, a *app, _ []string) error { return a.takeTables(from) }
		},
	}
}

// tableFiles are the files that tables are taken from; empty: this one stays as it is.
type tableFiles struct{ popular, eol, pins string }

func (a *app) takeTables(from tableFiles) error {
	index, err := a.indexFile(from != tableFiles{})
	if err != nil {
		return err
	}
	dir := filepath.Dir(index)
	var taken [][2]string
	for _, t := range []struct {
		from, to string
		check    func([]byte) error
	}{
		{from.popular, popularFile, func(b []byte) error { _, err := ci.ParsePopular(b); return err }},
		{from.eol, endOfLifeFile, func(b []byte) error { _, err := ci.ParseEndOfLife(b); return err }},
		{from.pins, pinsFile, func(b []byte) error { _, err := ci.ParsePins(b); return err }},
	} {
		if t.from == "" {
			continue
		}
		b, err := table(t.from)
		if err != nil {
			return advisoryError(t.from, err)
		}
		if err := t.check(b); err != nil {
			return unreadableTable(t.from, err)
		}
		taken = append(taken, [2]string{t.to, string(b)})
	}
	for _, t := range taken { // nothing is taken unless all of it can be
		if err := writeFile(filepath.Join(dir, t[0]), []byte(t[1])); err != nil {
			return advisoryError(t[0], err)
		}
	}
	known, err := tables(dir)
	if err != nil {
		return err
	}
	list := tableList{Schema: "verdict.advisory-tables/v1"}
	if known.popular != nil {
		list.Popular = known.popular.Len()
	}
	if known.eol != nil {
		list.EndOfLife = known.eol.Len()
	}
	if known.pins != nil {
		list.Pins = known.pins.Len()
	}
	return a.emit(list, func(report.Style) string {
		return fmt.Sprintf("popular names  %s\nends of life   %s\npins           %s\n", here(list.Popular, "name"), here(list.EndOfLife, "release"), here(list.Pins, "tag"))
	})
}

func here(n int, what string) string {
	if n == 0 {
		return "none here"
	}
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// table reads a file of the operator's, up to a size.
func table(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	if err == nil && len(b) > maxTable {
		err = fmt.Errorf("it is larger than %d bytes", maxTable)
	}
	return b, err
}

func unreadableTable(path string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: report.Neutral(path) + " is no such table",
		Remedy: "write it as verdict advisories tables --help shows", Err: err,
	}
}

// operatorTables are those that are here; nil for one that is not.
type operatorTables struct {
	popular *ci.Popular
	eol     *ci.EndOfLife
	pins    *ci.Pins
}

func tables(dir string) (known operatorTables, err error) {
	read := func(name string, parse func(b []byte) error) error {
		b, err := table(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = parse(b)
		}
		if err != nil {
			return &verdict.Error{
				Code: verdict.CodeInvalid, What: name + " in the data directory cannot be used",
				Remedy: "take the table again: verdict advisories tables --help shows how", Err: err,
			}
		}
		return nil
	}
	err = errors.Join(
		read(popularFile, func(b []byte) (err error) { known.popular, err = ci.ParsePopular(b); return err }),
		read(endOfLifeFile, func(b []byte) (err error) { known.eol, err = ci.ParseEndOfLife(b); return err }),
		read(pinsFile, func(b []byte) (err error) { known.pins, err = ci.ParsePins(b); return err }),
	)
	return known, err
}
