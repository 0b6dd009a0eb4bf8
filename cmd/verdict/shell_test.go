package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/report"
)

// shell runs the command line in this process, with a table of the test's own beside
// what every build has.
type shell struct {
	env   []string
	extra []command
}

func (s shell) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return s.runContext(context.Background(), args...)
}

func (s shell) runContext(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, talk bytes.Buffer
	a := &app{
		table: append(s.extra, configCommand(), versionCommand()),
		env:   newEnvironment(s.env), stdin: strings.NewReader(""), stdout: &out, stderr: &talk,
		now: func() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) }, rand: bytes.NewReader(make([]byte, 1<<10)),
	}
	code = a.main(ctx, args)
	return code, out.String(), talk.String()
}

// judging is a deciding command that finds the outcome that its argument names, under a
// mode.
func judging(mode verdict.Mode) command {
	return command{
		use: "judge OUTCOME", short: "Decide as told", args: exactly(1), judges: true, formats: report.Formats,
		setup: func(f *flags) runner {
			level := ""
			f.text(&level, "level", "WORD", "a flag of this command alone")
			return judgeAs(mode)
		},
	}
}

func judgeAs(mode verdict.Mode) runner {
	return func(_ context.Context, a *app, args []string) error {
		o := verdict.Outcome(args[0])
		d := verdict.Decision{ID: "0123456789abcdef", Point: "ci.secrets", Question: "Does this commit contain a leaked secret?", Mode: mode, Outcome: o, Enforced: mode.Enforce(o)}
		if o == verdict.Deny || o == verdict.Review {
			d.Reasons = []verdict.Reason{{Rule: "ci.secrets.none", Effect: verdict.Effect(o), Severity: verdict.SeverityHigh, Standing: verdict.Counts, Message: "found", Remediation: "remove it"}}
		}
		return a.conclude(report.Run{Command: "verdict judge", Decisions: []verdict.Decision{d}})
	}
}

// failing is a command that ends as the test says.
func failing(err func(ctx context.Context) error) command {
	return command{use: "fail", short: "Fail as told", formats: []string{"text", "json", "sarif"}, setup: runs(func(ctx context.Context, _ *app, _ []string) error { return err(ctx) })}
}

// Pipelines stand on these numbers.
func TestExitCodesAreThoseOfTheDesign(t *testing.T) {
	s := shell{extra: []command{judging(verdict.ModeBlock)}}
	warn := shell{extra: []command{judging(verdict.ModeWarn)}}
	as := func(err error) shell {
		return shell{extra: []command{failing(func(context.Context) error { return err })}}
	}
	for _, c := range []struct {
		name string
		s    shell
		args []string
		code int
		says string // on standard error
	}{
		{"allowed is 0", s, []string{"judge", "allow"}, 0, ""},
		{"blocked is 3", s, []string{"judge", "deny"}, 3, ""},
		{"to be approved is 5", s, []string{"judge", "review"}, 5, ""},
		{"could not decide is 1", s, []string{"judge", "error"}, 1, ""},
		{"a warning is 0", warn, []string{"judge", "deny"}, 0, ""},
		{"report-only makes 3 to 0 and says so", s, []string{"judge", "deny", "--report-only"}, 0, "REPORT ONLY: the answer is exit code 3"},
		{"report-only makes 5 to 0 and says so", s, []string{"judge", "review", "--report-only"}, 0, "REPORT ONLY: the answer is exit code 5"},
		{"report-only leaves 1", s, []string{"judge", "error", "--report-only"}, 1, ""},
		{"report-only taken back leaves 3", s, []string{"judge", "deny", "--report-only=false"}, 3, ""},
		{"a mistyped command is 2", s, []string{"jugde", "deny"}, 2, "did you mean verdict judge?"},
		{"too few arguments are 2", s, []string{"judge"}, 2, "takes one argument, and was given 0"},
		{"an outage is 1", as(&verdict.Error{Code: verdict.CodeUnavailable, What: "the database does not answer", Remedy: "start it"}), []string{"fail"}, 1, "  fix: start it"},
		{"a proof that does not hold is 3", as(&verdict.Error{Code: verdict.CodeRefused, What: "the signature is wrong", Remedy: "ask the signer"}), []string{"fail"}, 3, "the signature is wrong"},
		{"no right is 4", as(&verdict.Error{Code: verdict.CodeForbidden, What: "not yours", Remedy: "sign in"}), []string{"fail"}, 4, "not yours"},
		{"an error without a remedy is 1 and gets one", as(errors.New("latest sbom: eof")), []string{"fail"}, 1, "  fix: this is a defect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := c.s.run(t, c.args...)
			if code != c.code {
				t.Errorf("exit %d, want %d: %s", code, c.code, stderr)
			}
			if !strings.Contains(stderr, c.says) {
				t.Errorf("standard error lacks %q: %s", c.says, stderr)
			}
		})
	}
}

func TestAnInterruptedCommandIs130(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := shell{extra: []command{failing(func(ctx context.Context) error {
		cancel()
		return fmt.Errorf("read the tree: %w", ctx.Err())
	})}}
	code, _, stderr := s.runContext(ctx, "fail")
	if code != 130 || !strings.Contains(stderr, "nothing was decided") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// Go itself ends a panic with 2, which would blame who typed the command.
func TestADefectIs1AndSaysWhatToReport(t *testing.T) {
	s := shell{extra: []command{failing(func(context.Context) error { panic("boom\x1b[2J\n::error::x") })}}
	code, _, stderr := s.run(t, "fail")
	if code != 1 || !strings.Contains(stderr, `a defect in Verdict: boom\x1b[2J`) || strings.Contains(stderr, "\n::error") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestErrorsAreJSONForWhoAskedForJSON(t *testing.T) {
	s := shell{extra: []command{failing(func(context.Context) error {
		return &verdict.Error{Code: verdict.CodeInvalid, What: "bad \x1b data", Remedy: "mend it"}
	})}}
	for _, args := range [][]string{{"fail", "-o", "json"}, {"fail", "-ojson"}, {"fail", "--output=json"}, {"fail", "--nonsense", "-o", "json"}} {
		_, stdout, stderr := s.run(t, args...)
		var doc struct{ Schema, Code, What, Remedy string }
		if err := json.Unmarshal([]byte(stdout), &doc); err != nil {
			t.Fatalf("%v gives %q: %v", args, stdout, err)
		}
		if doc.Schema != "verdict.error/v1" || doc.Code == "" || doc.What == "" || doc.Remedy == "" {
			t.Errorf("%v gives %+v", args, doc)
		}
		if !strings.HasPrefix(stderr, "verdict: ") {
			t.Errorf("%v tells a person %q", args, stderr)
		}
	}
}

// A report from yesterday must not stand for the run that failed today.
func TestAFailureReplacesTheReportOfAnEarlierRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verdict.sarif")
	if err := os.WriteFile(path, []byte("yesterday: all fine"), 0o640); err != nil {
		t.Fatal(err)
	}
	s := shell{extra: []command{failing(func(context.Context) error { return errors.New("disk on fire") })}}
	if code, _, _ := s.run(t, "fail", "-o", "sarif="+path); code != 1 {
		t.Errorf("exit %d", code)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(got, []byte(`"executionSuccessful": false`)) {
		t.Errorf("the file says %s", got)
	}
}

func TestResultsThatCannotBeWrittenAreAnError(t *testing.T) {
	var talk bytes.Buffer
	a := &app{table: []command{judging(verdict.ModeBlock)}, env: environment{}, stdin: strings.NewReader(""), stdout: fullDisk{}, stderr: &talk, now: time.Now, rand: bytes.NewReader(nil)}
	if code := a.main(context.Background(), []string{"judge", "allow"}); code != 1 || !strings.Contains(talk.String(), "standard output takes no more") {
		t.Errorf("exit %d: %s", code, talk.String())
	}
	s := shell{extra: []command{judging(verdict.ModeBlock)}}
	code, _, stderr := s.run(t, "judge", "allow", "-o", "sarif="+t.TempDir())
	if code != 1 || !strings.Contains(stderr, "cannot be written") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestDecisionsReachThePipelineAndTheFiles(t *testing.T) {
	dir := t.TempDir()
	s := shell{
		env:   []string{"GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=" + dir + "/summary", "GITHUB_OUTPUT=" + dir + "/output", "CI=true"},
		extra: []command{judging(verdict.ModeBlock)},
	}
	code, stdout, stderr := s.run(t, "judge", "deny", "-o", "json", "-o", "junit="+dir+"/j.xml", "-o", "text="+dir+"/t.txt")
	if code != 3 {
		t.Errorf("exit %d", code)
	}
	if !json.Valid([]byte(stdout)) {
		t.Errorf("standard output is not JSON alone: %s", stdout)
	}
	if !strings.Contains(stderr, "::error title=") {
		t.Errorf("no annotation: %s", stderr)
	}
	for _, f := range []string{"summary", "output", "j.xml", "t.txt"} {
		if b, err := os.ReadFile(filepath.Join(dir, f)); err != nil || len(b) == 0 {
			t.Errorf("%s has %d bytes, error %v", f, len(b), err)
		}
	}
	s.env = []string{"GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=" + dir}
	if code, _, stderr = s.run(t, "judge", "deny"); code != 3 || !strings.Contains(stderr, "verdict: github was not told") {
		t.Errorf("a pipeline that could not be told gives exit %d: %s", code, stderr)
	}
}

func TestFilesAreWrittenWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "real.json")
	if err := os.WriteFile(target, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.json")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(target); string(b) != "new" {
		t.Errorf("behind the link is %q", b)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, error %v", info.Mode(), err)
	}
	if info, _ := os.Stat(target); info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v", info.Mode())
	}
	if err := writeFile(filepath.Join(dir, "no", "such"), nil); err == nil {
		t.Error("a folder that does not exist took a file")
	}
	if err := writeFile(os.DevNull, []byte("x")); err != nil {
		t.Errorf("a device: %v", err)
	}
	if info, _ := os.Stat(os.DevNull); info.Mode().IsRegular() {
		t.Error("a device became a file")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.part"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Two settings with one name would make one of them unreachable.
func TestEverySettingHasNamesOfItsOwn(t *testing.T) {
	var file string
	a := &app{table: commands(), env: environment{}, stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	all := allSettings(newRoot(a, &file))
	if len(all) < 9 {
		t.Fatalf("only %d settings were found", len(all))
	}
	envs, keys := envsOf(all), keysOf(all)
	slices.Sort(envs)
	slices.Sort(keys)
	if n := len(slices.Compact(slices.Clone(envs))); n != len(envs) {
		t.Errorf("variables are not unique: %v", envs)
	}
	if n := len(slices.Compact(slices.Clone(keys))); n != len(keys) {
		t.Errorf("keys are not unique: %v", keys)
	}
	for _, s := range all {
		if _, ok := s.flag.Value.(*value); !ok {
			t.Errorf("--%s of %q takes an empty value: declare it with flags", s.flag.Name, s.command)
		}
		if strings.HasSuffix(s.flag.Usage, ".") || s.flag.Usage == "" {
			t.Errorf("--%s of %q: the help is %q", s.flag.Name, s.command, s.flag.Usage)
		}
	}
}

// What a pipeline sets from our outputs must not be taken for a mistyped setting.
func TestOurOwnOutputsAreNoSettings(t *testing.T) {
	s := shell{env: []string{"VERDICT_OUTCOME=deny", "VERDICT_ENFORCED=deny", "VERDICT_DECISIONS=x", "VERDICT_CORPORA=x"}}
	code, stdout, stderr := s.run(t, "config", "explain")
	if code != 0 || !strings.Contains(stdout, "VERDICT_OUTCOME is set and is no setting") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}

// A mistyped variable leaves the default in force: another ledger, or the network.
func TestAMistypedVariableIsRefusedAndAnothersIsNot(t *testing.T) {
	for _, c := range []struct{ name, variable, meant string }{
		{"a letter twice", "VERDICT_DATTA", "VERDICT_DATA"},
		{"a letter too few", "VERDICT_OFLINE", "VERDICT_OFFLINE"},
		{"two letters wrong", "VERDICT_REPORT_OMLI", "VERDICT_REPORT_ONLY"},
		{"letters that changed places", "VERDICT_MPA", "VERDICT_MAP"},
		{"one of a command", "VERDICT_JUDGE_LEVLE", "VERDICT_JUDGE_LEVEL"},
		{"the prefix wrong", "VERDIT_DATA", "VERDICT_DATA"},
		{"the prefix without its end", "VERDICTDATA", "VERDICT_DATA"},
		{"small letters", "verdict_offline", "VERDICT_OFFLINE"},
		{"the clock", "VERDICT_CLOK", "VERDICT_CLOCK"},
		{"a variable of a test", "VERDICT_CORPORA", ""},
		{"a short one of a test", "VERDICT_BIN", ""},
		{"another", "VERDICT_LONG", ""},
		{"a short one that is near to every short one", "VERDICT_ID", ""},
		{"one of a far name", "VERDICT_SLACK_CHANNEL", ""},
		{"one of another program", "VERSION_DATA", ""},
		{"one that is longer than anybody mistypes", "VERDICT_" + strings.Repeat("X", 4000), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shell{env: []string{c.variable + "=x"}, extra: []command{judging(verdict.ModeBlock)}}
			code, _, stderr := s.run(t, "judge", "allow")
			if c.meant == "" {
				if code != 0 {
					t.Fatalf("exit %d: %s", code, stderr)
				}
				code, stdout, _ := s.run(t, "config", "explain")
				if said := strings.Contains(stdout, c.variable+" is set and is no setting"); code != 0 || said != strings.HasPrefix(c.variable, "VERDICT_") {
					t.Errorf("exit %d, and nobody is told of the variable: %s", code, stdout)
				}
				return
			}
			if code != 2 || !strings.Contains(stderr, "the variable "+c.variable+" is no setting") || !strings.Contains(stderr, "did you mean "+c.meant+"?") {
				t.Errorf("exit %d: %s", code, stderr)
			}
		})
	}
}
