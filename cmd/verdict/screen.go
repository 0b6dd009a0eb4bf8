package main

import (
	"io"

	"golang.org/x/term"
)

// screen is what a stream is connected to.
type screen struct {
	terminal bool
	colour   bool
	width    int // columns to fill: of the terminal, within what reads well, else 80
}

// lookAt decides what a stream can show. NO_COLOR (no-color.org) wins over
// CLICOLOR_FORCE; TERM=dumb has no colour and no moving cursor.
func lookAt(w io.Writer, env environment) screen {
	s := screen{width: 80}
	if f, ok := w.(interface{ Fd() uintptr }); ok && term.IsTerminal(int(f.Fd())) {
		s.terminal = env.get("TERM") != "dumb"
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			s.width = min(max(columns, 40), 100)
		}
	}
	force := env.get("CLICOLOR_FORCE")
	switch {
	case env.get("NO_COLOR") != "":
	case force != "" && force != "0":
		s.colour = true
	default:
		s.colour = s.terminal
	}
	return s
}

// inPipeline reports whether a pipeline runs us. All that we know set CI, but Azure
// Pipelines, which sets TF_BUILD.
func inPipeline(env environment) bool {
	return (env.get("CI") != "" && env.get("CI") != "false") || env.get("TF_BUILD") != ""
}
