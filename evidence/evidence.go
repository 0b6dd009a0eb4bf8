// Package evidence builds, encodes, signs and verifies statements: what happened to
// which subjects, in the words of in-toto, inside one DSSE envelope with one signature,
// kept as one Sigstore bundle v0.3.
//
// Bytes that were signed are kept as they are and never written again. Whatever comes
// from outside passes the limits below before anything else looks at it, and is read by
// exact field names: an object that names a field twice is refused, because two readers
// could then read two different statements from one signature.
//
// Signing, verification by key and the log's leaf are written by hand and allocate
// little, because each append to the ledger passes through them. Bundles signed with a
// certificate, and log entries judged by a trusted root, are the business of the leaf
// package evidence/sigstore.
package evidence

import (
	"errors"
	"fmt"

	"verdict"
)

// The limits at the border. What exceeds one of them is an *verdict.Error with
// CodeLimit.
const (
	MaxStatement = 16 << 20                         // bytes of a statement
	MaxBundle    = MaxStatement/3*4 + maxBundleRest // bytes of a bundle: the statement in base64, and the rest
	MaxDepth     = 64                               // nested objects and arrays
	MaxSubjects  = 1024                             // subjects of one statement
	MaxDigests   = 16                               // digests of one subject

	maxBundleRest = 1 << 20
	maxLogEntries = 32
	maxKeyFile    = 64 << 10
)

func invalid(what, remedy string, cause error) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: what, Remedy: remedy, Err: cause}
}

func beyond(what, remedy string) error {
	return &verdict.Error{Code: verdict.CodeLimit, What: what, Remedy: remedy}
}

func refused(what, remedy string, cause error) error {
	return &verdict.Error{Code: verdict.CodeRefused, What: what, Remedy: remedy, Err: cause}
}

// jsonProblem gives what the scanner found the words and the remedy that fit the
// document it was found in.
func jsonProblem(document, remedy string, err error) error {
	var e *verdict.Error
	if errors.As(err, &e) {
		return err
	}
	if errors.Is(err, errDeep) {
		return beyond(fmt.Sprintf("the %s is nested more than %d levels deep", document, MaxDepth),
			"flatten it, or store the data as a file and state its digest")
	}
	return invalid("the "+document+" is not JSON that can be read in one way only", remedy, err)
}
