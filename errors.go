package verdict

import "errors"

// Code is the class of an error. Each has one exit code of the command line.
type Code string

// The codes and, behind them, their exit codes.
const (
	CodeUsage       Code = "usage"       // 2: the command was written wrong
	CodeInvalid     Code = "invalid"     // 1: data that cannot be accepted
	CodeLimit       Code = "limit"       // 1: data beyond a limit of size, depth, count or time
	CodeUnavailable Code = "unavailable" // 1: a part that is needed is missing or does not answer
	CodeNotFound    Code = "not-found"   // 1: nothing by that name
	CodeConflict    Code = "conflict"    // 1: another writer, or a state that does not allow it
	CodeInternal    Code = "internal"    // 1: a defect of ours
	CodeRefused     Code = "refused"     // 3: checked, and it does not hold
	CodeForbidden   Code = "forbidden"   // 4: not signed in, or without the right
	CodeReview      Code = "review"      // 5: a person has to approve
	CodeInterrupted Code = "interrupted" // 130: stopped by the user
)

// Exit is the process exit code of an error of this class.
func (c Code) Exit() int {
	switch c {
	case CodeUsage:
		return 2
	case CodeRefused:
		return 3
	case CodeForbidden:
		return 4
	case CodeReview:
		return 5
	case CodeInterrupted:
		return 130
	}
	return 1
}

// Error is a problem that a person can act on. What says what happened, Remedy the next
// command or edit; neither is ever empty. Err is the cause, if there is one.
type Error struct {
	Code   Code
	What   string
	Remedy string
	Err    error
}

// Error is What, with the cause behind it.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.What + ": " + e.Err.Error()
	}
	return e.What
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError finds the *Error in err's chain. An error that nobody gave a remedy is
// reported as CodeInternal with the remedy to report it, so that the remedy is never
// empty. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Code: CodeInternal, What: err.Error(), Remedy: reportIt}
	}
	out := *e
	if err != error(e) { // keep what the callers said around it
		out.What, out.Err = err.Error(), nil
	}
	if out.Remedy == "" {
		out.Remedy = reportIt
	}
	return &out
}

const reportIt = "this is a defect or an unforeseen state: run again with --verbose and report what it prints"
