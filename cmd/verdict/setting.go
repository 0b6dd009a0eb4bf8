package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"verdict"
)

// setting is one flag with its other two names.
type setting struct {
	flag    *pflag.Flag
	env     string // VERDICT_REPORT_ONLY
	key     string // report_only, commands.log.verify.signatures
	command string // empty for a shared one
	source  string // where the value is from; empty until resolved
}

// settingOf names a flag of a command.
func settingOf(cmd *cobra.Command, f *pflag.Flag) setting {
	name := strings.ReplaceAll(f.Name, "-", "_")
	if f.Annotations[sharedFlag] != nil {
		return setting{flag: f, env: "VERDICT_" + strings.ToUpper(name), key: name}
	}
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	words := strings.Fields(strings.ReplaceAll(path, "-", "_"))
	return setting{
		flag: f, command: path,
		env: "VERDICT_" + strings.ToUpper(strings.Join(append(words, name), "_")),
		key: "commands." + strings.Join(append(words, name), "."),
	}
}

// settingsOf lists the settings that one command takes, by name.
func settingsOf(cmd *cobra.Command) []setting {
	var out []setting
	add := func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "version" {
			out = append(out, settingOf(cmd, f))
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	sort.Slice(out, func(i, j int) bool { return out[i].flag.Name < out[j].flag.Name })
	return out
}

// allSettings lists every setting of every command: first the shared ones, each by key.
// A shared flag that several commands declare is listed once.
func allSettings(root *cobra.Command) []setting {
	var out []setting
	seen := map[string]bool{}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		for _, s := range settingsOf(c) {
			if !seen[s.key] {
				seen[s.key] = true
				out = append(out, s)
			}
		}
		for _, sub := range c.Commands() {
			if sub.Name() != "help" && !strings.HasPrefix(sub.Name(), "__") {
				visit(sub)
			}
		}
	}
	for _, c := range root.Commands() {
		visit(c)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if (a.command == "") != (b.command == "") {
			return a.command == ""
		}
		return a.key < b.key
	})
	return out
}

// keysOf lists the keys that the file may hold. The file cannot name itself.
func keysOf(all []setting) []string {
	var out []string
	for _, s := range all {
		if s.key != "config" {
			out = append(out, s.key)
		}
	}
	return out
}

// envsOf lists the variables that Verdict reads as its own: those of settings, and the
// clock of demos, which is none.
func envsOf(all []setting) []string {
	out := make([]string, len(all), len(all)+1)
	for i, s := range all {
		out[i] = s.env
	}
	return append(out, clockVariable)
}

// resolve gives the setting its value: flag, then variable, then file, then default.
func (s *setting) resolve(env environment, file fileSettings) error {
	if s.flag.Changed {
		s.source = "flag --" + s.flag.Name
		return nil
	}
	v, ok := s.flag.Value.(*value)
	if !ok {
		return fmt.Errorf("flag --%s is not declared by this program", s.flag.Name)
	}
	if text, set := env[s.env]; set {
		s.source = "variable " + s.env
		parts := []string{text}
		if v.many && strings.TrimSpace(text) != "" {
			parts = strings.Split(text, ",")
		}
		return s.takeAll(v, parts, s.env, s.env)
	}
	if fv, set := file.values[s.key]; set {
		where := fmt.Sprintf("%s:%d", file.path, fv.line)
		s.source = "file " + where
		if !v.many && len(fv.texts) > 1 {
			return named(s.key, where, &badValue{"is a list", "write one value"})
		}
		return s.takeAll(v, fv.texts, s.key, where)
	}
	s.source = "default"
	return nil
}

func (s *setting) takeAll(v *value, parts []string, name, see string) error {
	if v.many {
		v.reset()
	}
	for _, p := range parts {
		if err := v.take(strings.TrimSpace(p)); err != nil {
			return named(name, see, err)
		}
	}
	return nil
}

// named completes the error of a value with the value's name.
func named(name, see string, err error) error {
	var bad *badValue
	if errors.As(err, &bad) {
		return usage(see, name+" "+bad.what, bad.remedy)
	}
	return err
}

// checkUnknown refuses a variable that looks like a mistyped setting: it would silently
// leave the default in force. Other VERDICT_ variables, which a pipeline may have for its
// own use, are listed by `verdict config explain`.
func checkUnknown(env environment, all []setting) error {
	known := envsOf(all)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if meant := mistyped(name, known); meant != "" {
			return usage("verdict config explain", "the variable "+name+" is no setting", fmt.Sprintf("did you mean %s? Unset the other", meant))
		}
	}
	return nil
}

// mistyped is the known variable that a name was most likely meant to be: two letters
// differ at most, of a short name less than half. Case counts as no letter.
func mistyped(name string, known []string) string {
	const prefix = "VERDICT_"
	upper := strings.ToUpper(name)
	if len(upper) < len(prefix) || slices.Contains(known, name) || distance(upper[:len(prefix)], prefix) > 2 {
		return ""
	}
	best, found := 3, ""
	for _, k := range known {
		own := strings.TrimPrefix(k, prefix)
		if len(upper)-len(k) > 2 || len(k)-len(upper) > 2 {
			continue
		}
		if d := distance(upper, k); d < best && d <= len(own)/2 {
			best, found = d, k
		}
	}
	return found
}

// flagError turns what the flag library says into an error with a remedy. It never
// repeats a value that may be a secret.
func flagError(cmd *cobra.Command, err error) error {
	see := cmd.CommandPath() + " --help"
	var names []string
	collect := func(f *pflag.Flag) { names = append(names, f.Name) }
	cmd.Flags().VisitAll(collect)
	cmd.InheritedFlags().VisitAll(collect)
	var unknown *pflag.NotExistError
	var bad *pflag.InvalidValueError
	var bare *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return usage(see, fmt.Sprintf("%s has no flag -%s", cmd.CommandPath(), unknown.GetSpecifiedName()), meant(strings.TrimLeft(unknown.GetSpecifiedShortnames(), "-"), names, "--", see+" lists the flags"))
	case errors.As(err, &unknown):
		return usage(see, fmt.Sprintf("%s has no flag --%s", cmd.CommandPath(), unknown.GetSpecifiedName()), meant(unknown.GetSpecifiedName(), names, "--", see+" lists the flags"))
	case errors.As(err, &bad):
		cause := errors.Unwrap(bad)
		if name := bad.GetFlag().Name; name == "help" { // the library's own flag
			cause = &badValue{"takes no value", "write --help"}
		}
		return named("--"+bad.GetFlag().Name, see, cause)
	case errors.As(err, &bare):
		return usage(see, fmt.Sprintf("--%s has no value", bare.GetFlag().Name), fmt.Sprintf("write --%s=%s", bare.GetFlag().Name, bare.GetFlag().Value.Type()))
	}
	return &failure{&verdict.Error{Code: verdict.CodeUsage, What: "the command was written wrong", Remedy: "compare it with " + see, Err: err}, see}
}
