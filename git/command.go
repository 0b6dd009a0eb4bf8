package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"verdict"
)

// Limits of what is taken from git. Beyond them an answer is an error, never a part.
const (
	maxOutput = 256 << 20 // bytes of one answer: a listing of a million paths fits
	maxStderr = 16 << 10
	patience  = 3 * time.Second // for git to end once it was told to
)

// overrides are the keys that could run a program, reach a server or let a cached
// answer stand for the real one. What is given here wins over every file.
var overrides = []string{
	"core.fsmonitor=", "core.untrackedCache=false", "core.hooksPath=" + os.DevNull,
	"core.sshCommand=false", "core.askPass=false", "core.gitProxy=", "credential.helper=",
	"protocol.allow=never", "diff.external=", "submodule.recurse=false", "log.showSignature=false",
	"gc.auto=0", "maintenance.auto=false", "core.quotePath=true",
	"safe.bareRepository=explicit", // a committed folder that looks like a repository is none
}

// environment replaces what the caller's environment says to git.
var environment = []string{
	"LC_ALL=C", "LANGUAGE=", // messages are told apart by their English words
	"GIT_TERMINAL_PROMPT=0", "GIT_PAGER=cat", "GIT_EDITOR=false", "GIT_ASKPASS=false", "SSH_ASKPASS=false",
	"GIT_OPTIONAL_LOCKS=0",                                     // reading writes nothing, so post-index-change never runs
	"GIT_NO_REPLACE_OBJECTS=1", "GIT_GRAFT_FILE=" + os.DevNull, // objects are what their ids say
	"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none", // a partial clone misses objects rather than fetching them
	"GIT_LITERAL_PATHSPECS=1", "GIT_ATTR_NOSYSTEM=1",
	"GIT_TRACE=0", "GIT_TRACE2=0", "GIT_TRACE2_EVENT=0", "GIT_TRACE2_PERF=0",
}

// inherited are the variables of git's own that keep their value: they are how a
// machine configures it, safe.directory above all.
func inherited(name string) bool {
	switch name {
	case "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT", "GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES":
		return true
	}
	return strings.HasPrefix(name, "GIT_CONFIG_KEY_") || strings.HasPrefix(name, "GIT_CONFIG_VALUE_")
}

// program is the git executable.
type program struct{ path string }

func find() (program, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return program{}, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the git program is not on PATH",
			Remedy: "install git 2.25 or later (Debian: apt-get install git) and run again", Err: err,
		}
	}
	return program{path: path}, nil
}

// surroundings is the environment for a run: the process's own, as the child would
// inherit it, without what would redirect git.
func surroundings(cmd *exec.Cmd) []string {
	var env []string
	for _, kv := range cmd.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "GIT_") || inherited(name) {
			env = append(env, kv)
		}
	}
	return append(env, environment...)
}

// call is one run of git.
type call struct {
	repository string   // the git directory; empty: that of the folder
	config     []string // further key=value pairs that win over every file
	args       []string
	stdin      string
	limit      int64 // bytes of output that are accepted; 0: maxOutput
	// ok1 accepts exit code 1 as an answer of its own: ended is then 1.
	ok1   bool
	ended *int
	// warned takes what git says beside a good answer; nil drops it.
	warned *string
}

// run gives git's whole output. Failures come back as *verdict.Error.
func (p program) run(ctx context.Context, dir string, c call) ([]byte, error) {
	if c.limit == 0 {
		c.limit = maxOutput
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, p.path, p.arguments(c)...)
	cmd.Dir, cmd.WaitDelay = dir, patience
	cmd.Env = surroundings(cmd)
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	// Too much output stops git instead of filling memory.
	out := &bounded{left: c.limit, full: stop}
	errs := &bounded{left: maxStderr}
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	if out.overflow {
		return nil, &verdict.Error{
			Code: verdict.CodeLimit, What: fmt.Sprintf("git %s in %s gives more than %d bytes", c.args[0], quote(dir), c.limit),
			Remedy: "give a smaller folder, or look at what is that large with git " + c.args[0],
		}
	}
	var exit *exec.ExitError
	if c.ok1 && errors.As(err, &exit) && exit.ExitCode() == 1 {
		*c.ended = 1
		return out.buf.Bytes(), nil
	}
	if err != nil {
		return nil, failure(ctx, dir, c.args[0], err, errs.buf.String())
	}
	if c.warned != nil {
		*c.warned = errs.buf.String()
	}
	return out.buf.Bytes(), nil
}

func (p program) arguments(c call) []string {
	args := []string{"--no-pager", "--no-replace-objects", "--literal-pathspecs"}
	for _, kv := range overrides {
		args = append(args, "-c", kv)
	}
	for _, kv := range c.config {
		args = append(args, "-c", kv)
	}
	if c.repository != "" {
		args = append(args, "--git-dir="+c.repository)
	}
	return append(args, c.args...)
}

// failure says what a person can do about a failed run.
func failure(ctx context.Context, dir, command string, err error, stderr string) error {
	stderr = strings.TrimSpace(stderr)
	said := fmt.Errorf("git %s: %w: %s", command, err, firstLine(stderr))
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("git %s in %s: %w", command, quote(dir), context.Cause(ctx))
	case strings.Contains(stderr, "dubious ownership"), strings.Contains(stderr, "unsafe repository"):
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the repository of " + quote(dir) + " belongs to another user, and git does not read it",
			Remedy: "if you trust it: git config --global --add safe.directory " + shellQuote(owned(stderr, dir)), Err: said,
		}
	case strings.Contains(stderr, "safe.bareRepository"):
		return inGitDirectory(dir, said)
	case strings.Contains(stderr, "promisor remote"), strings.Contains(stderr, "lazy fetching disabled"):
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the clone of " + quote(dir) + " is partial, and does not hold every object that git " + command + " needs",
			Remedy: "fetch what is missing: git fetch --refetch, or clone again without --filter", Err: said,
		}
	case strings.Contains(stderr, "not a git repository"):
		return &verdict.Error{
			Code: verdict.CodeNotFound, What: quote(dir) + " is in no git repository",
			Remedy: "run it in a repository, or create one: git init", Err: ErrNotRepository,
		}
	}
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "git " + command + " did not answer for " + quote(dir),
		Remedy: "see what git says: git -C " + shellQuote(dir) + " status && git -C " + shellQuote(dir) + " fsck", Err: said,
	}
}

// owned is the path that git wants to see in safe.directory: the one it names itself.
func owned(stderr, dir string) string {
	_, rest, _ := strings.Cut(stderr, "'")
	if path, _, found := strings.Cut(rest, "'"); found && strings.HasPrefix(path, "/") {
		return path
	}
	return dir
}

func unreadable(dir, why string) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: "git's answer about " + quote(dir) + " cannot be read: " + why,
		Remedy: "check that `git version` names 2.25 or later, and the repository with git fsck",
	}
}

// bounded keeps up to left bytes and calls full when there is more. The buffer is not
// embedded: its ReadFrom would go past the bound.
type bounded struct {
	buf      bytes.Buffer
	left     int64
	overflow bool
	full     func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(len(p)) <= b.left {
		b.left -= int64(len(p))
		return b.buf.Write(p)
	}
	b.overflow = true
	if b.full == nil { // what git says beyond the limit is dropped
		return len(p), nil
	}
	b.full()
	return 0, io.ErrShortWrite
}

// quote makes a foreign word safe and short to show.
func quote(s string) string {
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return strconv.Quote(s)
}

// shellQuote makes a path that can be pasted into a command.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return s
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		q := strconv.Quote(s)
		q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
		return "$'" + strings.ReplaceAll(q, "'", `\'`) + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.ToValidUTF8(s, "?")
}
