package ci

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"time"

	"verdict/ci/inventory"
	"verdict/ci/plain"
)

// maxCycles bounds the table of ends of life.
const maxCycles = 50_000

// EndOfLife knows from which day releases of runtimes are not supported any more.
type EndOfLife struct{ days map[string]string } // "product cycle" → the day, as 2026-10-31

// ParseEndOfLife reads the table: CSV with product, cycle and eol in each row, or a JSON list
// of objects with these members, as endoflife.date has them. The day is the last one, as
// 2026-10-31; false is a release without an end yet.
func ParseEndOfLife(content []byte) (*EndOfLife, error) {
	content = bytes.TrimSpace(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")))
	var rows [][]string
	var err error
	if bytes.HasPrefix(content, []byte("[")) {
		rows, err = rowsOfJSON(content)
	} else {
		in := csv.NewReader(bytes.NewReader(content))
		in.FieldsPerRecord, in.Comment = 3, '#'
		rows, err = in.ReadAll()
		if err == nil && len(rows) > 0 && strings.EqualFold(strings.TrimSpace(rows[0][0]), "product") {
			rows = rows[1:]
		}
	}
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || len(rows) > maxCycles {
		return nil, fmt.Errorf("it has %d rows, and not 1 to %d", len(rows), maxCycles)
	}
	e := &EndOfLife{days: map[string]string{}}
	for i, r := range rows {
		product, cycle, day := strings.ToLower(strings.TrimSpace(r[0])), strings.TrimSpace(r[1]), strings.TrimSpace(r[2])
		if _, err := time.Parse(time.DateOnly, day); err != nil && day != "false" || product == "" || !cycleForm.MatchString(cycle) {
			return nil, fmt.Errorf("row %d is no product, cycle and day, as in python,3.8,2024-10-07", i+1)
		}
		if day != "false" {
			e.days[product+" "+cycle] = day
		}
	}
	return e, nil
}

var cycleForm = regexp.MustCompile(`^[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}$`)

func rowsOfJSON(content []byte) (rows [][]string, err error) {
	var list []struct {
		Product string `json:"product"`
		Cycle   string `json:"cycle"`
		EOL     any    `json:"eol"`
	}
	in := json.NewDecoder(bytes.NewReader(content))
	if err := in.Decode(&list); err != nil {
		return nil, err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text behind the list")
	}
	for _, x := range list {
		rows = append(rows, []string{x.Product, x.Cycle, fmt.Sprint(x.EOL)})
	}
	return rows, nil
}

// Len is the number of releases with an end.
func (e *EndOfLife) Len() int { return len(e.days) }

// end is the day and cycle of a version; empty where the table does not have it.
func (e *EndOfLife) end(product, version string) (day, cycle string) {
	for cycle = version; cycle != ""; {
		if day = e.days[product+" "+cycle]; day != "" {
			return day, cycle
		}
		i := strings.LastIndexByte(cycle, '.')
		cycle = cycle[:max(i, 0)]
	}
	return "", ""
}

// runsOn is a release that a file of the tree names.
type runsOn struct {
	product, version, source string
	line                     int64
	// least: the file asks for this release or a later one, so which one runs is not told.
	least bool
}

// runtimeFiles are the files that name one runtime each, and which.
var runtimeFiles = map[string]string{".nvmrc": "nodejs", ".node-version": "nodejs", ".python-version": "python", ".ruby-version": "ruby"}

func namesRuntime(p string) bool {
	base := path.Base(p)
	return (runtimeFiles[base] != "" || base == "go.mod" || base == "package.json") && !inventory.Within(p, "node_modules") && !inventory.Within(p, "vendor") && !inventory.TestData(p)
}

var (
	plainVersion = regexp.MustCompile(`^v?([0-9]+(?:\.[0-9]+){0,2})$`)
	goDirective  = regexp.MustCompile(`^\s*go\s+([0-9]+\.[0-9]+)`)
	engineForm   = regexp.MustCompile(`^(>=|\^|~)?\s*v?([0-9]+(?:\.[0-9]+){0,2})(?:\.[x*])?$`)
)

// runtimesOf reads which runtimes a file names. What is no plain version names none.
func runtimesOf(p string, content []byte) (all []runsOn) {
	base := path.Base(p)
	if product := runtimeFiles[base]; product != "" {
		n := int64(0)
		for line := range strings.Lines(string(content)) {
			n++
			if m := plainVersion.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				all = append(all, runsOn{product: product, version: m[1], source: p, line: n})
			}
		}
		return all
	}
	if base == "go.mod" {
		n := int64(0)
		for line := range strings.Lines(string(content)) {
			n++
			if m := goDirective.FindStringSubmatch(line); m != nil {
				return []runsOn{{product: "go", version: m[1], source: p, line: n, least: true}}
			}
		}
		return nil
	}
	j := plain.NewJSON(content)
	if j.Peek() != '{' {
		return nil
	}
	_ = j.Members(func(key string, _ int64) error { // what cannot be read is told by the components
		if key != "engines" {
			return j.Skip()
		}
		return j.Members(func(name string, line int64) error {
			text, err := j.Text()
			if m := engineForm.FindStringSubmatch(strings.TrimSpace(text)); m != nil && name == "node" {
				all = append(all, runsOn{product: "nodejs", version: m[2], source: p, line: line, least: m[1] == ">="})
			}
			return err
		})
	})
	return all
}

// ended tells runtimes that the table has a last day for: what has one that lies far ahead
// is no news.
func (t Taking) ended(all []runsOn) (flaws []inventory.Flaw) {
	if t.EndOfLife == nil || len(all) == 0 {
		return nil
	}
	now := t.Now().UTC()
	soon, today := now.AddDate(0, 6, 0).Format(time.DateOnly), now.Format(time.DateOnly)
	for _, r := range all {
		day, cycle := t.EndOfLife.end(r.product, r.version)
		// The last day is one with support; the key has the day after it.
		last, err := time.Parse(time.DateOnly, day)
		if err != nil || day > soon {
			continue
		}
		from := last.AddDate(0, 0, 1).Format(time.DateOnly)
		f := inventory.Flaw{Path: r.source, Line: r.line, Fix: "take a later release of " + r.product}
		switch {
		case !r.least:
			f.Rule, f.About = endOfLife, from+":"+r.product+":"+cycle
			f.Message = fmt.Sprintf("%s %s is supported until %s", r.product, r.version, day)
		case from <= today:
			f.Rule, f.About = endOfLifeLeast, r.product+":"+cycle
			f.Message = fmt.Sprintf("it may be built with %s %s, which is not supported since %s", r.product, r.version, from)
		default:
			continue
		}
		flaws = append(flaws, f)
	}
	return flaws
}
