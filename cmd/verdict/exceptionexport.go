package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"verdict"
	"verdict/decide"
	"verdict/report"
)

// The forms of others in which exceptions travel.
const (
	formatAzure   = "azure-policy"
	formatOpenVEX = "openvex"
)

func exceptionExportCommand() command {
	return command{
		use: "export", short: "Write exceptions as Azure Policy exemptions, or as OpenVEX",
		long: "azure-policy writes those that hold as resources of the type " + exemptionType + ": Mitigated where controls are named, else Waiver. Their metadata holds all terms, so that they can come back (verdict exception import). Azure has to be told from which assignment they exempt: --assignment.\n\n" +
			"openvex writes a statement for each vulnerability that is accepted: affected, with an action statement that says until when and why. An exception never becomes not_affected: it accepts a risk, and says nothing of whether there is one.",
		example: "verdict exception export --format azure-policy --assignment /subscriptions/…/policyAssignments/baseline\nverdict exception export --format openvex --service payments-api",
		reads:   true,
		setup: func(f *flags) runner {
			var format, service, environment, assignment, scope string
			f.choice(&format, "format", "the form to write", formatAzure, formatOpenVEX)
			f.text(&service, "service", "NAME", "only of this service")
			f.text(&environment, "env", "NAME", "only of this environment")
			f.text(&assignment, "assignment", "ID", "the policy assignment in Azure that is exempted from, as az policy assignment list shows it; needed for azure-policy")
			f.text(&scope, "scope", "ID", "the resource in Azure that is exempted; default: where the template is deployed")
			f.must("format")
			f.mustWhen(func() bool { return format == formatAzure }, "assignment")
			return func(ctx context.Context, a *app, _ []string) error {
				w, err := a.openExisting(ctx)
				if err != nil {
					return err
				}
				defer w.close()
				return w.exportExceptions(ctx, format, service, environment, assignment, scope)
			}
		},
	}
}

func (w *workspace) exportExceptions(ctx context.Context, format, service, environment, assignment, scope string) error {
	all, err := w.exceptionsAt(ctx, service, environment)
	if err != nil {
		return err
	}
	active := []verdict.Exception{}
	for _, x := range all.Exceptions {
		if x.State == decide.ExceptionActive {
			active = append(active, x.Exception)
		}
	}
	if _, left := shown(w.app, active); left > 0 { // another program reads it, and none of them reads what a list left out
		return &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("%d exceptions hold, which is %d more than one answer has", len(active), left), Remedy: "ask for one service or environment at a time: ?service=NAME&environment=NAME"}
	}
	var doc any
	if format == formatAzure {
		list := []exemption{}
		for _, x := range active {
			list = append(list, exempting(x, assignment, scope))
		}
		doc = list
	} else {
		id, err := w.app.newID("urn:verdict:vex:")
		if err != nil {
			return err
		}
		vex, left := openVEX(active, id, w.actor(), all.At)
		if len(left) > 0 {
			fmt.Fprintf(w.app.stderr, "verdict: left out, as they name no vulnerability of a component: %s\n", strings.Join(left, ", "))
		}
		if len(vex.Statements) == 0 {
			return &verdict.Error{Code: verdict.CodeNotFound, What: "no exception that holds is about a vulnerability of a component, so there is nothing to state", Remedy: "see which there are: verdict exception list --active"}
		}
		doc = vex
	}
	return w.app.write(func(out io.Writer, _ string, _ report.Style) error { return indented(out, doc) })
}

func exceptionImportCommand() command {
	return command{
		use: "import FILE", short: "Ask to have the exemptions of Azure Policy accepted here",
		long: "FILE is what az policy exemption list or a template holds; - reads standard input. Each becomes a request, as if verdict exception add had filed it: another person has to approve it. " +
			"What an exemption does not say is taken from the flags. One that does not expire is refused, and then nothing is recorded.",
		example: "verdict exception import exemptions.json --format azure-policy --service payments-api --env production --owner payments --as alma",
		args:    exactly(1), formats: textOrJSON, signed: true,
		setup: func(f *flags) runner {
			var format string
			x := &riskFlags{}
			f.choice(&format, "format", "the form that it is in", formatAzure)
			f.text(&x.rule, "rule", "RULE", "the rule, where an exemption does not name one")
			f.text(&x.service, "service", "NAME", "the service that bears the risk")
			f.list(&x.environments, "env", "NAME", "an environment in which it is borne")
			f.text(&x.owner, "owner", "NAME", "the person or team that bears it")
			f.text(&x.versions, "versions", "RANGE", "versions that it covers; default: any")
			f.must("format")
			return func(ctx context.Context, a *app, args []string) error {
				return a.importExceptions(ctx, args[0], x)
			}
		},
	}
}

// importedExceptions is the document verdict.exceptions-asked/v1.
type importedExceptions struct {
	Schema string             `json:"schema"`
	Asked  []exceptionStepped `json:"asked"`
}

func (a *app) importExceptions(ctx context.Context, file string, f *riskFlags) (err error) {
	raw, err := a.readInput(file, "the exemptions", maxExemptionFile)
	if err != nil {
		return err
	}
	found, err := readExemptions(raw)
	if err != nil {
		return err
	}
	p, rules, err := a.asSignatory(ctx, "verdict exception import")
	if err != nil {
		return err
	}
	defer p.w.end(&err)
	var all []verdict.Exception
	for _, e := range found {
		x, err := e.exception(verdict.Exception{Rule: f.rule, Service: f.service, Environments: f.environments, Owner: f.owner, Versions: f.versions, RequestedBy: p.key.Person, Created: p.now})
		if err != nil {
			return err
		}
		if !x.Expires.After(p.now) {
			return badExemption(verdict.CodeRefused, fmt.Sprintf("%q expired on %s", e.Name, x.Expires.Format("2006-01-02")), "leave it out of the file")
		}
		if err := p.selects(ctx, x, rules); err != nil {
			return err
		}
		if err := p.requestable(ctx, x); err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(o verdict.Exception) bool {
			return o.Rule == x.Rule && o.Service == x.Service && meet(o.Environments, x.Environments) && slices.Equal(o.Items, x.Items)
		}) {
			return badExemption(verdict.CodeConflict, fmt.Sprintf("%q covers the same as another one of the file", e.Name), "keep one of the two")
		}
		all = append(all, x)
	}
	doc := importedExceptions{Schema: "verdict.exceptions-asked/v1"}
	for _, x := range all {
		one, err := p.request(ctx, x)
		if err != nil {
			return err
		}
		doc.Asked = append(doc.Asked, one)
	}
	err = a.emit(doc, func(s report.Style) string {
		out := ""
		for _, x := range doc.Asked {
			out += x.text(s)
		}
		return out
	})
	if err != nil {
		return err
	}
	return exit(verdict.CodeReview.Exit())
}
