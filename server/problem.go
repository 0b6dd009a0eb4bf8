package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"verdict"
	"verdict/store"
)

// Problem is an error as the API tells it: problem details (RFC 9457) with the members code,
// what and remedy that every error of Verdict has.
type Problem struct {
	huma.ErrorModel              // the members of the standard; Detail is What
	Code            verdict.Code `json:"code" doc:"class of the error; each has one exit code of the command line"`
	What            string       `json:"what" doc:"what happened"`
	Remedy          string       `json:"remedy" doc:"what to do about it"`
}

// Error is what happened.
func (p *Problem) Error() string { return p.What }

// statusOf gives each class of error its status.
var statusOf = map[verdict.Code]int{
	verdict.CodeUsage:       http.StatusBadRequest,
	verdict.CodeInvalid:     http.StatusUnprocessableEntity,
	verdict.CodeLimit:       http.StatusRequestEntityTooLarge,
	verdict.CodeUnavailable: http.StatusServiceUnavailable,
	verdict.CodeNotFound:    http.StatusNotFound,
	verdict.CodeConflict:    http.StatusConflict,
	verdict.CodeInternal:    http.StatusInternalServerError,
	verdict.CodeRefused:     http.StatusUnprocessableEntity,
	verdict.CodeForbidden:   http.StatusForbidden,
	verdict.CodeReview:      http.StatusConflict,
	verdict.CodeInterrupted: http.StatusServiceUnavailable,
}

// problemOf is an error as it is told to callers. What no person outside can act on is told
// as a defect without its words: they may name what is inside.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var e *verdict.Error
	if !errors.As(err, &e) {
		e = &verdict.Error{Code: verdict.CodeInternal, What: "a defect in Verdict: the request could not be answered", Remedy: "ask the operator to look for this time in the server's log"}
	}
	if errors.Is(err, store.ErrEngine) { // the operator's to mend: his log has the words
		e = &verdict.Error{Code: verdict.CodeUnavailable, What: "the server's database does not serve: " + e.What, Remedy: "try again in a minute; if it stays, tell the operator of the server. Nothing that was acknowledged is lost"}
	}
	status, ok := statusOf[e.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	return problem(status, e.Code, e.What, e.Remedy)
}

func problem(status int, code verdict.Code, what, remedy string) *Problem {
	return &Problem{ErrorModel: huma.ErrorModel{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: what}, Code: code, What: what, Remedy: remedy}
}

// notSignedIn is the problem of a route that needs somebody to be signed in.
func notSignedIn() *Problem {
	return problem(http.StatusUnauthorized, verdict.CodeForbidden, "nobody is signed in", "sign in: verdict login --server URL; or send a token as Authorization: Bearer")
}

// tooMany is the problem of a caller who asks faster than the limit.
func tooMany(what string) *Problem {
	return problem(http.StatusTooManyRequests, verdict.CodeLimit, what, "wait for the seconds in Retry-After, then ask again")
}

// writeProblem answers with an error, where no route of the API does it.
func writeProblem(w http.ResponseWriter, err error) {
	p := problemOf(err)
	h := w.Header()
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="verdict"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	h.Set("Content-Type", p.ContentType("application/json"))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // who has hung up is told nothing
}

// The library tells its own findings, of bodies and parameters that do not fit their schema,
// through this function. It is set once, for the whole process.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		for _, err := range errs {
			var p *Problem
			if errors.As(err, &p) {
				return p
			}
		}
		return problem(status, codeOf(status), described(msg, errs), remedyFor(status))
	}
}

func codeOf(status int) verdict.Code {
	switch status {
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return verdict.CodeLimit
	case http.StatusUnauthorized, http.StatusForbidden:
		return verdict.CodeForbidden
	case http.StatusUnprocessableEntity:
		return verdict.CodeInvalid
	case http.StatusNotFound:
		return verdict.CodeNotFound
	}
	if status >= 500 {
		return verdict.CodeInternal
	}
	return verdict.CodeUsage
}

func remedyFor(status int) string {
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return "send less at once"
	case status == http.StatusRequestTimeout:
		return "send the body faster, or in parts"
	case status >= 500:
		return "ask the operator to look for this time in the server's log"
	}
	return "compare the request with the operation in /openapi.json"
}

// described joins what the library found, at most ten of it.
func described(msg string, errs []error) string {
	var parts []string
	for i, err := range errs {
		if i == 10 {
			parts = append(parts, "and more")
			break
		}
		if err == nil {
			continue
		}
		words := err.Error()
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			if at := d.ErrorDetail(); at.Location != "" {
				words = at.Location + ": " + at.Message
			}
		}
		parts = append(parts, words)
	}
	if len(parts) == 0 {
		return msg
	}
	return msg + ": " + strings.Join(parts, "; ")
}
