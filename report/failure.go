package report

import (
	"fmt"
	"io"
	"strings"

	"verdict"
)

// Failure is an error of the command line as it is printed: what happened, the next
// command or edit, and where to look. It is the document verdict.error/v1.
type Failure struct {
	Code   verdict.Code
	What   string
	Remedy string
	See    string // a command, or a file with its line; may be empty
	Exit   int
}

// failureDocument is the JSON form of a Failure.
type failureDocument struct {
	Schema string       `json:"schema"`
	Code   verdict.Code `json:"code"`
	What   string       `json:"what"`
	Remedy string       `json:"remedy"`
	See    string       `json:"see"`
	Exit   int          `json:"exit"`
}

// WriteFailure writes a failure in a format of Write, so that a reader of any format
// learns that there is no answer. An unknown format is an error.
func WriteFailure(w io.Writer, format string, f Failure, s Style) error {
	switch format {
	case "text":
		return writeText(w, failureText(f, s))
	case "json", "cyclonedx", "spdx":
		// No reader of bills of materials takes this for one: an empty list would look like
		// a tree without components.
		return writeJSON(w, failureDocument{"verdict.error/v1", f.Code, f.What, f.Remedy, f.See, f.Exit})
	case "sarif":
		return writeJSON(w, sarifFailure(f))
	case "junit":
		one := junitSuites{Name: "verdict"}
		one.add(junitSuite{Name: "verdict", Cases: []junitCase{{Name: string(f.Code), Class: "verdict", Error: &junitFault{Message: Neutral(f.What), Type: string(f.Code), Text: Neutral("fix: " + f.Remedy)}}}})
		return writeXML(w, one)
	case "markdown":
		head := "❓ Verdict: no answer"
		if f.Code == verdict.CodeRefused {
			head = "❌ Verdict: it does not hold"
		}
		return writeText(w, fmt.Sprintf("## %s\n\n%s\n\n**Fix:** %s\n", head, markdownText(f.What), markdownText(f.Remedy)))
	case "codequality":
		return writeJSON(w, []issue{remark("blocker", string(f.Code), advice(f.What, f.Remedy), "")})
	}
	return unknownFormat(format)
}

// failureText keeps the lines of an error that names several faults, each made neutral
// by itself. All but the first are indented further than any line of ours.
func failureText(f Failure, s Style) string {
	var b strings.Builder
	line := func(lead, code, text string) {
		if text == "" {
			return
		}
		lines, pad := strings.Split(text, "\n"), strings.Repeat(" ", len(lead))
		for i, l := range lines {
			lines[i] = Neutral(l)
		}
		fmt.Fprintf(&b, "%s%s\n", s.paint(code, lead), strings.TrimPrefix(Wrap(strings.Join(lines, "\n"), s.width()-len(lead), pad), pad))
	}
	line("verdict: ", bad, f.What)
	line("  fix: ", strong, f.Remedy)
	line("  see: ", dim, f.See)
	return b.String()
}
