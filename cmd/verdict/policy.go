package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
	"verdict/report"
)

func policyCommand() command {
	return command{
		use: "policy", short: "Test and release rules, and take recorded decisions again",
		sub: []command{policyTestCommand(), policyReplayCommand(), policyBacktestCommand(), policyReleaseCommand(), policyShowCommand(), policyListCommand()},
	}
}

func policyTestCommand() command {
	return command{
		use: "test [DIR]", short: "Run the tests of rules, and prove that no reason can be lost",
		long: "DIR holds .rego files, their _test.rego and .cases.yaml, and may be a tar or tar.gz of them; without it the built-in rules are tested. The text ends with the digest by which a map pins them. Beyond the tests, every rule that reports is tried with each member " +
			"of its input removed, with every state worsened, with and without the engine's index, and fifty times over. Ends with 3 when something does not hold.",
		example: "verdict policy test\nverdict policy test ./rules -o json",
		args:    atMost(1), formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, args []string) error {
			bundle, err := policy.Builtin()
			pin := ""
			if len(args) == 1 {
				bundle, pin, err = openRules(args[0])
			}
			if err != nil {
				return err
			}
			a.progress.phase("testing rules")
			r, err := bundle.Test(ctx)
			a.progress.stop()
			if err != nil {
				return err
			}
			if err := a.emit(r, func(report.Style) string { return neutralLines(r.Text() + pin) }); err != nil {
				return err
			}
			if !r.OK() {
				return exit(verdict.CodeRefused.Exit())
			}
			return nil
		}),
	}
}

// openRules compiles the rules of a folder or an archive, and says by which digest a map
// pins them.
func openRules(path string) (b *policy.Bundle, pin string, err error) {
	files, err := readRules(path)
	if err != nil {
		return nil, "", err
	}
	b, err = policy.Compile(files, policy.CompileOptions{})
	return b, fmt.Sprintf("a map beside it pins these rules as %s@%s\n", filepath.Base(filepath.Clean(path)), policy.DigestOf(files)), err
}

// readRules reads the rules of a folder or an archive, by path.
func readRules(path string) (map[string]string, error) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return rulesOnDisk(filepath.Dir(path), filepath.Base(path))
	}
	return policy.Open(path)
}

// neutralLines makes text harmless line by line: rules are somebody's files.
func neutralLines(text string) string {
	var b strings.Builder
	_, _ = report.Lines(&b).Write([]byte(text)) // a Builder takes everything
	return b.String()
}

func policyReplayCommand() command {
	return command{
		use: "replay ID", short: "Take a recorded decision again and compare",
		long: "Its facts are gathered again from the ledger as it was then, and the rules and the map that were recorded with it judge them again. " +
			"Nothing else is read. The same result ends with 0; the first difference is named and ends with 3; what cannot be replayed ends with 1. " +
			"So does a decision whose evidence was pruned since: its result is computed from the recorded facts, which nobody can check any more.",
		example: "verdict policy replay d-4k7m",
		args:    exactly(1), formats: textOrJSON, reads: true,
		setup: reading(replay),
	}
}

// replayed is a replay, with where the map of the decision came from.
type replayed struct {
	*decide.Replayed
	// Map is verified where the decision's map follows from the organisation map in force,
	// present where there was none, unknown where that could not be compared.
	Map     verdict.State `json:"map_state"`
	MapFrom string        `json:"map_from"`
	// Policy is the same for the rules and the policy that was released.
	Policy     verdict.State `json:"policy_state"`
	PolicyFrom string        `json:"policy_from"`
}

// unknown reports whether something that could make it another decision was not told.
func (r replayed) unknown() bool {
	return r.Facts.State == verdict.StateUnknown || r.Map == verdict.StateUnknown || r.Policy == verdict.StateUnknown
}

func replay(ctx context.Context, w *workspace, args []string) error {
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	out := replayed{}
	if w.remote != nil && w.remote.Part() {
		out, err = w.replayThere(ctx, args[0], at)
	} else {
		r := &decide.Replayer{Ledger: w.asTaken(), KeyName: namesOf(keys)}
		out, err = w.replayHere(ctx, r, args[0], at)
	}
	if err != nil {
		return err
	}
	if err := w.app.emit(out, func(s report.Style) string { return replayText(out, s) }); err != nil {
		return err
	}
	switch {
	case !out.Same:
		return exit(verdict.CodeRefused.Exit())
	case out.unknown():
		return exit(verdict.CodeUnavailable.Exit())
	}
	return nil
}

func (w *workspace) replayHere(ctx context.Context, r *decide.Replayer, id string, at ledger.Position) (out replayed, err error) {
	if out.Replayed, err = r.Replay(ctx, id, at); err != nil {
		return out, err
	}
	if err := w.placeMap(ctx, &out); err != nil {
		return out, err
	}
	return out, w.placePolicy(ctx, &out)
}

// replayThere has the server take a decision again: some of what it rests on is outside of the
// caller's roles, and without that it would be told to be another one.
func (w *workspace) replayThere(ctx context.Context, id string, at ledger.Position) (out replayed, err error) {
	q := replayAsked{Decision: id}
	if at != ledger.Now {
		q.At = fmt.Sprint(at)
	}
	out.Replayed = &decide.Replayed{}
	if err := w.remote.Work(ctx, "/policy/replays", q, &out); err != nil {
		return out, err
	}
	fmt.Fprintln(w.app.stderr, "verdict: the server took it again: what it rests on lies in part outside of your roles, and is not looked at here")
	return out, nil
}

// placeMap tells whether the map of a decision was the one in force: a record is judged
// by the map that it names, and whoever signed it chose that name.
func (w *workspace) placeMap(ctx context.Context, r *replayed) error {
	released, err := w.inForce(ctx, r.Facts.Seen)
	if err != nil {
		return err
	}
	r.standing(released)
	later, err := w.inForce(ctx, ledger.Position(r.Index))
	if err == nil && later.index() != released.index() {
		r.MapFrom += fmt.Sprintf("; entry %d released another before the decision was recorded", later.index())
	}
	return err
}

// standing holds the map of the decision against the one in force.
func (r *replayed) standing(released *releasedMap) {
	d := r.Decision.Digests.Map
	switch {
	case released == nil:
		r.Map, r.MapFrom = verdict.StatePresent, "no organisation map was in force: it is the one that the signer found before the change"
		return
	case d == released.Said.Map || d == released.Map.Digest():
		r.Map, r.MapFrom = verdict.StateVerified, fmt.Sprintf("the organisation map that entry %d released", released.Entry.Index)
		return
	case released.Said.Map != released.Map.Digest():
		r.Map, r.MapFrom = verdict.StateUnknown, fmt.Sprintf("NOT compared with the organisation map of entry %d: the built-in map has changed since, and with it what that map says", released.Entry.Index)
		return
	}
	beyond := decisionmap.Beyond(released.Map, r.Replayed.Map)
	if len(beyond) == 0 {
		r.Map, r.MapFrom = verdict.StateVerified, fmt.Sprintf("the organisation map of entry %d, tightened by the repository's file", released.Entry.Index)
		return
	}
	r.Map, r.MapFrom = verdict.StateFailed, fmt.Sprintf("NOT the organisation map of entry %d", released.Entry.Index)
	if r.Same {
		r.Same = false
		r.Difference = fmt.Sprintf("the map of the decision does not follow from the organisation map of entry %d: %s: %s", released.Entry.Index, beyond[0].Path, beyond[0].What)
	}
}

func replayText(r replayed, s report.Style) string {
	d := r.Decision
	head := "The same decision again."
	switch {
	case !r.Same:
		head = "ANOTHER DECISION."
	case r.unknown():
		head = "NOT TOLD: the conclusion follows from the record, and what the record rests on could not all be checked."
	}
	engine := r.Engine
	if d.Engine != r.Engine {
		engine = fmt.Sprintf("%s now, %s when it was taken", r.Engine, d.Engine)
	}
	rows := [][]string{
		{"decision", fmt.Sprintf("%s, entry %d", d.ID, r.Index)},
		{"signed by", "key " + r.Signer + trustWord(r.Trusted)},
		{"point", d.Point},
		{"outcome", fmt.Sprintf("%s, enforced as %s", r.Again.Outcome, r.Again.Enforced)},
		{"result digest", string(r.Result)},
		{"facts", factsText(r.Facts)},
		{"map", d.Digests.Map.Short() + ", " + r.MapFrom},
		{"policy", d.Digests.Policy.Short() + ", " + r.PolicyFrom},
		{"engine", engine},
	}
	out := s.Strong(head) + "\n" + report.Table(rows, s.Width, "  ")
	if !r.Same {
		out += report.Wrap("  first difference: "+report.Neutral(r.Difference), s.Width, "  ") + "\n"
		out += report.Wrap("  fix: the record does not follow from its basis: find out who signed entry "+fmt.Sprint(r.Index)+" (verdict why "+d.ID+")", s.Width, "  ") + "\n"
	}
	if !strings.HasSuffix(out, "\n") {
		out += "\n"
	}
	return out
}

// trustWord says aloud when the signer had no right to the decision.
func trustWord(trusted bool) string {
	if trusted {
		return ""
	}
	return ", which the map of then does not trust with what this point leaves: the decision counts for nobody who needs it"
}

// factsText says how far the ledger confirms what the decision rested on.
func factsText(f decide.Facts) string {
	var out string
	switch f.State {
	case verdict.StateVerified:
		out = fmt.Sprintf("gathered again at position %d of the log: the same", f.Seen)
	case verdict.StateFailed:
		out = "not those that the log holds"
	default:
		out = "as recorded; they could NOT be gathered again: " + report.Neutral(f.Why)
	}
	if len(f.Late) > 0 {
		out += fmt.Sprintf("; entries %s came before the decision was recorded and had no part in it", strings.Trim(fmt.Sprint(f.Late), "[]"))
	}
	return out
}
