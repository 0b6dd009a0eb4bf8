package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/report"
)

func exceptionCommand() command {
	return command{
		use: "exception", short: "Accept a risk for a service, in writing, by two persons, until a day",
		sub: []command{
			exceptionAddCommand(), exceptionApproveCommand(), exceptionListCommand(), exceptionShowCommand(), exceptionRevokeCommand(),
			exceptionExportCommand(), exceptionImportCommand(),
		},
	}
}

// shownException is one exception for people: the document verdict.exception/v1.
type shownException struct {
	Schema string `json:"schema,omitempty"` // empty in a list
	decide.ExceptionRecord
	State string    `json:"state"` // requested, active, expired, revoked, void
	At    time.Time `json:"at"`    // the state is of this moment
}

// exceptionsAt is the document verdict.exceptions/v1.
type exceptionsAt struct {
	Schema     string           `json:"schema"`
	Position   int64            `json:"position"` // the log's size that the answer is of
	At         time.Time        `json:"at"`
	Map        string           `json:"map"` // who approves by it
	Exceptions []shownException `json:"exceptions"`
	NotShown   int              `json:"not_shown,omitempty"` // of a list that was too long for the answer of a server
	active     bool             // only those that hold are told
	others     int              // that are left out by that
}

func exceptionListCommand() command {
	return command{
		use: "list", short: "List which risks are accepted, where, by whom and until when",
		long: "With --at the answer is the one of that time or position: what was asked for, approved, expired or revoked since does not change it. " +
			"An exception that counts for nothing (void) is listed with the reason.",
		example: "verdict exception list --active\nverdict exception list --active --at 2026-11-01T00:00:00Z --service payments-api -o json",
		formats: textOrJSON, reads: true,
		setup: func(f *flags) runner {
			var active bool
			var service, environment string
			f.toggle(&active, "active", "only those that hold")
			f.text(&service, "service", "NAME", "only of this service")
			f.text(&environment, "env", "NAME", "only of this environment")
			return func(ctx context.Context, a *app, _ []string) error {
				return a.listExceptions(ctx, active, service, environment)
			}
		},
	}
}

func (a *app) listExceptions(ctx context.Context, active bool, service, environment string) error {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	doc, err := w.exceptionsAt(ctx, service, environment)
	if err != nil {
		return err
	}
	if doc.active = active; active {
		doc.others = len(doc.Exceptions)
		doc.Exceptions = slices.DeleteFunc(doc.Exceptions, func(x shownException) bool { return x.State != decide.ExceptionActive })
		doc.others -= len(doc.Exceptions)
	}
	doc.Exceptions, doc.NotShown = shown(a, doc.Exceptions)
	return a.emit(doc, func(s report.Style) string { return doc.text(s) })
}

// lacks says what an empty list is empty of: that nothing holds is not that nothing was asked
// for.
func (x exceptionsAt) lacks(asOf string) string {
	if !x.active {
		return "is asked for or was" + asOf + "."
	}
	text := "holds" + asOf + "."
	if x.others > 0 {
		text += " Without --active: " + plural(x.others, "other.", "others.")
	}
	return text
}

// exceptionsAt lists exceptions as --at has them.
func (w *workspace) exceptionsAt(ctx context.Context, service, environment string) (exceptionsAt, error) {
	out := exceptionsAt{Schema: "verdict.exceptions/v1", Exceptions: []shownException{}}
	at, err := w.position(ctx)
	if err != nil {
		return out, err
	}
	if out.Position, err = w.size(ctx, at); err != nil {
		return out, err
	}
	if out.At, err = w.momentOf(ctx, at); err != nil {
		return out, err
	}
	m, from, err := w.mapOfPeople(ctx, at)
	if err != nil {
		return out, err
	}
	out.Map = from
	all, err := (&decide.Persons{Ledger: w.ledger, Map: m, At: at}).Exceptions(ctx, service, environment)
	if err != nil {
		return out, err
	}
	for _, x := range all {
		out.Exceptions = append(out.Exceptions, shownException{ExceptionRecord: x, State: x.State(out.At), At: out.At})
	}
	return out, nil
}

func (x exceptionsAt) text(s report.Style) string {
	asOf := " as of " + clockText(x.At) + ", by " + report.Neutral(x.Map)
	if len(x.Exceptions) == 0 {
		return report.Wrap("No exception "+x.lacks(asOf), s.Width, "") + "\n"
	}
	rows := [][]string{}
	for _, e := range x.Exceptions {
		rows = append(rows, []string{e.ID, e.State, report.Neutral("until " + e.Expires.Format(time.DateOnly) + ", " + first(e.Why, "by "+first(strings.Join(e.ApprovedBy, ", "), "nobody yet")))},
			[]string{"", "", report.Neutral(e.Rule + itemsText(e.Items) + ", for " + e.Service + " in " + strings.Join(e.Environments, ", "))})
	}
	return report.Wrap(s.Strong(plural(len(x.Exceptions), "exception", "exceptions")+asOf), s.Width, "") + "\n" + report.Table(rows, s.Width, "  ")
}

func itemsText(items []string) string {
	if len(items) == 0 {
		return ", all of it"
	}
	return " (" + strings.Join(items, ", ") + ")"
}

func exceptionShowCommand() command {
	return command{
		use: "show ID", short: "Show an exception with the steps that persons took about it",
		example: "verdict exception show x-4k7m", args: exactly(1), formats: textOrJSON, reads: true,
		setup: runs(func(ctx context.Context, a *app, args []string) error { return a.showException(ctx, args[0]) }),
	}
}

func (a *app) showException(ctx context.Context, id string) error {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	all, err := w.exceptionsAt(ctx, "", "")
	if err != nil {
		return err
	}
	i, err := oneID(id, "exception", "verdict exception list", exceptionIDs(all.Exceptions))
	if err != nil {
		return err
	}
	x := all.Exceptions[i]
	x.Schema = "verdict.exception/v1"
	return a.emit(x, func(s report.Style) string { return x.text(s) })
}

func exceptionIDs(all []shownException) (ids []string) {
	for _, x := range all {
		ids = append(ids, x.ID)
	}
	return ids
}

func (x shownException) text(s report.Style) string {
	versions := x.Versions
	if len(x.Digests) > 0 {
		var all []string
		for _, d := range x.Digests {
			all = append(all, string(d))
		}
		versions = strings.Join(all, ", ")
	}
	rows := [][]string{}
	for _, r := range [][2]string{
		{"rule", x.Rule + itemsText(x.Items)}, {"service", x.Service}, {"environments", strings.Join(x.Environments, ", ")}, {"of", versions},
		{"rationale", x.Rationale}, {"controls", x.Controls}, {"ticket", x.Ticket}, {"owner", x.Owner}, {"asked by", x.RequestedBy},
		{"approved by", fmt.Sprintf("%s (%d of %d)", first(strings.Join(x.ApprovedBy, ", "), "nobody"), len(x.ApprovedBy), x.Needs)},
		{"holds", x.Created.Format("2006-01-02 15:04 UTC") + " to " + x.Expires.Format("2006-01-02 15:04 UTC")}, {"void", x.Why},
	} {
		if r[1] != "" {
			rows = append(rows, []string{r[0], report.Neutral(r[1])})
		}
	}
	out := s.Strong(x.ID+" "+strings.ToUpper(x.State)) + "\n" + report.Table(rows, s.Width, "  ") + "Steps\n"
	steps := [][]string{}
	for _, st := range x.Steps {
		told := st.Note
		if st.Why != "" {
			told = "does not count: " + st.Why
		}
		steps = append(steps, []string{string(st.Step), report.Neutral(report.Speaker(st.By, st.SignedIn)), st.At.Format("2006-01-02 15:04 UTC"), fmt.Sprintf("entry %d", st.Index), report.Neutral(told)})
	}
	return out + report.Table(steps, s.Width, "  ")
}

func exceptionApproveCommand() command {
	return command{
		use: "approve ID", short: "Accept a risk that another person asked to have accepted",
		long: "What is signed is shown first, with all its terms. Who asked for it does not approve it, and neither does a person whose key one of the others enrolled; an approval by somebody who had a part in the artifact counts for nothing at the gate. " +
			"Ends with 5 while another person has to approve: for a service of the tier critical it takes two.",
		example: "verdict exception approve x-4k7m --as noor --note 'agreed with the team'",
		args:    exactly(1), formats: textOrJSON, signed: true,
		setup: func(f *flags) runner {
			var note string
			f.text(&note, "note", "TEXT", "what there is to say about it")
			return func(ctx context.Context, a *app, args []string) error {
				return a.stepException(ctx, args[0], verdict.StepApprove, note)
			}
		},
	}
}

func exceptionRevokeCommand() command {
	return command{
		use: "revoke ID", short: "End an exception before its day",
		long:    "Who asked for it, who owns the risk, and whoever may approve exceptions can. It counts from here on: the next answer of a gate is without it.",
		example: "verdict exception revoke x-4k7m --as noor --rationale 'the fix is out'",
		args:    exactly(1), formats: textOrJSON, signed: true,
		setup: func(f *flags) runner {
			var why string
			f.required(&why, "rationale", "TEXT", "why it ends")
			return func(ctx context.Context, a *app, args []string) error {
				if err := bounded("verdict exception revoke --help", [2]string{"rationale", why}); err != nil {
					return err
				}
				return a.stepException(ctx, args[0], verdict.StepRevoke, why)
			}
		},
	}
}

// exceptionStepped is the document verdict.exception-step/v1.
type exceptionStepped struct {
	Schema    string                `json:"schema"`
	Entry     int64                 `json:"entry"`
	Exception verdict.ExceptionStep `json:"exception"`
	Needs     int                   `json:"needs"` // persons that have to approve it
	Approved  []string              `json:"approved"`
	Told      []string              `json:"told"`
}

// stepException takes a further step about an exception.
func (a *app) stepException(ctx context.Context, id string, step verdict.Step, note string) (err error) {
	if a.serverSigns() {
		return a.sendStep(ctx, id, step, note)
	}
	p, _, err := a.asSignatory(ctx, "verdict exception "+string(step))
	if err != nil {
		return err
	}
	defer p.w.end(&err)
	all, err := p.Exceptions(ctx, "", "")
	if err != nil {
		return err
	}
	ids := []string{}
	for _, x := range all {
		ids = append(ids, x.ID)
	}
	i, err := oneID(id, "exception", "verdict exception list", ids)
	if err != nil {
		return err
	}
	x := all[i]
	if err := p.may(ctx, verdict.KindException, step, x.Service, x.Environments...); err != nil {
		return err
	}
	if err := p.mayStep(ctx, x, step); err != nil {
		return err
	}
	fmt.Fprint(report.Lines(a.stderr), shownException{ExceptionRecord: x, State: x.State(p.now)}.text(report.Style{Width: 100}))
	doc := exceptionStepped{
		Schema: "verdict.exception-step/v1", Exception: verdict.ExceptionStep{Exception: x.Terms(), Said: p.said(step, note)}, Needs: x.Needs,
		Approved: append([]string{}, x.ApprovedBy...), Told: []string{},
	}
	if step == verdict.StepApprove {
		doc.Approved = append(doc.Approved, p.key.Person)
	}
	if doc.Entry, err = p.stateException(ctx, doc.Exception); err != nil {
		return err
	}
	return a.tellStep(doc)
}

// tellStep writes the step, and ends with 5 while another person has to approve.
func (a *app) tellStep(doc exceptionStepped) error {
	if err := a.emit(doc, doc.text); err != nil {
		return err
	}
	if doc.Exception.Step != verdict.StepRevoke && len(doc.Approved) < doc.Needs {
		return exit(verdict.CodeReview.Exit())
	}
	return nil
}

// mayStep refuses a step that would not count.
func (p *signatory) mayStep(ctx context.Context, x decide.ExceptionRecord, step verdict.Step) error {
	switch state := x.State(p.now); {
	case state == decide.ExceptionVoid:
		return forbids("exception "+x.ID+" counts for nothing", x.Why, "ask for another one: verdict exception add")
	case state == decide.ExceptionExpired || state == decide.ExceptionRevoked:
		return &verdict.Error{Code: verdict.CodeConflict, What: fmt.Sprintf("exception %s is %s already", x.ID, state), Remedy: "ask for another one where the risk is still to be borne: verdict exception add"}
	}
	if step == verdict.StepApprove && slices.Contains(x.ApprovedBy, p.key.Person) {
		what, remedy := fmt.Sprintf("%s approved exception %s already, and it holds", p.key.Person, x.ID), "nothing is left to do"
		if len(x.ApprovedBy) < x.Needs {
			what, remedy = fmt.Sprintf("%s approved exception %s already, and %s to", p.key.Person, x.ID, others(x.Needs-len(x.ApprovedBy))), "have another person approve it: verdict exception approve "+x.ID+" --as KEY"
		}
		return &verdict.Error{Code: verdict.CodeConflict, What: what, Remedy: remedy}
	}
	why, remedy := p.MayRevokeException(x, p.key.Person), "have its owner, who asked for it, or somebody who approves exceptions revoke it"
	if step == verdict.StepApprove {
		var err error
		if why, err = p.MayApproveException(ctx, x, p.key); err != nil {
			return err
		}
		remedy = "have another person approve it whom the map entitles: " + approversText(p.Map, x.Service)
	}
	if why != "" {
		return forbids(fmt.Sprintf("%s cannot %s exception %s", p.key.Person, step, x.ID), why, remedy)
	}
	return nil
}

func approversText(m *decisionmap.Map, service string) string {
	if len(m.Exceptions.Approvers) == 0 {
		return "anybody under people: who did not ask for it"
	}
	out := slices.Clone(m.Exceptions.Approvers)
	for i, w := range out {
		if w == decisionmap.TeamOwner {
			out[i] = first(m.Services[service].Team, w)
		}
	}
	return strings.Join(out, ", ")
}

// stateException records a step. It is about the service in each of its environments.
func (p *signatory) stateException(ctx context.Context, x verdict.ExceptionStep) (int64, error) {
	var about []verdict.Subject
	for _, e := range x.Environments {
		about = append(about, verdict.DeploymentSubject(x.Service, e))
	}
	c := verdict.Context{Service: x.Service}
	if len(x.Environments) == 1 {
		c.Environment = x.Environments[0]
	}
	entry, err := p.state(ctx, verdict.KindException, x, c, about...)
	if err != nil {
		return -1, fmt.Errorf("record the exception: %w", err)
	}
	return entry.Index, nil
}

// others says how many further persons it takes.
func others(n int) string {
	if n == 1 {
		return "another person has"
	}
	return fmt.Sprintf("%d other persons have", n)
}

func (x exceptionStepped) text(s report.Style) string {
	e, out := x.Exception, ""
	para := func(t string) { out += report.Wrap(t, s.Width, "") + "\n" }
	about := report.Neutral(fmt.Sprintf("%s for %s in %s, %s%s", e.ID, e.Service, strings.Join(e.Environments, ", "), e.Rule, itemsText(e.Items)))
	switch e.Step {
	case verdict.StepRevoke:
		para(s.Strong("REVOKED: ") + fmt.Sprintf("%s, by %s in entry %d.", about, e.By, x.Entry))
		return out
	case verdict.StepRequest:
		para(s.Strong("ASKED FOR, NOT ACCEPTED: ") + fmt.Sprintf("%s, by %s in entry %d.", about, e.By, x.Entry))
	case verdict.StepApprove:
		if len(x.Approved) >= x.Needs {
			para(s.Strong("ACCEPTED: ") + fmt.Sprintf("%s, by %s until %s; entry %d.", about, personsText(x.Approved), e.Expires.Format("2006-01-02 15:04 UTC"), x.Entry))
		} else {
			para(s.Strong("APPROVED, NOT ACCEPTED: ") + fmt.Sprintf("%s, by %s in entry %d.", about, e.By, x.Entry))
		}
	}
	if missing := x.Needs - len(x.Approved); missing > 0 {
		out += fmt.Sprintf("  next: %s: verdict exception approve %s --as KEY\n  %s\n", others(missing)+" to approve it", e.ID, report.WithoutKey)
	}
	for _, t := range x.Told {
		out += report.Wrap(report.Neutral(t), s.Width, "  ") + "\n"
	}
	return out
}
