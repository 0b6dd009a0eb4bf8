package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// usage is what one run of a program cost, together with the programs that it started.
type usage struct {
	CPU, Wall time.Duration
	Memory    int64 // largest resident set in bytes; 0 where the system does not tell
}

// commandLimit is for the slowest peer on the largest tree.
const commandLimit = 5 * time.Minute

// spend runs a program with an environment of its own and measures it. An exit code is
// no error: scanners end with one when they find something.
func spend(ctx context.Context, dir string, env []string, name string, args ...string) (u usage, exit int, said []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err = cmd.Run()
	u.Wall = time.Since(began)
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) || ctx.Err() != nil {
		return u, 0, out.Bytes(), fmt.Errorf("%s: %w", filepath.Base(name), errors.Join(err, ctx.Err()))
	}
	s := cmd.ProcessState
	u.CPU, u.Memory = s.UserTime()+s.SystemTime(), peak(s)
	return u, s.ExitCode(), out.Bytes(), nil
}

// alone is an environment in which a program finds nothing of the user's, and no network
// by any proxy.
func alone(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_DATA_HOME=" + home + "/data", "XDG_STATE_HOME=" + home + "/state", "XDG_CONFIG_HOME=" + home + "/config",
		"XDG_CACHE_HOME=" + home + "/cache", "NO_COLOR=1", "GIT_CONFIG_NOSYSTEM=1", "HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1",
		"GIT_AUTHOR_NAME=b", "GIT_AUTHOR_EMAIL=b@example.org", "GIT_COMMITTER_NAME=b", "GIT_COMMITTER_EMAIL=b@example.org",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
	}
}
