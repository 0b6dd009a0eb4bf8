//go:build unix

package storetest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// shared is the one PostgreSQL of a test process, which ends with it.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Main runs the tests of a package that may use Postgres, and stops the server after
// them. Call it from TestMain: os.Exit(storetest.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	if shared.server != nil {
		shared.server.remove()
	}
	return code
}

// Postgres gives the address of an empty database on a real PostgreSQL that it starts in
// a temporary folder, on a unix socket, as a user without rights when the tests run as
// root. The test is skipped, and says SKIP PostgreSQL, on a machine without the programs;
// with VERDICT_LONG=1 it fails then.
func Postgres(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = newServer() })
	needed(t, shared.err)
	return shared.server.Database(t)
}

// OwnPostgres is like Postgres a real one, which the test may kill. It ends with the test.
func OwnPostgres(t testing.TB) *Server {
	t.Helper()
	s, err := newServer()
	needed(t, err)
	t.Cleanup(s.remove)
	return s
}

// needed skips a test where there is no PostgreSQL.
func needed(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, exec.ErrNotFound) {
		if os.Getenv("VERDICT_LONG") != "" {
			t.Fatalf("PostgreSQL is needed: %v", err)
		}
		t.Skipf("SKIP PostgreSQL: %v (Debian package postgresql)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
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
