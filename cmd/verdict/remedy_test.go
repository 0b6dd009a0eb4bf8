package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// namedCommand finds what reads as a command of ours inside a text. The end of a path is
// none.
var namedCommand = regexp.MustCompile("(?:^|[^/.a-z])verdict((?: +[a-z][a-z-]*| +--[a-z][a-z-]*(?:[ =][A-Z][A-Z|]*)?)+)")

// A remedy that names a command or a flag which does not exist sends a tired person in
// a circle.
func TestEveryCommandThatATextNamesExists(t *testing.T) {
	root := wholeRoot()
	n := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && slices.Contains([]string{".git", "testdata", "bench", "law", "test", "examples"}, d.Name()) {
			return errorOrSkip(err, d)
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(x ast.Node) bool {
			lit, ok := x.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Error(err)
				return true
			}
			if _, flags, whole := strings.Cut(text, "verdict roles grant "); whole && flags != "" && !strings.Contains(flags, "--reason") {
				t.Errorf("%s: a role is given with --reason alone: %q", set.Position(lit.Pos()), text)
			}
			for _, named := range commandsIn(text) {
				for _, line := range strings.Split(named, " verdict ") {
					n++
					if problem := unknownIn(root, strings.Fields(line)); problem != "" {
						t.Errorf("%s: %q: %s", set.Position(lit.Pos()), named, problem)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 50 {
		t.Errorf("only %d commands were found", n)
	}
}

// commandsIn gives the words behind each verdict in a text. A last word that goes on as a
// host, path or digest does is an argument: "verdict break-glass ghcr.io/acme/pay".
func commandsIn(text string) []string {
	var out []string
	for _, m := range namedCommand.FindAllStringSubmatchIndex(text, -1) {
		words := text[m[2]:m[3]]
		if rest := text[m[3]:]; len(rest) > 1 && strings.ContainsRune("./:@0123456789", rune(rest[0])) && rest[1] != ' ' && rest[1] != '\n' {
			words = words[:strings.LastIndexByte(words, ' ')]
		}
		out = append(out, words)
	}
	return out
}

func TestAnArgumentIsNotReadAsACommand(t *testing.T) {
	for text, want := range map[string]string{
		"verdict break-glass registry.example/pay@sha256:…": " break-glass",
		"run verdict log verify.":                           " log verify",
		"verdict log check: it is new":                      " log check",
		"verdict why sha256:…":                              " why",
	} {
		if got := commandsIn(text); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func errorOrSkip(err error, d fs.DirEntry) error {
	if err != nil {
		return err
	}
	return filepath.SkipDir
}

// unknownIn says which word of a command line does not exist. Words behind a whole
// command are prose.
func unknownIn(root *cobra.Command, words []string) string {
	cmd := root
	for i, w := range words {
		if name, ok := strings.CutPrefix(w, "--"); ok {
			name, _, _ = strings.Cut(name, "=")
			if name == "help" {
				return ""
			}
			if cmd.Flag(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
				return cmd.CommandPath() + " has no flag --" + name
			}
			continue
		}
		if at := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == w }); at >= 0 {
			cmd = cmd.Commands()[at]
			continue
		}
		if prose[w] || cmd == root && w == "help" {
			return ""
		}
		if i == 0 || cmd.HasSubCommands() {
			return cmd.CommandPath() + " has no command " + w
		}
	}
	return ""
}

// prose are words that stand behind the product's name, or a group of commands, in a
// sentence.
var prose = map[string]bool{"has": true, "that": true, "with": true, "manifest": true, "secret": true, "record": true}

func TestACommandThatDoesNotExistIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"log verify": "", "log verify again": "", "log check": "no command check", "logs verify": "no command logs",
		"log epoch --from-backup": "", "log epoch --from-backups": "no flag --from-backups", "ci in a repository": "", "log proof --data": "",
	} {
		if got := unknownIn(wholeRoot(), strings.Fields(text)); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("verdict %s: %q, want %q", text, got, want)
		}
	}
}
