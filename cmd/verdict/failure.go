package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"verdict"
	"verdict/report"
)

// failure is an error with the place to look at: a command's help, a file's line.
type failure struct {
	err *verdict.Error
	see string
}

// Error is the error without the place.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap gives the error without the place.
func (f *failure) Unwrap() error { return f.err }

// usage is the error of a command that was written wrong.
func usage(see, what, remedy string) error {
	return &failure{&verdict.Error{Code: verdict.CodeUsage, What: what, Remedy: remedy}, see}
}

// exit is the end of a command that did what it should and whose answer is an exit
// code: blocked is an answer, not an error. exit(0) is nil.
func exit(code int) error {
	if code == 0 {
		return nil
	}
	return exitCode(code)
}

type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// explain turns any error into what is printed, and gives its exit code. A command that
// was stopped is interrupted, whatever it says about it.
func explain(ctx context.Context, err error) report.Failure {
	e := verdict.AsError(err)
	if ctx.Err() != nil {
		e = &verdict.Error{Code: verdict.CodeInterrupted, What: "stopped before it was finished, so nothing was decided", Remedy: "run the command again"}
	}
	f := report.Failure{Code: e.Code, What: e.Error(), Remedy: e.Remedy, Exit: e.Code.Exit()}
	var at *failure
	if errors.As(err, &at) {
		f.See = at.see
	} else if e.Code != verdict.CodeInterrupted {
		f.See = "verdict help exit-codes"
	}
	return f
}

// tell prints the failure for a person. Lines are broken for a terminal alone: who
// searches a log looks for whole ones.
func tell(w io.Writer, f report.Failure, s screen) {
	style := report.Style{Colour: s.colour, Width: 1 << 20}
	if s.terminal {
		style.Width = s.width
	}
	// A failure to complain on standard error has nowhere to go.
	_ = report.WriteFailure(w, "text", f, style)
}
