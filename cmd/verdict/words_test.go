package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wrong is a command line that says something that does not exist.
type wrong struct {
	args []string
	env  string // one more variable
	says string // on standard error; empty: anything
}

// A mistyped word must never end with 0, and never do something: a pipeline would go on
// as if it had been judged. The lines are made from the tree of commands, so that one
// that is added later is held to the same.
func TestNothingThatDoesNotExistIsAccepted(t *testing.T) {
	var all []wrong
	every(wholeRoot(), func(c *cobra.Command) { all = append(all, wrongOf(c)...) })
	if len(all) < 1000 {
		t.Fatalf("only %d lines were made", len(all))
	}
	t.Logf("%d lines", len(all))
	home := t.TempDir()
	t.Chdir(t.TempDir())
	for _, w := range all {
		var out, talk bytes.Buffer
		a := &app{
			table: commands(), env: newEnvironment([]string{"HOME=" + home, w.env}), stdin: strings.NewReader(""), stdout: &out, stderr: &talk,
			now: time.Now, rand: rand.Reader,
		}
		code := a.main(context.Background(), w.args)
		if code != 2 || !strings.Contains(talk.String(), w.says) || !strings.Contains(talk.String(), "  fix: ") {
			t.Errorf("%s verdict %q ends with %d, wants %q: %s", w.env, w.args, code, w.says, talk.String())
		}
		if out.Len() > 0 && !strings.Contains(out.String(), `"verdict.error/v1"`) {
			t.Errorf("%s verdict %q writes %q", w.env, w.args, out.String())
		}
	}
	for _, folder := range []string{home, "."} {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("something was done: %v (%v)", left, err)
		}
	}
}

// every visits all commands, the root and the hidden ones with them.
func every(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		if !strings.HasPrefix(sub.Name(), "__") {
			every(sub, visit)
		}
	}
}

// wrongOf are the wrong lines about one command.
func wrongOf(c *cobra.Command) []wrong {
	path := strings.Fields(c.CommandPath())[1:]
	line := func(words ...string) []string { return append(slices.Clone(path), words...) }
	out := []wrong{
		{args: line("--unknown-flag")}, {args: line("--unknown-flag", "--help")}, {args: line("--help=no")},
		{args: line("")}, {args: line("", "--help")},
	}
	for _, o := range []string{"nonsense", "nonsense=f", "json=", "=f", ""} {
		out = append(out, wrong{args: line("-o", o)}, wrong{args: line("-o", o, "--help")}, wrong{args: line("--output=" + o)})
	}
	if f := c.Annotations[formatsOf]; strings.Contains(f, "json") {
		out = append(out, wrong{args: line("-o", "jsn"), says: "did you mean -o json?"}, wrong{args: line("-o", "jsn", "--help"), says: "did you mean -o json?"})
	}
	if c.HasSubCommands() {
		out = append(out, wrong{args: line(), says: "needs a command"})
		for _, word := range []string{"nonsense", "explain-nonsense"} {
			out = append(out, wrong{args: line(word)}, wrong{args: line(word, "--help")}, wrong{args: line("--help", word)}, wrong{args: append([]string{"help"}, line(word)...)})
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				out = append(out, misspelt(sub)...)
			}
		}
	}
	if !c.HasParent() {
		return append(out, wrong{args: []string{"--version", "nonsense"}}, wrong{args: []string{"--version=no"}}, wrong{args: []string{"--version", "-o", "json"}})
	}
	visit := func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "version" {
			out = append(out, wrongFlag(c, f, line)...)
		}
	}
	c.LocalNonPersistentFlags().VisitAll(visit)
	if c.Name() == "version" || c.Name() == "explain" || c.Name() == "help" { // the same everywhere
		c.InheritedFlags().VisitAll(visit)
	}
	return out
}

// misspelt are the lines that mistype the last word of a command.
func misspelt(c *cobra.Command) []wrong {
	path := strings.Fields(c.CommandPath())[1:]
	bad := slices.Clone(path)
	bad[len(bad)-1] += "q"
	meant := "did you mean verdict " + strings.Join(path, " ") + "?"
	out := []wrong{{args: append([]string{"help"}, bad...), says: "did you mean verdict help " + path[len(path)-1] + "?"}}
	if len(path) > 1 {
		out[0].says = "did you mean verdict help "
	}
	for _, tail := range [][]string{nil, {"--help"}, {"-h"}, {"x", "--help"}, {"-o", "json"}} {
		out = append(out, wrong{args: append(slices.Clone(bad), tail...), says: meant})
	}
	return out
}

// wrongFlag are the lines that give a flag of a command wrongly.
func wrongFlag(c *cobra.Command, f *pflag.Flag, line func(...string) []string) []wrong {
	name := "--" + f.Name
	empty := name + " is empty"
	out := []wrong{
		{args: line(name + "q"), says: "did you mean " + name + "?"},
		{args: line(name+"q", "--help"), says: "did you mean " + name + "?"},
		{args: line(name + "="), says: empty},
		{args: line(name+"=", "--help"), says: empty},
		{args: line(name + "=  "), says: empty},
	}
	v := f.Value.(*value)
	if f.NoOptDefVal == "" {
		out = append(out, wrong{args: line(name, ""), says: empty}, wrong{args: line(name), says: name + " has no value"}, wrong{args: line(name, "--help"), says: name + " has no value"})
		if !v.many {
			out = append(out, wrong{args: line(name+"=a", name+"=b")}, wrong{args: line(name+"=a", name+"=b", "--help")})
		}
	} else {
		out = append(out, wrong{args: line(name, "false")}, wrong{args: line(name+"=true", name+"=false")}, wrong{args: line(name + "=perhaps")})
	}
	if s := settingOf(c, f); !c.HasSubCommands() && c.Name() != "help" {
		out = append(out, wrong{args: line(), env: s.env + "="}, wrong{args: line(), env: s.env + "= "})
	}
	return out
}
