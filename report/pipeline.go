package report

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"verdict"
)

// Pipeline is the system that runs us, as far as the environment tells. The zero value
// is none, and publishes nothing.
type Pipeline struct {
	Name    string // "github", "azure", "gitlab"
	summary string // file that a page of Markdown is appended to
	outputs string // file that the step's outputs are appended to
	temp    string // folder that lives as long as the job
}

// Detect reads the environment through get, which gives "" for what is not set.
func Detect(get func(string) string) Pipeline {
	switch {
	case get("GITHUB_ACTIONS") == "true":
		return Pipeline{Name: "github", summary: get("GITHUB_STEP_SUMMARY"), outputs: get("GITHUB_OUTPUT")}
	case strings.EqualFold(get("TF_BUILD"), "true"):
		return Pipeline{Name: "azure", temp: get("AGENT_TEMPDIRECTORY")}
	case get("GITLAB_CI") == "true":
		return Pipeline{Name: "gitlab"}
	}
	return Pipeline{}
}

// Publish tells the pipeline what a run found: annotations on w, which should be
// standard error so that results stay clean (the systems read both), a summary page and
// the step's outputs. chance makes delimiters and file names that nobody can guess.
// An error means that the pipeline was not told; the answer itself is untouched.
//
// GitLab reads files that its job names, so there is nothing to tell: see the format
// codequality.
func (p Pipeline) Publish(w io.Writer, r Run, chance io.Reader) error {
	switch p.Name {
	case "github":
		return p.github(w, r, chance)
	case "azure":
		return p.azure(w, r, chance)
	}
	return nil
}

// annotation is one remark for the page of a change.
type annotation struct {
	level string // error, warning, notice
	path  string
	line  int64
	title string
	text  string
}

// annotations are the worst ten findings and what could not be decided, with a count of
// the rest.
func (r Run) annotations() []annotation {
	var out []annotation
	for _, f := range r.faults() {
		out = append(out, annotation{level: levelWord(f.weight), title: "Verdict: " + f.decision.Point + " could not decide", text: advice(f.What, f.Remedy)})
	}
	for _, f := range r.findings() {
		out = append(out, annotation{levelWord(f.weight), f.item.Path, f.item.Line, "Verdict: " + f.reason.Rule, advice(f.message(), f.fix())})
	}
	for _, c := range r.Reports {
		if !c.Complete {
			out = append(out, annotation{level: "warning", title: "Verdict: " + c.Check, text: checkState(c).words})
		}
	}
	if rest := len(out) - worst; rest > 0 {
		out = append(out[:worst:worst], annotation{level: "notice", title: "Verdict", text: count(rest, "more remark is", "more remarks are") + " in the summary and in the output of -o json."})
	}
	return out
}

func levelWord(w weight) string {
	switch w {
	case stops:
		return "error"
	case warns:
		return "warning"
	}
	return "notice"
}

// escape replaces what ends a part of a command. Neutral has already made everything
// one line; the percent sign goes first, or the escapes themselves would be escaped.
func escape(s string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(fit(s, 2000))
}

func githubText(s string) string { return escape(s, "%", "%25", "\r", "%0D", "\n", "%0A") }

func githubProperty(s string) string {
	return escape(s, "%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
}

func (p Pipeline) github(w io.Writer, r Run, chance io.Reader) error {
	var b strings.Builder
	for _, a := range r.annotations() {
		var props []string
		if a.path != "" {
			props = append(props, "file="+githubProperty(a.path))
			if a.line > 0 {
				props = append(props, fmt.Sprintf("line=%d", a.line))
			}
		}
		props = append(props, "title="+githubProperty(a.title))
		fmt.Fprintf(&b, "::%s %s::%s\n", a.level, strings.Join(props, ","), githubText(a.text))
	}
	if err := writeText(w, b.String()); err != nil {
		return err
	}
	if p.summary != "" {
		if err := appendFile(p.summary, func(size int64) string {
			return markdown(r, max(MarkdownLimit-int(size), 2000)) + "\n"
		}); err != nil {
			return fmt.Errorf("step summary: %w", err)
		}
	}
	if p.outputs == "" {
		return nil
	}
	out, err := githubOutputs(r, chance)
	if err != nil {
		return err
	}
	if err := appendFile(p.outputs, func(int64) string { return out }); err != nil {
		return fmt.Errorf("step outputs: %w", err)
	}
	return nil
}

// githubOutputs sets outcome, enforced and decisions. The delimiter is chosen by chance,
// so that no value can end its own part and start another.
func githubOutputs(r Run, chance io.Reader) (string, error) {
	var b strings.Builder
	for _, v := range r.outputs() {
		mark, err := random(chance)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s<<verdict_%s\n%s\nverdict_%s\n", v[0], mark, Neutral(v[1]), mark)
	}
	return b.String(), nil
}

// outputs are the values that later steps may want.
func (r Run) outputs() [][2]string {
	var ids []string
	for _, d := range r.Decisions {
		ids = append(ids, d.ID)
	}
	return [][2]string{{"outcome", string(r.Outcome())}, {"enforced", string(r.Enforced())}, {"decisions", strings.Join(ids, ",")}}
}

func random(chance io.Reader) (string, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(chance, b); err != nil {
		return "", fmt.Errorf("random delimiter: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// appendFile adds text, made for the size that the file has already.
func appendFile(path string, text func(size int64) string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	size := int64(0)
	if info, err := f.Stat(); err == nil {
		size = info.Size()
	}
	_, err = f.WriteString(text(size))
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// The agent of Azure Pipelines undoes %AZP25 last, and these before.
func azureText(s string) string { return escape(s, "%", "%AZP25", "\r", "%0D", "\n", "%0A") }

func azureProperty(s string) string {
	return escape(s, "%", "%AZP25", "\r", "%0D", "\n", "%0A", "]", "%5D", ";", "%3B")
}

func (p Pipeline) azure(w io.Writer, r Run, chance io.Reader) error {
	var b strings.Builder
	for _, a := range r.annotations() {
		level := a.level
		if level == "notice" { // logissue knows two types
			level = "warning"
		}
		props := "type=" + level + ";"
		if a.path != "" {
			props += "sourcepath=" + azureProperty(a.path) + ";"
			if a.line > 0 {
				props += fmt.Sprintf("linenumber=%d;", a.line)
			}
		}
		fmt.Fprintf(&b, "##vso[task.logissue %s]%s\n", props, azureText(a.title+": "+a.text))
	}
	if p.temp != "" {
		name, err := random(chance)
		if err != nil {
			return err
		}
		path := filepath.Join(p.temp, "verdict-"+name+".md")
		if err := os.WriteFile(path, []byte(markdown(r, MarkdownLimit)), 0o600); err != nil {
			return fmt.Errorf("summary: %w", err)
		}
		fmt.Fprintf(&b, "##vso[task.uploadsummary]%s\n", azureText(path))
	}
	for _, v := range r.outputs() {
		fmt.Fprintf(&b, "##vso[task.setvariable variable=%s;isOutput=true]%s\n", v[0], azureText(v[1]))
	}
	if h := r.headline(); (r.Exit() == 0 || r.ReportOnly && r.Exit() != verdict.CodeInternal.Exit()) && h.mark != "✓" && h.mark != "–" {
		fmt.Fprintf(&b, "##vso[task.complete result=SucceededWithIssues;]%s\n", azureText(lower(h.words)))
	}
	return writeText(w, b.String())
}
