package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"verdict"
	"verdict/report"
)

// app is one run of the command line: what the process was given, and the settings that
// hold for the command. One goroutine uses it.
type app struct {
	table          []command
	env            environment
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	pinned         bool // now stands still: see pinClock
	rand           io.Reader

	command  string     // as it is typed, without arguments; empty until it is found
	opened   *workspace // nil while none is open
	config   config
	file     fileSettings
	settings []setting // those of the command that runs, resolved
	screen   screen
	log      *slog.Logger // standard error; Info and above only with --verbose
	progress *progress
	proved   map[verdict.Digest]bool // bundles whose tests hold

	names     bool  // what was shown names commands: see tellAgain
	unhelpful error // why --help was not answered

	hosted *hosting // the app answers for a request to the server; nil: for a person at a shell
}

// main runs args and gives the exit code.
func (a *app) main(ctx context.Context, args []string) (code int) {
	a.screen = lookAt(a.stderr, a.env)
	a.log = slog.New(slog.DiscardHandler)
	a.progress = &progress{}
	defer func() {
		if p := recover(); p != nil { // exit 2, as Go has it, would blame the user
			a.progress.stop()
			f := explain(ctx, fmt.Errorf("a defect in Verdict: %v", p))
			tell(a.stderr, f, a.screen)
			fmt.Fprintf(report.Lines(a.stderr), "%s\n", debug.Stack())
			code = f.Exit
		}
	}()
	var named string
	root := newRoot(a, &named)
	err := a.execute(ctx, root, args)
	a.progress.stop()
	defer a.tellAgain()
	var answer exitCode
	if err == nil || errors.As(err, &answer) {
		return int(answer)
	}
	f := explain(ctx, err)
	tell(a.stderr, f, a.screen)
	if f.Code != verdict.CodeUsage && f.Code != verdict.CodeUnavailable { // there it may be the place that is wrong
		a.named(f.Remedy)
	}
	a.writeFailure(f, args)
	return f.Exit
}

// execute finds the command, looks at the words, and runs it.
func (a *app) execute(ctx context.Context, root *cobra.Command, args []string) error {
	if args == nil {
		args = []string{} // cobra reads the process's own for nil
	}
	root.SetArgs(args)
	if len(args) == 0 || !strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		cmd, _, err := root.Find(args)
		if err != nil {
			return usage("verdict --help", err.Error(), "verdict --help lists the commands")
		}
		a.command = cmd.CommandPath()
		if err := checkWords(cmd, args); err != nil {
			return err
		}
	}
	if err := root.ExecuteContext(ctx); err != nil {
		return err
	}
	return a.unhelpful
}

// newRoot builds the command tree. It does nothing that takes time: every start pays it.
func newRoot(a *app, configFile *string) *cobra.Command {
	root := command{
		use:   "verdict",
		short: "Take security decisions at fixed points, keep the evidence, explain them later",
		long:  rootHelp, sub: a.table,
	}.cobra(a)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		if a.unhelpful = a.mayExplain(c, c.Flags().Args()); a.unhelpful == nil {
			fmt.Fprint(a.stdout, helpText(c, lookAt(a.stdout, a.env)))
		}
	})
	root.SetHelpCommand(helpCommand(a))
	a.config.global(root, configFile)
	sayVersion(a, root)
	// It fails for a flag that does not exist, which the line above declares.
	_ = root.RegisterFlagCompletionFunc("output", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return strings.Split(c.Annotations[formatsOf], ", "), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
	return root
}

// prepare resolves the settings of the command that is about to run, and checks its
// arguments.
func (a *app) prepare(cmd *cobra.Command, c command, needs []need, args []string) error {
	all := allSettings(cmd.Root())
	if err := a.resolve(cmd, c, all); err != nil {
		return err
	}
	if err := checkUnknown(a.env, all); err != nil && !c.plain {
		return err
	}
	if err := c.checkOutputs(cmd, a.config.Output); err != nil {
		return err
	}
	if err := a.lacking(cmd, c, needs, args); err != nil {
		return err
	}
	if err := c.checkArgs(cmd, args); err != nil {
		return err
	}
	for _, s := range a.settings {
		if c.judges && s.key == "map" && s.flag.Changed {
			return usage(cmd.CommandPath()+" --help", cmd.CommandPath()+" takes no --map: a change is judged by the map of its base or the released one, never by one that is named",
				"leave --map out; a map takes effect when it is on the base branch, or by verdict map release")
		}
	}
	if err := a.pinClock(); err != nil && !c.plain {
		return err
	}
	if a.config.Verbose {
		a.log = slog.New(slog.NewTextHandler(report.Lines(a.stderr), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	a.progress = newProgress(a.stderr, a.screen, inPipeline(a.env))
	return nil
}

// resolve reads the configuration file and gives every setting of the command its value.
func (a *app) resolve(cmd *cobra.Command, c command, all []setting) error {
	a.settings = settingsOf(cmd)
	at := -1
	for i := range a.settings {
		if a.settings[i].key == "config" {
			at = i
		}
	}
	if at >= 0 && !c.plain {
		s := &a.settings[at]
		if err := s.resolve(a.env, fileSettings{}); err != nil {
			return err
		}
		var err error
		if a.file, err = readConfigFile(s.flag.Value.String(), a.env, keysOf(all)); err != nil {
			return err
		}
	}
	for i := range a.settings {
		if err := a.settings[i].resolve(a.env, a.file); err != nil {
			return err
		}
	}
	return nil
}

// dataDir is the directory of the local ledger.
func (a *app) dataDir() (string, error) {
	if a.config.Data != "" {
		return a.config.Data, nil
	}
	if dir := a.env.dataDir(); dir != "" {
		return dir + "/verdict", nil
	}
	return "", &verdict.Error{Code: verdict.CodeUsage, What: "there is no place for the ledger: neither HOME nor XDG_DATA_HOME is set", Remedy: "name one with --data DIR"}
}

// outputs is what was asked for; text on standard output unless a format goes there.
func (a *app) outputs() []output {
	for _, o := range a.config.Output {
		if o.File == "" {
			return a.config.Output
		}
	}
	return append([]output{{Format: "text"}}, a.config.Output...)
}

// write renders every output that was asked for: files whole or not at all, then
// standard output.
func (a *app) write(render func(w io.Writer, format string, s report.Style) error) error {
	outs := a.outputs()
	var front bytes.Buffer
	for _, o := range outs {
		var b bytes.Buffer
		style := report.Style{Width: 80}
		if o.File == "" {
			style = a.style()
		}
		if err := render(&b, o.Format, style); err != nil {
			return fmt.Errorf("write %s: %w", o.Format, err)
		}
		if o.File == "" {
			front = b
			if o.Format == "text" {
				a.named(b.String())
			}
			continue
		}
		if err := writeOutput(o.Format, o.File, b.Bytes()); err != nil {
			return err
		}
	}
	if _, err := a.stdout.Write(front.Bytes()); err != nil {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "standard output takes no more", Remedy: "make room where it goes, or write to a file with -o FORMAT=FILE", Err: err}
	}
	return nil
}

// writeFailure gives those who read a machine's form the failure in that form, so that a
// file from an earlier run is not taken for the result of this one.
func (a *app) writeFailure(f report.Failure, args []string) {
	for _, o := range a.config.Output {
		if o.File == "" {
			continue
		}
		var b bytes.Buffer
		if report.WriteFailure(&b, o.Format, f, report.Style{}) == nil {
			_ = writeOutput(o.Format, o.File, b.Bytes()) // it may be the very thing that failed; the exit code says it
		}
	}
	if format := a.frontFormat(args); format != "text" {
		_ = report.WriteFailure(a.stdout, format, f, report.Style{})
	}
}

// frontFormat is the format of standard output, also when the flags could not be read.
func (a *app) frontFormat(args []string) string {
	for _, o := range a.config.Output {
		if o.File == "" {
			return o.Format
		}
	}
	for i, w := range args {
		switch {
		case w == "-ojson", w == "-o=json", w == "--output=json",
			(w == "-o" || w == "--output") && i+1 < len(args) && args[i+1] == "json":
			return "json"
		}
	}
	if len(a.config.Output) == 0 && a.env.get("VERDICT_OUTPUT") == "json" {
		return "json"
	}
	return "text"
}

// conclude ends a deciding command: it writes what was found, tells the pipeline that
// runs us, and gives the exit code. A pipeline that could not be told is said aloud and
// changes no answer.
func (a *app) conclude(r report.Run) error { return a.concludeWith(r, nil) }

// concludeWith is conclude for a command that writes more than its decisions: the content of
// each further format. One without content leaves an empty file, so that none of an earlier
// run is taken for this one's.
func (a *app) concludeWith(r report.Run, more map[string][]byte) error {
	r.Version, r.ReportOnly = version(), a.config.ReportOnly
	if r.At.IsZero() {
		r.At = a.now()
	}
	err := a.write(func(w io.Writer, format string, s report.Style) error {
		if content, is := more[format]; is {
			_, err := w.Write(content)
			return err
		}
		r.Style = s
		return report.Write(w, format, r)
	})
	if err != nil {
		return err
	}
	pipeline := report.Detect(a.env.get)
	if err := pipeline.Publish(a.stderr, r, a.rand); err != nil {
		fmt.Fprintf(a.stderr, "verdict: %s was not told: %s\n", pipeline.Name, report.Neutral(err.Error()))
	}
	return a.enforce(r.Exit())
}

// enforce gives a decision's exit code. --report-only turns blocked and needs-approval
// into 0 and says so; could-not-decide stays.
func (a *app) enforce(code int) error {
	if !a.config.ReportOnly || (code != verdict.CodeRefused.Exit() && code != verdict.CodeReview.Exit()) {
		return exit(code)
	}
	fmt.Fprintf(a.stderr, "verdict: REPORT ONLY: the answer is exit code %d, and --report-only makes it 0; the recorded outcome stands\n", code)
	return nil
}

// style is how text on standard output should look.
func (a *app) style() report.Style {
	s := lookAt(a.stdout, a.env)
	return report.Style{Colour: s.colour, Width: s.width}
}
