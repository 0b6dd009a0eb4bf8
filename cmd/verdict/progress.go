package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"verdict/report"
)

// progress tells on standard error what a slow command is at. On a terminal it is one
// line that appears after half a second and goes away; in a pipeline it is one line per
// phase; elsewhere nothing. The zero value tells nothing.
//
// Phases follow each other: starting one ends the one before.
type progress struct {
	w     io.Writer
	live  bool // a line that is rewritten
	lines bool // one line per phase
	width int

	now *phase
}

// patience is how long a phase may take before a terminal hears of it.
const patience = 500 * time.Millisecond

func newProgress(w io.Writer, s screen, pipeline bool) *progress {
	return &progress{w: w, live: s.terminal && !pipeline, lines: pipeline, width: s.width}
}

// phase is one step of a command.
type phase struct {
	p       *progress
	name    string
	started time.Time
	end     chan struct{} // closed by stop
	ended   chan struct{} // closed by the goroutine, which phase.stop waits for

	mu    sync.Mutex // guards note
	note  string
	shown bool // the goroutine's alone; read after ended
}

// phase starts a step and ends the one before. name is a few words: "Reading the tree".
func (p *progress) phase(name string) *phase {
	p.stop()
	f := &phase{p: p, name: report.Neutral(name), started: time.Now(), end: make(chan struct{}), ended: make(chan struct{})}
	p.now = f
	if p.lines {
		fmt.Fprintf(p.w, "verdict: %s\n", f.name)
	}
	if p.live {
		go f.show()
	} else {
		close(f.ended)
	}
	return f
}

// say notes how far the step is: "812 of 5,457 files". It is cheap, and any goroutine
// may call it.
func (f *phase) say(format string, args ...any) {
	if !f.p.live {
		return
	}
	f.mu.Lock()
	f.note = report.Neutral(fmt.Sprintf(format, args...))
	f.mu.Unlock()
}

// stop ends the running step and takes its line away.
func (p *progress) stop() {
	f := p.now
	if f == nil {
		return
	}
	p.now = nil
	close(f.end)
	<-f.ended
	if f.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// tell says on a terminal what is settled already while the command goes on; its answer says
// it again. It ends the running step.
func (p *progress) tell(text string) {
	if p.stop(); p.live && text != "" {
		fmt.Fprint(p.w, text)
	}
}

func (f *phase) show() {
	defer close(f.ended)
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for {
		select {
		case <-f.end:
			return
		case <-wait.C:
			f.shown = true
			f.mu.Lock()
			note := f.note
			f.mu.Unlock()
			line := fmt.Sprintf("%s … %s  %s", f.name, time.Since(f.started).Round(time.Second), note)
			fmt.Fprintf(f.p.w, "\r\x1b[K%s", report.Cut(line, f.p.width-1))
			wait.Reset(200 * time.Millisecond)
		}
	}
}
