package ci

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/ci/wording"
)

// Limits of a tool that is run.
const (
	maxComplaint = 64 << 10        // bytes of standard error that are kept
	toolPatience = 3 * time.Second // for what the tool started and left behind
)

// Tool is how another tool is run over a tree. Its command comes from a released map.
type Tool struct {
	// Reads says what its output is read as. Root is set by Run.
	Reads   ResultOptions
	Command []string // program and arguments; no shell is between
	SHA256  string   // of the program's file, in hex; empty: not pinned
	Timeout time.Duration
	Dir     string // the folder that it runs in, absolute
	// Tree is the folder that a change can write to; no program of it runs.
	Tree string
	Env  []string // all of its environment

	less string // what helps where it prints too much; empty: what helps a report
}

// Run runs the tool and reads what it prints on standard output. Whatever keeps its
// answer from being known (it is not there, is another one, hangs, floods, fails, prints
// something else) leaves the report incomplete and says so. The error is that of ctx.
func (t Tool) Run(ctx context.Context) (verdict.Report, error) {
	program, err := t.program()
	if err != nil {
		return t.Unanswered(err.Error()), nil
	}
	out, complaint, code, why := t.execute(ctx, program)
	if ctx.Err() != nil {
		return verdict.Report{}, fmt.Errorf("run %s: %w", t.Reads.Source, context.Cause(ctx))
	}
	if why != "" {
		return t.Unanswered(why), nil
	}
	t.Reads.Root = filepath.ToSlash(resolved(t.Dir))
	r, err := ReadResult(t.Reads, out)
	if err != nil {
		e := verdict.AsError(err)
		return t.Unanswered(fmt.Sprintf("what it printed cannot be read (it ended with exit code %d%s): %s; %s", code, said(complaint), e.Error(), e.Remedy)), nil
	}
	if code != 0 && (len(r.Hits) == 0 || !slices.Contains(foundCodes(t.Reads.Format, r.Tool.Name), code)) {
		r.NotChecked = append(r.NotChecked, wording.Open("", "%s ended with exit code %d, which is not that of a whole run with what it reports%s", t.Reads.Source, code, said(complaint)))
		r.Complete = false
	}
	return r, nil
}

// Unanswered is the report of a tool that gave no answer.
func (t Tool) Unanswered(why string) verdict.Report {
	return verdict.Report{
		Check: t.Reads.Check, Source: t.Reads.Source, Tool: verdict.Tool{Name: t.Reads.Source}, Scope: verdict.Scope{Path: "."}, Hits: []verdict.Hit{},
		NotChecked: []verdict.NotChecked{wording.Open("", "%s gave no answer: %s", t.Reads.Source, oneLine(why, 600))},
	}
}

// foundCodes are the exit codes by which a tool says that it did its work and found
// something, as its documentation has them; 1 for tools that nobody listed.
func foundCodes(format, tool string) []int {
	word := format
	if format == "sarif" || format == "junit" {
		word = toolWord(tool)
	}
	switch word {
	case "grype", "zap":
		return []int{1, 2}
	case "kics":
		return []int{20, 30, 40, 50, 60}
	case "govulncheck":
		return []int{3}
	}
	return []int{1}
}

// hints begin lines with which tools end what they complain of, after the cause.
var hints = []string{"Use --debug flag", "For details on package patterns", "See https://"}

// said quotes the last line of what a tool complained that may be a cause, where there is one.
func said(complaint string) string {
	lines := strings.Split(complaint, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		last := oneLine(lines[i], 200)
		if last != "" && !slices.ContainsFunc(hints, func(h string) bool { return strings.HasPrefix(last, h) }) {
			return ": " + last
		}
	}
	return ""
}

// program finds the file to run and holds it against its pin.
func (t Tool) program() (string, error) {
	name := t.Command[0]
	if filepath.Base(name) != name && !filepath.IsAbs(name) {
		return "", fmt.Errorf("its program %s is named by a path of the tree, where a change could put another: name it by its absolute path, or by a word that is found on PATH", oneLine(name, 100))
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("its program %s is not on this machine: install it, or name another in the released map", oneLine(name, 100))
	}
	if found, err = filepath.EvalSymlinks(found); err != nil || !filepath.IsAbs(found) {
		return "", fmt.Errorf("its program %s cannot be found by an absolute path", oneLine(name, 100))
	}
	if rel, err := filepath.Rel(resolved(t.Tree), found); err == nil && filepath.IsLocal(rel) {
		return "", fmt.Errorf("its program %s lies in the tree that it should judge, where a change could put another: install it outside", oneLine(name, 100))
	}
	if t.SHA256 == "" {
		return found, nil
	}
	got, err := digestOf(found)
	if err != nil {
		return "", err
	}
	if got != t.SHA256 {
		return "", fmt.Errorf("its program has the sha256 %s and the released map pins %s: install the pinned version, or release a map with this one", got, t.SHA256)
	}
	return found, nil
}

// digestOf is the sha256 of a program's file, in hex.
func digestOf(program string) (string, error) {
	f, err := os.Open(program)
	if err != nil {
		return "", fmt.Errorf("its program cannot be read to tell which one it is: %w", lastCause(err))
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("its program cannot be read to tell which one it is: %w", lastCause(err))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// resolved is a path without links, as far as it can be told: tools print such paths, and
// a program is found by one.
func resolved(p string) string {
	if plain, err := filepath.EvalSymlinks(p); err == nil {
		return plain
	}
	return p
}

// execute runs the program. why says what kept it from ending by itself.
func (t Tool) execute(ctx context.Context, program string) (out []byte, complaint string, code int, why string) {
	ctx, stop := context.WithTimeoutCause(ctx, t.Timeout, errTimeout)
	defer stop()
	run, flood := context.WithCancel(ctx)
	defer flood()
	cmd := exec.CommandContext(run, program, t.Command[1:]...)
	cmd.Args[0], cmd.Dir, cmd.Env, cmd.WaitDelay = t.Command[0], t.Dir, t.Env, toolPatience
	group(cmd)
	stdout, stderr := &heard{left: MaxResult, full: flood}, &heard{left: maxComplaint}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case stdout.over:
		return nil, "", 0, fmt.Sprintf("it printed more than %d MiB and was stopped: %s", MaxResult>>20, cmp.Or(t.less, "let it print its report alone, without lines of source"))
	case errors.Is(context.Cause(ctx), errTimeout):
		return nil, "", 0, fmt.Sprintf("it did not end within %s and was stopped: give it a longer `timeout:` in the released map, or less to do", t.Timeout)
	case errors.Is(err, exec.ErrWaitDelay):
		_ = cmd.Cancel() // what it left behind; it is there, since it holds the output
		return nil, "", 0, "it ended and left a process behind that held its output open"
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return nil, "", 0, "it was ended by a signal" + said(stderr.String())
	case errors.As(err, &exit):
		return stdout.Bytes(), stderr.String(), exit.ExitCode(), ""
	case err != nil:
		return nil, "", 0, fmt.Sprintf("it could not be run: %s", cmp.Or(lastCause(err), err))
	}
	return stdout.Bytes(), stderr.String(), 0, ""
}

var errTimeout = errors.New("the time limit has passed")

// heard keeps up to left bytes. Beyond them it calls full, or drops the rest where
// nobody has to be told.
type heard struct {
	buf  bytes.Buffer
	left int
	over bool
	full func()
}

// Write keeps what fits.
func (c *heard) Write(p []byte) (int, error) {
	fits := min(len(p), c.left)
	c.left -= fits
	c.buf.Write(p[:fits])
	if fits == len(p) {
		return len(p), nil
	}
	if c.over = true; c.full != nil {
		c.full()
		return fits, io.ErrShortWrite
	}
	return len(p), nil
}

// Bytes is what was kept.
func (c *heard) Bytes() []byte { return c.buf.Bytes() }

// String is what was kept.
func (c *heard) String() string { return c.buf.String() }
