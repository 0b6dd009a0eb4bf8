package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/forge"
	"verdict/ledger"
)

const (
	followChange = 7 * 24 * time.Hour // for how long what is decided of a commit is shown
	lookAnyway   = time.Hour          // when nothing of the log woke the work
	mostRecorded = 1_000
	mostMarks    = 100 // of one commit: points times services
)

// show tells what is recorded about the commit, and goes on telling what is recorded later.
func (d *working) show(ctx context.Context) (turn, error) {
	services, err := d.w.o.Asker.Services(ctx, d.event.Address)
	if err != nil {
		return turn{}, err
	}
	if len(services) == 0 {
		told := fmt.Sprintf("no service of the map in force is built from %s, so nothing is told about it", d.event.Address)
		return turn{over: true, told: told}, d.answerOnce(ctx, forge.Answer{Outcome: verdict.Deny, Comment: told})
	}
	commit := verdict.NewDigest("gitCommit", d.event.Commit)
	rows, err := d.recorded(ctx, commit, services)
	if err != nil {
		return turn{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if err := d.mark(ctx, name, rows[name]); err != nil {
			return turn{}, err
		}
	}
	if d.event.Kind == forge.Asked {
		if err := d.answerOnce(ctx, whole(services, rows)); err != nil {
			return turn{}, err
		}
	}
	if d.w.o.Now().Sub(time.UnixMicro(d.kept.Received)) > followChange {
		return turn{over: true, told: fmt.Sprintf("%d decisions were shown, and the commit is not followed any more", len(d.progress.Shown))}, nil
	}
	return turn{told: fmt.Sprintf("%d decisions are shown", len(d.progress.Shown)), waits: string(commit), pause: lookAnyway}, nil
}

// recorded finds the decision that stands of each point and service about the commit, by the
// name under which it is shown. One whose signer the map does not let decide is none.
func (d *working) recorded(ctx context.Context, commit verdict.Digest, services []Served) (map[string]*verdict.Decision, error) {
	rows, err := d.w.o.Records.Decisions(ctx, ledger.DecisionQuery{Subject: commit, At: ledger.Now, Limit: mostRecorded})
	if err != nil {
		return nil, err
	}
	out := map[string]*verdict.Decision{}
	for _, row := range rows { // newest first
		s := slices.IndexFunc(services, func(s Served) bool { return s.Name == row.Service })
		if s < 0 || row.Environment != "" {
			continue
		}
		name := markName(row.Point, row.Service, services)
		if _, newer := out[name]; newer || len(out) == mostMarks {
			continue
		}
		entry, decision, err := d.w.o.Records.Decision(ctx, row.ID, ledger.Now)
		if err != nil {
			return nil, err
		}
		counts, err := d.w.o.Asker.Counts(ctx, entry, decision)
		if err != nil {
			return nil, err
		}
		if counts {
			out[name] = decision
		}
	}
	return out, nil
}

// markName is what a check is called: branch protection names it, so it stays the same.
func markName(point, service string, services []Served) string {
	if len(services) == 1 {
		return "verdict / " + point
	}
	return "verdict / " + point + " (" + service + ")"
}

// mark shows one decision, if it is not shown yet. What was shown is remembered at once, so
// that whatever ends the process costs one look at the forge.
func (d *working) mark(ctx context.Context, name string, decision *verdict.Decision) error {
	if d.progress.Shown[name].Decision == decision.ID {
		return nil
	}
	ref, err := d.source.Hook.Show(ctx, d.event, forge.Mark{
		Name: name, Decision: *decision, Title: title(decision), Summary: d.w.o.Summary(*decision), URL: d.w.o.Page(decision.ID),
	})
	if err != nil {
		return err
	}
	if d.progress.Shown == nil {
		d.progress.Shown = map[string]shown{}
	}
	d.progress.Shown[name] = shown{decision.ID, ref}
	return d.save(ctx)
}

// titles say in a word what an outcome is.
var titles = map[verdict.Outcome]string{verdict.Allow: "allowed", verdict.Review: "a person has to approve", verdict.Deny: "denied", verdict.Undecided: "could not decide"}

// title is one line about a decision: what was enforced, and what would have been where the
// point only observes.
func title(d *verdict.Decision) string {
	text := titles[d.Enforced]
	if text == "" {
		text = "denied"
	}
	if d.Enforced != d.Outcome && d.Mode != verdict.ModeBlock {
		text += fmt.Sprintf("; %s in mode %s", titles[d.Outcome], d.Mode)
	}
	for _, r := range d.Reasons {
		if r.Standing == verdict.Counts && r.Title != "" {
			return text + ": " + r.Title
		}
	}
	if len(d.Errors) > 0 {
		return text + ": " + d.Errors[0].What
	}
	return text
}

// whole joins what is decided of a commit: it passes when each point that judges a change let
// it. A point that has not decided yet is no yes.
func whole(services []Served, rows map[string]*verdict.Decision) forge.Answer {
	outcome := verdict.Allow
	var open, against []string
	for _, s := range services {
		for _, p := range s.Points {
			name := markName(p, s.Name, services)
			decision := rows[name]
			switch {
			case decision == nil:
				open = append(open, name)
				outcome = outcome.Join(verdict.Review)
			case decision.Enforced != verdict.Allow:
				against = append(against, name+": "+title(decision))
				outcome = outcome.Join(decision.Enforced)
			}
		}
		if len(s.Points) == 0 {
			against = append(against, "no point of the map judges a change of "+s.Name)
			outcome = outcome.Join(verdict.Deny)
		}
	}
	comment := "every point let it pass"
	if len(open)+len(against) > 0 {
		comment = strings.Join(against, "; ")
		if len(open) > 0 {
			comment = strings.TrimPrefix(comment+"; nothing is decided yet by "+strings.Join(open, ", "), "; ")
		}
	}
	return forge.Answer{Outcome: outcome, Comment: comment}
}

// answerOnce answers a question when the answer is another than before. Events that ask
// nothing are not answered.
func (d *working) answerOnce(ctx context.Context, a forge.Answer) error {
	said := string(a.Outcome) + "\n" + a.Comment
	if d.event.Kind == forge.Changed || d.progress.Answered == said {
		return nil
	}
	if err := d.source.Hook.Answer(ctx, d.event, a); err != nil {
		return err
	}
	d.progress.Answered = said
	return d.save(ctx)
}
