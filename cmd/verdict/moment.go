package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"verdict/decisionmap"
	"verdict/ledger"
)

// moment is a position of the ledger for reading: an exact number of entries, the last
// entry recorded at a time, or at so long ago. The zero value is now.
type moment struct {
	Set  bool
	Size int64     // entries; counts when Time and Ago are zero
	Time time.Time // UTC
	Ago  time.Duration
	text string
}

// fixed reports whether the moment is the same whenever it is asked about.
func (m moment) fixed() bool { return m.Set && m.Ago == 0 }

// parseMoment reads TIME, SIZE or AGO. A date alone is refused: people disagree on whether
// it means the day's first or last moment.
func parseMoment(s string) (moment, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return moment{Set: true, Size: n, text: s}, nil
	}
	if ago, err := decisionmap.ParseDuration(s); err == nil {
		return moment{Set: true, Ago: time.Duration(ago), text: s}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return moment{}, &badValue{
			fmt.Sprintf("is %q, which is neither a number of log entries, nor a full time, nor how long ago", s),
			"write the log's size, such as 4120, a time with its zone, such as 2026-01-31T18:00:00Z, or how long ago: 90m, 2h, 7d",
		}
	}
	return moment{Set: true, Time: t.UTC().Truncate(time.Microsecond), text: s}, nil
}

func momentValue(p *moment) *value {
	return &value{kind: "TIME|SIZE|AGO", show: func() string { return p.text }, parse: func(s string) (err error) {
		*p, err = parseMoment(s)
		return err
	}}
}

// position is where --at points.
func (w *workspace) position(ctx context.Context) (ledger.Position, error) {
	return w.positionOf(ctx, "--at ", w.app.config.At)
}

// positionOf is where a moment points; name is how it was given.
func (w *workspace) positionOf(ctx context.Context, name string, at moment) (ledger.Position, error) {
	switch {
	case !at.Set:
		return ledger.Now, nil
	case at.Ago > 0:
		return w.ledger.PositionAt(ctx, w.now().Add(-at.Ago))
	case at.Time.IsZero():
		size, err := w.size(ctx, ledger.Now)
		if err == nil && at.Size > size {
			err = usage("verdict log checkpoint", fmt.Sprintf("%s%d is beyond the log, which holds %d entries", name, at.Size, size), "give a size that it had, or a time")
		}
		return ledger.Position(at.Size), err
	}
	if at.Time.After(w.now()) { // what will have been recorded by then, nobody knows
		return ledger.Now, usage("verdict log checkpoint", fmt.Sprintf("%s%s lies ahead", name, at.Time.Format(time.RFC3339)), "give a time that has passed, or leave it out")
	}
	return w.ledger.PositionAt(ctx, at.Time)
}

// momentOf is the time that the position of --at stands for.
func (w *workspace) momentOf(ctx context.Context, at ledger.Position) (time.Time, error) {
	return w.timeOf(ctx, w.app.config.At, at)
}

// timeOf is the time that a position stands for: the time itself where one was given, else
// when the last entry before it was recorded.
func (w *workspace) timeOf(ctx context.Context, m moment, at ledger.Position) (time.Time, error) {
	switch {
	case !m.Set:
		return w.now(), nil
	case m.Ago > 0:
		return w.now().Add(-m.Ago), nil
	case !m.Time.IsZero():
		return m.Time, nil
	}
	last, err := w.ledger.Find(ctx, ledger.Query{At: at, Limit: 1})
	if err != nil || len(last) == 0 {
		return w.now(), err
	}
	return last[0].At, nil
}
