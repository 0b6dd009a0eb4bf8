package main

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestColourFollowsTheConventions(t *testing.T) {
	for _, c := range []struct {
		name string
		env  []string
		want bool
	}{
		{"no terminal, no colour", nil, false},
		{"forced", []string{"CLICOLOR_FORCE=1"}, true},
		{"forced by 0 is not forced", []string{"CLICOLOR_FORCE=0"}, false},
		{"NO_COLOR wins", []string{"CLICOLOR_FORCE=1", "NO_COLOR=1"}, false},
		{"an empty NO_COLOR says nothing", []string{"CLICOLOR_FORCE=1", "NO_COLOR="}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := lookAt(&bytes.Buffer{}, newEnvironment(c.env)); got.colour != c.want || got.terminal || got.width != 80 {
				t.Errorf("%+v", got)
			}
		})
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s := lookAt(f, environment{}); s.terminal || s.colour {
		t.Errorf("a device that is no terminal: %+v", s)
	}
}

// safeBuffer is a buffer that the progress line and the test share.
type safeBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestProgressAppearsOnATerminalAfterHalfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		p := newProgress(&out, screen{terminal: true, width: 60}, false)
		step := p.phase("Reading the tree")
		step.say("%d of %d files \x1b[2J", 3, 9)
		time.Sleep(400 * time.Millisecond)
		if out.String() != "" {
			t.Errorf("after 400 ms: %q", out.String())
		}
		time.Sleep(200 * time.Millisecond)
		if !strings.Contains(out.String(), "Reading the tree … 1s  3 of 9 files") || strings.Contains(out.String(), "\x1b[2J") {
			t.Errorf("after 600 ms: %q", out.String())
		}
		p.phase("Deciding")
		p.stop()
		if !strings.HasSuffix(out.String(), "\r\x1b[K") || strings.Contains(out.String(), "Deciding") {
			t.Errorf("at the end: %q", out.String())
		}
		if strings.Contains(out.String(), "\n") {
			t.Errorf("a line stays: %q", out.String())
		}
	})
}

func TestProgressIsOneLinePerPhaseInAPipeline(t *testing.T) {
	var out safeBuffer
	p := newProgress(&out, screen{}, true)
	p.phase("Reading the tree").say("never seen")
	p.phase("Deciding")
	p.stop()
	if got := out.String(); got != "verdict: Reading the tree\nverdict: Deciding\n" {
		t.Errorf("%q", got)
	}
	out.b.Reset()
	p = newProgress(&out, screen{}, false)
	p.phase("Reading").say("x")
	p.stop()
	if out.String() != "" {
		t.Errorf("neither terminal nor pipeline: %q", out.String())
	}
}

func TestPipelinesAreToldFromPeople(t *testing.T) {
	for env, want := range map[string]bool{"CI=true": true, "CI=1": true, "CI=false": false, "CI=": false, "TF_BUILD=True": true, "X=y": false} {
		if got := inPipeline(newEnvironment([]string{env})); got != want {
			t.Errorf("%s: %v", env, got)
		}
	}
}
