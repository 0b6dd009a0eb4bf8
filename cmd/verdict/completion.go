package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"verdict"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

func completionCommand() command {
	return command{
		use: "completion bash|zsh|fish|powershell", short: "Write the completion script of a shell",
		long: "Writes a script that lets the shell complete commands, flags and values. Load it in the shell's start file.",
		example: `source <(verdict completion bash)
verdict completion zsh > "${fpath[1]}/_verdict"
verdict completion fish > ~/.config/fish/completions/verdict.fish
verdict completion powershell | Out-String | Invoke-Expression`,
		args: exactly(1), plain: true,
		complete: func(_ *app, args []string) []string {
			if len(args) == 0 {
				return shells
			}
			return nil
		},
		setup: runs(func(_ context.Context, a *app, args []string) error {
			var file string
			root := newRoot(&app{table: a.table, env: a.env, stdin: a.stdin, stdout: a.stdout, stderr: a.stderr}, &file)
			var b bytes.Buffer
			if err := completionScript(root, args[0], &b); err != nil {
				return err
			}
			if _, err := a.stdout.Write(b.Bytes()); err != nil {
				return &verdict.Error{Code: verdict.CodeUnavailable, What: "standard output takes no more", Remedy: "make room where it goes", Err: err}
			}
			return nil
		}),
	}
}

func completionScript(root *cobra.Command, shell string, b *bytes.Buffer) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(b, true)
	case "zsh":
		return root.GenZshCompletion(b)
	case "fish":
		return root.GenFishCompletion(b, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(b)
	}
	return usage("verdict completion --help", fmt.Sprintf("there is no completion for %q", shell), meant(shell, shells, "verdict completion ", "choose bash, zsh, fish or powershell"))
}
