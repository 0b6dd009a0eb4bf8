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
	maxTable      = 8 << 20 // bytes
)

// tableList is the document verdict.advisory-tables/v1; 0 is a table that is not here.
type tableList struct {
	Schema    string `json:"schema"`
	Popular   int    `json:"popular"`     // names
	EndOfLife int    `json:"end_of_life"` // releases that have an end
}

func advisoriesTablesCommand() command {
	return command{
		use: "tables", short: "Take the lists of popular names and of ends of life, or tell which are here",
		long: "Two tables of the operator's, which verdict ci uses beside the advisories when they are here. --popular has in each line an ecosystem and a name that is imitated, as in \"npm lodash\"; " +
			"a dependency whose name is one edit away, or differs in separators and letters that look alike only, is told. --end-of-life has product, cycle and last day of support in each row of CSV, as in \"python,3.8,2024-10-07\", or the same as a JSON list of objects; " +
			"products are go, nodejs, python and ruby. A table that cannot be read is refused, and the one that is here stays. Without them verdict ci says what it did not compare.",
		example: "verdict advisories tables\nverdict advisories tables --popular names.txt --end-of-life eol.csv",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var popular, eol string
			f.text(&popular, "popular", "FILE", "names that are imitated, one ecosystem and name in each line")
			f.text(&eol, "end-of-life", "FILE", "last days of support (CSV or JSON)")
			return func(_ context.Context, a *app, _ []string) error { return a.takeTables(popular, eol) }
		},
	}
}

func (a *app) takeTables(popular, eol string) error {
	index, err := a.indexFile(popular+eol != "")
	if err != nil {
		return err
	}
	dir := filepath.Dir(index)
	var taken [][2]string
	for _, t := range []struct {
		from, to string
		check    func([]byte) error
	}{
		{popular, popularFile, func(b []byte) error { _, err := ci.ParsePopular(b); return err }},
		{eol, endOfLifeFile, func(b []byte) error { _, err := ci.ParseEndOfLife(b); return err }},
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
	names, ends, err := tables(dir)
	if err != nil {
		return err
	}
	list := tableList{Schema: "verdict.advisory-tables/v1"}
	if names != nil {
		list.Popular = names.Len()
	}
	if ends != nil {
		list.EndOfLife = ends.Len()
	}
	return a.emit(list, func(report.Style) string {
		return fmt.Sprintf("popular names  %s\nends of life   %s\n", here(list.Popular, "name"), here(list.EndOfLife, "release"))
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
		Code: verdict.CodeInvalid, What: report.Neutral(path) + " is no such table: " + report.Neutral(err.Error()),
		Remedy: "write it as verdict advisories tables --help shows", Err: err,
	}
}

// tables reads those that are here; nil for one that is not.
func tables(dir string) (popular *ci.Popular, eol *ci.EndOfLife, err error) {
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
				Code: verdict.CodeInvalid, What: name + " in the data directory cannot be used: " + report.Neutral(err.Error()),
				Remedy: "take the table again: verdict advisories tables --help shows how", Err: err,
			}
		}
		return nil
	}
	err = errors.Join(
		read(popularFile, func(b []byte) (err error) { popular, err = ci.ParsePopular(b); return err }),
		read(endOfLifeFile, func(b []byte) (err error) { eol, err = ci.ParseEndOfLife(b); return err }),
	)
	return popular, eol, err
}
