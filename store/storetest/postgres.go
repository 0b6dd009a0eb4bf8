//go:build unix

package storetest

import (
	"errors"
	"fmt"
	"io/fs"
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

// server is the one PostgreSQL of a test process. It ends with the process, or with the
// last of its databases that is given back by the test that asked for it first.
type server struct {
	once   sync.Once
	socket string
	stop   func()
	err    error
	serial int
	mu     sync.Mutex // guards serial
}

var shared server

// Main runs the tests of a package that may use Postgres, and stops the server after
// them. Call it from TestMain: os.Exit(storetest.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	if shared.stop != nil {
		shared.stop()
	}
	return code
}

// Postgres gives the address of an empty database on a real PostgreSQL that it starts in
// a temporary folder, on a unix socket, as a user without rights when the tests run as
// root. The test is skipped, and says SKIP PostgreSQL, on a machine without the programs;
// with VERDICT_LONG=1 it fails then.
func Postgres(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.start() })
	if errors.Is(shared.err, exec.ErrNotFound) {
		if os.Getenv("VERDICT_LONG") != "" {
			t.Fatalf("PostgreSQL is needed: %v", shared.err)
		}
		t.Skipf("SKIP PostgreSQL: %v (Debian package postgresql)", shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	shared.mu.Lock()
	shared.serial++
	name := fmt.Sprintf("verdict%d", shared.serial)
	shared.mu.Unlock()
	if out, err := program("createdb", "-h", shared.socket, "-U", "verdict", "-T", "template0", "-E", "UTF8", name).CombinedOutput(); err != nil {
		t.Fatalf("createdb: %v\n%s", err, out)
	}
	return "postgres:///" + name + "?" + url.Values{"host": {shared.socket}, "user": {"verdict"}}.Encode()
}

// start makes a cluster and runs it. Its settings are those of a user who wants his
// commits to last: nothing about syncing is switched off.
func (s *server) start() {
	if s.err = programs("initdb", "postgres", "createdb"); s.err != nil {
		return
	}
	dir, err := os.MkdirTemp("", "verdict-postgres-")
	if s.err = err; err != nil {
		return
	}
	data := filepath.Join(dir, "data")
	if s.err = give(dir); s.err != nil {
		return
	}
	init := program("initdb", "-D", data, "-U", "verdict", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	init.Dir = dir
	if out, err := init.CombinedOutput(); err != nil {
		s.err = fmt.Errorf("initdb: %w\n%s", err, out)
		return
	}
	run := program("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "unix_socket_permissions=0777")
	run.Dir = dir
	log, err := os.Create(filepath.Join(dir, "log"))
	if s.err = err; err != nil {
		return
	}
	run.Stdout, run.Stderr = log, log
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
	if s.err = <-started; s.err != nil {
		return
	}
	s.stop = func() {
		run.Process.Signal(syscall.SIGQUIT)
		<-ended
		os.RemoveAll(dir)
	}
	s.socket = dir
	for range 200 {
		if program("psql", "-h", dir, "-U", "verdict", "-d", "postgres", "-c", "SELECT 1").Run() == nil {
			return
		}
		select {
		case <-ended:
			text, err := os.ReadFile(filepath.Join(dir, "log"))
			s.err = fmt.Errorf("postgres ended at once: %s (%w)", text, errors.Join(err))
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.err = errors.New("postgres did not answer within ten seconds")
}

// find gives the path of a program of PostgreSQL: on PATH, or where Debian keeps it.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	places, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err == nil && len(places) > 0 {
		return places[len(places)-1], nil
	}
	return "", fmt.Errorf("program %s: %w", name, exec.ErrNotFound)
}

func programs(names ...string) error {
	for _, n := range names {
		if _, err := find(n); err != nil {
			return err
		}
	}
	return nil
}

func program(name string, args ...string) *exec.Cmd {
	path, err := find(name)
	if err != nil {
		path = name
	}
	c := exec.Command(path, args...)
	c.SysProcAttr = &syscall.SysProcAttr{}
	if who := nobody(); who != nil {
		c.SysProcAttr.Credential = who
	}
	c.Dir = os.TempDir()
	return c
}

// nobody is a user that PostgreSQL may run as when the tests run as root: it refuses
// root.
func nobody() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return nil
	}
	for _, want := range []string{"postgres", "nobody"} {
		for line := range strings.Lines(string(text)) {
			f := strings.Split(line, ":")
			if len(f) < 4 || f[0] != want {
				continue
			}
			uid, err1 := strconv.ParseUint(f[2], 10, 32)
			gid, err2 := strconv.ParseUint(f[3], 10, 32)
			if err1 == nil && err2 == nil {
				return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			}
		}
	}
	return nil
}

// give hands a folder to that user.
func give(dir string) error {
	who := nobody()
	if who == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, int(who.Uid), int(who.Gid)))
	})
}
