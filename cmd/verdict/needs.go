package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// need is something that a command line has to hold: a flag with a value, by the command
// line, variable or file; or an argument.
type need struct {
	flag string // its name; empty for an argument
	word string // of an argument, as the usage line has it
	or   string // flag that can stand in the place of this one
	when func() bool
}

// always is the when of what is needed whatever else is given.
func always() bool { return true }

// required declares a text flag that must be given.
func (f *flags) required(p *string, name, kind, help string) {
	f.text(p, name, kind, help+"; needed")
	f.must(name)
}

// must makes a flag required that is declared otherwise.
func (f *flags) must(name string) { f.needs = append(f.needs, need{flag: name, when: always}) }

// mustWhen makes a declared flag required where nothing else makes it useless.
func (f *flags) mustWhen(when func() bool, names ...string) {
	for _, name := range names {
		f.needs = append(f.needs, need{flag: name, when: when})
	}
}

// either makes one of two declared flags required.
func (f *flags) either(name, or string) {
	f.needs = append(f.needs, need{flag: name, or: or, when: always})
}

// argument makes the only argument of a command required where nothing else stands for it.
func (f *flags) argument(word string, when func() bool) {
	f.needs = append(f.needs, need{word: word, when: when})
}

// lacking tells all at once what the command line has to hold and does not. Arguments that
// are missing alone are told where they are read: there is more to say about them.
func (a *app) lacking(cmd *cobra.Command, c command, needs []need, args []string) error {
	given, kinds := map[string]bool{}, map[string]string{}
	for _, s := range a.settings {
		given[s.flag.Name], kinds[s.flag.Name] = s.source != "default", s.flag.Value.Type()
	}
	var names, words, flags []string
	if usual := strings.Fields(c.use)[1:]; len(args) < c.args.low && c.args.low <= len(usual) {
		names, words = slices.Clone(usual[len(args):c.args.low]), slices.Clone(usual[len(args):c.args.low])
	}
	for _, n := range needs {
		switch {
		case !n.when() || given[n.flag] || given[n.or]:
		case n.flag == "" && len(args) == 0:
			args = []string{n.word}
			names, words = slices.Insert(names, 0, n.word), slices.Insert(words, 0, n.word)
		case n.flag == "":
		case n.or != "":
			flags = append(flags, n.flag)
			names, words = append(names, "--"+n.flag+" or --"+n.or), append(words, "--"+n.flag+" "+kinds[n.flag]+" (or --"+n.or+" "+kinds[n.or]+")")
		default:
			flags = append(flags, n.flag)
			names, words = append(names, "--"+n.flag), append(words, "--"+n.flag+" "+kinds[n.flag])
		}
	}
	if len(flags) == 0 {
		return nil
	}
	if c.signed && a.config.As == "" && !a.serverSigns() { // alone it is told with where a key is from
		names, words = append(names, "--as"), append(words, "--as KEY")
	}
	return usage(cmd.CommandPath()+" --help", cmd.CommandPath()+" needs "+listed(names), "add "+strings.Join(words, " "))
}

// listed joins words as a sentence has them.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
