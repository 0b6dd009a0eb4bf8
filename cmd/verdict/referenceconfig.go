package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// computed are the defaults that depend on the machine, by key.
var computed = map[string]string{
	"data":   "`$XDG_DATA_HOME/verdict`, else `~/.local/share/verdict`",
	"config": "`$XDG_CONFIG_HOME/verdict/config.yaml`, else `~/.config/verdict/config.yaml`",
	"output": "`text`",
	"map":    "`verdict.yaml` here, else the built-in one",
}

// configurationReference is docs/configuration.md: every setting of every command, from the
// table that resolves them.
func configurationReference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Configuration\n\nWritten by `verdict reference configuration`; a test compares it with the program.\n")
	at := slices.IndexFunc(topics, func(x topic) bool { return x.name == "configuration" })
	b.WriteString(markdownTopic(topics[at]))
	b.WriteString(`
## Variables that are no settings

| variable | meaning |
|---|---|
`)
	for _, v := range otherVariables {
		fmt.Fprintf(&b, "| `%s` | %s |\n", v[0], v[1])
	}
	b.WriteString(`
## Files that settings name

| setting | what the file or address says |
|---|---|
| --sign-in | whose tokens sign in, with which roles: [sign-in.md](sign-in.md) |
| --forges | forges that deliver events and are told: [forges.md](forges.md) |
| --signer, --log-key | where keys are: [keys.md](keys.md) |
| --blobs | where large evidence is: [object-stores.md](object-stores.md) |
| --map | the decision map: [design/decision-map.md](design/decision-map.md) |
`)
	all := allSettings(root)
	b.WriteString("\n## Settings that commands share\n\n")
	settingTable(&b, all, "")
	for _, command := range commandsWith(all) {
		fmt.Fprintf(&b, "\n## verdict %s\n\n", command)
		settingTable(&b, all, command)
	}
	return b.String()
}

// otherVariables are those that Verdict follows besides its settings.
var otherVariables = [][2]string{
	{"XDG_DATA_HOME, XDG_STATE_HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME", "where data, the anchor, the configuration file and indexes that can be made again lie; else below `HOME`. The anchor is in `$XDG_STATE_HOME/verdict/anchor`, what was seen of the logs of servers in `$XDG_STATE_HOME/verdict/seen.json`; they belong on another disk than the data"},
	{"NO_COLOR, CLICOLOR_FORCE, TERM", "whether text has colour"},
	{"CI, GITHUB_ACTIONS, TF_BUILD, GITLAB_CI", "which pipeline is told the result, and how"},
	{"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "the way to registries, forges and witnesses"},
	{"SSL_CERT_FILE, SSL_CERT_DIR", "the certificate authorities that are trusted"},
	{"GOMEMLIMIT, GOMAXPROCS", "how much memory and how many processors the program plans with"},
	{clockVariable, "pins the clock, for demos: said by every command, refused in pipelines, and for a data directory that was made under it"},
}

func commandsWith(all []setting) (out []string) {
	for _, s := range all {
		if s.command != "" && !slices.Contains(out, s.command) && !s.flag.Hidden {
			out = append(out, s.command)
		}
	}
	slices.Sort(out)
	return out
}

func settingTable(b *strings.Builder, all []setting, command string) {
	bar := strings.NewReplacer("|", `\|`)
	b.WriteString("| flag | variable | key | default | meaning |\n|---|---|---|---|---|\n")
	for _, s := range all {
		if s.command != command || s.flag.Hidden {
			continue
		}
		preset, key := computed[s.key], "`"+s.key+"`"
		if preset == "" && s.flag.DefValue != "" {
			preset = "`" + bar.Replace(s.flag.DefValue) + "`"
		}
		if preset == "" {
			preset = "–"
		}
		if s.key == "config" { // the file cannot name itself
			key = "–"
		}
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s | %s |\n", bar.Replace(flagForm(s.flag)), s.env, key, preset, bar.Replace(s.flag.Usage))
	}
}
