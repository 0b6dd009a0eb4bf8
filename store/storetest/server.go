//go:build unix

package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is one PostgreSQL in a folder of its own.
type Server struct {
	dir    string // also of its socket
	mu     sync.Mutex
	serial int           // guarded by mu: of databases
	run    *exec.Cmd     // guarded by mu: nil while it does not run
	ended  chan struct{} // guarded by mu: closed when run has ended
}

// newServer makes a cluster and runs it.
func newServer() (*Server, error) {
	if err := programs("initdb", "postgres", "createdb", "psql"); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "verdict-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if err = give(dir); err == nil {
		init := program("initdb", "-D", s.data(), "-U", "verdict", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
		init.Dir = dir
		var out []byte
		if out, err = init.CombinedOutput(); err != nil {
			err = fmt.Errorf("initdb: %w\n%s", err, out)
		}
	}
	if err == nil {
		err = s.begin()
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Socket is the path of the unix socket that it listens on.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Database makes an empty database and gives its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	s.serial++
	name := fmt.Sprintf("verdict%d", s.serial)
	s.mu.Unlock()
	if out, err := program("createdb", "-h", s.dir, "-U", "verdict", "-T", "template0", "-E", "UTF8", name).CombinedOutput(); err != nil {
		t.Fatalf("createdb: %v\n%s", err, out)
	}
	return "postgres:///" + name + "?" + url.Values{"host": {s.dir}, "user": {"verdict"}}.Encode()
}

// begin runs it and waits until it answers. Its settings are those of a user who wants
// his commits to last: nothing about syncing is switched off.
func (s *Server) begin() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	run := program("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "unix_socket_permissions=0777")
	run.Dir, run.Stdout, run.Stderr = s.dir, log, log
	dieWithParent(run.SysProcAttr)
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // the wish to die with the parent is one about a thread
		defer runtime.UnlockOSThread()
		err := run.Start()
		started <- err
		if err == nil {
			run.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.mu.Lock()
	s.run, s.ended = run, ended
	s.mu.Unlock()
	for range 600 {
		if program("psql", "-h", s.dir, "-U", "verdict", "-d", "postgres", "-c", "SELECT 1").Run() == nil {
			return nil
		}
		select {
		case <-ended:
			text, err := os.ReadFile(filepath.Join(s.dir, "log"))
			return errors.Join(fmt.Errorf("%w: %s", errEnded, text), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("postgres did not answer within thirty seconds")
}

// Start runs it again after Kill, through its recovery.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	var err error
	for range 50 {
		// It refuses while the last of the killed ones still has their memory in use.
		if err = s.begin(); !errors.Is(err, errEnded) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var errEnded = errors.New("postgres ended at once")

// Kill ends the postmaster and all its children with SIGKILL, as a machine does that
// loses its power: none of them can write a last word. It gives how many there were.
func (s *Server) Kill(t testing.TB) int {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return 0
	}
	// Stopped first, so that it neither begins new ones nor tells the old ones anything.
	if err := s.run.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	children, err := childrenOf(s.run.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range children {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	s.run.Process.Kill()
	<-s.ended
	s.run = nil
	return 1 + len(children)
}

// childrenOf are the processes that a process began, by /proc where there is one: ps is not
// everywhere.
func childrenOf(parent int) ([]int, error) {
	var lines []string
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err == nil && len(stats) > 0 {
		for _, path := range stats {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // it has ended
			}
			// pid (name) state ppid …, and a name may hold anything
			pid, _, _ := strings.Cut(string(text), " ")
			behind := text[bytes.LastIndexByte(text, ')')+1:]
			if f := strings.Fields(string(behind)); len(f) > 1 {
				lines = append(lines, pid+" "+f[1])
			}
		}
	} else {
		out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
		if err != nil {
			return nil, fmt.Errorf("ps: %w", err)
		}
		lines = strings.Split(string(out), "\n")
	}
	var found []int
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) != 2 || f[1] != strconv.Itoa(parent) {
			continue
		}
		pid, err := strconv.Atoi(f[0])
		if err != nil {
			return nil, fmt.Errorf("process %q: %w", line, err)
		}
		found = append(found, pid)
	}
	return found, nil
}

// remove stops it and takes its folder away.
func (s *Server) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != nil {
		s.run.Process.Signal(syscall.SIGQUIT)
		<-s.ended
		s.run = nil
	}
	os.RemoveAll(s.dir)
}
