package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"verdict/report"
)

// whereSettings are the settings that say where a command works. Given as flags they hold for that
// command alone, and not for those that its answer names.
var whereSettings = []string{"config", "data", "database", "blobs", "signer", "log_key", "server", "server_ca", "token"}

var commandWord = regexp.MustCompile(`\bverdict ([a-z][a-z-]*)`)

// named notes whether a text that was shown names commands that work somewhere.
func (a *app) named(text string) {
	for _, m := range commandWord.FindAllStringSubmatch(text, -1) {
		a.names = a.names || !slices.Contains([]string{"serve", "login"}, m[1]) && slices.ContainsFunc(a.table, func(c command) bool {
			name, _, _ := strings.Cut(c.use, " ")
			return name == m[1] && !c.plain
		})
	}
}

// tellAgain says what makes the named commands work as they are typed, where this one was told
// by flags where to work.
func (a *app) tellAgain() {
	if !a.names || a.hosted != nil {
		return
	}
	var vars []string
	for _, s := range a.settings {
		if s.flag.Changed && slices.Contains(whereSettings, s.key) {
			vars = append(vars, s.env+"="+shellWord(s.flag.Value.String()))
		}
	}
	if len(vars) > 0 {
		fmt.Fprintf(a.stderr, "verdict: the commands named above work as typed after: export %s\n", report.Neutral(strings.Join(vars, " ")))
	}
}
