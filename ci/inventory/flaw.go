package inventory

import (
	"fmt"
	"strings"

	"verdict"
)

// What can be wrong with a file that names components, and with how it names them.
const (
	LockMissing     = "lockfile-missing"
	LockStale       = "lockfile-out-of-step"
	HashMissing     = "hash-missing"
	HashChanged     = "hash-changed"
	Unpinned        = "unpinned"
	MutableRef      = "mutable-reference"
	ScriptAdded     = "install-script-added"
	HashesNone      = "hashes-not-recorded"
	RegistriesMixed = "registries-mixed"
)

// Flaw is one thing that is wrong with a file.
type Flaw struct {
	Rule  string // what is wrong, one of the words above, or of whoever makes it
	About string // with which component; empty for the file
	Path  string
	Line  int64
	// Message says it in one sentence about the file, and Fix what to do.
	Message, Fix string
	// Gap is what cannot be judged because of it, as Finish tells it; zero for nothing.
	Gap verdict.NotChecked
}

// Key names the flaw whatever its line is.
func (f Flaw) Key() string {
	if f.About == "" {
		return f.Rule + ":" + f.Path
	}
	return f.Rule + ":" + f.About + ":" + f.Path
}

// unlocked says of a file, for which the gap stands, that it has no lockfile.
func unlocked(gap verdict.NotChecked, fix string) Flaw {
	message, _, _ := strings.Cut(gap.Reason, ": ")
	return Flaw{Rule: LockMissing, Path: gap.Path, Message: message, Fix: fix, Gap: gap}
}

// stale says of a manifest that its lockfile is not of the same state.
func stale(manifest string, line int64, about, message, fix string) Flaw {
	return Flaw{Rule: LockStale, About: about, Path: manifest, Line: line, Message: message, Fix: fix}
}

// Flaw is one of the component, at its place.
func (d Dependency) Flaw(rule, fix, format string, args ...any) Flaw {
	return Flaw{Rule: rule, About: d.Name + "@" + d.Version, Path: d.Source, Line: d.Line, Message: fmt.Sprintf(format, args...), Fix: fix}
}
