package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"verdict/report"
)

// release is set by the build: -ldflags "-X main.release=1.2.3".
var release = ""

// build is what this program is made of, as `verdict version -o json` says it.
type build struct {
	Schema   string `json:"schema"`
	Version  string `json:"version"`
	Commit   string `json:"commit"` // empty when the build does not know it
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Engine   string `json:"engine"` // the policy engine that is linked in; empty when there is none
}

func thisBuild() build {
	b := build{Schema: "verdict.version/v1", Version: release, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
		for _, d := range info.Deps {
			if d.Path == "github.com/open-policy-agent/opa" {
				b.Engine = "opa " + d.Version
			}
		}
		if v := info.Main.Version; b.Version == "" && v != "" && v != "(devel)" {
			b.Version = v
		}
	}
	if b.Version == "" {
		b.Version = "development"
	}
	return b
}

// version is the version alone, as reports carry it.
func version() string { return thisBuild().Version }

// sayVersion is `verdict --version`. The library's own would also answer beside words that
// are no command.
func sayVersion(a *app, root *cobra.Command) {
	var asked bool
	(&flags{set: root.Flags()}).toggle(&asked, "version", "say which version this is")
	otherwise := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error {
		if !asked || len(args) > 0 {
			return otherwise(c, args)
		}
		if err := (command{}).checkOutputs(c, a.config.Output); err != nil {
			return err
		}
		_, err := fmt.Fprintf(a.stdout, "verdict %s\n", version())
		return err
	}
}

func versionCommand() command {
	return command{
		use: "version", short: "Say which build this is",
		formats: []string{"text", "json"}, plain: true,
		setup: runs(func(_ context.Context, a *app, _ []string) error {
			b := thisBuild()
			return a.write(func(w io.Writer, format string, _ report.Style) error {
				if format == "json" {
					return json.NewEncoder(w).Encode(b)
				}
				commit := ""
				if len(b.Commit) >= 12 {
					commit = " (" + b.Commit[:12]
					if b.Modified {
						commit += ", modified"
					}
					commit += ")"
				}
				_, err := fmt.Fprintf(w, "verdict %s%s %s %s\n", b.Version, commit, b.Go, b.Platform)
				return err
			})
		}),
	}
}
