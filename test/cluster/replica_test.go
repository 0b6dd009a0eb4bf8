//go:build unix

package cluster

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"verdict/evidence"
)

// program is the path of the binary: the one that make built, or one built now.
var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("VERDICT_BIN"); path != "" {
		return path, nil
	}
	folder, err := os.MkdirTemp("", "verdict-bin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "verdict")
	out, err := exec.Command("go", "build", "-o", path, "verdict/cmd/verdict").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// house is what the replicas of one installation share: the keys of the log and of the
// server, a database and a store for blobs. Nothing else: each is on a machine of its own.
type house struct {
	t      *testing.T
	folder string
	dsn    string // empty: the file in the data directory of the only one
	blobs  string // --blobs, with dsn
	keys   []string
}

// newHouse makes the keys, which an operator mounts into each replica.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, folder: t.TempDir()}
	if _, err := evidence.CreateKey(h.signer()); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.CreateLogKey(h.logKey()); err != nil {
		t.Fatal(err)
	}
	h.keys = []string{"--signer", "file:" + h.signer(), "--log-key", "file:" + h.logKey()}
	return h
}

func (h *house) signer() string { return filepath.Join(h.folder, "signer.pem") }
func (h *house) logKey() string { return filepath.Join(h.folder, "log.key") }

// objects is an S3 that the replicas share, and goes on while they are killed.
func (h *house) objects() {
	h.t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("evidence"); err != nil {
		h.t.Fatal(err)
	}
	s := httptest.NewServer(gofakes3.New(backend).Server())
	h.t.Cleanup(s.Close)
	h.blobs = "s3://evidence?region=eu-central-1&endpoint=" + s.URL
}

// replica is one process of the program, with a state directory, and so an anchor, of its own.
type replica struct {
	h       *house
	name    string
	listen  string // the same after a restart, as behind a load balancer
	process *exec.Cmd
	ended   chan error // of process
	said    *lines
}

// bearer reads the token that a server leaves for its user at each start, as commands do.
func (r *replica) bearer() (string, error) {
	text, err := os.ReadFile(filepath.Join(r.state(), "verdict", "servers", strings.ReplaceAll(r.listen, ":", "_")+".token"))
	token, _, _ := strings.Cut(string(text), "\n")
	return token, err
}

// lines keeps what a process says.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func (h *house) replica(name string) *replica {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	r := &replica{h: h, name: name, listen: l.Addr().String()}
	if err := l.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { r.kill() })
	return r
}

func (r *replica) data() string { return filepath.Join(r.h.folder, "data of "+r.name) }

func (r *replica) state() string { return filepath.Join(r.h.folder, "state of "+r.name) }

// command is the program as this replica runs it.
func (r *replica) command(args ...string) *exec.Cmd {
	r.h.t.Helper()
	path, err := program()
	if err != nil {
		r.h.t.Fatal(err)
	}
	c := exec.Command(path, slices.Concat([]string{"--data", r.data()}, r.h.keys, args)...)
	c.Env = []string{"HOME=" + r.h.folder, "XDG_STATE_HOME=" + r.state(), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	if r.h.dsn != "" {
		c.Env = append(c.Env, "DSN="+r.h.dsn, "VERDICT_DATABASE=env:DSN", "VERDICT_BLOBS="+r.h.blobs,
			"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true")
	}
	c.Dir = r.h.folder
	return c
}

var health = regexp.MustCompile(`http://(\S+?)/readyz`)

// start runs it until it is ready.
func (r *replica) start() {
	r.h.t.Helper()
	c := r.command("serve", "--listen", r.listen)
	if r.said == nil {
		r.said = &lines{}
	}
	out, err := c.StdoutPipe()
	if err != nil {
		r.h.t.Fatal(err)
	}
	c.Stderr = r.said
	r.ended = make(chan error, 1)
	if err := begin(c, r.ended); err != nil {
		r.h.t.Fatal(err)
	}
	r.process = c
	ops := make(chan string, 1)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(r.said, s.Text())
			if m := health.FindStringSubmatch(s.Text()); m != nil {
				ops <- m[1]
			}
		}
	}()
	select {
	case address := <-ops:
		r.ready(address)
	case <-time.After(60 * time.Second):
		r.h.t.Fatalf("%s does not say where it listens:\n%s", r.name, r.said)
	}
}

// begin starts a process that ends with us, and tells when it has ended.
func begin(c *exec.Cmd, ended chan<- error) error {
	dieWithUs(c)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the wish to die with the parent is one about a thread
		defer runtime.UnlockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			ended <- c.Wait()
		}
	}()
	return <-started
}

func (r *replica) ready(address string) {
	r.h.t.Helper()
	for until := time.Now().Add(60 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if a, err := http.Get("http://" + address + "/readyz"); err == nil {
			a.Body.Close()
			if a.StatusCode == http.StatusOK {
				return
			}
		}
	}
	r.h.t.Fatalf("%s is not ready:\n%s", r.name, r.said)
}

// kill ends it as the kernel does that has no memory left.
func (r *replica) kill() {
	if r.process == nil {
		return
	}
	r.process.Process.Kill()
	<-r.ended
	r.process = nil
}

func (r *replica) signal(s syscall.Signal) {
	r.h.t.Helper()
	if err := r.process.Process.Signal(s); err != nil {
		r.h.t.Fatal(err)
	}
}

// stop ends it as an operator does, and holds it to the promise that nothing is cut off.
func (r *replica) stop() {
	r.h.t.Helper()
	r.signal(syscall.SIGTERM)
	select {
	case err := <-r.ended:
		if err != nil {
			r.h.t.Errorf("%s ended with %v:\n%s", r.name, err, r.said)
		}
	case <-time.After(40 * time.Second):
		r.h.t.Errorf("%s does not stop:\n%s", r.name, r.said)
		r.process.Process.Kill()
		<-r.ended
	}
	r.process = nil
}

// client waits no longer than a pipeline that has another replica to ask.
var client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// refused is an answer that is no acknowledgement.
type refused struct {
	status int
	body   string
}

func (r refused) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.body) }

// verify runs `verdict log verify`, as whoever audits the log does.
func (r *replica) verify() {
	r.h.t.Helper()
	out, err := r.command("log", "verify").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("The log holds")) {
		r.h.t.Errorf("log verify: %v\n%s", err, out)
	}
}
