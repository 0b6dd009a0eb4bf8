package report

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sameChance is a source of chance that a test can foresee.
func sameChance() *bytes.Reader { return bytes.NewReader(bytes.Repeat([]byte{0xab}, 1024)) }

// publish runs Publish with an environment whose files are in a folder of the test, and
// gives what went to the log and what is in each file.
func publish(t *testing.T, system string, r Run) (log string, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	env := map[string]map[string]string{
		"github": {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"), "GITHUB_OUTPUT": filepath.Join(dir, "output")},
		"azure":  {"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": dir},
		"gitlab": {"GITLAB_CI": "true"},
	}[system]
	p := Detect(func(k string) string { return env[k] })
	if p.Name != system {
		t.Fatalf("detected %q, want %q", p.Name, system)
	}
	var b strings.Builder
	if err := p.Publish(&b, r, sameChance()); err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return strings.ReplaceAll(b.String(), dir, "TEMP"), files
}

func TestPipelinesAreToldEachKindOfAnswer(t *testing.T) {
	for name, r := range cases() {
		t.Run(name, func(t *testing.T) {
			log, files := publish(t, "github", r)
			golden(t, name+".github", log+"--- outputs\n"+files["output"])
			if want := markdown(r, MarkdownLimit) + "\n"; files["summary"] != want {
				t.Errorf("the step summary is not the Markdown report: %s", firstDifference(files["summary"], want))
			}
			log, files = publish(t, "azure", r)
			golden(t, name+".azure", log)
			if len(files) != 1 {
				t.Errorf("Azure has %d summary files, want 1", len(files))
			}
			if log, files = publish(t, "gitlab", r); log != "" || len(files) != 0 {
				t.Errorf("GitLab reads the files that its job names; published %q and %d files", log, len(files))
			}
		})
	}
}

func TestNoPipelineIsDetectedWhereThereIsNone(t *testing.T) {
	p := Detect(func(string) string { return "" })
	var b strings.Builder
	if err := p.Publish(&b, cases()["blocked"], sameChance()); err != nil || p.Name != "" || b.Len() != 0 {
		t.Errorf("published %q to %q, error %v", b.String(), p.Name, err)
	}
}

var (
	githubLine = regexp.MustCompile(`^::(error|warning|notice) (file=[^:,]+,(line=\d+,)?)?title=[^:,]+::`)
	azureLine  = regexp.MustCompile(`^##vso\[task\.(logissue type=(error|warning);(sourcepath=[^;\]]+;)?(linenumber=\d+;)?|uploadsummary|setvariable variable=(outcome|enforced|decisions);isOutput=true|complete result=SucceededWithIssues;)\]`)
)

// A repository must not be able to give the pipeline commands of its own: every line is
// one of ours, and nothing after its start opens another.
func TestHostileTextGivesPipelinesNoCommand(t *testing.T) {
	for name, r := range cases() {
		for _, hot := range []Run{hostile(r), outlandish(r)} {
			log, files := publish(t, "github", hot)
			for line := range strings.Lines(log) {
				if !githubLine.MatchString(line) {
					t.Errorf("%s: GitHub gets %q", name, line)
				}
				if why := acting(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "::")); why != "" {
					t.Errorf("%s: GitHub gets %s", name, why)
				}
			}
			if n := strings.Count(log, "\n"); n > worst+1 {
				t.Errorf("%s: GitHub gets %d annotations", name, n)
			}
			checkOutputs(t, name, files["output"])
			log, _ = publish(t, "azure", hot)
			for line := range strings.Lines(log) {
				if !azureLine.MatchString(line) {
					t.Errorf("%s: Azure gets %q", name, line)
				}
				if why := acting(strings.TrimPrefix(line, "##")); why != "" {
					t.Errorf("%s: Azure gets %s", name, why)
				}
			}
		}
	}
}

// checkOutputs reads $GITHUB_OUTPUT as the runner does.
func checkOutputs(t *testing.T, name, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var keys []string
	for len(lines) > 0 {
		key, mark, ok := strings.Cut(lines[0], "<<")
		if !ok || len(lines) < 3 || lines[2] != mark {
			t.Fatalf("%s: the step's outputs cannot be read at %q", name, lines[0])
		}
		keys, lines = append(keys, key), lines[3:]
	}
	if got := strings.Join(keys, " "); got != "outcome enforced decisions" {
		t.Errorf("%s: the step's outputs are %q", name, got)
	}
}

func TestAStepSummaryStaysWithinItsLimit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "summary")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 850_000), 0o600); err != nil {
		t.Fatal(err)
	}
	r := cases()["blocked"]
	r.Decisions[1].Reasons[0] = vulnsReason(20_000)
	p := Pipeline{Name: "github", summary: path}
	var b strings.Builder
	if err := p.Publish(&b, r, sameChance()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > MarkdownLimit+100 {
		t.Errorf("the summary has %d bytes", len(data))
	}
	if !bytes.Contains(data, []byte("not shown here")) {
		t.Error("what was left out is not said")
	}
	if !bytes.Contains(data, []byte("Verdict: blocked")) {
		t.Error("the answer is not there")
	}
}

func TestMarkdownStaysWithinItsLimit(t *testing.T) {
	r := cases()["blocked"]
	r.Decisions[1].Reasons[0] = vulnsReason(20_000)
	for _, limit := range []int{2000, 65_000, MarkdownLimit} {
		if n := len(markdown(r, limit)); n > limit {
			t.Errorf("%d bytes within a limit of %d", n, limit)
		}
	}
}

func TestAPipelineThatCannotBeToldIsAnError(t *testing.T) {
	r := cases()["allowed"]
	var b strings.Builder
	if err := (Pipeline{Name: "github", summary: t.TempDir()}).Publish(&b, r, sameChance()); err == nil {
		t.Error("a summary that is a folder was taken")
	}
	if err := (Pipeline{Name: "github", outputs: filepath.Join(t.TempDir(), "o")}).Publish(&b, r, bytes.NewReader(nil)); err == nil {
		t.Error("delimiters were made without chance")
	}
	if err := (Pipeline{Name: "azure"}).Publish(fullDisk{}, r, sameChance()); !errors.Is(err, errFull) {
		t.Errorf("a log that takes no more gives %v", err)
	}
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
