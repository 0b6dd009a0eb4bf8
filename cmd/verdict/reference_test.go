package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"verdict"
	"verdict/ci"
	"verdict/policy"
)

func wholeRoot() *cobra.Command {
	var file string
	return newRoot(&app{table: commands(), env: environment{}, stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}, &file)
}

// What the documentation says is what the program does.
func TestTheReferenceIsThatOfTheProgram(t *testing.T) {
	for name, got := range map[string]string{"cli.md": markdownReference(wholeRoot()), "configuration.md": configurationReference(wholeRoot())} {
		path := filepath.Join("..", "..", "docs", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v (go test ./cmd/verdict -run Reference -update writes it)", err)
		}
		if got != string(want) {
			t.Errorf("docs/%s is not what the program says; go test ./cmd/verdict -run Reference -update writes it", name)
		}
	}
}

// Whoever copies a variable or key from the page about them must not find that it is none.
func TestTheSettingsThatHelpShowsExist(t *testing.T) {
	all := allSettings(wholeRoot())
	at := slices.IndexFunc(topics, func(x topic) bool { return x.name == "configuration" })
	n := 0
	for line := range strings.SplitSeq(topics[at].text, "\n") {
		words := strings.Fields(line)
		if len(words) < 3 || !strings.HasPrefix(words[len(words)-3], "--") || !strings.HasPrefix(words[len(words)-2], "VERDICT_") {
			continue
		}
		n++
		flag, env, key := words[len(words)-3], words[len(words)-2], words[len(words)-1]
		if !slices.ContainsFunc(all, func(s setting) bool { return "--"+s.flag.Name == flag && s.env == env && s.key == key }) {
			t.Errorf("there is no setting %q", line)
		}
	}
	if n < 2 {
		t.Errorf("only %d settings were found on the page", n)
	}
}

// The file that help shows is one that counts: whoever copies it and fills in his own
// find must not be told that it cannot be read.
func TestTheFileOfFalsePositivesThatHelpShowsIsRead(t *testing.T) {
	at := slices.IndexFunc(topics, func(x topic) bool { return x.name == "false-positives" })
	var file strings.Builder
	for line := range strings.SplitSeq(topics[at].text, "\n") {
		if shown, ok := strings.CutPrefix(line, "    "); ok {
			file.WriteString(shown + "\n")
		}
	}
	list, err := ci.ParseIgnores(ci.IgnoreFile, []byte(file.String()))
	if err != nil || len(list.FalsePositives) != 2 || len(list.LeftOut) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// Every command can be understood from its help alone.
func TestEveryCommandExplainsItself(t *testing.T) {
	n := 0
	walk(wholeRoot(), func(c *cobra.Command) {
		n++
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short text is %q", c.CommandPath(), c.Short)
		}
		if c.RunE == nil {
			t.Errorf("%s does nothing", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			if !strings.Contains(line, "verdict ") {
				t.Errorf("%s: the example %q is no command", c.CommandPath(), line)
			}
		}
		help := helpText(c, screen{width: 80})
		for line := range strings.Lines(help) {
			if len([]rune(line)) > 81 && !strings.Contains(c.Example, strings.TrimSpace(line)) && !strings.Contains(line, useLine(c)) {
				t.Errorf("%s: a line of the help has %d columns: %q", c.CommandPath(), len([]rune(line)), line)
			}
		}
	})
	if n < 4 {
		t.Errorf("only %d commands were looked at", n)
	}
}

func TestTheManualHasAPagePerCommandAndTopic(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	root := wholeRoot()
	if err := writeManual(root, dir); err != nil {
		t.Fatal(err)
	}
	want := []string{"verdict.1"}
	walk(root, func(c *cobra.Command) { want = append(want, anchor(c)+".1") })
	for _, x := range topics {
		want = append(want, "verdict-"+x.name+".7")
	}
	for _, name := range want {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if !bytes.HasPrefix(b, []byte(".TH VERDICT")) || !bytes.Contains(b, []byte(".SH NAME\n")) {
			t.Errorf("%s starts with %.40q", name, b)
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "'") || (strings.HasPrefix(line, ".") && !strings.HasPrefix(line, ".SH") && !strings.HasPrefix(line, ".TH") && !strings.HasPrefix(line, ".TP") && !strings.HasPrefix(line, ".B ") && !strings.HasPrefix(line, ".PP") && !strings.HasPrefix(line, ".nf") && !strings.HasPrefix(line, ".fi")) {
				t.Errorf("%s: text is read as a request: %q", name, line)
			}
		}
	}
	if err := writeManual(root, filepath.Join(dir, "verdict.1", "x")); err == nil {
		t.Error("a folder below a file was made")
	}
	if got := roff(".x \\ a-b\n'y"); got != "\\&.x \\e a\\-b\n\\&'y" {
		t.Errorf("roff gives %q", got)
	}
}

// Whoever types the example of a help must not be told that there is no such rule.
func TestEveryRuleThatTheReferenceNamesExists(t *testing.T) {
	b, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`--rule ([a-z]+\.[a-z.]+)`).FindAllStringSubmatch(markdownReference(wholeRoot()), -1)
	for _, m := range named {
		if !slices.ContainsFunc(b.Rules(), func(r verdict.Rule) bool { return r.ID == m[1] }) {
			t.Errorf("the reference names the rule %s, which does not exist", m[1])
		}
	}
	if len(named) == 0 {
		t.Error("no rule is named: nothing was looked at")
	}
}
