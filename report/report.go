// Package report renders decisions, their explanations and their trails: for people as
// text and Markdown, for machines as JSON, SARIF, JUnit and code quality, for pipelines
// as annotations, summaries and outputs.
//
// Two rules hold for every format. What is unknown, missing or incomplete never looks
// like what is fine. And text that comes from what was scanned is made harmless: no
// control character, no command of a pipeline, no markup of the format gets through.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"verdict"
	"verdict/sbom"
)

// Run is what one command found out: its decisions and what they rest on.
type Run struct {
	Command   string    // as it can be typed again, for hints: "verdict ci ."
	Version   string    // of Verdict
	At        time.Time // when; ages are counted to it
	Decisions []verdict.Decision
	Reports   []verdict.Report
	// NotBuilt lists points that were not asked because no rule for them exists yet.
	NotBuilt []string
	// ReportOnly says that the process ends with 0 although the answer is 3 or 5.
	ReportOnly bool
	// Bill lists the components that were found; nil where nobody looked for them.
	Bill *sbom.Document
	// Notes are further facts that a reader must not miss: which map judged, what was
	// not recorded.
	Notes []string
	// Declared is by what an environment was judged; nil where none was.
	Declared []Declared
	// Next are the commands that lead on from this answer; see Further.
	Next []Further
	// Mended is what --fix made of the working copy; nil where it was not asked for.
	Mended *Mended
	Style  Style // for text
}

// Further is a command that leads on, as it can be typed.
type Further struct {
	Command string `json:"command"`
	Why     string `json:"why"`
}

// Mended is what was written into the files of the working copy after they were judged.
type Mended struct {
	Edits []Edit `json:"edits"`
	// Left is what needs its tool or its author, and why.
	Left []Left `json:"left"`
	// Diff is all of it as a unified diff; empty where nothing was written.
	Diff string `json:"diff"`
}

// Edit is one line that was written anew.
type Edit struct {
	Path string `json:"path"`
	Line int64  `json:"line"` // from 1
	Why  string `json:"why"`
}

// Left is one thing that was not mended.
type Left struct {
	Path string `json:"path"`
	Line int64  `json:"line"` // from 1; 0 when unknown
	Why  string `json:"why"`
}

// Exit is the exit code that the decisions ask for, whatever ReportOnly makes of it. A
// real failure (3) wins over what could not be decided (1), and both over a wish for
// approval (5). A run without a decision decided nothing, which is 1.
func (r Run) Exit() int {
	if len(r.Decisions) == 0 {
		return verdict.CodeInternal.Exit()
	}
	seen := map[int]bool{}
	for _, d := range r.Decisions {
		seen[d.Exit()] = true
	}
	for _, code := range []int{verdict.CodeRefused.Exit(), verdict.CodeInternal.Exit(), verdict.CodeReview.Exit()} {
		if seen[code] {
			return code
		}
	}
	return 0
}

// Outcome joins the outcomes of the decisions, and Enforced what was enforced of them.
// Without a decision both are Undecided.
func (r Run) Outcome() verdict.Outcome {
	return r.join(func(d verdict.Decision) verdict.Outcome { return d.Outcome })
}

// Enforced joins what the modes let through.
func (r Run) Enforced() verdict.Outcome {
	return r.join(func(d verdict.Decision) verdict.Outcome { return d.Enforced })
}

func (r Run) join(of func(verdict.Decision) verdict.Outcome) verdict.Outcome {
	if len(r.Decisions) == 0 {
		return verdict.Undecided
	}
	out := verdict.Allow
	for _, d := range r.Decisions {
		out = out.Join(of(d))
	}
	return out
}

// complete reports whether every check read everything that it should have.
func (r Run) complete() bool {
	for _, p := range r.Reports {
		if !p.Complete {
			return false
		}
	}
	return len(r.Decisions) > 0
}

// Write renders a run in one of Formats or BillFormats.
func Write(w io.Writer, format string, r Run) error {
	switch format {
	case "text":
		return writeText(w, runText(r))
	case "json":
		return writeJSON(w, runDocument(r))
	case "sarif":
		return writeJSON(w, sarifOf(r))
	case "junit":
		return writeJUnit(w, r)
	case "markdown":
		return writeText(w, markdown(r, MarkdownLimit))
	case "codequality":
		return writeJSON(w, codeQuality(r))
	case "cyclonedx", "spdx":
		return writeBill(w, format, r)
	}
	return unknownFormat(format)
}

// Formats lists what Write can write of any run.
var Formats = []string{"text", "json", "sarif", "junit", "markdown", "codequality"}

func unknownFormat(format string) error {
	return &verdict.Error{
		Code: verdict.CodeUsage, What: fmt.Sprintf("there is no format %q", format),
		Remedy: "choose one of " + strings.Join(slices.Concat(Formats, BillFormats), ", "),
	}
}

func writeText(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

// writeJSON writes v indented. What a terminal or pipeline would act on is escaped as
// JSON allows, so that the value is unchanged for who decodes it.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(quietJSON(b.Bytes()))
	return err
}

// quietJSON escapes, in valid JSON, the runes that act and the "##[" of pipelines. All
// of them can only stand inside strings.
func quietJSON(in []byte) []byte {
	out := make([]byte, 0, len(in)+64)
	for i := 0; i < len(in); {
		r, n := utf8.DecodeRune(in[i:])
		switch {
		case r == '#' && opensCommand(string(in[i:min(i+64, len(in))])):
			out = append(out, `\u0023`...)
		case r >= 0x10000 && acts(r):
			hi, lo := (r-0x10000)>>10+0xD800, (r-0x10000)&0x3FF+0xDC00
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		case r >= 0x7f && acts(r):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, in[i:i+n]...)
		}
		i += n
	}
	return out
}

// Lines gives a writer that makes every line neutral on its way to w: for logs, whose
// words we do not write. Its Write is safe for concurrent use, and expects whole lines.
func Lines(w io.Writer) io.Writer { return &lines{w: w} }

type lines struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for line := range strings.Lines(string(p)) {
		body, newline := strings.CutSuffix(line, "\n")
		b.WriteString(strings.ReplaceAll(Neutral(strings.ReplaceAll(body, "\t", "    ")), "\t", "    "))
		if newline {
			b.WriteByte('\n')
		}
	}
	if _, err := io.WriteString(l.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
