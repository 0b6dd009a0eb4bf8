package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"verdict"
)

// referenceCommand writes docs/cli.md, docs/configuration.md and the manual pages from the same table that the
// program runs, so that they cannot differ from it.
func referenceCommand() command {
	return command{
		use: "reference markdown|configuration|man [DIR]", short: "Write the reference of the command line",
		long: "markdown (docs/cli.md) and configuration (docs/configuration.md) go to standard output; man writes one page per command into DIR.",
		args: between(1, 2), plain: true, hidden: true,
		setup: runs(func(_ context.Context, a *app, args []string) error {
			var file string
			root := newRoot(&app{table: a.table, env: environment{}, stdin: a.stdin, stdout: a.stdout, stderr: a.stderr}, &file)
			switch {
			case args[0] == "markdown" && len(args) == 1:
				_, err := fmt.Fprint(a.stdout, markdownReference(root))
				return err
			case args[0] == "configuration" && len(args) == 1:
				_, err := fmt.Fprint(a.stdout, configurationReference(root))
				return err
			case args[0] == "man" && len(args) == 2:
				return writeManual(root, args[1])
			}
			return usage("verdict reference --help", "the reference is written as markdown or configuration, or as man into a folder", "write verdict reference markdown, verdict reference configuration, or verdict reference man DIR")
		}),
	}
}

// walk visits every command that a person may use, in the order of the table.
func walk(c *cobra.Command, visit func(*cobra.Command)) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" {
			continue
		}
		visit(sub)
		walk(sub, visit)
	}
}

func markdownReference(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Command line\n\nWritten by `verdict reference markdown`; a test compares it with the program.\n\n%s\n\n", root.Long)
	walk(root, func(c *cobra.Command) { fmt.Fprintf(&b, "- [`%s`](#%s): %s\n", c.CommandPath(), anchor(c), c.Short) })
	b.WriteString("\n## Flags of every command\n\n")
	markdownFlags(&b, root, root.PersistentFlags())
	walk(root, func(c *cobra.Command) {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", c.CommandPath(), c.Short)
		if c.Long != "" {
			fmt.Fprintf(&b, "\n%s\n", c.Long)
		}
		fmt.Fprintf(&b, "\n```\n%s\n```\n", useLine(c))
		if f := c.Annotations[formatsOf]; f != "" {
			fmt.Fprintf(&b, "\n`-o` takes %s.\n", f)
		}
		if c.Example != "" {
			fmt.Fprintf(&b, "\nExamples:\n\n```\n%s\n```\n", c.Example)
		}
		if len(flagRows(c.LocalNonPersistentFlags())) > 0 {
			b.WriteString("\n")
			markdownFlags(&b, c, c.LocalNonPersistentFlags())
		}
	})
	for _, t := range topics {
		b.WriteString(markdownTopic(t))
	}
	return b.String()
}

func markdownTopic(t topic) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n", t.short)
	for para := range strings.SplitSeq(t.text, "\n\n") {
		if columns(para) != nil || strings.HasPrefix(para, "    ") {
			para = "```\n" + strings.ReplaceAll(strings.TrimPrefix(para, "    "), "\n    ", "\n") + "\n```"
		}
		fmt.Fprintf(&b, "\n%s\n", para)
	}
	return b.String()
}

func anchor(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func markdownFlags(b *strings.Builder, c *cobra.Command, set *pflag.FlagSet) {
	b.WriteString("| flag | variable | key | |\n|---|---|---|---|\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		s, bar := settingOf(c, f), strings.NewReplacer("|", `\|`)
		key := "`" + s.key + "`"
		if s.key == "config" { // the file cannot name itself
			key = "–"
		}
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", bar.Replace(flagForm(f)), s.env, key, bar.Replace(flagHelp(f)))
	})
}

// writeManual writes section 1 pages: one for verdict, one per command, one per topic
// (section 7).
func writeManual(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the folder for the manual cannot be made", Remedy: "name a folder that this user may write", Err: err}
	}
	pages := map[string]string{"verdict.1": manualPage(root)}
	walk(root, func(c *cobra.Command) { pages[anchor(c)+".1"] = manualPage(c) })
	for _, t := range topics {
		pages["verdict-"+t.name+".7"] = manualTopic(t)
	}
	for name, text := range pages {
		if err := writeFile(filepath.Join(dir, name), []byte(text)); err != nil {
			return &verdict.Error{Code: verdict.CodeUnavailable, What: "the manual page " + name + " cannot be written", Remedy: "name a folder with room that this user may write", Err: err}
		}
	}
	return nil
}

func manualPage(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" verdict Verdict\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.B %s\n", roff(strings.ToUpper(anchor(c))), roff(anchor(c)), roff(c.Short), roff(useLine(c)))
	long := c.Long
	if f := c.Annotations[formatsOf]; f != "" {
		long = strings.TrimLeft(long+"\n\n-o takes "+f+".", "\n")
	}
	if long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roffParagraphs(long))
	}
	flags := c.LocalNonPersistentFlags()
	if !c.HasParent() {
		flags = c.PersistentFlags()
	}
	if rows := flagRows(flags); len(rows) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, r := range rows {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(r[0]), roff(r[1]))
		}
	}
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	see := "verdict-exit-codes(7), verdict-configuration(7), verdict-output(7)"
	if c.HasParent() {
		see = "verdict(1), " + see
	}
	fmt.Fprintf(&b, ".SH SEE ALSO\n%s\n", roff(see))
	return b.String()
}

func manualTopic(t topic) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 7 \"\" verdict Verdict\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n", roff(strings.ToUpper("verdict-"+t.name)), roff("verdict-"+t.name), roff(t.short))
	for para := range strings.SplitSeq(t.text, "\n\n") {
		if columns(para) != nil || strings.HasPrefix(para, "    ") {
			fmt.Fprintf(&b, ".nf\n%s\n.fi\n.PP\n", roff(para))
		} else {
			fmt.Fprintf(&b, "%s\n.PP\n", roff(para))
		}
	}
	return b.String()
}

func roffParagraphs(s string) string { return strings.ReplaceAll(roff(s), "\n\n", "\n.PP\n") }

// roff escapes what troff would read as its own: backslashes, dashes that must stay
// dashes, and a full stop or quote that starts a line.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
