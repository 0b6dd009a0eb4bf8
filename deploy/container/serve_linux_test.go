package main

import (
	"archive/tar"
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// unpack makes the root of a container of an image, as a runtime does.
func unpack(t *testing.T, image v1.Image) (root string) {
	t.Helper()
	root = t.TempDir()
	inside(t, image, func(h *tar.Header, packed io.Reader) {
		var err error
		path := filepath.Join(root, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			var content []byte
			if content, err = io.ReadAll(packed); err == nil {
				err = os.WriteFile(path, content, 0o600)
			}
		}
		if err := errors.Join(err, os.Chown(path, h.Uid, h.Gid), os.Chmod(path, h.FileInfo().Mode())); err != nil {
			t.Fatal(err)
		}
	})
	return root
}

// Started as its user, in a root that holds nothing but the image, the program serves, keeps
// its ledger and its anchor where the volumes are, and stops when it is told to.
func TestTheImageServesAsItsUser(t *testing.T) {
	verdict := os.Getenv("VERDICT_BIN")
	if verdict == "" || os.Geteuid() != 0 {
		t.Skip("SKIP a container: it needs root and VERDICT_BIN (make test builds it)")
	}
	r := aRecipe()
	stand := r.Program
	r.Program = func(arch string) ([]byte, error) {
		if arch == runtime.GOARCH {
			return os.ReadFile(verdict)
		}
		return stand(arch)
	}
	_, index := saved(t, r)
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Manifests {
		if d.Platform.Architecture != runtime.GOARCH {
			continue
		}
		image, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		root := unpack(t, image)
		if err := os.Chmod(filepath.Dir(root), 0o755); err != nil { // the test's folders are its own
			t.Fatal(err)
		}
		serves(t, root, config.Config)
		for _, made := range []string{dataPath + "/ledger.db", statePath + "/verdict/anchor"} {
			if _, err := os.Stat(filepath.Join(root, made)); err != nil {
				t.Error(err)
			}
		}
		return
	}
	t.Skipf("SKIP a container: the image is not for %s", runtime.GOARCH)
}

func serves(t *testing.T, root string, c v1.Config) {
	t.Helper()
	args := append(append([]string{}, c.Cmd...), "--listen", "127.0.0.1:0", "--ops-listen", "off")
	cmd := exec.Command(c.Entrypoint[0], args...)
	cmd.Dir, cmd.Env = c.WorkingDir, c.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	first := ""
	if lines := bufio.NewScanner(out); lines.Scan() {
		first = lines.Text()
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || first != "Verdict serves." {
		t.Errorf("%q, %v: %s", first, err, said.String())
	}
}
