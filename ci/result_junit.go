package ci

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"verdict"
)

// Limits of a JUnit file.
const (
	maxXMLDepth    = 64
	maxXMLElements = 1_000_000
)

// isJUnit reports whether the first element is one of JUnit.
func isJUnit(raw []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(raw))
	for range 100 {
		t, err := d.RawToken()
		if err != nil {
			return false
		}
		if e, ok := t.(xml.StartElement); ok {
			return e.Name.Local == "testsuites" || e.Name.Local == "testsuite"
		}
	}
	return false
}

// readJUnit reads JUnit XML as Maven's Surefire, pytest, Jest and others write it. There is
// no standard; what they share is testsuite, testcase, failure, error and skipped. A
// document type is refused: entities could make the text another for each reader.
func readJUnit(r *resultReader, raw []byte) error {
	j := &junit{r: r, d: xml.NewDecoder(bytes.NewReader(raw))}
	j.d.CharsetReader = func(name string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("its encoding is %s: have it written in UTF-8", oneLine(name, 40))
	}
	r.by(r.o.Source, "")
	for {
		t, err := j.d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("line %d: %s", xmlLine(j.d), oneLine(err.Error(), 300))
		}
		switch t := t.(type) {
		case xml.Directive:
			return fmt.Errorf("line %d: it has a document type, and none is read", xmlLine(j.d))
		case xml.StartElement:
			err = j.begin(t)
		case xml.EndElement:
			j.end()
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", xmlLine(j.d), err)
		}
	}
	if j.elements == 0 {
		return errors.New("it holds no test suite")
	}
	j.finish()
	return nil
}

func xmlLine(d *xml.Decoder) int {
	l, _ := d.InputPos()
	return l
}

// junit is the state of the reading. Suites can hold suites.
type junit struct {
	r        *resultReader
	d        *xml.Decoder
	open     []string // names of the elements that are open
	suites   []string // names of the suites that are open
	elements int

	test           map[string]string // attributes of the case that is open; nil: none
	failed         bool              // it has a hit already
	tests, skipped int64
	found          int64 // failures and errors
	said           int64 // as the outermost suites count them
}

func (j *junit) begin(e xml.StartElement) error {
	if j.elements++; j.elements > maxXMLElements {
		return fmt.Errorf("more than %d elements", maxXMLElements)
	}
	if j.open = append(j.open, e.Name.Local); len(j.open) > maxXMLDepth {
		return fmt.Errorf("nested deeper than %d", maxXMLDepth)
	}
	at := map[string]string{}
	for _, a := range e.Attr {
		if _, twice := at[a.Name.Local]; twice && a.Name.Space == "" {
			return fmt.Errorf("the attribute %s stands twice", oneLine(a.Name.Local, 40))
		}
		at[a.Name.Local] = a.Value
	}
	switch name := e.Name.Local; {
	case len(j.open) == 1 && name != "testsuites" && name != "testsuite":
		return fmt.Errorf("it begins with %s and not with testsuites or testsuite", oneLine(name, 40))
	case name == "testsuite":
		return j.suite(at)
	case name == "testcase":
		j.test, j.failed = at, false
		j.tests++
	case name == "skipped" && j.test != nil:
		j.skipped++
	case (name == "failure" || name == "error") && (j.test != nil || j.parent() == "testsuite"):
		j.fails(name, at)
	}
	return nil
}

func (j *junit) parent() string {
	if len(j.open) < 2 {
		return ""
	}
	return j.open[len(j.open)-2]
}

// suite opens a suite. The outermost ones count what all of them hold.
func (j *junit) suite(at map[string]string) error {
	if len(j.suites) == 0 {
		for _, name := range []string{"failures", "errors"} {
			if at[name] == "" {
				continue
			}
			n, err := strconv.ParseInt(at[name], 10, 32)
			if err != nil || n < 0 {
				return fmt.Errorf("%s is no number", name)
			}
			j.said += n
		}
	}
	j.suites = append(j.suites, at["name"])
	return nil
}

func (j *junit) end() {
	switch j.open[len(j.open)-1] {
	case "testsuite":
		j.suites = j.suites[:len(j.suites)-1]
	case "testcase":
		j.test = nil
	}
	j.open = j.open[:len(j.open)-1]
}

// fails takes what a test, or a suite as such, failed with: one finding for each test.
func (j *junit) fails(how string, at map[string]string) {
	j.found++
	if j.test != nil && j.failed {
		return
	}
	j.failed = true
	suite := ""
	if len(j.suites) > 0 {
		suite = j.suites[len(j.suites)-1]
	}
	name := strings.Trim(cmp.Or(j.test["classname"], suite)+"."+j.test["name"], ".")
	n, err := strconv.ParseInt(j.test["line"], 10, 32)
	if err != nil {
		n = 0
	}
	j.r.hit(verdict.Hit{
		Key: how + ":" + oneLine(suite, 200) + ":" + oneLine(name, 300), Detector: how,
		Message: oneLine(name, 200) + ": " + cmp.Or(at["message"], at["type"], how), Line: n,
	}, j.test["file"], "")
}

func (j *junit) finish() {
	r := j.r
	r.report.Scope.Inputs, r.report.Scope.Components = j.tests-j.skipped, j.tests-j.skipped
	switch {
	case j.tests == 0:
		r.open("", "the report holds no test: nothing was run")
	case j.tests == j.skipped:
		r.open("", "all %d tests were skipped: nothing was run", j.tests)
	case j.skipped > 0:
		r.aside("", "%d of %d tests were skipped", j.skipped, j.tests)
	}
	if j.said > j.found {
		r.open("", "the report counts %d failures and errors, and holds %d", j.said, j.found)
	}
}
