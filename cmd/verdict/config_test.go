package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"verdict"
)

func TestTheConfigurationFileIsReadStrictly(t *testing.T) {
	for _, c := range []struct{ name, file, says string }{
		{"an unknown key names the nearest", "dta: /x\n", "has the unknown key dta"},
		{"and says which", "dta: /x\n", "did you mean data?"},
		{"an unknown key of a command", "commands:\n  judge:\n    levle: 3\n", "did you mean commands.judge.level?"},
		{"an unknown command", "commands:\n  juge:\n    level: x\n", "unknown key commands.juge"},
		{"an empty value", "data:\n", "gives data no value"},
		{"an empty string", "data: \"\"\n", "gives data no value"},
		{"blanks", "data: \"  \"\n", "gives data no value"},
		{"null", "data: null\n", "gives data no value"},
		{"an empty list", "output: []\n", "neither a value nor a list of values"},
		{"an empty entry", "output: [json, \"\"]\n", "gives output no value"},
		{"a key twice", "data: /a\ndata: /b\n", "data"},
		{"a list for one value", "data: [/a, /b]\n", "is a list"},
		{"a section for a value", "data: {x: y}\n", "neither a value nor a list of values"},
		{"a list of sections", "output: [{a: b}]\n", "more than plain values"},
		{"an alias", "data: &a /x\nmap: *a\n", "neither a value nor a list of values"},
		{"two documents", "data: /a\n---\ndata: /b\n", "more than one document"},
		{"no mapping", "- data\n", "does not hold settings"},
		{"no YAML", "data: [\n", "is not YAML"},
		{"a toggle that is neither", "offline: maybe\n", "neither true nor false"},
		{"a secret in the open", "database: postgres://u:hunter2@h/d\n", "something other than a reference"},
		{"the file naming a file", "config: /other\n", "unknown key config"},
		{"too large", "#" + strings.Repeat("x", maxConfig), "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := shell{extra: []command{judging(verdict.ModeBlock)}}.run(t, "judge", "allow", "--config", path)
			if code != 2 || !strings.Contains(stderr, c.says) || !strings.Contains(stderr, "  fix: ") {
				t.Errorf("exit %d: %s", code, stderr)
			}
			if strings.Contains(stderr, "hunter2") {
				t.Error("a secret is repeated")
			}
		})
	}
}

func TestAFlagCountsBeforeAVariableBeforeTheFile(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".config", "verdict"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := "# settings\ndata: /file\nmap: /file.yaml\nas: key-file\noutput: [json, text=/tmp/unused]\ndatabase: file:/run/db\n"
	if err := os.WriteFile(filepath.Join(home, ".config", "verdict", "config.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	s := shell{env: []string{"HOME=" + home, "VERDICT_DATA=/variable", "VERDICT_MAP=/variable.yaml", "VERDICT_OUTPUT=json"}}
	code, stdout, stderr := s.run(t, "config", "explain", "--data", "/flag")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	got := explainedValues(t, stdout)
	for k, want := range map[string]string{"data": "/flag", "map": "/variable.yaml", "as": "key-file", "output": "json", "database": "file:/run/db", "offline": "false"} {
		if got[k] != want {
			t.Errorf("%s is %q, want %q", k, got[k], want)
		}
	}
	for _, want := range []string{`"source":"flag --data"`, `"source":"variable VERDICT_MAP"`, `"source":"file ` + home + `/.config/verdict/config.yaml:4"`, `"source":"default"`} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%s is not said: %s", want, stdout)
		}
	}
}

func TestVariablesAreHeldToTheSameRules(t *testing.T) {
	for _, c := range []struct{ name, env, says string }{
		{"an empty variable", "VERDICT_DATA=", "VERDICT_DATA is empty"},
		{"an empty toggle", "VERDICT_REPORT_ONLY=", "VERDICT_REPORT_ONLY is empty"},
		{"a toggle that is neither", "VERDICT_REPORT_ONLY=yes", "neither true nor false"},
		{"a mistyped name", "VERDICT_OFLINE=true", "did you mean VERDICT_OFFLINE?"},
		{"an empty part of a list", "VERDICT_OUTPUT=json,,text=x", "VERDICT_OUTPUT is empty"},
		{"a file that does not exist", "VERDICT_CONFIG=/does/not/exist", "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := shell{env: []string{c.env}, extra: []command{judging(verdict.ModeBlock)}}.run(t, "judge", "allow")
			if code != 2 || !strings.Contains(stderr, c.says) {
				t.Errorf("exit %d: %s", code, stderr)
			}
		})
	}
	code, _, stderr := shell{env: []string{"VERDICT_REPORT_ONLY=true"}, extra: []command{judging(verdict.ModeBlock)}}.run(t, "judge", "deny")
	if code != 0 || !strings.Contains(stderr, "REPORT ONLY") {
		t.Errorf("report-only from a variable: exit %d: %s", code, stderr)
	}
}

// A broken file must not keep a person from saying which build they have.
func TestABrokenFileDoesNotStopVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("nonsense: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := (shell{env: []string{"VERDICT_CONFIG=" + path}}).run(t, "version"); code != 0 || !strings.HasPrefix(stdout, "verdict ") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}

func TestSecretsAreReadFromWhereTheyAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, []byte("postgres://x\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment{"DB": "postgres://y", "EMPTY": ""}
	for in, want := range map[secret]string{secret("file:" + path): "postgres://x", "env:DB": "postgres://y"} {
		if got, err := in.reveal(env); err != nil || got != want {
			t.Errorf("%s reveals %q, error %v", in, got, err)
		}
	}
	for _, in := range []secret{"env:EMPTY", "env:NONE", "file:/does/not/exist", secret("file:" + t.TempDir())} {
		if _, err := in.reveal(env); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeUnavailable {
			t.Errorf("%s gives %v", in, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	known := []string{"data", "output", "offline", "commands.log.verify.full"}
	for _, s := range []string{"data: /x", "output: [a, b]", "commands: {log: {verify: {full: true}}}", "a: &a [*a]", "---\n---", "? {x: y} : z", "!!binary data: x", "data: !!null x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseConfig("config.yaml", data, known)
		if err != nil {
			if e := verdict.AsError(err); e.Code != verdict.CodeUsage || e.Remedy == "" {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		for k, v := range got.values {
			if !slices.Contains(known, k) || len(v.texts) == 0 {
				t.Fatalf("%q gave %s = %v", data, k, v)
			}
			for _, s := range v.texts {
				if strings.TrimSpace(s) == "" {
					t.Fatalf("%q gave an empty %s", data, k)
				}
			}
		}
	})
}

func TestTheEnvironmentFollowsXDG(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xdg := rapid.SampledFrom([]string{"", "/x", "relative", "."}).Draw(t, "xdg")
		home := rapid.SampledFrom([]string{"", "/home/p", "relative"}).Draw(t, "home")
		got := newEnvironment([]string{"XDG_DATA_HOME=" + xdg, "HOME=" + home}).dataDir()
		want := ""
		switch {
		case xdg == "/x":
			want = "/x"
		case home == "/home/p":
			want = "/home/p/.local/share"
		}
		if got != want {
			t.Fatalf("XDG_DATA_HOME=%q HOME=%q gives %q, want %q", xdg, home, got, want)
		}
	})
	if e := newEnvironment([]string{"A=1", "A=2", "=x", "B"}); e.get("A") != "1" || len(e) != 1 {
		t.Errorf("the environment is %v", e)
	}
}

// Whoever takes the file of the document over has a server that starts with it.
func TestTheFileOfTheDocumentIsUnderstood(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	file, _, _ := strings.Cut(rest, "```")
	read, err := parseConfig("operations.md", []byte(file), keysOf(allSettings(wholeRoot())))
	if err != nil || len(read.values) != 4 {
		t.Errorf("%d values, %v", len(read.values), err)
	}
}
