package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveProcess is `verdict serve` as a process of its own; ended is how it came to its end.
type serveProcess struct {
	*exec.Cmd
	api, ops string
	ended    chan error
}

func startServe(t *testing.T, data, home string) *serveProcess {
	t.Helper()
	p := &serveProcess{Cmd: exec.CommandContext(t.Context(), "verdict", "serve", "--listen", "127.0.0.1:0", "--data", data), ended: make(chan error, 1)}
	p.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	address := regexp.MustCompile(`http://(127\.0\.0\.1:\d+)`)
	for said := false; !said; said = strings.Contains(lines.Text(), "/login?code=") {
		if !lines.Scan() {
			t.Fatalf("it ended before it said where it listens: %v", p.Wait())
		}
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			if strings.Contains(lines.Text(), "readyz") {
				p.ops = m[1]
			} else if p.api == "" {
				p.api = m[1]
			}
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		p.ended <- p.Wait()
	}()
	return p
}

// eventually waits for what the process does when it comes to it.
func (p *serveProcess) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal(what)
		}
	}
}

// Whoever stops the server once has requests under way answered; whoever does it twice does not
// want to wait. After either the ledger is whole.
func TestASignalStopsTheServerAndASecondOneAtOnce(t *testing.T) {
	data, home := t.TempDir(), t.TempDir()
	p := startServe(t, data, home)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("asked to stop it ends with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not stop")
	}

	p = startServe(t, data, home)
	c, err := net.Dial("tcp", p.api)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /api/v1/token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", p.api)
	p.eventually(t, "the request is not under way", func() bool {
		res, err := http.Get("http://" + p.ops + "/metrics")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return err == nil && strings.Contains(string(text), "verdict_http_requests_in_flight 1\n")
	})
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.eventually(t, "while it stops it takes more", func() bool {
		d, err := net.Dial("tcp", p.api)
		if err == nil {
			_ = d.Close()
		}
		return err != nil
	})
	select {
	case err := <-p.ended:
		t.Fatalf("it ended with a request under way: %v", err)
	case <-time.After(time.Second):
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		if err == nil {
			t.Error("cut off it ends as if all had been answered")
		}
	case <-time.After(15 * time.Second): // of the 20 that a stop has
		t.Fatal("a second signal does not stop it")
	}
	verify := exec.CommandContext(t.Context(), "verdict", "log", "verify", "--data", data)
	verify.Env = p.Env
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

// Two servers on one embedded ledger would not hear of each other in time: the second one says
// what to do, commands go on beside the first, and what was killed keeps nobody out.
func TestASecondServerOnOneDataDirectoryIsRefused(t *testing.T) {
	data, home := t.TempDir(), t.TempDir()
	p := startServe(t, data, home)
	second := func(words ...string) (string, error) {
		c := exec.CommandContext(t.Context(), "verdict", append(words, "--data", data)...)
		c.Env = p.Env
		out, err := c.CombinedOutput()
		return string(out), err
	}
	out, err := second("serve", "--listen", "127.0.0.1:0")
	if err == nil || !strings.Contains(out, "another verdict serve has the ledger in "+data) || !strings.Contains(out, "fix: stop that one first") {
		t.Errorf("a second server: %v %s", err, out)
	}
	if out, err := second("log", "checkpoint"); err != nil {
		t.Errorf("a command beside the server: %v %s", err, out)
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	again := startServe(t, data, home)
	if err := again.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-again.ended
}
