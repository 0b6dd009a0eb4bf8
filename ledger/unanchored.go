package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// sinceMark stands beside an anchor that was begun for a log with entries in it: what
// those were before, nothing here has seen. It stands until Verify has held the log
// against a checkpoint that covers them.
type sinceMark struct {
	Origin string   `json:"origin"`
	Since  Position `json:"since"` // the anchor covers what came from here on
}

func sincePath(dir, origin string) string { return filepath.Join(dir, origin+".since") }

// readSince gives the mark of an origin, nil when its anchor is as old as the log.
func readSince(dir, origin string) (*sinceMark, error) {
	b, err := os.ReadFile(sincePath(dir, origin))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	m := &sinceMark{}
	if err == nil && len(b) <= maxMark {
		err = json.Unmarshal(b, m)
	}
	if err == nil && (len(b) > maxMark || m.Origin != origin || m.Since <= 0) {
		err = errors.New("it says something else")
	}
	if err != nil {
		return nil, fmt.Errorf("mark %s: %w", sincePath(dir, origin), err)
	}
	return m, nil
}

// markSince says beside the anchor that is about to be begun what it does not cover. A
// mark that says more already stays.
func markSince(dir, origin string, since Position) error {
	if m, err := readSince(dir, origin); err == nil && m != nil && m.Since >= since {
		return nil
	}
	b, err := json.Marshal(sinceMark{Origin: origin, Since: since})
	if err != nil {
		return fmt.Errorf("mark of %s: %w", origin, err)
	}
	f, err := os.CreateTemp(dir, "."+origin+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		if err = os.Rename(f.Name(), sincePath(dir, origin)); err == nil {
			err = syncFolder(dir)
		}
	}
	return err
}

// Unanchored reports that there was no anchor when this log, which has entries, was
// opened: whether they are those of before, nothing here can tell. Later openings find
// the anchor that this one began, and Verify says what it does not cover.
func (l *Ledger) Unanchored() (since Position, found bool) {
	return l.since, l.since > 0
}

// adopt begins an anchor where there is none. In a log with entries that is said, and
// kept beside the anchor before there is one, so that no crash takes it away.
func (l *Ledger) adopt() error {
	if _, _, known := l.anchor.latest(); !known && l.trusted.Size > 0 {
		l.since = Position(l.trusted.Base + l.trusted.Size)
		l.o.Logger.Warn("no anchor was found, the checkpoint of the database becomes the first", "origin", l.trusted.Origin, "size", l.trusted.Size, "since", l.since)
		if err := markSince(l.o.AnchorDir, l.trusted.Origin, l.since); err != nil {
			return l.anchor.unusable(err)
		}
	}
	return l.anchor.create(l.sign(l.trusted))
}
