// Package served measures the control plane as its callers meet it: the program in a process
// of its own, and load from this one over loopback. VERDICT_BIN names the program.
package served

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"verdict/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const (
	startLimit = time.Minute
	writers    = 128
)

// plane is a running control plane.
type plane struct {
	end    func() // stops it; once
	b      *testing.B
	folder string // data and state
	base   string // of the API
	ops    string
	token  string
	took   time.Duration // from its start until it was ready
	run    *exec.Cmd
	client *http.Client
}

// asked is how a control plane is started besides the defaults.
type asked struct {
	database  string // address of a PostgreSQL
	admission bool   // it also answers clusters, and is not ready before it can
}

// start starts the program over a folder that has data and state, and waits until it is
// ready. It ends with the benchmark.
func start(b *testing.B, folder string, as asked) *plane {
	b.Helper()
	program := os.Getenv("VERDICT_BIN")
	if program == "" {
		b.Skip("VERDICT_BIN names no program")
	}
	p := &plane{b: b, folder: folder, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: writers, MaxConnsPerHost: writers}}}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data", filepath.Join(folder, "data")}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "XDG_STATE_HOME=" + filepath.Join(folder, "state")}
	if as.database != "" {
		args, env = append(args, "--database", "env:BENCH_DATABASE"), append(env, "BENCH_DATABASE="+as.database)
	}
	if as.admission {
		args = append(args, "--admission-listen", "127.0.0.1:0")
	}
	p.run = exec.Command(program, args...)
	p.run.Env = env
	var said bytes.Buffer
	p.run.Stderr = &said
	out, err := p.run.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := p.run.Start(); err != nil {
		b.Fatal(err)
	}
	p.end = sync.OnceFunc(func() { p.stop(&said) })
	b.Cleanup(p.end)
	p.listens(out)
	if p.base == "" {
		b.Fatalf("it did not say where it listens: %s", said.String())
	}
	for {
		if r, err := p.client.Get(p.ops + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Since(began) > startLimit {
			b.Fatalf("it was not ready within %v: %s", startLimit, said.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
	p.took = time.Since(began)
	host := strings.TrimPrefix(p.base, "http://")
	text, err := os.ReadFile(filepath.Join(folder, "state", "verdict", "servers", strings.ReplaceAll(host, ":", "_")+".token"))
	if err != nil {
		b.Fatal(err)
	}
	p.token, _, _ = strings.Cut(string(text), "\n")
	return p
}

// listens reads where it listens from what it says at its start.
func (p *plane) listens(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		for _, w := range strings.Fields(lines.Text()) {
			switch at := strings.Index(w, "/readyz"); {
			case at > 0:
				p.ops = w[:at]
			case p.base == "" && strings.HasPrefix(w, "http://"):
				p.base = strings.TrimSuffix(w, "/")
			}
		}
		if p.base != "" && p.ops != "" {
			go io.Copy(io.Discard, out) // it ends with the process
			return
		}
	}
}

func (p *plane) stop(said *bytes.Buffer) {
	_ = p.run.Process.Signal(syscall.SIGTERM) // it may have ended
	if err := p.run.Wait(); err != nil {
		p.b.Errorf("it ended with %v: %s", err, said.String())
	}
}

// memory is what the process has in memory now, in MB.
func (p *plane) memory(field string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.run.Process.Pid))
	if err != nil {
		p.b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == field+":" {
			n, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				p.b.Fatal(err)
			}
			return n * 1024 / 1e6
		}
	}
	p.b.Fatalf("%s is not told", field)
	return 0
}

// processor is the processor time of the process so far.
func (p *plane) processor() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.run.Process.Pid))
	if err != nil {
		p.b.Fatal(err)
	}
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, s := range f[11:13] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			p.b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on every Linux
}

// ask sends a request and reads the whole answer.
func (p *plane) ask(ctx context.Context, method, path, kind string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	if body != nil {
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Idempotency-Key", rand.Text())
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return text, err
}

func (p *plane) post(ctx context.Context, path string, q, a any) error {
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	text, err := p.ask(ctx, http.MethodPost, path, "application/json", body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, a)
}

// percentiles reports how long requests took.
func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
}
