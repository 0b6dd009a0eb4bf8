package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"verdict"
	"verdict/policy"
)

const (
	enginePins = "test/peers/engine.txt"
	asked      = "deploy.gate" // its rules are the ones that are compared
	askedRules = 25            // so many of them
	callers    = 16
	rounds     = 5
	roundTime  = time.Second
	startLimit = 30 * time.Second
)

// side is one of two that answer the same question.
type side struct {
	name string
	ask  func(ctx context.Context, document []byte) (answer, error)
	// spent is the processor time of a process beside ours; nil where there is none.
	spent func() (time.Duration, error)
}

// answer reads the status of each rule out of what a side said; what that costs is not
// measured.
type answer func() (map[string]verdict.RuleStatus, error)

// besideOPA asks the same rules about the same documents in our process and at a server of
// the same engine, in turns, and sets how many times as many decisions ours gave. Both begin
// with the bytes of the document, and both are asked by as many callers at once; neither
// gathers nor records anything. Where others use the machine too, the scheduler gives a pair
// of processes a larger share than one: then the processor time tells more than the clock.
func besideOPA(ctx context.Context, w io.Writer, o options, f figures) error {
	program, err := o.engine()
	if err != nil {
		return err
	}
	bundle, err := policy.Builtin()
	if err != nil {
		return err
	}
	ids := compared(bundle)
	if len(ids) != askedRules {
		return fmt.Errorf("%d rules of %s, want %d", len(ids), asked, askedRules)
	}
	server, stop, err := serve(ctx, program, bundle, ids)
	if err != nil {
		return err
	}
	defer stop()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as the program runs
	sides := []side{inProcess(bundle, ids), server}
	for _, findings := range []int{3, 500} {
		document, err := gateDocument(findings)
		if err != nil {
			return err
		}
		if err := alike(ctx, sides, document, ids); err != nil {
			return err
		}
		did, err := inTurns(ctx, sides, document)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d rules, %d findings in a document of %d bytes, %d callers\n", len(ids), findings, len(document), callers)
		for i, s := range sides {
			fmt.Fprintf(w, "  %-18s%7.0f decisions/s %9.2f ms of processor time each\n", s.name, did[i].perSecond(), 1e3/did[i].perCPU())
		}
		fmt.Fprintf(w, "  %-18s%10.2f times %16.2f times\n", "", did[0].perSecond()/did[1].perSecond(), did[0].perCPU()/did[1].perCPU())
		name := fmt.Sprintf("%d_findings", findings)
		f.set("opa", name, "times", did[0].perSecond()/did[1].perSecond())
		f.set("opa", name, "cpu-times", did[0].perCPU()/did[1].perCPU())
	}
	return nil
}

// engine is the path of the program that is compared with, which was built before.
func (o options) engine() (string, error) {
	pins, err := os.ReadFile(enginePins)
	if err != nil {
		return "", err
	}
	pin := strings.Fields(string(pins))
	p := filepath.Join(o.tools, pin[0]+"-"+pin[1], pin[0])
	if _, err := os.Stat(p); err != nil || o.tools == "" {
		return "", fmt.Errorf("%s %s is not there; build it once with make -C test/peers engine, and measure with make bench", pin[0], pin[1])
	}
	return p, nil
}

// compared are the rules that are asked, the first by their ids.
func compared(b *policy.Bundle) []string {
	found, _ := b.Select(asked)
	var ids []string
	for _, r := range found[:min(len(found), askedRules)] {
		ids = append(ids, r.ID)
	}
	return ids
}

// gateDocument is what the gate of production reads about an artifact in which nothing
// holds it back but so many vulnerabilities of middling severity are known.
func gateDocument(findings int) ([]byte, error) {
	in := policy.Example(verdict.LayerDeploy)
	for i := range findings {
		id, name := fmt.Sprintf("CVE-2026-%04d", i), fmt.Sprintf("package-%d", i)
		purl := "pkg:npm/" + name + "@1.0.0"
		in.Vulnerabilities.Findings = append(in.Vulnerabilities.Findings, policy.Finding{
			Key: id + " " + purl, ID: id, Ecosystem: "npm", Name: name, Version: "1.0.0", PURL: purl, Severity: verdict.SeverityMedium,
			SourcePath: "bom.json", Since: "2026-01-01T11:00:00Z", Evidence: in.Artifact.SBOM.Evidence,
		})
	}
	in.Normalize()
	return in.Canonical()
}

// inProcess builds the document from its bytes and evaluates it here.
func inProcess(b *policy.Bundle, ids []string) side {
	return side{name: "in process", ask: func(ctx context.Context, document []byte) (answer, error) {
		var in policy.Input
		if err := json.Unmarshal(document, &in); err != nil {
			return nil, err
		}
		e, err := b.Evaluate(ctx, policy.Query{Rules: ids, Input: &in, At: time.Now()})
		if err != nil {
			return nil, err
		}
		if len(e.Results) != len(ids) {
			return nil, fmt.Errorf("%d of %d rules answered: %v %v", len(e.Results), len(ids), e.Silent, e.Faults)
		}
		return func() (map[string]verdict.RuleStatus, error) {
			said := make(map[string]verdict.RuleStatus, len(ids))
			for _, r := range e.Results {
				said[r.Rule.ID] = r.Status
			}
			return said, nil
		}, nil
	}}
}

// serve starts the server with the rules as a bundle, and one more module that asks all of
// them at once: the server prepares that query once and keeps it.
func serve(ctx context.Context, program string, b *policy.Bundle, ids []string) (side, func(), error) {
	dir, err := os.MkdirTemp("", "verdict-bench-opa-")
	if err != nil {
		return side{}, nil, err
	}
	remove := func() { os.RemoveAll(dir) }
	if err := writeBundle(dir, b, ids); err != nil {
		remove()
		return side{}, nil, err
	}
	address, err := freePort()
	if err != nil {
		remove()
		return side{}, nil, err
	}
	cmd := exec.CommandContext(ctx, program, "run", "--server", "--addr", address, "--log-level", "error", "--disable-telemetry", "--bundle", dir)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		remove()
		return side{}, nil, err
	}
	stop := func() {
		cmd.Process.Kill()
		cmd.Wait() // it was killed, and says so
		remove()
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true}}
	if err := healthy(ctx, client, "http://"+address+"/health?bundles"); err != nil {
		stop()
		return side{}, nil, fmt.Errorf("%w\n%s", err, said.String())
	}
	s := atServer(client, "http://"+address+"/v1/data/compared/results")
	s.spent = func() (time.Duration, error) { return processCPU(cmd.Process.Pid) }
	return s, stop, nil
}

// writeBundle writes the rules as they are, without their tests.
func writeBundle(dir string, b *policy.Bundle, ids []string) error {
	for name, text := range b.Files() {
		if strings.HasSuffix(name, ".rego") && !strings.HasSuffix(name, "_test.rego") {
			if err := put(filepath.Join(dir, filepath.FromSlash(name)), text); err != nil {
				return err
			}
		}
	}
	all := "package compared\n"
	for _, r := range b.Rules() {
		if slices.Contains(ids, r.ID) {
			all += fmt.Sprintf("\nresults[%q] := data.%s.check\n", r.ID, r.Package)
		}
	}
	return put(filepath.Join(dir, "compared.rego"), all)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// healthy waits until the server has its rules.
func healthy(ctx context.Context, client *http.Client, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the server did not come up")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// atServer posts the document over a connection that stays open.
func atServer(client *http.Client, address string) side {
	return side{name: "opa run --server", ask: func(ctx context.Context, document []byte) (answer, error) {
		body := io.MultiReader(strings.NewReader(`{"input":`), bytes.NewReader(document), strings.NewReader("}"))
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
		if err != nil {
			return nil, err
		}
		req.ContentLength = int64(len(document) + len(`{"input":}`))
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %.200s", resp.Status, text)
		}
		return func() (map[string]verdict.RuleStatus, error) { return statuses(text) }, nil
	}}
}

// statuses reads what the server answers.
func statuses(text []byte) (map[string]verdict.RuleStatus, error) {
	var said struct {
		Result map[string]struct{ Status verdict.RuleStatus }
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return nil, err
	}
	out := make(map[string]verdict.RuleStatus, len(said.Result))
	for id, r := range said.Result {
		out[id] = r.Status
	}
	return out, nil
}

// alike refuses to compare the speed of sides that do not say the same.
func alike(ctx context.Context, sides []side, document []byte, ids []string) error {
	said := make([]map[string]verdict.RuleStatus, len(sides))
	for i, s := range sides {
		read, err := s.ask(ctx, document)
		if err == nil {
			said[i], err = read()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	ours, theirs := said[0], said[1]
	for _, id := range ids {
		if ours[id] == "" || ours[id] != theirs[id] {
			return fmt.Errorf("%s: %q %s, %q %s", id, ours[id], sides[0].name, theirs[id], sides[1].name)
		}
	}
	return nil
}

// done is what a side did in its rounds.
type done struct {
	answers   int
	took, cpu time.Duration // cpu is that of both processes: who asks a server pays for asking
}

func (d done) perSecond() float64 { return float64(d.answers) / d.took.Seconds() }
func (d done) perCPU() float64    { return float64(d.answers) / d.cpu.Seconds() }

// inTurns lets each side answer for the same time, round by round. The first round of each
// warms it up and does not count.
func inTurns(ctx context.Context, sides []side, document []byte) ([]done, error) {
	did := make([]done, len(sides))
	for round := range rounds + 1 {
		for i, s := range sides {
			before, err := s.cpu()
			if err != nil {
				return nil, err
			}
			began := time.Now()
			n, err := answersOf(ctx, s, document, began.Add(roundTime))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			took := time.Since(began)
			after, err := s.cpu()
			if err != nil {
				return nil, err
			}
			if round > 0 {
				did[i].answers += n
				did[i].took += took
				did[i].cpu += after - before
			}
		}
	}
	return did, nil
}

// cpu is the processor time that our process and the side's have used.
func (s side) cpu() (time.Duration, error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, err
	}
	total := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	if s.spent == nil {
		return total, nil
	}
	theirs, err := s.spent()
	return total + theirs, err
}

// tick is the unit of /proc/PID/stat, the same on every Linux that Go runs on.
const tick = time.Second / 100

// processCPU reads what a process has used: its fields 14 and 15, counted behind its name.
func processCPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err
}

// answersOf asks a side by all callers at once until a time, and counts.
func answersOf(ctx context.Context, s side, document []byte, until time.Time) (int, error) {
	var mu sync.Mutex // guards total and failed
	var total int
	var failed error
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			n := 0
			var err error
			for err == nil && time.Now().Before(until) {
				if _, err = s.ask(ctx, document); err == nil {
					n++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
			failed = errors.Join(failed, err)
		})
	}
	wait.Wait()
	return total, failed
}
