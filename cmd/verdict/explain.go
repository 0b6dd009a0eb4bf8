package main

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"

	"verdict/report"
)

// explained is one setting as `verdict config explain -o json` says it.
type explained struct {
	Key    string `json:"key"`
	Flag   string `json:"flag"`
	Env    string `json:"env"`
	Value  string `json:"value"` // of a secret: the reference
	Source string `json:"source"`
	// Command is the command that has the setting; empty: many have it.
	Command string `json:"command"`
}

// explanation is the document verdict.config/v1.
type explanation struct {
	Schema   string      `json:"schema"`
	File     string      `json:"file"` // the configuration file that was read; empty when there is none
	Settings []explained `json:"settings"`
	// Foreign lists VERDICT_ variables that no setting reads.
	Foreign []string `json:"foreign"`
}

func configCommand() command {
	return command{
		use: "config", short: "Show the configuration",
		sub: []command{{
			use: "explain", short: "Show every setting, its value and where it is from",
			long: "Shows the settings that commands share, and those of single commands that the environment or the configuration file gives. Of a secret it shows the reference.",
			example: `verdict config explain
VERDICT_OFFLINE=true verdict config explain -o json`,
			formats: []string{"text", "json"},
			setup:   runs(explainConfig),
		}},
	}
}

func explainConfig(_ context.Context, a *app, _ []string) error {
	x, err := a.explain()
	if err != nil {
		return err
	}
	return a.write(func(w io.Writer, format string, _ report.Style) error {
		if format == "json" {
			return json.NewEncoder(w).Encode(x)
		}
		file := x.File
		if file == "" {
			file = "none"
		}
		rows := [][]string{{"setting", "value", "from"}}
		for _, e := range x.Settings {
			v := e.Value
			if v == "" {
				v = "-"
			}
			rows = append(rows, []string{e.Key, report.Neutral(v), report.Neutral(e.Source)})
		}
		out := "Configuration file: " + report.Neutral(file) + "\n\n" + report.Table(rows, 1<<20, "")
		for _, f := range x.Foreign {
			out += "\n" + report.Neutral(f) + " is set and is no setting of Verdict."
		}
		if len(x.Foreign) > 0 {
			out += "\n"
		}
		_, err := io.WriteString(w, out)
		return err
	})
}

// explain resolves the settings of all commands; those of the running one are resolved
// already, flags included.
func (a *app) explain() (explanation, error) {
	var file string
	other := &app{table: a.table, env: a.env, stdin: a.stdin, stdout: a.stdout, stderr: a.stderr}
	all := allSettings(newRoot(other, &file))
	mine := map[string]setting{}
	for _, s := range a.settings {
		mine[s.key] = s
	}
	x := explanation{Schema: "verdict.config/v1", File: a.file.path, Settings: []explained{}, Foreign: a.env.unknown(append(envsOf(all), forgeToken))}
	if x.Foreign == nil {
		x.Foreign = []string{}
	}
	for _, s := range all {
		if m, ok := mine[s.key]; ok {
			s = m
		} else if err := s.resolve(a.env, a.file); err != nil {
			return x, err
		}
		if s.command != "" && s.source == "default" {
			continue
		}
		x.Settings = append(x.Settings, explained{s.key, "--" + s.flag.Name, s.env, a.shown(s), s.source, s.command})
	}
	return x, nil
}

// shown is the value as it takes effect: a default that depends on the environment is
// spelled out.
func (a *app) shown(s setting) string {
	if v := s.flag.Value.String(); v != "" {
		return v
	}
	switch s.key {
	case "data":
		if dir := a.env.dataDir(); dir != "" {
			return filepath.Join(dir, "verdict")
		}
	case "config":
		return a.file.path
	case "output":
		return "text"
	}
	return ""
}
