package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// command is one entry of the table in commands.go: everything that help, reference,
// completion and the shell need to know about it, and what it does.
type command struct {
	use     string // the name, then its arguments: "proof INDEX"
	short   string // one line, without a full stop
	long    string // what a person should know first; wrapped for the reader
	example string // one command per line

	args    arity
	formats []string // what -o may ask for; text alone when empty
	reads   bool     // takes --at
	judges  bool     // takes --report-only
	signed  bool     // a person signs it: --as is needed
	plain   bool     // reads no configuration file, so that a broken one never stops it
	hidden  bool

	// complete proposes values for the arguments.
	complete func(a *app, args []string) []string
	// setup declares the command's own flags and gives what runs after they are
	// resolved. It does no work of its own: it runs for every command at every start.
	setup func(f *flags) runner

	sub []command // a group has these and nothing to run
}

// formatsOf is the annotation of a command that lists what -o may ask for.
const formatsOf = "verdict_formats"

// runner is a command at work. It returns nil for exit code 0, exit(n) for an answer
// with another code, and an error otherwise.
type runner func(ctx context.Context, a *app, args []string) error

// runs is the setup of a command without flags of its own.
func runs(r runner) func(*flags) runner { return func(*flags) runner { return r } }

// arity is how many arguments a command takes.
type arity struct{ low, high int }

func exactly(n int) arity        { return arity{n, n} }
func between(low, hi int) arity  { return arity{low, hi} }
func atMost(n int) arity         { return arity{0, n} }
func atLeast(n int) arity        { return arity{n, 1 << 16} }
func (r arity) holds(n int) bool { return r.low <= n && n <= r.high }

func (r arity) String() string {
	switch {
	case r.high == 0:
		return "no arguments"
	case r.low == r.high && r.low == 1:
		return "one argument"
	case r.low == r.high:
		return fmt.Sprintf("%d arguments", r.low)
	case r.low == 0 && r.high == 1:
		return "at most one argument"
	case r.high == 1<<16:
		return fmt.Sprintf("at least %d", r.low)
	}
	return fmt.Sprintf("%d to %d arguments", r.low, r.high)
}

// cobra builds the command and those below it.
func (c command) cobra(a *app) *cobra.Command {
	out := &cobra.Command{
		Use: c.use, Short: c.short, Long: c.long, Example: c.example, Hidden: c.hidden,
		Args:                  cobra.ArbitraryArgs, // checked by us, with remedies
		DisableFlagsInUseLine: true,
	}
	if c.complete != nil {
		out.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return c.complete(a, args), cobra.ShellCompDirectiveNoFileComp
		}
	}
	for _, s := range c.sub {
		out.AddCommand(s.cobra(a))
	}
	if len(c.formats) > 1 {
		out.Annotations = map[string]string{formatsOf: strings.Join(c.formats, ", ")}
	}
	if c.setup == nil {
		out.RunE = missing
		return out
	}
	f := &flags{set: out.Flags()}
	work := c.setup(f)
	if c.reads {
		a.config.reading(out)
	}
	if c.judges {
		a.config.judging(out)
	}
	out.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.prepare(cmd, c, f.needs, args); err != nil {
			return err
		}
		return work(cmd.Context(), a, args)
	}
	return out
}

// missing is what a group of commands does on its own: nothing, which is never success.
func missing(cmd *cobra.Command, args []string) error {
	var names []string
	for _, s := range cmd.Commands() {
		if s.IsAvailableCommand() {
			names = append(names, s.Name())
		}
	}
	known := names
	if !cmd.HasParent() {
		known = append(slices.Clone(names), "help")
	}
	path, see := cmd.CommandPath(), cmd.CommandPath()+" --help"
	if len(args) == 0 {
		return usage(see, path+" needs a command: "+strings.Join(names, ", "), "add one of them")
	}
	return usage(see, fmt.Sprintf("there is no command %q in %s", args[0], path),
		meant(args[0], known, path+" ", see+" lists the commands"))
}

// checkArgs holds the number of arguments, and that none is empty: an empty one is a
// variable that a script forgot to set.
func (c command) checkArgs(cmd *cobra.Command, args []string) error {
	see := cmd.CommandPath() + " --help"
	if i := slices.IndexFunc(args, func(s string) bool { return strings.TrimSpace(s) == "" }); i >= 0 {
		return usage(see, fmt.Sprintf("argument %d of %s is empty", i+1, cmd.CommandPath()), "give it a value, or leave it out")
	}
	if !c.args.holds(len(args)) {
		return usage(see, fmt.Sprintf("%s takes %s, and was given %d", cmd.CommandPath(), c.args, len(args)), "write "+cmd.UseLine())
	}
	return nil
}

// checkOutputs holds the formats to those that the command can write.
func (c command) checkOutputs(cmd *cobra.Command, outputs []output) error {
	formats := c.formats
	if len(formats) == 0 {
		formats = []string{"text"}
	}
	for _, o := range outputs {
		if !slices.Contains(formats, o.Format) {
			return usage(cmd.CommandPath()+" --help", fmt.Sprintf("%s cannot write %q", cmd.CommandPath(), o.Format),
				meant(o.Format, formats, "-o ", "it writes "+strings.Join(formats, ", ")))
		}
	}
	return nil
}

// checkWords looks at the words as they were typed, before the flag library does: it
// would read `--report-only false` as true with an argument, and `--map --offline` as a
// map of that name.
func checkWords(cmd *cobra.Command, words []string) error {
	see := cmd.CommandPath() + " --help"
	for i, w := range words {
		if w == "--" {
			return nil
		}
		name, flag := typedFlag(cmd, w)
		if strings.HasPrefix(w, "-test.") || (flag == nil && strings.HasPrefix(w, "-") && len(w) > 2 && w[1] != '-' && cmd.Flag(w[1:]) != nil) {
			return usage(see, fmt.Sprintf("there is no flag %s", w), "a flag has two dashes: -"+w)
		}
		if flag == nil || i+1 == len(words) {
			continue
		}
		next := words[i+1]
		switch {
		case flag.NoOptDefVal != "" && readsAsToggle(next):
			return usage(see, fmt.Sprintf("%s is followed by %q", name, next), fmt.Sprintf("write %s=true or %s=false, and ./%s for a file of that name", name, name, next))
		case flag.NoOptDefVal == "" && len(next) > 1 && next[0] == '-':
			return usage(see, fmt.Sprintf("%s has no value: the next word is %s", name, next), fmt.Sprintf("write %s=VALUE", name))
		}
	}
	return nil
}

// typedFlag finds the flag that a word names without giving its value.
func typedFlag(cmd *cobra.Command, word string) (string, *pflag.Flag) {
	if name, ok := strings.CutPrefix(word, "--"); ok && !strings.Contains(name, "=") {
		return word, cmd.Flag(name)
	}
	if len(word) == 2 && word[0] == '-' && word[1] != '-' {
		if f := cmd.Flags().ShorthandLookup(word[1:]); f != nil {
			return word, f
		}
		return word, cmd.InheritedFlags().ShorthandLookup(word[1:])
	}
	return "", nil
}

func readsAsToggle(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "true", "false", "yes", "no", "on", "off", "0", "1", "t", "f", "y", "n":
		return true
	}
	return false
}
